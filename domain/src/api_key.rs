//! An API key: with it a partner's machines speak under one approved policy.
//!
//! It lives as every issued key does: see [`crate::issued`].

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{ApiKeyId, PolicyId};
use crate::issued::{self, Issued, KeyKind, Refused};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use strum::IntoStaticStr;

/// Where a key stands.
pub type ApiKey = Issued<ApiKeyKind>;
/// A wish about one key.
pub type Command = issued::Command<ApiKeyKind>;
/// What happened to a key.
pub type Event = issued::Event<ApiKeyKind>;
/// What a key allows to whom.
pub type Grant = issued::Grant<ApiKeyKind>;

/// Keys for one approved policy of a partner. A label is unique for partner and policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyKind;

impl KeyKind for ApiKeyKind {
    const PREFIX: &'static str = "pmk";
    type Id = ApiKeyId;
    type Policy = PolicyId;
    type Refusal = Refusal;
}

/// Why a wish about a key was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This API key is not known.")]
    ApiKeyNotFound,
    #[error("This API key exists already.")]
    ApiKeyExists,
    #[error("The API key is suspended with its partner.")]
    ApiKeySuspended,
    #[error("The API key was rotated already; its successor goes on.")]
    RotatedAlready,
    #[error(
        "An earlier key of this label still lives: until it has ended, this one can only be replaced at once."
    )]
    OverlapRunning,
    #[error("The API key has expired; rotate it or generate another one.")]
    ApiKeyExpired,
    #[error("The API key was deactivated, which is final.")]
    ApiKeyDeactivated,
    #[error("The partner has no approved request for this policy.")]
    PolicyNotApproved,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::ApiKeyNotFound,
            Refused::Exists => Self::ApiKeyExists,
            Refused::Suspended => Self::ApiKeySuspended,
            Refused::Rotated => Self::RotatedAlready,
            Refused::Overlapping => Self::OverlapRunning,
            Refused::Expired => Self::ApiKeyExpired,
            Refused::Deactivated => Self::ApiKeyDeactivated,
        }
    }
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::PolicyNotApproved => "policyId",
            Self::OverlapRunning => "overlapUntil",
            _ => "apiKeyId",
        }
    }
}

aggregate!(ApiKey, "api_key");

impl Actions for ApiKey {
    fn actions(&self, now: DateTime<Utc>) -> Vec<Possible> {
        let rotate =
            Command::Rotate { successor: "".into(), until: now, predecessor_opens: false, now };
        let set_expiry = Command::SetExpiry { expires_at: now, now };
        vec![
            self.possible(Operation::RotateApiKey, rotate),
            self.possible(Operation::SetApiKeyExpiry, set_expiry),
            self.possible(Operation::DeactivateApiKey, Command::Deactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_every_issued_key_is_refused_in_words_of_its_own() {
        let code = |refused: Refused| <&'static str>::from(&Refusal::from(refused));
        assert_eq!(code(Refused::NotFound), "API_KEY_NOT_FOUND");
        assert_eq!(code(Refused::Exists), "API_KEY_EXISTS");
        assert_eq!(code(Refused::Suspended), "API_KEY_SUSPENDED");
        assert_eq!(code(Refused::Rotated), "ROTATED_ALREADY");
        assert_eq!(code(Refused::Overlapping), "OVERLAP_RUNNING");
        assert_eq!(code(Refused::Expired), "API_KEY_EXPIRED");
        assert_eq!(code(Refused::Deactivated), "API_KEY_DEACTIVATED");
    }
}
