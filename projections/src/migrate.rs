//! Bringing a database to this program's shape: numbered, forward-only files for the log and what
//! lies beside it, and read tables folded anew where their shape or their folds have changed.

use crate::rebuild::{fold_version, live_version, rebuild};
use crate::{Error, Result};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

/// The files of `migrations/`.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Applies what is missing. Safe to run again, and beside others that do the same.
pub async fn migrate(db: &mut PgConnection) -> Result<()> {
    MIGRATIONS.run(&mut *db).await.map_err(|error| Error::Database(error.into()))?;
    if live_version(db).await?.as_deref() != Some(&fold_version()) {
        tracing::info!("folding the read tables");
        rebuild(db, |_, _| {}).await?;
    }
    Ok(())
}

/// Whether the database has this program's shape.
pub async fn is_current(db: &mut PgConnection) -> Result<bool> {
    let applied = sqlx::query_scalar("select max(version) from _sqlx_migrations where success");
    let there = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null");
    if !there.fetch_one(&mut *db).await? {
        return Ok(false);
    }
    let applied: Option<i64> = applied.fetch_one(&mut *db).await?;
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
    Ok(applied == newest && live_version(db).await?.as_deref() == Some(&fold_version()))
}
