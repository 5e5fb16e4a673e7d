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
use projections::audit::standing::standing;
use projections::audit::{Sealed, newest, tiles};
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
    /// Nobody could ask it, or anybody on the line answer for it.
    #[error("the witness {0} needs an address, https or on a loopback address")]
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
    /// When the last head that it has signed was signed by the log.
    answered: Option<DateTime<Utc>>,
    /// Why it does not sign, as it was told.
    told: Option<String>,
}

impl Witnesses {
    /// Those whom the policy in this file names; it has to tell all their addresses.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| Error::File { path: path.clone(), source })?;
        let policy: Policy = text.parse().map_err(|fault| Error::Policy { path, fault })?;
        let asked = policy.witnesses().iter().map(Asked::of).collect::<Result<_, _>>()?;
        Ok(Self { policy, client: client(PATIENCE)?, asked, alarmed: false })
    }

    /// Shows the newest head to all who have not seen it, or not since it was signed last. Whether the
    /// log has waited for enough of them for more than ten minutes.
    pub async fn show(&mut self, commands: &Commands) -> Result<bool, commands::Error> {
        let pool = commands.store().pool();
        let Some(head) = newest(pool).await? else { return Ok(false) };
        let (size, signed_at, note) = (head.size.unsigned_abs(), head.signed_at, head.note()?);
        let shown = Shown { size, signed_at, note: &note, pool };
        let client = &self.client;
        let lacking = self.asked.iter_mut().filter(|it| it.lacks(&head, shown.note));
        let signed = join_all(lacking.map(|witness| witness.sign(client, &shown))).await;
        let mut note = note.clone();
        for (key, answer) in signed.into_iter().flatten() {
            note.add_cosignature(&answer, &key).map_err(projections::Error::from)?;
        }
        let suffice = self.policy.is_witnessed(&note).map_err(projections::Error::from)?;
        if note.to_string() != head.note || (suffice && head.witnessed_at.is_none()) {
            commands.keep_cosignatures(&head, &note, suffice).await?;
        }
        Ok(self.alarm(standing(pool).await?.unwitnessed_since))
    }

    /// Says once that the log has waited for too long, and once that it waits no more. Whether it does.
    fn alarm(&mut self, since: Option<DateTime<Utc>>) -> bool {
        let late = since.is_some_and(|since| now() - since > ALARM);
        match (late, std::mem::replace(&mut self.alarmed, late)) {
            (true, false) => {
                error!(?since, "THE LOG IS NOT WITNESSED: too few have signed its heads");
            }
            (false, true) => info!("the log is witnessed again"),
            _ => {}
        }
        late
    }
}

/// A head that is shown.
struct Shown<'a> {
    size: u64,
    signed_at: DateTime<Utc>,
    note: &'a Note,
    pool: &'a PgPool,
}

impl Asked {
    fn of(witness: &Witness) -> Result<Self, Error> {
        let Witness { name, key, url } = witness.clone();
        let url = url.map(|url| format!("{}/add-checkpoint", url.trim_end_matches('/')));
        let url = url.and_then(|url| Url::parse(&url).ok()).filter(is_secure);
        let url = url.ok_or_else(|| Error::Insecure(name.clone()))?;
        Ok(Self { name, key, url, seen: 0, answered: None, told: None })
    }

    /// Whether it has not signed since the head was signed last. It counts in seconds, by a clock of its
    /// own.
    fn lacks(&self, head: &Sealed, note: &Note) -> bool {
        let signed = note.signature_of(&self.key).ok().flatten();
        let at = signed.and_then(Signature::cosigned_at);
        let is_old = |at: DateTime<Utc>| at.timestamp() < head.signed_at.timestamp();
        at.is_none_or(|at| is_old(at) && self.answered != Some(head.signed_at))
    }

    /// Its key and its answer, if it has signed. Why it has not is told once, and that it does again.
    async fn sign(&mut self, client: &Client, head: &Shown<'_>) -> Option<(VerifierKey, String)> {
        let answer = self.ask(client, head).await;
        let problem = answer.as_ref().err().map(|problem| chain(problem));
        let (witness, told) = (&self.name, std::mem::replace(&mut self.told, problem.clone()));
        match (problem, told) {
            (Some(problem), told) if told.as_ref() != Some(&problem) => {
                error!(witness, problem, "a witness has not signed");
            }
            (None, Some(_)) => info!(witness, "a witness signs again"),
            _ => {}
        }
        answer.ok().map(|answer| (self.key.clone(), answer))
    }

    /// Asks from where it was seen last, and once more from where it says that it is.
    async fn ask(&mut self, client: &Client, head: &Shown<'_>) -> Result<String, Unsigned> {
        let answer = match self.post(client, head).await {
            Err(Unsigned::Seen(size)) if size != self.seen => {
                self.seen = size;
                self.post(client, head).await?
            }
            // It has signed just as much, and that was something else (C2SP tlog-witness, 409).
            Err(Unsigned::Seen(_)) => return Err(Unsigned::OtherLog),
            answer => answer?,
        };
        head.note.clone().add_cosignature(&answer, &self.key)?;
        (self.seen, self.answered) = (head.size, Some(head.signed_at));
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
            let signed = commands.sign_again().await;
            if let Some(witnesses) = &mut witnesses {
                witnesses.show(&commands).await?;
            }
            signed
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
