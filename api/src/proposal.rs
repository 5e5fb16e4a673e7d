//! Commands that wait for a second person, in GraphQL.

use crate::actions::{AllowedAction, as_allowed};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::proposal::{ConfirmProposal, RefuseProposal};
use domain::actor::Operation;
use domain::ids::ProposalId;
use projections::page::{Order, PageRequest};
use projections::proposal::{ProposalFilter, ProposalSort, Row};

/// A command that waits for a second person, or waited for one.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Proposal {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Proposal {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Proposal {
    /// What the caller can do with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let state = load::<domain::proposal::Proposal>(ctx, self.row.id.as_str()).await?;
        let caller = caller(ctx);
        let (subject, now) = (&caller.request.actor.subject, caller.commands.now());
        let possible = state.unwrap_or_default().actions(subject, now);
        let member = None;
        Ok(as_allowed(ctx, member, possible))
    }
}

/// The proposal that a wish has become; null when it was granted at once.
pub async fn waiting(ctx: &Context<'_>, done: &Done) -> Result<Option<Proposal>> {
    if !done.proposed {
        return Ok(None);
    }
    Ok(one::<Row>(ctx, &done.id, None).await?.map(Proposal::from))
}

/// A proposal after a decision.
#[derive(SimpleObject)]
pub struct ProposalPayload {
    /// The proposal.
    proposal: Proposal,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<ProposalPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(ProposalPayload { proposal: Proposal { row }, position })
}

/// Questions about proposals.
#[derive(Default)]
pub struct ProposalQuery;

#[Object]
impl ProposalQuery {
    /// One proposal, now or at a point in the past; null when there is none.
    async fn proposal(
        &self,
        ctx: &Context<'_>,
        id: ProposalId,
        as_of: Option<AsOf>,
    ) -> Result<Option<Proposal>> {
        caller(ctx).viewer(ctx, Operation::ReadProposal)?;
        Ok(one::<Row>(ctx, id.as_str(), as_of).await?.map(Proposal::from))
    }

    /// Proposals, newest first unless ordered otherwise; those that wait have the status OPEN.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn proposals(
        &self,
        ctx: &Context<'_>,
        filter: Option<ProposalFilter>,
        order_by: Option<Order<ProposalSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Proposal>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadProposal)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Decisions about proposals.
#[derive(Default)]
pub struct ProposalMutation;

#[Object]
impl ProposalMutation {
    /// Does what somebody else has proposed, if it is still possible. Never the proposer.
    /// Refused with `SECOND_PERSON_NEEDED`, `PROPOSAL_REFUSED`, `PROPOSAL_LAPSED`.
    async fn confirm_proposal(
        &self,
        ctx: &Context<'_>,
        input: ConfirmProposal,
    ) -> Result<ProposalPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.confirm_proposal(&caller.request, &input).await).await
    }

    /// Ends a proposal without doing what it says; the proposer may take it back in this way.
    /// Refused with `PROPOSAL_CONFIRMED` and `PROPOSAL_LAPSED`.
    async fn refuse_proposal(
        &self,
        ctx: &Context<'_>,
        input: RefuseProposal,
    ) -> Result<ProposalPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.refuse_proposal(&caller.request, &input).await).await
    }
}
