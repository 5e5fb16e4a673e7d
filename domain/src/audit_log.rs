//! Under which name the log is known to outsiders, and which keys sign its checkpoints.
//!
//! A key is added in an event that the keys before it still seal. Both sign until the older one is
//! retired, so that whoever trusts one of them can follow. Where a key was stolen nothing it signs
//! counts any more: the log goes on under another name, and says which checkpoint was the last to
//! believe.

use crate::Finding;
use crate::audit::key::VerifierKey;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The only stream of this noun.
pub const ID: &str = "this";

/// How long a new key signs beside the one that it replaces, so that all who verify have time to learn
/// of it.
const OVERLAP: TimeDelta = TimeDelta::days(90);

/// A wish about the log's keys.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Sign with this key from the first start on; it names the log. Nothing where a key signs already.
    Begin(LogKey),
    /// Sign with this key, too.
    AddKey(LogKey),
    /// Sign no more with this key.
    RetireKey {
        /// Which one.
        key: VerifierKey,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Go on under another name with this key alone.
    Restart {
        /// The key, which has the new name.
        key: LogKey,
        /// The last checkpoint to believe under the old name: a signed note. `None` where no witness has
        /// seen one.
        checkpoint: Option<String>,
    },
}

/// A key that signs the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogKey {
    /// Its public half, as a `vkey` of C2SP signed-note.
    #[schemars(with = "String")]
    pub key: VerifierKey,
    /// Since when it signs.
    pub since: DateTime<Utc>,
}

/// What happened to the log's keys. Stored for ever: add variants and optional fields, never rename
/// or remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    KeyAdded(LogKey),
    KeyRetired {
        #[schemars(with = "String")]
        key: VerifierKey,
    },
    Restarted {
        #[serde(flatten)]
        key: LogKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<String>,
    },
}

/// Why a wish about the log's keys was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("The log is not signed with this key.")]
    LogKeyNotFound,
    #[error("This key was retired, and signs no more.")]
    LogKeyRetired,
    #[error("This is the only key that signs the log: add another one first.")]
    LastLogKey,
    #[error("Another key has to sign beside this one for 90 days first.")]
    LogKeyOverlap,
    #[error("This key has another name than the log.")]
    OtherLog,
    #[error("The log has this name already: one that goes on after a theft needs another.")]
    SameLog,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        ""
    }
}

/// Which keys sign the log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum AuditLog {
    /// None yet.
    #[default]
    Missing,
    /// These.
    Signed(Keys),
}

/// The keys of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// Those that sign, oldest first; at least one, all under one name.
    pub active: Vec<LogKey>,
    /// Those that sign no more.
    retired: Vec<VerifierKey>,
    /// The last checkpoint to believe under the name before; a signed note.
    pub continues: Option<String>,
}

impl Keys {
    fn signs(&self, key: &VerifierKey) -> bool {
        self.active.iter().any(|it| it.key == *key)
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        self.active.first().map_or("", |it| it.key.name())
    }

    /// Whether another key than this has signed for long enough.
    fn is_replaced(&self, key: &VerifierKey, at: DateTime<Utc>) -> bool {
        let mut others = self.active.iter().filter(|it| it.key != *key);
        others.any(|it| it.since + OVERLAP <= at)
    }
}

impl AuditLog {
    /// The keys that sign, oldest first.
    pub fn active(&self) -> &[LogKey] {
        match self {
            Self::Missing => &[],
            Self::Signed(keys) => &keys.active,
        }
    }

    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::Begin(key)) => Ok(vec![Event::KeyAdded(key)]),
            (Self::Missing, Command::AddKey(_)) => Err(Refusal::LogKeyNotFound),
            (Self::Missing, Command::RetireKey { .. }) => Err(Refusal::LogKeyNotFound),
            (Self::Missing, Command::Restart { .. }) => Err(Refusal::LogKeyNotFound),
            (Self::Signed(_), Command::Begin(_)) => Ok(vec![]),
            (Self::Signed(keys), Command::AddKey(key)) => keys.add(key),
            (Self::Signed(keys), Command::RetireKey { key, at }) => keys.retire(key, at),
            (Self::Signed(keys), Command::Restart { key, checkpoint }) => {
                keys.restart(key, checkpoint)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        let (mut active, mut retired, mut continues) = match self {
            Self::Missing => (Vec::new(), Vec::new(), None),
            Self::Signed(keys) => (keys.active, keys.retired, keys.continues),
        };
        match event {
            Event::KeyAdded(key) => active.push(key),
            Event::KeyRetired { key } => {
                active.retain(|it| it.key != key);
                retired.push(key);
            }
            Event::Restarted { key, checkpoint } => {
                retired.extend(active.drain(..).map(|it| it.key));
                active.push(key);
                continues = checkpoint;
            }
        }
        Self::Signed(Keys { active, retired, continues })
    }
}

impl Keys {
    fn add(&self, key: LogKey) -> Result<Vec<Event>, Refusal> {
        if self.signs(&key.key) {
            return Ok(vec![]);
        }
        self.refuse_retired(&key.key)?;
        if key.key.name() == self.origin() {
            Ok(vec![Event::KeyAdded(key)])
        } else {
            Err(Refusal::OtherLog)
        }
    }

    fn retire(&self, key: VerifierKey, at: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        if self.retired.contains(&key) {
            return Ok(vec![]);
        }
        match self.active.as_slice() {
            _ if !self.signs(&key) => Err(Refusal::LogKeyNotFound),
            [_] => Err(Refusal::LastLogKey),
            _ if self.is_replaced(&key, at) => Ok(vec![Event::KeyRetired { key }]),
            _ => Err(Refusal::LogKeyOverlap),
        }
    }

    fn restart(&self, key: LogKey, checkpoint: Option<String>) -> Result<Vec<Event>, Refusal> {
        if self.active.len() == 1 && self.signs(&key.key) {
            return Ok(vec![]);
        }
        self.refuse_retired(&key.key)?;
        if key.key.name() == self.origin() {
            Err(Refusal::SameLog)
        } else {
            Ok(vec![Event::Restarted { key, checkpoint }])
        }
    }

    fn refuse_retired(&self, key: &VerifierKey) -> Result<(), Refusal> {
        if self.retired.contains(key) { Err(Refusal::LogKeyRetired) } else { Ok(()) }
    }
}

aggregate!(AuditLog, "audit_log");

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::audit::key::{Algorithm, SigningKey};
    use crate::generated_docs::StateMachine;

    const DAY: TimeDelta = TimeDelta::days(1);

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    /// The key of this number, of a log with this name.
    pub(crate) fn key(log: &str, number: u8) -> VerifierKey {
        let text = SigningKey::text(log, Algorithm::Ed25519, &[number; 32]).unwrap();
        SigningKey::from_text(&text).unwrap().verifier().clone()
    }

    pub(crate) fn log_key(log: &str, number: u8, day: i32) -> LogKey {
        LogKey { key: key(log, number), since: start() + DAY * day }
    }

    fn retire(number: u8, day: i32) -> Command {
        Command::RetireKey { key: key("log", number), at: start() + DAY * day }
    }

    fn restart(log: &str, number: u8) -> Command {
        Command::Restart { key: log_key(log, number, 50), checkpoint: Some("a note".to_owned()) }
    }

    fn added(number: u8, day: i32) -> Event {
        Event::KeyAdded(log_key("log", number, day))
    }

    fn retired(number: u8) -> Event {
        Event::KeyRetired { key: key("log", number) }
    }

    fn restarted() -> Event {
        Event::Restarted { key: log_key("new", 9, 50), checkpoint: Some("a note".to_owned()) }
    }

    pub(crate) fn machine() -> StateMachine<AuditLog> {
        let sign = |log, number| Command::AddKey(log_key(log, number, 0));
        StateMachine {
            states: vec![
                ("", vec![]),
                ("with the first key", vec![added(1, 0)]),
                ("with two keys", vec![added(1, 0), added(2, 0)]),
                ("with the second key", vec![added(1, 0), added(2, 0), retired(1)]),
                ("under another name", vec![added(1, 0), restarted()]),
            ],
            commands: vec![
                ("with the first", Command::Begin(log_key("log", 1, 0))),
                ("the first", sign("log", 1)),
                ("the second", sign("log", 2)),
                ("of another log", sign("another", 3)),
                ("the first, after 89 days", retire(1, 89)),
                ("the first, after 90 days", retire(1, 90)),
                ("under another name", restart("new", 9)),
                ("under the same name", restart("log", 9)),
            ],
        }
    }

    #[test]
    fn the_first_key_names_the_log_and_others_have_its_name() {
        let log = given::<AuditLog>([added(1, 0)]);
        let add = |name, number| log.decide(Command::AddKey(log_key(name, number, 5)));
        assert_eq!(add("log", 1), Ok(vec![]), "whenever it comes again");
        assert_eq!(add("log", 2), Ok(vec![added(2, 5)]));
        assert_eq!(add("another", 2), Err(Refusal::OtherLog));
    }

    #[test]
    fn two_nodes_that_begin_at_once_end_with_one_key() {
        let begin = |number| Command::Begin(log_key("log", number, 0));
        assert_eq!(AuditLog::Missing.decide(begin(1)), Ok(vec![added(1, 0)]));
        assert_eq!(given::<AuditLog>([added(1, 0)]).decide(begin(2)), Ok(vec![]));
    }

    #[test]
    fn a_key_goes_when_another_has_signed_beside_it_for_ninety_days() {
        let alone = given::<AuditLog>([added(1, 0)]);
        assert_eq!(alone.decide(retire(1, 1000)), Err(Refusal::LastLogKey));
        let log = given::<AuditLog>([added(1, 0), added(2, 100)]);
        assert_eq!(log.decide(retire(1, 189)), Err(Refusal::LogKeyOverlap));
        assert_eq!(log.decide(retire(1, 190)), Ok(vec![retired(1)]));
        assert_eq!(log.decide(retire(2, 190)), Ok(vec![retired(2)]), "the first one is old enough");
        assert_eq!(log.decide(retire(3, 190)), Err(Refusal::LogKeyNotFound));
    }

    #[test]
    fn a_retired_key_never_comes_back() {
        let log = given::<AuditLog>([added(1, 0), added(2, 0), retired(1)]);
        let again = Command::AddKey(log_key("log", 1, 200));
        assert_eq!(log.decide(again), Err(Refusal::LogKeyRetired));
        assert_eq!(log.decide(retire(1, 200)), Ok(vec![]));
    }

    #[test]
    fn after_a_theft_the_log_has_another_name_and_the_stolen_keys_are_retired() {
        let log = given::<AuditLog>([added(1, 0), added(2, 0)]);
        assert_eq!(log.decide(restart("log", 9)), Err(Refusal::SameLog));
        assert_eq!(log.decide(restart("new", 9)), Ok(vec![restarted()]));
        let log = given::<AuditLog>([added(1, 0), added(2, 0), restarted()]);
        assert_eq!(log.active(), [log_key("new", 9, 50)]);
        assert_eq!(log.decide(restart("new", 9)), Ok(vec![]));
        let back = Command::AddKey(log_key("log", 2, 60));
        assert_eq!(log.decide(back), Err(Refusal::LogKeyRetired));
    }
}
