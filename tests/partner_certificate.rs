//! Certificates of a partner, over HTTP: renewed with an overlap, told for ever, revoked, checked
//! before they are sent, and sent with a proof that the private key is there.

use crate::support::actors::{Makers, Market, Person, partner};
use crate::support::commands::{Installation, codes};
use crate::support::http::{Answer, App, Caller};
use ::commands::partner::ProofOfPossession;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::actor::{MemberRole, Role};
use domain::certificate::Certificate;
use projections::fold::find;
use projections::ftm_chip;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const SHOWN: &str = "query($id: ID!, $at: DateTime, $asOf: AsOf) { partner(id: $id, asOf: $asOf) {
    status certificateFingerprint certificateExpiresAt certificates {
        fingerprint subject issuer serialNumber notBefore notAfter uploadedAt validUntil supersededAt
        revokedAt revocationReason status(at: $at) certificateData signedCertificateData
        signedChainP7b signedExpiresAt } } }";

async fn shown(who: &Caller<'_>, alice: &Person, at: Option<DateTime<Utc>>) -> Value {
    let asked = who.asks(SHOWN, json!({"id": alice.partner, "at": at})).await;
    asked.data()["partner"].clone()
}

/// What each certificate is at an instant, newest first.
async fn statuses(who: &Caller<'_>, alice: &Person, at: Option<DateTime<Utc>>) -> Vec<String> {
    let partner = shown(who, alice, at).await;
    let all = partner["certificates"].as_array().unwrap();
    all.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect()
}

async fn uploads(who: &Caller<'_>, alice: &Person, pem: &str, until: Value) -> Answer {
    let input = json!({"partnerId": alice.partner, "certificateData": pem, "overlapUntil": until});
    who.does("uploadPartnerCertificate", input, "partner { version } position").await
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_certificate_is_renewed_with_an_overlap_revoked_and_told_for_ever() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (person, alice) = (&market.alice, app.partner("alice"));
    let now = ::commands::now();
    let in_days = |days| now + TimeDelta::days(days);
    let long = uploads(&alice, person, "x", json!(in_days(91))).await;
    assert_eq!(long.findings(), ["certificateData: CERT_FORMAT", "overlapUntil: OVERLAP_TOO_LONG"]);
    let new = market.authority.leaf(&person.organization());
    let renewed = uploads(&alice, person, &new.pem(), json!(in_days(30))).await;
    let again = uploads(&alice, person, &new.pem(), json!(in_days(5))).await;
    assert_eq!(again.payload(), renewed.payload(), "the same again changes nothing");

    let partner = shown(&alice, person, None).await;
    let [newer, older] = [&partner["certificates"][0], &partner["certificates"][1]];
    assert_eq!(newer["fingerprint"], new.sha256());
    assert_eq!(newer["validUntil"], newer["signedExpiresAt"]);
    assert_eq!(newer["subject"], new.subject());
    assert_eq!(newer["issuer"], new.issuer());
    assert_eq!(newer["serialNumber"], new.serial());
    assert_eq!(newer["certificateData"], new.pem());
    assert_eq!(
        (time(&newer["notBefore"]), time(&newer["notAfter"])),
        (new.not_before(), new.not_after())
    );
    let month = in_days(30) - time(&older["validUntil"]);
    assert!(month.abs() < TimeDelta::milliseconds(1), "{month}");
    for (days, expected) in [
        (0, ["CURRENT", "CURRENT"]),
        (29, ["CURRENT", "CURRENT"]),
        (31, ["CURRENT", "SUPERSEDED"]),
        (364, ["CURRENT", "SUPERSEDED"]),
        (366, ["EXPIRED", "SUPERSEDED"]),
    ] {
        assert_eq!(statuses(&alice, person, Some(in_days(days))).await, expected, "{days}");
    }
    openssl_reads_the_chain(&app, newer);

    revokes_the_new_one(&app, person, &new).await;
    let stolen = uploads(&alice, person, &new.pem(), Value::Null).await;
    assert_eq!(stolen.findings(), ["certificateData: CERTIFICATE_WAS_REVOKED"]);
    let same_key = market.authority.same_key(&new, &person.organization());
    let stolen = uploads(&alice, person, &same_key.pem(), Value::Null).await;
    assert_eq!(stolen.findings(), ["certificateData: CERTIFICATE_WAS_REVOKED"]);
    let partner = shown(&app.admin(), person, None).await;
    assert_eq!(partner["status"], "ACTIVE");
    assert_eq!(partner["certificateFingerprint"], older["fingerprint"]);
    assert_eq!(partner["certificateExpiresAt"], older["validUntil"]);
    let newer = &partner["certificates"][0];
    assert_eq!([&newer["revocationReason"], &newer["status"]], ["Stolen", "REVOKED"]);
    assert_eq!(newer["validUntil"], newer["revokedAt"]);
    assert_eq!(statuses(&alice, person, Some(in_days(9999))).await, ["REVOKED", "SUPERSEDED"]);
    let position = again.payload()["position"].clone();
    let before = json!({"id": person.partner, "asOf": position});
    let then = alice.asks(SHOWN, before).await.data()["partner"]["certificates"][0].clone();
    assert_eq!([&then["status"], &then["revokedAt"]], [&json!("CURRENT"), &Value::Null]);
}

/// The bundle holds the certificate and then its CA, and verifies.
fn openssl_reads_the_chain(app: &App, certificate: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bundle = STANDARD.decode(certificate["signedChainP7b"].as_str().unwrap()).unwrap();
    std::fs::write(folder.join("chain.p7b"), bundle).unwrap();
    openssl(folder, "pkcs7 -inform DER -in chain.p7b -print_certs -out chain.pem");
    let chain = std::fs::read_to_string(folder.join("chain.pem")).unwrap();
    let block = |text: &str| text.split("-----").nth(2).unwrap().replace('\n', "");
    let signed = certificate["signedCertificateData"].as_str().unwrap();
    assert_eq!(chain.matches("-----BEGIN").count(), 2);
    assert_eq!(block(&chain), block(signed));
    let issuer = app.node.keys().issuers().next().unwrap().pem();
    std::fs::write(folder.join("ca.pem"), issuer).unwrap();
    openssl(folder, "verify -x509_strict -CAfile ca.pem chain.pem");
}

async fn revokes_the_new_one(app: &App, person: &Person, new: &Certificate) {
    let alice = app.partner("alice");
    let about = |fingerprint: &str| json!({"partnerId": person.partner, "fingerprint": fingerprint, "reason": "Stolen"});
    let strange = alice.does("revokePartnerCertificate", about("ab"), "position").await;
    assert_eq!(strange.findings(), ["fingerprint: CERTIFICATE_NOT_FOUND"]);
    person.invites("vera", MemberRole::Viewer).await.unwrap();
    person.invites("oscar", MemberRole::Operator).await.unwrap();
    let it = about(&new.sha256().to_uppercase());
    let viewer = app.partner("vera").does("revokePartnerCertificate", it.clone(), "position").await;
    assert_eq!(viewer.codes(), ["FORBIDDEN"]);
    let query = "query($input: RevokePartnerCertificateInput!) { preview {
        revokePartnerCertificate(input: $input) { changes { noun id event } } } }";
    let seen = alice.asks(query, json!({"input": it})).await;
    let change = json!([{"noun": "partner", "id": person.partner, "event": "certificate_revoked"}]);
    assert_eq!(seen.data()["preview"]["revokePartnerCertificate"]["changes"], change);
    let oscar = app.partner("oscar");
    let revoked = oscar.does("revokePartnerCertificate", it.clone(), "position").await;
    let again = app.admin().does("revokePartnerCertificate", it, "position").await;
    assert_eq!(again.payload(), revoked.payload());
}

#[tokio::test]
async fn without_an_overlap_the_old_one_stays_and_a_time_that_has_passed_ends_it_at_once() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (person, alice) = (&market.alice, app.partner("alice"));
    let leaf = || market.authority.leaf(&person.organization());
    person.uploads(&leaf()).await.unwrap();
    assert_eq!(statuses(&alice, person, None).await, ["CURRENT", "CURRENT"]);
    person.renews(&leaf(), DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(statuses(&alice, person, None).await, ["CURRENT", "SUPERSEDED", "SUPERSEDED"]);
    assert_eq!(app.node.tell_expired(::commands::now()).await.unwrap(), 1);
    assert_eq!(app.node.tell_expired(::commands::now()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_certificate_that_the_partner_has_is_known_again_when_it_would_be_refused_as_new() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let leaf = market.authority.leaf(&market.alice.organization());
    let done = market.alice.uploads(&leaf).await.unwrap();
    let query = "select aggregate_id from events where aggregate_type = 'trust_certificate'";
    let trusted: String = installation.database.ask(query).await;
    market.admin.disables(&trusted).await.unwrap();
    let again = market.alice.uploads(&leaf).await.unwrap();
    assert_eq!(again.version, done.version);
    let new = market.authority.leaf(&market.alice.organization());
    assert_eq!(codes(market.alice.uploads(&new).await), ["ISSUER_UNKNOWN"]);
}

const CHECK: &str = "query($p: ID!, $c: String!) {
    checkCertificate(partnerId: $p, certificateData: $c) { held findings { code field message params }
        path { subject sha256 } issued { subject notBefore notAfter profile } } }";

#[tokio::test]
async fn a_certificate_can_be_checked_before_it_is_sent() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (person, alice) = (&market.alice, app.partner("alice"));
    let checks = async |pem: &str| {
        let asked = alice.asks(CHECK, json!({"p": person.partner, "c": pem})).await;
        asked.data()["checkCertificate"].clone()
    };
    let codes = |check: &Value| {
        let findings = check["findings"].as_array().unwrap();
        findings.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = app.node.store().health().borrow().head;
    let leaf = market.authority.leaf(&person.organization());
    let good = checks(&leaf.pem()).await;
    assert_eq!((codes(&good), &good["held"]), (vec![], &json!(false)));
    let root = Certificate::read(&market.authority.pem(), "").unwrap();
    let path = [&leaf, &root].map(|it| json!({"subject": it.subject(), "sha256": it.sha256()}));
    assert_eq!(good["path"], json!(path));
    assert_eq!(
        [&good["issued"]["subject"], &good["issued"]["profile"]],
        [&*leaf.subject(), "END_ENTITY"]
    );
    let life = time(&good["issued"]["notAfter"]) - time(&good["issued"]["notBefore"]);
    assert_eq!(life.num_days(), 365);

    let foreign = checks(&market.authority.leaf("Other Bank").pem()).await;
    assert_eq!((codes(&foreign), &foreign["issued"]), (vec!["ORG_MISMATCH".into()], &Value::Null));
    assert_eq!(foreign["findings"][0]["params"]["certificate"], "Other Bank");
    assert_eq!(foreign["path"].as_array().unwrap().len(), 2);
    let broken = checks("hello").await;
    assert_eq!((codes(&broken), &broken["path"]), (vec!["CERT_FORMAT".into()], &json!([])));
    let bob = partner(&app.node, "bob");
    market.welcome(&bob).await;
    let of_bob = market.authority.leaf(&bob.organization());
    bob.uploads(&of_bob).await.unwrap();
    let stolen = market.authority.same_key(&of_bob, "Other Bank");
    assert_eq!(codes(&checks(&stolen.pem()).await), ["ORG_MISMATCH", "KEY_IN_USE"]);
    let same = app.admin().asks(SHOWN, json!({"id": person.partner})).await;
    let same = &same.data()["partner"]["certificates"][0]["certificateData"];
    let held = checks(same.as_str().unwrap()).await;
    assert_eq!(
        (&held["held"], codes(&held), &held["issued"]),
        (&json!(true), vec![], &Value::Null)
    );
    market.admin.suspends(&person.partner).await.unwrap();
    assert_eq!(codes(&checks(&leaf.pem()).await), ["PARTNER_SUSPENDED"]);
    let told = format!(
        "select count(*) from events where position > {before} and aggregate_id = '{}'",
        person.partner
    );
    assert_eq!(app.installation.database.ask::<i64>(&told).await, 1);

    for (who, code) in [(app.partner("mallory"), "PARTNER_NOT_FOUND"), (app.auditor(), "FORBIDDEN")]
    {
        let refused = who.asks(CHECK, json!({"p": person.partner, "c": leaf.pem()})).await;
        assert_eq!(refused.codes(), [code]);
        let query = "query($p: ID!) { certificateChallenge(partnerId: $p) { nonce } }";
        assert_eq!(who.asks(query, json!({"p": person.partner})).await.codes(), [code]);
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Keys of a partner, held by openssl.
struct KeyPair(tempfile::TempDir);

impl KeyPair {
    fn new(kind: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = format!("req -x509 -newkey {kind} -nodes -keyout key -out own.pem -subj /CN=a");
        openssl(folder.path(), &make);
        Self(folder)
    }

    /// A certificate that only carries the public key.
    fn public(&self) -> Certificate {
        let pem = std::fs::read_to_string(self.0.path().join("own.pem")).unwrap();
        Certificate::read(&pem, "").unwrap()
    }

    fn signs(&self, nonce: &str, way: &str) -> String {
        std::fs::write(self.0.path().join("nonce"), nonce).unwrap();
        openssl(self.0.path(), way);
        STANDARD.encode(std::fs::read(self.0.path().join("signature")).unwrap())
    }
}

#[tokio::test]
async fn where_a_proof_is_wanted_only_who_has_the_private_key_uploads() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let strict = installation.node().with_proof_of_possession(true);
    let alice = market.alice.at(&strict);
    let bob = partner(&strict, "bob");
    bob.registers(&market.group).await.unwrap();
    let of_bob = bob.is_challenged().await.unwrap().nonce;
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    for (kind, way) in [
        ("rsa:2048", "dgst -sha256 -sign key -out signature nonce"),
        ("rsa:2048", &*format!("dgst -sha384 {pss} -sign key -out signature nonce")),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "dgst -sha384 -sign key -out signature nonce"),
        ("ed25519", "pkeyutl -sign -rawin -inkey key -in nonce -out signature"),
    ] {
        let keys = KeyPair::new(kind);
        let leaf = market.authority.same_key(&keys.public(), &alice.organization());
        assert_eq!(codes(alice.uploads(&leaf).await), ["PROOF_NEEDED"], "{kind}");
        let challenge = alice.is_challenged().await.unwrap();
        assert!(challenge.expires_at > ::commands::now() + TimeDelta::minutes(9));
        let sends = async |nonce: &str, signature: String| {
            let proof = ProofOfPossession { nonce: nonce.to_owned(), signature };
            alice.uploads_with(&leaf, None, Some(proof)).await
        };
        let nonce = &challenge.nonce;
        let wrong = |refused| assert_eq!(codes(refused), ["PROOF_WRONG"], "{kind}");
        let other = KeyPair::new("ed25519");
        let foreign =
            other.signs(nonce, "pkeyutl -sign -rawin -inkey key -in nonce -out signature");
        wrong(sends(nonce, foreign).await);
        wrong(sends(nonce, "no base64!".to_owned()).await);
        wrong(sends(&of_bob, keys.signs(&of_bob, way)).await);
        let prolonged = format!("9{nonce}");
        wrong(sends(&prolonged, keys.signs(&prolonged, way)).await);
        sends(nonce, keys.signs(nonce, way)).await.unwrap();
        alice.uploads(&leaf).await.unwrap();
    }

    let late = (::commands::now() - TimeDelta::seconds(1)).timestamp();
    let data = format!("{}\n{late}", alice.partner);
    let tag = strict.keys().hmac("certificate_challenge", data.as_bytes());
    let nonce = format!("{late}.{}", hex::encode(tag));
    let keys = KeyPair::new("ed25519");
    let leaf = market.authority.same_key(&keys.public(), &alice.organization());
    let way = "pkeyutl -sign -rawin -inkey key -in nonce -out signature";
    let proof = ProofOfPossession { signature: keys.signs(&nonce, way), nonce };
    let expired = alice.uploads_with(&leaf, None, Some(proof.clone())).await;
    assert_eq!(codes(expired), ["PROOF_EXPIRED"]);
    let judged_all_the_same = market.alice.uploads_with(&leaf, None, Some(proof)).await;
    assert_eq!(codes(judged_all_the_same), ["PROOF_EXPIRED"]);
    market.alice.uploads(&leaf).await.unwrap();
}

#[tokio::test]
async fn a_proof_travels_over_graphql() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let node = installation.node().with_proof_of_possession(true);
    let app = App::over(installation, node).await;
    let (alice, person) = (app.partner("alice"), &market.alice);
    let keys = KeyPair::new("ed25519");
    let leaf = market.authority.same_key(&keys.public(), &person.organization());
    let query = "query($p: ID!) { certificateChallenge(partnerId: $p) { nonce expiresAt } }";
    let asked = alice.asks(query, json!({"p": person.partner})).await;
    let nonce = asked.data()["certificateChallenge"]["nonce"].as_str().unwrap();
    let way = "pkeyutl -sign -rawin -inkey key -in nonce -out signature";
    let sends = async |signature: &str| {
        let proof = json!({"nonce": nonce, "signature": signature});
        let input =
            json!({"partnerId": person.partner, "certificateData": leaf.pem(), "proof": proof});
        alice.does("uploadPartnerCertificate", input, "partner { status }").await
    };
    assert_eq!(sends("AAAA").await.findings(), ["proof.signature: PROOF_WRONG"]);
    sends(&keys.signs(nonce, way)).await.payload();
}

#[tokio::test]
async fn a_newer_certificate_of_a_chip_supersedes_the_older_one() {
    let app = App::start().await;
    let makers = Makers::open(&app.node).await;
    let fred = &makers.fred;
    let chip = fred.certified_chip("C 1", &makers.chip_authority).await;
    fred.certifies(&chip, &makers.chip_authority.leaf(&fred.organization())).await.unwrap();
    let query = "query($id: ID!, $at: DateTime) { ftmChip(id: $id) { certificates {
        status(at: $at) subject signedChainP7b validUntil uploadedAt } } }";
    let caller = app.person("fred", Role::FtmProvider);
    let at = |at: Option<DateTime<Utc>>| json!({"id": chip, "at": at});
    let shown = caller.asks(query, at(None)).await.data()["ftmChip"]["certificates"].clone();
    assert_eq!([&shown[0]["status"], &shown[1]["status"]], ["CURRENT", "SUPERSEDED"]);
    assert_eq!(shown[1]["validUntil"], shown[0]["uploadedAt"]);
    assert!(shown[1]["signedChainP7b"].is_string());
    let far = Some(::commands::now() + TimeDelta::days(9999));
    let then = caller.asks(query, at(far)).await.data()["ftmChip"]["certificates"].clone();
    assert_eq!([&then[0]["status"], &then[1]["status"]], ["EXPIRED", "SUPERSEDED"]);
    let events = "select array_agg(event_type order by position) from events \
        where aggregate_type = 'ftm_chip'";
    let events: Vec<String> = app.installation.database.ask(events).await;
    let twice = ["signing_intended", "certificate_accepted"];
    assert_eq!(events, [&["added"][..], &twice, &twice].concat());
    let row = find::<ftm_chip::Row>(app.node.store().pool(), &chip).await.unwrap().unwrap();
    assert_eq!(row.version, 5);
}
