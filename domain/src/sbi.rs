//! A secure biometric interface (SBI): one version of the software that drives a provider's devices.
//!
//! Pending → approved or rejected; approved → deactivated. Rejected and deactivated are final.
//! Expiry is not a state: whoever decides on it compares `sw_expiry_date_time` with the instant.

use crate::actor::Operation;
use crate::aggregate::{Actions, Expires, Possible};
use crate::ids::PartnerId;
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason, time};
use chrono::{DateTime, Months, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest version, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_VERSION: usize = 64;
/// How far back the software may have been made, and how far ahead it may expire (MOSIP PMS
/// 1.2.2.2: 10 years).
pub const MAX_YEARS: u32 = 10;

/// A wish about one SBI.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "`now` is the instant of the decision")]
pub enum Command {
    /// Offer it. That the provider is active and makes devices has been read before.
    Add(Software),
    /// Allow it, unless it has expired by then.
    Approve { now: DateTime<Utc> },
    /// Refuse it.
    Reject(Reason),
    /// End it for good.
    Deactivate(Reason),
    /// End it with its provider, however far it came.
    End(Reason),
    /// Tell that it has expired, once.
    Expire { now: DateTime<Utc> },
}

/// What a provider tells of its software.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// Who makes it.
    pub provider_id: PartnerId,
    /// The provider's own version of it; unique for the provider after normalisation.
    pub sw_version: String,
    /// SHA-256 of the binary, lower-case hex.
    pub sw_binary_hash: String,
    /// When it was made.
    pub sw_create_date_time: DateTime<Utc>,
    /// From this instant on no device can rest on it.
    pub sw_expiry_date_time: DateTime<Utc>,
}

impl Software {
    /// The software as it is stored, or everything that is wrong with it. The limits of time are
    /// those of MOSIP PMS 1.2.2.2, to the instant instead of the day; an instant is a microsecond,
    /// as in PostgreSQL, so that the log and the read tables tell the same one.
    pub fn new(typed: Self, now: DateTime<Utc>) -> Result<Self, Vec<Finding>> {
        let typed = Self {
            sw_create_date_time: time::stored(typed.sw_create_date_time),
            sw_expiry_date_time: time::stored(typed.sw_expiry_date_time),
            ..typed
        };
        let mut checks = Checks::default();
        checks.line("swVersion", &typed.sw_version, MAX_VERSION);
        checks.add_if(!is_sha256(&typed.sw_binary_hash), || {
            let message = "The hash of the binary is SHA-256: 64 hexadecimal digits.";
            Finding::new("HASH_MALFORMED", "swBinaryHash", message)
        });
        check_creation(&mut checks, typed.sw_create_date_time, now);
        check_expiry(&mut checks, &typed, now);
        checks.done()?;
        Ok(Self {
            sw_version: squeezed(&typed.sw_version),
            sw_binary_hash: typed.sw_binary_hash.to_ascii_lowercase(),
            ..typed
        })
    }

    /// Whether no device can rest on it at `now`.
    pub fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.sw_expiry_date_time <= now
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_creation(checks: &mut Checks, created: DateTime<Utc>, now: DateTime<Utc>) {
    let field = "swCreateDateTime";
    checks.add_if(created > now, || {
        Finding::new("CREATION_IN_THE_FUTURE", field, "The software cannot be made in the future.")
    });
    let earliest = now.checked_sub_months(Months::new(12 * MAX_YEARS));
    checks.add_if(earliest.is_some_and(|earliest| created < earliest), || {
        let message = format!("The software was made more than {MAX_YEARS} years ago.");
        Finding::new("CREATION_TOO_LONG_AGO", field, message).with("maxYears", MAX_YEARS)
    });
}

fn check_expiry(checks: &mut Checks, typed: &Software, now: DateTime<Utc>) {
    let (field, expiry) = ("swExpiryDateTime", typed.sw_expiry_date_time);
    checks.add_if(expiry <= now, || {
        Finding::new("EXPIRY_IN_THE_PAST", field, "The software would have expired already.")
    });
    checks.add_if(expiry <= typed.sw_create_date_time, || {
        Finding::new("EXPIRY_BEFORE_CREATION", field, "The software expires after it was made.")
    });
    let latest = now.checked_add_months(Months::new(12 * MAX_YEARS));
    checks.add_if(latest.is_some_and(|latest| expiry > latest), || {
        let message = format!("The software expires within {MAX_YEARS} years.");
        Finding::new("EXPIRY_TOO_LATE", field, message).with("maxYears", MAX_YEARS)
    });
}

/// What happened to an SBI. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Added(Software),
    Approved {},
    Rejected { reason: Reason },
    Deactivated { reason: Reason },
    Expired { expired_at: DateTime<Utc> },
}

/// Why a wish about an SBI was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("The provider has no such secure biometric interface.")]
    SbiNotFound,
    #[error("This secure biometric interface exists already.")]
    SbiExists,
    #[error("The secure biometric interface was not decided about yet.")]
    SbiPending,
    #[error("The secure biometric interface was approved: deactivate it instead.")]
    SbiApproved,
    #[error("The secure biometric interface was rejected, which is final.")]
    SbiRejected,
    #[error("The secure biometric interface was deactivated, which is final.")]
    SbiDeactivated,
    #[error("The secure biometric interface is not approved.")]
    SbiNotApproved,
    #[error("The secure biometric interface has expired.")]
    SbiExpired,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "sbiId"
    }
}

/// Where an SBI stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Sbi {
    /// Not offered.
    #[default]
    Missing,
    /// Waits for an administrator.
    Pending(Known),
    /// Devices can rest on it until it expires.
    Approved(Known),
    /// Refused.
    Rejected(Known),
    /// Ended.
    Deactivated(Known),
}

/// What later decisions need to know of an SBI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// As the provider told it.
    pub software: Software,
    /// Whether the log says that it has expired.
    pub told_expired: bool,
}

impl Sbi {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Add, Approve, Deactivate, End, Expire, Reject};
        match (self, command) {
            (Self::Missing, Add(software)) => Ok(vec![Event::Added(software)]),
            (_, Add(_)) => Err(Refusal::SbiExists),
            (
                Self::Missing,
                Approve { .. } | Reject(_) | Deactivate(_) | End(_) | Expire { .. },
            ) => Err(Refusal::SbiNotFound),

            (Self::Pending(known), Approve { now }) if known.software.has_expired(now) => {
                Err(Refusal::SbiExpired)
            }
            (Self::Pending(_), Approve { .. }) => Ok(vec![Event::Approved {}]),
            (Self::Pending(_), Reject(reason) | End(reason)) => {
                Ok(vec![Event::Rejected { reason }])
            }
            (Self::Pending(_), Deactivate(_)) => Err(Refusal::SbiPending),

            (Self::Approved(_), Deactivate(reason) | End(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Approved(_), Reject(_)) => Err(Refusal::SbiApproved),

            (Self::Pending(known) | Self::Approved(known), Expire { now }) => Ok(known.expiry(now)),

            // A repeated wish, or one to end what has ended, changes nothing.
            (Self::Approved(_), Approve { .. })
            | (Self::Rejected(_), Reject(_) | End(_) | Expire { .. })
            | (Self::Deactivated(_), Deactivate(_) | End(_) | Expire { .. }) => Ok(vec![]),

            (Self::Rejected(_), Approve { .. } | Deactivate(_)) => Err(Refusal::SbiRejected),
            (Self::Deactivated(_), Approve { .. } | Reject(_)) => Err(Refusal::SbiDeactivated),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Added(software)) => Self::Pending(Known { software, told_expired: false }),
            (sbi, Event::Approved {}) => sbi.into(Self::Approved),
            (sbi, Event::Rejected { .. }) => sbi.into(Self::Rejected),
            (sbi, Event::Deactivated { .. }) => sbi.into(Self::Deactivated),
            (mut sbi, Event::Expired { .. }) => {
                if let Some(known) = sbi.known_mut() {
                    known.told_expired = true;
                }
                sbi
            }
        }
    }

    /// What its provider told, whatever the state; nothing when it is missing.
    pub fn software(&self) -> Option<&Software> {
        match self {
            Self::Missing => None,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => Some(&known.software),
        }
    }

    /// The software on which devices can rest at `now`, else why they cannot.
    pub fn live(&self, now: DateTime<Utc>) -> Result<&Software, Refusal> {
        match self {
            Self::Missing => Err(Refusal::SbiNotFound),
            Self::Pending(_) | Self::Rejected(_) => Err(Refusal::SbiNotApproved),
            Self::Deactivated(_) => Err(Refusal::SbiDeactivated),
            Self::Approved(known) if known.software.has_expired(now) => Err(Refusal::SbiExpired),
            Self::Approved(known) => Ok(&known.software),
        }
    }

    fn known_mut(&mut self) -> Option<&mut Known> {
        match self {
            Self::Missing => None,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => Some(known),
        }
    }

    fn into(self, state: impl FnOnce(Known) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Pending(known)
            | Self::Approved(known)
            | Self::Rejected(known)
            | Self::Deactivated(known) => state(known),
        }
    }
}

impl Known {
    fn expiry(&self, now: DateTime<Utc>) -> Vec<Event> {
        if self.told_expired || !self.software.has_expired(now) {
            return Vec::new();
        }
        vec![Event::Expired { expired_at: self.software.sw_expiry_date_time }]
    }
}

aggregate!(Sbi, "sbi");

impl Actions for Sbi {
    fn actions(&self, now: DateTime<Utc>) -> Vec<Possible> {
        vec![
            self.possible(Operation::ApproveSbi, Command::Approve { now }),
            self.possible(Operation::RejectSbi, Command::Reject(Reason::any())),
            self.possible(Operation::DeactivateSbi, Command::Deactivate(Reason::any())),
        ]
    }
}

impl Expires for Sbi {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Expire { now }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;
    use chrono::TimeDelta;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn typed() -> Software {
        Software {
            provider_id: "acme".into(),
            sw_version: "1.0".into(),
            sw_binary_hash: "AB".repeat(32),
            sw_create_date_time: now() - TimeDelta::days(30),
            sw_expiry_date_time: now() + TimeDelta::days(30),
        }
    }

    fn added() -> Event {
        Event::Added(typed())
    }

    fn reason() -> Reason {
        Reason::new("reason", "not signed").unwrap()
    }

    fn rejected() -> Event {
        Event::Rejected { reason: reason() }
    }

    fn deactivated() -> Event {
        Event::Deactivated { reason: reason() }
    }

    pub(crate) fn machine() -> StateMachine<Sbi> {
        let end = typed().sw_expiry_date_time;
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![added()]),
                ("", vec![added(), Event::Approved {}]),
                ("", vec![added(), rejected()]),
                ("", vec![added(), Event::Approved {}, deactivated()]),
            ],
            commands: vec![
                ("", Command::Add(typed())),
                ("", Command::Approve { now: now() }),
                ("once it has expired", Command::Approve { now: end }),
                ("", Command::Reject(reason())),
                ("", Command::Deactivate(reason())),
                ("with its provider", Command::End(reason())),
                ("too early", Command::Expire { now: now() }),
                ("", Command::Expire { now: end }),
            ],
        }
    }

    fn codes(typed: Software) -> Vec<&'static str> {
        let found = Software::new(typed, now()).err().unwrap_or_default();
        found.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_pending_one_can_be_approved_once() {
        let pending = given::<Sbi>([added()]);
        assert_eq!(pending.decide(Command::Approve { now: now() }), Ok(vec![Event::Approved {}]));
        let approved = given::<Sbi>([added(), Event::Approved {}]);
        assert_eq!(approved.decide(Command::Approve { now: now() }), Ok(vec![]));
        assert_eq!(approved.decide(Command::Reject(reason())), Err(Refusal::SbiApproved));
    }

    #[test]
    fn an_expired_one_can_be_rejected_but_not_approved() {
        let pending = given::<Sbi>([added()]);
        let end = typed().sw_expiry_date_time;
        assert!(pending.decide(Command::Approve { now: end - TimeDelta::microseconds(1) }).is_ok());
        assert_eq!(pending.decide(Command::Approve { now: end }), Err(Refusal::SbiExpired));
        assert!(pending.decide(Command::Reject(reason())).is_ok());
    }

    #[test]
    fn what_was_rejected_or_deactivated_never_comes_back() {
        let rejected = given::<Sbi>([added(), Event::Rejected { reason: reason() }]);
        assert_eq!(rejected.decide(Command::Approve { now: now() }), Err(Refusal::SbiRejected));
        assert_eq!(rejected.decide(Command::Reject(reason())), Ok(vec![]));
        assert_eq!(rejected.decide(Command::Deactivate(reason())), Err(Refusal::SbiRejected));
        let ended = Event::Deactivated { reason: reason() };
        let ended = given::<Sbi>([added(), Event::Approved {}, ended]);
        assert_eq!(ended.decide(Command::Approve { now: now() }), Err(Refusal::SbiDeactivated));
        assert_eq!(ended.decide(Command::Deactivate(reason())), Ok(vec![]));
    }

    #[test]
    fn the_end_of_its_provider_rejects_what_is_pending_and_deactivates_what_is_approved() {
        let end = || Command::End(reason());
        let rejected = Event::Rejected { reason: reason() };
        assert_eq!(given::<Sbi>([added()]).decide(end()), Ok(vec![rejected.clone()]));
        let approved = given::<Sbi>([added(), Event::Approved {}]);
        let ended = Event::Deactivated { reason: reason() };
        assert_eq!(approved.decide(end()), Ok(vec![ended]));
        assert_eq!(given::<Sbi>([added(), rejected]).decide(end()), Ok(vec![]));
    }

    #[test]
    fn that_it_has_expired_is_told_once_and_changes_nothing_else() {
        let approved = given::<Sbi>([added(), Event::Approved {}]);
        let expired_at = typed().sw_expiry_date_time;
        assert_eq!(approved.decide(Command::Expire { now: now() }), Ok(vec![]));
        assert!(approved.live(now()).is_ok());
        let told = Event::Expired { expired_at };
        let later = expired_at + TimeDelta::days(1);
        assert_eq!(approved.decide(Command::Expire { now: later }), Ok(vec![told.clone()]));
        assert_eq!(approved.live(later), Err(Refusal::SbiExpired));
        let told = given::<Sbi>([added(), Event::Approved {}, told]);
        assert_eq!(told.decide(Command::Expire { now: later }), Ok(vec![]));
        assert!(told.decide(Command::Deactivate(reason())).is_ok());
    }

    #[test]
    fn nothing_can_be_done_to_one_that_is_not_there() {
        for command in [
            Command::Approve { now: now() },
            Command::Reject(reason()),
            Command::Expire { now: now() },
        ] {
            assert_eq!(Sbi::Missing.decide(command), Err(Refusal::SbiNotFound));
        }
    }

    #[test]
    fn a_hash_is_sha_256_in_any_case_and_stored_in_lower_case() {
        assert_eq!(Software::new(typed(), now()).unwrap().sw_binary_hash, "ab".repeat(32));
        for bad in ["", "ab", &"g".repeat(64), &format!("sha256:{}", "a".repeat(57))] {
            let typed = Software { sw_binary_hash: bad.to_owned(), ..typed() };
            assert_eq!(codes(typed), ["HASH_MALFORMED"], "{bad}");
        }
    }

    #[test]
    fn its_times_have_limits_that_hold_to_the_instant() {
        let tick = TimeDelta::microseconds(1);
        let years = Months::new(12 * MAX_YEARS);
        let made = |at| codes(Software { sw_create_date_time: at, ..typed() });
        assert!(made(now()).is_empty() && made(now() - years).is_empty());
        assert_eq!(made(now() + tick), ["CREATION_IN_THE_FUTURE"]);
        assert_eq!(made(now() - years - tick), ["CREATION_TOO_LONG_AGO"]);
        let ends = |at| codes(Software { sw_expiry_date_time: at, ..typed() });
        assert!(ends(now() + tick).is_empty() && ends(now() + years).is_empty());
        assert_eq!(ends(now()), ["EXPIRY_IN_THE_PAST"]);
        assert_eq!(ends(now() + years + tick), ["EXPIRY_TOO_LATE"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = Software {
            sw_version: " ".into(),
            sw_binary_hash: "x".into(),
            sw_create_date_time: now() + TimeDelta::days(2),
            sw_expiry_date_time: now() - TimeDelta::days(2),
            ..typed()
        };
        let expected = [
            "EMPTY",
            "HASH_MALFORMED",
            "CREATION_IN_THE_FUTURE",
            "EXPIRY_IN_THE_PAST",
            "EXPIRY_BEFORE_CREATION",
        ];
        assert_eq!(codes(wrong), expected);
    }
}
