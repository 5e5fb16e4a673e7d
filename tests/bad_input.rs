//! Bad input gets one clear answer with all findings, and leaves no trace.

use crate::support::actors::{Makers, Market};
use crate::support::certificates::Authority;
use crate::support::http::{App, Caller};
use crate::support::jwk;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use domain::actor::Role;
use serde_json::{Value, json};

fn registration() -> Value {
    json!({
        "partnerId": "acme", "organizationName": "Acme Bank", "partnerType": "DEVICE_PROVIDER",
        "address": "1 Main Street", "contactNumber": "+1 555 0100", "emailId": "office@acme.example",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut input = registration();
    input[field] = value;
    input
}

fn provider(app: &App) -> Caller<'_> {
    app.person("dora", Role::DeviceProvider)
}

async fn is_refused(app: &App, input: Value, findings: &[&str]) {
    let refused = provider(app).does("registerPartner", input.clone(), "partner { id }").await;
    assert_eq!(refused.status, 200, "{input}");
    assert_eq!(refused.findings(), findings, "{input}");
}

async fn nothing_was_stored(app: &App) {
    let stored: i64 = app.installation.database.ask("select count(*) from events").await;
    assert_eq!(stored, 0);
}

#[tokio::test]
async fn every_field_has_its_limits_and_they_hold_to_the_last_character() {
    let app = App::start().await;
    let longest =
        [("partnerId", 36), ("organizationName", 128), ("address", 2000), ("contactNumber", 16)];
    for (field, max) in longest {
        let digits = |length| json!("1".repeat(length));
        is_refused(&app, with(field, digits(max + 1)), &[&format!("{field}: TOO_LONG")]).await;
        is_refused(&app, with(field, json!("")), &[&format!("{field}: EMPTY")]).await;
        is_refused(&app, with(field, json!("1\u{7}")), &[&format!("{field}: CONTROL_CHARACTER")])
            .await;
        is_refused(&app, with(field, json!("1\u{0}")), &[&format!("{field}: CONTROL_CHARACTER")])
            .await;
    }
    let long_email = format!("{}@example.org", "a".repeat(300));
    is_refused(&app, with("emailId", json!(long_email)), &["emailId: TOO_LONG"]).await;
    is_refused(&app, with("emailId", json!("acme")), &["emailId: EMAIL_MALFORMED"]).await;
    is_refused(&app, with("partnerId", json!("ac me")), &["partnerId: PARTNER_ID_MALFORMED"]).await;
    is_refused(&app, with("langCode", json!("xxx")), &["langCode: LANGUAGE_NOT_SUPPORTED"]).await;
    is_refused(&app, with("logoUrl", json!("http://x.y")), &["logoUrl: URL_MALFORMED"]).await;
    let group = &["policyGroup: POLICY_GROUP_NOT_ALLOWED"];
    is_refused(&app, with("policyGroup", json!("banking")), group).await;
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn every_other_text_has_its_limit_too() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let request = market.approved_request().await;
    let generated = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    let provider = market.provider().await;
    let (mia, delegation) = (&provider.mia, Some(provider.policy.as_str()));
    let license = market.admin.generates_license(mia, delegation, "one").await.unwrap().id;
    let second = market.manager.offers(&market.group, "More").await;
    let (partner, policy) = (market.alice.partner.as_str(), market.policy.as_str());
    let document = crate::support::actors::document();
    let key = json!({"partnerId": partner, "policyId": policy});
    let draft = json!({"policyGroupId": market.group, "policyType": "AUTH", "name": "n",
                       "description": "d", "version": "1", "policies": document});
    let group = json!({"name": "n", "description": "d"});
    let extractor = json!({"name": "n", "provider": "p", "version": "1", "modality": "FACE",
                           "attributeName": "a"});
    let own_draft = market.alice.drafts_request(&second).await.unwrap().id;
    let own_draft = json!({"policyRequestId": own_draft});
    let clone = json!({"policyId": policy, "policyGroupId": market.group});
    let (admin, alice) = (app.admin(), app.partner("alice"));
    let member = json!({"partnerId": partner, "subject": "bob", "role": "VIEWER"});
    let contact = json!({"partnerId": partner, "purpose": "SECURITY", "address": "1 Main Street",
                         "contactNumber": "1", "emailId": "bob@example.org"});
    let moved = json!({"partnerId": partner, "policyGroup": market.group});
    let (sign_in, _) = market.sign_in_policy(&market.alice).await;
    let client = market.alice.creates_client(&sign_in, &jwk::key("1")).await.unwrap().id;
    let created = json!({"partnerId": partner, "policyId": sign_in,
                         "publicKey": jwk::key("2").to_string()});
    let updated = json!({"oidcClientId": client});
    let retired = json!({"oidcClientId": client, "keyId": "k"});
    let settings = |mut input: Value| {
        input["name"] = json!("n");
        input["logoUri"] = json!("https://acme.example/logo.png");
        input["redirectUris"] = json!(["https://acme.example"]);
        input
    };
    let cases = [
        (&admin, "createPolicyGroup", group.clone(), "name", 128),
        (&admin, "createPolicyGroup", group.clone(), "description", 256),
        (&admin, "createPolicyGroup", group, "idempotencyKey", 128),
        (&admin, "createPolicy", draft.clone(), "name", 128),
        (&admin, "createPolicy", draft.clone(), "description", 256),
        (&admin, "createPolicy", draft, "version", 8),
        (&admin, "clonePolicy", clone, "name", 128),
        (&admin, "createExtractor", extractor.clone(), "name", 128),
        (&admin, "createExtractor", extractor.clone(), "provider", 128),
        (&admin, "createExtractor", extractor.clone(), "version", 8),
        (&admin, "createExtractor", extractor.clone(), "attributeName", 128),
        (&admin, "createExtractor", extractor, "dataFormat", 64),
        (&admin, "deleteExtractor", json!({"extractorId": "x"}), "reason", 500),
        (&admin, "disableTrustCertificate", json!({"trustCertificateId": "x"}), "reason", 500),
        (&admin, "revokeTrustCertificate", json!({"trustCertificateId": "x"}), "reason", 500),
        (&alice, "updateDraftPolicyRequest", own_draft, "comment", 500),
        (&admin, "approvePolicyRequest", json!({"policyRequestId": request}), "comment", 500),
        (&admin, "rejectPolicyRequest", json!({"policyRequestId": request}), "reason", 500),
        (&admin, "suspendPartner", json!({"partnerId": partner}), "reason", 500),
        (&admin, "deactivatePartner", json!({"partnerId": partner}), "reason", 500),
        (&admin, "deactivatePolicy", json!({"policyId": policy}), "reason", 500),
        (
            &alice,
            "requestPolicy",
            json!({"partnerId": partner, "policyId": policy}),
            "comment",
            500,
        ),
        (&alice, "generateApiKey", key, "label", 36),
        (&admin, "deactivateApiKey", json!({"apiKeyId": generated}), "reason", 500),
        (&admin, "generateMispLicense", json!({"partnerId": partner}), "label", 36),
        (&admin, "deactivateMispLicense", json!({"mispLicenseId": license}), "reason", 500),
        (&alice, "inviteMember", member.clone(), "subject", 256),
        (&alice, "setMemberRole", member, "subject", 256),
        (&alice, "removeMember", json!({"partnerId": partner, "subject": "bob"}), "reason", 500),
        (&alice, "setPartnerContact", contact.clone(), "address", 2000),
        (&alice, "setPartnerContact", contact, "emailId", 254),
        (
            &alice,
            "revokePartnerCertificate",
            json!({"partnerId": partner, "fingerprint": "x"}),
            "reason",
            500,
        ),
        (&admin, "movePartnerToPolicyGroup", moved, "reason", 500),
        (&alice, "withdrawConsent", json!({}), "reason", 500),
        (&alice, "createOidcClient", settings(created.clone()), "name", 256),
        (&alice, "createOidcClient", settings(created), "logoUri", 2048),
        (&alice, "updateOidcClient", settings(updated.clone()), "name", 256),
        (&alice, "updateOidcClient", settings(updated.clone()), "logoUri", 2048),
        (&alice, "retireOidcClientKey", retired, "reason", 500),
        (&alice, "deactivateOidcClient", updated, "reason", 500),
    ];
    hold_their_limits(&app, &cases).await;
}

#[tokio::test]
async fn every_text_about_devices_and_chips_has_its_limit_too() {
    let app = App::start().await;
    let admin = app.admin();
    let makers = Makers::open(&app.node).await;
    let live = makers.live_sbi("1.0").await;
    let device = makers.approved_device(&live, "F 1").await;
    let chip = makers.fred.adds_chip("C 1").await.unwrap().id;
    let (dora, fred) =
        (app.person("dora", Role::DeviceProvider), app.person("fred", Role::FtmProvider));
    let now = commands::now();
    let sbi = json!({"providerId": "dora-co", "swBinaryHash": "ab".repeat(32),
                     "swCreateDateTime": now.to_rfc3339(),
                     "swExpiryDateTime": (now + TimeDelta::days(9)).to_rfc3339()});
    let cases = [
        (&dora, "addSbi", sbi, "swVersion", 64),
        (&dora, "deactivateSbi", json!({"sbiId": live}), "reason", 500),
        (&dora, "deactivateDevice", json!({"deviceId": device}), "reason", 500),
        (&admin, "rejectSbi", json!({"sbiId": live}), "reason", 500),
        (&admin, "rejectDevice", json!({"deviceId": device}), "reason", 500),
        (&fred, "addFtmChip", json!({"ftpProviderId": "fred-co", "model": "m"}), "make", 36),
        (&fred, "addFtmChip", json!({"ftpProviderId": "fred-co", "make": "m"}), "model", 36),
        (&fred, "deactivateFtmChip", json!({"ftmChipId": chip}), "reason", 500),
        (&admin, "rejectFtmChip", json!({"ftmChipId": chip}), "reason", 500),
    ];
    hold_their_limits(&app, &cases).await;
}

/// Who does what with which field, and how long it may be: a character more, none at all, and one
/// that controls are refused, and leave no trace.
async fn hold_their_limits(app: &App, cases: &[(&Caller<'_>, &str, Value, &str, usize)]) {
    let before: i64 = app.installation.database.ask("select count(*) from events").await;
    for (who, mutation, base, field, max) in cases {
        let texts = [
            ("x".repeat(max + 1), "TOO_LONG"),
            (" ".to_owned(), "EMPTY"),
            ("a\u{0}b".to_owned(), "CONTROL_CHARACTER"),
        ];
        for (text, code) in texts {
            let mut input = base.clone();
            input[*field] = json!(text);
            let refused = who.does(mutation, input, "position").await;
            assert_eq!(refused.findings(), [format!("{field}: {code}")], "{mutation}");
        }
    }
    let after: i64 = app.installation.database.ask("select count(*) from events").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn all_findings_about_one_input_come_together() {
    let app = App::start().await;
    let mut input = registration();
    for field in ["partnerId", "organizationName", "address", "contactNumber", "emailId"] {
        input[field] = json!("");
    }
    let findings = [
        "address: EMPTY",
        "contactNumber: EMPTY",
        "emailId: EMPTY",
        "organizationName: EMPTY",
        "partnerId: EMPTY",
    ];
    is_refused(&app, input, &findings).await;
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn what_the_schema_does_not_know_is_refused_with_its_field() {
    let app = App::start().await;
    let unknown = with("shoeSize", json!(44));
    let mut missing = registration();
    missing.as_object_mut().unwrap().remove("address");
    for (input, field) in [
        (with("partnerType", json!("BAKER")), "partnerType"),
        (with("partnerId", json!(7.5)), "partnerId"),
        (with("partnerId", Value::Null), "partnerId"),
        (unknown, "shoeSize"),
        (missing, "address"),
    ] {
        let refused = provider(&app).does("registerPartner", input, "partner { id }").await;
        assert_eq!(refused.codes(), ["INVALID_QUERY"], "{field}");
        assert!(refused.findings()[0].contains(field), "{field}: {:?}", refused.body);
    }
    let unknown = provider(&app).asks("{ partners { nodes { shoeSize } } }", json!({})).await;
    assert_eq!(unknown.codes(), ["INVALID_QUERY"]);
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn what_is_no_graphql_request_is_refused_at_the_door() {
    let app = App::start().await;
    let caller = provider(&app);
    let token = caller.token();
    let send = async |content_type, body: Vec<u8>| {
        let answer = app.sends(token, content_type, body).await;
        (answer.status, answer.codes().concat())
    };
    let json = "application/json";
    assert_eq!(send(json, b"{\"query\": ".to_vec()).await, (400, "MALFORMED_JSON".into()));
    assert_eq!(send(json, b"[]".to_vec()).await, (400, "BATCHING_OFF".into()));
    assert_eq!(send(json, vec![0xff, 0xfe]).await, (400, "MALFORMED_JSON".into()));
    assert_eq!(send("text/plain", b"{}".to_vec()).await, (415, "CONTENT_TYPE".into()));
    let ten_megabytes = vec![b' '; 10 << 20];
    assert_eq!(send(json, ten_megabytes).await, (413, "BODY_TOO_LARGE".into()));
    nothing_was_stored(&app).await;
}

#[tokio::test]
async fn what_is_sent_instead_of_a_certificate_is_named_and_never_kept() {
    let app = App::start().await;
    let registered = provider(&app).does("registerPartner", registration(), "partner { id }").await;
    registered.payload();
    let private_key =
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHNlY3JldA==\n-----END PRIVATE KEY-----";
    for (sent, code) in [
        (private_key, "PRIVATE_KEY_SENT"),
        ("", "CERT_EMPTY"),
        ("<html></html>", "HTML_SENT"),
        ("hello", "CERT_FORMAT"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH", "SSH_KEY_SENT"),
        (&"A".repeat(16 * 1024 + 1), "CERT_TOO_LARGE"),
    ] {
        let input = json!({"partnerId": "acme", "certificateData": sent});
        let refused = provider(&app).does("uploadPartnerCertificate", input, "position").await;
        assert_eq!(refused.findings(), [format!("certificateData: {code}")]);
        assert!(!refused.body.to_string().contains("c2VjcmV0"));
    }
    let stored: i64 = app.installation.database.ask("select count(*) from events").await;
    assert_eq!(stored, 1);
}

/// Each is refused by its name, and leaves no trace.
async fn is_named_and_never_kept(
    app: &App,
    mutation: &str,
    base: &Value,
    field: &str,
    sent: &[(&str, &str)],
) {
    let before: i64 = app.installation.database.ask("select count(*) from events").await;
    for (text, finding) in sent {
        let mut input = base.clone();
        input[field] = json!(text);
        let refused = app.admin().does(mutation, input, "position").await;
        assert_eq!(refused.findings(), [*finding]);
        assert!(!refused.body.to_string().contains("c2VjcmV0"));
    }
    let after: i64 = app.installation.database.ask("select count(*) from events").await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_is_sent_instead_of_trust_certificates_is_named_and_never_kept() {
    let app = App::start().await;
    let root = Authority::root("Root").pem();
    let key =
        "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0IHNlY3JldA==\n-----END EC PRIVATE KEY-----\n";
    let csr = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----";
    let pkcs12 = BASE64_STANDARD.encode([0x30, 5, 2, 1, 3, 0x30, 0]);
    let torn = root.replace("-----END", "!\n-----END");
    let sent: &[(&str, &str)] = &[
        (&format!("{root}{root}{key}"), "certificateData: PRIVATE_KEY_SENT"),
        (&format!("{key}{root}"), "certificateData: PRIVATE_KEY_SENT"),
        (csr, "certificateData: CSR_SENT"),
        (&pkcs12, "certificateData: PKCS12_SENT"),
        ("<!DOCTYPE html><html></html>", "certificateData: HTML_SENT"),
        ("", "certificateData: CERT_EMPTY"),
        (" \r\n\u{feff} ", "certificateData: CERT_EMPTY"),
        ("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----", "certificateData: BUNDLE_MALFORMED"),
        (&format!("{root}{torn}"), "certificateData[1]: CERT_FORMAT"),
        (&root.repeat(33), "certificateData: BUNDLE_TOO_LARGE"),
    ];
    let base = json!({"partnerDomain": "AUTH"});
    is_named_and_never_kept(&app, "uploadTrustCertificate", &base, "certificateData", sent).await;

    let marked = format!("\u{feff}{}", root.replace('\n', "\r\n"));
    let input = json!({"partnerDomain": "AUTH", "certificateData": marked});
    let read = app.admin().does("uploadTrustCertificate", input, "trustCertificate { id }").await;
    let id = read.payload()["trustCertificate"]["id"].clone();
    let other = Authority::root("Root").takes_back(1, &[]);
    let sent: &[(&str, &str)] = &[
        (key, "crlData: PRIVATE_KEY_SENT"),
        ("", "crlData: CRL_MALFORMED"),
        ("<html></html>", "crlData: CRL_MALFORMED"),
        (&root, "crlData: CRL_MALFORMED"),
        (&"A".repeat(128 * 1024 + 1), "crlData: CRL_TOO_LARGE"),
        (&other, "crlData: CRL_NOT_BY_THIS_CA"),
    ];
    let base = json!({"trustCertificateId": id});
    is_named_and_never_kept(&app, "attachCrl", &base, "crlData", sent).await;
}

#[tokio::test]
async fn pages_and_cursors_have_their_limits() {
    let app = App::start().await;
    let ask = async |arguments: &str| {
        let query = format!("{{ partners({arguments}) {{ nodes {{ id }} }} }}");
        app.admin().asks(&query, json!({})).await.codes().concat()
    };
    assert_eq!(ask("first: 0").await, "PAGE_SIZE");
    assert_eq!(ask("first: 201").await, "PAGE_SIZE");
    assert_eq!(ask("first: -1").await, "PAGE_SIZE");
    assert_eq!(ask("first: 1000000").await, "PAGE_SIZE");
    assert_eq!(ask("first: 1, last: 1").await, "PAGE_AMBIGUOUS");
    assert_eq!(ask("after: \"forged\"").await, "CURSOR_INVALID");
    assert_eq!(ask("first: 200").await, "");
}
