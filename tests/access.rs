//! Who is let in, who may do what, and what strangers learn: nothing.

mod mutations;
mod outcome;
mod overviews;
mod permissions;
mod queries;
mod strangers;
mod subscriptions;
mod things;

use crate::support::actors::Market;
use crate::support::http::App;
use chrono::TimeDelta;
use domain::actor::Role;
use serde_json::{Value, json};

const QUERY: &[u8] = br#"{"query": "{ me { subject } }"}"#;

async fn answer_to(app: &App, token: &str) -> (u16, String) {
    let answer = app.sends(token, "application/json", QUERY.to_vec()).await;
    (answer.status, answer.codes().concat())
}

#[tokio::test]
async fn only_a_token_of_the_issuer_for_this_service_lets_in() {
    let app = App::start().await;
    let now = commands::now();
    let issue = |at, life| app.issuer.issue("alice", &[Role::AuthPartner], &[], at, life).unwrap();
    let hour = TimeDelta::hours(1);
    let good = issue(now, hour);
    assert_eq!(answer_to(&app, &good).await, (200, String::new()));

    let expired = issue(now - hour * 2, hour);
    assert_eq!(answer_to(&app, &expired).await, (401, "TOKEN_EXPIRED".into()));
    let early = issue(now + hour, hour);
    assert_eq!(answer_to(&app, &early).await, (401, "TOKEN_EXPIRED".into()));

    let folder = app.installation.key_folder();
    let elsewhere = api::auth::DevelopmentIssuer::open(folder, "another service").unwrap();
    let elsewhere = elsewhere.issue("alice", &[Role::AuthPartner], &[], now, hour).unwrap();
    assert_eq!(answer_to(&app, &elsewhere).await, (401, "TOKEN_AUDIENCE".into()));

    let foreign = tempfile::tempdir().unwrap();
    let foreign = api::auth::DevelopmentIssuer::open(foreign.path(), "pms").unwrap();
    let foreign = foreign.issue("alice", &[Role::PartnerAdmin], &[], now, hour).unwrap();
    assert_eq!(answer_to(&app, &foreign).await, (401, "TOKEN_INVALID".into()));

    let payload = good.split('.').nth(1).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    assert_eq!(answer_to(&app, &unsigned).await, (401, "TOKEN_INVALID".into()));
    assert_eq!(answer_to(&app, "not.a.token").await, (401, "TOKEN_INVALID".into()));
    let nobody = issue_for(&app, "system");
    assert_eq!(answer_to(&app, &nobody).await, (401, "TOKEN_INVALID".into()));
}

fn issue_for(app: &App, subject: &str) -> String {
    let hour = TimeDelta::hours(1);
    app.issuer.issue(subject, &[Role::PartnerAdmin], &[], commands::now(), hour).unwrap()
}

#[tokio::test]
async fn without_a_token_nobody_learns_anything() {
    let app = App::start().await;
    let client = reqwest::Client::new();
    let response = client
        .post(app.url("/graphql"))
        .header("content-type", "application/json")
        .body(QUERY.to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "TOKEN_MISSING");
}

#[tokio::test]
async fn policy_managers_see_who_asks_but_not_how_to_reach_them() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.alice.requests(&market.policy).await.unwrap();
    let query = "{ policyRequests { nodes { partner { organizationName contact { emailId } } } } }";
    let told = app.policy_manager().asks(query, json!({})).await;
    assert_eq!(told.codes(), ["FORBIDDEN"]);
    let partner = &told.body["data"]["policyRequests"]["nodes"][0]["partner"];
    assert_eq!(partner["organizationName"], json!(market.alice.organization()));
    assert!(partner["contact"].is_null());
}

#[tokio::test]
async fn drafts_are_for_those_who_write_them() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let draft = market.manager.drafts(&market.group, "Draft").await.unwrap().id;
    let query = "query($id: ID!) { policy(id: $id) { id } policies { nodes { name } } }";
    let partner = app.partner("alice").asks(query, json!({"id": draft})).await;
    assert_eq!(*partner.data(), json!({"policy": null, "policies": {"nodes": [{"name": "KYC"}]}}));
    let manager = app.policy_manager().asks(query, json!({"id": draft})).await;
    assert_eq!(manager.data()["policy"]["id"], json!(draft));
}
