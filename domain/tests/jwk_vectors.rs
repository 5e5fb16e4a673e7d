//! The 86 cases of `data/jwks.json`: a text, whether it is a key that a client may use, and why not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use domain::finding::Finding;
use domain::jwk::Jwk;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    expected: String,
    why: String,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("data/jwks.json")).unwrap()
}

/// What a case that begins like this must be refused for: a refusal for another reason would be a
/// fault that happens to look right. The first line that fits counts.
const REFUSED_FOR: [(&str, &[&str]); 46] = [
    ("rsa-1024", &["publicKey: KEY_WEAK"]),
    ("rsa-2047-bits", &["publicKey: KEY_WEAK"]),
    ("rsa-padded-to-2048", &["publicKey.n: JWK_NUMBER"]),
    ("rsa-16384", &["publicKey: KEY_WEAK"]),
    ("rsa-even-modulus", &["publicKey: KEY_WEAK"]),
    ("rsa-e-0", &["publicKey.e: JWK_NUMBER"]),
    ("rsa-e-", &["publicKey: KEY_WEAK"]),
    ("rsa-small-factor", &["publicKey: KEY_WEAK"]),
    ("rsa-missing-e", &["publicKey.e: JWK_MEMBER_MISSING"]),
    ("rsa-private-", &["publicKey: PRIVATE_KEY_SENT"]),
    ("rsa-alg-", &["publicKey.alg: JWK_ALG"]),
    ("rsa-use-enc", &["publicKey.use: JWK_USE"]),
    ("rsa-key_ops-sign", &["publicKey.key_ops: JWK_KEY_OPS"]),
    ("rsa-padding", &["publicKey.e: JWK_BASE64URL"]),
    ("rsa-std-base64", &["publicKey.n: JWK_BASE64URL"]),
    ("rsa-newline", &["publicKey.n: JWK_BASE64URL"]),
    ("rsa-n-number", &["publicKey.n: JWK_MEMBER_TYPE"]),
    ("rsa-kty-lower", &["publicKey.kty: KEY_TYPE"]),
    ("no-kty", &["publicKey.kty: JWK_MEMBER_MISSING"]),
    ("dup-member", &["publicKey: JWK_MEMBER_REPEATED"]),
    ("jwks-instead-of-jwk", &["publicKey: JWK_SET_SENT"]),
    ("array", &["publicKey: JWK_MALFORMED"]),
    ("not-json", &["publicKey: JWK_MALFORMED"]),
    ("trailing-garbage", &["publicKey: JWK_MALFORMED"]),
    ("kid-too-long", &["publicKey.kid: TOO_LONG"]),
    ("oct", &["publicKey: PRIVATE_KEY_SENT"]),
    ("ec-P-256-short-x", &["publicKey.x: JWK_COORDINATE"]),
    ("ec-P-384-short-x", &["publicKey.x: JWK_COORDINATE"]),
    ("ec-P-521-short-x", &["publicKey.x: JWK_COORDINATE"]),
    ("ec-P-256-no-y", &["publicKey.y: JWK_MEMBER_MISSING"]),
    ("ec-P-384-no-y", &["publicKey.y: JWK_MEMBER_MISSING"]),
    ("ec-P-521-no-y", &["publicKey.y: JWK_MEMBER_MISSING"]),
    ("ec-P-256-private", &["publicKey: PRIVATE_KEY_SENT"]),
    ("ec-P-384-private", &["publicKey: PRIVATE_KEY_SENT"]),
    ("ec-P-521-private", &["publicKey: PRIVATE_KEY_SENT"]),
    ("ec-P-256-alg-other-curve", &["publicKey.alg: JWK_ALG"]),
    ("ec-P-384-alg-other-curve", &["publicKey.alg: JWK_ALG"]),
    ("ec-P-521-alg-other-curve", &["publicKey.alg: JWK_ALG"]),
    ("ec-secp256k1", &["publicKey.crv: KEY_CURVE"]),
    ("ec-crv-mismatch", &["publicKey.x: JWK_COORDINATE", "publicKey.y: JWK_COORDINATE"]),
    ("ec-P-", &["publicKey: KEY_CURVE"]), // off the curve, zero, not below the prime
    ("okp-private", &["publicKey: PRIVATE_KEY_SENT"]),
    ("okp-short", &["publicKey.x: JWK_COORDINATE"]),
    ("okp-x25519", &["publicKey.crv: KEY_CURVE"]),
    ("okp-ed448", &["publicKey.crv: KEY_CURVE"]),
    ("okp-", &["publicKey: KEY_WEAK"]), // small order, not canonical
];

fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.field, finding.code)).collect()
}

#[test]
fn every_case_ends_as_expected_and_for_the_right_reason() {
    for Case { name, input, expected, why } in cases() {
        let outcome = Jwk::read(&input, "publicKey");
        assert_eq!(outcome.is_ok(), expected == "ACCEPT", "{name}, {why}: {outcome:?}");
        let Err(findings) = outcome else { continue };
        let (_, wanted) = REFUSED_FOR.iter().find(|(start, _)| name.starts_with(start)).unwrap();
        assert_eq!(told(&findings), *wanted, "{name}, {why}");
    }
}

#[test]
fn no_case_is_lost() {
    assert_eq!(cases().len(), 86);
}
