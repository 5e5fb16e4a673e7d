//! A head that stands still is signed again from time to time: a node that no longer seals is seen.

use super::{changed, keys_of, tree};
use crate::{Commands, Result, now};
use projections::audit::newest;

/// After how long, in seconds.
const HEARTBEAT: f64 = 600.0;

impl Commands {
    /// Signs the newest head again when it has stood still for ten minutes, with the keys that sign by
    /// now. Whether it was time.
    pub async fn sign_again(&self) -> Result<bool> {
        let mut db = self.store().pool().begin().await?;
        let Some(newest) = newest(&mut *db).await? else { return Ok(false) };
        let due = "select $1 < clock_timestamp() - make_interval(secs => $2)";
        let due = sqlx::query_scalar(due).bind(newest.signed_at).bind(HEARTBEAT);
        if !due.fetch_one(&mut *db).await? {
            return Ok(false);
        }
        let log = keys_of(&mut db).await?;
        tree(&mut db, &log, newest.size).await?;
        let mut note = newest.note()?;
        if newest.checkpoint()?.origin != log.origin() {
            return Ok(false); // the event that renamed the log is about to be sealed
        }
        for key in self.keys().log.signing(&log.active)? {
            if note.signature_of(key.verifier()).map_err(|_| changed())?.is_none() {
                note.sign(&key, now());
            }
        }
        let sql = "update log_checkpoints set note = $2, signed_at = clock_timestamp() \
                   where size = $1 and note = $3";
        let signed = sqlx::query(sql).bind(newest.size).bind(note.to_string()).bind(&newest.note);
        signed.execute(&mut *db).await?;
        db.commit().await?;
        Ok(true)
    }
}
