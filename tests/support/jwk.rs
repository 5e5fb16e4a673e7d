//! Keys of OIDC clients.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use domain::issuance::EcdsaP256Signer;
use domain::jwk::Jwk;
use serde_json::{Value, json};

/// A public key on P-256: always the same one for the same name of at most 32 bytes.
pub fn key(name: &str) -> Value {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    let spki = EcdsaP256Signer::from_seed(&seed).unwrap().spki().unwrap();
    let (_, point) = spki.split_at(spki.len() - 64);
    let [x, y] = [&point[..32], &point[32..]].map(|it| BASE64_URL_SAFE_NO_PAD.encode(it));
    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
}

/// The thumbprint of a public key.
pub fn thumbprint(key: &Value) -> String {
    Jwk::read(&key.to_string(), "").unwrap().thumbprint
}
