//! Who speaks for a partner, how it is reached, and under which policy group it works.

use crate::support::actors::{Market, misp, partner};
use crate::support::commands::{Installation, codes};
use crate::support::http::App;
use chrono::TimeDelta;
use domain::actor::{MemberRole, Role};
use domain::partner::ContactPurpose;
use domain::reference::PartnerType;
use serde_json::{Value, json};

/// What a person may do with the partner, and with the only request.
const MAY: &str = "{ partners { nodes { myRole allowedActions { action allowed reasonCode } } }
    policyRequests { nodes { allowedActions { action allowed reasonCode } } } }";

/// The code of one allowed action; null when it is allowed.
fn reason(nodes: &Value, action: &str) -> Value {
    let actions = nodes["nodes"][0]["allowedActions"].as_array().unwrap();
    actions.iter().find(|it| it["action"] == action).unwrap()["reasonCode"].clone()
}

#[tokio::test]
async fn a_viewer_looks_on_an_operator_works_and_a_manager_says_who_does() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let acme = market.alice.partner.as_str();
    let member =
        |subject: &str, role: &str| json!({"partnerId": acme, "subject": subject, "role": role});
    let (alice, oscar, vera) = (app.partner("alice"), app.partner("oscar"), app.partner("vera"));
    let selection = "partner { version members { subject role } }";
    alice.does("inviteMember", member("oscar", "OPERATOR"), selection).await.payload();
    let invited = alice.does("inviteMember", member("vera", "VIEWER"), selection).await;
    let expected = json!([{"subject": "alice", "role": "MANAGER"},
                          {"subject": "oscar", "role": "OPERATOR"},
                          {"subject": "vera", "role": "VIEWER"}]);
    assert_eq!(invited.payload()["partner"]["members"], expected);

    let request = json!({"partnerId": acme, "policyId": market.policy, "comment": "c"});
    let refused = vera.does("requestPolicy", request.clone(), "position").await;
    assert_eq!(refused.codes(), ["FORBIDDEN"]);
    oscar.does("requestPolicy", request, "position").await.payload();
    for (mutation, input) in [
        ("inviteMember", member("mallory", "VIEWER")),
        ("removeMember", json!({"partnerId": acme, "subject": "vera"})),
        ("updatePartner", json!({"partnerId": acme})),
    ] {
        let refused = oscar.does(mutation, input.clone(), "position").await;
        assert_eq!(refused.codes(), ["FORBIDDEN"], "{mutation}");
        let stranger = app.partner("mallory").does(mutation, input, "position").await;
        assert_eq!(stranger.codes(), ["PARTNER_NOT_FOUND"], "{mutation}");
    }

    let shown = [&alice, &oscar, &vera].map(|who| who.asks(MAY, json!({})));
    let [alice, oscar, vera] = futures::future::join_all(shown).await.try_into().unwrap();
    for (answer, role, invite, withdraw) in [
        (&alice, "MANAGER", Value::Null, Value::Null),
        (&oscar, "OPERATOR", json!("FORBIDDEN"), Value::Null),
        (&vera, "VIEWER", json!("FORBIDDEN"), json!("FORBIDDEN")),
    ] {
        let data = answer.data();
        assert_eq!(data["partners"]["nodes"][0]["myRole"], role);
        assert_eq!(reason(&data["partners"], "inviteMember"), invite, "{role}");
        assert_eq!(reason(&data["policyRequests"], "withdrawPolicyRequest"), withdraw, "{role}");
    }
}

#[tokio::test]
async fn an_administrator_is_not_bound_by_the_roles_of_members() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let admin = market.admin.beside(&market.alice);
    market.alice.invites("admin", MemberRole::Viewer).await.unwrap();
    admin.invites("bob", MemberRole::Manager).await.unwrap();
    admin.dismisses("alice").await.unwrap();
    assert_eq!(
        codes(market.alice.invites("carol", MemberRole::Viewer).await),
        ["PARTNER_NOT_FOUND"]
    );
}

#[tokio::test]
async fn one_manager_always_stays() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let acme = market.alice.partner.as_str();
    let alice = app.partner("alice");
    let herself = json!({"partnerId": acme, "subject": "alice"});
    let refused = alice.does("removeMember", herself.clone(), "position").await;
    assert_eq!(refused.findings(), ["subject: LAST_MANAGER"]);
    let demoted = json!({"partnerId": acme, "subject": "alice", "role": "OPERATOR"});
    let refused = alice.does("setMemberRole", demoted, "position").await;
    assert_eq!(refused.findings(), ["subject: LAST_MANAGER"]);

    market.alice.invites("bob", MemberRole::Manager).await.unwrap();
    let left = app.partner("bob").does("removeMember", herself, "partner { version }").await;
    left.payload();
    let query = "query($id: ID!) { partner(id: $id) { id } me { partners { id } } }";
    let gone = alice.asks(query, json!({"id": acme})).await;
    assert_eq!(*gone.data(), json!({"partner": null, "me": {"partners": []}}));
}

#[tokio::test]
async fn inviting_again_changes_nothing_and_is_no_way_to_another_role() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let once = market.alice.invites("bob", MemberRole::Viewer).await.unwrap().position;
    let again = market.alice.invites("bob", MemberRole::Viewer).await.unwrap().position;
    assert_eq!(again, once);
    let other = market.alice.invites("bob", MemberRole::Operator).await;
    assert_eq!(codes(other), ["MEMBER_EXISTS"]);
    let bob = partner(&node, "bob").beside(&market.alice);
    assert!(matches!(bob.requests(&market.policy).await, Err(::commands::Error::Forbidden)));
    market.alice.seats("bob", MemberRole::Operator).await.unwrap();
    bob.requests(&market.policy).await.unwrap();
}

#[tokio::test]
async fn a_partner_that_the_token_claims_is_managed() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let acme = market.alice.partner.as_str();
    let sso = app.person_of("sso", Role::AuthPartner, acme);
    let input = json!({"partnerId": acme, "subject": "bob", "role": "VIEWER"});
    sso.does("inviteMember", input, "partner { myRole }").await.payload();
    let shown = sso.asks("{ me { partners { id myRole } } }", json!({})).await;
    assert_eq!(shown.data()["me"]["partners"], json!([{"id": acme, "myRole": "MANAGER"}]));
}

const CONTACT: &str = "address contactNumber emailId";

#[tokio::test]
async fn a_new_address_does_not_rewrite_the_past() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (acme, alice) = (market.alice.partner.as_str(), app.partner("alice"));
    let before = app.node.store().health().borrow().head;
    let input = json!({"partnerId": acme, "purpose": "PRIMARY", "address": " 9 New Road ",
                       "contactNumber": "+1  555 0300", "emailId": "new@acme.example"});
    let selection = format!("partner {{ version contact {{ {CONTACT} }} }} position");
    let set = alice.does("setPartnerContact", input.clone(), &selection).await;
    let new = json!({"address": "9 New Road", "contactNumber": "+1 555 0300",
                     "emailId": "new@acme.example"});
    assert_eq!(set.payload()["partner"]["contact"], new);
    let again = alice.does("setPartnerContact", input, &selection).await;
    assert_eq!(again.payload(), set.payload(), "the same again changes nothing");

    let query = format!(
        "query($id: ID!, $then: AsOf) {{ partner(id: $id, asOf: $then) {{ contact {{ {CONTACT} }} }} }}"
    );
    let then = alice.asks(&query, json!({"id": acme, "then": before.to_string()})).await;
    let old = json!({"address": "1 Main Street", "contactNumber": "+1 555 0100",
                     "emailId": "alice-co@example.org"});
    assert_eq!(then.data()["partner"]["contact"], old);
    let now = alice.asks(&query, json!({"id": acme})).await;
    assert_eq!(now.data()["partner"]["contact"], new);
}

#[tokio::test]
async fn an_e_mail_address_moves_and_is_free_again() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let bob = partner(&app.node, "bob");
    let alice = &market.alice;
    alice.is_reached(ContactPurpose::Primary, "new@example.org").await.unwrap();
    assert_eq!(codes(bob.registers_with(&market.group, "NEW@example.org").await), ["EMAIL_TAKEN"]);
    bob.registers_with(&market.group, "alice-co@example.org").await.unwrap();
    alice.is_reached(ContactPurpose::Primary, "New@Example.org").await.unwrap();
    let carol = partner(&app.node, "carol");
    assert_eq!(
        codes(carol.registers_with(&market.group, "new@example.org").await),
        ["EMAIL_TAKEN"]
    );
    let back = alice.is_reached(ContactPurpose::Primary, "alice-co@example.org").await;
    assert_eq!(codes(back), ["EMAIL_TAKEN"]);
    alice.is_reached(ContactPurpose::Security, "alice-co@example.org").await.unwrap();

    let query = "query($email: String!) { partners(filter: {emailId: $email}) { nodes { id } } }";
    for (email, partner) in
        [("new@example.org", &alice.partner), ("alice-co@example.org", &bob.partner)]
    {
        let found = app.admin().asks(query, json!({"email": email})).await;
        assert_eq!(found.data()["partners"]["nodes"], json!([{"id": partner}]));
    }
}

#[tokio::test]
async fn a_partner_is_reached_for_several_purposes() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (acme, alice) = (market.alice.partner.as_str(), app.partner("alice"));
    let contact = |purpose: &str| {
        json!({"partnerId": acme, "purpose": purpose, "contactNumber": "112",
               "emailId": "soc@acme.example"})
    };
    let selection = "partner { contacts { purpose address emailId } }";
    let set = alice.does("setPartnerContact", contact("SECURITY"), selection).await;
    let expected = json!([
        {"purpose": "PRIMARY", "address": "1 Main Street", "emailId": "alice-co@example.org"},
        {"purpose": "SECURITY", "address": null, "emailId": "soc@acme.example"},
    ]);
    assert_eq!(set.payload()["partner"]["contacts"], expected);
    let bare = alice.does("setPartnerContact", contact("PRIMARY"), selection).await;
    assert_eq!(bare.findings(), ["address: ADDRESS_NEEDED"]);

    let remove = |purpose: &str| json!({"partnerId": acme, "purpose": purpose});
    let primary = alice.does("removePartnerContact", remove("PRIMARY"), selection).await;
    assert_eq!(primary.findings(), ["purpose: PRIMARY_CONTACT_STAYS"]);
    let removed = alice.does("removePartnerContact", remove("SECURITY"), selection).await;
    assert_eq!(removed.payload()["partner"]["contacts"], json!([expected[0]]));
}

#[tokio::test]
async fn a_partner_says_how_it_presents_itself() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (acme, alice) = (market.alice.partner.as_str(), app.partner("alice"));
    let selection = "partner { langCode logoUrl } position";
    let input = json!({"partnerId": acme, "langCode": "fra", "logoUrl": "https://a.example/l.png"});
    let updated = alice.does("updatePartner", input.clone(), selection).await;
    let expected = json!({"langCode": "fra", "logoUrl": "https://a.example/l.png"});
    assert_eq!(updated.payload()["partner"], expected);
    let again = alice.does("updatePartner", input, selection).await;
    assert_eq!(again.payload(), updated.payload());
    let wrong = json!({"partnerId": acme, "langCode": "xxx", "logoUrl": "http://a.example"});
    let wrong = alice.does("updatePartner", wrong, selection).await;
    assert_eq!(wrong.findings(), ["langCode: LANGUAGE_NOT_SUPPORTED", "logoUrl: URL_MALFORMED"]);
    let cleared = alice.does("updatePartner", json!({"partnerId": acme}), selection).await;
    assert_eq!(cleared.payload()["partner"], json!({"langCode": null, "logoUrl": null}));
}

#[tokio::test]
async fn a_policy_group_is_chosen_once() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let mina = misp(&app.node, "mina");
    market.admin.registers_for(&mina, PartnerType::MispPartner, None).await.unwrap();
    let caller = app.person("mina", Role::MispPartner);
    let needs = async || {
        let shown = caller.asks("{ me { needsPolicyGroup } }", json!({})).await;
        shown.data()["me"]["needsPolicyGroup"].clone()
    };
    assert_eq!(needs().await, true);
    let closed = market.manager.creates_group("Closed").await.unwrap().id;
    market.manager.closes_group(&closed).await.unwrap();
    assert_eq!(codes(mina.chooses_group(&closed).await), ["POLICY_GROUP_INACTIVE"]);

    let choose = |group: &str| json!({"partnerId": mina.partner, "policyGroup": group});
    let selection = "partner { policyGroup { name } }";
    let chosen = caller.does("selectPolicyGroup", choose(&market.group), selection).await;
    assert_eq!(chosen.payload()["partner"]["policyGroup"]["name"], "Banking");
    assert_eq!(needs().await, false);
    let other = market.manager.creates_group("Networks").await.unwrap().id;
    let again = caller.does("selectPolicyGroup", choose(&other), selection).await;
    assert_eq!(again.findings(), ["policyGroup: POLICY_GROUP_CHOSEN"]);
    market.admin.moves(&mina.partner, &other).await.unwrap();
}

#[tokio::test]
async fn a_partner_with_requests_or_keys_stays_in_its_policy_group() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let acme = &market.alice.partner;
    let other = market.manager.creates_group("Health").await.unwrap().id;
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    assert_eq!(codes(market.admin.moves(acme, &other).await), ["PARTNER_HAS_LINKS"]);
    market.admin.approves(&request).await.unwrap();
    market.alice.generates_key(&market.policy, "one").await.unwrap();
    assert_eq!(codes(market.admin.moves(acme, &other).await), ["PARTNER_HAS_LINKS"]);
    market.admin.revokes(&request).await.unwrap();
    market.admin.moves(acme, &other).await.unwrap();
    assert_eq!(codes(market.alice.requests(&market.policy).await), ["POLICY_NOT_IN_GROUP"]);
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_once_and_ends_nothing() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let query = "{ history(filter: {event: [\"certificate_expired\", \"expired\"]}) {
        nodes { noun actor } } partners { nodes { status } } }";
    let told = async || app.auditor().asks(query, json!({})).await.data().clone();
    app.node.tell_expired(::commands::now()).await.unwrap();
    assert_eq!(told().await["history"]["nodes"], json!([]));

    let far = ::commands::now() + TimeDelta::days(36_500);
    for _ in 0..2 {
        app.node.tell_expired(far).await.unwrap();
        let told = told().await;
        let mut nouns: Vec<&str> = Vec::new();
        for node in told["history"]["nodes"].as_array().unwrap() {
            assert_eq!(node["actor"], "system");
            nouns.push(node["noun"].as_str().unwrap());
        }
        nouns.sort_unstable();
        assert_eq!(nouns, ["partner", "trust_certificate"]);
        assert_eq!(told["partners"]["nodes"][0]["status"], "ACTIVE");
    }
    assert_eq!(app.node.tell_expired(far).await.unwrap(), 0);
    market.alice.requests(&market.policy).await.unwrap();
}
