//! Making the read tables anew from the log, beside the live ones, without downtime.

use crate::fold::{Rows, project, save};
use crate::log::{APPEND_LOCK, LogRow, after, head};
use crate::{Error, READ, Result, TABLES};
use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, PgExecutor};
use std::sync::LazyLock;

/// Raise by hand when a fold changes its meaning without its table changing its shape.
const FOLDS: &str = "3";
const NEXT: &str = "read_next";
/// The advisory lock of whoever changes the shape of the database.
const SHAPE_LOCK: i64 = 0x706d_735f_7368_6170; // "pms_shap"
const PAGE: i64 = 5_000;
const CHUNK: usize = 2_000;

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
/// under the append lock. Requests are served meanwhile; commands wait only for the last step.
/// `progress` hears how many events of how many are folded.
pub async fn rebuild(db: &mut PgConnection, progress: impl FnMut(i64, i64)) -> Result<()> {
    alone(db).await?;
    let rebuilt = rebuild_alone(db, progress).await;
    let _ = not_alone(db).await; // a broken connection has given the lock back already
    rebuilt
}

/// Waits until nobody else migrates or rebuilds this database.
pub(crate) async fn alone(db: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_lock($1)").bind(SHAPE_LOCK).execute(db).await?;
    Ok(())
}

/// Lets others migrate or rebuild.
pub(crate) async fn not_alone(db: &mut PgConnection) -> Result<()> {
    sqlx::query("select pg_advisory_unlock($1)").bind(SHAPE_LOCK).execute(db).await?;
    Ok(())
}

pub(crate) async fn rebuild_alone(
    db: &mut PgConnection,
    mut progress: impl FnMut(i64, i64),
) -> Result<()> {
    create_schema(db, NEXT).await?;
    let mut folded = Folded::default();
    let end = head(&mut *db).await?;
    while folded.position < end {
        folded.advance(db).await?;
        progress(folded.position.min(end), end);
    }
    let mut position = folded.position;
    folded.write(db, NEXT).await?;
    let mut swap = db.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *swap).await?;
    loop {
        let late = after(&mut *swap, position, PAGE).await?;
        let Some(last) = late.last() else { break };
        position = last.position;
        project(&mut swap, NEXT, &late).await?;
    }
    swap.execute(&*format!(
        "drop schema if exists {READ} cascade; alter schema {NEXT} rename to {READ}"
    ))
    .await?;
    swap.commit().await?;
    Ok(())
}

/// An empty set of read tables, open to the serving role.
async fn create_schema(db: &mut PgConnection, schema: &str) -> Result<()> {
    let mut all = db.begin().await?;
    let trigrams =
        "select extnamespace::regnamespace::text from pg_extension where extname = 'pg_trgm'";
    let trigrams: String = sqlx::query_scalar(trigrams).fetch_one(&mut *all).await?;
    let head = format!(
        "drop schema if exists {schema} cascade; create schema {schema}; \
         set local search_path to {schema}, {trigrams}; \
         create table fold_version (version text not null);"
    );
    all.execute(&*head).await?;
    for table in TABLES {
        all.execute(table.ddl).await?;
    }
    sqlx::query("insert into fold_version values ($1)")
        .bind(fold_version())
        .execute(&mut *all)
        .await?;
    let rights = format!(
        "grant usage on schema {schema} to pms_serve; \
         grant select, insert, update, delete on all tables in schema {schema} to pms_serve; \
         revoke insert, update, delete on fold_version from pms_serve;"
    );
    all.execute(&*rights).await?;
    all.commit().await?;
    Ok(())
}

/// The whole system in memory, as of a position.
struct Folded {
    position: i64,
    tables: Vec<(&'static str, Box<dyn Rows>)>,
}

impl Default for Folded {
    fn default() -> Self {
        let tables = TABLES.iter().map(|table| (table.name, table.empty())).collect();
        Self { position: 0, tables }
    }
}

impl Folded {
    /// Folds the next page.
    async fn advance(&mut self, db: &mut PgConnection) -> Result<()> {
        let page = after(&mut *db, self.position, PAGE).await?;
        page.iter().try_for_each(|event| self.fold(event))
    }

    fn fold(&mut self, event: &LogRow) -> Result<()> {
        let table = self.tables.iter_mut().find(|(name, _)| *name == event.aggregate_type);
        if let Some((_, rows)) = table {
            rows.fold(event)?;
        }
        self.position = event.position;
        Ok(())
    }

    async fn write(self, db: &mut PgConnection, schema: &str) -> Result<()> {
        for (name, rows) in self.tables {
            for chunk in rows.take()?.chunks(CHUNK) {
                save(db, schema, name, chunk.to_vec()).await?;
            }
        }
        crate::sbi::count_devices(db, schema, None).await
    }
}

/// Every row of every read table as JSON text, in order: two systems with equal dumps are equal.
pub async fn dump(db: impl PgExecutor<'_> + Copy) -> Result<Vec<(&'static str, Vec<Value>)>> {
    let mut tables = Vec::new();
    for table in TABLES {
        let sql = format!("select to_jsonb(t) from {READ}.{} t order by id", table.name);
        let rows = sqlx::query_scalar(&sql).fetch_all(db).await.map_err(Error::from)?;
        tables.push((table.name, rows));
    }
    Ok(tables)
}
