//! A family of policies, such as "Banking". Partners choose one group and see its policies.
//!
//! Active ⇄ inactive. A group with policies that are published or still being written stays
//! active; nothing can be written or asked for in an inactive one.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest name, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_NAME: usize = 128;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 256;

/// A wish about one policy group.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Start a group.
    Create(Description),
    /// Give it another name or description.
    Update(Description),
    /// Close it.
    Deactivate {
        /// Why.
        reason: Reason,
        /// How many policies in it are published or drafts now.
        live_policies: usize,
    },
    /// Open it again.
    Reactivate(Reason),
}

/// What people read of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// Unique after normalisation.
    pub name: String,
    /// What the group is for.
    pub description: String,
}

impl Description {
    /// A checked description, as it is stored.
    pub fn new(name: &str, description: &str) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.line("name", name, MAX_NAME);
        checks.paragraph("description", description, MAX_DESCRIPTION);
        checks.done()?;
        Ok(Self { name: squeezed(name), description: description.trim().to_owned() })
    }
}

/// What happened to a group. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Created(Description),
    Updated(Description),
    Deactivated { reason: Reason },
    Reactivated { reason: Reason },
}

/// Why a wish about a group was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This policy group is not known.")]
    PolicyGroupNotFound,
    #[error("This policy group exists already.")]
    PolicyGroupExists,
    #[error("The policy group is inactive.")]
    PolicyGroupInactive,
    #[error("The group still has published policies or drafts; end or discard them first.")]
    PolicyGroupHasPolicies,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "policyGroupId"
    }
}

/// Where a group stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum PolicyGroup {
    /// Not created.
    #[default]
    Missing,
    /// Policies can be written and asked for.
    Active(Description),
    /// Closed.
    Inactive(Description),
}

impl PolicyGroup {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Create, Deactivate, Reactivate, Update};
        match (self, command) {
            (Self::Missing, Create(description)) => Ok(vec![Event::Created(description)]),
            (Self::Active(old) | Self::Inactive(old), Create(new)) if *old == new => Ok(vec![]),
            (Self::Active(_) | Self::Inactive(_), Create(_)) => Err(Refusal::PolicyGroupExists),

            (Self::Active(old), Update(new)) if *old == new => Ok(vec![]),
            (Self::Active(_), Update(new)) => Ok(vec![Event::Updated(new)]),
            (Self::Inactive(_), Update(_)) => Err(Refusal::PolicyGroupInactive),

            (Self::Active(_), Deactivate { live_policies: 1.., .. }) => {
                Err(Refusal::PolicyGroupHasPolicies)
            }
            (Self::Active(_), Deactivate { reason, live_policies: 0 }) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Inactive(_), Deactivate { .. }) => Ok(vec![]),

            (Self::Inactive(_), Reactivate(reason)) => Ok(vec![Event::Reactivated { reason }]),
            (Self::Active(_), Reactivate(_)) => Ok(vec![]),

            (Self::Missing, Update(_) | Deactivate { .. } | Reactivate(_)) => {
                Err(Refusal::PolicyGroupNotFound)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Created(description)) => Self::Active(description),
            (Self::Inactive(_), Event::Updated(description)) => Self::Inactive(description),
            (_, Event::Updated(description)) => Self::Active(description),
            (Self::Missing, Event::Deactivated { .. } | Event::Reactivated { .. }) => Self::Missing,
            (Self::Active(it) | Self::Inactive(it), Event::Deactivated { .. }) => {
                Self::Inactive(it)
            }
            (Self::Active(it) | Self::Inactive(it), Event::Reactivated { .. }) => Self::Active(it),
        }
    }

    /// The description of a group that is open now, else why it is not.
    pub fn active(&self) -> Result<&Description, Refusal> {
        match self {
            Self::Active(description) => Ok(description),
            Self::Inactive(_) => Err(Refusal::PolicyGroupInactive),
            Self::Missing => Err(Refusal::PolicyGroupNotFound),
        }
    }
}

aggregate!(PolicyGroup, "policy_group");

impl Actions for PolicyGroup {
    /// Whether policies hold a group open is not known here.
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        let other = Description { name: String::new(), description: String::new() };
        let deactivate = Command::Deactivate { reason: Reason::any(), live_policies: 0 };
        vec![
            self.possible(Operation::UpdatePolicyGroup, Command::Update(other)),
            self.possible(Operation::DeactivatePolicyGroup, deactivate),
            self.possible(Operation::ReactivatePolicyGroup, Command::Reactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    fn banking() -> Description {
        Description::new("Banking", "Banks").unwrap()
    }

    fn reason() -> Reason {
        Reason::new("reason", "merged").unwrap()
    }

    fn deactivate(live_policies: usize) -> Command {
        Command::Deactivate { reason: reason(), live_policies }
    }

    fn active() -> PolicyGroup {
        given([Event::Created(banking())])
    }

    fn inactive() -> PolicyGroup {
        given([Event::Created(banking()), Event::Deactivated { reason: reason() }])
    }

    pub(crate) fn machine() -> StateMachine<PolicyGroup> {
        let closed = Event::Deactivated { reason: reason() };
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![Event::Created(banking())]),
                ("", vec![Event::Created(banking()), closed]),
            ],
            commands: vec![
                ("as it was created", Command::Create(banking())),
                ("with another description", Command::Create(money())),
                ("with another description", Command::Update(money())),
                ("", deactivate(0)),
                ("with live policies", deactivate(1)),
                ("", Command::Reactivate(reason())),
            ],
        }
    }

    fn money() -> Description {
        Description::new("Banking", "Money").unwrap()
    }

    #[test]
    fn a_group_starts_active() {
        let events = PolicyGroup::Missing.decide(Command::Create(banking())).unwrap();
        assert_eq!(events, [Event::Created(banking())]);
        assert!(given::<PolicyGroup>(events).active().is_ok());
    }

    #[test]
    fn creating_the_same_group_again_changes_nothing() {
        assert_eq!(active().decide(Command::Create(banking())), Ok(vec![]));
    }

    #[test]
    fn a_group_with_live_policies_stays() {
        assert_eq!(active().decide(deactivate(1)), Err(Refusal::PolicyGroupHasPolicies));
        assert_eq!(
            active().decide(deactivate(0)),
            Ok(vec![Event::Deactivated { reason: reason() }])
        );
    }

    #[test]
    fn deactivating_twice_changes_nothing() {
        assert_eq!(inactive().decide(deactivate(0)), Ok(vec![]));
    }

    #[test]
    fn a_closed_group_is_not_edited_but_can_be_opened_again() {
        assert_eq!(
            inactive().decide(Command::Update(banking())),
            Err(Refusal::PolicyGroupInactive)
        );
        let events = inactive().decide(Command::Reactivate(reason())).unwrap();
        assert_eq!(events, [Event::Reactivated { reason: reason() }]);
    }

    #[test]
    fn nothing_can_be_done_to_a_group_that_is_not_there() {
        for command in [Command::Update(banking()), deactivate(0), Command::Reactivate(reason())] {
            assert_eq!(PolicyGroup::Missing.decide(command), Err(Refusal::PolicyGroupNotFound));
        }
    }
}
