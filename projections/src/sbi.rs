//! Secure biometric interfaces, as they can be asked for.

use crate::READ;
use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, OF_PARTNER, ORGANIZATION_NAME};
use crate::log::LogRow;
use crate::page::{Conditions, IdFilter, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate as _;
use domain::device::Device;
use domain::ids::{PartnerId, SbiId};
use domain::sbi::{Event, Sbi};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use strum::{Display, IntoStaticStr};

/// A secure biometric interface: one version of the software that drives a provider's devices.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "SbiRow")]
pub struct Row {
    /// The interface's id.
    pub id: SbiId,
    /// How many events the interface has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the interface stands. Expiry is told by `swExpiryDateTime` alone.
    pub status: SbiStatus,
    /// Why it was rejected or deactivated.
    pub status_reason: Option<String>,
    /// Who makes it.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// The provider's own version of the software.
    pub sw_version: String,
    /// SHA-256 of the binary, lower-case hex.
    pub sw_binary_hash: String,
    /// When the software was made.
    pub sw_create_date_time: DateTime<Utc>,
    /// From this instant on no device can rest on it.
    pub sw_expiry_date_time: DateTime<Utc>,
    /// How many devices rest on it, ended ones included: see [`count_devices`].
    #[graphql(skip)]
    pub device_count: i64,
    /// When the log is to be told that it has expired; absent once it was, or when it has ended.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The subject that added it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a secure biometric interface stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum SbiStatus {
    /// Waits for an administrator.
    Pending,
    /// Devices can rest on it until it expires.
    Approved,
    /// Refused for good by an administrator.
    Rejected,
    /// Ended for good: no device rests on it.
    Deactivated,
}

impl Fold for Row {
    type Noun = Sbi;
    const DDL: &'static str = include_str!("../../migrations/read/sbi.sql");
    const FOREIGN: &'static [&'static str] = &["device_count"]; // see `count_devices`

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Added(_), _) => added(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Added(_) => {}
            Event::Approved {} => row.status = SbiStatus::Approved,
            Event::Rejected { reason } => row.ends(SbiStatus::Rejected, reason.as_str()),
            Event::Deactivated { reason } => row.ends(SbiStatus::Deactivated, reason.as_str()),
            Event::Expired { .. } => row.next_expiry = None,
        }
        Some(row)
    }
}

fn added(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Added(software) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: SbiStatus::Pending,
        status_reason: None,
        partner_id: software.provider_id.clone(),
        sw_version: software.sw_version.clone(),
        sw_binary_hash: software.sw_binary_hash.clone(),
        sw_create_date_time: software.sw_create_date_time,
        sw_expiry_date_time: software.sw_expiry_date_time,
        device_count: 0,
        next_expiry: Some(software.sw_expiry_date_time),
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn ends(&mut self, status: SbiStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
        self.next_expiry = None;
    }

    /// Whether devices can rest on it at `now`; [`LIVE`] says the same.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.status == SbiStatus::Approved && now < self.sw_expiry_date_time
    }
}

/// [`Row::is_live`] in SQL: of `sbi`, at the instant `?`.
pub(crate) const LIVE: &str = "sbi.status = 'APPROVED' and sbi.sw_expiry_date_time > ?";

/// Which secure biometric interfaces to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct SbiFilter {
    /// The interface's id.
    pub id: Option<IdFilter>,
    /// The provider.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// The version of the software.
    pub sw_version: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<SbiStatus>>,
    /// When it expires, as `swExpiryDateTime` tells.
    pub expires_at: Option<TimeFilter>,
    /// It expires within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// Whether it has expired.
    pub expired: Option<bool>,
    /// When it was added.
    pub created_at: Option<TimeFilter>,
}

/// What secure biometric interfaces can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum SbiSort {
    /// By `id`.
    Id,
    /// By the provider's id.
    PartnerId,
    /// By its organisation's name.
    OrganizationName,
    /// By `swVersion`, as text.
    SwVersion,
    /// By `status`.
    Status,
    /// By `swCreateDateTime`.
    SwCreateDateTime,
    /// By `swExpiryDateTime`.
    ExpiresAt,
    /// By the number of devices that rest on it, ended ones included.
    DeviceCount,
    /// By `createdAt`.
    CreatedAt,
    /// By `updatedAt`.
    UpdatedAt,
}

impl SortKey for SbiSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::SwVersion => Key::text("lower(t.sw_version)"),
            Self::Status => Key::text("t.status"),
            Self::SwCreateDateTime => Key::time("t.sw_create_date_time"),
            Self::ExpiresAt => Key::time("t.sw_expiry_date_time"),
            Self::DeviceCount => Key::number("t.device_count"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of secure biometric interfaces whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum SbiDistinct {
    SwVersion,
    Status,
}

impl Listed for Row {
    type Filter = SbiFilter;
    type Sort = SbiSort;
    type Distinct = SbiDistinct;
    const JOINS: &'static str = OF_PARTNER;

    fn filter(filter: &SbiFilter, conditions: &mut Conditions) {
        conditions.id("t.id", filter.id.as_ref());
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.text("t.sw_version", filter.sw_version.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.sw_expiry_date_time", filter.expires_at.as_ref());
        conditions.ends_within("t.sw_expiry_date_time", filter.expires_within_days);
        conditions.has_ended("t.sw_expiry_date_time", filter.expired);
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

/// Counts anew the devices that rest on the interfaces that `events` of devices name, or on all where
/// there are none. The count is the one column that is no fold of its own noun's events: a list
/// that is sorted by it would have to count all devices for one page.
pub(crate) async fn count_devices(
    db: &mut PgConnection,
    schema: &str,
    events: Option<&[LogRow]>,
) -> crate::Result<()> {
    let named = |event: &LogRow| {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).ok()?;
        payload["sbi_id"].as_str().map(ToOwned::to_owned)
    };
    let named = events.map(|events| {
        let devices = events.iter().filter(|event| event.aggregate_type == Device::TYPE);
        devices.filter_map(named).collect::<Vec<String>>()
    });
    if named.as_ref().is_some_and(Vec::is_empty) {
        return Ok(());
    }
    let sql = format!(
        "update {schema}.sbi set device_count = \
         (select count(*) from {schema}.device where sbi_ids @> array[sbi.id]) \
         where $1::text[] is null or id = any($1)"
    );
    sqlx::query(&sql).bind(named).execute(db).await?;
    Ok(())
}

/// The interfaces whose count in the live tables is not that of the devices there.
pub(crate) async fn miscounted(db: &mut PgConnection) -> crate::Result<Vec<String>> {
    let sql = format!(
        "select id from {READ}.sbi where device_count <> \
         (select count(*) from {READ}.device where sbi_ids @> array[sbi.id]) order by id"
    );
    Ok(sqlx::query_scalar(&sql).fetch_all(db).await?)
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["PENDING", "APPROVED"];
}
