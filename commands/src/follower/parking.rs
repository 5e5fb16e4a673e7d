//! Where keys wait of which something could not be done.

use crate::Result;
use projections::log::{LogRow, at};
use sqlx::{PgConnection, PgExecutor};
use std::collections::BTreeSet;

/// How many keys are replayed in one turn.
const KEYS: i64 = 20;

/// Which of these keys are parked.
pub(super) async fn parked(
    db: &mut PgConnection,
    follower: &str,
    keys: &[String],
) -> Result<BTreeSet<String>> {
    let sql = "select key from parked_keys where follower = $1 and key = any($2)";
    let parked: Vec<String> =
        sqlx::query_scalar(sql).bind(follower).bind(keys).fetch_all(db).await?;
    Ok(parked.into_iter().collect())
}

/// Parks a key, or leaves it parked for another reason.
pub(crate) async fn park(
    db: impl PgExecutor<'_>,
    follower: &str,
    key: &str,
    reason: &str,
) -> Result<()> {
    let sql = "insert into parked_keys (follower, key, reason, since) \
               values ($1, $2, $3, clock_timestamp()) \
               on conflict (follower, key) do update set reason = $3, replay = false";
    sqlx::query(sql).bind(follower).bind(key).bind(reason).execute(db).await?;
    Ok(())
}

/// Lets events wait behind their keys.
pub(super) async fn wait(
    db: &mut PgConnection,
    follower: &str,
    events: &[(String, i64)],
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let (keys, positions): (Vec<&str>, Vec<i64>) =
        events.iter().map(|(key, position)| (key.as_str(), *position)).unzip();
    let sql = "insert into parked_events (follower, key, position) \
               select $1, * from unnest($2::text[], $3::bigint[])";
    sqlx::query(sql).bind(follower).bind(keys).bind(positions).execute(db).await?;
    Ok(())
}

/// The keys that somebody has asked to replay, those that wait longest first.
pub(super) async fn asked(db: &mut PgConnection, follower: &str) -> Result<Vec<String>> {
    let sql =
        "select key from parked_keys where follower = $1 and replay order by since, key limit $2";
    Ok(sqlx::query_scalar(sql).bind(follower).bind(KEYS).fetch_all(db).await?)
}

/// The first events that wait behind a key, in order.
pub(super) async fn waiting(
    db: &mut PgConnection,
    follower: &str,
    key: &str,
    limit: i64,
) -> Result<Vec<LogRow>> {
    let sql = "select position from parked_events where follower = $1 and key = $2 \
               order by position limit $3";
    let query = sqlx::query_scalar(sql).bind(follower).bind(key).bind(limit);
    let positions: Vec<i64> = query.fetch_all(&mut *db).await?;
    Ok(at(db, &positions).await?)
}

/// An event waits no more.
pub(super) async fn done(
    db: &mut PgConnection,
    follower: &str,
    key: &str,
    position: i64,
) -> Result<()> {
    let sql = "delete from parked_events where follower = $1 and key = $2 and position = $3";
    sqlx::query(sql).bind(follower).bind(key).bind(position).execute(db).await?;
    Ok(())
}

/// Another server has written the log anew from here on: what waits from there is no more.
pub(super) async fn forget_from(db: &mut PgConnection, follower: &str, from: i64) -> Result<()> {
    let sql = "delete from parked_events where follower = $1 and position >= $2";
    sqlx::query(sql).bind(follower).bind(from).execute(&mut *db).await?;
    release(db, follower, "true").await
}

/// Keys that were asked to be replayed, and behind which nothing waits any more, are free.
pub(crate) async fn release_asked(db: impl PgExecutor<'_>, follower: &str) -> Result<()> {
    release(db, follower, "replay").await
}

async fn release(db: impl PgExecutor<'_>, follower: &str, which: &str) -> Result<()> {
    let sql = format!(
        "delete from parked_keys k where follower = $1 and {which} and not exists \
         (select from parked_events e where e.follower = k.follower and e.key = k.key)"
    );
    sqlx::query(&sql).bind(follower).execute(db).await?;
    Ok(())
}
