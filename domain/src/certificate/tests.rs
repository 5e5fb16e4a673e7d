//! The story of an upload, with certificates made here. Each fault is put into a sound certificate
//! which is then signed again, so that it is the only one.

use super::{
    Certificate, CertificatePolicy, MAX_PATH, Revocations, TrustKind, TrustStore,
    check_partner_certificate, check_trust_certificate, lint,
};
use crate::finding::Finding;
use crate::issuance::{self, Draft, EcdsaP256Signer, Signer, Subject, Usage};
use crate::reference::CertificateProfile;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Months, TimeDelta, Utc};
use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{BitString, Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension as RawExtension;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName as RawName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;

const FIELD: &str = "certificateData";

fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn days(days: i64) -> DateTime<Utc> {
    now() + TimeDelta::days(days)
}

fn key(seed: u8) -> EcdsaP256Signer {
    EcdsaP256Signer::from_seed(&[seed; 32]).unwrap()
}

pub(super) fn name(common_name: &str) -> Vec<u8> {
    let organization = "Acme Biometrics";
    let subject =
        Subject { common_name, organization, organizational_unit: None, country: Some("IN") };
    subject.der().unwrap()
}

pub(super) fn draft<'a>(subject: &'a [u8], spki: &'a [u8], usage: Usage) -> Draft<'a> {
    let (not_before, not_after) = (days(-1), days(1000));
    Draft { serial: [7; 16], subject, spki, not_before, not_after, usage, partner_id: None }
}

const CA: Usage = Usage::Authority { path_len: None };

pub(super) fn root(common_name: &str, seed: u8) -> Certificate {
    let (subject, spki) = (name(common_name), key(seed).spki().unwrap());
    issuance::self_signed_ca(&draft(&subject, &spki, CA), &key(seed)).unwrap()
}

/// `common_name` with key `seed`, issued by `issuer` whose key is `issuer_seed`.
pub(super) fn issued(
    common_name: &str,
    seed: u8,
    usage: Usage,
    issuer: &Certificate,
    issuer_seed: u8,
) -> Certificate {
    let (subject, spki) = (name(common_name), key(seed).spki().unwrap());
    issuance::certificate(&draft(&subject, &spki, usage), issuer, &key(issuer_seed)).unwrap()
}

/// The certificate with `change` made to it, signed again with key `seed`.
fn changed(
    certificate: &Certificate,
    seed: u8,
    change: impl FnOnce(&mut TbsCertificate),
) -> Certificate {
    let der = changed_der(certificate, &key(seed), change);
    Certificate::from_der(&der, FIELD).unwrap()
}

fn changed_der(
    certificate: &Certificate,
    signer: &dyn Signer,
    change: impl FnOnce(&mut TbsCertificate),
) -> Vec<u8> {
    let mut raw = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    change(&mut raw.tbs_certificate);
    let message = raw.tbs_certificate.to_der().unwrap();
    raw.signature_algorithm = signer.algorithm();
    raw.signature = BitString::from_bytes(&signer.sign(&message).unwrap()).unwrap();
    raw.to_der().unwrap()
}

pub(super) fn extension(oid: &str, critical: bool, value: &[u8]) -> RawExtension {
    let extn_id = ObjectIdentifier::new(oid).unwrap();
    RawExtension { extn_id, critical, extn_value: OctetString::new(value).unwrap() }
}

pub(super) fn with_extension(
    certificate: &Certificate,
    seed: u8,
    added: RawExtension,
) -> Certificate {
    changed(certificate, seed, |tbs| {
        let extensions = tbs.extensions.get_or_insert_default();
        extensions.retain(|e| e.extn_id != added.extn_id);
        extensions.push(added);
    })
}

pub(super) fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

fn lint_codes(certificate: &Certificate) -> Vec<&'static str> {
    codes(&lint(certificate, now(), &CertificatePolicy::default(), FIELD))
}

fn store<'a>(anchors: &'a [Certificate], intermediates: &'a [Certificate]) -> TrustStore<'a> {
    TrustStore::new(anchors, intermediates)
}

fn trust(certificate: &Certificate, store: TrustStore<'_>) -> Result<TrustKind, Vec<&'static str>> {
    let checked =
        check_trust_certificate(certificate, store, now(), &CertificatePolicy::default(), FIELD);
    checked.map_err(|findings| codes(&findings))
}

fn partner_findings(
    certificate: &Certificate,
    profile: CertificateProfile,
    store: TrustStore<'_>,
) -> Result<Vec<String>, Vec<Finding>> {
    let policy = CertificatePolicy::default();
    check_partner_certificate(certificate, "Acme Biometrics", profile, store, now(), &policy, FIELD)
}

fn partner(
    certificate: &Certificate,
    store: TrustStore<'_>,
) -> Result<Vec<String>, Vec<&'static str>> {
    partner_findings(certificate, CertificateProfile::EndEntity, store)
        .map_err(|findings| codes(&findings))
}

#[test]
fn a_certificate_tells_its_facts() {
    let root = root("Root", 1);
    assert_eq!(root.subject(), "CN=Root,O=Acme Biometrics,C=IN");
    assert_eq!(root.issuer(), root.subject());
    assert_eq!(root.common_name().as_deref(), Some("Root"));
    assert_eq!(root.organizations(), ["Acme Biometrics"]);
    assert_eq!(root.key_algorithm(), "EC_P256");
    assert_eq!(root.serial(), "07".repeat(16));
    assert_eq!((root.not_before(), root.not_after()), (days(-1), days(1000)));
    assert!(root.is_ca() && root.is_self_issued() && root.is_self_signed());
    assert_eq!((root.sha256().len(), root.spki_sha256().len()), (64, 64));
}

#[test]
fn pem_and_base64_of_the_der_read_as_the_same_certificate() {
    let root = root("Root", 1);
    assert_eq!(Certificate::read(&root.pem().replace('\n', "\r\n"), FIELD).unwrap(), root);
    assert_eq!(Certificate::read(&STANDARD.encode(root.der()), FIELD).unwrap(), root);
}

#[test]
fn no_shortened_or_bent_certificate_makes_the_reader_panic() {
    let whole = root("Root", 1).der().to_vec();
    for at in 0..whole.len() {
        assert!(Certificate::read(&STANDARD.encode(&whole[..at]), FIELD).is_err());
        for bit in 0..8 {
            let mut bent = whole.clone();
            bent[at] ^= 1 << bit;
            if let Ok(read) = Certificate::read(&STANDARD.encode(&bent), FIELD) {
                let _ = (lint_codes(&read), trust(&read, store(&[], &[])));
            }
        }
    }
}

#[test]
fn what_openssl_makes_by_mistake_is_called_by_its_name() {
    let made = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl").args(arguments).output().unwrap();
        Certificate::read(&STANDARD.encode(&output.stdout), FIELD).unwrap_err()[0].code
    };
    let key = std::env::temp_dir().join(format!("pms-key-{}.pem", std::process::id()));
    let key = key.to_str().unwrap();
    made(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key]);
    assert_eq!(made(&["pkey", "-in", key, "-outform", "DER"]), "PRIVATE_KEY_SENT");
    assert_eq!(made(&["ec", "-in", key, "-outform", "DER"]), "PRIVATE_KEY_SENT");
    assert_eq!(made(&["pkey", "-in", key, "-pubout", "-outform", "DER"]), "PUBLIC_KEY_SENT");
    assert_eq!(
        made(&["req", "-new", "-key", key, "-subj", "/O=Acme", "-outform", "DER"]),
        "CSR_SENT"
    );
    assert_eq!(
        made(&["pkcs12", "-export", "-nocerts", "-inkey", key, "-passout", "pass:x"]),
        "PKCS12_SENT"
    );
    std::fs::remove_file(key).unwrap();
}

#[test]
fn bytes_hidden_behind_a_field_or_in_an_extension_are_noticed() {
    let root = root("Root", 1);
    let raw = changed_der(&root, &key(1), |tbs| {
        let extensions = tbs.extensions.as_mut().unwrap();
        extensions.push(extension("2.5.29.54", false, &[2, 1, 0, 0]));
    });
    let findings = Certificate::from_der(&raw, FIELD).unwrap_err();
    assert_eq!(codes(&findings), ["CERT_MALFORMED"]);
    let broken = changed_der(&root, &key(1), |tbs| {
        let extensions = tbs.extensions.as_mut().unwrap();
        extensions.push(extension("2.5.29.17", false, &[0x04, 1, 0]));
    });
    let findings = Certificate::from_der(&broken, FIELD).unwrap_err();
    assert_eq!(findings[0].params["part"], "2.5.29.17");
}

#[test]
fn a_sound_certificate_has_no_findings() {
    assert!(lint_codes(&root("Root", 1)).is_empty());
}

#[test]
fn serial_numbers_must_be_positive_except_in_roots() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let zero = |tbs: &mut TbsCertificate| tbs.serial_number = SerialNumber::new(&[0]).unwrap();
    assert_eq!(lint_codes(&changed(&leaf, 1, zero)), ["SERIAL"]);
    assert!(lint_codes(&changed(&root, 1, zero)).is_empty());
}

#[test]
fn extensions_must_keep_the_rules() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let expected = [
        (extension("1.2.3.4", true, &[5, 0]), "UNKNOWN_CRITICAL_EXTENSION"),
        (extension("2.5.29.14", true, &[4, 1, 1]), "EXTENSION_RULE"),
        (extension("2.5.29.37", false, &[0x30, 0]), "EXTENSION_RULE"),
        (extension("2.5.29.17", false, &[0x30, 0]), "EXTENSION_RULE"),
        (extension("2.5.29.17", false, &[0x30, 3, 0x87, 1, 1]), "EXTENSION_RULE"),
        (extension("2.5.29.30", true, &[0x30, 0]), "EXTENSION_RULE"),
        (extension("2.5.29.15", true, &[3, 2, 7, 0]), "EXTENSION_RULE"),
        (extension("2.5.29.36", true, &[0x30, 3, 0x80, 1, 0]), "EXTENSION_RULE"),
        (extension("2.5.29.19", true, &[0x30, 3, 2, 1, 0]), "EXTENSION_RULE"),
    ];
    for (added, code) in expected {
        let bent = with_extension(&leaf, 1, added.clone());
        assert_eq!(lint_codes(&bent), [code], "{added:?}");
    }
    let unknown = with_extension(&leaf, 1, extension("1.2.3.4", false, &[5, 0]));
    assert!(lint_codes(&unknown).is_empty());
}

#[test]
fn an_extension_may_stand_there_only_once() {
    let doubled = changed(&root("Root", 1), 1, |tbs| {
        let extensions = tbs.extensions.as_mut().unwrap();
        extensions.push(extensions[0].clone());
    });
    assert_eq!(lint_codes(&doubled), ["DUPLICATE_EXTENSION"]);
}

#[test]
fn both_algorithm_fields_must_agree() {
    let mismatched = changed(&root("Root", 1), 1, |tbs| {
        let oid = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
        tbs.signature = AlgorithmIdentifierOwned { oid, parameters: None };
    });
    assert_eq!(lint_codes(&mismatched), ["SIGALG_MISMATCH"]);
}

#[test]
fn the_first_and_the_last_second_belong_to_the_validity() {
    let root = root("Root", 1);
    let at = |now| codes(&lint(&root, now, &CertificatePolicy::default(), FIELD));
    let (second, skew) = (TimeDelta::seconds(1), TimeDelta::minutes(5));
    assert_eq!(at(root.not_before() - skew - second), ["NOT_YET_VALID"]);
    assert!(at(root.not_before() - skew).is_empty());
    assert!(at(root.not_after()).is_empty());
    assert_eq!(at(root.not_after() + second), ["EXPIRED"]);
}

#[test]
fn a_blocked_key_is_refused() {
    let root = root("Root", 1);
    let policy =
        CertificatePolicy { blocked_keys: [root.spki_sha256()].into(), ..Default::default() };
    assert_eq!(codes(&lint(&root, now(), &policy, FIELD)), ["KEY_BLOCKED"]);
}

#[test]
fn all_findings_come_together_and_name_the_field() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let leaf = with_extension(&leaf, 1, extension("1.2.3.4", true, &[5, 0]));
    let leaf = changed(&leaf, 1, |tbs| tbs.serial_number = SerialNumber::new(&[0]).unwrap());
    let policy = CertificatePolicy::default();
    let findings = check_partner_certificate(
        &leaf,
        "Other",
        CertificateProfile::EndEntity,
        store(&[], &[]),
        days(999),
        &policy,
        FIELD,
    )
    .unwrap_err();
    let expected = [
        "SERIAL",
        "UNKNOWN_CRITICAL_EXTENSION",
        "ORG_MISMATCH",
        "VALIDITY_TOO_SHORT",
        "ISSUER_UNKNOWN",
    ];
    assert_eq!(codes(&findings), expected);
    assert!(findings.iter().all(|finding| finding.field == FIELD));
}

/// What the CA with key `seed` takes back: every certificate made here has the same serial number.
fn taken_back_by(seed: u8) -> Revocations {
    let mut revocations = Revocations::default();
    revocations.add(root("", seed).spki_sha256(), ["07".repeat(16)]);
    revocations
}

#[test]
fn what_its_ca_takes_back_is_refused_by_its_name() {
    let (roots, ca) =
        ([root("Root", 1)], |name, seed, by: &Certificate| issued(name, seed, CA, by, 1));
    let intermediates = [ca("CA", 2, &roots[0])];
    let leaf = issued("leaf", 3, Usage::EndEntity, &intermediates[0], 2);
    let told = |seed| {
        let revocations = &taken_back_by(seed);
        let store = TrustStore { revocations, ..store(&roots, &intermediates) };
        let end_entity = CertificateProfile::EndEntity;
        let findings = partner_findings(&leaf, end_entity, store).err().unwrap_or_default();
        findings.iter().map(|it| (it.code, it.params["sha256"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(2), [("CERTIFICATE_REVOKED", leaf.sha256())]);
    assert_eq!(told(3), []);
    let itself = told(1)[0].clone();
    assert_eq!(itself, ("CERTIFICATE_REVOKED", intermediates[0].sha256()));
    let revocations = &taken_back_by(1);
    let by_root = TrustStore { revocations, ..store(&roots, &[]) };
    assert_eq!(trust(&intermediates[0], by_root), Err(vec!["CERTIFICATE_REVOKED"]));
}

#[test]
fn another_certificate_of_the_ca_does_not_vouch_for_what_it_takes_back() {
    let roots = [root("Root", 1), root("Other root", 4)];
    let intermediates = [issued("CA", 2, CA, &roots[0], 1), issued("CA", 2, CA, &roots[1], 4)];
    let leaf = issued("leaf", 3, Usage::EndEntity, &intermediates[0], 2);
    let revocations = &taken_back_by(2);
    let store = TrustStore { revocations, ..store(&roots, &intermediates) };
    assert_eq!(partner(&leaf, store), Err(vec!["CERTIFICATE_REVOKED"]));
}

#[test]
fn where_one_way_was_taken_back_another_one_is_found() {
    let roots = [root("Root", 1), root("Other root", 4)];
    let intermediates = [issued("CA", 2, CA, &roots[0], 1), issued("CA", 2, CA, &roots[1], 4)];
    let leaf = issued("leaf", 3, Usage::EndEntity, &intermediates[0], 2);
    for (seed, way) in [(1, 1), (4, 0)] {
        let revocations = &taken_back_by(seed);
        let store = TrustStore { revocations, ..store(&roots, &intermediates) };
        let expected = [&leaf, &intermediates[way], &roots[way]].map(Certificate::sha256);
        assert_eq!(partner(&leaf, store), Ok(expected.to_vec()));
    }
}

#[test]
fn a_root_is_a_ca_that_signed_itself() {
    assert_eq!(trust(&root("Root", 1), store(&[], &[])), Ok(TrustKind::Root));
}

#[test]
fn an_intermediate_names_the_certificate_that_verified_it() {
    let root = root("Root", 1);
    let intermediate = issued("Intermediate", 2, CA, &root, 1);
    let issuer_sha256 = root.sha256();
    let kind = trust(&intermediate, store(&[root], &[]));
    assert_eq!(kind, Ok(TrustKind::Intermediate { issuer_sha256 }));
    assert_eq!(trust(&intermediate, store(&[], &[])), Err(vec!["ISSUER_UNKNOWN"]));
}

#[test]
fn a_leaf_cannot_become_a_trust_certificate() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    assert_eq!(trust(&leaf, store(&[root], &[])), Err(vec!["NOT_A_CA", "CA_KEY_USAGE"]));
}

#[test]
fn a_ca_whose_basic_constraints_are_not_critical_is_refused() {
    let ca_true = [0x30, 3, 1, 1, 0xff];
    let soft = with_extension(&root("Root", 1), 1, extension("2.5.29.19", false, &ca_true));
    assert_eq!(trust(&soft, store(&[], &[])), Err(vec!["NOT_A_CA"]));
}

#[test]
fn a_self_signature_under_two_names_is_refused() {
    let other = name("Other");
    let bent = changed(&root("Root", 1), 1, |tbs| tbs.issuer = Decode::from_der(&other).unwrap());
    assert_eq!(trust(&bent, store(&[], &[])), Err(vec!["SELF_SIGNED_NAMES_DIFFER"]));
}

#[test]
fn a_trust_certificate_must_live_twelve_months_more() {
    let root = root("Root", 1);
    let policy = CertificatePolicy::default();
    let at = |now| check_trust_certificate(&root, store(&[], &[]), now, &policy, FIELD);
    let last = root.not_after().checked_sub_months(Months::new(12)).unwrap();
    assert_eq!(at(last), Ok(TrustKind::Root));
    assert_eq!(codes(&at(last + TimeDelta::days(1)).unwrap_err()), ["VALIDITY_TOO_SHORT"]);
}

#[test]
fn a_root_that_is_refused_for_its_algorithm_is_not_called_unknown_too() {
    let der = changed_der(&root("Root", 1), &Sha1(key(1)), |tbs| tbs.signature = sha1_with_ecdsa());
    let old = Certificate::from_der(&der, FIELD).unwrap();
    assert_eq!(trust(&old, store(&[], &[])), Err(vec!["SIGALG_NOT_ALLOWED"]));
}

struct Sha1(EcdsaP256Signer);

impl Signer for Sha1 {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        sha1_with_ecdsa()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, issuance::NotIssued> {
        self.0.sign(message)
    }
}

fn sha1_with_ecdsa() -> AlgorithmIdentifierOwned {
    let oid = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
    AlgorithmIdentifierOwned { oid, parameters: None }
}

#[test]
fn a_partner_certificate_gets_its_path_from_leaf_to_root() {
    let root = root("Root", 1);
    let intermediate = issued("Intermediate", 2, CA, &root, 1);
    let leaf = issued("leaf", 3, Usage::EndEntity, &intermediate, 2);
    let path = vec![leaf.sha256(), intermediate.sha256(), root.sha256()];
    assert_eq!(partner(&leaf, store(&[root], &[intermediate])), Ok(path));
}

#[test]
fn the_organization_is_compared_without_case_blanks_and_unicode_form() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let (anchors, policy) = ([root], CertificatePolicy::default());
    let check = |registered: &str| {
        check_partner_certificate(
            &leaf,
            registered,
            CertificateProfile::EndEntity,
            store(&anchors, &[]),
            now(),
            &policy,
            FIELD,
        )
    };
    assert!(check(" ACME\u{3000}biometrics").is_ok());
    let refused = check("Acme Biometrics Ltd").unwrap_err();
    assert_eq!(codes(&refused), ["ORG_MISMATCH"]);
    assert_eq!(refused[0].params["certificate"], "Acme Biometrics");
    assert_eq!(refused[0].params["registered"], "Acme Biometrics Ltd");
}

#[test]
fn two_organizations_or_none_are_refused() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let doubled = changed(&leaf, 1, |tbs| {
        let organization = tbs.subject.0[1].clone();
        tbs.subject.0.push(organization);
    });
    let without = changed(&leaf, 1, |tbs| drop(tbs.subject.0.remove(1)));
    let anchors = [root];
    for leaf in [doubled, without] {
        assert_eq!(partner(&leaf, store(&anchors, &[])), Err(vec!["ORG_MISMATCH"]));
    }
}

#[test]
fn a_partner_certificate_must_live_335_days_more() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let (anchors, policy) = ([root], CertificatePolicy::default());
    let at = |now| {
        check_partner_certificate(
            &leaf,
            "Acme Biometrics",
            CertificateProfile::EndEntity,
            store(&anchors, &[]),
            now,
            &policy,
            FIELD,
        )
    };
    assert!(at(days(1000 - 335)).is_ok());
    let late = at(days(1000 - 335) + TimeDelta::seconds(1)).unwrap_err();
    assert_eq!(codes(&late), ["VALIDITY_TOO_SHORT"]);
    assert_eq!(codes(&at(days(1001)).unwrap_err()), ["EXPIRED", "CHAIN_CERTIFICATE_REFUSED"]);
}

#[test]
fn only_an_issuing_partner_may_send_a_ca_and_only_one_without_cas_below() {
    let root = root("Root", 1);
    let closed = issued("closed", 2, Usage::IssuingPartner, &root, 1);
    let open = issued("open", 3, CA, &root, 1);
    let leaf = issued("leaf", 4, Usage::EndEntity, &root, 1);
    let anchors = [root];
    let as_issuer = |certificate| {
        partner_findings(certificate, CertificateProfile::Issuing, store(&anchors, &[]))
            .map_err(|f| codes(&f))
    };
    assert!(as_issuer(&closed).is_ok());
    assert!(as_issuer(&leaf).is_ok());
    assert_eq!(as_issuer(&open), Err(vec!["PATH_LENGTH_NOT_ZERO"]));
    assert_eq!(partner(&closed, store(&anchors, &[])), Err(vec!["CA_NOT_ALLOWED"]));
}

#[test]
fn a_key_that_may_not_sign_is_of_no_use_to_a_partner() {
    let root = root("Root", 1);
    let leaf = issued("leaf", 2, Usage::EndEntity, &root, 1);
    let key_encipherment = with_extension(&leaf, 1, extension("2.5.29.15", true, &[3, 2, 5, 0x20]));
    assert_eq!(partner(&key_encipherment, store(&[root], &[])), Err(vec!["KEY_USAGE"]));
}

#[test]
fn among_issuers_of_one_name_the_right_one_is_found() {
    let root = root("Root", 1);
    let right = issued("Intermediate", 2, CA, &root, 1);
    let wrong = issued("Intermediate", 3, CA, &root, 1);
    let leaf = issued("leaf", 4, Usage::EndEntity, &right, 2);
    let (anchors, intermediates) = ([root], [wrong, right]);
    assert!(partner(&leaf, store(&anchors, &intermediates)).is_ok());
    // Without key ids there is no hint which one it is: both are tried.
    let hintless = changed(&leaf, 2, |tbs| tbs.extensions.as_mut().unwrap().truncate(2));
    assert!(partner(&hintless, store(&anchors, &intermediates)).is_ok());
}

#[test]
fn a_dead_end_is_left_for_another_way() {
    let (root, unknown) = (root("Root", 1), root("Unknown", 9));
    let crossed = issued("Intermediate", 2, CA, &unknown, 9);
    let rooted = issued("Intermediate", 2, CA, &root, 1);
    let leaf = issued("leaf", 3, Usage::EndEntity, &rooted, 2);
    assert!(partner(&leaf, store(&[root], &[crossed, rooted])).is_ok());
}

#[test]
fn the_way_that_came_furthest_is_explained() {
    let root = root("Root", 1);
    let wrong = issued("Intermediate", 3, CA, &root, 1);
    let right = issued("Intermediate", 2, CA, &root, 1);
    // permitted: C=IN, O=Other
    let only_other = [
        0x30, 0x22, 0xa0, 0x20, 0x30, 0x1e, 0xa4, 0x1c, 0x30, 0x1a, 0x31, 0x0b, 0x30, 9, 6, 3,
        0x55, 4, 6, 0x13, 2, b'I', b'N', 0x31, 0x0b, 0x30, 9, 6, 3, 0x55, 4, 10, 0x0c, 2, b'O',
        b'x',
    ];
    let right = with_extension(&right, 1, extension("2.5.29.30", true, &only_other));
    let leaf = issued("leaf", 4, Usage::EndEntity, &wrong, 3);
    let leaf = changed(&leaf, 2, |_| ());
    let anchors = [root];
    for intermediates in [[wrong.clone(), right.clone()], [right.clone(), wrong.clone()]] {
        let findings =
            partner_findings(&leaf, CertificateProfile::EndEntity, store(&anchors, &intermediates))
                .unwrap_err();
        assert_eq!(codes(&findings), ["NAME_NOT_PERMITTED"]);
        assert_eq!(findings[0].params["sha256"], right.sha256());
        assert_eq!(findings[0].params["subject"], right.subject());
    }
}

#[test]
fn the_path_length_of_the_root_counts_too() {
    let (subject, spki) = (name("Root"), key(1).spki().unwrap());
    let short = Usage::Authority { path_len: Some(0) };
    let root = issuance::self_signed_ca(&draft(&subject, &spki, short), &key(1)).unwrap();
    let elsewhere = self::root("Root", 1);
    let intermediate = issued("Intermediate", 2, CA, &elsewhere, 1);
    let leaf = issued("leaf", 3, Usage::EndEntity, &intermediate, 2);
    let store = store(std::slice::from_ref(&root), std::slice::from_ref(&intermediate));
    assert_eq!(partner(&leaf, store), Err(vec!["PATH_LENGTH"]));
    assert_eq!(trust(&intermediate, store), Err(vec!["PATH_LENGTH"]));
}

#[test]
fn cross_certificates_do_not_run_in_circles() {
    let (a_root, b_root) = (root("A", 1), root("B", 2));
    let a_by_b = issued("A", 1, CA, &b_root, 2);
    let b_by_a = issued("B", 2, CA, &a_root, 1);
    let leaf = issued("leaf", 3, Usage::EndEntity, &a_root, 1);
    assert_eq!(partner(&leaf, store(&[], &[a_by_b, b_by_a])), Err(vec!["ISSUER_UNKNOWN"]));
}

#[test]
fn a_store_full_of_namesakes_ends_the_search_within_its_budget() {
    let root = root("Root", 1);
    let one = issued("Intermediate", 2, CA, &root, 1);
    let leaf = issued("leaf", 3, Usage::EndEntity, &one, 2);
    let other = issued("Intermediate", 4, CA, &root, 1);
    let crowd = vec![other; 300];
    assert_eq!(partner(&leaf, store(&[root], &crowd)), Err(vec!["PATH_BUDGET"]));
}

fn hosts(count: usize) -> Vec<RawName> {
    let host = |at| RawName::DnsName(Ia5String::new(&format!("h{at}.example")).unwrap());
    (0..count).map(host).collect()
}

#[test]
fn a_flood_of_names_and_constraints_ends_the_search_within_its_budget() {
    let subtree = |base| GeneralSubtree { base, minimum: 0, maximum: None };
    let excluded_subtrees = Some(hosts(300).into_iter().map(subtree).collect());
    let constraints = NameConstraints { permitted_subtrees: None, excluded_subtrees };
    let value = constraints.to_der().unwrap();
    let root = with_extension(&root("Root", 1), 1, extension("2.5.29.30", true, &value));
    let leaf = issued("leaf", 2, Usage::EndEntity, &self::root("Root", 1), 1);
    let with_names = |count| {
        let names = SubjectAltName(hosts(count)).to_der().unwrap();
        with_extension(&leaf, 1, extension("2.5.29.17", false, &names))
    };
    let anchors = [root];
    assert_eq!(partner(&with_names(200), store(&anchors, &[])), Err(vec!["PATH_BUDGET"]));
    assert_eq!(partner(&with_names(100), store(&anchors, &[])), Err(vec!["NAME_NOT_PERMITTED"]));
}

#[test]
fn a_chain_longer_than_eight_certificates_is_refused() {
    let mut chain = vec![root("CA 0", 1)];
    for at in 1..8u8 {
        let issuer = chain.last().unwrap().clone();
        chain.push(issued(&format!("CA {at}"), at + 1, CA, &issuer, at));
    }
    let (last, before) = (&chain[7], &chain[6]);
    let short = issued("leaf", 20, Usage::EndEntity, before, 7);
    let long = issued("leaf", 20, Usage::EndEntity, last, 8);
    let store = store(&chain[..1], &chain[1..]);
    assert_eq!(partner(&short, store).map(|path| path.len()), Ok(MAX_PATH));
    assert_eq!(partner(&long, store), Err(vec!["PATH_BUDGET"]));
}

struct P521(EcdsaKeyPair);

impl Signer for P521 {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        let oid = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
        AlgorithmIdentifierOwned { oid, parameters: None }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, issuance::NotIssued> {
        Ok(self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }
}

#[test]
fn an_issuer_with_a_p521_key_is_understood() {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    let pair = P521(EcdsaKeyPair::generate(&ECDSA_P521_SHA512_ASN1_SIGNING).unwrap());
    let spki: PublicKeyX509Der<'_> = pair.0.public_key().as_der().unwrap();
    let subject = name("Root");
    let root = issuance::self_signed_ca(&draft(&subject, spki.as_ref(), CA), &pair).unwrap();
    let (subject, key) = (name("leaf"), key(2).spki().unwrap());
    let leaf =
        issuance::certificate(&draft(&subject, &key, Usage::EndEntity), &root, &pair).unwrap();
    assert_eq!(root.key_algorithm(), "EC_P521");
    assert!(partner(&leaf, store(&[root], &[])).is_ok());
}
