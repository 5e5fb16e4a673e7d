//! Keys that sign checkpoints, in the text forms of C2SP signed-note (`vkey`) and of Go's
//! `golang.org/x/mod/sumdb/note` (private).

use super::{Fault, base64, from_base64, unreadable};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

const PRIVATE: &str = "PRIVATE+KEY+";

/// What a key signs and how; the number is its type in C2SP signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// A log's key: Ed25519 over the text of the note.
    Ed25519 = 1,
    /// A witness's key: Ed25519 over a time and the text, C2SP tlog-cosignature.
    CosignatureV1 = 4,
}

/// A public key with the name of who signs with it. Prints as its `vkey`:
/// `<name>+<id>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    algorithm: Algorithm,
    public: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, algorithm: Algorithm, public: [u8; 32]) -> Self {
        let mut hashed = format!("{name}\n").into_bytes();
        hashed.push(algorithm as u8);
        hashed.extend(public);
        let mut id = [0; 4];
        id.copy_from_slice(&digest(&SHA256, &hashed).as_ref()[..4]);
        Self { name: name.to_owned(), id, algorithm, public }
    }

    /// Who signs; for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The same key, whatever its name.
    pub(super) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let verified = |message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
        };
        match (self.algorithm, signature.split_first_chunk()) {
            (Algorithm::Ed25519, _) => verified(text.as_bytes(), signature),
            (Algorithm::CosignatureV1, Some((seconds, signature))) => {
                let seconds = u64::from_be_bytes(*seconds);
                i64::try_from(seconds).is_ok() && verified(&cosigned(text, seconds), signature)
            }
            (Algorithm::CosignatureV1, None) => false,
        }
    }
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.algorithm as u8], self.public.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), base64(&key))
    }
}

impl From<VerifierKey> for String {
    fn from(key: VerifierKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for VerifierKey {
    type Error = Fault;

    fn try_from(text: String) -> Result<Self, Fault> {
        text.parse()
    }
}

impl FromStr for VerifierKey {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let (name, algorithm, public) = parts(text)?;
        let key = Self::new(name, algorithm, public);
        if key.to_string() == text { Ok(key) } else { Err(unreadable(WRONG_ID)) }
    }
}

const WRONG_ID: &str = "the id of a key, 8 hexadecimal digits, does not fit its name and key";

/// Name, algorithm and the 32 bytes of a key; the id between name and bytes is not looked at.
fn parts(text: &str) -> Result<(&str, Algorithm, [u8; 32]), Fault> {
    let form = || unreadable("a key has the form name+id+base64");
    let (name, rest) = text.split_once('+').ok_or_else(form)?;
    let (_, key) = rest.split_once('+').ok_or_else(form)?;
    let key = from_base64(key).ok_or_else(form)?;
    let (kind, key) = key.split_first().ok_or_else(form)?;
    let algorithm = match kind {
        1 => Algorithm::Ed25519,
        4 => Algorithm::CosignatureV1,
        other => {
            let fault = format!("keys of the type 0x{other:02x} are not supported: {TYPES}");
            return Err(unreadable(fault));
        }
    };
    if !is_name(name) {
        return Err(unreadable(NAME));
    }
    Ok((name, algorithm, key.try_into().map_err(|_| unreadable("an Ed25519 key has 32 bytes"))?))
}

const TYPES: &str = "a log signs with Ed25519 (0x01), a witness with cosignature/v1 (0x04)";
const NAME: &str = "the name of a key is not empty and has neither spaces nor plus signs";

/// Whether it can stand in a signature line.
pub(super) fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    !name.is_empty() && !name.contains(forbidden)
}

/// A key pair. It shows nothing of its secret in logs.
#[derive(Debug)]
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// The text of a new key, whose 32 bytes the caller drew from the operating system:
    /// `PRIVATE+KEY+<name>+<id>+<base64 of type and seed>`.
    pub fn text(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<SecretString, Fault> {
        let key = Self::new(name, algorithm, seed)?;
        let secret = Zeroizing::new([&[algorithm as u8], seed.as_slice()].concat());
        let secret = Zeroizing::new(base64(&secret));
        let id = hex::encode(key.verifier.id);
        Ok(format!("{PRIVATE}{name}+{id}+{}", *secret).into())
    }

    /// The key with this text. The error does not repeat it.
    pub fn from_text(text: &SecretString) -> Result<Self, Fault> {
        let text = text.expose_secret();
        let form = || unreadable("a private key has the form PRIVATE+KEY+name+id+base64");
        let (name, algorithm, seed) = parts(text.strip_prefix(PRIVATE).ok_or_else(form)?)?;
        let seed = Zeroizing::new(seed);
        let same = Self::text(name, algorithm, &seed)?.expose_secret() == text;
        if same { Self::new(name, algorithm, &seed) } else { Err(unreadable(WRONG_ID)) }
    }

    fn new(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, Fault> {
        if !is_name(name) {
            return Err(unreadable(NAME));
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        let pair = pair.map_err(|_| unreadable("the bytes make no Ed25519 key"))?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { verifier: VerifierKey::new(name, algorithm, public), pair })
    }

    /// What others verify its signatures with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature over the text of a note; a witness's tells the time in seconds.
    pub(super) fn sign(&self, text: &str, at: DateTime<Utc>) -> Vec<u8> {
        match self.verifier.algorithm {
            Algorithm::Ed25519 => self.pair.sign(text.as_bytes()).as_ref().to_vec(),
            Algorithm::CosignatureV1 => {
                let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
                let signature = self.pair.sign(&cosigned(text, seconds));
                [&seconds.to_be_bytes(), signature.as_ref()].concat()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{log_key, witness_key};
    use super::*;
    use proptest::prelude::*;

    /// From the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const PRIVATE_KEY: &str =
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const PUBLIC_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn the_keys_of_gos_documentation_are_read_and_printed() {
        let key = SigningKey::from_text(&PRIVATE_KEY.into()).unwrap();
        assert_eq!(key.verifier().to_string(), PUBLIC_KEY);
        let go_checksums = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        for text in [PUBLIC_KEY, go_checksums] {
            assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_key_that_does_not_fit_its_id_or_name_is_refused() {
        let witness = witness_key(1).verifier().to_string();
        assert!(witness.parse::<VerifierKey>().is_ok());
        for text in [
            String::new(),
            "PeterNeumann".to_owned(),
            PUBLIC_KEY.replace("Neumann", "Newmann"),
            PUBLIC_KEY.replace("c74f20a3", "C74F20A3"),
            PUBLIC_KEY.replace("c74f20a3", "c74f20a4"),
            PUBLIC_KEY.replace("+ARpc", "+BRpc"), // type 0x05
            PUBLIC_KEY.replace("PeterNeumann", ""),
            PUBLIC_KEY.replace("PeterNeumann", "Peter Neumann"),
            format!("{PUBLIC_KEY}="),
            PUBLIC_KEY[..PUBLIC_KEY.len() - 4].to_owned(),
            PRIVATE_KEY.to_owned(),
        ] {
            assert!(text.parse::<VerifierKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_private_key_does_not_show_itself() {
        let text = SecretString::from(PRIVATE_KEY.replace("c74f20a3", "c74f20a4"));
        let fault = SigningKey::from_text(&text).unwrap_err();
        let key = SigningKey::from_text(&PRIVATE_KEY.into()).unwrap();
        for shown in [format!("{fault:?}"), format!("{key:?}")] {
            assert!(!shown.contains("AYEKFALV"), "{shown}");
        }
    }

    #[test]
    fn no_name_breaks_the_line_that_it_stands_in() {
        for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{2003}b", "\t"] {
            assert!(SigningKey::text(name, Algorithm::Ed25519, &[0; 32]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_flipped_bit_of_text_or_signature_is_noticed() {
        let time = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        for key in [log_key(), witness_key(1)] {
            let (text, signature) = ("some text\n", key.sign("some text\n", time));
            assert!(key.verifier().verifies(text, &signature));
            assert!(!key.verifier().verifies("some text", &signature));
            assert!(!key.verifier().verifies("some tex4\n", &signature));
            for bit in 0..signature.len() * 8 {
                let mut flipped = signature.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.verifier().verifies(text, &flipped), "bit {bit}");
            }
            for end in 0..signature.len() {
                assert!(!key.verifier().verifies(text, &signature[..end]), "{end} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_none(
            text: String,
            near in "[a-zé]{0,3}\\+[0-9a-f]{8}\\+[A-E]{44}",
        ) {
            for text in [text, near] {
                if let Ok(key) = text.parse::<VerifierKey>() {
                    prop_assert_eq!(key.to_string(), text.clone());
                }
                prop_assert!(SigningKey::from_text(&text.into()).is_err());
            }
        }
    }
}
