//! The JSON document of a policy: what it may say, per policy type.
//!
//! Five policy types share four schemas, which are part of the binary. Their structure is the
//! incumbent's (MOSIP PMS 1.2.2.2); they are stricter only where a consumer
//! could not use the value anyway: numbers written as text, empty names, language codes.
//! All findings come together, in an order that depends on nothing but the document (7 D.27).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::finding::Finding;

/// The longest document in bytes of compact JSON. The incumbent's limit is 5,120; an event may
/// have 65,535 in all, so this leaves room for everything around it.
pub const MAX_BYTES: usize = 32 * 1024;

/// How many lists and objects may lie inside one another; the deepest known document has eight.
pub const MAX_DEPTH: usize = 16;

/// How much of a name or value that somebody sent a finding repeats, in characters.
const MAX_QUOTED: usize = 64;

/// What a policy is about. It decides which schema its document has to meet.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyType {
    /// How people may be authenticated, and what of them may be told.
    Auth,
    /// Which attributes are shared with a partner, and how.
    DataShare,
    /// Which attributes a credential contains; its document is that of a data share.
    CredentialIssuance,
    /// What an infrastructure provider may do in the name of others.
    Misp,
    /// With which authentications a key may be bound to a person.
    Binding,
}

impl PolicyType {
    fn schema(self) -> Option<&'static Schema> {
        match self {
            Self::Auth => AUTH.as_ref(),
            Self::DataShare | Self::CredentialIssuance => DATA_SHARE.as_ref(),
            Self::Misp => MISP.as_ref(),
            Self::Binding => BINDING.as_ref(),
        }
    }
}

static AUTH: LazyLock<Option<Schema>> =
    LazyLock::new(|| Schema::read(include_str!("policy_document/auth.schema.json")));
static DATA_SHARE: LazyLock<Option<Schema>> =
    LazyLock::new(|| Schema::read(include_str!("policy_document/data_share.schema.json")));
static MISP: LazyLock<Option<Schema>> =
    LazyLock::new(|| Schema::read(include_str!("policy_document/misp.schema.json")));
static BINDING: LazyLock<Option<Schema>> =
    LazyLock::new(|| Schema::read(include_str!("policy_document/binding.schema.json")));

/// Everything that is wrong with a document; nothing when it may be stored.
///
/// `field` is what the caller calls the document (`policies`); each finding's field starts with it.
/// A document beyond the limits of size and depth is not looked into.
pub fn validate(policy_type: PolicyType, document: &Value, field: &str) -> Vec<Finding> {
    let mut found = match beyond_limits(document) {
        Some(limit) => vec![(Vec::new(), limit)],
        None => look_into(policy_type, document),
    };
    found.sort_by(|(a, x), (b, y)| (a, x.code, &x.message).cmp(&(b, y.code, &y.message)));
    found
        .into_iter()
        .map(|(path, finding)| Finding { field: spell(field, &path), ..finding })
        .collect()
}

/// Whether a document shares biometrics, which an extractor has to make templates of: an attribute
/// of the group CBEFF (MOSIP PMS 1.2.2.2).
pub fn shares_biometrics(document: &Value) -> bool {
    let shared = document.get("shareableAttributes").and_then(Value::as_array);
    shared.into_iter().flatten().any(|attribute| text(attribute, "group") == Some("CBEFF"))
}

fn look_into(policy_type: PolicyType, document: &Value) -> Vec<Found> {
    let mut found = unmet_rules(policy_type, document);
    found.extend(repetitions(document));
    found.extend(nul_characters(document, &[]));
    found
}

/// One step on the way to a value. Numbers are compared as numbers: item 2 comes before item 10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Item(usize),
}

/// A finding and the way to it; the finding's own field is spelled out last, after sorting.
type Found = (Vec<Step>, Finding);

fn finding(code: &'static str, message: impl Into<String>) -> Finding {
    Finding::new(code, "", message)
}

fn below(path: &[Step], step: Step) -> Vec<Step> {
    path.iter().cloned().chain([step]).collect()
}

fn children(value: &Value) -> Vec<(Step, &Value)> {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (Step::Item(at), item)).collect()
        }
        Value::Object(entries) => {
            entries.iter().map(|(name, value)| (Step::Key(name.clone()), value)).collect()
        }
        _ => Vec::new(),
    }
}

/// `policies.source[2]`; a name that would blur the path is quoted: `policies["a.b"]`.
fn spell(field: &str, path: &[Step]) -> String {
    path.iter().fold(field.to_owned(), |place, step| match step {
        Step::Key(name) if is_plain(name) => format!("{place}.{name}"),
        Step::Key(name) => format!("{place}[{:?}]", shortened(name)),
        Step::Item(at) => format!("{place}[{at}]"),
    })
}

/// Whether a name can stand in a path as it is.
pub(crate) fn is_plain(name: &str) -> bool {
    (1..=MAX_QUOTED).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The start of a text that somebody sent: enough to recognise it, never the whole document,
/// and without control characters.
fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(MAX_QUOTED).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start.replace(char::is_control, "\u{fffd}")
}

// --- limits -------------------------------------------------------------------------------------

/// Depth comes first: whatever looks at a document after it may recurse.
fn beyond_limits(document: &Value) -> Option<Finding> {
    if nests_deeper_than(MAX_DEPTH, document) {
        return Some(too_deep());
    }
    let size = document.to_string().len();
    (size > MAX_BYTES).then(|| too_large(size))
}

fn too_deep() -> Finding {
    let message = format!("At most {MAX_DEPTH} lists and objects may lie inside one another.");
    finding("POLICY_TOO_DEEP", message).with("limit", MAX_DEPTH)
}

fn too_large(size: usize) -> Finding {
    let message = format!("The document has {size} bytes; at most {MAX_BYTES} are allowed.");
    finding("POLICY_TOO_LARGE", message).with("limit", MAX_BYTES).with("size", size)
}

fn nests_deeper_than(levels: usize, value: &Value) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) => levels.checked_sub(1).is_none_or(|rest| {
            children(value).iter().any(|(_, child)| nests_deeper_than(rest, child))
        }),
        _ => false,
    }
}

// --- schema -------------------------------------------------------------------------------------

struct Schema {
    text: Value,
    validator: Validator,
}

impl Schema {
    fn read(text: &str) -> Option<Self> {
        let text = serde_json::from_str(text).ok()?;
        let validator = jsonschema::draft4::new(&text).ok()?;
        Some(Self { text, validator })
    }

    /// What the schema says under `name` next to the keyword that was not met.
    fn beside(&self, error: &ValidationError, name: &str) -> Option<&Value> {
        let (rule, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
        self.text.pointer(&format!("{rule}/{name}"))
    }

    fn text_beside(&self, error: &ValidationError, name: &str) -> &str {
        self.beside(error, name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The names that the object may have, in alphabetical order.
    fn known_names(&self, error: &ValidationError) -> String {
        let known = self.beside(error, "properties").and_then(Value::as_object);
        let mut names: Vec<&str> =
            known.into_iter().flat_map(|it| it.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

fn unmet_rules(policy_type: PolicyType, document: &Value) -> Vec<Found> {
    // A schema that does not compile lets nothing pass; a test keeps this from ever being built.
    let Some(schema) = policy_type.schema() else {
        let message = "Documents of this policy type cannot be checked at present.";
        return vec![(Vec::new(), finding("POLICY_SCHEMA_UNREADABLE", message))];
    };
    schema.validator.iter_errors(document).flat_map(|error| explain(schema, &error)).collect()
}

/// One finding per rule that was not met, and one per unknown property. The words are our own:
/// the library's would repeat what was sent.
fn explain(schema: &Schema, error: &ValidationError) -> Vec<Found> {
    let path = steps(error.instance_path());
    let finding = match error.kind() {
        Kind::Required { property } => return vec![missing(&path, property)],
        Kind::AdditionalProperties { unexpected } => {
            let known = schema.known_names(error);
            return unexpected.iter().map(|name| unknown(&path, name, &known)).collect();
        }
        Kind::Enum { options } => not_allowed(options),
        Kind::Type { .. } => wrong_type(schema.text_beside(error, "type"), error.instance()),
        Kind::Pattern { .. } => unlike(schema.text_beside(error, "description")),
        Kind::MinLength { limit } => too_short(*limit),
        Kind::MaxLength { limit } => too_long(*limit),
        Kind::UniqueItems => item_repeated(),
        // None of our schemas gets here; one that does must still refuse.
        other => not_met(other.keyword()),
    };
    vec![(path, finding)]
}

fn steps(path: &Location) -> Vec<Step> {
    path.iter()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Key(name.into_owned()),
            LocationSegment::Index(at) => Step::Item(at),
        })
        .collect()
}

fn missing(path: &[Step], property: &Value) -> Found {
    let name = property.as_str().unwrap_or_default();
    let message = format!("The property {name} is required.");
    let finding = finding("POLICY_PROPERTY_MISSING", message).with("property", name);
    (below(path, Step::Key(name.into())), finding)
}

fn unknown(path: &[Step], name: &str, known: &str) -> Found {
    let property = shortened(name);
    let message = format!("There is no property {property} here; known are: {known}.");
    let finding = finding("POLICY_PROPERTY_UNKNOWN", message);
    let finding = finding.with("property", property).with("known", known);
    (below(path, Step::Key(name.into())), finding)
}

fn not_allowed(options: &Value) -> Finding {
    let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
    let allowed = options.collect::<Vec<_>>().join(", ");
    let message = format!("The value must be one of: {allowed}.");
    finding("POLICY_VALUE_NOT_ALLOWED", message).with("allowed", allowed)
}

fn wrong_type(expected: &str, value: &Value) -> Finding {
    let sent = type_name(value);
    let message = format!("The value must be {}, not {}.", in_words(expected), in_words(sent));
    finding("POLICY_TYPE_WRONG", message).with("expected", expected).with("found", sent)
}

/// The pattern itself is for machines; the schema says beside it what it means.
fn unlike(meaning: &str) -> Finding {
    finding("POLICY_PATTERN", format!("The value must be {meaning}.")).with("expected", meaning)
}

fn too_short(limit: u64) -> Finding {
    let message = format!("The text is too short: it needs {limit} or more characters.");
    finding("POLICY_TEXT_TOO_SHORT", message).with("limit", limit)
}

fn too_long(limit: u64) -> Finding {
    let message = format!("The text is too long: it may have {limit} or fewer characters.");
    finding("POLICY_TEXT_TOO_LONG", message).with("limit", limit)
}

fn item_repeated() -> Finding {
    finding("POLICY_ITEM_REPEATED", "No value may stand in this list twice.")
}

fn not_met(rule: &str) -> Finding {
    let message = format!("The value does not meet the schema's rule {rule}.");
    finding("POLICY_RULE_NOT_MET", message).with("rule", rule)
}

/// The word of JSON Schema for the type of a value.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn in_words(type_name: &str) -> &str {
    match type_name {
        "boolean" => "true or false",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

// --- what a schema cannot say -------------------------------------------------------------------

type KeyOf = fn(&Value) -> Option<String>;

/// Lists whose items have to differ in more than spelling, and what tells two items apart.
const DISTINCT: [(&str, &str, KeyOf); 3] = [
    ("allowedAuthTypes", "POLICY_AUTH_TYPE_REPEATED", auth_type),
    ("allowedKycAttributes", "POLICY_ATTRIBUTE_REPEATED", kyc_attribute),
    ("shareableAttributes", "POLICY_ATTRIBUTE_REPEATED", shared_attribute),
];

/// Type and sub type, ignoring case as their consumers do (MOSIP PMS 1.2.2.2). No sub type and
/// an empty one mean the same.
fn auth_type(item: &Value) -> Option<String> {
    let sub_type = text(item, "authSubType").unwrap_or_default();
    let both = format!("{} {sub_type}", text(item, "authType")?);
    Some(both.trim_end().to_lowercase())
}

/// Ignoring case, as claims are matched (MOSIP PMS 1.2.2.2).
fn kyc_attribute(item: &Value) -> Option<String> {
    text(item, "attributeName").map(str::to_lowercase)
}

/// As it stands: it becomes a key of the shared JSON, where case counts.
fn shared_attribute(item: &Value) -> Option<String> {
    text(item, "attributeName").map(str::to_owned)
}

/// A text property of an item.
pub(crate) fn text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.get(name).and_then(Value::as_str)
}

fn repetitions(document: &Value) -> Vec<Found> {
    DISTINCT
        .into_iter()
        .filter_map(|(list, code, key_of)| Some((list, code, key_of, document.get(list)?)))
        .flat_map(|(list, code, key_of, items)| repeated(list, code, key_of, items))
        .collect()
}

fn repeated(list: &str, code: &'static str, key_of: KeyOf, items: &Value) -> Vec<Found> {
    let mut first_at = BTreeMap::new();
    let mut repeated = Vec::new();
    for (at, item) in items.as_array().into_iter().flatten().enumerate() {
        match key_of(item).map(|key| first_at.entry(key)) {
            Some(Entry::Occupied(taken)) => {
                repeated.push(repetition(list, at, code, taken.key(), *taken.get()));
            }
            Some(Entry::Vacant(free)) => *free.insert(at) = at,
            // Without a name there is nothing to compare, and the schema has said so.
            None => {}
        }
    }
    repeated
}

fn repetition(list: &str, at: usize, code: &'static str, key: &str, first: usize) -> Found {
    let name = shortened(key);
    let message = format!("{name} stands in this list already, as item {first}.");
    let finding = finding(code, message).with("name", name).with("first", first);
    (vec![Step::Key(list.into()), Step::Item(at)], finding)
}

/// PostgreSQL's `json` can store the escape of U+0000 but never read it back as text.
fn nul_characters(value: &Value, path: &[Step]) -> Vec<Found> {
    let mut found = Vec::new();
    if value.as_str().is_some_and(|text| text.contains('\0')) {
        found.push(nul_character(path.to_vec()));
    }
    for (step, child) in children(value) {
        let named = matches!(&step, Step::Key(name) if name.contains('\0'));
        let path = below(path, step);
        found.extend(nul_characters(child, &path));
        found.extend(named.then(|| nul_character(path)));
    }
    found
}

fn nul_character(path: Vec<Step>) -> Found {
    (path, finding("POLICY_NUL_CHARACTER", "The character U+0000 cannot be stored."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::str::FromStr;

    use async_graphql::resolver_utils::EnumType;
    use serde_json::json;
    use strum::VariantArray;

    use super::*;

    fn auth() -> Value {
        json!({
            "authTokenType": "policy",
            "allowedKycAttributes": [
                { "attributeName": "fullName" },
                { "attributeName": "gender" },
                { "attributeName": "residenceStatus" },
                { "attributeName": "dateOfBirth" },
                { "attributeName": "photo" }
            ],
            "allowedAuthTypes": [
                { "authType": "bio", "authSubType": "IRIS", "mandatory": false },
                { "authType": "bio", "authSubType": "FINGER", "mandatory": false },
                { "authType": "bio", "authSubType": "FACE", "mandatory": false },
                { "authType": "otp", "authSubType": "", "mandatory": false },
                { "authType": "otp-request", "mandatory": false },
                { "authType": "kyc", "mandatory": false },
                { "authType": "demo", "mandatory": false }
            ],
            "kycLanguages": ["eng", "ara"]
        })
    }

    fn data_share() -> Value {
        json!({
            "dataSharePolicies": {
                "typeOfShare": "Data Share",
                "validForInMinutes": "30",
                "transactionsAllowed": "2",
                "encryptionType": "Partner Based",
                "shareDomain": "datashare-service",
                "source": "Packet Manager"
            },
            "shareableAttributes": [{
                "attributeName": "biometrics",
                "group": "CBEFF",
                "encrypted": true,
                "format": "extraction",
                "source": [
                    {
                        "attribute": "registration-client/NEW/individualBiometrics",
                        "filter": [{ "type": "Iris" }]
                    },
                    { "attribute": "CNIE/verification/biometrics", "filter": [{ "type": "Finger" }] },
                    { "attribute": "CNIE/verification/biometrics", "filter": [{ "type": "Face" }] }
                ]
            }]
        })
    }

    fn misp() -> Value {
        json!({
            "allowAuthRequestDelegation": true,
            "allowKycRequestDelegation": true,
            "allowKeyBindingDelegation": false
        })
    }

    fn binding() -> Value {
        json!({ "allowedAuthTypes": [{ "authType": "wla", "mandatory": false }] })
    }

    fn sample(policy_type: PolicyType) -> Value {
        match policy_type {
            PolicyType::Auth => auth(),
            PolicyType::DataShare | PolicyType::CredentialIssuance => data_share(),
            PolicyType::Misp => misp(),
            PolicyType::Binding => binding(),
        }
    }

    /// The sample of a type with the value at `pointer` replaced; a missing name is added.
    fn sample_with(policy_type: PolicyType, pointer: &str, value: Value) -> Value {
        let mut document = sample(policy_type);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            parent => parent[name] = value,
        }
        document
    }

    /// Code and field of every finding.
    fn findings(policy_type: PolicyType, document: &Value) -> Vec<(&'static str, String)> {
        let findings = validate(policy_type, document, "policies");
        findings.into_iter().map(|it| (it.code, it.field)).collect()
    }

    fn only(code: &'static str, field: &str) -> Vec<(&'static str, String)> {
        vec![(code, field.to_owned())]
    }

    #[test]
    fn every_type_accepts_its_sample() {
        for &policy_type in PolicyType::VARIANTS {
            assert_eq!(findings(policy_type, &sample(policy_type)), [], "{policy_type}");
        }
    }

    #[test]
    fn a_type_has_one_spelling_everywhere() {
        for &policy_type in PolicyType::VARIANTS {
            let spelling = policy_type.to_string();
            let graphql = PolicyType::items().iter().find(|it| it.value == policy_type).unwrap();
            assert_eq!(serde_json::to_value(policy_type).unwrap(), json!(spelling));
            assert_eq!(graphql.name, spelling);
            assert_eq!(PolicyType::from_str(&spelling).unwrap(), policy_type);
        }
    }

    #[test]
    fn only_an_attribute_of_the_group_cbeff_shares_biometrics() {
        assert!(shares_biometrics(&data_share()));
        let other = sample_with(PolicyType::DataShare, "/shareableAttributes/0/group", json!("x"));
        assert!(!shares_biometrics(&other));
        assert!(!shares_biometrics(&auth()));
    }

    #[test]
    fn an_empty_auth_policy_is_fine_because_nothing_may_be_allowed() {
        let document = json!({
            "authTokenType": "random", "allowedAuthTypes": [], "allowedKycAttributes": []
        });
        assert_eq!(findings(PolicyType::Auth, &document), []);
    }

    #[test]
    fn all_findings_come_at_once_in_the_order_of_their_place() {
        let items: Vec<Value> = (0..11)
            .map(|at| json!({ "authType": format!("type{at}"), "mandatory": at != 2 && at != 10 }))
            .collect();
        let mut document = sample_with(PolicyType::Auth, "/allowedAuthTypes", json!(items));
        document["allowedAuthTypes"][2]["mandatory"] = json!("no");
        document["allowedAuthTypes"][10]["mandatory"] = json!("no");
        document["authTokenType"] = json!("weekly");
        document.as_object_mut().unwrap().remove("allowedKycAttributes");
        let expected = [
            ("POLICY_TYPE_WRONG", "policies.allowedAuthTypes[2].mandatory"),
            ("POLICY_TYPE_WRONG", "policies.allowedAuthTypes[10].mandatory"),
            ("POLICY_PROPERTY_MISSING", "policies.allowedKycAttributes"),
            ("POLICY_VALUE_NOT_ALLOWED", "policies.authTokenType"),
        ];
        assert_eq!(
            findings(PolicyType::Auth, &document),
            expected.map(|(code, field)| (code, field.to_owned()))
        );
    }

    #[test]
    fn one_item_can_be_wrong_in_every_way_at_once() {
        let item = json!({ "authType": 5, "authSubType": "x".repeat(129), "colour": "blue" });
        let document = json!({ "allowedAuthTypes": [item] });
        let expected = [
            ("POLICY_TEXT_TOO_LONG", "policies.allowedAuthTypes[0].authSubType"),
            ("POLICY_TYPE_WRONG", "policies.allowedAuthTypes[0].authType"),
            ("POLICY_PROPERTY_UNKNOWN", "policies.allowedAuthTypes[0].colour"),
            ("POLICY_PROPERTY_MISSING", "policies.allowedAuthTypes[0].mandatory"),
        ];
        let expected = expected.map(|(code, field)| (code, field.to_owned()));
        assert_eq!(findings(PolicyType::Binding, &document), expected);
    }

    #[test]
    fn every_unknown_property_at_the_top_is_a_finding_of_its_own() {
        for &policy_type in PolicyType::VARIANTS {
            let mut document = sample(policy_type);
            document["colour"] = json!("blue");
            document["weight"] = json!(1);
            let expected = ["colour", "weight"]
                .map(|name| ("POLICY_PROPERTY_UNKNOWN", format!("policies.{name}")));
            assert_eq!(findings(policy_type, &document), expected, "{policy_type}");
        }
    }

    #[test]
    fn a_document_that_is_no_object_is_refused() {
        for &policy_type in PolicyType::VARIANTS {
            for document in [json!(null), json!([]), json!("{}"), json!(7), json!(true)] {
                assert_eq!(findings(policy_type, &document), only("POLICY_TYPE_WRONG", "policies"));
            }
        }
    }

    #[test]
    fn a_sub_type_may_be_left_out_but_is_never_null() {
        let place = "/allowedAuthTypes/0/authSubType";
        let document = sample_with(PolicyType::Auth, place, json!(null));
        let field = "policies.allowedAuthTypes[0].authSubType";
        let expected =
            Finding::new("POLICY_TYPE_WRONG", field, "The value must be a text, not null.")
                .with("expected", "string")
                .with("found", "null");
        assert_eq!(validate(PolicyType::Auth, &document, "policies"), [expected]);
    }

    /// A document that breaks one keyword, and the finding it has to lead to.
    fn one_document_per_keyword() -> Vec<(&'static str, Value, &'static str, &'static str)> {
        let data_share = |pointer, value| sample_with(PolicyType::DataShare, pointer, value);
        let attribute = "/shareableAttributes/0/attributeName";
        let attribute_field = "policies.shareableAttributes[0].attributeName";
        let minutes = "/dataSharePolicies/validForInMinutes";
        let share = "/dataSharePolicies/typeOfShare";
        vec![
            (
                "type",
                data_share("/shareableAttributes", json!(1)),
                "POLICY_TYPE_WRONG",
                "policies.shareableAttributes",
            ),
            (
                "required",
                data_share("/shareableAttributes/0/source/0", json!({})),
                "POLICY_PROPERTY_MISSING",
                "policies.shareableAttributes[0].source[0].attribute",
            ),
            (
                "additionalProperties",
                data_share("/shareableAttributes/0/colour", json!(1)),
                "POLICY_PROPERTY_UNKNOWN",
                "policies.shareableAttributes[0].colour",
            ),
            (
                "enum",
                data_share(share, json!("gift")),
                "POLICY_VALUE_NOT_ALLOWED",
                "policies.dataSharePolicies.typeOfShare",
            ),
            (
                "pattern",
                data_share(minutes, json!("soon")),
                "POLICY_PATTERN",
                "policies.dataSharePolicies.validForInMinutes",
            ),
            (
                "minLength",
                data_share(attribute, json!("")),
                "POLICY_TEXT_TOO_SHORT",
                attribute_field,
            ),
            (
                "maxLength",
                data_share(attribute, json!("x".repeat(129))),
                "POLICY_TEXT_TOO_LONG",
                attribute_field,
            ),
            (
                "uniqueItems",
                sample_with(PolicyType::Auth, "/kycLanguages", json!(["eng", "eng"])),
                "POLICY_ITEM_REPEATED",
                "policies.kycLanguages",
            ),
        ]
    }

    #[test]
    fn every_keyword_of_the_schemas_reaches_a_finding() {
        let mut told = BTreeSet::new();
        for (keyword, document, code, field) in one_document_per_keyword() {
            let policy_type = match document.get("kycLanguages") {
                Some(_) => PolicyType::Auth,
                None => PolicyType::DataShare,
            };
            assert_eq!(findings(policy_type, &document), only(code, field), "{keyword}");
            told.insert(keyword.to_owned());
        }
        assert_eq!(told, keywords_in_use(), "a keyword without a row in the table");
    }

    fn keywords_in_use() -> BTreeSet<String> {
        let mut keywords = BTreeSet::new();
        for &policy_type in PolicyType::VARIANTS {
            collect_keywords(&policy_type.schema().unwrap().text, &mut keywords);
        }
        // These say where the other keywords apply, or speak to people.
        for silent in
            ["$schema", "$ref", "title", "description", "definitions", "properties", "items"]
        {
            keywords.remove(silent);
        }
        keywords
    }

    fn collect_keywords(schema: &Value, keywords: &mut BTreeSet<String>) {
        for (keyword, rule) in schema.as_object().unwrap() {
            keywords.insert(keyword.clone());
            let inner: Vec<&Value> = match (keyword.as_str(), rule) {
                ("properties" | "definitions", Value::Object(named)) => named.values().collect(),
                ("items", Value::Array(items)) => items.iter().collect(),
                ("items", item) => vec![item],
                _ => Vec::new(),
            };
            for schema in inner {
                collect_keywords(schema, keywords);
            }
        }
    }

    #[test]
    fn a_pattern_is_explained_in_words_and_allowed_values_are_named() {
        let document = json!({
            "dataSharePolicies": {
                "typeOfShare": "gift", "validForInMinutes": "0", "transactionsAllowed": "2",
                "encryptionType": "none", "shareDomain": "datashare", "source": "Print"
            },
            "shareableAttributes": [], "colour": "blue"
        });
        let messages: Vec<String> = validate(PolicyType::DataShare, &document, "policies")
            .into_iter()
            .map(|it| it.message)
            .collect();
        let expected = [
            "There is no property colour here; known are: dataSharePolicies, shareableAttributes.",
            "The value must be one of: Data Share, direct.",
            "The value must be a whole number from 1 to 999999999, written as text.",
        ];
        assert_eq!(messages, expected);
    }

    #[test]
    fn numbers_are_text_of_digits() {
        for number in ["1", "30", "250", "999999999"] {
            let document = sample_with(
                PolicyType::DataShare,
                "/dataSharePolicies/validForInMinutes",
                json!(number),
            );
            assert_eq!(findings(PolicyType::DataShare, &document), [], "{number}");
        }
        for number in [
            json!("0"),
            json!("-1"),
            json!("030"),
            json!("1.5"),
            json!("30\n"),
            json!("1000000000"),
            json!(30),
        ] {
            let document = sample_with(
                PolicyType::DataShare,
                "/dataSharePolicies/transactionsAllowed",
                number.clone(),
            );
            assert_eq!(findings(PolicyType::DataShare, &document).len(), 1, "{number}");
        }
    }

    #[test]
    fn the_share_block_and_a_source_may_say_more_than_we_know() {
        let mut document = data_share();
        document["dataSharePolicies"]["retries"] = json!(3);
        document["shareableAttributes"][0]["source"][0]["priority"] = json!("low");
        assert_eq!(findings(PolicyType::DataShare, &document), []);
    }

    #[test]
    fn filter_items_are_checked_by_their_position() {
        let filter = json!([
            { "type": "Face" },
            { "type": "Finger", "subType": ["Left Thumb", 7] },
            { "language": 7 },
            { "anything": "goes" }
        ]);
        let document =
            sample_with(PolicyType::DataShare, "/shareableAttributes/0/source/0/filter", filter);
        let expected = ["[1].subType[1]", "[2].language"].map(|end| {
            ("POLICY_TYPE_WRONG", format!("policies.shareableAttributes[0].source[0].filter{end}"))
        });
        assert_eq!(findings(PolicyType::DataShare, &document), expected);
    }

    #[test]
    fn an_auth_type_stands_in_the_list_once_in_any_case() {
        let mut document = auth();
        document["allowedAuthTypes"][1]["authSubType"] = json!("iris");
        document["allowedAuthTypes"][4] = json!({ "authType": "OTP", "mandatory": true });
        let expected = ["[1]", "[4]"]
            .map(|at| ("POLICY_AUTH_TYPE_REPEATED", format!("policies.allowedAuthTypes{at}")));
        assert_eq!(findings(PolicyType::Auth, &document), expected);
        let messages = validate(PolicyType::Auth, &document, "policies").into_iter();
        let expected = ["bio iris", "otp"].into_iter().zip([0, 3]);
        let expected =
            expected.map(|(name, at)| format!("{name} stands in this list already, as item {at}."));
        assert!(messages.map(|it| it.message).eq(expected));
    }

    #[test]
    fn an_attribute_stands_in_the_list_once() {
        let mut document = auth();
        document["allowedKycAttributes"][4]["attributeName"] = json!("FULLNAME");
        let expected = only("POLICY_ATTRIBUTE_REPEATED", "policies.allowedKycAttributes[4]");
        assert_eq!(findings(PolicyType::Auth, &document), expected);

        let mut document = data_share();
        let twin = document["shareableAttributes"][0].clone();
        document["shareableAttributes"].as_array_mut().unwrap().push(twin);
        let expected = only("POLICY_ATTRIBUTE_REPEATED", "policies.shareableAttributes[1]");
        assert_eq!(findings(PolicyType::DataShare, &document), expected);

        document["shareableAttributes"][1]["attributeName"] = json!("BIOMETRICS");
        assert_eq!(findings(PolicyType::DataShare, &document), []);
    }

    #[test]
    fn the_character_that_cannot_be_stored_is_refused_in_values_and_names() {
        let mut document = data_share();
        document["shareableAttributes"][0]["format"] = json!("a\0b");
        document["dataSharePolicies"]["a\0b"] = json!(1);
        let expected = [
            ("POLICY_NUL_CHARACTER", "policies.dataSharePolicies[\"a\u{fffd}b\"]".to_owned()),
            ("POLICY_NUL_CHARACTER", "policies.shareableAttributes[0].format".to_owned()),
        ];
        assert_eq!(findings(PolicyType::DataShare, &document), expected);
    }

    #[test]
    fn a_document_may_be_as_large_as_the_limit_and_no_larger() {
        let mut document = data_share();
        document["dataSharePolicies"]["note"] = json!("");
        let room = MAX_BYTES - document.to_string().len();
        document["dataSharePolicies"]["note"] = json!("x".repeat(room));
        assert_eq!(findings(PolicyType::DataShare, &document), []);

        document["dataSharePolicies"]["note"] = json!("x".repeat(room + 1));
        assert_eq!(
            findings(PolicyType::DataShare, &document),
            only("POLICY_TOO_LARGE", "policies")
        );
    }

    #[test]
    fn a_document_may_nest_as_deep_as_the_limit_and_no_deeper() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let with = |note| sample_with(PolicyType::DataShare, "/dataSharePolicies/note", note);
        assert_eq!(findings(PolicyType::DataShare, &with(nested(MAX_DEPTH - 2))), []);

        let document = with(nested(MAX_DEPTH - 1));
        assert_eq!(findings(PolicyType::DataShare, &document), only("POLICY_TOO_DEEP", "policies"));
    }

    #[test]
    fn a_finding_repeats_at_most_the_start_of_what_was_sent() {
        let mut document = auth();
        document["n".repeat(10_000)] = json!("v".repeat(10_000));
        document["authTokenType"] = json!("t".repeat(10_000));
        for finding in validate(PolicyType::Auth, &document, "policies") {
            let told = finding.params.values().chain([&finding.message, &finding.field]);
            told.for_each(|text| assert!(text.len() < 300, "{text}"));
        }
    }

    #[test]
    fn a_name_that_would_blur_the_path_is_quoted() {
        let document = json!({ "a.b": 1, "": 2, "x\ny": 3 });
        let fields: Vec<String> = findings(PolicyType::Binding, &document)
            .into_iter()
            .filter(|(code, _)| *code == "POLICY_PROPERTY_UNKNOWN")
            .map(|(_, field)| field)
            .collect();
        assert_eq!(fields, ["policies[\"\"]", "policies[\"a.b\"]", "policies[\"x\u{fffd}y\"]"]);
    }
}
