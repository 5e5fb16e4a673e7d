//! Whatever the owner of the database does to the log with its triggers switched off and its key
//! stolen: whoever kept a checkpoint from before finds it, offline, at every position that this
//! checkpoint covers, and is told the first wrong one.

mod owner;

use crate::support::actors::{Market, partner};
use crate::support::auditor::{exported, folder};
use crate::support::commands::Installation;
use crate::support::sealing::seals;
use api::audit_verify::{Report, Verdict, whole_log};
use api::log_folder::LogFolder;
use domain::audit::policy::Policy;
use owner::{Deed, Owner};
use projections::audit::newest;
use projections::log::after;
use sqlx::{Connection as _, PgConnection};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// About so many events are sealed in the end, and so many when the auditor keeps a checkpoint.
const SIZE: i64 = 330;
const KEPT: i64 = 280;
const MANIPULATIONS: usize = 1_000;

/// A sealed log, and what an auditor has of it from before.
struct Sealed {
    installation: Installation,
    /// The sizes of its heads, and that of the kept one.
    heads: Vec<i64>,
    size: i64,
    entries: Vec<String>,
    /// An earlier export.
    kept: TempDir,
    policy: Policy,
}

/// And the connection of its owner.
async fn sealed() -> (Sealed, PgConnection) {
    let installation = Installation::new().await;
    let mut db = PgConnection::connect(installation.database.url()).await.unwrap();
    let node = installation.sealing_node().await;
    let market = Market::open(&node).await;
    let (mut heads, mut names) = (Vec::new(), 0..);
    let mut grows = async |until| {
        for name in &mut names {
            let person = partner(&node, &format!("person-{name}"));
            person.registers(&market.group).await.unwrap();
            let name = format!("Group {name} of Größe \\ \u{1f511}");
            if market.manager.creates_group(&name).await.unwrap().position > until {
                break;
            }
        }
        heads.push(seals(&node).await.size);
    };
    grows(100).await;
    grows(258).await;
    grows(KEPT).await;
    let kept = folder();
    exported(&mut db, kept.path()).await;
    grows(300).await;
    grows(SIZE).await;
    let (size, policy) = (heads[2], installation.log_policy().parse().unwrap());
    let entries = entries(&mut db).await;
    (Sealed { installation, heads, size, entries, kept, policy }, db)
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
        let Some(position) = wrong.filter(|it| *it <= self.size.unsigned_abs()) else {
            return self.check_beyond(deed, wrong, &told);
        };
        if (told.verdict(), &told.first_wrong) == (Verdict::NotProved, &Some(position..=position)) {
            return Ok(());
        }
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

    /// What has to be told of a deed that left alone what the kept checkpoint covers.
    fn check_beyond(&self, deed: Deed, wrong: Option<u64>, told: &Report) -> Result<(), String> {
        let from = format!("positions {} to", self.size + 1);
        let told_beyond = told.not_covered.iter().any(|text| text.starts_with(&from))
            || deed == Deed::RollBack { size: self.size }
            || deed == Deed::TruncateAndSeal { after: self.size };
        let is_proved = told.verdict() == Verdict::Proved;
        let told_unbelieved =
            told.not_covered.iter().any(|text| text.contains("the policy does not believe them"));
        let right = if deed.spoils_seals() {
            !is_proved || told_unbelieved
        } else if deed.is_consistent() || (deed.is_resealed() && is_proved) {
            is_proved && told_beyond
        } else {
            let known = told.first_wrong.clone().zip(wrong);
            told.verdict() == Verdict::NotProved
                && known.is_some_and(|(it, at)| it.contains(&at))
                && told_beyond
        };
        if right { Ok(()) } else { Err(format!("first wrong is {wrong:?}, but:\n{told}")) }
    }
}

#[tokio::test]
async fn of_a_thousand_manipulations_each_is_found_that_the_kept_checkpoint_covers() {
    let (sealed, mut db) = sealed().await;
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |it| it.parse().unwrap());
    let mut owner = Owner::new(seed, &sealed.heads, sealed.installation.stolen_log_key());
    for number in 0..MANIPULATIONS {
        let mut deeds = db.begin().await.unwrap();
        let deed = owner.acts(&mut deeds, number).await;
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
