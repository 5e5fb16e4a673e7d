//! FTM chips, over HTTP: a certificate first, approval then, and what a new certificate means.

use crate::support::actors::{Makers, ftm_provider};
use crate::support::certificates::Authority;
use crate::support::commands::codes;
use crate::support::http::{Answer, App, Caller};
use chrono::TimeDelta;
use domain::actor::Role;
use domain::certificate::Certificate;
use serde_json::{Value, json};

async fn makers() -> (App, Makers) {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    (app, makers)
}

fn fred(app: &App) -> Caller<'_> {
    app.person("fred", Role::FtmProvider)
}

async fn uploads(who: &Caller<'_>, chip: &Value, certificate: &Certificate) -> Answer {
    let input = json!({"ftmChipId": chip, "certificateData": certificate.pem()});
    let selection = "ftmChip { version status certificateFingerprint certificateExpiresAt
        certificates { fingerprint signedCertificateData } }";
    who.does("uploadFtmChipCertificate", input, selection).await
}

#[tokio::test]
async fn a_chip_gets_a_certificate_then_approval_and_a_new_certificate_takes_it_out_of_service() {
    let (app, makers) = makers().await;
    let (admin, fred) = (app.admin(), fred(&app));
    let leaf = || makers.chip_authority.leaf(&makers.fred.organization());
    let input = json!({"ftpProviderId": "fred-co", "make": "Acme", "model": "C 1"});
    let selection = "ftmChip { id status partner { id } allowedActions { action reasonCode } }";
    let added = fred.does("addFtmChip", input, selection).await;
    let chip = &added.payload()["ftmChip"];
    assert_eq!(chip["status"], "PENDING_CERTIFICATE");
    let expected = json!([
        {"action": "uploadFtmChipCertificate", "reasonCode": null},
        {"action": "approveFtmChip", "reasonCode": "FORBIDDEN"},
        {"action": "rejectFtmChip", "reasonCode": "FORBIDDEN"},
        {"action": "deactivateFtmChip", "reasonCode": "FTM_CHIP_WITHOUT_CERTIFICATE"},
    ]);
    assert_eq!(chip["allowedActions"], expected);
    let it = json!({"ftmChipId": chip["id"]});
    let early = admin.does("approveFtmChip", it.clone(), "position").await;
    assert_eq!(early.findings(), ["ftmChipId: FTM_CHIP_WITHOUT_CERTIFICATE"]);

    let first = leaf();
    let uploaded = uploads(&fred, &chip["id"], &first).await;
    assert_eq!(uploaded.payload()["ftmChip"]["status"], "PENDING");
    assert_eq!(uploaded.payload()["ftmChip"]["certificateFingerprint"], json!(first.sha256()));
    let approved = admin.does("approveFtmChip", it.clone(), "ftmChip { status version }").await;
    assert_eq!(approved.payload()["ftmChip"], json!({"status": "APPROVED", "version": 4}));
    let same = uploads(&fred, &chip["id"], &first).await;
    assert_eq!(same.payload()["ftmChip"]["status"], "APPROVED");
    assert_eq!(same.payload()["ftmChip"]["version"], 4);

    let renewed = uploads(&fred, &chip["id"], &leaf()).await;
    assert_eq!(renewed.payload()["ftmChip"]["status"], "PENDING");
    assert_eq!(renewed.payload()["ftmChip"]["certificates"].as_array().unwrap().len(), 2);
    admin.does("approveFtmChip", it.clone(), "position").await.payload();
    let about = json!({"ftmChipId": chip["id"], "reason": "Broken"});
    let query = "query($input: DeactivateFtmChipInput!) { preview { deactivateFtmChip(
        input: $input) { changes { noun event } } } }";
    let seen = fred.asks(query, json!({"input": about})).await;
    let expected = json!([{"noun": "ftm_chip", "event": "deactivated"}]);
    assert_eq!(seen.data()["preview"]["deactivateFtmChip"]["changes"], expected);
    let ended = fred.does("deactivateFtmChip", about, "ftmChip { status statusReason }").await;
    let expected = json!({"status": "DEACTIVATED", "statusReason": "Broken"});
    assert_eq!(ended.payload()["ftmChip"], expected);
    let late = uploads(&fred, &chip["id"], &leaf()).await;
    assert_eq!(late.findings(), ["ftmChipId: FTM_CHIP_DEACTIVATED"]);
}

#[tokio::test]
async fn a_certificate_of_a_chip_is_judged_as_one_of_its_provider() {
    let (app, makers) = makers().await;
    let chip = json!(makers.fred.adds_chip("C 1").await.unwrap().id);
    let foreign = makers.chip_authority.leaf("Other Chips");
    let refused = uploads(&fred(&app), &chip, &foreign).await;
    assert_eq!(refused.findings(), ["certificateData: ORG_MISMATCH"]);
    let of_devices = makers.device_authority.leaf(&makers.fred.organization());
    let refused = uploads(&fred(&app), &chip, &of_devices).await;
    assert_eq!(refused.findings(), ["certificateData: ISSUER_UNKNOWN"]);
    let stranger = Authority::root("Nobody's Root").leaf(&makers.fred.organization());
    let refused = uploads(&fred(&app), &chip, &stranger).await;
    assert_eq!(refused.findings(), ["certificateData: ISSUER_UNKNOWN"]);
}

#[tokio::test]
async fn no_key_is_shared_by_two_chips_or_by_a_chip_and_a_partner() {
    let (_app, makers) = makers().await;
    let (fred, authority) = (&makers.fred, &makers.chip_authority);
    let own = authority.leaf(&fred.organization());
    fred.uploads(&own).await.unwrap();
    let first = fred.adds_chip("C 1").await.unwrap().id;
    assert_eq!(codes(fred.certifies(&first, &own).await), ["KEY_IN_USE"]);
    let certificate = authority.leaf(&fred.organization());
    fred.certifies(&first, &certificate).await.unwrap();
    let renewed = authority.same_key(&certificate, &fred.organization());
    fred.certifies(&first, &renewed).await.unwrap();
    let second = fred.adds_chip("C 2").await.unwrap().id;
    assert_eq!(codes(fred.certifies(&second, &renewed).await), ["KEY_IN_USE"]);
}

#[tokio::test]
async fn a_live_chip_is_there_once_and_may_come_again_after_its_end() {
    let (_app, makers) = makers().await;
    let (admin, fred) = (&makers.admin, &makers.fred);
    let first = fred.adds_chip("C 1").await.unwrap().id;
    assert_eq!(codes(fred.adds_chip(" c  1").await), ["FTM_CHIP_EXISTS"]);
    admin.rejects_chip(&first).await.unwrap();
    let second = fred.certified_chip("C 1", &makers.chip_authority).await;
    admin.approves_chip(&second).await.unwrap();
    assert_eq!(codes(fred.adds_chip("C 1").await), ["FTM_CHIP_EXISTS"]);
    fred.ends_chip(&second).await.unwrap();
    fred.adds_chip("C 1").await.unwrap();
}

#[tokio::test]
async fn only_a_maker_of_chips_offers_chips_and_only_its_own() {
    let (app, makers) = makers().await;
    let chip = makers.fred.adds_chip("C 1").await.unwrap().id;
    let of = |partner: &str| json!({"ftpProviderId": partner, "make": "Acme", "model": "C 2"});
    let wrong_type = app.admin().does("addFtmChip", of("dora-co"), "position").await;
    assert_eq!(wrong_type.findings(), ["ftpProviderId: PARTNER_TYPE"]);
    let dora = app.person("dora", Role::DeviceProvider);
    assert_eq!(dora.does("addFtmChip", of("dora-co"), "position").await.codes(), ["FORBIDDEN"]);
    let gus = app.person("gus", Role::FtmProvider);
    let strange = gus.does("addFtmChip", of("fred-co"), "position").await;
    assert_eq!(strange.findings(), ["ftpProviderId: PARTNER_NOT_FOUND"]);
    let uploaded = uploads(&gus, &json!(chip), &makers.chip_authority.leaf("Acme")).await;
    assert_eq!(uploaded.findings(), ["ftmChipId: FTM_CHIP_NOT_FOUND"]);
    let query = "query($id: ID!) { ftmChip(id: $id) { id } ftmChips { totalCount } }";
    let seen = gus.asks(query, json!({"id": chip})).await;
    assert_eq!(*seen.data(), json!({"ftmChip": null, "ftmChips": {"totalCount": 0}}));
}

#[tokio::test]
async fn a_chip_waits_while_its_provider_is_suspended_and_ends_with_it() {
    let (_app, makers) = makers().await;
    let (admin, fred, authority) = (&makers.admin, &makers.fred, &makers.chip_authority);
    let chip = fred.certified_chip("C 1", authority).await;
    admin.suspends(&fred.partner).await.unwrap();
    let certificate = authority.leaf(&fred.organization());
    for refused in [
        admin.approves_chip(&chip).await,
        admin.rejects_chip(&chip).await,
        fred.certifies(&chip, &certificate).await,
        fred.adds_chip("C 2").await,
    ] {
        assert_eq!(codes(refused), ["PARTNER_SUSPENDED"]);
    }
    admin.reactivates(&fred.partner).await.unwrap();
    admin.approves_chip(&chip).await.unwrap();
    let bare = fred.adds_chip("C 2").await.unwrap().id;
    admin.deactivates(&fred.partner).await.unwrap();
    assert_eq!(codes(admin.rejects_chip(&chip).await), ["FTM_CHIP_DEACTIVATED"]);
    assert_eq!(codes(admin.approves_chip(&bare).await), ["FTM_CHIP_REJECTED"]);
}

#[tokio::test]
async fn that_the_newest_certificate_has_expired_is_told_once() {
    let (app, makers) = makers().await;
    let (fred, authority) = (&makers.fred, &makers.chip_authority);
    let chip = fred.certified_chip("C 1", authority).await;
    fred.adds_chip("C 2").await.unwrap();
    let late = commands::now() + TimeDelta::days(20 * 365);
    let told_by = async |now| {
        app.node.tell_expired(now).await.unwrap();
        let told = "select count(*) from events where aggregate_type = 'ftm_chip' and event_type = 'expired'";
        app.installation.database.ask::<i64>(told).await
    };
    assert_eq!(told_by(commands::now()).await, 0);
    assert_eq!(told_by(late).await, 1);
    assert_eq!(told_by(late).await, 1, "once");
    fred.certifies(&chip, &authority.leaf(&fred.organization())).await.unwrap();
    assert_eq!(told_by(late).await, 2, "the new one too");
    makers.admin.approves_chip(&chip).await.unwrap();
}

#[tokio::test]
async fn chips_are_found_by_what_people_know_of_them() {
    let (app, makers) = makers().await;
    let one = makers.fred.certified_chip("C 1", &makers.chip_authority).await;
    makers.fred.adds_chip("C 2").await.unwrap();
    let gus = ftm_provider(&app.node, "gus");
    makers.welcome_chips(&gus).await;
    gus.adds_chip("C 3").await.unwrap();

    let ask = async |filter: Value, field: &str| {
        let query = "query($filter: FtmChipFilter, $order: FtmChipOrder) {
            ftmChips(filter: $filter, orderBy: $order) { nodes { model } } }";
        let order = json!({"field": field, "direction": "ASC"});
        let found = app.admin().asks(query, json!({"filter": filter, "order": order})).await;
        let nodes = found.data()["ftmChips"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|it| it["model"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let fields = [
        "ID",
        "PARTNER_ID",
        "ORGANIZATION_NAME",
        "MAKE",
        "MODEL",
        "CERTIFICATE_EXPIRES_AT",
        "CREATED_AT",
        "UPDATED_AT",
    ];
    for field in fields {
        assert_eq!(ask(json!({}), field).await, ["C 1", "C 2", "C 3"], "{field}");
    }
    assert_eq!(ask(json!({"status": ["PENDING_CERTIFICATE"]}), "STATUS").await, ["C 2", "C 3"]);
    assert_eq!(ask(json!({"id": {"equals": one}}), "MODEL").await, ["C 1"]);
    assert_eq!(ask(json!({"partnerId": {"equals": "gus-co"}}), "MODEL").await, ["C 3"]);
    let named = json!({"make": {"equals": "acme"}, "model": {"contains": "c 2"},
                       "organizationName": {"startsWith": "FRED"}});
    assert_eq!(ask(named, "MODEL").await, ["C 2"]);
    let far = (commands::now() + TimeDelta::days(9 * 365)).to_rfc3339();
    let soon = json!({"certificateExpiresAt": {"to": far}});
    assert_eq!(ask(soon, "MODEL").await, ["C 1"]);
}
