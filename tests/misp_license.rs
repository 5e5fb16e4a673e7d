//! The licence of an infrastructure provider: who gets one, under which policy, and how it ends.

use crate::support::actors::{Market, Provider, provider};
use crate::support::http::{Answer, App, Caller};
use chrono::{SubsecRound as _, TimeDelta};
use domain::actor::Role;
use serde_json::{Value, json};

const LICENSE: &str = "secret mispLicense { id label status lookupId rotatedFrom
    partner { id } policy { id } }";
const SHOWN: &str = "query($id: ID!, $at: DateTime) { mispLicense(id: $id) { status statusReason
    expiresAt rotatedTo expired(at: $at) allowedActions { action allowed reasonCode } } }";

async fn generates(who: &Caller<'_>, provider: &Provider, label: &str) -> Answer {
    let input = json!({"partnerId": provider.mia.partner, "policyId": provider.policy,
                       "label": label, "idempotencyKey": label});
    who.does("generateMispLicense", input, LICENSE).await
}

fn id(answer: &Answer) -> String {
    answer.payload()["mispLicense"]["id"].as_str().unwrap().to_owned()
}

async fn shown(app: &App, id: &str, at: Value) -> Value {
    let shown = app.admin().asks(SHOWN, json!({"id": id, "at": at})).await;
    shown.data()["mispLicense"].clone()
}

fn mia(app: &App) -> Caller<'_> {
    app.person("mia", Role::MispPartner)
}

#[tokio::test]
async fn an_administrator_or_the_provider_itself_gets_a_key_that_is_shown_once() {
    let app = App::start().await;
    let provider = Market::open(&app.node).await.provider().await;
    let first = generates(&app.admin(), &provider, "main").await;
    let license = &first.payload()["mispLicense"];
    let secret = first.payload()["secret"].as_str().unwrap();
    assert!(secret.starts_with("pml_test_"), "{secret}");
    assert!(secret.contains(license["lookupId"].as_str().unwrap()));
    assert_eq!(license["status"], "ACTIVE");
    assert_eq!(license["partner"]["id"], json!(provider.mia.partner));
    assert_eq!(license["policy"]["id"], json!(provider.policy));

    let again = generates(&app.admin(), &provider, "main").await;
    assert_eq!(again.codes(), ["SECRET_ALREADY_SHOWN"]);
    assert_eq!(again.body["payload"]["mispLicense"]["id"], license["id"]);
    let taken = generates(&mia(&app), &provider, "MAIN").await;
    assert_eq!(taken.findings(), ["label: LABEL_TAKEN"]);
    generates(&mia(&app), &provider, "spare").await.payload();

    let kept: String = app
        .installation
        .database
        .ask(
            "select concat((select jsonb_agg(t) from events t), \
              (select jsonb_agg(t) from read.misp_license t), \
              (select jsonb_agg(t) from secret_hashes t))",
        )
        .await;
    assert!(kept.contains(&id(&first)) && !kept.contains(secret));
}

#[tokio::test]
async fn only_a_provider_gets_a_licence_and_under_a_policy_of_its_kind_where_it_has_a_group() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let provider = market.provider().await;
    let admin = app.admin();
    let generate = async |partner: &str, policy: Option<&str>| {
        let input = json!({"partnerId": partner, "policyId": policy, "label": "main"});
        admin.does("generateMispLicense", input, LICENSE).await
    };
    let mia = provider.mia.partner.as_str();
    let alice = generate(&market.alice.partner, None).await;
    assert_eq!(alice.findings(), ["partnerId: PARTNER_TYPE"]);
    assert_eq!(generate(mia, None).await.findings(), ["policyId: POLICY_NEEDED"]);
    let other_type = generate(mia, Some(&market.policy)).await;
    assert_eq!(other_type.findings(), ["policyId: POLICY_TYPE"]);
    market.admin.revokes(&provider.request).await.unwrap();
    let not_approved = generate(mia, Some(&provider.policy)).await;
    assert_eq!(not_approved.findings(), ["policyId: POLICY_NOT_APPROVED"]);
    assert_eq!(generate("nobody", None).await.findings(), ["partnerId: PARTNER_NOT_FOUND"]);
}

#[tokio::test]
async fn a_provider_without_a_group_works_without_a_policy() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let max = provider(&app.node, "max");
    market.lets_in(&max, None).await;
    let input = json!({"partnerId": max.partner, "label": "main"});
    let license = app.admin().does("generateMispLicense", input, LICENSE).await;
    assert_eq!(license.payload()["mispLicense"]["policy"], Value::Null);
    let all = "{ mispLicenses(orderBy: {field: POLICY_NAME, direction: ASC}) { nodes { id } } }";
    let all = app.admin().asks(all, json!({})).await;
    assert_eq!(all.data()["mispLicenses"]["nodes"], json!([{"id": id(&license)}]));
}

#[tokio::test]
async fn a_licence_and_its_successor_both_open_the_door_until_the_overlap_ends() {
    let app = App::start().await;
    let provider = Market::open(&app.node).await.provider().await;
    let old = id(&generates(&app.admin(), &provider, "main").await);
    let until = (commands::now() + TimeDelta::days(2)).trunc_subsecs(0);
    let input = json!({"mispLicenseId": old, "overlapUntil": until});
    let rotated = app.admin().does("rotateMispLicense", input.clone(), LICENSE).await;
    assert_eq!(rotated.payload()["mispLicense"]["rotatedFrom"], json!(old));
    assert_eq!(rotated.payload()["mispLicense"]["label"], "main");
    let again = app.admin().does("rotateMispLicense", input, LICENSE).await;
    assert_eq!(again.findings(), ["mispLicenseId: ROTATED_ALREADY"]);

    let last_moment = shown(&app, &old, json!(until - TimeDelta::seconds(1))).await;
    assert_eq!(last_moment["status"], "ACTIVE");
    assert_eq!(last_moment["rotatedTo"], json!(id(&rotated)));
    assert_eq!(last_moment["expired"], false);
    assert_eq!(shown(&app, &old, json!(until)).await["expired"], true);
    assert_eq!(shown(&app, &id(&rotated), json!(until)).await["expired"], false);
    assert_eq!(app.node.tell_expired(until).await.unwrap(), 1);
    assert_eq!(app.node.tell_expired(until).await.unwrap(), 0);
}

#[tokio::test]
async fn a_licence_is_stopped_and_resumed_with_its_provider_and_ends_with_its_approval() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let provider = market.provider().await;
    let license = id(&generates(&app.admin(), &provider, "main").await);
    let status = async || shown(&app, &license, Value::Null).await["status"].clone();
    market.admin.suspends(&provider.mia.partner).await.unwrap();
    assert_eq!(status().await, "SUSPENDED");
    market.admin.reactivates(&provider.mia.partner).await.unwrap();
    assert_eq!(status().await, "ACTIVE");

    let preview = "query($input: RevokePolicyRequestInput!) { preview {
        revokePolicyRequest(input: $input) { changes { noun id event } } } }";
    let input = json!({"policyRequestId": provider.request, "reason": "The contract has ended"});
    let preview = app.admin().asks(preview, json!({"input": input})).await;
    let changes = preview.data()["preview"]["revokePolicyRequest"]["changes"].clone();
    let ends = json!({"noun": "misp_license", "id": license, "event": "deactivated"});
    assert_eq!(changes[1], ends);
    assert_eq!(status().await, "ACTIVE");
    app.admin().does("revokePolicyRequest", input, "position").await.payload();
    let ended = shown(&app, &license, Value::Null).await;
    assert_eq!(ended["statusReason"], "The contract has ended");
    let actions = ended["allowedActions"].as_array().unwrap();
    assert_eq!(actions[0]["reasonCode"], "MISP_LICENSE_DEACTIVATED");
    assert_eq!(actions[2]["reasonCode"], "NOTHING_TO_DO");
}

#[tokio::test]
async fn a_licence_ends_with_its_provider_and_by_hand_and_its_end_can_be_moved() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let provider = market.provider().await;
    let by_hand = id(&generates(&app.admin(), &provider, "main").await);
    let with_it = id(&generates(&app.admin(), &provider, "spare").await);
    let later = (commands::now() + TimeDelta::days(300)).trunc_subsecs(0);
    let input = json!({"mispLicenseId": by_hand, "expiresAt": later});
    let moved = mia(&app).does("setMispLicenseExpiry", input, "mispLicense { expiresAt }").await;
    assert_eq!(moved.payload()["mispLicense"]["expiresAt"], json!(later.to_rfc3339()));
    let input = json!({"mispLicenseId": by_hand, "reason": "Leaked"});
    let ended = mia(&app).does("deactivateMispLicense", input, "mispLicense { status }").await;
    assert_eq!(ended.payload()["mispLicense"]["status"], "DEACTIVATED");
    market.admin.deactivates(&provider.mia.partner).await.unwrap();
    assert_eq!(shown(&app, &with_it, Value::Null).await["status"], "DEACTIVATED");
}

#[tokio::test]
async fn a_provider_sees_its_own_licences_and_no_other_partner_does() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let provided = market.provider().await;
    let license = id(&generates(&app.admin(), &provided, "main").await);
    let max = provider(&app.node, "max");
    market.lets_in(&max, None).await;
    let query = "query($id: ID!, $filter: MispLicenseFilter) { mispLicense(id: $id) { id }
        mispLicenses(filter: $filter) { totalCount } history(filter: {noun: \"misp_license\"}) {
        nodes { id } } }";
    let asks = async |who: Caller<'_>, filter: Value| {
        let told = who.asks(query, json!({"id": license, "filter": filter})).await;
        told.data().clone()
    };
    let all = json!({"mispLicense": {"id": license}, "mispLicenses": {"totalCount": 1},
                     "history": {"nodes": [{"id": license}]}});
    let filter = json!({
        "partnerId": {"equals": provided.mia.partner}, "label": {"startsWith": "ma"},
        "organizationName": {"contains": "inc"}, "policyId": {"equals": provided.policy},
        "policyName": {"equals": "delegation"}, "status": ["ACTIVE"],
        "expiresAt": {"from": commands::now()},
    });
    assert_eq!(asks(mia(&app), filter.clone()).await, all);
    assert_eq!(asks(app.auditor(), filter).await, all);
    let nothing = json!({"mispLicense": null, "mispLicenses": {"totalCount": 0},
                         "history": {"nodes": []}});
    assert_eq!(asks(app.person("max", Role::MispPartner), Value::Null).await, nothing);

    let stranger = app.person("max", Role::MispPartner);
    let input = json!({"mispLicenseId": license});
    let rotated = stranger.does("rotateMispLicense", input, "position").await;
    assert_eq!(rotated.findings(), ["mispLicenseId: MISP_LICENSE_NOT_FOUND"]);
    let generated = generates(&stranger, &provided, "mine").await;
    assert_eq!(generated.findings(), ["partnerId: PARTNER_NOT_FOUND"]);
    let bank = app.partner("alice").asks("{ mispLicenses { totalCount } }", json!({})).await;
    assert_eq!(bank.codes(), ["FORBIDDEN"]);
}
