//! A person who works here, under his login name: only that the origins of his changes were erased.
//!
//! The stream's id is the subject of the access token, as a consent's is. Origins (client address and
//! program) and refused attempts lie beside the log for a while; each erasure covers the changes up to a
//! position, and the attempts up to its time.

use crate::Finding;
use crate::subject::LegalGround;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// A wish about one person.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Erase from where his changes came.
    EraseOrigins {
        /// His name as a subject.
        subject: String,
        /// Why.
        legal_ground: LegalGround,
        /// Up to which position of the log something of him is kept beside it, an origin of a change or
        /// a refused attempt; 0 when nothing is.
        through: i64,
    },
}

/// What happened to a person. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    OriginsErased { subject: String, legal_ground: LegalGround, through: i64 },
}

/// Why a wish about a person was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("Neither an origin of a change by this person nor a refused attempt is kept.")]
    OriginsNotFound,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "id"
    }
}

/// What was erased of a person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Person {
    /// Nothing.
    #[default]
    Missing,
    /// The origins of all changes up to this position.
    Erased(i64),
}

impl Person {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let Command::EraseOrigins { subject, legal_ground, through } = command;
        match self {
            Self::Missing if through == 0 => Err(Refusal::OriginsNotFound),
            Self::Erased(erased) if through <= *erased => Ok(vec![]),
            Self::Missing | Self::Erased(_) => {
                Ok(vec![Event::OriginsErased { subject, legal_ground, through }])
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        let Event::OriginsErased { through, .. } = event;
        Self::Erased(through)
    }
}

aggregate!(Person, "person");

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    fn erase(through: i64) -> Command {
        let (subject, legal_ground) = ("person/alice".to_owned(), LegalGround::Objection);
        Command::EraseOrigins { subject, legal_ground, through }
    }

    fn erased(through: i64) -> Event {
        let (subject, legal_ground) = ("person/alice".to_owned(), LegalGround::Objection);
        Event::OriginsErased { subject, legal_ground, through }
    }

    pub(crate) fn machine() -> StateMachine<Person> {
        StateMachine {
            states: vec![("", vec![]), ("up to here", vec![erased(7)])],
            commands: vec![
                ("where none is kept", erase(0)),
                ("up to here", erase(7)),
                ("up to a later change", erase(9)),
            ],
        }
    }

    #[test]
    fn where_nothing_was_ever_kept_there_is_nothing_to_erase() {
        assert_eq!(Person::Missing.decide(erase(0)), Err(Refusal::OriginsNotFound));
    }

    #[test]
    fn what_was_erased_is_not_erased_again_and_what_came_later_is() {
        let person = given::<Person>([erased(7)]);
        assert_eq!(person.decide(erase(7)), Ok(vec![]));
        assert_eq!(person.decide(erase(0)), Ok(vec![]));
        assert_eq!(person.decide(erase(9)), Ok(vec![erased(9)]));
    }
}
