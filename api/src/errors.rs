//! The one border: refusals, conflicts and faults become GraphQL errors here and nowhere else.
//!
//! Every error has `extensions { code, field, params, correlationId }`. A fault is logged once,
//! with its correlation id, and never shown.

use crate::caller::caller;
use crate::refused_attempt::note;
use async_graphql::parser::types::OperationType;
use async_graphql::{Context, ErrorExtensionValues, PathSegment, ServerError, SimpleObject, Value};
use commands::Error;
use domain::Finding;
use std::collections::BTreeMap;

/// The answer of a resolver: an error is on its way already when it is `Err`.
pub type Result<T> = async_graphql::Result<T>;

/// One thing that is wrong, where it is data and not an error: with a row of a batch, or with a
/// certificate that is only checked. It says what the errors of a mutation say.
#[derive(SimpleObject)]
#[graphql(name = "Finding")]
pub struct ToldFinding {
    /// What to program against.
    code: &'static str,
    /// The path of the input field, such as `devices[3].make`.
    field: String,
    /// For people; may change.
    message: String,
    /// The values in the message.
    params: serde_json::Value,
}

impl From<Finding> for ToldFinding {
    fn from(Finding { code, field, message, params }: Finding) -> Self {
        let param =
            |(key, value): (&str, String)| (key.to_owned(), serde_json::Value::String(value));
        Self { code, field, message, params: params.into_iter().map(param).collect() }
    }
}

/// The code of a fault.
const FAULT: &str = "INTERNAL_ERROR";

/// Turns the outcome of a command or query into the answer of a resolver. Of several findings all
/// but the last are put beside the answer; the last one is the resolver's own error.
pub fn answer<T>(
    ctx: &Context<'_>,
    outcome: std::result::Result<T, impl Into<Error>>,
) -> Result<T> {
    let error = match outcome {
        Ok(value) => return Ok(value),
        Err(error) => error.into(),
    };
    let correlation_id = &caller(ctx).request.correlation_id;
    let is_refused = matches!(error, Error::Refused(_) | Error::Forbidden);
    let mut findings = told(error, correlation_id);
    if is_refused {
        note(ctx, &findings, None);
    }
    let last = findings.pop();
    for finding in findings {
        let mut error = ServerError::new(finding.message.clone(), Some(ctx.item.pos));
        error.path = path(ctx);
        error.extensions = Some(extensions(&finding, correlation_id));
        ctx.add_error(error);
    }
    Err(resolver_error(ctx, &last.unwrap_or_else(fault)))
}

/// The same for what is read. A mutation reads to show what its command has left: where the database
/// goes away in between, the answer is missing and the wish is granted all the same. Only the command
/// itself can say that nothing was stored.
pub fn read<T>(ctx: &Context<'_>, outcome: std::result::Result<T, impl Into<Error>>) -> Result<T> {
    let is_stored = ctx.query_env.operation.node.ty == OperationType::Mutation;
    let told = |error| match error {
        Error::Unavailable if is_stored => Error::OutcomeUnknown,
        other => other,
    };
    answer(ctx, outcome.map_err(|error| told(error.into())))
}

/// A finding as the error of one resolver; what other resolvers answer is given all the same.
pub fn resolver_error(ctx: &Context<'_>, finding: &Finding) -> async_graphql::Error {
    error_of(finding, &caller(ctx).request.correlation_id)
}

fn error_of(finding: &Finding, correlation_id: &str) -> async_graphql::Error {
    let mut error = async_graphql::Error::new(finding.message.clone());
    error.extensions = Some(extensions(finding, correlation_id));
    error
}

/// A finding as an error of a whole request, which no resolver has seen.
pub fn request_error(finding: &Finding, correlation_id: &str) -> ServerError {
    let mut error = ServerError::new(finding.message.clone(), None);
    error.extensions = Some(extensions(finding, correlation_id));
    error
}

/// The error of what comes after its resolver has answered: the end of a subscription.
pub fn late(error: impl Into<Error>, correlation_id: &str) -> async_graphql::Error {
    error_of(&last_told(error, correlation_id), correlation_id)
}

/// The one finding that ends something, where there is place for one.
pub fn last_told(error: impl Into<Error>, correlation_id: &str) -> Finding {
    told(error.into(), correlation_id).pop().unwrap_or_else(fault)
}

/// The findings that a client is told. A fault is logged here.
pub fn told(error: Error, correlation_id: &str) -> Vec<Finding> {
    let one = |code, message: &str| vec![Finding::new(code, "", message)];
    match error {
        Error::Refused(findings) if !findings.is_empty() => findings,
        Error::Forbidden => one("FORBIDDEN", "Your roles do not allow this."),
        Error::Conflict => one("CONFLICT", "This has changed meanwhile: read it again."),
        Error::Unavailable => {
            one("UNAVAILABLE", "The log cannot be reached; nothing was stored. Try again later.")
        }
        Error::OutcomeUnknown => one(
            "OUTCOME_UNKNOWN",
            "Whether this was stored is not known. Repeat it with the same idempotency key.",
        ),
        Error::Refused(_) => vec![fault()],
        Error::Fault(source) => {
            tracing::error!(correlation_id, error = %chain(&*source), "a fault");
            vec![fault()]
        }
    }
}

fn fault() -> Finding {
    let message = "Something is wrong on our side. Tell us the correlation id.";
    Finding::new(FAULT, "", message)
}

/// An error with all that caused it: for operators, never for clients.
pub fn chain(mut error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        let cause = source.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}"); // some errors tell their cause themselves
        }
        error = source;
    }
    text
}

fn path(ctx: &Context<'_>) -> Vec<PathSegment> {
    ctx.path_node.map_or_else(Vec::new, |node| {
        node.to_string_vec().into_iter().map(PathSegment::Field).collect()
    })
}

fn extensions(finding: &Finding, correlation_id: &str) -> ErrorExtensionValues {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", finding.code);
    if !finding.field.is_empty() {
        extensions.set("field", finding.field.clone());
    }
    if !finding.params.is_empty() {
        extensions.set("params", params(&finding.params));
    }
    extensions.set("correlationId", correlation_id);
    extensions
}

fn params(params: &BTreeMap<&'static str, String>) -> Value {
    let entry = |(key, value): (&&str, &String)| {
        (async_graphql::Name::new(*key), Value::String(value.clone()))
    };
    Value::Object(params.iter().map(entry).collect())
}

/// Gives what GraphQL itself found wrong a code and, where it can be told, the field.
pub fn complete(error: &mut ServerError, correlation_id: &str) {
    let field = quoted_field(&error.message);
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        extensions.set("code", "INVALID_QUERY");
        extensions.set("correlationId", correlation_id);
        if let Some(field) = field {
            extensions.set("field", field);
        }
    }
}

/// The input path in a message such as `Invalid value for argument "input.partnerType", …`.
fn quoted_field(message: &str) -> Option<String> {
    let word = |before: &str| {
        let rest = message.split_once(before)?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let path = match (word("argument \""), word("field \"")) {
        (Some(argument), Some(field)) => format!("{argument}.{field}"),
        (Some(path), None) | (None, Some(path)) => path,
        (None, None) => return None,
    };
    Some(path.strip_prefix("input.").unwrap_or(&path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found_in_what_graphql_says() {
        let message = r#"Invalid value for argument "input.partnerType", enumeration type"#;
        assert_eq!(quoted_field(message).as_deref(), Some("partnerType"));
        assert_eq!(quoted_field("Unknown type"), None);
    }

    #[test]
    fn a_cause_is_told_once() {
        let source = std::io::Error::other("no room");
        let told = crate::config::Error::File { path: "/x".into(), source };
        assert_eq!(chain(&told), "/x: no room");
    }

    #[test]
    fn a_fault_says_nothing_of_what_is_inside() {
        let told = told(Error::fault("select * from secrets"), "c");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].code, FAULT);
        assert!(!told[0].message.contains("select"));
    }
}
