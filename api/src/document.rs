//! Judges a GraphQL document before async-graphql does, whatever brings it: a request over HTTP or
//! a message over a web socket.
//!
//! Reading costs time in proportion to the text, also where fragments are spread in fragments: each
//! is weighed once, and its weight is used wherever it is spread. What passes is safe for
//! async-graphql's validation, which spreads fragments out and follows cycles.

mod lexer;
mod shape;

use crate::limits::{
    MAX_ALIASES, MAX_DEPTH, MAX_FIELDS, MAX_LIST, MAX_NESTING, MAX_ROOT_FIELDS, MAX_WEIGHT,
};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value as Constant, Variables};
use domain::Finding;
use projections::page::MAX_PAGE;
use shape::Shape;
use std::collections::HashMap;

/// A document within the limits, and the operation of it that is meant.
#[derive(Debug)]
pub struct Document {
    /// As it was parsed.
    pub parsed: ExecutableDocument,
    /// What kind of operation is meant.
    pub operation: OperationType,
    /// What that operation weighs, in fields of its answer; at most [`MAX_WEIGHT`].
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
    let mut weigher = Weigher {
        shape: Shape::current(),
        fragments: &parsed.fragments,
        weighed: HashMap::new(),
        variables,
        defaults: meant,
        introspects: false,
        steps: 0,
    };
    let weight = weigher.weigh(&parsed.operations, meant)?;
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

/// Every variable that must not be null has a value (GraphQL specification, section 6.1.2). Whether
/// it is of the right type is told by validation.
fn variables_are_there(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), Finding> {
    for definition in operation.variable_definitions.iter().map(|it| &it.node) {
        let name = &definition.name.node;
        let given = match variables.get(name) {
            Some(value) => *value != Constant::Null,
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
fn lists_are_short(value: &Constant) -> Result<(), Finding> {
    match value {
        Constant::List(list) => {
            let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
            within(
                length,
                MAX_LIST as u64,
                "LIST_TOO_LONG",
                "A list in the variables is too long.",
            )?;
            list.iter().try_for_each(lists_are_short)
        }
        Constant::Object(object) => object.values().try_for_each(lists_are_short),
        _ => Ok(()),
    }
}

fn within(found: u64, limit: u64, code: &'static str, message: &str) -> Result<(), Finding> {
    if found <= limit {
        return Ok(());
    }
    Err(Finding::new(code, "", message).with("limit", limit))
}

fn too_deep() -> Finding {
    Finding::new("QUERY_TOO_DEEP", "", "The document nests too deep.").with("limit", MAX_NESTING)
}

/// What a selection costs, with all fragments spread out.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Fields, each counted as often as it is spread.
    fields: u64,
    /// Fields with an alias.
    aliases: u64,
    /// Fields on this level.
    roots: u64,
    /// How deep fields nest.
    depth: u64,
    /// How deep selection sets nest.
    nesting: usize,
    /// Fields of the answer.
    weight: u64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.roots = self.roots.saturating_add(other.roots);
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
        self.weight = self.weight.saturating_add(other.weight);
    }

    /// That of a field with this below it, answered so many times.
    fn under(self, field: &Field, rows: u64) -> Self {
        Self {
            fields: self.fields.saturating_add(1),
            aliases: self.aliases.saturating_add(u64::from(field.alias.is_some())),
            roots: 1,
            depth: self.depth.saturating_add(1),
            nesting: self.nesting,
            weight: self.weight.saturating_mul(rows).saturating_add(1),
        }
    }
}

/// Weighs every definition of a document once.
struct Weigher<'a> {
    shape: &'static Shape,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// What fragments cost; `None` while one is being weighed.
    weighed: HashMap<&'a str, Option<Cost>>,
    variables: &'a Variables,
    /// The operation whose defaults of variables count.
    defaults: &'a OperationDefinition,
    introspects: bool,
    /// How many selections were looked at.
    steps: usize,
}

impl<'a> Weigher<'a> {
    /// The weight of the operation that is meant. Limits hold for all that validation visits: every
    /// operation and every fragment.
    fn weigh(
        &mut self,
        operations: &'a DocumentOperations,
        meant: &'a OperationDefinition,
    ) -> Result<u64, Finding> {
        let (mut all, mut weight) = (Cost::default(), 0);
        for name in self.fragments.keys() {
            all.add(self.fragment(name, 0)?);
        }
        for operation in operations.iter().map(|(_, it)| &it.node) {
            let cost = self.selections(&operation.selection_set.node, root(operation.ty), 0)?;
            let message = "An operation has too many fields at its root.";
            within(cost.roots, MAX_ROOT_FIELDS, "QUERY_ROOT_FIELDS", message)?;
            if std::ptr::eq(operation, meant) {
                weight = cost.weight;
            }
            all.add(cost);
        }
        within(all.depth, MAX_DEPTH, "QUERY_TOO_DEEP", "Fields nest too deep.")?;
        within(all.fields, MAX_FIELDS, "QUERY_FIELDS", "The document has too many fields.")?;
        within(all.aliases, MAX_ALIASES, "QUERY_ALIASES", "The document has too many aliases.")?;
        within(weight, MAX_WEIGHT, "QUERY_TOO_COMPLEX", "This asks for too much at once.")?;
        Ok(weight)
    }

    fn selections(
        &mut self,
        set: &'a SelectionSet,
        object: &str,
        level: usize,
    ) -> Result<Cost, Finding> {
        if set.items.is_empty() {
            return Ok(Cost::default());
        }
        if level > MAX_NESTING {
            return Err(too_deep());
        }
        let mut sum = Cost::default();
        for selection in &set.items {
            self.steps += 1;
            sum.add(match &selection.node {
                Selection::Field(field) => self.field(&field.node, object, level)?,
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|it| it.node.on.node.as_str());
                    self.selections(
                        &inline.node.selection_set.node,
                        on.unwrap_or(object),
                        level + 1,
                    )?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str(), level)?
                }
            });
        }
        sum.nesting += 1;
        if level + sum.nesting > MAX_NESTING { Err(too_deep()) } else { Ok(sum) }
    }

    fn field(&mut self, field: &'a Field, object: &str, level: usize) -> Result<Cost, Finding> {
        let name = field.name.node.as_str();
        self.introspects |= ["__schema", "__type"].contains(&name);
        let known = self.shape.field(object, name);
        let of = known.map_or("", |it| it.of.as_str());
        let below = self.selections(&field.selection_set.node, of, level + 1)?;
        let rows = known.map_or(1, |it| it.size.rows(self.rows(field)));
        Ok(below.under(field, rows))
    }

    /// A fragment is weighed where it is met first. An unknown one weighs nothing: validation
    /// refuses it.
    fn fragment(&mut self, name: &str, level: usize) -> Result<Cost, Finding> {
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Cost::default());
        };
        let cost = match self.weighed.get(name.as_str()) {
            Some(Some(cost)) => *cost,
            Some(None) => {
                let message = "A fragment is spread within itself.";
                return Err(Finding::new("FRAGMENT_CYCLE", "", message));
            }
            None => {
                self.weighed.insert(name, None);
                let on = fragment.node.type_condition.node.on.node.as_str();
                let cost = self.selections(&fragment.node.selection_set.node, on, level + 1)?;
                self.weighed.insert(name, Some(cost));
                cost
            }
        };
        if level + 1 + cost.nesting > MAX_NESTING { Err(too_deep()) } else { Ok(cost) }
    }

    /// How many rows a field asks for. More than a page can have counts as a full page: the list
    /// itself refuses it, with a code of its own.
    fn rows(&self, field: &Field) -> Option<u64> {
        let argument = ["first", "last"].into_iter().find_map(|name| field.get_argument(name))?;
        let value = argument.node.clone();
        match value.into_const_with(|name| self.variable(&name).ok_or(())).ok()? {
            Constant::Number(number) => number.as_u64().map(|rows| rows.min(MAX_PAGE as u64)),
            _ => None,
        }
    }

    fn variable(&self, name: &Name) -> Option<Constant> {
        let given = self.variables.get(name).or_else(|| {
            let mut all = self.defaults.variable_definitions.iter();
            all.find(|it| it.node.name.node == *name)?.node.default_value()
        });
        given.cloned()
    }
}

/// The object that an operation starts from.
fn root(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

#[cfg(test)]
mod tests;
