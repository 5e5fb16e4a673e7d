//! A whole log in a folder: every entry once and in order, however long it is. What is kept meanwhile is
//! the edge of the tree, a tile, and the last sequence of each stream.

use super::Report;
use super::disclosures::Disclosures;
use super::earlier_heads::EarlierHeads;
use super::heads::{Head, heads};
use super::tile_check::TileCheck;
use crate::log_folder::LogFolder;
use domain::audit::Fault;
use domain::audit::auditor::{Added, Auditor};
use domain::audit::bundle;
use domain::audit::policy::Policy;
use domain::audit::tile::Tile;
use std::path::PathBuf;

/// What lies in the folder, held against its checkpoints and against those that the auditor kept.
struct WholeLog<'a> {
    folder: &'a LogFolder,
    auditor: Auditor,
    /// How many entries nothing is wrong with, looked at by themselves.
    sound: u64,
    /// In the order of their sizes; the first ones are behind already.
    heads: Vec<Head>,
    behind: usize,
    /// The largest size of a kept head that the entries gave.
    kept: u64,
    earlier: EarlierHeads<'a>,
    /// Those of the folder, then those of earlier exports.
    tiles: Vec<TileCheck>,
    disclosures: Disclosures,
    report: Report,
}

/// Verifies a log in a folder. `kept` are checkpoints, or folders with one, from before; `show` gets how
/// many entries are read of how many.
pub fn whole_log(
    folder: &LogFolder,
    kept: &[PathBuf],
    policy: &Policy,
    show: impl FnMut(u64, u64),
) -> Report {
    let mut log = WholeLog::open(folder, kept, policy);
    let Some(target) = log.heads.last().map(Head::size) else { return log.report };
    if let Err(fault) = log.read(target, show) {
        log.report.fault(fault);
    }
    log.end(target);
    log.report
}

impl<'a> WholeLog<'a> {
    fn open(folder: &'a LogFolder, kept: &[PathBuf], policy: &'a Policy) -> Self {
        let mut report = Report::default();
        let (heads, tiles) = heads(folder, kept, policy, &mut report);
        let disclosures = Disclosures::of(folder).unwrap_or_else(|fault| {
            report.fault(fault);
            Disclosures::default()
        });
        Self {
            folder,
            auditor: Auditor::default(),
            sound: 0,
            heads,
            behind: 0,
            kept: 0,
            earlier: EarlierHeads::of(folder, policy),
            tiles,
            disclosures,
            report,
        }
    }

    /// Reads the entries up to `target`, or as far as they go.
    fn read(&mut self, target: u64, mut show: impl FnMut(u64, u64)) -> Result<(), Fault> {
        self.meet();
        for index in 0.. {
            let Some(tile) = Tile::at(0, index, target) else { break };
            let Some((file, bytes)) = self.folder.bundle(index)? else { break };
            let wrong = |position: u64, reason: String| {
                let reason = format!("{}: {reason}", file.bundle_path());
                Fault::WrongEntry { position, reason }
            };
            let mut entries = bundle::decode(&bytes);
            for entry in entries.by_ref().take(tile.width.into()) {
                let position = self.auditor.size() + 1;
                self.take(entry.map_err(|it| wrong(position, it.to_string()))?)?;
            }
            let taken = self.auditor.size() - index * 256;
            if taken + entries.count() as u64 > file.width.into() {
                let first_too_many = index * 256 + u64::from(file.width) + 1;
                return Err(wrong(first_too_many, "more entries than it may hold".to_owned()));
            }
            show(self.auditor.size(), target);
            if taken < tile.width.into() {
                break;
            }
        }
        let position = self.auditor.size() + 1;
        let Some(head) = self.heads.iter().find(|head| head.size() >= position) else {
            return Ok(());
        };
        let (found, size) = (&head.found, head.size());
        let reason = format!("the log ends before it, and {found} covers {size} entries");
        Err(Fault::WrongEntry { position, reason })
    }

    fn take(&mut self, entry: &[u8]) -> Result<(), Fault> {
        let Added { filled, judged } = self.auditor.add(entry);
        for (tile, hashes) in filled {
            self.compare(tile, &hashes);
        }
        if let Err(Fault::Contradiction { position, .. }) = judged {
            self.report.wrong_within(self.kept + 1..=position);
        }
        judged?;
        self.sound += 1;
        if let Err(fault) = self.disclosures.event(entry) {
            self.report.fault(fault);
        }
        self.meet();
        Ok(())
    }

    fn compare(&mut self, tile: Tile, hashes: &[u8]) {
        for tiles in &mut self.tiles {
            tiles.compare(tile, hashes, &mut self.report);
        }
    }

    /// Compares the root with the heads of just this size.
    fn meet(&mut self) {
        let size = self.auditor.size();
        while let Some(head) = self.heads.get(self.behind).filter(|head| head.size() == size) {
            let head = head.clone();
            self.behind += 1;
            self.meet_head(&head);
        }
        self.earlier.meet(&self.auditor, &mut self.report);
    }

    fn meet_head(&mut self, Head { found, believed, kept }: &Head) {
        let size = believed.checkpoint.size;
        if self.auditor.root() == believed.checkpoint.root {
            self.report.proved.push(if size == 0 {
                format!("{found} is of the empty log: {believed}")
            } else {
                format!("positions 1 to {size} are what {found} covers: {believed}")
            });
            if *kept {
                self.kept = size;
            }
        } else {
            let text = format!("positions 1 to {size} are not what {found} covers: {believed}");
            self.report.fault(Fault::NotProved(text));
            if size > 0 {
                self.report.wrong_within(self.kept + 1..=size);
            }
        }
    }

    fn end(&mut self, target: u64) {
        for (tile, hashes) in self.auditor.partial_tiles() {
            self.compare(tile, &hashes);
        }
        self.tell(target);
    }

    fn tell(&mut self, target: u64) {
        let Self { report, sound, .. } = self;
        if *sound > 0 {
            report.proved.push(format!(
                "{sound} entries are events in their one form, each the next of the log and of its \
                 stream, none older than the one before"
            ));
        }
        self.tiles.iter().for_each(|tiles| tiles.end(report));
        self.earlier.end(target, report);
        let (proved, not_covered) = self.disclosures.told();
        report.proved.extend(proved);
        report.not_covered.extend(not_covered);
        self.tell_what_is_beyond(target);
    }

    /// Where the heads end that nobody can have made anew.
    fn tell_what_is_beyond(&mut self, target: u64) {
        let kept = self.heads.iter().filter(|head| head.kept).map(Head::size).max();
        let is_witnessed = self.heads.iter().any(|head| !head.believed.witnesses.is_empty());
        let not_covered = &mut self.report.not_covered;
        match kept {
            None if is_witnessed => {}
            None => not_covered.push(
                "no checkpoint that you kept was compared (--checkpoint): who holds the log's key could \
                 have written all of it anew"
                    .to_owned(),
            ),
            Some(kept) if kept < target => not_covered.push(format!(
                "positions {} to {target} are covered by the folder's own checkpoint only, by none that \
                 you kept",
                kept + 1
            )),
            Some(_) => {}
        }
        let more = self.folder.bundle(target / 256).is_ok_and(|bundle| {
            let beyond = Tile::at(0, target / 256, target).map_or(0, |tile| tile.width);
            bundle.is_some_and(|(file, _)| file.width > beyond)
        });
        if more {
            not_covered.push(format!("entries after position {target}: no checkpoint covers them"));
        }
    }
}
