//! Whose personal data is kept: an organisation's contacts, or a person under his login name.
//!
//! What is kept lies beside the log under the name of its subject. Erasing ends that name for good:
//! what is given later lies under another one, so that nothing that a backup brings back is ever
//! read again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::Display;

/// What a subject is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SubjectKind {
    /// A partner, by its id: how it is reached.
    Partner,
    /// A person, by the subject of the access token: from where his changes came.
    Person,
}

/// Why personal data is erased: the grounds of article 17 (1) of the GDPR that can apply here. What
/// else the law wants to be known (who asked, when, what was answered) belongs into the file of the
/// case, not into the log.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LegalGround {
    /// Not needed any more for what it was collected for (a).
    NoLongerNecessary,
    /// Consent was withdrawn, and nothing else allows to keep it (b).
    ConsentWithdrawn,
    /// The person objects, and nothing weighs more (c).
    Objection,
    /// It should never have been kept (d).
    UnlawfulProcessing,
    /// A law says that it has to go (e).
    LegalObligation,
}

/// The name under which the contact data of a partner lies, after so many erasures.
pub fn of_partner(id: &str, erasures: u32) -> String {
    if erasures == 0 { format!("partner/{id}") } else { format!("partner/{id}/{}", erasures + 1) }
}

/// The name of a person as a subject.
pub fn of_person(id: &str) -> String {
    format!("person/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_after_an_erasure_lies_under_another_name() {
        let names = [0, 1, 2].map(|erasures| of_partner("acme", erasures));
        assert_eq!(names, ["partner/acme", "partner/acme/2", "partner/acme/3"]);
    }
}
