//! From DER to the facts. Whatever is not well-formed ends here, so that all later rules can
//! speak about meaning only.

use super::constraints::{GeneralName, NameConstraints};
use super::der::{self, CONTEXT_0, GENERALIZED_TIME, OCTET_STRING, SEQUENCE, UTC_TIME};
use super::name::Name;
use super::{Certificate, Extension, PublicKey, Signed, key};
use crate::finding::Finding;
use chrono::{DateTime, Utc};
use x509_parser::asn1_rs::BitString;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{
    GeneralName as RawName, NameConstraints as RawConstraints, ParsedExtension, X509Extension,
};
use x509_parser::oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Reads one certificate; nothing but the certificate may stand in `der`.
pub(super) fn facts(der: &[u8], field: &str) -> Result<Certificate, Finding> {
    let (_, x509) = X509Certificate::from_der(der).map_err(|_| malformed(field, "structure"))?;
    let tbs = &x509.tbs_certificate;
    let mut certificate = fixed_fields(der, &x509).map_err(|part| malformed(field, part))?;
    if let Some(broken) = tbs.extensions().iter().find(|extension| !is_readable(extension)) {
        return Err(malformed(field, &broken.oid.to_id_string()));
    }
    for extension in tbs.extensions() {
        learn(&mut certificate, extension.parsed_extension());
    }
    Ok(certificate)
}

/// Everything but what the extensions say; the error names the broken part.
fn fixed_fields(der: &[u8], x509: &X509Certificate<'_>) -> Result<Certificate, &'static str> {
    let tbs = &x509.tbs_certificate;
    let signed = signed(der, x509).ok_or("structure")?;
    fields_fill(&signed.message).ok_or("fields")?;
    extensions_fill(&signed.message).ok_or("extensions")?;
    der::is_shortest(tbs.raw_serial()).then_some(()).ok_or("serialNumber")?;
    times_are_plain(&signed.message).ok_or("validity")?;
    Ok(Certificate {
        der: der.to_vec(),
        version: tbs.version.0.saturating_add(1),
        has_unique_ids: tbs.issuer_uid.is_some() || tbs.subject_uid.is_some(),
        serial: tbs.raw_serial().to_vec(),
        subject: Name::read(&tbs.subject),
        issuer: Name::read(&tbs.issuer),
        not_before: time(tbs.validity.not_before).ok_or("notBefore")?,
        not_after: time(tbs.validity.not_after).ok_or("notAfter")?,
        key: public_key(&tbs.subject_pki).ok_or("subjectPublicKeyInfo")?,
        signed,
        extensions: tbs.extensions().iter().map(extension).collect(),
        basic_constraints: None,
        key_usage: None,
        subject_key_id: None,
        authority_key_id: None,
        alternative_names: Vec::new(),
        name_constraints: NameConstraints::default(),
    })
}

fn malformed(field: &str, part: &str) -> Finding {
    let message = format!(
        "The certificate is damaged in its part {part}. Export it again and send it unchanged; if \
        that does not help, have your CA issue a new one."
    );
    Finding::new("CERT_MALFORMED", field, message).with("part", part)
}

fn signed(der: &[u8], x509: &X509Certificate<'_>) -> Option<Signed> {
    let parts = der::children(der)?;
    let [message, algorithm, _] = parts.as_slice() else {
        return None;
    };
    Some(Signed {
        message: message.to_vec(),
        algorithm: der::content(algorithm)?.to_vec(),
        algorithm_oid: x509.signature_algorithm.algorithm.to_id_string(),
        algorithm_inside_differs: x509.tbs_certificate.signature != x509.signature_algorithm,
        signature: whole_bytes(&x509.signature_value)?,
    })
}

/// Keys and signatures are whole bytes: with unused bits one certificate would have many forms.
fn whole_bytes(bits: &BitString<'_>) -> Option<Vec<u8>> {
    (bits.unused_bits == 0).then(|| bits.data.to_vec())
}

/// RFC 5280, 4.1: version, six fields, then at most \[1\], \[2\] and \[3\] in this order. The parser
/// would pass over anything behind them.
fn fields_fill(tbs: &[u8]) -> Option<()> {
    let tags = der::shape(tbs);
    let optional = tags.get(first_field(&tags) + 6..)?;
    let known = optional.iter().all(|tag| matches!(tag, 0x81 | 0x82 | 0xa3));
    (known && optional.is_sorted_by(|a, b| a < b)).then_some(())
}

/// Where the serial number stands: behind the version, if there is one.
fn first_field(tags: &[u8]) -> usize {
    usize::from(tags.first() == Some(&CONTEXT_0))
}

/// The validity is the fourth field.
fn times_are_plain(tbs: &[u8]) -> Option<()> {
    let at = first_field(&der::shape(tbs)) + 3;
    let times = der::children(der::children(tbs)?.get(at)?)?;
    times.into_iter().all(is_plain_time).then_some(())
}

/// RFC 5280, 4.1.2.5: in UTC and to the second. The parser would take offsets and fractions, too.
fn is_plain_time(element: &[u8]) -> bool {
    let digits = match der::tag(element) {
        UTC_TIME => 12,
        GENERALIZED_TIME => 14,
        _ => return false,
    };
    let text = der::content(element).and_then(|text| text.strip_suffix(b"Z"));
    text.is_some_and(|text| text.len() == digits && text.iter().all(u8::is_ascii_digit))
}

/// Every extension is an OID, perhaps a boolean, and one value that holds exactly one element.
fn extensions_fill(tbs: &[u8]) -> Option<()> {
    let parts = der::children(tbs)?;
    let Some(wrapper) = parts.iter().find(|part| der::tag(part) == 0xa3) else {
        return Some(());
    };
    let [list] = der::children(wrapper)?.try_into().ok()?;
    let extensions = der::children(list)?;
    let sound = !extensions.is_empty() && extensions.into_iter().all(is_extension);
    sound.then_some(())
}

fn is_extension(element: &[u8]) -> bool {
    let parts = der::children(element).unwrap_or_default();
    let last = parts.last().filter(|last| der::tag(last) == OCTET_STRING);
    (2..=3).contains(&parts.len()) && last.is_some_and(|value| der::content(value).is_some())
}

/// A known extension must parse and end where its value ends; unknown ones are judged by the lint.
fn is_readable(extension: &X509Extension<'_>) -> bool {
    match extension.parsed_extension() {
        ParsedExtension::UnsupportedExtension { .. } => true,
        ParsedExtension::ParseError { .. } | ParsedExtension::Unparsed => false,
        _ => der::elements(extension.value).is_some_and(|elements| elements.len() == 1),
    }
}

fn time(at: ASN1Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.timestamp(), 0)
}

/// Reads a `SubjectPublicKeyInfo` that came without a certificate.
pub(super) fn lone_key(der: &[u8]) -> Option<PublicKey> {
    let (rest, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
    rest.is_empty().then(|| public_key(&spki)).flatten()
}

fn public_key(spki: &SubjectPublicKeyInfo<'_>) -> Option<PublicKey> {
    let parts = der::children(spki.raw)?;
    let [algorithm, _] = parts.as_slice() else {
        return None;
    };
    let mut key = PublicKey {
        spki: spki.raw.to_vec(),
        algorithm: der::content(algorithm)?.to_vec(),
        bits: whole_bytes(&spki.subject_public_key)?,
        is_elliptic: spki.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY,
        label: String::new(),
    };
    key.label = key::label(&key);
    Some(key)
}

fn extension(extension: &X509Extension<'_>) -> Extension {
    Extension {
        oid: extension.oid.to_id_string(),
        critical: extension.critical,
        fault: content_fault(extension),
    }
}

/// Well-formed, but against a rule of RFC 5280 about what may stand inside.
fn content_fault(extension: &X509Extension<'_>) -> Option<&'static str> {
    match extension.parsed_extension() {
        ParsedExtension::KeyUsage(usage) if usage.flags == 0 => Some("keyUsage allows nothing"),
        ParsedExtension::ExtendedKeyUsage(_) if der::shape(extension.value).is_empty() => {
            Some("extendedKeyUsage is empty")
        }
        ParsedExtension::BasicConstraints(basic)
            if !basic.ca && basic.path_len_constraint.is_some() =>
        {
            Some("basicConstraints limits the path of a certificate that is no CA")
        }
        ParsedExtension::SubjectAlternativeName(names) => {
            alternative_names_fault(&names.general_names)
        }
        ParsedExtension::NameConstraints(constraints) => {
            constraints_fault(constraints, extension.value)
        }
        _ => None,
    }
}

fn alternative_names_fault(names: &[RawName<'_>]) -> Option<&'static str> {
    let invalid = names.iter().any(|name| {
        matches!(name, RawName::Invalid(..)) || !GeneralName::read(name).is_well_formed()
    });
    match (names.is_empty(), invalid) {
        (true, _) => Some("subjectAltName is empty"),
        (_, true) => Some("subjectAltName has an entry that is not well-formed"),
        _ => None,
    }
}

fn constraints_fault(raw: &RawConstraints<'_>, value: &[u8]) -> Option<&'static str> {
    let constraints = name_constraints(raw);
    let mut all = constraints.permitted.iter().chain(&constraints.excluded);
    if constraints.is_empty() {
        return Some("nameConstraints is empty");
    }
    if !subtrees_are_plain(value) || !all.all(GeneralName::is_known_constraint) {
        return Some("nameConstraints uses a form that is not supported");
    }
    None
}

/// RFC 5280, 4.2.1.10: minimum and maximum are not used; the parser would pass over them.
fn subtrees_are_plain(value: &[u8]) -> bool {
    let lists = der::children(value).unwrap_or_default();
    let subtrees = lists.into_iter().filter_map(der::children).flatten();
    subtrees
        .into_iter()
        .all(|subtree| der::tag(subtree) == SEQUENCE && der::shape(subtree).len() == 1)
}

/// Takes over what later rules ask for. Which one of a doubled extension counts does not matter:
/// the lint refuses the certificate.
fn learn(certificate: &mut Certificate, extension: &ParsedExtension<'_>) {
    match extension {
        ParsedExtension::BasicConstraints(basic) => {
            certificate.basic_constraints = Some(basic.clone());
        }
        ParsedExtension::KeyUsage(usage) => certificate.key_usage = Some(*usage),
        ParsedExtension::SubjectKeyIdentifier(id) => {
            certificate.subject_key_id = Some(id.0.to_vec());
        }
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            certificate.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
        }
        ParsedExtension::SubjectAlternativeName(names) => {
            certificate.alternative_names =
                names.general_names.iter().map(GeneralName::read).collect();
        }
        ParsedExtension::NameConstraints(constraints) => {
            certificate.name_constraints = name_constraints(constraints);
        }
        _ => {}
    }
}

fn name_constraints(raw: &RawConstraints<'_>) -> NameConstraints {
    let read = |subtrees: &Option<Vec<_>>| {
        let subtrees: &Vec<x509_parser::extensions::GeneralSubtree<'_>> = subtrees.as_ref()?;
        Some(subtrees.iter().map(|subtree| GeneralName::read(&subtree.base)).collect())
    };
    NameConstraints {
        permitted: read(&raw.permitted_subtrees).unwrap_or_default(),
        excluded: read(&raw.excluded_subtrees).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_plain(tag: u8, text: &str) -> bool {
        let length = u8::try_from(text.len()).unwrap();
        is_plain_time(&[&[tag, length], text.as_bytes()].concat())
    }

    #[test]
    fn times_are_in_utc_and_to_the_second() {
        assert!(is_plain(UTC_TIME, "270101000000Z"));
        assert!(is_plain(GENERALIZED_TIME, "20270101000000Z"));
        for other in ["2701010000Z", "270101000000+0000", "270101000000", "20270101000000Z"] {
            assert!(!is_plain(UTC_TIME, other), "{other}");
        }
        for other in ["20270101000000.5Z", "202701010000Z", "20270101000000", "270101000000Z"] {
            assert!(!is_plain(GENERALIZED_TIME, other), "{other}");
        }
    }
}
