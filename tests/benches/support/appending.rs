//! Clients that give commands as fast as they are answered.

use commands::event_store::{EventStore, Limits};
use commands::keys::Keys;
use commands::policy_group::CreatePolicyGroup;
use commands::{Commands, Request, new_id};
use domain::actor::Actor;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A node on the server at `url`, whose keys lie below `folder`.
pub async fn commands(url: &str, folder: &Path) -> Commands {
    let options = PgConnectOptions::from_str(url).unwrap().options([("role", "pms_serve")]);
    let options = projections::reading(options, projections::READ);
    let pool = PgPoolOptions::new().max_connections(10).test_before_acquire(false);
    let pool = pool.connect_with(options.clone()).await.unwrap();
    let store = EventStore::start(pool, options, Limits::default());
    Commands::new(store, Arc::new(Keys::open(&folder.join("keys"), true).unwrap()))
}

/// Every client creates policy groups for so long, one after the other: each is a stream of its own
/// with one event, one claimed name and one read row. How long each took, in milliseconds.
pub async fn work(commands: &Commands, clients: usize, time: Duration) -> Vec<f64> {
    let begin = Instant::now();
    let client = |_| {
        let commands = commands.clone();
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while begin.elapsed() < time {
                let start = Instant::now();
                let input = CreatePolicyGroup {
                    name: new_id().to_string(),
                    description: "A group of the benchmark".to_owned(),
                    idempotency_key: None,
                };
                let request = Request::new(Actor::system());
                commands.create_policy_group(&request, &input).await.unwrap();
                latencies.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            latencies
        })
    };
    let all = futures::future::join_all((0..clients).map(client)).await;
    all.into_iter().flat_map(Result::unwrap).collect()
}
