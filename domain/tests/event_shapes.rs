//! A stored event is a file format. `event_shapes.txt` has the fields of every event in every version,
//! with their JSON types; what today's code reads has to be the same. It is derived from the types
//! themselves, so that no example has to be complete.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use domain::Decide;
use domain::aggregate::version;
use domain::api_key::ApiKey;
use domain::audit_log::AuditLog;
use domain::consent::Consent;
use domain::device::Device;
use domain::extractor::Extractor;
use domain::ftm_chip::FtmChip;
use domain::installation::Installation;
use domain::misp_license::MispLicense;
use domain::oidc_client::OidcClient;
use domain::partner::Partner;
use domain::person::Person;
use domain::policy::Policy;
use domain::policy_group::PolicyGroup;
use domain::policy_request::PolicyRequest;
use domain::proposal::Proposal;
use domain::sbi::Sbi;
use domain::trust_certificate::TrustCertificate;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const FILE: &str = "tests/event_shapes.txt";
const GOLDEN: &str = "../tests/stored_events";

const CURE: &str = "\
A log holds events of the shape before. Either change the field back; or, where it has to change: \
raise the version of the event and say what the old one meant (`ShapeChange`, see `CHANGES` in \
domain/src/partner/certificates.rs), keep its golden file, and add one of the new version \
(CONTRIBUTING.md, \"A new field in an event\").";

/// The fields of an event, one a line: `path: type`, `path?: type` of what may be absent, and
/// `path = VALUE` for each word that may stand there.
type Shape = BTreeSet<String>;
/// Shapes by `noun.event version`.
type Shapes = BTreeMap<String, Shape>;

#[test]
fn no_event_changes_its_shape_without_a_new_version() {
    let kept = read(&std::fs::read_to_string(FILE).unwrap_or_default());
    let today = today();
    let wrong: Vec<String> =
        kept.iter().flat_map(|(name, shape)| changes(name, shape, &today)).collect();
    assert!(wrong.is_empty(), "{}\n\n{CURE}\n", wrong.join("\n"));
    let written: Shapes = kept.clone().into_iter().chain(today).collect();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, write(&written)).unwrap();
    }
    let new: Vec<&String> = written
        .iter()
        .filter(|(name, shape)| kept.get(*name) != Some(shape))
        .map(|it| it.0)
        .collect();
    let told = "BLESS=1 cargo test -p domain --test event_shapes writes them into its file";
    assert!(new.is_empty() || std::env::var_os("BLESS").is_some(), "new shapes: {new:?}; {told}");
}

/// A shape that is written no more is still in somebody's log.
#[test]
fn every_shape_that_was_ever_written_has_its_golden_file() {
    for name in read(&std::fs::read_to_string(FILE).unwrap()).keys() {
        let (event, version) = name.split_once(' ').unwrap();
        let file = match version.trim_end_matches(".0") {
            "1" => format!("{event}.json"),
            later => format!("{event}.v{later}.json"),
        };
        assert!(Path::new(GOLDEN).join(&file).exists(), "{GOLDEN}/{file} is missing");
    }
}

#[test]
fn what_would_break_a_log_is_found_and_what_only_adds_is_not() {
    let kept = read("a.b 1.0\n  name: string\n  word: string\n  word = ONE\n");
    let found = |today: &str| {
        let today = read(today);
        kept.iter().flat_map(|(name, shape)| changes(name, shape, &today)).count()
    };
    assert_eq!(found("a.b 1.0\n  name: string\n  word: string\n  word = ONE\n"), 0);
    let added = "  more?: string\n  word = TWO\n";
    assert_eq!(
        found(&format!("a.b 1.0\n  name: string\n  word: string\n  word = ONE\n{added}")),
        0
    );
    for broken in [
        "",
        "a.b 1.0\n  word: string\n  word = ONE\n",
        "a.b 1.0\n  named: string\n  word: string\n  word = ONE\n",
        "a.b 1.0\n  name: integer\n  word: string\n  word = ONE\n",
        "a.b 1.0\n  name?: string\n  word: string\n  word = ONE\n",
        "a.b 1.0\n  name: string\n  word: string\n  word = TWO\n",
        "a.b 1.0\n  name: string\n  word: string\n  word = ONE\n  more: string\n",
    ] {
        assert!(found(broken) > 0, "{broken}");
    }
    assert_eq!(found("a.b 2.0\n  named: string\n"), 0, "another version is another shape");
}

/// What an event has lost since, and what it needs since that the log does not hold.
fn changes(name: &str, kept: &Shape, today: &Shapes) -> Vec<String> {
    let (event, version) = name.split_once(' ').unwrap();
    let versions = today.keys().filter_map(|it| it.strip_prefix(event)?.strip_prefix(' '));
    let Some(newest) = versions.max() else { return vec![format!("{name}: is gone")] };
    if newest != version {
        return Vec::new(); // upcast; its golden file is read by `stored_events.rs`
    }
    let shape = &today[name];
    let lost = kept.difference(shape).map(|line| format!("{name}: lost `{line}`"));
    let is_additive = |line: &&String| line.contains('?') || line.contains(" = ");
    let needed = shape.difference(kept).filter(|line| !is_additive(line));
    lost.chain(needed.map(|line| format!("{name}: needs `{line}`"))).collect()
}

fn today() -> Shapes {
    [
        shapes::<Partner>(),
        shapes::<Person>(),
        shapes::<TrustCertificate>(),
        shapes::<PolicyGroup>(),
        shapes::<Policy>(),
        shapes::<PolicyRequest>(),
        shapes::<Extractor>(),
        shapes::<ApiKey>(),
        shapes::<MispLicense>(),
        shapes::<OidcClient>(),
        shapes::<Sbi>(),
        shapes::<Device>(),
        shapes::<FtmChip>(),
        shapes::<Proposal>(),
        shapes::<Consent>(),
        shapes::<Installation>(),
        shapes::<AuditLog>(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The shape of every event of a noun, as it is read today.
fn shapes<A: Decide<Event: JsonSchema>>() -> Shapes {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
    let schema = settings.for_deserialize().into_generator().into_root_schema_for::<A::Event>();
    let schema = serde_json::to_value(schema).unwrap();
    let variants = schema["oneOf"].as_array().unwrap_or_else(|| panic!("{} {schema:#}", A::TYPE));
    let shape = |variant: &Value| {
        let event = variant["properties"]["type"]["const"].as_str().unwrap();
        let mut shape = Shape::new();
        fields(variant, "", &mut shape);
        let is_name = |line: &String| line.starts_with("type: ") || line.starts_with("type = ");
        shape.retain(|line| !is_name(line));
        (format!("{}.{event} {}", A::TYPE, version(event, A::changes())), shape)
    };
    variants.iter().map(shape).collect()
}

/// The fields of an object, below `path`.
fn fields(schema: &Value, path: &str, shape: &mut Shape) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        value(field, &format!("{path}{name}{mark}"), shape);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fields(part, path, shape);
    }
}

/// What stands under a path, and what that is made of.
fn value(schema: &Value, path: &str, shape: &mut Shape) {
    let alternatives: Vec<&Value> = ["oneOf", "anyOf"]
        .iter()
        .flat_map(|words| schema[words].as_array().into_iter().flatten())
        .filter(|it| it["type"] != "null")
        .collect();
    for alternative in &alternatives {
        value(alternative, path, shape);
    }
    let words = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    for word in words.filter_map(Value::as_str) {
        shape.insert(format!("{path} = {word}"));
    }
    if alternatives.is_empty() {
        shape.insert(format!("{path}: {}", kind(schema)));
    }
    fields(schema, &format!("{path}."), shape);
    if schema["items"].is_object() {
        value(&schema["items"], &format!("{path}[]"), shape);
    }
    if schema["additionalProperties"].is_object() {
        value(&schema["additionalProperties"], &format!("{path}{{}}"), shape);
    }
}

/// The JSON type, and the form of a text or number.
fn kind(schema: &Value) -> String {
    let types = match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(some) => {
            let some = some.iter().filter_map(Value::as_str).filter(|it| *it != "null");
            some.collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".to_owned(),
    };
    schema["format"].as_str().map_or(types.clone(), |form| format!("{types} ({form})"))
}

fn read(text: &str) -> Shapes {
    let mut shapes = Shapes::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(field) = line.strip_prefix("  ") {
            shapes.entry(name.clone()).or_default().insert(field.to_owned());
        } else {
            line.clone_into(&mut name);
            shapes.entry(name.clone()).or_default();
        }
    }
    shapes
}

fn write(shapes: &Shapes) -> String {
    let mut text = String::new();
    for (name, shape) in shapes {
        let _ = writeln!(text, "{name}");
        for line in shape {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}
