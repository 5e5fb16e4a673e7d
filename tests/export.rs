//! Everybody is told all that is kept about himself, and administrators what is kept about anybody.

use crate::support::http::{App, Caller};
use domain::actor::Role;
use serde_json::{Value, json};

const CONTACTS: &str = "query($id: ID!, $first: Int, $after: String) {
    exportSubject(kind: PARTNER, id: $id) { kind id position erasures { legalGround at }
      contacts(first: $first, after: $after) {
        nodes { purpose since until erasedAt address contactNumber emailId }
        pageInfo { hasNextPage endCursor } }
      memberships { nodes { role } } acts { nodes { event } } consent { given } } }";
const PERSON: &str = "query($id: ID!, $first: Int, $after: String) {
    exportSubject(kind: PERSON, id: $id) { id erasures { legalGround } consent { given textVersion }
      contacts { nodes { emailId } }
      memberships { nodes { partnerId role since until endReason } }
      acts(first: $first, after: $after) {
        nodes { position at noun id event roles actorPartner clientAddress userAgent }
        pageInfo { hasNextPage endCursor } } } }";

fn dora(app: &App) -> Caller<'_> {
    app.person("dora", Role::DeviceProvider)
}

/// A system where Dora has registered Acme, and has said anew how it is reached.
async fn with_acme() -> App {
    let app = App::start().await;
    let input = json!({"partnerId": "acme", "organizationName": "Acme",
        "partnerType": "DEVICE_PROVIDER", "address": "7 Cedar Lane", "contactNumber": "+1 555 0177",
        "emailId": "joe@acme.example"});
    dora(&app).does("registerPartner", input, "position").await.payload();
    for (purpose, email) in [("PRIMARY", "sue@acme.example"), ("SECURITY", "ann@acme.example")] {
        let input = json!({"partnerId": "acme", "purpose": purpose, "address": "8 Willow Street",
                           "contactNumber": "+1 555 0288", "emailId": email});
        dora(&app).does("setPartnerContact", input, "position").await.payload();
    }
    app
}

async fn told(who: &Caller<'_>, query: &str, id: &str) -> Value {
    who.asks(query, json!({"id": id})).await.data()["exportSubject"].clone()
}

async fn seats(app: &App, subject: &str, role: &str) {
    let input = json!({"partnerId": "acme", "subject": subject, "role": role});
    dora(app).does("inviteMember", input, "position").await.payload();
}

async fn erases(app: &App, kind: &str, id: &str) {
    let input = json!({"kind": kind, "id": id, "legalGround": "CONSENT_WITHDRAWN"});
    let proposed = app.admin().does("eraseSubject", input, "proposal { id }").await;
    let input = json!({"proposalId": proposed.payload()["proposal"]["id"]});
    let second = app.person("second", Role::PartnerAdmin);
    second.does("confirmProposal", input, "position").await.payload();
}

#[tokio::test]
async fn a_partners_manager_is_told_every_contact_there_is_and_was() {
    let app = with_acme().await;
    let export = told(&dora(&app), CONTACTS, "acme").await;
    let nodes = export["contacts"]["nodes"].as_array().unwrap();
    let what = |node: &Value| {
        json!([node["purpose"], node["emailId"], node["address"], node["until"].is_null()])
    };
    let expected = [
        json!(["PRIMARY", "joe@acme.example", "7 Cedar Lane", false]),
        json!(["PRIMARY", "sue@acme.example", "8 Willow Street", true]),
        json!(["SECURITY", "ann@acme.example", "8 Willow Street", true]),
    ];
    assert_eq!(nodes.iter().map(what).collect::<Vec<_>>(), expected);
    assert_eq!(nodes[0]["until"], nodes[1]["since"], "each ends when the next begins");
    assert_eq!(export["erasures"], json!([]));
    assert_eq!(export["acts"]["nodes"], json!([]), "an organisation acts through people");
    assert_eq!(export["consent"], Value::Null);
    assert_eq!(told(&app.admin(), CONTACTS, "acme").await["contacts"], export["contacts"]);
}

#[tokio::test]
async fn what_was_erased_is_told_with_its_time_and_nothing_else() {
    let app = with_acme().await;
    erases(&app, "PARTNER", "acme").await;
    let export = told(&dora(&app), CONTACTS, "acme").await;
    assert_eq!(export["erasures"][0]["legalGround"], "CONSENT_WITHDRAWN");
    let nodes = export["contacts"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert_eq!(node["erasedAt"], export["erasures"][0]["at"]);
        assert!(node["until"].is_string());
        for personal in ["address", "contactNumber", "emailId"] {
            assert!(node[personal].is_null(), "{node}");
        }
    }
}

#[tokio::test]
async fn operators_are_told_that_they_may_not_and_strangers_that_there_is_nothing() {
    let app = with_acme().await;
    seats(&app, "olaf", "OPERATOR").await;
    let ask = async |who: &Caller<'_>, id: &str| {
        let answer = who.asks(CONTACTS, json!({"id": id})).await;
        let codes: Vec<String> = answer.codes().into_iter().map(ToOwned::to_owned).collect();
        (codes, answer.body["data"]["exportSubject"].clone())
    };
    let olaf = app.person("olaf", Role::DeviceProvider);
    assert_eq!(ask(&olaf, "acme").await, (vec!["FORBIDDEN".to_owned()], Value::Null));
    let mallory = app.person("mallory", Role::DeviceProvider);
    assert_eq!(ask(&mallory, "acme").await, (vec![], Value::Null));
    assert_eq!(ask(&mallory, "nobody").await, (vec![], Value::Null));
    assert_eq!(ask(&app.auditor(), "acme").await, (vec![], Value::Null));
    assert_eq!(ask(&app.admin(), "nobody").await, (vec![], Value::Null));
}

#[tokio::test]
async fn a_person_is_told_what_he_was_what_he_did_and_from_where() {
    let app = with_acme().await;
    seats(&app, "bob", "OPERATOR").await;
    let set = json!({"partnerId": "acme", "subject": "bob", "role": "MANAGER"});
    dora(&app).does("setMemberRole", set, "position").await.payload();
    let bob = app.person("bob", Role::DeviceProvider);
    let text = json!({"textVersion": domain::reference::consent_text().version});
    bob.does("giveConsent", text, "position").await.payload();
    let removed = json!({"partnerId": "acme", "subject": "bob", "reason": "He has left"});
    dora(&app).does("removeMember", removed, "position").await.payload();

    let export = told(&bob, PERSON, "bob").await;
    let seats = export["memberships"]["nodes"].as_array().unwrap();
    let what = |seat: &Value| json!([seat["partnerId"], seat["role"], seat["endReason"]]);
    let expected = [json!(["acme", "OPERATOR", null]), json!(["acme", "MANAGER", "He has left"])];
    assert_eq!(seats.iter().map(what).collect::<Vec<_>>(), expected);
    assert!(seats.iter().all(|seat| seat["until"].is_string()));
    assert_eq!(export["consent"]["given"], true);
    let acts = export["acts"]["nodes"].as_array().unwrap();
    assert_eq!(acts.len(), 1);
    let act = ["noun", "event", "clientAddress"].map(|field| acts[0][field].clone());
    assert_eq!(act, [json!("consent"), json!("given"), json!("127.0.0.1")]);

    let dora_is = told(&dora(&app), PERSON, "dora").await;
    assert_eq!(dora_is["memberships"]["nodes"][0]["role"], "MANAGER");
    assert!(dora_is["memberships"]["nodes"][0]["until"].is_null());
}

#[tokio::test]
async fn page_by_page_nothing_is_left_out() {
    let app = with_acme().await;
    for (query, list, id) in [(CONTACTS, "contacts", "acme"), (PERSON, "acts", "dora")] {
        let all = told(&app.admin(), query, id).await[list]["nodes"].clone();
        assert_eq!(all.as_array().unwrap().len(), 3, "{all}");
        let (mut pages, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = json!({"id": id, "first": 1, "after": after});
            let page = app.admin().asks(query, page).await;
            let page = &page.data()["exportSubject"][list];
            pages.extend(page["nodes"].as_array().unwrap().clone());
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(Value::Array(pages), all);
    }
    let much = app.admin().asks(CONTACTS, json!({"id": "acme", "first": 1_000})).await;
    assert_eq!(much.findings(), ["first: PAGE_SIZE"]);
    let forged = app.admin().asks(CONTACTS, json!({"id": "acme", "after": "x"})).await;
    assert_eq!(forged.findings(), ["after: CURSOR_INVALID"]);
}

#[tokio::test]
async fn only_administrators_are_told_about_other_people() {
    let app = with_acme().await;
    for role in [Role::DeviceProvider, Role::PolicyManager, Role::Auditor] {
        let mallory = app.person("mallory", role);
        assert_eq!(told(&mallory, PERSON, "dora").await, Value::Null);
        assert_eq!(told(&mallory, PERSON, "mallory").await["id"], "mallory");
    }
    assert_eq!(told(&app.admin(), PERSON, "dora").await["id"], "dora");
}

#[tokio::test]
async fn after_an_erasure_a_person_is_told_what_he_did_and_no_more_from_where() {
    let app = with_acme().await;
    erases(&app, "PERSON", "dora").await;
    let export = told(&dora(&app), PERSON, "dora").await;
    assert_eq!(export["erasures"][0]["legalGround"], "CONSENT_WITHDRAWN");
    let acts = export["acts"]["nodes"].as_array().unwrap();
    assert_eq!(acts.len(), 3);
    assert!(acts.iter().all(|act| act["clientAddress"].is_null() && act["userAgent"].is_null()));
}
