//! What is kept for a while only.

use crate::follower::Schedule;
use crate::{Commands, Result};
use std::time::Duration;
use tracing::warn;

/// How often old rows are removed.
const EVERY: Duration = Duration::from_hours(1);

/// Removes what has expired, a table each.
const EXPIRED: [&str; 3] = [
    "delete from idempotency_keys where created_at < clock_timestamp() - interval '30 days'",
    "delete from request_log where at < clock_timestamp() - interval '90 days'",
    "delete from refused_attempts where at < clock_timestamp() - interval '90 days'",
];

impl Commands {
    /// Removes idempotency keys after 30 days, origins of requests and refused attempts after 90, for
    /// ever and while it is this node's turn.
    pub async fn forget_what_has_expired(&self) {
        let mut schedule = Schedule::new("retention", EVERY);
        let pool = self.store().pool();
        loop {
            schedule.next(pool).await;
            if let Err(problem) = schedule.keep(pool, self.forget()).await {
                warn!(%problem, "old rows were not removed");
            }
        }
    }

    /// Removes what the log says is erased, and what has expired by now. What cannot be done keeps
    /// nothing else from it; the first fault is told.
    pub async fn forget(&self) -> Result<()> {
        let mut done = self.erase_what_the_log_says().await.map(drop);
        for expired in EXPIRED {
            let removed = sqlx::query(expired).execute(self.store().pool()).await;
            done = done.and(removed.map(drop).map_err(Into::into));
        }
        done
    }

    /// Remembers where a request came from, beside the log: both are personal.
    pub async fn remember_origin(
        &self,
        request: &crate::Request,
        client_address: &str,
        user_agent: &str,
    ) -> Result<()> {
        let sql = "insert into request_log (request_id, client_address, user_agent, at) \
                   values ($1, $2, left($3, 512), clock_timestamp())";
        let query = sqlx::query(sql).bind(request.request_id).bind(client_address);
        query.bind(user_agent).execute(self.store().pool()).await?;
        Ok(())
    }
}
