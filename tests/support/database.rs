//! One server per test run, one database per test: a clone of a migrated template.

use super::until;
use api::embedded_postgres::{Server, Settings, find_binaries};
use projections::log::APPEND_LOCK;
use projections::migrate::migrate;
use projections::{READ, reading};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tokio::sync::OnceCell;

const TEMPLATE: &str = "pms_template";
/// What a run needs at most.
const ROOM: u64 = 2 << 30;

/// A database of one test. It goes away when the test succeeds.
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// An empty log, migrated.
    pub async fn new() -> Self {
        static TEMPLATE_IS_MADE: OnceCell<()> = OnceCell::const_new();
        TEMPLATE_IS_MADE.get_or_init(make_template).await;
        Self::copy_of(TEMPLATE).await
    }

    /// A database without tables.
    pub async fn empty() -> Self {
        Self::copy_of("template0").await
    }

    /// What this one is now, as a copy of its disk would have it. All its sessions are cut.
    pub async fn snapshot(&self) -> Self {
        self.forbid_connections().await;
        let copy = Self::copy_of(&self.name).await;
        self.allow_connections().await;
        copy
    }

    async fn copy_of(template: &str) -> Self {
        let name = format!("test_{}", ::commands::new_id().simple());
        let create = format!("create database {name} template {template} strategy file_copy");
        administer(&create).await;
        let url = server().url(&name);
        Self { name, url }
    }

    /// Where clients find it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// As the owner of all tables connects.
    pub fn owner(&self) -> PgConnectOptions {
        self.url().parse().unwrap()
    }

    /// As [`serving`] connects.
    pub fn serving(&self) -> PgConnectOptions {
        serving(self.owner())
    }

    /// Connections of the owner, who finds the read tables by their names.
    pub fn owner_pool(&self) -> PgPool {
        let options = reading(self.owner(), READ);
        PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
    }

    /// Connections of `pms serve`.
    pub fn serving_pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(8).connect_lazy_with(self.serving())
    }

    /// The last position of the log.
    pub async fn head(&self) -> i64 {
        self.ask("select max(position) from events").await
    }

    /// Runs statements as the owner, for what no command can bring about.
    pub async fn as_owner(&self, sql: &str) {
        let mut db = self.owner().connect().await.unwrap();
        db.execute(sql).await.unwrap();
        db.close().await.unwrap();
    }

    /// The answer of a query that the owner asks.
    pub async fn ask<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let mut db = self.owner().connect().await.unwrap();
        let answer = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        answer
    }

    /// As if the server were away: cuts all sessions and lets nobody in.
    pub async fn forbid_connections(&self) {
        let name = &self.name;
        administer(&format!("alter database {name} allow_connections false")).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname =";
        administer(&format!("{cut} '{name}'")).await;
    }

    /// The server is back.
    pub async fn allow_connections(&self) {
        administer(&format!("alter database {} allow_connections true", self.name)).await;
    }

    /// Takes the lock of the log, so that nothing is appended until it is given back.
    pub async fn lock_the_log(&self) -> LockedLog {
        let mut db = self.owner().connect().await.unwrap();
        let lock = format!("begin; select pg_advisory_xact_lock({APPEND_LOCK})");
        db.execute(&*lock).await.unwrap();
        LockedLog { db }
    }

    /// Waits until this many sessions wait for the lock of the log.
    pub async fn wait_for_appenders(&self, enough: impl Fn(i64) -> bool) {
        let mut db = self.owner().connect().await.unwrap();
        let sql = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                   and database = (select oid from pg_database where datname = current_database())";
        until(async || {
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
            enough(waiting).then_some(())
        })
        .await;
        db.close().await.unwrap();
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of the failed test: {}", self.url);
            return;
        }
        let drop = format!("drop database {} with (force)", self.name);
        // Dropping cannot wait, and the test's own runtime is busy with it.
        let elsewhere = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(administer(&drop));
        });
        elsewhere.join().unwrap();
    }
}

/// As `pms serve` connects: under the role that owns nothing.
pub fn serving(owner: PgConnectOptions) -> PgConnectOptions {
    reading(owner.options([("role", "pms_serve"), ("jit", "off")]), READ)
}

/// The lock of the log in the hands of a test.
pub struct LockedLog {
    db: PgConnection,
}

impl LockedLog {
    /// Lets the log go on.
    pub async fn release(mut self) {
        self.db.execute("commit").await.unwrap();
        self.db.close().await.unwrap();
    }
}

async fn make_template() {
    administer(&format!("create database {TEMPLATE}")).await;
    let mut db = PgConnection::connect(&server().url(TEMPLATE)).await.unwrap();
    migrate(&mut db).await.unwrap();
    db.close().await.unwrap();
    administer(&format!("alter database {TEMPLATE} is_template true allow_connections false"))
        .await;
}

async fn administer(sql: &str) {
    let mut db = PgConnection::connect(&server().url("postgres")).await.unwrap();
    db.execute(sql).await.unwrap();
    db.close().await.unwrap();
}

/// The server of this run. It ends with the process: the launcher sees to that.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let base = memory_or_disk();
        let folder = folder();
        let turn = File::create(base.join(format!("{folder}lock"))).unwrap();
        turn.lock().unwrap(); // a run that has no lock of its own yet is not swept away
        sweep(&base, &folder);
        let root = base.join(format!("{folder}{}", ::commands::new_id().simple()));
        let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
        Server::start(&Settings { root, bin_dir, durable: false }).unwrap()
    })
}

/// The folders of servers begin like this, below [`memory_or_disk`]: each account has its own.
fn folder() -> String {
    format!("pms-tests-{}-", rustix::process::getuid().as_raw())
}

/// Memory where there is room, as there is not in many containers.
pub fn memory_or_disk() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map(|it| it.f_bavail * it.f_frsize);
    if free.is_ok_and(|free| free > ROOM) { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removes what earlier runs left: a static is never dropped.
fn sweep(base: &Path, folder: &str) {
    for entry in fs::read_dir(base).unwrap().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(folder);
        let is_used = File::open(entry.path().join("lock")).is_ok_and(|it| it.try_lock().is_err());
        if is_ours && !is_used {
            fs::remove_dir_all(entry.path()).ok(); // its server may still be ending: next time
        }
    }
}
