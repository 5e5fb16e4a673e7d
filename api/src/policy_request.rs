//! Requests for policies in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::partner::Partner;
use crate::policy::Policy;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::policy_request::{
    ApprovePolicyRequest, RejectPolicyRequest, RequestPolicy, RevokePolicyRequest,
    WithdrawPolicyRequest,
};
use domain::actor::Operation;
use domain::ids::PolicyRequestId;
use projections::page::{Order, PageRequest};
use projections::policy_request::{PolicyRequestFilter, PolicyRequestSort, Row};
use projections::{partner, policy};

/// A partner's wish to work under a policy.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct PolicyRequest {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for PolicyRequest {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl PolicyRequest {
    /// Whose it is.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// The policy it is about.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        let id = self.row.policy_id.as_str();
        Ok(load::<policy::Row>(ctx, id).await?.map(Into::into))
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::policy_request::PolicyRequest>(ctx, self.row.id.as_str(), member)
            .await
    }
}

/// A request after a change.
#[derive(SimpleObject)]
pub struct PolicyRequestPayload {
    /// What was changed.
    policy_request: PolicyRequest,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<PolicyRequestPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(PolicyRequestPayload { policy_request: PolicyRequest { row }, position })
}

/// Questions about requests for policies.
#[derive(Default)]
pub struct PolicyRequestQuery;

#[Object]
impl PolicyRequestQuery {
    /// A partner's wish to work under a policy, now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn policy_request(
        &self,
        ctx: &Context<'_>,
        id: PolicyRequestId,
        as_of: Option<AsOf>,
    ) -> Result<Option<PolicyRequest>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicyRequest)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(PolicyRequest::from))
    }

    /// Requests for policies, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn policy_requests(
        &self,
        ctx: &Context<'_>,
        filter: Option<PolicyRequestFilter>,
        order_by: Option<Order<PolicyRequestSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<PolicyRequest>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicyRequest)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of requests for policies.
#[derive(Default)]
pub struct PolicyRequestMutation;

#[Object]
impl PolicyRequestMutation {
    /// Asks for a published policy of the partner's group.
    async fn request_policy(
        &self,
        ctx: &Context<'_>,
        input: RequestPolicy,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.request_policy(&caller.request, &input).await).await
    }

    /// Allows a request of an active partner for a policy that still binds.
    async fn approve_policy_request(
        &self,
        ctx: &Context<'_>,
        input: ApprovePolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.approve_policy_request(&caller.request, &input).await).await
    }

    /// Refuses a request.
    async fn reject_policy_request(
        &self,
        ctx: &Context<'_>,
        input: RejectPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reject_policy_request(&caller.request, &input).await).await
    }

    /// Takes an open request back.
    async fn withdraw_policy_request(
        &self,
        ctx: &Context<'_>,
        input: WithdrawPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.withdraw_policy_request(&caller.request, &input).await).await
    }

    /// Ends an approved request, and every key of the partner under its policy.
    async fn revoke_policy_request(
        &self,
        ctx: &Context<'_>,
        input: RevokePolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.revoke_policy_request(&caller.request, &input).await).await
    }
}
