//! What a person agreed to before working here: one consent per person, to one version of a text.
//!
//! Given ⇄ withdrawn. The stream's id is the subject itself: there is one consent per person, so
//! that nothing has to be looked up and two first consents of one person meet in one stream.

use crate::reference::consent_text;
use crate::{Finding, Reason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// A wish about one's own consent.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Agree to a text.
    Give {
        /// Which version; only the newest can be agreed to.
        text_version: u32,
    },
    /// Agree no more.
    Withdraw(Option<Reason>),
}

/// What happened to a consent. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Given {
        text_version: u32,
    },
    Withdrawn {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
}

/// Why a wish about a consent was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This is not the newest text: read that one, and agree to it.")]
    ConsentTextOutdated,
    #[error("There is no consent to withdraw.")]
    ConsentNotGiven,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::ConsentTextOutdated => "textVersion",
            _ => "",
        }
    }
}

/// Where a consent stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Consent {
    /// Never given.
    #[default]
    Missing,
    /// Given, to this version of the text.
    Given(u32),
    /// Taken back.
    Withdrawn,
}

impl Consent {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Give, Withdraw};
        match (self, command) {
            (_, Give { text_version }) if text_version != consent_text().version => {
                Err(Refusal::ConsentTextOutdated)
            }
            (Self::Given(given), Give { text_version }) if *given == text_version => Ok(vec![]),
            (Self::Missing | Self::Given(_) | Self::Withdrawn, Give { text_version }) => {
                Ok(vec![Event::Given { text_version }])
            }
            (Self::Given(_), Withdraw(reason)) => Ok(vec![Event::Withdrawn { reason }]),
            (Self::Withdrawn, Withdraw(_)) => Ok(vec![]),
            (Self::Missing, Withdraw(_)) => Err(Refusal::ConsentNotGiven),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Given { text_version }) => Self::Given(text_version),
            (Self::Missing, Event::Withdrawn { .. }) => Self::Missing,
            (Self::Given(_) | Self::Withdrawn, Event::Withdrawn { .. }) => Self::Withdrawn,
        }
    }
}

aggregate!(Consent, "consent");

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    fn newest() -> Command {
        Command::Give { text_version: consent_text().version }
    }

    fn to_the_newest() -> Event {
        Event::Given { text_version: consent_text().version }
    }

    pub(crate) fn machine() -> StateMachine<Consent> {
        StateMachine {
            states: vec![
                ("", vec![]),
                ("to an older text", vec![Event::Given { text_version: 0 }]),
                ("to the newest text", vec![to_the_newest()]),
                ("", vec![to_the_newest(), Event::Withdrawn { reason: None }]),
            ],
            commands: vec![
                ("to an older text", Command::Give { text_version: 0 }),
                ("to the newest text", newest()),
                ("", Command::Withdraw(None)),
            ],
        }
    }

    #[test]
    fn the_same_text_is_agreed_to_once() {
        assert_eq!(Consent::Missing.decide(newest()), Ok(vec![to_the_newest()]));
        assert_eq!(given::<Consent>([to_the_newest()]).decide(newest()), Ok(vec![]));
    }

    #[test]
    fn only_the_newest_text_can_be_agreed_to() {
        for text_version in [0, consent_text().version + 1] {
            let other = Consent::Missing.decide(Command::Give { text_version });
            assert_eq!(other, Err(Refusal::ConsentTextOutdated));
        }
    }

    #[test]
    fn who_agreed_to_an_older_text_is_asked_again() {
        let older = given::<Consent>([Event::Given { text_version: 0 }]);
        assert_eq!(older.decide(newest()), Ok(vec![to_the_newest()]));
    }

    #[test]
    fn a_consent_is_withdrawn_once_and_can_be_given_again() {
        let withdrawn = Event::Withdrawn { reason: None };
        assert_eq!(Consent::Missing.decide(Command::Withdraw(None)), Err(Refusal::ConsentNotGiven));
        let consent = given::<Consent>([to_the_newest()]);
        assert_eq!(consent.decide(Command::Withdraw(None)), Ok(vec![withdrawn.clone()]));
        let consent = given::<Consent>([to_the_newest(), withdrawn]);
        assert_eq!(consent.decide(Command::Withdraw(None)), Ok(vec![]));
        assert_eq!(consent.decide(newest()), Ok(vec![to_the_newest()]));
    }
}
