//! Several certificates in one upload: PEM blocks one after the other, or PKCS#7 without signatures
//! (RFC 5652, 5), as CAs hand out their chains.

use super::der::{self, CONTEXT_0, OID};
use super::read::{self, BEGIN_CERTIFICATE, END_CERTIFICATE, Refusal};
use super::{Certificate, MAX_TEXT};
use crate::finding::Finding;

/// The most certificates in one upload.
pub const MAX_BUNDLE: usize = 32;
/// The longest upload, in characters.
pub const MAX_BUNDLE_TEXT: usize = 16 * MAX_TEXT;

const TOO_LARGE: Refusal = (
    "BUNDLE_TOO_LARGE",
    "At most 32 certificates and 256 KiB can be sent at once. Send the chain of one root only.",
);
const MALFORMED: Refusal = (
    "BUNDLE_MALFORMED",
    "The PKCS#7 bundle is damaged or holds no certificates. Export it again, without signatures.",
);

impl Certificate {
    /// Reads the certificates of a PEM file or of a PKCS#7 bundle, PEM or base64 of DER; at most
    /// [`MAX_BUNDLE`], in the order in which they stand there, each with the field that names it:
    /// `certificateData[2]`. What stands between PEM blocks is passed over (RFC 7468, 2). One
    /// certificate alone is a bundle too, without a number.
    ///
    /// # Errors
    /// What was sent instead.
    pub fn read_bundle(text: &str, field: &str) -> Result<Vec<(String, OneOf)>, Vec<Finding>> {
        let whole = |(code, message)| vec![Finding::new(code, field, message)];
        let parts = parts(text).map_err(whole)?;
        let alone = parts.len() == 1;
        let each = parts.into_iter().enumerate().map(|(number, part)| {
            let field = if alone { field.to_owned() } else { format!("{field}[{number}]") };
            let read = part.read(&field);
            (field, read)
        });
        Ok(each.collect())
    }
}

/// One certificate of a bundle, or what is wrong with it.
pub type OneOf = Result<Certificate, Vec<Finding>>;

/// One certificate of an upload, not read yet.
enum Part<'a> {
    Text(&'a str),
    Der(Vec<u8>),
}

impl Part<'_> {
    fn read(&self, field: &str) -> Result<Certificate, Vec<Finding>> {
        match self {
            Self::Text(text) => Certificate::read(text, field),
            Self::Der(der) => {
                read::refuse_other_der(der)
                    .map_err(|(code, message)| vec![Finding::new(code, field, message)])?;
                Certificate::from_der(der, field)
            }
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Refusal> {
    let text = read::without_mark(text);
    read::refuse_private_key(text)?;
    if text.len() > MAX_BUNDLE_TEXT {
        return Err(TOO_LARGE);
    }
    let parts = match read::pkcs7_body(text) {
        Some(body) => pkcs7(&read::from_base64(body?)?)?,
        None if text.matches(BEGIN_CERTIFICATE).count() > 1 => pem_blocks(text),
        None => alone(text)?,
    };
    if parts.len() > MAX_BUNDLE { Err(TOO_LARGE) } else { Ok(parts) }
}

/// One certificate, or PKCS#7 without the marks of PEM.
fn alone(text: &str) -> Result<Vec<Part<'_>>, Refusal> {
    let der = if text.starts_with("-----") { None } else { read::from_base64(text).ok() };
    match der {
        Some(der) if is_pkcs7(&der) => pkcs7(&der),
        _ => Ok(vec![Part::Text(text)]),
    }
}

fn pem_blocks(text: &str) -> Vec<Part<'_>> {
    let begins = text.match_indices(BEGIN_CERTIFICATE).map(|(begin, _)| begin);
    let block = |begin: usize| {
        let rest = &text[begin..];
        let end = rest.find(END_CERTIFICATE).map(|end| end + END_CERTIFICATE.len());
        Part::Text(end.map_or(rest, |end| &rest[..end]))
    };
    begins.map(block).collect()
}

fn is_pkcs7(der: &[u8]) -> bool {
    der::shape(der) == [OID, CONTEXT_0]
}

/// The certificates inside: the content of the first `[0]` of the signed data.
fn pkcs7(bundle: &[u8]) -> Result<Vec<Part<'static>>, Refusal> {
    let inside = der::children(bundle).filter(|_| is_pkcs7(bundle)).ok_or(MALFORMED)?;
    let signed_data = inside.get(1).and_then(|content| der::content(content));
    let parts = signed_data.and_then(der::children).ok_or(MALFORMED)?;
    let certificates = parts.into_iter().find(|part| der::tag(part) == CONTEXT_0);
    let certificates = certificates.and_then(der::children).ok_or(MALFORMED)?;
    if certificates.is_empty() {
        return Err(MALFORMED);
    }
    Ok(certificates.into_iter().map(|der| Part::Der(der.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::root as root_of;
    use super::*;
    use crate::issuance;
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    /// All certificates, or all that is wrong.
    fn read(text: &str) -> Result<Vec<Certificate>, Vec<Finding>> {
        let (mut certificates, mut findings) = (Vec::new(), Vec::new());
        for (_, read) in Certificate::read_bundle(text, "f")? {
            read.map_or_else(|it| findings.extend(it), |it| certificates.push(it));
        }
        if findings.is_empty() { Ok(certificates) } else { Err(findings) }
    }

    fn codes(text: &str) -> Vec<String> {
        let findings = read(text).unwrap_err();
        findings.iter().map(|it| format!("{}: {}", it.field, it.code)).collect()
    }

    fn root() -> Certificate {
        root_of("Root", 1)
    }

    fn two() -> [Certificate; 2] {
        [root_of("Other", 2), root()]
    }

    #[test]
    fn a_chain_is_read_from_pem_and_from_pkcs7_alike() {
        let [other, root] = two();
        let pem = format!("subject=other\n{}\nissuer=root\n{}", other.pem(), root.pem());
        let der = BASE64_STANDARD.encode(issuance::pkcs7(&[&other, &root]).unwrap());
        let marked = format!("-----BEGIN PKCS7-----\n{der}\n-----END PKCS7-----\n");
        for text in [pem, der, marked] {
            assert_eq!(read(&text), Ok(vec![other.clone(), root.clone()]));
        }
        assert_eq!(read(&root.pem()), Ok(vec![root]));
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_told_under_its_number() {
        let [other, root] = two();
        let cut = other.pem().replace("-----END", "!\n-----END");
        let text = format!("{}{}{}", root.pem(), cut, root.pem());
        assert_eq!(codes(&text), ["f[1]: CERT_FORMAT"]);
    }

    /// Such a certificate would be kept as PEM, and never read again.
    #[test]
    fn a_certificate_in_pkcs7_must_be_one_that_could_be_sent_alone() {
        let long = root_of(&"long ".repeat(3_000), 1);
        let pkcs7 = |all: &[&Certificate]| BASE64_STANDARD.encode(issuance::pkcs7(all).unwrap());
        assert_eq!(codes(&pkcs7(&[&root(), &long])), ["f[1]: CERT_TOO_LARGE"]);
        assert_eq!(codes(&long.pem()), ["f: CERT_TOO_LARGE"]);
    }

    #[test]
    fn what_is_no_bundle_is_called_by_its_name() {
        let key = format!("{}-----BEGIN PRIVATE KEY-----", root().pem());
        assert_eq!(codes(&key), ["f: PRIVATE_KEY_SENT"]);
        assert_eq!(codes(&root().pem().repeat(MAX_BUNDLE + 1)), ["f: BUNDLE_TOO_LARGE"]);
        assert_eq!(codes(&"A".repeat(MAX_BUNDLE_TEXT + 1)), ["f: BUNDLE_TOO_LARGE"]);
        let empty = BASE64_STANDARD.encode(issuance::pkcs7(&[]).unwrap());
        assert_eq!(codes(&empty), ["f: BUNDLE_MALFORMED"]);
        assert_eq!(
            codes(&BASE64_STANDARD.encode([0x30, 5, 6, 1, 42, 0xa0, 0])),
            ["f: BUNDLE_MALFORMED"]
        );
        assert_eq!(codes(""), ["f: CERT_EMPTY"]);
    }
}
