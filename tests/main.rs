//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::large_futures, reason = "a test runs once")]

mod access;
mod bad_input;
mod demo;
mod embedded_postgres;
mod main_job;
mod oidc_client;
mod outage;
mod proofs;
mod proposal;
mod schema_is_current;
mod stored_events;
mod support;
