//! Whether what was answered and what is stored agree: a pure function over both, one file per
//! group of rules. `broken.rs` shows for every rule that it can fail.

mod broken;
mod cascades;
mod claims;
mod effects;
mod order;
mod reads;
mod refusals;

use super::history::{Attempt, Command, History};
use super::stored::{Event, Stored};
use std::collections::HashMap;
use std::time::Duration;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Nobody is shown a fault.
    NoFault,
    /// What became of a command is known in the end.
    KnownInTheEnd,
    /// What was acknowledged is stored, as it was acknowledged.
    NothingLost,
    /// A command's events, its key, its private rows and the events of its cascade are stored
    /// together or not at all.
    NothingHalf,
    /// A key has one effect.
    OneEffect,
    /// What was answered as not stored is not stored.
    NotStored,
    /// A repetition gets the first answer.
    SameAnswer,
    /// Positions are 1, 2, 3 …
    Positions,
    /// `recorded_at` never runs backwards.
    Clock,
    /// The sequences of each stream are 1, 2, 3 …
    Sequences,
    /// What was answered before something else was asked comes before it.
    RealTime,
    /// A name has one holder at every position, and `claims` says who it is.
    Claims,
    /// Who is told that a name is taken is told the truth.
    Refusals,
    /// A read sees what was acknowledged or shown before it was asked, and nothing that is not in
    /// the log.
    Reads,
}

/// A rule that does not hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub place: String,
}

impl Rule {
    fn broken(self, place: String) -> Violation {
        Violation { rule: self, place }
    }
}

/// Everything in which what is stored and what was answered disagree with the rules.
pub fn check(stored: &Stored, history: &History) -> Vec<Violation> {
    let case = Case::new(stored, history);
    let rules = [
        effects::check,
        cascades::check,
        order::check,
        claims::check,
        refusals::check,
        reads::check,
    ];
    rules.iter().flat_map(|rule| rule(&case)).collect()
}

/// Both sides, and what of one belongs to what of the other.
struct Case<'a> {
    stored: &'a Stored,
    history: &'a History,
    /// Where in the history the command with a key is.
    places: HashMap<&'a str, usize>,
    /// The events of each command, in order of position.
    effects: Vec<Vec<&'a Event>>,
    /// By `<noun>/<id>`.
    streams: HashMap<String, Vec<&'a Event>>,
}

impl<'a> Case<'a> {
    fn new(stored: &'a Stored, history: &'a History) -> Self {
        let commands = history.commands.iter().zip(0..);
        let places: HashMap<&str, usize> = commands.map(|(it, n)| (it.key.as_str(), n)).collect();
        let mut effects = vec![vec![]; history.commands.len()];
        let mut streams: HashMap<String, Vec<&Event>> = HashMap::new();
        for event in &stored.events {
            if let Some(place) = event.attempt().and_then(|(key, _)| places.get(key)) {
                effects[*place].push(event);
            }
            streams.entry(format!("{}/{}", event.noun, event.id)).or_default().push(event);
        }
        Self { stored, history, places, effects, streams }
    }

    /// Each command with its events.
    fn commands(&self) -> impl Iterator<Item = (&'a Command, &[&'a Event])> {
        self.history.commands.iter().zip(self.effects.iter().map(Vec::as_slice))
    }

    /// The attempt that an event comes of; `None` for what was there before the run.
    fn attempt(&self, event: &Event) -> Option<&'a Attempt> {
        let (key, attempt) = event.attempt()?;
        self.history.commands[*self.places.get(key)?].attempts.get(attempt)
    }

    /// From when on it was known that an event is stored.
    fn acknowledged(&self, event: &Event) -> Option<Duration> {
        let (key, _) = event.attempt()?;
        let command = &self.history.commands[*self.places.get(key)?];
        command.granted().next().map(|(attempt, _)| attempt.answered)
    }

    fn stream(&self, noun: &str, id: &str) -> &[&'a Event] {
        self.streams.get(&format!("{noun}/{id}")).map_or(&[], Vec::as_slice)
    }
}
