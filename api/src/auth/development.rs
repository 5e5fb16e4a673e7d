//! The issuer of a machine on which everybody is a developer.

use super::claims::ClaimNames;
use super::token::{Terms, Token, VerifyingKey};
use super::{Refusal, claims};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chrono::{DateTime, TimeDelta, Utc};
use commands::keys::{KeysError, read_or_make};
use domain::actor::{Actor, Role};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde_json::json;
use std::path::Path;

/// The issuer's name in its tokens.
pub const NAME: &str = "pms-development";

/// Makes and believes tokens for development: no password, no network, loopback only.
pub struct DevelopmentIssuer {
    signing: EncodingKey,
    verifying: VerifyingKey,
    audience: String,
}

impl DevelopmentIssuer {
    /// The issuer whose key lies in `folder`; made there when it is missing.
    pub fn open(folder: &Path, audience: &str) -> Result<Self, KeysError> {
        let path = folder.join("development-issuer.p8");
        let pkcs8 = read_or_make(&path, true, new_key)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| KeysError::Broken(path))?;
        let public = DecodingKey::from_ed_der(pair.public_key().as_ref());
        Ok(Self {
            signing: EncodingKey::from_ed_der(&pkcs8),
            verifying: VerifyingKey::new(vec![Algorithm::EdDSA], public),
            audience: audience.to_owned(),
        })
    }

    /// A token for `subject` with these roles, from `now` on for `life`.
    pub fn issue(
        &self,
        subject: &str,
        roles: &[Role],
        partners: &[String],
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> Option<String> {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        let claims = json!({
            "iss": NAME,
            "aud": self.audience,
            "sub": subject,
            "preferred_username": subject,
            "exp": (now + life).timestamp(),
            "nbf": now.timestamp(),
            "realm_access": {"roles": roles},
            "partners": partners,
        });
        encode(&Header::new(Algorithm::EdDSA), &claims, &self.signing).ok()
    }

    /// The actor that a token vouches for.
    pub fn actor(&self, token: &Token<'_>, now: DateTime<Utc>) -> Result<Actor, Refusal> {
        let terms = Terms { issuer: NAME, audience: &self.audience };
        let told = token.verify(&self.verifying, terms, now)?;
        let names = ClaimNames::default();
        let name = names.name(&told).ok_or_else(|| super::invalid("nobody is named"))?;
        claims::actor(name.to_owned(), &names, &told)
    }
}

fn new_key() -> Result<Vec<u8>, KeysError> {
    let key = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new());
    key.map(|key| key.as_ref().to_vec()).map_err(|_| KeysError::Unusable)
}
