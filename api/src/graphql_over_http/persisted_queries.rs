//! Automatic persisted queries, as Apollo's clients speak them: a client names a query by its
//! SHA-256, and sends the text along when it is not known. That saves bytes, and grants nothing: a
//! kept query is judged each time as if it had been sent.

use crate::limits::PERSISTED_BYTES;
use async_graphql::Extensions;
use aws_lc_rs::digest::{SHA256, digest};
use domain::Finding;
use lru::LruCache;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};

/// What a query costs beside its text, about.
const OVERHEAD: usize = 200;

/// The queries that were used last, up to a number of bytes.
#[derive(Debug)]
pub struct PersistedQueries(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    queries: LruCache<Hash, Arc<str>>,
    bytes: usize,
}

/// The SHA-256 of a query's text, in hexadecimal.
pub type Hash = String;

/// `extensions.persistedQuery` of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    version: i64,
    sha256_hash: Hash,
}

impl Default for PersistedQueries {
    fn default() -> Self {
        Self(Mutex::new(Kept { queries: LruCache::unbounded(), bytes: 0 }))
    }
}

impl PersistedQueries {
    /// The text of the query that a request means, and the hash under which it may be kept once it
    /// has proved valid.
    pub fn find(
        &self,
        sent: Option<String>,
        extensions: &Extensions,
    ) -> Result<(String, Option<Hash>), Finding> {
        let Some(named) = extensions.get("persistedQuery") else {
            let missing = || Finding::new("QUERY_MISSING", "query", "There is no query.");
            return Ok((sent.ok_or_else(missing)?, None));
        };
        let named = async_graphql::from_value::<Named>(named.clone()).ok();
        let Some(named) = named.filter(|it| it.version == 1) else {
            let message = "persistedQuery needs version 1 and sha256Hash.";
            return Err(Finding::new("PERSISTED_QUERY_INVALID", PLACE, message));
        };
        match sent.filter(|it| !it.is_empty()) {
            Some(query) if hash(&query) == named.sha256_hash => {
                Ok((query, Some(named.sha256_hash)))
            }
            Some(_) => {
                let message = "provided sha does not match query";
                Err(Finding::new("PERSISTED_QUERY_HASH_MISMATCH", PLACE, message))
            }
            None => Ok((self.known(&named.sha256_hash).ok_or_else(not_found)?, None)),
        }
    }

    fn known(&self, hash: &str) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.queries.get(hash).map(ToString::to_string)
    }

    /// Keeps a valid query; those that were not used for the longest time go.
    pub fn keep(&self, hash: Hash, query: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.queries.put(hash, query.into()).is_none() {
            kept.bytes += query.len() + OVERHEAD;
        }
        while kept.bytes > PERSISTED_BYTES
            && let Some((_, gone)) = kept.queries.pop_lru()
        {
            kept.bytes -= gone.len() + OVERHEAD;
        }
    }
}

const PLACE: &str = "extensions.persistedQuery";

/// Clients know it by this message or this code, and send the text.
fn not_found() -> Finding {
    Finding::new("PERSISTED_QUERY_NOT_FOUND", "", "PersistedQueryNotFound")
}

fn hash(query: &str) -> Hash {
    hex::encode(digest(&SHA256, query.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_bytes_are_kept_than_there_may_be_and_the_last_used_stay() {
        let queries = PersistedQueries::default();
        let long = "x".repeat(PERSISTED_BYTES / 4);
        for name in ["a", "b", "c", "a", "d", "e"] {
            queries.keep(name.to_owned(), &long);
            queries.known("a");
        }
        let kept = ["a", "b", "c", "d", "e"].map(|name| queries.known(name).is_some());
        assert_eq!(kept, [true, false, false, true, true]);
        assert!(queries.0.lock().unwrap().bytes <= PERSISTED_BYTES);
        queries.keep("f".to_owned(), &long.repeat(5));
        assert_eq!(queries.0.lock().unwrap().bytes, 0);
    }
}
