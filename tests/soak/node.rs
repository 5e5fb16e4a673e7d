//! A `pms serve` in a process of its own, which is killed and started again.

use crate::support::program::built;
use crate::support::until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Below those that a system gives to outgoing connections, one of which could take the place of a
/// node that is being started again.
const PORTS: Range<u16> = 20_000..32_000;

pub struct Node {
    command: Command,
    port: u16,
    log: PathBuf,
    process: Option<Child>,
}

impl Node {
    /// A node with a data folder of its own below `folder`, on the keys that all nodes share. It
    /// is not started yet.
    pub fn new(folder: &Path, number: usize, database: &str, rng: &mut fastrand::Rng) -> Self {
        let place = folder.join(format!("node{number}"));
        fs::create_dir(&place).unwrap();
        let (port, log) = (free_port(rng), place.join("log"));
        let mut command = Command::new(program(folder));
        command.arg("serve").env_remove("PMS_OWNER_DATABASE_URL").kill_on_drop(true);
        command.env("DATABASE_URL", database).env("PMS_KEY_DIR", folder.join("keys"));
        command.env("PMS_DATA_DIR", &place).env("PMS_LISTEN", format!("127.0.0.1:{port}"));
        command.env("PMS_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::null());
        // All these people have one address.
        command.env("PMS_REQUESTS_PER_ADDRESS", "0").env("PMS_REQUESTS_PER_CALLER", "0");
        command.stderr(File::create(&log).unwrap());
        Self { command, port, log, process: None }
    }

    /// Where it listens on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the process and waits for nothing.
    pub fn start(&mut self) {
        self.process = Some(self.command.spawn().unwrap());
    }

    /// Whether it was started and not taken away.
    pub fn runs(&self) -> bool {
        self.process.is_some()
    }

    /// Waits until it takes commands.
    pub async fn ready(&mut self) {
        let url = format!("{}/readyz", self.url());
        until(async || {
            let ended = self.process.as_mut().and_then(|it| it.try_wait().unwrap());
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(ended.is_none(), "pms ended by itself, {ended:?}:\n{}", log());
            reqwest::get(&url).await.ok().filter(|answer| answer.status().is_success())
        })
        .await;
    }

    /// Takes the process away, wherever it is.
    pub async fn kill(&mut self) {
        self.end(Signal::KILL).await;
    }

    /// Tells the process to stop, and waits until it has.
    pub async fn stop(&mut self) {
        self.end(Signal::TERM).await;
    }

    async fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().unwrap();
        let pid = Pid::from_raw(process.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        process.wait().await.unwrap();
    }
}

fn free_port(rng: &mut fastrand::Rng) -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| rng.u16(PORTS)).find(free).unwrap()
}

/// The program that is tested, as it is when the run begins: a later build puts another file in the
/// place of this one.
fn program(folder: &Path) -> PathBuf {
    let own = folder.join("pms");
    if !own.exists() {
        let built = built();
        fs::hard_link(built, &own).or_else(|_| fs::copy(built, &own).map(drop)).unwrap();
    }
    own
}
