//! Policy groups, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::PolicyGroupId;
use domain::policy_group::{Event, PolicyGroup};
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// A family of policies, such as "Banking".
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "PolicyGroupRow")]
pub struct Row {
    /// The group's id.
    pub id: PolicyGroupId,
    /// How many events the group has had; give it as `expectedVersion`.
    pub version: i64,
    /// Whether the group is open.
    pub status: PolicyGroupStatus,
    /// Why it was closed or opened again.
    pub status_reason: Option<String>,
    /// Unique after normalisation.
    pub name: String,
    /// What the group is for.
    pub description: String,
    /// When the group was created.
    pub created_at: DateTime<Utc>,
    /// The subject that created it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a policy group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyGroupStatus {
    /// Policies can be written and asked for.
    Active,
    /// Closed: no policies and partners are added to it, until it is opened again.
    Inactive,
}

impl Fold for Row {
    type Noun = PolicyGroup;
    const DDL: &'static str = include_str!("../../migrations/read/policy_group.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Created(_), _) => created(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Created(_) => {}
            Event::Updated(description) => {
                row.name.clone_from(&description.name);
                row.description.clone_from(&description.description);
            }
            Event::Deactivated { reason } => {
                row.becomes(PolicyGroupStatus::Inactive, reason.as_str());
            }
            Event::Reactivated { reason } => {
                row.becomes(PolicyGroupStatus::Active, reason.as_str());
            }
        }
        Some(row)
    }
}

fn created(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Created(description) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: PolicyGroupStatus::Active,
        status_reason: None,
        name: description.name.clone(),
        description: description.description.clone(),
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn becomes(&mut self, status: PolicyGroupStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which groups to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct PolicyGroupFilter {
    /// The group's id.
    pub policy_group_id: Option<TextFilter>,
    /// Its name.
    pub name: Option<TextFilter>,
    /// Its description.
    pub description: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<PolicyGroupStatus>>,
    /// When it was created.
    pub created_at: Option<TimeFilter>,
}

/// What groups can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum PolicyGroupSort {
    Id,
    Name,
    Description,
    Status,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for PolicyGroupSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::Name => Key::text("lower(t.name)"),
            Self::Description => Key::text("lower(t.description)"),
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of groups whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum PolicyGroupDistinct {
    Status,
}

impl Listed for Row {
    type Filter = PolicyGroupFilter;
    type Sort = PolicyGroupSort;
    type Distinct = PolicyGroupDistinct;

    fn filter(filter: &PolicyGroupFilter, conditions: &mut Conditions) {
        conditions.text("t.id", filter.policy_group_id.as_ref());
        conditions.text("t.name", filter.name.as_ref());
        conditions.text("t.description", filter.description.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    /// The groups are the menu that every partner chooses from.
    fn scope(_: &[String], _: &mut Conditions) {}
}
