//! Where an issuer has its keys, and fetching them: OpenID Connect Discovery 1.0, RFC 7517.
//!
//! The network is not trusted ([`crate::outgoing`]), and a document that names another issuer is
//! refused.

use super::jwk::SigningKey;
use crate::outgoing::{body, is_secure};
use reqwest::header::CACHE_CONTROL;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The longest answer, in bytes: dozens of RSA keys with their certificates.
const MAX_ANSWER: usize = 256 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or none that can be trusted.
    #[error("the issuer cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// The answer is not what was asked for; redirects are not followed.
    #[error("{url} answers with HTTP status {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// What came.
        status: StatusCode,
    },
    /// The answer is too long.
    #[error("{0} answers with more than 256 KiB")]
    TooLong(Url),
    /// The answer is something else.
    #[error("{0} answers with something that is not understood")]
    Malformed(Url),
    /// The document is another issuer's.
    #[error("the document there is that of the issuer `{0}`, which is not the configured one")]
    OtherIssuer(String),
    /// The keys would come over a line on which anybody can change them.
    #[error("its keys are at `{0}`, which is neither https nor on a loopback address")]
    Insecure(String),
}

/// Keys, and for how long the issuer says that they may be remembered.
pub struct Fetched {
    /// Those that can verify a token.
    pub keys: Vec<SigningKey>,
    /// `max-age` of their `Cache-Control`.
    pub max_age: Option<Duration>,
}

/// The keys of an issuer now.
pub async fn fetch_keys(client: &Client, issuer: &str) -> Result<Fetched, Error> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<Value>,
    }
    let response = get(client, &keys_url(client, issuer).await?).await?;
    let max_age = max_age(&response);
    let set: KeySet = read(response).await?;
    Ok(Fetched { keys: set.keys.into_iter().filter_map(SigningKey::read).collect(), max_age })
}

/// The document has to name the issuer exactly as the configuration does (Discovery, 4.3), or one
/// issuer could speak for another.
async fn keys_url(client: &Client, issuer: &str) -> Result<Url, Error> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document: Document = read(get(client, &secure(url)?).await?).await?;
    if document.issuer != issuer {
        return Err(Error::OtherIssuer(document.issuer));
    }
    secure(document.jwks_uri)
}

fn secure(text: String) -> Result<Url, Error> {
    Url::parse(&text).ok().filter(is_secure).ok_or(Error::Insecure(text))
}

async fn get(client: &Client, url: &Url) -> Result<Response, Error> {
    let response = client.get(url.clone()).send().await?;
    match response.status() {
        StatusCode::OK => Ok(response),
        status => Err(Error::Status { url: url.clone(), status }),
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Error> {
    let url = response.url().clone();
    let Some(body) = body(response, MAX_ANSWER).await? else { return Err(Error::TooLong(url)) };
    serde_json::from_slice(&body).map_err(|_| Error::Malformed(url))
}

/// How long an answer may be remembered (RFC 9111, 5.2.2); `None` when it does not say.
fn max_age(response: &Response) -> Option<Duration> {
    let values = response.headers().get_all(CACHE_CONTROL).iter();
    age_of(values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')))
}

fn age_of<'a>(directives: impl Iterator<Item = &'a str>) -> Option<Duration> {
    let mut shortest = None;
    for directive in directives {
        let directive = directive.trim().to_ascii_lowercase();
        let age = match directive.strip_prefix("max-age=") {
            Some(seconds) => seconds.trim_matches('"').parse().ok().map(Duration::from_secs),
            None => (directive == "no-store" || directive == "no-cache").then_some(Duration::ZERO),
        };
        shortest = match (shortest, age) {
            (Some(one), Some(other)) => Some(std::cmp::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_time_that_an_answer_names_counts() {
        let age = |value: &str| age_of(value.split(',')).map(|age| age.as_secs());
        assert_eq!(age("public, max-age=300, must-revalidate"), Some(300));
        assert_eq!(age("Max-Age=\"60\", max-age=30"), Some(30));
        assert_eq!(age("max-age=600, no-cache"), Some(0));
        assert_eq!(age("no-store"), Some(0));
        assert_eq!(age("public"), None);
        assert_eq!(age("max-age=soon"), None);
    }
}
