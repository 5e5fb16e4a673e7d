//! Whatever the owner of the database does to the log with its triggers switched off and its key
//! stolen: whoever kept a checkpoint from before finds it, offline, at every position that this
//! checkpoint covers, and is told the first wrong one.

mod owner;

use crate::support::actors::{Market, partner, policy_manager};
use crate::support::commands::Installation;
use crate::support::database::memory_or_disk;
use crate::support::sealed::{believing, log_key, seal};
use api::audit_export::export;
use api::audit_verify::{Report, Verdict, whole_log};
use api::log_folder::LogFolder;
use domain::audit::policy::Policy;
use owner::{Deed, Owner};
use projections::audit::newest;
use projections::log::after;
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How many events are sealed, and up to where a checkpoint was kept.
const SIZE: i64 = 540;
const KEPT: i64 = 400;
const MANIPULATIONS: u32 = 1_000;

/// A sealed log, and what an auditor has of it from before.
struct Sealed {
    _installation: Installation,
    policy: Policy,
    entries: Vec<String>,
    /// An earlier export, with the checkpoint of [`KEPT`] entries.
    kept: TempDir,
}

/// And the connection of its owner.
async fn sealed() -> (Sealed, PgConnection) {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    for number in 0.. {
        let person = partner(&node, &format!("person-{number}"));
        person.registers(&market.group).await.unwrap();
        let name = format!("Group {number} of Größe \\ \u{1f511}");
        let done = policy_manager(&node).creates_group(&name).await.unwrap();
        if done.position > SIZE {
            break;
        }
    }
    let mut db = PgConnection::connect(installation.database.url()).await.unwrap();
    let (key, kept) = (log_key(1), folder());
    seal(&mut db, &key, &[100, 256, 257, KEPT], ::commands::now()).await;
    exported(&mut db, kept.path()).await;
    seal(&mut db, &key, &[100, 256, 257, KEPT, 450, SIZE], ::commands::now()).await;
    let (policy, entries) = (believing(&key), entries(&mut db).await);
    (Sealed { _installation: installation, policy, entries, kept }, db)
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("pms-audit-").tempdir_in(memory_or_disk()).unwrap()
}

async fn exported(db: &mut PgConnection, folder: &Path) {
    export(db, &LogFolder::at(folder), None, |_, _| {}).await.unwrap();
}

/// The entries up to the newest head.
async fn entries(db: &mut PgConnection) -> Vec<String> {
    let size = newest(&mut *db).await.unwrap().unwrap().size;
    let rows = after(db, 0, i64::MAX).await.unwrap();
    let covered = rows.iter().filter(|row| row.position <= size);
    covered.map(|row| row.stored().entry()).collect()
}

impl Sealed {
    /// The first position at which these are not the entries that were sealed.
    fn first_wrong(&self, now: &[String]) -> Option<u64> {
        let differ = (0..self.entries.len()).find(|at| now.get(*at) != Some(&self.entries[*at]));
        differ.map(|at| at as u64 + 1)
    }

    fn verified(&self, folder: &Path, kept: PathBuf) -> Report {
        whole_log(&LogFolder::at(folder), &[kept], &self.policy, |_, _| {})
    }

    /// What an auditor is told who exports the log now, and whether that is what was done.
    async fn check(&self, db: &mut PgConnection, deed: Deed) -> Result<(), String> {
        let folder = folder();
        exported(&mut *db, folder.path()).await;
        let wrong = self.first_wrong(&entries(db).await);
        let told = self.verified(folder.path(), self.kept.path().join("checkpoint"));
        let Some(position) = wrong.filter(|it| *it <= KEPT.unsigned_abs()) else {
            return beyond(deed, wrong, &told);
        };
        let named = told.first_wrong.as_ref().is_some_and(|it| it.contains(&position));
        if told.verdict() != Verdict::NotProved || !named {
            return Err(format!("position {position} is wrong, but:\n{told}"));
        }
        let told = self.verified(folder.path(), self.kept.path().to_owned());
        if told.first_wrong == Some(position..=position) {
            return Ok(());
        }
        Err(format!("position {position} is wrong, but with the earlier export:\n{told}"))
    }
}

/// What has to be told of a deed that left alone what the kept checkpoint covers.
fn beyond(deed: Deed, wrong: Option<u64>, told: &Report) -> Result<(), String> {
    let told_beyond = || {
        let from = format!("positions {} to", KEPT + 1);
        told.not_covered.iter().any(|text| text.starts_with(&from))
    };
    let right = if deed.spoils_seals() {
        told.verdict() != Verdict::Proved
    } else if deed.is_consistent() {
        told.verdict() == Verdict::Proved
            && (told_beyond() || deed == Deed::RollBack { size: KEPT })
    } else {
        let named = told.first_wrong.clone().zip(wrong).is_some_and(|(it, at)| it.contains(&at));
        told.verdict() == Verdict::NotProved && named && told_beyond()
    };
    if right { Ok(()) } else { Err(format!("first wrong is {wrong:?}, but:\n{told}")) }
}

#[tokio::test]
async fn of_a_thousand_manipulations_each_is_found_that_the_kept_checkpoint_covers() {
    let (sealed, mut db) = sealed().await;
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |it| it.parse().unwrap());
    let mut owner = Owner::new(seed, SIZE);
    for number in 0..MANIPULATIONS {
        let mut deeds = db.begin().await.unwrap();
        let deed = owner.acts(&mut deeds).await;
        if let Err(missed) = sealed.check(&mut deeds, deed).await {
            panic!("SEED={seed}, manipulation {number}, {deed:?}: {missed}");
        }
        deeds.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn what_nobody_has_touched_is_proved() {
    let (sealed, mut db) = sealed().await;
    let folder = folder();
    exported(&mut db, folder.path()).await;
    for kept in [sealed.kept.path().to_owned(), sealed.kept.path().join("checkpoint")] {
        let told = sealed.verified(folder.path(), kept);
        assert_eq!((told.verdict(), told.faults.len()), (Verdict::Proved, 0), "{told}");
    }
}
