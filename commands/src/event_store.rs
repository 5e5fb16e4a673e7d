//! The only place that appends to the log.
//!
//! 1. A command loads what it needs and decides in memory, without a lock.
//! 2. It submits: new events; the version of every stream it read; fences; claims; private rows;
//!    its idempotency key.
//! 3. The appender takes all waiting submissions, opens one transaction and takes the lock. From
//!    here on it is the only writer in all processes.
//! 4. It judges them one by one in order of arrival ([`judge`]): what read something that has moved
//!    is a conflict, what wants a taken name is refused.
//! 5. Survivors get the next positions; events, claims, fences, private rows and the folded read
//!    rows go out in one statement per table. What an event says is erased is deleted.
//! 6. Commit. Before it nothing is visible and nobody is answered; after it everything agrees.
//! 7. Each caller gets its position. A caller whose deadline passes learns whether its wish was
//!    certainly not stored or may have been.

mod appender;
mod epoch;
mod judge;
mod write;

pub use appender::Health;
pub(crate) use appender::is_passing;
pub use epoch::raise_epoch;
pub(crate) use write::unstorable;

use crate::{Error, Result, read_only};
use chrono::{DateTime, Utc};
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, EventStore as _};
use domain::{Decide, Finding};
use postgres_es::PostgresEventRepository;
use projections::log::Extent;
use projections::private_rows::SealedRow;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// One stream of the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The noun's stored name.
    pub aggregate_type: &'static str,
    /// The noun's id.
    pub aggregate_id: String,
}

impl StreamId {
    /// The stream of one noun.
    pub fn of<A: Aggregate>(id: &str) -> Self {
        Self { aggregate_type: A::TYPE, aggregate_id: id.to_owned() }
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.aggregate_type, self.aggregate_id)
    }
}

/// An event on its way into the log. Its sequence follows from the version that was read.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct NewEvent {
    pub stream: StreamId,
    pub event_type: String,
    pub event_version: String,
    pub payload: String,
    pub metadata: String,
}

/// A name that only one stream may hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// What kind of name, such as `partner_email`.
    pub kind: &'static str,
    /// Its normal form, or a keyed hash of it where it is personal.
    pub key: String,
}

/// A name that a submission wants.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The name.
    pub name: Name,
    /// Who will hold it.
    pub holder: StreamId,
    /// What to say when somebody else holds it; `None`: decide again, for the decision will look
    /// different then.
    pub taken: Option<Finding>,
}

/// The keyed hash of a key that is being issued.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the column of `secret_hashes` of the same name")]
pub struct SecretHash {
    pub lookup_id: String,
    pub object_id: String,
    pub pepper_version: i32,
    pub hash: Vec<u8>,
}

/// Remembers that a wish was granted.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the column of `idempotency_keys` of the same name")]
pub struct IdempotencyKey {
    pub subject: String,
    pub mutation: &'static str,
    pub key: String,
    pub input_hmac: Vec<u8>,
    pub object_id: String,
    pub version: i64,
}

/// Everything that one command read and wants to write.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// New events, of one stream or of several.
    pub events: Vec<NewEvent>,
    /// The version of every stream that was read.
    pub streams: BTreeMap<StreamId, i64>,
    /// The version of every fence that was read.
    pub fences: BTreeMap<String, i64>,
    /// Fences whose set changes with this submission.
    pub raised: BTreeSet<String>,
    /// Names to take.
    pub claims: Vec<Claim>,
    /// Names to give back; only what the holder holds is given back.
    pub released: Vec<(Name, StreamId)>,
    /// Personal data to store.
    pub personal_data: Vec<SealedRow>,
    /// Keyed hashes to store.
    pub secret_hashes: Vec<SecretHash>,
    /// The idempotency key to remember.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The request that is being answered; finds the batch again after a lost COMMIT reply.
    pub request_id: Uuid,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the log; this is the position of its last event, or the log's end where it had
    /// none.
    Accepted(i64),
    /// Something it read has moved, or its idempotency key was used meanwhile: decide again.
    Conflict,
    /// Names it wants are taken.
    Refused(Vec<Finding>),
}

/// The way into the log, shared by all commands of a process.
#[derive(Debug, Clone)]
pub struct EventStore {
    pool: PgPool,
    queue: mpsc::UnboundedSender<Waiting>,
    waiting: Arc<AtomicUsize>,
    health: watch::Receiver<Health>,
    limits: Limits,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A submission that is still queued then is withdrawn: certainly not stored.
    pub queue: Duration,
    /// A submission whose fate is not known then is answered `OUTCOME_UNKNOWN`.
    pub outcome: Duration,
    /// `lock_timeout`, `statement_timeout` and `idle_in_transaction_session_timeout` of the
    /// appender, so that a frozen node gives the lock back.
    pub transaction: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: Duration::from_secs(10),
            outcome: Duration::from_secs(20),
            transaction: Duration::from_secs(3),
        }
    }
}

const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// A submission in the queue, and the one who waits for its verdict.
#[derive(Debug)]
struct Waiting {
    submission: Submission,
    state: Arc<AtomicU8>,
    reply: oneshot::Sender<Result<Verdict>>,
}

impl Waiting {
    /// Claims the submission for a batch; `false` when its caller has withdrawn it.
    fn take(&self) -> bool {
        change(&self.state, QUEUED, TAKEN)
    }

    /// Gives it back to the queue: it is certainly not stored.
    fn put_back(&self) {
        change(&self.state, TAKEN, QUEUED);
    }

    fn is_withdrawn(&self) -> bool {
        self.state.load(Ordering::Acquire) == WITHDRAWN || self.reply.is_closed()
    }
}

/// One who waits for a verdict, counted for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn among(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn change(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

impl EventStore {
    /// Starts the appender of this process. `appender` is how it connects; `pool` is for reading.
    pub fn start(pool: PgPool, appender: PgConnectOptions, limits: Limits) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let health = appender::start(appender, limits, waiting);
        Self { pool, queue, waiting: Arc::default(), health, limits }
    }

    /// The way to a log that ends in the past: `pool` reads it, and nothing is ever appended.
    pub fn of_the_past(pool: PgPool, Extent { head, epoch }: Extent) -> Self {
        let (queue, mut waiting) = mpsc::unbounded_channel::<Waiting>();
        let health = Health { ready: true, stopped: None, head, epoch };
        let (told, health) = watch::channel(health);
        tokio::spawn(async move {
            while let Some(waiting) = waiting.recv().await {
                drop(waiting.reply.send(Err(vec![read_only()].into())));
            }
            drop(told); // until here it is known how the log is
        });
        Self { pool, queue, waiting: Arc::default(), health, limits: Limits::default() }
    }

    /// The pool for reading.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the appender works, and how far the log has come.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// How many submissions wait for their verdict: those in the queue and those being written.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Puts a submission into the queue and waits for its verdict.
    pub async fn append(&self, submission: Submission) -> Result<Verdict> {
        let (reply, verdict) = oneshot::channel();
        let state = Arc::new(AtomicU8::new(QUEUED));
        let waiting = Waiting { submission, state: state.clone(), reply };
        self.queue.send(waiting).map_err(|_| Error::Unavailable)?;
        let _counted = Counted::among(&self.waiting);
        let submitted = Instant::now();
        let mut verdict = std::pin::pin!(verdict);
        if let Ok(answer) = timeout_at(submitted + self.limits.queue, &mut verdict).await {
            return answer.unwrap_or(Err(Error::OutcomeUnknown));
        }
        if change(&state, QUEUED, WITHDRAWN) {
            return Err(Error::Unavailable);
        }
        match timeout_at(submitted + self.limits.outcome, verdict).await {
            Ok(answer) => answer.unwrap_or(Err(Error::OutcomeUnknown)),
            Err(_) if change(&state, QUEUED, WITHDRAWN) => Err(Error::Unavailable), // put back
            Err(_) => Err(Error::OutcomeUnknown),
        }
    }

    /// Loads one stream through the stock store of cqrs-es and postgres-es: its state, and the
    /// version that was read.
    pub async fn load<A: Decide>(&self, id: &str) -> Result<(A, i64)> {
        let repository = PostgresEventRepository::new(self.pool.clone());
        let store =
            PersistedEventStore::<_, A>::new_event_store(repository).with_upcasters(A::upcasters());
        let context = store.load_aggregate(id).await.map_err(load_error)?;
        Ok((context.aggregate, version(context.current_sequence)))
    }

    /// Loads many streams of one noun in one statement: id, state and version of each.
    pub async fn load_many<A: Decide>(&self, ids: &[String]) -> Result<Vec<(String, A, i64)>> {
        let rows = projections::log::streams(&self.pool, A::TYPE, ids).await?;
        let mut streams: BTreeMap<String, (A, i64)> =
            ids.iter().map(|id| (id.clone(), (A::default(), 0))).collect();
        for row in rows {
            let recorded = row.decode::<A>()?;
            let stream = streams.entry(row.aggregate_id).or_default();
            stream.0.apply(recorded.event);
            stream.1 = recorded.sequence;
        }
        Ok(streams.into_iter().map(|(id, (state, version))| (id, state, version)).collect())
    }

    /// The version of a fence; 0 for one that was never raised.
    pub async fn fence(&self, name: &str) -> Result<i64> {
        let sql = "select coalesce((select version from fences where name = $1), 0)";
        Ok(sqlx::query_scalar(sql).bind(name).fetch_one(&self.pool).await?)
    }

    /// Who holds a name: `<aggregate_type>/<aggregate_id>`.
    pub async fn holder(&self, name: &Name) -> Result<Option<String>> {
        let sql = "select holder from claims where kind = $1 and key = $2";
        let query = sqlx::query_scalar(sql).bind(name.kind).bind(&name.key);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Who holds each of these names, in one statement.
    pub async fn holders(&self, names: &[Name]) -> Result<Vec<Option<String>>> {
        let sql = "select c.holder from unnest($1::text[], $2::text[]) with ordinality s(kind, key, n) \
                   left join claims c on c.kind = s.kind and c.key = s.key order by n";
        let (kinds, keys): (Vec<_>, Vec<_>) =
            names.iter().map(|name| (name.kind, name.key.as_str())).unzip();
        Ok(sqlx::query_scalar(sql).bind(kinds).bind(keys).fetch_all(&self.pool).await?)
    }

    /// The names of one kind that a stream holds. Looks at all names of the kind: not for every day.
    pub async fn names_of(&self, kind: &'static str, holder: &StreamId) -> Result<Vec<Name>> {
        let sql = "select key from claims where kind = $1 and holder = $2";
        let query = sqlx::query_scalar(sql).bind(kind).bind(holder.to_string());
        let keys: Vec<String> = query.fetch_all(&self.pool).await?;
        Ok(keys.into_iter().map(|key| Name { kind, key }).collect())
    }

    /// What an idempotency key was used for, if it was: object, version, position, and whether
    /// the input was the same.
    pub async fn idempotency_key(
        &self,
        subject: &str,
        mutation: &str,
        key: &str,
        input_hmac: &[u8],
    ) -> Result<Option<Granted>> {
        let sql = "select object_id, version, position, input_hmac = $4 as same_input \
                   from idempotency_keys where subject = $1 and mutation = $2 and key = $3";
        let query = sqlx::query_as(sql).bind(subject).bind(mutation).bind(key).bind(input_hmac);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Whether everything that a decision was made on still stands, told by one statement. A
    /// refusal is answered only then.
    pub async fn still_stands(&self, submission: &Submission) -> Result<bool> {
        let mut db = self.pool.acquire().await?;
        let facts = judge::Facts::fetch(&mut db, std::slice::from_ref(&submission)).await?;
        Ok(facts.hold_for(submission))
    }
}

/// An idempotency key that was used.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct Granted {
    pub object_id: String,
    pub version: i64,
    pub position: i64,
    /// Whether the same was wished then.
    pub same_input: bool,
}

/// Our sequences are `bigint` in PostgreSQL and `usize` in cqrs-es.
fn version(sequence: usize) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn load_error<E: std::error::Error>(error: AggregateError<E>) -> Error {
    match error {
        AggregateError::DatabaseConnectionError(source)
        | AggregateError::UnexpectedError(source) => match source.downcast::<sqlx::Error>() {
            Ok(database) => (*database).into(), // it may be away for a moment
            Err(_) => Error::fault("a stream does not load: unexpected"),
        },
        other => Error::fault(format!("a stream does not load: {}", kind(&other))),
    }
}

/// Only the kind of the error: its text may hold what was stored.
fn kind<E: std::error::Error>(error: &AggregateError<E>) -> &'static str {
    match error {
        AggregateError::UserError(_) => "refused",
        AggregateError::AggregateConflict => "conflict",
        AggregateError::DatabaseConnectionError(_) => "connection",
        AggregateError::DeserializationError(_) => "unknown shape",
        AggregateError::UnexpectedError(_) => "unexpected",
    }
}

/// When an event was recorded: never earlier than the one before, even when the clock runs
/// backwards.
fn recorded_at(clock: DateTime<Utc>, previous: Option<DateTime<Utc>>) -> DateTime<Utc> {
    previous.map_or(clock, |previous| previous.max(clock))
}
