//! The commands of the system over a database of the test's own: one node or several.

use super::database::TestDatabase;
use super::statements::Statements;
use super::until;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use ::commands::{Commands, Error};
use domain::issuance::{EcdsaP256Signer, Signer};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::cell::Cell;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Notify;

/// A database and the keys that go with it: what all nodes of an installation share.
pub struct Installation {
    /// The log.
    pub database: TestDatabase,
    keys: TempDir,
}

impl Installation {
    /// An empty one.
    pub async fn new() -> Self {
        Self { database: TestDatabase::new().await, keys: key_folder() }
    }

    /// The same installation on another database.
    pub fn moved_to(self, database: TestDatabase) -> Self {
        Self { database, ..self }
    }

    /// Where the keys lie.
    pub fn key_folder(&self) -> &std::path::Path {
        self.keys.path()
    }

    /// A node, as `pms serve` is one.
    pub fn node(&self) -> Commands {
        self.node_with(Limits::default())
    }

    /// A node with limits of its own.
    pub fn node_with(&self, limits: Limits) -> Commands {
        self.node_through(self.database.serving(), limits)
    }

    /// A node whose appender connects in its own way.
    pub fn node_through(&self, appender: PgConnectOptions, limits: Limits) -> Commands {
        let store = EventStore::start(self.database.serving_pool(), appender, limits);
        Commands::new(store, self.keys())
    }

    /// A node that reads in its own way.
    pub fn node_reading_through(&self, pool: PgPool) -> Commands {
        let store = EventStore::start(pool, self.database.serving(), Limits::default());
        Commands::new(store, self.keys())
    }

    /// A node whose statements are all counted.
    pub fn node_counted_by(&self, statements: &Statements) -> Commands {
        let way = statements.way(&self.database.serving());
        let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(way.clone());
        Commands::new(EventStore::start(pool, way, Limits::default()), self.keys())
    }

    /// A node that signs what it issues through another signer.
    pub fn node_signing_through(&self, signer: Box<dyn Signer + Send + Sync>) -> Commands {
        let database = &self.database;
        let (pool, limits) = (database.serving_pool(), Limits::default());
        let store = EventStore::start(pool, database.serving(), limits);
        let keys = Keys::open(self.keys.path(), true).unwrap().with_signer(signer);
        Commands::new(store, Arc::new(keys))
    }

    /// The first issuing key.
    pub fn issuing_key(&self) -> EcdsaP256Signer {
        drop(self.keys());
        let pkcs8 = std::fs::read(self.keys.path().join("issuing.p8")).unwrap();
        EcdsaP256Signer::from_pkcs8(&pkcs8).unwrap()
    }

    /// Commands with the appender of `node` and queues of their own: those of two such that write
    /// the same stream can come into one batch.
    pub fn beside(&self, node: &Commands) -> Commands {
        Commands::new(node.store().clone(), self.keys())
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::new(Keys::open(self.keys.path(), true).unwrap())
    }
}

/// A folder that only this account can enter.
pub fn key_folder() -> TempDir {
    let closed = Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(closed).tempdir().unwrap()
}

/// Waits until this many submissions of a node wait for their verdict.
pub async fn wait_for_submissions(node: &Commands, count: usize) {
    until(async || (node.store().waiting() == count).then_some(())).await;
}

/// Lets `late` make its decision on one node, then lets `early` on another node decide and append,
/// and only then lets `late` append. `blocker` is any command of the node of `late`.
///
/// The lock of the log is held by the test meanwhile. `blocker` waits for it first, so `late` has
/// to queue behind it in its own process; `early` waits for it second. PostgreSQL grants a lock in
/// the order in which it was asked for. A command that is refused by what it reads submits nothing:
/// then its answer is waited for instead.
pub async fn overtaken<L, E>(
    installation: &Installation,
    node: &Commands,
    blocker: impl Future,
    late: impl Future<Output = L>,
    early: impl Future<Output = E>,
) -> (L, E) {
    let database = &installation.database;
    let (late_may, early_may) = (Notify::new(), Notify::new());
    let (late_answered, early_answered) = (Cell::new(0), Cell::new(0));
    let log = database.lock_the_log().await;
    let director = async {
        database.wait_for_appenders(|count| count == 1).await;
        late_may.notify_one();
        wait_for_submissions_or(node, 2, &late_answered).await;
        early_may.notify_one();
        database.wait_for_appenders(|count| count + early_answered.get() == 2).await;
        log.release().await;
    };
    let late = async {
        late_may.notified().await;
        counted(late, &late_answered).await
    };
    let early = async {
        early_may.notified().await;
        counted(early, &early_answered).await
    };
    let (_, (), late, early) = tokio::join!(blocker, director, late, early);
    (late, early)
}

/// Lets commands of one node be judged in one batch, in the order given. `blocker` goes before.
pub async fn in_one_batch<T>(
    installation: &Installation,
    node: &Commands,
    blocker: impl Future,
    commands: Vec<impl Future<Output = T>>,
) -> Vec<T> {
    let database = &installation.database;
    let log = database.lock_the_log().await;
    let (start, answered) = (Notify::new(), Cell::new(0));
    let count = commands.len();
    let turns: Vec<Notify> = (0..count).map(|_| Notify::new()).collect();
    let director = async {
        database.wait_for_appenders(|count| count == 1).await;
        start.notify_one();
        for (place, turn) in turns.iter().enumerate() {
            turn.notify_one();
            wait_for_submissions_or(node, place + 2, &answered).await;
        }
        log.release().await;
    };
    let commands = commands.into_iter().zip(&turns).map(async |(command, turn)| {
        turn.notified().await;
        counted(command, &answered).await
    });
    let (_, (), results) = tokio::join!(blocker, director, futures::future::join_all(commands));
    results
}

/// Waits until this many submissions of a node wait for their verdict, those who were answered
/// without one included.
async fn wait_for_submissions_or(node: &Commands, count: usize, answered: &Cell<i64>) {
    let answered = || usize::try_from(answered.get()).unwrap();
    until(async || (node.store().waiting() + answered() == count).then_some(())).await;
}

async fn counted<T>(command: impl Future<Output = T>, answered: &Cell<i64>) -> T {
    let answer = command.await;
    answered.set(answered.get() + 1);
    answer
}

/// The codes of a refusal; panics when there is none.
pub fn codes<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<&'static str> {
    match result {
        Err(Error::Refused(findings)) => findings.iter().map(|finding| finding.code).collect(),
        other => panic!("no refusal: {other:?}"),
    }
}
