//! The key that signs what partners get: announced before it is used, followed by others, kept from
//! other accounts.

use crate::support::actors::{Market, partner};
use crate::support::commands::{Installation, codes};
use crate::support::database::TestDatabase;
use crate::support::http::App;
use ::commands::Error;
use ::commands::keys::{Keys, KeysError};
use domain::certificate::Certificate;
use domain::issuance::{EcdsaP256Signer, NotIssued, Signer};
use projections::fold::find;
use projections::partner::{PartnerCertificate, Row};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgConnection};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use x509_cert::spki::AlgorithmIdentifierOwned;

/// Whether the log says that these bytes will be signed.
const ANNOUNCED: &str = "select exists (select from events where event_type = 'signing_intended' \
    and payload::json->>'tbs_sha256' = encode(sha256($1), 'hex'))";

const TRUSTED: &str = "select aggregate_id from events where aggregate_type = 'trust_certificate'";

/// Looks into the log at the moment of every signature.
struct Watchful {
    key: EcdsaP256Signer,
    database: String,
    announced: Arc<Mutex<Vec<bool>>>,
}

impl Signer for Watchful {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        self.key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued> {
        let (database, message) = (self.database.clone(), message.to_vec());
        let signature = self.key.sign(&message);
        // Signing cannot wait, and the test's own runtime is busy with it.
        let looking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let options: sqlx::postgres::PgConnectOptions = database.parse().unwrap();
                let mut db: PgConnection = options.connect().await.unwrap();
                let query = sqlx::query_scalar(ANNOUNCED).bind(message);
                query.fetch_one(&mut db).await.unwrap()
            })
        });
        self.announced.lock().unwrap().push(looking.join().unwrap());
        signature
    }
}

/// Signs only while it is well.
struct Ailing {
    key: EcdsaP256Signer,
    well: Arc<AtomicBool>,
}

impl Signer for Ailing {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        self.key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued> {
        if self.well.load(Ordering::Relaxed) {
            self.key.sign(message)
        } else {
            Err(NotIssued::Signature)
        }
    }
}

/// What happened to a noun, in order.
async fn told(database: &TestDatabase, noun: &str) -> Vec<String> {
    let sql = "select coalesce(array_agg(event_type order by position), '{}') from events \
        where aggregate_type = ";
    database.ask(&format!("{sql} '{noun}'")).await
}

async fn newest(installation: &Installation, partner: &str) -> PartnerCertificate {
    let row = find::<Row>(&installation.database.owner_pool(), partner).await.unwrap().unwrap();
    row.certificates[0].clone()
}

#[tokio::test]
async fn what_is_signed_is_in_the_log_before_the_signature() {
    let installation = Installation::new().await;
    let (announced, key) = (Arc::default(), installation.issuing_key());
    let database = installation.database.url().to_owned();
    let watchful = Watchful { key, database, announced: Arc::clone(&announced) };
    let node = installation.node_signing_through(Box::new(watchful));
    let market = Market::open(&node).await;
    assert_eq!(*announced.lock().unwrap(), [true]);
    let expected = ["registered", "signing_intended", "certificate_accepted", "activated"];
    assert_eq!(told(&installation.database, "partner").await, expected);

    let sql = "select (select payload::json from events where event_type = 'signing_intended')";
    let intent: Value = installation.database.ask(sql).await;
    let held = newest(&installation, &market.alice.partner).await;
    let signed = Certificate::read(&held.signed_certificate_data, "").unwrap();
    let issuer = &node.keys().issuer().unwrap().certificate;
    let told = [signed.tbs_sha256(), signed.serial(), issuer.sha256(), held.fingerprint];
    let said = ["tbs_sha256", "serial", "issuer_fingerprint", "fingerprint"].map(|it| &intent[it]);
    assert_eq!(told.map(Value::from).each_ref(), said);
}

#[tokio::test]
async fn a_signer_that_fails_leaves_the_intent_and_the_next_upload_goes_on_from_there() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let (well, key) = (Arc::new(AtomicBool::new(false)), installation.issuing_key());
    let ailing = Ailing { key, well: Arc::clone(&well) };
    let node = installation.node_signing_through(Box::new(ailing));
    let bob = partner(&node, "bob").once("click");
    bob.registers(&market.group).await.unwrap();
    let leaf = market.authority.leaf(&bob.organization());
    for _ in 0..2 {
        assert!(matches!(bob.uploads(&leaf).await, Err(Error::Fault(_))));
    }
    let all = async || told(&installation.database, "partner").await.split_off(4);
    assert_eq!(all().await, ["registered", "signing_intended"], "announced once");
    let thief = partner(&node, "carol");
    thief.registers(&market.group).await.unwrap();
    let same_key = market.authority.same_key(&leaf, &thief.organization());
    assert_eq!(codes(thief.uploads(&same_key).await), ["KEY_IN_USE"]);

    well.store(true, Ordering::Relaxed);
    let trusted: String = installation.database.ask(TRUSTED).await;
    market.admin.disables(&trusted).await.unwrap();
    assert_eq!(codes(bob.uploads(&leaf).await), ["ISSUER_UNKNOWN"], "decided anew");
    market.admin.enables(&trusted).await.unwrap();
    assert!(!bob.uploads(&leaf).await.unwrap().replayed);
    assert!(bob.uploads(&leaf).await.unwrap().replayed);
    let expected =
        ["registered", "signing_intended", "registered", "certificate_accepted", "activated"];
    assert_eq!(all().await, expected);
}

#[tokio::test]
async fn what_was_announced_under_another_issuing_key_is_announced_anew() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let (well, key) = (Arc::default(), installation.issuing_key());
    let node = installation.node_signing_through(Box::new(Ailing { key, well }));
    let leaf = market.authority.leaf(&market.alice.organization());
    assert!(market.alice.at(&node).uploads(&leaf).await.is_err());
    let made = Keys::rotate_issuing_key(installation.key_folder()).unwrap();
    market.alice.at(&installation.node()).uploads(&leaf).await.unwrap();
    let expected = ["signing_intended", "signing_intended", "certificate_accepted"];
    assert_eq!(told(&installation.database, "partner").await.split_off(4), expected);
    let held = newest(&installation, &market.alice.partner).await;
    let signed = Certificate::read(&held.signed_certificate_data, "").unwrap();
    assert!(signed.is_signed_by(&made));
}

#[tokio::test]
async fn two_certificates_of_one_partner_at_once_are_both_accepted() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let elsewhere = market.alice.at(&installation.node());
    let leaves = [(); 4].map(|()| market.authority.leaf(&market.alice.organization()));
    let (one, two, three, four) = tokio::join!(
        market.alice.uploads(&leaves[0]),
        elsewhere.uploads(&leaves[1]),
        market.alice.uploads(&leaves[2]),
        elsewhere.uploads(&leaves[2]),
    );
    for uploaded in [one, two, three, four] {
        uploaded.unwrap();
    }
    let row = find::<Row>(&installation.database.owner_pool(), &market.alice.partner).await;
    assert_eq!(row.unwrap().unwrap().certificates.len(), 4);
}

#[tokio::test]
async fn an_upload_pins_the_version_that_was_seen_through_both_of_its_submissions() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let leaf = || market.authority.leaf(&market.alice.organization());
    let stale = market.alice.having_seen(3).uploads(&leaf()).await;
    assert!(matches!(stale, Err(Error::Conflict)));
    let done = market.alice.having_seen(4).uploads(&leaf()).await.unwrap();
    assert_eq!(done.version, 6);
}

fn openssl_verifies(authority: &Certificate, signed: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", "-x509_strict", "-CAfile"]).arg(file("ca", &authority.pem()));
    openssl.arg(file("signed", signed)).output().unwrap().status.success()
}

#[tokio::test]
async fn issuing_keys_follow_each_other_and_what_the_old_one_signed_stays_good() {
    let installation = Installation::new().await;
    let old_node = installation.node();
    old_node.adopt_keys().await.unwrap();
    let market = Market::open(&old_node).await;
    let before = newest(&installation, &market.alice.partner).await;

    let made = Keys::rotate_issuing_key(installation.key_folder()).unwrap();
    let new_node = installation.node();
    new_node.adopt_keys().await.unwrap();
    new_node.adopt_keys().await.unwrap();
    assert_eq!(told(&installation.database, "installation").await, ["keys_adopted"; 2]);
    let [new, old] = new_node.keys().issuers().collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!((new, old.sha256()), (&made, old_node.keys().issuers().next().unwrap().sha256()));

    let leaf = || market.authority.leaf(&market.alice.organization());
    market.alice.uploads(&leaf()).await.unwrap();
    let by_old_node = newest(&installation, &market.alice.partner).await;
    market.alice.at(&new_node).uploads(&leaf()).await.unwrap();
    let by_new_node = newest(&installation, &market.alice.partner).await;
    for (certificate, authority, other) in
        [(&before, old, new), (&by_old_node, old, new), (&by_new_node, new, old)]
    {
        assert!(openssl_verifies(authority, &certificate.signed_certificate_data));
        assert!(!openssl_verifies(other, &certificate.signed_certificate_data));
    }

    let app = App::over(installation, new_node).await;
    let query =
        "{ issuingCertificates { sha256 subject certificateData notBefore notAfter current } }";
    for caller in [app.partner("mallory"), app.auditor(), app.policy_manager(), app.admin()] {
        let told = caller.asks(query, json!({})).await.data()["issuingCertificates"].clone();
        assert_eq!([&told[0]["current"], &told[1]["current"]], [true, false]);
        assert_eq!(told[0]["certificateData"], made.pem());
        assert_eq!(told[0]["subject"], made.subject());
    }
    let shown = "{ partners { nodes { certificates { signedChainP7b } } } }";
    let chains = app.admin().asks(shown, json!({})).await.data()["partners"]["nodes"][0].clone();
    let chains = chains["certificates"].as_array().unwrap().clone();
    assert!(chains.len() == 3 && chains.iter().all(|it| it["signedChainP7b"].is_string()));
}

#[tokio::test]
async fn a_node_without_an_adopted_issuing_key_is_refused_and_half_a_generation_is_none() {
    let installation = Installation::new().await;
    installation.node().adopt_keys().await.unwrap();
    let folder = installation.key_folder();
    std::fs::write(folder.join("issuing.2.p8"), installation.issuing_key().to_pkcs8().unwrap())
        .unwrap();
    let closed = Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.join("issuing.2.p8"), closed).unwrap();
    installation.node().adopt_keys().await.unwrap();
    assert_eq!(told(&installation.database, "installation").await, ["keys_adopted"]);

    Keys::rotate_issuing_key(folder).unwrap();
    installation.node().adopt_keys().await.unwrap();
    std::fs::remove_file(folder.join("issuing.2.pem")).unwrap();
    assert_eq!(codes(installation.node().adopt_keys().await), ["ISSUING_KEY_MISSING"]);
}

#[tokio::test]
async fn a_key_that_other_accounts_can_read_is_refused() {
    let installation = Installation::new().await;
    drop(installation.issuing_key());
    Keys::rotate_issuing_key(installation.key_folder()).unwrap();
    let mode = |name: &str, mode| {
        let path = installation.key_folder().join(name);
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        Keys::open(installation.key_folder(), false)
    };
    for name in ["pepper.1", "wrapping.key", "issuing.p8", "issuing.2.p8"] {
        for open in [0o640, 0o604, 0o620, 0o601] {
            let refused = mode(name, open).unwrap_err();
            assert!(matches!(&refused, KeysError::Readable(path) if path.ends_with(name)));
            assert!(refused.to_string().contains("chmod 600"));
        }
        assert!(mode(name, 0o600).is_ok());
    }
    assert!(mode("issuing.pem", 0o644).is_ok(), "a certificate is no secret");
}
