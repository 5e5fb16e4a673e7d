//! The life of an API key: it gets a successor, another end, and expires.

use crate::support::actors::Market;
use crate::support::http::{Answer, App};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::secret::Environment;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const KEY: &str = "secret position apiKey { id label expiresAt rotatedFrom rotatedTo
    partner { id } policy { id } }";
const SHOWN: &str = "query($id: ID!, $asOf: AsOf, $at: DateTime) { apiKey(id: $id, asOf: $asOf) {
    status version expiresAt rotatedTo expired expiredThen: expired(at: $at)
    allowedActions { action allowed reasonCode } } }";

/// A market in which Alice may generate keys, and a key of hers.
async fn with_a_key(app: &App) -> (Market, String) {
    let market = Market::open(&app.node).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "branch").await.unwrap().id;
    (market, key)
}

async fn shown(app: &App, id: &str, at: &Value) -> Value {
    let variables = json!({"id": id, "at": at});
    app.partner("alice").asks(SHOWN, variables).await.data()["apiKey"].clone()
}

async fn rotates(app: &App, input: Value) -> Answer {
    app.partner("alice").does("rotateApiKey", input, KEY).await
}

fn new_key(answer: &Answer) -> &Value {
    &answer.payload()["apiKey"]
}

/// A time to come, in whole seconds.
fn in_days(days: i64) -> DateTime<Utc> {
    (commands::now() + TimeDelta::days(days)).trunc_subsecs(0)
}

fn time(text: &Value) -> DateTime<Utc> {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_key_and_its_successor_both_open_the_door_until_the_overlap_ends() {
    let app = App::start().await;
    let (market, old) = with_a_key(&app).await;
    let until = json!(in_days(2));
    let rotated = rotates(&app, json!({"apiKeyId": old, "overlapUntil": until})).await;
    let new = new_key(&rotated);
    assert!(rotated.payload()["secret"].as_str().unwrap().starts_with("pmk_test_"));
    assert_eq!(new["label"], "branch");
    assert_eq!(new["rotatedFrom"], json!(old));
    assert_eq!(new["partner"]["id"], json!(market.alice.partner));
    assert_eq!(new["policy"]["id"], json!(market.policy));

    let before_the_end = shown(&app, &old, &json!(time(&until) - TimeDelta::seconds(1))).await;
    assert_eq!(before_the_end["rotatedTo"], new["id"]);
    assert_eq!(before_the_end["status"], "ACTIVE");
    assert_eq!(time(&before_the_end["expiresAt"]), time(&until));
    assert_eq!(before_the_end["expired"], false);
    assert_eq!(before_the_end["expiredThen"], false);
    assert_eq!(shown(&app, &old, &until).await["expiredThen"], true);
    assert_eq!(shown(&app, new["id"].as_str().unwrap(), &until).await["expiredThen"], false);
}

#[tokio::test]
async fn a_key_without_a_successor_is_shown_as_it_was() {
    let app = App::start().await;
    let (_, old) = with_a_key(&app).await;
    let before = app.node.store().health().borrow().head.to_string();
    let whole_life = shown(&app, &old, &Value::Null).await["expiresAt"].clone();
    rotates(&app, json!({"apiKeyId": old})).await.payload();
    let week = time(&shown(&app, &old, &Value::Null).await["expiresAt"]) - commands::now();
    assert!(week <= TimeDelta::days(7) && week > TimeDelta::days(6), "{week}");

    let then = app.partner("alice").asks(SHOWN, json!({"id": old, "asOf": before})).await;
    assert_eq!(then.data()["apiKey"]["rotatedTo"], Value::Null);
    assert_eq!(then.data()["apiKey"]["expiresAt"], whole_life);
}

#[tokio::test]
async fn a_key_is_rotated_once_and_never_do_three_of_a_label_live() {
    let app = App::start().await;
    let (market, old) = with_a_key(&app).await;
    let input = json!({"apiKeyId": old, "idempotencyKey": "click"});
    let first = rotates(&app, input.clone()).await;
    let again = rotates(&app, input).await;
    assert_eq!(again.codes(), ["SECRET_ALREADY_SHOWN"]);
    assert_eq!(again.body["payload"]["apiKey"]["id"], new_key(&first)["id"]);
    let other = rotates(&app, json!({"apiKeyId": old})).await;
    assert_eq!(other.findings(), ["apiKeyId: ROTATED_ALREADY"]);

    let next = json!({"apiKeyId": new_key(&first)["id"]});
    let third_door = rotates(&app, next.clone()).await;
    assert_eq!(third_door.findings(), ["overlapUntil: OVERLAP_RUNNING"]);
    let now = commands::now();
    let next = json!({"apiKeyId": next["apiKeyId"], "overlapUntil": now});
    let third = new_key(&rotates(&app, next).await)["id"].as_str().unwrap().to_owned();
    let second = shown(&app, new_key(&first)["id"].as_str().unwrap(), &Value::Null).await;
    assert_eq!(second["expired"], true);
    let next = json!({"apiKeyId": third});
    let third_door = rotates(&app, next.clone()).await;
    assert_eq!(third_door.findings(), ["overlapUntil: OVERLAP_RUNNING"]);
    market.alice.ends_key(&old).await.unwrap();
    rotates(&app, next).await.payload();

    let taken = json!({"partnerId": market.alice.partner, "policyId": market.policy,
                       "label": "Branch"});
    let taken = app.partner("alice").does("generateApiKey", taken, KEY).await;
    assert_eq!(taken.findings(), ["label: LABEL_TAKEN"]);
}

#[tokio::test]
async fn an_overlap_has_its_limit_and_prolongs_nothing() {
    let app = App::start().await;
    let (market, old) = with_a_key(&app).await;
    let input = json!({"apiKeyId": old, "overlapUntil": in_days(32), "expiresAt": in_days(367)});
    let refused = rotates(&app, input).await;
    assert_eq!(
        refused.findings(),
        ["expiresAt: EXPIRY_TOO_LATE", "overlapUntil: OVERLAP_TOO_LONG"]
    );

    market.alice.lets_key_end_in(&old, 1).await.unwrap();
    let end = shown(&app, &old, &Value::Null).await["expiresAt"].clone();
    rotates(&app, json!({"apiKeyId": old, "overlapUntil": in_days(29)})).await.payload();
    assert_eq!(shown(&app, &old, &Value::Null).await["expiresAt"], end);
}

#[tokio::test]
async fn nobody_but_the_partner_rotates_its_key_and_only_while_it_may_have_one() {
    let app = App::start().await;
    let (market, old) = with_a_key(&app).await;
    let input = json!({"apiKeyId": old});
    let admin = app.admin().does("rotateApiKey", input.clone(), KEY).await;
    assert_eq!(admin.codes(), ["FORBIDDEN"]);
    let stranger = app.partner("mallory").does("rotateApiKey", input.clone(), KEY).await;
    assert_eq!(stranger.findings(), ["apiKeyId: API_KEY_NOT_FOUND"]);
    market.admin.suspends(&market.alice.partner).await.unwrap();
    assert_eq!(rotates(&app, input.clone()).await.codes(), ["PARTNER_SUSPENDED"]);
    market.admin.reactivates(&market.alice.partner).await.unwrap();
    market.alice.ends_key(&old).await.unwrap();
    assert_eq!(rotates(&app, input).await.findings(), ["apiKeyId: API_KEY_DEACTIVATED"]);
}

#[tokio::test]
async fn the_end_of_a_key_can_be_moved_until_it_has_come() {
    let app = App::start().await;
    let (market, key) = with_a_key(&app).await;
    let set = async |id: &str, expires_at: DateTime<Utc>| {
        let input = json!({"apiKeyId": id, "expiresAt": expires_at});
        app.admin().does("setApiKeyExpiry", input, "apiKey { expiresAt version }").await
    };
    let now = commands::now();
    let later = in_days(300);
    let moved = set(&key, later).await;
    assert_eq!(time(&moved.payload()["apiKey"]["expiresAt"]), later);
    assert_eq!(set(&key, later).await.payload()["apiKey"]["version"], 2);
    assert_eq!(set(&key, now).await.findings(), ["expiresAt: EXPIRY_IN_THE_PAST"]);
    let too_late = set(&key, in_days(367)).await;
    assert_eq!(too_late.findings(), ["expiresAt: EXPIRY_TOO_LATE"]);

    let new = market.alice.rotates_key(&key, Some(in_days(3))).await.unwrap().id;
    set(&key, in_days(2)).await.payload();
    let prolonged = set(&key, in_days(4)).await;
    assert_eq!(prolonged.findings(), ["apiKeyId: ROTATED_ALREADY"]);
    market.alice.rotates_key(&new, Some(now)).await.unwrap();
    assert_eq!(set(&new, later).await.findings(), ["apiKeyId: API_KEY_EXPIRED"]);
}

/// The log is told at the instant; what is shown and decided does not wait for it.
#[tokio::test]
async fn that_a_key_has_expired_is_told_once_and_changes_nothing() {
    let app = App::start().await;
    let (_, key) = with_a_key(&app).await;
    let end = time(&shown(&app, &key, &Value::Null).await["expiresAt"]);
    assert_eq!(app.node.tell_expired(end - TimeDelta::microseconds(1)).await.unwrap(), 0);
    assert_eq!(app.node.tell_expired(end).await.unwrap(), 1);
    assert_eq!(app.node.tell_expired(end).await.unwrap(), 0);
    let told = "query($f: HistoryFilter) { history(filter: $f) { nodes { event actor data } } }";
    let filter = json!({"f": {"id": key, "event": ["expired"]}});
    let told = app.partner("alice").asks(told, filter).await;
    let told = told.data()["history"]["nodes"].clone();
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(told[0]["actor"], "system");
    assert_eq!(time(&told[0]["data"]["expired_at"]), end);

    let key = shown(&app, &key, &json!(end)).await;
    assert_eq!((&key["status"], &key["expired"]), (&json!("ACTIVE"), &json!(false)));
    assert_eq!(key["expiredThen"], true);
}

#[tokio::test]
async fn what_can_be_done_with_a_key_is_told_with_the_reason() {
    let app = App::start().await;
    let (market, key) = with_a_key(&app).await;
    market.alice.rotates_key(&key, Some(commands::now())).await.unwrap();
    let actions = shown(&app, &key, &Value::Null).await["allowedActions"].clone();
    let expected = json!([
        {"action": "rotateApiKey", "allowed": false, "reasonCode": "ROTATED_ALREADY"},
        {"action": "setApiKeyExpiry", "allowed": false, "reasonCode": "API_KEY_EXPIRED"},
        {"action": "deactivateApiKey", "allowed": true, "reasonCode": null},
    ]);
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn keys_of_a_live_system_say_that_they_open_one() {
    let app = App::start().await;
    let market = Market::open(&app.node.clone().with_environment(Environment::Live)).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "branch").await.unwrap();
    assert!(key.secret.unwrap().expose_secret().starts_with("pmk_live_"));
}
