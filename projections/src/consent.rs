//! Consents, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use domain::consent::{Consent, Event};
use serde::{Deserialize, Serialize};
use strum::Display;

/// What a person agreed to before working here.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "Consent")]
pub struct Row {
    /// Whose consent it is: the subject of the access token.
    #[graphql(name = "subject")]
    pub id: String,
    /// How many events the consent has had; give it as `expectedVersion`.
    pub version: i64,
    /// Whether it holds.
    pub status: ConsentStatus,
    /// The version of the text that was agreed to last.
    pub text_version: u32,
    /// When it was given or withdrawn.
    pub at: DateTime<Utc>,
}

/// Whether a consent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsentStatus {
    /// It holds, for the version of the text that it names.
    Given,
    /// It was taken back.
    Withdrawn,
}

impl Fold for Row {
    type Noun = Consent;
    const DDL: &'static str = include_str!("../../migrations/read/consent.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let (status, text_version) = match (&recorded.event, row) {
            (Event::Given { text_version }, _) => (ConsentStatus::Given, *text_version),
            (Event::Withdrawn { .. }, row) => (ConsentStatus::Withdrawn, row?.text_version),
        };
        Some(Self {
            id: recorded.aggregate_id.clone(),
            version: recorded.sequence,
            status,
            text_version,
            at: recorded.recorded_at,
        })
    }
}
