//! GraphQL over HTTP, as <https://graphql.github.io/graphql-over-http/> has it: POST for
//! everything, GET for queries.
//!
//! No page of another origin can make a browser do anything here. Who asks is told by a bearer
//! token alone, and a browser never adds one by itself, as it does with cookies; a script that adds
//! one has to ask first (a preflight), and only `PMS_CORS_ORIGINS` are answered. So neither a GET
//! nor a form needs another defence; that a POST has to be `application/json` is a second one.

mod media_type;
mod parameters;
mod persisted_queries;
mod refusal;

pub use media_type::{MediaType, accepts};
pub use persisted_queries::PersistedQueries;
pub use refusal::Refusal;

use crate::caller::{self, Caller, Unidentified};
use crate::document::{Document, check};
use crate::errors::{complete, last_told};
use crate::execution::execute;
use crate::loader::loader;
use crate::server::{ClientAddress, Node};
use async_graphql::http::GraphiQLSource;
use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::{Extension, Json};
use commands::Error;
use parameters::Parameters;
use serde_json::json;
use tracing::{Instrument as _, info_span};

/// Answers one request.
pub async fn graphql(
    State(node): State<Node>,
    Extension(client): Extension<ClientAddress>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    if node.transport.graphiql && asks_for_a_page(&head) {
        return Html(GraphiQLSource::build().endpoint("/graphql").finish()).into_response();
    }
    let correlation_id = correlation_id(&head.headers);
    let Some(media_type) = MediaType::accepted(&head.headers) else {
        let message = "Accept application/graphql-response+json or application/json.";
        let refusal = Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message);
        return refusal.respond(MediaType::Json, &correlation_id);
    };
    match answer(&node, client, &head, body, &correlation_id).await {
        Ok(response) => respond(response, media_type, &correlation_id),
        Err(refusal) => refusal.respond(media_type, &correlation_id),
    }
}

fn asks_for_a_page(head: &Parts) -> bool {
    head.method == Method::GET && head.uri.query().is_none() && accepts(&head.headers, "text/html")
}

/// The client's own, where it is short and plain, or a new one.
pub fn correlation_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-correlation-id").and_then(|id| id.to_str().ok());
    let given = given.filter(|id| is_correlation_id(id)).map(ToOwned::to_owned);
    given.unwrap_or_else(|| commands::new_id().to_string())
}

/// It is stored with events: short and plain.
fn is_correlation_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

async fn answer(
    node: &Node,
    client: ClientAddress,
    head: &Parts,
    body: Body,
    correlation_id: &str,
) -> Result<async_graphql::Response, Refusal> {
    let transport = &node.transport;
    let caller = identify(node, &head.headers, correlation_id).await?;
    let by_get = head.method != Method::POST;
    let Parameters { query, operation_name, variables, extensions } = if by_get {
        Parameters::of_url(&head.uri)?
    } else {
        Parameters::of_body(&head.headers, body, transport.times.body).await?
    };
    let found = transport.persisted_queries.find(query, &extensions.unwrap_or_default());
    let (query, hash) = found.map_err(refused_query)?;
    let variables = variables.unwrap_or_default();
    let document = check(&query, operation_name.as_deref(), &variables, transport.introspection);
    let Document { parsed, operation, weight } = document.map_err(Refusal::by_graphql)?;
    if operation == OperationType::Mutation {
        if by_get {
            return Err(Refusal::mutation_by_get());
        }
        caller.commands.permit_changes().map_err(Refusal::by_graphql)?;
    }
    let allowed = transport.allow(&caller.request.actor.subject, weight);
    allowed.map_err(Refusal::rate_limited)?;
    if operation == OperationType::Mutation {
        remember_origin(&caller, client, &head.headers).await?;
    }
    let span = info_span!("graphql", correlation_id, actor = caller.request.actor.subject);
    let things = loader(&caller.commands);
    let mut request = async_graphql::Request::new("").variables(variables);
    request.operation_name = operation_name;
    request.set_parsed_query(parsed);
    let done = execute(node, request.data(caller).data(things), operation).instrument(span).await;
    let response = done.map_err(|error| unanswered(error, correlation_id))?;
    if let Some(hash) = hash.filter(|_| was_executed(&response)) {
        transport.persisted_queries.keep(hash, &query);
    }
    Ok(response)
}

/// A request without a query is none; the rest is between client and cache.
fn refused_query(finding: domain::Finding) -> Refusal {
    if finding.code == "PERSISTED_QUERY_NOT_FOUND" {
        return Refusal::by_graphql(finding);
    }
    Refusal::of(StatusCode::BAD_REQUEST, finding)
}

/// Who asks.
pub async fn identify(
    node: &Node,
    headers: &HeaderMap,
    correlation_id: &str,
) -> Result<Caller, Refusal> {
    let caller = Caller::identify(node, bearer(headers), Some(correlation_id)).await;
    caller.map_err(|why| match why {
        Unidentified::Token(refusal) => Refusal::unidentified(refusal),
        Unidentified::Database(problem) => Refusal::unavailable(&problem),
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    caller::bearer(headers.get(header::AUTHORIZATION)?.to_str().ok()?)
}

/// Where a change came from is known before it happens.
async fn remember_origin(
    caller: &Caller,
    ClientAddress(address): ClientAddress,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let agent = headers.get(header::USER_AGENT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let address = address.to_string();
    let remembered = caller.commands.remember_origin(&caller.request, &address, agent).await;
    remembered.map_err(|problem| Refusal::unavailable(&problem))
}

/// It was begun, and has no answer.
fn unanswered(error: Error, correlation_id: &str) -> Refusal {
    let status = match error {
        Error::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::GATEWAY_TIMEOUT,
    };
    Refusal::of(status, last_told(error, correlation_id))
}

/// Whether there is data, even if it is null: errors of resolvers tell where they happened, those of
/// validation do not.
fn was_executed(response: &async_graphql::Response) -> bool {
    response.data != async_graphql::Value::Null
        || response.errors.iter().any(|error| !error.path.is_empty())
}

fn respond(
    mut response: async_graphql::Response,
    media_type: MediaType,
    correlation_id: &str,
) -> Response {
    for error in &mut response.errors {
        complete(error, correlation_id);
    }
    let executed = was_executed(&response);
    let status = match media_type {
        MediaType::GraphqlResponse if !executed => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let errors = &response.errors;
    // As it is: fields come in the order in which they were asked for.
    let body = if executed {
        Json(&response).into_response()
    } else {
        Json(json!({"errors": errors})).into_response()
    };
    (status, [(header::CONTENT_TYPE, media_type.header())], body).into_response()
}
