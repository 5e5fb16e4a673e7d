//! Biometric extractors in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::{Thing, load};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::extractor::{CreateExtractor, DeleteExtractor};
use commands::{Commands, Done};
use domain::actor::Operation;
use domain::ids::ExtractorId;
use projections::extractor::{ExtractorFilter, ExtractorSort, Row};
use projections::page::{Order, PageRequest};
use projections::policy_request::uses;
use std::collections::HashMap;

/// What makes the biometric templates that are shared with credential partners.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Extractor {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Extractor {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Extractor {
    /// How many requests that are drafts, open or approved name it; null for those who may not read
    /// the requests of all partners.
    async fn used_by(&self, ctx: &Context<'_>) -> Result<Option<usize>> {
        if !caller(ctx).request.actor.may_on_any(Operation::ReadPolicyRequest) {
            return Ok(None);
        }
        let uses = load::<Uses>(ctx, self.row.id.as_str()).await?;
        Ok(Some(uses.map_or(0, |Uses(count)| count)))
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        allowed_actions::<domain::extractor::Extractor>(ctx, self.row.id.as_str(), None).await
    }
}

/// How many requests name an extractor.
#[derive(Debug, Clone, Copy)]
struct Uses(usize);

impl Thing for Uses {
    async fn find(commands: &Commands, ids: &[String]) -> commands::Result<HashMap<String, Self>> {
        let counts = uses(commands.store().pool(), ids).await?;
        Ok(counts.into_iter().map(|(id, count)| (id, Self(count))).collect())
    }
}

/// An extractor after a change.
#[derive(SimpleObject)]
pub struct ExtractorPayload {
    /// What was changed.
    extractor: Extractor,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<ExtractorPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(ExtractorPayload { extractor: Extractor { row }, position })
}

/// Questions about biometric extractors.
#[derive(Default)]
pub struct ExtractorQuery;

#[Object]
impl ExtractorQuery {
    /// What makes biometric templates, now or at a point in the past; null when there is none that
    /// the caller may see.
    async fn extractor(
        &self,
        ctx: &Context<'_>,
        id: ExtractorId,
        as_of: Option<AsOf>,
    ) -> Result<Option<Extractor>> {
        caller(ctx).viewer(ctx, Operation::ReadExtractor)?;
        let row = one::<Row>(ctx, id.as_str(), as_of).await?;
        Ok(row.map(Extractor::from))
    }

    /// Biometric extractors, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn extractors(
        &self,
        ctx: &Context<'_>,
        filter: Option<ExtractorFilter>,
        order_by: Option<Order<ExtractorSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Extractor>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadExtractor)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of biometric extractors.
#[derive(Default)]
pub struct ExtractorMutation;

#[Object]
impl ExtractorMutation {
    /// Makes an extractor known, so that requests can name it.
    /// Refused with `EXTRACTOR_NAME_TAKEN`.
    async fn create_extractor(
        &self,
        ctx: &Context<'_>,
        input: CreateExtractor,
    ) -> Result<ExtractorPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.create_extractor(&caller.request, &input).await).await
    }

    /// Takes an extractor that no request names off the menu.
    /// Refused with `EXTRACTOR_IN_USE` for any other.
    async fn delete_extractor(
        &self,
        ctx: &Context<'_>,
        input: DeleteExtractor,
    ) -> Result<ExtractorPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.delete_extractor(&caller.request, &input).await).await
    }
}
