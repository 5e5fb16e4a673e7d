//! Whether the sealing keeps up with the appender, and what it costs.
//!
//! `./dev bench --bench sealing` starts a durable server of its own and lets 128 clients give commands as
//! fast as they are answered: first alone, then beside the sealing as `pms serve` runs it. Ten times a
//! second it asks how long the oldest event has waited that no signed head covers. Then it seals
//! what was appended alone, at once. Ratios within one run are what counts.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

#[path = "support/appending.rs"]
mod appending;
mod support;

use api::embedded_postgres::{Server, Settings, find_binaries};
use appending::{commands, work};
use commands::Commands;
use commands::follower::{Lease, Turn};
use sqlx::{Connection as _, PgConnection, PgPool};
use std::path::Path;
use std::time::{Duration, Instant};
use support::{open_to_all, percentile};
use tokio::time::interval;

const CLIENTS: usize = 128;
const TIME: Duration = Duration::from_secs(15);
const GRACE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let folder = tempfile::Builder::new().prefix("pms-bench-").tempdir_in("/var/tmp").unwrap();
    open_to_all(folder.path());
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("postgres");
    let server = Server::start(&Settings { root, bin_dir, durable: true }).unwrap();
    let url = server.url("postgres");
    let mut owner = PgConnection::connect(&url).await.unwrap();
    projections::migrate::migrate(&mut owner).await.unwrap();
    let commands = commands(&url, folder.path()).await;
    commands.adopt_log_key(None).await.unwrap();

    let alone = appends(&commands).await;
    let backlog = head(commands.store().pool()).await;
    let begin = Instant::now();
    seal_all(&commands).await;
    let cost = begin.elapsed();
    println!("{alone:8.0} events/s are appended while nothing is sealed");
    println!(
        "{:8.0} events/s are sealed while nothing is appended: {:.1} us an event, {:.1} times as many",
        backlog / cost.as_secs_f64(),
        cost.as_secs_f64() * 1e6 / backlog,
        backlog / cost.as_secs_f64() / alone,
    );

    let sealing = commands.clone();
    let sealing = tokio::spawn(async move { sealing.sealer(None).run(sealing.store()).await });
    let watching = tokio::spawn(waits(commands.store().pool().clone()));
    let beside = appends(&commands).await;
    let waits = watching.await.unwrap();
    sealing.abort();
    println!(
        "{beside:8.0} events/s are appended beside the sealing: {:.2} times as many as alone; events wait \
         for a signed head {:.2} s in the median, {:.2} s at most",
        beside / alone,
        percentile(&waits, 50),
        percentile(&waits, 100),
    );
    drop(commands);
    server.stop(GRACE).unwrap();
}

/// Events per second.
async fn appends(commands: &Commands) -> f64 {
    let (begin, before) = (Instant::now(), head(commands.store().pool()).await);
    work(commands, CLIENTS, TIME).await;
    (head(commands.store().pool()).await - before) / begin.elapsed().as_secs_f64()
}

async fn head(pool: &PgPool) -> f64 {
    let sql = "select max(position)::float8 from events";
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

async fn seal_all(commands: &Commands) {
    let (sealer, mut lease) = (commands.sealer(None), Lease::new("sealing", "the benchmark"));
    while sealer.turn(commands.store().pool(), &mut lease).await.unwrap() == Turn::GoesOn {}
    let run_out = "update followers set lease_until = '-infinity' where name = 'sealing'";
    sqlx::query(run_out).execute(commands.store().pool()).await.unwrap();
}

/// How long the oldest event waits that no head covers, in seconds, while the clients work; sorted.
async fn waits(pool: PgPool) -> Vec<f64> {
    let oldest = "select coalesce(extract(epoch from clock_timestamp() - min(recorded_at)), 0)::float8 \
                  from events where position = 1 + (select max(size) from log_checkpoints)";
    let (begin, mut waits, mut beat) =
        (Instant::now(), Vec::new(), interval(Duration::from_millis(100)));
    while begin.elapsed() < TIME {
        beat.tick().await;
        waits.push(sqlx::query_scalar(oldest).fetch_one(&pool).await.unwrap());
    }
    waits.sort_by(f64::total_cmp);
    waits
}
