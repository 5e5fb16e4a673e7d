//! The fields and extensions of a new certificate (RFC 5280, 4.1 and 4.2).

use super::{Draft, NotIssued, Signer, Usage};
use crate::certificate::Certificate;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Datelike, Utc};
use std::time::Duration;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::der::asn1::{GeneralizedTime, Ia5String, ObjectIdentifier, OctetString, UtcTime};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::{Time, Validity};

/// RFC 7093, 2: a key id is the beginning of the SHA-256 of the key, 160 bits long.
const KEY_ID_BYTES: usize = 20;
/// `UTCTime` ends here (RFC 5280, 4.1.2.5).
const LAST_UTC_TIME_YEAR: i32 = 2049;
/// RFC 8017, appendix C
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The part that is signed.
pub(super) fn to_be_signed(
    draft: &Draft<'_>,
    issuer: &[u8],
    issuer_key_id: &[u8],
    signer: &dyn Signer,
) -> Result<Vec<u8>, NotIssued> {
    let tbs = TbsCertificate {
        version: Version::V3,
        serial_number: serial_number(draft.serial)?,
        signature: signer.algorithm(),
        issuer: Name::from_der(issuer)?,
        validity: Validity {
            not_before: time(draft.not_before)?,
            not_after: time(draft.not_after)?,
        },
        subject: Name::from_der(draft.subject)?,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(draft.spki)?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions(draft, issuer_key_id)?),
    };
    Ok(tbs.to_der()?)
}

fn serial_number(mut random: [u8; 16]) -> Result<SerialNumber, NotIssued> {
    random[0] &= 0x7f;
    Ok(SerialNumber::new(&random)?)
}

/// RFC 5280, 4.1.2.5: until 2049 the short form, in whole seconds.
fn time(at: DateTime<Utc>) -> Result<Time, NotIssued> {
    let seconds = u64::try_from(at.timestamp()).map_err(|_| NotIssued::Encoding)?;
    let since = Duration::from_secs(seconds);
    if at.year() <= LAST_UTC_TIME_YEAR {
        return Ok(Time::UtcTime(UtcTime::from_unix_duration(since)?));
    }
    Ok(Time::GeneralTime(GeneralizedTime::from_unix_duration(since)?))
}

fn extensions(draft: &Draft<'_>, issuer_key_id: &[u8]) -> Result<Vec<Extension>, NotIssued> {
    let subject_key_id = SubjectKeyIdentifier(OctetString::new(key_id(draft.spki)?)?);
    let authority_key_id = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer_key_id)?),
        ..Default::default()
    };
    let mut extensions = vec![
        extension(&basic_constraints(draft.usage), true)?,
        extension(&key_usage(draft)?, true)?,
        extension(&subject_key_id, false)?,
        extension(&authority_key_id, false)?,
    ];
    if let Some(id) = draft.partner_id {
        extensions.push(extension(&partner_name(id)?, false)?);
    }
    Ok(extensions)
}

fn extension<T: Encode + AssociatedOid>(value: &T, critical: bool) -> der::Result<Extension> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

fn basic_constraints(usage: Usage) -> BasicConstraints {
    let path_len_constraint = match usage {
        Usage::Authority { path_len } => path_len,
        Usage::IssuingPartner => Some(0),
        Usage::EndEntity => None,
    };
    BasicConstraints { ca: usage != Usage::EndEntity, path_len_constraint }
}

fn key_usage(draft: &Draft<'_>) -> Result<KeyUsage, NotIssued> {
    Ok(KeyUsage(match draft.usage {
        Usage::Authority { .. } => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        Usage::IssuingPartner => KeyUsages::KeyCertSign.into(),
        Usage::EndEntity if is_rsa(draft.spki)? => {
            KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment
        }
        Usage::EndEntity => KeyUsages::DigitalSignature.into(),
    }))
}

fn is_rsa(spki: &[u8]) -> der::Result<bool> {
    Ok(SubjectPublicKeyInfoOwned::from_der(spki)?.algorithm.oid == RSA)
}

/// RFC 8141: what may not stand in a URN is written as bytes.
fn partner_name(id: &str) -> der::Result<SubjectAltName> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let id: String = id
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let urn = Ia5String::new(&format!("urn:mosip:partner:{id}"))?;
    Ok(SubjectAltName(vec![GeneralName::UniformResourceIdentifier(urn)]))
}

/// The key id of a certificate that we issue.
pub(super) fn key_id(spki: &[u8]) -> Result<Vec<u8>, NotIssued> {
    let key = SubjectPublicKeyInfoOwned::from_der(spki)?.subject_public_key;
    let hash = digest(&SHA256, key.raw_bytes());
    Ok(hash.as_ref().iter().take(KEY_ID_BYTES).copied().collect())
}

/// RFC 5280, 4.2.1.1: the issuer's own key id, however it was made.
pub(super) fn issuer_key_id(issuer: &Certificate) -> Result<Vec<u8>, NotIssued> {
    issuer.subject_key_id().map_or_else(|| key_id(issuer.spki()), |id| Ok(id.to_vec()))
}
