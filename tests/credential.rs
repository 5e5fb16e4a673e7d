//! Who approved this, who could use it, when did it end: the trail of a credential in one question.

use crate::support::actors::{Market, Person};
use crate::support::http::{App, Caller};
use crate::support::jwk;
use chrono::TimeDelta;
use domain::actor::{MemberRole, Role};
use serde_json::{Value, json};

const TRAIL: &str = "query($id: ID!) { credentialTrail(id: $id) { noun id partnerId policyId
    restsOn { position noun id event actor }
    issued { event { position event actor data } cause { event } }
    users { subject role sincePosition untilPosition since until }
    later { event { position event actor reason } cause { position noun id event actor reason } }
    ended { event { position event actor reason } cause { noun event } } } }";

async fn trail(who: &Caller<'_>, id: &str) -> Value {
    who.asks(TRAIL, json!({"id": id})).await.data()["credentialTrail"].clone()
}

fn events(facts: &Value) -> Vec<String> {
    let named = |it: &Value| format!("{} {} by {}", it["noun"], it["event"], it["actor"]);
    facts.as_array().unwrap().iter().map(|it| named(it).replace('"', "")).collect()
}

/// What happened later, each with its cause.
fn later(trail: &Value) -> Vec<String> {
    let named = |it: &Value| {
        let cause = &it["cause"];
        let cause = if cause.is_null() {
            ""
        } else {
            &format!(" for {} {}", cause["noun"], cause["event"])
        };
        format!("{} by {}{cause}", it["event"]["event"], it["event"]["actor"]).replace('"', "")
    };
    trail["later"].as_array().unwrap().iter().map(named).collect()
}

async fn with_a_key(app: &App) -> (Market, String) {
    let market = Market::open(&app.node).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "branch").await.unwrap().id;
    (market, key)
}

#[tokio::test]
async fn of_a_key_everything_is_told_from_its_approval_to_its_end() {
    let app = App::start().await;
    let (market, key) = with_a_key(&app).await;
    let Market { admin, alice, .. } = &market;
    alice.invites("bob", MemberRole::Operator).await.unwrap();
    admin.suspends(&alice.partner).await.unwrap();
    admin.reactivates(&alice.partner).await.unwrap();
    alice.dismisses("bob").await.unwrap();
    alice.ends_key(&key).await.unwrap();
    alice.invites("carol", MemberRole::Viewer).await.unwrap();

    let told = trail(&app.auditor(), &key).await;
    assert_eq!((&told["noun"], &told["id"]), (&json!("API_KEY"), &json!(key)));
    let of = (&told["partnerId"], &told["policyId"]);
    assert_eq!(of, (&json!(alice.partner), &json!(market.policy)));
    let approved = [
        "policy created by manager",
        "policy published by manager",
        "partner registered by alice",
        "partner certificate_accepted by alice",
        "partner activated by alice",
        "policy_request submitted by alice",
        "policy_request approved by admin",
    ];
    assert_eq!(events(&told["restsOn"]), approved);
    assert_eq!(told["issued"]["event"]["actor"], "alice");
    assert_eq!(told["issued"]["event"]["data"]["label"], "branch");
    let happened = [
        "suspended by admin for partner suspended",
        "resumed by admin for partner reactivated",
        "deactivated by alice",
    ];
    assert_eq!(later(&told), happened);
    assert_eq!(told["later"][0]["cause"]["reason"], "For a test");
    assert_eq!(told["ended"]["event"], told["later"][2]["event"]);
    let users: Vec<Value> = told["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| json!([it["subject"], it["role"], it["untilPosition"].is_string()]))
        .collect();
    let expected = [json!(["alice", "MANAGER", false]), json!(["bob", "OPERATOR", true])];
    assert_eq!(users, expected, "Carol came when it had ended");
    has_positions(&app, &told).await;
}

/// Each fact is found in the history under its position.
async fn has_positions(app: &App, told: &Value) {
    let history = "{ history(first: 200) { nodes { position event actor } } }";
    let history = app.auditor().asks(history, json!({})).await;
    let history = history.data()["history"]["nodes"].as_array().unwrap().clone();
    let facts = told["restsOn"].as_array().unwrap().iter();
    let facts = facts.chain(told["later"].as_array().unwrap().iter().map(|it| &it["event"]));
    for fact in facts {
        let known =
            json!({"position": fact["position"], "event": fact["event"], "actor": fact["actor"]});
        assert!(history.contains(&known), "{fact}");
    }
}

#[tokio::test]
async fn a_successor_a_revoked_approval_and_a_new_certificate_are_told_as_they_were() {
    let app = App::start().await;
    let (market, old) = with_a_key(&app).await;
    let Market { admin, alice, authority, .. } = &market;
    alice.uploads(&authority.leaf(&alice.organization())).await.unwrap();
    let new = alice.rotates_key(&old, None).await.unwrap().id;
    let before = trail(&app.auditor(), &new).await;
    assert_eq!(before["issued"]["event"]["data"]["rotated_from"], json!(old));
    assert_eq!((&before["ended"], &before["later"]), (&Value::Null, &json!([])));
    let certificate = |trail: &Value| {
        let rests_on = trail["restsOn"].as_array().unwrap().iter();
        let found: Vec<&Value> = rests_on
            .filter(|it| it["event"] == "certificate_accepted")
            .map(|it| &it["position"])
            .collect();
        json!(found)
    };
    let of_old = trail(&app.auditor(), &old).await;
    assert_eq!(later(&of_old), ["rotated by alice"]);
    assert_ne!(certificate(&before), certificate(&of_old), "each has the one of its day");

    let request: String = app.installation.database.ask("select id from read.policy_request").await;
    admin.revokes(&request).await.unwrap();
    let after = trail(&app.auditor(), &new).await;
    assert_eq!(later(&after), ["deactivated by admin for policy_request revoked"]);
    assert_eq!(after["ended"]["cause"]["noun"], "policy_request");
}

#[tokio::test]
async fn clients_and_licences_have_their_trail_too() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (sign_in, _) = market.sign_in_policy(&market.alice).await;
    let client = market.alice.creates_client(&sign_in, &jwk::key("1")).await.unwrap().id;
    let told = trail(&app.auditor(), &client).await;
    assert_eq!((&told["noun"], &told["policyId"]), (&json!("OIDC_CLIENT"), &json!(sign_in)));
    assert!(events(&told["restsOn"]).contains(&"policy_request approved by admin".to_owned()));
    four_eyes_end(&app, &market.admin, &market.alice.partner).await;
    let told = trail(&app.auditor(), &client).await;
    assert_eq!(later(&told), ["deactivated by second admin for partner deactivated"]);

    let max = crate::support::actors::provider(&app.node, "max");
    market.lets_in(&max, None).await;
    let license = market.admin.generates_license(&max, None, "main").await.unwrap().id;
    let told = trail(&app.auditor(), &license).await;
    assert_eq!((&told["noun"], &told["policyId"]), (&json!("MISP_LICENSE"), &Value::Null));
    assert_eq!(told["issued"]["event"]["actor"], "admin");
    assert_eq!(told["users"][0]["subject"], "max");
}

async fn four_eyes_end(app: &App, admin: &Person, partner: &str) {
    let node = app.node.clone().with_four_eyes(true);
    let proposal = admin.at(&node).deactivates(partner).await.unwrap().id;
    crate::support::actors::second_admin(&node).confirms(&proposal).await.unwrap();
}

#[tokio::test]
async fn a_key_that_nobody_ended_has_expired_by_itself() {
    let app = App::start().await;
    let (_, key) = with_a_key(&app).await;
    app.node.tell_expired(::commands::now() + TimeDelta::days(400)).await.unwrap();
    let told = trail(&app.auditor(), &key).await;
    assert_eq!(later(&told), ["expired by system"]);
    assert_eq!(told["ended"]["event"], told["later"][0]["event"]);
}

#[tokio::test]
async fn a_partner_reads_its_own_trail_without_the_making_of_the_policy() {
    let app = App::start().await;
    let (market, key) = with_a_key(&app).await;
    let own = trail(&app.partner("alice"), &key).await;
    let own = events(&own["restsOn"]);
    assert!(own.contains(&"policy_request approved by admin".to_owned()));
    assert!(own.iter().all(|it| !it.starts_with("policy ")), "{own:?}");
    four_eyes_end(&app, &market.admin, &market.alice.partner).await;
    let ended = trail(&app.partner("alice"), &key).await;
    assert_eq!(later(&ended), ["deactivated by second admin for partner deactivated"]);

    assert_eq!(trail(&app.person("mallory", Role::AuthPartner), &key).await, Value::Null);
    assert_eq!(trail(&app.auditor(), "nobody").await, Value::Null);
    assert_eq!(trail(&app.auditor(), &market.policy).await, Value::Null, "that is no credential");
    let manager = app.policy_manager().asks(TRAIL, json!({"id": key})).await;
    assert_eq!(manager.codes(), ["FORBIDDEN"]);
}

#[tokio::test]
async fn a_long_trail_costs_as_many_statements_as_a_short_one() {
    let (app, statements) = App::counted().await;
    let (market, key) = with_a_key(&app).await;
    let auditor = app.auditor();
    let asks = async || statements.of(auditor.asks(TRAIL, json!({"id": key}))).await.1.len();
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let short = asks().await;
    for _ in 0..5 {
        market.admin.reactivates(&market.alice.partner).await.unwrap();
        market.admin.suspends(&market.alice.partner).await.unwrap();
    }
    assert_eq!(asks().await, short);
}

/// Something that happens to a thing again and again.
async fn goes_on(app: &App, noun: &str, id: &str, times: i64) {
    let sql = format!(
        "insert into events select aggregate_type, aggregate_id, sequence + n, 'suspended', '1.0', \
           '{{\"type\":\"suspended\",\"reason\":\"Again\"}}', metadata, \
           (select max(position) from events) + n, now() \
         from generate_series(1, {times}) n, (select * from events \
           where aggregate_type = '{noun}' and aggregate_id = '{id}' \
           order by sequence desc limit 1) last"
    );
    app.installation.database.as_owner(&sql).await;
}

#[tokio::test]
async fn only_what_counts_is_read_and_no_more_than_ten_thousand_events() {
    let app = App::start().await;
    let (market, key) = with_a_key(&app).await;
    let before = trail(&app.auditor(), &key).await;
    goes_on(&app, "partner", &market.alice.partner, 10_001).await;
    assert_eq!(trail(&app.auditor(), &key).await, before, "what is not told does not count");
    goes_on(&app, "api_key", &key, 10_001).await;
    let refused = app.auditor().asks(TRAIL, json!({"id": key})).await;
    assert_eq!(refused.findings(), ["id: TOO_MANY_EVENTS"]);
}
