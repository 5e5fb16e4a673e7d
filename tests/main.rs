//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::large_futures, reason = "a test runs once")]

mod access;
mod api_key;
mod bad_input;
mod consent;
mod demo;
mod device;
mod embedded_postgres;
mod expiring_items;
mod extractor;
mod ftm_chip;
mod issuing_key;
mod lists;
mod main_job;
mod misp_license;
mod oidc_client;
mod outage;
mod partner;
mod partner_certificate;
mod policy;
mod policy_request;
mod proofs;
mod proposal;
mod sbi;
mod schema_is_current;
mod search;
mod stored_events;
mod support;
mod trust_certificate;
