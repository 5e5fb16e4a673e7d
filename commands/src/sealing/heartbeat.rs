//! A head that stands still is signed again from time to time: a node that no longer seals is seen.

use super::{FOLLOWER, keys_of, tree};
use crate::{Commands, Result};
use projections::audit::newest;

/// After how long, in seconds.
const HEARTBEAT: f64 = 600.0;

/// Whether a head is the end of the log, and old, and the sealing goes on.
const DUE: &str = "select $3 < clock_timestamp() - make_interval(secs => $4) \
     and not exists (select from events where position > $2) \
     and exists (select from followers where name = $1 and stopped is null)";

impl Commands {
    /// Signs the newest head again when it has stood still for ten minutes. Whether it was time: not
    /// where events wait for their seal, or the sealing has stopped.
    ///
    /// Ed25519 signs the same text in the same way, so that only the time is another one; witnesses sign
    /// with theirs.
    pub async fn sign_again(&self) -> Result<bool> {
        let mut db = self.store().pool().begin().await?;
        let Some(newest) = newest(&mut *db).await? else { return Ok(false) };
        let due = sqlx::query_scalar(DUE).bind(FOLLOWER).bind(newest.size);
        if !due.bind(newest.signed_at).bind(HEARTBEAT).fetch_one(&mut *db).await? {
            return Ok(false);
        }
        let log = keys_of(&mut db).await?;
        tree(&mut db, &log, Some(&newest)).await?;
        self.keys().log.signing(&log.active)?;
        let sql = "update log_checkpoints set signed_at = clock_timestamp() where size = $1";
        sqlx::query(sql).bind(newest.size).execute(&mut *db).await?;
        db.commit().await?;
        Ok(true)
    }
}
