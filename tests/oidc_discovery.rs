//! Where keys come from: the configured issuer and nobody else, over a line that can be trusted. And
//! the realm that Keycloak starts with.

use crate::support::oidc_provider::OidcProvider;
use api::auth::discovery::{Error, fetch_keys};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use domain::actor::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;
use strum::IntoEnumIterator as _;

/// An issuer that answers with what a test gives it.
async fn odd_issuer(router: impl FnOnce(&str) -> Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = router(&url);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn discovered(document: impl FnOnce(&str) -> Value, keys: Router) -> Result<usize, Error> {
    let url = odd_issuer(|url| {
        let document = document(url);
        let discovery = get(async move || Json(document));
        keys.route("/.well-known/openid-configuration", discovery)
    });
    asked(&url.await).await
}

async fn asked(issuer: &str) -> Result<usize, Error> {
    let client = api::outgoing::client(Duration::from_secs(1)).unwrap();
    fetch_keys(&client, issuer).await.map(|fetched| fetched.keys.len())
}

fn at_jwks(route: axum::routing::MethodRouter) -> Router {
    Router::new().route("/jwks", route)
}

#[tokio::test]
async fn keys_are_taken_from_the_configured_issuer_and_nobody_else() {
    let provider = OidcProvider::start();
    let key = provider.public_key().await;
    let own = |url: &str| json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
    let set = |keys: Value| at_jwks(get(async move || Json(keys)));
    let odd = json!({"keys": [key, {"kty": "AKP"}, "x", {"kty": "oct", "k": "AAAA"}]});
    assert_eq!(discovered(own, set(odd)).await.unwrap(), 1);

    let other = |url: &str| json!({"issuer": format!("{url}/"), "jwks_uri": format!("{url}/jwks")});
    let result = discovered(other, set(json!({"keys": []}))).await;
    assert!(matches!(result, Err(Error::OtherIssuer(_))), "{result:?}");
    let insecure = |url: &str| json!({"issuer": url, "jwks_uri": "http://keys.example/jwks"});
    let result = discovered(insecure, Router::new()).await;
    assert!(matches!(result, Err(Error::Insecure(_))), "{result:?}");
    assert!(matches!(asked("http://id.example").await, Err(Error::Insecure(_))));

    let elsewhere = HeaderMap::from_iter([(
        axum::http::header::LOCATION,
        format!("{}/jwks", provider.issuer).parse().unwrap(),
    )]);
    let redirect = at_jwks(get(async move || (StatusCode::FOUND, elsewhere)));
    let result = discovered(own, redirect).await;
    assert!(matches!(result, Err(Error::Status { status: StatusCode::FOUND, .. })), "{result:?}");
}

#[tokio::test]
async fn an_issuer_that_answers_without_end_or_not_at_all_is_left_alone() {
    let own = |url: &str| json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
    let long = at_jwks(get(async || format!("{{\"keys\": [\"{}\"]}}", "x".repeat(300 * 1024))));
    let result = discovered(own, long).await;
    assert!(matches!(result, Err(Error::TooLong(_))), "{result:?}");
    for garbage in ["", "{\"keys\": 7}", "<html>"] {
        let result = discovered(own, at_jwks(get(async move || garbage))).await;
        assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
    }
    let silent = at_jwks(get(std::future::pending::<()>));
    let result = discovered(own, silent).await;
    assert!(matches!(result, Err(Error::Unreachable(_))), "{result:?}");
}

const ASKED: &str = "PMS_TEST_ISSUER";

/// Certificates that are trusted are read at the start of a process.
#[tokio::test]
#[ignore = "run by the test below in a process of its own"]
async fn asks_an_issuer() {
    let Ok(issuer) = std::env::var(ASKED) else { return };
    assert_eq!(asked(&issuer).await.unwrap(), 1);
}

#[tokio::test]
async fn over_https_an_issuer_is_believed_whose_certificate_the_machine_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("issuer.pem");
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=issuer \
                   -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1 \
                   -config /dev/null";
    let mut openssl = Command::new("openssl");
    openssl
        .args(request.split_whitespace())
        .arg("-keyout")
        .arg(&pem)
        .arg("-out")
        .arg("/dev/stdout");
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let certificate = folder.path().join("certificate.pem");
    fs::write(&certificate, &made.stdout).unwrap();
    fs::OpenOptions::new().append(true).open(&pem).unwrap().write_all(&made.stdout).unwrap();

    let provider = OidcProvider::start_with_tls(&pem);
    let unknown = asked(&provider.issuer).await;
    assert!(matches!(unknown, Err(Error::Unreachable(_))), "{unknown:?}");
    let trusting = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "oidc_discovery::asks_an_issuer"])
        .env("SSL_CERT_FILE", &certificate)
        .env(ASKED, &provider.issuer)
        .output();
    let trusting = trusting.unwrap();
    assert!(trusting.status.success(), "{}", String::from_utf8_lossy(&trusting.stdout));
    assert!(String::from_utf8_lossy(&trusting.stdout).contains("1 passed"));
}

#[test]
fn the_realm_for_keycloak_has_every_role_and_issues_tokens_for_this_service() {
    let realm = include_str!("../docker/keycloak/pms-realm.json");
    let realm: Value = serde_json::from_str(realm).unwrap();
    let roles = realm["roles"]["realm"].as_array().unwrap();
    let roles: BTreeSet<&str> = roles.iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(roles, Role::iter().map(Into::into).collect());

    for client in realm["clients"].as_array().unwrap() {
        assert_eq!(client["directAccessGrantsEnabled"], false, "passwords go to Keycloak only");
        let mappers = client["protocolMappers"].as_array().unwrap();
        let audience = mappers.iter().find(|it| it["protocolMapper"] == "oidc-audience-mapper");
        let audience = &audience.unwrap()["config"];
        assert_eq!(audience["included.custom.audience"], "pms", "{client}");
        assert_eq!(audience["access.token.claim"], "true", "{client}");
    }
    let portal = &realm["clients"][0];
    assert_eq!(portal["publicClient"], true);
    assert_eq!(portal["attributes"]["pkce.code.challenge.method"], "S256");
    // A name is a person for ever.
    assert_eq!(realm["editUsernameAllowed"], false);
    assert_eq!(realm["registrationAllowed"], false);

    for user in realm["users"].as_array().unwrap() {
        for role in user["realmRoles"].as_array().unwrap() {
            assert!(roles.contains(role.as_str().unwrap()), "{user}");
        }
        assert!(user["credentials"].is_null(), "a password that everybody knows is none");
    }
}
