//! A schema of read tables: made empty, filled with rows from memory, and dropped when nobody reads it
//! any more.

use crate::fold::save;
use crate::folded::{Folded, Progress, Step};
use crate::rebuild::fold_version;
use crate::{Result, TABLES, sbi};
use sqlx::{Connection as _, Executor as _, PgConnection};

/// How many rows are written by one statement.
const CHUNK: usize = 2_000;
/// How often a schema is tried to be dropped: with the pauses between them about a minute.
const TRIES: usize = 300;

/// What the serving role may do with the tables of a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rights {
    /// Everything that an appender does with them.
    Write,
    /// Look at them.
    Read,
}

/// Makes a schema of empty tables. Their indexes come with their rows.
pub(crate) async fn create(db: &mut PgConnection, schema: &str, rights: Rights) -> Result<()> {
    let mut all = db.begin().await?;
    all.execute(&*format!("create schema {schema}; set local search_path to {schema}")).await?;
    all.execute("create table fold_version (version text not null)").await?;
    let version = sqlx::query("insert into fold_version values ($1)").bind(fold_version());
    version.execute(&mut *all).await?;
    for table in TABLES {
        all.execute(parts(table.ddl).0).await?;
    }
    let granted = match rights {
        Rights::Write => "select, insert, update, delete",
        Rights::Read => "select",
    };
    let rights = format!(
        "grant usage on schema {schema} to pms_serve; \
         grant {granted} on all tables in schema {schema} to pms_serve; \
         revoke insert, update, delete on fold_version from pms_serve;"
    );
    all.execute(&*rights).await?;
    all.commit().await?;
    Ok(())
}

/// Fills a schema of empty tables. Indexes are made afterwards, which halves the time, and what
/// PostgreSQL has to know of the rows for its plans is gathered at once.
pub(crate) async fn fill(
    db: &mut PgConnection,
    schema: &str,
    folded: Folded,
    progress: &mut impl FnMut(Progress),
) -> Result<()> {
    let (all, mut done) = (folded.count(), 0);
    for (table, rows) in folded.tables {
        let mut rows = rows.take();
        loop {
            let chunk = rows.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                break;
            }
            done += i64::try_from(chunk.len()).unwrap_or_default();
            save(db, schema, table.name, chunk).await?;
            progress(Progress { step: Step::Rows, done, all });
        }
    }
    index(db, schema, progress).await?;
    sbi::count_devices(db, schema, None).await?;
    for table in TABLES {
        db.execute(&*format!("vacuum (analyze) {schema}.{}", table.name)).await?;
    }
    Ok(())
}

async fn index(
    db: &mut PgConnection,
    schema: &str,
    progress: &mut impl FnMut(Progress),
) -> Result<()> {
    let trigrams =
        "select extnamespace::regnamespace::text from pg_extension where extname = 'pg_trgm'";
    let trigrams: String = sqlx::query_scalar(trigrams).fetch_one(&mut *db).await?;
    let mut all = db.begin().await?;
    all.execute(&*format!("set local search_path to {schema}, {trigrams}")).await?;
    let count = i64::try_from(TABLES.len()).unwrap_or_default();
    for (table, done) in TABLES.iter().zip(1..) {
        all.execute(parts(table.ddl).1).await?;
        progress(Progress { step: Step::Index, done, all: count });
    }
    all.commit().await?;
    Ok(())
}

/// A table, and its indexes.
fn parts(ddl: &str) -> (&str, &str) {
    ddl.split_at(ddl.find("create index").unwrap_or(ddl.len()))
}

/// Drops a schema as soon as nobody reads it; `false` when somebody still does after a minute.
///
/// Whoever reads two tables holds the first while it asks for the second, so a drop that waits for
/// the first with the second in hand would end in a deadlock, and with it a request. This one gives
/// everything back long before PostgreSQL looks for deadlocks (`deadlock_timeout`, a second).
pub(crate) async fn discard(db: &mut PgConnection, schema: &str) -> Result<bool> {
    let sql = format!("set local lock_timeout = '100ms'; drop schema if exists {schema} cascade");
    for _ in 0..TRIES {
        let mut all = db.begin().await?;
        match all.execute(&*sql).await {
            Ok(_) => {
                all.commit().await?;
                return Ok(true);
            }
            Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() == Some("55P03") => {
                all.rollback().await?;
                db.execute("select pg_sleep(0.1)").await?;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(false)
}
