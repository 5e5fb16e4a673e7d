//! What listens: the routes of a node, its health and its readiness.

use crate::auth::DevelopmentIssuer;
use crate::graphql_over_http::{graphiql, graphql};
use crate::graphql_over_websocket::{self, Limits};
use crate::schema::Schema;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use commands::Commands;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The longest request body, in bytes: the largest certificate or policy fits many times.
const MAX_BODY: usize = 512 * 1024;

/// What every request needs.
#[derive(Clone)]
pub struct Node {
    /// What can be done.
    pub commands: Commands,
    /// What can be asked.
    pub schema: Schema,
    /// Who is believed.
    pub issuer: Arc<DevelopmentIssuer>,
}

/// The routes of a node.
pub fn router(node: Node) -> Router {
    Router::new()
        .route("/graphql", get(graphiql).post(graphql))
        .route("/graphql/ws", graphql_over_websocket::route(Limits::default()))
        .route("/healthz", get(|| async { "alive" }))
        .route("/readyz", get(readyz))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Use another method.")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(node)
}

/// Ready while events can be appended and read tables are this program's.
async fn readyz(State(node): State<Node>) -> Response {
    let health = *node.commands.store().health().borrow();
    let read = sqlx::query("select 1").execute(node.commands.store().pool());
    let answered = tokio::time::timeout(Duration::from_secs(2), read).await;
    let ready = health.ready && matches!(answered, Ok(Ok(_)));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": ready,
        "position": health.head.to_string(),
        "epoch": health.epoch,
        "stopped": health.stopped,
    });
    (status, Json(body)).into_response()
}

/// An error of the transport, in the form of GraphQL's own.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body: Value = json!({"errors": [{"message": message, "extensions": {"code": code}}]});
    (status, Json(body)).into_response()
}
