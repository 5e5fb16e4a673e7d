//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::large_futures, reason = "a test runs once")]

mod embedded_postgres;
mod proofs;
mod stored_events;
mod support;
