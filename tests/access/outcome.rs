//! What comes of asking for something.

use domain::actor::Operation;
use strum::IntoEnumIterator as _;

/// What came of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is not allowed, and the caller is told so.
    Forbidden,
    /// As if there were no such thing.
    NotThere,
    /// It is allowed.
    Allowed,
}

/// The operation of this name.
pub fn operation(name: &str) -> Operation {
    Operation::iter().find(|it| it.to_string() == name).unwrap_or_else(|| panic!("{name}"))
}
