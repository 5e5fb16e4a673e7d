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

use super::checkpoint::Checkpoint;
use super::key::{Algorithm, VerifierKey};
use super::note::Note;
use super::{Fault, base64, not_proved, unreadable};
use chrono::{DateTime, SecondsFormat, Utc};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

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

    /// The checkpoint in a note, if a log of this policy has signed it and its quorum has seen it. A
    /// wrong signature of any key of the policy is an error, even if the others suffice.
    pub fn check(&self, note: &Note) -> Result<Believed, Fault> {
        let checkpoint: Checkpoint = note.text().parse()?;
        let mut signed = false;
        for key in self.logs.iter().filter(|key| key.name() == checkpoint.origin) {
            signed |= note.signature_of(key)?.is_some();
        }
        if !signed {
            let origin = &checkpoint.origin;
            return Err(not_proved(format!("no key of the policy signs for the log {origin}")));
        }
        let witnesses = self.cosigned(note)?;
        if self.is_quorum(witnesses.iter().map(|(name, _)| name.as_str()).collect()) {
            return Ok(Believed { checkpoint, witnesses });
        }
        let seen = witnesses.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let seen = if seen.is_empty() { "nobody" } else { &seen };
        let quorum = &self.quorum;
        Err(not_proved(format!("the quorum {quorum} is not reached: cosigned by {seen}")))
    }

    fn cosigned(&self, note: &Note) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            let signature = note.signature_of(&witness.key)?;
            let at = signature.and_then(|signature| signature.cosigned_at());
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

    fn is_defined(&self, name: &str) -> bool {
        self.witnesses.iter().any(|witness| witness.name == name)
            || self.groups.iter().any(|group| group.name == name)
    }

    /// One line of the file.
    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.contains(|c: char| (c < ' ' && c != '\t') || c == '\x7f') {
            return Err("no control characters but tabs".to_owned());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.read_log(key),
            ["witness", name, key] => self.read_witness(name, key, None),
            ["witness", name, key, url] => self.read_witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.read_group(name, threshold, members)
            }
            ["quorum", name] => self.read_quorum(name),
            ["log", ..] => Err("expected: log <key> [<url>]".to_owned()),
            ["witness", ..] => Err("expected: witness <name> <key> [<url>]".to_owned()),
            ["group", ..] => Err("expected: group <name> all|any|<number> <member>…".to_owned()),
            ["quorum", ..] => Err("expected: quorum <name>|none".to_owned()),
            [word, ..] => Err(format!("{word:?} is none of log, witness, group, quorum")),
        }
    }

    fn read_log(&mut self, key: &str) -> Result<(), String> {
        let key = read_key(key, Algorithm::Ed25519)?;
        if self.logs.iter().any(|other| other.public() == key.public()) {
            return Err("the same public key as another log".to_owned());
        }
        self.logs.push(key);
        Ok(())
    }

    fn read_witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), String> {
        self.is_free(name)?;
        let key = read_key(key, Algorithm::CosignatureV1)?;
        if self.witnesses.iter().any(|other| other.key.public() == key.public()) {
            return Err("the same public key as another witness".to_owned());
        }
        self.witnesses.push(Witness { name: name.to_owned(), key, url: url.map(str::to_owned) });
        Ok(())
    }

    fn read_group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        self.is_free(name)?;
        let count = members.len();
        let threshold = match threshold {
            "all" => count,
            "any" => 1,
            number => super::decimal(number)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=count).contains(number))
                .ok_or_else(|| format!("{number:?} is none of all, any, 1 to {count}"))?,
        };
        let mut group = Group { name: name.to_owned(), threshold, members: Vec::new() };
        for member in members {
            let taken = self.groups.iter().chain([&group]).flat_map(|group| &group.members);
            if taken.into_iter().any(|taken| taken == member) {
                return Err(format!("{member:?} is a member already"));
            }
            if !self.is_defined(member) {
                return Err(format!("{member:?} is not defined above"));
            }
            group.members.push((*member).to_owned());
        }
        self.groups.push(group);
        Ok(())
    }

    fn read_quorum(&mut self, name: &str) -> Result<(), String> {
        if !self.quorum.is_empty() {
            return Err("a second quorum".to_owned());
        }
        if name != NONE && !self.is_defined(name) {
            return Err(format!("{name:?} is not defined above"));
        }
        name.clone_into(&mut self.quorum);
        Ok(())
    }

    fn is_free(&self, name: &str) -> Result<(), String> {
        let free = name != NONE && !self.is_defined(name);
        if free { Ok(()) } else { Err(format!("{name:?} is defined already")) }
    }
}

fn read_key(key: &str, algorithm: Algorithm) -> Result<VerifierKey, String> {
    let key: VerifierKey = key.parse().map_err(|fault: Fault| fault.to_string())?;
    match (key.algorithm() == algorithm, algorithm) {
        (true, _) => Ok(key),
        (false, Algorithm::Ed25519) => Err("this is the key of a witness".to_owned()),
        (false, Algorithm::CosignatureV1) => Err("this is the key of a log".to_owned()),
    }
}

impl FromStr for Policy {
    type Err = Fault;

    /// All faults are told, a line each, with the number of the line that has it.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let (logs, witnesses, groups) = (Vec::new(), Vec::new(), Vec::new());
        let mut policy = Self { logs, witnesses, groups, quorum: String::new() };
        let mut faults: Vec<String> = (1..)
            .zip(text.split('\n'))
            .filter_map(|(number, line): (usize, _)| {
                policy.read(line).err().map(|fault| format!("line {number}: {fault}"))
            })
            .collect();
        if policy.quorum.is_empty() && faults.is_empty() {
            faults.push("a policy has one line quorum <name>|none".to_owned());
        }
        if faults.is_empty() { Ok(policy) } else { Err(unreadable(faults.join("\n"))) }
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
mod tests {
    use super::super::sample::{ORIGIN, at, checkpoint, key, log_key, witness_key};
    use super::*;
    use crate::audit::key::SigningKey;
    use proptest::prelude::*;

    /// The log, the witnesses w1 to w5, and these lines.
    fn text(lines: &str) -> String {
        let witnesses = (1..6).map(|n| format!("witness w{n} {}\n", witness_key(n).verifier()));
        format!("log {}\n{}{lines}", log_key().verifier(), witnesses.collect::<String>())
    }

    fn policy(lines: &str) -> Policy {
        text(lines).parse().unwrap()
    }

    /// The checkpoint of the log, cosigned by these witnesses.
    fn cosigned(witnesses: &[u8]) -> Note {
        let mut note = checkpoint(7).sign(&[&log_key()], at());
        witnesses.iter().for_each(|number| note.sign(&witness_key(*number), at()));
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
    fn comments_tabs_and_empty_lines_mean_nothing() {
        let policy = policy("\n \t\n  # quorum w1\n#\n\tgroup \t g  any w1\t\n quorum g\n\n");
        assert!(is_believed(&policy, &[1]));
        assert!(!is_believed(&policy, &[]));
    }

    #[test]
    fn urls_are_kept_for_who_calls_the_witnesses() {
        let witness = witness_key(9);
        let line = format!("witness nine {} https://w.example\nquorum none", witness.verifier());
        let policy: Policy = line.parse().unwrap();
        assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example"));
        assert_eq!(policy.witnesses()[0].name, "nine");
    }

    #[test]
    fn each_fault_is_told_with_its_line() {
        let (log, witness) =
            (log_key().verifier().to_string(), witness_key(9).verifier().to_string());
        for (line, fault) in [
            ("quorum w9".to_owned(), "line 7: \"w9\" is not defined above"),
            ("quorum none\nquorum none".to_owned(), "line 8: a second quorum"),
            ("quorum".to_owned(), "line 7: expected: quorum <name>|none"),
            ("quorum none\r".to_owned(), "line 7: no control characters but tabs"),
            (String::new(), "a policy has one line quorum <name>|none"),
            ("logs x".to_owned(), "line 7: \"logs\" is none of log, witness, group, quorum"),
            ("log x".to_owned(), "line 7: a key has the form name+id+base64"),
            (format!("log {log}"), "line 7: the same public key as another log"),
            (format!("log {witness}"), "line 7: this is the key of a witness"),
            (format!("witness w9 {log}"), "line 7: this is the key of a log"),
            (format!("witness w1 {witness}"), "line 7: \"w1\" is defined already"),
            (format!("witness none {witness}"), "line 7: \"none\" is defined already"),
            ("group g any".to_owned(), "line 7: expected: group <name> all|any|<number> <member>…"),
            ("group g 0 w1".to_owned(), "line 7: \"0\" is none of all, any, 1 to 1"),
            ("group g 2 w1".to_owned(), "line 7: \"2\" is none of all, any, 1 to 1"),
            ("group g +1 w1".to_owned(), "line 7: \"+1\" is none of all, any, 1 to 1"),
            ("group g any none".to_owned(), "line 7: \"none\" is not defined above"),
            ("group g any g".to_owned(), "line 7: \"g\" is not defined above"),
            ("group g any w1 w1".to_owned(), "line 7: \"w1\" is a member already"),
            ("group g any w1\ngroup h any w1".to_owned(), "line 8: \"w1\" is a member already"),
        ] {
            assert_eq!(text(&line).parse::<Policy>().unwrap_err().to_string(), fault, "{line}");
        }
        let same = format!("witness w9 {witness}\nwitness w10 {witness}\nnonsense");
        let fault = text(&same).parse::<Policy>().unwrap_err().to_string();
        assert_eq!(fault.lines().count(), 2, "{fault}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_is_refused(
            any: String,
            near in "((log|witness|group|quorum|none|w1|w2|g|any|all|1|#)[ \t\n]){0,20}",
        ) {
            let _ = any.parse::<Policy>();
            let _ = text(&near).parse::<Policy>();
        }

        /// Who adds a cosignature never loses belief.
        #[test]
        fn more_witnesses_never_harm(threshold in 1_usize..=5, seen: [bool; 5]) {
            let policy = policy(&format!("group g {threshold} w1 w2 w3 w4 w5\nquorum g\n"));
            let witnesses: Vec<u8> = (1..6).zip(seen).filter(|(_, seen)| *seen).map(|(n, _)| n).collect();
            prop_assert_eq!(is_believed(&policy, &witnesses), witnesses.len() >= threshold);
        }
    }
}
