//! Whose signatures suffice: a local text file in the form of C2SP tlog-policy.
//!
//! ```text
//! log audit.example.org/events+1b2c3d4e+AQ…
//! witness auditor w.example.org+5f6a7b8c+BA… https://w.example.org
//! witness regulator r.example.net+9d0e1f2a+BA…
//! group both all auditor regulator
//! quorum both
//! ```
//!
//! Narrower than C2SP: the file is UTF-8.

mod read;

use super::checkpoint::Checkpoint;
use super::key::VerifierKey;
use super::note::{Note, Signature};
use super::{Fault, base64, not_proved};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeSet;
use std::fmt;

/// The quorum that needs no witness.
const NONE: &str = "none";

/// Which logs are believed, and which witnesses must have seen a checkpoint.
#[derive(Debug, Clone)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: String,
}

/// Somebody outside who signs that he saw a checkpoint and that it continues the one before.
#[derive(Debug, Clone)]
pub struct Witness {
    /// What the policy calls it.
    pub name: String,
    /// What it signs with.
    pub key: VerifierKey,
    /// Where it takes checkpoints, when the policy says so.
    pub url: Option<String>,
}

/// Members, of which so many must have seen a checkpoint.
#[derive(Debug, Clone)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<String>,
}

/// A checkpoint that satisfies a policy. Prints as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// What is believed.
    pub checkpoint: Checkpoint,
    /// The witnesses that saw it, and when they say they did.
    pub witnesses: Vec<(String, DateTime<Utc>)>,
}

impl Policy {
    /// The witnesses, in the order of the file.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The checkpoint in a note, if a log of this policy has signed it and its quorum has seen it.
    /// A wrong signature of any key of the policy is an error, even if the others suffice.
    pub fn check(&self, note: &Note) -> Result<Believed, Fault> {
        let checkpoint: Checkpoint = note.text().parse()?;
        let mut signed = false;
        for key in self.logs.iter().filter(|key| key.name() == checkpoint.origin) {
            signed |= note.signature_of(key)?.is_some();
        }
        if !signed {
            let origin = &checkpoint.origin;
            return Err(not_proved(format!("no key of the policy signs for the log {origin:?}")));
        }
        let witnesses = self.cosigned(note)?;
        if self.suffice(&witnesses) {
            return Ok(Believed { checkpoint, witnesses });
        }
        let seen = witnesses.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let seen = if seen.is_empty() { "nobody" } else { &seen };
        let quorum = &self.quorum;
        Err(not_proved(format!("the quorum {quorum} is not reached: cosigned by {seen}")))
    }

    /// Whether enough witnesses have seen a note, whoever signed it. A wrong signature of one of them is
    /// an error.
    pub fn is_witnessed(&self, note: &Note) -> Result<bool, Fault> {
        Ok(self.suffice(&self.cosigned(note)?))
    }

    fn suffice(&self, witnesses: &[(String, DateTime<Utc>)]) -> bool {
        self.is_quorum(witnesses.iter().map(|(name, _)| name.as_str()).collect())
    }

    fn cosigned(&self, note: &Note) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            let signature = note.signature_of(&witness.key)?;
            let at = signature.and_then(Signature::cosigned_at);
            cosigned.extend(at.map(|at| (witness.name.clone(), at)));
        }
        Ok(cosigned)
    }

    /// Groups name only what stands before them, so that one pass decides them all.
    fn is_quorum<'a>(&'a self, mut seen: BTreeSet<&'a str>) -> bool {
        for group in &self.groups {
            let members = group.members.iter().filter(|name| seen.contains(name.as_str()));
            if members.count() >= group.threshold {
                seen.insert(&group.name);
            }
        }
        self.quorum == NONE || seen.contains(self.quorum.as_str())
    }
}

impl fmt::Display for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Checkpoint { origin, size, root } = &self.checkpoint;
        write!(f, "log {origin} had {size} entries with the root {}, ", base64(root))?;
        if self.witnesses.is_empty() {
            return write!(f, "which no witness has confirmed");
        }
        let seen = self.witnesses.iter().map(|(name, at)| {
            format!("{name} at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true))
        });
        write!(f, "confirmed by {}", seen.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::{ORIGIN, at, checkpoint, key, log_key, witness_key};
    use super::*;
    use crate::audit::key::{Algorithm, SigningKey};
    use proptest::prelude::*;

    /// The log, the witnesses w1 to w5, and these lines.
    pub(super) fn text(lines: &str) -> String {
        let witnesses = (1..6).map(|n| format!("witness w{n} {}\n", witness_key(n).verifier()));
        format!("log {}\n{}{lines}", log_key().verifier(), witnesses.collect::<String>())
    }

    fn policy(lines: &str) -> Policy {
        text(lines).parse().unwrap()
    }

    /// The checkpoint of the log, cosigned by these witnesses.
    fn cosigned(witnesses: &[u8]) -> Note {
        let mut note = checkpoint(7).sign(&[&log_key()], at());
        for number in witnesses {
            note.sign(&witness_key(*number), at());
        }
        note
    }

    fn is_believed(policy: &Policy, witnesses: &[u8]) -> bool {
        policy.check(&cosigned(witnesses)).is_ok()
    }

    #[test]
    fn without_a_quorum_the_logs_own_signature_suffices() {
        let believed = policy("quorum none\n").check(&cosigned(&[])).unwrap();
        assert_eq!(believed.checkpoint, checkpoint(7));
        let sentence = believed.to_string();
        assert!(sentence.starts_with("log audit.example.org/events had 7 entries"), "{sentence}");
        assert!(sentence.ends_with("which no witness has confirmed"), "{sentence}");
    }

    #[test]
    fn a_witness_alone_can_be_the_quorum() {
        let policy = policy("quorum w2\n");
        let believed = policy.check(&cosigned(&[1, 2])).unwrap();
        assert_eq!(believed.witnesses, [("w1".to_owned(), at()), ("w2".to_owned(), at())]);
        assert!(believed.to_string().ends_with("w2 at 2026-11-18T11:06:40Z"), "{believed}");
        let fault = policy.check(&cosigned(&[1, 3])).unwrap_err().to_string();
        assert_eq!(fault, "the quorum w2 is not reached: cosigned by w1, w3");
    }

    #[test]
    fn groups_of_groups_are_counted() {
        let policy =
            policy("group x 2 w1 w2 w3\ngroup y any w4 w5\ngroup both all x y\nquorum both\n");
        for (witnesses, believed) in [
            (vec![], false),
            (vec![1, 2, 3], false),
            (vec![1, 4], false),
            (vec![4, 5], false),
            (vec![1, 3, 5], true),
            (vec![1, 2, 3, 4, 5], true),
            (vec![1, 1, 4], false),
        ] {
            assert_eq!(is_believed(&policy, &witnesses), believed, "{witnesses:?}");
        }
    }

    #[test]
    fn another_log_or_another_key_of_its_name_is_not_believed() {
        let policy = policy("quorum none\n");
        let namesake = key(ORIGIN, Algorithm::Ed25519, 9);
        let other = key("other.example.org", Algorithm::Ed25519, 1);
        let signed = |keys: &[&SigningKey]| checkpoint(7).sign(keys, at());
        assert!(policy.check(&signed(&[&namesake])).is_err());
        assert!(policy.check(&signed(&[&other])).is_err());
        assert!(policy.check(&signed(&[&namesake, &log_key()])).is_ok());
        let mut elsewhere = checkpoint(7);
        elsewhere.origin = "other.example.org".to_owned();
        assert!(policy.check(&elsewhere.sign(&[&log_key()], at())).is_err());
    }

    #[test]
    fn a_witnesss_signature_under_another_checkpoint_spoils_it() {
        let lines = |note: Note| note.to_string().split_once("\n\n").unwrap().1.to_owned();
        let mut note = checkpoint(8).sign(&[], at());
        note.sign(&witness_key(1), at());
        let mixed = format!("{}{}", cosigned(&[2]), lines(note));
        let mixed: Note = mixed.parse().unwrap();
        let fault = policy("quorum w2\n").check(&mixed).unwrap_err();
        assert_eq!(fault.to_string(), "the signature of witness.example.org/1 is wrong");
    }

    #[test]
    fn a_log_key_that_is_being_replaced_needs_only_one_of_two() {
        let new = key(ORIGIN, Algorithm::Ed25519, 2);
        let both = checkpoint(7).sign(&[&log_key(), &new], at());
        let only = |key: &SigningKey| -> Policy {
            format!("log {}\nquorum none", key.verifier()).parse().unwrap()
        };
        assert!(only(&log_key()).check(&both).is_ok());
        assert!(only(&new).check(&both).is_ok());
    }

    #[test]
    fn urls_are_kept_for_who_calls_the_witnesses() {
        let witness = witness_key(9);
        let line = format!("witness nine {} https://w.example\nquorum none", witness.verifier());
        let policy: Policy = line.parse().unwrap();
        assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example"));
        assert_eq!(policy.witnesses()[0].name, "nine");
    }

    proptest! {
        /// Who adds a cosignature never loses belief.
        #[test]
        fn more_witnesses_never_harm(threshold in 1_usize..=5, seen: [bool; 5]) {
            let policy = policy(&format!("group g {threshold} w1 w2 w3 w4 w5\nquorum g\n"));
            let seen = (1..6).zip(seen).filter(|(_, seen)| *seen);
            let witnesses: Vec<u8> = seen.map(|(number, _)| number).collect();
            prop_assert_eq!(is_believed(&policy, &witnesses), witnesses.len() >= threshold);
        }
    }
}
