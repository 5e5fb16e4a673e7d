//! The one writer of a process: batches, commits, and finds out what became of a lost commit.

use super::judge::Facts;
use super::{IdempotencyKey, Limits, Submission, Verdict, Waiting, epoch, write};
use crate::Result;
use chrono::{DateTime, Utc};
use projections::log::APPEND_LOCK;
use projections::rebuild::fold_version;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use std::collections::VecDeque;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{error, info, warn};
use uuid::Uuid;

const MAX_SUBMISSIONS: usize = 300;
const MAX_EVENTS: usize = 2_000;
const MAX_BYTES: usize = 4 << 20;
/// How long to wait before another try when PostgreSQL is away.
const PAUSE: Duration = Duration::from_millis(100);
/// How many times `Limits::transaction` a line may be silent.
const SILENCE: u32 = 3;

/// How the appender is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether it can append.
    pub ready: bool,
    /// Why it never will again, in this process.
    pub stopped: Option<&'static str>,
    /// The last position it has committed or seen.
    pub head: i64,
    /// The epoch of the log: raised when another server goes on with it.
    pub epoch: i64,
}

/// Starts the appender; it ends when the queue is closed.
pub(super) fn start(
    options: PgConnectOptions,
    limits: Limits,
    queue: mpsc::UnboundedReceiver<Waiting>,
) -> watch::Receiver<Health> {
    let begin = Health { ready: false, stopped: None, head: 0, epoch: 0 };
    let (health, receiver) = watch::channel(begin);
    let appender =
        Appender { options, limits, queue, again: VecDeque::new(), reported: false, health };
    tokio::spawn(appender.run());
    receiver
}

struct Appender {
    options: PgConnectOptions,
    limits: Limits,
    queue: mpsc::UnboundedReceiver<Waiting>,
    /// Taken once already, and certainly not stored.
    again: VecDeque<Waiting>,
    /// Whether the present outage has been logged.
    reported: bool,
    health: watch::Sender<Health>,
}

/// Why a batch was not committed.
enum Failure {
    /// Certainly not stored, through no fault of the batch: try again.
    Postponed(projections::Error),
    /// COMMIT was sent and not answered.
    Unknown(Sent),
    /// PostgreSQL refused the batch for something in it.
    Culprit(projections::Error),
    /// Another program with other folds has taken over.
    OtherFolds,
}

/// A batch whose COMMIT was sent.
struct Sent {
    /// What it leaves in the database; `None` when nothing of it was accepted.
    trace: Option<Trace>,
    verdicts: Vec<Verdict>,
    head: i64,
}

/// What a batch, and no other, leaves in the database when it is committed.
enum Trace {
    /// Its first event.
    Event { position: i64, request_id: Uuid },
    /// Its first idempotency key, where it has no events, and when that was written.
    Key(IdempotencyKey, DateTime<Utc>),
}

impl Trace {
    /// What is accepted has events or a key, or else it would not have been submitted.
    fn of(accepted: &[&Submission], facts: &Facts, before: i64) -> Option<Self> {
        let event = accepted.iter().find(|it| !it.events.is_empty());
        let event = event.map(|it| Self::Event { position: before + 1, request_id: it.request_id });
        let key = || accepted.iter().find_map(|it| it.idempotency_key.clone());
        event.or_else(|| Some(Self::Key(key()?, facts.clock)))
    }

    async fn is_in(&self, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let event = "select exists (select from events where position = $1 \
                     and metadata->>'request_id' = $2)";
        let key = "select exists (select from idempotency_keys where subject = $1 \
                   and mutation = $2 and key = $3 and created_at = $4)";
        match self {
            Self::Event { position, request_id } => {
                sqlx::query_scalar(event).bind(position).bind(request_id.to_string())
            }
            Self::Key(it, at) => {
                sqlx::query_scalar(key).bind(&it.subject).bind(it.mutation).bind(&it.key).bind(at)
            }
        }
        .fetch_one(db)
        .await
    }
}

impl From<projections::Error> for Failure {
    fn from(error: projections::Error) -> Self {
        match &error {
            projections::Error::Database(database) if is_passing(database) => {
                Self::Postponed(error)
            }
            _ => Self::Culprit(error),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        projections::Error::from(error).into()
    }
}

/// Whether an error says nothing about the batch: the server is away, busy, or out of room.
/// 08 connection, 53 resources, 57 operator, 40 rollback, 55P03 lock, 25P03 idle in transaction.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| {
            ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))
                || ["55P03", "25P03"].contains(&&*code)
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

impl Appender {
    async fn run(mut self) {
        let mut connection: Option<PgConnection> = None;
        while self.health.borrow().stopped.is_none() {
            let Some(mut db) = self.connected(connection.take()).await else { continue };
            let Some(batch) = self.next_batch().await else { return };
            match self.append(&mut db, batch).await {
                Ok(()) => connection = Some(db),
                Err(()) => drop(db.close_hard().await),
            }
        }
        self.queue.close(); // what waits, and what comes, is answered: unavailable
        answer_all(self.again, || crate::Error::Unavailable);
        while let Some(waiting) = self.queue.recv().await {
            drop(waiting.reply.send(Err(crate::Error::Unavailable)));
        }
    }

    /// A connection that works; `None` after a failed try, when those who waited too long are gone.
    async fn connected(&mut self, open: Option<PgConnection>) -> Option<PgConnection> {
        if open.is_some() {
            return open;
        }
        let patience = self.limits.transaction;
        match within(patience, connect(&self.options, patience)).await {
            Ok((db, epoch, head)) => {
                self.health.send_modify(|it| *it = Health { ready: true, epoch, head, ..*it });
                self.reported = false;
                info!(epoch, head, "the log can be appended to");
                Some(db)
            }
            Err(problem) => {
                self.health.send_if_modified(|it| std::mem::take(&mut it.ready));
                if !std::mem::replace(&mut self.reported, true) {
                    warn!(problem = &problem as &dyn Error, "the log cannot be appended to");
                }
                tokio::time::sleep(PAUSE).await;
                self.again.retain(|waiting| !waiting.is_withdrawn());
                None
            }
        }
    }

    /// Waits for a submission and takes all others that wait, up to the limits of a batch. A
    /// larger one goes alone.
    async fn next_batch(&mut self) -> Option<Vec<Waiting>> {
        let mut batch = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        loop {
            let waiting = match self.again.pop_front() {
                Some(waiting) => waiting,
                None if batch.is_empty() => self.queue.recv().await?,
                None => match self.queue.try_recv() {
                    Ok(waiting) => waiting,
                    Err(_) => return Some(batch),
                },
            };
            let (more_events, more_bytes) = size(&waiting.submission);
            let full = batch.len() == MAX_SUBMISSIONS
                || events + more_events > MAX_EVENTS
                || bytes + more_bytes > MAX_BYTES;
            if full && !batch.is_empty() {
                self.again.push_front(waiting);
                return Some(batch);
            }
            if waiting.take() {
                (events, bytes) = (events + more_events, bytes + more_bytes);
                batch.push(waiting);
            }
        }
    }

    /// Appends a batch and answers everybody in it. `Err` when the connection is of no use any
    /// more; whoever was not answered waits again.
    async fn append(&mut self, db: &mut PgConnection, batch: Vec<Waiting>) -> Result<(), ()> {
        let mut parts = VecDeque::from([batch]);
        while let Some(mut part) = parts.pop_front() {
            let submissions: Vec<&Submission> = part.iter().map(|w| &w.submission).collect();
            match commit(db, &submissions, self.limits.transaction).await {
                Ok((verdicts, head)) => self.answer(part, verdicts, head),
                Err(Failure::Culprit(problem)) if part.len() == 1 => {
                    db.execute("rollback").await.map_err(drop)?;
                    let problem = &problem as &dyn Error;
                    error!(problem, "an append was refused by the database");
                    answer_all(part, || {
                        crate::Error::fault("an append was refused by the database")
                    });
                }
                Err(Failure::Culprit(_)) => {
                    db.execute("rollback").await.map_err(drop)?;
                    let half = part.split_off(part.len() / 2);
                    parts.push_front(half);
                    parts.push_front(part);
                }
                Err(Failure::Postponed(problem)) => {
                    warn!(problem = &problem as &dyn Error, "a batch waits");
                    parts.push_front(part);
                    self.wait_again(parts);
                    return Err(());
                }
                Err(Failure::OtherFolds) => {
                    let why = "other read tables are live: another version of this program works";
                    error!("{why}");
                    self.health.send_modify(|it| {
                        *it = Health { ready: false, stopped: Some(why), ..*it };
                    });
                    parts.push_front(part);
                    answer_all(parts.into_iter().flatten(), || crate::Error::Unavailable);
                    return Err(());
                }
                Err(Failure::Unknown(sent)) => {
                    warn!("a commit was not answered");
                    self.wait_again(parts);
                    self.find_out(part, sent).await;
                    return Err(());
                }
            }
        }
        Ok(())
    }

    fn answer(&self, part: Vec<Waiting>, verdicts: Vec<Verdict>, head: i64) {
        for (waiting, verdict) in part.into_iter().zip(verdicts) {
            drop(waiting.reply.send(Ok(verdict))); // the caller may have gone: the log has it
        }
        self.health.send_modify(|health| health.head = health.head.max(head));
    }

    /// But for those whose callers have gone: what cannot be done in time would come again for ever.
    fn wait_again(&mut self, parts: VecDeque<Vec<Waiting>>) {
        let wanted = |waiting: &Waiting| !waiting.reply.is_closed();
        for waiting in parts.into_iter().flatten().filter(wanted).rev() {
            waiting.put_back();
            self.again.push_front(waiting);
        }
    }

    /// Looks under the lock, which the lost transaction held until its end, whether it is there.
    async fn find_out(&mut self, part: Vec<Waiting>, sent: Sent) {
        let Some(trace) = sent.trace else {
            return self.wait_again(VecDeque::from([part])); // there was nothing to store
        };
        while part.iter().any(|waiting| !waiting.reply.is_closed()) {
            let patience = self.limits.transaction;
            let stored = is_stored(&self.options, patience, &trace);
            match within(patience, stored).await {
                Ok(true) => return self.answer(part, sent.verdicts, sent.head),
                Ok(false) => return self.wait_again(VecDeque::from([part])),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn size(submission: &Submission) -> (usize, usize) {
    let bytes = submission.events.iter().map(|event| event.payload.len() + event.metadata.len());
    (submission.events.len(), bytes.sum())
}

fn answer_all(part: impl IntoIterator<Item = Waiting>, error: impl Fn() -> crate::Error) {
    for waiting in part {
        drop(waiting.reply.send(Err(error())));
    }
}

/// One transaction: lock, judge, write, commit.
async fn commit(
    db: &mut PgConnection,
    submissions: &[&Submission],
    patience: Duration,
) -> Result<(Vec<Verdict>, i64), Failure> {
    let sent = within(patience, judge_and_write(db, submissions)).await?;
    match within(patience, db.execute("commit")).await {
        Ok(_) => Ok((sent.verdicts, sent.head)),
        Err(sqlx::Error::Database(refusal))
            if !refusal.code().is_some_and(|it| it.starts_with("57")) =>
        {
            Err(sqlx::Error::Database(refusal).into())
        }
        Err(_) => Err(Failure::Unknown(sent)),
    }
}

/// Everything up to COMMIT.
async fn judge_and_write(
    db: &mut PgConnection,
    submissions: &[&Submission],
) -> Result<Sent, Failure> {
    lock(db).await?;
    let mut facts = Facts::fetch(db, submissions).await?;
    if facts.fold_version.as_deref() != Some(fold_version()) {
        return Err(Failure::OtherFolds);
    }
    let before = facts.head;
    let verdicts: Vec<Verdict> = submissions.iter().map(|it| facts.judge(it)).collect();
    let accepted: Vec<&Submission> = submissions
        .iter()
        .zip(&verdicts)
        .filter_map(|(it, verdict)| matches!(verdict, Verdict::Accepted(_)).then_some(*it))
        .collect();
    let rows = write::rows(&accepted, before, &facts);
    write::write(db, &accepted, &rows, &facts).await?;
    let trace = Trace::of(&accepted, &facts, before);
    Ok(Sent { trace, verdicts, head: facts.head })
}

/// Gives up on a line that has gone silent, without an end that anybody would hear of. The server's
/// own limits come first.
async fn within<T, E: From<sqlx::Error>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let silence = || sqlx::Error::Io(ErrorKind::TimedOut.into()).into();
    timeout(patience * SILENCE, work).await.unwrap_or_else(|_| Err(silence()))
}

/// Two statements of one message: what is read next is read after the lock. A standby refuses to
/// begin: it has locks of its own, and may not show yet what it has got.
async fn lock(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!(
        "begin isolation level read committed read write; \
         select pg_advisory_xact_lock({APPEND_LOCK})"
    );
    db.execute(&*sql).await.map(drop)
}

/// A connection whose sessions give the lock back when they freeze, the log's epoch and its head.
async fn connect(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<(PgConnection, i64, i64), projections::Error> {
    let mut db = open(options, patience).await?;
    lock(&mut db).await?;
    if projections::rebuild::live_version(&mut db).await?.as_deref() != Some(fold_version()) {
        return Err(projections::Error::Unreadable(
            "the read tables are not this program's: run `pms migrate`".into(),
        ));
    }
    let epoch = epoch::adopt(&mut db).await?;
    let head = projections::log::head(&mut db).await?;
    db.execute("commit").await?;
    Ok((db, epoch, head))
}

async fn open(options: &PgConnectOptions, patience: Duration) -> Result<PgConnection, sqlx::Error> {
    let mut db = options.connect().await?;
    let ms = patience.as_millis();
    let sql = format!(
        "set lock_timeout = {ms}; set statement_timeout = {}; \
         set idle_in_transaction_session_timeout = {ms}; set application_name = 'pms appender'",
        ms * 2
    );
    db.execute(&*sql).await?;
    Ok(db)
}

async fn is_stored(
    options: &PgConnectOptions,
    patience: Duration,
    trace: &Trace,
) -> Result<bool, sqlx::Error> {
    let mut db = open(options, patience).await?;
    lock(&mut db).await?;
    let stored = trace.is_in(&mut db).await?;
    db.close().await?;
    Ok(stored)
}
