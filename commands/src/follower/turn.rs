//! One turn of a follower: a batch of events, their effect and the checkpoint, in one transaction.

use super::lease::{Checkpoint, Lease};
use super::{AtFork, Follower, Turn, parking, poison, unharmed};
use crate::Result;
use projections::log::{LogRow, after, fork, head};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use std::collections::BTreeSet;
use std::error::Error;
use std::slice::from_ref;
use tracing::{error, warn};

/// How many events are worked off in one transaction.
const BATCH: u16 = 500;
/// A node that freezes within a transaction gives back what it has locked.
const GIVE_BACK: &str = "set local idle_in_transaction_session_timeout = '60s'";

/// Why a follower stops, beside the codes of what is poison.
const LOG_FORKED: &str = "LOG_FORKED";

/// An event on its way: its key, if the follower has keys.
type Keyed<'a> = (Option<String>, &'a LogRow);

/// The log's epoch, and the first position that was written anew since the checkpoint: by another
/// server, or because the log has lost its end in a restore.
async fn forked(
    db: &mut PgConnection,
    before: &Checkpoint,
    at_end: bool,
) -> Result<(i64, Option<i64>)> {
    let (epoch, from) = fork(&mut *db, before.log_epoch, i64::MAX).await?;
    let from = from.filter(|_| before.log_epoch > 0);
    if from.is_some() || !at_end {
        return Ok((epoch, from));
    }
    let head = head(db).await?;
    Ok((epoch, (head < before.position).then_some(head + 1)))
}

impl Follower {
    /// Works off what comes next, if this node has or gets the lease. An error leaves everything
    /// as it was; `Conflict`: the lease was lost meanwhile.
    pub async fn turn(&self, pool: &PgPool, lease: &mut Lease) -> Result<Turn> {
        let Some(before) = lease.renew(pool).await? else { return Ok(Turn::Away) };
        if before.stopped.is_some() {
            return Ok(Turn::Rests);
        }
        let mut db = pool.begin().await?;
        db.execute(GIVE_BACK).await?;
        let events = after(&mut *db, before.position, BATCH.into()).await?;
        // Asked after the events were read: what a later epoch wrote is not taken for an earlier one's.
        let (epoch, fork) = forked(&mut db, &before, events.is_empty()).await?;
        let (now, replayed) = match fork {
            // Nothing that was worked off is lost; what was just read may be.
            Some(from) if from > before.position => {
                (Checkpoint { log_epoch: epoch, ..before.clone() }, false)
            }
            Some(from) => (self.meet_fork(&mut db, &before, epoch, from).await?, false),
            None => lease.keep(pool, self.go_on(&mut db, &before, epoch, &events)).await?,
        };
        if now == before && !replayed {
            db.rollback().await?;
            return Ok(Turn::Rests);
        }
        lease.advance(&mut db, &now).await?;
        db.commit().await?;
        let all_read = fork.is_none() && !replayed && events.len() < BATCH.into();
        Ok(if all_read { Turn::Rests } else { Turn::GoesOn })
    }

    /// Another server has gone on with the log: nothing is done before that is known.
    async fn meet_fork(
        &self,
        db: &mut PgConnection,
        before: &Checkpoint,
        epoch: i64,
        from: i64,
    ) -> Result<Checkpoint> {
        warn!(follower = self.name, epoch, from, "another server goes on with the log");
        let here = Checkpoint { log_epoch: epoch, ..before.clone() };
        Ok(match self.at_fork {
            AtFork::Stop => self.stop(before.position, LOG_FORKED, &here),
            AtFork::GoBack => {
                parking::forget_from(db, self.name, from).await?;
                Checkpoint { position: before.position.min(from - 1), ..here }
            }
        })
    }

    /// Works off what is to be replayed, and then what is new. Where the follower stands then, and
    /// whether something was replayed.
    async fn go_on(
        &self,
        db: &mut PgConnection,
        before: &Checkpoint,
        epoch: i64,
        events: &[LogRow],
    ) -> Result<(Checkpoint, bool)> {
        let replayed = self.replay(db).await?;
        let before = Checkpoint { log_epoch: epoch, ..before.clone() };
        Ok((self.work(db, &before, events).await?, replayed))
    }

    fn stop(&self, position: i64, reason: &str, at: &Checkpoint) -> Checkpoint {
        error!(follower = self.name, position, reason, "a follower has stopped");
        Checkpoint { position, stopped: Some(reason.to_owned()), ..at.clone() }
    }

    /// Does the effect of everything that is not parked, at once; one by one, when there is poison
    /// in it. Where the follower stands then.
    async fn work(
        &self,
        db: &mut PgConnection,
        before: &Checkpoint,
        events: &[LogRow],
    ) -> Result<Checkpoint> {
        let Some(last) = events.last() else { return Ok(before.clone()) };
        let keyed: Vec<Keyed> = events.iter().map(|it| (self.key.map(|key| key(it)), it)).collect();
        let keys: Vec<String> = keyed.iter().filter_map(|(key, _)| key.clone()).collect();
        let mut parked = parking::parked(db, self.name, &keys).await?;
        let waits = |(key, _): &&Keyed| key.as_ref().is_some_and(|key| parked.contains(key));
        let free: Vec<&LogRow> = keyed.iter().filter(|it| !waits(it)).map(|it| it.1).collect();
        if self.attempt(db, &free).await?.is_some()
            && let Some((at, reason)) = self.one_by_one(db, &keyed, &mut parked).await?
        {
            return Ok(self.stop(at - 1, reason, before));
        }
        let waits = |(key, event): &Keyed| {
            let key = key.as_ref().and_then(|key| parked.get(key))?;
            Some((key.clone(), event.position))
        };
        let waiting: Vec<(String, i64)> = keyed.iter().filter_map(waits).collect();
        parking::wait(db, self.name, &waiting).await?;
        Ok(Checkpoint { position: last.position, ..before.clone() })
    }

    /// Does the effect of each event that is not parked, and parks the key of what is poison: from
    /// there on all of it waits. Without keys: at which event to stop, and why.
    async fn one_by_one(
        &self,
        db: &mut PgConnection,
        keyed: &[Keyed<'_>],
        parked: &mut BTreeSet<String>,
    ) -> Result<Option<(i64, &'static str)>> {
        for (key, event) in keyed {
            if key.as_ref().is_some_and(|key| parked.contains(key)) {
                continue;
            }
            let Some(reason) = self.attempt(db, from_ref(event)).await? else { continue };
            let Some(key) = key else { return Ok(Some((event.position, reason))) };
            parking::park(&mut *db, self.name, key, reason).await?;
            parked.insert(key.clone());
        }
        Ok(None)
    }

    /// Works off what somebody has asked to replay, each key in order, up to what is still poison.
    /// Whether there was any.
    async fn replay(&self, db: &mut PgConnection) -> Result<bool> {
        let keys = parking::asked(db, self.name).await?;
        for key in &keys {
            for event in &parking::waiting(db, self.name, key, BATCH.into()).await? {
                if let Some(reason) = self.attempt(db, &[event]).await? {
                    parking::park(&mut *db, self.name, key, reason).await?;
                    break;
                }
                parking::done(db, self.name, key, event.position).await?;
            }
        }
        if !keys.is_empty() {
            parking::release_asked(&mut *db, self.name).await?;
        }
        Ok(!keys.is_empty())
    }

    /// Does the effect of these events, all or none: why they are poison, if they are.
    async fn attempt(
        &self,
        db: &mut PgConnection,
        events: &[&LogRow],
    ) -> Result<Option<&'static str>> {
        let Some(first) = events.first() else { return Ok(None) };
        let mut savepoint = db.begin().await?;
        let Err(problem) = unharmed((self.effect)(&mut savepoint, events)).await else {
            savepoint.commit().await?;
            return Ok(None);
        };
        let Some(reason) = poison(&problem) else { return Err(problem) };
        savepoint.rollback().await?;
        if events.len() == 1 {
            let position = first.position;
            error!(
                follower = self.name,
                position,
                reason,
                problem = &problem as &dyn Error,
                "poison"
            );
        }
        Ok(Some(reason))
    }
}
