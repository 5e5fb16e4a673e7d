//! All acceptance tests and proofs in one binary, which links once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::large_futures, reason = "a test runs once")]

mod access;
mod api_key;
mod bad_input;
mod bulk;
mod consent;
mod dashboard;
mod demo;
mod device;
mod embedded_postgres;
mod erasure;
mod expiring_items;
mod export;
mod extractor;
mod forged_tokens;
mod ftm_chip;
mod graphql_over_http;
mod graphql_over_websocket;
mod issuing_key;
mod limits;
mod lists;
mod main_job;
mod misp_license;
mod oidc;
mod oidc_client;
mod oidc_discovery;
mod outage;
mod partner;
mod partner_certificate;
mod policy;
mod policy_request;
mod proofs;
mod proposal;
mod reference;
mod sbi;
mod schema_is_current;
mod schema_is_described;
mod search;
mod sockets;
mod stored_events;
mod subscription;
mod support;
mod trust_certificate;
mod typed_clients;
