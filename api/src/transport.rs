//! How a node meets the network: what the operator has set, and what it remembers of callers.

use crate::graphql_over_http::PersistedQueries;
use crate::graphql_over_websocket;
use crate::limits::{
    BODY_TIME, CONNECTIONS, EXPORTS, HEAD_TIME, LOG_FILES, QUERIES, QUERY_TIME, STOP_TIME,
};
use crate::server::RateLimit;
use axum::http::HeaderValue;
use commands::Error;
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A request weighs as much as one more for so many fields of its answer.
const WEIGHT_OF_A_REQUEST: u64 = 1_000;

/// What a node grants, and to whom. As it comes, nobody is held back and everything is shown.
#[derive(Debug)]
pub struct Transport {
    /// How long things may take.
    pub times: Times,
    /// How many requests an address may send, whoever asks.
    pub per_address: Option<RateLimit<IpAddr>>,
    /// How much a caller may ask for, from wherever.
    pub per_caller: Option<RateLimit<String>>,
    /// Places for queries that run.
    pub queries: Semaphore,
    /// Places for reading what everybody may fetch of the sealed log.
    pub log_files: Semaphore,
    /// Places for exports of the history that run.
    pub exports: Arc<Semaphore>,
    /// What a client may have of sockets.
    pub sockets: graphql_over_websocket::Limits,
    /// Queries that clients may name by their hash.
    pub persisted_queries: PersistedQueries,
    /// Whether browsers get GraphiQL.
    pub graphiql: bool,
    /// Whether the schema may be asked for.
    pub introspection: bool,
    /// How many connections may be open.
    pub connections: u32,
    /// Pages that may ask from a browser.
    pub cors_origins: Vec<HeaderValue>,
    /// Proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
}

impl Transport {
    /// Takes what a document weighs from its caller's allowance, or tells how long to wait.
    pub fn allow(&self, subject: &str, weight: u64) -> Result<(), Duration> {
        let Some(limit) = &self.per_caller else { return Ok(()) };
        let units = u32::try_from(weight / WEIGHT_OF_A_REQUEST).unwrap_or(u32::MAX);
        limit.take(&subject.to_owned(), units.saturating_add(1))
    }

    /// Runs a query when there is one of these places for it. Refused with `QUERY_TIMEOUT` is one that
    /// takes too long, the wait for its turn included.
    pub async fn in_turn<T>(
        &self,
        places: &Semaphore,
        query: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let in_turn = async {
            let _turn = places.acquire().await; // it is never closed
            query.await
        };
        timeout(self.times.query, in_turn).await.map_err(|_| {
            let message = "The query took too long and was stopped. Ask for less.";
            Error::refused("QUERY_TIMEOUT", "", message)
        })
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            times: Times::default(),
            per_address: None,
            per_caller: None,
            queries: Semaphore::new(QUERIES),
            log_files: Semaphore::new(LOG_FILES),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            sockets: graphql_over_websocket::Limits::default(),
            persisted_queries: PersistedQueries::default(),
            graphiql: true,
            introspection: true,
            connections: CONNECTIONS,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each is the constant of the same name in limits.rs")]
pub struct Times {
    pub head: Duration,
    pub body: Duration,
    pub query: Duration,
    pub stop: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { head: HEAD_TIME, body: BODY_TIME, query: QUERY_TIME, stop: STOP_TIME }
    }
}
