//! What a portal in TypeScript is built with: types that are generated from the schema, and the
//! promise that they still fit tomorrow. The packages lie in `typescript/`, see its `package.json`.

use std::path::Path;
use std::process::{Command, Output};

/// Runs a script in `typescript/`.
fn node(arguments: &[&str]) -> Output {
    let folder = Path::new("typescript");
    assert!(
        folder.join("node_modules").exists(),
        "the packages are missing: npm ci --prefix tests/typescript --ignore-scripts"
    );
    let output = Command::new("node").args(arguments).current_dir(folder).output();
    output.unwrap_or_else(|error| panic!("Node.js is missing, see ./dev test: {error}"))
}

fn told(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_portal_in_typescript_is_generated_and_compiles() {
    for script in [&["generate.mjs"][..], &["node_modules/typescript/lib/tsc.js", "--project", "."]]
    {
        let output = node(script);
        assert!(output.status.success(), "{script:?}\n{}", told(&output));
    }
}

/// The rule is in docs/integrator.md, what to do about a finding in CONTRIBUTING.md.
#[test]
fn nothing_that_a_released_schema_offered_is_taken_away() {
    let output =
        node(&["changes.mjs", "../../api/schema.released.graphql", "../../api/schema.graphql"]);
    eprint!("{}", told(&output));
    assert!(output.status.success(), "clients would break:\n{}", told(&output));
}

/// What `changes.mjs` says of two small schemas.
fn changes(before: &str, after: &str) -> (bool, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("before", before), ("after", after)].map(|(name, schema)| {
        let path = folder.path().join(name);
        std::fs::write(&path, schema).unwrap();
        path
    });
    let [before, after] = paths.each_ref().map(|path| path.to_str().unwrap());
    let output = node(&["changes.mjs", before, after]);
    (output.status.success(), told(&output).lines().map(str::to_owned).collect())
}

#[test]
fn a_change_that_breaks_clients_is_found() {
    let before = "type Query { partner(id: ID!): Partner name: String }
        type Partner { id: ID! status: Status! }
        enum Status { ACTIVE ENDED }
        input Filter { status: Status }
        extend type Query { partners(filter: Filter): [Partner!]! }";
    for (what, with, finding) in [
        (" name: String", "", "FIELD_REMOVED: Query.name"),
        ("status: Status!", "status: String!", "FIELD_CHANGED_KIND: Partner.status"),
        ("status: Status!", "status: Status", "FIELD_CHANGED_KIND: Partner.status"),
        ("id: ID!)", "id: ID! asOf: String!)", "REQUIRED_ARG_ADDED: A required arg asOf"),
        (" ENDED", "", "VALUE_REMOVED_FROM_ENUM: ENDED"),
        (
            "Filter { status: Status",
            "Filter { status: Status!",
            "FIELD_CHANGED_KIND: Filter.status",
        ),
        ("Filter { ", "Filter { id: ID! ", "REQUIRED_INPUT_FIELD_ADDED"),
    ] {
        let (fits, findings) = changes(before, &before.replace(what, with));
        assert!(!fits, "{what} -> {with}: {findings:?}");
        assert!(findings[0].starts_with(&format!("breaking: {finding}")), "{findings:?}");
    }
}

#[test]
fn a_change_that_clients_can_bear_is_told_or_passes_in_silence() {
    let before = "type Query { status: Status } enum Status { ACTIVE }";
    let (fits, findings) = changes(before, &before.replace("ACTIVE", "ACTIVE ENDED"));
    assert!(fits && findings[0].starts_with("dangerous: VALUE_ADDED_TO_ENUM"), "{findings:?}");
    let added = before.replace("type Query {", "type Query { name: String");
    assert_eq!(changes(before, &added), (true, Vec::new()));
    let marked = before.replace("status: Status", "status: Status @deprecated(reason: \"gone\")");
    assert_eq!(changes(before, &marked), (true, Vec::new()));
}
