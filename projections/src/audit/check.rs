//! Whether the log is still what was sealed: all events are hashed again and compared with the tiles
//! and with a signed head. A few KiB of memory, whatever the length of the log.
//!
//! It finds what was changed past this program. Who can rewrite log, tiles and heads and has the log's
//! key is found out only by those who keep checkpoints elsewhere.

use super::{Sealed, tile, tiles};
use crate::log::after;
use crate::{Error, Result};
use domain::audit::checkpoint::Checkpoint;
use domain::audit::tile::Tile;
use domain::audit::tree::Edge;
use sqlx::PgConnection;
use std::fmt;

/// How many events are read at once.
const PAGE: i64 = 1_000;

/// What is not as it was sealed. Prints as a sentence without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The log has fewer events than the head covers.
    Short {
        /// The first position that is not there.
        missing: u64,
    },
    /// The event at this position is not the one that was sealed.
    Event {
        /// The first such position.
        position: u64,
    },
    /// Events and head fit together, but this tile does not fit them.
    Tile(Tile),
    /// Events and tiles fit together, but they do not give the root that was signed.
    Root,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { missing } => {
                write!(f, "position {missing} was sealed and is not there")
            }
            Self::Event { position } => {
                write!(f, "the event at position {position} is not the one that was sealed")
            }
            Self::Tile(tile) => write!(f, "{} is not what the events give", tile.path()),
            Self::Root => write!(f, "events and tiles do not give the root that was signed"),
        }
    }
}

/// Whether the tiles at the end of the tree give the root of a head.
pub async fn edge_fits(db: &mut PgConnection, head: &Sealed) -> Result<bool> {
    let Checkpoint { size, root, .. } = head.checkpoint()?;
    let tiles = tiles(db, Tile::edge(size)).await?;
    Ok(Edge::from_tiles(size, &tiles).is_ok_and(|edge| edge.root() == root))
}

/// The first thing under a head that is not as it was sealed; `None` when everything is.
pub async fn difference(db: &mut PgConnection, head: &Sealed) -> Result<Option<Difference>> {
    let Checkpoint { root, .. } = head.checkpoint()?;
    let (mut edge, mut first) = (Edge::default(), None);
    let mut position = 0;
    while position < head.size {
        let page = after(&mut *db, position, PAGE.min(head.size - position)).await?;
        for row in &page {
            position += 1;
            if row.position != position {
                return Ok(Some(Difference::Short { missing: at(position)? }));
            }
            for (tile, hashes) in edge.push(row.stored().leaf_hash()) {
                note_difference(db, &mut first, tile, &hashes).await?;
            }
        }
        if page.is_empty() {
            return Ok(Some(Difference::Short { missing: at(position + 1)? }));
        }
    }
    for (tile, hashes) in edge.partial_tiles() {
        note_difference(db, &mut first, tile, &hashes).await?;
    }
    Ok(match (edge.root() == root, first) {
        (true, None) => None,
        (true, Some((tile, _))) => Some(Difference::Tile(tile)),
        (false, Some((_, position))) => Some(Difference::Event { position }),
        (false, None) => Some(Difference::Root),
    })
}

/// Remembers the first tile that is not stored as the events give it, and the first position under
/// what differs. A tile of level 0 comes before those above it.
async fn note_difference(
    db: &mut PgConnection,
    first: &mut Option<(Tile, u64)>,
    computed: Tile,
    hashes: &[u8],
) -> Result<()> {
    if first.is_none() {
        let stored = tile(db, computed).await?.unwrap_or_default();
        *first = computed.first_difference(hashes, &stored).map(|position| (computed, position));
    }
    Ok(())
}

fn at(position: i64) -> Result<u64> {
    position.try_into().map_err(|_| Error::Unreadable("a position is negative".to_owned()))
}
