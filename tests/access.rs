//! Who is let in, and what strangers learn: nothing.

use crate::support::actors::Market;
use crate::support::http::App;
use crate::support::jwk;
use chrono::TimeDelta;
use domain::actor::Role;
use serde_json::{Value, json};

const QUERY: &[u8] = br#"{"query": "{ me { subject } }"}"#;

async fn answer_to(app: &App, token: &str) -> (u16, String) {
    let answer = app.sends(token, "application/json", QUERY.to_vec()).await;
    (answer.status, answer.codes().concat())
}

#[tokio::test]
async fn only_a_token_of_the_issuer_for_this_service_lets_in() {
    let app = App::start().await;
    let now = commands::now();
    let issue = |at, life| app.issuer.issue("alice", &[Role::AuthPartner], &[], at, life).unwrap();
    let hour = TimeDelta::hours(1);
    let good = issue(now, hour);
    assert_eq!(answer_to(&app, &good).await, (200, String::new()));

    let expired = issue(now - hour * 2, hour);
    assert_eq!(answer_to(&app, &expired).await, (401, "TOKEN_EXPIRED".into()));
    let early = issue(now + hour, hour);
    assert_eq!(answer_to(&app, &early).await, (401, "TOKEN_EXPIRED".into()));

    let folder = app.installation.key_folder();
    let elsewhere = api::auth::DevelopmentIssuer::open(folder, "another service").unwrap();
    let elsewhere = elsewhere.issue("alice", &[Role::AuthPartner], &[], now, hour).unwrap();
    assert_eq!(answer_to(&app, &elsewhere).await, (401, "TOKEN_AUDIENCE".into()));

    let foreign = tempfile::tempdir().unwrap();
    let foreign = api::auth::DevelopmentIssuer::open(foreign.path(), "pms").unwrap();
    let foreign = foreign.issue("alice", &[Role::PartnerAdmin], &[], now, hour).unwrap();
    assert_eq!(answer_to(&app, &foreign).await, (401, "TOKEN_INVALID".into()));

    let payload = good.split('.').nth(1).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    assert_eq!(answer_to(&app, &unsigned).await, (401, "TOKEN_INVALID".into()));
    assert_eq!(answer_to(&app, "not.a.token").await, (401, "TOKEN_INVALID".into()));
    let nobody = issue_for(&app, "system");
    assert_eq!(answer_to(&app, &nobody).await, (401, "TOKEN_INVALID".into()));
}

fn issue_for(app: &App, subject: &str) -> String {
    let hour = TimeDelta::hours(1);
    app.issuer.issue(subject, &[Role::PartnerAdmin], &[], commands::now(), hour).unwrap()
}

#[tokio::test]
async fn without_a_token_nobody_learns_anything() {
    let app = App::start().await;
    let client = reqwest::Client::new();
    let response = client
        .post(app.url("/graphql"))
        .header("content-type", "application/json")
        .body(QUERY.to_vec())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "TOKEN_MISSING");
}

/// Mutations that name nothing of anybody else.
const FOR_ONESELF: [&str; 3] = ["registerPartner", "giveConsent", "withdrawConsent"];

/// Every mutation, with an input that names things of somebody else.
fn mutations(
    market: &Market,
    request: &str,
    key: &str,
    license: &str,
    client: &str,
) -> Vec<(&'static str, Value)> {
    let reason = "because";
    let partner = market.alice.partner.as_str();
    let (group, policy) = (market.group.as_str(), market.policy.as_str());
    let document = crate::support::actors::document();
    let content = |id: &str, of: &str| json!({id: of, "name": "n", "description": "d", "version": "1", "policies": document});
    let mut draft = content("policyGroupId", group);
    draft["policyType"] = json!("AUTH");
    let extractor = json!({"name": "n", "provider": "p", "version": "1", "modality": "FACE",
                           "attributeName": "a"});
    let trust = json!({"partnerDomain": "AUTH", "certificateData": market.authority.pem()});
    let trusted = json!({"trustCertificateId": "x", "reason": reason});
    let contact = json!({"partnerId": partner, "purpose": "SECURITY", "contactNumber": "1",
                         "emailId": "mallory@example.org"});
    let member = json!({"partnerId": partner, "subject": "mallory", "role": "MANAGER"});
    let created = json!({"partnerId": partner, "policyId": policy, "publicKey": "{}"});
    let sbi = json!({"providerId": partner, "swVersion": "1", "swBinaryHash": "ab".repeat(32),
                     "swCreateDateTime": "2026-01-01T00:00:00Z",
                     "swExpiryDateTime": "2030-01-01T00:00:00Z"});
    vec![
        ("suspendPartner", json!({"partnerId": partner, "reason": reason})),
        ("reactivatePartner", json!({"partnerId": partner, "reason": reason})),
        ("deactivatePartner", json!({"partnerId": partner, "reason": reason})),
        ("uploadPartnerCertificate", json!({"partnerId": partner, "certificateData": "x"})),
        (
            "revokePartnerCertificate",
            json!({"partnerId": partner, "fingerprint": "x", "reason": reason}),
        ),
        ("updatePartner", json!({"partnerId": partner, "langCode": "eng"})),
        ("setPartnerContact", contact),
        ("removePartnerContact", json!({"partnerId": partner, "purpose": "SECURITY"})),
        ("inviteMember", member.clone()),
        ("setMemberRole", member),
        ("removeMember", json!({"partnerId": partner, "subject": "mallory"})),
        ("selectPolicyGroup", json!({"partnerId": partner, "policyGroup": group})),
        (
            "movePartnerToPolicyGroup",
            json!({"partnerId": partner, "policyGroup": group, "reason": reason}),
        ),
        ("uploadTrustCertificate", trust),
        ("disableTrustCertificate", trusted.clone()),
        ("enableTrustCertificate", trusted.clone()),
        ("revokeTrustCertificate", trusted),
        ("attachCrl", json!({"trustCertificateId": "x", "crlData": "x"})),
        ("createPolicyGroup", json!({"name": "n", "description": "d"})),
        ("updatePolicyGroup", json!({"policyGroupId": group, "name": "n", "description": "d"})),
        ("deactivatePolicyGroup", json!({"policyGroupId": group, "reason": reason})),
        ("reactivatePolicyGroup", json!({"policyGroupId": group, "reason": reason})),
        ("createPolicy", draft),
        ("updateDraftPolicy", content("policyId", policy)),
        ("clonePolicy", json!({"policyId": policy, "policyGroupId": group, "name": "n"})),
        ("publishPolicy", json!({"policyId": policy})),
        ("deactivatePolicy", json!({"policyId": policy, "reason": reason})),
        ("discardDraftPolicy", json!({"policyId": policy, "reason": reason})),
        ("requestPolicy", json!({"partnerId": partner, "policyId": policy, "comment": "c"})),
        (
            "updateDraftPolicyRequest",
            json!({"policyRequestId": request, "comment": "c", "credentialType": "euin"}),
        ),
        ("submitPolicyRequest", json!({"policyRequestId": request})),
        ("approvePolicyRequest", json!({"policyRequestId": request})),
        ("rejectPolicyRequest", json!({"policyRequestId": request, "reason": reason})),
        ("withdrawPolicyRequest", json!({"policyRequestId": request})),
        ("revokePolicyRequest", json!({"policyRequestId": request, "reason": reason})),
        ("createExtractor", extractor),
        ("deleteExtractor", json!({"extractorId": "x", "reason": reason})),
        ("generateApiKey", json!({"partnerId": partner, "policyId": policy, "label": "l"})),
        ("rotateApiKey", json!({"apiKeyId": key})),
        ("setApiKeyExpiry", json!({"apiKeyId": key, "expiresAt": "2030-01-01T00:00:00Z"})),
        ("deactivateApiKey", json!({"apiKeyId": key, "reason": reason})),
        ("generateMispLicense", json!({"partnerId": partner, "label": "l"})),
        ("rotateMispLicense", json!({"mispLicenseId": license})),
        (
            "setMispLicenseExpiry",
            json!({"mispLicenseId": license, "expiresAt": "2030-01-01T00:00:00Z"}),
        ),
        ("deactivateMispLicense", json!({"mispLicenseId": license, "reason": reason})),
        ("addSbi", sbi),
        ("approveSbi", json!({"sbiId": "x"})),
        ("rejectSbi", json!({"sbiId": "x", "reason": reason})),
        ("deactivateSbi", json!({"sbiId": "x", "reason": reason})),
        ("addDevices", json!({"partnerId": partner, "devices": []})),
        ("linkDeviceToSbi", json!({"deviceId": "x", "sbiId": "x"})),
        ("unlinkDeviceFromSbi", json!({"deviceId": "x", "sbiId": "x"})),
        ("approveDevice", json!({"deviceId": "x"})),
        ("rejectDevice", json!({"deviceId": "x", "reason": reason})),
        ("deactivateDevice", json!({"deviceId": "x", "reason": reason})),
        ("addFtmChip", json!({"ftpProviderId": partner, "make": "m", "model": "m"})),
        ("uploadFtmChipCertificate", json!({"ftmChipId": "x", "certificateData": "x"})),
        ("approveFtmChip", json!({"ftmChipId": "x"})),
        ("rejectFtmChip", json!({"ftmChipId": "x", "reason": reason})),
        ("deactivateFtmChip", json!({"ftmChipId": "x", "reason": reason})),
        ("confirmProposal", json!({"proposalId": "x"})),
        ("refuseProposal", json!({"proposalId": "x", "reason": reason})),
        ("createOidcClient", of_client(created)),
        ("updateOidcClient", of_client(json!({"oidcClientId": client}))),
        ("rotateOidcClientKey", json!({"oidcClientId": client, "publicKey": "{}"})),
        ("retireOidcClientKey", json!({"oidcClientId": client, "keyId": "k", "reason": reason})),
        ("deactivateOidcClient", json!({"oidcClientId": client, "reason": reason})),
        ("approvePolicyRequests", json!({"rows": [{"policyRequestId": request}]})),
        ("rejectPolicyRequests", json!({"rows": [{"policyRequestId": request, "reason": reason}]})),
        ("approveSbis", json!({"rows": [{"sbiId": "x"}]})),
        ("rejectSbis", json!({"rows": [{"sbiId": "x", "reason": reason}]})),
        ("approveDevices", json!({"rows": [{"deviceId": "x"}]})),
        ("rejectDevices", json!({"rows": [{"deviceId": "x", "reason": reason}]})),
        ("approveFtmChips", json!({"rows": [{"ftmChipId": "x"}]})),
        ("rejectFtmChips", json!({"rows": [{"ftmChipId": "x", "reason": reason}]})),
    ]
}

fn of_client(mut input: Value) -> Value {
    input["name"] = json!("n");
    input["logoUri"] = json!("https://acme.example/logo.png");
    input["redirectUris"] = json!(["https://acme.example"]);
    input
}

#[tokio::test]
async fn every_mutation_is_guarded_against_strangers_and_readers() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let request = market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    let provider = market.provider().await;
    let (mia, policy) = (&provider.mia, Some(provider.policy.as_str()));
    let license = market.admin.generates_license(mia, policy, "one").await.unwrap().id;
    let (policy, _) = market.sign_in_policy(&market.alice).await;
    let client = market.alice.creates_client(&policy, &jwk::key("1")).await.unwrap().id;
    let before: i64 = app.installation.database.ask("select max(position) from events").await;

    let tried = mutations(&market, &request, &key, &license, &client);
    let not_found = [
        "API_KEY_NOT_FOUND",
        "FORBIDDEN",
        "OIDC_CLIENT_NOT_FOUND",
        "PARTNER_NOT_FOUND",
        "REQUEST_NOT_FOUND",
    ];
    for (mutation, input) in &tried {
        let mallory = app.partner("mallory").does(mutation, input.clone(), "position").await;
        assert!(not_found.contains(&mallory.codes().concat().as_str()), "{mutation}: {mallory:?}");
        let auditor = app.auditor().does(mutation, input.clone(), "position").await;
        assert_eq!(auditor.codes(), ["FORBIDDEN"], "{mutation}");
    }
    let after: i64 = app.installation.database.ask("select max(position) from events").await;
    assert_eq!(after, before);

    let introspection = "{ __schema { mutationType { fields { name } } } }";
    let known = app.admin().asks(introspection, json!({})).await;
    let fields = known.data()["__schema"]["mutationType"]["fields"].as_array().unwrap().clone();
    let unknown: Vec<&str> = fields
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .filter(|name| !FOR_ONESELF.contains(name) && tried.iter().all(|(it, _)| it != name))
        .collect();
    assert!(unknown.is_empty(), "not tried as a stranger: {unknown:?}");
}

#[tokio::test]
async fn a_stranger_gets_the_same_answer_for_what_is_not_his_as_for_what_does_not_exist() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let request = market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    let (policy, _) = market.sign_in_policy(&market.alice).await;
    let client = market.alice.creates_client(&policy, &jwk::key("1")).await.unwrap().id;
    let query = "query($p: ID!, $r: ID!, $k: ID!, $c: ID!) { partner(id: $p) { id }
        policyRequest(id: $r) { id } apiKey(id: $k) { id } oidcClient(id: $c) { id }
        partners { totalCount nodes { id } } policyRequests { totalCount } apiKeys { totalCount }
        oidcClients { totalCount } }";
    let mallory = app.partner("mallory");
    let real = json!({"p": market.alice.partner, "r": request, "k": key, "c": client});
    let real = mallory.asks(query, real).await;
    let invented = json!({"p": "no", "r": "no", "k": "no", "c": "no"});
    let invented = mallory.asks(query, invented).await;
    assert_eq!(real.data(), invented.data());
    assert_eq!(real.data()["partners"]["totalCount"], 0);

    let own = app.partner("alice").asks("{ partners { nodes { id } } }", json!({})).await;
    assert_eq!(own.data()["partners"]["nodes"], json!([{"id": market.alice.partner}]));
}

#[tokio::test]
async fn policy_managers_see_who_asks_but_not_how_to_reach_them() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.alice.requests(&market.policy).await.unwrap();
    let query = "{ policyRequests { nodes { partner { organizationName contact { emailId } } } } }";
    let told = app.policy_manager().asks(query, json!({})).await;
    assert_eq!(told.codes(), ["FORBIDDEN"]);
    let partner = &told.body["data"]["policyRequests"]["nodes"][0]["partner"];
    assert_eq!(partner["organizationName"], json!(market.alice.organization()));
    assert!(partner["contact"].is_null());
}

#[tokio::test]
async fn drafts_are_for_those_who_write_them() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let draft = market.manager.drafts(&market.group, "Draft").await.unwrap().id;
    let query = "query($id: ID!) { policy(id: $id) { id } policies { nodes { name } } }";
    let partner = app.partner("alice").asks(query, json!({"id": draft})).await;
    assert_eq!(*partner.data(), json!({"policy": null, "policies": {"nodes": [{"name": "KYC"}]}}));
    let manager = app.policy_manager().asks(query, json!({"id": draft})).await;
    assert_eq!(manager.data()["policy"]["id"], json!(draft));
}
