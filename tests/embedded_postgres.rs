//! The server that `pms` starts for itself: it comes up, keeps what it was given, and gets over
//! every way in which it or its owner can be killed.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::embedded_postgres::{Account, Error, Server, Settings, find_binaries, reachable};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{Connection, Executor, PgConnection, Row};
use tempfile::TempDir;

#[tokio::test]
async fn a_server_made_from_nothing_is_durable_and_not_on_the_network() {
    let folder = Folder::on_disk();
    let server = folder.start();
    assert_eq!(ask(&server, "show fsync").await, "on");
    assert_eq!(ask(&server, "show synchronous_commit").await, "on");
    assert_eq!(ask(&server, "show data_checksums").await, "on");
    assert_eq!(ask(&server, "show listen_addresses").await, "");
}

#[tokio::test]
async fn a_server_for_tests_does_without_durability() {
    let folder = Folder::in_memory();
    let server = folder.start();
    assert_eq!(ask(&server, "show fsync").await, "off");
}

#[tokio::test]
async fn data_are_kept_from_one_start_to_the_next() {
    let folder = Folder::on_disk();
    let server = folder.start();
    remember(&server, "kept").await;
    server.stop(GRACE).unwrap();
    assert_eq!(recall(&folder.start()).await, "kept");
}

#[tokio::test]
async fn a_server_outlives_the_thread_that_started_it() {
    let folder = Folder::in_memory();
    let settings = folder.settings();
    let mut server = std::thread::spawn(move || Server::start(&settings).unwrap()).join().unwrap();
    assert_eq!(ask(&server, "select 'here'").await, "here");
    assert!(server.ended().unwrap().is_none());
}

#[test]
fn a_second_server_in_the_same_folder_is_refused() {
    let folder = Folder::in_memory();
    let first = folder.start();
    let refusal = Server::start(&folder.settings()).unwrap_err().to_string();
    let expected = format!("another pms already works in {}", folder.path().display());
    assert!(refusal.starts_with(&expected), "{refusal}");
    first.stop(GRACE).unwrap();
    folder.start();
}

#[tokio::test]
async fn a_killed_postmaster_loses_nothing_acknowledged() {
    let folder = Folder::on_disk();
    let mut server = folder.start();
    remember(&server, "acknowledged").await;
    kill(server.pid());
    until(|| server.ended().unwrap().is_some());
    drop(server);
    assert_eq!(recall(&folder.start()).await, "acknowledged");
}

#[tokio::test]
async fn a_killed_owner_takes_its_server_along() {
    let folder = Folder::on_disk();
    let (mut owner, postmaster) = start_owner(&folder);
    owner.kill().unwrap();
    until(|| !lives(postmaster));
    owner.wait().unwrap();
    assert_eq!(recall(&folder.start()).await, OWNERS_WORD);
}

#[tokio::test]
async fn a_server_can_be_started_at_once_after_its_owner_was_killed() {
    let folder = Folder::on_disk();
    let (mut owner, _) = start_owner(&folder);
    owner.kill().unwrap();
    assert_eq!(recall(&folder.start()).await, OWNERS_WORD);
    owner.wait().unwrap();
}

#[tokio::test]
async fn a_server_can_be_started_at_once_after_its_owner_was_killed_during_initdb() {
    let folder = Folder::on_disk();
    let mut owner = spawn_owner(&folder);
    until(|| folder.path().join("data.new/PG_VERSION").exists());
    owner.kill().unwrap();
    assert_eq!(ask(&folder.start(), "select 'here'").await, "here");
    owner.wait().unwrap();
}

#[tokio::test]
async fn an_owner_killed_together_with_its_postmaster_loses_nothing_acknowledged() {
    let folder = Folder::on_disk();
    let (mut owner, postmaster) = start_owner(&folder);
    kill(postmaster);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(recall(&folder.start()).await, OWNERS_WORD);
}

#[test]
fn a_pid_file_of_a_dead_process_is_no_obstacle() {
    let folder = Folder::in_memory();
    folder.start().stop(GRACE).unwrap();
    let mut dead = Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    folder.leave_pid_file(dead.id());
    folder.start();
}

#[test]
fn a_pid_file_that_names_another_program_by_now_is_no_obstacle() {
    let folder = Folder::in_memory();
    folder.start().stop(GRACE).unwrap();
    // PostgreSQL minds only processes of its own account.
    let account = fs::metadata(folder.path().join("data")).unwrap().uid();
    let mut other = Command::new("cat").uid(account).stdin(Stdio::piped()).spawn().unwrap();
    folder.leave_pid_file(other.id());
    folder.start();
    assert!(other.try_wait().unwrap().is_none(), "the other program was not touched");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn an_initdb_that_was_cut_off_is_begun_anew() {
    let folder = Folder::in_memory();
    fs::create_dir(folder.path().join("data.new")).unwrap();
    fs::write(folder.path().join("data.new/half"), "a file").unwrap();
    folder.start();
}

#[test]
fn data_of_another_major_version_are_refused() {
    let folder = Folder::in_memory();
    folder.start().stop(GRACE).unwrap();
    fs::write(folder.path().join("data/PG_VERSION"), "9\n").unwrap();
    let refusal = Server::start(&folder.settings()).unwrap_err();
    assert!(matches!(&refusal, Error::OtherVersion { made_by, .. } if made_by == "9"), "{refusal}");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let folder = Folder::in_memory();
    folder.start().stop(GRACE).unwrap();
    fs::write(folder.path().join("data/postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    let refusal = Server::start(&folder.settings()).unwrap_err().to_string();
    assert!(refusal.contains("no_such_setting"), "{refusal}");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_no_obstacle() {
    let folder = Folder::in_memory();
    let root = folder.path().join("long".repeat(30));
    let server = Server::start(&Settings { root, ..folder.settings() }).unwrap();
    assert_eq!(ask(&server, "select 'here'").await, "here");
}

#[test]
fn a_long_log_is_put_aside_at_the_next_start() {
    let folder = Folder::in_memory();
    let log = folder.path().join("postgres.log");
    fs::File::create(&log).unwrap().set_len(20 << 20).unwrap();
    folder.start().stop(GRACE).unwrap();
    assert_eq!(fs::metadata(folder.path().join("postgres.log.old")).unwrap().len(), 20 << 20);
    assert!(fs::metadata(&log).unwrap().len() < 1 << 20);
}

#[test]
fn a_stranger_reaches_only_what_is_open_to_all() {
    let closed =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let stranger = Account { name: "stranger".into(), uid: 4_242_424, gid: 4_242_424 };
    assert!(reachable(Path::new("/usr/bin"), &stranger));
    assert!(reachable(Path::new("/usr/yet/to/be/made"), &stranger));
    assert!(!reachable(closed.path(), &stranger));
    assert!(!reachable(&closed.path().join("yet/to/be/made"), &stranger));
}

/// Not a test: the process that [`start_owner`] starts, and that gets killed.
#[tokio::test]
#[ignore = "runs only as the owner that other tests kill"]
async fn owner() {
    let Some(root) = std::env::var_os(OWNERS_ROOT).map(PathBuf::from) else {
        return;
    };
    let server = Server::start(&settings(&root, true)).unwrap();
    remember(&server, OWNERS_WORD).await;
    eprintln!("{}", server.pid());
    std::thread::sleep(PATIENCE); // until it is killed
}

const OWNERS_ROOT: &str = "PMS_TEST_OWNERS_ROOT";
const OWNERS_WORD: &str = "acknowledged to the owner";
const GRACE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder of its own for each test's server, gone with the test.
struct Folder {
    place: TempDir,
    durable: bool,
}

impl Folder {
    /// For what is about losing nothing.
    fn on_disk() -> Folder {
        Folder { place: tempfile::tempdir().unwrap(), durable: true }
    }

    /// For everything else, because it takes a third of the time.
    fn in_memory() -> Folder {
        let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Folder { place: place.unwrap(), durable: false }
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    fn settings(&self) -> Settings {
        settings(self.path(), self.durable)
    }

    fn start(&self) -> Server {
        Server::start(&self.settings()).unwrap()
    }

    /// What a postmaster that had no time to tidy up leaves.
    fn leave_pid_file(&self, pid: u32) {
        let data = self.path().join("data");
        let text = format!("{pid}\n{}\n1700000000\n5432\n\n\n\nready\n", data.display());
        fs::write(data.join("postmaster.pid"), text).unwrap();
    }
}

fn settings(root: &Path, durable: bool) -> Settings {
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    Settings { root: root.to_owned(), bin_dir, durable }
}

/// Another process that owns a server, ready and with [`OWNERS_WORD`] in it; and the postmaster.
fn start_owner(folder: &Folder) -> (Child, u32) {
    let mut owner = spawn_owner(folder);
    let mut said = BufReader::new(owner.stderr.take().unwrap()).lines();
    let postmaster = said.find_map(|line| line.unwrap().parse().ok()).unwrap();
    (owner, postmaster)
}

fn spawn_owner(folder: &Folder) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "embedded_postgres::owner"])
        .env(OWNERS_ROOT, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn remember(server: &Server, word: &str) {
    let mut connection = connect(server).await;
    connection.execute("create table word (word text)").await.unwrap();
    sqlx::query("insert into word values ($1)").bind(word).execute(&mut connection).await.unwrap();
}

async fn recall(server: &Server) -> String {
    ask(server, "select word from word").await
}

async fn ask(server: &Server, question: &str) -> String {
    connect(server).await.fetch_one(question).await.unwrap().get(0)
}

async fn connect(server: &Server) -> PgConnection {
    PgConnection::connect(&server.url("postgres")).await.unwrap()
}

fn kill(pid: u32) {
    kill_process(process(pid), Signal::KILL).unwrap();
}

fn lives(pid: u32) -> bool {
    test_kill_process(process(pid)).is_ok()
}

fn process(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed()).unwrap()
}

fn until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}
