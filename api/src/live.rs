//! What lets a subscription follow the log: how far it has come, whichever node wrote it, and a
//! reader that goes on from position to position, without a gap and without a duplicate.
//!
//! Each reader reads for itself, with the rights of the moment, so one that is slow holds up nobody
//! and nothing is kept for it. All of them together use a few connections of the pool.

use crate::caller::Caller;
use crate::errors::late;
use commands::Error;
use commands::event_store::EventStore;
use domain::Finding;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _};
use projections::log::{Extent, extent, fork};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often the log is asked for what other nodes have written, while somebody follows it.
const POLL: Duration = Duration::from_millis(250);
/// How many readers read at the same time: fewer than the pool has connections.
const READERS: usize = 4;
/// How long a reader waits when the log cannot be read.
const PAUSE: Duration = Duration::from_millis(500);

/// How far the log has come, for all readers of a node.
pub struct Live {
    extent: watch::Sender<Extent>,
    wanted: Notify,
    turns: Semaphore,
}

impl Live {
    /// Follows the log of a node; asks for what other nodes write only while somebody reads.
    pub fn start(store: EventStore) -> Arc<Self> {
        let (extent, wanted) = (watch::Sender::default(), Notify::new());
        let live = Arc::new(Self { extent, wanted, turns: Semaphore::new(READERS) });
        tokio::spawn(live.clone().watch(store));
        live
    }

    async fn watch(self: Arc<Self>, store: EventStore) {
        let mut health = store.health();
        loop {
            if self.extent.is_closed() {
                self.wanted.notified().await;
            }
            let seen = tokio::select! {
                changed = health.changed() => {
                    if changed.is_err() { return }
                    let health = *health.borrow_and_update();
                    Extent { head: health.head, epoch: health.epoch }
                }
                () = sleep(POLL) => match extent(store.pool()).await {
                    Ok(seen) => seen,
                    Err(_) => continue, // readers tell when they cannot read
                },
            };
            self.extent.send_if_modified(|known| {
                let news = seen.epoch > known.epoch
                    || (seen.epoch == known.epoch && seen.head > known.head);
                if news {
                    *known = seen;
                }
                news
            });
        }
    }
}

/// What a reader is asked to look at: positions in `(after, until]`.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// What was looked at before.
    pub after: i64,
    /// The end of the log.
    pub until: i64,
}

/// What was found.
#[derive(Debug)]
pub struct Found<T> {
    /// What to tell, in order.
    pub told: Vec<T>,
    /// Up to which position was looked.
    pub reached: i64,
}

/// How a reader reads, with the caller as he is now.
pub type Read<T> =
    Box<dyn Fn(Caller, Span) -> BoxFuture<'static, Result<Found<T>, Error>> + Send + Sync>;

/// One subscriber's place in the log.
pub struct Reader {
    caller: Caller,
    live: Arc<Live>,
    extent: watch::Receiver<Extent>,
    position: i64,
    epoch: i64,
    /// Between one look and the next, when there is nothing left.
    pace: Duration,
    /// After which time it looks although nothing has happened; never when absent.
    refresh: Option<Duration>,
    next: Instant,
}

impl Reader {
    /// Begins after a position, or where the log ends now. Refused are a position beyond the log,
    /// and one that a later epoch than `epoch` has written anew.
    pub async fn begin(
        caller: &Caller,
        live: Arc<Live>,
        after: Option<i64>,
        epoch: Option<i64>,
        pace: Duration,
    ) -> Result<Self, Error> {
        let now = extent(caller.pool()).await?;
        let position = after.unwrap_or(now.head);
        let receiver = live.extent.subscribe();
        live.wanted.notify_one();
        let mut reader = Self {
            caller: caller.clone(),
            live,
            extent: receiver,
            position,
            epoch: epoch.unwrap_or(now.epoch),
            pace,
            refresh: None,
            next: Instant::now(),
        };
        reader.notice_fork().await?;
        if position > now.head {
            let message = "The log does not reach this position.";
            return Err(Error::refused("POSITION_BEYOND_LOG", "after", message));
        }
        Ok(reader)
    }

    /// The same reader, which looks at once at everything up to now, and again after so long although
    /// nothing has happened.
    pub fn looking_at_once(self, refresh: Option<Duration>) -> Self {
        Self { position: -1, refresh, ..self } // an empty log is looked at, too
    }

    /// Everything that `read` finds from here on, each with the log's epoch. It ends with an error:
    /// when the epoch was raised beneath it, or for a fault. While the log cannot be read, it waits.
    pub fn follow<T: Send + 'static>(
        self,
        read: Read<T>,
    ) -> impl Stream<Item = async_graphql::Result<(T, i64)>> + Send {
        let turns = stream::unfold((Some(self), read), async |(reader, read)| {
            let mut reader = reader?;
            match reader.turn(&read).await {
                Ok(told) => {
                    let told = told.into_iter().map(|it| Ok((it, reader.epoch)));
                    Some((told.collect(), (Some(reader), read)))
                }
                Err(end) => {
                    let end = late(end, &reader.caller.request.correlation_id);
                    Some((vec![Err(end)], (None, read)))
                }
            }
        });
        turns.flat_map(stream::iter)
    }

    /// What is found next; at least one thing.
    async fn turn<T>(&mut self, read: &Read<T>) -> Result<Vec<T>, Error> {
        loop {
            let until = self.goes_on().await;
            match self.look(read, until).await {
                Ok(told) if told.is_empty() => {}
                Ok(told) => return Ok(told),
                Err(Error::Unavailable) => sleep(PAUSE).await,
                Err(end) => return Err(end),
            }
        }
    }

    /// Waits until the log goes on, and tells how far.
    async fn goes_on(&mut self) -> i64 {
        sleep_until(self.next).await;
        let (position, epoch) = (self.position, self.epoch);
        let news = |it: &Extent| it.head > position || it.epoch > epoch;
        let waits = self.extent.wait_for(news); // never closed: `live` holds the sender
        match self.refresh {
            None => drop(waits.await),
            Some(refresh) => drop(timeout(refresh, waits).await),
        }
        self.extent.borrow().head.max(position)
    }

    /// The end of the log was known before the rights are read, so whoever lost them by an event up
    /// to there has lost them here; and the epoch is read last, so nothing that a later one wrote
    /// is taken for what an earlier one would have.
    async fn look<T>(&mut self, read: &Read<T>, until: i64) -> Result<Vec<T>, Error> {
        let live = self.live.clone();
        let _turn = live.turns.acquire().await.map_err(|_| Error::Unavailable)?;
        let span = Span { after: self.position, until };
        let mut found = Found { told: Vec::new(), reached: self.position };
        if until > self.position || self.refresh.is_some() {
            found = read(self.caller.again().await?, span).await?;
        }
        self.notice_fork().await?;
        self.position = found.reached;
        if found.reached >= until {
            self.next = Instant::now() + self.pace;
        }
        Ok(found.told)
    }

    async fn notice_fork(&mut self) -> Result<(), Error> {
        let (epoch, from) = fork(self.caller.pool(), self.epoch, self.position).await?;
        if let Some(from) = from {
            let message = format!(
                "Another server goes on with the log from position {from}: read again from there."
            );
            let finding = Finding::new("EPOCH_RAISED", "after", message);
            return Err(vec![finding.with("from", from).with("epoch", epoch)].into());
        }
        if self.epoch > epoch {
            let message = "The log has not come to this epoch.";
            return Err(Error::refused("EPOCH_UNKNOWN", "epoch", message));
        }
        self.epoch = epoch;
        Ok(())
    }
}
