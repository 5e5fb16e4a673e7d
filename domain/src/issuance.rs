//! Issuing certificates: counter-signing a partner's, and making the CAs of a new installation.
//!
//! Pure like all of the domain: the instant and the random serial number are arguments, and the
//! key stays behind [`Signer`], a file today and an HSM or KMS later. A certificate is judged by
//! our own lint before it is signed, and its signature is checked before it is handed out.

mod fields;
mod signer;

pub use signer::{EcdsaP256Signer, Ed25519Signer, Signer};

use crate::certificate::{Certificate, CertificatePolicy, issuer_findings, lint};
use crate::finding::Finding;
use crate::reference::CertificateProfile;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use fields::{issuer_key_id, key_id, to_be_signed};
use thiserror::Error;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier, PrintableString, Utf8StringRef};
use x509_cert::der::{self, Decode, Encode};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// RFC 5652, 4 and 5.1
const PKCS7_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const PKCS7_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// `notBefore` lies this far back, for readers whose clock is slow.
const BACKDATED: TimeDelta = TimeDelta::minutes(5);

/// Why there is no certificate.
#[expect(missing_docs, reason = "the message says it")]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotIssued {
    #[error("the signing key cannot be read or made")]
    Key,
    #[error("the signing key did not sign")]
    Signature,
    #[error("the signing key is not the key of the issuing certificate")]
    WrongKey,
    #[error("a part of the certificate cannot be encoded")]
    Encoding,
    #[error("the subject is not in DER and cannot be repeated byte for byte")]
    SubjectNotCanonical,
    #[error("the partner's certificate and the issuer's have no time in common")]
    NoTimeLeft,
    #[error("the certificate would break a rule")]
    Refused(Vec<Finding>),
}

impl From<der::Error> for NotIssued {
    fn from(_: der::Error) -> Self {
        Self::Encoding
    }
}

/// What the key of a new certificate may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A root or an intermediate: signs certificates and revocation lists.
    Authority {
        /// How many CAs may stand below it; nothing means any number.
        path_len: Option<u8>,
    },
    /// A device or chip provider: signs the certificates of its keys, below it no further CA.
    IssuingPartner,
    /// Signs data; an RSA key may be encrypted for, too.
    EndEntity,
}

/// A certificate before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<'a> {
    /// 16 random bytes; the top bit is cleared here.
    pub serial: [u8; 16],
    /// DER of the name, see [`Subject::der`]
    pub subject: &'a [u8],
    /// DER of the `SubjectPublicKeyInfo`
    pub spki: &'a [u8],
    /// The first second in which it is valid; also the instant at which it is linted.
    pub not_before: DateTime<Utc>,
    /// The last second in which it is valid.
    pub not_after: DateTime<Utc>,
    /// What its key may do.
    pub usage: Usage,
    /// Becomes the alternative name `urn:mosip:partner:<id>`.
    pub partner_id: Option<&'a str>,
}

/// A subject of plain strings, for certificates that we make from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// CN
    pub common_name: &'a str,
    /// O
    pub organization: &'a str,
    /// OU
    pub organizational_unit: Option<&'a str>,
    /// C, two letters of ISO 3166
    pub country: Option<&'a str>,
}

impl Subject<'_> {
    /// The name in DER: C, O, OU, CN, from the general to the special.
    ///
    /// # Errors
    /// [`NotIssued::Encoding`] when the country has other characters than RFC 5280 allows.
    pub fn der(&self) -> Result<Vec<u8>, NotIssued> {
        let country = self.country.map(|country| rdn(COUNTRY, &PrintableString::new(country)?));
        let mut rdns: Vec<_> = country.transpose()?.into_iter().collect();
        rdns.push(text_rdn(ORGANIZATION, self.organization)?);
        if let Some(unit) = self.organizational_unit {
            rdns.push(text_rdn(ORGANIZATIONAL_UNIT, unit)?);
        }
        rdns.push(text_rdn(COMMON_NAME, self.common_name)?);
        Ok(RdnSequence(rdns).to_der()?)
    }
}

fn text_rdn(oid: ObjectIdentifier, text: &str) -> der::Result<RelativeDistinguishedName> {
    rdn(oid, &Utf8StringRef::new(text)?)
}

fn rdn(oid: ObjectIdentifier, value: &impl Encode) -> der::Result<RelativeDistinguishedName> {
    let value = Any::from_der(&value.to_der()?)?;
    RelativeDistinguishedName::try_from(vec![AttributeTypeAndValue { oid, value }])
}

/// A partner's certificate that is to be issued once more, by us.
#[derive(Debug, Clone, Copy)]
pub struct CounterSigning<'a> {
    /// The partner's own certificate, checked before.
    pub partner: &'a Certificate,
    /// Our issuing CA.
    pub issuer: &'a Certificate,
    /// What the partner's type allows.
    pub profile: CertificateProfile,
    /// Becomes the alternative name `urn:mosip:partner:<id>`.
    pub partner_id: &'a str,
}

/// What is chosen for a certificate when it is issued; all else follows from the partner's own
/// certificate and the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Positive, and sixteen bytes long in every encoding.
    pub serial: [u8; 16],
    /// The first second in which it is valid.
    pub not_before: DateTime<Utc>,
    /// The last second in which it is valid.
    pub not_after: DateTime<Utc>,
}

impl CounterSigning<'_> {
    /// The terms of a certificate that is issued now, from 16 random bytes. It never outlives the
    /// partner's own nor the issuer's, and is never older than either.
    ///
    /// # Errors
    /// [`NotIssued::NoTimeLeft`]
    pub fn terms(
        &self,
        mut serial: [u8; 16],
        now: DateTime<Utc>,
        policy: &CertificatePolicy,
    ) -> Result<Terms, NotIssued> {
        serial[0] = (serial[0] & 0x3f) | 0x40;
        let (not_before, not_after) = self.validity(now, policy).ok_or(NotIssued::NoTimeLeft)?;
        Ok(Terms { serial, not_before, not_after })
    }

    fn validity(
        &self,
        now: DateTime<Utc>,
        policy: &CertificatePolicy,
    ) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let (partner, issuer) = (self.partner, self.issuer);
        let life = TimeDelta::days(policy.issued_days.into());
        let from = (now - BACKDATED).max(partner.not_before()).max(issuer.not_before());
        let until = now.checked_add_signed(life)?.min(partner.not_after()).min(issuer.not_after());
        let seconds = (from.trunc_subsecs(0), until.trunc_subsecs(0));
        (from < until && now <= until).then_some(seconds)
    }

    /// What will be signed under these terms: the partner's subject and key, byte for byte. The
    /// same terms always give the same bytes.
    ///
    /// # Errors
    /// [`NotIssued`] says why; there is no body that the lint or the issuer's limits refuse.
    pub fn body(&self, terms: &Terms, signer: &dyn Signer) -> Result<Body, NotIssued> {
        let draft = Draft {
            serial: terms.serial,
            subject: &subject_of(self.partner)?,
            spki: self.partner.spki(),
            not_before: terms.not_before,
            not_after: terms.not_after,
            usage: usage_of(self.profile),
            partner_id: Some(self.partner_id),
        };
        body(&draft, self.issuer, signer)
    }
}

/// A certificate that lacks nothing but its signature, and may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    to_be_signed: Vec<u8>,
}

impl Body {
    /// Names it: SHA-256 of the bytes to be signed, in lower-case hex. A signed certificate tells
    /// the same of itself, see [`Certificate::tbs_sha256`].
    pub fn sha256(&self) -> String {
        hex::encode(digest(&SHA256, &self.to_be_signed))
    }

    /// The certificate, signed with the key of `issuer`.
    ///
    /// # Errors
    /// [`NotIssued`] says why.
    pub fn sign(
        &self,
        issuer: &Certificate,
        signer: &dyn Signer,
    ) -> Result<Certificate, NotIssued> {
        let complete = assembled(&self.to_be_signed, signer, &signer.sign(&self.to_be_signed)?)?;
        complete.is_signed_by(issuer).then_some(complete).ok_or(NotIssued::WrongKey)
    }
}

fn usage_of(profile: CertificateProfile) -> Usage {
    match profile {
        CertificateProfile::EndEntity => Usage::EndEntity,
        CertificateProfile::Issuing => Usage::IssuingPartner,
    }
}

fn subject_of(certificate: &Certificate) -> Result<Vec<u8>, NotIssued> {
    let subject = certificate.subject_der();
    let again = Name::from_der(subject)?.to_der()?;
    // Encoding sorts the parts of a set, which an unsorted name would not survive unchanged.
    (again == subject).then_some(again).ok_or(NotIssued::SubjectNotCanonical)
}

/// Issues `draft` with the key of `issuer`. Its validity is taken as it is.
///
/// # Errors
/// [`NotIssued`] says why; nothing is signed that the lint or the issuer's limits refuse.
pub fn certificate(
    draft: &Draft<'_>,
    issuer: &Certificate,
    signer: &dyn Signer,
) -> Result<Certificate, NotIssued> {
    body(draft, issuer, signer)?.sign(issuer, signer)
}

fn body(draft: &Draft<'_>, issuer: &Certificate, signer: &dyn Signer) -> Result<Body, NotIssued> {
    let to_be_signed = to_be_signed(draft, &subject_of(issuer)?, &issuer_key_id(issuer)?, signer)?;
    let unsigned = assembled(&to_be_signed, signer, &[0])?;
    let mut findings = lint_findings(&unsigned, draft);
    findings.extend(issuer_findings(issuer, &unsigned, ""));
    refuse(findings)?;
    Ok(Body { to_be_signed })
}

/// Makes `draft` a root that signs itself: `signer` holds the key of `draft.spki`.
///
/// # Errors
/// [`NotIssued`] says why; nothing is signed that the lint refuses.
pub fn self_signed_ca(draft: &Draft<'_>, signer: &dyn Signer) -> Result<Certificate, NotIssued> {
    let tbs = to_be_signed(draft, draft.subject, &key_id(draft.spki)?, signer)?;
    let unsigned = assembled(&tbs, signer, &[0])?;
    refuse(lint_findings(&unsigned, draft))?;
    let complete = assembled(&tbs, signer, &signer.sign(&tbs)?)?;
    complete.is_self_signed().then_some(complete).ok_or(NotIssued::WrongKey)
}

fn lint_findings(unsigned: &Certificate, draft: &Draft<'_>) -> Vec<Finding> {
    lint(unsigned, draft.not_before, &CertificatePolicy::default(), "")
}

fn refuse(findings: Vec<Finding>) -> Result<(), NotIssued> {
    if findings.is_empty() { Ok(()) } else { Err(NotIssued::Refused(findings)) }
}

fn assembled(tbs: &[u8], signer: &dyn Signer, signature: &[u8]) -> Result<Certificate, NotIssued> {
    let algorithm = signer.algorithm().to_der()?;
    let signature = BitString::from_bytes(signature)?.to_der()?;
    let der = element(SEQUENCE, &[tbs, &algorithm, &signature])?;
    Certificate::from_der(&der, "").map_err(NotIssued::Refused)
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;

/// One DER element around `parts`.
fn element(tag: u8, parts: &[&[u8]]) -> der::Result<Vec<u8>> {
    let content = parts.concat();
    let length = der::Length::try_from(content.len())?.to_der()?;
    Ok([&[tag], length.as_slice(), &content].concat())
}

/// The certificates as a PKCS#7 bundle without signature (RFC 5652, 5), in the order given: the
/// leaf first, because consumers take the first one for it.
///
/// # Errors
/// [`NotIssued::Encoding`] when the bundle is larger than DER of this library can be (256 MiB).
pub fn pkcs7(leaf_first: &[&Certificate]) -> Result<Vec<u8>, NotIssued> {
    let certificates: Vec<&[u8]> = leaf_first.iter().map(|c| c.der()).collect();
    let version = 1u8.to_der()?;
    let no_data = element(SEQUENCE, &[&PKCS7_DATA.to_der()?])?;
    let none = element(SET, &[])?;
    let certificates = element(CONTEXT_0, &certificates)?;
    let signed_data = element(SEQUENCE, &[&version, &none, &no_data, &certificates, &none])?;
    let content = element(CONTEXT_0, &[&signed_data])?;
    Ok(element(SEQUENCE, &[&PKCS7_SIGNED_DATA.to_der()?, &content])?)
}

/// The same bundle as text, which `.p7b` files and portals hold: base64 without line breaks.
///
/// # Errors
/// Never for certificates that were read before.
pub fn p7b(leaf_first: &[&Certificate]) -> Result<String, NotIssued> {
    Ok(BASE64_STANDARD.encode(pkcs7(leaf_first)?))
}

#[cfg(test)]
mod tests;
