//! What happened, straight from the events: nothing is derived, so nothing can be out of step.

use crate::held::belongs;
use crate::log::LogRow;
use crate::page::{Conditions, Direction, PageRequest, Parameter, Statement, limit, refused};
use crate::{Result, Viewer};
use async_graphql::{InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;

/// Events on a page when nobody says how many.
pub(crate) const DEFAULT_EVENTS: i32 = 50;

/// One thing that happened.
#[derive(Debug, Clone, SimpleObject)]
pub struct HistoryEntry {
    /// Its place in the one order of the log.
    #[graphql(skip)]
    pub position: i64,
    /// When the log took it.
    pub at: DateTime<Utc>,
    /// The kind of thing it happened to, such as `partner`.
    pub noun: String,
    /// The id of the thing.
    pub id: String,
    /// Its place among the events of that thing.
    pub version: i64,
    /// What happened, such as `deactivated`.
    pub event: String,
    /// The subject that caused it.
    pub actor: String,
    /// The roles it acted in.
    pub roles: Vec<String>,
    /// The partner it acted for, if any.
    pub actor_partner: Option<String>,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// The event's own data.
    pub data: Value,
    /// Ties together everything that one wish caused.
    pub correlation_id: String,
    /// The request or event that caused this one.
    pub causation_id: String,
}

/// Which events to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct HistoryFilter {
    /// The kind of thing, such as `partner`.
    pub noun: Option<String>,
    /// The id of the thing.
    pub id: Option<String>,
    /// Everything that belongs to this partner: itself, its requests, its keys.
    pub partner_id: Option<String>,
    /// The subject that caused it.
    pub actor: Option<String>,
    /// One of these happenings, such as `approved`.
    pub event: Option<Vec<String>>,
    /// Everything that one wish caused.
    pub correlation_id: Option<String>,
    /// The earliest time, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The end, itself excluded.
    pub to: Option<DateTime<Utc>>,
    /// Requests that were never submitted are for their partners.
    #[graphql(skip)]
    pub without_drafts: bool,
    /// The last position to look at.
    #[graphql(skip)]
    pub until: Option<i64>,
}

/// A part of the history in the order of the log; cursors are positions.
#[derive(Debug)]
pub struct HistoryPage {
    /// The events.
    pub entries: Vec<HistoryEntry>,
    /// Whether more follow.
    pub has_next: bool,
}

/// What happened, as far as `viewer` may know: oldest first, or newest first.
pub async fn history(
    db: &PgPool,
    viewer: &Viewer,
    filter: &HistoryFilter,
    direction: Direction,
    page: &PageRequest,
) -> Result<HistoryPage> {
    let statement = statement(viewer, filter, direction, page)?;
    let rows: Vec<LogRow> = statement.rows().fetch_all(db).await?;
    let limit = limit(page.first, DEFAULT_EVENTS, "first")?;
    let has_next = rows.len() > limit;
    let entries = rows.iter().take(limit).map(HistoryEntry::of).collect::<Result<_>>()?;
    Ok(HistoryPage { entries, has_next })
}

/// The event at a position, as it is stored; `None` where there is none that `viewer` may see. Requests
/// that were never submitted can be for their partners alone.
pub async fn event(
    db: &PgPool,
    viewer: &Viewer,
    without_drafts: bool,
    position: i64,
) -> Result<Option<LogRow>> {
    let filter = HistoryFilter { without_drafts, ..HistoryFilter::default() };
    let mut conditions = conditions(viewer, &filter);
    conditions.add("position = ?", [Parameter::Number(position)]);
    let statement = conditions.statement(|conditions| {
        format!("select {} from events where true{conditions}", crate::log::COLUMNS)
    })?;
    Ok(statement.rows().fetch_optional(db).await?)
}

/// The statement of [`history`].
pub fn statement(
    viewer: &Viewer,
    filter: &HistoryFilter,
    direction: Direction,
    page: &PageRequest,
) -> Result<Statement> {
    let limit = limit(page.first, DEFAULT_EVENTS, "first")?;
    let (compare, order) = match direction {
        Direction::Asc => (">", "asc"),
        Direction::Desc => ("<", "desc"),
    };
    let mut conditions = conditions(viewer, filter);
    if let Some(after) = position(page.after.as_deref())? {
        conditions.add(&format!("position {compare} ?"), [Parameter::Number(after)]);
    }
    conditions.statement(|conditions| {
        format!(
            "select {} from events where true{conditions} order by position {order} limit {}",
            crate::log::COLUMNS,
            limit + 1
        )
    })
}

fn conditions(viewer: &Viewer, filter: &HistoryFilter) -> Conditions {
    let mut conditions = Conditions::default();
    let texts = [
        ("aggregate_type = ?", &filter.noun),
        ("aggregate_id = ?", &filter.id),
        ("metadata->>'actor' = ?", &filter.actor),
        ("metadata->>'correlation_id' = ?", &filter.correlation_id),
    ];
    for (sql, text) in texts {
        if let Some(text) = text {
            conditions.add_text(sql, text.clone());
        }
    }
    conditions.any_of("event_type", filter.event.as_ref());
    let of_partner = filter.partner_id.as_ref().map(|id| vec![id.clone()]);
    for partners in [viewer.partner_ids(), of_partner].into_iter().flatten() {
        let repeated = std::iter::repeat(Parameter::Texts(partners));
        conditions.add(&belongs("?"), repeated);
    }
    for (compare, time) in [(">=", filter.from), ("<", filter.to)] {
        if let Some(time) = time {
            conditions.add_time(&format!("position {compare} {FIRST_SINCE}"), time);
        }
    }
    if let Some(until) = filter.until {
        conditions.add("position <= ?", [Parameter::Number(until)]);
    }
    if filter.without_drafts {
        conditions.add_plain(SUBMITTED);
    }
    conditions
}

/// The first position at a time or after it: time never runs backwards in the log.
const FIRST_SINCE: &str = "coalesce((select e.position from events e where e.recorded_at >= ? \
     order by e.recorded_at, e.position limit 1), 9223372036854775807)";

/// What is no request, or one that was submitted: looked up event by event.
const SUBMITTED: &str = "(aggregate_type <> 'policy_request' or (select submitted_at is not null \
     from policy_request r where r.id = aggregate_id))";

impl HistoryEntry {
    /// What a row of the log tells.
    pub fn of(row: &LogRow) -> Result<Self> {
        let metadata = row.metadata()?;
        let mut data: Value = serde_json::from_str(&row.payload)?;
        if let Some(fields) = data.as_object_mut() {
            fields.remove("type"); // said by `event` already
        }
        Ok(Self {
            position: row.position,
            at: row.recorded_at,
            noun: row.aggregate_type.clone(),
            id: row.aggregate_id.clone(),
            version: row.sequence,
            event: row.event_type.clone(),
            actor: metadata.actor,
            roles: metadata.roles.split_whitespace().map(ToOwned::to_owned).collect(),
            actor_partner: Some(metadata.actor_partner).filter(|partner| !partner.is_empty()),
            reason: data["reason"].as_str().or(data["comment"].as_str()).map(ToOwned::to_owned),
            data,
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
        })
    }
}

/// The position that a cursor names.
pub(crate) fn position(cursor: Option<&str>) -> Result<Option<i64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let position = cursor.parse().ok().filter(|position| *position >= 0);
    let message = "A cursor of the history is a position.";
    position.map(Some).ok_or_else(|| refused("CURSOR_INVALID", "after", message))
}
