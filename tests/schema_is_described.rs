//! Whoever reads the schema in GraphiQL needs no other book: everything in it says what it means.

use crate::support::http::App;
use serde_json::{Value, json};

/// Arguments that every reader knows after the first: the field says what it finds, the type of an
/// input or a filter describes itself, and the type of a list tells of its pages.
const ARGUMENTS: [&str; 9] =
    ["id", "asOf", "input", "filter", "orderBy", "first", "after", "last", "before"];

/// Enums whose values need no words: each is the field of the same name.
const COLUMNS: [&str; 2] = ["Sort", "Distinct"];

const QUERY: &str = "{ __schema { types { kind name description
    fields { name description args { name description } }
    inputFields { name description } enumValues { name description } } } }";

/// A sentence: more than a word, and it ends.
fn says_something(of: &Value) -> bool {
    let description = of["description"].as_str().unwrap_or_default();
    description.contains(' ') && description.ends_with(['.', ')', ':'])
}

fn members<'a>(of: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    of[kind].as_array().into_iter().flatten()
}

/// Whatever in a type says nothing.
fn silent(of: &Value) -> Vec<String> {
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    let (of_type, mut silent) = (name(of), Vec::new());
    let mut check = |path: String, it: &Value| {
        if !says_something(it) {
            silent.push(format!("{path}: {}", it["description"]));
        }
    };
    check(of_type.clone(), of);
    for field in members(of, "fields") {
        check(format!("{of_type}.{}", name(field)), field);
        for argument in members(field, "args").filter(|it| !ARGUMENTS.contains(&&*name(it))) {
            check(format!("{of_type}.{}({})", name(field), name(argument)), argument);
        }
    }
    for field in members(of, "inputFields") {
        check(format!("{of_type}.{}", name(field)), field);
    }
    for value in members(of, "enumValues").filter(|_| !is_of_columns(&of_type)) {
        check(format!("{of_type}.{}", name(value)), value);
    }
    silent
}

fn is_of_columns(of_type: &str) -> bool {
    COLUMNS.iter().any(|columns| of_type.ends_with(columns))
}

/// Whether a type is ours: GraphQL itself and the library describe their own.
fn is_ours(of: &Value) -> bool {
    let name = of["name"].as_str().unwrap();
    let theirs = ["Boolean", "Float", "ID", "Int", "String", "PageInfo"];
    !name.starts_with("__") && !name.ends_with("Edge") && !theirs.contains(&name)
}

#[tokio::test]
async fn everything_in_the_schema_says_what_it_means() {
    let app = App::start().await;
    let answer = app.admin().asks(QUERY, json!({})).await;
    let types = members(&answer.data()["__schema"], "types").filter(|it| is_ours(it));
    let silent: Vec<String> = types.flat_map(silent).collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
