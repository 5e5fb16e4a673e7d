//! A partner's wish to work under a policy.
//!
//! Draft → pending → approved, rejected or withdrawn; an approved one can be revoked. A draft is
//! seen by its partner only, and most requests are submitted without ever being one. Everything
//! but draft, pending and approved is final; a new request may follow.

use crate::Finding;
use crate::Reason;
use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::extractor::Extractor;
use crate::ids::{ExtractorId, PartnerId, PolicyId};
use crate::reference::{CredentialRule, Modality, credential_type};
use crate::text::Checks;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::{IntoStaticStr, VariantArray as _, VariantNames};

/// The longest comment, in characters.
pub const MAX_COMMENT: usize = 500;

/// A wish about one request. That the partner is active and the policy published has been read
/// before.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Ask.
    Submit(Asked, Demands),
    /// Begin to ask: it may be incomplete, and nobody is asked yet.
    Draft(Asked, Demands),
    /// Write a draft anew.
    UpdateDraft(Wording, Demands),
    /// Ask what the draft says.
    SubmitDraft(Demands),
    /// Allow it.
    Approve(Option<Comment>, Demands),
    /// Refuse it.
    Reject(Reason),
    /// Take it back.
    Withdraw(Option<Reason>),
    /// End an approved one.
    Revoke(Reason),
    /// End whatever is alive, because the partner has ended.
    End(Reason),
}

/// Who asks for what, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The partner.
    pub partner_id: PartnerId,
    /// The policy.
    pub policy_id: PolicyId,
    /// What can be written anew while it is a draft.
    #[serde(flatten)]
    pub wording: Wording,
}

/// What a request says beside who asks for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wording {
    /// What the partner wants to do with the policy.
    pub comment: Comment,
    /// The type of credential that the partner will receive under the policy, in its one spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<String>,
    /// What makes the biometric templates that are shared under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extractors: Vec<ExtractorChoice>,
}

/// The extractor of one modality.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtractorChoice {
    /// What it makes templates of.
    pub modality: Modality,
    /// Which extractor.
    pub extractor_id: ExtractorId,
}

impl Wording {
    /// A wording as it is stored; everything that is wrong with it by itself.
    pub fn new(
        comment: &str,
        credential: Option<&str>,
        extractors: Vec<ExtractorChoice>,
    ) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        let comment = Comment::new("comment", comment);
        checks.extend(comment.as_ref().err().into_iter().flatten().cloned());
        let credential_type = credential.and_then(credential_type);
        checks.add_if(credential.is_some() && credential_type.is_none(), || {
            let message = "There is no such credential type.";
            Finding::new("CREDENTIAL_TYPE_UNKNOWN", "credentialType", message)
        });
        checks.extend(repeated_modalities(&extractors));
        checks.done()?;
        let credential_type = credential_type.map(ToOwned::to_owned);
        Ok(Self { comment: comment?, credential_type, extractors })
    }

    /// What even a draft may not say.
    fn out_of_place(&self, demands: &Demands) -> Vec<Finding> {
        let mut checks = Checks::default();
        if demands.credential == CredentialRule::None {
            checks.add_if(self.credential_type.is_some(), || {
                let message = "A partner of this type receives no credentials.";
                Finding::new("CREDENTIAL_TYPE_NOT_ALLOWED", "credentialType", message)
            });
            checks.add_if(!self.extractors.is_empty(), || {
                let message = "A partner of this type has no use for extractors.";
                Finding::new("EXTRACTORS_NOT_ALLOWED", "extractors", message)
            });
        }
        checks.extend(demands.unusable.iter().cloned());
        checks.done().err().unwrap_or_default()
    }

    fn allowed(&self, demands: &Demands) -> Result<(), Refusal> {
        fine(self.out_of_place(demands))
    }

    fn complete(&self, demands: &Demands) -> Result<(), Refusal> {
        let missing = demands.missing(self.credential_type.as_deref(), &self.extractors);
        fine([missing, self.out_of_place(demands)].concat())
    }
}

fn fine(findings: Vec<Finding>) -> Result<(), Refusal> {
    if findings.is_empty() { Ok(()) } else { Err(Refusal::Invalid(findings)) }
}

fn repeated_modalities(extractors: &[ExtractorChoice]) -> Vec<Finding> {
    let limit = Modality::VARIANTS.len();
    if extractors.len() > limit {
        let message = format!("There are {limit} modalities, and one extractor for each.");
        return vec![Finding::new("TOO_MANY_EXTRACTORS", "extractors", message).with("max", limit)];
    }
    let mut seen = BTreeSet::new();
    let repeated = extractors.iter().enumerate().filter(|(_, it)| !seen.insert(it.modality));
    let finding = |at| {
        let message = "There is one extractor per modality.";
        Finding::new("MODALITY_REPEATED", format!("extractors[{at}].modality"), message)
    };
    repeated.map(|(at, _)| finding(at)).collect()
}

/// What is demanded of a request, by facts about others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands {
    /// Whether partners of this type name a credential type and extractors.
    pub credential: CredentialRule,
    /// Whether the policy shares biometrics, so that something has to make templates of them.
    pub biometrics: bool,
    /// Why extractors that the request names cannot be had.
    pub unusable: Vec<Finding>,
}

impl Demands {
    /// What a request that names these parts lacks; each finding names the field of one.
    pub fn missing(
        &self,
        credential_type: Option<&str>,
        extractors: &[ExtractorChoice],
    ) -> Vec<Finding> {
        let mut checks = Checks::default();
        if self.credential == CredentialRule::Needed {
            checks.add_if(credential_type.is_none(), || {
                let message = "Name the type of credential that the partner will receive.";
                Finding::new("CREDENTIAL_TYPE_NEEDED", "credentialType", message)
            });
            checks.add_if(self.biometrics && extractors.is_empty(), || {
                let message = "The policy shares biometrics: name at least one extractor.";
                Finding::new("EXTRACTORS_NEEDED", "extractors", message)
            });
        }
        checks.done().err().unwrap_or_default()
    }
}

impl ExtractorChoice {
    /// Why the chosen extractor cannot be had; `field` is where the choice stands in the input.
    pub fn unusable(&self, extractor: &Extractor, field: &str) -> Vec<Finding> {
        let here =
            |code, message: &str| Finding::new(code, format!("{field}.extractorId"), message);
        match extractor.active() {
            Ok(configuration) if configuration.modality == self.modality => Vec::new(),
            Ok(_) => {
                let message = "This extractor is for another modality.";
                vec![here("EXTRACTOR_MODALITY_DIFFERS", message)]
            }
            Err(refusal) => vec![here((&refusal).into(), &refusal.to_string())],
        }
    }
}

/// What somebody wrote beside a request or a decision: 1 to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Submitted(Asked),
    Drafted(Asked),
    DraftUpdated(Wording),
    DraftSubmitted {},
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
    #[error("The request was submitted and is still open.")]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum PolicyRequest {
    /// Neither drafted nor submitted.
    #[default]
    Missing,
    /// Being written by the partner.
    Draft(Asked),
    /// Waits for an administrator.
    Pending(Asked),
    /// The partner may work under the policy.
    Approved(Asked),
    /// Refused.
    Rejected(Asked),
    /// Taken back by the partner, or ended with it.
    Withdrawn(Asked),
    /// Approved once, ended since.
    Revoked(Asked),
}

impl PolicyRequest {
    /// The events that follow from `command` in this state. Those who decide about requests do not
    /// know of drafts.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{
            Approve, Draft, End, Reject, Revoke, Submit, SubmitDraft, UpdateDraft, Withdraw,
        };
        match (self, command) {
            (Self::Missing, Submit(asked, demands)) => {
                asked.wording.complete(&demands).map(|()| vec![Event::Submitted(asked)])
            }
            (Self::Missing, Draft(asked, demands)) => {
                asked.wording.allowed(&demands).map(|()| vec![Event::Drafted(asked)])
            }
            (_, Submit(..) | Draft(..)) => Err(Refusal::RequestExists),
            (Self::Missing, _) => Err(Refusal::RequestNotFound),

            (Self::Draft(asked), UpdateDraft(wording, _)) if asked.wording == wording => Ok(vec![]),
            (Self::Draft(_), UpdateDraft(wording, demands)) => {
                wording.allowed(&demands).map(|()| vec![Event::DraftUpdated(wording)])
            }
            (Self::Draft(asked), SubmitDraft(demands)) => {
                asked.wording.complete(&demands).map(|()| vec![Event::DraftSubmitted {}])
            }
            (Self::Draft(_), Approve(..) | Reject(_) | Revoke(_)) => Err(Refusal::RequestNotFound),

            (Self::Pending(asked), Approve(comment, demands)) => {
                asked.wording.complete(&demands).map(|()| vec![Event::Approved { comment }])
            }
            (Self::Pending(_), Reject(reason)) => Ok(vec![Event::Rejected { reason }]),
            (Self::Draft(_) | Self::Pending(_), Withdraw(reason)) => {
                Ok(vec![Event::Withdrawn { reason }])
            }
            (Self::Draft(_) | Self::Pending(_), End(reason)) => {
                Ok(vec![Event::Withdrawn { reason: Some(reason) }])
            }
            (Self::Pending(_), UpdateDraft(..) | Revoke(_)) => Err(Refusal::RequestPending),

            (Self::Approved(_), Revoke(reason) | End(reason)) => {
                Ok(vec![Event::Revoked { reason }])
            }
            (Self::Approved(_), UpdateDraft(..) | SubmitDraft(_) | Reject(_) | Withdraw(_)) => {
                Err(Refusal::RequestApproved)
            }

            // A repeated wish, or one to end what has ended, changes nothing.
            (Self::Pending(_), SubmitDraft(_))
            | (Self::Approved(_), Approve(..))
            | (Self::Rejected(_), Reject(_) | End(_))
            | (Self::Withdrawn(_), Withdraw(_) | End(_))
            | (Self::Revoked(_), Revoke(_) | End(_)) => Ok(vec![]),

            (
                Self::Rejected(_),
                UpdateDraft(..) | SubmitDraft(_) | Approve(..) | Withdraw(_) | Revoke(_),
            ) => Err(Refusal::RequestRejected),
            (
                Self::Withdrawn(_),
                UpdateDraft(..) | SubmitDraft(_) | Approve(..) | Reject(_) | Revoke(_),
            ) => Err(Refusal::RequestWithdrawn),
            (
                Self::Revoked(_),
                UpdateDraft(..) | SubmitDraft(_) | Approve(..) | Reject(_) | Withdraw(_),
            ) => Err(Refusal::RequestRevoked),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Submitted(asked)) => Self::Pending(asked),
            (_, Event::Drafted(asked)) => Self::Draft(asked),
            (request, Event::DraftUpdated(wording)) => {
                request.into(|asked| Self::Draft(Asked { wording, ..asked }))
            }
            (request, Event::DraftSubmitted {}) => request.into(Self::Pending),
            (request, Event::Approved { .. }) => request.into(Self::Approved),
            (request, Event::Rejected { .. }) => request.into(Self::Rejected),
            (request, Event::Withdrawn { .. }) => request.into(Self::Withdrawn),
            (request, Event::Revoked { .. }) => request.into(Self::Revoked),
        }
    }

    /// Who asks for what, whatever the state; nothing when the request is missing.
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::Missing => None,
            Self::Draft(asked)
            | Self::Pending(asked)
            | Self::Approved(asked)
            | Self::Rejected(asked)
            | Self::Withdrawn(asked)
            | Self::Revoked(asked) => Some(asked),
        }
    }

    /// Whether nothing can happen to the request any more.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Withdrawn(_) | Self::Revoked(_))
    }

    fn into(self, state: impl FnOnce(Asked) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Draft(asked)
            | Self::Pending(asked)
            | Self::Approved(asked)
            | Self::Rejected(asked)
            | Self::Withdrawn(asked)
            | Self::Revoked(asked) => state(asked),
        }
    }
}

aggregate!(PolicyRequest, "policy_request");

impl Actions for PolicyRequest {
    /// What is demanded of a request by its partner's type and its policy is not known here.
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        let demands = Demands::default;
        let comment = Comment(String::new());
        let other = Wording { comment, credential_type: None, extractors: Vec::new() };
        vec![
            self.possible(
                Operation::UpdateDraftPolicyRequest,
                Command::UpdateDraft(other, demands()),
            ),
            self.possible(Operation::SubmitPolicyRequest, Command::SubmitDraft(demands())),
            self.possible(Operation::ApprovePolicyRequest, Command::Approve(None, demands())),
            self.possible(Operation::RejectPolicyRequest, Command::Reject(Reason::any())),
            self.possible(Operation::WithdrawPolicyRequest, Command::Withdraw(None)),
            self.possible(Operation::RevokePolicyRequest, Command::Revoke(Reason::any())),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::extractor::{self, Configuration};
    use crate::generated_docs::StateMachine;

    pub(crate) fn machine() -> StateMachine<PolicyRequest> {
        let withdrawn = Event::Withdrawn { reason: None };
        let revoked = Event::Revoked { reason: reason() };
        let other = || wording(Some("euin"), vec![]);
        let complete = Demands::default;
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![drafted()]),
                ("", vec![submitted()]),
                ("", vec![submitted(), approved()]),
                ("", vec![submitted(), rejected()]),
                ("", vec![submitted(), withdrawn]),
                ("", vec![submitted(), approved(), revoked]),
            ],
            commands: vec![
                ("", Command::Submit(asked(bare()), complete())),
                ("what is incomplete", Command::Submit(asked(bare()), everything())),
                ("", Command::Draft(asked(bare()), complete())),
                ("", Command::UpdateDraft(other(), complete())),
                ("with the same", Command::UpdateDraft(bare(), complete())),
                ("", Command::SubmitDraft(complete())),
                ("that is incomplete", Command::SubmitDraft(everything())),
                ("", approve()),
                ("what is incomplete", Command::Approve(None, everything())),
                ("", Command::Reject(reason())),
                ("", Command::Withdraw(None)),
                ("", Command::Revoke(reason())),
                ("with the partner", Command::End(reason())),
            ],
        }
    }

    fn choice(modality: Modality) -> ExtractorChoice {
        ExtractorChoice { modality, extractor_id: "x".into() }
    }

    fn wording(credential: Option<&str>, extractors: Vec<ExtractorChoice>) -> Wording {
        Wording::new("Opening accounts", credential, extractors).unwrap()
    }

    fn asked(wording: Wording) -> Asked {
        Asked { partner_id: "acme".into(), policy_id: "kyc".into(), wording }
    }

    fn bare() -> Wording {
        wording(None, vec![])
    }

    fn submitted() -> Event {
        Event::Submitted(asked(bare()))
    }

    fn drafted() -> Event {
        Event::Drafted(asked(bare()))
    }

    fn approved() -> Event {
        Event::Approved { comment: None }
    }

    fn approve() -> Command {
        Command::Approve(None, Demands::default())
    }

    fn reason() -> Reason {
        Reason::new("reason", "not a bank").unwrap()
    }

    fn rejected() -> Event {
        Event::Rejected { reason: reason() }
    }

    fn everything() -> Demands {
        Demands { credential: CredentialRule::Needed, biometrics: true, unusable: vec![] }
    }

    fn codes(outcome: Result<Vec<Event>, Refusal>) -> Vec<&'static str> {
        let findings = Vec::<Finding>::from(outcome.unwrap_err());
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_pending_request_can_be_approved() {
        let pending = given::<PolicyRequest>([submitted()]);
        assert_eq!(pending.decide(approve()), Ok(vec![approved()]));
    }

    #[test]
    fn approving_twice_changes_nothing() {
        let approved = given::<PolicyRequest>([submitted(), approved()]);
        assert_eq!(approved.decide(approve()), Ok(vec![]));
    }

    #[test]
    fn a_rejected_request_is_never_approved() {
        let rejected = given::<PolicyRequest>([submitted(), rejected()]);
        assert_eq!(rejected.decide(approve()), Err(Refusal::RequestRejected));
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
        for begun in [drafted(), submitted()] {
            let open = given::<PolicyRequest>([begun]);
            assert_eq!(open.decide(end()), Ok(vec![Event::Withdrawn { reason: Some(reason()) }]));
        }
        let approved = given::<PolicyRequest>([submitted(), approved()]);
        assert_eq!(approved.decide(end()), Ok(vec![Event::Revoked { reason: reason() }]));
        let rejected = given::<PolicyRequest>([submitted(), rejected()]);
        assert_eq!(rejected.decide(end()), Ok(vec![]));
    }

    #[test]
    fn nothing_can_be_done_to_a_request_that_is_not_there() {
        for command in [approve(), Command::Reject(reason()), Command::End(reason())] {
            assert_eq!(PolicyRequest::Missing.decide(command), Err(Refusal::RequestNotFound));
        }
    }

    #[test]
    fn a_draft_is_written_anew_until_it_is_submitted() {
        let draft = given::<PolicyRequest>([drafted()]);
        let better = wording(Some("EUIN"), vec![choice(Modality::Face)]);
        let update = || Command::UpdateDraft(better.clone(), everything());
        assert_eq!(draft.decide(update()), Ok(vec![Event::DraftUpdated(better.clone())]));
        let updated = given::<PolicyRequest>([drafted(), Event::DraftUpdated(better.clone())]);
        assert_eq!(updated.decide(update()), Ok(vec![]));
        let submit = || Command::SubmitDraft(everything());
        assert_eq!(updated.decide(submit()), Ok(vec![Event::DraftSubmitted {}]));
        let pending = updated.evolve(Event::DraftSubmitted {});
        assert_eq!(pending.decide(submit()), Ok(vec![]));
        assert_eq!(pending.decide(update()), Err(Refusal::RequestPending));
    }

    #[test]
    fn nobody_decides_about_a_draft_and_its_partner_can_take_it_back() {
        let draft = given::<PolicyRequest>([drafted()]);
        for command in [approve(), Command::Reject(reason()), Command::Revoke(reason())] {
            assert_eq!(draft.decide(command), Err(Refusal::RequestNotFound));
        }
        let withdrawn = Event::Withdrawn { reason: None };
        assert_eq!(draft.decide(Command::Withdraw(None)), Ok(vec![withdrawn]));
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once_and_a_draft_may_miss_it() {
        let needed = ["CREDENTIAL_TYPE_NEEDED", "EXTRACTORS_NEEDED"];
        let missing = PolicyRequest::Missing;
        let submit = Command::Submit(asked(bare()), everything());
        assert_eq!(codes(missing.decide(submit)), needed);
        let draft = Command::Draft(asked(bare()), everything());
        assert_eq!(missing.decide(draft), Ok(vec![drafted()]));
        let draft = given::<PolicyRequest>([drafted()]);
        assert_eq!(codes(draft.decide(Command::SubmitDraft(everything()))), needed);
        let pending = given::<PolicyRequest>([submitted()]);
        assert_eq!(codes(pending.decide(Command::Approve(None, everything()))), needed);
    }

    #[test]
    fn a_policy_without_biometrics_needs_no_extractor() {
        let submit = |wording| {
            let demands = Demands { biometrics: false, ..everything() };
            PolicyRequest::Missing.decide(Command::Submit(asked(wording), demands))
        };
        assert_eq!(codes(submit(bare())), ["CREDENTIAL_TYPE_NEEDED"]);
        assert!(submit(wording(Some("euin"), vec![])).is_ok());
    }

    #[test]
    fn who_receives_no_credentials_names_no_parts_of_them() {
        let full = || asked(wording(Some("euin"), vec![choice(Modality::Iris)]));
        let none = || Demands { credential: CredentialRule::None, ..everything() };
        let refused = ["CREDENTIAL_TYPE_NOT_ALLOWED", "EXTRACTORS_NOT_ALLOWED"];
        let missing = PolicyRequest::Missing;
        assert_eq!(codes(missing.decide(Command::Submit(full(), none()))), refused);
        assert_eq!(codes(missing.decide(Command::Draft(full(), none()))), refused);
        assert!(missing.decide(Command::Submit(asked(bare()), none())).is_ok());
        let optional = || Demands { credential: CredentialRule::Optional, ..everything() };
        assert!(missing.decide(Command::Submit(full(), optional())).is_ok());
        assert!(missing.decide(Command::Submit(asked(bare()), optional())).is_ok());
    }

    #[test]
    fn an_extractor_has_to_be_there_and_fit() {
        let configuration = Configuration {
            name: "Face".into(),
            provider: "Acme".into(),
            version: "1".into(),
            modality: Modality::Face,
            attribute_name: "photo".into(),
            data_format: None,
        };
        let created = extractor::Event::Created(configuration);
        let active = given::<Extractor>([created.clone()]);
        let deleted = given::<Extractor>([created, extractor::Event::Deleted { reason: reason() }]);
        let found = |choice: ExtractorChoice, extractor: &Extractor| {
            let found = choice.unusable(extractor, "extractors[0]");
            found.into_iter().map(|it| format!("{}: {}", it.field, it.code)).collect::<Vec<_>>()
        };
        let at = |code: &str| vec![format!("extractors[0].extractorId: {code}")];
        let face = || choice(Modality::Face);
        assert!(found(face(), &active).is_empty());
        assert_eq!(found(face(), &deleted), at("EXTRACTOR_DELETED"));
        assert_eq!(found(face(), &Extractor::Missing), at("EXTRACTOR_NOT_FOUND"));
        assert_eq!(found(choice(Modality::Iris), &active), at("EXTRACTOR_MODALITY_DIFFERS"));

        let unusable = face().unusable(&deleted, "extractors[0]");
        let demands = Demands { unusable, ..Demands::default() };
        let draft = Command::Draft(asked(wording(None, vec![face()])), demands);
        assert_eq!(codes(PolicyRequest::Missing.decide(draft)), ["EXTRACTOR_DELETED"]);
    }

    #[test]
    fn everything_that_is_wrong_with_a_wording_is_told_at_once() {
        let twice = vec![choice(Modality::Face), choice(Modality::Face)];
        let findings = Wording::new(" ", Some("passport"), twice).unwrap_err();
        let fields: Vec<_> = findings.iter().map(|finding| finding.field.as_str()).collect();
        assert_eq!(fields, ["comment", "credentialType", "extractors[1].modality"]);
        let many = vec![choice(Modality::Face); 4];
        let findings = Wording::new("Cards", None, many).unwrap_err();
        assert_eq!((findings[0].code, findings.len()), ("TOO_MANY_EXTRACTORS", 1));
        assert_eq!(wording(Some("QRcode"), vec![]).credential_type.as_deref(), Some("qrcode"));
    }
}
