//! What an auditor does with the sealed log: exports it, keeps proofs, verifies both.

use super::database::memory_or_disk;
use api::audit_export::{Exported, export};
use api::log_folder::LogFolder;
use domain::audit::proof::Plan;
use domain::audit::tlog_proof::TlogProof;
use projections::audit::{newest, tiles};
use projections::log;
use sqlx::PgConnection;
use std::path::Path;
use tempfile::TempDir;

/// A folder of his own.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("pms-audit-").tempdir_in(memory_or_disk()).unwrap()
}

/// Exports the log without personal data.
pub async fn exported(db: &mut PgConnection, folder: &Path) -> Exported {
    export(db, &LogFolder::at(folder), None, |_, _| {}).await.unwrap()
}

/// The proof about the event at a position under the newest head, with the entry in it.
pub async fn proof_of(db: &mut PgConnection, position: i64) -> TlogProof {
    let head = newest(&mut *db).await.unwrap().unwrap();
    let index = position.unsigned_abs() - 1;
    let plan = Plan::inclusion(index, head.size.unsigned_abs()).unwrap();
    let tiles = tiles(&mut *db, plan.tiles()).await.unwrap();
    let [row] = log::at(&mut *db, &[position]).await.unwrap().try_into().unwrap();
    TlogProof {
        extra: Some(row.stored().entry().into_bytes()),
        index,
        hashes: plan.hashes(&tiles).unwrap(),
        checkpoint: head.note().unwrap(),
    }
}
