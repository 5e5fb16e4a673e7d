//! What is told while it happens. Who subscribes is judged anew for everything that is told.

use crate::caller::{Caller, caller};
use crate::dashboard::{DashboardCounts, expiring_items};
use crate::entity::is_shown;
use crate::errors::{Result, answer};
use crate::history::Entry;
use crate::live::{Found, Live, Reader, Span};
use crate::policy_request::without_drafts;
use crate::scalars::Position;
use async_graphql::{Context, ID, SimpleObject, Subscription as GraphQLSubscription};
use commands::Error;
use domain::actor::Operation;
use futures::future::ready;
use futures::{FutureExt as _, Stream, StreamExt as _};
use projections::history::{HistoryEntry, HistoryFilter, history};
use projections::log::last_of_stream;
use projections::noun::Noun;
use projections::page::{Direction, PageRequest};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the log when there was nothing left to tell: what happens meanwhile is told
/// together, and many subscribers are not many more statements.
const PACE: Duration = Duration::from_millis(200);
/// Between two dashboards.
const DASHBOARD_PACE: Duration = Duration::from_secs(1);
/// When a dashboard is looked at although nothing has happened: things also end.
const DASHBOARD_REFRESH: Duration = Duration::from_mins(1);
/// How many events are read at once: the longest page, for whoever is behind.
const PAGE: i32 = 200;
/// How many positions are looked at in one statement, however few are told of.
const STRIDE: i64 = 5_000;

/// Something that has just happened.
#[derive(SimpleObject)]
pub struct LiveEvent {
    #[graphql(flatten)]
    entry: Entry,
    /// The log's epoch: raised when another server goes on with it. To resume, send it along with
    /// the position.
    epoch: i64,
}

/// A thing as it is now.
#[derive(SimpleObject)]
pub struct EntityChanged {
    /// What kind of thing.
    noun: Noun,
    /// Which one.
    id: ID,
    /// Its version now.
    version: i64,
    /// Where the log stood with its last event.
    position: Position,
}

/// Everything that is told while it happens.
#[derive(Default)]
pub struct Subscription;

/// Everything that is told while it happens.
#[GraphQLSubscription]
impl Subscription {
    /// Events in the order of the log, without a gap and without a duplicate, as `history` would list
    /// them to the caller: after a position, or from now on. Give the `position` and `epoch` of the
    /// last event to go on after a break. `EPOCH_RAISED` ends it when another server has written the
    /// log anew from before there, `POSITION_BEYOND_LOG` refuses what the log does not reach.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position of the last event that you have.")] after: Option<Position>,
        #[graphql(desc = "The epoch that came with it.")] epoch: Option<i64>,
        filter: Option<HistoryFilter>,
    ) -> Result<impl Stream<Item = Result<LiveEvent>>> {
        let caller = caller(ctx);
        caller.viewer(ctx, Operation::ReadHistory)?;
        let filter = filter.unwrap_or_default();
        let after = after.map(|it| it.0);
        let reader = Reader::begin(caller, live(ctx), after, epoch, PACE).await;
        let events = answer(ctx, reader)?.follow(Box::new(move |caller, span| {
            let filter = filter.clone();
            async move { happenings(&caller, filter, span).await }.boxed()
        }));
        Ok(events
            .map(|told| told.map(|(entry, epoch)| LiveEvent { entry: Entry::from(entry), epoch })))
    }

    /// A thing's version: now, and then whenever it has changed. Nothing is told of what the caller
    /// may not see, nor of what there is not.
    async fn entity_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What kind of thing it is.")] noun: Noun,
        id: ID,
    ) -> Result<impl Stream<Item = Result<EntityChanged>>> {
        let caller = caller(ctx);
        caller.viewer(ctx, noun.operation())?;
        let reader = Reader::begin(caller, live(ctx), None, None, PACE).await;
        let reader = answer(ctx, reader)?.looking_at_once(None);
        let changes = reader.follow(Box::new(move |caller, span| {
            let id = id.clone();
            async move { change(&caller, noun, id, span).await }.boxed()
        }));
        Ok(changes.map(|told| told.map(|(change, _)| change)))
    }

    /// The counts of the dashboard: now, and then whenever they have changed, at most once a second.
    async fn dashboard_counts_changed(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = Result<DashboardCounts>>> {
        let items = expiring_items(ctx)?;
        let reader = Reader::begin(caller(ctx), live(ctx), None, None, DASHBOARD_PACE).await;
        let reader = answer(ctx, reader)?.looking_at_once(Some(DASHBOARD_REFRESH));
        let dashboards = reader.follow(Box::new(move |caller, span| {
            async move {
                let told = vec![DashboardCounts::read(&caller, items).await?];
                Ok(Found { told, reached: span.until })
            }
            .boxed()
        }));
        Ok(without_repetitions(dashboards))
    }
}

fn live(ctx: &Context<'_>) -> Arc<Live> {
    ctx.data_unchecked::<Arc<Live>>().clone()
}

/// Only what shows something else than the last one.
fn without_repetitions(
    dashboards: impl Stream<Item = Result<(DashboardCounts, i64)>>,
) -> impl Stream<Item = Result<DashboardCounts>> {
    let news = dashboards.scan(None::<DashboardCounts>, |last, told| {
        let told = told.map(|(counts, _)| counts);
        let repeats = match (&last, &told) {
            (Some(last), Ok(counts)) => last.shows_the_same(counts),
            _ => false,
        };
        if let Ok(counts) = &told {
            *last = Some(counts.clone());
        }
        ready(Some((!repeats).then_some(told)))
    });
    news.filter_map(ready)
}

async fn happenings(
    caller: &Caller,
    filter: HistoryFilter,
    span: Span,
) -> std::result::Result<Found<HistoryEntry>, Error> {
    let Some(viewer) = caller.sees(Operation::ReadHistory) else {
        return Ok(Found { told: Vec::new(), reached: span.until });
    };
    let until = span.until.min(span.after + STRIDE);
    let without_drafts = without_drafts(caller, &viewer);
    let filter = HistoryFilter { without_drafts, until: Some(until), ..filter };
    let after = Some(span.after.to_string());
    let page = PageRequest { first: Some(PAGE), after, ..PageRequest::default() };
    let page = history(caller.pool(), &viewer, &filter, Direction::Asc, &page).await?;
    let last = page.entries.last().map(|it| it.position);
    let reached = last.filter(|_| page.has_next).unwrap_or(until);
    Ok(Found { told: page.entries, reached })
}

async fn change(
    caller: &Caller,
    noun: Noun,
    id: ID,
    span: Span,
) -> std::result::Result<Found<EntityChanged>, Error> {
    let Span { after, until } = span;
    let last = last_of_stream(caller.pool(), noun.stored_name(), &id, after, until).await?;
    let mut told = Vec::new();
    if let Some((version, position)) = last
        && is_shown(noun, caller, &id).await?
    {
        told.push(EntityChanged { noun, id, version, position: Position(position) });
    }
    Ok(Found { told, reached: until })
}
