//! Tokens of issuers in other houses, held against a real provider: whom they let in, and whom not
//! when keys change, clocks differ, or an issuer is away.

use crate::support::http::App;
use crate::support::oidc_provider::{
    AGES, FIRST_KEY, NEVER, OidcProvider, believing, claims, header, issuer, times, verdict, with,
};
use crate::support::{commands::Installation, until};
use api::auth::key_set::Times;
use api::auth::{Issuers, Refusal};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use chrono::{DateTime, TimeDelta, Utc};
use domain::actor::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ME: &[u8] = br#"{"query": "{ me { subject roles } }"}"#;

async fn subject(issuers: &Issuers, token: &str) -> Result<String, Refusal> {
    verdict(issuers, token).await.map(|actor| actor.subject)
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
async fn while_an_issuer_is_away_its_last_keys_are_believed() {
    let provider = OidcProvider::start();
    let issuers = believing(&provider, &Times { fresh: NEVER..=NEVER, ..times() });
    let token = provider.token().await;
    assert!(verdict(&issuers, &token).await.is_ok());
    let unknown = with(header(), json!({"kid": "ES256.unknown"}));
    let unknown = provider.sign("ES256.unknown", unknown, &claims(&provider.issuer)).await;
    drop(provider);

    assert!(verdict(&issuers, &token).await.is_ok());
    // The issuer may have made this key meanwhile: nobody can tell.
    assert_eq!(verdict(&issuers, &unknown).await, Err(Refusal::IssuerUnavailable));
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
