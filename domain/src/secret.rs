//! Keys that we issue: their form, and how a lost one is recognised.
//!
//! `<prefix>_<environment>_<id>_<secret><check>`: `prefix` tells what the key opens; `id` is 12 characters, public and safe to log;
//! `secret` is 43 characters, 256 bits from the operating system; `check` is the CRC-32 of
//! everything before it in 6 characters, so that a typing error needs no database and a scanner
//! finds leaked keys with `pm[kl]_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}`. No underscore or dash
//! inside the parts: a double click selects one of them, and none occurs in hex or base64.

use secrecy::{ExposeSecret, SecretString};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID: usize = 12;
const SECRET: usize = 43;
const CHECK: usize = 6;

/// A key at the only moment at which anybody sees it whole.
#[derive(Debug)]
pub struct IssuedKey {
    /// Finds the key again; not a secret.
    pub lookup_id: String,
    /// The last four characters, for people who compare.
    pub last_four: String,
    /// The whole key: shown once, then only its keyed hash remains.
    pub text: SecretString,
}

/// Makes a key of random bytes that the caller drew from the operating system.
pub fn issue_key(prefix: &str, environment: Environment, id: u64, secret: &[u8; 32]) -> IssuedKey {
    let lookup_id = base62(&id.to_be_bytes(), ID);
    let environment = environment.word();
    let body = format!("{prefix}_{environment}_{lookup_id}_{}", base62(secret, SECRET));
    let text = format!("{body}{}", check(&body));
    IssuedKey { lookup_id, last_four: text[text.len() - 4..].to_owned(), text: text.into() }
}

/// The public id inside a key with this prefix that is well-formed and free of typing errors.
pub fn lookup_id<'a>(prefix: &str, key: &'a SecretString) -> Option<&'a str> {
    let key = key.expose_secret();
    let (body, check_digits) = key.split_at_checked(key.len().checked_sub(CHECK)?)?;
    let mut parts = body.split('_');
    let (kind, environment) = (parts.next()?, parts.next()?);
    let (id, secret) = (parts.next()?, parts.next()?);
    let form = kind == prefix
        && ["live", "test"].contains(&environment)
        && id.len() == ID
        && secret.len() == SECRET
        && parts.next().is_none();
    (form && check(body) == check_digits).then_some(id)
}

/// Whether a key opens the real system or a test system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// The country's own system.
    Live,
    /// Everything else.
    Test,
}

impl Environment {
    fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

fn check(body: &str) -> String {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECK)
}

/// `number` (big-endian) in base 62, filled with zeros to `width` digits.
fn base62(number: &[u8], width: usize) -> String {
    let mut number = number.to_vec();
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[divide_by_62(&mut number)];
    }
    String::from_utf8_lossy(&digits).into_owned()
}

/// Divides a big-endian number in place and returns the rest.
fn divide_by_62(number: &mut [u8]) -> usize {
    number.iter_mut().fold(0, |rest, byte| {
        let part = rest * 256 + usize::from(*byte);
        *byte = u8::try_from(part / 62).unwrap_or(u8::MAX); // below 256, as rest is below 62
        part % 62
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> IssuedKey {
        issue_key("pmk", Environment::Test, u64::MAX, &[0xff; 32])
    }

    #[test]
    fn a_key_has_the_form_that_scanners_look_for() {
        let text = key().text.expose_secret().to_owned();
        assert_eq!(text.len(), 4 + 5 + 12 + 1 + 43 + 6);
        assert!(text.starts_with("pmk_test_0LygHa16AHYF_"), "{text}");
        assert!(text.ends_with(&key().last_four));
    }

    #[test]
    fn the_public_id_is_found_in_a_whole_key_only() {
        let IssuedKey { lookup_id: id, text, .. } = key();
        assert_eq!(lookup_id("pmk", &text), Some(id.as_str()));
        let text = text.expose_secret();
        let (body, check) = text.split_at(text.len() - 7);
        let mistyped =
            format!("{body}{}{}", if &check[..1] == "0" { "1" } else { "0" }, &check[1..]);
        let cut = &text[..text.len() - 1];
        for broken in [&text[1..], cut, mistyped.as_str(), "", "pmk", "ü"] {
            assert_eq!(lookup_id("pmk", &SecretString::from(broken)), None, "{broken}");
        }
    }

    #[test]
    fn the_key_of_one_door_is_none_of_another() {
        let license = issue_key("pml", Environment::Test, 1, &[0xff; 32]);
        assert!(license.text.expose_secret().starts_with("pml_test_"));
        assert!(lookup_id("pml", &license.text).is_some());
        assert!(lookup_id("pmk", &license.text).is_none());
    }

    #[test]
    fn every_bit_of_the_secret_counts() {
        let other = issue_key("pmk", Environment::Test, u64::MAX, &{
            let mut bytes = [0xff; 32];
            bytes[31] = 0xfe;
            bytes
        });
        assert_ne!(other.text.expose_secret(), key().text.expose_secret());
    }

    #[test]
    fn a_key_does_not_show_itself_in_logs() {
        assert!(!format!("{:?}", key()).contains(key().text.expose_secret()));
    }
}
