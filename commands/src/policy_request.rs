//! What can be done with requests for policies.

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use cqrs_es::Aggregate;
use domain::actor::Operation;
use domain::extractor::Extractor;
use domain::ids::{ExtractorId, PartnerId, PolicyId, PolicyRequestId};
use domain::issued;
use domain::oidc_client;
use domain::partner::{self, Partner};
use domain::policy::{self, Policy};
use domain::policy_document::shares_biometrics;
use domain::policy_group::PolicyGroup;
use domain::policy_request::{
    Asked, Command, Comment, Demands, ExtractorChoice, PolicyRequest, Refusal, Wording,
};
use domain::reference::Modality;
use domain::{Finding, Reason};
use projections::api_key::Row as Key;
use projections::held::{Held, live_under_policy};
use projections::misp_license::Row as License;
use projections::oidc_client::Row as Client;
use serde::Serialize;

/// A partner's wish to work under a policy.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RequestPolicyInput")]
pub struct RequestPolicy {
    /// Which partner asks.
    pub partner_id: PartnerId,
    /// For what: a published policy of the partner's group.
    pub policy_id: PolicyId,
    /// What the partner wants to do with it: 1 to 500 characters.
    pub comment: String,
    /// The type of credential that the partner will receive under the policy; whether one is needed
    /// depends on the type of the partner, which has one request per type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<String>,
    /// What makes the biometric templates that are shared under it, one extractor per modality;
    /// needed like the credential type, where the policy shares biometrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extractors: Option<Vec<ChosenExtractor>>,
    /// Whether it is only a draft, which may be incomplete and is seen by its partner only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_draft: Option<bool>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(RequestPolicy, "requestPolicy", new);

/// The extractor of one modality.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ChosenExtractorInput")]
pub struct ChosenExtractor {
    /// What it makes templates of.
    pub modality: Modality,
    /// Which extractor.
    pub extractor_id: ExtractorId,
}

/// A draft of a request, written anew.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UpdateDraftPolicyRequestInput")]
pub struct UpdateDraftPolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// What the partner wants to do with the policy: 1 to 500 characters.
    pub comment: String,
    /// The type of credential that the partner will receive under the policy.
    pub credential_type: Option<String>,
    /// What makes the biometric templates that are shared under it, one extractor per modality.
    pub extractors: Option<Vec<ChosenExtractor>>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UpdateDraftPolicyRequest, "updateDraftPolicyRequest");

/// Asks what a draft says.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SubmitPolicyRequestInput")]
pub struct SubmitPolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SubmitPolicyRequest, "submitPolicyRequest");

/// Allows a request.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ApprovePolicyRequestInput")]
pub struct ApprovePolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// A word to the partner: 1 to 500 characters.
    pub comment: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ApprovePolicyRequest, "approvePolicyRequest");

/// Refuses a request.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RejectPolicyRequestInput")]
pub struct RejectPolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RejectPolicyRequest, "rejectPolicyRequest");

/// Takes a draft or an open request back.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "WithdrawPolicyRequestInput")]
pub struct WithdrawPolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// Why: 1 to 500 characters.
    pub reason: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(WithdrawPolicyRequest, "withdrawPolicyRequest");

/// Ends an approved request, and the keys, licences and clients under it.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RevokePolicyRequestInput")]
pub struct RevokePolicyRequest {
    /// Which request.
    pub policy_request_id: PolicyRequestId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the request that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RevokePolicyRequest, "revokePolicyRequest");

impl Commands {
    /// Asks for a policy of the partner's group, or begins to. One request for a policy, and one
    /// that names a credential type, can be a draft, open or approved.
    pub async fn request_policy(&self, request: &Request, input: &RequestPolicy) -> Result<Done> {
        let stream = StreamId::of::<PolicyRequest>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let as_draft = input.as_draft.unwrap_or(false);
            let operation = if as_draft {
                Operation::UpdateDraftPolicyRequest
            } else {
                Operation::RequestPolicy
            };
            let partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            unit.permit_on(operation, &partner, partner::Refusal::PartnerNotFound)?;
            let wording = wording(
                &input.comment,
                input.credential_type.as_deref(),
                input.extractors.as_ref(),
            )?;
            let (partner_id, policy_id) = (input.partner_id.clone(), input.policy_id.clone());
            let asked = Asked { partner_id, policy_id, wording };
            let demands = demands(&unit, &partner, &asked).await?;

            let mut stream = unit.begin::<PolicyRequest>();
            hold(&unit, &asked, &stream.stream_id());
            let command = if as_draft {
                Command::Draft(asked, demands)
            } else {
                Command::Submit(asked, demands)
            };
            unit.decide(&mut stream, command)?;
            Ok(stream.done())
        })
        .await
    }

    /// Writes a draft anew.
    pub async fn update_draft_policy_request(
        &self,
        request: &Request,
        input: &UpdateDraftPolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            let operation = Operation::UpdateDraftPolicyRequest;
            let (mut stream, partner) = own(&unit, operation, id).await?;
            let new = wording(
                &input.comment,
                input.credential_type.as_deref(),
                input.extractors.as_ref(),
            )?;
            let mut needed = Demands::default();
            if let PolicyRequest::Draft(old) = &*stream {
                let asked = Asked { wording: new.clone(), ..old.clone() };
                needed = demands(&unit, &partner, &asked).await?;
                if old.wording.credential_type != new.credential_type {
                    release_credential_type(&unit, old, &stream.stream_id());
                }
                hold(&unit, &asked, &stream.stream_id());
            }
            unit.decide(&mut stream, Command::UpdateDraft(new, needed))?;
            Ok(stream.done())
        })
        .await
    }

    /// Asks what a draft says; it has to be complete.
    pub async fn submit_policy_request(
        &self,
        request: &Request,
        input: &SubmitPolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            let operation = Operation::SubmitPolicyRequest;
            let (mut stream, partner) = own(&unit, operation, id).await?;
            let mut needed = Demands::default();
            if let PolicyRequest::Draft(asked) = &*stream {
                needed = demands(&unit, &partner, asked).await?;
                unit.raise(crate::policy::requests(asked.policy_id.as_str()));
            }
            unit.decide(&mut stream, Command::SubmitDraft(needed))?;
            Ok(stream.done())
        })
        .await
    }

    /// Allows a complete request of an active partner for a policy that still binds.
    pub async fn approve_policy_request(
        &self,
        request: &Request,
        input: &ApprovePolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            unit.permit(Operation::ApprovePolicyRequest)?;
            let comment = optional(input.comment.as_deref(), |it| Comment::new("comment", it))?;
            let mut stream = unit.load::<PolicyRequest>(id).await?;
            unit.expect(&stream)?;
            let mut needed = Demands::default();
            if let PolicyRequest::Pending(asked) = &*stream {
                let partner = owner(&unit, &stream).await?;
                needed = demands(&unit, &partner, asked).await?;
            }
            unit.decide(&mut stream, Command::Approve(comment, needed))?;
            Ok(stream.done())
        })
        .await
    }

    /// Refuses a request. That the policy has ended meanwhile does not matter; that the partner is
    /// suspended does: its requests wait.
    pub async fn reject_policy_request(
        &self,
        request: &Request,
        input: &RejectPolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            unit.permit(Operation::RejectPolicyRequest)?;
            let reason = Reason::new("reason", &input.reason)?;
            let mut stream = unit.load::<PolicyRequest>(id).await?;
            unit.expect(&stream)?;
            if let PolicyRequest::Pending(_) = &*stream {
                owner(&unit, &stream).await?.active().map_err(Vec::from)?;
            }
            end(&unit, &mut stream, Command::Reject(reason))
        })
        .await
    }

    /// Takes a draft or an open request back. Who may not read drafts is told that there is none.
    pub async fn withdraw_policy_request(
        &self,
        request: &Request,
        input: &WithdrawPolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            let (mut stream, partner) = own(&unit, Operation::WithdrawPolicyRequest, id).await?;
            if let PolicyRequest::Draft(_) = &*stream {
                let not_found = || Vec::from(Refusal::RequestNotFound);
                unit.permit_on(Operation::ReadDraftPolicyRequest, &partner, not_found())
                    .map_err(|_| not_found())?;
            }
            let reason = optional(input.reason.as_deref(), |it| Reason::new("reason", it))?;
            end(&unit, &mut stream, Command::Withdraw(reason))
        })
        .await
    }

    /// Ends an approved request, and every key, licence and client of the partner under its policy.
    pub async fn revoke_policy_request(
        &self,
        request: &Request,
        input: &RevokePolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            unit.permit(Operation::RevokePolicyRequest)?;
            let reason = Reason::new("reason", &input.reason)?;
            let mut stream = unit.load::<PolicyRequest>(id).await?;
            unit.expect(&stream)?;
            let was_approved = matches!(*stream, PolicyRequest::Approved(_));
            let decided = end(&unit, &mut stream, Command::Revoke(reason.clone()))?;
            if was_approved {
                end_what_it_allowed(&unit, &stream, reason).await?;
            }
            Ok(decided)
        })
        .await
    }
}

fn optional<T>(
    text: Option<&str>,
    check: impl Fn(&str) -> Result<T, Vec<Finding>>,
) -> Result<Option<T>> {
    Ok(text.map(check).transpose()?)
}

fn wording(
    comment: &str,
    credential_type: Option<&str>,
    extractors: Option<&Vec<ChosenExtractor>>,
) -> Result<Wording> {
    let choice = |chosen: &ChosenExtractor| ExtractorChoice {
        modality: chosen.modality,
        extractor_id: chosen.extractor_id.clone(),
    };
    let extractors = extractors.into_iter().flatten().map(choice).collect();
    Ok(Wording::new(comment, credential_type, extractors)?)
}

/// What is demanded of a request, which is one of an active partner for a policy offered to it.
async fn demands(unit: &Unit, partner: &Stream<Partner>, asked: &Asked) -> Result<Demands> {
    let profile = partner.active().map_err(Vec::from)?;
    let policy = unit.load::<Policy>(asked.policy_id.as_str()).await?;
    let body = offered(unit, &policy, profile).await?;
    let mut unusable = Vec::new();
    for (at, choice) in asked.wording.extractors.iter().enumerate() {
        let extractor = unit.load::<Extractor>(choice.extractor_id.as_str()).await?;
        unusable.extend(choice.unusable(&extractor, &format!("extractors[{at}]")));
    }
    let credential = profile.partner_type.terms().credential;
    let biometrics = shares_biometrics(&body.content.policies);
    Ok(Demands { credential, biometrics, unusable })
}

/// The body of a policy that this partner can have: published, in the partner's group, and the
/// group open.
async fn offered<'a>(
    unit: &Unit,
    policy: &'a Stream<Policy>,
    profile: &partner::Profile,
) -> Result<&'a policy::Body> {
    let body = policy.published().map_err(Vec::from)?;
    if profile.policy_group_id.as_ref() != Some(&body.policy_group_id) {
        let message = "The policy is not in the partner's policy group.";
        return Err(crate::Error::refused("POLICY_NOT_IN_GROUP", "policyId", message));
    }
    let group = unit.load::<PolicyGroup>(body.policy_group_id.as_str()).await?;
    group.active().map_err(Vec::from)?;
    Ok(body)
}

/// What a request holds from its beginning to its end: its place among the requests of the partner
/// and for the policy, the credential type, the extractors.
fn hold(unit: &Unit, asked: &Asked, holder: &StreamId) {
    let message =
        "The partner has a draft, an open or an approved request for this policy already.";
    let taken = Finding::new("POLICY_ALREADY_REQUESTED", "policyId", message);
    unit.claim(link_name(asked), holder.clone(), Some(taken));
    if let Some(name) = credential_type_name(asked) {
        let message = "Another request of the partner names this credential type.";
        let taken = Finding::new("CREDENTIAL_TYPE_TAKEN", "credentialType", message);
        unit.claim(name, holder.clone(), Some(taken));
    }
    unit.raise(crate::partner::holds(asked.partner_id.as_str()));
    unit.raise(crate::policy::requests(asked.policy_id.as_str()));
    for choice in &asked.wording.extractors {
        unit.raise(crate::extractor::uses(choice.extractor_id.as_str()));
    }
}

/// Ends a request, so that another one may follow.
fn end(unit: &Unit, stream: &mut Stream<PolicyRequest>, command: Command) -> Result<Decided> {
    unit.decide(stream, command)?;
    release_names(unit, stream);
    Ok(stream.done())
}

fn link_name(asked: &Asked) -> Name {
    let key = format!("{}/{}", asked.partner_id.as_str(), asked.policy_id.as_str());
    Name { kind: "policy_request", key }
}

fn credential_type_name(asked: &Asked) -> Option<Name> {
    let credential_type = asked.wording.credential_type.as_ref()?;
    let key = format!("{}/{credential_type}", asked.partner_id.as_str());
    Some(Name { kind: "credential_type", key })
}

/// Once a request has ended, the partner may ask again.
pub(crate) fn release_names(unit: &Unit, stream: &Stream<PolicyRequest>) {
    if stream.has_ended()
        && let Some(asked) = stream.asked()
    {
        unit.release(link_name(asked), stream.stream_id());
        release_credential_type(unit, asked, &stream.stream_id());
    }
}

fn release_credential_type(unit: &Unit, asked: &Asked, holder: &StreamId) {
    if let Some(name) = credential_type_name(asked) {
        unit.release(name, holder.clone());
    }
}

/// A request and its partner, for whom the operation is allowed.
async fn own(
    unit: &Unit,
    operation: Operation,
    id: &str,
) -> Result<(Stream<PolicyRequest>, Stream<Partner>)> {
    let stream = unit.load::<PolicyRequest>(id).await?;
    let partner = owner(unit, &stream).await?;
    unit.permit_on(operation, &partner, Refusal::RequestNotFound)?;
    unit.expect(&stream)?;
    Ok((stream, partner))
}

/// The partner that a request belongs to; a missing one for a missing request.
async fn owner(unit: &Unit, stream: &Stream<PolicyRequest>) -> Result<Stream<Partner>> {
    let partner = stream.asked().map_or("", |asked| asked.partner_id.as_str());
    unit.load::<Partner>(partner).await
}

/// Keys, licences and clients live no longer than the approval they were made under.
async fn end_what_it_allowed(
    unit: &Unit,
    stream: &Stream<PolicyRequest>,
    reason: Reason,
) -> Result<()> {
    let Some(asked) = stream.asked() else { return Ok(()) };
    unit.fence(crate::partner::holds(asked.partner_id.as_str())).await?;
    unit.because_of(stream);
    each::<Key>(unit, asked, issued::Command::Deactivate(reason.clone())).await?;
    each::<License>(unit, asked, issued::Command::Deactivate(reason.clone())).await?;
    each::<Client>(unit, asked, oidc_client::Command::Deactivate(reason)).await
}

/// Decides about everything of one kind that the partner holds under the policy and that has not
/// ended.
async fn each<R>(unit: &Unit, asked: &Asked, command: <R::Noun as Aggregate>::Command) -> Result<()>
where
    R: Held,
    <R::Noun as Aggregate>::Command: Clone,
    Vec<Finding>: From<<R::Noun as Aggregate>::Error>,
{
    let held = live_under_policy::<R>(unit.pool(), &asked.partner_id, &asked.policy_id).await?;
    for mut stream in unit.load_many::<R::Noun>(&held).await? {
        unit.decide(&mut stream, command.clone())?;
    }
    Ok(())
}

impl Unit {
    /// The approved request of a partner for a policy, read so that its revocation is noticed.
    pub(crate) async fn approved_request(
        &self,
        partner: &PartnerId,
        policy: &PolicyId,
    ) -> Result<Option<Stream<PolicyRequest>>> {
        let id = projections::policy_request::approved(self.pool(), partner, policy).await?;
        let Some(id) = id else { return Ok(None) };
        let stream = self.load::<PolicyRequest>(&id).await?;
        Ok(matches!(*stream, PolicyRequest::Approved(_)).then_some(stream))
    }
}
