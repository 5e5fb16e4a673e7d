//! An event as the log holds it: with its position, its time and who caused it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One event of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded<E> {
    /// Place in the one order of the log: 1, 2, 3 … without gaps.
    pub position: i64,
    /// When the log took it; never earlier than the event before it.
    pub recorded_at: DateTime<Utc>,
    /// The id of the noun it happened to.
    pub aggregate_id: String,
    /// Place among the events of that noun: 1, 2, 3 … without gaps.
    pub sequence: i64,
    /// Who caused it, and by which request.
    pub metadata: Metadata,
    /// What happened.
    pub event: E,
}

/// Who and why, beside every event. One flat object of strings, because cqrs-es reads a
/// `HashMap<String, String>`: a nested value would load nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The subject of the access token; `system` for what no person asked for.
    pub actor: String,
    /// The roles that the token carried, in alphabetical order, with a blank between them.
    pub roles: String,
    /// The partner on whose behalf the actor worked; empty for staff.
    pub actor_partner: String,
    /// Ties together everything that one wish of one client caused.
    pub correlation_id: String,
    /// The request or event that caused this one.
    pub causation_id: String,
    /// The request that was being answered; leads to `request_log`.
    pub request_id: String,
}
