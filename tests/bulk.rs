//! One wish for a whole page of things: what is wrong with one row stops no other.

use crate::support::actors::{Makers, Market};
use crate::support::http::{Answer, App};
use serde_json::{Value, json};

const RESULTS: &str = "position results { index node { id status } errors { code field } }";

/// Of each row: the status of its thing, or `field: CODE` of what was wrong.
fn told(answer: &Answer) -> Vec<String> {
    let row = |row: &Value| {
        let error = |it: &Value| format!("{}: {}", text(&it["field"]), text(&it["code"]));
        let mut told: Vec<String> = row["errors"].as_array().unwrap().iter().map(error).collect();
        told.extend(row["node"]["status"].as_str().map(ToOwned::to_owned));
        told.join(", ")
    };
    answer.payload()["results"].as_array().unwrap().iter().map(row).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn requests(market: &Market, names: &[&str]) -> Vec<String> {
    let mut requests = Vec::new();
    for name in names {
        let policy = market.manager.offers(&market.group, name).await;
        requests.push(market.alice.requests(&policy).await.unwrap().id);
    }
    requests
}

#[tokio::test]
async fn a_page_of_requests_is_approved_and_each_row_tells_what_was_wrong_with_it() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let ids = requests(&market, &["One", "Two", "Three"]).await;
    market.admin.rejects(&ids[1]).await.unwrap();
    let rows = json!({"rows": [
        {"policyRequestId": ids[0], "comment": "Welcome"},
        {"policyRequestId": "invented"},
        {"policyRequestId": ids[1]},
        {"policyRequestId": ids[2], "expectedVersion": 7},
        {"policyRequestId": ids[0]},
    ]});
    let approved = app.admin().does("approvePolicyRequests", rows, RESULTS).await;
    let expected = [
        "APPROVED",
        "rows[1].policyRequestId: REQUEST_NOT_FOUND",
        "rows[2].policyRequestId: REQUEST_REJECTED",
        "rows[3]: CONFLICT",
        "APPROVED",
    ];
    assert_eq!(told(&approved), expected);
    let head = app.installation.database.head().await;
    assert_eq!(approved.payload()["position"], head.to_string());
}

#[tokio::test]
async fn a_repetition_of_a_page_under_its_keys_gives_the_first_answers() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let ids = requests(&market, &["One", "Two"]).await;
    let row = |id: &String| json!({"policyRequestId": id, "reason": "Not now", "idempotencyKey": format!("reject {id}")});
    let rows = json!({"rows": ids.iter().map(row).collect::<Vec<_>>()});
    let first = app.admin().does("rejectPolicyRequests", rows.clone(), RESULTS).await;
    assert_eq!(told(&first), ["REJECTED", "REJECTED"]);
    market.anything().await.unwrap();
    let again = app.admin().does("rejectPolicyRequests", rows, RESULTS).await;
    assert_eq!(again.payload(), first.payload());
    let refused = json!({"rows": [{"policyRequestId": ids[0], "reason": " "}]});
    let refused = app.admin().does("rejectPolicyRequests", refused, RESULTS).await;
    assert_eq!(told(&refused), ["rows[0].reason: EMPTY"]);
    assert!(refused.payload()["position"].is_null());
}

#[tokio::test]
async fn interfaces_devices_and_chips_are_approved_and_rejected_by_the_page() {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    let (sbi, other) = (makers.dora.adds_sbi("1").await, makers.dora.adds_sbi("2").await);
    let (sbi, other) = (sbi.unwrap().id, other.unwrap().id);
    let orphan = makers.dora.adds_device(None, "D 2").await.unwrap().id;
    let chip = makers.fred.certified_chip("C 1", &makers.chip_authority).await;
    let bare = makers.fred.adds_chip("C 2").await.unwrap().id;
    let admin = app.admin();

    let rows = json!({"rows": [{"sbiId": sbi}]});
    assert_eq!(told(&admin.does("approveSbis", rows, RESULTS).await), ["APPROVED"]);
    let rows = json!({"rows": [{"sbiId": sbi, "reason": "r"}, {"sbiId": other, "reason": "r"}]});
    let rejected = admin.does("rejectSbis", rows, RESULTS).await;
    assert_eq!(told(&rejected), ["rows[0].sbiId: SBI_APPROVED", "REJECTED"]);

    let device = makers.dora.adds_device(Some(&sbi), "D 1").await.unwrap().id;
    let rows = json!({"rows": [{"deviceId": device}, {"deviceId": orphan}]});
    let approved = admin.does("approveDevices", rows, RESULTS).await;
    assert_eq!(told(&approved), ["APPROVED", "rows[1].deviceId: DEVICE_WITHOUT_SBI"]);
    let rows = json!({"rows": [{"deviceId": orphan, "reason": "r"}]});
    assert_eq!(told(&admin.does("rejectDevices", rows, RESULTS).await), ["REJECTED"]);

    let rows = json!({"rows": [{"ftmChipId": bare}, {"ftmChipId": chip}]});
    let approved = admin.does("approveFtmChips", rows, RESULTS).await;
    assert_eq!(told(&approved), ["rows[0].ftmChipId: FTM_CHIP_WITHOUT_CERTIFICATE", "APPROVED"]);
    let rows = json!({"rows": [{"ftmChipId": bare, "reason": "r"}]});
    assert_eq!(told(&admin.does("rejectFtmChips", rows, RESULTS).await), ["REJECTED"]);
}

#[tokio::test]
async fn a_page_has_1_to_100_rows() {
    let app = App::start().await;
    for size in [0, 101] {
        let rows = json!({"rows": vec![json!({"policyRequestId": "x"}); size]});
        let refused = app.admin().does("approvePolicyRequests", rows, RESULTS).await;
        assert_eq!(refused.findings(), ["rows: BATCH_SIZE"]);
    }
    let rows = json!({"rows": vec![json!({"policyRequestId": "x"}); 100]});
    let refused = app.admin().does("approvePolicyRequests", rows, RESULTS).await;
    assert_eq!(told(&refused).len(), 100);
}

#[tokio::test]
async fn a_page_is_for_those_who_may_decide() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let ids = requests(&market, &["One"]).await;
    let rows = json!({"rows": [{"policyRequestId": ids[0]}]});
    for who in [app.partner("alice"), app.partner("mallory"), app.auditor()] {
        let refused = who.does("approvePolicyRequests", rows.clone(), RESULTS).await;
        assert_eq!(refused.codes(), ["FORBIDDEN"]);
    }
}
