//! Tokens of issuers in other houses, held against a real provider: whom they let in, and whom not
//! when keys change, clocks differ, the issuer is away, or somebody forges.

use crate::support::http::App;
use crate::support::oidc_provider::{FIRST_KEY, OidcProvider};
use crate::support::{commands::Installation, until};
use api::auth::claims::ClaimNames;
use api::auth::discovery::{self, Error, fetch_keys};
use api::auth::key_set::Times;
use api::auth::settings::IssuerSettings;
use api::auth::{Issuers, Refusal};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use chrono::{DateTime, TimeDelta, Utc};
use commands::now;
use domain::actor::{Actor, Role};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use strum::IntoEnumIterator as _;

const AGES: Duration = Duration::from_hours(24);
const NEVER: Duration = Duration::ZERO;
const ME: &[u8] = br#"{"query": "{ me { subject roles } }"}"#;

/// Keys are fetched once, and again for every unknown one.
fn times() -> Times {
    Times { fresh: AGES..=AGES, stale: AGES, pause: NEVER, patience: Duration::from_mins(1) }
}

fn issuer(url: &str, prefix: &str) -> IssuerSettings {
    let (url, prefix, audience) = (url.to_owned(), prefix.to_owned(), "pms".to_owned());
    IssuerSettings { url, prefix, audience, claims: ClaimNames::default() }
}

fn believing(provider: &OidcProvider, times: &Times) -> Issuers {
    Issuers::external(&[issuer(&provider.issuer, "")], times).unwrap()
}

async fn verdict(issuers: &Issuers, token: &str) -> Result<Actor, Refusal> {
    issuers.actor(token, now()).await
}

async fn subject(issuers: &Issuers, token: &str) -> Result<String, Refusal> {
    verdict(issuers, token).await.map(|actor| actor.subject)
}

/// What a token says that is in order, as Keycloak's are.
fn claims(issuer: &str) -> Value {
    let now = now().timestamp();
    json!({"iss": issuer, "aud": ["account", "pms"], "sub": "5f", "typ": "Bearer", "iat": now,
           "exp": now + 600, "preferred_username": "mallory",
           "realm_access": {"roles": ["PARTNER_ADMIN"]}})
}

/// `of` with `more`; null takes a member away.
fn with(mut of: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        of[name] = value.clone();
    }
    of.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    of
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "JWT", "kid": FIRST_KEY})
}

fn times_of(token: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let payload = BASE64URL.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let time = |name: &str| DateTime::from_timestamp(claims[name].as_i64().unwrap(), 0).unwrap();
    (time("iat"), time("exp"))
}

async fn app(issuers: Issuers) -> App {
    let installation = Installation::new().await;
    let node = installation.node();
    App::believing(issuers, installation, node).await
}

async fn readiness(app: &App) -> (u16, Value) {
    let response = reqwest::get(app.url("/readyz")).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_token_of_a_real_provider_lets_its_bearer_in_with_his_roles() {
    let provider = OidcProvider::start();
    let app = app(believing(&provider, &times())).await;
    let answer = app.sends(&provider.token().await, "application/json", ME.to_vec()).await;
    assert_eq!(answer.data()["me"], json!({"subject": "alice", "roles": ["AUTH_PARTNER"]}));
}

#[tokio::test]
async fn beside_an_external_issuer_nobody_believes_the_development_issuer() {
    let provider = OidcProvider::start();
    let app = app(believing(&provider, &times())).await;
    let answer = app.admin().asks("{ me { subject } }", json!({})).await;
    assert_eq!((answer.status, answer.codes()), (401, vec!["TOKEN_INVALID"]));
}

#[tokio::test]
async fn the_algorithms_of_real_issuers_are_understood() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        provider.publish(&[&format!("{algorithm}.key")]).await;
        let alice = verdict(&issuers, &provider.token().await).await.unwrap();
        assert_eq!(alice.roles, BTreeSet::from([Role::AuthPartner]), "{algorithm}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_the_old_one_goes_on_while_it_is_published() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let old = provider.token().await;
    assert!(verdict(&issuers, &old).await.is_ok());

    provider.publish(&["ES256.second", FIRST_KEY]).await;
    assert!(verdict(&issuers, &provider.token().await).await.is_ok());
    assert!(verdict(&issuers, &old).await.is_ok());
    assert_eq!(provider.fetches().await, 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_believed_no_longer_than_keys_are_fresh() {
    let provider = OidcProvider::start();
    let fresh = believing(&provider, &times());
    let aged = believing(&provider, &Times { fresh: NEVER..=NEVER, ..times() });
    let token = provider.token().await;
    assert!(verdict(&fresh, &token).await.is_ok());
    assert!(verdict(&aged, &token).await.is_ok());

    provider.publish(&["ES256.second"]).await;
    assert!(verdict(&fresh, &token).await.is_ok());
    assert_eq!(verdict(&aged, &token).await, Err(Refusal::TokenInvalid));
    // Whatever makes it ask again makes it forget.
    assert!(verdict(&fresh, &provider.token().await).await.is_ok());
    assert_eq!(verdict(&fresh, &token).await, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn many_who_come_at_once_cost_the_issuer_one_answer() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &Times { pause: AGES, ..times() });
    let token = provider.token().await;
    let verdicts = join_all((0..100).map(|_| verdict(&issuers, &token))).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(provider.fetches().await, 1);
}

#[tokio::test]
async fn invented_keys_cost_the_issuer_nothing() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &Times { pause: AGES, ..times() });
    let token = provider.token().await;
    assert!(verdict(&issuers, &token).await.is_ok());

    let payload = token.split('.').nth(1).unwrap();
    let invented = |number: u32| {
        let header = json!({"alg": "ES256", "kid": format!("ES256.{number}")}).to_string();
        format!("{}.{payload}.AAAA", BASE64URL.encode(header))
    };
    let verdicts = join_all((0..1000).map(|number| {
        let (issuers, token) = (&issuers, invented(number));
        async move { verdict(issuers, &token).await }
    }));
    assert!(verdicts.await.iter().all(|it| *it == Err(Refusal::TokenInvalid)));
    assert_eq!(provider.fetches().await, 1);
    assert!(verdict(&issuers, &token).await.is_ok());
}

#[tokio::test]
async fn clocks_may_differ_by_half_a_minute() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let token = provider.token().await;
    let (issued, expires) = times_of(&token);
    for (at, good) in [
        (issued - TimeDelta::seconds(31), false), // the issuer's clock is ahead of ours
        (issued - TimeDelta::seconds(30), true),
        (expires + TimeDelta::seconds(29), true), // and behind
        (expires + TimeDelta::seconds(30), false),
    ] {
        let verdict = issuers.actor(&token, at).await;
        let expected = if good { Ok(()) } else { Err(Refusal::TokenExpired) };
        assert_eq!(verdict.map(drop), expected, "{at}");
    }
}

#[tokio::test]
async fn each_of_several_issuers_vouches_for_its_own_people_only() {
    let (ours, banks) = (OidcProvider::start(), OidcProvider::start());
    let settings = [issuer(&ours.issuer, ""), issuer(&banks.issuer, "bank:")];
    let issuers = Issuers::external(&settings, &times()).unwrap();
    let name = subject(&issuers, &ours.token().await).await;
    assert_eq!(name.as_deref(), Ok("alice"));
    let name = subject(&issuers, &banks.token().await).await;
    assert_eq!(name.as_deref(), Ok("bank:alice"));

    // Both have a key of this name.
    let forged = banks.sign(FIRST_KEY, header(), &claims(&ours.issuer)).await;
    assert_eq!(verdict(&issuers, &forged).await, Err(Refusal::TokenInvalid));
    // And a key that only one of them has does not help either.
    banks.publish(&["ES256.bank"]).await;
    let banks_key = with(header(), json!({"kid": "ES256.bank"}));
    let forged = banks.sign("ES256.bank", banks_key, &claims(&ours.issuer)).await;
    assert_eq!(verdict(&issuers, &forged).await, Err(Refusal::TokenInvalid));

    let posing = with(claims(&ours.issuer), json!({"preferred_username": "bank:alice"}));
    let posing = ours.sign(FIRST_KEY, header(), &posing).await;
    assert_eq!(verdict(&issuers, &posing).await, Err(Refusal::TokenInvalid));
}

#[tokio::test]
async fn an_issuer_that_is_away_takes_nobody_elses_people_along() {
    let (ours, banks) = (OidcProvider::start(), OidcProvider::start());
    let settings = [issuer(&ours.issuer, ""), issuer(&banks.issuer, "bank:")];
    let issuers = Issuers::external(&settings, &times()).unwrap();
    let stranded = banks.token().await;
    drop(banks);
    assert!(verdict(&issuers, &ours.token().await).await.is_ok());
    assert_eq!(verdict(&issuers, &stranded).await, Err(Refusal::IssuerUnavailable));
    let usable: Vec<bool> = issuers.states().iter().map(|state| state.usable).collect();
    assert_eq!(usable, [true, false]);
}

#[tokio::test]
async fn while_an_issuer_is_away_its_last_keys_are_believed_for_a_bounded_time() {
    let provider = OidcProvider::start();
    let aged = Times { fresh: NEVER..=NEVER, ..times() };
    let patient = believing(&provider, &aged);
    let strict = believing(&provider, &Times { stale: NEVER, ..aged.clone() });
    let token = provider.token().await;
    assert!(verdict(&patient, &token).await.is_ok());
    let unknown = with(header(), json!({"kid": "ES256.unknown"}));
    let unknown = provider.sign("ES256.unknown", unknown, &claims(&provider.issuer)).await;
    drop(provider);

    assert!(verdict(&patient, &token).await.is_ok());
    // The issuer may have made this key meanwhile: nobody can tell.
    assert_eq!(verdict(&patient, &unknown).await, Err(Refusal::IssuerUnavailable));
    assert_eq!(verdict(&strict, &token).await, Err(Refusal::IssuerUnavailable));
}

#[tokio::test]
async fn a_node_starts_without_its_issuer_says_so_and_becomes_ready_when_it_comes() {
    let provider = OidcProvider::start();
    let (issuers, token) = (believing(&provider, &times()), provider.token().await);
    let issuer = provider.stop();
    let app = app(issuers).await;
    let answer = app.sends(&token, "application/json", ME.to_vec()).await;
    assert_eq!((answer.status, answer.codes()), (503, vec!["ISSUER_UNAVAILABLE"]));
    let (status, told) = readiness(&app).await;
    assert_eq!((status, &told["ready"]), (503, &json!(false)));
    assert_eq!(told["issuers"], json!([{"issuer": issuer, "usable": false}]));

    let provider = OidcProvider::start_again(&issuer);
    until(async || (readiness(&app).await.0 == 200).then_some(())).await;
    let answer = app.sends(&provider.token().await, "application/json", ME.to_vec()).await;
    assert_eq!(answer.status, 200);
}

/// Tokens that a provider has signed, and what is wrong with them.
async fn odd_tokens(provider: &OidcProvider) -> Vec<(&'static str, Refusal, String)> {
    use Refusal::{TokenAudience, TokenExpired, TokenInvalid};
    let good = || claims(&provider.issuer);
    let hour_ago = now().timestamp() - 3600;
    let wrong = [
        ("another issuer", TokenInvalid, json!({}), json!({"iss": "https://id.example"})),
        ("issuer as a list", TokenInvalid, json!({}), json!({"iss": [provider.issuer]})),
        (
            "issuer with a slash",
            TokenInvalid,
            json!({}),
            json!({"iss": format!("{}/", provider.issuer)}),
        ),
        ("no issuer", TokenInvalid, json!({}), json!({"iss": null})),
        ("another audience", TokenAudience, json!({}), json!({"aud": "account"})),
        ("other audiences", TokenAudience, json!({}), json!({"aud": ["account", "pms-2"]})),
        ("no audience", TokenInvalid, json!({}), json!({"aud": null})),
        ("over", TokenExpired, json!({}), json!({"exp": hour_ago})),
        ("no end", TokenInvalid, json!({}), json!({"exp": null})),
        ("an end in words", TokenInvalid, json!({}), json!({"exp": "never"})),
        ("not begun", TokenExpired, json!({}), json!({"nbf": hour_ago + 7200})),
        ("issued in the future", TokenExpired, json!({}), json!({"iat": hour_ago + 7200})),
        ("nobody named", TokenInvalid, json!({}), json!({"preferred_username": null})),
        ("an empty name", TokenInvalid, json!({}), json!({"preferred_username": ""})),
        ("the system's name", TokenInvalid, json!({}), json!({"preferred_username": "system"})),
        ("Keycloak's ID token", TokenInvalid, json!({}), json!({"typ": "ID"})),
        ("Keycloak's refresh token", TokenInvalid, json!({}), json!({"typ": "Refresh"})),
        ("an ID token with at_hash", TokenInvalid, json!({}), json!({"typ": null, "at_hash": "x"})),
        ("an ID token with nonce", TokenInvalid, json!({}), json!({"typ": null, "nonce": "x"})),
        ("bound to a key", TokenInvalid, json!({}), json!({"cnf": {"jkt": "x"}})),
        ("a logout token", TokenInvalid, json!({"typ": "logout+jwt"}), json!({})),
        ("crit", TokenInvalid, json!({"crit": ["exp"], "exp": 1}), json!({})),
        ("another algorithm", TokenInvalid, json!({"alg": "ES384"}), json!({})),
        ("an unknown key", TokenInvalid, json!({"kid": "ES256.unknown"}), json!({})),
        ("too long", TokenInvalid, json!({}), json!({"filler": "x".repeat(16 * 1024)})),
    ];
    let mut odd = vec![];
    for (what, refusal, of_header, of_claims) in wrong {
        let (header, claims) = (with(header(), of_header), with(good(), of_claims));
        odd.push((what, refusal, provider.sign(FIRST_KEY, header, &claims).await));
    }
    odd
}

#[tokio::test]
async fn a_token_with_one_thing_wrong_is_refused_although_its_issuer_has_signed_it() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let good = provider.sign(FIRST_KEY, header(), &claims(&provider.issuer)).await;
    assert_eq!(subject(&issuers, &good).await.as_deref(), Ok("mallory"));
    for (what, refusal, token) in odd_tokens(&provider).await {
        assert_eq!(verdict(&issuers, &token).await, Err(refusal), "{what}");
    }
}

#[tokio::test]
async fn access_tokens_are_known_by_what_providers_write_into_them() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    for (of_header, of_claims) in [
        (json!({"typ": "at+jwt"}), json!({"typ": null, "nonce": "x"})),
        (json!({"typ": "application/AT+JWT"}), json!({"typ": null})),
        (json!({"typ": null}), json!({"typ": null})),
        (json!({}), json!({"nonce": "Keycloak before 25"})),
        (json!({"kid": null}), json!({"aud": "pms", "nbf": 1})),
    ] {
        let (header, claims) =
            (with(header(), of_header), with(claims(&provider.issuer), of_claims));
        let token = provider.sign(FIRST_KEY, header.clone(), &claims).await;
        assert!(verdict(&issuers, &token).await.is_ok(), "{header} {claims}");
    }
}

#[tokio::test]
async fn a_forger_does_not_choose_what_his_token_is_verified_with() {
    let (provider, forger) = (OidcProvider::start(), OidcProvider::start());
    let issuers = believing(&provider, &times());
    let claims = claims(&provider.issuer);
    let evil = forger.public_key().await;
    let at = format!("{}/jwks", forger.issuer);
    for more in [
        json!({}),
        json!({"jwk": evil}),
        json!({"jku": at}),
        json!({"x5u": at}),
        json!({"x5c": ["AAAA"]}),
        json!({"kid": "../../dev/null"}),
        json!({"kid": null}),
    ] {
        let token = forger.sign(FIRST_KEY, with(header(), more.clone()), &claims).await;
        assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid), "{more}");
    }
    assert_eq!(forger.fetches().await, 1, "only the test has asked for his keys");

    // The public key as a shared secret, in the forms in which it can be had.
    let public = provider.public_key().await;
    let hs256 = with(header(), json!({"alg": "HS256"}));
    for secret in [public.to_string(), public["x"].as_str().unwrap().to_owned()] {
        let token = provider.sign_with_secret(&secret, hs256.clone(), &claims).await;
        assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid));
    }
    let good = provider.sign(FIRST_KEY, header(), &claims).await;
    let parts: Vec<&str> = good.split('.').collect();
    let (payload, signature) = (parts[1], parts[2]);
    for alg in ["none", "NONE", "", "es256", "HS256"] {
        let header = BASE64URL.encode(json!({"alg": alg, "kid": FIRST_KEY}).to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.{signature}")] {
            assert_eq!(verdict(&issuers, &token).await, Err(Refusal::TokenInvalid), "{alg}");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_before_anybody_is_asked() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &times());
    let token = provider.token().await;
    let whole: Vec<&str> = token.split('.').collect();
    let deep = BASE64URL.encode(format!("{}{}", "[".repeat(6000), "]".repeat(6000)));
    for garbage in [
        String::new(),
        "..".to_owned(),
        "\u{0}.\u{1F980}.x".to_owned(),
        "x".repeat(1 << 20),
        format!("{}.{}", whole[0], whole[1]),
        format!("{token}.x"),
        format!("{}.{deep}.{}", whole[0], whole[2]),
        format!("{deep}.{}.{}", whole[1], whole[2]),
        format!("{}..{}", whole[0], whole[2]),
    ] {
        assert_eq!(verdict(&issuers, &garbage).await, Err(Refusal::TokenInvalid));
    }
    assert_eq!(provider.fetches().await, 0);
}

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
    let client = discovery::client(Duration::from_millis(200)).unwrap();
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
