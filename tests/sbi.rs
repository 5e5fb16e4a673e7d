//! Secure biometric interfaces, over HTTP: from the offer to the end, and what ends with it.

use crate::support::actors::{Makers, Market, device_provider};
use crate::support::commands::codes;
use crate::support::http::{App, Caller};
use chrono::{DateTime, TimeDelta};
use domain::actor::Role;
use serde_json::{Value, json};

async fn makers() -> (App, Makers) {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    (app, makers)
}

fn dora(app: &App) -> Caller<'_> {
    app.person("dora", Role::DeviceProvider)
}

fn input(version: &str) -> Value {
    let in_days = |days| (commands::now() + TimeDelta::days(days)).to_rfc3339();
    json!({"providerId": "dora-co", "swVersion": version, "swBinaryHash": "AB".repeat(32),
           "swCreateDateTime": in_days(-1), "swExpiryDateTime": in_days(365)})
}

fn about(sbi: &Value) -> Value {
    json!({"sbiId": sbi, "reason": "Not safe any more"})
}

#[tokio::test]
async fn an_interface_is_offered_approved_and_ended_and_never_comes_back() {
    let (app, makers) = makers().await;
    let (dora, admin) = (dora(&app), app.admin());
    let fields = "sbi { id version status swVersion swBinaryHash createdBy partner { id }
        devices { approved pending total } allowedActions { action allowed reasonCode } }";
    let added = dora.does("addSbi", input(" 1.0  beta "), fields).await;
    let sbi = &added.payload()["sbi"];
    assert_eq!((&sbi["status"], &sbi["swVersion"]), (&json!("PENDING"), &json!("1.0 beta")));
    assert_eq!(sbi["swBinaryHash"], json!("ab".repeat(32)));
    assert_eq!(sbi["partner"]["id"], makers.dora.partner.as_str());
    assert_eq!(sbi["devices"], json!({"approved": 0, "pending": 0, "total": 0}));
    let expected = json!([
        {"action": "approveSbi", "allowed": false, "reasonCode": "FORBIDDEN"},
        {"action": "rejectSbi", "allowed": false, "reasonCode": "FORBIDDEN"},
        {"action": "deactivateSbi", "allowed": false, "reasonCode": "SBI_PENDING"},
    ]);
    assert_eq!(sbi["allowedActions"], expected);

    let it = json!({"sbiId": sbi["id"]});
    for _ in 0..2 {
        let approved = admin.does("approveSbi", it.clone(), "sbi { status version }").await;
        assert_eq!(approved.payload()["sbi"], json!({"status": "APPROVED", "version": 2}));
    }
    let rejected = admin.does("rejectSbi", about(&sbi["id"]), "position").await;
    assert_eq!(rejected.findings(), ["sbiId: SBI_APPROVED"]);
    let ended = dora.does("deactivateSbi", about(&sbi["id"]), "sbi { status statusReason }").await;
    let expected = json!({"status": "DEACTIVATED", "statusReason": "Not safe any more"});
    assert_eq!(ended.payload()["sbi"], expected);
    let revived = admin.does("approveSbi", it.clone(), "position").await;
    assert_eq!(revived.findings(), ["sbiId: SBI_DEACTIVATED"]);

    let query = "query($id: ID!, $at: AsOf!) { sbi(id: $id, asOf: $at) { status } }";
    let then = added.payload()["sbi"]["version"].clone();
    assert_eq!(then, 1);
    let first = "select position::text from events where aggregate_type = 'sbi' and sequence = 1";
    let first: String = app.installation.database.ask(first).await;
    let as_it_was = dora.asks(query, json!({"id": sbi["id"], "at": first})).await;
    assert_eq!(as_it_was.data()["sbi"]["status"], "PENDING");
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_offer_is_told_at_once() {
    let (app, _makers) = makers().await;
    let day = |days| (commands::now() + TimeDelta::days(days)).to_rfc3339();
    let wrong = json!({"providerId": "dora-co", "swVersion": " ", "swBinaryHash": "sha256:ab",
                       "swCreateDateTime": day(1), "swExpiryDateTime": day(-1)});
    let refused = dora(&app).does("addSbi", wrong, "position").await;
    let expected = [
        "swBinaryHash: HASH_MALFORMED",
        "swCreateDateTime: CREATION_IN_THE_FUTURE",
        "swExpiryDateTime: EXPIRY_BEFORE_CREATION",
        "swExpiryDateTime: EXPIRY_IN_THE_PAST",
        "swVersion: EMPTY",
    ];
    assert_eq!(refused.findings(), expected);
}

#[tokio::test]
async fn a_version_is_one_interface_of_its_provider_until_it_is_rejected() {
    let (_app, makers) = makers().await;
    let (admin, dora) = (&makers.admin, &makers.dora);
    let first = dora.adds_sbi("1.0 Beta").await.unwrap().id;
    assert_eq!(codes(dora.adds_sbi(" 1.0  BETA").await), ["SBI_VERSION_TAKEN"]);
    admin.rejects_sbi(&first).await.unwrap();
    let second = dora.adds_sbi("1.0 beta").await.unwrap().id;
    admin.approves_sbi(&second).await.unwrap();
    dora.ends_sbi(&second).await.unwrap();
    assert_eq!(codes(dora.adds_sbi("1.0 beta").await), ["SBI_VERSION_TAKEN"]);
}

#[tokio::test]
async fn only_a_maker_of_devices_offers_interfaces_and_only_its_own() {
    let (app, makers) = makers().await;
    let market = Market::open(&app.node).await;
    let of = |partner: &str| {
        let mut input = input("1.0");
        input["providerId"] = json!(partner);
        input
    };
    let sbi = json!(makers.live_sbi("1.0").await);
    let wrong_type = app.admin().does("addSbi", of(&market.alice.partner), "position").await;
    assert_eq!(wrong_type.findings(), ["providerId: PARTNER_TYPE"]);
    let fred = app.person("fred", Role::FtmProvider);
    assert_eq!(fred.does("addSbi", of("fred-co"), "position").await.codes(), ["FORBIDDEN"]);

    let erin = app.person("erin", Role::DeviceProvider);
    let not_found = ["providerId: PARTNER_NOT_FOUND"];
    assert_eq!(erin.does("addSbi", of("dora-co"), "position").await.findings(), not_found);
    assert_eq!(erin.does("addSbi", of("nobody"), "position").await.findings(), not_found);
    let ended = erin.does("deactivateSbi", about(&sbi), "position").await;
    assert_eq!(ended.findings(), ["sbiId: SBI_NOT_FOUND"]);
    let query = "query($id: ID!) { sbi(id: $id) { id } sbis { totalCount } }";
    let seen = erin.asks(query, json!({"id": sbi})).await;
    assert_eq!(*seen.data(), json!({"sbi": null, "sbis": {"totalCount": 0}}));
    let history = "{ history(filter: {noun: \"sbi\"}) { nodes { event } } }";
    assert_eq!(erin.asks(history, json!({})).await.data()["history"]["nodes"], json!([]));
    let own = dora(&app).asks(history, json!({})).await;
    assert_eq!(own.data()["history"]["nodes"], json!([{"event": "added"}, {"event": "approved"}]));
}

#[tokio::test]
async fn what_a_suspended_provider_has_offered_waits() {
    let (_app, makers) = makers().await;
    let (admin, dora) = (&makers.admin, &makers.dora);
    let sbi = dora.adds_sbi("1.0").await.unwrap().id;
    admin.suspends(&dora.partner).await.unwrap();
    assert_eq!(codes(admin.approves_sbi(&sbi).await), ["PARTNER_SUSPENDED"]);
    assert_eq!(codes(admin.rejects_sbi(&sbi).await), ["PARTNER_SUSPENDED"]);
    assert_eq!(codes(dora.adds_sbi("2.0").await), ["PARTNER_SUSPENDED"]);
    admin.reactivates(&dora.partner).await.unwrap();
    admin.approves_sbi(&sbi).await.unwrap();
}

#[tokio::test]
async fn the_end_of_an_interface_ends_the_devices_that_rest_on_no_other_live_one() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let other = makers.live_sbi("2.0").await;
    let approved = makers.approved_device(&sbi, "F 1").await;
    let pending = makers.dora.adds_device(Some(&sbi), "F 2").await.unwrap().id;
    let elsewhere = makers.approved_device(&sbi, "F 3").await;
    makers.dora.links(&elsewhere, &other).await.unwrap();

    let query = "query($input: DeactivateSbiInput!) { preview { deactivateSbi(input: $input) {
        changes { noun id event } } } }";
    let seen = dora(&app).asks(query, json!({"input": about(&json!(sbi))})).await;
    let change = |noun, id: &str, event| json!({"noun": noun, "id": id, "event": event});
    let expected = json!([
        change("sbi", &sbi, "deactivated"),
        change("device", &approved, "deactivated"),
        change("device", &pending, "rejected"),
    ]);
    assert_eq!(seen.data()["preview"]["deactivateSbi"]["changes"], expected);

    let selection = "sbi { devices { approved pending total } } position";
    let ended = dora(&app).does("deactivateSbi", about(&json!(sbi)), selection).await;
    let counts = json!({"approved": 1, "pending": 0, "total": 3});
    assert_eq!(ended.payload()["sbi"]["devices"], counts);
    let query = "{ devices(orderBy: {field: MODEL, direction: ASC}) { nodes {
        model status statusReason orphan } } }";
    let devices = dora(&app).asks(query, json!({})).await;
    let reason = "Not safe any more";
    let expected = json!([
        {"model": "F 1", "status": "DEACTIVATED", "statusReason": reason, "orphan": true},
        {"model": "F 2", "status": "REJECTED", "statusReason": reason, "orphan": true},
        {"model": "F 3", "status": "APPROVED", "statusReason": null, "orphan": false},
    ]);
    assert_eq!(devices.data()["devices"]["nodes"], expected);
    let query = "query($id: String!) { history(filter: {id: $id, event: [\"deactivated\"]}) {
        nodes { causationId reason } } }";
    let told = app.auditor().asks(query, json!({"id": approved})).await;
    let expected = json!([{"causationId": format!("sbi/{sbi}#3"), "reason": reason}]);
    assert_eq!(told.data()["history"]["nodes"], expected);
}

#[tokio::test]
async fn an_interface_goes_with_its_provider_and_so_does_all_that_the_provider_makes() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    makers.dora.adds_sbi("2.0").await.unwrap();
    makers.approved_device(&sbi, "F 1").await;
    makers.dora.adds_device(None, "F 2").await.unwrap();
    makers.admin.deactivates("dora-co").await.unwrap();
    let query = "{ sbis(orderBy: {field: SW_VERSION, direction: ASC}) { nodes { status } }
        devices(orderBy: {field: MODEL, direction: ASC}) { nodes { status statusReason } } }";
    let all = app.admin().asks(query, json!({})).await;
    let expected = json!({
        "sbis": {"nodes": [{"status": "DEACTIVATED"}, {"status": "REJECTED"}]},
        "devices": {"nodes": [{"status": "DEACTIVATED", "statusReason": "For a test"},
                              {"status": "REJECTED", "statusReason": "For a test"}]},
    });
    assert_eq!(*all.data(), expected);
    assert_eq!(codes(makers.dora.adds_device(None, "F 3").await), ["PARTNER_DEACTIVATED"]);
}

#[tokio::test]
async fn that_an_interface_has_expired_is_told_once_and_changes_no_status() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    makers.dora.adds_sbi("2.0").await.unwrap();
    let ended = makers.live_sbi("3.0").await;
    makers.dora.ends_sbi(&ended).await.unwrap();
    let years = |years: i64| commands::now() + TimeDelta::days(365 * years);
    let told_by = async |now| {
        app.node.tell_expired(now).await.unwrap();
        let told =
            "select count(*) from events where aggregate_type = 'sbi' and event_type = 'expired'";
        app.installation.database.ask::<i64>(told).await
    };
    assert_eq!(told_by(commands::now()).await, 0);
    assert_eq!(told_by(years(2)).await, 2, "not the one that has ended");
    assert_eq!(told_by(years(3)).await, 2, "once");
    let query = "query($id: ID!) { sbi(id: $id) { status version swExpiryDateTime } }";
    let shown = dora(&app).asks(query, json!({"id": sbi})).await;
    assert_eq!(shown.data()["sbi"]["status"], "APPROVED");
    let query = "query($id: String!) { history(filter: {id: $id}) { nodes { event actor data } } }";
    let told = dora(&app).asks(query, json!({"id": sbi})).await;
    let told = &told.data()["history"]["nodes"][2];
    assert_eq!((&told["event"], &told["actor"]), (&json!("expired"), &json!("system")));
    let expiry = |value: &Value| DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap();
    let shown = expiry(&shown.data()["sbi"]["swExpiryDateTime"]);
    assert_eq!(expiry(&told["data"]["expired_at"]), shown);
    makers.approved_device(&sbi, "F 1").await; // it has not expired, whatever the log was told
}

#[tokio::test]
async fn interfaces_are_found_by_what_people_know_of_them() {
    let (app, makers) = makers().await;
    let one = makers.live_sbi("1.0").await;
    let two = makers.live_sbi("2.0-rc").await;
    let erin = device_provider(&app.node, "erin");
    makers.welcome_devices(&erin).await;
    erin.adds_sbi("1.0").await.unwrap();
    makers.approved_device(&two, "F 1").await;
    makers.dora.adds_device(Some(&two), "F 2").await.unwrap();
    makers.dora.adds_device(Some(&one), "F 3").await.unwrap();

    let ask = async |filter: Value, field: &str| {
        let query = "query($filter: SbiFilter, $order: SbiOrder) {
            sbis(filter: $filter, orderBy: $order) { nodes { swVersion partner { id } } } }";
        let order = json!({"field": field, "direction": "DESC"});
        let found = app.admin().asks(query, json!({"filter": filter, "order": order})).await;
        let nodes = found.data()["sbis"]["nodes"].as_array().unwrap().clone();
        let name =
            |it: &Value| format!("{} {}", it["partner"]["id"], it["swVersion"]).replace('"', "");
        nodes.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let all = "dora-co 2.0-rc, dora-co 1.0, erin-co 1.0";
    assert_eq!(ask(json!({}), "DEVICE_COUNT").await, all);
    assert_eq!(ask(json!({"swVersion": {"contains": "RC"}}), "ID").await, "dora-co 2.0-rc");
    assert_eq!(ask(json!({"partnerId": {"equals": "erin-co"}}), "ID").await, "erin-co 1.0");
    let org = json!({"organizationName": {"startsWith": "erin-co"}});
    assert_eq!(ask(org, "ORGANIZATION_NAME").await, "erin-co 1.0");
    assert_eq!(ask(json!({"id": {"equals": one}}), "STATUS").await, "dora-co 1.0");
    assert_eq!(ask(json!({"status": ["PENDING"]}), "SW_VERSION").await, "erin-co 1.0");
    let soon = (commands::now() + TimeDelta::days(30)).to_rfc3339();
    assert_eq!(ask(json!({"expiresAt": {"to": soon}}), "EXPIRES_AT").await, "");
    let later = ask(json!({"expiresAt": {"from": soon}}), "SW_CREATE_DATE_TIME").await;
    assert_eq!(later, "erin-co 1.0, dora-co 2.0-rc, dora-co 1.0");

    let query = "{ sbis(orderBy: {field: DEVICE_COUNT, direction: ASC}, first: 2) {
        totalCount pageInfo { endCursor } nodes { devices { approved pending total } } } }";
    let page = app.admin().asks(query, json!({})).await;
    let nodes = json!([{"devices": {"approved": 0, "pending": 0, "total": 0}},
                       {"devices": {"approved": 0, "pending": 1, "total": 1}}]);
    assert_eq!(page.data()["sbis"]["nodes"], nodes);
    let query = "query($after: String) { sbis(orderBy: {field: DEVICE_COUNT, direction: ASC},
        first: 2, after: $after) { nodes { devices { approved pending total } } } }";
    let after = json!({"after": page.data()["sbis"]["pageInfo"]["endCursor"]});
    let next = app.admin().asks(query, after).await;
    let nodes = json!([{"devices": {"approved": 1, "pending": 1, "total": 2}}]);
    assert_eq!(next.data()["sbis"]["nodes"], nodes);
}
