//! How far the log is sealed and witnessed, by the database's clock: what operators watch.

use crate::Result;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;

/// How far the log is sealed. Ages are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// How many events the newest signed head covers; 0 before the first.
    pub size: i64,
    /// When it was signed last; a log that stands still is signed again from time to time.
    pub signed_at: Option<DateTime<Utc>>,
    /// How long ago that was.
    pub age: Option<f64>,
    /// How many events of the log no head covers.
    pub lag: i64,
    /// How many events the newest head covers that enough witnesses have seen; 0 before the first.
    pub witnessed_size: i64,
    /// Since when the log has had an event that no such head covers; `None` where there is none.
    pub unwitnessed_since: Option<DateTime<Utc>>,
    /// How long that has been so; 0 where it is not.
    pub unwitnessed_age: f64,
}

/// How far the log is sealed now, whichever node did it.
pub async fn standing(db: impl PgExecutor<'_>) -> Result<Standing> {
    let sql = "with heads as (select \
                 coalesce((select max(size) from log_checkpoints), 0) as size, \
                 coalesce((select max(size) from log_checkpoints \
                           where witnessed_at is not null), 0) as witnessed_size) \
               select heads.size, signed_at, \
                 extract(epoch from clock_timestamp() - signed_at)::float8 as age, \
                 greatest(coalesce((select max(position) from events), 0) - heads.size, 0) as lag, \
                 witnessed_size, recorded_at as unwitnessed_since, \
                 coalesce(greatest(extract(epoch from clock_timestamp() - recorded_at), 0), \
                          0)::float8 as unwitnessed_age \
               from heads \
               left join log_checkpoints newest on newest.size = heads.size \
               left join events on position = witnessed_size + 1";
    Ok(sqlx::query_as(sql).fetch_one(db).await?)
}
