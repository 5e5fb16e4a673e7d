//! Policy groups in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::policy_group::{
    CreatePolicyGroup, DeactivatePolicyGroup, ReactivatePolicyGroup, UpdatePolicyGroup,
};
use domain::actor::Operation;
use domain::ids::PolicyGroupId;
use projections::page::{Order, PageRequest};
use projections::policy_group::{PolicyGroupFilter, PolicyGroupSort, Row};

/// A family of policies, such as "Banking".
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct PolicyGroup {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for PolicyGroup {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl PolicyGroup {
    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = None;
        allowed_actions::<domain::policy_group::PolicyGroup>(ctx, self.row.id.as_str(), member)
            .await
    }
}

/// A policy group after a change.
#[derive(SimpleObject)]
pub struct PolicyGroupPayload {
    /// What was changed.
    policy_group: PolicyGroup,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<PolicyGroupPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(PolicyGroupPayload { policy_group: PolicyGroup { row }, position })
}

/// Questions about policy groups.
#[derive(Default)]
pub struct PolicyGroupQuery;

#[Object]
impl PolicyGroupQuery {
    /// A family of policies, such as "Banking", now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn policy_group(
        &self,
        ctx: &Context<'_>,
        id: PolicyGroupId,
        as_of: Option<AsOf>,
    ) -> Result<Option<PolicyGroup>> {
        caller(ctx).viewer(ctx, Operation::ReadPolicyGroup)?;
        let row = one::<Row>(ctx, id.as_str(), as_of).await?;
        Ok(row.map(PolicyGroup::from))
    }

    /// Policy groups, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn policy_groups(
        &self,
        ctx: &Context<'_>,
        filter: Option<PolicyGroupFilter>,
        order_by: Option<Order<PolicyGroupSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, PolicyGroup>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicyGroup)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of policy groups.
#[derive(Default)]
pub struct PolicyGroupMutation;

#[Object]
impl PolicyGroupMutation {
    /// Starts a policy group.
    /// Refused with `POLICY_GROUP_NAME_TAKEN`.
    async fn create_policy_group(
        &self,
        ctx: &Context<'_>,
        input: CreatePolicyGroup,
    ) -> Result<PolicyGroupPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.create_policy_group(&caller.request, &input).await).await
    }

    /// Gives a policy group another name or description.
    /// Refused with `POLICY_GROUP_NAME_TAKEN` and `POLICY_GROUP_INACTIVE`.
    async fn update_policy_group(
        &self,
        ctx: &Context<'_>,
        input: UpdatePolicyGroup,
    ) -> Result<PolicyGroupPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.update_policy_group(&caller.request, &input).await).await
    }

    /// Closes a policy group that has no published policies or drafts.
    /// Refused with `POLICY_GROUP_HAS_POLICIES` for any other.
    async fn deactivate_policy_group(
        &self,
        ctx: &Context<'_>,
        input: DeactivatePolicyGroup,
    ) -> Result<PolicyGroupPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_policy_group(&caller.request, &input).await).await
    }

    /// Opens a policy group again.
    async fn reactivate_policy_group(
        &self,
        ctx: &Context<'_>,
        input: ReactivatePolicyGroup,
    ) -> Result<PolicyGroupPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reactivate_policy_group(&caller.request, &input).await).await
    }
}
