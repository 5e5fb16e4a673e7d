//! The checkpoints that a log in a folder is held against.

use super::Report;
use super::tile_check::TileCheck;
use crate::log_folder::{CHECKPOINT, LogFolder, about, read_note};
use domain::audit::Fault;
use domain::audit::policy::{Believed, Policy};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// A checkpoint that the policy believes.
#[derive(Clone)]
pub struct Head {
    /// Where it was found.
    pub found: String,
    /// What it says.
    pub believed: Believed,
    /// Whether the auditor brought it, so that nobody can have made it anew since.
    pub kept: bool,
}

impl Head {
    /// How many entries it covers.
    pub fn size(&self) -> u64 {
        self.believed.checkpoint.size
    }

    fn read(found: String, path: &Path, kept: bool, policy: &Policy) -> Result<Self, Fault> {
        match read_note(path).and_then(|note| policy.check(&note)) {
            Ok(believed) => Ok(Self { found, believed, kept }),
            Err(fault) => Err(about(found, fault)),
        }
    }
}

/// All heads that are believed, by size, and the tiles that can be held against the entries: those of the
/// folder first, then those of earlier exports. What is not believed is a fault in the report.
pub fn heads(
    folder: &LogFolder,
    kept: &[PathBuf],
    policy: &Policy,
    report: &mut Report,
) -> (Vec<Head>, Vec<TileCheck>) {
    let (mut heads, mut earlier) = (Vec::new(), Vec::new());
    for path in kept {
        let note = if path.is_dir() { path.join(CHECKPOINT) } else { path.clone() };
        match Head::read(path.display().to_string(), &note, true, policy) {
            Ok(head) => {
                let tiles =
                    || TileCheck::of(head.found.clone(), LogFolder::at(path), vec![head.clone()]);
                earlier.extend(path.is_dir().then(tiles));
                heads.push(head);
            }
            Err(fault) => report.fault(fault),
        }
    }
    heads.sort_by_key(|head| Reverse(head.size())); // what covers most is asked first
    match Head::read(CHECKPOINT.to_owned(), &folder.path(CHECKPOINT), false, policy) {
        Ok(head) => heads.push(head),
        Err(fault) => report.fault(fault),
    }
    let mut tiles = vec![TileCheck::of("the folder".to_owned(), folder.clone(), heads.clone())];
    tiles.append(&mut earlier);
    heads.sort_by_key(Head::size);
    (heads, tiles)
}
