//! What is driven by the clock and not by the log: one node's turn, again and again.

use super::{BEAT, Lease, this_node};
use crate::Result;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Work that comes round again, on one node at a time. It is not fenced: were two nodes at it for a
/// moment, both have to find the same done.
#[derive(Debug)]
pub struct Schedule {
    lease: Lease,
    every: Duration,
    due: Instant,
}

impl Schedule {
    /// Work that is due now, and then every so often.
    pub fn new(follower: &'static str, every: Duration) -> Self {
        Self { lease: Lease::new(follower, this_node()), every, due: Instant::now() }
    }

    /// Waits until it is this node's turn.
    pub async fn next(&mut self, pool: &PgPool) {
        let mut reported = false;
        loop {
            match self.lease.renew(pool).await {
                Ok(Some(_)) if self.due <= Instant::now() => break,
                Ok(_) => {}
                Err(problem) if !std::mem::replace(&mut reported, true) => {
                    warn!(%problem, "a lease cannot be renewed");
                }
                Err(_) => {}
            }
            sleep(BEAT).await;
        }
        self.due = Instant::now() + self.every;
    }

    /// Lets the work be due so much later, and not when it would be.
    pub fn again_in(&mut self, pause: Duration) {
        self.due = Instant::now() + pause;
    }

    /// Does the work, and keeps the lease meanwhile.
    pub async fn keep<T>(
        &mut self,
        pool: &PgPool,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.lease.keep(pool, work).await
    }
}
