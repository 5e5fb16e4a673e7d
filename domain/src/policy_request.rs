//! A partner's wish to work under a policy.
//!
//! Pending → approved, rejected or withdrawn; an approved one can be revoked. Everything but
//! pending and approved is final; a new request may follow.

use crate::Finding;
use crate::Reason;
use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{PartnerId, PolicyId};
use crate::text::Checks;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest comment, in characters.
pub const MAX_COMMENT: usize = 500;

/// A wish about one request.
#[derive(Debug, Clone)]
pub enum Command {
    /// Ask. That the partner is active and the policy published has been read before.
    Submit {
        /// Who asks.
        partner_id: PartnerId,
        /// For what.
        policy_id: PolicyId,
        /// What the partner wants to do with it.
        comment: Comment,
    },
    /// Allow it.
    Approve(Option<Comment>),
    /// Refuse it.
    Reject(Reason),
    /// Take it back.
    Withdraw(Option<Reason>),
    /// End an approved one.
    Revoke(Reason),
    /// End whatever is alive, because the partner has ended.
    End(Reason),
}

/// What somebody wrote beside a request or a decision: 1 to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Comment(String);

impl Comment {
    /// A comment as typed, without the blanks around it.
    pub fn new(field: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.paragraph(field, text, MAX_COMMENT);
        checks.done().map(|()| Self(text.trim().to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What happened to a request. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Submitted { partner_id: PartnerId, policy_id: PolicyId, comment: Comment },
    Approved { comment: Option<Comment> },
    Rejected { reason: Reason },
    Withdrawn { reason: Option<Reason> },
    Revoked { reason: Reason },
}

/// Why a wish about a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This request is not known.")]
    RequestNotFound,
    #[error("This request exists already.")]
    RequestExists,
    #[error("The request is still open.")]
    RequestPending,
    #[error("The request was approved already.")]
    RequestApproved,
    #[error("The request was rejected.")]
    RequestRejected,
    #[error("The request was withdrawn.")]
    RequestWithdrawn,
    #[error("The approval was revoked.")]
    RequestRevoked,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "policyRequestId"
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum PolicyRequest {
    /// Not submitted.
    #[default]
    Missing,
    /// Waits for an administrator.
    Pending(Link),
    /// The partner may work under the policy.
    Approved(Link),
    /// Refused.
    Rejected(Link),
    /// Taken back by the partner, or ended with it.
    Withdrawn(Link),
    /// Approved once, ended since.
    Revoked(Link),
}

/// Who asks for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The partner.
    pub partner_id: PartnerId,
    /// The policy.
    pub policy_id: PolicyId,
}

impl PolicyRequest {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Approve, End, Reject, Revoke, Submit, Withdraw};
        match (self, command) {
            (Self::Missing, Submit { partner_id, policy_id, comment }) => {
                Ok(vec![Event::Submitted { partner_id, policy_id, comment }])
            }
            (_, Submit { .. }) => Err(Refusal::RequestExists),
            (Self::Missing, _) => Err(Refusal::RequestNotFound),

            (Self::Pending(_), Approve(comment)) => Ok(vec![Event::Approved { comment }]),
            (Self::Pending(_), Reject(reason)) => Ok(vec![Event::Rejected { reason }]),
            (Self::Pending(_), Withdraw(reason)) => Ok(vec![Event::Withdrawn { reason }]),
            (Self::Pending(_), End(reason)) => Ok(vec![Event::Withdrawn { reason: Some(reason) }]),
            (Self::Pending(_), Revoke(_)) => Err(Refusal::RequestPending),

            (Self::Approved(_), Revoke(reason) | End(reason)) => {
                Ok(vec![Event::Revoked { reason }])
            }
            (Self::Approved(_), Reject(_) | Withdraw(_)) => Err(Refusal::RequestApproved),

            // A repeated wish, or one to end what has ended, changes nothing.
            (Self::Approved(_), Approve(_))
            | (Self::Rejected(_), Reject(_) | End(_))
            | (Self::Withdrawn(_), Withdraw(_) | End(_))
            | (Self::Revoked(_), Revoke(_) | End(_)) => Ok(vec![]),

            (Self::Rejected(_), Approve(_) | Withdraw(_) | Revoke(_)) => {
                Err(Refusal::RequestRejected)
            }
            (Self::Withdrawn(_), Approve(_) | Reject(_) | Revoke(_)) => {
                Err(Refusal::RequestWithdrawn)
            }
            (Self::Revoked(_), Approve(_) | Reject(_) | Withdraw(_)) => {
                Err(Refusal::RequestRevoked)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Submitted { partner_id, policy_id, .. }) => {
                Self::Pending(Link { partner_id, policy_id })
            }
            (request, Event::Approved { .. }) => request.into(Self::Approved),
            (request, Event::Rejected { .. }) => request.into(Self::Rejected),
            (request, Event::Withdrawn { .. }) => request.into(Self::Withdrawn),
            (request, Event::Revoked { .. }) => request.into(Self::Revoked),
        }
    }

    /// Who asks for what, whatever the state; nothing when the request is missing.
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Missing => None,
            Self::Pending(link)
            | Self::Approved(link)
            | Self::Rejected(link)
            | Self::Withdrawn(link)
            | Self::Revoked(link) => Some(link),
        }
    }

    /// Whether nothing can happen to the request any more.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Withdrawn(_) | Self::Revoked(_))
    }

    fn into(self, state: impl FnOnce(Link) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Pending(link)
            | Self::Approved(link)
            | Self::Rejected(link)
            | Self::Withdrawn(link)
            | Self::Revoked(link) => state(link),
        }
    }
}

aggregate!(PolicyRequest, "policy_request");

impl Actions for PolicyRequest {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        vec![
            self.possible(Operation::ApprovePolicyRequest, Command::Approve(None)),
            self.possible(Operation::RejectPolicyRequest, Command::Reject(Reason::any())),
            self.possible(Operation::WithdrawPolicyRequest, Command::Withdraw(None)),
            self.possible(Operation::RevokePolicyRequest, Command::Revoke(Reason::any())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::given;

    fn submitted() -> Event {
        Event::Submitted {
            partner_id: "acme".into(),
            policy_id: "kyc".into(),
            comment: Comment::new("comment", "Opening accounts").unwrap(),
        }
    }

    fn approved() -> Event {
        Event::Approved { comment: None }
    }

    fn reason() -> Reason {
        Reason::new("reason", "not a bank").unwrap()
    }

    fn rejected() -> Event {
        Event::Rejected { reason: reason() }
    }

    #[test]
    fn a_pending_request_can_be_approved() {
        let pending = given::<PolicyRequest>([submitted()]);
        assert_eq!(pending.decide(Command::Approve(None)), Ok(vec![approved()]));
    }

    #[test]
    fn approving_twice_changes_nothing() {
        let approved = given::<PolicyRequest>([submitted(), approved()]);
        assert_eq!(approved.decide(Command::Approve(None)), Ok(vec![]));
    }

    #[test]
    fn a_rejected_request_is_never_approved() {
        let rejected = given::<PolicyRequest>([submitted(), rejected()]);
        assert_eq!(rejected.decide(Command::Approve(None)), Err(Refusal::RequestRejected));
    }

    #[test]
    fn an_approved_request_is_revoked_not_rejected() {
        let approved = given::<PolicyRequest>([submitted(), approved()]);
        assert_eq!(approved.decide(Command::Reject(reason())), Err(Refusal::RequestApproved));
        assert_eq!(
            approved.decide(Command::Revoke(reason())),
            Ok(vec![Event::Revoked { reason: reason() }])
        );
    }

    #[test]
    fn the_end_of_a_partner_withdraws_what_is_open_and_revokes_what_is_approved() {
        let end = || Command::End(reason());
        let pending = given::<PolicyRequest>([submitted()]);
        assert_eq!(pending.decide(end()), Ok(vec![Event::Withdrawn { reason: Some(reason()) }]));
        let approved = given::<PolicyRequest>([submitted(), approved()]);
        assert_eq!(approved.decide(end()), Ok(vec![Event::Revoked { reason: reason() }]));
        let rejected = given::<PolicyRequest>([submitted(), rejected()]);
        assert_eq!(rejected.decide(end()), Ok(vec![]));
    }

    #[test]
    fn nothing_can_be_done_to_a_request_that_is_not_there() {
        for command in [Command::Approve(None), Command::Reject(reason()), Command::End(reason())] {
            assert_eq!(PolicyRequest::Missing.decide(command), Err(Refusal::RequestNotFound));
        }
    }
}
