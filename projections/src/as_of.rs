//! The whole system as it was at a point in the past: a schema of read tables folded up to there,
//! beside the live ones. In it a view called `events` hides what came later from whoever reads the
//! log by that name, and one called `log_epochs` does the same.
//!
//! The schema belongs to the connection that made it and is dropped with [`close`]. One whose
//! connection has ended is swept away by the next.

use crate::folded::{Folded, Progress};
use crate::log::{APPEND_LOCK, Until};
use crate::read_schema::{Rights, create, discard, fill};
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use domain::Finding;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The last event that is seen.
    pub position: i64,
    /// The instant that is now: the one that was asked for, or that of the last event.
    pub at: DateTime<Utc>,
}

/// The past, ready to be read.
#[derive(Debug, Clone)]
pub struct Past {
    /// Where its tables are: see [`crate::reading`].
    pub schema: String,
    /// Which past.
    pub point: Point,
}

/// Folds the log up to a point, on a connection of the owner that has to live as long as the schema
/// is read. Refused with `POSITION_BEYOND_LOG`, `BEFORE_THE_LOG` and `IN_THE_FUTURE`.
pub async fn open(
    db: &mut PgConnection,
    until: Until,
    mut progress: impl FnMut(Progress),
) -> Result<Past> {
    sweep(db).await?;
    let point = point(db, until).await?;
    let sql = "select 'as_of_' || $1 || '_' || substr(md5(random()::text), 1, 8)";
    let schema: String =
        sqlx::query_scalar(sql).bind(point.position.to_string()).fetch_one(&mut *db).await?;
    let sql = "select pg_advisory_lock(hashtextextended($1, 0))";
    sqlx::query(sql).bind(&schema).execute(&mut *db).await?;
    let past = Past { schema, point };
    let made = make(db, &past, &mut progress).await;
    if made.is_err() {
        let _ = close(db, &past).await; // what is wrong was told; the next one sweeps
    }
    made.map(|()| past)
}

/// Drops the tables of the past. Nobody should read them any more.
pub async fn close(db: &mut PgConnection, past: &Past) -> Result<()> {
    discard(db, &past.schema).await?;
    Ok(())
}

async fn make(
    db: &mut PgConnection,
    Past { schema, point }: &Past,
    progress: &mut impl FnMut(Progress),
) -> Result<()> {
    create(db, schema, Rights::Read).await?;
    let position = point.position;
    let folded = Folded::up_to(db, position, progress).await?;
    fill(db, schema, folded, progress).await?;
    let views = format!(
        "create view {schema}.events as select * from public.events where position <= {position}; \
         create view {schema}.log_epochs as \
           select * from public.log_epochs where from_position <= {position}; \
         grant select on {schema}.events, {schema}.log_epochs to pms_serve"
    );
    db.execute(&*views).await?;
    Ok(())
}

/// Looks for a point under the append lock: nothing can get a time before it afterwards.
async fn point(db: &mut PgConnection, until: Until) -> Result<Point> {
    let mut look = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *look).await?;
    let found: Option<(i64, DateTime<Utc>)> = match until {
        Until::Position(position) => {
            let sql = "select position, recorded_at from events where position = $1";
            sqlx::query_as(sql).bind(position).fetch_optional(&mut *look).await?
        }
        Until::Time(time) => {
            let sql = "select position, $1 from events where recorded_at <= $1 \
                       order by recorded_at desc, position desc limit 1";
            sqlx::query_as(sql).bind(time).fetch_optional(&mut *look).await?
        }
    };
    let (head, clock): (i64, DateTime<Utc>) =
        sqlx::query_as("select coalesce(max(position), 0), clock_timestamp() from events")
            .fetch_one(&mut *look)
            .await?;
    look.commit().await?;
    if matches!(until, Until::Time(time) if time > clock) {
        return refused("IN_THE_FUTURE", format!("This is still to come: it is {clock} now."));
    }
    match (found, until) {
        (Some((position, at)), _) => Ok(Point { position, at }),
        (None, Until::Position(_)) => {
            refused("POSITION_BEYOND_LOG", format!("The log has the positions 1 to {head}."))
        }
        (None, Until::Time(_)) => {
            refused("BEFORE_THE_LOG", "Nothing had happened by then.".to_owned())
        }
    }
}

fn refused<T>(code: &'static str, message: String) -> Result<T> {
    Err(Error::Refused(vec![Finding::new(code, "asOf", message)]))
}

/// Drops what those left behind whose connections have ended.
async fn sweep(db: &mut PgConnection) -> Result<()> {
    let left = "select nspname::text from pg_namespace \
                where nspname ~ '^as_of_[0-9]+_[0-9a-f]{8}$' order by nspname";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(&mut *db).await?;
    for schema in left {
        let sql = "select pg_try_advisory_lock(hashtextextended($1, 0))";
        if sqlx::query_scalar(sql).bind(&schema).fetch_one(&mut *db).await? {
            discard(db, &schema).await?;
            let sql = "select pg_advisory_unlock(hashtextextended($1, 0))";
            sqlx::query(sql).bind(&schema).execute(&mut *db).await?;
        }
    }
    Ok(())
}
