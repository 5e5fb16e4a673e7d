//! Whether the log still is what was sealed, all of it: once a day on the node that has the lease, first
//! when it gets it.

use super::FOLLOWER;
use crate::follower::Schedule;
use crate::{Commands, Result};
use projections::audit::{Change, first_change};
use std::error::Error;
use std::time::Duration;
use tracing::{error, info, warn};

const EVERY: Duration = Duration::from_hours(24);
/// After a failure.
const AGAIN: Duration = Duration::from_mins(1);

impl Commands {
    /// Compares the log with what was sealed, for ever and while it is this node's turn.
    pub async fn examine_from_time_to_time(&self) {
        let mut schedule = Schedule::new("examination", EVERY);
        let pool = self.store().pool();
        loop {
            schedule.next(pool).await;
            match schedule.keep(pool, self.examine()).await {
                Ok(None) => info!("the log is what was sealed"),
                Ok(Some(_)) => {}
                Err(problem) => {
                    warn!(problem = &problem as &dyn Error, "the log was not examined");
                    schedule.again_in(AGAIN);
                }
            }
        }
    }

    /// Compares the whole log with what was sealed. A difference is an alarm, and nothing is signed any
    /// more: the first one.
    pub async fn examine(&self) -> Result<Option<Change>> {
        let mut db = self.store().pool().acquire().await?;
        let Some(change) = first_change(&mut db).await? else { return Ok(None) };
        error!(%change, "THE LOG WAS CHANGED past this program, first here; nothing is signed any more");
        let stop = "update followers set stopped = 'LOG_CHANGED' where name = $1";
        sqlx::query(stop).bind(FOLLOWER).execute(&mut *db).await?;
        Ok(Some(change))
    }
}
