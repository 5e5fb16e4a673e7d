//! The rig of the soak proofs: nodes and a PostgreSQL that are killed, people who go on, and the
//! judgement in the end. `tests/proofs/nothing_is_lost_under_fire.rs` says what is killed when.
//!
//! - `postgres.rs`, `node.rs`, `balancer.rs`: what is under test, each in processes of its own;
//! - `world.rs`, `wish.rs`: what there is to work on, and what people wish for;
//! - `client.rs`, `writer.rs`, `history.rs`: who asks, repeats until he knows, and writes it down;
//! - `stored.rs`, `checker.rs`: what is stored in the end, and whether both agree;
//! - `summary.rs`: the figures.

mod balancer;
mod checker;
mod client;
mod history;
mod node;
mod postgres;
mod stored;
mod summary;
mod wish;
mod world;
mod writer;

use crate::support::database::serving;
use crate::support::until;
use ::commands::Commands;
use ::commands::event_store::{EventStore, Limits};
use ::commands::keys::Keys;
use api::auth::DevelopmentIssuer;
use checker::check;
use chrono::TimeDelta;
use client::Client;
use domain::actor::Role;
use history::History;
use node::Node;
use postgres::Postgres;
use projections::audit::{first_change, newest};
use projections::verify::verify;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgPoolOptions;
use std::fs::{self, File, Permissions};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use stored::Stored;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use world::World;
use writer::{Scene, Writer};

/// How many rounds or seconds: what `./dev soak` was told, or a few.
pub fn size(few: u64) -> u64 {
    std::env::var("SOAK_SIZE").map_or(few, |size| size.parse().unwrap())
}

/// The same seed draws the same wishes and moments; what comes of them is another matter.
fn seed() -> u64 {
    std::env::var("SOAK_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap())
}

/// How long something was away, from the moment at which it was struck.
pub struct Comeback {
    /// Until `/readyz` said so.
    ready: Duration,
    /// Until somebody, who may be at another node, was acknowledged a command.
    acknowledged: Duration,
}

pub struct Rig {
    name: &'static str,
    pub rng: fastrand::Rng,
    pub postgres: Postgres,
    pub nodes: Vec<Node>,
    scene: Arc<Scene>,
    writers: Vec<JoinHandle<History>>,
    comebacks: Vec<Comeback>,
    folder: TempDir,
}

impl Rig {
    /// Starts everything, and lets people begin to work. Several nodes stand behind a balancer.
    pub async fn start(name: &'static str, nodes: usize, writers: usize) -> Self {
        let seed = seed();
        eprintln!("soak {name}: seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let folder = folder();
        let postgres = Postgres::start(folder.path()).await;
        let keys = folder.path().join("keys");
        let world = World::found(&commands(&postgres, &keys)).await;
        let url = postgres.url();
        let node = |number| Node::new(folder.path(), number, &url, &mut rng);
        let mut nodes: Vec<Node> = (0..nodes).map(node).collect();
        nodes.iter_mut().for_each(Node::start);
        for node in &mut nodes {
            node.ready().await;
        }
        let scene = Arc::new(scene(world, &nodes).await);
        let keeps_connections = nodes.len() == 1; // else every request may go to another node
        let writers = (0..writers).map(|number| {
            let name = format!("w{number}");
            let client = Client::new(token(&keys, &name, &scene.world), keeps_connections);
            let (rng, scene, history) = (rng.fork(), scene.clone(), History::default());
            tokio::spawn(Writer { name, client, rng, scene, history }.work())
        });
        let writers = writers.collect();
        let rig = Self { name, rng, postgres, nodes, scene, writers, comebacks: vec![], folder };
        rig.people_get_on().await;
        rig
    }

    /// Lets people work for a time drawn by chance.
    pub async fn some_time(&mut self, range: Range<Duration>) {
        let more = self.rng.f64() * range.end.saturating_sub(range.start).as_secs_f64();
        tokio::time::sleep(range.start + Duration::from_secs_f64(more)).await;
    }

    /// Once in so many times.
    pub fn chance(&mut self, one_in: usize) -> bool {
        self.rng.usize(..one_in) == 0
    }

    /// Waits until a node that was struck takes commands again, and says so.
    pub async fn comes_back(&mut self, node: usize, struck: Instant, progress: &str) {
        self.nodes[node].ready().await;
        let ready = struck.elapsed();
        let count = self.people_get_on().await;
        self.comebacks.push(Comeback { ready, acknowledged: struck.elapsed() });
        let (name, ready) = (self.name, ready.as_millis());
        eprintln!("soak {name}: {progress}, {count} commands acknowledged, ready after {ready} ms");
    }

    /// Waits until somebody is acknowledged a command: how many were by then. So nothing is killed
    /// that nobody uses.
    async fn people_get_on(&self) -> usize {
        let acknowledged = || self.scene.acknowledged.load(Ordering::Relaxed);
        let before = acknowledged();
        until(async || (acknowledged() > before).then(acknowledged)).await
    }

    /// Lets people finish, and holds what is stored against what they were answered.
    pub async fn judge(self) {
        self.scene.over.store(true, Ordering::Relaxed);
        let mut parts = vec![];
        for writer in self.writers {
            parts.push(writer.await.unwrap());
        }
        let history = History::of_all(parts);
        let stored = Stored::read(&self.postgres.pool()).await;
        summary::print(self.name, &history, &stored, &self.comebacks);
        let mut wrong: Vec<String> = check(&stored, &history)
            .into_iter()
            .map(|it| format!("{:?}: {}", it.rule, it.place))
            .collect();
        wrong.extend(folded_otherwise(&self.postgres).await);
        wrong.extend(sealed_otherwise(&self.postgres).await);
        if !wrong.is_empty() {
            let folder = self.folder.keep();
            let file = |name: &str| File::create(folder.join(name)).unwrap();
            serde_json::to_writer(file("history.json"), &history).unwrap();
            let count = wrong.len();
            wrong.truncate(20);
            panic!("{count} rules broken, see {}:\n{}", folder.display(), wrong.join("\n"));
        }
    }
}

/// On disk, and open to PostgreSQL's account.
fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("pms-soak-").tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The commands of this process, with the keys that the nodes will find.
fn commands(postgres: &Postgres, keys: &Path) -> Commands {
    let serving = serving(postgres.owner());
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(serving.clone());
    let store = EventStore::start(pool, serving, Limits::default());
    Commands::new(store, Arc::new(Keys::open(keys, true).unwrap()))
}

async fn scene(world: World, nodes: &[Node]) -> Scene {
    let urls: Vec<String> = nodes.iter().map(Node::url).collect();
    let way = match &*urls {
        [one] => one.clone(),
        _ => balancer::start(nodes.iter().map(Node::port).collect()).await,
    };
    let (over, acknowledged) = (AtomicBool::new(false), AtomicUsize::new(0));
    Scene { world, way, nodes: urls, began: Instant::now(), over, acknowledged }
}

/// Somebody who runs partner management and speaks for the partners, too.
fn token(keys: &Path, subject: &str, world: &World) -> String {
    let issuer = DevelopmentIssuer::open(keys, "pms").unwrap();
    let roles = [Role::PartnerAdmin, Role::AuthPartner];
    let (now, life) = (::commands::now(), TimeDelta::hours(12));
    issuer.issue(subject, &roles, &world.partners, now, life).unwrap()
}

/// Where the log is not what was sealed while it lasted, and why the sealing has stopped.
async fn sealed_otherwise(postgres: &Postgres) -> Option<String> {
    let mut owner = postgres.owner().connect().await.unwrap();
    let stopped = "select coalesce(stopped, '') from followers where name = 'sealing'";
    let stopped: String = sqlx::query_scalar(stopped).fetch_one(&mut owner).await.unwrap();
    let sealed = newest(&mut owner).await.unwrap().map_or(0, |it| it.size);
    let change = first_change(&mut owner).await.unwrap();
    let is_good = stopped.is_empty() && sealed > 0 && change.is_none();
    (!is_good).then(|| format!("the seal: {sealed} events, {change:?}, {stopped}"))
}

/// What is different between the read tables and the log.
async fn folded_otherwise(postgres: &Postgres) -> Option<String> {
    let mut owner = postgres.owner().connect().await.unwrap();
    let found = verify(&mut owner, |_| {}).await.unwrap();
    (!found.is_good()).then(|| format!("the read tables are not what the log says: {found:?}"))
}
