//! From an access token to an actor.
//!
//! A token is a signed JWT of an issuer that the configuration names. [`token`] verifies it,
//! [`claims`] tells who its bearer is, [`key_set`] has the issuer's public keys ([`jwk`]) and
//! [`discovery`] fetches them. Without a configured issuer the development issuer takes their place, and is
//! believed on loopback addresses only.

pub mod claims;
pub mod development;
pub mod discovery;
pub mod external;
pub mod jwk;
pub mod key_set;
pub mod settings;
pub mod token;

pub use development::DevelopmentIssuer;
pub use external::ExternalIssuer;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::actor::Actor;
use key_set::Times;
use serde::Serialize;
use settings::IssuerSettings;
use token::Token;

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
    /// Anything else: not ours, not signed, not a token. The log says why, at level `debug`.
    #[error("The access token is not valid here.")]
    TokenInvalid,
    /// Its issuer's keys cannot be had now, so nobody can tell.
    #[error("The issuer of the access token cannot be reached. Try again later.")]
    IssuerUnavailable,
}

impl Refusal {
    /// Stable, for clients.
    pub fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "TOKEN_MISSING",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::TokenAudience => "TOKEN_AUDIENCE",
            Self::TokenInvalid => "TOKEN_INVALID",
            Self::IssuerUnavailable => "ISSUER_UNAVAILABLE",
        }
    }

    /// What HTTP says of it: another token helps, or only time does.
    pub fn status(self) -> StatusCode {
        match self {
            Self::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

/// A token that is not valid here. Operators learn why; the bearer, who may be anybody, does not.
fn invalid(why: &str) -> Refusal {
    tracing::debug!(why, "a token is not believed");
    Refusal::TokenInvalid
}

/// Whose tokens a node believes.
pub enum Issuers {
    /// Everybody on this machine can be anybody.
    Development(DevelopmentIssuer),
    /// Those that the configuration names; each vouches for its own tokens only.
    External(Vec<ExternalIssuer>),
}

/// Whether the tokens of an issuer can be verified now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssuerState {
    /// Its URL.
    pub issuer: String,
    /// Whether keys of it are known, and not too old.
    pub usable: bool,
}

impl Issuers {
    /// Issuers in other houses. Their keys are fetched when they are needed.
    pub fn external(settings: &[IssuerSettings], times: &Times) -> Result<Self, discovery::Error> {
        let client = crate::outgoing::client(times.patience).map_err(discovery::Error::from)?;
        let issuer = |of| ExternalIssuer::new(of, settings, client.clone(), times.clone());
        Ok(Self::External(settings.iter().map(issuer).collect()))
    }

    /// The actor that a token vouches for at an instant.
    pub async fn actor(&self, token: &str, now: DateTime<Utc>) -> Result<Actor, Refusal> {
        let token = Token::read(token)?;
        match self {
            Self::Development(issuer) => issuer.actor(&token, now),
            Self::External(issuers) => {
                let issuer = issuers.iter().find(|it| it.url() == token.issuer());
                let issuer = issuer.ok_or_else(|| invalid("its issuer is not configured"))?;
                issuer.actor(&token, now).await
            }
        }
    }

    /// Whose tokens can be verified now. Keys that are missing or old are asked for meanwhile, so
    /// that somebody who asks again finds them.
    pub fn states(&self) -> Vec<IssuerState> {
        match self {
            Self::Development(_) => {
                let issuer = development::NAME.to_owned();
                vec![IssuerState { issuer, usable: true }]
            }
            Self::External(issuers) => issuers.iter().map(ExternalIssuer::state).collect(),
        }
    }
}
