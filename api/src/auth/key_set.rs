//! The public keys of one issuer: what is known, for how long it is believed, and when it is asked
//! for again.
//!
//! - Keys are fresh for as long as the issuer says, within bounds; then they are fetched again. So
//!   a key that the issuer has withdrawn is believed no longer than the upper bound.
//! - A token that names an unknown key leads to a fetch, for the issuer may have a new one. There is
//!   one fetch at a time and a pause after each: invented names cost the issuer nothing.
//! - While the issuer is away its last keys go on to be believed, for a bounded time.

use super::discovery::{self, Fetched};
use super::jwk::SigningKey;
use super::token::VerifyingKey;
use super::{Refusal, invalid};
use crate::errors::chain;
use jsonwebtoken::Algorithm;
use reqwest::Client;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long keys are believed.
#[derive(Debug, Clone)]
pub struct Times {
    /// Keys are fresh for as long as the issuer's `max-age` says, within these bounds; for the
    /// longest where it says nothing.
    pub fresh: RangeInclusive<Duration>,
    /// How long keys are believed that cannot be fetched again.
    pub stale: Duration,
    /// The pause between two fetches.
    pub pause: Duration,
    /// How long one request to an issuer may take, its answer included.
    pub patience: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            fresh: Duration::from_mins(1)..=Duration::from_mins(10),
            stale: Duration::from_hours(1),
            pause: Duration::from_secs(10),
            patience: Duration::from_secs(5),
        }
    }
}

impl Times {
    fn fresh_for(&self, max_age: Option<Duration>) -> Duration {
        let (least, most) = (*self.fresh.start(), *self.fresh.end());
        max_age.unwrap_or(most).clamp(least, most)
    }
}

/// What was fetched last.
#[derive(Default)]
struct Known {
    keys: Vec<SigningKey>,
    since: Option<Instant>,
    fresh_for: Duration,
}

impl Known {
    fn is_younger_than(&self, age: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() < age)
    }

    fn is_fresh(&self) -> bool {
        self.is_younger_than(self.fresh_for)
    }

    /// A token names its key, unless the issuer has but one (RFC 7515, 4.1.4).
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let fits =
            |it: &&SigningKey| it.key.allows(algorithm) && (id.is_none() || it.id.as_deref() == id);
        let mut fitting = self.keys.iter().filter(fits);
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(&first.key)
    }
}

/// The last attempt to fetch keys.
#[derive(Clone, Copy)]
struct Attempt {
    ended: Instant,
    succeeded: bool,
}

#[derive(Default)]
struct State {
    known: Arc<Known>,
    last: Option<Attempt>,
}

/// The public keys of one issuer.
pub struct KeySet {
    issuer: String,
    client: Client,
    times: Times,
    state: Mutex<State>,
    /// Held by the one that fetches.
    fetching: tokio::sync::Mutex<()>,
}

impl KeySet {
    /// The keys of an issuer, none of which is known yet.
    pub fn new(issuer: String, client: Client, times: Times) -> Arc<Self> {
        let (state, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { issuer, client, times, state, fetching })
    }

    /// The key that a token names. Known keys that have grown old are fetched by one request;
    /// others go on with them meanwhile.
    pub async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<VerifyingKey, Refusal> {
        let known = self.known();
        if let Some(key) = known.find(id, algorithm) {
            let is_busy = || self.fetching.try_lock().is_err();
            if known.is_fresh() || (self.is_usable() && is_busy()) {
                return Ok(key.clone());
            }
        }
        self.refresh().await;
        if !self.is_usable() {
            return Err(Refusal::IssuerUnavailable);
        }
        match self.known().find(id, algorithm) {
            Some(key) => Ok(key.clone()),
            None if self.last().is_some_and(|last| last.succeeded) => {
                Err(invalid("its issuer has no such key"))
            }
            None => Err(Refusal::IssuerUnavailable),
        }
    }

    /// Whether there are keys that are still believed.
    pub fn is_usable(&self) -> bool {
        let known = self.known();
        let age = self.times.stale.max(known.fresh_for);
        !known.keys.is_empty() && known.is_younger_than(age)
    }

    /// Fetches keys that are missing or old, without anybody waiting for them.
    pub fn keep_fresh(self: &Arc<Self>) {
        if !self.known().is_fresh() && self.fetching.try_lock().is_ok() {
            let this = self.clone();
            tokio::spawn(async move { this.refresh().await });
        }
    }

    /// Fetches the keys, unless somebody has just tried. In a task of its own: a client that hangs
    /// up ends its own waiting, and not the fetch.
    async fn refresh(self: &Arc<Self>) {
        if self.pauses() {
            return;
        }
        let this = self.clone();
        let fetch = async move {
            let _only_one = this.fetching.lock().await;
            if !this.pauses() {
                this.fetch().await;
            }
        };
        tokio::spawn(fetch).await.ok(); // it ends early only with the process
    }

    async fn fetch(&self) {
        let fetched = discovery::fetch_keys(&self.client, &self.issuer).await;
        let ended = Instant::now();
        let mut state = self.state();
        state.last = Some(Attempt { ended, succeeded: fetched.is_ok() });
        match fetched {
            Ok(Fetched { keys, max_age }) => {
                let fresh_for = self.times.fresh_for(max_age);
                state.known = Arc::new(Known { keys, since: Some(ended), fresh_for });
            }
            Err(problem) => {
                let (issuer, problem) = (&self.issuer, chain(&problem));
                tracing::warn!(issuer, problem, "the keys of an issuer cannot be fetched");
            }
        }
    }

    fn pauses(&self) -> bool {
        self.last().is_some_and(|last| last.ended.elapsed() < self.times.pause)
    }

    fn last(&self) -> Option<Attempt> {
        self.state().last
    }

    fn known(&self) -> Arc<Known> {
        self.state().known.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwk::tests::p256;
    use super::*;
    use serde_json::json;

    #[test]
    fn an_issuer_says_how_long_its_keys_are_fresh_within_bounds() {
        for (says, seconds) in [(None, 600), (Some(0), 60), (Some(300), 300), (Some(86400), 600)] {
            let fresh_for = Times::default().fresh_for(says.map(Duration::from_secs));
            assert_eq!(fresh_for, Duration::from_secs(seconds), "{says:?}");
        }
    }

    #[test]
    fn keys_that_cannot_be_fetched_again_are_believed_for_an_hour() {
        let client = crate::outgoing::client(Duration::from_secs(5)).unwrap();
        let set = KeySet::new("https://id.example".to_owned(), client, Times::default());
        assert!(!set.is_usable());
        for (minutes, usable) in [(0, true), (59, true), (60, false)] {
            let keys = vec![SigningKey::read(p256(json!({}))).unwrap()];
            let since = Instant::now().checked_sub(Duration::from_mins(minutes));
            let fresh_for = Duration::from_mins(10);
            set.state().known = Arc::new(Known { keys, since, fresh_for });
            assert_eq!(set.is_usable(), usable, "after {minutes} minutes");
            assert_eq!(set.known().is_fresh(), minutes < 10);
        }
        assert!(set.known().since.is_some(), "the machine's clock is younger than an hour");
    }

    #[test]
    fn a_token_names_its_key_unless_there_is_only_one() {
        let key = |id: Option<&str>| {
            SigningKey::read(p256(id.map_or_else(|| json!({}), |id| json!({"kid": id})))).unwrap()
        };
        let known = |ids: &[Option<&str>]| {
            let keys = ids.iter().map(|id| key(*id)).collect();
            Known { keys, ..Known::default() }
        };
        let finds = |known: &Known, id| known.find(id, Algorithm::ES256).is_some();
        assert!(finds(&known(&[Some("a"), Some("b")]), Some("b")));
        assert!(!finds(&known(&[Some("a"), Some("b")]), None));
        assert!(!finds(&known(&[Some("a")]), Some("b")));
        assert!(finds(&known(&[Some("a")]), None));
        assert!(!finds(&known(&[None]), Some("a")));
        assert!(known(&[Some("a")]).find(Some("a"), Algorithm::EdDSA).is_none());
    }
}
