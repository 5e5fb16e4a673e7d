//! One thing that is wrong with a wish, in a form that programs and people can use.

use std::collections::BTreeMap;

/// One thing that is wrong. All findings about one input are reported together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable, `SCREAMING_SNAKE_CASE`: what clients switch on.
    pub code: &'static str,
    /// The path of the input field, such as `policies.allowedAuthTypes[0].mandatory`; empty when
    /// the finding is about the object as a whole.
    pub field: String,
    /// One sentence for people: what is wrong and, where there is one, the cure. Never a secret,
    /// a personal datum or a library's own text.
    pub message: String,
    /// The values in the message, for clients that have words of their own.
    pub params: BTreeMap<&'static str, String>,
}

impl Finding {
    /// A finding about `field`.
    pub fn new(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self { code, field, message, params: BTreeMap::new() }
    }

    /// Adds a value that a client may want to show.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.params.insert(key, value.to_string());
        self
    }
}
