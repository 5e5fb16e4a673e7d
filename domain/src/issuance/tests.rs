//! What we issue, judged by OpenSSL in its strict mode, and the limits that it must keep.

use super::*;
use crate::reference::CertificateProfile;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::Command;

fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn key(seed: u8) -> EcdsaP256Signer {
    EcdsaP256Signer::from_seed(&[seed; 32]).unwrap()
}

fn days(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

fn subject(common_name: &str) -> Vec<u8> {
    let (organization, organizational_unit) = ("Acme Biometrics", Some("Trust"));
    Subject { common_name, organization, organizational_unit, country: Some("IN") }.der().unwrap()
}

fn draft<'a>(subject: &'a [u8], spki: &'a [u8], usage: Usage) -> Draft<'a> {
    let (not_before, not_after) = (days(-10), days(3650));
    Draft { serial: [0xff; 16], subject, spki, not_before, not_after, usage, partner_id: None }
}

fn root(path_len: Option<u32>) -> Certificate {
    let (subject, spki) = (subject("Root"), key(1).spki().unwrap());
    let usage = Usage::Authority { path_len: path_len.map(|len| u8::try_from(len).unwrap()) };
    self_signed_ca(&draft(&subject, &spki, usage), &key(1)).unwrap()
}

fn issuing_ca(root: &Certificate) -> Certificate {
    let (subject, spki) = (subject("Issuing CA"), key(2).spki().unwrap());
    let usage = Usage::Authority { path_len: Some(1) };
    certificate(&draft(&subject, &spki, usage), root, &key(1)).unwrap()
}

fn partner_certificate(root: &Certificate) -> Certificate {
    let (subject, spki) = (subject("partner"), key(3).spki().unwrap());
    certificate(&draft(&subject, &spki, Usage::EndEntity), root, &key(1)).unwrap()
}

fn counter_signing<'a>(partner: &'a Certificate, issuer: &'a Certificate) -> CounterSigning<'a> {
    let (profile, partner_id) = (CertificateProfile::EndEntity, "acme 1");
    CounterSigning { partner, issuer, profile, partner_id }
}

impl CounterSigning<'_> {
    /// Issued at an instant, for as long as the policy allows.
    fn sign_at(
        &self,
        now: DateTime<Utc>,
        policy: &CertificatePolicy,
        key: &EcdsaP256Signer,
    ) -> Result<Certificate, NotIssued> {
        let terms = self.terms([0xff; 16], now, policy)?;
        self.body(&terms, key)?.sign(self.issuer, key)
    }

    fn sign(&self, key: &EcdsaP256Signer) -> Result<Certificate, NotIssued> {
        self.sign_at(now(), &CertificatePolicy::default(), key)
    }
}

/// A folder of its own that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pms-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

fn openssl_verifies_strictly(
    name: &str,
    root: &Certificate,
    between: &Certificate,
    leaf: &Certificate,
) {
    let folder = Folder::new(name);
    let root = folder.write("root.pem", root.pem());
    let between = folder.write("between.pem", between.pem());
    let leaf = folder.write("leaf.pem", leaf.pem());
    let at = now().timestamp().to_string();
    openssl(&[
        "verify",
        "-x509_strict",
        "-check_ss_sig",
        "-attime",
        &at,
        "-CAfile",
        &root,
        "-untrusted",
        &between,
        &leaf,
    ]);
}

fn text_of(name: &str, certificate: &Certificate) -> String {
    let folder = Folder::new(name);
    openssl(&["x509", "-noout", "-text", "-in", &folder.write("one.pem", certificate.pem())])
}

#[test]
fn a_counter_signed_certificate_passes_openssl_strict() {
    let root = root(None);
    let (issuer, partner) = (issuing_ca(&root), partner_certificate(&root));
    let signed = counter_signing(&partner, &issuer).sign(&key(2)).unwrap();
    openssl_verifies_strictly("end-entity", &root, &issuer, &signed);
    let text = text_of("end-entity-text", &signed);
    for expected in [
        "CA:FALSE",
        "Digital Signature",
        "URI:urn:mosip:partner:acme%201",
        "Subject Key Identifier",
        "Authority Key Identifier",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("Key Encipherment") && !text.contains("Certificate Sign"));
}

#[test]
fn an_issuing_partner_becomes_a_ca_without_cas_below() {
    let root = root(None);
    let (issuer, partner) = (issuing_ca(&root), partner_certificate(&root));
    let order = CounterSigning {
        profile: CertificateProfile::Issuing,
        ..counter_signing(&partner, &issuer)
    };
    let signed = order.sign(&key(2)).unwrap();
    openssl_verifies_strictly("issuing", &root, &issuer, &signed);
    assert!(signed.is_ca());
    assert_eq!(signed.path_len(), Some(0));
    assert!(!text_of("issuing-text", &signed).contains("Digital Signature"));
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    leaf: String,
}

#[test]
fn every_kind_of_partner_key_is_counter_signed_with_its_bytes_untouched() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../../tests/data/certificates.json")).unwrap();
    let root = root(None);
    let issuer = issuing_ca(&root);
    for kind in ["rsa2048", "rsa4096", "P256", "P384", "P521", "ed25519"] {
        let id = format!("own::leaf_{kind}-noSAN-noEKU");
        let vector = vectors.iter().find(|vector| vector.id == id).unwrap();
        let partner = Certificate::read(&vector.leaf, "").unwrap();
        let signed = counter_signing(&partner, &issuer).sign(&key(2)).unwrap();
        assert_eq!(signed.subject_der(), partner.subject_der());
        assert_eq!(signed.spki(), partner.spki());
        let text = text_of(kind, &signed);
        assert_eq!(text.contains("Key Encipherment"), kind.starts_with("rsa"), "{text}");
        openssl_verifies_strictly(kind, &root, &issuer, &signed);
    }
}

#[test]
fn it_never_outlives_partner_issuer_or_policy_and_is_never_older() {
    let root = root(None);
    let (issuer, partner) = (issuing_ca(&root), partner_certificate(&root));
    let order = counter_signing(&partner, &issuer);
    let signed = order.sign(&key(2)).unwrap();
    assert_eq!(signed.not_before(), now() - TimeDelta::minutes(5));
    assert_eq!(signed.not_after(), days(365));
    let long = CertificatePolicy { issued_days: 9999, ..CertificatePolicy::default() };
    assert_eq!(order.sign_at(now(), &long, &key(2)).unwrap().not_after(), partner.not_after());
    assert_eq!(order.sign_at(days(-10), &long, &key(2)).unwrap().not_before(), days(-10));
    assert_eq!(order.sign_at(days(3651), &long, &key(2)), Err(NotIssued::NoTimeLeft));
}

#[test]
fn the_same_terms_give_the_same_body_and_the_certificate_tells_which() {
    let root = root(None);
    let (issuer, partner) = (issuing_ca(&root), partner_certificate(&root));
    let order = counter_signing(&partner, &issuer);
    let policy = CertificatePolicy::default();
    let odd = now() + TimeDelta::microseconds(1_234_567);
    let terms = order.terms([0; 16], odd, &policy).unwrap();
    let body = order.body(&terms, &key(2)).unwrap();
    assert_eq!(order.body(&terms, &key(2)).unwrap(), body);
    let signed = body.sign(&issuer, &key(2)).unwrap();
    assert_eq!(signed.tbs_sha256(), body.sha256());
    assert_eq!(signed.serial(), hex::encode(terms.serial));
    assert_eq!((signed.not_before(), signed.not_after()), (terms.not_before, terms.not_after));
    let other = order.terms([1; 16], odd, &policy).unwrap();
    assert_ne!(order.body(&other, &key(2)).unwrap().sha256(), body.sha256());
}

#[test]
fn the_top_bit_of_the_serial_number_is_cleared() {
    assert_eq!(root(None).serial(), format!("7f{}", "ff".repeat(15)));
}

#[test]
fn a_key_that_is_not_the_issuers_is_noticed_before_anything_leaves() {
    let root = root(None);
    let (issuer, partner) = (issuing_ca(&root), partner_certificate(&root));
    let signed = counter_signing(&partner, &issuer).sign(&key(9));
    assert_eq!(signed, Err(NotIssued::WrongKey));
}

#[test]
fn an_issuer_stays_within_its_path_length_and_a_leaf_issues_nothing() {
    let closed = root(Some(0));
    let partner = partner_certificate(&closed);
    let order = CounterSigning {
        profile: CertificateProfile::Issuing,
        ..counter_signing(&partner, &closed)
    };
    let refused = |result: Result<Certificate, NotIssued>| match result {
        Err(NotIssued::Refused(findings)) => findings[0].code,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(order.sign(&key(1))), "PATH_LENGTH");
    let by_leaf = counter_signing(&partner, &partner);
    assert_eq!(refused(by_leaf.sign(&key(3))), "NOT_A_CA");
}

#[test]
fn a_bundle_is_read_by_openssl_leaf_first() {
    let root = root(None);
    let partner = partner_certificate(&root);
    let bundle = pkcs7(&[&partner, &root]).unwrap();
    let folder = Folder::new("bundle");
    let file = folder.write("bundle.p7b", bundle);
    let text = openssl(&["pkcs7", "-inform", "DER", "-print_certs", "-in", &file]);
    let (leaf, after) = (text.find("CN = partner").unwrap(), text.rfind("subject=").unwrap());
    assert!(leaf < after);
    assert!(text[after..].contains("CN = Root"));
}

#[test]
fn after_2049_times_are_written_with_four_digits() {
    let (subject, spki) = (subject("Root"), key(1).spki().unwrap());
    let usage = Usage::Authority { path_len: None };
    let draft = Draft {
        not_after: "2051-01-01T00:00:00Z".parse().unwrap(),
        ..draft(&subject, &spki, usage)
    };
    let root = self_signed_ca(&draft, &key(1)).unwrap();
    assert_eq!(root.not_after(), draft.not_after);
    openssl_verifies_strictly("far", &root, &root, &root);
}

#[test]
fn a_seed_always_gives_the_same_key_and_randomness_never_does() {
    assert_eq!(key(1).spki().unwrap(), key(1).spki().unwrap());
    assert_ne!(key(1).spki().unwrap(), key(2).spki().unwrap());
    let (one, other) = (EcdsaP256Signer::generate().unwrap(), EcdsaP256Signer::generate().unwrap());
    assert_ne!(one, other);
}

#[test]
fn a_key_survives_being_stored() {
    for pkcs8 in [EcdsaP256Signer::generate().unwrap(), key(1).to_pkcs8().unwrap()] {
        let again = EcdsaP256Signer::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(again.to_pkcs8().unwrap(), pkcs8);
    }
    assert_eq!(EcdsaP256Signer::from_pkcs8(b"no key").err(), Some(NotIssued::Key));
}
