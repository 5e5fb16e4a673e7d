//! Seals the log: a follower that lets the tree over it grow, and signs each new head.
//!
//! One transaction has the tiles, the signed head and the follower's checkpoint, so that all three are
//! of the same size. Before anything is added, the tree's right edge is rebuilt from the stored tiles
//! and compared with the last head that was signed: on a log that was changed nothing is signed.

mod cosignatures;
mod examination;
mod heartbeat;

use crate::follower::{AtFork, Follower};
use crate::keys::Keys;
use crate::{Commands, Error, Result, now};
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::SigningKey;
use domain::audit::note::Note;
use domain::audit::tile::Tile;
use domain::audit::tree::Edge;
use domain::audit_log::{self, AuditLog, LogKey};
use futures::FutureExt as _;
use projections::audit::{first_change, newest, tiles};
use projections::log::{LogRow, state};
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// Its name in `followers`.
const FOLLOWER: &str = "sealing";
/// How often a head is signed while events come; a batch that is full is signed at once.
const PACE: Duration = Duration::from_secs(1);
impl Commands {
    /// The follower that seals the log.
    pub fn sealer(&self) -> Follower {
        let keys = self.keys.clone();
        Follower {
            name: FOLLOWER,
            key: None,
            pace: Some(PACE),
            at_fork: AtFork::Stop,
            effect: Box::new(move |db, events| seal(db, events, keys.clone()).boxed()),
        }
    }
}

/// Lets the tree grow by these events, and signs its head.
async fn seal(db: &mut PgConnection, events: &[&LogRow], keys: Arc<Keys>) -> Result<()> {
    let Some(first) = events.first() else { return Ok(()) };
    let log = keys_of(db).await?;
    let signing = keys.log.signing(&log.active)?;
    let mut tree = match tree(db, &log, first.position - 1).await {
        // With the last event alone the follower stops.
        Err(problem @ Error::Refused(_)) if events.len() == 1 => {
            say_where(db).await?;
            return Err(problem);
        }
        tree => tree?,
    };
    let grown = tree.append(events.iter().map(|event| event.stored().leaf_hash()));
    store(db, grown).await?;
    sign(db, log.origin(), &tree, &signing).await
}

async fn keys_of(db: &mut PgConnection) -> Result<audit_log::Keys> {
    match state(db, audit_log::ID).await? {
        AuditLog::Signed(keys) => Ok(keys),
        AuditLog::Missing => {
            Err(Error::refused("LOG_KEY_NOT_FOUND", "", "The log has no key that signs it."))
        }
    }
}

/// The right edge of the tree up to `sealed`; refused with `LOG_CHANGED` unless it is what was signed
/// last, under the name that the log has now or as the checkpoint that it goes on from.
async fn tree(db: &mut PgConnection, log: &audit_log::Keys, sealed: i64) -> Result<Edge> {
    let newest = newest(&mut *db).await?;
    if newest.as_ref().map_or(0, |it| it.size) != sealed {
        return Err(changed());
    }
    let edge = edge(db, sealed.unsigned_abs()).await?;
    let Some(newest) = newest else { return Ok(edge) };
    let head = newest.checkpoint()?;
    let is_signed = if head.origin == log.origin() {
        is_signed(&newest.note()?, log)
    } else {
        goes_on(db, log).await?
    };
    if is_signed && head.root == edge.root() { Ok(edge) } else { Err(changed()) }
}

async fn edge(db: &mut PgConnection, size: u64) -> Result<Edge> {
    let tiles = tiles(db, Tile::edge(size)).await?;
    Edge::from_tiles(size, &tiles).map_err(|_| changed())
}

fn is_signed(note: &Note, log: &audit_log::Keys) -> bool {
    let signed =
        |it: &LogKey| note.signature_of(&it.key).is_ok_and(|signature| signature.is_some());
    log.active.iter().any(signed)
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

/// Alarms: from where on the log is no longer what was sealed.
async fn say_where(db: &mut PgConnection) -> Result<()> {
    let change = first_change(db).await?;
    let change = change.map_or_else(|| "in the tiles or heads alone".into(), |it| it.to_string());
    error!(change, "THE LOG WAS CHANGED past this program; nothing is signed any more");
    Ok(())
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

async fn sign(
    db: &mut PgConnection,
    origin: &str,
    tree: &Edge,
    keys: &[Arc<SigningKey>],
) -> Result<()> {
    let head = Checkpoint { origin: origin.to_owned(), size: tree.size(), root: tree.root() };
    let keys: Vec<&SigningKey> = keys.iter().map(AsRef::as_ref).collect();
    let size = i64::try_from(tree.size()).map_err(|_| Error::fault("too many events"))?;
    let sql = "insert into log_checkpoints (size, note, signed_at) \
               values ($1, $2, clock_timestamp())";
    let note = head.sign(&keys, now()).to_string();
    sqlx::query(sql).bind(size).bind(note).execute(db).await?;
    Ok(())
}
