//! How the world reaches the system: GraphQL, HTTP and the `pms` command line.

// The compiler lays out the mutations of all nouns as one future.
#![recursion_limit = "256"]

pub mod as_of;
pub mod audit_export;
pub mod audit_verify;
pub mod auth;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod document;
pub mod embedded_postgres;
pub mod errors;
pub mod execution;
mod extractor;
pub mod graphql_over_websocket;
pub mod last_seen;
pub mod limits;
pub mod log_folder;
pub mod outgoing;
mod progress;
pub mod rebuild;
pub mod schema;
pub mod server;
pub mod service;
pub mod transport;
pub mod witnesses;

mod actions;
mod api_key;
mod audit;
mod bulk;
mod caller;
mod certificate;
mod consent;
mod dashboard;
mod descriptions;
mod device;
mod diff;
mod entity;
mod expiring;
mod follower;
mod ftm_chip;
mod graphql_over_http;
mod history;
mod list;
mod live;
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
mod reference;
mod row;
mod sbi;
mod scalars;
mod search;
mod secret;
mod subject;
mod subscription;
mod tlog_tiles;
mod trust_certificate;
