//! The epochs of the log: which server wrote which stretch of it.
//!
//! After a failover or a restore the same position can have other content. A server is told by its
//! system identifier, its timeline and the oid of `events`, so that a promoted standby, a recovery to
//! a point in time and a dump that was put back are all noticed, wherever they happen. A copy of the
//! data folder is not: nothing in it differs. That one is raised by hand.

use crate::Result;
use projections::log::{APPEND_LOCK, Extent};
use sqlx::{Connection as _, PgConnection};

/// Who writes here, and who wrote last.
const SERVER: &str = "server as (\
       select (select system_identifier::text from pg_control_system()) as system_identifier, \
              substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline, \
              'events'::regclass::oid as log_oid), \
     last as (select * from log_epochs order by epoch desc limit 1)";
const NEXT: &str = "insert into log_epochs \
     (epoch, system_identifier, timeline, log_oid, from_position, since) \
     select coalesce((select epoch from last), 0) + 1, system_identifier, timeline, log_oid";

/// The epoch of the log under its lock; raised when another server goes on with it.
pub(super) async fn adopt(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let sql = format!(
        "with {SERVER}, next as ({NEXT}, \
           coalesce((select max(position) from events), 0) + 1, clock_timestamp() \
           from server where not exists (select from last \
             where (last.system_identifier, last.timeline, last.log_oid) \
                 = (server.system_identifier, server.timeline, server.log_oid)) \
           returning epoch) \
         select coalesce((select epoch from next), (select epoch from last))"
    );
    sqlx::query_scalar(&sql).fetch_one(db).await
}

/// Raises the epoch by hand: from `from` on, or else after the last event, positions may have other
/// content than somebody has read there. How far the log reaches then.
pub async fn raise_epoch(db: &mut PgConnection, from: Option<i64>) -> Result<Extent> {
    let mut raise = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *raise).await?;
    let sql = format!(
        "with {SERVER}, head as (select coalesce(max(position), 0) as head from events) \
         {NEXT}, least($1, head + 1), clock_timestamp() from server, head \
         returning (select head from head), epoch"
    );
    let extent = sqlx::query_as(&sql).bind(from).fetch_one(&mut *raise).await?;
    raise.commit().await?;
    Ok(extent)
}
