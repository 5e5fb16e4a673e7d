//! One certificate by itself: everything that can be wrong with it, all findings together.
//! The rules are those of RFC 5280, section 4, and of the CA/Browser Forum where it is stricter.

use super::{Certificate, CertificatePolicy, Extension, instant, key, signature};
use crate::finding::Finding;
use chrono::{DateTime, Utc};

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const SUBJECT_KEY_ID: &str = "2.5.29.14";
const AUTHORITY_KEY_ID: &str = "2.5.29.35";
const AUTHORITY_INFO: &str = "1.3.6.1.5.5.7.1.1";
const POLICY_CONSTRAINTS: &str = "2.5.29.36";
const INHIBIT_ANY_POLICY: &str = "2.5.29.54";
const POLICY_MAPPINGS: &str = "2.5.29.33";

/// What we understand well enough to let it be critical: keyUsage, subjectAltName,
/// basicConstraints, nameConstraints, certificatePolicies, extendedKeyUsage.
const MAY_BE_CRITICAL: [&str; 6] =
    ["2.5.29.15", "2.5.29.17", BASIC_CONSTRAINTS, "2.5.29.30", "2.5.29.32", "2.5.29.37"];

/// RFC 5280, 4.1.2.2
const MAX_SERIAL_BYTES: usize = 20;

/// All findings about `certificate` alone, at `now`.
pub fn lint(
    certificate: &Certificate,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(version(certificate, field));
    findings.extend(signature_algorithm(certificate, field));
    findings.extend(public_key(certificate, policy, field));
    findings.extend(serial(certificate, field));
    findings.extend(names(certificate, field));
    findings.extend(extensions(certificate, field));
    findings.extend(dates(certificate, now, policy, field));
    findings
}

fn version(certificate: &Certificate, field: &str) -> Option<Finding> {
    let message = "The certificate must be of X.509 version 3 and without unique identifiers. Have \
        your CA issue a version 3 certificate.";
    let outdated = certificate.version != 3 || certificate.has_unique_ids;
    outdated
        .then(|| Finding::new("CERT_VERSION", field, message).with("version", certificate.version))
}

fn signature_algorithm(certificate: &Certificate, field: &str) -> Option<Finding> {
    let signed = &certificate.signed;
    if signed.algorithm_inside_differs {
        let message = "The certificate names two different signature algorithms, inside and \
            outside its signed part. It was changed or built wrongly: have it issued again.";
        return Some(Finding::new("SIGALG_MISMATCH", field, message));
    }
    if signature::is_accepted(&signed.algorithm) {
        return None;
    }
    let name = signature::refused_name(&signed.algorithm_oid);
    let message = format!(
        "The certificate is signed with {name}. Ask your CA for a signature with SHA-256, SHA-384 \
        or SHA-512 by RSA or ECDSA, or for Ed25519."
    );
    Some(Finding::new("SIGALG_NOT_ALLOWED", field, message).with("algorithm", name))
}

fn public_key(
    certificate: &Certificate,
    policy: &CertificatePolicy,
    field: &str,
) -> Option<Finding> {
    if policy.blocked_keys.contains(&certificate.spki_sha256()) {
        let message = "This key is known to be compromised. Make a new key pair and have a \
            certificate issued for it.";
        return Some(Finding::new("KEY_BLOCKED", field, message));
    }
    let (code, message) = key::fault(&certificate.key)?;
    Some(Finding::new(code, field, message).with("key", certificate.key_algorithm()))
}

/// Roots are let off: one that the whole world trusts has the serial number 0.
fn serial(certificate: &Certificate, field: &str) -> Option<Finding> {
    let serial = &certificate.serial;
    let negative = serial.first().is_some_and(|first| first & 0x80 != 0);
    let sound =
        !negative && serial.iter().any(|byte| *byte != 0) && serial.len() <= MAX_SERIAL_BYTES;
    let message = "The serial number must be positive and at most 20 bytes long. Have your CA \
        issue the certificate again.";
    let refused = !sound && !certificate.is_self_issued();
    refused.then(|| Finding::new("SERIAL", field, message).with("serial", certificate.serial()))
}

fn names(certificate: &Certificate, field: &str) -> Option<Finding> {
    let nameless = |part| {
        let message = format!("The certificate has no {part}. Have your CA issue it with one.");
        Finding::new("NAME_EMPTY", field, message).with("part", part)
    };
    if certificate.issuer.is_empty() {
        return Some(nameless("issuer"));
    }
    (certificate.is_ca() && certificate.subject.is_empty()).then(|| nameless("subject"))
}

fn extensions(certificate: &Certificate, field: &str) -> Vec<Finding> {
    let all = &certificate.extensions;
    let judged = all.iter().enumerate().filter_map(|(at, extension)| {
        let before = all.get(..at).unwrap_or_default();
        extension_finding(extension, before, field)
    });
    judged.collect()
}

fn extension_finding(extension: &Extension, before: &[Extension], field: &str) -> Option<Finding> {
    let oid = extension.oid.as_str();
    let finding = |code, message: String| Some(Finding::new(code, field, message).with("oid", oid));
    if before.iter().any(|other| other.oid == oid) {
        return finding(
            "DUPLICATE_EXTENSION",
            format!(
                "The extension {oid} stands there twice. Have your CA issue the certificate again."
            ),
        );
    }
    if let Some(fault) = extension.fault.or_else(|| criticality_fault(extension)) {
        return finding(
            "EXTENSION_RULE",
            format!(
                "An extension breaks a rule: {fault}. Have your CA issue the certificate without \
                this."
            ),
        );
    }
    if extension.critical && !MAY_BE_CRITICAL.contains(&oid) {
        return finding(
            "UNKNOWN_CRITICAL_EXTENSION",
            format!(
                "The extension {oid} is marked critical and is not known here. Have your CA issue \
                the certificate without it."
            ),
        );
    }
    None
}

fn criticality_fault(extension: &Extension) -> Option<&'static str> {
    let fault = match extension.oid.as_str() {
        SUBJECT_KEY_ID => "subjectKeyIdentifier must not be critical",
        AUTHORITY_KEY_ID => "authorityKeyIdentifier must not be critical",
        AUTHORITY_INFO => "authorityInfoAccess must not be critical",
        POLICY_CONSTRAINTS => "critical policyConstraints are not supported",
        INHIBIT_ANY_POLICY => "critical inhibitAnyPolicy is not supported",
        POLICY_MAPPINGS => "critical policyMappings are not supported",
        _ => return None,
    };
    extension.critical.then_some(fault)
}

/// Both ends belong to the validity (RFC 5280, 4.1.2.5).
fn dates(
    certificate: &Certificate,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Option<Finding> {
    let (from, until) = (certificate.not_before, certificate.not_after);
    if until < from {
        let message = "The certificate ends before it begins. Have your CA issue it again.";
        return Some(Finding::new("VALIDITY_REVERSED", field, message));
    }
    if from > now + policy.clock_skew {
        let message = format!(
            "The certificate is not valid before {}. Send it then, or have your CA check its \
            clock.",
            instant(from)
        );
        return Some(
            Finding::new("NOT_YET_VALID", field, message).with("notBefore", instant(from)),
        );
    }
    (until < now).then(|| {
        let message =
            format!("The certificate expired on {}. Renew it at your CA.", instant(until));
        Finding::new("EXPIRED", field, message).with("notAfter", instant(until))
    })
}

/// What makes a certificate a CA's (RFC 5280, 4.2.1.3 and 4.2.1.9).
pub(super) fn ca_findings(certificate: &Certificate, field: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let marked = certificate.extensions.iter().any(|e| e.oid == BASIC_CONSTRAINTS && e.critical);
    if !(marked && certificate.is_ca()) {
        let message = "This is not the certificate of a CA: it needs basicConstraints, marked \
            critical, with CA set to true.";
        findings.push(Finding::new("NOT_A_CA", field, message));
    }
    if !certificate.may_sign_certificates() {
        let message = "The key of this CA may not sign certificates. Have it issued with keyUsage \
            keyCertSign.";
        findings.push(Finding::new("CA_KEY_USAGE", field, message));
    }
    findings
}
