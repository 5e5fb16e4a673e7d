//! The 48 cases of `data/certificates.json`: trusted certificates, intermediates, a target, an
//! instant and what has to come out. No case has a revocation list, so none is left out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use domain::certificate::{
    Certificate, CertificatePolicy, TrustStore, check_partner_certificate, check_trust_certificate,
};
use domain::finding::Finding;
use domain::reference::CertificateProfile;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    id: String,
    trusted_certs: Vec<String>,
    intermediates: Vec<String>,
    leaf: String,
    validation_time: DateTime<Utc>,
    expected: String,
    profile: String,
}

/// For every refused case what it must be refused for: a refusal for another reason would be a
/// fault that happens to look right. A fault of a CA in the chain is named after the colon.
const REFUSED_FOR: [(&str, &[&str]); 27] = [
    ("own::leaf_secp256k1-noSAN-noEKU", &["KEY_CURVE"]),
    ("own::leaf_ed448-noSAN-noEKU", &["KEY_TYPE"]),
    ("own::rsa-sig-sha224", &["SIGALG_NOT_ALLOWED"]),
    ("own::sha1-sig", &["SIGALG_NOT_ALLOWED"]),
    ("own::md5-sig", &["SIGALG_NOT_ALLOWED"]),
    ("own::rsa1024-leaf-key", &["KEY_WEAK"]),
    ("own::rsa-e3-leaf-key", &["KEY_WEAK"]),
    ("own::p224-leaf-key", &["KEY_CURVE"]),
    ("own::rsa1024-root", &["CHAIN_CERTIFICATE_REFUSED:KEY_WEAK"]),
    ("own::leaf-is-ca", &["CA_NOT_ALLOWED"]),
    ("own::v1-leaf", &["CERT_VERSION"]),
    ("own::v1-root", &["CHAIN_CERTIFICATE_REFUSED:CERT_VERSION"]),
    ("own::root-without-basicConstraints", &["CHAIN_CERTIFICATE_REFUSED:NOT_A_CA"]),
    ("own::unknown-critical-ext-leaf", &["UNKNOWN_CRITICAL_EXTENSION"]),
    ("own::unknown-critical-ext-root", &["CHAIN_CERTIFICATE_REFUSED:UNKNOWN_CRITICAL_EXTENSION"]),
    ("own::inter-CA-false", &["CHAIN_CERTIFICATE_REFUSED:NOT_A_CA"]),
    ("own::inter-KU-without-keyCertSign", &["CHAIN_CERTIFICATE_REFUSED:CA_KEY_USAGE"]),
    ("own::root-KU-without-keyCertSign", &["CHAIN_CERTIFICATE_REFUSED:CA_KEY_USAGE"]),
    ("own::pathlen-0-broken", &["PATH_LENGTH"]),
    ("own::root-pathlen-0-broken", &["PATH_LENGTH"]),
    ("own::nc-dirname-mismatch", &["NAME_NOT_PERMITTED"]),
    ("own::expired-intermediate", &["CHAIN_CERTIFICATE_REFUSED:EXPIRED"]),
    ("own::expired-root", &["CHAIN_CERTIFICATE_REFUSED:EXPIRED"]),
    ("own::not-yet-valid-leaf", &["NOT_YET_VALID", "CHAIN_CERTIFICATE_REFUSED:NOT_YET_VALID"]),
    ("own::self-signed-leaf-not-in-store", &["CA_NOT_ALLOWED", "SELF_SIGNED"]),
    ("own::missing-intermediate", &["ISSUER_UNKNOWN"]),
    ("own::wrong-domain-root", &["ISSUER_UNKNOWN"]),
];

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/certificates.json")).unwrap()
}

fn read(pem: &str) -> Result<Certificate, Vec<Finding>> {
    Certificate::read(pem, "certificateData")
}

fn outcome(case: &Case) -> Result<(), Vec<Finding>> {
    let anchors: Vec<_> = case.trusted_certs.iter().map(|pem| read(pem).unwrap()).collect();
    let intermediates: Vec<_> = case.intermediates.iter().map(|pem| read(pem).unwrap()).collect();
    let store = TrustStore::new(&anchors, &intermediates);
    let (now, policy) = (case.validation_time, CertificatePolicy::default());
    let target = read(&case.leaf)?;
    if case.profile == "ca" {
        return check_trust_certificate(&target, store, now, &policy, "certificateData").map(drop);
    }
    // The cases are about keys, dates and chains: whoever stands in the subject is registered.
    let registered = target.organizations().pop().unwrap_or_default();
    let profile = CertificateProfile::EndEntity;
    check_partner_certificate(&target, &registered, profile, store, now, &policy, "certificateData")
        .map(drop)
}

fn codes(findings: &[Finding]) -> Vec<String> {
    let named = |finding: &Finding| match finding.params.get("reason") {
        Some(reason) => format!("{}:{reason}", finding.code),
        None => finding.code.to_owned(),
    };
    findings.iter().map(named).collect()
}

#[test]
fn every_case_ends_as_expected_and_for_the_right_reason() {
    let refused_for: BTreeMap<_, _> = REFUSED_FOR.into_iter().collect();
    for case in cases() {
        let outcome = outcome(&case);
        assert_eq!(outcome.is_ok(), case.expected == "SUCCESS", "{}: {outcome:?}", case.id);
        let wanted = refused_for.get(case.id.as_str()).copied().unwrap_or_default();
        assert_eq!(codes(&outcome.err().unwrap_or_default()), wanted, "{}", case.id);
    }
}

#[test]
fn no_case_is_lost() {
    assert_eq!(cases().len(), 48);
}
