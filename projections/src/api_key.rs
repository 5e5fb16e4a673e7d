//! API keys, as they can be asked for: never the key itself.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, ORGANIZATION_NAME, POLICY_GROUP_NAME, POLICY_NAME, UNDER_POLICY};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::api_key::{ApiKey, Event};
use domain::ids::{ApiKeyId, PartnerId, PolicyGroupId, PolicyId};
use domain::reference::PartnerType;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// What may be known of an API key.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "ApiKeyRow")]
pub struct Row {
    /// The id of the key's record.
    pub id: ApiKeyId,
    /// How many events the key has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the key stands. Expiry is told by `expiresAt` alone.
    pub status: ApiKeyStatus,
    /// Why it was suspended, resumed or deactivated.
    pub status_reason: Option<String>,
    /// Whose key it is.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// Under which policy it works.
    #[graphql(skip)]
    pub policy_id: PolicyId,
    /// The partner's own name for it.
    pub label: String,
    /// The public part inside the key, 12 characters; safe to log.
    pub lookup_id: String,
    /// The last four characters of the key.
    pub last_four: String,
    /// From this instant on the key opens nothing.
    pub expires_at: DateTime<Utc>,
    /// The key whose place this one took.
    pub rotated_from: Option<ApiKeyId>,
    /// The key that took its place; both open the door until this one expires.
    pub rotated_to: Option<ApiKeyId>,
    /// When the log is to be told that it has expired; nothing when it was, or has ended.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When the key was generated.
    pub created_at: DateTime<Utc>,
    /// The subject that generated it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ApiKeyStatus {
    /// Opens the door until it expires.
    Active,
    /// Stopped with its partner.
    Suspended,
    /// Ended for good: it opens nothing.
    Deactivated,
}

impl Fold for Row {
    type Noun = ApiKey;
    const DDL: &'static str = include_str!("../../migrations/read/api_key.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Generated(_), _) => generated(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        row.next_expiry = recorded.event.next_expiry(row.next_expiry);
        match &recorded.event {
            Event::Generated(_) | Event::Expired { .. } => {}
            Event::Suspended { reason } => row.becomes(ApiKeyStatus::Suspended, reason.as_str()),
            Event::Resumed { reason } => row.becomes(ApiKeyStatus::Active, reason.as_str()),
            Event::Rotated { successor, expires_at } => {
                row.rotated_to = Some(successor.clone());
                row.expires_at = *expires_at;
            }
            Event::ExpirySet { expires_at } => row.expires_at = *expires_at,
            Event::Deactivated { reason } => {
                row.becomes(ApiKeyStatus::Deactivated, reason.as_str());
            }
        }
        Some(row)
    }
}

fn generated(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Generated(grant) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: ApiKeyStatus::Active,
        status_reason: None,
        partner_id: grant.partner_id.clone(),
        policy_id: grant.policy_id.clone(),
        label: grant.label.clone(),
        lookup_id: grant.lookup_id.clone(),
        last_four: grant.last_four.clone(),
        expires_at: grant.expires_at,
        rotated_from: grant.rotated_from.clone(),
        rotated_to: None,
        next_expiry: None,
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn becomes(&mut self, status: ApiKeyStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which keys to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct ApiKeyFilter {
    /// The partner that owns the key.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// One of these types of partner.
    pub partner_type: Option<Vec<PartnerType>>,
    /// The policy the key works under.
    pub policy_id: Option<TextFilter>,
    /// Its name.
    pub policy_name: Option<TextFilter>,
    /// In one of these groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// The key's label.
    pub label: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<ApiKeyStatus>>,
    /// When the key ends.
    pub expires_at: Option<TimeFilter>,
    /// The key ends within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// When it was generated.
    pub created_at: Option<TimeFilter>,
}

/// What keys can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum ApiKeySort {
    PartnerId,
    OrganizationName,
    PolicyName,
    PolicyGroupName,
    Label,
    Status,
    ExpiresAt,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for ApiKeySort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::PolicyName => POLICY_NAME,
            Self::PolicyGroupName => POLICY_GROUP_NAME,
            Self::Label => Key::text("lower(t.label)"),
            Self::Status => Key::text("t.status"),
            Self::ExpiresAt => Key::time("t.expires_at"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of keys whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum ApiKeyDistinct {
    PolicyId,
    Status,
}

impl Listed for Row {
    type Filter = ApiKeyFilter;
    type Sort = ApiKeySort;
    type Distinct = ApiKeyDistinct;
    const JOINS: &'static str = UNDER_POLICY;

    fn filter(filter: &ApiKeyFilter, conditions: &mut Conditions) {
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.any_of("partner.partner_type", filter.partner_type.as_ref());
        conditions.text("policy.id", filter.policy_id.as_ref());
        conditions.text("policy.name", filter.policy_name.as_ref());
        conditions.any_id("policy.policy_group_id", filter.policy_group_id.as_ref());
        conditions.text("policy_group.name", filter.policy_group_name.as_ref());
        conditions.text("t.label", filter.label.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.expires_at", filter.expires_at.as_ref());
        conditions.ends_within("t.expires_at", filter.expires_within_days);
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["ACTIVE", "SUSPENDED"];
}
