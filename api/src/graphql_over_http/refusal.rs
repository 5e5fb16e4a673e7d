//! Why a request is not executed, in the form of GraphQL's own errors.

use super::MediaType;
use crate::auth;
use crate::errors::{chain, request_error};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::Finding;
use serde_json::json;
use std::time::Duration;

/// Why a request is not executed.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    findings: Vec<Finding>,
    /// Whether GraphQL refuses it and not HTTP: older clients are told so with 200.
    by_graphql: bool,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// HTTP refuses.
    pub fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self::of(status, Finding::new(code, "", message))
    }

    /// HTTP refuses for this reason.
    pub fn of(status: StatusCode, finding: Finding) -> Self {
        Self::all(status, vec![finding])
    }

    /// HTTP refuses for these reasons.
    pub fn all(status: StatusCode, findings: Vec<Finding>) -> Self {
        Self { status, findings, by_graphql: false, header: None }
    }

    /// GraphQL refuses: a request error.
    pub fn by_graphql(finding: Finding) -> Self {
        Self { by_graphql: true, ..Self::of(StatusCode::BAD_REQUEST, finding) }
    }

    /// Nobody knows who asks.
    pub fn unidentified(refusal: auth::Refusal) -> Self {
        let refused = Self::new(refusal.status(), refusal.code(), &refusal.to_string());
        if refused.status != StatusCode::UNAUTHORIZED {
            return refused; // another token would not help
        }
        refused.with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// The database is away.
    pub fn unavailable(problem: &dyn std::error::Error) -> Self {
        tracing::warn!(problem = %chain(problem), "the database cannot be used");
        let message = "The database cannot be reached. Try again later.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message)
    }

    /// Too much was asked for lately.
    pub fn rate_limited(wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        let refused = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITED",
            "Too much was asked for lately. Try again after the time in Retry-After.",
        );
        refused.with(header::RETRY_AFTER, seconds.into())
    }

    /// A GET changes nothing.
    pub fn mutation_by_get() -> Self {
        let message = "Send mutations by POST.";
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        refused.with(header::ALLOW, HeaderValue::from_static("POST"))
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The answer.
    pub fn respond(self, media_type: MediaType, correlation_id: &str) -> Response {
        let status = match media_type {
            MediaType::Json if self.by_graphql => StatusCode::OK,
            _ => self.status,
        };
        let errors = self.findings.iter().map(|it| request_error(it, correlation_id));
        let body = json!({"errors": errors.collect::<Vec<_>>()}).to_string();
        let mut response = (status, body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, media_type.header());
        response.headers_mut().extend(self.header);
        response
    }
}
