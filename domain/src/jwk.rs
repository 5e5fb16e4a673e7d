//! Public keys that clients sign with, as JSON Web Keys (RFC 7517): reading and judging.
//!
//! Pure. A key that passes has one form, which is all that is ever kept: the members of the public
//! key, `alg`, `use` and `kid`. Unknown members are dropped. A private key is refused whatever
//! else is wrong, and no finding repeats a value.

use crate::Finding;
use crate::certificate::key_fault;
use crate::text::Checks;
use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use x509_cert::der::asn1::{AnyRef, BitStringRef, UintRef};
use x509_cert::der::{self, Encode, Tag};

/// The longest text that is looked at, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;
/// The longest `kid`, in characters.
pub const MAX_KID: usize = 256;

/// Members that only a private or a shared secret key has (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// What may be kept beside the key's own members.
const KEPT: [&str; 3] = ["alg", "kid", "use"];

/// A public key for signatures that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// The public members in their one form, and always a `kid`.
    pub members: BTreeMap<String, String>,
    /// The key's name in the world: SHA-256 of its required members (RFC 7638), base64url.
    pub thumbprint: String,
    encoded: Vec<u8>,
}

impl Jwk {
    /// Reads one key: the text of a JSON object of at most [`MAX_TEXT`] bytes.
    ///
    /// # Errors
    /// Everything that is wrong with it; only that it is private where it is.
    pub fn read(text: &str, field: &str) -> Result<Self, Vec<Finding>> {
        let members = members(text, field).map_err(|finding| vec![finding])?;
        let mut reading = Reading { members, field, checks: Checks::default() };
        let key = reading.key();
        reading.purpose(key.as_ref());
        let Reading { members, checks, .. } = reading;
        checks.done()?;
        let damaged = || vec![Finding::new("KEY_MALFORMED", field, "The key is damaged.")];
        key.and_then(|key| Self::of(&members, key)).ok_or_else(damaged)
    }

    fn of(members: &BTreeMap<String, Value>, key: Key) -> Option<Self> {
        let keep =
            |name: &&str| Some(((*name).to_owned(), members.get(*name)?.as_str()?.to_owned()));
        let required: BTreeMap<String, String> = key.required.iter().filter_map(keep).collect();
        // RFC 7638, 3: names in order, no blanks; the values need no escapes.
        let thumbprint = digest(&SHA256, serde_json::to_string(&required).ok()?.as_bytes());
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(thumbprint);
        let kid = [("kid".to_owned(), thumbprint.clone())];
        let members = kid.into_iter().chain(required).chain(KEPT.iter().filter_map(keep));
        Some(Self { members: members.collect(), thumbprint, encoded: key.encoded? })
    }

    /// The name that its owner gave it, else the thumbprint.
    pub fn kid(&self) -> &str {
        self.members.get("kid").map_or(&self.thumbprint, String::as_str)
    }

    /// The key in bytes: its `SubjectPublicKeyInfo`; of an Ed25519 key the 32 bytes alone.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

/// The members of one JSON object that holds nothing private.
fn members(text: &str, field: &str) -> Result<BTreeMap<String, Value>, Finding> {
    let wrong = |code, message: &str| Err(Finding::new(code, field, message));
    if text.len() > MAX_TEXT {
        return wrong("JWK_TOO_LARGE", "This is longer than 16 KiB. Send one public key.");
    }
    let private = "This is a private key. It counts as leaked, since it was sent: make a new key \
        pair and send only the public key. We have not stored what you sent.";
    let Ok(Object { members, repeated }) = serde_json::from_str(text) else {
        return if text.contains("PRIVATE KEY-----") {
            wrong("PRIVATE_KEY_SENT", private)
        } else {
            wrong("JWK_MALFORMED", "This is not the JSON object of a public key (RFC 7517).")
        };
    };
    let set = members.get("keys").and_then(Value::as_array);
    let in_set = set.into_iter().flatten().filter_map(Value::as_object);
    if is_private(|name| members.contains_key(name))
        || in_set.into_iter().any(|key| is_private(|name| key.contains_key(name)))
    {
        return wrong("PRIVATE_KEY_SENT", private);
    }
    if set.is_some() {
        return wrong("JWK_SET_SENT", "This is a set of keys. Send one key alone.");
    }
    if repeated {
        return wrong("JWK_MEMBER_REPEATED", "A member stands in this key twice.");
    }
    Ok(members)
}

fn is_private(has: impl Fn(&str) -> bool) -> bool {
    PRIVATE.iter().any(|name| has(name))
}

/// A JSON object, and whether a name stands in it twice, which most readers pass over.
struct Object {
    members: BTreeMap<String, Value>,
    repeated: bool,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object { members: BTreeMap::new(), repeated: false };
                while let Some((name, value)) = map.next_entry()? {
                    object.repeated |= object.members.insert(name, value).is_some();
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A key on its way from members to bytes.
struct Key {
    /// The members that make the key, in the order of RFC 7638.
    required: &'static [&'static str],
    /// The algorithms that it can sign with.
    algorithms: &'static [&'static str],
    /// Nothing when it is not sound, which has been told then.
    encoded: Option<Vec<u8>>,
}

/// An elliptic curve: its algorithm identifier, the bytes of a coordinate, its algorithm.
type Curve = (AlgorithmIdentifier, usize, &'static [&'static str]);

fn curve(name: &str) -> Option<Curve> {
    match name {
        "P-256" => Some((alg_id::ECDSA_P256, 32, &["ES256"])),
        "P-384" => Some((alg_id::ECDSA_P384, 48, &["ES384"])),
        "P-521" => Some((alg_id::ECDSA_P521, 66, &["ES512"])),
        _ => None,
    }
}

struct Reading<'a> {
    members: BTreeMap<String, Value>,
    field: &'a str,
    checks: Checks,
}

impl Reading<'_> {
    fn wrong(&mut self, code: &'static str, name: &str, message: &str) {
        self.checks.add(Finding::new(code, format!("{}.{name}", self.field), message));
    }

    /// A member that is text, if it is there.
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.members.get(name)?;
        let text = value.as_str().map(ToOwned::to_owned);
        text.or_else(|| {
            self.wrong("JWK_MEMBER_TYPE", name, "The value must be a text.");
            None
        })
    }

    fn required(&mut self, name: &str) -> Option<String> {
        if !self.members.contains_key(name) {
            self.wrong("JWK_MEMBER_MISSING", name, "This member is required.");
        }
        self.text(name)
    }

    /// RFC 7515, 2: base64url without padding, blanks or loose bits.
    fn bytes(&mut self, name: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(self.required(name)?).ok();
        let message = "The value must be base64url without padding or line breaks.";
        bytes.or_else(|| {
            self.wrong("JWK_BASE64URL", name, message);
            None
        })
    }

    /// RFC 7518, 6.3.1: no more bytes than the number needs.
    fn number(&mut self, name: &str) -> Option<Vec<u8>> {
        let bytes = self.bytes(name)?;
        if bytes.first().is_none_or(|first| *first == 0) {
            self.wrong(
                "JWK_NUMBER",
                name,
                "The number must not be empty or begin with a zero byte.",
            );
            return None;
        }
        Some(bytes)
    }

    fn coordinate(&mut self, name: &str, length: usize) -> Option<Vec<u8>> {
        let bytes = self.bytes(name)?;
        if bytes.len() != length {
            let message = format!("On this curve the value has {length} bytes.");
            self.wrong("JWK_COORDINATE", name, &message);
            return None;
        }
        Some(bytes)
    }

    /// The key itself, when it is of a known kind.
    fn key(&mut self) -> Option<Key> {
        match self.required("kty")?.as_str() {
            "RSA" => Some(self.rsa()),
            "EC" => self.elliptic(),
            "OKP" => self.edwards(),
            _ => {
                self.wrong("KEY_TYPE", "kty", "Send a public key of type RSA, EC or OKP.");
                None
            }
        }
    }

    fn rsa(&mut self) -> Key {
        let numbers = self.number("n").zip(self.number("e"));
        let bits = numbers.and_then(|(n, e)| rsa_bits(&n, &e).ok());
        let encoded = bits.and_then(|bits| self.sound(alg_id::RSA_ENCRYPTION, &bits));
        let algorithms = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        Key { required: &["e", "kty", "n"], algorithms, encoded }
    }

    fn elliptic(&mut self) -> Option<Key> {
        let Some((algorithm, length, algorithms)) = curve(&self.required("crv")?) else {
            self.wrong("KEY_CURVE", "crv", "Use a key on P-256, P-384 or P-521.");
            return None;
        };
        let point = self.coordinate("x", length).zip(self.coordinate("y", length));
        let encoded = point.and_then(|(x, y)| self.sound(algorithm, &[vec![4], x, y].concat()));
        Some(Key { required: &["crv", "kty", "x", "y"], algorithms, encoded })
    }

    fn edwards(&mut self) -> Option<Key> {
        if self.required("crv")? != "Ed25519" {
            self.wrong("KEY_CURVE", "crv", "Of this type only keys on Ed25519 are accepted.");
            return None;
        }
        let point = self.coordinate("x", 32);
        let encoded = point.filter(|point| self.sound(alg_id::ED25519, point).is_some());
        let algorithms = &["EdDSA", "Ed25519"]; // RFC 8037, and RFC 9864
        Some(Key { required: &["crv", "kty", "x"], algorithms, encoded })
    }

    /// The `SubjectPublicKeyInfo`, when the key is as strong as that of a certificate has to be.
    fn sound(&mut self, algorithm: AlgorithmIdentifier, bits: &[u8]) -> Option<Vec<u8>> {
        let spki = spki(&algorithm, bits).ok()?;
        let Some((code, message)) = key_fault(&spki) else { return Some(spki) };
        self.checks.add(Finding::new(code, self.field, message));
        None
    }

    /// What the key says it is for and is called.
    fn purpose(&mut self, key: Option<&Key>) {
        if self.text("use").is_some_and(|it| it != "sig") {
            self.wrong(
                "JWK_USE",
                "use",
                "A client signs with its key: leave `use` out, or say sig.",
            );
        }
        if self.members.get("key_ops").is_some_and(|it| !only_verifies(it)) {
            let message = "With a public key one can only verify: leave `key_ops` out.";
            self.wrong("JWK_KEY_OPS", "key_ops", message);
        }
        let algorithm = self.text("alg");
        if let (Some(algorithm), Some(Key { algorithms, .. })) = (algorithm, key)
            && !algorithms.contains(&algorithm.as_str())
        {
            let message = format!("With this key, `alg` can be {}.", algorithms.join(", "));
            self.wrong("JWK_ALG", "alg", &message);
        }
        if let Some(kid) = self.text("kid") {
            self.checks.line(&format!("{}.kid", self.field), &kid, MAX_KID);
        }
    }
}

fn only_verifies(operations: &Value) -> bool {
    operations.as_array().is_some_and(|all| all.iter().all(|it| it == "verify"))
}

/// RFC 8017, A.1.1
fn rsa_bits(n: &[u8], e: &[u8]) -> der::Result<Vec<u8>> {
    sequence(&[UintRef::new(n)?.to_der()?, UintRef::new(e)?.to_der()?].concat())
}

/// RFC 5280, 4.1
fn spki(algorithm: &[u8], bits: &[u8]) -> der::Result<Vec<u8>> {
    sequence(&[sequence(algorithm)?, BitStringRef::from_bytes(bits)?.to_der()?].concat())
}

fn sequence(inside: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, inside)?.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "XgpeW3gij3dtaC-sJfkrvGDC22zqNbwb7O9HoSNcg8c";

    fn read(jwk: &Value) -> Result<Jwk, Vec<Finding>> {
        Jwk::read(&jwk.to_string(), "publicKey")
    }

    fn codes(jwk: &Value) -> Vec<(String, &'static str)> {
        read(jwk).unwrap_err().into_iter().map(|it| (it.field, it.code)).collect()
    }

    #[test]
    fn only_public_members_are_kept_and_the_name_of_the_key_is_its_thumbprint() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "key_ops": ["verify"],
                         "x5u": "https://evil.example", "note": "hello", "use": "sig"});
        let read = read(&jwk).unwrap();
        // RFC 7638 by hand: base64url(sha256({"crv":"Ed25519","kty":"OKP","x":"…"}))
        let thumbprint = "wgCYczRjkTIOtwCvHtUyML1VYKCV37lrYKIxwwixMJY";
        let kept = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "use": "sig", "kid": thumbprint});
        assert_eq!(serde_json::to_value(&read.members).unwrap(), kept);
        assert_eq!((read.kid(), read.thumbprint.as_str()), (thumbprint, thumbprint));
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
                 oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65\
                 YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyr\
                 dkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK\
                 nqDKgw";
        let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let read = read(&jwk).unwrap();
        assert_eq!(read.thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(read.kid(), "2011-04-29");
    }

    #[test]
    fn all_that_is_wrong_with_a_key_is_told_at_once() {
        let jwk = json!({"kty": "RSA", "n": "AQ==", "use": "enc", "alg": "none",
                         "key_ops": "verify", "kid": ""});
        let expected = [
            ("publicKey.n", "JWK_BASE64URL"),
            ("publicKey.e", "JWK_MEMBER_MISSING"),
            ("publicKey.use", "JWK_USE"),
            ("publicKey.key_ops", "JWK_KEY_OPS"),
            ("publicKey.alg", "JWK_ALG"),
            ("publicKey.kid", "EMPTY"),
        ];
        assert_eq!(codes(&jwk), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn a_private_key_is_nothing_else_whatever_is_wrong_with_it_and_is_never_repeated() {
        let secret = "c2VjcmV0";
        for jwk in [
            json!({"kty": "OKP", "crv": "Ed25519", "x": X, "d": secret}),
            json!({"kty": "oct", "k": secret}),
            json!({"kty": 7, "qi": null, "p": secret}),
            json!({"keys": [{"kty": "OKP", "x": X, "d": secret}]}),
        ] {
            let findings = read(&jwk).unwrap_err();
            assert!(!format!("{findings:?}").contains(secret));
            assert_eq!(codes(&jwk), [("publicKey".to_owned(), "PRIVATE_KEY_SENT")], "{jwk}");
        }
        // A name may be written with escapes; and some send PEM.
        let hidden = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","\u0064":"{secret}"}}"#);
        let pem = format!("-----BEGIN EC PRIVATE KEY-----\n{secret}");
        for text in [hidden, pem] {
            assert_eq!(Jwk::read(&text, "").unwrap_err()[0].code, "PRIVATE_KEY_SENT");
        }
    }

    #[test]
    fn a_text_beyond_the_limit_is_not_looked_into() {
        let with = |length: usize| {
            let note = "x".repeat(length);
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{X}","note":"{note}"}}"#)
        };
        let room = MAX_TEXT - with(0).len();
        assert!(Jwk::read(&with(room), "").is_ok());
        assert_eq!(Jwk::read(&with(room + 1), "").unwrap_err()[0].code, "JWK_TOO_LARGE");
    }
}
