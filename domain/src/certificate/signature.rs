//! The signature algorithms that we accept, and the one place where a signature is checked.
//!
//! The table is rustls-webpki's: an entry matches the whole algorithm identifiers of signature and
//! key, parameters included, so nothing is guessed from an OID alone.

use super::{Certificate, Signed};
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as table;

/// RSA PKCS#1 and PSS with keys of 2048 to 8192 bits, ECDSA on P-256, P-384 and P-521, each with
/// SHA-256, 384 or 512, and Ed25519. RFC 4055 asks to accept PKCS#1 without the NULL parameters.
static ACCEPTED: [&dyn SignatureVerificationAlgorithm; 19] = [
    table::RSA_PKCS1_2048_8192_SHA256,
    table::RSA_PKCS1_2048_8192_SHA384,
    table::RSA_PKCS1_2048_8192_SHA512,
    table::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    table::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    table::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    table::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    table::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    table::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    table::ECDSA_P256_SHA256,
    table::ECDSA_P256_SHA384,
    table::ECDSA_P256_SHA512,
    table::ECDSA_P384_SHA256,
    table::ECDSA_P384_SHA384,
    table::ECDSA_P384_SHA512,
    table::ECDSA_P521_SHA256,
    table::ECDSA_P521_SHA384,
    table::ECDSA_P521_SHA512,
    table::ED25519,
];

/// How refused algorithms are called where people talk about them.
const REFUSED_NAMES: [(&str, &str); 9] = [
    ("1.2.840.113549.1.1.2", "MD2 with RSA"),
    ("1.2.840.113549.1.1.4", "MD5 with RSA"),
    ("1.2.840.113549.1.1.5", "SHA-1 with RSA"),
    ("1.2.840.113549.1.1.14", "SHA-224 with RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS with unusual parameters"),
    ("1.2.840.10045.4.1", "SHA-1 with ECDSA"),
    ("1.2.840.10045.4.3.1", "SHA-224 with ECDSA"),
    ("1.2.840.10040.4.3", "SHA-1 with DSA"),
    ("1.3.101.113", "Ed448"),
];

/// Whether some key could make a signature of this algorithm that we accept.
pub(super) fn is_accepted(algorithm: &[u8]) -> bool {
    ACCEPTED.iter().any(|entry| *entry.signature_alg_id() == *algorithm)
}

/// A name for a refused algorithm; its OID when it has none.
pub(super) fn refused_name(oid: &str) -> &str {
    let known = REFUSED_NAMES.iter().find(|(known, _)| *known == oid);
    known.map_or(oid, |(_, name)| name)
}

/// Whether `signed` was signed with the key of `issuer`.
pub(super) fn verifies(signed: &Signed, issuer: &Certificate) -> bool {
    let key = &issuer.key;
    ACCEPTED
        .iter()
        .filter(|entry| *entry.signature_alg_id() == *signed.algorithm.as_slice())
        .filter(|entry| *entry.public_key_alg_id() == *key.algorithm.as_slice())
        .any(|entry| {
            #[cfg(test)]
            super::hostile::SIGNATURES.set(super::hostile::SIGNATURES.get() + 1);
            entry.verify_signature(&key.bits, &signed.message, &signed.signature).is_ok()
        })
}
