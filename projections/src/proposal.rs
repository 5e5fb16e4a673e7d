//! Proposals, as they can be asked for: the queue of what waits for a second person.

use crate::fold::{Fold, RecordedOf};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::ProposalId;
use domain::proposal::{Event, Proposal, ProposedAction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{Display, IntoStaticStr};

/// A command that waits for a second person, or waited for one.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "ProposalRow")]
pub struct Row {
    /// The proposal's id.
    pub id: ProposalId,
    /// How many events the proposal has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where it stands. That an open one has lapsed is told by `expiresAt` alone.
    pub status: ProposalStatus,
    /// The command that was proposed.
    pub action: ProposedAction,
    /// What it is about: an id, or the subject of a certificate.
    pub target: String,
    /// The command's input.
    pub input: Value,
    /// The subject that proposed it; somebody else has to confirm.
    pub proposed_by: String,
    /// The subject that confirmed or refused it.
    pub decided_by: Option<String>,
    /// When that was.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why it was refused.
    pub decision_reason: Option<String>,
    /// From this instant on it has lapsed.
    pub expires_at: DateTime<Utc>,
    /// When the log is to be told that it has lapsed.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When it was proposed.
    pub created_at: DateTime<Utc>,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ProposalStatus {
    /// Waits for a second person.
    Open,
    /// A second person agreed: what it says is done.
    Confirmed,
    /// Somebody ended it: what it says was not done.
    Refused,
    /// Nobody decided in time: what it says was not done.
    Lapsed,
}

impl Fold for Row {
    type Noun = Proposal;
    const DDL: &'static str = include_str!("../../migrations/read/proposal.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Proposed(_), _) => proposed(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Proposed(_) => {}
            Event::Confirmed {} => row.decided(ProposalStatus::Confirmed, recorded),
            Event::Refused { reason } => {
                row.decision_reason = Some(reason.as_str().to_owned());
                row.decided(ProposalStatus::Refused, recorded);
            }
            Event::Lapsed { .. } => {
                row.status = ProposalStatus::Lapsed;
                row.next_expiry = None;
            }
        }
        Some(row)
    }
}

fn proposed(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Proposed(proposed) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: ProposalStatus::Open,
        action: proposed.action,
        target: proposed.target.clone(),
        input: proposed.input.clone(),
        proposed_by: proposed.proposed_by.clone(),
        decided_by: None,
        decided_at: None,
        decision_reason: None,
        expires_at: proposed.expires_at,
        next_expiry: Some(proposed.expires_at),
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn decided(&mut self, status: ProposalStatus, recorded: &RecordedOf<Self>) {
        self.status = status;
        self.next_expiry = None;
        self.decided_by = Some(recorded.metadata.actor.clone());
        self.decided_at = Some(recorded.recorded_at);
    }
}

/// Which proposals to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct ProposalFilter {
    /// One of these states.
    pub status: Option<Vec<ProposalStatus>>,
    /// One of these commands.
    pub action: Option<Vec<ProposedAction>>,
    /// What it is about.
    pub target: Option<TextFilter>,
    /// The subject that proposed it.
    pub proposed_by: Option<TextFilter>,
    /// When it lapses.
    pub expires_at: Option<TimeFilter>,
    /// When it was proposed.
    pub created_at: Option<TimeFilter>,
}

/// What proposals can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum ProposalSort {
    Action,
    Status,
    ExpiresAt,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for ProposalSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Action => Key::text("t.action"),
            Self::Status => Key::text("t.status"),
            Self::ExpiresAt => Key::time("t.expires_at"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of proposals whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum ProposalDistinct {
    Action,
    Status,
}

impl Listed for Row {
    type Filter = ProposalFilter;
    type Sort = ProposalSort;
    type Distinct = ProposalDistinct;

    fn filter(filter: &ProposalFilter, conditions: &mut Conditions) {
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.any_of("t.action", filter.action.as_ref());
        conditions.text("t.target", filter.target.as_ref());
        conditions.text("t.proposed_by", filter.proposed_by.as_ref());
        conditions.time("t.expires_at", filter.expires_at.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    /// No proposal belongs to a partner.
    fn scope(_partners: &[String], conditions: &mut Conditions) {
        conditions.any_of::<String>("t.id", Some(&Vec::new()));
    }
}
