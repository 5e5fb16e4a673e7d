//! MISP licences, as they can be asked for: never the licence key itself.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, ORGANIZATION_NAME, UNDER_POLICY};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{MispLicenseId, PartnerId, PolicyGroupId, PolicyId};
use domain::misp_license::{Event, MispLicense};
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// What may be known of a MISP licence.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "MispLicenseRow")]
pub struct Row {
    /// The id of the licence's record.
    pub id: MispLicenseId,
    /// How many events the licence has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the licence stands. Expiry is told by `expiresAt` alone.
    pub status: MispLicenseStatus,
    /// Why it was suspended, resumed or deactivated.
    pub status_reason: Option<String>,
    /// Whose licence it is.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// Under which policy it works, where its partner works under policies.
    #[graphql(skip)]
    pub policy_id: Option<PolicyId>,
    /// Its name, unique for the partner.
    pub label: String,
    /// The public part inside the key, 12 characters; safe to log.
    pub lookup_id: String,
    /// The last four characters of the key.
    pub last_four: String,
    /// From this instant on the licence opens nothing.
    pub expires_at: DateTime<Utc>,
    /// The licence whose place this one took.
    pub rotated_from: Option<MispLicenseId>,
    /// The licence that took its place; both open the door until this one expires.
    pub rotated_to: Option<MispLicenseId>,
    /// When the log is to be told that it has expired; nothing when it was, or has ended.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When the licence was generated.
    pub created_at: DateTime<Utc>,
    /// The subject that generated it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a licence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MispLicenseStatus {
    /// Opens the door until it expires.
    Active,
    /// Stopped with its partner.
    Suspended,
    /// Ended for good: its key opens nothing.
    Deactivated,
}

impl Fold for Row {
    type Noun = MispLicense;
    const DDL: &'static str = include_str!("../../migrations/read/misp_license.sql");

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
            Event::Suspended { reason } => {
                row.becomes(MispLicenseStatus::Suspended, reason.as_str());
            }
            Event::Resumed { reason } => row.becomes(MispLicenseStatus::Active, reason.as_str()),
            Event::Rotated { successor, expires_at } => {
                row.rotated_to = Some(successor.clone());
                row.expires_at = *expires_at;
            }
            Event::ExpirySet { expires_at } => row.expires_at = *expires_at,
            Event::Deactivated { reason } => {
                row.becomes(MispLicenseStatus::Deactivated, reason.as_str());
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
        status: MispLicenseStatus::Active,
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
    fn becomes(&mut self, status: MispLicenseStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which licences to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct MispLicenseFilter {
    /// The partner that holds the licence.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// The policy the licence works under.
    pub policy_id: Option<TextFilter>,
    /// Its name.
    pub policy_name: Option<TextFilter>,
    /// In one of these groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// The licence's label.
    pub label: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<MispLicenseStatus>>,
    /// When the licence ends.
    pub expires_at: Option<TimeFilter>,
    /// The licence ends within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// When it was generated.
    pub created_at: Option<TimeFilter>,
}

/// The policy of a licence, by name; those without come as if theirs had none.
const POLICY_OR_NONE: &str = "join (select id, lower(name) as name from policy \
     union all select '', '') named on named.id = coalesce(t.policy_id, '')";
/// The same of the group of its policy.
const GROUP_OR_NONE: &str = "join (select id, policy_group_id from policy \
     union all select '', '') its on its.id = coalesce(t.policy_id, '') \
     join (select id, lower(name) as name from policy_group \
     union all select '', '') named on named.id = its.policy_group_id";

/// What licences can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum MispLicenseSort {
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

impl SortKey for MispLicenseSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::PolicyName => Key::text("named.name").of("named").joining(POLICY_OR_NONE),
            Self::PolicyGroupName => Key::text("named.name").of("named").joining(GROUP_OR_NONE),
            Self::Label => Key::text("lower(t.label)"),
            Self::Status => Key::text("t.status"),
            Self::ExpiresAt => Key::time("t.expires_at"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of licences whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum MispLicenseDistinct {
    PolicyId,
    Status,
}

impl Listed for Row {
    type Filter = MispLicenseFilter;
    type Sort = MispLicenseSort;
    type Distinct = MispLicenseDistinct;
    const JOINS: &'static str = UNDER_POLICY;

    fn filter(filter: &MispLicenseFilter, conditions: &mut Conditions) {
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
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
