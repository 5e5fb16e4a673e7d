//! `pms audit export` and `pms audit checkpoint`: the sealed log out of the database, for an auditor.
#![expect(clippy::print_stdout, reason = "what people and scripts read")]

use crate::log_folder::{CHECKPOINT, CHECKPOINTS, DISCLOSED, LogFolder};
use crate::progress::Bar;
use crate::service::{Database, Error};
use chrono::TimeDelta;
use clap::Args;
use domain::audit::bundle;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::tile::{FULL, Tile};
use domain::audit::tree::Edge;
use domain::audit_log::{AuditLog, ID};
use projections::audit::disclosures;
use projections::audit::{Sealed, events_of, heads_after, newest, tile, tiles};
use projections::log::{LogRow, state};
use projections::private_rows::WrappingKey;
use sqlx::PgConnection;
use std::io::Write as _;
use std::path::PathBuf;

/// What stands still is signed again every ten minutes.
const STALE: TimeDelta = TimeDelta::minutes(15);
/// Heads or disclosures that are read at once.
const PAGE: i64 = 1_000;

/// Writes the sealed log into a folder, up to its newest signed checkpoint. It can be broken off and
/// started again, and goes on with a folder from before.
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// The folder; made where it is not there.
    folder: PathBuf,
    /// Also write the personal data that the log refers to, with the salts that prove it.
    #[arg(long)]
    pub disclose: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many events the checkpoint covers that was exported.
    pub size: u64,
    /// How many files of entries and tiles were written.
    pub written: u64,
    /// How many of the events and tiles that the checkpoint covers the database does not have.
    pub lacking: u64,
}

impl Export {
    /// Exports from a database. `keys` open the personal data.
    pub async fn run(&self, database: &Database, keys: Option<&WrappingKey>) -> Result<(), Error> {
        database.check().await?;
        let mut bar = Bar::default();
        let (folder, mut db) = (LogFolder::at(&self.folder), database.serving().await?);
        let show = |done, all| bar.shows("exporting files", done, all);
        let exported = export(&mut db, &folder, keys, show).await?;
        bar.ends();
        let Exported { size, written, lacking } = exported;
        eprintln!("{size} entries in {}, {written} files written", self.folder.display());
        if lacking == 0 { Ok(()) } else { Err(Error::LogLacks(lacking)) }
    }
}

/// Writes the sealed log into a folder as it is, whatever is wrong with it: that is for the auditor to
/// find. Files appear whole, and the checkpoint last.
pub async fn export(
    db: &mut PgConnection,
    folder: &LogFolder,
    keys: Option<&WrappingKey>,
    mut show: impl FnMut(u64, u64),
) -> Result<Exported, Error> {
    let head = newest(&mut *db).await?.ok_or(Error::NotSealed)?;
    let Some(_lock) = folder.lock()? else { return Err(Error::FolderInUse) };
    let covered = covered_before(db, folder, &head).await?;
    let mut export = Files { folder, covered, exported: Exported::default() };
    let size = head.size.unsigned_abs();
    export.exported.size = size;
    let all = files(size);
    for (done, it) in (1..).zip(all_tiles(size)) {
        export.tile(db, it).await?;
        if it.level == 0 {
            export.bundle(db, it).await?;
        }
        show(done, all);
    }
    export.earlier_heads(db, &head).await?;
    match keys {
        Some(keys) => export.disclosed(db, keys, head.size).await?,
        None => folder.remove(DISCLOSED)?, // it may have what was erased since
    }
    let mut checkpoint = folder.draft(CHECKPOINT, 0o666)?;
    checkpoint.file.write_all(head.note.as_bytes())?;
    folder.sync()?;
    checkpoint.publish()?;
    Ok(export.exported)
}

/// How many events the folder's own checkpoint covers. What was exported before is evidence: a log that
/// does not continue it, or that is itself not what its newest head says, goes elsewhere.
async fn covered_before(
    db: &mut PgConnection,
    folder: &LogFolder,
    head: &Sealed,
) -> Result<u64, Error> {
    if !folder.has(CHECKPOINT, None) {
        return Ok(0);
    }
    let before: Result<Checkpoint, _> =
        folder.note(CHECKPOINT).and_then(|note| note.text().parse());
    let before = before.map_err(projections::Error::from)?;
    let other = Error::FolderOfOtherLog(before.size);
    let Ok(now) = head.checkpoint() else { return Err(other) };
    for it in [&before, &now] {
        let tiles = tiles(&mut *db, Tile::edge(it.size)).await?;
        let root = Edge::from_tiles(it.size, &tiles).map(|edge| edge.root());
        if it.size > now.size || root != Ok(it.root) {
            return Err(other);
        }
    }
    Ok(before.size)
}

/// The tiles of a tree, level by level.
fn all_tiles(size: u64) -> impl Iterator<Item = Tile> {
    let of_level = move |level| (0..).map_while(move |index| Tile::at(level, index, size));
    (0..8).flat_map(of_level)
}

/// How many they are.
fn files(size: u64) -> u64 {
    (0..8).map(|level| (size >> (8 * level)).div_ceil(FULL.into())).sum()
}

struct Files<'a> {
    folder: &'a LogFolder,
    /// What its own checkpoint covers is not written again. Whatever lies beyond may be of an export that
    /// was broken off.
    covered: u64,
    exported: Exported,
}

impl Files<'_> {
    async fn tile(&mut self, db: &mut PgConnection, wanted: Tile) -> Result<(), Error> {
        let path = wanted.path();
        let bytes = u64::from(wanted.width) * 32;
        if wanted.within(self.covered) && self.folder.has(&path, Some(bytes)) {
            return Ok(());
        }
        let Some(hashes) = tile(db, wanted).await? else {
            self.exported.lacking += 1;
            return Ok(());
        };
        self.folder.write(&path, &hashes)?;
        self.folder.remove_narrower(wanted, Tile::path)?;
        self.exported.written += 1;
        Ok(())
    }

    /// A bundle that lacks entries is not called a full one, so that it is fetched again.
    async fn bundle(&mut self, db: &mut PgConnection, wanted: Tile) -> Result<(), Error> {
        if wanted.within(self.covered) && self.folder.has(&wanted.bundle_path(), None) {
            return Ok(());
        }
        let rows = events_of(db, wanted).await?;
        let width = u16::try_from(rows.len()).unwrap_or(FULL).min(wanted.width);
        self.exported.lacking += u64::from(wanted.width - width);
        if width == 0 {
            return Ok(());
        }
        let entries: Vec<String> = rows.iter().map(|row: &LogRow| row.stored().entry()).collect();
        let bundle = bundle::encode(entries.iter().map(String::as_bytes));
        let there = Tile { width, ..wanted };
        let bundle = bundle.map_err(projections::Error::from)?;
        self.folder.write(&there.bundle_path(), &bundle)?;
        self.folder.remove_narrower(there, Tile::bundle_path)?;
        self.exported.written += 1;
        Ok(())
    }

    async fn earlier_heads(&self, db: &mut PgConnection, newest: &Sealed) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let heads = heads_after(&mut *db, after, PAGE).await?;
            for head in heads.iter().filter(|head| head.size <= newest.size) {
                let name = format!("{CHECKPOINTS}/{}", head.size);
                let is_covered = head.size.unsigned_abs() <= self.covered;
                if head.size == newest.size || !is_covered || !self.folder.has(&name, None) {
                    self.folder.write(&name, head.note.as_bytes())?;
                }
            }
            match heads.last() {
                Some(last) if last.size < newest.size => after = last.size,
                _ => return Ok(()),
            }
        }
    }

    /// Anew each time: something may have been erased since.
    async fn disclosed(
        &self,
        db: &mut PgConnection,
        keys: &WrappingKey,
        size: i64,
    ) -> Result<(), Error> {
        let mut draft = self.folder.draft(DISCLOSED, 0o600)?;
        let mut after = 0;
        loop {
            let page = disclosures(db, keys, after, size, PAGE).await?;
            page.iter().try_for_each(|it| writeln!(draft.file, "{it}"))?;
            let Some(last) = page.last() else { return Ok(draft.publish()?) };
            after = i64::try_from(last.position).unwrap_or(i64::MAX);
        }
    }
}

/// Prints the newest signed checkpoint; the keys that sign by now, and how old it is, on stderr.
pub async fn checkpoint(database: &Database) -> Result<(), Error> {
    database.check().await?;
    let mut db = database.serving().await?;
    let head = newest(&mut db).await?.ok_or(Error::NotSealed)?;
    print!("{}", head.note);
    let log: AuditLog = state(&mut db, ID).await?;
    log.active().iter().for_each(|it| eprintln!("key {}", it.key));
    let age = commands::now() - head.signed_at;
    eprintln!("covers positions 1 to {}, signed {} s ago", head.size, age.num_seconds());
    if age > STALE { Err(Error::Stale(age.num_minutes())) } else { Ok(()) }
}
