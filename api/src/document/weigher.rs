//! Adds up what a document costs with all its fragments spread out, looking at each selection once.

use super::shape::Shape;
use super::within;
use crate::limits::{MAX_ALIASES, MAX_DEPTH, MAX_FIELDS, MAX_NESTING, MAX_ROOT_FIELDS, MAX_WEIGHT};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition,
    OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};
use domain::Finding;
use projections::page::MAX_PAGE;
use std::collections::HashMap;

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
pub struct Weigher<'a> {
    shape: &'static Shape,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// What fragments cost; `None` while one is being weighed.
    weighed: HashMap<&'a str, Option<Cost>>,
    variables: &'a Variables,
    /// The operation that is meant; the defaults of its variables count.
    meant: &'a OperationDefinition,
    /// Whether the schema is asked for.
    pub introspects: bool,
    /// How many selections were looked at.
    pub steps: usize,
}

impl<'a> Weigher<'a> {
    /// Nothing is weighed yet.
    pub fn new(
        document: &'a ExecutableDocument,
        meant: &'a OperationDefinition,
        variables: &'a Variables,
    ) -> Self {
        Self {
            shape: Shape::current(),
            fragments: &document.fragments,
            weighed: HashMap::new(),
            variables,
            meant,
            introspects: false,
            steps: 0,
        }
    }

    /// The weight of the operation that is meant. Limits hold for all that validation visits: every
    /// operation and every fragment.
    pub fn weigh(&mut self, operations: &'a DocumentOperations) -> Result<u64, Finding> {
        let (mut all, mut weight) = (Cost::default(), 0);
        for name in self.fragments.keys() {
            all.add(self.fragment(name, 0)?);
        }
        for operation in operations.iter().map(|(_, it)| &it.node) {
            let cost = self.selections(&operation.selection_set.node, root(operation.ty), 0)?;
            let message = "An operation has too many fields at its root.";
            within(cost.roots, MAX_ROOT_FIELDS, "QUERY_ROOT_FIELDS", message)?;
            if std::ptr::eq(operation, self.meant) {
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
            Value::Number(number) => number.as_u64().map(|rows| rows.min(MAX_PAGE as u64)),
            _ => None,
        }
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        let given = self.variables.get(name).or_else(|| {
            let mut all = self.meant.variable_definitions.iter();
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

fn too_deep() -> Finding {
    Finding::new("QUERY_TOO_DEEP", "", "The document nests too deep.").with("limit", MAX_NESTING)
}
