//! The main job, over HTTP: from nothing to an approved partner with an API key, and its end.

use crate::support::certificates::Authority;
use crate::support::http::{Answer, App, Caller};
use projections::rebuild::{dump, rebuild};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use std::process::Command;

const ACME: &str = "Acme Bank";

#[tokio::test]
async fn from_an_empty_system_to_a_key_that_dies_with_its_partner_and_a_history_of_all_of_it() {
    let app = App::start().await;
    let (root, intermediate) = trusted_authorities(&app).await;
    let group = creates_banking(&app.policy_manager()).await;
    let policy = publishes_after_being_told_both_errors(&app.policy_manager(), &group).await;

    let alice = app.partner("alice");
    registers(&alice, "acme", ACME, &group).await;
    is_refused_with_wrong_certificates(&alice, &intermediate).await;
    let signed = becomes_active(&alice, &intermediate).await;
    openssl_accepts(&signed, &app);

    let request = requests(&alice, &policy).await;
    let again = alice.does("requestPolicy", request_input(&policy), "policyRequest { id }").await;
    assert_eq!(again.findings(), ["policyId: POLICY_ALREADY_REQUESTED"]);
    approves(&app.admin(), &request).await;
    let key = sees_the_key_once(&alice, &policy).await;

    let reason = "Fraud was found";
    let input = json!({"partnerId": "acme", "reason": reason});
    let ended = app.admin().does("deactivatePartner", input, "partner { status } position").await;
    assert_eq!(ended.payload()["partner"]["status"], "DEACTIVATED");
    the_key_died_with_the_partner(&alice, &key).await;

    history_tells_all_of_it(&app, reason).await;
    a_partner_reads_only_its_own_part(&app, &root).await;
    the_rebuilt_tables_are_equal(&app).await;
}

/// A root with an RSA key and an intermediate below it; and another root with an ECDSA key.
async fn trusted_authorities(app: &App) -> (Authority, Authority) {
    let root = Authority::rsa_root("AUTH Root");
    let intermediate = root.intermediate("AUTH Issuing CA");
    let other = Authority::root("AUTH Root 2");
    for authority in [&root, &intermediate, &other] {
        let input = json!({"partnerDomain": "AUTH", "certificateData": authority.pem()});
        let selection = "trustCertificate { status kind issuedTo }";
        let uploaded = app.admin().does("uploadTrustCertificate", input, selection).await;
        assert_eq!(uploaded.payload()["trustCertificate"]["status"], "ACTIVE");
    }
    (root, intermediate)
}

async fn creates_banking(manager: &Caller<'_>) -> String {
    let input = json!({"name": "Banking", "description": "Banks and the like"});
    let created = manager.does("createPolicyGroup", input, "policyGroup { id status }").await;
    assert_eq!(created.payload()["policyGroup"]["status"], "ACTIVE");
    id(&created, "policyGroup")
}

async fn publishes_after_being_told_both_errors(manager: &Caller<'_>, group: &str) -> String {
    let draft = |policies: Value| {
        json!({"policyGroupId": group, "policyType": "AUTH", "name": "eKYC", "version": "1.0",
               "description": "Open accounts", "policies": policies})
    };
    let wrong = json!({"authTokenType": "weekly", "allowedKycAttributes": []});
    let refused = manager.does("createPolicy", draft(wrong), "policy { id }").await;
    assert_eq!(
        refused.findings(),
        [
            "policies.allowedAuthTypes: POLICY_PROPERTY_MISSING",
            "policies.authTokenType: POLICY_VALUE_NOT_ALLOWED"
        ]
    );
    let right = json!({"authTokenType": "policy", "allowedKycAttributes": [],
                       "allowedAuthTypes": [{"authType": "otp", "mandatory": false}]});
    let created = manager.does("createPolicy", draft(right), "policy { id status }").await;
    assert_eq!(created.payload()["policy"]["status"], "DRAFT");
    let policy = id(&created, "policy");
    let input = json!({"policyId": policy});
    let published = manager.does("publishPolicy", input, "policy { status publishedAt }").await;
    assert_eq!(published.payload()["policy"]["status"], "PUBLISHED");
    policy
}

async fn registers(who: &Caller<'_>, partner: &str, organization: &str, group: &str) {
    let input = json!({
        "partnerId": partner, "organizationName": organization, "partnerType": "AUTH_PARTNER",
        "policyGroup": group, "address": "1 Main Street", "contactNumber": "+1 555 0100",
        "emailId": format!("office@{partner}.example"),
    });
    let selection = "partner { status contact { emailId } policyGroup { name } }";
    let registered = who.does("registerPartner", input, selection).await;
    let partner = &registered.payload()["partner"];
    assert_eq!(partner["status"], "REGISTERED");
    assert_eq!(partner["policyGroup"]["name"], "Banking");
    assert!(partner["contact"]["emailId"].as_str().unwrap().starts_with("office@"));
}

/// Each refusal says which certificate is meant and why.
async fn is_refused_with_wrong_certificates(alice: &Caller<'_>, trusted: &Authority) {
    let foreign = uploads(alice, &trusted.leaf("Other Bank").pem()).await;
    assert_eq!(foreign.findings(), ["certificateData: ORG_MISMATCH"]);
    let said = foreign.errors().next().unwrap()["params"].to_string();
    assert!(said.contains(ACME) && said.contains("Other Bank"), "{said}");

    let stranger = Authority::root("Nobody's Root");
    let untrusted = uploads(alice, &stranger.leaf(ACME).pem()).await;
    assert_eq!(untrusted.findings(), ["certificateData: ISSUER_UNKNOWN"]);
    let said = untrusted.errors().next().unwrap()["params"]["subject"].to_string();
    assert!(said.contains(ACME), "{said}");
}

async fn uploads(who: &Caller<'_>, pem: &str) -> Answer {
    let input = json!({"partnerId": "acme", "certificateData": pem});
    let selection = "partner { status certificates { signedCertificateData } }";
    who.does("uploadPartnerCertificate", input, selection).await
}

async fn becomes_active(alice: &Caller<'_>, authority: &Authority) -> String {
    let accepted = uploads(alice, &authority.rsa_leaf(ACME).pem()).await;
    let partner = &accepted.payload()["partner"];
    assert_eq!(partner["status"], "ACTIVE");
    partner["certificates"][0]["signedCertificateData"].as_str().unwrap().to_owned()
}

fn openssl_accepts(signed: &str, app: &App) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-CAfile"])
        .arg(file("ca.pem", &app.node.keys().issuer().unwrap().certificate.pem()))
        .arg(file("signed.pem", signed))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

fn request_input(policy: &str) -> Value {
    json!({"partnerId": "acme", "policyId": policy, "comment": "We open accounts"})
}

async fn requests(alice: &Caller<'_>, policy: &str) -> String {
    let asked = alice.does("requestPolicy", request_input(policy), "policyRequest { id }").await;
    id(&asked, "policyRequest")
}

async fn approves(admin: &Caller<'_>, request: &str) {
    let input = json!({"policyRequestId": request, "comment": "Welcome"});
    let selection = "policyRequest { status decidedBy decisionReason partner { id } }";
    let approved = admin.does("approvePolicyRequest", input, selection).await;
    let expected = json!({"status": "APPROVED", "decidedBy": "admin", "decisionReason": "Welcome",
                          "partner": {"id": "acme"}});
    assert_eq!(approved.payload()["policyRequest"], expected);
}

/// Shown once; not again under the same idempotency key, and nowhere that can be read.
async fn sees_the_key_once(alice: &Caller<'_>, policy: &str) -> String {
    let input = json!({"partnerId": "acme", "policyId": policy, "label": "branch",
                       "idempotencyKey": "first key"});
    let selection = "secret apiKey { id lookupId lastFour status }";
    let first = alice.does("generateApiKey", input.clone(), selection).await;
    let secret = first.payload()["secret"].as_str().unwrap().to_owned();
    let key = &first.payload()["apiKey"];
    assert!(secret.starts_with("pmk_test_") && secret.contains(key["lookupId"].as_str().unwrap()));

    let again = alice.does("generateApiKey", input, selection).await;
    assert_eq!(again.codes(), ["SECRET_ALREADY_SHOWN"]);
    assert_eq!(again.body["payload"]["apiKey"]["id"], key["id"]);
    assert!(again.body["payload"]["secret"].is_null());

    let everything = alice.asks(
        "{ apiKeys { nodes { id label lookupId lastFour } }
        history(first: 200) { nodes { data } } }",
        json!({}),
    );
    assert!(!everything.await.data().to_string().contains(&secret));
    key["id"].as_str().unwrap().to_owned()
}

async fn the_key_died_with_the_partner(alice: &Caller<'_>, key: &str) {
    let query = "query($id: ID!) { apiKey(id: $id) { status statusReason } }";
    let shown = alice.asks(query, json!({"id": key})).await;
    let expected = json!({"status": "DEACTIVATED", "statusReason": "Fraud was found"});
    assert_eq!(shown.data()["apiKey"], expected);
}

const HISTORY: &str = "query($filter: HistoryFilter) { history(filter: $filter, first: 200) {
    nodes { position at noun id event actor roles reason causationId correlationId } } }";

async fn history_tells_all_of_it(app: &App, reason: &str) {
    let all = app.auditor().asks(HISTORY, json!({"filter": {"partnerId": "acme"}})).await;
    let told: Vec<(String, String, Value)> = all.data()["history"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let what =
                format!("{} {}", it["noun"].as_str().unwrap(), it["event"].as_str().unwrap());
            (what, it["actor"].as_str().unwrap().to_owned(), it["reason"].clone())
        })
        .collect();
    let expected = [
        ("partner registered", "alice", Value::Null),
        ("partner signing_intended", "alice", Value::Null),
        ("partner certificate_accepted", "alice", Value::Null),
        ("partner activated", "alice", Value::Null),
        ("policy_request submitted", "alice", json!("We open accounts")),
        ("policy_request approved", "admin", json!("Welcome")),
        ("api_key generated", "alice", Value::Null),
        ("partner deactivated", "admin", json!(reason)),
        ("api_key deactivated", "admin", json!(reason)),
        ("policy_request revoked", "admin", json!(reason)),
    ];
    let expected = expected.map(|(what, who, why)| (what.to_owned(), who.to_owned(), why));
    assert_eq!(told, expected);
    let nodes = all.data()["history"]["nodes"].as_array().unwrap();
    let end = &nodes[7];
    assert!(nodes[8..].iter().all(|it| it["correlationId"] == end["correlationId"]));
    assert!(nodes[8..].iter().all(|it| it["causationId"] == json!("partner/acme#5")));
}

async fn a_partner_reads_only_its_own_part(app: &App, root: &Authority) {
    let own = app.partner("alice").asks(HISTORY, json!({})).await;
    let own = own.data()["history"]["nodes"].as_array().unwrap().clone();
    assert_eq!(own.len(), 10);
    assert!(own.iter().all(|it| it["noun"] != "policy" && it["noun"] != "trust_certificate"));
    let stranger = app.partner("mallory").asks(HISTORY, json!({})).await;
    assert_eq!(stranger.data()["history"]["nodes"], json!([]));
    let about = json!({"filter": {"partnerId": "acme"}});
    let stranger = app.partner("mallory").asks(HISTORY, about).await;
    assert_eq!(stranger.data()["history"]["nodes"], json!([]));
    let everything = app.auditor().asks(HISTORY, json!({})).await;
    assert!(everything.data()["history"]["nodes"].as_array().unwrap().len() > own.len());
    assert!(!everything.body.to_string().contains(&root.pem()));
}

async fn the_rebuilt_tables_are_equal(app: &App) {
    let database = &app.installation.database;
    let owner = database.owner_pool();
    let live = dump(&owner).await.unwrap();
    rebuild(&mut database.owner().connect().await.unwrap(), |_| {}).await.unwrap();
    assert_eq!(dump(&owner).await.unwrap(), live);
    owner.close().await;
}

fn id(answer: &Answer, noun: &str) -> String {
    answer.payload()[noun]["id"].as_str().unwrap().to_owned()
}
