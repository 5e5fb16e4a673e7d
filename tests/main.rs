//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod bad_input;
mod embedded_postgres;
mod main_job;
mod outage;
mod proofs;
mod schema_is_current;
mod support;
