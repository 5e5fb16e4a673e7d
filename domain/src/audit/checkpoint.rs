//! The signed head of the tree: C2SP tlog-checkpoint.

use super::key::SigningKey;
use super::note::Note;
use super::tree::Hash;
use super::{Fault, base64, decimal, hash_from_base64, unreadable};
use chrono::{DateTime, Utc};
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// What a log says about itself. Prints as the text of the note that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log, which is also the name of the keys that sign for it.
    pub origin: String,
    /// How many entries the log has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The checkpoint under the signatures of these keys, in their order: while a key is being
    /// replaced there are two.
    pub fn sign(&self, keys: &[&SigningKey], at: DateTime<Utc>) -> Note {
        Note::signed(self.to_string(), keys, at)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64(&self.root))
    }
}

impl FromStr for Checkpoint {
    type Err = Fault;

    /// Lines after the third are a log's own business, and mean nothing here.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let form = || unreadable("a checkpoint has lines for origin, size and base64 root");
        let text = text.strip_suffix('\n').ok_or_else(form)?;
        let lines: Vec<&str> = text.split('\n').collect();
        match lines.as_slice() {
            [origin, size, root, ..] if lines.iter().all(|line| !line.is_empty()) => Ok(Self {
                origin: (*origin).to_owned(),
                size: decimal(size).ok_or_else(form)?,
                root: hash_from_base64(root).ok_or_else(form)?,
            }),
            _ => Err(form()),
        }
    }
}

/// What a witness is asked to cosign: C2SP tlog-witness, `add-checkpoint`. `old` is the size that
/// it cosigned last, and `hashes` prove that the checkpoint continues that; from 0 there is nothing
/// to prove.
pub fn add_checkpoint(old: u64, hashes: &[Hash], checkpoint: &Note) -> String {
    let mut body = format!("old {old}\n");
    for hash in hashes {
        // writing to a String never fails
        let _ = writeln!(body, "{}", base64(hash));
    }
    format!("{body}\n{checkpoint}")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{at, checkpoint, log_key};
    use super::*;
    use proptest::prelude::*;

    /// The example of C2SP tlog-checkpoint.
    const BODY: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_checkpoint_of_the_specification_is_read() {
        let read: Checkpoint = BODY.parse().unwrap();
        assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(read.to_string(), BODY);
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for text in [
            String::new(),
            "\n\n\n".to_owned(),
            BODY.trim_end().to_owned(),
            BODY.replace("20852163", "020852163"),
            BODY.replace("20852163", "+20852163"),
            BODY.replace("20852163", "-1"),
            BODY.replace("20852163", "20852163 "),
            BODY.replace("20852163", "18446744073709551616"),
            BODY.replace("q2I=", "q2J="), // a bit that is not used
            BODY.replace("q2I=", "q2I"),
            BODY.replace("Xajj7h2f", ""),
            BODY.replace("example.com/behind-the-sofa", ""),
            format!("{BODY}\n"),
            format!("{BODY}one\n\ntwo\n"),
        ] {
            assert!(text.parse::<Checkpoint>().is_err(), "{text}");
        }
        assert!(format!("{BODY}its own business\n").parse::<Checkpoint>().is_ok());
    }

    #[test]
    fn a_witness_is_asked_in_the_form_of_the_specification() {
        let note = checkpoint(3).sign(&[&log_key()], at());
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        assert_eq!(
            add_checkpoint(2, &[[0; 32]; 2], &note),
            format!("old 2\n{zeros}\n{zeros}\n\n{note}")
        );
        assert_eq!(add_checkpoint(0, &[], &note), format!("old 0\n\n{note}"));
    }

    proptest! {
        #[test]
        fn any_head_is_read_back(origin in "[^\\p{Cc} +]{1,9}", size: u64, root: [u8; 32]) {
            let head = Checkpoint { origin, size, root };
            prop_assert_eq!(head.to_string().parse(), Ok(head));
        }
    }
}
