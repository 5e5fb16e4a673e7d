//! What listens: the routes of a node, its health and its readiness.

mod client_address;
mod listener;
mod metrics;
mod rate_limit;

pub use rate_limit::RateLimit;

use crate::auth::Issuers;
use crate::graphql_over_http::{MediaType, Refusal, graphql};
use crate::graphql_over_websocket;
use crate::history_export;
use crate::schema::Schema;
use crate::tlog_tiles;
use crate::transport::Transport;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use client_address::client_address;
use commands::Commands;
use projections::audit::standing::{Standing, standing};
use projections::follower::Row;
use rate_limit::network;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower_http::cors::CorsLayer;

/// How long a browser may remember what it was told before a request of another origin.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

/// How long the database may take to say how it is.
const READ_TIME: Duration = Duration::from_secs(2);

/// What every request needs.
#[derive(Clone)]
pub struct Node {
    /// What can be done.
    pub commands: Commands,
    /// What can be asked.
    pub schema: Schema,
    /// Who is believed.
    pub issuers: Arc<Issuers>,
    /// How it meets the network.
    pub transport: Arc<Transport>,
}

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// Serves a node until it is told to stop.
pub async fn serve(listener: TcpListener, node: Node, told_to_stop: impl Future<Output = ()>) {
    let transport = node.transport.clone();
    let (connections, times) = (transport.connections, transport.times);
    listener::serve(listener, routes(node), connections, times, told_to_stop).await;
}

/// The routes of a node.
fn routes(node: Node) -> Router {
    let mut guarded = Router::new()
        .route("/graphql", get(graphql).post(graphql).options(options))
        .route("/audit/history.jsonl", get(history_export::jsonl))
        .route("/audit/history.csv", get(history_export::csv))
        .route("/graphql/ws", graphql_over_websocket::route(node.transport.sockets))
        .merge(tlog_tiles::routes())
        .layer(from_fn_with_state(node.clone(), guard));
    if !node.transport.cors_origins.is_empty() {
        guarded = guarded.layer(cors(&node.transport));
    }
    guarded
        .route("/healthz", get(|| async { "alive" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(|| async { error(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "Use another method.")
        })
        .with_state(node)
}

/// Knows where a request comes from, refuses it where too many do, before anything that costs, and
/// sees that no answer is kept that does not say that it may be: it may hold a secret that is shown
/// once.
async fn guard(
    State(node): State<Node>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let proxies = &node.transport.trusted_proxies;
    let address = client_address(peer.ip(), request.headers(), proxies);
    let allowance = node.transport.per_address.as_ref();
    let allowed = allowance.map_or(Ok(()), |limit| limit.take(&network(address), 1));
    request.extensions_mut().insert(ClientAddress(address));
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let media_type = MediaType::accepted(request.headers()).unwrap_or(MediaType::Json);
            Refusal::rate_limited(wait).respond(media_type, &commands::new_id().to_string())
        }
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

/// What browsers may tell pages of these origins, and of no other. No credentials: a page has the
/// token itself.
fn cors(transport: &Transport) -> CorsLayer {
    let correlation_id = HeaderName::from_static("x-correlation-id");
    CorsLayer::new()
        .allow_origin(transport.cors_origins.clone())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, correlation_id])
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_AGE)
}

/// What may be done with GraphQL's address.
async fn options() -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, "GET, HEAD, POST, OPTIONS")]).into_response()
}

/// Ready while events can be appended, read tables are this program's, and the tokens of at least
/// one issuer can be verified; where the past is served, while it can be read. Followers and the seal of
/// the log are shown, and have no say in it: a node that answers is of use while one of them lags.
async fn readyz(State(node): State<Node>) -> Response {
    let health = *node.commands.store().health().borrow();
    let told = timeout(READ_TIME, told(node.commands.store().pool())).await;
    let told = told.ok().and_then(Result::ok);
    let issuers = node.issuers.states();
    let trusts = issuers.iter().any(|issuer| issuer.usable);
    let ready = health.ready && told.is_some() && trusts;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (followers, seal) = told.unzip();
    let body = json!({
        "ready": ready,
        "position": health.head.to_string(),
        "epoch": health.epoch,
        "stopped": health.stopped,
        "asOf": node.commands.past().map(|it| json!({"position": it.position.to_string(), "at": it.at})),
        "issuers": issuers,
        "followers": followers.unwrap_or_default().iter().map(shown).collect::<Vec<_>>(),
        "seal": seal,
    });
    (status, Json(body)).into_response()
}

/// What operators are told of all nodes.
async fn told(pool: &PgPool) -> projections::Result<(Vec<Row>, Standing)> {
    Ok((projections::follower::all(pool).await?, standing(pool).await?))
}

fn shown(follower: &Row) -> Value {
    json!({
        "name": follower.name,
        "lag": follower.lag,
        "heartbeatAge": follower.heartbeat_age,
        "parkedKeys": follower.parked_keys,
        "stopped": follower.stopped,
    })
}

/// An error of the transport, in the form of GraphQL's own.
pub fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body: Value = json!({"errors": [{"message": message, "extensions": {"code": code}}]});
    (status, Json(body)).into_response()
}
