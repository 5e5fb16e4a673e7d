//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embedded_postgres;
mod proofs;
mod stored_events;
mod support;
