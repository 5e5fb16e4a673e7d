//! What this node last saw of the log, in a file beside its data.
//!
//! A log that was put back to an earlier state goes on as if nothing had been, and gives positions that
//! were acknowledged to other events. PostgreSQL tells most of that, and the epoch is raised; but nothing
//! in a copy of its data folder, or a snapshot of its disk, differs. This file notices, as far as it was
//! not put back too: then `serve` refuses to start and says what to do.

use crate::service::Error;
use commands::event_store::EventStore;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::note::Note;
use projections::Result;
use projections::audit::newest;
use projections::log::{after, extent, fork};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;

/// At most how often the file is written.
const EVERY: Duration = Duration::from_secs(1);
/// How long the appender may take to find the log.
const APPENDER_PATIENCE: Duration = Duration::from_secs(30);

/// The end of the log, as it was once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// The leaf hash of the log's first event, lower-case hex: tells logs apart.
    pub first: String,
    /// Its epoch.
    pub epoch: i64,
    /// Its last position.
    pub position: i64,
    /// The leaf hash of the event there, lower-case hex.
    pub last: String,
    /// The newest head that was signed: a note. Where the log is put back to before it, the sealing stops.
    #[serde(default)]
    pub sealed: Option<String>,
}

/// What the log is to the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// The same, perhaps longer.
    Same,
    /// Another one, with another beginning.
    Other,
    /// The same up to this position at the latest: then another server went on, and its epoch tells so.
    Forked(i64),
    /// The same, but without what was seen of it; and nothing tells since when.
    PutBack,
}

impl LastSeen {
    /// The file below the data folder of a node.
    pub fn file(data_dir: &Path) -> PathBuf {
        data_dir.join("last-seen.json")
    }

    /// What the file tells; `None` where there is none, or none that can be read.
    pub fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// The log as it is now; `None` when it is empty.
    pub async fn of(pool: &PgPool) -> Result<Option<Self>> {
        let now = extent(pool).await?;
        let (first, last) = (leaf(pool, 1).await?, leaf(pool, now.head).await?);
        let sealed = newest(pool).await?.map(|it| it.note);
        let seen =
            |(first, last)| Self { first, epoch: now.epoch, position: now.head, last, sealed };
        Ok(first.zip(last).map(seen))
    }

    /// The newest head that was signed.
    pub fn sealed(&self) -> Option<Checkpoint> {
        self.sealed.as_ref()?.parse::<Note>().ok()?.text().parse().ok()
    }

    /// A head is not forgotten for a smaller one of the same name.
    fn keeping_the_head_of(self, before: Option<&Self>) -> Self {
        let larger = before.filter(|before| {
            before.sealed().is_some_and(|before| {
                let now = self.sealed();
                now.is_none_or(|now| now.origin == before.origin && now.size < before.size)
            })
        });
        let sealed = larger.map_or(self.sealed, |before| before.sealed.clone());
        Self { sealed, ..self }
    }

    /// What the log is now to what was seen.
    pub async fn compare(&self, pool: &PgPool) -> Result<Likeness> {
        if leaf(pool, 1).await?.as_ref() != Some(&self.first) {
            return Ok(Likeness::Other);
        }
        if leaf(pool, self.position).await?.as_ref() == Some(&self.last) {
            return Ok(Likeness::Same);
        }
        let (_, from) = fork(pool, self.epoch, self.position).await?;
        Ok(from.map_or(Likeness::PutBack, Likeness::Forked))
    }

    /// Whole or not at all.
    fn write(&self, file: &Path) -> io::Result<()> {
        let draft = file.with_extension("new");
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
        std::fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(draft, file)
    }
}

/// Whether the log is the one that this node knew. Refused is one that was put back.
pub async fn recognise(file: &Path, store: &EventStore) -> std::result::Result<(), Error> {
    let Some(seen) = LastSeen::read(file) else { return Ok(()) };
    // The appender raises the epoch where another server goes on with the log.
    let mut health = store.health();
    let ready = timeout(APPENDER_PATIENCE, health.wait_for(|it| it.ready)).await;
    ready.map_err(|_| Error::NoAppender)?.map_err(|_| Error::NoAppender)?;
    let position = seen.position;
    match seen.compare(store.pool()).await? {
        Likeness::Same => {}
        Likeness::Other => warn!("this is another log than the one this node knew before"),
        Likeness::Forked(from) => {
            warn!(from, "another server goes on with the log: what was seen from there on is gone");
        }
        Likeness::PutBack => return Err(Error::PutBack { position }),
    }
    Ok(())
}

/// Keeps the file current for as long as the node works, and ends it when the log is put back beneath
/// it.
pub async fn keep(file: PathBuf, store: EventStore) -> Error {
    let (mut health, mut turn) = (store.health(), tokio::time::interval(EVERY));
    while health.changed().await.is_ok() {
        turn.tick().await;
        health.mark_unchanged();
        match remember(&file, store.pool()).await {
            Ok(()) | Err(Error::Migration(_)) => {} // the database is away: whoever asks it is told
            Err(Error::Remembering(problem)) => {
                warn!(%problem, "what was seen of the log cannot be remembered");
            }
            Err(end) => return end,
        }
    }
    std::future::pending().await // the appender has ended, and says why
}

async fn remember(file: &Path, pool: &PgPool) -> std::result::Result<(), Error> {
    let before = LastSeen::read(file);
    if let Some(seen) = &before
        && seen.compare(pool).await? == Likeness::PutBack
    {
        return Err(Error::PutBack { position: seen.position });
    }
    match LastSeen::of(pool).await? {
        Some(seen) => {
            seen.keeping_the_head_of(before.as_ref()).write(file).map_err(Error::Remembering)
        }
        None => Ok(()),
    }
}

/// The hash of the event at a position, as the audit log has it.
async fn leaf(pool: &PgPool, position: i64) -> Result<Option<String>> {
    let row = after(pool, position - 1, 1).await?.into_iter().next();
    let row = row.filter(|row| row.position == position);
    Ok(row.map(|row| hex::encode(row.stored().leaf_hash())))
}
