//! One of many who work at the same time, and who writes down what was asked and answered.

use super::client::Client;
use super::history::{Attempt, Command, History, Outcome, Read};
use super::wish::draw;
use super::world::World;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Before it is tried again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it is tried again.
const PATIENCE: Duration = Duration::from_mins(3);
/// How many of his own commands each repeats when the run is over.
const LAST_REPETITIONS: usize = 5;

/// What all writers share.
pub struct Scene {
    pub world: World,
    /// Where commands go.
    pub way: String,
    /// The nodes, which are also asked one by one.
    pub nodes: Vec<String>,
    /// The beginning of the clock.
    pub began: Instant,
    pub over: AtomicBool,
    /// How many commands were acknowledged so far.
    pub acknowledged: AtomicUsize,
}

pub struct Writer {
    pub name: String,
    pub client: Client,
    pub rng: fastrand::Rng,
    pub scene: Arc<Scene>,
    pub history: History,
}

impl Writer {
    /// Works until the run is over, then repeats some of it, and hands over what was written down.
    pub async fn work(mut self) -> History {
        while !self.scene.over.load(Ordering::Relaxed) {
            match self.rng.u8(..10) {
                0 => self.repeat().await,
                1 => self.look_around().await,
                _ => self.wish().await,
            }
        }
        for _ in 0..LAST_REPETITIONS {
            self.repeat().await;
        }
        self.history
    }

    /// Gives a new command and, half of the time, looks at what came of it.
    async fn wish(&mut self) {
        let wish = draw(&self.scene.world, &mut self.rng);
        let key = format!("{}-{}", self.name, self.history.commands.len());
        self.history.commands.push(Command { key, wish, attempts: vec![] });
        let place = self.history.commands.len() - 1;
        let Outcome::Granted(granted) = self.resolve(place).await else { return };
        let wish = &self.history.commands[place].wish;
        let (noun, field) = (wish.noun, wish.field);
        if granted.version == 1 {
            self.scene.world.keep(noun, &granted.id);
        }
        self.scene.world.saw(&granted.id, granted.version);
        self.scene.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.rng.bool() {
            self.look(noun, field, granted.id).await;
        }
    }

    /// Sends a command of his own again that was granted.
    async fn repeat(&mut self) {
        let granted = |command: &Command| command.granted().next().is_some();
        let commands = self.history.commands.iter().enumerate();
        let granted = commands.filter(|(_, it)| granted(it)).map(|(place, _)| place);
        if let Some(place) = self.rng.choice(granted.collect::<Vec<_>>()) {
            self.resolve(place).await;
        }
    }

    /// Sends a command until it is known what became of it.
    async fn resolve(&mut self, place: usize) -> Outcome {
        let end = Instant::now() + PATIENCE;
        loop {
            let outcome = self.send(place).await;
            match outcome {
                Some(outcome @ (Outcome::Granted(_) | Outcome::Refused(_))) => return outcome,
                Some(outcome) if Instant::now() > end => return outcome,
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn send(&mut self, place: usize) -> Option<Outcome> {
        let command = &mut self.history.commands[place];
        let correlation_id = command.correlation_id(command.attempts.len());
        let called = self.scene.began.elapsed();
        let sent = self.client.does(&self.scene.way, &command.wish, &command.key, &correlation_id);
        let outcome = sent.await?;
        let answered = self.scene.began.elapsed();
        command.attempts.push(Attempt { called, answered, outcome: outcome.clone() });
        Some(outcome)
    }

    async fn look_around(&mut self) {
        let world = &self.scene.world;
        let group = ("policy_group", "policyGroup", self.rng.choice(&world.groups).cloned());
        let partner = ("partner", "partner", self.rng.choice(&world.partners).cloned());
        let extractor = ("extractor", "extractor", world.any("extractor", &mut self.rng));
        let key = ("api_key", "apiKey", world.any("api_key", &mut self.rng));
        let (noun, field, id) = self.rng.choice([group, partner, extractor, key]).unwrap();
        if let Some(id) = id {
            self.look(noun, field, id).await;
        }
    }

    /// Reads an object at any node.
    async fn look(&mut self, noun: &'static str, field: &'static str, id: String) {
        let node = self.rng.choice(&self.scene.nodes).unwrap();
        let called = self.scene.began.elapsed();
        let Some(version) = self.client.sees(node, field, &id).await else { return };
        let answered = self.scene.began.elapsed();
        self.scene.world.saw(&id, version);
        self.history.reads.push(Read { called, answered, noun, id, version });
    }
}
