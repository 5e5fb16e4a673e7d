//! A published key (RFC 7517), and what it may be used with.

use super::token::VerifyingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// A public key that an issuer signs with.
pub struct SigningKey {
    /// Its name, `kid`.
    pub id: Option<String>,
    /// What is verified with it.
    pub key: VerifyingKey,
}

impl SigningKey {
    /// A key of a JWK set; `None` for one that signs no tokens, or not with an algorithm that is
    /// believed here. Its own type and `alg` tell the algorithm, never a token (RFC 8725, 3.1). A
    /// key whose private half is published signs for anybody.
    pub fn read(jwk: Value) -> Option<Self> {
        let is_public = jwk.get("d").is_none();
        let jwk: Jwk = serde_json::from_value(jwk).ok().filter(|jwk| is_public && signs(jwk))?;
        let algorithms = algorithms(&jwk);
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let key = (!algorithms.is_empty()).then(|| VerifyingKey::new(algorithms, key))?;
        Some(Self { id: jwk.common.key_id, key })
    }
}

fn signs(jwk: &Jwk) -> bool {
    let of = &jwk.common;
    let verify = |all: &Vec<KeyOperations>| all.contains(&KeyOperations::Verify);
    of.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
        && of.key_operations.as_ref().is_none_or(verify)
}

/// What a key may be used with: what its type allows, narrowed by its `alg`. Only public-key
/// signatures; a shared secret in a key set is no secret.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let mut possible = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            vec![EdDSA]
        }
        _ => vec![],
    };
    if let Some(only) = jwk.common.key_algorithm {
        possible.retain(|algorithm| only == (*algorithm).into());
    }
    possible
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    const P256: [(&str, &str); 2] = [
        ("x", "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"),
        ("y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"),
    ];

    /// The example of RFC 7517 (A.1), with more members.
    pub fn p256(more: Value) -> Value {
        let mut jwk = json!({"kty": "EC", "crv": "P-256"});
        let members = jwk.as_object_mut().unwrap();
        members.extend(P256.map(|(name, value)| (name.to_owned(), json!(value))));
        members.extend(more.as_object().unwrap().clone());
        jwk
    }

    fn may(jwk: Value) -> Vec<Algorithm> {
        SigningKey::read(jwk).map(|key| key.key.algorithms().to_vec()).unwrap_or_default()
    }

    #[test]
    fn a_key_is_used_with_what_its_type_and_its_alg_allow() {
        assert_eq!(may(p256(json!({}))), [Algorithm::ES256]);
        assert_eq!(may(p256(json!({"alg": "ES256", "use": "sig"}))), [Algorithm::ES256]);
        assert_eq!(may(p256(json!({"key_ops": ["verify"]}))), [Algorithm::ES256]);
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        assert_eq!(may(rsa).len(), 6);
        let only = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "PS256"});
        assert_eq!(may(only), [Algorithm::PS256]);
    }

    #[test]
    fn a_key_that_signs_no_tokens_is_left_out() {
        for jwk in [
            p256(json!({"use": "enc"})),
            p256(json!({"key_ops": ["encrypt"]})),
            p256(json!({"alg": "HS256"})),
            p256(json!({"alg": "ES384"})),
            p256(json!({"alg": "ES999"})),
            p256(json!({"crv": "P-521"})),
            p256(json!({"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"})),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
            json!({"kty": "AKP"}),
            json!("no key"),
        ] {
            assert!(SigningKey::read(jwk.clone()).is_none(), "{jwk}");
        }
    }
}
