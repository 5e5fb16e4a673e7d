//! What can be done with policy groups.

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use domain::actor::Operation;
use domain::ids::PolicyGroupId;
use domain::policy_group::{Command, Description, PolicyGroup};
use domain::text::normal;
use domain::{Finding, Reason};
use serde::Serialize;

/// A new policy group.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "CreatePolicyGroupInput")]
pub struct CreatePolicyGroup {
    /// Its name: 1 to 128 characters, unique after normalisation.
    pub name: String,
    /// What it is for: 1 to 256 characters.
    pub description: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(CreatePolicyGroup, "createPolicyGroup", new);

/// Another name or description of a policy group.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UpdatePolicyGroupInput")]
pub struct UpdatePolicyGroup {
    /// Which group.
    pub policy_group_id: PolicyGroupId,
    /// Its name: 1 to 128 characters, unique after normalisation.
    pub name: String,
    /// What it is for: 1 to 256 characters.
    pub description: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the group that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UpdatePolicyGroup, "updatePolicyGroup");

/// Closes a policy group that has no published policies or drafts.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivatePolicyGroupInput")]
pub struct DeactivatePolicyGroup {
    /// Which group.
    pub policy_group_id: PolicyGroupId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the group that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivatePolicyGroup, "deactivatePolicyGroup");

/// Opens a policy group again.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ReactivatePolicyGroupInput")]
pub struct ReactivatePolicyGroup {
    /// Which group.
    pub policy_group_id: PolicyGroupId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the group that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ReactivatePolicyGroup, "reactivatePolicyGroup");

/// The fence of the policies in a group.
pub(crate) fn policies(group: &str) -> String {
    format!("policy_group/{group}:policies")
}

impl Commands {
    /// Starts a group.
    pub async fn create_policy_group(
        &self,
        request: &Request,
        input: &CreatePolicyGroup,
    ) -> Result<Done> {
        self.create_policy_group_as(request, input, new_id().to_string()).await
    }

    /// Starts a group under an id of its own: for those that come with the system.
    pub(crate) async fn create_policy_group_as(
        &self,
        request: &Request,
        input: &CreatePolicyGroup,
        id: String,
    ) -> Result<Done> {
        let id = id.as_str();
        self.run(request, input, StreamId::of::<PolicyGroup>(id), |unit| async move {
            unit.permit(Operation::CreatePolicyGroup)?;
            let description = Description::new(&input.name, &input.description)?;
            let mut group = unit.load::<PolicyGroup>(id).await?;
            claim_name(&unit, &description, group.stream_id());
            unit.decide(&mut group, Command::Create(description))?;
            Ok(group.done())
        })
        .await
    }

    /// Gives a group another name or description.
    pub async fn update_policy_group(
        &self,
        request: &Request,
        input: &UpdatePolicyGroup,
    ) -> Result<Done> {
        let id = input.policy_group_id.as_str();
        self.run(request, input, StreamId::of::<PolicyGroup>(id), |unit| async move {
            unit.permit(Operation::UpdatePolicyGroup)?;
            let new = Description::new(&input.name, &input.description)?;
            let mut group = unit.load::<PolicyGroup>(id).await?;
            unit.expect(&group)?;
            if let Ok(old) = group.active()
                && normal(&old.name) != normal(&new.name)
            {
                unit.release(name(old), group.stream_id());
            }
            claim_name(&unit, &new, group.stream_id());
            unit.decide(&mut group, Command::Update(new))?;
            Ok(group.done())
        })
        .await
    }

    /// Closes a group.
    pub async fn deactivate_policy_group(
        &self,
        request: &Request,
        input: &DeactivatePolicyGroup,
    ) -> Result<Done> {
        let id = input.policy_group_id.as_str();
        self.run(request, input, StreamId::of::<PolicyGroup>(id), |unit| async move {
            unit.permit(Operation::DeactivatePolicyGroup)?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.fence(policies(id)).await?;
            let group = &input.policy_group_id;
            let live_policies = projections::policy::live_in_group(unit.pool(), group).await?;
            decide(&unit, id, Command::Deactivate { reason, live_policies }).await
        })
        .await
    }

    /// Opens a group again.
    pub async fn reactivate_policy_group(
        &self,
        request: &Request,
        input: &ReactivatePolicyGroup,
    ) -> Result<Done> {
        let id = input.policy_group_id.as_str();
        self.run(request, input, StreamId::of::<PolicyGroup>(id), |unit| async move {
            unit.permit(Operation::ReactivatePolicyGroup)?;
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, Command::Reactivate(reason)).await
        })
        .await
    }
}

async fn decide(unit: &Unit, id: &str, command: Command) -> Result<Decided> {
    let mut group = unit.load::<PolicyGroup>(id).await?;
    unit.expect(&group)?;
    unit.decide(&mut group, command)?;
    Ok(group.done())
}

fn name(description: &Description) -> Name {
    Name { kind: "policy_group_name", key: normal(&description.name) }
}

fn claim_name(unit: &Unit, description: &Description, holder: StreamId) {
    let taken = Finding::new("POLICY_GROUP_NAME_TAKEN", "name", "A group with this name exists.");
    unit.claim(name(description), holder, Some(taken));
}
