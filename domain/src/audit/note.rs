//! A text with signatures under it: C2SP signed-note.

use super::key::{SigningKey, VerifierKey, is_name};
use super::{Fault, base64, from_base64, not_proved, unreadable};
use chrono::{DateTime, Utc};
use std::fmt;
use std::str::FromStr;

/// More signatures than anybody needs; C2SP asks for 16 at least.
const MAX_SIGNATURES: usize = 64;

/// A text that ends with a line feed, and lines that sign it. Until a key has verified it, the text
/// means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One line under a note: who signed, with which key. Not verified by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// Signs a text with every key, in this order; see [`Self::sign`].
    pub(super) fn signed(text: String, keys: &[&SigningKey], at: DateTime<Utc>) -> Self {
        let mut note = Self { text, signatures: Vec::new() };
        for key in keys {
            note.sign(key, at);
        }
        note
    }

    /// Adds a signature. A witness's tells that it saw the text at this time, a log's has no time.
    pub fn sign(&mut self, key: &SigningKey, at: DateTime<Utc>) {
        self.signatures.push(Signature {
            name: key.verifier().name().to_owned(),
            id: key.verifier().id(),
            bytes: key.sign(&self.text, at),
        });
    }

    /// The text that is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who signed, as the lines say it: none of them is verified.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The signature of a key. One that is wrong is an error, however many there are: a note that
    /// somebody has meddled with is worth nothing. Lines of other keys are not looked at.
    pub fn signature_of(&self, key: &VerifierKey) -> Result<Option<&Signature>, Fault> {
        let mut its = self.signatures.iter().filter(|line| line.claims(key)).peekable();
        let first = its.peek().copied();
        if its.all(|line| key.verifies(&self.text, &line.bytes)) {
            Ok(first)
        } else {
            Err(not_proved(format!("the signature of {} is wrong", key.name())))
        }
    }

    /// Takes the cosignature of a witness out of its answer to `add-checkpoint` (C2SP
    /// tlog-witness); it must be there and right. Lines of other keys are dropped.
    pub fn add_cosignature(&mut self, answer: &str, key: &VerifierKey) -> Result<(), Fault> {
        let answered = Self { text: self.text.clone(), signatures: signatures(answer)? };
        let none = || not_proved(format!("no signature of {} in its answer", key.name()));
        let line = answered.signature_of(key)?.ok_or_else(none)?;
        self.signatures.retain(|line| !line.claims(key));
        self.signatures.push(line.clone());
        Ok(())
    }
}

impl Signature {
    /// The name of who signed; a log's is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key, as it stands in its `vkey`: 8 hexadecimal digits.
    pub fn key_id(&self) -> String {
        hex::encode(self.id)
    }

    fn claims(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// When a witness signed; only a cosignature tells it.
    pub fn cosigned_at(&self) -> Option<DateTime<Utc>> {
        let (seconds, _) = self.bytes.split_first_chunk()?;
        DateTime::from_timestamp(i64::from_be_bytes(*seconds), 0)
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        let signature = from_base64(signature)?;
        let (id, bytes) = signature.split_first_chunk()?;
        (is_name(name) && !bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

/// Signature lines, at least one, each with its line feed.
fn signatures(lines: &str) -> Result<Vec<Signature>, Fault> {
    let lines = lines.strip_suffix('\n').ok_or_else(|| unreadable("the note is not signed"))?;
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(unreadable(format!("a note has at most {MAX_SIGNATURES} signatures")));
    }
    let form = || unreadable("a signature line has the form — name base64");
    lines.split('\n').map(|line| Signature::parse(line).ok_or_else(form)).collect()
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, base64(&[&self.id, self.bytes.as_slice()].concat()))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Note {
    type Err = Fault;

    fn from_str(note: &str) -> Result<Self, Fault> {
        if note.contains(|c: char| c < ' ' && c != '\n') {
            return Err(unreadable("a note has no control characters but line feeds"));
        }
        let blank = note.rfind("\n\n").ok_or_else(|| unreadable("the note is not signed"))?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        Ok(Self { text: text.to_owned(), signatures: signatures(lines)? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{at, key, log_key, witness_key};
    use super::*;
    use crate::audit::key::Algorithm;
    use proptest::prelude::*;

    /// From the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const GO: (&str, &str) = (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "If you think cryptography is the answer to your problem,\n\
         then you don't know what your problem is.\n\n\
         — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
    );
    /// From C2SP signed-note.
    const C2SP: (&str, &str) = (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "This is an example message.\n\n\
         — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
    );

    fn note() -> Note {
        Note::signed("one\n\ntwo\n".to_owned(), &[&log_key(), &witness_key(1)], at())
    }

    #[test]
    fn the_notes_of_the_specifications_verify() {
        for (key, text) in [GO, C2SP] {
            let note: Note = text.parse().unwrap();
            assert!(note.signature_of(&key.parse().unwrap()).unwrap().is_some());
            assert_eq!(note.to_string(), text);
            let changed: Note = text.replacen("is", "was", 1).parse().unwrap();
            assert!(changed.signature_of(&key.parse().unwrap()).is_err());
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_signed() {
        let read: Note = note().to_string().parse().unwrap();
        assert_eq!(read, note());
        assert_eq!(read.text(), "one\n\ntwo\n");
        assert!(read.signature_of(log_key().verifier()).unwrap().is_some());
        let witness = witness_key(1);
        let cosignature = read.signature_of(witness.verifier()).unwrap().unwrap();
        assert_eq!(cosignature.cosigned_at(), Some(at()));
        let signed: Vec<String> =
            read.signatures().iter().map(|it| format!("{}+{}+", it.name(), it.key_id())).collect();
        for (key, signed) in [log_key(), witness].iter().zip(signed) {
            assert!(key.verifier().to_string().starts_with(&signed), "{signed}");
        }
    }

    #[test]
    fn unknown_keys_are_not_looked_at() {
        assert_eq!(note().signature_of(witness_key(2).verifier()), Ok(None));
        let namesake = key(log_key().verifier().name(), Algorithm::Ed25519, 9);
        assert_eq!(note().signature_of(namesake.verifier()), Ok(None));
    }

    #[test]
    fn a_wrong_signature_of_a_known_key_spoils_the_note_even_beside_a_right_one() {
        let (right, wrong) = (note(), Note::signed("other\n".to_owned(), &[&log_key()], at()));
        for signatures in [
            [right.signatures[0].clone(), wrong.signatures[0].clone()],
            [wrong.signatures[0].clone(), right.signatures[0].clone()],
        ] {
            let mixed = Note { text: right.text.clone(), signatures: signatures.to_vec() };
            assert!(mixed.signature_of(log_key().verifier()).is_err());
        }
    }

    #[test]
    fn no_flipped_bit_of_a_note_goes_unnoticed() {
        let (bytes, log) = (note().to_string().into_bytes(), log_key());
        let signed_by_log = bytes.len() - note().signatures[1].to_string().len() - 1;
        for bit in 0..signed_by_log * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = String::from_utf8(flipped).ok().and_then(|text| text.parse::<Note>().ok());
            let verified = read.is_some_and(|read| {
                read.signature_of(log.verifier()).is_ok_and(|line| line.is_some())
            });
            assert!(!verified, "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let whole = note().to_string();
        let line = note().signatures[0].to_string();
        for text in [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            "text\n\n\n".to_owned(),
            format!("\n{line}\n"),
            format!("text\n{line}\n"),
            whole.trim_end().to_owned(),
            whole.replace("— ", "- "),
            whole.replace("— ", "—"),
            whole.replace('\n', "\r\n"),
            format!("{whole}\n"),
            format!("{whole}{}", format!("{line}\n").repeat(64)),
            "text\n\n— name AAAAAA==\n".to_owned(), // an id and nothing
            "text\n\n— name AAAAAB==\n".to_owned(),
            "text\n\n— na+me AAAAAAA=\n".to_owned(),
            "text\n\n—  AAAAAAA=\n".to_owned(),
        ] {
            assert!(text.parse::<Note>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_witness_answers_with_its_line() {
        let (log, witness) = (log_key(), witness_key(1));
        let sealed = Note::signed("text\n".to_owned(), &[&log], at());
        let answer = |keys: &[&SigningKey]| {
            let note = Note::signed("text\n".to_owned(), keys, at()).to_string();
            note.trim_start_matches("text\n\n").to_owned()
        };
        let mut cosigned = sealed.clone();
        for _ in 0..2 {
            let answer = answer(&[&witness_key(2), &witness]);
            cosigned.add_cosignature(&answer, witness.verifier()).unwrap();
            assert_eq!(cosigned, Note::signed("text\n".to_owned(), &[&log, &witness], at()));
        }
        let other_text = Note::signed("other\n".to_owned(), &[&witness], at()).signatures;
        for wrong in [String::new(), answer(&[&log]), format!("{}\n", other_text[0])] {
            let mut note = sealed.clone();
            assert!(note.add_cosignature(&wrong, witness.verifier()).is_err(), "{wrong}");
            assert_eq!(note, sealed);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_note_or_none(
            text: String,
            near in "(a|\n){0,4}\n\n(— [a-z+ ]{1,2} [A-D]{6,8}={0,2}\n){0,3}",
        ) {
            for text in [text, near] {
                if let Ok(note) = text.parse::<Note>() {
                    prop_assert_eq!(note.to_string(), text);
                }
            }
        }

        #[test]
        fn any_signed_text_is_read_back(text in "[^\\p{Cc}]{0,9}(\n[^\\p{Cc}]{0,9}){0,3}\n") {
            let note = Note::signed(text, &[&log_key()], at());
            prop_assert_eq!(note.to_string().parse::<Note>(), Ok(note));
        }
    }
}
