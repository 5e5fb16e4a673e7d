//! Trying again what is parked. It is no event: nothing that the log tells has happened by it, and
//! a copy of the log in another place has other followers with other troubles.

use crate::sealing;
use crate::{Commands, Error, Request, Result};
use async_graphql::InputObject;
use domain::actor::Operation;
use tracing::info;

/// Lets a follower try again, in order, what it has parked, and go on where it has stopped.
#[derive(Debug, Clone, InputObject)]
#[graphql(name = "ReplayParkedInput")]
pub struct ReplayParked {
    /// The follower's name.
    pub follower: String,
    /// Which of its parked keys, such as `api_key/01a2…`; all of them, and a follower that has
    /// stopped goes on, when absent.
    pub key: Option<String>,
}

impl Commands {
    /// Asks whoever works for the follower to try again with its next turn. Repeating it, and a key
    /// that is not parked, change nothing. Refused with `LOG_CHANGED` is to seal a log that is not what
    /// was sealed; it is read for that, all of it.
    pub async fn replay_parked(&self, request: &Request, input: &ReplayParked) -> Result<()> {
        if !request.actor.may_on_any(Operation::ReplayParked) {
            return Err(Error::Forbidden);
        }
        let ReplayParked { follower, key } = input;
        if follower == sealing::FOLLOWER && self.examine().await?.is_some() {
            let message = "The log is not what was sealed: `pms doctor` says where.";
            return Err(Error::refused("LOG_CHANGED", "follower", message));
        }
        let mut db = self.store().pool().begin().await?; // rows are locked in the order of a turn
        let sql =
            "update parked_keys set replay = true where follower = $1 and key = coalesce($2, key)";
        let asked = sqlx::query(sql).bind(follower).bind(key).execute(&mut *db).await?;
        let sql = "update followers set stopped = case when $2::text is null then null else stopped end \
                   where name = $1";
        let known = sqlx::query(sql).bind(follower).bind(key).execute(&mut *db).await?;
        if known.rows_affected() == 0 {
            let message = "There is no such follower.";
            return Err(Error::refused("FOLLOWER_NOT_FOUND", "follower", message));
        }
        db.commit().await?;
        let keys = asked.rows_affected();
        let correlation_id = &request.correlation_id;
        info!(follower, keys, correlation_id, "parked keys are to be tried again");
        Ok(())
    }
}
