//! Bringing a database to this program's shape: numbered, forward-only files for the log and what
//! lies beside it, and read tables folded anew where their shape or their folds have changed.

use crate::private_rows;
use crate::rebuild::{alone, fold_version, live_version, not_alone, rebuild_alone};
use crate::{Error, Result};
use sqlx::migrate::Migrator;
use sqlx::{Executor as _, PgConnection};

/// The files of `migrations/`.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Applies what is missing. Safe to run again, and beside others that do the same: they wait.
pub async fn migrate(db: &mut PgConnection) -> Result<()> {
    alone(db).await?;
    let migrated = migrate_alone(db).await;
    let _ = not_alone(db).await; // a broken connection has given the lock back already
    migrated
}

async fn migrate_alone(db: &mut PgConnection) -> Result<()> {
    MIGRATIONS.run(&mut *db).await.map_err(|error| Error::Database(error.into()))?;
    db.execute("grant select on _sqlx_migrations to pms_serve").await?; // for `is_current`
    if live_version(db).await?.as_deref() != Some(fold_version()) {
        tracing::info!("folding the read tables");
        rebuild_alone(db, |_| {}).await?;
    }
    let erased = private_rows::erase_all(db).await?; // a restore may have brought something back
    if !erased.is_nothing() {
        tracing::warn!(?erased, "what the log says is erased was there, and was destroyed again");
    }
    Ok(())
}

/// Whether the database has this program's shape.
pub async fn is_current(db: &mut PgConnection) -> Result<bool> {
    let there = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null");
    if !there.fetch_one(&mut *db).await? {
        return Ok(false);
    }
    let applied = sqlx::query_scalar("select max(version) from _sqlx_migrations where success");
    let applied: Option<i64> = applied.fetch_one(&mut *db).await?;
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    Ok(applied == newest && live_version(db).await?.as_deref() == Some(fold_version()))
}
