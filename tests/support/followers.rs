//! A follower that copies the log into a table of its own database, and whatever can go wrong with
//! one.

use super::commands::Installation;
use super::database::TestDatabase;
use ::commands::follower::{AtFork, Effect, Follower, Lease, Turn, stream};
use ::commands::{Commands, Error, Result};
use futures::FutureExt as _;
use projections::log::LogRow;
use sqlx::PgConnection;
use std::sync::Arc;
use tokio::sync::Notify;

/// Its name.
pub const COPYIST: &str = "copyist";

/// What it writes, in the order in which it was written, and what it cannot copy.
const TABLES: &str = "
    create table copied (n bigserial primary key, position bigint not null);
    create table poison (position bigint primary key);
    grant select, insert on copied to pms_serve;
    grant usage on sequence copied_n_seq to pms_serve;
    grant select on poison to pms_serve;
    insert into followers (name, position) values ('copyist', 0)";

/// What a copyist is held up by, after it has written and before it is done.
#[derive(Default)]
pub struct Gate {
    /// It has come to the gate.
    pub reached: Notify,
    /// It may go on.
    pub open: Notify,
}

impl Installation {
    /// Makes room for a copyist.
    pub async fn with_copyist(self) -> Self {
        self.database.as_owner(TABLES).await;
        self
    }
}

/// A copyist whose events stay in order thing by thing.
pub fn copyist() -> Follower {
    let (key, effect) = (Some(stream as fn(&LogRow) -> String), copying(None));
    Follower { name: COPYIST, key, pace: None, at_fork: AtFork::GoBack, effect }
}

/// A copyist whose events stay in order, all of them.
pub fn copyist_without_keys() -> Follower {
    Follower { key: None, at_fork: AtFork::Stop, ..copyist() }
}

/// A copyist that is held up at a gate.
pub fn copyist_before(gate: &Arc<Gate>) -> Follower {
    Follower { effect: copying(Some(gate.clone())), ..copyist() }
}

fn copying(gate: Option<Arc<Gate>>) -> Effect {
    Box::new(move |db, events| copy(db, events, gate.clone()).boxed())
}

async fn copy(db: &mut PgConnection, events: &[&LogRow], gate: Option<Arc<Gate>>) -> Result<()> {
    for event in events {
        let sql = "insert into copied (position) values ($1) \
                   returning exists (select from poison where poison.position = copied.position)";
        let poison: bool = sqlx::query_scalar(sql).bind(event.position).fetch_one(&mut *db).await?;
        if poison {
            return Err(Error::fault("this cannot be copied"));
        }
    }
    if let Some(gate) = gate {
        gate.reached.notify_one();
        gate.open.notified().await;
    }
    Ok(())
}

/// Lets a node work until nothing is left.
pub async fn works(follower: &Follower, node: &Commands, lease: &mut Lease) {
    while follower.turn(node.store().pool(), lease).await.unwrap() == Turn::GoesOn {}
}

/// The lease of a node that did not have it before.
pub fn lease(holder: &str) -> Lease {
    Lease::new(COPYIST, holder)
}

impl TestDatabase {
    /// As if the time of every lease had gone by.
    pub async fn let_leases_run_out(&self) {
        self.as_owner("update followers set lease_until = '-infinity'").await;
    }

    /// Makes the event at a position poison.
    pub async fn poison(&self, position: i64) {
        self.as_owner(&format!("insert into poison values ({position})")).await;
    }

    /// What the copyist has copied, in that order.
    pub async fn copied(&self) -> Vec<i64> {
        self.ask("select coalesce(array_agg(position order by n), '{}') from copied").await
    }

    /// The positions of one thing's events.
    pub async fn positions_of(&self, id: &str) -> Vec<i64> {
        let sql = "select array_agg(position order by position) from events where aggregate_id =";
        self.ask(&format!("{sql} '{id}'")).await
    }

    /// How far the copyist is.
    pub async fn checkpoint(&self) -> i64 {
        self.ask("select position from followers where name = 'copyist'").await
    }
}
