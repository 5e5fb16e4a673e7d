//! A policy: what partners may ask of the ID system, as a document of one of the types of
//! [`policy_document`](crate::policy_document).
//!
//! Draft → published → deactivated, which is final; a draft can be discarded. A published document
//! never changes: another one takes its place, as the successor that names it.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{PolicyGroupId, PolicyId};
use crate::policy_document::{PolicyType, validate};
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{IntoStaticStr, VariantNames};

/// The longest name, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_NAME: usize = 128;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 256;
/// The longest version text, in characters.
pub const MAX_VERSION: usize = 8;

/// A wish about one policy.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Start a draft.
    Create {
        /// The group it belongs to; never changes.
        policy_group_id: PolicyGroupId,
        /// The kind of document; never changes.
        policy_type: PolicyType,
        /// What it says.
        content: Content,
        /// The policy that it will take the place of.
        supersedes: Option<PolicyId>,
        /// The policy whose content it began with.
        cloned_from: Option<PolicyId>,
    },
    /// Write the draft anew.
    UpdateDraft(Content),
    /// Make it binding.
    Publish,
    /// End a published policy.
    Deactivate {
        /// Why.
        reason: Reason,
        /// How many requests for it are open or approved now.
        live_requests: usize,
    },
    /// Throw a draft away.
    Discard(Reason),
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// Unique in its group after normalisation.
    pub name: String,
    /// What the policy is for.
    pub description: String,
    /// The author's own numbering.
    pub version: String,
    /// The document.
    pub policies: Value,
}

impl Content {
    /// A checked content, as it is stored; everything that is wrong with it, document included.
    pub fn new(
        policy_type: PolicyType,
        name: &str,
        description: &str,
        version: &str,
        policies: Value,
    ) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.line("name", name, MAX_NAME);
        checks.paragraph("description", description, MAX_DESCRIPTION);
        checks.line("version", version, MAX_VERSION);
        checks.extend(validate(policy_type, &policies, "policies"));
        checks.done()?;
        let (name, version) = (squeezed(name), squeezed(version));
        Ok(Self { name, description: description.trim().to_owned(), version, policies })
    }
}

/// What happened to a policy. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Created {
        policy_group_id: PolicyGroupId,
        policy_type: PolicyType,
        content: Content,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supersedes: Option<PolicyId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cloned_from: Option<PolicyId>,
    },
    DraftUpdated {
        content: Content,
    },
    Published {},
    Deactivated {
        reason: Reason,
    },
    Discarded {
        reason: Reason,
    },
}

/// Why a wish about a policy was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This policy is not known.")]
    PolicyNotFound,
    #[error("This policy exists already.")]
    PolicyExists,
    #[error("The policy is published; what is published never changes.")]
    PolicyPublished,
    #[error("The policy is a draft: it has to be published first.")]
    PolicyNotPublished,
    #[error("The policy was deactivated, which is final.")]
    PolicyDeactivated,
    #[error("The draft was discarded.")]
    PolicyDiscarded,
    #[error("Partners work under this policy or have asked to; end their requests first.")]
    PolicyInUse,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "policyId"
    }
}

/// Where a policy stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Policy {
    /// Not created.
    #[default]
    Missing,
    /// Being written.
    Draft(Body),
    /// Binding.
    Published(Body),
    /// Ended.
    Deactivated(Body),
    /// Thrown away before it was ever binding.
    Discarded(Body),
}

/// What later decisions need to know of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// As created.
    pub policy_group_id: PolicyGroupId,
    /// As created.
    pub policy_type: PolicyType,
    /// As last written.
    pub content: Content,
    /// The policy that it takes the place of.
    pub supersedes: Option<PolicyId>,
}

impl Policy {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Create, Deactivate, Discard, Publish, UpdateDraft};
        match (self, command) {
            (
                Self::Missing,
                Create { policy_group_id, policy_type, content, supersedes, cloned_from },
            ) => Ok(vec![Event::Created {
                policy_group_id,
                policy_type,
                content,
                supersedes,
                cloned_from,
            }]),
            (_, Create { .. }) => Err(Refusal::PolicyExists),
            (Self::Missing, _) => Err(Refusal::PolicyNotFound),

            (Self::Draft(body), UpdateDraft(content)) if body.content == content => Ok(vec![]),
            (Self::Draft(_), UpdateDraft(content)) => Ok(vec![Event::DraftUpdated { content }]),
            (Self::Draft(body), Publish) => body.publishable().map(|()| vec![Event::Published {}]),
            (Self::Draft(_), Discard(reason)) => Ok(vec![Event::Discarded { reason }]),
            (Self::Draft(_), Deactivate { .. }) => Err(Refusal::PolicyNotPublished),

            (Self::Published(_), Publish) => Ok(vec![]),
            (Self::Published(_), UpdateDraft(_) | Discard(_)) => Err(Refusal::PolicyPublished),
            (Self::Published(_), Deactivate { live_requests: 1.., .. }) => {
                Err(Refusal::PolicyInUse)
            }
            (Self::Published(_), Deactivate { reason, live_requests: 0 }) => {
                Ok(vec![Event::Deactivated { reason }])
            }

            (Self::Deactivated(_), Deactivate { .. }) | (Self::Discarded(_), Discard(_)) => {
                Ok(vec![])
            }
            (Self::Deactivated(_), UpdateDraft(_) | Publish | Discard(_)) => {
                Err(Refusal::PolicyDeactivated)
            }
            (Self::Discarded(_), UpdateDraft(_) | Publish | Deactivate { .. }) => {
                Err(Refusal::PolicyDiscarded)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Created { policy_group_id, policy_type, content, supersedes, .. }) => {
                Self::Draft(Body { policy_group_id, policy_type, content, supersedes })
            }
            (policy, Event::DraftUpdated { content }) => {
                policy.into(|body| Self::Draft(Body { content, ..body }))
            }
            (policy, Event::Published {}) => policy.into(Self::Published),
            (policy, Event::Deactivated { .. }) => policy.into(Self::Deactivated),
            (policy, Event::Discarded { .. }) => policy.into(Self::Discarded),
        }
    }

    /// The body, whatever the state; nothing when the policy is missing.
    pub fn body(&self) -> Option<&Body> {
        match self {
            Self::Missing => None,
            Self::Draft(body)
            | Self::Published(body)
            | Self::Deactivated(body)
            | Self::Discarded(body) => Some(body),
        }
    }

    /// The body of a policy that binds now, else why it does not.
    pub fn published(&self) -> Result<&Body, Refusal> {
        match self {
            Self::Published(body) => Ok(body),
            Self::Missing => Err(Refusal::PolicyNotFound),
            Self::Draft(_) => Err(Refusal::PolicyNotPublished),
            Self::Deactivated(_) => Err(Refusal::PolicyDeactivated),
            Self::Discarded(_) => Err(Refusal::PolicyDiscarded),
        }
    }

    /// The body of a policy that was binding at some time, else why it never was.
    pub fn binding(&self) -> Result<&Body, Refusal> {
        match self {
            Self::Deactivated(body) => Ok(body),
            Self::Missing | Self::Draft(_) | Self::Published(_) | Self::Discarded(_) => {
                self.published()
            }
        }
    }

    /// The body of a policy that may be copied, else why it may not.
    pub fn written(&self) -> Result<&Body, Refusal> {
        match self {
            Self::Draft(body) | Self::Published(body) | Self::Deactivated(body) => Ok(body),
            Self::Missing => Err(Refusal::PolicyNotFound),
            Self::Discarded(_) => Err(Refusal::PolicyDiscarded),
        }
    }

    /// Whether a policy of this group and type can take the place of this one, which has to have
    /// been binding; else everything that speaks against it.
    pub fn can_be_superseded(
        &self,
        policy_group_id: &PolicyGroupId,
        policy_type: PolicyType,
    ) -> Result<&Body, Vec<Finding>> {
        let here = |code, message: &str| Finding::new(code, "supersedes", message);
        let body = self
            .binding()
            .map_err(|refusal| vec![here((&refusal).into(), &refusal.to_string())])?;
        let mut checks = Checks::default();
        checks.add_if(body.policy_group_id != *policy_group_id, || {
            here("SUCCESSOR_OF_OTHER_GROUP", "A successor is in the group of its predecessor.")
        });
        checks.add_if(body.policy_type != policy_type, || {
            here("SUCCESSOR_OF_OTHER_TYPE", "A successor is of the type of its predecessor.")
        });
        checks.done().map(|()| body)
    }

    fn into(self, state: impl FnOnce(Body) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Draft(body)
            | Self::Published(body)
            | Self::Deactivated(body)
            | Self::Discarded(body) => state(body),
        }
    }
}

impl Body {
    /// Checks the document again: the schema may have become stricter since the draft was written.
    fn publishable(&self) -> Result<(), Refusal> {
        let findings = validate(self.policy_type, &self.content.policies, "policies");
        if findings.is_empty() { Ok(()) } else { Err(Refusal::Invalid(findings)) }
    }
}

aggregate!(Policy, "policy");

impl Actions for Policy {
    /// Whether requests hold a policy in place is not known here.
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        let (name, description, version) = (String::new(), String::new(), String::new());
        let other = Content { name, description, version, policies: Value::Null };
        let deactivate = Command::Deactivate { reason: Reason::any(), live_requests: 0 };
        vec![
            self.possible(Operation::UpdateDraftPolicy, Command::UpdateDraft(other)),
            self.possible(Operation::PublishPolicy, Command::Publish),
            self.possible(Operation::DiscardDraftPolicy, Command::Discard(Reason::any())),
            self.possible(Operation::DeactivatePolicy, deactivate),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;
    use serde_json::json;

    fn document() -> Value {
        json!({"authTokenType": "policy", "allowedAuthTypes": [], "allowedKycAttributes": []})
    }

    fn content(name: &str) -> Content {
        Content::new(PolicyType::Auth, name, "For banks", "1", document()).unwrap()
    }

    fn created() -> Event {
        Event::Created {
            policy_group_id: "banking".into(),
            policy_type: PolicyType::Auth,
            content: content("KYC"),
            supersedes: None,
            cloned_from: None,
        }
    }

    fn superseding(policy: &Policy, group: &str, policy_type: PolicyType) -> Vec<&'static str> {
        let outcome = policy.can_be_superseded(&group.into(), policy_type).map(|_| Vec::new());
        outcome.unwrap_or_else(|all| all.iter().map(|finding| finding.code).collect())
    }

    pub(crate) fn machine() -> StateMachine<Policy> {
        let create = Command::Create {
            policy_group_id: "banking".into(),
            policy_type: PolicyType::Auth,
            content: content("KYC"),
            supersedes: None,
            cloned_from: None,
        };
        let ended = Event::Deactivated { reason: reason() };
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![created()]),
                ("", vec![created(), Event::Published {}]),
                ("", vec![created(), Event::Published {}, ended]),
                ("", vec![created(), Event::Discarded { reason: reason() }]),
            ],
            commands: vec![
                ("", create),
                ("", Command::UpdateDraft(content("eKYC"))),
                ("with the same", Command::UpdateDraft(content("KYC"))),
                ("", Command::Publish),
                ("that nobody uses", deactivate(0)),
                ("that partners use", deactivate(1)),
                ("", Command::Discard(reason())),
            ],
        }
    }

    fn reason() -> Reason {
        Reason::new("reason", "replaced").unwrap()
    }

    fn deactivate(live_requests: usize) -> Command {
        Command::Deactivate { reason: reason(), live_requests }
    }

    #[test]
    fn a_draft_can_be_written_anew_until_it_is_published() {
        let draft = given::<Policy>([created()]);
        let content = content("eKYC");
        assert_eq!(
            draft.decide(Command::UpdateDraft(content.clone())),
            Ok(vec![Event::DraftUpdated { content: content.clone() }])
        );
        let published = given::<Policy>([created(), Event::Published {}]);
        assert_eq!(published.decide(Command::UpdateDraft(content)), Err(Refusal::PolicyPublished));
    }

    #[test]
    fn publishing_twice_changes_nothing() {
        let published = given::<Policy>([created(), Event::Published {}]);
        assert_eq!(published.decide(Command::Publish), Ok(vec![]));
    }

    #[test]
    fn a_document_that_has_become_invalid_is_not_published() {
        let mut broken = content("KYC");
        broken.policies = json!({"authTokenType": "policy"});
        let draft = given::<Policy>([created(), Event::DraftUpdated { content: broken }]);
        assert!(
            matches!(draft.decide(Command::Publish), Err(Refusal::Invalid(all)) if all.len() == 2)
        );
    }

    #[test]
    fn a_policy_that_partners_use_stays() {
        let published = given::<Policy>([created(), Event::Published {}]);
        assert_eq!(published.decide(deactivate(1)), Err(Refusal::PolicyInUse));
        assert_eq!(
            published.decide(deactivate(0)),
            Ok(vec![Event::Deactivated { reason: reason() }])
        );
    }

    #[test]
    fn what_has_ended_does_not_come_back() {
        let ended = given::<Policy>([
            created(),
            Event::Published {},
            Event::Deactivated { reason: reason() },
        ]);
        assert_eq!(ended.decide(Command::Publish), Err(Refusal::PolicyDeactivated));
        assert_eq!(ended.decide(deactivate(0)), Ok(vec![]));
        let discarded = given::<Policy>([created(), Event::Discarded { reason: reason() }]);
        assert_eq!(discarded.decide(Command::Publish), Err(Refusal::PolicyDiscarded));
    }

    #[test]
    fn a_successor_follows_what_was_binding_in_its_group_and_of_its_type() {
        let published = given::<Policy>([created(), Event::Published {}]);
        assert!(superseding(&published, "banking", PolicyType::Auth).is_empty());
        assert_eq!(
            superseding(&published, "health", PolicyType::Misp),
            ["SUCCESSOR_OF_OTHER_GROUP", "SUCCESSOR_OF_OTHER_TYPE"]
        );
        let ended = published.evolve(Event::Deactivated { reason: reason() });
        assert!(superseding(&ended, "banking", PolicyType::Auth).is_empty());
        for (policy, code) in [
            (given::<Policy>([created()]), "POLICY_NOT_PUBLISHED"),
            (given([created(), Event::Discarded { reason: reason() }]), "POLICY_DISCARDED"),
            (Policy::Missing, "POLICY_NOT_FOUND"),
        ] {
            assert_eq!(superseding(&policy, "banking", PolicyType::Auth), [code]);
        }
    }

    #[test]
    fn nothing_can_be_done_to_a_policy_that_is_not_there() {
        for command in [Command::Publish, deactivate(0), Command::Discard(reason())] {
            assert_eq!(Policy::Missing.decide(command), Err(Refusal::PolicyNotFound));
        }
    }

    #[test]
    fn every_error_of_an_input_is_told_at_once() {
        let findings = Content::new(PolicyType::Auth, "", "", "123456789", json!({})).unwrap_err();
        let codes: Vec<_> = findings.iter().map(|finding| finding.field.as_str()).collect();
        assert_eq!(codes[..3], ["name", "description", "version"]);
        assert_eq!(codes.len(), 6, "{codes:?}");
    }
}
