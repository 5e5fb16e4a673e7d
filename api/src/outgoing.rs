//! What this node asks of others over HTTP: issuers of tokens for their keys, witnesses of the log for
//! their signatures.
//!
//! The network is not trusted: https (plain http on loopback addresses only), no redirects, no
//! proxies, answers of bounded size in bounded time.

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Result};
use std::time::Duration;
use url::{Host, Url};

/// What asks, each time for so long at most.
pub fn client(patience: Duration) -> Result<Client> {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(patience)
        .user_agent(concat!("pms/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Whether what comes from there can be trusted to be from there.
pub fn is_secure(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// The body of an answer; `None` when it is longer than so many bytes.
pub async fn body(mut response: Response, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_over_https_or_from_this_machine_is_trusted() {
        for (url, secure) in [
            ("https://id.example/realms/pms", true),
            ("http://127.0.0.1:8180/realms/pms", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://id.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://localhost.example/", false),
            ("ftp://127.0.0.1/", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(is_secure(&Url::parse(url).unwrap()), secure, "{url}");
        }
    }
}
