//! Whether a token is what it says: one JWT against one key (RFC 7519, RFC 8725).
//!
//! Of the header only `alg`, `kid`, `typ` and `crit` count. Keys and addresses in it (`jwk`, `jku`,
//! `x5u`, `x5c`) are never looked at: who brings a token does not choose what it is verified with.

use super::claims::Claims;
use super::{Refusal, invalid};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chrono::{DateTime, Utc};
use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Clocks of issuer and service may differ by this much, in seconds.
const LEEWAY: f64 = 30.0;
/// The longest token, in bytes. It travels in a header.
const MAX_TOKEN: usize = 16 * 1024;
/// What access tokens call themselves in their header, in small letters: RFC 9068 (2.1) has
/// `at+jwt`, Keycloak `JWT`. ID tokens have the latter, too; logout tokens and the like have their own.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// A token that has been read, and of which nothing is believed.
pub struct Token<'a> {
    text: &'a str,
    header: Header,
    issuer: String,
}

/// What can be verified with a public key.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// A key, and what it may be used with.
    pub fn new(algorithms: Vec<Algorithm>, key: DecodingKey) -> Self {
        Self { algorithms, key }
    }

    /// What it may be used with.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Whether it may be used with an algorithm.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

/// Who has to have issued a token, and for whom.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Has to be equal to `iss`.
    pub issuer: &'a str,
    /// Has to be `aud` or one of it.
    pub audience: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Issued {
            iss: String,
        }
        if text.len() > MAX_TOKEN {
            return Err(invalid("it is too long"));
        }
        let header = decode_header(text).map_err(|_| invalid("its header cannot be read"))?;
        if header.crit.is_some() {
            return Err(invalid("its header demands what is not understood here"));
        }
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        if !TYPES.contains(&typ.as_str()) {
            return Err(invalid("its header says that it is something else"));
        }
        let claims = insecure_decode::<Issued>(text).map(|token| token.claims);
        let claims = claims.map_err(|_| invalid("its claims cannot be read"))?;
        Ok(Self { text, header, issuer: claims.iss })
    }

    /// Who says to have issued it: tells which keys to ask for, and nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key that says to have signed it.
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The algorithm that says to have signed it; the key decides whether that is possible.
    pub fn algorithm(&self) -> Algorithm {
        self.header.alg
    }

    /// The claims, once signature, issuer, audience and times are right at an instant and it is an
    /// access token.
    pub fn verify(
        &self,
        key: &VerifyingKey,
        terms: Terms<'_>,
        now: DateTime<Utc>,
    ) -> Result<Claims, Refusal> {
        let mut validation = Validation::new(self.header.alg);
        validation.algorithms.clone_from(&key.algorithms);
        validation.set_issuer(&[terms.issuer]);
        validation.set_audience(&[terms.audience]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.validate_exp = false; // `check_times` has the instant
        let token = decode::<Claims>(self.text, &key.key, &validation).map_err(refusal)?;
        check_times(&token.claims, now)?;
        self.check_purpose(&token.claims)?;
        Ok(token.claims)
    }

    /// An ID token tells a client who has signed in; it opens nothing. Keycloak says in the claim
    /// `typ` what a token is. Others are known by the claims that only ID tokens have (OpenID
    /// Connect Core 3.1.3.6 and 3.3.2.11), `nonce` among them, which access tokens of Keycloak
    /// before 25 had as well. A token that is bound to a key of its bearer (`cnf`) is none that
    /// whoever carries it may use.
    fn check_purpose(&self, claims: &Claims) -> Result<(), Refusal> {
        let said = claims.get("typ").map(|typ| typ.as_str().unwrap_or_default());
        if said.is_some_and(|typ| !typ.eq_ignore_ascii_case("Bearer")) {
            return Err(invalid("its claim `typ` says that it is no access token"));
        }
        let is_access = said.is_some()
            || self.header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"));
        let has = |names: &[&str]| names.iter().any(|name| claims.contains_key(*name));
        if has(&["at_hash", "c_hash"]) || (has(&["nonce"]) && !is_access) {
            return Err(invalid("it is an ID token"));
        }
        if has(&["cnf"]) {
            return Err(invalid("it is bound to a key, and possession cannot be shown here"));
        }
        Ok(())
    }
}

/// `exp` is needed; `nbf` and `iat` count where they are (RFC 7519, 4.1.4 to 4.1.6).
fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), Refusal> {
    let time = |name| match claims.get(name) {
        None => Ok(None),
        Some(time) => time.as_f64().map(Some).ok_or_else(|| invalid("a time in it is no number")),
    };
    let expires = time("exp")?.ok_or_else(|| invalid("it does not say when it expires"))?;
    let begins = [time("nbf")?, time("iat")?];
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 285 million years")]
    let now = now.timestamp() as f64;
    let begun = begins.into_iter().flatten().all(|begins| begins <= now + LEEWAY);
    if begun && now < expires + LEEWAY { Ok(()) } else { Err(Refusal::TokenExpired) }
}

/// How much longer a token is believed that was judged just now. Its end is `exp` in the middle one of
/// its parts (RFC 7519, section 4.1.4).
pub fn life(token: &str, now: DateTime<Utc>) -> Duration {
    let expires = || {
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Value>(&claims).ok()?["exp"].as_f64()
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are few")]
    let now = now.timestamp() as f64;
    let left = expires().map_or(0.0, |expires| expires + LEEWAY - now);
    Duration::try_from_secs_f64(left).unwrap_or_default()
}

fn refusal(error: jsonwebtoken::errors::Error) -> Refusal {
    match error.kind() {
        ErrorKind::InvalidAudience => Refusal::TokenAudience,
        ErrorKind::InvalidSignature => invalid("its signature is wrong"),
        ErrorKind::InvalidAlgorithm => invalid("its key is not used with its algorithm"),
        ErrorKind::InvalidIssuer => invalid("its issuer is another one"),
        ErrorKind::MissingRequiredClaim(_) => invalid("it lacks `iss` or `aud`"),
        _ => invalid("it is not well-formed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn times(claims: Value, now: i64) -> Result<(), Refusal> {
        check_times(claims.as_object().unwrap(), at(now))
    }

    #[test]
    fn a_token_is_good_until_its_end_and_half_a_minute_more() {
        assert_eq!(times(json!({"exp": 1000}), 1029), Ok(()));
        assert_eq!(times(json!({"exp": 1000}), 1030), Err(Refusal::TokenExpired));
        assert_eq!(times(json!({"exp": 1000.5}), 1030), Ok(()));
    }

    #[test]
    fn an_issuer_whose_clock_is_ahead_is_believed_for_half_a_minute() {
        for begins in ["nbf", "iat"] {
            assert_eq!(times(json!({"exp": 2000, begins: 1030}), 1000), Ok(()), "{begins}");
            let early = times(json!({"exp": 2000, begins: 1031}), 1000);
            assert_eq!(early, Err(Refusal::TokenExpired), "{begins}");
        }
    }

    #[test]
    fn a_token_without_an_end_or_with_odd_times_is_none() {
        for claims in [json!({}), json!({"exp": "2000"}), json!({"exp": 2000, "nbf": null})] {
            assert_eq!(times(claims, 0), Err(Refusal::TokenInvalid));
        }
    }
}
