//! Devices, over HTTP: batches, what a device rests on, and its end.

use crate::support::actors::{Makers, device_provider};
use crate::support::commands::codes;
use crate::support::http::{Answer, App, Caller};
use chrono::TimeDelta;
use domain::actor::Role;
use projections::Viewer;
use projections::device::{DeviceFilter, Row};
use projections::page::Question;
use serde_json::{Value, json};

async fn makers() -> (App, Makers) {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    (app, makers)
}

fn dora(app: &App) -> Caller<'_> {
    app.person("dora", Role::DeviceProvider)
}

fn device(model: &str) -> Value {
    json!({"deviceType": "Iris", "deviceSubType": "Double", "make": "Acme", "model": model})
}

/// Twenty-five devices, of which the one at `bad` has no such type and no make.
fn batch(sbi: &str, bad: Option<usize>, mode: &str) -> Value {
    let mut devices: Vec<Value> = (0..25).map(|number| device(&format!("I {number}"))).collect();
    if let Some(bad) = bad {
        devices[bad]["deviceSubType"] = json!("Slap");
        devices[bad]["make"] = json!(" ");
    }
    json!({"partnerId": "dora-co", "sbiId": sbi, "devices": devices, "mode": mode})
}

async fn adds(who: &Caller<'_>, input: Value) -> Answer {
    let selection =
        "results { index device { id status model } errors { code field message params } }
        position";
    who.does("addDevices", input, selection).await
}

fn results(answer: &Answer) -> &Vec<Value> {
    answer.payload()["results"].as_array().unwrap()
}

async fn stored(app: &App) -> i64 {
    app.installation.database.ask("select count(*) from read.device").await
}

#[tokio::test]
async fn a_batch_is_stored_as_a_whole_or_not_at_all() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let refused = adds(&dora(&app), batch(&sbi, Some(7), "ALL_OR_NOTHING")).await;
    let expected = ["devices[7].deviceSubType: DEVICE_TYPE_UNKNOWN", "devices[7].make: EMPTY"];
    assert_eq!(refused.findings(), expected);
    assert_eq!(stored(&app).await, 0);

    let mut good = batch(&sbi, None, "");
    good.as_object_mut().unwrap().remove("mode");
    let added = adds(&dora(&app), good).await;
    let shown: Vec<&str> =
        results(&added).iter().map(|it| it["device"]["model"].as_str().unwrap()).collect();
    assert_eq!(shown[..3], ["I 0", "I 1", "I 2"]);
    assert_eq!((shown.len(), stored(&app).await), (25, 25));
}

#[tokio::test]
async fn of_a_batch_the_good_rows_are_stored_and_the_others_told_when_that_is_wished() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let added = adds(&dora(&app), batch(&sbi, Some(7), "EACH")).await;
    assert_eq!(stored(&app).await, 24);
    let rows = results(&added);
    assert_eq!((rows[6]["index"].clone(), rows[6]["errors"].clone()), (json!(6), json!([])));
    assert_eq!(rows[8]["device"]["status"], "PENDING");
    assert_eq!(rows[7]["device"], Value::Null);
    let told: Vec<String> = rows[7]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["field"], it["code"]).replace('"', ""))
        .collect();
    assert_eq!(told, ["devices[7].deviceSubType DEVICE_TYPE_UNKNOWN", "devices[7].make EMPTY"]);
    let one_transaction = "select count(distinct (xmin::text, metadata->>'request_id')) from events \
                           where aggregate_type = 'device'";
    assert_eq!(app.installation.database.ask::<i64>(one_transaction).await, 1);
}

#[tokio::test]
async fn a_batch_has_one_to_twenty_five_devices() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let mut input = batch(&sbi, None, "EACH");
    input["devices"].as_array_mut().unwrap().push(device("I 25"));
    assert_eq!(adds(&dora(&app), input.clone()).await.findings(), ["devices: BATCH_SIZE"]);
    input["devices"] = json!([]);
    assert_eq!(adds(&dora(&app), input).await.findings(), ["devices: BATCH_SIZE"]);
    assert_eq!(stored(&app).await, 0);
}

#[tokio::test]
async fn a_batch_that_is_sent_again_gets_the_same_answer_row_by_row() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    for (mode, bad) in [("EACH", Some(7)), ("ALL_OR_NOTHING", None)] {
        let mut input = batch(&sbi, bad, mode);
        for row in input["devices"].as_array_mut().unwrap() {
            row["model"] = json!(format!("{mode} {}", row["model"]));
        }
        input["idempotencyKey"] = json!(mode);
        let first = adds(&dora(&app), input.clone()).await;
        let before = stored(&app).await;
        let again = adds(&dora(&app), input).await;
        assert_eq!(again.payload(), first.payload());
        assert_eq!(stored(&app).await, before);
    }
}

#[tokio::test]
async fn where_no_row_is_good_nothing_is_appended_and_all_of_it_is_told() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let before = app.installation.database.head().await;
    let wrong = device("");
    let mut input = json!({"partnerId": "dora-co", "sbiId": sbi, "devices": [wrong, wrong],
                           "mode": "EACH"});
    for key in [Value::Null, json!("once"), json!("once")] {
        input["idempotencyKey"] = key;
        let told = adds(&dora(&app), input.clone()).await;
        let codes: Vec<&Value> =
            results(&told).iter().map(|row| &row["errors"][0]["code"]).collect();
        assert_eq!(codes, ["EMPTY", "EMPTY"]);
        assert_eq!(told.payload()["position"], json!(before.to_string()));
    }
    assert_eq!(app.installation.database.head().await, before);
}

#[tokio::test]
async fn a_live_device_is_there_once_and_may_come_again_after_its_end() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    let first = makers.dora.adds_device(Some(&sbi), "F 1").await.unwrap().id;
    let typed = |model: &str| json!({"deviceType": "Finger", "deviceSubType": "Slap", "make": "ACME", "model": model});
    let rows = json!([typed(" f  1"), typed("F 2"), typed("f 2 "), typed("F 3")]);
    let mut input = json!({"partnerId": "dora-co", "sbiId": sbi, "devices": rows, "mode": "EACH"});
    let expected = ["devices[0].make: DEVICE_EXISTS", "devices[2].make: DEVICE_REPEATED"];
    input["mode"] = json!("ALL_OR_NOTHING");
    assert_eq!(adds(&dora(&app), input.clone()).await.findings(), expected);
    input["mode"] = json!("EACH");
    let added = adds(&dora(&app), input).await;
    let told: Vec<&Value> = results(&added).iter().map(|row| &row["errors"][0]["code"]).collect();
    let nothing = &Value::Null;
    assert_eq!(told, [&json!("DEVICE_EXISTS"), nothing, &json!("DEVICE_REPEATED"), nothing]);
    assert_eq!(results(&added)[2]["errors"][0]["params"], json!({"first": "1"}));

    makers.admin.rejects_device(&first).await.unwrap();
    let second = makers.dora.adds_device(Some(&sbi), "F 1").await.unwrap().id;
    makers.admin.approves_device(&second).await.unwrap();
    assert_eq!(codes(makers.dora.adds_device(None, "F 1").await), ["DEVICE_EXISTS"]);
    makers.dora.ends_device(&second).await.unwrap();
    makers.dora.adds_device(None, "F 1").await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_refused_and_would_be_good_by_now_says_so() {
    let (app, makers) = makers().await;
    let first = makers.dora.adds_device(None, "F 1").await.unwrap().id;
    let row = json!({"deviceType": "Finger", "deviceSubType": "Slap", "make": "Acme",
                     "model": "F 1"});
    let input = json!({"partnerId": "dora-co", "devices": [row], "mode": "EACH",
                       "idempotencyKey": "once"});
    let refused = adds(&dora(&app), input.clone()).await;
    assert_eq!(results(&refused)[0]["errors"][0]["code"], "DEVICE_EXISTS");
    makers.admin.rejects_device(&first).await.unwrap();
    let again = adds(&dora(&app), input).await;
    assert_eq!(results(&again)[0]["errors"][0]["code"], "REFUSED_EARLIER");
    assert_eq!(results(&again)[0]["device"], Value::Null);
}

#[tokio::test]
async fn devices_rest_on_live_interfaces_of_their_own_provider_only() {
    let (app, makers) = makers().await;
    let erin = device_provider(&app.node, "erin");
    makers.welcome_devices(&erin).await;
    let pending = makers.dora.adds_sbi("1.0").await.unwrap().id;
    let foreign = erin.adds_sbi("1.0").await.unwrap().id;
    makers.admin.approves_sbi(&foreign).await.unwrap();
    let ended = makers.live_sbi("2.0").await;
    makers.dora.ends_sbi(&ended).await.unwrap();
    let device = makers.dora.adds_device(None, "F 0").await.unwrap().id;
    for (sbi, adding, linking) in [
        (pending.as_str(), "SBI_NOT_APPROVED", "SBI_NOT_APPROVED"),
        (&ended, "SBI_DEACTIVATED", "SBI_NOT_APPROVED"),
        (&foreign, "SBI_NOT_FOUND", "SBI_NOT_FOUND"),
        ("nothing", "SBI_NOT_FOUND", "SBI_NOT_FOUND"),
    ] {
        assert_eq!(codes(makers.dora.adds_device(Some(sbi), "F 1").await), [adding]);
        assert_eq!(codes(makers.dora.links(&device, sbi).await), [linking]);
    }
    let stranger = app.person("erin", Role::DeviceProvider);
    let input = json!({"deviceId": device, "sbiId": foreign});
    for mutation in ["linkDeviceToSbi", "unlinkDeviceFromSbi"] {
        let refused = stranger.does(mutation, input.clone(), "position").await;
        assert_eq!(refused.findings(), ["deviceId: DEVICE_NOT_FOUND"]);
    }
    let of_chips = json!({"partnerId": "fred-co", "devices": [self::device("I 1")]});
    assert_eq!(adds(&app.admin(), of_chips).await.findings(), ["partnerId: PARTNER_TYPE"]);
}

#[tokio::test]
async fn an_orphan_is_not_approved_but_can_be_rejected_or_linked() {
    let (app, makers) = makers().await;
    let (admin, dora) = (app.admin(), dora(&app));
    let sbi = makers.live_sbi("1.0").await;
    let orphan = makers.dora.adds_device(None, "F 1").await.unwrap().id;
    let it = json!({"deviceId": orphan});
    let without = json!("DEVICE_WITHOUT_SBI");
    let refused = admin.does("approveDevice", it.clone(), "position").await;
    assert_eq!(refused.findings(), ["deviceId: DEVICE_WITHOUT_SBI"]);
    let query = "query($id: ID!) { device(id: $id) { orphan sbis { id }
        allowedActions { action reasonCode } } }";
    let shown = dora.asks(query, json!({"id": orphan})).await;
    let expected = json!({"orphan": true, "sbis": [], "allowedActions": [
        {"action": "linkDeviceToSbi", "reasonCode": null},
        {"action": "unlinkDeviceFromSbi", "reasonCode": "NOTHING_TO_DO"},
        {"action": "approveDevice", "reasonCode": "FORBIDDEN"},
        {"action": "rejectDevice", "reasonCode": "FORBIDDEN"},
        {"action": "deactivateDevice", "reasonCode": "DEVICE_PENDING"},
    ]});
    assert_eq!(shown.data()["device"], expected);

    let told = admin.asks(query, json!({"id": orphan})).await;
    let told = &told.data()["device"]["allowedActions"];
    assert_eq!((&told[2]["reasonCode"], &told[3]["reasonCode"]), (&without, &Value::Null));

    let link = json!({"deviceId": orphan, "sbiId": sbi});
    let selection = "device { version orphan sbis { swVersion } }";
    for _ in 0..2 {
        let linked = dora.does("linkDeviceToSbi", link.clone(), selection).await;
        let expected = json!({"version": 2, "orphan": false, "sbis": [{"swVersion": "1.0"}]});
        assert_eq!(linked.payload()["device"], expected);
    }
    let approved = admin.does("approveDevice", it, "device { status }").await;
    assert_eq!(approved.payload()["device"]["status"], "APPROVED");
    let unlinked = dora.does("unlinkDeviceFromSbi", link, selection).await;
    assert_eq!(unlinked.payload()["device"]["orphan"], true);

    let other = makers.dora.adds_device(None, "F 2").await.unwrap().id;
    let about = json!({"deviceId": other, "reason": "No software drives it"});
    let rejected = admin.does("rejectDevice", about, "device { status statusReason }").await;
    let expected = json!({"status": "REJECTED", "statusReason": "No software drives it"});
    assert_eq!(rejected.payload()["device"], expected);
    let late = makers.dora.links(&other, &sbi).await;
    assert_eq!(codes(late), ["DEVICE_REJECTED"]);
}

#[tokio::test]
async fn what_a_suspended_provider_has_offered_waits() {
    let (_app, makers) = makers().await;
    let (admin, dora) = (&makers.admin, &makers.dora);
    let sbi = makers.live_sbi("1.0").await;
    let device = dora.adds_device(Some(&sbi), "F 1").await.unwrap().id;
    let approved = makers.approved_device(&sbi, "F 2").await;
    admin.suspends(&dora.partner).await.unwrap();
    for refused in [
        admin.approves_device(&device).await,
        admin.rejects_device(&device).await,
        dora.unlinks(&device, &sbi).await,
        dora.links(&device, &sbi).await,
    ] {
        assert_eq!(codes(refused), ["PARTNER_SUSPENDED"]);
    }
    assert_eq!(codes(dora.adds_device(None, "F 3").await), ["PARTNER_SUSPENDED"]);
    dora.ends_device(&approved).await.unwrap();
    admin.reactivates(&dora.partner).await.unwrap();
    admin.approves_device(&device).await.unwrap();
}

#[tokio::test]
async fn a_device_of_an_expired_interface_is_an_orphan_from_that_instant_on() {
    let (app, makers) = makers().await;
    let sbi = makers.live_sbi("1.0").await;
    makers.approved_device(&sbi, "F 1").await;
    let orphans = async |days| {
        let now = commands::now() + TimeDelta::days(days);
        let filter = DeviceFilter { orphan: Some(true), ..DeviceFilter::default() };
        let question = Question::<Row> { viewer: Viewer::All, filter, now };
        question.count(app.node.store().pool()).await.unwrap()
    };
    assert_eq!((orphans(364).await, orphans(366).await), (0, 1));
}

#[tokio::test]
async fn devices_are_found_by_what_people_know_of_them() {
    let (app, makers) = makers().await;
    let [one, two] = [makers.live_sbi("1.0").await, makers.live_sbi("2.0").await];
    makers.approved_device(&one, "F 1").await;
    let both = makers.dora.adds_device(Some(&two), "F 2").await.unwrap().id;
    makers.dora.links(&both, &one).await.unwrap();
    let orphan = makers.dora.adds_device(None, "F 3").await.unwrap().id;

    let ask = async |filter: Value, field: &str| {
        let query = "query($filter: DeviceFilter, $order: DeviceOrder) {
            devices(filter: $filter, orderBy: $order) { totalCount nodes { model } } }";
        let order = json!({"field": field, "direction": "ASC"});
        let found = app.admin().asks(query, json!({"filter": filter, "order": order})).await;
        let nodes = found.data()["devices"]["nodes"].as_array().unwrap().clone();
        assert_eq!(found.data()["devices"]["totalCount"], nodes.len());
        nodes.iter().map(|it| it["model"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let fields = [
        "ID",
        "PARTNER_ID",
        "ORGANIZATION_NAME",
        "DEVICE_TYPE",
        "DEVICE_SUB_TYPE",
        "MAKE",
        "MODEL",
        "CREATED_AT",
    ];
    for field in fields {
        assert_eq!(ask(json!({}), field).await, ["F 1", "F 2", "F 3"], "{field}");
    }
    assert_eq!(ask(json!({}), "SBI_VERSION").await, ["F 3", "F 1", "F 2"]);
    assert_eq!(ask(json!({}), "SBI_ID").await, ["F 3", "F 1", "F 2"]);
    assert_eq!(ask(json!({"sbiVersion": {"equals": "1.0"}}), "MODEL").await, ["F 1", "F 2"]);
    assert_eq!(ask(json!({"sbiId": {"equals": two}}), "MODEL").await, ["F 2"]);
    let crossed = json!({"sbiId": {"equals": two}, "sbiVersion": {"equals": "1.0"}});
    assert!(ask(crossed, "MODEL").await.is_empty(), "one interface has to meet both");
    assert_eq!(ask(json!({"orphan": true}), "MODEL").await, ["F 3"]);
    assert_eq!(ask(json!({"orphan": false}), "MODEL").await, ["F 1", "F 2"]);
    assert_eq!(ask(json!({"id": {"equals": orphan}}), "MODEL").await, ["F 3"]);
    assert_eq!(ask(json!({"status": ["APPROVED"]}), "STATUS").await, ["F 1"]);
    assert_eq!(ask(json!({"model": {"contains": "f 2"}}), "UPDATED_AT").await, ["F 2"]);
    let kind = json!({"deviceType": ["Finger"], "deviceSubType": ["Slap"],
                      "make": {"equals": "ACME"}, "partnerId": {"equals": "dora-co"},
                      "organizationName": {"contains": "inc"}});
    assert_eq!(ask(kind, "MODEL").await.len(), 3);
}
