//! The sealed log as it is stored: tiles of its tree, its signed heads, and the entries themselves.
//!
//! Tiles only grow and heads are only added, so a head and the tiles that prove something about it can
//! be read one after the other. A head of size *n* covers positions 1 to *n*; position *p* is leaf
//! *p* − 1.

mod change;
mod disclosure;
pub mod proof;
pub mod standing;

pub use change::{Change, first_change};
pub use disclosure::disclosures;

use crate::log::{COLUMNS, LogRow};
use crate::{Error, Result};
use chrono::{DateTime, Utc};
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::VerifierKey;
use domain::audit::note::Note;
use domain::audit::tile::{FULL, Tile, Tiles};
use domain::audit::{Fault, bundle};
use sqlx::PgExecutor;

/// A signed head of the log.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Sealed {
    /// How many events it covers.
    pub size: i64,
    /// The checkpoint with all its signatures, as it was stored.
    pub note: String,
    /// When it was signed last.
    pub signed_at: DateTime<Utc>,
    /// Since when enough witnesses have seen it; `None` while they have not.
    pub witnessed_at: Option<DateTime<Utc>>,
}

impl Sealed {
    /// The checkpoint under its signatures, none of which is verified.
    pub fn note(&self) -> Result<Note> {
        Ok(self.note.parse()?)
    }

    /// Whether this key has signed it; not where a note cannot be read or a signature is wrong.
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        self.note().is_ok_and(|note| matches!(note.signature_of(key), Ok(Some(_))))
    }

    /// What was signed; must be about as many entries as the row says.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let checkpoint: Checkpoint = self.note()?.text().parse()?;
        if i64::try_from(checkpoint.size) == Ok(self.size) {
            return Ok(checkpoint);
        }
        Err(Error::Unreadable(format!("the checkpoint that is stored for {} events", self.size)))
    }
}

/// The newest head; `None` before the first.
pub async fn newest(db: impl PgExecutor<'_>) -> Result<Option<Sealed>> {
    Ok(sqlx::query_as(&heads("order by size desc limit 1")).fetch_optional(db).await?)
}

/// The newest head that enough witnesses have seen.
pub async fn newest_witnessed(db: impl PgExecutor<'_>) -> Result<Option<Sealed>> {
    let newest = heads("where witnessed_at is not null order by size desc limit 1");
    Ok(sqlx::query_as(&newest).fetch_optional(db).await?)
}

/// The first head that covers this position, which is the one of this size where there is one.
pub async fn covering(db: impl PgExecutor<'_>, position: i64) -> Result<Option<Sealed>> {
    let covering = heads("where size >= $1 order by size limit 1");
    Ok(sqlx::query_as(&covering).bind(position).fetch_optional(db).await?)
}

/// The heads after this size, in order, at most `limit`.
pub async fn heads_after(db: impl PgExecutor<'_>, size: i64, limit: i64) -> Result<Vec<Sealed>> {
    let after = heads("where size > $1 order by size limit $2");
    Ok(sqlx::query_as(&after).bind(size).bind(limit).fetch_all(db).await?)
}

fn heads(which: &str) -> String {
    format!("select size, note, signed_at, witnessed_at from log_checkpoints {which}")
}

/// The bytes of a tile; `None` where it is not stored, or not as wide.
pub async fn tile(db: impl PgExecutor<'_>, tile: Tile) -> Result<Option<Vec<u8>>> {
    let sql = "select substring(hashes for $3) from log_tiles \
               where level = $1 and index = $2 and octet_length(hashes) >= $3";
    let query = sqlx::query_scalar(sql).bind(i16::from(tile.level)).bind(number(tile.index));
    Ok(query.bind(i32::from(tile.width) * 32).fetch_optional(db).await?)
}

/// As many of these tiles as are stored, each as wide as it is by now.
pub async fn tiles(
    db: impl PgExecutor<'_>,
    wanted: impl IntoIterator<Item = Tile>,
) -> Result<Tiles> {
    let (levels, indexes): (Vec<i16>, Vec<i64>) =
        wanted.into_iter().map(|tile| (i16::from(tile.level), number(tile.index))).unzip();
    let sql = "select level, index, hashes from log_tiles \
               where (level, index) in (select * from unnest($1::smallint[], $2::bigint[]))";
    let rows: Vec<(i16, i64, Vec<u8>)> =
        sqlx::query_as(sql).bind(levels).bind(indexes).fetch_all(db).await?;
    Ok(rows.into_iter().filter_map(|(level, index, hashes)| stored(level, index, hashes)).collect())
}

/// A tile as it is stored.
fn stored(level: i16, index: i64, hashes: Vec<u8>) -> Option<(Tile, Vec<u8>)> {
    let width = u16::try_from(hashes.len() / 32).ok()?;
    let (level, index) = (level.try_into().ok()?, index.try_into().ok()?);
    Some((Tile { level, index, width }, hashes))
}

/// The tiles after this one in the order of level and index, at most `limit`: all of them, page by page.
pub async fn tiles_after(
    db: impl PgExecutor<'_>,
    after: Option<Tile>,
    limit: i64,
) -> Result<Vec<(Tile, Vec<u8>)>> {
    let (level, index) = after.map_or((-1, 0), |tile| (i16::from(tile.level), number(tile.index)));
    let sql = "select level, index, hashes from log_tiles where (level, index) > ($1, $2) \
               order by level, index limit $3";
    let rows: Vec<(i16, i64, Vec<u8>)> =
        sqlx::query_as(sql).bind(level).bind(index).bind(limit).fetch_all(db).await?;
    Ok(rows.into_iter().filter_map(|(level, index, hashes)| stored(level, index, hashes)).collect())
}

/// The rows whose entries this tile of level 0 has the hashes of, in order; fewer where the log has
/// no more.
pub async fn events_of(db: impl PgExecutor<'_>, tile: Tile) -> Result<Vec<LogRow>> {
    let before = number(tile.index.saturating_mul(FULL.into()));
    let sql = format!(
        "select {COLUMNS} from events where position > $1 and position <= $2 order by position"
    );
    let until = before.saturating_add(tile.width.into());
    Ok(sqlx::query_as(&sql).bind(before).bind(until).fetch_all(db).await?)
}

/// The bundle of the entries under a tile of level 0 (C2SP tlog-tiles); `None` where the log does
/// not have as many.
pub async fn bundle(db: impl PgExecutor<'_>, tile: Tile) -> Result<Option<Vec<u8>>> {
    let rows = events_of(db, tile).await?;
    if rows.len() < tile.width.into() {
        return Ok(None);
    }
    let entries: Vec<String> = rows.iter().map(|row| row.stored().entry()).collect();
    Ok(Some(bundle::encode(entries.iter().map(String::as_bytes))?))
}

/// PostgreSQL's numbers have a sign; what does not fit is nowhere.
fn number(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Unreadable(fault.to_string())
    }
}
