//! How fast the log takes commands, beside what PostgreSQL itself can do with the same rows.
//!
//! `./dev bench` starts a durable server of its own (fsync on), lets 1, 8, 32 and 128 clients give
//! commands through `commands` (no HTTP), and right after each lets `pgbench` write rows of the
//! same size in one SELECT + INSERT per transaction with as many connections. Ratios within one
//! run are what counts: both share the machine and its disk.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

#[path = "support/appending.rs"]
mod appending;
mod support;

use api::embedded_postgres::{Server, Settings, find_binaries};
use appending::{commands, work};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{open_to_all, percentile};

const CLIENTS: [usize; 4] = [1, 8, 32, 128];
const TIME: Duration = Duration::from_secs(6);
const GRACE: Duration = Duration::from_secs(20);
/// The rows of the peer: a table like `events`, its position from a sequence.
const PEER: &str = "create table peer (like events including all);
    create sequence peer_position; alter table peer alter position set default nextval('peer_position')";

#[tokio::main]
async fn main() {
    let folder = tempfile::Builder::new().prefix("pms-bench-").tempdir_in("/var/tmp").unwrap();
    open_to_all(folder.path());
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("postgres");
    let settings = Settings { root, bin_dir: bin_dir.clone(), durable: true };
    let server = Server::start(&settings).unwrap();
    let url = server.url("postgres");
    let mut owner = PgConnection::connect(&url).await.unwrap();
    owner.execute("alter system set max_connections = 200").await.unwrap(); // pgbench needs 128
    owner.close().await.unwrap();
    server.stop(GRACE).unwrap();
    let server = Server::start(&settings).unwrap();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    projections::migrate::migrate(&mut owner).await.unwrap();
    owner.execute(PEER).await.unwrap();
    let commands = commands(&url, folder.path()).await;

    println!("clients | pms commands/s  p50 ms  p99 ms | pgbench tx/s  p50 ms  p99 ms | ratio");
    for clients in CLIENTS {
        let begin = Instant::now();
        let ours =
            Measured::of(work(&commands, clients, TIME).await, begin.elapsed().as_secs_f64());
        let payload: String = sqlx::query_scalar("select payload::text from events limit 1")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        let peer = pgbench(&bin_dir, &url, folder.path(), clients, &payload);
        println!(
            "{clients:7} | {:14.0} {:7.2} {:7.2} | {:12.0} {:7.2} {:7.2} | {:5.2}",
            ours.rate,
            ours.p50,
            ours.p99,
            peer.rate,
            peer.p50,
            peer.p99,
            ours.rate / peer.rate
        );
    }
    drop(commands);
    server.stop(GRACE).unwrap();
}

/// What was measured: per second, and latencies in milliseconds.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Measured {
    fn of(mut latencies: Vec<f64>, time: f64) -> Self {
        latencies.sort_by(f64::total_cmp);
        let at = |percent| percentile(&latencies, percent);
        let count = u32::try_from(latencies.len()).unwrap();
        Self { rate: f64::from(count) / time, p50: at(50), p99: at(99) }
    }
}

fn pgbench(bin_dir: &Path, url: &str, folder: &Path, clients: usize, payload: &str) -> Measured {
    let script = folder.join("peer.sql");
    let (select, insert) = (
        "select max(sequence) from peer where aggregate_type = 'policy_group' and aggregate_id = :id;",
        "insert into peer (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, recorded_at) values ('policy_group', :id, 1, 'created', '1.0',",
    );
    let metadata = "{\"actor\":\"system\",\"roles\":\"PARTNER_ADMIN POLICYMANAGER\",\"actor_partner\":\"\",\
        \"correlation_id\":\"01a20000-0000-7000-8000-000000000000\",\
        \"causation_id\":\"01a20000-0000-7000-8000-000000000000\",\
        \"request_id\":\"01a20000-0000-7000-8000-000000000000\"}";
    let text = format!(
        "\\set id random(1, 9223372036854775807)\nbegin;\n{select}\n{insert} '{payload}', '{metadata}', now());\ncommit;\n"
    );
    fs::write(&script, text).unwrap();
    let logs = folder.join(format!("logs{clients}"));
    fs::create_dir(&logs).unwrap();
    let output = Command::new(program(bin_dir))
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--jobs=2"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={}", TIME.as_secs()))
        .arg(format!("--file={}", script.display()))
        .arg(url)
        .current_dir(&logs)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Measured::of(latencies(&logs), TIME.as_secs_f64())
}

/// Beside the server itself: the folder may hold links to it.
fn program(bin_dir: &Path) -> PathBuf {
    bin_dir.join("postgres").canonicalize().unwrap().with_file_name("pgbench")
}

/// The third column of pgbench's log: the time of a transaction in microseconds.
fn latencies(logs: &Path) -> Vec<f64> {
    let files = fs::read_dir(logs).unwrap().map(|file| fs::read_to_string(file.unwrap().path()));
    let lines: Vec<String> = files
        .flat_map(|text| text.unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let third = |line: &String| line.split(' ').nth(2).unwrap().parse::<f64>().unwrap() / 1000.0;
    lines.iter().map(third).collect()
}
