//! What can be done with requests for policies.

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use cqrs_es::Aggregate;
use domain::actor::Operation;
use domain::api_key;
use domain::ids::{PartnerId, PolicyId, PolicyRequestId};
use domain::oidc_client;
use domain::partner::{self, Partner};
use domain::policy::Policy;
use domain::policy_group::PolicyGroup;
use domain::policy_request::{Command, Comment, Link, PolicyRequest, Refusal};
use domain::{Finding, Reason};
use projections::api_key::Row as Key;
use projections::held::{Held, live_under_policy};
use projections::oidc_client::Row as Client;
use serde::Serialize;

/// A partner's wish to work under a policy.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RequestPolicyInput")]
pub struct RequestPolicy {
    /// Who asks.
    pub partner_id: PartnerId,
    /// For what: a published policy of the partner's group.
    pub policy_id: PolicyId,
    /// What the partner wants to do with it: 1 to 500 characters.
    pub comment: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(RequestPolicy, "requestPolicy", new);

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

/// Takes an open request back.
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

/// Ends an approved request, and the keys and clients under it.
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
    /// Asks for a policy of the partner's group. One request for a policy can be open or approved.
    pub async fn request_policy(&self, request: &Request, input: &RequestPolicy) -> Result<Done> {
        let stream = StreamId::of::<PolicyRequest>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            let not_found = partner::Refusal::PartnerNotFound;
            unit.permit_on(Operation::RequestPolicy, &partner, not_found)?;
            let comment = Comment::new("comment", &input.comment)?;
            let profile = partner.active().map_err(Vec::from)?;
            let policy = unit.load::<Policy>(input.policy_id.as_str()).await?;
            offered(&unit, &policy, profile).await?;

            let mut stream = unit.begin::<PolicyRequest>();
            let (partner_id, policy_id) = (input.partner_id.clone(), input.policy_id.clone());
            let link = Link { partner_id: partner_id.clone(), policy_id: policy_id.clone() };
            claim_link(&unit, &link, stream.stream_id());
            unit.raise(crate::partner::holds(partner_id.as_str()));
            unit.raise(crate::policy::requests(policy_id.as_str()));
            unit.decide(&mut stream, Command::Submit { partner_id, policy_id, comment })?;
            Ok(stream.done())
        })
        .await
    }

    /// Allows a request of an active partner for a policy that still binds.
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
            if let PolicyRequest::Pending(link) = &*stream {
                let partner = unit.load::<Partner>(link.partner_id.as_str()).await?;
                let profile = partner.active().map_err(Vec::from)?;
                let policy = unit.load::<Policy>(link.policy_id.as_str()).await?;
                offered(&unit, &policy, profile).await?;
            }
            unit.decide(&mut stream, Command::Approve(comment))?;
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
            if let PolicyRequest::Pending(link) = &*stream {
                let partner = unit.load::<Partner>(link.partner_id.as_str()).await?;
                partner.active().map_err(Vec::from)?;
            }
            end(&unit, &mut stream, Command::Reject(reason))
        })
        .await
    }

    /// Takes an open request back.
    pub async fn withdraw_policy_request(
        &self,
        request: &Request,
        input: &WithdrawPolicyRequest,
    ) -> Result<Done> {
        let id = input.policy_request_id.as_str();
        self.run(request, input, StreamId::of::<PolicyRequest>(id), |unit| async move {
            let mut stream = unit.load::<PolicyRequest>(id).await?;
            let partner = owner(&unit, &stream).await?;
            let not_found = Refusal::RequestNotFound;
            unit.permit_on(Operation::WithdrawPolicyRequest, &partner, not_found)?;
            unit.expect(&stream)?;
            let reason = optional(input.reason.as_deref(), |it| Reason::new("reason", it))?;
            end(&unit, &mut stream, Command::Withdraw(reason))
        })
        .await
    }

    /// Ends an approved request, and every key and client of the partner under its policy.
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

/// Whether the policy is one that this partner can have: published, in the partner's group, and
/// the group open.
async fn offered(unit: &Unit, policy: &Stream<Policy>, profile: &partner::Profile) -> Result<()> {
    let body = policy.published().map_err(Vec::from)?;
    if profile.policy_group_id.as_ref() != Some(&body.policy_group_id) {
        let message = "The policy is not in the partner's policy group.";
        return Err(crate::Error::refused("POLICY_NOT_IN_GROUP", "policyId", message));
    }
    let group = unit.load::<PolicyGroup>(body.policy_group_id.as_str()).await?;
    group.active().map_err(Vec::from)?;
    Ok(())
}

/// Ends a request, so that another one may follow.
fn end(unit: &Unit, stream: &mut Stream<PolicyRequest>, command: Command) -> Result<Decided> {
    unit.decide(stream, command)?;
    release_link(unit, stream);
    Ok(stream.done())
}

fn link_name(link: &Link) -> Name {
    let key = format!("{}/{}", link.partner_id.as_str(), link.policy_id.as_str());
    Name { kind: "policy_request", key }
}

fn claim_link(unit: &Unit, link: &Link, holder: StreamId) {
    let message = "The partner has an open or approved request for this policy already.";
    let taken = Finding::new("POLICY_ALREADY_REQUESTED", "policyId", message);
    unit.claim(link_name(link), holder, Some(taken));
}

/// Once a request has ended, the partner may ask again.
pub(crate) fn release_link(unit: &Unit, stream: &Stream<PolicyRequest>) {
    if stream.has_ended()
        && let Some(link) = stream.link()
    {
        unit.release(link_name(link), stream.stream_id());
    }
}

/// The partner that a request belongs to; a missing one for a missing request.
async fn owner(unit: &Unit, stream: &Stream<PolicyRequest>) -> Result<Stream<Partner>> {
    let partner = stream.link().map_or("", |link| link.partner_id.as_str());
    unit.load::<Partner>(partner).await
}

/// Keys and clients live no longer than the approval they were made under.
async fn end_what_it_allowed(
    unit: &Unit,
    stream: &Stream<PolicyRequest>,
    reason: Reason,
) -> Result<()> {
    let Some(link) = stream.link() else { return Ok(()) };
    unit.fence(crate::partner::holds(link.partner_id.as_str())).await?;
    unit.because_of(stream);
    each::<Key>(unit, link, api_key::Command::Deactivate(reason.clone())).await?;
    each::<Client>(unit, link, oidc_client::Command::Deactivate(reason)).await
}

/// Decides about everything of one kind that the partner holds under the policy and that has not
/// ended.
async fn each<R>(unit: &Unit, link: &Link, command: <R::Noun as Aggregate>::Command) -> Result<()>
where
    R: Held,
    <R::Noun as Aggregate>::Command: Clone,
    Vec<Finding>: From<<R::Noun as Aggregate>::Error>,
{
    let held = live_under_policy::<R>(unit.pool(), &link.partner_id, &link.policy_id).await?;
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
