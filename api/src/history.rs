//! What happened, in GraphQL.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::loader::changes;
use crate::policy_request::without_drafts;
use crate::scalars::Position;
use async_graphql::connection::PageInfo;
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use domain::actor::Operation;
use projections::change::Moment;
use projections::diff::FieldChange;
use projections::history::{HistoryEntry, HistoryFilter, history};
use projections::page::{Direction, PageRequest};

/// One thing that happened.
#[derive(Clone, SimpleObject)]
#[graphql(complex, name = "HistoryEvent")]
pub struct Entry {
    #[graphql(flatten)]
    entry: HistoryEntry,
}

impl From<HistoryEntry> for Entry {
    fn from(entry: HistoryEntry) -> Self {
        Self { entry }
    }
}

#[ComplexObject]
impl Entry {
    /// Its place in the one order of the log.
    async fn position(&self) -> Position {
        Position(self.entry.position)
    }

    /// What it changed: the fields of its thing that are different after it, by name, in the words of
    /// the thing's GraphQL type. What can be asked for of personal data is not among them; empty where
    /// a thing has no type. Null, and refused with `TOO_MANY_EVENTS`, where the things of a page have more
    /// than 10,000 events behind them.
    async fn changes(&self, ctx: &Context<'_>) -> Result<Option<Vec<FieldChange>>> {
        let HistoryEntry { noun, id, version, .. } = &self.entry;
        let (noun, id, version) = (noun.clone(), id.clone(), *version);
        changes(ctx, Moment { noun, id, version }).await.map(Some)
    }
}

/// A part of the history; cursors are positions.
#[derive(SimpleObject)]
pub struct HistoryConnection {
    /// What happened, in the direction that was asked for.
    nodes: Vec<Entry>,
    /// Where this part lies.
    page_info: PageInfo,
}

/// Questions about what happened.
#[derive(Default)]
pub struct HistoryQuery;

#[Object]
impl HistoryQuery {
    /// What happened, straight from the events, with time, actor and reason: oldest first unless
    /// `direction` says DESC. A partner reads its own part.
    async fn history(
        &self,
        ctx: &Context<'_>,
        filter: Option<HistoryFilter>,
        #[graphql(desc = "Oldest first (ASC) unless newest first (DESC) is asked for.")]
        direction: Option<Direction>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<HistoryConnection> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadHistory)?;
        let has_previous_page = after.is_some();
        let page = PageRequest { first, after, ..PageRequest::default() };
        let without_drafts = without_drafts(caller(ctx), &viewer);
        let filter = HistoryFilter { without_drafts, ..filter.unwrap_or_default() };
        let direction = direction.unwrap_or(Direction::Asc);
        let page = history(caller(ctx).pool(), &viewer, &filter, direction, &page).await;
        let page = answer(ctx, page)?;
        let cursor = |position: Option<i64>| position.map(|it| it.to_string());
        let page_info = PageInfo {
            has_next_page: page.has_next,
            has_previous_page,
            start_cursor: cursor(page.entries.first().map(|it| it.position)),
            end_cursor: cursor(page.end),
        };
        let nodes = page.entries.into_iter().map(Entry::from).collect();
        Ok(HistoryConnection { nodes, page_info })
    }
}
