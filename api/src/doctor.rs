//! `pms doctor`: what is wrong with an installation, and the cure. It changes nothing, and works beside
//! a running service.

mod seal;

use crate::config::Config;
use crate::errors::chain;
use crate::last_seen::{LastSeen, Likeness};
use crate::service::{Database, Error};
use chrono::{DateTime, TimeDelta, Utc};
use commands::keys::{Keys, KeysError};
use commands::now;
use domain::installation::{self, Command, Installation};
use projections::Error::Unreadable;
use projections::log::state;
use projections::migrate::is_current;
use projections::soundness::PROMISES;
use projections::verify::{Verified, verify};
use sqlx::{Connection as _, PgConnection};
use std::fmt;
use std::path::Path;

/// From here on clocks differ too much: tokens are judged by the node's, events carry the database's.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(5);
/// With less the disk is about to be full, in bytes.
const LITTLE_ROOM: u64 = 1 << 30;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it has to be.
    Sound,
    /// It works, and could be better.
    Warning,
    /// Not as it has to be.
    Wrong,
}

/// What was found of one thing.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// What was looked at, in a word.
    pub part: &'static str,
    /// How it is.
    pub state: State,
    /// What was seen.
    pub told: String,
    /// What to do about it; empty where it is sound.
    pub cure: String,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Sound => "ok",
            State::Warning => "warning",
            State::Wrong => "WRONG",
        };
        write!(f, "{state:8} {:14} {}", self.part, self.told)?;
        if self.cure.is_empty() { Ok(()) } else { write!(f, "\n{:24}{}", "", self.cure) }
    }
}

/// What is found goes to `tell` at once: on a long log the later parts take their time.
struct Examination<'a> {
    config: &'a Config,
    tell: &'a mut dyn FnMut(Diagnosis),
}

/// Looks at everything. What cannot be looked at because something else is wrong is left out.
pub async fn examine(config: &Config, tell: &mut dyn FnMut(Diagnosis)) {
    let mut examination = Examination { config, tell };
    examination.disks();
    let keys = examination.keys();
    if config.database_url.is_none() && !config.data_dir.join("postgres/data").exists() {
        let told = format!("there is none in {}", config.data_dir.display());
        let cure = "Set DATABASE_URL, or PMS_DATA_DIR to the folder that `pms serve` works in.";
        return examination.wrong("database", told, cure);
    }
    match Database::join(config) {
        Ok(database) => {
            if let Err(problem) = examination.database(&database, keys.as_ref()).await {
                let cure = "Look at PostgreSQL's own log.";
                examination.wrong("database", chain(&problem), cure);
            }
            database.stop();
        }
        Err(problem) => {
            let cure = "Start PostgreSQL, or correct DATABASE_URL.";
            examination.wrong("database", chain(&problem), cure);
        }
    }
}

impl Examination<'_> {
    fn say(
        &mut self,
        part: &'static str,
        state: State,
        told: impl Into<String>,
        cure: impl Into<String>,
    ) {
        (self.tell)(Diagnosis { part, state, told: told.into(), cure: cure.into() });
    }

    fn sound(&mut self, part: &'static str, told: impl Into<String>) {
        self.say(part, State::Sound, told, "");
    }

    fn wrong(&mut self, part: &'static str, told: impl Into<String>, cure: impl Into<String>) {
        self.say(part, State::Wrong, told, cure);
    }

    fn disks(&mut self) {
        let key_dir = self.config.key_dir();
        for folder in [&*self.config.data_dir, &*key_dir] {
            let Some(free) = free_bytes(folder) else { continue }; // not there yet
            let told = format!("{} MiB free for {}", free >> 20, folder.display());
            if free < LITTLE_ROOM {
                self.wrong(
                    "disk",
                    told,
                    "Make room: what cannot be written is answered UNAVAILABLE.",
                );
            } else {
                self.sound("disk", told);
            }
        }
    }

    fn keys(&mut self) -> Option<Keys> {
        let folder = self.config.key_dir();
        match Keys::open(&folder, false) {
            Ok(keys) => {
                self.sound("keys", format!("all of {} can be read", folder.display()));
                Some(keys)
            }
            Err(KeysError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                let told = format!("{} lacks keys", folder.display());
                let cure = "On a new installation the first `pms serve` makes them. Otherwise put back your \
                            copy of the folder: without it no issued key is recognised and no personal \
                            data opens.";
                self.say("keys", State::Warning, told, cure);
                None
            }
            Err(problem) => {
                self.wrong(
                    "keys",
                    chain(&problem),
                    "Put back your copy of the folder, or do as it says.",
                );
                None
            }
        }
    }

    async fn database(&mut self, database: &Database, keys: Option<&Keys>) -> Result<(), Error> {
        let mut db = database.serving().await?;
        if !is_current(&mut db).await? {
            let told = "its shape is not this program's";
            self.wrong("database", told, "Run `pms migrate` with the version that serves.");
            return Ok(());
        }
        let sql = "select pg_size_pretty(pg_database_size(current_database()))";
        let size: String = sqlx::query_scalar(sql).fetch_one(&mut db).await?;
        self.sound("database", format!("it has this program's shape, and takes {size}"));
        self.clocks(&mut db).await?;
        if let Some(keys) = keys {
            self.keys_of_the_log(&mut db, keys).await?;
        }
        self.promises(&mut db).await?;
        self.seal(&mut db, keys).await?;
        self.last_seen(database).await?;
        self.read_tables(&mut db).await?;
        Ok(db.close().await?)
    }

    async fn clocks(&mut self, db: &mut PgConnection) -> Result<(), Error> {
        let before = now();
        let theirs: DateTime<Utc> =
            sqlx::query_scalar("select clock_timestamp()").fetch_one(db).await?;
        let apart = (theirs - before).max(now() - theirs);
        let told =
            format!("this machine's and the database's are {} ms apart", apart.num_milliseconds());
        if apart > CLOCKS_APART {
            self.wrong("clock", told, "Set both by NTP.");
        } else {
            self.sound("clock", told);
        }
        Ok(())
    }

    /// Whether a node with these keys would start, and would open what is kept.
    async fn keys_of_the_log(&mut self, db: &mut PgConnection, keys: &Keys) -> Result<(), Error> {
        let known: Installation = state(&mut *db, installation::ID).await?;
        match known.decide(Command::AdoptKeys(keys.fingerprints.clone())) {
            Ok(_) => self.sound("keys", "they are those of the log"),
            Err(refusal) => {
                self.wrong("keys", refusal.to_string(), "Put back the installation's key folder.");
                return Ok(());
            }
        }
        match keys.wrapping.first_sealed(db).await? {
            None => self.sound("keys", "they open all personal data"),
            Some(row) => self.wrong(
                "keys",
                format!("they do not open the private row {row}"),
                "Put back the wrapping key and the table subject_keys of one moment.",
            ),
        }
        Ok(())
    }

    async fn promises(&mut self, db: &mut PgConnection) -> Result<(), Error> {
        for promise in PROMISES {
            match promise.broken_by(db).await? {
                None => self.sound(promise.part, promise.says),
                Some(by) => {
                    let state = if promise.is_advice { State::Warning } else { State::Wrong };
                    let told = format!("NOT SO: {} ({by})", promise.says);
                    self.say(promise.part, state, told, promise.cure);
                }
            }
        }
        Ok(())
    }

    async fn read_tables(&mut self, db: &mut PgConnection) -> Result<(), Error> {
        let verified = match verify(db, |_| {}).await {
            Err(Unreadable(what)) => {
                let cure = "The log was changed past this program, or written by a newer one.";
                self.wrong("log", format!("it cannot be read: {what}"), cure);
                return Ok(());
            }
            verified => verified?,
        };
        let Verified { rows, position, differences, first } = verified;
        match first {
            None => {
                let told = format!("{rows} rows are what the log says up to position {position}");
                self.sound("read tables", told);
            }
            Some(first) => {
                let told =
                    format!("{differences} rows are not what the log says; the first: {first}");
                self.wrong("read tables", told, "Run `pms rebuild`, and ask who has changed them.");
            }
        }
        Ok(())
    }

    async fn last_seen(&mut self, database: &Database) -> Result<(), Error> {
        let pool = database.serving_pool().await?;
        let Some(seen) = LastSeen::read(&LastSeen::file(&self.config.data_dir)) else {
            return Ok(());
        };
        let position = seen.position;
        match seen.compare(&pool).await? {
            Likeness::Same => {
                let told = format!("it has what this node saw of it, up to position {position}");
                self.sound("log", told);
            }
            Likeness::Other => self.say(
                "log",
                State::Warning,
                "it is another one than this node knew",
                "Look at DATABASE_URL; `serve` takes it for a new one.",
            ),
            Likeness::Forked(from) => {
                let told = format!("another server goes on with it from position {from}");
                self.sound("log", told);
            }
            Likeness::PutBack => {
                let cure =
                    "Put back a newer state, or run `pms raise-epoch` (docs/operator.md, Backup).";
                self.wrong("log", Error::PutBack { position }.to_string(), cure);
            }
        }
        Ok(())
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|it| it.f_bavail * it.f_frsize)
}
