//! Certificates of trust stores and of partners: reading, judging, and the path to a root.
//!
//! Pure: no clock, no network, no store. The instant and the policy are arguments, because a
//! replay must never judge an old certificate by today's date. Nothing is fetched (AIA, CRL,
//! OCSP) while an upload is judged.
//!
//! `read` finds out what was sent, `facts` turns DER into facts, `lint` judges one certificate by
//! itself, `path` looks for the way to a root over certificates that passed the lint, and `check`
//! is what an upload must pass.

mod bundle;
mod check;
mod constraints;
mod crl;
mod der;
mod facts;
mod key;
mod lint;
mod name;
mod path;
mod read;
mod signature;

pub use bundle::{MAX_BUNDLE, MAX_BUNDLE_TEXT, OneOf};
pub use check::{
    check_partner_certificate, check_trust_certificate, issuer_findings, partner_path,
};
pub use crl::{MAX_CRL_TEXT, MAX_REVOKED, RevocationList, Revocations};
pub use lint::lint;
pub use path::{MAX_NAME_COMPARISONS, MAX_PATH, MAX_SIGNATURE_CHECKS};
pub use read::MAX_TEXT;

use crate::finding::Finding;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use constraints::{GeneralName, NameConstraints};
use name::Name;
use std::collections::BTreeSet;
use std::fmt;
use x509_parser::extensions::{BasicConstraints, KeyUsage};

/// A well-formed X.509 certificate. Whether it is a good one, `lint` and the checks tell.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// As people count: 3 for what everybody uses.
    version: u32,
    has_unique_ids: bool,
    serial: Vec<u8>,
    subject: Name,
    issuer: Name,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    key: PublicKey,
    signed: Signed,
    extensions: Vec<Extension>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    alternative_names: Vec<GeneralName>,
    name_constraints: NameConstraints,
}

#[derive(Clone, PartialEq, Eq)]
struct PublicKey {
    /// The whole `SubjectPublicKeyInfo`
    spki: Vec<u8>,
    /// The inside of its `AlgorithmIdentifier`
    algorithm: Vec<u8>,
    bits: Vec<u8>,
    is_elliptic: bool,
    label: String,
}

#[derive(Clone, PartialEq, Eq)]
struct Signed {
    message: Vec<u8>,
    /// The inside of the outer `AlgorithmIdentifier`
    algorithm: Vec<u8>,
    algorithm_oid: String,
    algorithm_inside_differs: bool,
    signature: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq)]
struct Extension {
    oid: String,
    critical: bool,
    /// What is wrong with its content, if anything
    fault: Option<&'static str>,
}

impl Certificate {
    /// Reads one certificate: one PEM block, or base64 of its DER; at most [`MAX_TEXT`] characters.
    ///
    /// # Errors
    /// One finding that says what was sent instead, or which part is damaged.
    pub fn read(text: &str, field: &str) -> Result<Self, Vec<Finding>> {
        let der = read::der_of(text, field).map_err(|finding| vec![finding])?;
        Self::from_der(&der, field)
    }

    /// Reads one certificate from DER, as it comes from our own store or from our own issuing.
    ///
    /// # Errors
    /// `CERT_MALFORMED` with the part that is damaged.
    pub fn from_der(der: &[u8], field: &str) -> Result<Self, Vec<Finding>> {
        facts::facts(der, field).map_err(|finding| vec![finding])
    }

    /// The bytes as they came; everything else is read from them.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// RFC 7468: lines of 64 characters between the two marks.
    pub fn pem(&self) -> String {
        let letters: Vec<char> = STANDARD.encode(&self.der).chars().collect();
        let lines: Vec<String> = letters.chunks(64).map(|line| line.iter().collect()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// The identity of a certificate: SHA-256 of its DER, in lower-case hex.
    pub fn sha256(&self) -> String {
        sha256(&self.der)
    }

    /// SHA-256 of the part that was signed, in lower-case hex: what can be told of a certificate
    /// before there is a signature.
    pub fn tbs_sha256(&self) -> String {
        sha256(&self.signed.message)
    }

    /// The identity of its key: SHA-256 of the `SubjectPublicKeyInfo`, in lower-case hex.
    pub fn spki_sha256(&self) -> String {
        sha256(&self.key.spki)
    }

    /// The DER of the `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> &[u8] {
        &self.key.spki
    }

    /// The DER of the subject, for repeating it byte for byte.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject.raw
    }

    /// The name of its key, chosen by its issuer; an issued certificate refers to it.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The serial number in lower-case hex, as its bytes stand in the certificate.
    pub fn serial(&self) -> String {
        hex::encode(&self.serial)
    }

    /// In the form of RFC 4514, for people. Two names that look alike need not be the same.
    pub fn subject(&self) -> String {
        self.subject.display()
    }

    /// In the form of RFC 4514, for people. The issuer is identified by key, never by this text.
    pub fn issuer(&self) -> String {
        self.issuer.display()
    }

    /// Every O of the subject, as written.
    pub fn organizations(&self) -> Vec<String> {
        self.subject.values(name::ORGANIZATION)
    }

    /// The last, most specific CN of the subject.
    pub fn common_name(&self) -> Option<String> {
        self.subject.values(name::COMMON_NAME).pop()
    }

    /// The first second in which it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.not_before
    }

    /// The last second in which it is valid (RFC 5280, 4.1.2.5).
    pub fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Whether it says of itself that it is a CA.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints.as_ref().is_some_and(|basic| basic.ca)
    }

    /// How many CAs may stand between this one and the end of a path; nothing means any number.
    pub fn path_len(&self) -> Option<u32> {
        self.basic_constraints.as_ref()?.path_len_constraint
    }

    /// `RSA_2048` (any number of bits), `EC_P256`, `EC_P384`, `EC_P521`, `ED25519`, or `OTHER`.
    pub fn key_algorithm(&self) -> &str {
        &self.key.label
    }

    /// Subject and issuer are the same name. Only the signature tells whether it signed itself.
    pub fn is_self_issued(&self) -> bool {
        self.subject.same_as(&self.issuer)
    }

    /// Whether it verifies under its own key.
    pub fn is_self_signed(&self) -> bool {
        signature::verifies(&self.signed, self)
    }

    /// Whether the key of `issuer` signed this certificate. Says nothing about whether it may.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        signature::verifies(&self.signed, issuer)
    }

    /// Whether the private half of its key signed `message`, in any of the ways in which we accept
    /// signatures of such a key: RSA with PKCS#1 or PSS (a salt as long as the hash), ECDSA, both with
    /// SHA-256, 384 or 512; Ed25519.
    pub fn verifies_message(&self, message: &[u8], signature: &[u8]) -> bool {
        signature::verifies_message(&self.key, message, signature)
    }

    /// RFC 5280, 4.2.1.3: a CA without a key usage is not limited in this.
    fn may_sign_revocation_lists(&self) -> bool {
        self.key_usage.is_none_or(|usage| usage.crl_sign())
    }

    fn may_sign_certificates(&self) -> bool {
        self.key_usage.is_some_and(|usage| usage.key_cert_sign())
    }
}

/// What is wrong with the key in a `SubjectPublicKeyInfo`, as code and message; nothing when it is
/// sound. The rules are those for the keys of certificates.
pub(crate) fn key_fault(spki: &[u8]) -> Option<key::KeyFault> {
    match facts::lone_key(spki) {
        Some(key) => key::fault(&key),
        None => Some(("KEY_MALFORMED", "The key is damaged.".to_owned())),
    }
}

/// RFC 3339 in UTC, whole seconds, as in all answers.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Short, for logs and failing tests: the bytes of a certificate help nobody there.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, sha256 {})", self.subject(), self.sha256())
    }
}

/// What an installation may decide about certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePolicy {
    /// How far `notBefore` may lie ahead, because clocks differ. Nothing is added to `notAfter`.
    pub clock_skew: TimeDelta,
    /// A trust certificate must live at least this many months more.
    pub trust_months_left: u32,
    /// A partner's certificate must live at least this many days more.
    pub partner_days_left: u32,
    /// How many days the counter-signed certificate lives at most.
    pub issued_days: u32,
    /// Keys that are known to be compromised, by `spki_sha256`.
    pub blocked_keys: BTreeSet<String>,
}

/// 12 months and 335 days are keymanager's values, 365 days its counter-signed certificate's.
impl Default for CertificatePolicy {
    fn default() -> Self {
        Self {
            clock_skew: TimeDelta::minutes(5),
            trust_months_left: 12,
            partner_days_left: 335,
            issued_days: 365,
            blocked_keys: BTreeSet::new(),
        }
    }
}

/// The active certificates of one trust domain; disabled and revoked ones are not in here.
#[derive(Debug, Clone, Copy)]
pub struct TrustStore<'a> {
    /// Roots: the trust in them comes from an administrator.
    pub anchors: &'a [Certificate],
    /// CAs below the roots.
    pub intermediates: &'a [Certificate],
    /// What they take back.
    pub revocations: &'a Revocations,
}

impl<'a> TrustStore<'a> {
    /// A store whose CAs take nothing back.
    pub fn new(anchors: &'a [Certificate], intermediates: &'a [Certificate]) -> Self {
        Self { anchors, intermediates, revocations: Revocations::none() }
    }
}

/// What an accepted trust certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustKind {
    /// It signed itself.
    Root,
    /// It has a path to a root.
    Intermediate {
        /// The certificate whose key verified it.
        issuer_sha256: String,
    },
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
