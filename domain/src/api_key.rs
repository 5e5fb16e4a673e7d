//! An API key: with it a partner's machines speak under one approved policy.
//!
//! Active ⇄ suspended (with its partner) → deactivated, which is final. Expiry is not a state: it
//! is a fact that everybody can read off `expires_at`. The key itself is never here: only what may
//! be known of it; its keyed hash lies with the private rows.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{PartnerId, PolicyId};
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest label, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_LABEL: usize = 36;
/// A key lives at most a year: what nobody renews, nobody misses.
pub const MAX_LIFE: TimeDelta = TimeDelta::days(365);
/// How long a key lives when nobody says otherwise.
pub const DEFAULT_LIFE: TimeDelta = TimeDelta::days(180);

/// A wish about one key.
#[derive(Debug, Clone)]
pub enum Command {
    /// Issue it. That the partner is active and its request approved has been read before.
    Generate(Grant),
    /// Stop it with its partner.
    Suspend(Reason),
    /// Lift the stop with its partner's.
    Resume(Reason),
    /// End it for good.
    Deactivate(Reason),
}

/// What a key allows to whom, and how people recognise it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose key it is.
    pub partner_id: PartnerId,
    /// Under which policy it works.
    pub policy_id: PolicyId,
    /// Unique for partner and policy after normalisation.
    pub label: String,
    /// The public part of the key, 12 characters.
    pub lookup_id: String,
    /// The last four characters of the key.
    pub last_four: String,
    /// From this instant on the key opens nothing.
    pub expires_at: DateTime<Utc>,
}

/// A checked label, as it is stored.
pub fn label(checks: &mut Checks, typed: &str) -> String {
    checks.line("label", typed, MAX_LABEL);
    squeezed(typed)
}

/// A checked end of life: in the future, and within [`MAX_LIFE`].
pub fn expiry(
    checks: &mut Checks,
    wished: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let expires_at = wished.unwrap_or(now + DEFAULT_LIFE);
    checks.add_if(expires_at <= now, || {
        Finding::new("EXPIRY_IN_THE_PAST", "expiresAt", "The key would have expired already.")
    });
    checks.add_if(expires_at > now + MAX_LIFE, || {
        let message = "A key lives at most 365 days.";
        Finding::new("EXPIRY_TOO_LATE", "expiresAt", message).with("maxDays", MAX_LIFE.num_days())
    });
    expires_at
}

/// What happened to a key. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Generated(Grant),
    Suspended { reason: Reason },
    Resumed { reason: Reason },
    Deactivated { reason: Reason },
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
    #[error("The API key was deactivated, which is final.")]
    ApiKeyDeactivated,
    #[error("The partner has no approved request for this policy.")]
    PolicyNotApproved,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::PolicyNotApproved => "policyId",
            _ => "apiKeyId",
        }
    }
}

/// Where a key stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum ApiKey {
    /// Not issued.
    #[default]
    Missing,
    /// Opens the door until it expires.
    Active(Grant),
    /// Stopped with its partner.
    Suspended(Grant),
    /// Ended.
    Deactivated(Grant),
}

impl ApiKey {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Deactivate, Generate, Resume, Suspend};
        match (self, command) {
            (Self::Missing, Generate(grant)) => Ok(vec![Event::Generated(grant)]),
            (_, Generate(_)) => Err(Refusal::ApiKeyExists),
            (Self::Missing, Suspend(_) | Resume(_) | Deactivate(_)) => Err(Refusal::ApiKeyNotFound),

            (Self::Active(_), Suspend(reason)) => Ok(vec![Event::Suspended { reason }]),
            (Self::Suspended(_), Resume(reason)) => Ok(vec![Event::Resumed { reason }]),
            (Self::Active(_) | Self::Suspended(_), Deactivate(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }

            (Self::Active(_), Resume(_))
            | (Self::Suspended(_), Suspend(_))
            | (Self::Deactivated(_), Deactivate(_)) => Ok(vec![]),

            (Self::Deactivated(_), Suspend(_) | Resume(_)) => Err(Refusal::ApiKeyDeactivated),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Generated(grant)) => Self::Active(grant),
            (key, Event::Suspended { .. }) => key.into(Self::Suspended),
            (key, Event::Resumed { .. }) => key.into(Self::Active),
            (key, Event::Deactivated { .. }) => key.into(Self::Deactivated),
        }
    }

    /// What the key allows, whatever its state; nothing when it is missing.
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Missing => None,
            Self::Active(grant) | Self::Suspended(grant) | Self::Deactivated(grant) => Some(grant),
        }
    }

    /// Whether the key opens the door at `now`.
    pub fn opens(&self, now: DateTime<Utc>) -> bool {
        matches!(self, Self::Active(grant) if now < grant.expires_at)
    }

    fn into(self, state: impl FnOnce(Grant) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Active(grant) | Self::Suspended(grant) | Self::Deactivated(grant) => state(grant),
        }
    }
}

aggregate!(ApiKey, "api_key");

impl Actions for ApiKey {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        vec![self.possible(Operation::DeactivateApiKey, Command::Deactivate(Reason::any()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::given;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn generated() -> Event {
        Event::Generated(Grant {
            partner_id: "acme".into(),
            policy_id: "kyc".into(),
            label: "branch office".into(),
            lookup_id: "0LygHa16AHYF".into(),
            last_four: "a1b2".into(),
            expires_at: now() + DEFAULT_LIFE,
        })
    }

    fn reason() -> Reason {
        Reason::new("reason", "leaked").unwrap()
    }

    fn suspended() -> Event {
        Event::Suspended { reason: reason() }
    }

    #[test]
    fn a_key_opens_the_door_until_the_instant_it_expires() {
        let key = given::<ApiKey>([generated()]);
        let end = now() + DEFAULT_LIFE;
        assert!(key.opens(end - TimeDelta::microseconds(1)));
        assert!(!key.opens(end));
    }

    #[test]
    fn a_suspended_key_opens_nothing_and_can_be_resumed() {
        let key = given::<ApiKey>([generated(), suspended()]);
        assert!(!key.opens(now()));
        assert_eq!(
            key.decide(Command::Resume(reason())),
            Ok(vec![Event::Resumed { reason: reason() }])
        );
    }

    #[test]
    fn a_deactivated_key_never_comes_back() {
        let ended =
            given::<ApiKey>([generated(), suspended(), Event::Deactivated { reason: reason() }]);
        assert_eq!(ended.decide(Command::Resume(reason())), Err(Refusal::ApiKeyDeactivated));
        assert_eq!(ended.decide(Command::Deactivate(reason())), Ok(vec![]));
    }

    #[test]
    fn nothing_can_be_done_to_a_key_that_is_not_there() {
        for command in [Command::Suspend(reason()), Command::Deactivate(reason())] {
            assert_eq!(ApiKey::Missing.decide(command), Err(Refusal::ApiKeyNotFound));
        }
    }

    #[test]
    fn a_key_lives_a_year_at_most_and_never_starts_dead() {
        let codes = |wished| {
            let mut checks = Checks::default();
            expiry(&mut checks, wished, now());
            checks.done().err().map_or_else(Vec::new, |all| all.iter().map(|f| f.code).collect())
        };
        assert!(codes(None).is_empty());
        assert!(codes(Some(now() + MAX_LIFE)).is_empty());
        assert_eq!(codes(Some(now() + MAX_LIFE + TimeDelta::seconds(1))), ["EXPIRY_TOO_LATE"]);
        assert_eq!(codes(Some(now())), ["EXPIRY_IN_THE_PAST"]);
    }
}
