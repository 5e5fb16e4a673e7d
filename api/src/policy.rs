//! Policies in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::{Caller, caller};
use crate::errors::{Result, answer};
use crate::list::{List, connection};
use crate::loader::{Thing, load};
use crate::policy_group::PolicyGroup;
use crate::proposal::{Proposal, waiting};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::policy::{
    ClonePolicy, CreatePolicy, DeactivatePolicy, DiscardDraftPolicy, PublishPolicy,
    UpdateDraftPolicy,
};
use commands::{Commands, Done, Error};
use domain::actor::Operation;
use domain::ids::PolicyId;
use domain::policy::Refusal;
use domain::policy_diff::{Change, diff};
use projections::page::{Order, PageRequest};
use projections::policy::{PolicyFilter, PolicySort, PolicyStatus, Row, successors};
use projections::policy_group;
use std::collections::HashMap;

/// What partners may ask of the ID system.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Policy {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Policy {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Policy {
    /// The group it belongs to.
    async fn policy_group(&self, ctx: &Context<'_>) -> Result<Option<PolicyGroup>> {
        let id = self.row.policy_group_id.as_str();
        Ok(load::<policy_group::Row>(ctx, id).await?.map(Into::into))
    }

    /// The policy that it takes the place of.
    async fn supersedes(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        readable_policy(ctx, self.row.supersedes.as_ref()).await
    }

    /// The policy that takes its place, as soon as the caller may read it.
    async fn superseded_by(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        let successor = load::<Successor>(ctx, self.row.id.as_str()).await?;
        Ok(successor.map(|it| it.0).filter(|row| readable(ctx, row)).map(Into::into))
    }

    /// The policy whose content it began with, where the caller may read it.
    async fn cloned_from(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        readable_policy(ctx, self.row.cloned_from.as_ref()).await
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = None;
        allowed_actions::<domain::policy::Policy>(ctx, self.row.id.as_str(), member).await
    }
}

/// The policy that takes the place of another one, found by that one's id.
#[derive(Debug, Clone)]
struct Successor(Row);

impl Thing for Successor {
    async fn find(commands: &Commands, ids: &[String]) -> commands::Result<HashMap<String, Self>> {
        let rows = successors(commands.store().pool(), ids).await?.into_iter();
        let found =
            rows.filter_map(|row| Some((row.supersedes.as_ref()?.as_str().to_owned(), Self(row))));
        Ok(found.collect())
    }
}

async fn readable_policy(ctx: &Context<'_>, id: Option<&PolicyId>) -> Result<Option<Policy>> {
    let Some(id) = id else { return Ok(None) };
    let row = load::<Row>(ctx, id.as_str()).await?;
    Ok(row.filter(|row| readable(ctx, row)).map(Into::into))
}

/// A policy after a change.
#[derive(SimpleObject)]
pub struct PolicyPayload {
    /// What was changed.
    policy: Policy,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<PolicyPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(PolicyPayload { policy: Policy { row }, position })
}

/// Drafts are for those who write them.
pub fn readable(ctx: &Context<'_>, row: &Row) -> bool {
    let public = matches!(row.status, PolicyStatus::Published | PolicyStatus::Deactivated);
    public || !without_drafts(caller(ctx))
}

/// Whether drafts are kept from the caller.
pub fn without_drafts(caller: &Caller) -> bool {
    !caller.request.actor.may_on_any(Operation::ReadDraftPolicy)
}

/// A policy after its end was wished.
#[derive(SimpleObject)]
pub struct DeactivatePolicyPayload {
    /// As it stands now: unchanged while a proposal waits.
    policy: Policy,
    /// What waits for a second person, where the installation wants one.
    proposal: Option<Proposal>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// Questions about policies.
#[derive(Default)]
pub struct PolicyQuery;

#[Object]
impl PolicyQuery {
    /// What partners may ask of the ID system, now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn policy(
        &self,
        ctx: &Context<'_>,
        id: PolicyId,
        as_of: Option<AsOf>,
    ) -> Result<Option<Policy>> {
        caller(ctx).viewer(ctx, Operation::ReadPolicy)?;
        let row = one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| readable(ctx, row));
        Ok(row.map(Policy::from))
    }

    /// Policies, newest first unless ordered otherwise; drafts only for those who may read them.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn policies(
        &self,
        ctx: &Context<'_>,
        filter: Option<PolicyFilter>,
        order_by: Option<Order<PolicySort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Policy>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicy)?;
        let without_drafts = without_drafts(caller(ctx));
        let filter = Some(PolicyFilter { without_drafts, ..filter.unwrap_or_default() });
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }

    /// What tells a policy apart from the one whose place it takes, or from another one.
    async fn policy_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The policy that is told apart.")] policy_id: PolicyId,
        #[graphql(desc = "What it is compared with; the policy that it supersedes when absent.")]
        against: Option<PolicyId>,
    ) -> Result<Vec<Change>> {
        caller(ctx).viewer(ctx, Operation::ReadPolicy)?;
        let after = compared(ctx, &policy_id, "policyId").await?;
        let message = "This policy takes nobody's place: name the policy to compare it with.";
        let needed = || Error::refused("AGAINST_NEEDED", "against", message);
        let against = answer(ctx, against.or(after.supersedes.clone()).ok_or_else(needed))?;
        let before = compared(ctx, &against, "against").await?;
        Ok(diff(&before.content(), &after.content()))
    }
}

/// A policy of which something was asked, by the field that named it.
async fn compared(ctx: &Context<'_>, id: &PolicyId, field: &str) -> Result<Row> {
    let row = load::<Row>(ctx, id.as_str()).await?.filter(|row| readable(ctx, row));
    let not_found =
        || Error::refused("POLICY_NOT_FOUND", field, &Refusal::PolicyNotFound.to_string());
    answer(ctx, row.ok_or_else(not_found))
}

/// Changes of policies.
#[derive(Default)]
pub struct PolicyMutation;

#[Object]
impl PolicyMutation {
    /// Starts a draft in an open group. Everything that is wrong with it is told at once.
    /// Refused with `POLICY_NAME_TAKEN`.
    async fn create_policy(&self, ctx: &Context<'_>, input: CreatePolicy) -> Result<PolicyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.create_policy(&caller.request, &input).await).await
    }

    /// Starts a draft with the content of another policy, in the same group or another one.
    async fn clone_policy(&self, ctx: &Context<'_>, input: ClonePolicy) -> Result<PolicyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.clone_policy(&caller.request, &input).await).await
    }

    /// Writes a draft anew. Everything that is wrong with it is told at once.
    /// Refused with `POLICY_PUBLISHED`, `POLICY_DEACTIVATED`, `POLICY_DISCARDED`,
    /// `POLICY_NAME_TAKEN`.
    async fn update_draft_policy(
        &self,
        ctx: &Context<'_>,
        input: UpdateDraftPolicy,
    ) -> Result<PolicyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.update_draft_policy(&caller.request, &input).await).await
    }

    /// Makes a draft binding: it never changes afterwards.
    /// Refused with `POLICY_DEACTIVATED` and `POLICY_DISCARDED`.
    async fn publish_policy(
        &self,
        ctx: &Context<'_>,
        input: PublishPolicy,
    ) -> Result<PolicyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.publish_policy(&caller.request, &input).await).await
    }

    /// Throws a draft away; its name is free again.
    /// Refused with `POLICY_PUBLISHED` and `POLICY_DEACTIVATED`.
    async fn discard_draft_policy(
        &self,
        ctx: &Context<'_>,
        input: DiscardDraftPolicy,
    ) -> Result<PolicyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.discard_draft_policy(&caller.request, &input).await).await
    }

    /// Ends a published policy that no partner uses or has asked for.
    /// Refused with `POLICY_IN_USE`, `POLICY_NOT_PUBLISHED`, `POLICY_DISCARDED`.
    async fn deactivate_policy(
        &self,
        ctx: &Context<'_>,
        input: DeactivatePolicy,
    ) -> Result<DeactivatePolicyPayload> {
        let caller = caller(ctx);
        let done = answer(ctx, caller.commands.deactivate_policy(&caller.request, &input).await)?;
        let proposal = waiting(ctx, &done).await?;
        let done = Done { id: input.policy_id.as_str().to_owned(), ..done };
        let (row, position) = changed(ctx, Ok(done)).await?;
        Ok(DeactivatePolicyPayload { policy: Policy { row }, proposal, position })
    }
}
