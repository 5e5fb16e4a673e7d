//! What a request carries: query, operation name, variables, extensions (GraphQL over HTTP,
//! "Request Parameters"). Null is as good as nothing; what else is sent is ignored.

use super::Refusal;
use super::media_type::is_json;
use crate::limits::MAX_BODY;
use async_graphql::{Extensions, Variables};
use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// The parameters of one request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// The document; it may be left out where it is named by its hash.
    pub query: Option<String>,
    /// Which operation of it is meant.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Option<Variables>,
    /// Agreements beside the specification.
    pub extensions: Option<Extensions>,
}

/// As they stand in a URL.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InUrl {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// Those of a GET: texts, of which two are JSON. An empty one is none.
    pub fn of_url(uri: &Uri) -> Result<Self, Refusal> {
        let Query(InUrl { query, operation_name, variables, extensions }) =
            Query::try_from_uri(uri).map_err(|_| malformed("The query string is malformed."))?;
        Ok(Self {
            query: given(query),
            operation_name: given(operation_name),
            variables: given(variables).map(|it| json(it.as_bytes())).transpose()?.flatten(),
            extensions: given(extensions).map(|it| json(it.as_bytes())).transpose()?.flatten(),
        })
    }

    /// Those of a POST: JSON, whole and in time.
    pub async fn of_body(headers: &HeaderMap, body: Body, time: Duration) -> Result<Self, Refusal> {
        if !is_json(headers) {
            let message = "Send application/json in UTF-8; files are not taken.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Refusal::new(status, "CONTENT_TYPE", message));
        }
        let body = read(headers, body, time).await?;
        if body.trim_ascii_start().starts_with(b"[") {
            let message = "Send one request at a time, in a JSON object.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "BATCHING_OFF", message));
        }
        let parameters: Self = json(&body)?;
        let operation_name = given(parameters.operation_name);
        Ok(Self { operation_name, ..parameters })
    }
}

async fn read(headers: &HeaderMap, body: Body, time: Duration) -> Result<Vec<u8>, Refusal> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    let too_large = || {
        let message = "The body is larger than 512 KiB, or broke off.";
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
    };
    if announced.is_some_and(|it: usize| it > MAX_BODY) {
        return Err(too_large());
    }
    let Ok(body) = timeout(time, to_bytes(body, MAX_BODY)).await else {
        let message = "The body did not come in time.";
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", message));
    };
    body.map(Into::into).map_err(|_| too_large())
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|it| !it.is_empty())
}

/// What is JSON but of another type is told apart from what is none.
fn json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(text).map_err(|error| {
        if error.is_data() {
            let message = "query and operationName are strings, variables and extensions objects.";
            Refusal::new(StatusCode::BAD_REQUEST, "PARAMETER_TYPE", message)
        } else {
            malformed("This is not JSON, or nests deeper than 127 levels.")
        }
    })
}

fn malformed(message: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "MALFORMED_JSON", message)
}
