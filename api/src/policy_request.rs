//! Requests for policies in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::bulk::{Rows, RowsPayload, each};
use crate::caller::{Caller, caller};
use crate::errors::{Result, answer};
use crate::extractor::Extractor;
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
    SubmitPolicyRequest, UpdateDraftPolicyRequest, WithdrawPolicyRequest,
};
use domain::actor::Operation;
use domain::ids::{PartnerId, PolicyRequestId};
use domain::policy_document::shares_biometrics;
use domain::policy_request::{Demands, ExtractorChoice};
use domain::reference::{Modality, credential_type as known_credential_type};
use futures::FutureExt as _;
use projections::page::{Order, PageRequest};
use projections::policy_request::{
    PolicyRequestFilter, PolicyRequestSort, PolicyRequestStatus, Row, approved_for_credential_type,
};
use projections::{Viewer, extractor, partner, policy};

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

    /// What makes the biometric templates that are shared under it.
    async fn extractors(&self) -> Vec<ChosenExtractor> {
        self.row.extractors.iter().cloned().map(|choice| ChosenExtractor { choice }).collect()
    }

    /// What a draft or an open request has to name before it can be approved: `credentialType`,
    /// `extractors`.
    async fn missing_parts(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        use PolicyRequestStatus::{Draft, Pending};
        if !matches!(self.row.status, Draft | Pending) {
            return Ok(Vec::new());
        }
        let partner = load::<partner::Row>(ctx, self.row.partner_id.as_str()).await?;
        let policy = load::<policy::Row>(ctx, self.row.policy_id.as_str()).await?;
        let demands = Demands {
            credential: partner.map(|it| it.partner_type.terms().credential).unwrap_or_default(),
            biometrics: policy.is_some_and(|it| shares_biometrics(&it.policies)),
            unusable: Vec::new(),
        };
        let missing = demands.missing(self.row.credential_type.as_deref(), &self.row.extractors);
        Ok(missing.into_iter().map(|finding| finding.field).collect())
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::policy_request::PolicyRequest>(ctx, self.row.id.as_str(), member)
            .await
    }
}

/// The extractor of one modality.
pub struct ChosenExtractor {
    choice: ExtractorChoice,
}

/// The extractor that a request names for one modality.
#[Object]
impl ChosenExtractor {
    /// What it makes templates of.
    async fn modality(&self) -> Modality {
        self.choice.modality
    }

    /// Which extractor.
    async fn extractor(&self, ctx: &Context<'_>) -> Result<Option<Extractor>> {
        let id = self.choice.extractor_id.as_str();
        Ok(load::<extractor::Row>(ctx, id).await?.map(Into::into))
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

/// What was never submitted is for its partner, and for those who read everything.
pub fn readable(ctx: &Context<'_>, viewer: &Viewer, row: &Row) -> bool {
    let caller = caller(ctx);
    let member = caller.role_at(&row.partner_id);
    let draft_readable = || caller.request.actor.may(Operation::ReadDraftPolicyRequest, member);
    viewer.sees(&row.partner_id) && (row.submitted_at.is_some() || draft_readable())
}

/// Whether what was never submitted is kept from one who sees the rows of every partner.
pub fn without_drafts(caller: &Caller, viewer: &Viewer) -> bool {
    let actor = &caller.request.actor;
    *viewer == Viewer::All && !actor.may_on_any(Operation::ReadDraftPolicyRequest)
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
        let row = one::<Row>(ctx, id.as_str(), as_of).await?;
        Ok(row.filter(|row| readable(ctx, &viewer, row)).map(PolicyRequest::from))
    }

    /// The approved request under which a partner receives credentials of a type; null when there
    /// is none that the caller may see.
    async fn partner_policy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who receives the credentials.")] partner_id: PartnerId,
        #[graphql(desc = "One of `credentialTypes`.")] credential_type: String,
    ) -> Result<Option<PolicyRequest>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicyRequest)?;
        let Some(known) = known_credential_type(&credential_type) else { return Ok(None) };
        let found = approved_for_credential_type(caller(ctx).pool(), &partner_id, known).await;
        let row = answer(ctx, found)?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(PolicyRequest::from))
    }

    /// Requests for policies, newest first unless ordered otherwise; drafts only for their partner.
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
    ) -> Result<List<Row, PolicyRequest>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPolicyRequest)?;
        let without_drafts = without_drafts(caller(ctx), &viewer);
        let filter = PolicyRequestFilter { without_drafts, ..filter.unwrap_or_default() };
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, Some(filter), order_by, page).await
    }
}

/// Changes of requests for policies.
#[derive(Default)]
pub struct PolicyRequestMutation;

#[Object]
impl PolicyRequestMutation {
    /// Asks for a published policy of the partner's group, or begins to with a draft. Everything
    /// that is missing is told at once.
    async fn request_policy(
        &self,
        ctx: &Context<'_>,
        input: RequestPolicy,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.request_policy(&caller.request, &input).await).await
    }

    /// Writes a draft of a request anew.
    async fn update_draft_policy_request(
        &self,
        ctx: &Context<'_>,
        input: UpdateDraftPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        let done = caller.commands.update_draft_policy_request(&caller.request, &input).await;
        payload(ctx, done).await
    }

    /// Asks what a draft says. Everything that is missing is told at once.
    async fn submit_policy_request(
        &self,
        ctx: &Context<'_>,
        input: SubmitPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.submit_policy_request(&caller.request, &input).await).await
    }

    /// Allows a complete request of an active partner for a policy that still binds.
    /// Refused with `REQUEST_REJECTED`, `REQUEST_WITHDRAWN`, `REQUEST_REVOKED`.
    async fn approve_policy_request(
        &self,
        ctx: &Context<'_>,
        input: ApprovePolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.approve_policy_request(&caller.request, &input).await).await
    }

    /// Allows many requests, each as `approvePolicyRequest` does it.
    async fn approve_policy_requests(
        &self,
        ctx: &Context<'_>,
        input: Rows<ApprovePolicyRequest>,
    ) -> Result<RowsPayload<PolicyRequest>> {
        let (operation, caller) = (Operation::ApprovePolicyRequest, caller(ctx));
        let approve = |row| caller.commands.approve_policy_request(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, approve).await
    }

    /// Refuses a request.
    /// Refused with `REQUEST_APPROVED`, `REQUEST_WITHDRAWN`, `REQUEST_REVOKED`.
    async fn reject_policy_request(
        &self,
        ctx: &Context<'_>,
        input: RejectPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reject_policy_request(&caller.request, &input).await).await
    }

    /// Refuses many requests, each as `rejectPolicyRequest` does it.
    async fn reject_policy_requests(
        &self,
        ctx: &Context<'_>,
        input: Rows<RejectPolicyRequest>,
    ) -> Result<RowsPayload<PolicyRequest>> {
        let (operation, caller) = (Operation::RejectPolicyRequest, caller(ctx));
        let reject = |row| caller.commands.reject_policy_request(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, reject).await
    }

    /// Takes a draft or an open request back.
    /// Refused with `REQUEST_APPROVED`, `REQUEST_REJECTED`, `REQUEST_REVOKED`.
    async fn withdraw_policy_request(
        &self,
        ctx: &Context<'_>,
        input: WithdrawPolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.withdraw_policy_request(&caller.request, &input).await).await
    }

    /// Ends an approved request, and every key of the partner under its policy.
    /// Refused with `REQUEST_PENDING`, `REQUEST_REJECTED`, `REQUEST_WITHDRAWN`.
    async fn revoke_policy_request(
        &self,
        ctx: &Context<'_>,
        input: RevokePolicyRequest,
    ) -> Result<PolicyRequestPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.revoke_policy_request(&caller.request, &input).await).await
    }
}
