//! The signature algorithms that we accept, and the one place where a signature is checked.
//!
//! The table is rustls-webpki's: an entry matches the whole algorithm identifiers of signature and
//! key, parameters included, so nothing is guessed from an OID alone.

use super::{Certificate, PublicKey, Signed};
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

/// Whether `key` verifies a signature that does not say how it was made.
pub(super) fn verifies_message(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    ACCEPTED
        .iter()
        .filter(|entry| *entry.public_key_alg_id() == *key.algorithm.as_slice())
        .any(|entry| entry.verify_signature(&key.bits, message, signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn openssl(folder: &Path, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn a_message_is_verified_whichever_way_openssl_signs() {
        let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
        for (kind, ways) in [
            ("rsa:2048", vec!["dgst -sha256", "dgst -sha384", "dgst -sha512"]),
            ("rsa:2048", vec![&*format!("dgst -sha256 {pss}"), &*format!("dgst -sha512 {pss}")]),
            ("ec -pkeyopt ec_paramgen_curve:P-256", vec!["dgst -sha256", "dgst -sha512"]),
            ("ec -pkeyopt ec_paramgen_curve:P-384", vec!["dgst -sha256", "dgst -sha384"]),
            ("ec -pkeyopt ec_paramgen_curve:P-521", vec!["dgst -sha512"]),
            ("ed25519", vec!["pkeyutl -rawin"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            openssl(
                folder,
                &format!("req -x509 -newkey {kind} -nodes -keyout k -out c -subj /CN=a"),
            );
            let pem = std::fs::read_to_string(folder.join("c")).unwrap();
            let certificate = Certificate::read(&pem, "").unwrap();
            std::fs::write(folder.join("m"), b"nonce").unwrap();
            for way in ways {
                let rest = if way.starts_with("dgst") {
                    "-sign k -out s m"
                } else {
                    "-sign -inkey k -in m -out s"
                };
                openssl(folder, &format!("{way} {rest}"));
                let signature = std::fs::read(folder.join("s")).unwrap();
                assert!(certificate.verifies_message(b"nonce", &signature), "{kind} {way}");
                assert!(!certificate.verifies_message(b"another", &signature), "{kind} {way}");
                assert!(!certificate.verifies_message(b"nonce", &signature[1..]), "{kind} {way}");
            }
            openssl(folder, "genpkey -algorithm ed25519 -out other");
            openssl(folder, "pkeyutl -sign -rawin -inkey other -in m -out s");
            let foreign = std::fs::read(folder.join("s")).unwrap();
            assert!(!certificate.verifies_message(b"nonce", &foreign), "{kind}");
            assert!(!certificate.verifies_message(b"nonce", b""), "{kind}");
        }
    }
}
