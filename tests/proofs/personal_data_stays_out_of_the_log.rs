//! Personal data is readable with the keys of the installation only, and never in an event.

use crate::support::http::App;
use domain::actor::Role;
use serde_json::{Value, json};

const EVERYTHING: &str = "select concat((select jsonb_agg(t) from events t), \
    (select jsonb_agg(t) from read.partner t), (select jsonb_agg(t) from claims t), \
    (select jsonb_agg(t) from idempotency_keys t), (select jsonb_agg(t) from personal_data t), \
    (select jsonb_agg(t) from subject_keys t))";
const CONTACT: &str = "{ partner(id: \"acme\") { contact { address contactNumber emailId } } }";

fn contact() -> Value {
    json!({"address": "7 Cedar Lane", "contactNumber": "+1 555 0177", "emailId": "joe@acme.example"})
}

async fn registered() -> App {
    let app = App::start().await;
    let mut input = contact();
    for (field, value) in [
        ("partnerId", "acme"),
        ("organizationName", "Acme"),
        ("partnerType", "DEVICE_PROVIDER"),
        ("idempotencyKey", "once"),
    ] {
        input[field] = json!(value);
    }
    let dora = app.person("dora", Role::DeviceProvider);
    dora.does("registerPartner", input, "partner { id }").await.payload();
    app
}

#[tokio::test]
async fn contact_data_is_shown_to_those_who_may_see_it_and_lies_nowhere_in_the_clear() {
    let app = registered().await;
    let shown = app.admin().asks(CONTACT, json!({})).await;
    assert_eq!(shown.data()["partner"]["contact"], contact());
    let everything: String = app.installation.database.ask(EVERYTHING).await;
    assert!(everything.contains("acme"));
    for personal in ["Cedar Lane", "555 0177", "joe@acme"] {
        assert!(!everything.contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn contact_data_that_was_changed_or_added_lies_nowhere_in_the_clear_either() {
    let app = registered().await;
    let dora = app.person("dora", Role::DeviceProvider);
    for purpose in ["PRIMARY", "SECURITY"] {
        let input = json!({"partnerId": "acme", "purpose": purpose, "address": "8 Willow Street",
                           "contactNumber": "+1 555 0288", "emailId": "sue@acme.example",
                           "idempotencyKey": purpose});
        dora.does("setPartnerContact", input, "position").await.payload();
    }
    let everything: String = app.installation.database.ask(EVERYTHING).await;
    assert!(everything.contains("SECURITY"));
    for personal in ["Cedar Lane", "555 0177", "joe@acme", "Willow Street", "555 0288", "sue@acme"]
    {
        assert!(!everything.contains(personal), "{personal}");
    }
}

/// One key per partner: losing it loses what there was and what there is. A new one does not take its
/// place unnoticed.
#[tokio::test]
async fn without_the_key_of_its_subject_every_contact_is_gone_and_none_is_added() {
    let app = registered().await;
    let dora = app.person("dora", Role::DeviceProvider);
    let input = json!({"partnerId": "acme", "purpose": "SECURITY", "contactNumber": "1",
                       "emailId": "sue@acme.example"});
    dora.does("setPartnerContact", input.clone(), "position").await.payload();
    let database = &app.installation.database;
    assert_eq!(database.ask::<i64>("select count(*) from subject_keys").await, 1);
    database.as_owner("delete from subject_keys where subject = 'partner/acme'").await;
    let contacts = "{ partner(id: \"acme\") { contacts { emailId } } }";
    let shown = app.admin().asks(contacts, json!({})).await;
    assert_eq!(shown.data()["partner"]["contacts"], json!([]));
    let refused = dora.does("setPartnerContact", input, "position").await;
    assert_eq!(refused.findings(), ["partnerId: SUBJECT_KEY_MISSING"]);
}

#[tokio::test]
async fn without_the_key_of_its_subject_contact_data_is_gone_and_the_log_is_whole() {
    let app = registered().await;
    let database = &app.installation.database;
    let log = "select jsonb_agg(t order by position)::text from events t";
    let before: String = database.ask(log).await;
    database.as_owner("delete from subject_keys where subject = 'partner/acme'").await;
    let shown = app.admin().asks(CONTACT, json!({})).await;
    assert_eq!(shown.data()["partner"]["contact"], Value::Null);
    assert_eq!(database.ask::<String>(log).await, before);
}

#[tokio::test]
async fn where_a_change_came_from_is_kept_beside_the_log_for_ninety_days() {
    let app = registered().await;
    let database = &app.installation.database;
    app.admin().asks(CONTACT, json!({})).await.data();
    let origins = "select count(*) from request_log r join events e \
                   on e.metadata->>'request_id' = r.request_id::text where client_address = '127.0.0.1'";
    assert_eq!(database.ask::<i64>(origins).await, 1);
    let log: String = database.ask("select concat(jsonb_agg(t)) from events t").await;
    assert!(!log.contains("127.0.0.1"));

    app.node.forget().await.unwrap();
    assert_eq!(database.ask::<i64>("select count(*) from request_log").await, 1);
    database.as_owner("update request_log set at = at - interval '91 days'").await;
    app.node.forget().await.unwrap();
    assert_eq!(database.ask::<i64>("select count(*) from request_log").await, 0);
}
