//! One thing at two points of the log: what of it is different, in the words of its GraphQL type, and
//! what happened between.

use crate::fold::Fold;
use crate::history::HistoryEntry;
use crate::log::{Until, stream_until};
use crate::{Error, Result};
use async_graphql::SimpleObject;
use serde_json::{Map, Value, json};
use sqlx::PgExecutor;
use std::collections::BTreeSet;

/// The most events that are told.
pub const MAX_EVENTS: usize = 200;

/// Columns that the system keeps for itself, and references to personal data.
const KEPT: [&str; 9] = [
    "certificate_path",
    "certificate_serial",
    "certificate_uploaded_at",
    "contacts",
    "device_count",
    "key_expires_at",
    "members",
    "next_expiry",
    "revoked_serials",
];

/// Columns with ids of other things, and the fields that lead to these.
const LINKS: [(&str, &str); 6] = [
    ("partner_id", "partner"),
    ("policy_group_id", "policyGroup"),
    ("policy_id", "policy"),
    ("supersedes", "supersedes"),
    ("cloned_from", "clonedFrom"),
    ("sbi_ids", "sbis"),
];

/// Columns with lists of objects whose keys are columns, too.
const LISTS: [&str; 4] = ["certificates", "extractors", "names", "public_keys"];

/// A thing at two points, and everything that happened to it after the first, up to the second.
#[derive(Debug)]
pub struct Between<R> {
    /// As it was first; `None` where there was none.
    pub before: Option<R>,
    /// As it was then.
    pub after: Option<R>,
    /// The first events of those between.
    pub events: Vec<HistoryEntry>,
    /// How many there are in all.
    pub event_count: usize,
}

/// A field of a thing that is different.
#[derive(Debug, Clone, PartialEq, SimpleObject)]
pub struct FieldChange {
    /// The field of its GraphQL type.
    pub field: String,
    /// As it was first; null where there was nothing.
    pub before: Value,
    /// As it was then; null where there was nothing.
    pub after: Value,
}

/// Reads the stream of one thing once and looks at it from two positions.
pub async fn between<R: Fold>(
    db: impl PgExecutor<'_>,
    id: &str,
    from: i64,
    to: i64,
) -> Result<Between<R>> {
    let events = stream_until(db, <R::Noun as cqrs_es::Aggregate>::TYPE, id, Until::Position(to));
    let events = events.await?;
    let (first, then) = events.split_at(events.partition_point(|it| it.position <= from));
    let fold =
        |row, event: &crate::log::LogRow| Ok::<_, Error>(R::fold(row, &event.decode::<R::Noun>()?));
    let before = first.iter().try_fold(None, fold)?;
    // Rows are no clones of each other: the first events are folded twice.
    let after = events.iter().try_fold(None, fold)?;
    let told = then.iter().take(MAX_EVENTS).map(HistoryEntry::of).collect::<Result<_>>()?;
    Ok(Between { before, after, events: told, event_count: then.len() })
}

/// The fields that differ, by name.
pub fn changes<R: Fold>(before: Option<&R>, after: Option<&R>) -> Result<Vec<FieldChange>> {
    let json = |row: Option<&R>| row.map(serde_json::to_value).transpose();
    Ok(different(json(before)?, json(after)?))
}

/// The same, of rows in JSON.
pub(crate) fn different(before: Option<Value>, after: Option<Value>) -> Vec<FieldChange> {
    let (before, after) = (fields(before), fields(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |fields: &Map<String, Value>, name| fields.get(name).cloned().unwrap_or_default();
    let all = names.into_iter().map(|name| FieldChange {
        field: name.clone(),
        before: value(&before, name),
        after: value(&after, name),
    });
    all.filter(|it| it.before != it.after).collect()
}

/// A row in the words of its GraphQL type.
fn fields(row: Option<Value>) -> Map<String, Value> {
    let Some(Value::Object(columns)) = row else { return Map::new() };
    let told = columns.into_iter().filter(|(column, _)| !KEPT.contains(&column.as_str()));
    told.map(|(column, value)| field(&column, value)).collect()
}

fn field(column: &str, value: Value) -> (String, Value) {
    if let Some((_, field)) = LINKS.iter().find(|(linked, _)| *linked == column) {
        return ((*field).to_owned(), link(value));
    }
    match (column, value) {
        ("member_roles", Value::Object(roles)) => {
            let members = roles.into_iter();
            let members = members.map(|(subject, role)| json!({"subject": subject, "role": role}));
            ("members".to_owned(), members.collect())
        }
        (list, Value::Array(items)) if LISTS.contains(&list) => {
            (camel_case(list), items.into_iter().map(item).collect())
        }
        (column, value) => (camel_case(column), value),
    }
}

fn link(id: Value) -> Value {
    match id {
        Value::Null => Value::Null,
        Value::Array(ids) => ids.into_iter().map(link).collect(),
        id => json!({"id": id}),
    }
}

/// An item of a list, without what the system keeps for itself: whether its end was told.
fn item(item: Value) -> Value {
    let Value::Object(columns) = item else { return item };
    let told = columns
        .into_iter()
        .filter(|(column, _)| !["expiry_told", "told"].contains(&column.as_str()));
    told.map(|(column, value)| match column.as_str() {
        "extractor_id" => ("extractor".to_owned(), link(value)),
        "serial" => ("serialNumber".to_owned(), value),
        column => (camel_case(column), value),
    })
    .collect()
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(word.len().min(1));
        name + &initial.to_uppercase() + rest
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_in_the_words_of_graphql() {
        let told = |column, value| {
            let (field, value) = field(column, value);
            json!({field: value})
        };
        assert_eq!(told("status_reason", json!("x")), json!({"statusReason": "x"}));
        assert_eq!(told("policy_group_id", json!("g")), json!({"policyGroup": {"id": "g"}}));
        assert_eq!(told("policy_group_id", json!(null)), json!({"policyGroup": null}));
        assert_eq!(told("sbi_ids", json!(["s"])), json!({"sbis": [{"id": "s"}]}));
        let members = json!({"members": [{"subject": "a_b", "role": "MANAGER"}]});
        assert_eq!(told("member_roles", json!({"a_b": "MANAGER"})), members);
        let keys = json!([{"public_key": {"x_y": 1}, "expiry_told": true}]);
        assert_eq!(told("public_keys", keys), json!({"publicKeys": [{"publicKey": {"x_y": 1}}]}));
        let document = json!({"allowed_kyc": 1});
        assert_eq!(told("policies", document.clone()), json!({"policies": document}));
    }
}
