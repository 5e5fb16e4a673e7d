//! Policies, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::held::POLICY_GROUP_NAME;
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{PolicyGroupId, PolicyId};
use domain::policy::{Content, Event, Policy};
use domain::policy_document::PolicyType;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgExecutor;
use strum::{Display, IntoStaticStr};

/// What partners may ask of the ID system.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "PolicyRow")]
pub struct Row {
    /// The policy's id.
    pub id: PolicyId,
    /// How many events the policy has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the policy stands.
    pub status: PolicyStatus,
    /// Why it was deactivated or discarded.
    pub status_reason: Option<String>,
    /// The group it belongs to.
    #[graphql(skip)]
    pub policy_group_id: PolicyGroupId,
    /// The kind of document.
    pub policy_type: PolicyType,
    /// Unique in its group after normalisation, but that a successor may keep it.
    pub name: String,
    /// What the policy is for.
    pub description: String,
    /// The author's own numbering.
    pub policy_version: String,
    /// The document, as the schema of its type demands.
    pub policies: Value,
    /// The policy that it takes the place of.
    #[graphql(skip)]
    pub supersedes: Option<PolicyId>,
    /// The policy whose content it began with.
    #[graphql(skip)]
    pub cloned_from: Option<PolicyId>,
    /// When it became binding.
    pub published_at: Option<DateTime<Utc>>,
    /// When the draft was started.
    pub created_at: DateTime<Utc>,
    /// The subject that started it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyStatus {
    /// Being written: it may still change, and no partner sees it.
    Draft,
    /// Binding: it never changes, and partners may ask for it.
    Published,
    /// Ended for good: nobody can ask for it any more.
    Deactivated,
    /// Thrown away before it was ever binding.
    Discarded,
}

impl Fold for Row {
    type Noun = Policy;
    const DDL: &'static str = include_str!("../../migrations/read/policy.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Created { .. }, _) => created(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Created { .. } => {}
            Event::DraftUpdated { content } => row.says(content),
            Event::Published {} => {
                row.status = PolicyStatus::Published;
                row.published_at = Some(recorded.recorded_at);
            }
            Event::Deactivated { reason } => {
                row.ends(PolicyStatus::Deactivated, reason.as_str());
            }
            Event::Discarded { reason } => row.ends(PolicyStatus::Discarded, reason.as_str()),
        }
        Some(row)
    }
}

fn created(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Created { policy_group_id, policy_type, content, supersedes, cloned_from } =
        &recorded.event
    else {
        return None;
    };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: PolicyStatus::Draft,
        status_reason: None,
        policy_group_id: policy_group_id.clone(),
        policy_type: *policy_type,
        name: content.name.clone(),
        description: content.description.clone(),
        policy_version: content.version.clone(),
        policies: content.policies.clone(),
        supersedes: supersedes.clone(),
        cloned_from: cloned_from.clone(),
        published_at: None,
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    /// What it says.
    pub fn content(&self) -> Content {
        Content {
            name: self.name.clone(),
            description: self.description.clone(),
            version: self.policy_version.clone(),
            policies: self.policies.clone(),
        }
    }

    fn says(&mut self, content: &Content) {
        self.name.clone_from(&content.name);
        self.description.clone_from(&content.description);
        self.policy_version.clone_from(&content.version);
        self.policies.clone_from(&content.policies);
    }

    fn ends(&mut self, status: PolicyStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which policies to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct PolicyFilter {
    /// The policy's id.
    pub policy_id: Option<TextFilter>,
    /// Its name.
    pub name: Option<TextFilter>,
    /// Its description.
    pub description: Option<TextFilter>,
    /// One of these kinds of document.
    pub policy_type: Option<Vec<PolicyType>>,
    /// In one of these groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<PolicyStatus>>,
    /// When the draft was started.
    pub created_at: Option<TimeFilter>,
    /// Drafts are for those who write them.
    #[graphql(skip)]
    pub without_drafts: bool,
}

/// What policies can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum PolicySort {
    Id,
    Name,
    Description,
    PolicyType,
    PolicyGroupName,
    Status,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for PolicySort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::Name => Key::text("lower(t.name)"),
            Self::Description => Key::text("lower(t.description)"),
            Self::PolicyType => Key::text("t.policy_type"),
            Self::PolicyGroupName => POLICY_GROUP_NAME,
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of policies whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum PolicyDistinct {
    PolicyType,
    PolicyGroupId,
    Status,
}

impl Listed for Row {
    type Filter = PolicyFilter;
    type Sort = PolicySort;
    type Distinct = PolicyDistinct;
    const JOINS: &'static str = "left join policy_group on policy_group.id = t.policy_group_id";

    fn filter(filter: &PolicyFilter, conditions: &mut Conditions) {
        conditions.text("t.id", filter.policy_id.as_ref());
        conditions.text("t.name", filter.name.as_ref());
        conditions.text("t.description", filter.description.as_ref());
        conditions.any_of("t.policy_type", filter.policy_type.as_ref());
        conditions.any_id("t.policy_group_id", filter.policy_group_id.as_ref());
        conditions.text("policy_group.name", filter.policy_group_name.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
        if filter.without_drafts {
            let binding = vec![PolicyStatus::Published, PolicyStatus::Deactivated];
            conditions.any_of("t.status", Some(&binding));
        }
    }

    /// Published policies are the menu that every partner chooses from.
    fn scope(_: &[String], _: &mut Conditions) {}
}

/// How many policies of a group are published or drafts.
pub async fn live_in_group(db: impl PgExecutor<'_>, group: &PolicyGroupId) -> crate::Result<usize> {
    let sql = "select count(*) from policy \
               where policy_group_id = $1 and status in ('DRAFT', 'PUBLISHED')";
    let count: i64 = sqlx::query_scalar(sql).bind(group.as_str()).fetch_one(db).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The policies that take the place of these, in no order. One that was discarded does not.
pub async fn successors(db: impl PgExecutor<'_>, policies: &[String]) -> crate::Result<Vec<Row>> {
    let sql = "select to_jsonb(t) from policy t \
               where supersedes = any($1) and status <> 'DISCARDED'";
    let rows: Vec<Value> = sqlx::query_scalar(sql).bind(policies).fetch_all(db).await?;
    rows.into_iter().map(|row| Ok(serde_json::from_value(row)?)).collect()
}
