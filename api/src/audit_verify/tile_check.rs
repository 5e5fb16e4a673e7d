//! Holds the tiles that the entries give against those that lie in files.
//!
//! A file that differs is worth something only where a checkpoint covers it: then it names the first
//! entry that is not what it was. Otherwise it is itself wrong.

use super::Report;
use super::heads::Head;
use crate::log_folder::LogFolder;
use domain::audit::Fault;
use domain::audit::tile::{Tile, Tiles};

/// More wrong tiles are only counted.
const NAMED: u64 = 5;

/// Tiles in a folder, and the checkpoints that may cover them.
pub struct TileCheck {
    name: String,
    folder: LogFolder,
    /// The most trusted one first.
    heads: Vec<Head>,
    compared: u64,
    missing: u64,
    wrong: u64,
}

impl TileCheck {
    /// The tiles of a folder under these checkpoints.
    pub fn of(name: String, folder: LogFolder, heads: Vec<Head>) -> Self {
        Self { name, folder, heads, compared: 0, missing: 0, wrong: 0 }
    }

    /// Compares all files of a tile with what the entries give; not where an earlier position is known
    /// to be wrong.
    pub fn compare(&mut self, tile: Tile, ours: &[u8], report: &mut Report) {
        let before = tile.index.checked_shl(8 * (u32::from(tile.level) + 1)).unwrap_or(u64::MAX);
        if report.first_wrong.as_ref().is_some_and(|known| *known.end() <= before) {
            return;
        }
        let files = self.folder.tiles(tile.level, tile.index);
        let is_covered = self.heads.iter().any(|head| tile.within(head.size()));
        self.missing += u64::from(files.is_empty() && is_covered);
        for file in files {
            match self.folder.tile(file) {
                Ok(theirs) => self.compare_file(file, &theirs, ours, report),
                Err(fault) => report.fault(fault),
            }
        }
    }

    fn compare_file(&mut self, file: Tile, theirs: &[u8], ours: &[u8], report: &mut Report) {
        self.compared += 1;
        let both = ours.len().min(theirs.len()); // what only one has is told by where the log ends
        let position = file.first_difference(&ours[..both], &theirs[..both]);
        if position.is_none() && theirs.len() == usize::from(file.width) * 32 {
            return;
        }
        let last = position.map(|it| it.saturating_add((1 << (8 * u32::from(file.level))) - 1));
        let covered = |head: &&Head| {
            last.is_some_and(|last| last <= head.size()) && self.covers(head, file, theirs)
        };
        match (position, last, self.heads.iter().find(covered)) {
            (Some(position), Some(last), Some(Head { found, .. })) if position == last => {
                let reason = format!("the entry is not the one that {found} covers");
                report.fault(Fault::WrongEntry { position, reason });
            }
            (Some(position), Some(last), Some(Head { found, .. })) => {
                report.wrong_within(position..=last);
                let text =
                    format!("positions {position} to {last}: not all are what {found} covers");
                report.fault(Fault::NotProved(text));
            }
            _ => self.wrong_tile(file, report),
        }
    }

    fn wrong_tile(&mut self, file: Tile, report: &mut Report) {
        self.wrong += 1;
        if self.wrong <= NAMED {
            let text = format!("{} is not the tile of the entries", file.path());
            report.fault(Fault::NotProved(text));
        }
    }

    /// Whether a checkpoint covers a tile, as the tiles above it and at the end of the tree say.
    fn covers(&self, head: &Head, tile: Tile, bytes: &[u8]) -> bool {
        let size = head.size();
        let above = (1..=7).filter_map(|up: u8| {
            let index = tile.index >> (8 * u32::from(up));
            Tile::at(tile.level.checked_add(up)?, index, size)
        });
        let mut tiles = Tiles::default();
        for needed in Tile::edge(size).chain(above) {
            if (needed.level, needed.index) == (tile.level, tile.index) {
                continue;
            }
            for file in self.folder.tiles(needed.level, needed.index).into_iter().take(1) {
                let Ok(bytes) = self.folder.tile(file) else { return false };
                tiles.insert(file, bytes);
            }
        }
        tiles.insert(tile, bytes.to_vec());
        tiles.authenticate(size, &head.believed.checkpoint.root).is_ok()
    }

    /// Tells how many were compared, and how many wrong ones were not named.
    pub fn end(&self, report: &mut Report) {
        let Self { name, compared, missing, wrong, .. } = self;
        report.proved.push(format!("{compared} files with tiles of {name} were compared"));
        if *missing > 0 {
            report.not_covered.push(format!("{missing} tiles are not in {name}"));
        }
        if *wrong > NAMED {
            let text = format!("{} tiles more are not those of the entries", wrong - NAMED);
            report.fault(Fault::NotProved(text));
        }
    }
}
