//! What folding the whole log takes: time per event, and memory per row that there is.
//!
//! `./dev bench --bench rebuild` starts a durable server of its own with 10,000 partners, policy groups
//! and API keys, puts 100,000 events over them into the log and then 900,000 more over the same ones,
//! and at both sizes rebuilds the read tables, verifies them and opens the past. Each is done by a
//! process of its own, whose highest memory the system tells. What counts is the ratio: memory follows
//! rows, not events.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

#[path = "support/process.rs"]
mod process;

use api::embedded_postgres::{Server, Settings, find_binaries};
use projections::as_of;
use projections::log::Until;
use projections::rebuild::rebuild;
use projections::verify::verify;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(20);
const ROWS: f64 = 10_000.0;
const SIZES: [i64; 2] = [100_000, 1_000_000];
const WORKS: [&str; 3] = ["rebuild", "verify", "as-of"];
/// Event n of the log belongs to thing 1 + (n − 1) mod 10,000: a partner, a group or a key. Each begins
/// once and then changes to and fro, as true events would have it.
const EVENTS: &str = include_str!("support/events.sql");

#[tokio::main]
async fn main() {
    if let Some((work, url)) = process::work() {
        return measure(&work, &url).await;
    }
    let folder = tempfile::Builder::new().prefix("pms-bench-").tempdir_in("/var/tmp").unwrap();
    // PostgreSQL runs as another account when we are root.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("postgres");
    let server = Server::start(&Settings { root, bin_dir, durable: true }).unwrap();
    let url = server.url("postgres");
    let mut owner = PgConnection::connect(&url).await.unwrap();
    projections::migrate::migrate(&mut owner).await.unwrap();

    println!("work    |  events | seconds  events/s | peak MiB  bytes/row | of 100,000 events");
    let (mut begin, mut first) = (1, [0.0; 3]);
    for events in SIZES {
        sqlx::query(EVENTS).bind(begin).bind(events).execute(&mut owner).await.unwrap();
        owner.execute("vacuum analyze events").await.unwrap();
        begin = events + 1;
        for (work, first) in WORKS.iter().zip(&mut first) {
            let (seconds, peak) = process::in_its_own(work, &url);
            if *first == 0.0 {
                *first = peak;
            }
            let rate = f64::from(u32::try_from(events).unwrap()) / seconds;
            println!(
                "{work:7} | {events:7} | {seconds:7.2} {rate:9.0} | {:8.1} {:10.0} | {:5.2}",
                peak / 1_048_576.0,
                peak / ROWS,
                peak / *first
            );
        }
    }
    server.stop(GRACE).unwrap();
}

async fn measure(work: &str, url: &str) {
    let mut owner = PgConnection::connect(url).await.unwrap();
    let begun = process::Begun::now();
    match work {
        "rebuild" => rebuild(&mut owner, |_| {}).await.unwrap(),
        "verify" => assert!(verify(&mut owner, |_| {}).await.unwrap().is_good()),
        _ => {
            let sql = "select max(position) from events";
            let head = sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap();
            let past = as_of::open(&mut owner, Until::Position(head), |_| {}).await.unwrap();
            as_of::close(&mut owner, &past).await.unwrap();
        }
    }
    begun.ends();
}
