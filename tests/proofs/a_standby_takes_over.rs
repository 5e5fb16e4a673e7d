//! A primary is killed under load and its standby promoted. With a synchronous standby nothing that
//! was acknowledged is lost, and the service goes on by itself; with an asynchronous one, what the
//! standby had not got is lost, and whoever had read it is told.
//!
//! `./dev soak failover 20` lets the first one happen twenty times and prints the figures.

use crate::soak::size;
use crate::support::actors::{Person, policy_manager};
use crate::support::commands::Installation;
use crate::support::commands::key_folder;
use crate::support::database::serving;
use crate::support::http::App;
use crate::support::proxy::{Proxy, Trouble};
use crate::support::replication::{Cluster, Standby, config_at, node_at};
use crate::support::socket::Socket;
use crate::support::until;
use crate::support::wire::Said;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use ::commands::{Commands, Done, Error, new_id};
use api::service::Database;
use futures::future::{join, join_all};
use projections::migrate::migrate;
use projections::verify::verify;
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WRITERS: usize = 16;
/// How many commands must be acknowledged between two failovers.
const ENOUGH: usize = 100;
/// How long a client waits before it asks again for what could not be done.
const BREATH: Duration = Duration::from_millis(20);

/// What somebody was told.
struct Acknowledged {
    position: i64,
    id: String,
    name: String,
    at: Instant,
}

/// Wishes with one key until it is granted: how often it had to be said again.
async fn insists(manager: &Person, name: &str) -> (Done, usize) {
    for again in 0.. {
        match manager.once(name).creates_group(name).await {
            Ok(done) => return (done, again),
            Err(Error::Unavailable | Error::OutcomeUnknown) => tokio::time::sleep(BREATH).await,
            other => panic!("{other:?}"),
        }
    }
    unreachable!()
}

/// What the clients of a node were told, kept by them and not by it.
#[derive(Default)]
struct Clients {
    acknowledged: RefCell<Vec<Acknowledged>>,
    said_again: Cell<usize>,
    may_go: Cell<bool>,
}

impl Clients {
    async fn work(&self, node: &Commands) {
        join_all((0..WRITERS).map(async |_| {
            let manager = policy_manager(node);
            while !self.may_go.get() {
                let name = new_id().to_string();
                let (Done { id, position, .. }, again) = insists(&manager, &name).await;
                self.said_again.set(self.said_again.get() + again);
                let at = Instant::now();
                self.acknowledged.borrow_mut().push(Acknowledged { position, id, name, at });
            }
        }))
        .await;
    }

    async fn are_told(&self, more: usize) {
        let enough = self.acknowledged.borrow().len() + more;
        until(async || (self.acknowledged.borrow().len() >= enough).then_some(())).await;
    }

    /// When the first one was told something beyond a position.
    async fn are_told_beyond(&self, position: i64) -> Instant {
        until(async || {
            let acknowledged = self.acknowledged.borrow();
            let new = acknowledged.iter().filter(|it| it.position > position);
            new.map(|it| it.at).min()
        })
        .await
    }

    /// How many of them were told what is not in the log, exactly once and in its place.
    async fn lost(&self, pool: &PgPool) -> usize {
        let kept: Vec<(i64, String, String)> = sqlx::query_as(
            "select position, aggregate_id, payload->>'name' from events \
             where aggregate_type = 'policy_group' order by position",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let acknowledged = self.acknowledged.borrow();
        let is_lost = |it: &&Acknowledged| {
            let mut found = kept.iter().filter(|(_, _, name)| *name == it.name);
            let is_there =
                found.next().is_some_and(|(at, id, _)| (*at, id) == (it.position, &it.id));
            !is_there || found.next().is_some()
        };
        acknowledged.iter().filter(is_lost).count()
    }
}

async fn ask<T>(pool: &PgPool, sql: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Positions have no gaps, and the read tables are what the log says.
async fn agrees(cluster: &Cluster, pool: &PgPool) {
    assert_eq!(ask::<i64>(pool, "select count(*) - max(position) from events").await, 0);
    let keys_of_nothing = "select count(*) from idempotency_keys k where not exists \
        (select from events e where e.position = k.position and e.aggregate_id = k.object_id)";
    assert_eq!(ask::<i64>(pool, keys_of_nothing).await, 0);
    let found = verify(&mut cluster.primary.connect().await, |_| {}).await.unwrap();
    assert!(found.is_good(), "{found:?}");
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "`./dev soak` shows the figures")]
async fn no_acknowledged_command_is_lost_when_a_synchronous_standby_takes_over() {
    let failovers = usize::try_from(size(1)).unwrap();
    let mut cluster = Cluster::start(Standby::Synchronous).await;
    migrate(&mut cluster.primary.connect().await).await.unwrap();
    let (proxy, keys) = (Proxy::before_port(cluster.primary.port).await, key_folder());
    let node = node_at(proxy.port(), keys.path()).await;
    let clients = Clients::default();
    let director = async {
        let mut resumed = Vec::new();
        for number in 1..=failovers {
            clients.are_told(ENOUGH).await;
            let killed = Instant::now();
            cluster.kill_primary();
            cluster.promote().await;
            let pool = PgPool::connect_lazy_with(cluster.primary.options());
            let head = ask(&pool, "select max(position) from events").await;
            proxy.turns_to(cluster.primary.port);
            let promoted = killed.elapsed();
            let attach = async {
                cluster.attach_again().await;
                killed.elapsed()
            };
            let (first, attached) = join(clients.are_told_beyond(head), attach).await;
            let first = first.duration_since(killed);
            println!(
                "failover {number}: after {promoted:.2?} promoted, after {attached:.2?} a standby \
                 again, after {first:.2?} a command acknowledged"
            );
            resumed.push(first);
        }
        clients.are_told(ENOUGH).await;
        clients.may_go.set(true);
        resumed
    };
    let (mut resumed, ()) = join(director, clients.work(&node)).await;
    resumed.sort_unstable();
    let pool = PgPool::connect_lazy_with(cluster.primary.options());
    let lost = clients.lost(&pool).await;
    println!(
        "{failovers} failovers: {} commands acknowledged, {lost} lost, {} said again; \
         acknowledged again after {:.2?} (min), {:.2?} (median), {:.2?} (max)",
        clients.acknowledged.borrow().len(),
        clients.said_again.get(),
        resumed[0],
        resumed[failovers / 2],
        resumed[failovers - 1],
    );
    assert_eq!(lost, 0);
    agrees(&cluster, &pool).await;
    let epochs: i64 = ask(&pool, "select max(epoch) from log_epochs").await;
    assert_eq!(usize::try_from(epochs).unwrap(), failovers + 1);
}

const EVENTS: &str = "subscription($after: Position, $epoch: Int) { events(after: $after, epoch: $epoch) { position epoch } }";

#[tokio::test]
async fn what_an_asynchronous_standby_had_not_got_is_lost_and_whoever_had_read_it_is_told() {
    let mut cluster = Cluster::start(Standby::Asynchronous).await;
    migrate(&mut cluster.primary.connect().await).await.unwrap();
    let proxy = Proxy::before_port(cluster.primary.port).await;
    let installation = Installation::new().await; // its keys; its database is not used
    let node = node_at(proxy.port(), installation.key_folder()).await;
    let manager = policy_manager(&node);
    let app = App::over(installation, node.clone()).await;

    let mut kept = Vec::new();
    for name in ["kept 1", "kept 2", "kept 3"] {
        kept.push(insists(&manager, name).await.0);
    }
    let fork = kept[2].position;
    cluster.standby_catches_up().await;
    cluster.cut_off_standby().await;
    let mut ahead = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    ahead.asks("1", EVENTS, json!({"after": fork.to_string()})).await;
    let mut lost = Vec::new();
    for name in ["lost 1", "lost 2", "lost 3"] {
        lost.push(insists(&manager, name).await.0);
        let heard = ahead.data("1").await["events"].clone();
        assert_eq!(
            heard,
            json!({"position": lost.last().unwrap().position.to_string(), "epoch": 1})
        );
    }

    cluster.kill_primary();
    cluster.promote().await;
    proxy.turns_to(cluster.primary.port);
    let pool = PgPool::connect_lazy_with(cluster.primary.options());
    let (anew, _) = insists(&manager, "anew").await;
    assert_eq!(ahead.codes().await, ["EPOCH_RAISED"]);
    assert_eq!(anew.position, fork + 1, "positions are given again");
    let epochs: Vec<(i64, i64)> =
        sqlx::query_as("select epoch, from_position from log_epochs order by epoch")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(epochs, [(1, 1), (2, fork + 1)]);
    let names = "select array_agg(payload->>'name' order by position) from events \
                 where aggregate_type = 'policy_group'";
    let names: Vec<String> = ask(&pool, names).await;
    assert_eq!(names, ["kept 1", "kept 2", "kept 3", "anew"]);

    for (name, before) in ["lost 1", "lost 2", "lost 3"].iter().zip(&lost) {
        let (again, _) = insists(&manager, name).await;
        assert!(!again.replayed && again.id != before.id, "{name} is granted anew");
    }
    for (name, before) in ["kept 1", "kept 2", "kept 3"].iter().zip(&kept) {
        let (again, _) = insists(&manager, name).await;
        assert!(again.replayed && again.id == before.id, "{name} was granted");
    }
    let mut late = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    late.asks("1", EVENTS, json!({"after": lost[0].position.to_string(), "epoch": 1})).await;
    assert_eq!(late.codes().await, ["EPOCH_RAISED"]);
    late.hears().await; // that is its end
    late.asks("2", EVENTS, json!({"after": fork.to_string(), "epoch": 1})).await;
    let heard = late.data("2").await["events"].clone();
    assert_eq!(heard, json!({"position": anew.position.to_string(), "epoch": 2}));
    agrees(&cluster, &pool).await;
}

/// What a standby has got and does not show yet is stored: a search there would not find it, and the
/// wish would be made twice.
#[tokio::test]
async fn what_a_standby_does_not_show_yet_is_not_taken_for_lost() {
    let mut cluster = Cluster::start(Standby::Synchronous).await;
    migrate(&mut cluster.primary.connect().await).await.unwrap();
    let (proxy, keys) = (Proxy::before_port(cluster.primary.port).await, key_folder());
    node_at(proxy.port(), keys.path()).await; // adopts the keys
    let direct = serving(cluster.primary.options());
    let pool = PgPoolOptions::new().connect_lazy_with(direct.clone());
    let limits = Limits {
        queue: Duration::from_secs(30),
        outcome: Duration::from_secs(40),
        ..Limits::default()
    };
    let store = EventStore::start(pool, proxy.way(&direct), limits);
    store.health().wait_for(|health| health.ready).await.unwrap();
    let node = Commands::new(store, Arc::new(Keys::open(keys.path(), true).unwrap()));

    cluster.standby_shows_nothing_more().await;
    proxy.make(Trouble::LostAnswer);
    proxy.turns_to(cluster.standby.port); // for the search; the present session stays
    let manager = policy_manager(&node);
    let (done, ()) = join(manager.creates_group("Banking"), async {
        let hello = |asked: &&Vec<Said>| asked.contains(&Said::Hello);
        until(async || (proxy.was_asked().iter().filter(hello).count() > 1).then_some(())).await;
        let standby = Database::open(&config_at(proxy.port(), keys.path())).unwrap();
        assert!(standby.serving_pool().await.is_err(), "a node reads from a standby");
        cluster.kill_primary();
        cluster.promote().await;
        cluster.attach_again().await;
    })
    .await;
    let done = done.unwrap();
    let pool = PgPool::connect_lazy_with(cluster.primary.options());
    let stored = "select array_agg(position) from events where payload->>'name' = 'Banking'";
    assert_eq!(ask::<Vec<i64>>(&pool, stored).await, [done.position]);
}
