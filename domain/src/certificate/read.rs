//! From what a partner pasted to DER. Everything that is not one certificate gets a finding of its
//! own that says what it is; no finding repeats a byte of the input.

use super::der::{self, BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE};
use crate::finding::Finding;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The longest text that is looked at. A certificate with an RSA-8192 key has about 6 KiB.
pub const MAX_TEXT: usize = 16 * 1024;

/// The longest certificate: its PEM, in lines, is a text that is looked at. Base64 alone could hold
/// a longer one, which then could not be read again from where it is kept.
const MAX_DER: usize = 12_000;

const BEGIN: &str = "-----BEGIN ";
pub(super) const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
pub(super) const END_CERTIFICATE: &str = "-----END CERTIFICATE-----";

/// RFC 4648 base64; the padding may be missing, as some tools drop it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What was sent instead of a certificate, or in which form it cannot be read.
pub(super) type Refusal = (&'static str, &'static str);

const EMPTY: Refusal = (
    "CERT_EMPTY",
    "There is no certificate. Send it as PEM, from -----BEGIN CERTIFICATE----- to -----END \
    CERTIFICATE-----.",
);
const TOO_LARGE: Refusal = (
    "CERT_TOO_LARGE",
    "This is longer than 16 KiB in PEM form. Send one certificate and nothing else.",
);
const PRIVATE_KEY: Refusal = (
    "PRIVATE_KEY_SENT",
    "This is a private key. Treat it as leaked: make a new key pair, revoke certificates of the \
    old one, and send only the certificate. We have not stored what you sent.",
);
const CSR: Refusal = (
    "CSR_SENT",
    "This is a certificate signing request. Have your CA sign it and send the certificate that it \
    gives you.",
);
const PKCS12: Refusal = (
    "PKCS12_SENT",
    "This is a PKCS#12 key store, which as a rule holds your private key. Export the certificate \
    alone, without the key, and send it as PEM.",
);
const PKCS7: Refusal =
    ("PKCS7_SENT", "This is a PKCS#7 bundle. One certificate is meant here: send it alone as PEM.");
const PUBLIC_KEY: Refusal = (
    "PUBLIC_KEY_SENT",
    "This is a public key without a certificate. Have your CA issue a certificate for it and send \
    that.",
);
const SSH_KEY: Refusal =
    ("SSH_KEY_SENT", "This is an SSH key. Send an X.509 certificate in PEM form.");
const HTML: Refusal = (
    "HTML_SENT",
    "This is a web page, not a certificate. Perhaps a download failed: open the file in an editor \
    before you send it.",
);
const SEVERAL: Refusal = (
    "SEVERAL_CERTIFICATES",
    "One certificate is meant here and there are several. Send them one by one.",
);
const FORMAT: Refusal = (
    "CERT_FORMAT",
    "This is neither one PEM certificate nor base64 of one in DER form. Line breaks must be real \
    line breaks, not \\n.",
);
const TRAILING: Refusal = (
    "TRAILING_BYTES",
    "There is something before or after the certificate. Send the certificate alone, without other \
    text or bytes around it.",
);
const MALFORMED: Refusal = (
    "CERT_MALFORMED",
    "The certificate is damaged: its bytes are not well-formed DER. Export it again and send it \
    unchanged.",
);

/// The DER of the one certificate in `text`.
pub(super) fn der_of(text: &str, field: &str) -> Result<Vec<u8>, Finding> {
    decode(text).map_err(|(code, message)| Finding::new(code, field, message))
}

fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    let text = without_mark(text);
    refuse_other_text(text)?;
    let der =
        if text.starts_with(BEGIN) { from_base64(pem_body(text)?)? } else { from_base64(text)? };
    refuse_other_der(&der)?;
    Ok(der)
}

/// Everything that can be told from the bytes without reading the certificate itself.
pub(super) fn refuse_other_der(der: &[u8]) -> Result<(), Refusal> {
    refuse_other_structure(der)?;
    if der.len() > MAX_DER { Err(TOO_LARGE) } else { Ok(()) }
}

/// A byte order mark is what some editors put before the first character; it says nothing.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

pub(super) fn refuse_private_key(text: &str) -> Result<(), Refusal> {
    if is_private_key(text) { Err(PRIVATE_KEY) } else { Ok(()) }
}

/// The base64 inside a PKCS#7 block of PEM, under either of its names (RFC 7468, 8 and 9); nothing
/// when there is no such block.
pub(super) fn pkcs7_body(text: &str) -> Option<Result<&str, Refusal>> {
    ["PKCS7", "CMS"].iter().find_map(|label| {
        let (_, body) = text.split_once(&format!("{BEGIN}{label}-----"))?;
        Some(body.split_once(&format!("-----END {label}-----")).map(|it| it.0).ok_or(FORMAT))
    })
}

/// Everything that can be told from the text alone. The private key comes first: it must be
/// called by its name even when something else is wrong too.
fn refuse_other_text(text: &str) -> Result<(), Refusal> {
    let signs: [(bool, Refusal); 11] = [
        (is_private_key(text), PRIVATE_KEY),
        (text.is_empty(), EMPTY),
        (text.len() > MAX_TEXT, TOO_LARGE),
        (text.contains("CERTIFICATE REQUEST-----"), CSR),
        (text.contains("BEGIN PKCS12-----"), PKCS12),
        (text.contains("BEGIN PKCS7-----"), PKCS7),
        (text.contains("BEGIN CMS-----"), PKCS7),
        (text.contains("PUBLIC KEY-----"), PUBLIC_KEY),
        (is_ssh_key(text), SSH_KEY),
        (text.starts_with('<'), HTML),
        (text.matches(BEGIN_CERTIFICATE).count() > 1, SEVERAL),
    ];
    let sign = signs.into_iter().find(|(shows, _)| *shows);
    sign.map_or(Ok(()), |(_, refusal)| Err(refusal))
}

/// PEM of any private key (RFC 7468, OpenSSL, OpenSSH), a `PuTTY` file, or a JWK with its `d`.
fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || text.starts_with("PuTTY-User-Key-File")
        || (text.starts_with('{') && text.contains("\"d\""))
}

fn is_ssh_key(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "---- BEGIN SSH2"]
        .iter()
        .any(|start| text.starts_with(start))
}

fn pem_body(text: &str) -> Result<&str, Refusal> {
    let body = text.strip_prefix(BEGIN_CERTIFICATE).ok_or(FORMAT)?;
    let (body, after) = body.split_once(END_CERTIFICATE).ok_or(FORMAT)?;
    after.is_empty().then_some(body).ok_or(TRAILING)
}

pub(super) fn from_base64(body: &str) -> Result<Vec<u8>, Refusal> {
    if body.contains(BEGIN_CERTIFICATE) {
        return Err(TRAILING);
    }
    let letters: String = body.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(letters).map_err(|_| FORMAT)?;
    let inner = str::from_utf8(&bytes).unwrap_or_default();
    if is_private_key(inner) {
        return Err(PRIVATE_KEY);
    }
    Ok(bytes)
}

/// Everything that can be told from the outermost elements: exactly one, and of the shape of a
/// certificate (RFC 5280, 4.1).
fn refuse_other_structure(der: &[u8]) -> Result<(), Refusal> {
    let elements = der::elements(der).unwrap_or_default();
    match elements.as_slice() {
        [] if der::begins_with_element(der) => Err(TRAILING),
        [] => Err(MALFORMED),
        [one] => certificate_shape(one),
        [_, ..] => Err(TRAILING),
    }
}

fn certificate_shape(element: &[u8]) -> Result<(), Refusal> {
    match der::shape(element).as_slice() {
        [SEQUENCE, SEQUENCE, BIT_STRING] if is_request(element) => Err(CSR),
        [SEQUENCE, SEQUENCE, BIT_STRING] => Ok(()),
        // PKCS#8, SEC 1, encrypted PKCS#8, PKCS#1 (nine numbers)
        [INTEGER, SEQUENCE, OCTET_STRING, ..]
        | [INTEGER, OCTET_STRING, ..]
        | [SEQUENCE, OCTET_STRING]
        | [INTEGER, INTEGER, INTEGER, ..] => Err(PRIVATE_KEY),
        [INTEGER, SEQUENCE, ..] => Err(PKCS12),
        [OID, CONTEXT_0] => Err(PKCS7),
        [SEQUENCE, BIT_STRING] | [INTEGER, INTEGER] => Err(PUBLIC_KEY),
        _ => Err(MALFORMED),
    }
}

/// A request (RFC 2986) looks like a certificate from outside; inside it has a version, a name, a
/// key and attributes, where even a version 1 certificate has six parts.
fn is_request(element: &[u8]) -> bool {
    let parts = der::children(element).unwrap_or_default();
    let inside = parts.first().map(|part| der::shape(part));
    inside.is_some_and(|shape| shape.len() <= 4 && shape.first() == Some(&INTEGER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        der_of(text, "certificateData").map_or_else(|finding| finding.code, |_| "READ")
    }

    fn base64_of(bytes: &[u8]) -> String {
        BASE64.encode(bytes)
    }

    #[test]
    fn a_private_key_is_refused_and_never_echoed() {
        let secret = "MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF";
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
        for text in [pem.clone(), secret.to_owned(), base64_of(pem.as_bytes())] {
            let finding = der_of(&text, "certificateData").unwrap_err();
            assert_eq!(finding.code, "PRIVATE_KEY_SENT");
            assert!(finding.message.contains("Treat it as leaked"));
            assert!(!format!("{finding:?}").contains(&secret[20..]));
        }
    }

    #[test]
    fn a_private_key_behind_a_certificate_is_still_called_a_private_key() {
        let both =
            format!("{BEGIN_CERTIFICATE}\nAA==\n{END_CERTIFICATE}\n-----BEGIN EC PRIVATE KEY-----");
        assert_eq!(code(&both), "PRIVATE_KEY_SENT");
        assert_eq!(code(&both.repeat(400)), "PRIVATE_KEY_SENT");
        assert_eq!(code("PuTTY-User-Key-File-3: ssh-rsa"), "PRIVATE_KEY_SENT");
        assert_eq!(code(r#"{"kty":"RSA","d":"x"}"#), "PRIVATE_KEY_SENT");
    }

    #[test]
    fn each_mistaken_text_is_called_by_its_name() {
        let expected = [
            ("", "CERT_EMPTY"),
            (" \r\n\t ", "CERT_EMPTY"),
            ("-----BEGIN CERTIFICATE REQUEST-----", "CSR_SENT"),
            ("-----BEGIN NEW CERTIFICATE REQUEST-----", "CSR_SENT"),
            ("-----BEGIN PKCS7-----", "PKCS7_SENT"),
            ("-----BEGIN PUBLIC KEY-----", "PUBLIC_KEY_SENT"),
            ("-----BEGIN RSA PUBLIC KEY-----", "PUBLIC_KEY_SENT"),
            ("ssh-ed25519 AAAAC3Nza someone@host", "SSH_KEY_SENT"),
            ("<!DOCTYPE html><html></html>", "HTML_SENT"),
            ("hello", "CERT_FORMAT"),
            ("-----BEGIN CERTIFICATE-----\nAAAA", "CERT_FORMAT"),
            ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----", "CERT_FORMAT"),
        ];
        for (text, wanted) in expected {
            assert_eq!(code(text), wanted, "{text}");
        }
        assert_eq!(code(&"A".repeat(MAX_TEXT + 1)), "CERT_TOO_LARGE");
        assert_eq!(code(&BEGIN_CERTIFICATE.repeat(2)), "SEVERAL_CERTIFICATES");
    }

    #[test]
    fn each_mistaken_structure_is_called_by_its_name() {
        let expected: [(&[u8], &str); 8] = [
            (&[0x30, 7, 2, 1, 0, 0x30, 0, 4, 0], "PRIVATE_KEY_SENT"),
            (&[0x30, 5, 2, 1, 1, 4, 0], "PRIVATE_KEY_SENT"),
            (&[0x30, 4, 0x30, 0, 4, 0], "PRIVATE_KEY_SENT"),
            (&[0x30, 5, 2, 1, 3, 0x30, 0], "PKCS12_SENT"),
            (&[0x30, 5, 0x30, 0, 3, 1, 0], "PUBLIC_KEY_SENT"),
            (&[0x30, 5, 6, 1, 42, 0xa0, 0], "PKCS7_SENT"),
            (&[0x30, 0], "CERT_MALFORMED"),
            (&[0x30, 9, 0], "CERT_MALFORMED"),
        ];
        for (der, wanted) in expected {
            assert_eq!(code(&base64_of(der)), wanted, "{der:?}");
        }
    }

    /// The shape of a certificate, `length` bytes long.
    fn shape(length: usize) -> Vec<u8> {
        let header = |tag: u8, length: usize| {
            let [.., high, low] = length.to_be_bytes();
            [tag, 0x82, high, low]
        };
        let filling = vec![0; length - 17];
        let filled = [&header(4, filling.len()), filling.as_slice()].concat();
        let inside = [&header(SEQUENCE, filled.len())[..], &filled, &[SEQUENCE, 0, 3, 1, 0]];
        [&header(SEQUENCE, length - 4)[..], &inside.concat()].concat()
    }

    #[test]
    fn whatever_is_read_can_be_read_again_from_its_pem() {
        for (length, wanted) in [(MAX_DER, "READ"), (MAX_DER + 1, "CERT_TOO_LARGE")] {
            assert_eq!(code(&base64_of(&shape(length))), wanted, "{length}");
        }
        let letters = BASE64.encode(shape(MAX_DER));
        let lines: Vec<_> =
            letters.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
        let pem = format!("{BEGIN_CERTIFICATE}\n{}\n{END_CERTIFICATE}\n", lines.join("\n"));
        assert_eq!(code(&pem), "READ");
    }

    #[test]
    fn bytes_after_the_certificate_are_refused() {
        let one = [0x30, 7, 0x30, 0, 0x30, 0, 3, 1, 0];
        assert_eq!(code(&base64_of(&one)), "READ");
        assert_eq!(code(&base64_of(&[one.as_slice(), &[0x30]].concat())), "TRAILING_BYTES");
        assert_eq!(code(&base64_of(&one.repeat(2))), "TRAILING_BYTES");
        let pem = format!("{BEGIN_CERTIFICATE}\n{}\n{END_CERTIFICATE}", base64_of(&one));
        assert_eq!(code(&format!("\u{feff}\r\n {} \n", pem.replace('\n', "\r\n"))), "READ");
        assert_eq!(code(&format!("{pem}\nthe end")), "TRAILING_BYTES");
    }
}
