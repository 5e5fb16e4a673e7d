//! Making the read tables anew from the log, beside the live ones, without downtime.

use crate::fold::project;
use crate::folded::{Folded, PAGE};
use crate::log::{APPEND_LOCK, after, head};
use crate::read_schema::{Rights, create, discard, fill};
use crate::{Error, READ, Result, TABLES};
use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, PgExecutor};
use std::sync::LazyLock;

pub use crate::folded::{Progress, Step};

/// Raise by hand when a fold changes its meaning without its table changing its shape.
const FOLDS: &str = "3";
/// What is being built.
const NEXT: &str = "read_next";
/// What was live before.
const LAST: &str = "read_last";
/// The advisory lock of whoever changes the shape of the database.
const SHAPE_LOCK: i64 = 0x706d_735f_7368_6170; // "pms_shap"
/// So few events are folded while nobody can append.
const FEW: usize = 100;

/// Names the folds of this program: two programs with the same version make the same rows. An
/// appender that finds another one in the live schema stops.
pub fn fold_version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut context = Context::new(&SHA256);
        context.update(FOLDS.as_bytes());
        for table in TABLES {
            context.update(table.ddl.as_bytes());
        }
        hex::encode(&context.finish().as_ref()[..16])
    });
    &VERSION // asked for by every batch
}

/// The fold version of the live schema; `None` where there is no such schema yet.
pub async fn live_version(db: &mut PgConnection) -> Result<Option<String>> {
    let there: bool = sqlx::query_scalar("select to_regclass('read.fold_version') is not null")
        .fetch_one(&mut *db)
        .await?;
    if !there {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("select version from read.fold_version").fetch_optional(db).await?)
}

/// Folds the whole log in memory, writes the next schema beside the live one, catches up and swaps
/// under the append lock. Nobody who reads waits for anything, and commands wait only for the last
/// step. Whatever ends it before that leaves the live tables as they are, and the next one starts
/// anew.
pub async fn rebuild(db: &mut PgConnection, progress: impl FnMut(Progress)) -> Result<()> {
    alone(db).await?;
    let rebuilt = rebuild_alone(db, progress).await;
    let _ = not_alone(db).await; // a broken connection has given the lock back already
    rebuilt
}

/// Waits until nobody else migrates, rebuilds or verifies this database.
pub(crate) async fn alone(db: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_lock($1)").bind(SHAPE_LOCK).execute(db).await?;
    Ok(())
}

/// Lets others do so.
pub(crate) async fn not_alone(db: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_unlock($1)").bind(SHAPE_LOCK).execute(db).await?;
    Ok(())
}

pub(crate) async fn rebuild_alone(
    db: &mut PgConnection,
    mut progress: impl FnMut(Progress),
) -> Result<()> {
    for left_behind in [NEXT, LAST] {
        if !discard(db, left_behind).await? {
            let why = format!("somebody reads the tables of {left_behind} all the time");
            return Err(Error::Unreadable(why));
        }
    }
    create(db, NEXT, Rights::Write).await?;
    let head = head(&mut *db).await?;
    let folded = Folded::up_to(db, head, &mut progress).await?;
    fill(db, NEXT, folded, &mut progress).await?;
    let position = catch_up(db, head).await?;
    swap(db, position).await?;
    if !discard(db, LAST).await? {
        tracing::warn!("somebody still reads the tables from before: the next rebuild drops them");
    }
    Ok(())
}

/// Folds what has come meanwhile into the next schema, until little is left; up to where.
async fn catch_up(db: &mut PgConnection, mut position: i64) -> Result<i64> {
    loop {
        let mut page = db.begin().await?;
        let late = after(&mut *page, position, PAGE).await?;
        project(&mut page, NEXT, &late).await?;
        page.commit().await?;
        position = late.last().map_or(position, |event| event.position);
        if late.len() < FEW {
            return Ok(position);
        }
    }
}

/// Nothing is appended while the last events are folded and the schemas get their names. A name is
/// all that changes hands: renaming waits for nobody who reads, and nobody who reads waits for it.
/// Whoever has begun goes on with the tables that were live then.
async fn swap(db: &mut PgConnection, mut position: i64) -> Result<()> {
    let mut swap = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *swap).await?;
    loop {
        let late = after(&mut *swap, position, PAGE).await?;
        let Some(last) = late.last() else { break };
        position = last.position;
        project(&mut swap, NEXT, &late).await?;
    }
    let there = format!("select to_regnamespace('{READ}') is not null");
    if sqlx::query_scalar(&there).fetch_one(&mut *swap).await? {
        swap.execute(&*format!("alter schema {READ} rename to {LAST}")).await?;
    }
    swap.execute(&*format!("alter schema {NEXT} rename to {READ}")).await?;
    swap.commit().await?;
    Ok(())
}

/// Names the tables that a connection reads. A transaction that looks at one instant in several
/// statements asks for it before them and after them: names are looked up anew by each, so after a
/// swap between them it would look for the past in tables that have none.
pub(crate) async fn generation(db: impl PgExecutor<'_>) -> Result<Option<i64>> {
    let sql = "select to_regclass('fold_version')::oid::bigint";
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// Every row of every read table as JSON text, in order: two systems with equal dumps are equal.
pub async fn dump(db: impl PgExecutor<'_> + Copy) -> Result<Vec<(&'static str, Vec<Value>)>> {
    dump_of(db, READ).await
}

/// The same of the read tables in another schema.
pub async fn dump_of(
    db: impl PgExecutor<'_> + Copy,
    schema: &str,
) -> Result<Vec<(&'static str, Vec<Value>)>> {
    let mut tables = Vec::new();
    for table in TABLES {
        let sql = format!("select to_jsonb(t) from {schema}.{} t order by id", table.name);
        let rows = sqlx::query_scalar(&sql).fetch_all(db).await.map_err(Error::from)?;
        tables.push((table.name, rows));
    }
    Ok(tables)
}
