use super::*;
use proptest::prelude::*;
use serde_json::json;

fn checked(query: &str, variables: serde_json::Value) -> Result<Document, Finding> {
    check(query, None, &Variables::from_json(variables), true)
}

fn weight(query: &str) -> u64 {
    checked(query, json!({})).unwrap().weight
}

fn code(query: &str) -> &'static str {
    checked(query, json!({})).map_or_else(|finding| finding.code, |_| "")
}

#[test]
fn a_page_weighs_its_rows_and_lists_in_lists_multiply() {
    assert_eq!(weight("{ me { subject } }"), 2);
    assert_eq!(weight("{ partners(first: 3) { nodes { id version } } }"), 1 + 3 * 3);
    assert_eq!(weight("{ partners(last: 3) { edges { node { id } } } }"), 1 + 3 * 3);
    assert_eq!(weight("{ partners { nodes { id } } }"), 1 + 50 * 2);
    let nested = "{ partners(first: 3) { nodes { allowedActions { action } } } }";
    assert_eq!(weight(nested), 1 + 3 * (1 + 1 + 10));
    assert_eq!(weight("{ partners(first: 1000000) { nodes { id } } }"), 1 + 200 * 2);
}

#[test]
fn a_page_is_as_long_as_its_variable_says() {
    let query = "query($n: Int = 5) { partners(first: $n) { nodes { id } } }";
    assert_eq!(weight(query), 1 + 5 * 2);
    assert_eq!(checked(query, json!({"n": 7})).unwrap().weight, 1 + 7 * 2);
}

#[test]
fn a_fragment_weighs_wherever_it_is_spread() {
    let rows = "fragment rows on PartnerConnection { nodes { ...one } }";
    let one = "fragment one on Partner { id ... on Partner { version } }";
    let query = format!("{{ partners(first: 3) {{ ...rows }} }} {rows} {one}");
    assert_eq!(weight(&query), 1 + 3 * 3);
}

/// As graphql-js asks, with nine levels of types in types.
pub const INTROSPECTION: &str = "query IntrospectionQuery { __schema { description
    queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations
        args(includeDeprecated: true) { ...InputValue } } } }
    fragment FullType on __Type { kind name description specifiedByURL
        fields(includeDeprecated: true) { name description
            args(includeDeprecated: true) { ...InputValue } type { ...TypeRef }
            isDeprecated deprecationReason }
        inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
        enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
        possibleTypes { ...TypeRef } }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue
        isDeprecated deprecationReason }
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
        ofType { kind name ofType { kind name ofType { kind name ofType { kind name
        ofType { kind name ofType { kind name } } } } } } } } } }";

#[test]
fn the_full_introspection_query_passes_and_can_be_switched_off() {
    assert_eq!(code(INTROSPECTION), "");
    let off = |query| check(query, None, &Variables::default(), false).map_err(|it| it.code);
    assert_eq!(off(INTROSPECTION).unwrap_err(), "INTROSPECTION_OFF");
    assert_eq!(off("{ a: __type(name: \"Partner\") { name } }").unwrap_err(), "INTROSPECTION_OFF");
    assert!(off("{ __typename me { __typename } }").is_ok());
}

#[test]
fn introspection_that_explodes_is_too_much() {
    let types =
        "types { fields { type { fields { type { fields { type { fields { name } } } } } } } }";
    assert_eq!(code(&format!("{{ __schema {{ {types} }} }}")), "QUERY_TOO_COMPLEX");
}

#[test]
fn every_limit_has_its_code() {
    let repeated = |count, text: &str| format!("{{ {} }}", text.repeat(count));
    let deep = |count| format!("{}a{}", "{ a ".repeat(count), " }".repeat(count));
    assert_eq!(code(&repeated(10_000, "a: me { subject } ")), "QUERY_TOO_LONG");
    assert_eq!(code(&format!("{{ me {} }}", repeated(201, "a: subject "))), "QUERY_ALIASES");
    assert_eq!(code(&repeated(51, "me { subject } ")), "QUERY_ROOT_FIELDS");
    assert_eq!(code(&repeated(1, &"me @skip(if: true) ".repeat(101))), "QUERY_DIRECTIVES");
    assert_eq!(code(&deep(15)), "");
    assert_eq!(code(&deep(16)), "QUERY_TOO_DEEP");
    assert_eq!(code(&deep(200)), "QUERY_TOO_DEEP");
    let inline = |count| format!("{}{{ a }}{}", "{ ... ".repeat(count), " }".repeat(count));
    assert_eq!(code(&inline(31)), "");
    assert_eq!(code(&inline(32)), "QUERY_TOO_DEEP");
    let heavy = "partners(first: 200) { nodes { allowedActions { action allowed reasonCode } } } ";
    assert_eq!(code(&repeated(10, heavy)), "QUERY_TOO_COMPLEX");
    let list = json!({"ids": vec![1; 1001]});
    assert_eq!(checked("{ me { subject } }", list).unwrap_err().code, "LIST_TOO_LONG");
}

#[test]
fn fragments_in_circles_or_in_powers_of_two_cost_no_more_than_they_are_long() {
    let circle = "{ me { ...a } } fragment a on Me { ...b } fragment b on Me { ...a }";
    assert_eq!(code(circle), "FRAGMENT_CYCLE");
    assert_eq!(code("{ me { subject } } fragment a on Me { ...a }"), "FRAGMENT_CYCLE");
    let doubling = |count| {
        let fragment = |n: usize| format!("fragment f{n} on Me {{ ...f{0} ...f{0} }}", n + 1);
        let all: String = (0..count).map(fragment).collect();
        format!("{{ me {{ ...f0 }} }} {all} fragment f{count} on Me {{ subject }}")
    };
    assert_eq!(code(&doubling(8)), "");
    assert_eq!(code(&doubling(20)), "QUERY_FIELDS");
    assert_eq!(code(&doubling(200)), "QUERY_TOO_DEEP");
}

#[test]
fn the_operation_that_is_meant_is_found_or_asked_for() {
    let both = "query a { me { subject } } mutation b { giveConsent(input: {}) { position } }";
    let kind = |name| check(both, name, &Variables::default(), true).map(|it| it.operation);
    assert_eq!(kind(Some("a")), Ok(OperationType::Query));
    assert_eq!(kind(Some("b")), Ok(OperationType::Mutation));
    assert_eq!(kind(Some("c")).unwrap_err().code, "OPERATION_UNKNOWN");
    assert_eq!(kind(None).unwrap_err().code, "OPERATION_UNKNOWN");
}

#[test]
fn a_variable_that_must_not_be_null_has_a_value() {
    let query = "query($id: ID!, $n: Int! = 3) { partner(id: $id) { id } }";
    assert!(checked(query, json!({"id": "acme"})).is_ok());
    for wrong in [json!({}), json!({"id": null}), json!({"id": "acme", "n": null})] {
        assert_eq!(checked(query, wrong).unwrap_err().code, "INVALID_QUERY");
    }
}

/// Whatever is sent has an answer, and weighing looks at no selection twice.
fn is_judged_in_linear_time(text: &str) {
    let Ok(tokens) = lexer::count_tokens(text) else { return };
    let Ok(parsed) = parse_query(text) else { return };
    let Some((_, meant)) = parsed.operations.iter().next() else { return };
    let variables = Variables::default();
    let mut weigher = Weigher::new(&parsed, &meant.node, &variables);
    drop(weigher.weigh(&parsed.operations));
    assert!(weigher.steps <= tokens, "{} steps for {tokens} tokens", weigher.steps);
}

/// Pieces of documents in any order: most are nonsense, many parse, some are cyclic.
fn documents() -> impl Strategy<Value = String> {
    let pieces = [
        "{ me { ...a } }",
        "fragment a on Me {",
        "fragment b on Me {",
        "...a ",
        "...b ",
        "}",
        "{ ",
        "subject ",
        "x: me { ",
        "partners(first: 9) { ",
        "nodes { ",
        "... on Me { ",
        "\"",
        "\"\"\"",
        "\\",
        "#é\n",
        "(a: [",
        "])",
        "@include(if: $x) ",
        "query($x: Boolean!) { ",
        "🏊",
        "\u{feff}",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..40)
        .prop_map(|pieces| pieces.concat())
}

/// Fragments that spread each other at random.
fn fragments() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::collection::vec(0..12_usize, 0..6), 12).prop_map(|all| {
        let fragment = |(n, spreads): (usize, Vec<usize>)| {
            let spreads =
                spreads.iter().map(|it| format!("...f{it}")).collect::<Vec<_>>().join(" ");
            format!("fragment f{n} on Me {{ subject {spreads} }} ")
        };
        let all: String = all.into_iter().enumerate().map(fragment).collect();
        format!("{{ me {{ ...f0 ...f1 }} }} {all}")
    })
}

proptest! {
    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        drop(checked(&text, json!({})));
        is_judged_in_linear_time(&text);
    }

    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        drop(checked(&text, json!({})));
        is_judged_in_linear_time(&text);
    }

    #[test]
    fn any_document_is_judged(text in documents()) {
        drop(checked(&text, json!({})));
        is_judged_in_linear_time(&text);
    }

    #[test]
    fn any_fragments_are_judged(text in fragments()) {
        drop(checked(&text, json!({})));
        is_judged_in_linear_time(&text);
    }
}
