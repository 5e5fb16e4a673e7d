//! What every noun has in common: a pure decision, and its place in cqrs-es.

use crate::Finding;
use crate::actor::Operation;
use crate::text::Checks;
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::persist::{EventUpcaster, SemanticVersionEventUpcaster};
use serde_json::Value;

/// A noun that decides in memory, without waiting for anybody.
///
/// A repeated wish is no error: no event. A forbidden or impossible one is a refusal.
pub trait Decide: Aggregate {
    /// The events that follow from `command` in this state.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Whether no event has been recorded yet.
    fn is_missing(&self) -> bool;

    /// The events whose shape has changed, each version after the one before it.
    fn changes() -> &'static [ShapeChange];

    /// How events of earlier shapes become today's. Empty while every event has its first shape.
    fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
        let upcaster = |it: &ShapeChange| {
            SemanticVersionEventUpcaster::new(it.event_type, it.version, Box::new(it.upcast))
        };
        Self::changes().iter().map(|it| Box::new(upcaster(it)) as Box<dyn EventUpcaster>).collect()
    }
}

/// A version of an event that can no longer be read as the one before it was.
#[derive(Debug, Clone, Copy)]
pub struct ShapeChange {
    /// Which event.
    pub event_type: &'static str,
    /// The version that it has since: `2.0` is the first change.
    pub version: &'static str,
    /// Says what the version before meant in the words of this one.
    pub upcast: fn(Value) -> Value,
}

/// The version in which an event is written today.
pub fn version(event_type: &str, changes: &[ShapeChange]) -> String {
    let last = changes.iter().rfind(|it| it.event_type == event_type);
    last.map_or("1.0", |it| it.version).to_owned()
}

/// A noun of which something ends at an instant that everybody can read off it.
///
/// Expiry is no state: nothing is decided or shown by whether the log was told. The event is a
/// remark, appended once, for those who follow the log.
pub trait Expires: Decide {
    /// Tell what has expired by `now` and was not told yet; nothing when there is nothing to tell.
    fn expire(now: DateTime<Utc>) -> Self::Command;
}

/// What can be done with a noun in its present state, told by `decide` itself.
pub trait Actions: Decide {
    /// Every command that a person can give, with what would come of it at `now`.
    fn actions(&self, now: DateTime<Utc>) -> Vec<Possible>;

    /// What would come of `command`, as far as this noun alone can tell.
    fn possible(&self, operation: Operation, command: Self::Command) -> Possible
    where
        &'static str: for<'a> From<&'a Self::Error>,
    {
        let refusal = match self.decide(command) {
            Ok(events) if events.is_empty() => Some("NOTHING_TO_DO"),
            Ok(_) => None,
            Err(refusal) => Some(<&'static str>::from(&refusal)),
        };
        Possible { operation, refusal }
    }
}

/// A command that could be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Possible {
    /// What it does.
    pub operation: Operation,
    /// The code of the refusal it would meet; `NOTHING_TO_DO` where it would change nothing.
    pub refusal: Option<&'static str>,
}

/// Makes a state enum with `decide` and `evolve` an aggregate of cqrs-es under a stored name; where
/// the shape of an event has changed, with its [`ShapeChange`]s.
macro_rules! aggregate {
    ($state:ident, $stored_name:literal) => {
        aggregate!($state, $stored_name, &[]);
    };
    ($state:ident, $stored_name:literal, $changes:expr) => {
        impl cqrs_es::Aggregate for $state {
            const TYPE: &'static str = $stored_name;
            type Command = Command;
            type Event = Event;
            type Error = Refusal;
            type Services = ();

            async fn handle(
                &mut self,
                command: Command,
                (): &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Refusal> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Event) {
                *self = std::mem::take(self).evolve(event);
            }
        }

        impl $crate::Decide for $state {
            fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
                self.decide(command)
            }

            fn is_missing(&self) -> bool {
                matches!(self, $state::Missing)
            }

            fn changes() -> &'static [$crate::aggregate::ShapeChange] {
                $changes
            }
        }

        impl cqrs_es::DomainEvent for Event {
            fn event_type(&self) -> String {
                <&'static str>::from(self).to_owned()
            }

            fn event_version(&self) -> String {
                $crate::aggregate::version(&self.event_type(), $changes)
            }
        }

        impl From<Refusal> for Vec<$crate::Finding> {
            fn from(refusal: Refusal) -> Self {
                match refusal {
                    Refusal::Invalid(findings) => findings,
                    other => vec![$crate::Finding::new(
                        <&'static str>::from(&other),
                        other.field(),
                        other.to_string(),
                    )],
                }
            }
        }
    };
}

/// Why something was rejected, suspended, ended or brought back: 1 to 500 characters, written by
/// the person who did it, kept in the event for ever.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Reason(String);

impl Reason {
    /// The longest reason, in characters.
    pub const MAX: usize = 500;

    /// A reason as typed, without the blanks around it.
    pub fn new(field: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.paragraph(field, text, Self::MAX);
        checks.done().map(|()| Self(text.trim().to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Stands for any reason where only the decision is asked for.
    pub(crate) fn any() -> Self {
        Self(String::new())
    }
}

/// A golden state in a test: what a stream of events leads to.
#[cfg(test)]
pub(crate) fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> A {
    let mut state = A::default();
    events.into_iter().for_each(|event| state.apply(event));
    state
}
