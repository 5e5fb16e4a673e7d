//! HTTP: GraphQL, health and readiness.

use crate::auth::{DevelopmentIssuer, Refusal};
use crate::caller::Caller;
use crate::errors::{chain, complete};
use crate::loader::loader;
use crate::schema::Schema;
use async_graphql::http::GraphiQLSource;
use async_graphql::parser::types::OperationType;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use commands::{Commands, Request};
use domain::actor::{Actor, MemberRole};
use domain::ids::PartnerId;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tracing::{Instrument as _, info_span};

/// The longest request body, in bytes: the largest certificate or policy fits many times.
const MAX_BODY: usize = 512 * 1024;
/// How long a client waits for its answer. What it asked for runs to its end all the same; the
/// event store gives up earlier.
const PATIENCE: Duration = Duration::from_secs(30);

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
        .route("/healthz", get(|| async { "alive" }))
        .route("/readyz", get(readyz))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Use another method.")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(node)
}

async fn graphiql() -> Html<String> {
    Html(GraphiQLSource::build().endpoint("/graphql").finish())
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

async fn graphql(
    State(node): State<Node>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let caller = match caller(&node, &headers).await {
        Ok(caller) => caller,
        Err(response) => return response,
    };
    let mut query = match parse(&headers, body) {
        Ok(query) => query,
        Err(response) => return *response,
    };
    if changes_something(&mut query)
        && let Err(response) = remember_origin(&caller, client, &headers).await
    {
        return response;
    }
    let correlation_id = caller.request.correlation_id.clone();
    let span = info_span!("graphql", correlation_id, actor = caller.request.actor.subject);
    let data = loader(&caller.commands);
    let query = query.data(caller).data(data);
    // In a task of its own: a mutation runs to its end even when the client hangs up.
    let work = tokio::spawn(async move { node.schema.execute(query).await }.instrument(span));
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(response)) => answered(response, &correlation_id),
        Ok(Err(_)) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "Something is wrong on our side.",
        ),
        Err(_) => error(
            StatusCode::GATEWAY_TIMEOUT,
            "OUTCOME_UNKNOWN",
            "This takes too long; whether it was done is not known.",
        ),
    }
}

fn answered(mut response: async_graphql::Response, correlation_id: &str) -> Response {
    for error in &mut response.errors {
        complete(error, correlation_id);
    }
    let mut answer = Json(response).into_response();
    // Answers may hold a secret that is shown once.
    answer
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}

/// Whether a request has a mutation. What does not parse changes nothing.
fn changes_something(query: &mut async_graphql::Request) -> bool {
    let operations = query.parsed_query().map(|it| &it.operations);
    operations.is_ok_and(|all| all.iter().any(|(_, it)| it.node.ty == OperationType::Mutation))
}

/// Where a change came from is known before it happens.
async fn remember_origin(
    caller: &Caller,
    client: SocketAddr,
    headers: &HeaderMap,
) -> Result<(), Response> {
    let agent = headers.get(header::USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let address = client.ip().to_string();
    let remembered = caller.commands.remember_origin(&caller.request, &address, agent).await;
    remembered.map_err(|problem| unreachable_database(&problem))
}

fn unreachable_database(problem: &dyn std::error::Error) -> Response {
    tracing::warn!(problem = %chain(problem), "the database cannot be used");
    let message = "The database cannot be reached. Try again later.";
    error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
}

/// Who asks; or the answer that refuses.
async fn caller(node: &Node, headers: &HeaderMap) -> Result<Caller, Response> {
    let actor = bearer(headers)
        .ok_or(Refusal::TokenMissing)
        .and_then(|token| node.issuer.actor(token))
        .map_err(unauthorized)?;
    let pool = node.commands.store().pool();
    let seats = projections::partner::of_member(pool, &actor.subject).await;
    let seats = seats.map_err(|problem| unreachable_database(&problem))?;
    let memberships = memberships(&actor, seats);
    let mut request = Request::new(actor);
    if let Some(id) = headers.get("x-correlation-id").and_then(|id| id.to_str().ok())
        && is_correlation_id(id)
    {
        id.clone_into(&mut request.correlation_id);
    }
    Ok(Caller { commands: node.commands.clone(), request, memberships })
}

/// What the log says, and what the token adds to it.
fn memberships(
    actor: &Actor,
    mut seats: Vec<(PartnerId, MemberRole)>,
) -> Vec<(PartnerId, MemberRole)> {
    seats.retain(|(id, _)| !actor.claimed_partners.contains(id.as_str()));
    let claimed = actor.claimed_partners.iter().map(|id| PartnerId::from(id.as_str()));
    seats.extend(claimed.map(|id| (id, MemberRole::Manager)));
    seats
}

/// It is stored with events: short and plain.
fn is_correlation_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn parse(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<async_graphql::Request, Box<Response>> {
    let refuse = |status, code, message| Err(Box::new(error(status, code, message)));
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.split(';').next().is_some_and(|it| it.trim() == "application/json"));
    if !is_json {
        let message = "Send application/json.";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "CONTENT_TYPE", message);
    }
    let Ok(body) = body else {
        let message = "The body is larger than 512 KiB, or broke off.";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message);
    };
    // serde would take an array for a struct, field by field.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice(&body) {
        Ok(query) if is_object => Ok(query),
        _ => refuse(
            StatusCode::BAD_REQUEST,
            "MALFORMED_JSON",
            "This is not a GraphQL request in JSON.",
        ),
    }
}

fn unauthorized(refusal: Refusal) -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, refusal.code(), &refusal.to_string());
    let challenge = header::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// An error of the transport, in the form of GraphQL's own.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body: Value = json!({"errors": [{"message": message, "extensions": {"code": code}}]});
    (status, Json(body)).into_response()
}
