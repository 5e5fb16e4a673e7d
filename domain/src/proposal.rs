//! A command that waits for a second person.
//!
//! Where an installation wants four eyes, what ends or changes trust for good is only proposed by
//! the first person; what destroys data is, wherever. Open → confirmed by somebody else, refused, or
//! lapsed after a week. Confirming decides anew: what was possible then may not be now.

use crate::actor::Operation;
use crate::aggregate::{Expires, Possible};
use crate::{Finding, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// How long a proposal waits for its second person.
pub const MAX_WAIT: TimeDelta = TimeDelta::days(7);

/// A wish about one proposal.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Let it wait. That it would be accepted now has been decided before.
    Propose(Proposed),
    /// Do it.
    Confirm {
        /// Who confirms.
        by: String,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Do not do it. The proposer may refuse too: that takes it back.
    Refuse {
        /// Why.
        reason: Reason,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Nobody came.
    Lapse {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
}

/// What is proposed, by whom, and until when it can be confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proposed {
    /// Which command.
    pub action: ProposedAction,
    /// What it is about, for people: an id, or the subject of a certificate.
    pub target: String,
    /// The command's input.
    pub input: Value,
    /// The subject that proposes; it cannot confirm.
    pub proposed_by: String,
    /// From this instant on it has lapsed.
    pub expires_at: DateTime<Utc>,
}

/// The commands that need a second person.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    EnumString,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ProposedAction {
    /// A new root of trust.
    UploadTrustCertificate,
    /// The end of a partner and all that it holds.
    DeactivatePartner,
    /// The end of a policy.
    DeactivatePolicy,
    /// The end of all personal data of a subject.
    EraseSubject,
}

impl ProposedAction {
    /// The operation that both persons have to be allowed.
    pub fn operation(self) -> Operation {
        match self {
            Self::UploadTrustCertificate => Operation::UploadTrustCertificate,
            Self::DeactivatePartner => Operation::DeactivatePartner,
            Self::DeactivatePolicy => Operation::DeactivatePolicy,
            Self::EraseSubject => Operation::EraseSubject,
        }
    }

    /// Whether a second person is needed whatever the installation wants: what is erased cannot be
    /// read again, and nobody could tell afterwards whether it was right.
    pub fn always_needs_two(self) -> bool {
        self == Self::EraseSubject
    }
}

/// What happened to a proposal. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Proposed(Proposed),
    Confirmed {},
    Refused { reason: Reason },
    Lapsed { lapsed_at: DateTime<Utc> },
}

/// Why a wish about a proposal was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This proposal is not known.")]
    ProposalNotFound,
    #[error("This proposal exists already.")]
    ProposalExists,
    #[error("Whoever proposes cannot confirm: a second person has to.")]
    SecondPersonNeeded,
    #[error("The proposal was confirmed already.")]
    ProposalConfirmed,
    #[error("The proposal was refused.")]
    ProposalRefused,
    #[error("The proposal has lapsed: propose it again.")]
    ProposalLapsed,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "proposalId"
    }
}

/// Where a proposal stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Proposal {
    /// Not made.
    #[default]
    Missing,
    /// Waits for a second person until it lapses.
    Open(Proposed),
    /// Done.
    Confirmed(Proposed),
    /// Not done.
    Refused(Proposed),
    /// Nobody came, and the log was told.
    Lapsed(Proposed),
}

impl Proposal {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Confirm, Lapse, Propose, Refuse};
        match (self, command) {
            (Self::Missing, Propose(proposed)) => Ok(vec![Event::Proposed(proposed)]),
            (_, Propose(_)) => Err(Refusal::ProposalExists),
            (Self::Missing, Confirm { .. } | Refuse { .. } | Lapse { .. }) => {
                Err(Refusal::ProposalNotFound)
            }

            (Self::Open(it), Lapse { now }) if it.has_lapsed(now) => {
                Ok(vec![Event::Lapsed { lapsed_at: it.expires_at }])
            }
            (Self::Open(_), Lapse { .. }) => Ok(vec![]),
            (Self::Open(it), Confirm { now, .. } | Refuse { now, .. }) if it.has_lapsed(now) => {
                Err(Refusal::ProposalLapsed)
            }
            (Self::Open(it), Confirm { by, .. }) if by == it.proposed_by => {
                Err(Refusal::SecondPersonNeeded)
            }
            (Self::Open(_), Confirm { .. }) => Ok(vec![Event::Confirmed {}]),
            (Self::Open(_), Refuse { reason, .. }) => Ok(vec![Event::Refused { reason }]),

            (Self::Confirmed(_), Confirm { .. })
            | (Self::Refused(_), Refuse { .. })
            | (Self::Confirmed(_) | Self::Refused(_) | Self::Lapsed(_), Lapse { .. }) => Ok(vec![]),

            (Self::Confirmed(_), Refuse { .. }) => Err(Refusal::ProposalConfirmed),
            (Self::Refused(_), Confirm { .. }) => Err(Refusal::ProposalRefused),
            (Self::Lapsed(_), Confirm { .. } | Refuse { .. }) => Err(Refusal::ProposalLapsed),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Proposed(proposed)) => Self::Open(proposed),
            (proposal, Event::Confirmed {}) => proposal.into(Self::Confirmed),
            (proposal, Event::Refused { .. }) => proposal.into(Self::Refused),
            (proposal, Event::Lapsed { .. }) => proposal.into(Self::Lapsed),
        }
    }

    /// What is proposed, whatever became of it; nothing when the proposal is missing.
    pub fn proposed(&self) -> Option<&Proposed> {
        match self {
            Self::Missing => None,
            Self::Open(it) | Self::Confirmed(it) | Self::Refused(it) | Self::Lapsed(it) => Some(it),
        }
    }

    /// What `by` can do with the proposal at `now`.
    pub fn actions(&self, by: &str, now: DateTime<Utc>) -> Vec<Possible> {
        let possible = |operation, command| match self.decide(command) {
            Ok(events) if events.is_empty() => {
                Possible { operation, refusal: Some("NOTHING_TO_DO") }
            }
            Ok(_) => Possible { operation, refusal: None },
            Err(refusal) => Possible { operation, refusal: Some((&refusal).into()) },
        };
        let confirm = Command::Confirm { by: by.to_owned(), now };
        let refuse = Command::Refuse { reason: Reason::any(), now };
        vec![
            possible(Operation::ConfirmProposal, confirm),
            possible(Operation::RefuseProposal, refuse),
        ]
    }

    fn into(self, state: impl FnOnce(Proposed) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Open(it) | Self::Confirmed(it) | Self::Refused(it) | Self::Lapsed(it) => {
                state(it)
            }
        }
    }
}

impl Proposed {
    fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        now >= self.expires_at
    }
}

aggregate!(Proposal, "proposal");

impl Expires for Proposal {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Lapse { now }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;
    use serde_json::json;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn proposed() -> Event {
        Event::Proposed(Proposed {
            action: ProposedAction::DeactivatePartner,
            target: "acme".into(),
            input: json!({"partner_id": "acme"}),
            proposed_by: "alice".into(),
            expires_at: now() + MAX_WAIT,
        })
    }

    fn confirm(by: &str, now: DateTime<Utc>) -> Command {
        Command::Confirm { by: by.into(), now }
    }

    fn refuse() -> Command {
        Command::Refuse { reason: reason(), now: now() }
    }

    fn reason() -> Reason {
        Reason::new("reason", "not now").unwrap()
    }

    pub(crate) fn machine() -> StateMachine<Proposal> {
        let end = now() + MAX_WAIT;
        let after = |event| vec![proposed(), event];
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![proposed()]),
                ("", after(Event::Confirmed {})),
                ("", after(Event::Refused { reason: reason() })),
                ("", after(Event::Lapsed { lapsed_at: end })),
            ],
            commands: vec![
                ("", proposing()),
                ("by the proposer", confirm("alice", now())),
                ("by somebody else", confirm("bob", now())),
                ("after a week", confirm("bob", end)),
                ("", refuse()),
                ("after a week", Command::Refuse { reason: reason(), now: end }),
                ("before the week is over", Command::Lapse { now: now() }),
                ("after a week", Command::Lapse { now: end }),
            ],
        }
    }

    fn proposing() -> Command {
        let Event::Proposed(proposed) = proposed() else { unreachable!() };
        Command::Propose(proposed)
    }

    #[test]
    fn whoever_proposes_cannot_confirm_and_somebody_else_can() {
        let open = given::<Proposal>([proposed()]);
        assert_eq!(open.decide(confirm("alice", now())), Err(Refusal::SecondPersonNeeded));
        assert_eq!(open.decide(confirm("bob", now())), Ok(vec![Event::Confirmed {}]));
    }

    #[test]
    fn the_proposer_may_take_the_proposal_back() {
        let open = given::<Proposal>([proposed()]);
        assert_eq!(open.decide(refuse()), Ok(vec![Event::Refused { reason: reason() }]));
    }

    #[test]
    fn a_proposal_lapses_at_its_instant_whether_the_log_was_told_or_not() {
        let (open, end) = (given::<Proposal>([proposed()]), now() + MAX_WAIT);
        let before = end - TimeDelta::microseconds(1);
        assert_eq!(open.decide(Command::Lapse { now: before }), Ok(vec![]));
        assert!(open.decide(confirm("bob", before)).is_ok());
        assert_eq!(open.decide(confirm("bob", end)), Err(Refusal::ProposalLapsed));
        let lapsed = Event::Lapsed { lapsed_at: end };
        assert_eq!(open.decide(Command::Lapse { now: end }), Ok(vec![lapsed.clone()]));
        let told = given::<Proposal>([proposed(), lapsed]);
        assert_eq!(told.decide(Command::Lapse { now: end }), Ok(vec![]));
        assert_eq!(told.decide(refuse()), Err(Refusal::ProposalLapsed));
    }

    #[test]
    fn what_was_decided_stays_decided() {
        let confirmed = given::<Proposal>([proposed(), Event::Confirmed {}]);
        assert_eq!(confirmed.decide(confirm("bob", now())), Ok(vec![]));
        assert_eq!(confirmed.decide(refuse()), Err(Refusal::ProposalConfirmed));
        let refused = given::<Proposal>([proposed(), Event::Refused { reason: reason() }]);
        assert_eq!(refused.decide(refuse()), Ok(vec![]));
        assert_eq!(refused.decide(confirm("bob", now())), Err(Refusal::ProposalRefused));
    }

    #[test]
    fn nothing_can_be_done_to_a_proposal_that_is_not_there() {
        for command in [confirm("bob", now()), refuse()] {
            assert_eq!(Proposal::Missing.decide(command), Err(Refusal::ProposalNotFound));
        }
    }
}
