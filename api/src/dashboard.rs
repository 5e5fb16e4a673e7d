//! What a dashboard shows, in GraphQL: counts and the first of what ends soon, of one instant.

use crate::caller::{Caller, caller};
use crate::errors::{Result, answer};
use crate::expiring::{ExpiringItem, ExpiringItems, ExpiringList, viewers};
use crate::list::part;
use crate::policy;
use crate::policy_request::without_drafts;
use crate::scalars::Position;
use async_graphql::{ComplexObject, Context, Object, SimpleObject, Value};
use chrono::{DateTime, Utc};
use commands::Error;
use projections::dashboard::{Card, Counts, Dashboard, Sight, dashboard};
use projections::expiring::Item;
use projections::page::{DEFAULT_PAGE, Page, limit};
use std::collections::BTreeMap;
use std::sync::Arc;
use strum::VariantArray as _;

/// How much there is of everything that the caller may see, as of one position of the log.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct DashboardCounts {
    /// The last event that is counted in.
    position: Position,
    /// What has ended by then is expired, what ends within 30 days from then is expiring.
    at: DateTime<Utc>,
    /// One for each kind of thing that the caller may see.
    cards: Vec<Counts>,
    #[graphql(skip)]
    expiring: Arc<Page<Item>>,
}

#[ComplexObject]
impl DashboardCounts {
    /// The first of what ends within 30 days, first what ends first: 20 unless said otherwise, at most
    /// 200, of the same instant as the counts. `expiringItems(after:)` goes on from its end cursor.
    async fn expiring_items(&self, ctx: &Context<'_>, first: Option<i32>) -> Result<ExpiringItems> {
        let first = answer(ctx, size(first))?;
        let Page { rows, has_next, .. } = &*self.expiring;
        let shown = Page {
            rows: rows.iter().take(first).cloned().collect(),
            has_next: *has_next || rows.len() > first,
            has_previous: false,
        };
        let expiring = self.cards.iter().filter_map(|card| card.expiring).sum();
        let whole = ExpiringList::counted(expiring);
        let now = self.at;
        Ok(part(shown, whole, |item| ExpiringItem { item, now }))
    }
}

impl DashboardCounts {
    /// Whether it shows what another shows, whenever that was.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        let items =
            |it: &Self| it.expiring.rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
        self.cards == other.cards && items(self) == items(other)
    }

    /// What the caller sees now, with as many expiring items as are going to be shown.
    pub async fn read(caller: &Caller, items: Option<i32>) -> std::result::Result<Self, Error> {
        let (sight, at) = (sight(caller), caller.commands.now());
        let reading = dashboard(caller.pool().clone(), sight, items, at);
        // In a task of its own, which goes on when nobody waits any more: see there.
        let read = tokio::spawn(reading).await;
        let Dashboard { position, cards, expiring } =
            read.map_err(|_| Error::fault("the dashboard cannot be read"))??;
        Ok(Self { position: Position(position), at, cards, expiring: Arc::new(expiring) })
    }
}

/// Questions about everything at once.
#[derive(Default)]
pub struct DashboardQuery;

#[Object]
impl DashboardQuery {
    /// How much there is of everything that the caller may see, what of it waits and what ends soon:
    /// all of one instant.
    async fn dashboard_counts(&self, ctx: &Context<'_>) -> Result<DashboardCounts> {
        let items = expiring_items(ctx)?;
        answer(ctx, DashboardCounts::read(caller(ctx), items).await)
    }
}

/// How many expiring items the answer is going to show; `None` when it does not ask for them.
pub fn expiring_items(ctx: &Context<'_>) -> Result<Option<i32>> {
    let mut most = None;
    for field in ctx.look_ahead().field("expiringItems").selection_fields() {
        let first = field.arguments()?.into_iter().find(|(name, _)| name == "first");
        let first = first.and_then(|(_, value)| match value {
            Value::Number(first) => first.as_i64().and_then(|it| i32::try_from(it).ok()),
            _ => None,
        });
        most = most.max(Some(first.unwrap_or(DEFAULT_PAGE)));
    }
    // A number out of bounds is refused where it stands.
    Ok(most.filter(|most| size(Some(*most)).is_ok()))
}

fn size(first: Option<i32>) -> projections::Result<usize> {
    limit(first, DEFAULT_PAGE, "first")
}

fn sight(caller: &Caller) -> Sight {
    let seen = |card: &Card| Some((*card, caller.sees(card.operation())?));
    let cards: BTreeMap<_, _> = Card::VARIANTS.iter().filter_map(seen).collect();
    let requests = cards.get(&Card::PolicyRequests);
    Sight {
        without_draft_requests: requests.is_none_or(|viewer| without_drafts(caller, viewer)),
        without_draft_policies: policy::without_drafts(caller),
        kinds: viewers(caller),
        cards,
    }
}
