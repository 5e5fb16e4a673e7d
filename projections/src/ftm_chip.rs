//! FTM chips, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, OF_PARTNER, ORGANIZATION_NAME};
use crate::page::{Conditions, IdFilter, Key, Listed, SortKey, TextFilter, TimeFilter};
use crate::partner::{NewestCertificate, PartnerCertificate};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ftm_chip::{Event, FtmChip};
use domain::ids::{FtmChipId, PartnerId};
use domain::partner::AcceptedCertificate;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// A make and model of foundational trust module chip.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "FtmChipRow")]
pub struct Row {
    /// The chip's id.
    pub id: FtmChipId,
    /// How many events the chip has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the chip stands. Expiry is told by `certificateExpiresAt` alone.
    pub status: FtmChipStatus,
    /// Why it was rejected or deactivated.
    pub status_reason: Option<String>,
    /// Who makes it.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// Who made it, in the provider's words.
    pub make: String,
    /// Which one it is, in the provider's words.
    pub model: String,
    /// SHA-256 of the newest certificate, lower-case hex.
    pub certificate_fingerprint: Option<String>,
    /// When the newest certificate or its counter-signed form ends, whichever is first.
    pub certificate_expires_at: Option<DateTime<Utc>>,
    /// The serial number of the newest certificate.
    #[graphql(skip)]
    pub certificate_serial: Option<String>,
    /// The path of the newest certificate, to be searched.
    #[graphql(skip)]
    pub certificate_path: Vec<String>,
    /// All certificates that were accepted, newest first.
    #[graphql(skip)]
    pub certificates: Vec<PartnerCertificate>,
    /// When the log is to be told that the newest certificate has expired; absent when there is
    /// nothing to tell.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// The subject that added it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where an FTM chip stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum FtmChipStatus {
    /// Waits for its certificate.
    PendingCertificate,
    /// Waits for an administrator.
    Pending,
    /// May be used.
    Approved,
    /// Refused for good by an administrator.
    Rejected,
    /// Ended for good after it had been approved.
    Deactivated,
}

impl Fold for Row {
    type Noun = FtmChip;
    const DDL: &'static str = include_str!("../../migrations/read/ftm_chip.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Added(_), _) => added(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Added(_) => {}
            Event::CertificateAccepted(it) => row.accept(it, recorded.recorded_at),
            Event::Approved {} => row.status = FtmChipStatus::Approved,
            Event::Rejected { reason } => row.ends(FtmChipStatus::Rejected, reason.as_str()),
            Event::Deactivated { reason } => row.ends(FtmChipStatus::Deactivated, reason.as_str()),
            Event::Expired { .. } => row.tell(),
            Event::SigningIntended(_) => {}
        }
        Some(row)
    }
}

fn added(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Added(chip) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: FtmChipStatus::PendingCertificate,
        status_reason: None,
        partner_id: chip.provider_id.clone(),
        make: chip.make.clone(),
        model: chip.model.clone(),
        certificate_fingerprint: None,
        certificate_expires_at: None,
        certificate_serial: None,
        certificate_path: Vec::new(),
        certificates: Vec::new(),
        next_expiry: None,
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

impl Row {
    fn accept(&mut self, accepted: &AcceptedCertificate, at: DateTime<Utc>) {
        self.status = FtmChipStatus::Pending;
        self.certificates.iter_mut().for_each(|it| it.is_superseded(at));
        self.certificate_fingerprint = Some(accepted.fingerprint.clone());
        self.certificate_expires_at = Some(accepted.ends_at());
        self.next_expiry = self.certificate_expires_at;
        let certificate = PartnerCertificate::accepted(accepted, at);
        self.certificate_serial = Some(certificate.serial.clone());
        self.certificate_path.clone_from(&certificate.path);
        self.certificates.insert(0, certificate);
    }

    fn tell(&mut self) {
        self.next_expiry = None;
        if let Some(newest) = self.certificates.first_mut() {
            newest.told = true;
        }
    }

    fn ends(&mut self, status: FtmChipStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
        self.next_expiry = None;
    }
}

/// Which FTM chips to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct FtmChipFilter {
    /// The chip's id.
    pub id: Option<IdFilter>,
    /// The provider.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// Who made it.
    pub make: Option<TextFilter>,
    /// Which one it is.
    pub model: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<FtmChipStatus>>,
    /// When its newest certificate ends.
    pub certificate_expires_at: Option<TimeFilter>,
    /// Its newest certificate ends within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// What its newest certificate is now.
    pub certificate_status: Option<Vec<NewestCertificate>>,
    /// When it was added.
    pub created_at: Option<TimeFilter>,
}

/// What FTM chips can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum FtmChipSort {
    Id,
    PartnerId,
    OrganizationName,
    Make,
    Model,
    Status,
    CertificateExpiresAt,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for FtmChipSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::Make => Key::text("lower(t.make)"),
            Self::Model => Key::text("lower(t.model)"),
            Self::Status => Key::text("t.status"),
            Self::CertificateExpiresAt => {
                Key::time("coalesce(t.certificate_expires_at, 'infinity')")
            }
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of FTM chips whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum FtmChipDistinct {
    Make,
    Model,
    Status,
}

impl Listed for Row {
    type Filter = FtmChipFilter;
    type Sort = FtmChipSort;
    type Distinct = FtmChipDistinct;
    const JOINS: &'static str = OF_PARTNER;

    fn filter(filter: &FtmChipFilter, conditions: &mut Conditions) {
        conditions.id("t.id", filter.id.as_ref());
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.text("t.make", filter.make.as_ref());
        conditions.text("t.model", filter.model.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.certificate_expires_at", filter.certificate_expires_at.as_ref());
        conditions.ends_within("t.certificate_expires_at", filter.expires_within_days);
        NewestCertificate::filter(filter.certificate_status.as_ref(), conditions);
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["PENDING_CERTIFICATE", "PENDING", "APPROVED"];
}
