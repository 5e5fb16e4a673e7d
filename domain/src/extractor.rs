//! A configuration of a biometric extractor: which product makes the templates of a modality that
//! are shared with credential partners.
//!
//! Active → deleted, which is final. It never changes, because approved requests rest on it; one
//! that requests name stays.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::reference::Modality;
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest name, in characters.
pub const MAX_NAME: usize = 128;
/// The longest name of a provider, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_PROVIDER: usize = 128;
/// The longest version text, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_VERSION: usize = 8;
/// The longest name of an attribute, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_ATTRIBUTE: usize = 128;
/// The longest name of a data format, in characters.
pub const MAX_DATA_FORMAT: usize = 64;

/// A wish about one extractor.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Make it known.
    Create(Configuration),
    /// Take it off the menu.
    Delete {
        /// Why.
        reason: Reason,
        /// How many requests that are drafts, open or approved name it now.
        uses: usize,
    },
}

/// What an extractor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// Unique after normalisation.
    pub name: String,
    /// Who makes the product.
    pub provider: String,
    /// The product's version.
    pub version: String,
    /// What it makes templates of.
    pub modality: Modality,
    /// The attribute that carries the templates in the shared data.
    pub attribute_name: String,
    /// The format of the templates, where it is not the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_format: Option<String>,
}

impl Configuration {
    /// The configuration as it is stored; everything that is wrong with it.
    pub fn checked(self) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.line("name", &self.name, MAX_NAME);
        checks.line("provider", &self.provider, MAX_PROVIDER);
        checks.line("version", &self.version, MAX_VERSION);
        checks.line("attributeName", &self.attribute_name, MAX_ATTRIBUTE);
        if let Some(format) = &self.data_format {
            checks.line("dataFormat", format, MAX_DATA_FORMAT);
        }
        checks.done()?;
        Ok(Self {
            name: squeezed(&self.name),
            provider: squeezed(&self.provider),
            version: squeezed(&self.version),
            modality: self.modality,
            attribute_name: squeezed(&self.attribute_name),
            data_format: self.data_format.as_deref().map(squeezed),
        })
    }
}

/// What happened to an extractor. Stored for ever: add variants and optional fields, never rename
/// or remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Created(Configuration),
    Deleted { reason: Reason },
}

/// Why a wish about an extractor was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This extractor is not known.")]
    ExtractorNotFound,
    #[error("This extractor exists already.")]
    ExtractorExists,
    #[error("Requests for policies name this extractor; end them first.")]
    ExtractorInUse,
    #[error("The extractor was deleted.")]
    ExtractorDeleted,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "extractorId"
    }
}

/// Where an extractor stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum Extractor {
    /// Not created.
    #[default]
    Missing,
    /// Requests can name it.
    Active(Configuration),
    /// Off the menu.
    Deleted(Configuration),
}

impl Extractor {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Create, Delete};
        match (self, command) {
            (Self::Missing, Create(configuration)) => Ok(vec![Event::Created(configuration)]),
            (Self::Active(_) | Self::Deleted(_), Create(_)) => Err(Refusal::ExtractorExists),

            (Self::Active(_), Delete { uses: 1.., .. }) => Err(Refusal::ExtractorInUse),
            (Self::Active(_), Delete { reason, uses: 0 }) => Ok(vec![Event::Deleted { reason }]),
            (Self::Deleted(_), Delete { .. }) => Ok(vec![]),
            (Self::Missing, Delete { .. }) => Err(Refusal::ExtractorNotFound),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Created(configuration)) => Self::Active(configuration),
            (Self::Missing, Event::Deleted { .. }) => Self::Missing,
            (Self::Active(it) | Self::Deleted(it), Event::Deleted { .. }) => Self::Deleted(it),
        }
    }

    /// The configuration of an extractor that requests can name, else why they cannot.
    pub fn active(&self) -> Result<&Configuration, Refusal> {
        match self {
            Self::Active(configuration) => Ok(configuration),
            Self::Missing => Err(Refusal::ExtractorNotFound),
            Self::Deleted(_) => Err(Refusal::ExtractorDeleted),
        }
    }
}

aggregate!(Extractor, "extractor");

impl Actions for Extractor {
    /// Whether requests hold an extractor in place is not known here.
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        let delete = Command::Delete { reason: Reason::any(), uses: 0 };
        vec![self.possible(Operation::DeleteExtractor, delete)]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    pub(crate) fn machine() -> StateMachine<Extractor> {
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![created()]),
                ("", vec![created(), Event::Deleted { reason: reason() }]),
            ],
            commands: vec![
                ("", Command::Create(configuration())),
                ("that no request names", delete(0)),
                ("that requests name", delete(1)),
            ],
        }
    }

    fn configuration() -> Configuration {
        Configuration {
            name: "Face  templates ".into(),
            provider: "Acme".into(),
            version: "1.1".into(),
            modality: Modality::Face,
            attribute_name: "photo".into(),
            data_format: None,
        }
    }

    fn created() -> Event {
        Event::Created(configuration().checked().unwrap())
    }

    fn reason() -> Reason {
        Reason::new("reason", "replaced by a better one").unwrap()
    }

    fn delete(uses: usize) -> Command {
        Command::Delete { reason: reason(), uses }
    }

    #[test]
    fn an_extractor_that_no_request_names_can_be_deleted() {
        let active = given::<Extractor>([created()]);
        assert_eq!(active.decide(delete(0)), Ok(vec![Event::Deleted { reason: reason() }]));
    }

    #[test]
    fn an_extractor_that_requests_name_stays() {
        assert_eq!(given::<Extractor>([created()]).decide(delete(1)), Err(Refusal::ExtractorInUse));
    }

    #[test]
    fn what_was_deleted_is_neither_deleted_again_nor_created_again() {
        let deleted = given::<Extractor>([created(), Event::Deleted { reason: reason() }]);
        assert_eq!(deleted.decide(delete(0)), Ok(vec![]));
        assert_eq!(deleted.active(), Err(Refusal::ExtractorDeleted));
        let again = deleted.decide(Command::Create(configuration()));
        assert_eq!(again, Err(Refusal::ExtractorExists));
    }

    #[test]
    fn nothing_can_be_done_to_an_extractor_that_is_not_there() {
        assert_eq!(Extractor::Missing.decide(delete(0)), Err(Refusal::ExtractorNotFound));
        assert_eq!(Extractor::Missing.active(), Err(Refusal::ExtractorNotFound));
    }

    #[test]
    fn every_error_of_an_input_is_told_at_once() {
        let wrong = Configuration {
            name: String::new(),
            provider: " ".into(),
            version: "123456789".into(),
            attribute_name: "a\0".into(),
            data_format: Some("x".repeat(65)),
            ..configuration()
        };
        let findings = wrong.checked().unwrap_err();
        let fields: Vec<_> = findings.iter().map(|finding| finding.field.as_str()).collect();
        assert_eq!(fields, ["name", "provider", "version", "attributeName", "dataFormat"]);
    }

    #[test]
    fn a_configuration_is_stored_without_stray_blanks() {
        assert_eq!(configuration().checked().unwrap().name, "Face templates");
    }
}
