//! Devices, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, OF_PARTNER, ORGANIZATION_NAME};
use crate::page::{Conditions, IdFilter, Key, Listed, SortKey, TextFilter, TimeFilter};
use crate::sbi;
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::device::{Device, Event};
use domain::ids::{DeviceId, PartnerId, SbiId};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use strum::{Display, IntoStaticStr};

/// A make and model of biometric device.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "DeviceRow")]
pub struct Row {
    /// The device's id.
    pub id: DeviceId,
    /// How many events the device has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the device stands.
    pub status: DeviceStatus,
    /// Why it was rejected or deactivated.
    pub status_reason: Option<String>,
    /// Who makes it.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// What kind of device it is, as in `deviceTypes`.
    pub device_type: String,
    /// In which way it is built, as in `deviceTypes`.
    pub device_sub_type: String,
    /// Who made it, in the provider's words.
    pub make: String,
    /// Which one it is, in the provider's words.
    pub model: String,
    /// The secure biometric interfaces that it rests on, the oldest link first.
    #[graphql(skip)]
    pub sbi_ids: Vec<SbiId>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The subject that added it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceStatus {
    /// Waits for an administrator.
    Pending,
    /// May be used.
    Approved,
    /// Refused for good, by an administrator or with the last interface it rested on.
    Rejected,
    /// Ended for good after it had been approved.
    Deactivated,
}

impl Fold for Row {
    type Noun = Device;
    const DDL: &'static str = include_str!("../../migrations/read/device.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Added { .. }, _) => added(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Added { .. } => {}
            Event::LinkedToSbi { sbi_id } => row.sbi_ids.push(sbi_id.clone()),
            Event::UnlinkedFromSbi { sbi_id } => row.sbi_ids.retain(|id| id != sbi_id),
            Event::Approved {} => row.status = DeviceStatus::Approved,
            Event::Rejected { reason } => row.becomes(DeviceStatus::Rejected, reason.as_str()),
            Event::Deactivated { reason } => {
                row.becomes(DeviceStatus::Deactivated, reason.as_str());
            }
        }
        Some(row)
    }
}

fn added(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Added { provider_id, model, sbi_id } = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: DeviceStatus::Pending,
        status_reason: None,
        partner_id: provider_id.clone(),
        device_type: model.device_type.clone(),
        device_sub_type: model.device_sub_type.clone(),
        make: model.make.clone(),
        model: model.model.clone(),
        sbi_ids: sbi_id.iter().cloned().collect(),
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn becomes(&mut self, status: DeviceStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which devices to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct DeviceFilter {
    /// The device's id.
    pub id: Option<IdFilter>,
    /// The provider.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// A secure biometric interface that the device rests on.
    pub sbi_id: Option<IdFilter>,
    /// The version of such an interface.
    pub sbi_version: Option<TextFilter>,
    /// One of these kinds of device, as in `deviceTypes`.
    pub device_type: Option<Vec<String>>,
    /// In one of these ways built, as in `deviceTypes`.
    pub device_sub_type: Option<Vec<String>>,
    /// Who made it.
    pub make: Option<TextFilter>,
    /// Which one it is.
    pub model: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<DeviceStatus>>,
    /// Whether it rests on no secure biometric interface that is approved and has not expired.
    pub orphan: Option<bool>,
    /// When it was added.
    pub created_at: Option<TimeFilter>,
}

/// The first interface of a device, by version; those without come as if theirs had none.
const FIRST_SBI: &str = "join (select id, lower(sw_version) as version from sbi \
     union all select '', '') first on first.id = coalesce(t.sbi_ids[1], '')";

/// What devices can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DeviceSort {
    /// By `id`.
    Id,
    /// By the provider's id.
    PartnerId,
    /// By its organisation's name.
    OrganizationName,
    /// By the id of the first secure biometric interface that it rests on.
    SbiId,
    /// By the version, as text, of the first secure biometric interface that it rests on.
    SbiVersion,
    /// By `deviceType`.
    DeviceType,
    /// By `deviceSubType`.
    DeviceSubType,
    /// By `make`.
    Make,
    /// By `model`.
    Model,
    /// By `status`.
    Status,
    /// By `createdAt`.
    CreatedAt,
    /// By `updatedAt`.
    UpdatedAt,
}

impl SortKey for DeviceSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::SbiId => Key::text("coalesce(t.sbi_ids[1], '')"),
            Self::SbiVersion => Key::text("first.version").of("first").joining(FIRST_SBI),
            Self::DeviceType => Key::text("t.device_type"),
            Self::DeviceSubType => Key::text("t.device_sub_type"),
            Self::Make => Key::text("lower(t.make)"),
            Self::Model => Key::text("lower(t.model)"),
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of devices whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum DeviceDistinct {
    DeviceType,
    DeviceSubType,
    Make,
    Model,
    Status,
}

impl Listed for Row {
    type Filter = DeviceFilter;
    type Sort = DeviceSort;
    type Distinct = DeviceDistinct;
    const JOINS: &'static str = OF_PARTNER;

    fn filter(filter: &DeviceFilter, conditions: &mut Conditions) {
        conditions.id("t.id", filter.id.as_ref());
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.any_of("t.device_type", filter.device_type.as_ref());
        conditions.any_of("t.device_sub_type", filter.device_sub_type.as_ref());
        conditions.text("t.make", filter.make.as_ref());
        conditions.text("t.model", filter.model.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
        conditions.any_in("t.sbi_ids", "sbi", |sbi| {
            sbi.id("sbi.id", filter.sbi_id.as_ref());
            sbi.text("sbi.sw_version", filter.sbi_version.as_ref());
        });
        if let Some(orphan) = filter.orphan {
            let not = if orphan { "not" } else { "" };
            let its = "sbi where sbi.id = any(t.sbi_ids)";
            let sql = format!("{not} exists (select from {its} and {})", sbi::LIVE);
            conditions.add_time(&sql, conditions.now);
        }
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["PENDING", "APPROVED"];
}

/// The devices that rest on a secure biometric interface and have not ended.
pub async fn live_of_sbi(db: impl PgExecutor<'_>, sbi: &SbiId) -> crate::Result<Vec<String>> {
    let sql = "select id from device \
               where sbi_ids @> array[$1] and status = any($2) order by id";
    let query = sqlx::query_scalar(sql).bind(sbi.as_str());
    Ok(query.bind(<Row as Held>::LIVE).fetch_all(db).await?)
}

/// How many devices rest on a secure biometric interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SimpleObject)]
#[graphql(name = "SbiDevices")]
pub struct Counts {
    /// Those that may be used.
    pub approved: i64,
    /// Those that wait for an administrator.
    pub pending: i64,
    /// All, rejected and deactivated ones included.
    pub total: i64,
}

/// The counts of many secure biometric interfaces; none for one without devices.
pub async fn counts(
    db: impl PgExecutor<'_>,
    sbis: &[String],
) -> crate::Result<Vec<(String, Counts)>> {
    let sql = "select sbi, count(*) filter (where status = 'APPROVED'), \
               count(*) filter (where status = 'PENDING'), count(*) \
               from device, unnest(sbi_ids) sbi \
               where sbi_ids && $1 and sbi = any($1) group by sbi";
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(sql).bind(sbis).fetch_all(db).await?;
    let counts = |(sbi, approved, pending, total)| (sbi, Counts { approved, pending, total });
    Ok(rows.into_iter().map(counts).collect())
}
