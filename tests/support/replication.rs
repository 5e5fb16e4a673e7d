//! PostgreSQL's plain streaming replication: a primary and a standby, each a server of its own on a
//! loopback port. The primary is killed, the standby promoted, and a new standby attached, as often as
//! a test wants.

use super::until;
use ::commands::Commands;
use api::config::Config;
use api::embedded_postgres::{
    Account, ends_with_its_parent, find_binaries, reachable, server_account,
};
use api::service::{self, Database};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Executor as _, PgConnection};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio::process::Child;

/// What every server is told. Its name is the one that a synchronous primary waits for.
const SETTINGS: [&str; 10] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "cluster_name=pms",
    "wal_level=replica",
    "hot_standby=on",
    "max_wal_senders=10",
    "wal_keep_size=256MB",
    "wal_receiver_status_interval=1",
    "wal_retrieve_retry_interval=100ms",
    "shared_buffers=32MB",
];

/// Whether a primary answers COMMIT before its standby has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standby {
    /// It does not.
    Synchronous,
    /// It does.
    Asynchronous,
}

/// A server.
pub struct Member {
    /// Where it listens, on the loopback address.
    pub port: u16,
    data: PathBuf,
    process: Child,
}

/// A primary and a standby.
pub struct Cluster {
    /// Takes what is written.
    pub primary: Member,
    /// Has a copy.
    pub standby: Member,
    place: Place,
}

/// Where servers work, and as whom.
pub struct Place {
    folder: TempDir,
    programs: PathBuf,
    account: Option<Account>,
    standby: Standby,
}

impl Cluster {
    /// Starts a primary and its standby, and returns when the standby follows.
    pub async fn start(standby: Standby) -> Self {
        let place = Place::new(standby);
        let primary = place.server(place.new_data().await).await;
        let standby = place.copy_of(&primary).await;
        let cluster = Self { primary, standby, place };
        cluster.standby_follows().await;
        cluster
    }

    /// Kills the primary as `kill -9` does; its sessions end by themselves.
    pub fn kill_primary(&self) {
        self.primary.kill();
    }

    /// The standby becomes the primary. Who was that is still `standby`, and gone.
    pub async fn promote(&mut self) {
        let mut db = self.standby.connect().await;
        let promoted: bool =
            sqlx::query_scalar("select pg_promote(true, 60)").fetch_one(&mut db).await.unwrap();
        assert!(promoted, "the standby was not promoted");
        std::mem::swap(&mut self.primary, &mut self.standby);
    }

    /// Attaches who was killed to who took over, with a fresh copy.
    pub async fn attach_again(&mut self) {
        self.standby.process.wait().await.unwrap();
        let gone = std::mem::replace(&mut self.standby, self.place.copy_of(&self.primary).await);
        fs::remove_dir_all(gone.data).ok(); // a session may still be ending
        self.standby_follows().await;
    }

    /// The standby gets nothing more.
    pub async fn cut_off_standby(&self) {
        let mut db = self.standby.connect().await;
        db.execute("alter system set primary_conninfo = ''").await.unwrap();
        db.execute("select pg_reload_conf()").await.unwrap();
        let following = "select count(*) from pg_stat_wal_receiver";
        until(async || {
            let count: i64 = sqlx::query_scalar(following).fetch_one(&mut db).await.unwrap();
            (count == 0).then_some(())
        })
        .await;
    }

    /// Waits until the standby shows everything that the primary has written.
    pub async fn standby_catches_up(&self) {
        let (mut here, mut there) = (self.primary.connect().await, self.standby.connect().await);
        let written: String = sqlx::query_scalar("select pg_current_wal_lsn()::text")
            .fetch_one(&mut here)
            .await
            .unwrap();
        let sql = "select pg_last_wal_replay_lsn() >= $1::pg_lsn";
        until(async || {
            let is_shown = sqlx::query_scalar(sql).bind(&written).fetch_one(&mut there).await;
            is_shown.unwrap_or(false).then_some(())
        })
        .await;
    }

    /// The standby shows nothing more of what it gets.
    pub async fn standby_shows_nothing_more(&self) {
        let mut db = self.standby.connect().await;
        db.execute("select pg_wal_replay_pause()").await.unwrap();
        let state = "select pg_get_wal_replay_pause_state()";
        until(async || {
            let state: String = sqlx::query_scalar(state).fetch_one(&mut db).await.unwrap();
            (state == "paused").then_some(())
        })
        .await;
    }

    async fn standby_follows(&self) {
        let mut db = self.primary.connect().await;
        let state = match self.place.standby {
            Standby::Synchronous => "sync",
            Standby::Asynchronous => "async",
        };
        let sql = "select count(*) from pg_stat_replication where application_name = 'pms' \
                   and state = 'streaming' and sync_state = $1";
        until(async || {
            let count: i64 = sqlx::query_scalar(sql).bind(state).fetch_one(&mut db).await.unwrap();
            (count == 1).then_some(())
        })
        .await;
    }
}

impl Member {
    /// As the owner of everything, without a proxy.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .ssl_mode(PgSslMode::Disable)
            .username("postgres")
            .database("postgres")
    }

    /// A session of the owner.
    pub async fn connect(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    /// As `kill -9` does; its sessions end by themselves.
    pub fn kill(&self) {
        let pid = self.process.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

impl Place {
    /// A folder that goes away with it.
    pub fn new(standby: Standby) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = server_account(folder.path()).unwrap();
        let mode = if account.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        if let Some(account) = &account {
            assert!(
                reachable(folder.path(), account),
                "set TMPDIR to a folder that others may enter"
            );
        }
        let programs = find_binaries(Path::new("../.pms")).unwrap();
        Self { folder, programs, account, standby }
    }

    /// Only the server's account can enter it.
    pub fn empty_folder(&self) -> PathBuf {
        let folder = self.folder.path().join(::commands::new_id().simple().to_string());
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        if let Some(Account { uid, gid, .. }) = &self.account {
            chown(&folder, Some(*uid), Some(*gid)).unwrap();
        }
        folder
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir("/").process_group(0).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        if let Some(Account { uid, gid, .. }) = &self.account {
            command.uid(*uid).gid(*gid);
        }
        ends_with_its_parent(&mut command, Signal::KILL);
        command
    }

    /// Runs a program of PostgreSQL to its end.
    pub async fn run(&self, program: &str, arguments: &[&str]) {
        let command = self.command(program, arguments);
        let output = tokio::process::Command::from(command).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    }

    /// The data of a new server.
    pub async fn new_data(&self) -> PathBuf {
        let data = self.empty_folder();
        let arguments = ["-D", text(&data), "-U", "postgres", "-A", "trust", "-k", "-N"];
        self.run("initdb", &arguments).await;
        data
    }

    /// A copy of a server's data as it works.
    pub async fn backup_of(&self, server: &Member, more: &[&str]) -> PathBuf {
        let (data, port) = (self.empty_folder(), server.port.to_string());
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        let to = ["-D", text(&data), "-X", "stream", "-c", "fast", "-N"];
        self.run("pg_basebackup", &[from.as_slice(), &to, more].concat()).await;
        data
    }

    /// A standby of `primary`.
    async fn copy_of(&self, primary: &Member) -> Member {
        self.server(self.backup_of(primary, &["-R"]).await).await
    }

    /// Starts a server in `data` and returns when it answers.
    pub async fn server(&self, data: PathBuf) -> Member {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = self.command("postgres", &["-D", text(&data), "-p", &port.to_string()]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        if self.standby == Standby::Synchronous {
            command.args(["-c", "synchronous_standby_names=pms"]);
        }
        let log = fs::File::create(data.with_extension("log")).unwrap();
        command.stdout(Stdio::null()).stderr(log);
        let process = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let member = Member { port, data, process };
        until(async || member.options().connect().await.ok()).await;
        member
    }
}

/// The settings of a node whose way to the database is this loopback port.
pub fn config_at(port: u16, keys: &Path) -> Config {
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
    Config { database_url: Some(url), key_dir: Some(keys.to_owned()), ..Config::default() }
}

/// A node there, as `pms serve` makes it.
pub async fn node_at(port: u16, keys: &Path) -> Commands {
    let config = config_at(port, keys);
    let database = Database::open(&config).unwrap();
    database.prepare().await.unwrap();
    service::commands(&config, &database).await.unwrap()
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
