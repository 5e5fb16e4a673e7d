//! Seals the log: a follower that lets the tree over it grow, and signs each new head.
//!
//! One transaction has the tiles, the signed head and the follower's checkpoint, so that all three are
//! of the same size. Before anything is added, the tree's right edge is rebuilt from the stored tiles
//! and compared with the last head that was signed: on a log that was changed nothing is signed. What a
//! node has seen signed it also remembers by itself, for what the database forgets in a restore it
//! forgets altogether.

mod cosignatures;
mod examination;
mod heartbeat;

use crate::follower::{AtFork, Follower};
use crate::{Commands, Error, Result, now};
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::SigningKey;
use domain::audit::note::Note;
use domain::audit::tile::Tile;
use domain::audit::tree::Edge;
use domain::audit_log::{self, AuditLog};
use futures::FutureExt as _;
use projections::audit::{Sealed, newest, tiles};
use projections::log::{LogRow, state};
use sqlx::PgConnection;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::error;

/// Its name in `followers`.
pub(crate) const FOLLOWER: &str = "sealing";
/// How often a head is signed while events come; a batch that is full is signed at once.
const PACE: Duration = Duration::from_secs(1);

impl Commands {
    /// The follower that seals the log. `seen` is the newest head that this node knows from elsewhere
    /// than the database: where the log goes on from before that, another history would be signed under
    /// the same name.
    pub fn sealer(&self, seen: Option<Checkpoint>) -> Follower {
        let (commands, lacks_key) = (self.clone(), AtomicBool::new(false));
        let sealer = Arc::new(Sealer { commands, seen: Mutex::new(seen), lacks_key });
        Follower {
            name: FOLLOWER,
            key: None,
            pace: Some(PACE),
            at_fork: AtFork::Stop,
            effect: Box::new(move |db, events| {
                let sealer = sealer.clone();
                async move { sealer.seal(db, events).await }.boxed()
            }),
        }
    }
}

struct Sealer {
    commands: Commands,
    /// The newest head that was in the database, or is known from elsewhere.
    seen: Mutex<Option<Checkpoint>>,
    /// Whether it was told that a key is missing.
    lacks_key: AtomicBool,
}

impl Sealer {
    /// Lets the tree grow by these events, and signs its head.
    async fn seal(&self, db: &mut PgConnection, events: &[&LogRow]) -> Result<()> {
        let Some(first) = events.first() else { return Ok(()) };
        let log = keys_of(db).await?;
        let keys = self.keys(&log)?;
        let newest = newest(&mut *db).await?;
        let tree = tree(db, &log, newest.as_ref())
            .await
            .and_then(|tree| if tree.size() == before(first) { Ok(tree) } else { Err(changed()) });
        let mut tree = tree.inspect_err(|problem| self.alarm(problem))?;
        self.recognise(db, head(&log, &tree)).await?;
        let grown = tree.append(events.iter().map(|event| event.stored().leaf_hash()));
        store(db, grown).await?;
        sign(db, &head(&log, &tree), &keys).await
    }

    /// The keys that sign. That one is missing is told once; it may be on its way from another node.
    fn keys(&self, log: &audit_log::Keys) -> Result<Vec<Arc<SigningKey>>> {
        let keys = self.commands.keys().log.signing(&log.active);
        let told = self.lacks_key.swap(keys.is_err(), Ordering::Relaxed);
        keys.map_err(|problem| {
            if !told {
                error!(%problem, "THE LOG CANNOT BE SIGNED");
            }
            Error::Unavailable
        })
    }

    /// From where on the log was changed takes a while to find: it is told by who examines it.
    fn alarm(&self, problem: &Error) {
        if matches!(problem, Error::Refused(_)) {
            error!("THE LOG WAS CHANGED past this program; nothing is signed any more");
            let commands = self.commands.clone();
            tokio::spawn(async move { commands.examine().await });
        }
    }

    /// Refused with `LOG_FORKED` where a head was seen under the same name that the tree under this one
    /// does not hold.
    async fn recognise(&self, db: &mut PgConnection, head: Checkpoint) -> Result<()> {
        let seen = self.seen().clone().filter(|seen| seen.origin == head.origin && *seen != head);
        if let Some(seen) = seen.filter(|seen| seen.size > 0)
            && (seen.size > head.size || edge(db, seen.size).await?.root() != seen.root)
        {
            let size = seen.size;
            error!(size, "THE LOG HAS LOST WHAT WAS SIGNED; nothing is signed any more");
            return Err(Error::refused("LOG_FORKED", "", "A head was signed of another log."));
        }
        *self.seen() = Some(head);
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Checkpoint>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The head of a tree, under the name that the log has now.
fn head(log: &audit_log::Keys, tree: &Edge) -> Checkpoint {
    Checkpoint { origin: log.origin().to_owned(), size: tree.size(), root: tree.root() }
}

/// How many events are before this one.
fn before(event: &LogRow) -> u64 {
    u64::try_from(event.position - 1).unwrap_or_default()
}

async fn keys_of(db: &mut PgConnection) -> Result<audit_log::Keys> {
    match state(db, audit_log::ID).await? {
        AuditLog::Signed(keys) => Ok(keys),
        AuditLog::Missing => {
            Err(Error::refused("LOG_KEY_NOT_FOUND", "", "The log has no key that signs it."))
        }
    }
}

/// The right edge of the tree under the newest head; refused with `LOG_CHANGED` unless it is what was
/// signed, under the name that the log has now or as the checkpoint that it goes on from.
async fn tree(
    db: &mut PgConnection,
    log: &audit_log::Keys,
    newest: Option<&Sealed>,
) -> Result<Edge> {
    let Some(newest) = newest else { return Ok(Edge::default()) };
    let edge = edge(db, newest.size.unsigned_abs()).await?;
    let head = newest.checkpoint().map_err(|_| changed())?;
    let is_signed = if head.origin == log.origin() {
        log.active.iter().any(|it| newest.is_signed_by(&it.key))
    } else {
        goes_on(db, log).await?
    };
    if is_signed && head.root == edge.root() { Ok(edge) } else { Err(changed()) }
}

async fn edge(db: &mut PgConnection, size: u64) -> Result<Edge> {
    let tiles = tiles(db, Tile::edge(size)).await?;
    Edge::from_tiles(size, &tiles).map_err(|_| changed())
}

/// Whether the tree still holds the last checkpoint that was to be believed under the name before.
async fn goes_on(db: &mut PgConnection, log: &audit_log::Keys) -> Result<bool> {
    let Some(note) = &log.continues else { return Ok(true) };
    let note: Note = note.parse().map_err(|_| changed())?;
    let last: Checkpoint = note.text().parse().map_err(|_| changed())?;
    Ok(edge(db, last.size).await?.root() == last.root)
}

fn changed() -> Error {
    Error::refused("LOG_CHANGED", "", "The log is not what was sealed.")
}

async fn store(db: &mut PgConnection, tiles: Vec<(Tile, Vec<u8>)>) -> Result<()> {
    let (mut levels, mut indexes, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (tile, bytes) in tiles {
        levels.push(i16::from(tile.level));
        indexes.push(i64::try_from(tile.index).map_err(|_| Error::fault("too many tiles"))?);
        hashes.push(bytes);
    }
    let sql = "insert into log_tiles (level, index, hashes) \
               select * from unnest($1::smallint[], $2::bigint[], $3::bytea[]) \
               on conflict (level, index) do update set hashes = excluded.hashes";
    sqlx::query(sql).bind(levels).bind(indexes).bind(hashes).execute(db).await?;
    Ok(())
}

async fn sign(db: &mut PgConnection, head: &Checkpoint, keys: &[Arc<SigningKey>]) -> Result<()> {
    let keys: Vec<&SigningKey> = keys.iter().map(AsRef::as_ref).collect();
    let size = i64::try_from(head.size).map_err(|_| Error::fault("too many events"))?;
    let sql = "insert into log_checkpoints (size, note, signed_at) \
               values ($1, $2, clock_timestamp())";
    let note = head.sign(&keys, now()).to_string();
    sqlx::query(sql).bind(size).bind(note).execute(db).await?;
    Ok(())
}
