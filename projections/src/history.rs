//! What happened, straight from the events: nothing is derived, so nothing can be out of step.

use crate::held::belongs;
use crate::log::LogRow;
use crate::page::{MAX_PAGE, PageRequest};
use crate::{Error, Result, Viewer};
use async_graphql::{InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::Finding;
use serde_json::Value;
use sqlx::PgPool;

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

/// What happened, oldest first, as far as `viewer` may know.
pub async fn history(
    db: &PgPool,
    viewer: &Viewer,
    filter: &HistoryFilter,
    page: &PageRequest,
) -> Result<HistoryPage> {
    let limit = limit(page)?;
    let after = position(page.after.as_deref())?;
    let sql = format!(
        "select {} from events where position > $1 \
         and ($2::text is null or aggregate_type = $2) and ($3::text is null or aggregate_id = $3) \
         and ($4::text is null or metadata->>'actor' = $4) \
         and ($5::text[] is null or event_type = any($5)) \
         and ($6::text is null or metadata->>'correlation_id' = $6) \
         and ($7::timestamptz is null or recorded_at >= $7) \
         and ($8::timestamptz is null or recorded_at < $8) \
         and ($9::text[] is null or {}) and ($10::text[] is null or {}) \
         and (not $11 or aggregate_type <> 'policy_request' or exists (select \
              from read.policy_request r where r.id = aggregate_id and r.submitted_at is not null)) \
         and ($12::bigint is null or position <= $12) \
         order by position limit {}",
        crate::log::COLUMNS,
        belongs("$9"),
        belongs("$10"),
        limit + 1
    );
    let rows: Vec<LogRow> = sqlx::query_as(&sql)
        .bind(after)
        .bind(&filter.noun)
        .bind(&filter.id)
        .bind(&filter.actor)
        .bind(&filter.event)
        .bind(&filter.correlation_id)
        .bind(filter.from)
        .bind(filter.to)
        .bind(viewer.partner_ids())
        .bind(filter.partner_id.as_ref().map(|id| vec![id.clone()]))
        .bind(filter.without_drafts)
        .bind(filter.until)
        .fetch_all(db)
        .await?;
    let has_next = rows.len() > limit;
    let entries = rows.iter().take(limit).map(entry).collect::<Result<_>>()?;
    Ok(HistoryPage { entries, has_next })
}

fn entry(row: &LogRow) -> Result<HistoryEntry> {
    let metadata = row.metadata()?;
    let mut data: Value = serde_json::from_str(&row.payload)?;
    if let Some(fields) = data.as_object_mut() {
        fields.remove("type"); // said by `event` already
    }
    Ok(HistoryEntry {
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

fn limit(page: &PageRequest) -> Result<usize> {
    let limit = usize::try_from(page.first.unwrap_or(50)).unwrap_or(0);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("A page has 1 to {MAX_PAGE} rows.");
    Err(Error::Refused(vec![Finding::new("PAGE_SIZE", "first", message)]))
}

fn position(cursor: Option<&str>) -> Result<i64> {
    match cursor.map(str::parse) {
        None => Ok(0),
        Some(Ok(position)) if position >= 0 => Ok(position),
        Some(_) => {
            let message = "A cursor of the history is a position.";
            Err(Error::Refused(vec![Finding::new("CURSOR_INVALID", "after", message)]))
        }
    }
}
