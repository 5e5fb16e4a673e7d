//! The installation itself: which keys it works with. A node that brings other keys would write
//! hashes that nobody finds and data that nobody opens; it is refused before it does. Only issuing
//! keys follow each other: a further generation is adopted, and none is ever taken away.

use crate::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantNames};

/// The only stream of this noun.
pub const ID: &str = "this";

/// Fingerprints by the names of the keys: SHA-256, lower-case hex.
pub type Fingerprints = BTreeMap<String, String>;

/// The name of an issuing key: `issuing`, then `issuing.2`, `issuing.3` and so on.
pub fn issuing_key(generation: usize) -> String {
    if generation < 2 { ISSUING.to_owned() } else { format!("{ISSUING}.{generation}") }
}

const ISSUING: &str = "issuing";

/// A wish about the installation.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Work with these keys.
    AdoptKeys(Fingerprints),
}

/// What happened to the installation. Stored for ever: add variants and optional fields, never
/// rename or remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
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
    #[error(
        "The key folder lacks an issuing key that this installation has adopted: copy the folder \
        from a node that has it."
    )]
    IssuingKeyMissing,
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
            (Self::Keyed(old), Command::AdoptKeys(new)) if adds_issuing_keys(old, &new) => {
                Ok(vec![Event::KeysAdopted { fingerprints: new }])
            }
            (Self::Keyed(old), Command::AdoptKeys(new)) if adds_issuing_keys(&new, old) => {
                Err(Refusal::IssuingKeyMissing)
            }
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

/// Whether `larger` holds the same keys and further issuing keys.
fn adds_issuing_keys(keys: &Fingerprints, larger: &Fingerprints) -> bool {
    let kept = keys.iter().all(|(name, print)| larger.get(name) == Some(print));
    let added = larger.keys().filter(|name| !keys.contains_key(*name));
    kept && added.into_iter().all(|name| name.starts_with("issuing."))
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
            states: vec![
                ("", vec![]),
                ("", vec![Event::KeysAdopted { fingerprints: keys("a") }]),
                (
                    "with a third issuing key",
                    vec![Event::KeysAdopted { fingerprints: generations(3) }],
                ),
            ],
            commands: vec![
                ("that it has", Command::AdoptKeys(keys("a"))),
                ("that are others", Command::AdoptKeys(keys("b"))),
                ("with a further issuing key", Command::AdoptKeys(generations(2))),
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

    fn generations(newest: usize) -> Fingerprints {
        let issuing = (1..=newest).map(|it| (issuing_key(it), format!("key {it}")));
        keys("a").into_iter().chain(issuing).collect()
    }

    #[test]
    fn a_further_issuing_key_is_adopted_and_none_is_taken_away() {
        let adopted = |fingerprints| Event::KeysAdopted { fingerprints };
        let one = given::<Installation>([adopted(generations(1))]);
        let events = one.decide(Command::AdoptKeys(generations(3))).unwrap();
        assert_eq!(events, [adopted(generations(3))]);
        let three = given::<Installation>([adopted(generations(1)), adopted(generations(3))]);
        assert_eq!(three.decide(Command::AdoptKeys(generations(3))), Ok(vec![]));
        let fewer = three.decide(Command::AdoptKeys(generations(2)));
        assert_eq!(fewer, Err(Refusal::IssuingKeyMissing));
    }

    #[test]
    fn with_a_further_issuing_key_nothing_else_may_differ() {
        let one = given::<Installation>([Event::KeysAdopted { fingerprints: generations(1) }]);
        let with = |name: &str, print: &str| {
            let mut keys = generations(2);
            keys.insert(name.to_owned(), print.to_owned());
            one.decide(Command::AdoptKeys(keys))
        };
        assert_eq!(with("pepper.1", "b"), Err(Refusal::OtherKeys));
        assert_eq!(with("issuing", "another"), Err(Refusal::OtherKeys));
        assert_eq!(with("pepper.2", "b"), Err(Refusal::OtherKeys));
    }
}
