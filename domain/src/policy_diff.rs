//! What tells two policies apart, change by change, for people who have to decide about one.

use crate::policy::Content;
use crate::policy_document::{is_plain, text};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, async_graphql::SimpleObject)]
#[graphql(name = "PolicyChange")]
pub struct Change {
    /// Where, such as `policies.allowedAuthTypes[otp].mandatory`: items of a list are named by
    /// their attribute or authentication type, where they have one, else by their place.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// What stood there; null when nothing did.
    pub before: Option<Value>,
    /// What stands there now; null when nothing does.
    pub after: Option<Value>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "PolicyChangeKind")]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

/// All that differs: name, description, version, then the document in alphabetical order. Nothing
/// when both say the same.
pub fn diff(before: &Content, after: &Content) -> Vec<Change> {
    let mut changes = Vec::new();
    let texts = [
        ("name", &before.name, &after.name),
        ("description", &before.description, &after.description),
        ("version", &before.version, &after.version),
    ];
    for (path, before, after) in texts {
        compare(path, Some(&before.as_str().into()), Some(&after.as_str().into()), &mut changes);
    }
    compare("policies", Some(&before.policies), Some(&after.policies), &mut changes);
    changes
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    let kind = match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            return compare_objects(path, before, after, changes);
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            return compare_lists(path, before, after, changes);
        }
        (before, after) if before == after => return,
        (None, _) => ChangeKind::Added,
        (_, None) => ChangeKind::Removed,
        (Some(_), Some(_)) => ChangeKind::Changed,
    };
    let (path, before, after) = (path.to_owned(), before.cloned(), after.cloned());
    changes.push(Change { path, kind, before, after });
}

fn compare_objects(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let path =
            if is_plain(name) { format!("{path}.{name}") } else { format!("{path}[{name:?}]") };
        compare(&path, before.get(name), after.get(name), changes);
    }
}

/// Items that name themselves are compared with their namesakes: their order means nothing.
fn compare_lists(path: &str, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    let (before, after) = match (named(before), named(after)) {
        (Some(before), Some(after)) => (before, after),
        _ => (placed(before), placed(after)),
    };
    let find = |items: &[(String, &'_ Value)], name: &str| {
        items.iter().position(|(other, _)| other == name)
    };
    for (name, item) in &before {
        let namesake = find(&after, name).map(|at| after[at].1);
        compare(&format!("{path}[{name}]"), Some(item), namesake, changes);
    }
    for (name, item) in after.iter().filter(|(name, _)| find(&before, name).is_none()) {
        compare(&format!("{path}[{name}]"), None, Some(item), changes);
    }
}

/// The items by their names; nothing when one has none or two have the same.
fn named(items: &[Value]) -> Option<Vec<(String, &Value)>> {
    let named: Vec<(String, &Value)> =
        items.iter().map(|item| Some((name(item)?, item))).collect::<Option<_>>()?;
    let different: BTreeSet<&String> = named.iter().map(|(name, _)| name).collect();
    (different.len() == named.len()).then_some(named)
}

fn name(item: &Value) -> Option<String> {
    if let Some(attribute) = text(item, "attributeName") {
        return Some(attribute.to_owned());
    }
    let sub_type = text(item, "authSubType").unwrap_or_default();
    Some(format!("{} {sub_type}", text(item, "authType")?).trim_end().to_owned())
}

fn placed(items: &[Value]) -> Vec<(String, &Value)> {
    items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn content(policies: Value) -> Content {
        let (name, description, version) = ("KYC".into(), "For banks".into(), "1".into());
        Content { name, description, version, policies }
    }

    fn changes(before: Value, after: Value) -> Vec<(String, ChangeKind)> {
        let changes = diff(&content(before), &content(after));
        changes.into_iter().map(|change| (change.path, change.kind)).collect()
    }

    fn change(path: &str, kind: ChangeKind) -> (String, ChangeKind) {
        (path.to_owned(), kind)
    }

    #[test]
    fn equal_policies_do_not_differ() {
        let same = json!({"authTokenType": "policy", "allowedAuthTypes": [{"authType": "otp"}]});
        assert_eq!(changes(same.clone(), same), []);
    }

    #[test]
    fn a_change_tells_where_it_is_and_both_sides() {
        let before = content(json!({"authTokenType": "policy"}));
        let after = Content { name: "eKYC".into(), version: "2".into(), ..before.clone() };
        let change = |path: &str, before: &str, after: &str| Change {
            path: path.into(),
            kind: ChangeKind::Changed,
            before: Some(before.into()),
            after: Some(after.into()),
        };
        let expected = [change("name", "KYC", "eKYC"), change("version", "1", "2")];
        assert_eq!(diff(&before, &after), expected);
    }

    #[test]
    fn items_that_name_themselves_are_found_wherever_they_stand() {
        let before = json!({"allowedAuthTypes": [
            {"authType": "otp", "mandatory": false},
            {"authType": "bio", "authSubType": "FACE", "mandatory": false},
            {"authType": "demo", "mandatory": false},
        ]});
        let after = json!({"allowedAuthTypes": [
            {"authType": "bio", "authSubType": "IRIS", "mandatory": false},
            {"authType": "bio", "authSubType": "FACE", "mandatory": true},
            {"authType": "otp", "mandatory": false},
        ]});
        let expected = [
            change("policies.allowedAuthTypes[bio FACE].mandatory", ChangeKind::Changed),
            change("policies.allowedAuthTypes[demo]", ChangeKind::Removed),
            change("policies.allowedAuthTypes[bio IRIS]", ChangeKind::Added),
        ];
        assert_eq!(changes(before, after), expected);
    }

    #[test]
    fn an_attribute_that_changes_inside_is_named_by_the_attribute() {
        let attribute = |encrypted, filter: Value| {
            json!({"shareableAttributes": [{"attributeName": "face", "encrypted": encrypted,
                "source": [{"attribute": "photo", "filter": filter}]}]})
        };
        let after = attribute(true, json!([{"type": "Face"}, {"type": "Iris"}]));
        let expected = [
            change("policies.shareableAttributes[face].encrypted", ChangeKind::Changed),
            change("policies.shareableAttributes[face].source[0].filter[1]", ChangeKind::Added),
        ];
        assert_eq!(changes(attribute(false, json!([{"type": "Face"}])), after), expected);
    }

    #[test]
    fn items_without_a_name_of_their_own_are_compared_by_place() {
        let twins =
            json!({"list": [{"attributeName": "a", "n": 1}, {"attributeName": "a", "n": 2}]});
        let other =
            json!({"list": [{"attributeName": "a", "n": 1}, {"attributeName": "a", "n": 3}]});
        assert_eq!(changes(twins, other), [change("policies.list[1].n", ChangeKind::Changed)]);
        let languages = changes(json!({"l": ["eng", "fra"]}), json!({"l": ["eng"]}));
        assert_eq!(languages, [change("policies.l[1]", ChangeKind::Removed)]);
    }

    #[test]
    fn what_changes_its_kind_is_one_change() {
        let expected = [change("policies[\"a.b\"]", ChangeKind::Changed)];
        assert_eq!(changes(json!({"a.b": [1]}), json!({"a.b": {"c": 1}})), expected);
        assert_eq!(changes(json!({"a.b": null}), json!({"a.b": 1})), expected);
    }
}
