//! Judges a GraphQL document before async-graphql does, whatever brings it: a request over HTTP or
//! a message over a web socket.
//!
//! Reading costs time in proportion to the text, also where fragments are spread in fragments: each
//! is weighed once, and its weight is used wherever it is spread. What passes is safe for
//! async-graphql's validation, which spreads fragments out and follows cycles.

mod lexer;
mod shape;
mod weigher;

use crate::limits::MAX_LIST;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection,
};
use async_graphql::{Value, Variables};
use domain::Finding;
use weigher::Weigher;

/// A document within the limits, and the operation of it that is meant.
#[derive(Debug)]
pub struct Document {
    /// As it was parsed.
    pub parsed: ExecutableDocument,
    /// What kind of operation is meant.
    pub operation: OperationType,
    /// What that operation weighs, in fields of its answer; at most [`crate::limits::MAX_WEIGHT`].
    pub weight: u64,
}

/// Reads a document and refuses it where it is malformed, exceeds a limit, lacks the operation or
/// its variables, or asks for the schema although `introspection` is off.
pub fn check(
    query: &str,
    operation_name: Option<&str>,
    variables: &Variables,
    introspection: bool,
) -> Result<Document, Finding> {
    lexer::count_tokens(query)?;
    variables.values().try_for_each(lists_are_short)?;
    let parsed = parse_query(query).map_err(|error| malformed(&error))?;
    let meant = meant(&parsed.operations, operation_name)?;
    variables_are_there(meant, variables)?;
    one_root_field(meant)?;
    let mut weigher = Weigher::new(&parsed, meant, variables);
    let weight = weigher.weigh(&parsed.operations)?;
    if weigher.introspects && !introspection {
        let message = "The schema cannot be asked for here.";
        return Err(Finding::new("INTROSPECTION_OFF", "", message));
    }
    let operation = meant.ty;
    Ok(Document { parsed, operation, weight })
}

/// The parser's message shows the line it failed in, which may be long and hold what nobody should
/// see twice: only the place is told.
fn malformed(error: &async_graphql::parser::Error) -> Finding {
    let finding = Finding::new("INVALID_QUERY", "", "The document is no valid GraphQL.");
    match error.positions().next() {
        Some(place) => finding.with("line", place.line).with("column", place.column),
        None => finding,
    }
}

/// The operation that is meant: the named one, or the only one.
fn meant<'a>(
    operations: &'a DocumentOperations,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Finding> {
    let mut all = operations.iter();
    let found = match name {
        Some(name) => all.find(|(its, _)| its.is_some_and(|its| its.as_str() == name)),
        None if all.len() == 1 => all.next(),
        None => None,
    };
    let message = "operationName has to name an operation of the document.";
    let unknown = || Finding::new("OPERATION_UNKNOWN", "operationName", message);
    found.map(|(_, operation)| &operation.node).ok_or_else(unknown)
}

/// A subscription has one root field (GraphQL specification, section 5.2.3.1); ours stands outside of
/// fragments.
fn one_root_field(operation: &OperationDefinition) -> Result<(), Finding> {
    let is_one = match &operation.selection_set.node.items[..] {
        [selection] => matches!(selection.node, Selection::Field(_)),
        _ => false,
    };
    if operation.ty != OperationType::Subscription || is_one {
        return Ok(());
    }
    let message = "A subscription has one field, outside of fragments.";
    Err(Finding::new("INVALID_QUERY", "", message))
}

/// Every variable that must not be null has a value (GraphQL specification, section 6.1.2). Whether
/// it is of the right type is told by validation.
fn variables_are_there(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), Finding> {
    for definition in operation.variable_definitions.iter().map(|it| &it.node) {
        let name = &definition.name.node;
        let given = match variables.get(name) {
            Some(value) => *value != Value::Null,
            None => definition.default_value.is_some(),
        };
        if !definition.var_type.node.nullable && !given {
            let message = "A variable that must not be null has no value.";
            return Err(Finding::new("INVALID_QUERY", name.as_str(), message));
        }
    }
    Ok(())
}

/// Their depth is bounded where they are read from JSON.
fn lists_are_short(value: &Value) -> Result<(), Finding> {
    match value {
        Value::List(list) => {
            let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
            within(
                length,
                MAX_LIST as u64,
                "LIST_TOO_LONG",
                "A list in the variables is too long.",
            )?;
            list.iter().try_for_each(lists_are_short)
        }
        Value::Object(object) => object.values().try_for_each(lists_are_short),
        _ => Ok(()),
    }
}

fn within(found: u64, limit: u64, code: &'static str, message: &str) -> Result<(), Finding> {
    if found <= limit {
        return Ok(());
    }
    Err(Finding::new(code, "", message).with("limit", limit))
}

#[cfg(test)]
mod tests;
