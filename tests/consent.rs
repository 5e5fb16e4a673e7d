//! What people agree to before they work here.

use crate::support::http::App;
use domain::actor::Role;
use serde_json::json;

const ME: &str = "{ me { consentGiven consent { given textVersion at } } }";
const CONSENT: &str = "query($who: String!) { consent(subject: $who) { subject status } }";

#[tokio::test]
async fn a_consent_is_given_to_the_newest_text_withdrawn_and_given_again() {
    let app = App::start().await;
    let alice = app.partner("alice");
    let missing = json!({"consentGiven": false,
                         "consent": {"given": false, "textVersion": null, "at": null}});
    assert_eq!(alice.asks(ME, json!({})).await.data()["me"], missing);
    let early = alice.does("withdrawConsent", json!({}), "position").await;
    assert_eq!(early.codes(), ["CONSENT_NOT_GIVEN"]);

    let text = alice.asks("{ consentText { version texts { langCode text } } }", json!({})).await;
    let text = &text.data()["consentText"];
    assert_eq!(text["texts"].as_array().unwrap().len(), 3);
    let newest = json!({"textVersion": text["version"]});
    let outdated = json!({"textVersion": text["version"].as_i64().unwrap() - 1});
    let outdated = alice.does("giveConsent", outdated, "position").await;
    assert_eq!(outdated.findings(), ["textVersion: CONSENT_TEXT_OUTDATED"]);

    let selection = "consent { subject version status textVersion } position";
    let given = alice.does("giveConsent", newest.clone(), selection).await;
    let expected = json!({"subject": "alice", "version": 1, "status": "GIVEN", "textVersion": text["version"]});
    assert_eq!(given.payload()["consent"], expected);
    let again = alice.does("giveConsent", newest.clone(), selection).await;
    assert_eq!(again.payload(), given.payload());
    assert_eq!(alice.asks(ME, json!({})).await.data()["me"]["consentGiven"], true);

    let reason = json!({"reason": "I leave"});
    let withdrawn = alice.does("withdrawConsent", reason, selection).await;
    assert_eq!(withdrawn.payload()["consent"]["status"], "WITHDRAWN");
    let me = alice.asks(ME, json!({})).await.data()["me"].clone();
    assert_eq!((&me["consentGiven"], &me["consent"]["given"]), (&json!(false), &json!(false)));
    assert!(me["consent"]["at"].is_string());
    let given = alice.does("giveConsent", newest, selection).await;
    assert_eq!(given.payload()["consent"]["version"], 3);
}

#[tokio::test]
async fn people_of_every_role_consent_for_themselves() {
    let app = App::start().await;
    for role in [Role::PartnerAdmin, Role::PolicyManager, Role::Auditor, Role::SdkPartner] {
        let somebody = app.person(&role.to_string(), role);
        let given = somebody.does("giveConsent", json!({"textVersion": 1}), "position").await;
        given.payload();
        let shown = somebody.asks(CONSENT, json!({"who": role.to_string()})).await;
        assert_eq!(shown.data()["consent"]["status"], "GIVEN", "{role}");
    }
}

#[tokio::test]
async fn the_consent_of_others_is_for_administrators_and_auditors() {
    let app = App::start().await;
    let alice = app.partner("alice");
    alice.does("giveConsent", json!({"textVersion": 1}), "position").await.payload();
    let who = json!({"who": "alice"});
    for staff in [app.admin(), app.auditor()] {
        let shown = staff.asks(CONSENT, who.clone()).await;
        let expected = json!({"subject": "alice", "status": "GIVEN"});
        assert_eq!(shown.data()["consent"], expected);
    }
    for other in [app.partner("mallory"), app.policy_manager()] {
        assert_eq!(*other.asks(CONSENT, who.clone()).await.data(), json!({"consent": null}));
    }
}
