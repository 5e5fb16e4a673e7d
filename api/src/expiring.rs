//! What ends soon, in GraphQL.

use crate::caller::{Caller, caller};
use crate::errors::{Result, answer};
use crate::list::part;
use crate::loader::load;
use crate::partner::Partner;
use async_graphql::connection::Connection;
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use commands::Error;
use domain::reference::TrustDomain;
use projections::Viewer;
use projections::expiring::{ExpiringFilter, ExpiringKind, Item, count, expiring};
use projections::page::PageRequest;
use projections::partner;
use std::collections::BTreeMap;
use strum::VariantArray as _;

/// Something that ends, and that was not renewed.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct ExpiringItem {
    /// What it is.
    #[graphql(flatten)]
    pub item: Item,
    /// When it was looked at.
    #[graphql(skip)]
    pub now: DateTime<Utc>,
}

#[ComplexObject]
impl ExpiringItem {
    /// Whose it is; null for what is trusted.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let Some(id) = &self.item.partner_id else { return Ok(None) };
        Ok(load::<partner::Row>(ctx, id.as_str()).await?.map(Into::into))
    }

    /// Where it is trusted, or where its partner's certificates have to be.
    async fn domain(&self) -> Option<TrustDomain> {
        self.item.domain()
    }

    /// How many whole days are left: 0 on the last day, negative once it has expired.
    async fn days_left(&self) -> i64 {
        self.item.days_left(self.now)
    }
}

/// A part of the list of what ends.
pub type ExpiringItems = Connection<String, ExpiringItem, ExpiringList>;

/// What is asked of the whole list and not of a page.
#[derive(Default)]
pub struct ExpiringList {
    /// How many there are in all, where that was counted with the page.
    counted: Option<i64>,
    viewers: BTreeMap<ExpiringKind, Viewer>,
    filter: ExpiringFilter,
    now: DateTime<Utc>,
}

impl ExpiringList {
    /// Of a page with which all were counted.
    pub fn counted(total: i64) -> Self {
        Self { counted: Some(total), ..Self::default() }
    }
}

#[Object]
impl ExpiringList {
    /// How many elements there are in all; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        let Self { counted, viewers, filter, now } = self;
        match counted {
            Some(total) => Ok(*total),
            None => answer(ctx, count(caller(ctx).pool(), viewers, filter, *now).await),
        }
    }
}

/// Questions about what ends soon.
#[derive(Default)]
pub struct ExpiringQuery;

#[Object]
impl ExpiringQuery {
    /// What ends soon, first what ends first: of each kind what the caller may see. What was renewed
    /// or has ended already in another way is not listed.
    async fn expiring_items(
        &self,
        ctx: &Context<'_>,
        filter: Option<ExpiringFilter>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<ExpiringItems> {
        let (viewers, filter) = (viewers(caller(ctx)), filter.unwrap_or_default());
        if viewers.is_empty() {
            return answer(ctx, Err(Error::Forbidden));
        }
        let now = caller(ctx).commands.now();
        let page = PageRequest { first, after, ..PageRequest::default() };
        let page = expiring(caller(ctx).pool(), &viewers, &filter, now, &page).await;
        let page = answer(ctx, page)?;
        let whole = ExpiringList { counted: None, viewers, filter, now };
        Ok(part(page, whole, |item| ExpiringItem { item, now }))
    }
}

/// Whose things of each kind the caller may see; kinds of which he may see none are left out.
pub fn viewers(caller: &Caller) -> BTreeMap<ExpiringKind, Viewer> {
    let seen = |kind: &ExpiringKind| Some((*kind, caller.sees(kind.operation())?));
    ExpiringKind::VARIANTS.iter().filter_map(seen).collect()
}
