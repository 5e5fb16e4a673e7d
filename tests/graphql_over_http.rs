//! The protocol: methods, media types, status codes, persisted queries, other origins.

use crate::support::http::App;
use api::transport::Transport;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderName, ORIGIN};
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;

const AUDITS: &str = "graphql_http";
const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

/// A request of the administrator, to be completed.
fn admin(app: &App, method: Method, parameters: &[(&str, &str)]) -> RequestBuilder {
    let url = Url::parse_with_params(&app.url("/graphql"), parameters).unwrap();
    let url = if parameters.is_empty() { app.url("/graphql").parse().unwrap() } else { url };
    Client::new().request(method, url).bearer_auth(app.admin().token())
}

fn post(app: &App, body: &Value) -> RequestBuilder {
    admin(app, Method::POST, &[]).header(CONTENT_TYPE, OLD).body(body.to_string())
}

fn get(app: &App, parameters: &[(&str, &str)]) -> RequestBuilder {
    admin(app, Method::GET, parameters)
}

async fn sent(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
    (status, code.to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn header(response: &Response, name: impl Into<HeaderName>) -> &str {
    response.headers().get(name.into()).map_or("", |it| it.to_str().unwrap())
}

#[tokio::test]
async fn the_audits_of_graphql_over_http_pass() {
    assert!(Path::new(AUDITS).join("node_modules").exists(), "./dev test brings the audits");
    let app = App::start().await;
    let audits = tokio::process::Command::new("node")
        .arg(Path::new(AUDITS).join("audit.cjs"))
        .arg(app.url("/graphql"))
        .arg(app.admin().token())
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8(audits.stdout).unwrap(), "61 audits\n");
}

#[tokio::test]
async fn the_answer_has_the_form_that_the_client_accepts() {
    let app = App::start().await;
    let query = json!({"query": "{ me { subject } }"});
    for (accept, form) in [(NEW, NEW), (OLD, OLD), ("*/*", OLD), ("text/html, */*;q=0.1", OLD)] {
        let answer = post(&app, &query).header(ACCEPT, accept).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, CONTENT_TYPE), format!("{form}; charset=utf-8"));
        assert_eq!(header(&answer, reqwest::header::CACHE_CONTROL), "no-store");
    }
    let ordered = post(&app, &json!({"query": "{ me { subject roles } }"})).send().await.unwrap();
    let expected = r#"{"data":{"me":{"subject":"admin","roles":["PARTNER_ADMIN"]}}}"#;
    assert_eq!(ordered.text().await.unwrap(), expected, "in the order in which it was asked for");
    let html = post(&app, &query).header(ACCEPT, "text/html");
    assert_eq!(sent(html).await, is(406, "NOT_ACCEPTABLE"));
}

#[tokio::test]
async fn what_keeps_graphql_from_executing_is_400_in_the_new_form_and_200_in_the_old() {
    let app = App::start().await;
    let missing = "query($id: ID!) { partner(id: $id) { id } }";
    for (query, code) in [
        ("{ me { subject", "INVALID_QUERY"),
        ("{ me { shoeSize } }", "INVALID_QUERY"),
        (missing, "INVALID_QUERY"),
        ("query a { me { subject } } query b { me { subject } }", "OPERATION_UNKNOWN"),
        ("subscription { anything }", "INVALID_QUERY"),
        ("{ partner(id: [1]) { id } }", "INVALID_QUERY"),
    ] {
        let request = json!({"query": query});
        assert_eq!(sent(post(&app, &request).header(ACCEPT, NEW)).await, is(400, code), "{query}");
        assert_eq!(sent(post(&app, &request).header(ACCEPT, OLD)).await, is(200, code), "{query}");
        let answer = post(&app, &request).header(ACCEPT, NEW).send().await.unwrap();
        assert!(answer.json::<Value>().await.unwrap().get("data").is_none(), "{query}");
    }
    let wrong = json!({"query": "query($n: Int) { partners(first: $n) { nodes { id } } }",
                       "variables": {"n": "many"}});
    assert_eq!(sent(post(&app, &wrong).header(ACCEPT, NEW)).await, is(400, "INVALID_QUERY"));
}

#[tokio::test]
async fn what_was_executed_is_200_also_where_parts_or_all_of_it_failed() {
    let app = App::start().await;
    let ask = async |query: &str| {
        let request = post(&app, &json!({"query": query})).header(ACCEPT, NEW);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, body) = ask("{ me { subject } partner(id: \"acme\", asOf: \"x\") { id } }").await;
    assert_eq!(status, 200);
    assert_eq!(body["data"]["me"]["subject"], "admin", "{body}");
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    let (status, body) = ask("{ partners(first: 0) { nodes { id } } }").await;
    assert_eq!(status, 200);
    assert_eq!(body["data"], Value::Null, "{body}");
    assert_eq!(body["errors"][0]["extensions"]["code"], "PAGE_SIZE");
}

#[tokio::test]
async fn a_query_may_be_sent_by_get_and_a_mutation_may_not() {
    let app = App::start().await;
    let query = "query a($id: ID!) { partner(id: $id) { id } } mutation b { __typename }";
    let variables = r#"{"id": "acme"}"#;
    let asked = [("query", query), ("operationName", "a"), ("variables", variables)];
    assert_eq!(sent(get(&app, &asked)).await, is(200, ""));
    let changes = [("query", query), ("operationName", "b")];
    assert_eq!(sent(get(&app, &changes)).await, is(405, "METHOD_NOT_ALLOWED"));
    let refused = get(&app, &changes).send().await.unwrap();
    assert_eq!(header(&refused, ALLOW), "POST");
    let torn = [("query", query), ("operationName", "a"), ("variables", "{")];
    assert_eq!(sent(get(&app, &torn)).await, is(400, "MALFORMED_JSON"));
    let list = [("query", query), ("operationName", "a"), ("variables", "[]")];
    assert_eq!(sent(get(&app, &list)).await, is(400, "PARAMETER_TYPE"));
    assert_eq!(sent(get(&app, &[("other", "x")])).await, is(400, "QUERY_MISSING"));
}

#[tokio::test]
async fn parameters_of_the_wrong_type_are_told_and_null_is_none() {
    let app = App::start().await;
    let query = "{ me { subject } }";
    for wrong in [
        json!({"query": 7}),
        json!({"query": query, "operationName": {}}),
        json!({"query": query, "variables": "{}"}),
        json!({"query": query, "variables": []}),
        json!({"query": query, "extensions": "x"}),
        json!(7),
    ] {
        assert_eq!(sent(post(&app, &wrong)).await, is(400, "PARAMETER_TYPE"), "{wrong}");
    }
    let nulls = json!({"query": query, "operationName": null, "variables": null,
                       "extensions": null, "unknown": 1});
    assert_eq!(sent(post(&app, &nulls)).await, is(200, ""));
    assert_eq!(sent(post(&app, &json!({}))).await, is(400, "QUERY_MISSING"));
    assert_eq!(sent(post(&app, &json!([{"query": query}]))).await, is(400, "BATCHING_OFF"));
    let deep = format!("{{\"variables\": {{\"a\": {}}}}}", "[".repeat(10_000));
    let deep = admin(&app, Method::POST, &[]).header(CONTENT_TYPE, OLD).body(deep);
    assert_eq!(sent(deep).await, is(400, "MALFORMED_JSON"));
}

#[tokio::test]
async fn files_and_forms_are_not_taken_however_they_are_mapped() {
    let app = App::start().await;
    let operations = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n\
                      {\"query\": \"{ me { subject } }\"}\r\n--x\r\n\
                      Content-Disposition: form-data; name=\"map\"\r\n\r\n";
    for (content_type, body) in [
        ("multipart/form-data; boundary=x", format!("{operations}{{\"0\": [\"x\"]}}\r\n--x--")),
        ("multipart/form-data; boundary=x", format!("{operations}{{\"0\"")),
        ("multipart/form-data", String::new()),
        ("application/x-www-form-urlencoded", "query={me{subject}}".to_owned()),
        ("text/plain", "{\"query\": \"{ me { subject } }\"}".to_owned()),
        ("application/graphql", "{ me { subject } }".to_owned()),
        ("application/json; charset=utf-16", "{}".to_owned()),
        ("", String::new()),
    ] {
        let request = admin(&app, Method::POST, &[]).header(CONTENT_TYPE, content_type).body(body);
        assert_eq!(sent(request).await, is(415, "CONTENT_TYPE"), "{content_type}");
    }
}

#[tokio::test]
async fn other_methods_are_told_what_there_is() {
    let app = App::start().await;
    let options = admin(&app, Method::OPTIONS, &[]).send().await.unwrap();
    assert_eq!(
        (options.status().as_u16(), header(&options, ALLOW)),
        (204, "GET, HEAD, POST, OPTIONS")
    );
    let head = admin(&app, Method::HEAD, &[("query", "{ me { subject } }")]).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, CONTENT_TYPE)),
        (200, "application/json; charset=utf-8")
    );
    let changes = admin(&app, Method::HEAD, &[("query", "mutation { __typename }")]).send().await;
    assert_eq!(changes.unwrap().status(), 405);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(sent(admin(&app, method, &[])).await, is(405, "METHOD_NOT_ALLOWED"));
    }
}

#[tokio::test]
async fn graphiql_and_the_schema_are_shown_where_the_operator_wants_it() {
    let open = App::start().await;
    let hidden = Transport { graphiql: false, introspection: false, ..Transport::default() };
    let closed = App::with(hidden).await;
    let page = async |app: &App| {
        let request = Client::new().get(app.url("/graphql")).header(ACCEPT, "text/html,*/*;q=0.8");
        let response = request.send().await.unwrap();
        (response.status().as_u16(), header(&response, CONTENT_TYPE).to_owned())
    };
    assert_eq!(page(&open).await, (200, "text/html; charset=utf-8".to_owned()));
    assert_eq!(page(&closed).await.0, 401);
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"Me\") { name } }"] {
        let request = json!({"query": query});
        assert_eq!(sent(post(&open, &request)).await, is(200, ""));
        let refused = post(&closed, &request).header(ACCEPT, NEW);
        assert_eq!(sent(refused).await, is(400, "INTROSPECTION_OFF"));
    }
    let names = json!({"query": "{ __typename me { __typename } }"});
    assert_eq!(sent(post(&closed, &names)).await, is(200, ""));
}

fn named(query: Option<&str>, hash: &str) -> Value {
    json!({"query": query, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}})
}

/// `printf '%s' '{ me { subject } }' | sha256sum`
const HASH: &str = "b8eeea3b98b0b13934bccae8569acc5c768476120d27e672754bca6b66585765";

#[tokio::test]
async fn a_query_that_was_sent_once_is_known_by_its_hash() {
    let app = App::start().await;
    let query = "{ me { subject } }";
    let unknown = post(&app, &named(None, HASH)).send().await.unwrap();
    assert_eq!(unknown.status(), 200, "older clients read the body");
    let body: Value = unknown.json().await.unwrap();
    assert_eq!(body["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(body["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let strict = post(&app, &named(None, HASH)).header(ACCEPT, NEW);
    assert_eq!(sent(strict).await, is(400, "PERSISTED_QUERY_NOT_FOUND"));

    let other = named(Some("{ me { roles } }"), HASH);
    assert_eq!(sent(post(&app, &other)).await, is(400, "PERSISTED_QUERY_HASH_MISMATCH"));
    assert_eq!(sent(post(&app, &named(None, HASH))).await, is(200, "PERSISTED_QUERY_NOT_FOUND"));

    assert_eq!(sent(post(&app, &named(Some(query), HASH))).await, is(200, ""));
    let known = post(&app, &named(None, HASH)).send().await.unwrap();
    assert_eq!(known.json::<Value>().await.unwrap()["data"]["me"]["subject"], "admin");
    let extensions = named(None, HASH)["extensions"].to_string();
    assert_eq!(sent(get(&app, &[("extensions", &extensions)])).await, is(200, ""));

    let old = json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": HASH}}});
    assert_eq!(sent(post(&app, &old)).await, is(400, "PERSISTED_QUERY_INVALID"));
}

/// `printf '%s' '{ me { shoeSize } }' | sha256sum`
const INVALID_HASH: &str = "1bed0d83a472adf13203350ad28c4ce26d089395bdfef95c805174bd01f6dd20";

#[tokio::test]
async fn only_valid_queries_are_remembered() {
    let app = App::start().await;
    let invalid = named(Some("{ me { shoeSize } }"), INVALID_HASH);
    assert_eq!(sent(post(&app, &invalid)).await, is(200, "INVALID_QUERY"));
    let again = post(&app, &named(None, INVALID_HASH));
    assert_eq!(sent(again).await, is(200, "PERSISTED_QUERY_NOT_FOUND"));
}

#[tokio::test]
async fn only_pages_of_listed_origins_may_ask_from_a_browser() {
    let portal = "https://portal.example";
    let cors_origins = vec![portal.parse().unwrap()];
    let app = App::with(Transport { cors_origins, ..Transport::default() }).await;
    let allow_origin = HeaderName::from_static("access-control-allow-origin");
    for (origin, allowed) in [(portal, portal), ("https://evil.example", ""), ("null", "")] {
        let preflight = Client::new()
            .request(Method::OPTIONS, app.url("/graphql"))
            .header(ORIGIN, origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = preflight.send().await.unwrap();
        assert_eq!(header(&answer, &allow_origin), allowed);
        let query = json!({"query": "{ me { subject } }"});
        let asked = post(&app, &query).header(ORIGIN, origin).send().await.unwrap();
        assert_eq!(header(&asked, &allow_origin), allowed);
        assert_eq!(header(&asked, HeaderName::from_static("access-control-allow-credentials")), "");
    }
    let nobody = App::start().await;
    let asked = post(&nobody, &json!({"query": "{ me { subject } }"})).header(ORIGIN, portal);
    assert_eq!(header(&asked.send().await.unwrap(), &allow_origin), "");
}

#[tokio::test]
async fn what_a_page_can_send_without_asking_first_is_never_executed() {
    let app = App::start().await;
    let token = app.admin().token().to_owned();
    let simple = |method: Method, address: &str| {
        let request = Client::new().request(method, app.url(address));
        request.header(ORIGIN, "https://evil.example").header("cookie", format!("token={token}"))
    };
    let by_get = simple(Method::GET, "/graphql?query=%7Bme%7Bsubject%7D%7D");
    assert_eq!(sent(by_get).await, is(401, "TOKEN_MISSING"));
    let in_the_url =
        simple(Method::GET, &format!("/graphql?query=%7Bme%7Bsubject%7D%7D&access_token={token}"));
    assert_eq!(sent(in_the_url).await, is(401, "TOKEN_MISSING"));
    let body = json!({"query": "{ me { subject } }"}).to_string();
    let form =
        simple(Method::POST, "/graphql").header(CONTENT_TYPE, "text/plain").body(body.clone());
    assert_eq!(sent(form).await, is(401, "TOKEN_MISSING"));
    let form = admin(&app, Method::POST, &[]).header(CONTENT_TYPE, "text/plain").body(body);
    assert_eq!(sent(form).await, is(415, "CONTENT_TYPE"));
}
