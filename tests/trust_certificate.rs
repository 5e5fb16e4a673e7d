//! Certificates that are trusted: uploaded in bundles, disabled, revoked, taken back by their CAs, and
//! what that means for everything below them.

use crate::support::actors::{Makers, Market, ftm_provider, partner};
use crate::support::certificates::Authority;
use crate::support::commands::{Installation, codes};
use crate::support::http::{Answer, App, Caller};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::actor::Role;
use domain::certificate::Certificate;
use domain::reference::TrustDomain;
use serde_json::{Value, json};
use std::process::Command;

const UPLOADED: &str = "trustCertificate { id } results { index added
    trustCertificate { id issuedTo kind status } } proposal { id target } position";

async fn uploads(who: &Caller<'_>, domain: &str, data: &str) -> Answer {
    let input = json!({"partnerDomain": domain, "certificateData": data});
    who.does("uploadTrustCertificate", input, UPLOADED).await
}

fn ids(uploaded: &Answer) -> Vec<String> {
    let results = uploaded.payload()["results"].as_array().unwrap();
    results.iter().map(|it| it["trustCertificate"]["id"].as_str().unwrap().to_owned()).collect()
}

async fn count_events(app: &App) -> i64 {
    app.installation.database.ask("select count(*) from events").await
}

/// A root, a CA below it, and an issuing CA.
fn three() -> [Authority; 3] {
    let root = Authority::root("Root");
    let middle = root.intermediate("Middle");
    let issuing = middle.intermediate("Issuing");
    [root, middle, issuing]
}

/// The root last.
fn reversed([root, middle, issuing]: &[Authority; 3]) -> String {
    [issuing.pem(), middle.pem(), root.pem()].join("between the blocks there may be words\n")
}

#[tokio::test]
async fn a_bundle_in_reverse_order_is_trusted_at_once_and_again_changes_nothing() {
    let (app, chain) = (App::start().await, three());
    let admin = app.admin();
    let uploaded = uploads(&admin, "AUTH", &reversed(&chain)).await;
    let told = |added: bool| {
        let one = |index: usize, name: &str, kind: &str| {
            let subject = format!("CN={name},O={name}");
            json!({"index": index, "added": added, "subject": subject, "kind": kind})
        };
        vec![
            one(0, "Issuing", "INTERMEDIATE"),
            one(1, "Middle", "INTERMEDIATE"),
            one(2, "Root", "ROOT"),
        ]
    };
    let short = |answer: &Answer| -> Vec<Value> {
        let results = answer.payload()["results"].as_array().unwrap().clone();
        let short = |it: &Value| {
            json!({"index": it["index"], "added": it["added"],
                   "subject": it["trustCertificate"]["issuedTo"],
                   "kind": it["trustCertificate"]["kind"]})
        };
        results.iter().map(short).collect()
    };
    assert_eq!(short(&uploaded), told(true));
    assert_eq!(uploaded.payload()["trustCertificate"]["id"], json!(ids(&uploaded)[0]));
    let streams = "select count(distinct aggregate_id) from events where event_type = 'uploaded'";
    assert_eq!(app.installation.database.ask::<i64>(streams).await, 3);
    let raised = "select version from fences where name = 'trust/AUTH'";
    let version: i64 = app.installation.database.ask(raised).await;
    assert_eq!(version, 1, "the set has changed once");

    let before = count_events(&app).await;
    let again = uploads(&admin, "AUTH", &reversed(&chain)).await;
    assert_eq!((short(&again), ids(&again)), (told(false), ids(&uploaded)));
    assert_eq!(count_events(&app).await, before);
    let more = format!("{}{}", chain[0].pem(), chain[2].intermediate("Deeper").pem());
    let refused = uploads(&admin, "AUTH", &more).await;
    assert_eq!(refused.findings(), ["certificateData[1]: PATH_LENGTH"]);
    let twice = uploads(&admin, "DEVICE", &chain[0].pem().repeat(2)).await;
    let added: Vec<&Value> =
        twice.payload()["results"].as_array().unwrap().iter().map(|it| &it["added"]).collect();
    assert_eq!(added, [true, false]);
}

#[tokio::test]
async fn one_certificate_that_is_refused_refuses_all_and_each_is_told() {
    let (app, [root, middle, issuing]) = (App::start().await, three());
    let stranger = Authority::root("Stranger").intermediate("Orphan");
    let torn = middle.pem().replace("-----END", "!\n-----END");
    let leaf = issuing.leaf("Acme").pem();
    let bundle = [leaf, root.pem(), torn, stranger.pem()].concat();
    let refused = uploads(&app.admin(), "AUTH", &bundle).await;
    let findings = [
        "certificateData[0]: CA_KEY_USAGE",
        "certificateData[0]: ISSUER_UNKNOWN",
        "certificateData[0]: NOT_A_CA",
        "certificateData[2]: CERT_FORMAT",
        "certificateData[3]: ISSUER_UNKNOWN",
    ];
    assert_eq!(refused.findings(), findings);
    assert_eq!(count_events(&app).await, 0);

    let with_leaf = [issuing.leaf("Acme").pem(), reversed(&[root, middle, issuing])].concat();
    let refused = uploads(&app.admin(), "AUTH", &with_leaf).await;
    let findings = ["certificateData[0]: CA_KEY_USAGE", "certificateData[0]: NOT_A_CA"];
    assert_eq!(refused.findings(), findings);
    assert_eq!(count_events(&app).await, 0);
}

#[tokio::test]
async fn the_same_upload_under_one_key_is_told_in_the_same_way() {
    let (app, chain) = (App::start().await, three());
    let admin = app.admin();
    uploads(&admin, "AUTH", &chain[0].pem()).await.payload();
    let input = json!({"partnerDomain": "AUTH", "certificateData": reversed(&chain),
                       "idempotencyKey": "chain"});
    let first = admin.does("uploadTrustCertificate", input.clone(), UPLOADED).await;
    let again = admin.does("uploadTrustCertificate", input, UPLOADED).await;
    assert_eq!(first.payload(), again.payload());
    let added = |at: usize| first.payload()["results"][at]["added"].clone();
    assert_eq!([added(0), added(1), added(2)], [true, true, false]);
}

#[tokio::test]
async fn a_chain_is_handed_out_as_openssl_reads_it_and_comes_back_as_it_is() {
    let (app, chain) = (App::start().await, three());
    let admin = app.admin();
    let uploaded = uploads(&admin, "AUTH", &reversed(&chain)).await;
    let query =
        "query($id: ID!) { trustCertificate(id: $id) { chain { issuedTo } chainPem chainP7b } }";
    let asked = admin.asks(query, json!({"id": ids(&uploaded)[0]})).await;
    let told = &asked.data()["trustCertificate"];
    let names =
        ["Issuing", "Middle", "Root"].map(|it| json!({"issuedTo": format!("CN={it},O={it}")}));
    assert_eq!(told["chain"], json!(names));
    let [root, middle, issuing] = &chain;
    assert_eq!(told["chainPem"], json!([issuing.pem(), middle.pem(), root.pem()].concat()));

    let p7b = told["chainP7b"].as_str().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), BASE64_STANDARD.decode(p7b).unwrap()).unwrap();
    let openssl = Command::new("openssl")
        .args(["pkcs7", "-inform", "DER", "-print_certs", "-in"])
        .arg(file.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(openssl.stdout).unwrap();
    let certificates = printed.split_inclusive("-----END CERTIFICATE-----\n");
    let blocks = certificates.filter_map(|it| Some(&it[it.find("-----BEGIN CERTIFICATE-----")?..]));
    let blocks: Vec<String> = blocks.map(ToOwned::to_owned).collect();
    assert_eq!(blocks, [issuing.pem(), middle.pem(), root.pem()]);

    let marked = format!("-----BEGIN PKCS7-----\n{p7b}\n-----END PKCS7-----\n");
    for (domain, form) in [("DEVICE", p7b), ("FTM", marked.as_str())] {
        let back = uploads(&admin, domain, form).await;
        assert_eq!(ids(&back).len(), 3, "{domain}");
    }
}

/// A market in which Alice's certificate was issued by the last of a chain of three.
struct Chained {
    app: App,
    market: Market,
    chain: [Authority; 3],
    /// Of root, middle and issuing CA.
    ids: [String; 3],
    leaf: Certificate,
}

impl Chained {
    async fn start() -> Self {
        let (app, chain) = (App::start().await, three());
        let market = Market::open(&app.node).await;
        let uploaded = uploads(&app.admin(), "AUTH", &reversed(&chain)).await;
        let ids = ids(&uploaded);
        let leaf = chain[2].leaf(&market.alice.organization());
        market.alice.uploads(&leaf).await.unwrap();
        let [issuing, middle, root] = ids.try_into().unwrap();
        Self { app, market, chain, ids: [root, middle, issuing], leaf }
    }

    /// Why root, middle, issuing CA and Alice's certificate are not trusted.
    async fn reasons(&self) -> [Value; 4] {
        let query = "query($root: ID!, $middle: ID!, $issuing: ID!, $alice: ID!) {
            root: trustCertificate(id: $root) { trusted untrustedReason }
            middle: trustCertificate(id: $middle) { trusted untrustedReason }
            issuing: trustCertificate(id: $issuing) { trusted untrustedReason }
            partner(id: $alice) { certificates { chainStatus { trusted untrustedReason } } } }";
        let [root, middle, issuing] = &self.ids;
        let alice = &self.market.alice.partner;
        let ids = json!({"root": root, "middle": middle, "issuing": issuing, "alice": alice});
        let asked = self.app.admin().asks(query, ids).await;
        let data = asked.data();
        let newest = &data["partner"]["certificates"][0]["chainStatus"];
        [&data["root"], &data["middle"], &data["issuing"], newest].map(|it| {
            assert_eq!(it["trusted"], it["untrustedReason"].is_null());
            it["untrustedReason"].clone()
        })
    }

    async fn are(&self, expected: [&str; 4]) {
        let expected = expected.map(|it| if it.is_empty() { Value::Null } else { json!(it) });
        assert_eq!(self.reasons().await, expected);
    }

    /// What a new partner is told that comes with a certificate of the issuing CA.
    async fn newcomer(&self, name: &str) -> Vec<&'static str> {
        let bob = partner(&self.app.node, name);
        bob.registers(&self.market.group).await.unwrap();
        let uploaded = bob.uploads(&self.chain[2].leaf(&bob.organization())).await;
        if uploaded.is_ok() { Vec::new() } else { codes(uploaded) }
    }

    async fn previews(&self, field: &str, mut input: Value) -> (Vec<String>, i64) {
        let mut name = field.to_owned();
        name[..1].make_ascii_uppercase();
        let query = format!(
            "query($input: {name}Input!) {{ preview {{ {field}(input: $input) {{
             changes {{ event }} affected {{ noun id }} affectedCount }} }} }}"
        );
        input["reason"] = if field == "attachCrl" { Value::Null } else { json!("Key ceremony") };
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let told = self.app.admin().asks(&query, json!({"input": input})).await;
        let told = &told.data()["preview"][field];
        let text = |it: &Value| format!("{} {}", it["noun"], it["id"]).replace('"', "");
        let affected = told["affected"].as_array().unwrap().iter().map(text).collect();
        (affected, told["affectedCount"].as_i64().unwrap())
    }
}

#[tokio::test]
async fn what_lies_below_a_disabled_certificate_follows_at_once_and_comes_back_with_it() {
    let it = Chained::start().await;
    it.are(["", "", "", ""]).await;
    let [root, middle, issuing] = &it.ids;
    it.market.admin.disables(middle).await.unwrap();
    it.are(["", "DISABLED", "ISSUER_DISABLED", "ISSUER_DISABLED"]).await;
    assert_eq!(it.newcomer("bob").await, ["ISSUER_UNKNOWN"]);
    it.market.admin.disables(root).await.unwrap();
    it.are(["DISABLED", "DISABLED", "ISSUER_DISABLED", "ISSUER_DISABLED"]).await;
    it.market.admin.enables(middle).await.unwrap();
    it.are(["DISABLED", "ISSUER_DISABLED", "ISSUER_DISABLED", "ISSUER_DISABLED"]).await;
    it.market.admin.enables(root).await.unwrap();
    it.are(["", "", "", ""]).await;
    assert_eq!(it.newcomer("carol").await, [""; 0]);

    let query = "query($id: ID!) { trustCertificate(id: $id) { usedByCount } }";
    let auditor = it.app.auditor();
    for id in [root, middle, issuing] {
        let used = auditor.asks(query, json!({"id": id})).await;
        assert_eq!(used.data()["trustCertificate"]["usedByCount"], 2, "alice and carol");
    }
}

#[tokio::test]
async fn what_was_revoked_is_never_trusted_again() {
    let it = Chained::start().await;
    let (admin, middle) = (it.app.admin(), &it.ids[1]);
    let input = json!({"trustCertificateId": middle, "reason": "The key was lost"});
    let selection =
        "trustCertificate { version status statusReason allowedActions { action reasonCode } }";
    let revoked = admin.does("revokeTrustCertificate", input.clone(), selection).await;
    let told = &revoked.payload()["trustCertificate"];
    assert_eq!(
        (&told["status"], &told["statusReason"]),
        (&json!("REVOKED"), &json!("The key was lost"))
    );
    let codes = told["allowedActions"].as_array().unwrap();
    for action in ["enableTrustCertificate", "disableTrustCertificate", "attachCrl"] {
        let reason = &codes.iter().find(|it| it["action"] == action).unwrap()["reasonCode"];
        assert_eq!(*reason, "TRUST_CERTIFICATE_REVOKED");
        let input = match action {
            "attachCrl" => {
                json!({"trustCertificateId": middle, "crlData": it.chain[1].takes_back(1, &[])})
            }
            _ => input.clone(),
        };
        let refused = admin.does(action, input, "position").await;
        assert_eq!(refused.findings(), ["trustCertificateId: TRUST_CERTIFICATE_REVOKED"]);
    }
    let again = admin.does("revokeTrustCertificate", input, selection).await;
    assert_eq!(again.payload(), revoked.payload());
    it.are(["", "REVOKED", "ISSUER_REVOKED", "ISSUER_REVOKED"]).await;
    assert_eq!(it.newcomer("bob").await, ["ISSUER_UNKNOWN"]);
    let uploaded = uploads(&admin, "AUTH", &it.chain[1].pem()).await;
    assert_eq!(uploaded.payload()["results"][0]["added"], false);
    it.are(["", "REVOKED", "ISSUER_REVOKED", "ISSUER_REVOKED"]).await;
}

#[tokio::test]
async fn what_a_list_takes_back_is_refused_and_what_was_accepted_shows_it_at_once() {
    let it = Chained::start().await;
    let (admin, issuing) = (it.app.admin(), &it.ids[2]);
    let bob = partner(&it.app.node, "bob");
    bob.registers(&it.market.group).await.unwrap();
    let bobs = it.chain[2].leaf(&bob.organization());
    let selection =
        "trustCertificate { version crlNumber crlThisUpdate crlNextUpdate crlRevokedCount }";
    let attach = async |crl: String| {
        let input = json!({"trustCertificateId": issuing, "crlData": crl});
        admin.does("attachCrl", input, selection).await
    };
    let second = it.chain[2].takes_back(2, &[&it.leaf, &bobs]);
    let attached = attach(second.clone()).await;
    let told = &attached.payload()["trustCertificate"];
    assert_eq!((&told["crlNumber"], &told["crlRevokedCount"]), (&json!("02"), &json!(2)));
    assert!(told["crlNextUpdate"].is_string() && told["crlThisUpdate"].is_string());
    it.are(["", "", "", "REVOKED"]).await;
    assert_eq!(codes(bob.uploads(&bobs).await), ["CERTIFICATE_REVOKED"]);
    assert_eq!(it.newcomer("carol").await, [""; 0]);

    let again = attach(second).await;
    assert_eq!(again.payload()["trustCertificate"]["version"], told["version"]);
    let older = attach(it.chain[2].takes_back(1, &[])).await;
    assert_eq!(older.findings(), ["crlData: CRL_OLDER"]);
    let foreign = attach(it.chain[1].takes_back(3, &[])).await;
    assert_eq!(foreign.findings(), ["crlData: CRL_NOT_BY_THIS_CA"]);

    attach(it.chain[2].takes_back(256, &[&bobs])).await.payload();
    it.are(["", "", "", ""]).await;
    let above = it.chain[0].takes_back(1, &[it.chain[1].certificate()]);
    it.market.admin.attaches(&it.ids[0], &above).await.unwrap();
    it.are(["", "REVOKED", "ISSUER_REVOKED", "ISSUER_REVOKED"]).await;
    assert_eq!(it.newcomer("dave").await, ["CERTIFICATE_REVOKED"]);
}

#[tokio::test]
async fn a_preview_tells_who_would_be_affected() {
    let it = Chained::start().await;
    let [root, middle, issuing] = &it.ids;
    let alice = format!("partner {}", it.market.alice.partner);
    let ca = |id: &String| format!("trust_certificate {id}");
    let mut below = vec![ca(middle), ca(issuing)];
    below.sort_unstable();
    below.push(alice.clone());
    let before = count_events(&it.app).await;
    for command in ["disableTrustCertificate", "revokeTrustCertificate"] {
        let told = it.previews(command, json!({"trustCertificateId": root})).await;
        assert_eq!(told, (below.clone(), 3));
    }
    let told = it.previews("disableTrustCertificate", json!({"trustCertificateId": issuing})).await;
    assert_eq!(told, (vec![alice.clone()], 1));
    let crl = async |at: usize, struck: &[&Certificate]| {
        let crl = it.chain[at].takes_back(1, struck);
        let input = json!({"trustCertificateId": it.ids[at], "crlData": crl});
        it.previews("attachCrl", input).await
    };
    let middle_alone = [it.chain[1].certificate()];
    assert_eq!(crl(0, &middle_alone).await, (below, 3));
    assert_eq!(crl(2, &[&it.leaf]).await, (vec![alice], 1));
    assert_eq!(crl(2, &middle_alone).await, (vec![], 0));
    assert_eq!(count_events(&it.app).await, before);
    it.market.admin.deactivates(&it.market.alice.partner).await.unwrap();
    let told = it.previews("disableTrustCertificate", json!({"trustCertificateId": issuing})).await;
    assert_eq!(told, (vec![], 0), "who has ended uses nothing");
}

#[tokio::test]
async fn chips_rest_on_what_is_trusted_for_chips() {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    let chip = makers.fred.certified_chip("C 1", &makers.chip_authority).await;
    let authority = &makers.chip_authority;
    let elsewhere = makers.admin.trusts_for(TrustDomain::Auth, authority).await.unwrap().id;
    let trusted = makers.admin.trusts_for(TrustDomain::Ftm, authority).await.unwrap().id;
    let query = "query($id: ID!, $chip: ID!) { trustCertificate(id: $id) { usedByCount }
        ftmChip(id: $chip) { certificates { chainStatus { untrustedReason } } } }";
    let ask = async |id: &str| {
        let asked = app.admin().asks(query, json!({"id": id, "chip": chip})).await;
        let data = asked.data();
        let status = &data["ftmChip"]["certificates"][0]["chainStatus"]["untrustedReason"];
        (data["trustCertificate"]["usedByCount"].clone(), status.clone())
    };
    assert_eq!(ask(&trusted).await, (json!(2), Value::Null), "fred and the chip");
    makers.admin.disables(&elsewhere).await.unwrap();
    assert_eq!(ask(&elsewhere).await, (json!(0), Value::Null), "another domain");
    makers.admin.disables(&trusted).await.unwrap();
    assert_eq!(ask(&trusted).await, (json!(2), json!("ISSUER_DISABLED")));
    let gina = ftm_provider(&app.node, "gina");
    assert_eq!(codes(gina.adds_chip("C 2").await), ["PARTNER_NOT_FOUND"]);
}

#[tokio::test]
async fn a_bundle_with_a_new_root_is_one_proposal_and_too_large_a_one_is_refused() {
    let installation = Installation::new().await;
    let node = installation.node().with_four_eyes(true);
    let (app, chain) = (App::over(installation, node).await, three());
    let admin = app.admin();
    let wished = uploads(&admin, "AUTH", &reversed(&chain)).await;
    let payload = wished.payload();
    assert_eq!((&payload["results"], &payload["trustCertificate"]), (&json!([]), &Value::Null));
    assert_eq!(payload["proposal"]["target"], "CN=Root,O=Root");
    assert_eq!(count_events(&app).await, 1);
    let input = json!({"proposalId": payload["proposal"]["id"]});
    let second = app.person("second", Role::PartnerAdmin);
    second.does("confirmProposal", input, "proposal { status }").await.payload();
    let known = uploads(&admin, "AUTH", &reversed(&chain)).await;
    assert_eq!(ids(&known).len(), 3);
    assert!(known.payload()["proposal"].is_null());

    let padding = "x".repeat(60_000);
    let large = [Authority::root("Other").pem(), padding.clone(), chain[1].pem()].concat();
    let refused = uploads(&admin, "AUTH", &large).await;
    assert_eq!(refused.findings(), ["certificateData: PROPOSAL_TOO_LARGE"]);
    let large = [chain[0].intermediate("New").pem(), padding, chain[1].pem()].concat();
    let at_once = uploads(&admin, "AUTH", &large).await;
    assert_eq!(at_once.payload()["results"][0]["added"], true, "no second person is needed");
}
