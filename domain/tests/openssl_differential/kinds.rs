//! The table: every kind of chain, what each side says to it, and why where they differ.
//!
//! OpenSSL is asked for everything that it can check: `-x509_strict`, the signature of the root,
//! level 2 of its demands on keys. What remains is explained here, kind by kind.

mod constraints;
mod forms;
mod paths;
mod signatures;

use crate::chain::{Chain, Target};
use crate::dice::Dice;
use std::ops::RangeInclusive;

type Codes = &'static [&'static str];
type Make = for<'k> fn(&mut Chain<'k>, &mut Dice);

// Codes that several parts of the table need
const BAD: Codes = &["BAD_SIGNATURE"];
const MALFORMED: Codes = &["CERT_MALFORMED"];
const UNKNOWN_ISSUER: Codes = &["ISSUER_UNKNOWN"];

/// Who refuses a chain. A finding that we refuse with is one of `codes`; a fault of a CA in the
/// chain counts like one of the target.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// Nobody, because nothing is wrong
    Sound,
    /// Both
    Refused(Codes),
    /// Only we
    OursAlone(Codes, &'static str),
    /// Only OpenSSL
    OpenSslAlone(&'static str),
    /// Nobody, although a rule is broken
    Suffered(&'static str),
}

impl Answer {
    /// Why we and OpenSSL differ, or suffer what breaks a rule.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::Sound | Self::Refused(_) => None,
            Self::OursAlone(_, why) | Self::OpenSslAlone(why) | Self::Suffered(why) => Some(why),
        }
    }

    /// In the words of a count.
    pub fn group(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::Refused(_) => "refused by both",
            Self::OursAlone(..) => "refused by us alone",
            Self::OpenSslAlone(_) => "refused by OpenSSL alone",
            Self::Suffered(_) => "suffered by both",
        }
    }
}

/// Chains with the same peculiarity.
pub struct Kind {
    pub name: &'static str,
    pub answer: Answer,
    pub targets: &'static [Target],
    pub lengths: RangeInclusive<usize>,
    pub make: Make,
}

impl Kind {
    fn of(self, targets: &'static [Target]) -> Self {
        Self { targets, ..self }
    }

    fn long(self, lengths: RangeInclusive<usize>) -> Self {
        Self { lengths, ..self }
    }
}

fn kind(name: &'static str, answer: Answer, make: Make) -> Kind {
    let targets = &[Target::EndEntity, Target::Issuing, Target::Authority];
    Kind { name, answer, targets, lengths: 2..=8, make }
}

fn sound(name: &'static str, make: Make) -> Kind {
    kind(name, Answer::Sound, make)
}

fn both(name: &'static str, codes: Codes, make: Make) -> Kind {
    kind(name, Answer::Refused(codes), make)
}

fn ours(name: &'static str, codes: Codes, why: &'static str, make: Make) -> Kind {
    kind(name, Answer::OursAlone(codes, why), make)
}

fn theirs(name: &'static str, why: &'static str, make: Make) -> Kind {
    kind(name, Answer::OpenSslAlone(why), make)
}

fn suffered(name: &'static str, why: &'static str, make: Make) -> Kind {
    kind(name, Answer::Suffered(why), make)
}

pub fn all() -> Vec<Kind> {
    let parts = [
        paths::plain(),
        paths::issuers(),
        paths::namesakes(),
        paths::authorities(),
        paths::path_lengths(),
        paths::targets(),
        signatures::signatures(),
        signatures::keys(),
        constraints::hosts_and_addresses(),
        constraints::mail(),
        constraints::uris(),
        constraints::directories(),
        forms::names(),
        forms::dates(),
        forms::extensions(),
        forms::encodings(),
    ];
    parts.into_iter().flatten().collect()
}
