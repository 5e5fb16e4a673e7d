//! What it takes to export a sealed log of a million events, and to verify it offline: time, memory
//! and cost of an event.
//!
//! `./dev bench --bench audit` starts a durable server of its own, puts 100,000 events over 10,000
//! streams into the log and then 900,000 more, seals them, exports them and verifies the folder. Each is
//! done by a process of its own, whose highest memory the system tells. What counts is that memory does
//! not grow with the events.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

#[path = "support/process.rs"]
mod process;

use api::audit_export::export;
use api::audit_verify::{Verdict, whole_log};
use api::embedded_postgres::{Server, Settings, find_binaries};
use api::log_folder::LogFolder;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::{Algorithm, SigningKey};
use domain::audit::tree::Edge;
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(20);
const SIZES: [i64; 2] = [100_000, 1_000_000];
const ORIGIN: &str = "audit.example.org/events";
const EVENTS: &str = include_str!("support/events.sql");

fn key() -> SigningKey {
    let text = SigningKey::text(ORIGIN, Algorithm::Ed25519, &[1; 32]).unwrap();
    SigningKey::from_text(&text).unwrap()
}

#[tokio::main]
async fn main() {
    if let Some((work, on)) = process::work() {
        let (url, folder) = on.split_once(' ').unwrap();
        return measure(&work, url, &LogFolder::at(folder)).await;
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

    println!("work   |  events | seconds  events/s  µs/event | peak MiB");
    let (mut begin, mut edge) = (1, Edge::default());
    let on = format!("{url} {}", folder.path().join("log").display());
    for events in SIZES {
        sqlx::query(EVENTS).bind(begin).bind(events).execute(&mut owner).await.unwrap();
        owner.execute("vacuum analyze events").await.unwrap();
        seal(&mut owner, &mut edge, events).await;
        begin = events + 1;
        for work in ["export", "verify"] {
            let (seconds, peak) = process::in_its_own(work, &on);
            let count = f64::from(u32::try_from(events).unwrap());
            println!(
                "{work:6} | {events:7} | {seconds:7.2} {:9.0} {:9.2} | {:8.1}",
                count / seconds,
                1e6 * seconds / count,
                peak / 1_048_576.0
            );
        }
    }
    server.stop(GRACE).unwrap();
}

async fn measure(work: &str, url: &str, folder: &LogFolder) {
    let begun = process::Begun::now();
    if work == "export" {
        let mut db = PgConnection::connect(url).await.unwrap();
        let exported = export(&mut db, folder, None, |_, _| {}).await.unwrap();
        assert_eq!(exported.lacking, 0);
    } else {
        let policy = format!("log {}\nquorum none\n", key().verifier()).parse().unwrap();
        let report = whole_log(folder, &[], &policy, |_, _| {});
        assert_eq!(report.verdict(), Verdict::Proved, "{report}");
    }
    begun.ends();
}

/// As a node does, without its pace.
async fn seal(db: &mut PgConnection, edge: &mut Edge, until: i64) {
    let sealed = |edge: &Edge| i64::try_from(edge.size()).unwrap();
    while sealed(edge) < until {
        let rows = projections::log::after(&mut *db, sealed(edge), 2_000).await.unwrap();
        for (tile, hashes) in edge.append(rows.iter().map(|row| row.stored().leaf_hash())) {
            let sql = "insert into log_tiles values ($1, $2, $3) \
                       on conflict (level, index) do update set hashes = excluded.hashes";
            let index = i64::try_from(tile.index).unwrap();
            let query = sqlx::query(sql).bind(i16::from(tile.level)).bind(index).bind(hashes);
            query.execute(&mut *db).await.unwrap();
        }
        let head = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() };
        let note = head.sign(&[&key()], commands::now()).to_string();
        let sql = "insert into log_checkpoints values ($1, $2, clock_timestamp())";
        sqlx::query(sql).bind(sealed(edge)).bind(note).execute(&mut *db).await.unwrap();
    }
}
