//! GraphQL over HTTP.

use crate::auth::Refusal;
use crate::caller::{Caller, Unidentified};
use crate::errors::{chain, complete};
use crate::loader::loader;
use crate::server::{Node, error};
use async_graphql::http::GraphiQLSource;
use async_graphql::parser::types::OperationType;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::net::SocketAddr;
use std::time::Duration;
use tracing::{Instrument as _, info_span};

/// How long a client waits for its answer. What it asked for runs to its end all the same; the
/// event store gives up earlier.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page to try queries on.
pub async fn graphiql() -> Html<String> {
    Html(GraphiQLSource::build().endpoint("/graphql").finish())
}

/// Answers one request.
pub async fn graphql(
    State(node): State<Node>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let caller = match identify(&node, &headers).await {
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
async fn identify(node: &Node, headers: &HeaderMap) -> Result<Caller, Response> {
    let correlation_id = headers.get("x-correlation-id").and_then(|id| id.to_str().ok());
    let caller = Caller::identify(node, bearer(headers), correlation_id).await;
    caller.map_err(|why| match why {
        Unidentified::Token(refusal) => unauthorized(refusal),
        Unidentified::Database(problem) => unreachable_database(&problem),
    })
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
    let mut response = error(refusal.status(), refusal.code(), &refusal.to_string());
    let challenge = header::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}
