//! How the world reaches the system: GraphQL, HTTP and the `pms` command line.

// The compiler lays out the mutations of all nouns as one future.
#![recursion_limit = "256"]

pub mod auth;
pub mod config;
pub mod demo;
pub mod embedded_postgres;
pub mod errors;
mod extractor;
pub mod schema;
pub mod server;
pub mod service;

mod actions;
mod api_key;
mod caller;
mod certificate;
mod consent;
mod device;
mod expiring;
mod ftm_chip;
mod graphql_over_http;
mod history;
mod list;
mod loader;
mod me;
mod misp_license;
mod oidc_client;
mod partner;
mod policy;
mod policy_group;
mod policy_request;
mod preview;
mod proposal;
mod row;
mod sbi;
mod scalars;
mod search;
mod secret;
mod trust_certificate;
