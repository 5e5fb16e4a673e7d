//! On a durable server on disk, what was answered with success survives `kill -9` of the server
//! under load.

use crate::support::actors::policy_manager;
use crate::support::database::serving;
use crate::support::until;
use ::commands::Commands;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use api::embedded_postgres::{Server, Settings, find_binaries};
use futures::future::join_all;
use projections::migrate::migrate;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How many commands must have been acknowledged before the server is killed.
const ENOUGH: usize = 200;

fn start(folder: &TempDir) -> Server {
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("server");
    Server::start(&Settings { root, bin_dir, durable: true }).unwrap()
}

fn node(folder: &TempDir, owner: &PgConnectOptions) -> Commands {
    let serving = serving(owner.clone());
    let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(serving.clone());
    let second = Duration::from_secs(1);
    let limits = Limits { queue: second, outcome: second, transaction: second };
    let keys = Keys::open(&folder.path().join("keys"), true).unwrap();
    Commands::new(EventStore::start(pool, serving, limits), Arc::new(keys))
}

#[tokio::test]
async fn no_acknowledged_command_is_lost_when_the_server_is_killed_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(&folder);
    let owner: PgConnectOptions = server.url("postgres").parse().unwrap();
    let mut db = owner.connect().await.unwrap();
    migrate(&mut db).await.unwrap();
    db.close().await.unwrap();

    let node = node(&folder, &owner);
    let acknowledged = RefCell::new(Vec::new());
    let writers = join_all((0..10).map(async |_| {
        let manager = policy_manager(&node);
        while let Ok(done) = manager.creates_group(&::commands::new_id().to_string()).await {
            acknowledged.borrow_mut().push((done.position, done.id));
        }
    }));
    let killer = async {
        until(async || (acknowledged.borrow().len() >= ENOUGH).then_some(())).await;
        kill_process(Pid::from_raw(server.pid().cast_signed()).unwrap(), Signal::KILL).unwrap();
    };
    tokio::join!(writers, killer);
    until(async || server.ended().unwrap()).await;
    drop(server);

    let server = start(&folder);
    let mut db =
        server.url("postgres").parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let kept: Vec<(i64, String)> =
        sqlx::query_as("select position, aggregate_id from events order by position")
            .fetch_all(&mut db)
            .await
            .unwrap();
    assert!(acknowledged.borrow().len() >= ENOUGH);
    for command in acknowledged.borrow().iter() {
        assert!(kept.contains(command), "{command:?} was acknowledged and is lost");
    }
    assert!(kept.iter().map(|(position, _)| *position).eq(1..=i64::try_from(kept.len()).unwrap()));
}
