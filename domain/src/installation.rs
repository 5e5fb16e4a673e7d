//! The installation itself: which keys it works with. A node that brings other keys would write
//! hashes that nobody finds and data that nobody opens; it is refused before it does.

use crate::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantNames};

/// The only stream of this noun.
pub const ID: &str = "this";

/// Fingerprints by the names of the keys: SHA-256, lower-case hex.
pub type Fingerprints = BTreeMap<String, String>;

/// A wish about the installation.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Work with these keys.
    AdoptKeys(Fingerprints),
}

/// What happened to the installation. Stored for ever: add variants and optional fields, never
/// rename or remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    KeysAdopted { fingerprints: Fingerprints },
}

/// Why a wish about the installation was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("The key folder does not hold the keys that this installation was started with.")]
    OtherKeys,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        ""
    }
}

/// Which keys the installation works with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Installation {
    /// Never started.
    #[default]
    Missing,
    /// Started with these.
    Keyed(Fingerprints),
}

impl Installation {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Missing, Command::AdoptKeys(fingerprints)) => {
                Ok(vec![Event::KeysAdopted { fingerprints }])
            }
            (Self::Keyed(old), Command::AdoptKeys(new)) if *old == new => Ok(vec![]),
            (Self::Keyed(_), Command::AdoptKeys(_)) => Err(Refusal::OtherKeys),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match event {
            Event::KeysAdopted { fingerprints } => Self::Keyed(fingerprints),
        }
    }
}

aggregate!(Installation, "installation");

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    fn keys(pepper: &str) -> Fingerprints {
        Fingerprints::from([("pepper.1".to_owned(), pepper.to_owned())])
    }

    pub(crate) fn machine() -> StateMachine<Installation> {
        StateMachine {
            states: vec![("", vec![]), ("", vec![Event::KeysAdopted { fingerprints: keys("a") }])],
            commands: vec![
                ("that it has", Command::AdoptKeys(keys("a"))),
                ("that are others", Command::AdoptKeys(keys("b"))),
            ],
        }
    }

    #[test]
    fn the_first_keys_are_adopted_and_the_same_ones_change_nothing() {
        let events = Installation::Missing.decide(Command::AdoptKeys(keys("a"))).unwrap();
        let keyed = given::<Installation>(events);
        assert_eq!(keyed.decide(Command::AdoptKeys(keys("a"))), Ok(vec![]));
    }

    #[test]
    fn other_keys_are_refused() {
        let keyed = given::<Installation>([Event::KeysAdopted { fingerprints: keys("a") }]);
        assert_eq!(keyed.decide(Command::AdoptKeys(keys("b"))), Err(Refusal::OtherKeys));
    }
}
