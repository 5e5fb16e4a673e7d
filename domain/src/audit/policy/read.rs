//! Reads the text of a policy, line by line.

use super::{Group, NONE, Policy, Witness};
use crate::audit::key::{Algorithm, VerifierKey};
use crate::audit::{Fault, decimal, unreadable};
use std::str::FromStr;

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

impl Policy {
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
            number => decimal(number)
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

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;
    use crate::audit::sample::{log_key, witness_key};
    use proptest::prelude::*;

    #[test]
    fn comments_tabs_and_empty_lines_mean_nothing() {
        let read = text("\n \t\n  # quorum w1\n#\n\tgroup \t g  any w1\t\n quorum g\n\n");
        let policy: Policy = read.parse().unwrap();
        assert_eq!((policy.groups.len(), policy.quorum.as_str()), (1, "g"));
        assert_eq!(policy.groups[0].members, ["w1"]);
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
    }
}
