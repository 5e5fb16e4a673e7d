//! Where the log is no longer what was sealed.

use super::{Sealed, heads_after, newest, tile};
use crate::Result;
use crate::log::{LogRow, after};
use domain::audit::Fault;
use domain::audit::auditor::{Added, Auditor};
use domain::audit::tile::Tile;
use sqlx::PgConnection;
use std::collections::VecDeque;
use std::fmt;

/// How many rows are read at once.
const PAGE: i64 = 500;

/// The first thing that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The first position that is concerned.
    pub position: u64,
    /// What is wrong there; nothing of what stands there.
    pub reason: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {}: {}", self.position, self.reason)
    }
}

/// Reads the whole log up to its newest head, and compares every entry with the stored tiles and
/// every head with the tree up to there: the first difference. Signatures are not verified.
///
/// Takes the memory of an [`Auditor`], whatever the length of the log.
pub async fn first_change(db: &mut PgConnection) -> Result<Option<Change>> {
    let Some(newest) = newest(&mut *db).await? else { return Ok(None) };
    let mut reader = Reader { db, auditor: Auditor::default(), heads: VecDeque::new() };
    while reader.position() < newest.size {
        let read = reader.position();
        let rows = after(&mut *reader.db, read, PAGE).await?;
        if rows.is_empty() {
            let reason = format!("the log ends, and {} events were sealed", newest.size);
            return reader.or_before(Change { position: reader.auditor.size() + 1, reason }).await;
        }
        for row in rows.iter().filter(|row| row.position <= newest.size) {
            if let Some(change) = reader.read(row).await? {
                return Ok(Some(change));
            }
        }
    }
    Ok(None)
}

struct Reader<'a> {
    db: &'a mut PgConnection,
    auditor: Auditor,
    /// The next heads, in order.
    heads: VecDeque<Sealed>,
}

impl Reader<'_> {
    /// Up to where the log was read.
    fn position(&self) -> i64 {
        i64::try_from(self.auditor.size()).unwrap_or(i64::MAX)
    }

    async fn read(&mut self, row: &LogRow) -> Result<Option<Change>> {
        let Added { filled: full, judged } = self.auditor.add(row.stored().entry().as_bytes());
        if let Err(fault) = judged {
            let change = wrong_entry(self.auditor.size(), fault);
            let tiles = [full, self.auditor.partial_tiles()].concat();
            let before = self.changed_tile(tiles).await?;
            return Ok(before.filter(|it| it.position < change.position).or(Some(change)));
        }
        if let Some(change) = self.changed_tile(full).await? {
            return Ok(Some(change));
        }
        let here = self.position();
        if self.heads.is_empty() {
            self.heads = heads_after(&mut *self.db, here - 1, PAGE).await?.into();
        }
        match self.heads.pop_front_if(|head| head.size == here) {
            None => Ok(None),
            Some(head) => self.changed_head(&head).await,
        }
    }

    /// What does not agree with a head of this size, or with the tiles that were not full then.
    async fn changed_head(&mut self, head: &Sealed) -> Result<Option<Change>> {
        if head.checkpoint().is_ok_and(|it| it.root == self.auditor.root()) {
            return self.changed_tile(self.auditor.partial_tiles()).await;
        }
        let reason = format!("the tree is not the one that was signed at {}", head.size);
        self.or_before(Change { position: self.auditor.size(), reason }).await
    }

    /// What was read last can show that something before it was changed.
    async fn or_before(&mut self, change: Change) -> Result<Option<Change>> {
        let before = self.changed_tile(self.auditor.partial_tiles()).await?;
        Ok(before.or(Some(change)))
    }

    /// The first of these tiles that is stored otherwise.
    async fn changed_tile(&mut self, tiles: Vec<(Tile, Vec<u8>)>) -> Result<Option<Change>> {
        for (wanted, ours) in tiles {
            let theirs = tile(&mut *self.db, wanted).await?.unwrap_or_default();
            if let Some(position) = wanted.first_difference(&ours, &theirs) {
                let reason = format!("{} does not have the hash of what is there", wanted.path());
                return Ok(Some(Change { position, reason }));
            }
        }
        Ok(None)
    }
}

fn wrong_entry(position: u64, fault: Fault) -> Change {
    match fault {
        Fault::WrongEntry { position, reason } | Fault::Contradiction { position, reason } => {
            Change { position, reason }
        }
        other => Change { position, reason: other.to_string() },
    }
}
