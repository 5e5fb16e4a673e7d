//! Where the followers stand, by the database's clock: what operators look at.

use crate::Result;
use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// How many parked keys of each follower are shown.
pub const SHOWN: i64 = 100;

/// What reacts to the log or to the clock, on one node at a time.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, SimpleObject)]
#[graphql(name = "FollowerRow")]
pub struct Row {
    /// Its name, such as `expiry`.
    pub name: String,
    /// The last event that it has worked off.
    #[graphql(skip)]
    pub position: Option<i64>,
    /// How many events of the log it has not looked at yet; null for one that is driven by the
    /// clock.
    pub lag: Option<i64>,
    /// When a node has last worked for it, or asked whether there was something to do; null before
    /// the first time. Twice a second is usual.
    pub heartbeat_at: Option<DateTime<Utc>>,
    /// How long ago that was, in seconds.
    pub heartbeat_age: Option<f64>,
    /// The node that works for it, by host and process; null when nobody does.
    pub lease_holder: Option<String>,
    /// Why it has stopped: a code; null while it goes on. `replayParked` lets it go on.
    pub stopped: Option<String>,
    /// How many keys are parked in all.
    pub parked_keys: i64,
}

/// A key of which something could not be done. All of it waits in order, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, SimpleObject)]
#[graphql(name = "ParkedKeyRow")]
pub struct ParkedKey {
    /// Whose it is.
    #[graphql(skip)]
    pub follower: String,
    /// The key, mostly a kind of thing and its id: `api_key/01a2…`.
    pub key: String,
    /// Why: the code of a refusal, or `INTERNAL_ERROR` for a fault, which the node has logged.
    pub reason: String,
    /// When it was parked.
    pub since: DateTime<Utc>,
    /// The first event that waits.
    #[graphql(skip)]
    pub position: Option<i64>,
    /// How many events wait; 0 where the clock drives.
    pub waiting: i64,
    /// Whether it is going to be tried again.
    pub replay: bool,
}

/// Every follower, by name.
pub async fn all(db: impl PgExecutor<'_>) -> Result<Vec<Row>> {
    let sql = "select name, position, stopped, heartbeat_at, \
                 (select coalesce(max(position), 0) from events) - position as lag, \
                 extract(epoch from clock_timestamp() - heartbeat_at)::float8 as heartbeat_age, \
                 case when lease_until > clock_timestamp() then holder end as lease_holder, \
                 (select count(*) from parked_keys where follower = name) as parked_keys \
               from followers order by name";
    Ok(sqlx::query_as(sql).fetch_all(db).await?)
}

/// What every follower has parked, at most [`SHOWN`] keys of each, those that wait longest first.
pub async fn parked(db: impl PgExecutor<'_>) -> Result<Vec<ParkedKey>> {
    let sql = "select k.follower, k.key, k.reason, k.since, k.replay, e.position, e.waiting \
               from followers f \
               cross join lateral (select * from parked_keys where follower = f.name \
                                   order by since, key limit $1) k \
               cross join lateral (select min(position) as position, count(*) as waiting \
                                   from parked_events \
                                   where follower = k.follower and key = k.key) e \
               order by k.follower, k.since, k.key";
    Ok(sqlx::query_as(sql).bind(SHOWN).fetch_all(db).await?)
}
