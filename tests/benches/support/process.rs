//! One piece of work in a process of its own, whose highest memory the system tells.

use std::process::Command;
use std::time::Instant;
use std::{env, fs};

/// Tells the process that does one work which, and on what.
const WORK: &str = "PMS_BENCH_WORK";
const ON: &str = "PMS_BENCH_ON";

/// What this process is to do, and on what; `None` in the one that begins.
pub fn work() -> Option<(String, String)> {
    Some((env::var(WORK).ok()?, env::var(ON).unwrap()))
}

/// Seconds, and the bytes of memory that it took at most beyond those that it began with.
pub fn in_its_own(work: &str, on: &str) -> (f64, f64) {
    let output = Command::new(env::current_exe().unwrap()).env(WORK, work).env(ON, on).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (seconds, peak) = told.trim().split_once(' ').unwrap();
    (seconds.parse().unwrap(), peak.parse().unwrap())
}

/// The beginning of the work.
pub struct Begun {
    kibibytes: f64,
    at: Instant,
}

impl Begun {
    /// It begins.
    pub fn now() -> Self {
        Self { kibibytes: kibibytes("VmRSS"), at: Instant::now() }
    }

    /// It is done: tells the process that waits for it.
    pub fn ends(self) {
        let peak = 1024.0 * (kibibytes("VmHWM") - self.kibibytes);
        println!("{} {peak}", self.at.elapsed().as_secs_f64());
    }
}

/// What Linux tells of this process (proc(5)).
fn kibibytes(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
