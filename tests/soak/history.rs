//! What was asked and answered, written down by those who asked: outside of the processes that are
//! killed. Moments are of one monotonic clock: the time since the run began.

use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Everything that was asked and answered.
#[derive(Debug, Default, Serialize)]
pub struct History {
    pub commands: Vec<Command>,
    pub reads: Vec<Read>,
}

impl History {
    /// What several people wrote down.
    pub fn of_all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::default();
        for part in parts {
            whole.commands.extend(part.commands);
            whole.reads.extend(part.reads);
        }
        whole
    }
}

/// One wish under one idempotency key, sent as often as it took to know what became of it, and
/// sometimes once more.
#[derive(Debug, Clone, Serialize)]
pub struct Command {
    /// The idempotency key; no two commands of a run have the same.
    pub key: String,
    pub wish: Wish,
    pub attempts: Vec<Attempt>,
}

impl Command {
    /// What an attempt is called in the log. It begins with the key.
    pub fn correlation_id(&self, attempt: usize) -> String {
        format!("{}.{attempt}", self.key)
    }

    /// Every time that it was said to be granted.
    pub fn granted(&self) -> impl Iterator<Item = (&Attempt, &Granted)> {
        self.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            Outcome::Granted(granted) => Some((attempt, granted)),
            _ => None,
        })
    }

    /// Whether what became of it is known.
    pub fn is_known(&self) -> bool {
        let last = self.attempts.last().map(|attempt| &attempt.outcome);
        matches!(last, Some(Outcome::Granted(_) | Outcome::Refused(_)))
    }
}

/// The kind of a name, and its form for comparing.
pub type Name = (String, String);

/// What is wished, and how the log shows that it is so.
#[derive(Debug, Clone, Serialize)]
pub struct Wish {
    pub mutation: &'static str,
    /// What the payload calls the object.
    pub field: &'static str,
    /// Without the idempotency key.
    pub input: Value,
    /// The noun's stored name.
    pub noun: &'static str,
    /// The events that decide about what is wished. The last one of them in the object's stream…
    pub deciding: &'static [&'static str],
    /// … is one of these when it is so,
    pub fulfilling: &'static [&'static str],
    /// and holds these fields.
    pub showing: Value,
    /// The name that is wished for.
    pub name: Option<Name>,
}

/// A command on its way, once.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    pub called: Duration,
    pub answered: Duration,
    pub outcome: Outcome,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Outcome {
    Granted(Granted),
    /// By a rule, or because something has moved: the codes. Not stored.
    Refused(Vec<String>),
    /// Not stored either.
    Unavailable,
    /// `OUTCOME_UNKNOWN`, or no answer at all: why.
    Unknown(String),
    /// What nobody should ever be answered.
    Fault(String),
}

/// A command that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Granted {
    pub id: String,
    pub position: i64,
    /// Of the object when the answer was made.
    pub version: i64,
}

/// An object as a query showed it.
#[derive(Debug, Clone, Serialize)]
pub struct Read {
    pub called: Duration,
    pub answered: Duration,
    pub noun: &'static str,
    pub id: String,
    /// 0 when there was none.
    pub version: i64,
}
