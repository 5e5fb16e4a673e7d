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

/// The operation that reads a noun, such as `apiKey`.
pub fn reading(noun: &str) -> Operation {
    operation(&format!("read{}{}", noun[..1].to_uppercase(), &noun[1..]))
}

/// The operation of this name; that of one thing, where the name is of many.
pub fn operation(name: &str) -> Operation {
    let of_one = name.strip_suffix('s').unwrap_or(name);
    let named = |it: &Operation| [name, of_one].contains(&it.to_string().as_str());
    Operation::iter().find(named).unwrap_or_else(|| panic!("{name}"))
}
