//! From an access token to an actor.
//!
//! Tokens are JWTs with `iss`, `aud`, `sub`, `exp`, roles in `realm_access.roles` and the caller's
//! name in `preferred_username`, as Keycloak makes them. The development issuer makes the same
//! with a key of its own, and is believed on loopback addresses only.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use chrono::{DateTime, TimeDelta, Utc};
use commands::keys::{KeysError, read_or_make};
use domain::actor::{Actor, Role};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Clocks of issuer and service may differ by this much, in seconds.
const LEEWAY: u64 = 30;
/// The issuer's name in development tokens.
const DEVELOPMENT_ISSUER: &str = "pms-development";

/// What of a token matters here.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    preferred_username: String,
    exp: i64,
    nbf: i64,
    #[serde(default)]
    realm_access: RealmAccess,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partners: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct RealmAccess {
    roles: Vec<String>,
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none.
    #[error("An access token is needed: Authorization: Bearer …")]
    TokenMissing,
    /// Its time is over, or has not begun.
    #[error("The access token has expired or is not valid yet.")]
    TokenExpired,
    /// It is meant for another service.
    #[error("The access token is meant for another service.")]
    TokenAudience,
    /// Anything else: not ours, not signed, not a token.
    #[error("The access token is not valid here.")]
    TokenInvalid,
}

impl Refusal {
    /// Stable, for clients.
    pub fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "TOKEN_MISSING",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::TokenAudience => "TOKEN_AUDIENCE",
            Self::TokenInvalid => "TOKEN_INVALID",
        }
    }
}

/// Makes and believes tokens for development: no password, no network, loopback only.
pub struct DevelopmentIssuer {
    signing: EncodingKey,
    verifying: DecodingKey,
    audience: String,
}

impl DevelopmentIssuer {
    /// The issuer whose key lies in `folder`; made there when it is missing.
    pub fn open(folder: &Path, audience: &str) -> Result<Self, KeysError> {
        let path = folder.join("development-issuer.p8");
        let pkcs8 = read_or_make(&path, true, new_key)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| KeysError::Broken(path))?;
        Ok(Self {
            signing: EncodingKey::from_ed_der(&pkcs8),
            verifying: DecodingKey::from_ed_der(pair.public_key().as_ref()),
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
        let claims = Claims {
            iss: DEVELOPMENT_ISSUER.to_owned(),
            aud: self.audience.clone(),
            sub: subject.to_owned(),
            preferred_username: subject.to_owned(),
            exp: (now + life).timestamp(),
            nbf: now.timestamp(),
            realm_access: RealmAccess { roles: roles.iter().map(ToString::to_string).collect() },
            partners: partners.to_vec(),
        };
        encode(&Header::new(Algorithm::EdDSA), &claims, &self.signing).ok()
    }

    /// The actor that a token vouches for.
    pub fn actor(&self, token: &str) -> Result<Actor, Refusal> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[DEVELOPMENT_ISSUER]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let claims = decode::<Claims>(token, &self.verifying, &validation).map_err(refusal)?.claims;
        actor(claims)
    }
}

/// A subject is stored with every event it causes: one line of at most 256 characters. Roles of
/// other systems are ignored.
fn actor(claims: Claims) -> Result<Actor, Refusal> {
    let subject = claims.preferred_username;
    let storable = (1..=256).contains(&subject.chars().count())
        && !subject.chars().any(char::is_control)
        && subject == subject.trim();
    if !storable || subject == Actor::system().subject {
        return Err(Refusal::TokenInvalid);
    }
    let roles = claims.realm_access.roles.iter().filter_map(|role| role.parse().ok());
    Ok(Actor {
        subject,
        roles: roles.collect::<BTreeSet<Role>>(),
        claimed_partners: claims.partners.into_iter().collect(),
    })
}

fn refusal(error: jsonwebtoken::errors::Error) -> Refusal {
    use jsonwebtoken::errors::ErrorKind::{ExpiredSignature, ImmatureSignature, InvalidAudience};
    match error.kind() {
        ExpiredSignature | ImmatureSignature => Refusal::TokenExpired,
        InvalidAudience => Refusal::TokenAudience,
        _ => Refusal::TokenInvalid,
    }
}

fn new_key() -> Result<Vec<u8>, KeysError> {
    let key = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new());
    key.map(|key| key.as_ref().to_vec()).map_err(|_| KeysError::Unusable)
}
