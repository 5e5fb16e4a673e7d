//! What can be done with policies.

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use domain::actor::Operation;
use domain::ids::{PolicyGroupId, PolicyId};
use domain::policy::{Body, Command, Content, Policy, Refusal};
use domain::policy_document::PolicyType;
use domain::policy_group::PolicyGroup;
use domain::proposal::ProposedAction;
use domain::text::normal;
use domain::{Finding, Reason};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A new draft.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "CreatePolicyInput")]
pub struct CreatePolicy {
    /// The group it belongs to; never changes.
    pub policy_group_id: PolicyGroupId,
    /// The kind of document; never changes.
    pub policy_type: PolicyType,
    /// Its name: 1 to 128 characters, unique in its group after normalisation.
    pub name: String,
    /// What it is for: 1 to 256 characters.
    pub description: String,
    /// The author's own numbering: 1 to 8 characters.
    pub version: String,
    /// The document, as the schema of its type demands; at most 32 KiB.
    pub policies: Value,
    /// The policy whose place it takes, and whose name it may keep: published or deactivated, of
    /// the same group and type, and without another successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<PolicyId>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(CreatePolicy, "createPolicy", new);

/// A new draft with the content of another policy.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ClonePolicyInput")]
pub struct ClonePolicy {
    /// The policy to copy: a draft, published or deactivated.
    pub policy_id: PolicyId,
    /// The group of the new draft; never changes.
    pub policy_group_id: PolicyGroupId,
    /// Its name, where it is to have another: 1 to 128 characters, unique in its group after
    /// normalisation.
    pub name: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(ClonePolicy, "clonePolicy", new);

/// A draft, written anew.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UpdateDraftPolicyInput")]
pub struct UpdateDraftPolicy {
    /// Which policy.
    pub policy_id: PolicyId,
    /// Its name: 1 to 128 characters, unique in its group after normalisation.
    pub name: String,
    /// What it is for: 1 to 256 characters.
    pub description: String,
    /// The author's own numbering: 1 to 8 characters.
    pub version: String,
    /// The document, as the schema of its type demands; at most 32 KiB.
    pub policies: Value,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the policy's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UpdateDraftPolicy, "updateDraftPolicy");

/// Makes a draft binding: it never changes afterwards.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "PublishPolicyInput")]
pub struct PublishPolicy {
    /// Which policy.
    pub policy_id: PolicyId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the policy's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(PublishPolicy, "publishPolicy");

/// Ends a published policy that no partner uses or has asked for.
#[derive(Debug, Clone, Serialize, Deserialize, InputObject)]
#[graphql(name = "DeactivatePolicyInput")]
pub struct DeactivatePolicy {
    /// Which policy.
    pub policy_id: PolicyId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the policy's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivatePolicy, "deactivatePolicy");

/// Throws a draft away.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DiscardDraftPolicyInput")]
pub struct DiscardDraftPolicy {
    /// Which policy.
    pub policy_id: PolicyId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the policy's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DiscardDraftPolicy, "discardDraftPolicy");

/// The fence of the requests for a policy.
pub(crate) fn requests(policy: &str) -> String {
    format!("policy/{policy}:requests")
}

impl Commands {
    /// Starts a draft.
    pub async fn create_policy(&self, request: &Request, input: &CreatePolicy) -> Result<Done> {
        self.create_policy_as(request, input, new_id().to_string()).await
    }

    /// Starts a draft under an id of its own: for those that come with the system.
    pub(crate) async fn create_policy_as(
        &self,
        request: &Request,
        input: &CreatePolicy,
        id: String,
    ) -> Result<Done> {
        let id = id.as_str();
        self.run(request, input, StreamId::of::<Policy>(id), |unit| async move {
            unit.permit(Operation::CreatePolicy)?;
            let document = input.policies.clone();
            let (name, description) = (&input.name, &input.description);
            let content =
                Content::new(input.policy_type, name, description, &input.version, document)?;
            open_group(&unit, &input.policy_group_id).await?;
            let mut policy = unit.load::<Policy>(id).await?;
            let predecessor = supersede(&unit, input, policy.stream_id()).await?;
            let supersedes = input.supersedes.clone();
            let (policy_group_id, policy_type) = (input.policy_group_id.clone(), input.policy_type);
            claim_name(&unit, &policy_group_id, &content, predecessor, policy.stream_id());
            unit.raise(crate::policy_group::policies(policy_group_id.as_str()));
            let cloned_from = None;
            let create =
                Command::Create { policy_group_id, policy_type, content, supersedes, cloned_from };
            unit.decide(&mut policy, create)?;
            Ok(policy.done())
        })
        .await
    }

    /// Starts a draft with the content of another policy.
    pub async fn clone_policy(&self, request: &Request, input: &ClonePolicy) -> Result<Done> {
        let stream = StreamId::of::<Policy>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            unit.permit(Operation::ClonePolicy)?;
            let original = unit.load::<Policy>(input.policy_id.as_str()).await?;
            let Body { policy_type, content, .. } = original.written().map_err(Vec::from)?.clone();
            let name = input.name.as_ref().unwrap_or(&content.name);
            let content = Content::new(
                policy_type,
                name,
                &content.description,
                &content.version,
                content.policies,
            )?;
            open_group(&unit, &input.policy_group_id).await?;
            let mut policy = unit.begin::<Policy>();
            let policy_group_id = input.policy_group_id.clone();
            claim_name(&unit, &policy_group_id, &content, None, policy.stream_id());
            unit.raise(crate::policy_group::policies(policy_group_id.as_str()));
            let (supersedes, cloned_from) = (None, Some(input.policy_id.clone()));
            let create =
                Command::Create { policy_group_id, policy_type, content, supersedes, cloned_from };
            unit.decide(&mut policy, create)?;
            Ok(policy.done())
        })
        .await
    }

    /// Writes a draft anew.
    pub async fn update_draft_policy(
        &self,
        request: &Request,
        input: &UpdateDraftPolicy,
    ) -> Result<Done> {
        let id = input.policy_id.as_str();
        self.run(request, input, StreamId::of::<Policy>(id), |unit| async move {
            unit.permit(Operation::UpdateDraftPolicy)?;
            let mut policy = unit.load::<Policy>(id).await?;
            unit.expect(&policy)?;
            let old = policy.body().ok_or(Vec::from(Refusal::PolicyNotFound))?.clone();
            let document = input.policies.clone();
            let (name, description) = (&input.name, &input.description);
            let new = Content::new(old.policy_type, name, description, &input.version, document)?;
            open_group(&unit, &old.policy_group_id).await?;
            rename(&unit, &old, &new, policy.stream_id()).await?;
            unit.decide(&mut policy, Command::UpdateDraft(new))?;
            Ok(policy.done())
        })
        .await
    }

    /// Makes a draft binding.
    pub async fn publish_policy(&self, request: &Request, input: &PublishPolicy) -> Result<Done> {
        let id = input.policy_id.as_str();
        self.run(request, input, StreamId::of::<Policy>(id), |unit| async move {
            unit.permit(Operation::PublishPolicy)?;
            let mut policy = unit.load::<Policy>(id).await?;
            unit.expect(&policy)?;
            if let Policy::Draft(body) = &*policy {
                open_group(&unit, &body.policy_group_id).await?;
            }
            unit.decide(&mut policy, Command::Publish)?;
            Ok(policy.done())
        })
        .await
    }

    /// Ends a published policy.
    pub async fn deactivate_policy(
        &self,
        request: &Request,
        input: &DeactivatePolicy,
    ) -> Result<Done> {
        let id = input.policy_id.as_str();
        self.run(request, input, StreamId::of::<Policy>(id), |unit| async move {
            let decided = deactivate(&unit, input).await?;
            unit.or_propose(decided, ProposedAction::DeactivatePolicy, id.to_owned(), input)
        })
        .await
    }

    /// Throws a draft away; its name is free again.
    pub async fn discard_draft_policy(
        &self,
        request: &Request,
        input: &DiscardDraftPolicy,
    ) -> Result<Done> {
        let id = input.policy_id.as_str();
        self.run(request, input, StreamId::of::<Policy>(id), |unit| async move {
            unit.permit(Operation::DiscardDraftPolicy)?;
            let reason = Reason::new("reason", &input.reason)?;
            let mut policy = unit.load::<Policy>(id).await?;
            unit.expect(&policy)?;
            if unit.decide(&mut policy, Command::Discard(reason))?
                && let Some(body) = policy.body()
            {
                let name = name(&body.policy_group_id, &body.content);
                unit.release(name, policy.stream_id());
                if let Some(predecessor) = &body.supersedes {
                    unit.release(successor_of(predecessor), policy.stream_id());
                }
            }
            Ok(policy.done())
        })
        .await
    }
}

/// Ends a published policy that nobody uses.
pub(crate) async fn deactivate(unit: &Unit, input: &DeactivatePolicy) -> Result<Decided> {
    unit.permit(Operation::DeactivatePolicy)?;
    let reason = Reason::new("reason", &input.reason)?;
    let id = &input.policy_id;
    unit.fence(requests(id.as_str())).await?;
    let live_requests = projections::policy_request::live_for_policy(unit.pool(), id).await?;
    let mut policy = unit.load::<Policy>(id.as_str()).await?;
    unit.expect(&policy)?;
    unit.decide(&mut policy, Command::Deactivate { reason, live_requests })?;
    Ok(policy.done())
}

/// Nothing is written in a closed group.
async fn open_group(unit: &Unit, id: &PolicyGroupId) -> Result<()> {
    let group = unit.load::<PolicyGroup>(id.as_str()).await?;
    group.active().map_err(Vec::from)?;
    Ok(())
}

fn name(group: &PolicyGroupId, content: &Content) -> Name {
    Name { kind: "policy_name", key: format!("{}/{}", group.as_str(), normal(&content.name)) }
}

/// Claims the name, unless the predecessor holds it: a name belongs to the whole line, and what was
/// binding never gives its name back.
fn claim_name(
    unit: &Unit,
    group: &PolicyGroupId,
    content: &Content,
    predecessor: Option<Body>,
    holder: StreamId,
) {
    let kept = predecessor.is_some_and(|it| normal(&it.content.name) == normal(&content.name));
    if !kept {
        let message = "Another policy of the group has this name.";
        let taken = Finding::new("POLICY_NAME_TAKEN", "name", message);
        unit.claim(name(group, content), holder, Some(taken));
    }
}

async fn rename(unit: &Unit, old: &Body, new: &Content, holder: StreamId) -> Result<()> {
    let group = &old.policy_group_id;
    if normal(&old.content.name) != normal(&new.name) {
        unit.release(name(group, &old.content), holder.clone());
    }
    let predecessor = match &old.supersedes {
        Some(id) => unit.load::<Policy>(id.as_str()).await?.body().cloned(),
        None => None,
    };
    claim_name(unit, group, new, predecessor, holder);
    Ok(())
}

/// Takes the place of the predecessor, if one is named: a policy has one successor, until that one
/// is discarded.
async fn supersede(unit: &Unit, input: &CreatePolicy, holder: StreamId) -> Result<Option<Body>> {
    let Some(id) = &input.supersedes else { return Ok(None) };
    let predecessor = unit.load::<Policy>(id.as_str()).await?;
    let body = predecessor.can_be_superseded(&input.policy_group_id, input.policy_type)?;
    let message = "This policy has a successor already: succeed that one.";
    let taken = Finding::new("POLICY_SUPERSEDED_ALREADY", "supersedes", message);
    unit.claim(successor_of(id), holder, Some(taken));
    Ok(Some(body.clone()))
}

fn successor_of(predecessor: &PolicyId) -> Name {
    Name { kind: "policy_successor", key: predecessor.as_str().to_owned() }
}
