//! What is different about one thing between two points of the log, for whom it may be told.

use crate::support::actors::Market;
use crate::support::http::App;
use projections::diff::changes;
use projections::fold::{Fold, find_at};
use projections::log::Until;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DIFF: &str = "query($noun: Noun!, $id: ID!, $from: AsOf!, $to: AsOf) {
    diff(noun: $noun, id: $id, from: $from, to: $to) {
        id from to eventCount changes { field before after } events { event reason } } }";

async fn head(app: &App) -> String {
    app.installation.database.ask("select max(position)::text from events").await
}

/// The fields that differ, without those that always do.
fn told(diff: &Value) -> Vec<(&str, &Value, &Value)> {
    let changes = diff["changes"].as_array().unwrap().iter();
    let changes = changes.map(|it| (it["field"].as_str().unwrap(), &it["before"], &it["after"]));
    changes.filter(|(field, ..)| !["updatedAt", "version"].contains(field)).collect()
}

#[tokio::test]
async fn fields_that_differ_are_told_with_what_happened_between() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let before = head(&app).await;
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let between = head(&app).await;
    market.alice.invites("bob", domain::actor::MemberRole::Viewer).await.unwrap();

    let variables = json!({"noun": "PARTNER", "id": "alice-co", "from": before, "to": between});
    let answer = app.auditor().asks(DIFF, variables).await;
    let diff = &answer.data()["diff"];
    let (active, suspended) = (json!("ACTIVE"), json!("SUSPENDED"));
    assert_eq!(told(diff)[0], ("status", &active, &suspended));
    assert_eq!(diff["events"].as_array().unwrap().len(), 1);
    assert_eq!(diff["events"][0]["event"], "suspended");
    assert_eq!((&diff["from"], &diff["to"]), (&json!(before), &json!(between)));

    let variables = json!({"noun": "PARTNER", "id": "alice-co", "from": between});
    let answer = app.partner("alice").asks(DIFF, variables).await;
    let diff = &answer.data()["diff"];
    let (one, two) = (
        json!([{"subject": "alice", "role": "MANAGER"}]),
        json!([{"subject": "alice", "role": "MANAGER"}, {"subject": "bob", "role": "VIEWER"}]),
    );
    assert_eq!(told(diff), [("members", &one, &two)]);
    assert_eq!(diff["eventCount"], 1);
}

#[tokio::test]
async fn times_do_as_points_and_what_began_between_has_no_before() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let long_ago = "2001-01-01T00:00:00Z";
    let variables = json!({"noun": "PARTNER", "id": "alice-co", "from": long_ago});
    let answer = app.admin().asks(DIFF, variables).await;
    let diff = &answer.data()["diff"];
    assert_eq!(diff["from"], "0");
    assert!(told(diff).iter().all(|(_, before, _)| before.is_null()));
    assert_eq!(diff["events"][0]["event"], "registered");

    let now = commands::now().to_rfc3339();
    let same = json!({"noun": "PARTNER", "id": market.alice.partner, "from": now, "to": now});
    let answer = app.admin().asks(DIFF, same).await;
    assert_eq!(answer.data()["diff"]["changes"], json!([]));
    let reversed = json!({"noun": "PARTNER", "id": "alice-co", "from": now, "to": long_ago});
    assert_eq!(app.admin().asks(DIFF, reversed).await.findings(), ["from: FROM_AFTER_TO"]);
}

#[tokio::test]
async fn drafts_strangers_things_and_personal_data_are_told_to_nobody_who_does_not_see_them() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let draft = market.alice.drafts_request(&market.policy).await.unwrap().id;
    let of_draft = json!({"noun": "POLICY_REQUEST", "id": draft, "from": "0"});
    let is_told = async |caller: crate::support::http::Caller<'_>, variables: &Value| {
        let answer = caller.asks(DIFF, variables.clone()).await;
        !answer.data()["diff"].is_null()
    };
    assert!(is_told(app.partner("alice"), &of_draft).await);
    assert!(!is_told(app.admin(), &of_draft).await);
    assert!(is_told(app.auditor(), &of_draft).await);
    let of_alice = json!({"noun": "PARTNER", "id": "alice-co", "from": "0"});
    assert!(!is_told(app.partner("mallory"), &of_alice).await);
    let of_nobody = json!({"noun": "PARTNER", "id": "nobody", "from": "0"});
    assert!(!is_told(app.admin(), &of_nobody).await);
    // What belongs to nobody is in no partner's history.
    let of_policy = json!({"noun": "POLICY", "id": market.policy, "from": "0"});
    assert!(!is_told(app.partner("alice"), &of_policy).await);
    assert!(is_told(app.admin(), &of_policy).await);
    let manager = app.policy_manager().asks(DIFF, of_policy).await;
    assert_eq!(manager.codes(), ["FORBIDDEN"]);

    let everything = "{ diff(noun: PARTNER, id: \"alice-co\", from: \"0\") {
        changes { field before after } events { data } } }";
    let answer = app.admin().asks(everything, json!({})).await;
    let told = answer.data().to_string();
    assert!(told.contains("organizationName") && !told.contains("alice-co@example.org"), "{told}");
    assert!(!told.contains("contacts"), "{told}");
}

/// The fields of a GraphQL type.
async fn fields(app: &App, of: &str) -> BTreeSet<String> {
    let query = format!("{{ __type(name: \"{of}\") {{ fields {{ name }} }} }}");
    let answer = app.admin().asks(&query, json!({})).await;
    let fields = answer.data()["__type"]["fields"].as_array().unwrap();
    fields.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// Compares what is told of the first thing of a kind with the fields of its type.
async fn words_are_known<R: Fold>(app: &App, of: &str) {
    let table = <R::Noun as cqrs_es::Aggregate>::TYPE;
    let id = format!("select min(id) from read.{table}");
    let id: String = app.installation.database.ask(&id).await;
    let pool = app.installation.database.owner_pool();
    let row = find_at::<R>(&pool, &id, Until::Position(i64::MAX)).await.unwrap();
    let told: BTreeSet<String> =
        changes(None, row.as_ref()).unwrap().into_iter().map(|it| it.field).collect();
    let known = fields(app, of).await;
    assert!(!told.is_empty() && told.is_subset(&known), "{of}: {:?}", &told - &known);
}

#[tokio::test]
async fn fields_are_told_in_the_words_of_their_types() {
    let app = App::start().await;
    Market::open(&app.node).await.busy_day(&app.node).await;
    words_are_known::<projections::partner::Row>(&app, "Partner").await;
    words_are_known::<projections::trust_certificate::Row>(&app, "TrustCertificate").await;
    words_are_known::<projections::policy_group::Row>(&app, "PolicyGroup").await;
    words_are_known::<projections::policy::Row>(&app, "Policy").await;
    words_are_known::<projections::policy_request::Row>(&app, "PolicyRequest").await;
    words_are_known::<projections::extractor::Row>(&app, "Extractor").await;
    words_are_known::<projections::api_key::Row>(&app, "ApiKey").await;
    words_are_known::<projections::misp_license::Row>(&app, "MispLicense").await;
    words_are_known::<projections::oidc_client::Row>(&app, "OidcClient").await;
    words_are_known::<projections::sbi::Row>(&app, "Sbi").await;
    words_are_known::<projections::device::Row>(&app, "Device").await;
    words_are_known::<projections::ftm_chip::Row>(&app, "FtmChip").await;
    words_are_known::<projections::proposal::Row>(&app, "Proposal").await;
}

#[tokio::test]
async fn every_query_for_one_thing_takes_a_point_in_the_past() {
    let app = App::start().await;
    let query = "{ __schema { queryType { fields { name args { name type { name } } } } } }";
    let answer = app.admin().asks(query, json!({})).await;
    let all = answer.data()["__schema"]["queryType"]["fields"].as_array().unwrap();
    let takes_one = |field: &&Value| {
        let mut args = field["args"].as_array().unwrap().iter();
        args.any(|arg| arg["name"] == "asOf" && arg["type"]["name"] == "AsOf")
    };
    let snake = |name: &str| {
        let mut snake = String::new();
        for c in name.chars() {
            if c.is_uppercase() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
        }
        snake
    };
    let with_as_of: BTreeSet<String> =
        all.iter().filter(takes_one).map(|it| snake(it["name"].as_str().unwrap())).collect();
    let nouns = projections::TABLES.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(with_as_of, nouns);
}
