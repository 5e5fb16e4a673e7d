//! What reacts to the log or to the clock, on one node at a time.
//!
//! A [`Follower`] reads `position > checkpoint` in order. Positions have no gaps and appear in order,
//! so it misses nothing. Its effect and its checkpoint are one transaction, which only the holder of
//! the [`Lease`] can commit; what leaves the database in between is sent at least once.
//!
//! An event whose effect fails for good is poison: its key is parked, what follows under this key
//! waits behind it in order, and everything else goes on. A follower without keys stops instead.
//! What is driven by the clock has a [`Schedule`] under a lease of the same kind.

mod lease;
mod parking;
mod replay;
mod schedule;
mod turn;

pub(crate) use parking::{park, release_asked};

pub use lease::{Checkpoint, Lease};
pub use replay::ReplayParked;
pub use schedule::Schedule;

use crate::event_store::{EventStore, Health};
use crate::{Error, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use projections::log::LogRow;
use sqlx::PgConnection;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// How often a node asks for the lease and, having it, for what other nodes have written.
pub const BEAT: Duration = Duration::from_millis(500);

/// Something that follows the log. Its row in `followers` comes with a migration.
pub struct Follower {
    /// Its name in `followers`, in metrics and for operators.
    pub name: &'static str,
    /// What has to stay in order among itself, mostly [`stream`]; `None`: all of it.
    pub key: Option<fn(&LogRow) -> String>,
    /// How long it rests when nothing is left; `None`: until the node's appender or a [`BEAT`] wakes it.
    pub pace: Option<Duration>,
    /// What it does when another server has gone on with the log.
    pub at_fork: AtFork,
    /// What it does with events.
    pub effect: Effect,
}

/// The effect of events, in order, none of which is parked.
///
/// What it writes through the connection is committed with the checkpoint, or not at all. What it
/// does elsewhere can happen again after a failure: there [`domain::log_entry::StoredEvent::leaf_hash`]
/// names an event, the same each time; and it may wait there for a minute at most, then the database
/// ends the transaction. `Unavailable`, `OutcomeUnknown` and `Conflict` pass by
/// themselves and are tried again; any other error is poison.
pub type Effect = Box<
    dyn for<'a> Fn(&'a mut PgConnection, &'a [&'a LogRow]) -> BoxFuture<'a, Result<()>>
        + Send
        + Sync,
>;

/// What a follower does when another server has gone on with the log (a raised epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtFork {
    /// It stops where it is, and an operator lets it go on from there.
    Stop,
    /// It goes back to the fork, and does again what was written anew.
    GoBack,
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Another node has the lease.
    Away,
    /// Nothing is left, or it has stopped.
    Rests,
    /// There may be more.
    GoesOn,
}

impl Follower {
    /// Follows the log, as long as it runs. The node's appender wakes it, unless it has a pace; a look
    /// every [`BEAT`] finds what other nodes have written.
    pub async fn run(&self, store: &EventStore) {
        let mut lease = Lease::new(self.name, this_node());
        let mut health = store.health();
        let mut reported = false;
        loop {
            match self.turn(store.pool(), &mut lease).await {
                Ok(Turn::GoesOn) => reported = false,
                Ok(Turn::Away | Turn::Rests) => {
                    reported = false;
                    self.rest(&mut health).await;
                }
                Err(problem) => {
                    if !std::mem::replace(&mut reported, true) {
                        let follower = self.name;
                        warn!(follower, problem = &problem as &dyn StdError, "a follower waits");
                    }
                    sleep(BEAT).await;
                }
            }
        }
    }
}

impl Follower {
    async fn rest(&self, health: &mut watch::Receiver<Health>) {
        if let Some(pace) = self.pace {
            sleep(pace).await;
        } else if let Ok(Err(_)) = timeout(BEAT, health.changed()).await {
            sleep(BEAT).await; // the appender has ended
        }
    }
}

/// The usual key: the events of one thing stay in order.
pub fn stream(event: &LogRow) -> String {
    format!("{}/{}", event.aggregate_type, event.aggregate_id)
}

/// Why an error is poison: a code. `None` for what passes by itself.
pub(crate) fn poison(problem: &Error) -> Option<&'static str> {
    match problem {
        Error::Unavailable | Error::OutcomeUnknown | Error::Conflict => None,
        Error::Refused(findings) => Some(findings.first().map_or("REFUSED", |it| it.code)),
        Error::Forbidden => Some("FORBIDDEN"),
        Error::Fault(_) => Some("INTERNAL_ERROR"),
    }
}

/// A panic is a fault of what was done, and of nothing else.
pub(crate) async fn unharmed<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Error::fault("a panic")))
}

/// What people know this node by: its host and its process.
pub fn this_node() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}/{}", host.trim(), std::process::id())
}
