//! The audit trail's formats and proofs: what the node that seals the log writes, and what an
//! outsider checks without us. Event *n* is leaf *n* − 1 of one RFC 6962 Merkle tree over
//! [`crate::log_entry`].
//!
//! From the leaf up: [`tree`] grows the tree and [`tile`] cuts it into files, [`bundle`] holds the
//! entries themselves; [`proof`] shows that an entry is in the tree and that one tree continues
//! another. A [`checkpoint`] is the signed head of the tree, a [`note`] its envelope, a [`key`]
//! what signs it; a [`policy`] says whose signatures suffice; a [`tlog_proof`] is all of that about
//! one entry in one file. An [`auditor`] reads the whole log. A [`disclosure`] is what lies beside it. All forms are C2SP's
//! (<https://c2sp.org>), so that programs of others read them.
//!
//! No SQL, no HTTP, no clock, no files: who calls brings tiles, keys and times. No text from
//! outside makes it panic, and all but a policy has one spelling: what is read prints as it was.

pub mod auditor;
pub mod bundle;
pub mod checkpoint;
pub mod disclosure;
pub mod key;
pub mod note;
#[cfg(test)]
mod other_verifiers;
pub mod policy;
pub mod proof;
#[cfg(test)]
mod sample;
pub mod tile;
pub mod tlog_proof;
pub mod tree;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tree::Hash;

/// Why something is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not have its form, so that it says nothing.
    #[error("{0}")]
    Unreadable(String),
    /// It has its form, but what it says is not proved.
    #[error("{0}")]
    NotProved(String),
    /// The log holds something that it must not hold, from this position on.
    #[error("position {position}: {reason}")]
    WrongEntry {
        /// The position of the event, counted from 1.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Two events contradict each other, and nobody can tell by them alone which one is wrong.
    #[error("position {position}, or one before it: {reason}")]
    Contradiction {
        /// The position of the later one, counted from 1.
        position: u64,
        /// What does not fit.
        reason: String,
    },
}

fn unreadable(message: impl Into<String>) -> Fault {
    Fault::Unreadable(message.into())
}

fn not_proved(message: impl Into<String>) -> Fault {
    Fault::NotProved(message.into())
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64 text (RFC 4648, 4) in its one spelling: padded, unused bits zero.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn hash_from_base64(text: &str) -> Option<Hash> {
    from_base64(text)?.try_into().ok()
}

/// A number in ASCII digits without sign and leading zeros.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
