//! Reading the log: its rows, its order, and events in today's shape.

use crate::Result;
use chrono::{DateTime, Utc};
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use domain::Decide;
use domain::log_entry::StoredEvent;
use domain::recorded::{Metadata, Recorded};
use serde_json::Value;
use sqlx::PgExecutor;
use std::str::FromStr;

/// The advisory lock that gives the log its one order: whoever appends, swaps the read tables or
/// stops the clock for another reason holds it until its transaction ends.
pub const APPEND_LOCK: i64 = 0x0070_6d73_5f6c_6f67; // "pms_log"

/// The columns of [`LogRow`], with payload and metadata exactly as stored.
pub const COLUMNS: &str = "aggregate_type, aggregate_id, sequence, event_type, event_version, \
     payload::text as payload, metadata::text as metadata, position, recorded_at";

/// One row of `events`.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct LogRow {
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub payload: String,
    pub metadata: String,
    pub position: i64,
    pub recorded_at: DateTime<Utc>,
}

impl LogRow {
    /// The row as the audit log hashes it.
    pub fn stored(&self) -> StoredEvent<'_> {
        StoredEvent {
            position: self.position,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            recorded_at: self.recorded_at,
            metadata: &self.metadata,
            payload: &self.payload,
        }
    }

    /// The event in today's shape, whatever shape it was stored in.
    pub fn decode<A: Decide>(&self) -> Result<Recorded<A::Event>> {
        let upcasters = A::upcasters();
        let event = if upcasters.is_empty() {
            serde_json::from_str(&self.payload)?
        } else {
            serde_json::from_value(upcast(self, &upcasters)?)?
        };
        Ok(Recorded {
            position: self.position,
            recorded_at: self.recorded_at,
            aggregate_id: self.aggregate_id.clone(),
            sequence: self.sequence,
            metadata: self.metadata()?,
            event,
        })
    }

    /// Who caused the event.
    pub fn metadata(&self) -> Result<Metadata> {
        Ok(serde_json::from_str(&self.metadata)?)
    }
}

/// As `SerializedEvent::upcast`, which cqrs-es keeps to itself.
fn upcast(row: &LogRow, upcasters: &[Box<dyn EventUpcaster>]) -> Result<Value> {
    let event = SerializedEvent {
        aggregate_id: row.aggregate_id.clone(),
        sequence: usize::try_from(row.sequence).unwrap_or_default(),
        aggregate_type: row.aggregate_type.clone(),
        event_type: row.event_type.clone(),
        event_version: row.event_version.clone(),
        payload: serde_json::from_str(&row.payload)?,
        metadata: Value::Null,
    };
    let upcast = upcasters.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    });
    Ok(upcast.payload)
}

/// The last position of the log; 0 when it is empty.
pub async fn head(db: impl PgExecutor<'_>) -> Result<i64> {
    let head = sqlx::query_scalar("select coalesce(max(position), 0) from events");
    Ok(head.fetch_one(db).await?)
}

/// How far the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct Extent {
    /// Its last position; 0 when it is empty.
    pub head: i64,
    /// Its epoch: raised when another server goes on with it.
    pub epoch: i64,
}

/// How far the log reaches now, whichever node wrote it.
pub async fn extent(db: impl PgExecutor<'_>) -> Result<Extent> {
    let sql = "select coalesce((select max(position) from events), 0) as head, \
                      coalesce((select max(epoch) from log_epochs), 0) as epoch";
    Ok(sqlx::query_as(sql).fetch_one(db).await?)
}

/// The log's epoch, and the first position at which a later one than `epoch` has written the log
/// anew, if that is not beyond `position`: then what was read up to there may not be so any more.
pub async fn fork(
    db: impl PgExecutor<'_>,
    epoch: i64,
    position: i64,
) -> Result<(i64, Option<i64>)> {
    let sql = "select coalesce(max(epoch), 0), \
                      min(from_position) filter (where epoch > $1 and from_position <= $2) \
               from log_epochs";
    Ok(sqlx::query_as(sql).bind(epoch).bind(position).fetch_one(db).await?)
}

/// The sequence and position of the last event of a stream with a position in `(after, until]`.
pub async fn last_of_stream(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    id: &str,
    after: i64,
    until: i64,
) -> Result<Option<(i64, i64)>> {
    let sql = "select sequence, position from events \
               where aggregate_type = $1 and aggregate_id = $2 \
               and position > $3 and position <= $4 order by sequence desc limit 1";
    let query = sqlx::query_as(sql).bind(aggregate_type).bind(id).bind(after).bind(until);
    Ok(query.fetch_optional(db).await?)
}

/// The rows after `position`, in order, at most `limit`.
pub async fn after(db: impl PgExecutor<'_>, position: i64, limit: i64) -> Result<Vec<LogRow>> {
    let sql =
        format!("select {COLUMNS} from events where position > $1 order by position limit $2");
    Ok(sqlx::query_as(&sql).bind(position).bind(limit).fetch_all(db).await?)
}

/// The rows at these positions, in order.
pub async fn at(db: impl PgExecutor<'_>, positions: &[i64]) -> Result<Vec<LogRow>> {
    let sql = format!("select {COLUMNS} from events where position = any($1) order by position");
    Ok(sqlx::query_as(&sql).bind(positions).fetch_all(db).await?)
}

/// The rows of many streams of one noun, each stream in order.
pub async fn streams(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    ids: &[String],
) -> Result<Vec<LogRow>> {
    let sql = format!(
        "select {COLUMNS} from events where aggregate_type = $1 and aggregate_id = any($2) \
         order by aggregate_id, sequence"
    );
    Ok(sqlx::query_as(&sql).bind(aggregate_type).bind(ids).fetch_all(db).await?)
}

/// What a thing is now, from its events.
pub async fn state<A: Decide>(db: impl PgExecutor<'_>, id: &str) -> Result<A> {
    let mut state = A::default();
    for row in streams(db, A::TYPE, &[id.to_owned()]).await? {
        state.apply(row.decode::<A>()?.event);
    }
    Ok(state)
}

/// The rows of one stream up to an instant or a position, in order.
pub async fn stream_until(
    db: impl PgExecutor<'_>,
    aggregate_type: &str,
    id: &str,
    until: Until,
) -> Result<Vec<LogRow>> {
    let (position, time) = match until {
        Until::Position(position) => (Some(position), None),
        Until::Time(time) => (None, Some(time)),
    };
    let sql = format!(
        "select {COLUMNS} from events where aggregate_type = $1 and aggregate_id = $2 \
         and ($3::bigint is null or position <= $3) \
         and ($4::timestamptz is null or recorded_at <= $4) order by sequence"
    );
    let query = sqlx::query_as(&sql).bind(aggregate_type).bind(id).bind(position).bind(time);
    Ok(query.fetch_all(db).await?)
}

/// The last position that is seen from a point in the past; 0 before the first event.
pub async fn position_at(db: impl PgExecutor<'_>, until: Until) -> Result<i64> {
    let time = match until {
        Until::Position(position) => return Ok(position),
        Until::Time(time) => time,
    };
    let sql = "select coalesce((select position from events where recorded_at <= $1 \
               order by recorded_at desc, position desc limit 1), 0)";
    Ok(sqlx::query_scalar(sql).bind(time).fetch_one(db).await?)
}

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Up to this position, itself included.
    Position(i64),
    /// Up to this instant, itself included.
    Time(DateTime<Utc>),
}

/// What is neither a position nor a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a position (a decimal number) nor a time (RFC 3339)")]
pub struct NoPoint;

impl FromStr for Until {
    type Err = NoPoint;

    fn from_str(text: &str) -> std::result::Result<Self, NoPoint> {
        if let Some(position) = text.parse().ok().filter(|it| *it >= 0) {
            return Ok(Self::Position(position));
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NoPoint)?;
        Ok(Self::Time(time.with_timezone(&Utc)))
    }
}
