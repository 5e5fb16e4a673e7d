//! What may happen: the nouns of partner management, their events and their rules.
//!
//! Nothing here touches SQL, HTTP, a clock or a random number: time, ids and facts about other
//! nouns are arguments, so that every decision can be repeated years later from the log alone.
//! Words that GraphQL shows (enums, ids) derive their GraphQL form here, where they live; see
//! `docs/decisions/0002`.

#[macro_use]
pub mod aggregate;

pub mod actor;
pub mod api_key;
pub mod audit;
pub mod audit_log;
pub mod certificate;
pub mod consent;
pub mod defaults;
pub mod device;
pub mod extractor;
pub mod finding;
pub mod ftm_chip;
#[cfg(test)]
mod generated_docs;
pub mod ids;
pub mod installation;
pub mod issuance;
pub mod issued;
pub mod jwk;
#[cfg(test)]
mod laws;
pub mod log_entry;
pub mod misp_license;
pub mod oidc_client;
pub mod partner;
pub mod person;
pub mod policy;
pub mod policy_diff;
pub mod policy_document;
pub mod policy_group;
pub mod policy_request;
pub mod proposal;
pub mod recorded;
pub mod reference;
pub mod sbi;
pub mod secret;
pub mod subject;
pub mod text;
pub mod time;
pub mod trust_certificate;

pub use aggregate::{Decide, Reason};
pub use finding::Finding;
