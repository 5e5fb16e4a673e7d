//! Shows each new head of the log to witnesses outside, and keeps what they sign: C2SP tlog-witness.
//!
//! Who is asked, and how many suffice, says a policy (C2SP tlog-policy). Nothing else waits for a
//! witness: while one is away the log takes events and is sealed, its heads are shown as not witnessed,
//! and after ten minutes that is an alarm.

use crate::errors::chain;
use crate::outgoing::{self, client, is_secure};
use chrono::{DateTime, TimeDelta, Utc};
use commands::follower::Schedule;
use commands::{Commands, now};
use domain::audit::Fault;
use domain::audit::checkpoint::add_checkpoint;
use domain::audit::key::VerifierKey;
use domain::audit::note::{Note, Signature};
use domain::audit::policy::{Policy, Witness};
use domain::audit::proof::Plan;
use futures::future::join_all;
use projections::audit::{Sealed, newest, tiles, unwitnessed_since};
use reqwest::{Client, StatusCode};
use sqlx::PgPool;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::{error, info, warn};
use url::Url;

/// How often there may be something to show.
const EVERY: Duration = Duration::from_secs(1);
/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long heads may wait for witnesses before that is an alarm.
const ALARM: TimeDelta = TimeDelta::minutes(10);
/// The longest answer, in bytes: 64 signatures.
const MAX_ANSWER: usize = 16 * 1024;

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is none.
    #[error("{path}: {fault}")]
    Policy {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// Anybody on the line could sign for nobody, but hold up everything.
    #[error("the witness {0} has an address that is neither https nor on a loopback address")]
    Insecure(String),
    /// No client for HTTP.
    #[error("witnesses cannot be asked")]
    Client(#[from] reqwest::Error),
}

/// Why a witness has not signed.
#[derive(Debug, thiserror::Error)]
enum Unsigned {
    #[error("it does not answer")]
    Unreachable(#[from] reqwest::Error),
    #[error("it answers with HTTP status {0}")]
    Status(StatusCode),
    #[error("it has seen {0} events, and says no more")]
    Seen(u64),
    #[error("there is no proof or no signature: {0}")]
    NotProved(#[from] Fault),
    #[error("there is no proof for it")]
    Database(#[from] projections::Error),
    #[error("IT HAS SEEN {0} EVENTS: THE LOG HAS LOST ITS END")]
    Ahead(u64),
    #[error("IT REFUSES THE PROOF: THIS IS NOT THE LOG THAT IT HAS SEEN")]
    OtherLog,
}

/// Those who are asked.
#[derive(Debug)]
pub struct Witnesses {
    policy: Policy,
    client: Client,
    asked: Vec<Asked>,
    alarmed: bool,
}

/// One of them.
#[derive(Debug)]
struct Asked {
    name: String,
    key: VerifierKey,
    url: Url,
    /// How much of the log it has seen, as far as this node knows.
    seen: u64,
    /// Whether it was told that it does not sign.
    is_away: bool,
}

impl Witnesses {
    /// Those whom the policy in this file names together with their addresses.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| Error::File { path: path.clone(), source })?;
        let policy: Policy = text.parse().map_err(|fault| Error::Policy { path, fault })?;
        let asked = policy.witnesses().iter().filter_map(Asked::of).collect::<Result<_, _>>()?;
        Ok(Self { policy, client: client(PATIENCE)?, asked, alarmed: false })
    }

    /// Shows the newest head to all who have not seen it, or not since it was signed last.
    pub async fn show(&mut self, commands: &Commands) -> Result<(), commands::Error> {
        let pool = commands.store().pool();
        let Some(head) = newest(pool).await? else { return Ok(()) };
        let shown = Shown { size: head.size.unsigned_abs(), note: &head.note()?, pool };
        let client = &self.client;
        let lacking = self.asked.iter_mut().filter(|it| it.lacks(&head, shown.note));
        let signed = join_all(lacking.map(|witness| witness.sign(client, &shown))).await;
        let mut note = shown.note.clone();
        for (key, answer) in signed.into_iter().flatten() {
            note.add_cosignature(&answer, &key).map_err(projections::Error::from)?;
        }
        if note != *shown.note {
            let suffice = self.policy.is_witnessed(&note).map_err(projections::Error::from)?;
            commands.keep_cosignatures(&head, &note, suffice).await?;
        }
        self.alarm(unwitnessed_since(pool).await?);
        Ok(())
    }

    /// Says once that heads have waited for too long, and once that they wait no more.
    fn alarm(&mut self, since: Option<DateTime<Utc>>) {
        let late = since.is_some_and(|since| now() - since > ALARM);
        match (late, std::mem::replace(&mut self.alarmed, late)) {
            (true, false) => {
                error!(?since, "THE LOG IS NOT WITNESSED: too few have signed its heads");
            }
            (false, true) => info!("the log is witnessed again"),
            _ => {}
        }
    }
}

/// A head that is shown.
struct Shown<'a> {
    size: u64,
    note: &'a Note,
    pool: &'a PgPool,
}

impl Asked {
    /// `None`: the policy does not say where it is; somebody else brings its signatures.
    fn of(witness: &Witness) -> Option<Result<Self, Error>> {
        let Witness { name, key, url } = witness.clone();
        let url = format!("{}/add-checkpoint", url?.trim_end_matches('/'));
        let asked = Url::parse(&url).ok().filter(is_secure).map(|url| Self {
            name: name.clone(),
            key,
            url,
            seen: 0,
            is_away: false,
        });
        Some(asked.ok_or(Error::Insecure(name)))
    }

    /// Whether it has not signed since the head was signed last; it counts in seconds.
    fn lacks(&self, head: &Sealed, note: &Note) -> bool {
        let signed = note.signature_of(&self.key).ok().flatten();
        let at = signed.and_then(Signature::cosigned_at);
        at.is_none_or(|at| at.timestamp() < head.signed_at.timestamp())
    }

    /// Its key and its answer, if it has signed. That it does not is told once, and that it does again.
    async fn sign(&mut self, client: &Client, head: &Shown<'_>) -> Option<(VerifierKey, String)> {
        let answer = self.ask(client, head).await;
        let was_away = std::mem::replace(&mut self.is_away, answer.is_err());
        let witness = &self.name;
        match answer {
            Err(problem) if !was_away => {
                error!(witness, problem = chain(&problem), "a witness has not signed");
                None
            }
            Err(_) => None,
            Ok(answer) => {
                if was_away {
                    info!(witness, "a witness signs again");
                }
                Some((self.key.clone(), answer))
            }
        }
    }

    /// Asks from where it was seen last, and once more from where it says that it is.
    async fn ask(&mut self, client: &Client, head: &Shown<'_>) -> Result<String, Unsigned> {
        let answer = match self.post(client, head).await {
            Err(Unsigned::Seen(size)) if size != self.seen => {
                self.seen = size;
                self.post(client, head).await?
            }
            answer => answer?,
        };
        head.note.clone().add_cosignature(&answer, &self.key)?;
        self.seen = head.size;
        Ok(answer)
    }

    async fn post(&self, client: &Client, head: &Shown<'_>) -> Result<String, Unsigned> {
        let plan = Plan::consistency(self.seen, head.size).ok_or(Unsigned::Ahead(self.seen))?;
        let hashes = plan.hashes(&tiles(head.pool, plan.tiles()).await?)?;
        let body = add_checkpoint(self.seen, &hashes, head.note);
        let response = client.post(self.url.clone()).body(body).send().await?;
        let status = response.status();
        let answer = outgoing::body(response, MAX_ANSWER).await?.unwrap_or_default();
        let answer = String::from_utf8(answer).unwrap_or_default();
        match status {
            StatusCode::OK => Ok(answer),
            StatusCode::CONFLICT => {
                Err(answer.trim_end().parse().map_or(Unsigned::Status(status), Unsigned::Seen))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Err(Unsigned::OtherLog),
            status => Err(Unsigned::Status(status)),
        }
    }
}

/// Signs again what stands still and shows the log to witnesses, as long as it runs and while it is this
/// node's turn.
pub async fn watch(commands: Commands, mut witnesses: Option<Witnesses>) {
    let mut schedule = Schedule::new("witnessing", EVERY);
    let pool = commands.store().pool();
    let mut reported = false;
    loop {
        schedule.next(pool).await;
        let turn = async {
            commands.sign_again().await?;
            match &mut witnesses {
                Some(witnesses) => witnesses.show(&commands).await,
                None => Ok(()),
            }
        };
        let done = schedule.keep(pool, turn).await;
        let was_reported = std::mem::replace(&mut reported, done.is_err());
        if let Err(problem) = done
            && !was_reported
        {
            warn!(problem = chain(&problem), "the log was not shown to witnesses");
        }
    }
}
