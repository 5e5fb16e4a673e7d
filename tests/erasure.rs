//! A subject's personal data is destroyed: always by two people, for a reason that the law knows, and
//! whatever became of the partner.

use crate::support::http::{Answer, App, Caller};
use domain::actor::Role;
use serde_json::{Value, json};

const CONTACT: &str = "{ partner(id: \"acme\") { contact { emailId } contacts { purpose emailId }
    contactErasedAt } }";

fn registration(partner: &str) -> Value {
    json!({"partnerId": partner, "organizationName": "Acme", "partnerType": "DEVICE_PROVIDER",
           "address": "7 Cedar Lane", "contactNumber": "+1 555 0177", "emailId": "joe@acme.example"})
}

fn of_acme() -> Value {
    json!({"kind": "PARTNER", "id": "acme", "legalGround": "NO_LONGER_NECESSARY"})
}

/// A system where Dora has registered Acme.
async fn with_acme() -> App {
    let app = App::start().await;
    let dora = app.person("dora", Role::DeviceProvider);
    dora.does("registerPartner", registration("acme"), "position").await.payload();
    app
}

async fn proposes(app: &App, input: Value) -> String {
    let selection = "proposal { id action target } position";
    let proposed = app.admin().does("eraseSubject", input, selection).await;
    let proposal = &proposed.payload()["proposal"];
    assert_eq!(proposal["action"], "ERASE_SUBJECT");
    proposal["id"].as_str().unwrap().to_owned()
}

async fn confirms(who: &Caller<'_>, proposal: &str) -> Answer {
    who.does("confirmProposal", json!({"proposalId": proposal}), "proposal { status }").await
}

async fn erases(app: &App, input: Value) {
    let proposal = proposes(app, input).await;
    confirms(&app.person("second", Role::PartnerAdmin), &proposal).await.payload();
}

async fn shown(app: &App) -> Value {
    app.admin().asks(CONTACT, json!({})).await.data()["partner"].clone()
}

async fn is_reached(app: &App, purpose: &str, email: &str) -> Answer {
    let input = json!({"partnerId": "acme", "purpose": purpose, "address": "8 Willow Street",
                       "contactNumber": "+1 555 0288", "emailId": email});
    let dora = app.person("dora", Role::DeviceProvider);
    dora.does("setPartnerContact", input, "partner { contact { emailId } }").await
}

async fn count(app: &App, of: &str) -> i64 {
    app.installation.database.ask(&format!("select count(*) from {of}")).await
}

#[tokio::test]
async fn contact_data_is_destroyed_when_a_second_person_confirms_and_not_before() {
    let app = with_acme().await;
    assert!(!app.node.wants_four_eyes(), "it needs two wherever");
    let proposal = proposes(&app, of_acme()).await;
    assert_eq!(shown(&app).await["contact"]["emailId"], "joe@acme.example");
    assert_eq!(shown(&app).await["contactErasedAt"], Value::Null);
    let alone = confirms(&app.admin(), &proposal).await;
    assert_eq!(alone.findings(), ["proposalId: SECOND_PERSON_NEEDED"]);

    let second = app.person("second", Role::PartnerAdmin);
    assert_eq!(confirms(&second, &proposal).await.payload()["proposal"]["status"], "CONFIRMED");
    let erased = shown(&app).await;
    assert_eq!(erased["contact"], Value::Null);
    assert_eq!(erased["contacts"], json!([]));
    assert!(erased["contactErasedAt"].is_string(), "{erased}");
    assert_eq!((count(&app, "subject_keys").await, count(&app, "personal_data").await), (0, 0));

    let history =
        "{ history(filter: {noun: \"partner\", id: \"acme\", event: [\"personal_data_erased\"]})
        { nodes { actor data } } }";
    let told = app.auditor().asks(history, json!({})).await;
    let data = json!({"subject": "partner/acme", "legal_ground": "NO_LONGER_NECESSARY"});
    assert_eq!(told.data()["history"]["nodes"], json!([{"actor": "second", "data": data}]));
}

#[tokio::test]
async fn the_email_address_is_free_for_others_at_once() {
    let app = with_acme().await;
    let paul = app.person("paul", Role::DeviceProvider);
    let taken = paul.does("registerPartner", registration("other"), "position").await;
    assert_eq!(taken.findings(), ["emailId: EMAIL_TAKEN"]);
    erases(&app, of_acme()).await;
    paul.does("registerPartner", registration("other"), "position").await.payload();
    let found = "{ partners(filter: {emailId: \"joe@acme.example\"}) { nodes { id } } }";
    let found = app.admin().asks(found, json!({})).await;
    assert_eq!(found.data()["partners"]["nodes"], json!([{"id": "other"}]));
}

#[tokio::test]
async fn the_same_wish_again_is_granted_and_nothing_happens_twice() {
    let app = with_acme().await;
    let [one, two] = [proposes(&app, of_acme()).await, proposes(&app, of_acme()).await];
    let second = app.person("second", Role::PartnerAdmin);
    for proposal in [one, two] {
        confirms(&second, &proposal).await.payload();
    }
    let again = app.admin().does("eraseSubject", of_acme(), "proposal { id } partner { id }").await;
    assert_eq!(*again.payload(), json!({"proposal": null, "partner": {"id": "acme"}}));
    assert_eq!(count(&app, "events where event_type = 'personal_data_erased'").await, 1);
}

#[tokio::test]
async fn what_is_erased_is_gone_from_every_past() {
    let app = with_acme().await;
    is_reached(&app, "SECURITY", "sue@acme.example").await.payload();
    let head = app.installation.database.head().await;
    erases(&app, of_acme()).await;
    let past = "query($asOf: AsOf) { partner(id: \"acme\", asOf: $asOf)
        { version contact { emailId } contacts { emailId } contactErasedAt } }";
    let past = app.auditor().asks(past, json!({"asOf": head.to_string()})).await;
    let past = &past.data()["partner"];
    assert_eq!((&past["version"], &past["contact"]), (&json!(2), &Value::Null));
    assert_eq!(past["contacts"], json!([]));
    assert!(past["contactErasedAt"].is_string(), "{past}");
}

#[tokio::test]
async fn new_contact_data_is_sealed_with_a_new_key_and_can_be_erased_again() {
    let app = with_acme().await;
    erases(&app, of_acme()).await;
    let given = is_reached(&app, "PRIMARY", "sue@acme.example").await;
    assert_eq!(given.payload()["partner"]["contact"]["emailId"], "sue@acme.example");
    let subjects = "select string_agg(subject, ' ' order by subject) from subject_keys";
    assert_eq!(app.installation.database.ask::<String>(subjects).await, "partner/acme/2");
    assert!(shown(&app).await["contactErasedAt"].is_string());
    erases(&app, of_acme()).await;
    assert_eq!(shown(&app).await["contact"], Value::Null);
    assert_eq!(count(&app, "subject_keys").await, 0);
    assert_eq!(count(&app, "events where event_type = 'personal_data_erased'").await, 2);
}

#[tokio::test]
async fn a_partner_that_works_is_erased_and_works_on_and_one_that_has_ended_is_erased_too() {
    let app = with_acme().await;
    erases(&app, of_acme()).await;
    let status =
        "{ partner(id: \"acme\") { status allowedActions { action allowed reasonCode } } }";
    let shown = app.admin().asks(status, json!({})).await;
    let shown = &shown.data()["partner"];
    assert_eq!(shown["status"], "REGISTERED");
    let nothing_left =
        json!({"action": "eraseSubject", "allowed": false, "reasonCode": "NOTHING_TO_DO"});
    assert!(shown["allowedActions"].as_array().unwrap().contains(&nothing_left), "{shown}");

    is_reached(&app, "PRIMARY", "sue@acme.example").await.payload();
    let ended = json!({"partnerId": "acme", "reason": "It has closed"});
    app.admin().does("deactivatePartner", ended, "position").await.payload();
    erases(&app, of_acme()).await;
    assert_eq!(count(&app, "personal_data").await, 0);
    let refused = is_reached(&app, "PRIMARY", "sue@acme.example").await;
    assert_eq!(refused.findings(), ["partnerId: PARTNER_DEACTIVATED"]);
}

#[tokio::test]
async fn from_where_a_persons_changes_came_is_destroyed_up_to_the_erasure() {
    let app = with_acme().await;
    let of_dora = json!({"kind": "PERSON", "id": "dora", "legalGround": "OBJECTION"});
    let origins = "request_log r join events e on e.metadata->>'request_id' = r.request_id::text \
                   where e.metadata->>'actor'";
    assert_eq!(count(&app, &format!("{origins} = 'dora'")).await, 1);
    erases(&app, of_dora.clone()).await;
    assert_eq!(count(&app, &format!("{origins} = 'dora'")).await, 0);
    assert!(count(&app, &format!("{origins} <> 'dora'")).await > 0, "others' are kept");
    let again = app.admin().does("eraseSubject", of_dora, "proposal { id }").await;
    assert_eq!(*again.payload(), json!({"proposal": null}));

    is_reached(&app, "BILLING", "sue@acme.example").await.payload();
    assert_eq!(count(&app, &format!("{origins} = 'dora'")).await, 1);
}

#[tokio::test]
async fn what_nobody_knows_cannot_be_erased_and_a_legal_ground_has_to_be_named() {
    let app = with_acme().await;
    let of = |kind: &str, id: &str| json!({"kind": kind, "id": id, "legalGround": "OBJECTION"});
    for (input, finding) in [
        (of("PARTNER", "nobody"), "id: PARTNER_NOT_FOUND"),
        (of("PERSON", "nobody"), "id: ORIGINS_NOT_FOUND"),
        (of("PERSON", " "), "id: EMPTY"),
        (json!({"kind": "PARTNER", "id": "acme"}), "legalGround: INVALID_QUERY"),
    ] {
        let refused = app.admin().does("eraseSubject", input.clone(), "position").await;
        assert_eq!(refused.findings(), [finding], "{input}");
    }
    let stale =
        json!({"kind": "PARTNER", "id": "acme", "legalGround": "OBJECTION", "expectedVersion": 7});
    let refused = app.admin().does("eraseSubject", stale, "position").await;
    assert_eq!(refused.codes(), ["CONFLICT"]);
    assert_eq!(count(&app, "events where aggregate_type = 'proposal'").await, 0);
}

#[tokio::test]
async fn a_preview_tells_what_would_happen_and_nothing_does() {
    let app = with_acme().await;
    let preview = "query($input: EraseSubjectInput!) { preview { eraseSubject(input: $input)
        { changes { noun id event } } } }";
    let told = app.admin().asks(preview, json!({"input": of_acme()})).await;
    let change = json!({"noun": "partner", "id": "acme", "event": "personal_data_erased"});
    assert_eq!(told.data()["preview"]["eraseSubject"]["changes"], json!([change]));
    assert_eq!(count(&app, "personal_data").await, 1);
}
