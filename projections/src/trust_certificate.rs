//! Trust certificates, as they can be asked for.

pub mod dependents;

use crate::fold::{Fold, RecordedOf};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::certificate::Certificate;
use domain::ids::TrustCertificateId;
use domain::reference::TrustDomain;
use domain::trust_certificate::standing::Fact;
use domain::trust_certificate::{
    Crl, Event, TrustCertificate, TrustCertificateStatus, TrustKind, Trusted,
};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::collections::{BTreeSet, HashMap};
use strum::IntoStaticStr;

/// A root or intermediate certificate that is trusted in one domain.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "TrustCertificateRow")]
pub struct Row {
    /// The id of the certificate's record.
    pub id: TrustCertificateId,
    /// How many events it has had; give it as `expectedVersion`.
    pub version: i64,
    /// What was decided about it. Whether it is trusted, `trusted` tells.
    pub status: TrustCertificateStatus,
    /// Why it was disabled, enabled or revoked.
    pub status_reason: Option<String>,
    /// Where it is trusted.
    pub partner_domain: TrustDomain,
    /// Root or intermediate.
    pub kind: TrustKind,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Fingerprint of the certificate whose key verified this one; its own for a root.
    pub issuer_fingerprint: String,
    /// SHA-256 of its key, lower-case hex.
    pub key_fingerprint: String,
    /// Its serial number, lower-case hex.
    pub serial: String,
    /// The certificate, PEM.
    pub certificate_data: String,
    /// Its subject.
    pub issued_to: String,
    /// Its issuer.
    pub issued_by: String,
    /// When it begins.
    pub valid_from: DateTime<Utc>,
    /// When it ends.
    pub valid_till: DateTime<Utc>,
    /// The number of the attached revocation list, hex; null while there is none.
    pub crl_number: Option<String>,
    /// When that list was issued.
    pub crl_this_update: Option<DateTime<Utc>>,
    /// When the next list is due. The attached one holds until it comes.
    pub crl_next_update: Option<DateTime<Utc>>,
    /// How many certificates the attached list takes back.
    pub crl_revoked_count: i32,
    /// Their serial numbers.
    #[graphql(skip)]
    pub revoked_serials: BTreeSet<String>,
    /// When its end is to be told; nothing once it was.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
    /// The subject that uploaded it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

impl Fold for Row {
    type Noun = TrustCertificate;
    const DDL: &'static str = include_str!("../../migrations/read/trust_certificate.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Uploaded(_), _) => uploaded(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Uploaded(_) => {}
            Event::Disabled { reason } => {
                row.becomes(TrustCertificateStatus::Disabled, reason.as_str());
            }
            Event::Enabled { reason } => {
                row.becomes(TrustCertificateStatus::Active, reason.as_str());
            }
            Event::Revoked { reason } => {
                row.becomes(TrustCertificateStatus::Revoked, reason.as_str());
            }
            Event::CrlAttached(crl) => row.attach(crl),
            Event::Expired { .. } => row.next_expiry = None,
        }
        Some(row)
    }
}

fn uploaded(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Uploaded(trusted) = &recorded.event else { return None };
    let (key_fingerprint, serial) = key_and_serial(trusted);
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: TrustCertificateStatus::Active,
        status_reason: None,
        partner_domain: trusted.domain,
        kind: trusted.kind,
        fingerprint: trusted.fingerprint.clone(),
        issuer_fingerprint: trusted.issuer_fingerprint.clone(),
        key_fingerprint,
        serial,
        certificate_data: trusted.certificate.clone(),
        issued_to: trusted.subject.clone(),
        issued_by: trusted.issuer.clone(),
        valid_from: trusted.not_before,
        valid_till: trusted.not_after,
        crl_number: None,
        crl_this_update: None,
        crl_next_update: None,
        crl_revoked_count: 0,
        revoked_serials: BTreeSet::new(),
        next_expiry: Some(trusted.not_after),
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    })
}

/// Read off the certificate, which was well-formed when it was accepted.
fn key_and_serial(trusted: &Trusted) -> (String, String) {
    let read = Certificate::read(&trusted.certificate, "");
    read.map(|it| (it.spki_sha256(), it.serial())).unwrap_or_default()
}

impl Row {
    fn attach(&mut self, crl: &Crl) {
        self.crl_number = Some(crl.number.clone());
        self.crl_this_update = Some(crl.this_update);
        self.crl_next_update = Some(crl.next_update);
        self.crl_revoked_count = i32::try_from(crl.revoked.len()).unwrap_or(i32::MAX);
        self.revoked_serials.clone_from(&crl.revoked);
    }

    fn becomes(&mut self, status: TrustCertificateStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }
}

/// Which trust certificates to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TrustCertificateFilter {
    /// The id of the certificate's record.
    pub certificate_id: Option<TextFilter>,
    /// Root or intermediate.
    pub kind: Option<Vec<TrustKind>>,
    /// In one of these domains.
    pub partner_domain: Option<Vec<TrustDomain>>,
    /// One of these states.
    pub status: Option<Vec<TrustCertificateStatus>>,
    /// Its subject.
    pub issued_to: Option<TextFilter>,
    /// Its issuer.
    pub issued_by: Option<TextFilter>,
    /// Its fingerprint.
    pub fingerprint: Option<TextFilter>,
    /// When it begins.
    pub valid_from: Option<TimeFilter>,
    /// When it ends.
    pub valid_till: Option<TimeFilter>,
    /// It ends within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// When it was uploaded.
    pub created_at: Option<TimeFilter>,
}

/// What trust certificates can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum TrustCertificateSort {
    Id,
    Kind,
    PartnerDomain,
    IssuedTo,
    IssuedBy,
    ValidFrom,
    ValidTill,
    Status,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for TrustCertificateSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::Kind => Key::text("t.kind"),
            Self::PartnerDomain => Key::text("t.partner_domain"),
            Self::IssuedTo => Key::text("lower(t.issued_to)"),
            Self::IssuedBy => Key::text("lower(t.issued_by)"),
            Self::ValidFrom => Key::time("t.valid_from"),
            Self::ValidTill => Key::time("t.valid_till"),
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of trust certificates whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum TrustCertificateDistinct {
    Kind,
    PartnerDomain,
    Status,
}

impl Listed for Row {
    type Filter = TrustCertificateFilter;
    type Sort = TrustCertificateSort;
    type Distinct = TrustCertificateDistinct;

    fn filter(filter: &TrustCertificateFilter, conditions: &mut Conditions) {
        conditions.text("t.id", filter.certificate_id.as_ref());
        conditions.any_of("t.kind", filter.kind.as_ref());
        conditions.any_of("t.partner_domain", filter.partner_domain.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.text("t.issued_to", filter.issued_to.as_ref());
        conditions.text("t.issued_by", filter.issued_by.as_ref());
        conditions.text("t.fingerprint", filter.fingerprint.as_ref());
        conditions.time("t.valid_from", filter.valid_from.as_ref());
        conditions.time("t.valid_till", filter.valid_till.as_ref());
        conditions.ends_within("t.valid_till", filter.expires_within_days);
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    /// Which authorities are trusted is no secret: partners have to buy from them.
    fn scope(_: &[String], _: &mut Conditions) {}
}

/// The certificates that are trusted in a domain.
pub async fn trusted(db: impl PgExecutor<'_>, domain: TrustDomain) -> crate::Result<Vec<Row>> {
    let sql = "select to_jsonb(t) from trust_certificate t \
               where partner_domain = $1 and status = 'ACTIVE' order by id";
    let rows: Vec<serde_json::Value> =
        sqlx::query_scalar(sql).bind(domain.to_string()).fetch_all(db).await?;
    rows.into_iter().map(|row| Ok(serde_json::from_value(row)?)).collect()
}

/// The records of certificates in a domain, whatever their states, by fingerprint.
pub async fn by_fingerprints(
    db: impl PgExecutor<'_>,
    domain: TrustDomain,
    fingerprints: &[String],
) -> crate::Result<HashMap<String, String>> {
    let sql = "select fingerprint, id from trust_certificate \
               where partner_domain = $1 and fingerprint = any($2)";
    let query = sqlx::query_as(sql).bind(domain.to_string()).bind(fingerprints);
    let found: Vec<(String, String)> = query.fetch_all(db).await?;
    Ok(found.into_iter().collect())
}

/// What is known of the certificates of these domains, for telling what is trusted.
pub async fn facts(
    db: impl PgExecutor<'_>,
    domains: &[String],
) -> crate::Result<Vec<(String, Fact)>> {
    let sql = "select partner_domain, to_jsonb(f) from trust_certificate t, lateral (select \
               t.id, t.fingerprint, t.issuer_fingerprint, t.key_fingerprint, t.serial, t.status, \
               t.valid_from, t.valid_till, t.revoked_serials) f where partner_domain = any($1)";
    let rows: Vec<(String, serde_json::Value)> =
        sqlx::query_as(sql).bind(domains).fetch_all(db).await?;
    rows.into_iter().map(|(domain, fact)| Ok((domain, serde_json::from_value(fact)?))).collect()
}
