//! Biometric extractors: a menu that administrators keep and requests choose from.

use crate::support::actors::{Market, credential_partner};
use crate::support::http::{App, Caller};
use domain::actor::Role;
use domain::reference::Modality;
use serde_json::{Value, json};

fn extractor(name: &str) -> Value {
    json!({"name": name, "provider": "Acme", "version": "1.1", "modality": "FACE",
           "attributeName": "photo", "dataFormat": "template"})
}

async fn creates(admin: &Caller<'_>, name: &str) -> String {
    let created = admin.does("createExtractor", extractor(name), "extractor { id status }").await;
    let extractor = &created.payload()["extractor"];
    assert_eq!(extractor["status"], "ACTIVE");
    extractor["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_extractor_is_unique_by_name_until_it_is_deleted() {
    let app = App::start().await;
    let admin = app.admin();
    let id = creates(&admin, "Face  templates").await;
    let again = admin.does("createExtractor", extractor("FACE templates"), "position").await;
    assert_eq!(again.findings(), ["name: EXTRACTOR_NAME_TAKEN"]);

    let delete = json!({"extractorId": id, "reason": "A better one came"});
    let deleted =
        admin.does("deleteExtractor", delete.clone(), "extractor { status statusReason }").await;
    let expected = json!({"status": "DELETED", "statusReason": "A better one came"});
    assert_eq!(deleted.payload()["extractor"], expected);
    admin.does("deleteExtractor", delete, "position").await.payload();
    creates(&admin, "Face templates").await;
}

#[tokio::test]
async fn the_menu_can_be_read_by_everybody_and_searched() {
    let app = App::start().await;
    let admin = app.admin();
    for name in ["One", "Two", "Three"] {
        creates(&admin, name).await;
    }
    let query = "query($id: ID!) { extractors(filter: {provider: {startsWith: \"ac\"},
        providerVersion: {equals: \"1.1\"}, modality: [FACE], status: [ACTIVE]},
        orderBy: {field: NAME, direction: ASC}, first: 2)
        { totalCount nodes { name usedBy dataFormat allowedActions { action allowed } } }
        extractor(id: $id) { name } }";
    let one =
        admin.asks("{ extractors(filter: {name: {equals: \"one\"}}) { nodes { id } } }", json!({}));
    let id = one.await.data()["extractors"]["nodes"][0]["id"].clone();
    let row = |name: &str, used: Value, allowed: bool| {
        let actions = json!([{"action": "deleteExtractor", "allowed": allowed}]);
        json!({"name": name, "usedBy": used, "dataFormat": "template", "allowedActions": actions})
    };
    for (who, used, allowed) in [
        (app.admin(), json!(0), true),
        (app.auditor(), json!(0), false),
        (app.policy_manager(), json!(0), false),
        (app.person("paula", Role::CredentialPartner), Value::Null, false),
    ] {
        let menu = who.asks(query, json!({"id": id})).await;
        let first = [row("One", used.clone(), allowed), row("Three", used, allowed)];
        assert_eq!(menu.data()["extractors"], json!({"totalCount": 3, "nodes": first}));
        assert_eq!(menu.data()["extractor"]["name"], "One");
    }
}

#[tokio::test]
async fn an_extractor_that_requests_name_stays() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let paula = credential_partner(&app.node, "paula");
    market.welcome(&paula).await;
    let policy = market.manager.offers_biometrics(&market.group, "Cards").await;
    let face = market.admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
    let draft = paula.drafts_request(&policy).await.unwrap().id;
    paula.completes(&draft, "euin", &face).await.unwrap();

    let admin = app.admin();
    let delete = json!({"extractorId": face, "reason": "Not needed"});
    let query = "query($id: ID!, $input: DeleteExtractorInput!) { extractor(id: $id) { usedBy }
        preview { deleteExtractor(input: $input) { changes { noun event } } } }";
    let variables = json!({"id": face, "input": delete});
    let in_use = async |uses: i64| {
        let refused = admin.does("deleteExtractor", delete.clone(), "position").await;
        assert_eq!(refused.findings(), ["extractorId: EXTRACTOR_IN_USE"]);
        let told = admin.asks(query, variables.clone()).await;
        assert_eq!(told.codes(), ["EXTRACTOR_IN_USE"]);
        assert_eq!(told.body["data"]["extractor"]["usedBy"], json!(uses));
    };
    in_use(1).await;
    paula.submits(&draft).await.unwrap();
    in_use(1).await;
    market.admin.approves(&draft).await.unwrap();
    in_use(1).await;
    market.admin.revokes(&draft).await.unwrap();

    let free = admin.asks(query, variables).await;
    assert_eq!(free.data()["extractor"]["usedBy"], 0);
    let changes = &free.data()["preview"]["deleteExtractor"]["changes"];
    assert_eq!(*changes, json!([{"noun": "extractor", "event": "deleted"}]));
    admin.does("deleteExtractor", delete, "position").await.payload();
}
