//! Partners, as they can be asked for.

mod certificates;

pub use certificates::{CertificateStatus, NewestCertificate, PartnerCertificate};

use crate::fold::{Fold, RecordedOf};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::Reason;
use domain::actor::{MemberRole, Members};
use domain::ids::{PartnerId, PolicyGroupId};
use domain::partner::{AcceptedCertificate, ContactPurpose, Details, Event, Member, Partner};
use domain::reference::PartnerType;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use strum::{Display, IntoStaticStr};
use uuid::Uuid;

/// An organisation that works with the national ID.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "PartnerRow")]
pub struct Row {
    /// The partner's chosen id.
    pub id: PartnerId,
    /// How many events the partner has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the partner stands.
    pub status: PartnerStatus,
    /// Why it was suspended, reactivated or deactivated.
    pub status_reason: Option<String>,
    /// What kind of partner this is.
    pub partner_type: PartnerType,
    /// The organisation's name, which its certificates carry.
    pub organization_name: String,
    /// The group whose policies the partner may ask for.
    #[graphql(skip)]
    pub policy_group_id: Option<PolicyGroupId>,
    /// The language in which the partner wants to be written to, ISO 639-3.
    pub lang_code: Option<String>,
    /// Where the partner's logo is found.
    pub logo_url: Option<String>,
    /// The subjects that speak for the partner: those of `member_roles`, to be searched.
    #[graphql(skip)]
    pub members: Vec<String>,
    /// What each of them may do.
    #[graphql(skip)]
    pub member_roles: Members,
    /// Where the contact data lies, by purpose.
    #[graphql(skip)]
    pub contacts: BTreeMap<ContactPurpose, Uuid>,
    /// SHA-256 of the newest certificate that was not revoked, lower-case hex.
    pub certificate_fingerprint: Option<String>,
    /// When the newest certificate that was not revoked ends, see its `validUntil`.
    pub certificate_expires_at: Option<DateTime<Utc>>,
    /// When the newest certificate that was not revoked was accepted.
    #[graphql(skip)]
    pub certificate_uploaded_at: Option<DateTime<Utc>>,
    /// The serial number of the newest certificate that was not revoked.
    #[graphql(skip)]
    pub certificate_serial: Option<String>,
    /// The path of the newest certificate that was not revoked, to be searched.
    #[graphql(skip)]
    pub certificate_path: Vec<String>,
    /// All certificates that were accepted, newest first.
    #[graphql(skip)]
    pub certificates: Vec<PartnerCertificate>,
    /// When the next end of a certificate is to be told; nothing when all were.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When the partner was registered.
    pub created_at: DateTime<Utc>,
    /// The subject that registered it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a partner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PartnerStatus {
    /// Known, without a certificate.
    Registered,
    /// May work: it has a certificate that was accepted.
    Active,
    /// Stopped for a while.
    Suspended,
    /// Ended for good.
    Deactivated,
}

impl Fold for Row {
    type Noun = Partner;
    const DDL: &'static str = include_str!("../../migrations/read/partner.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Registered(_), _) => registered(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Registered(_) => {}
            Event::CertificateAccepted(it) => row.accept(it, recorded.recorded_at),
            Event::Activated {} => row.status = PartnerStatus::Active,
            Event::Suspended { reason } => row.becomes(PartnerStatus::Suspended, reason.as_str()),
            Event::Reactivated { reason } => row.becomes(PartnerStatus::Active, reason.as_str()),
            Event::Deactivated { reason } => {
                row.becomes(PartnerStatus::Deactivated, reason.as_str());
            }
            Event::MemberInvited(it) | Event::MemberRoleSet(it) => row.seat(it),
            Event::MemberRemoved { subject, .. } => row.unseat(subject),
            Event::ContactSet { purpose, contact } => {
                row.contacts.insert(*purpose, contact.reference);
            }
            Event::ContactRemoved { purpose } => {
                row.contacts.remove(purpose);
            }
            Event::DetailsUpdated(details) => row.present(details),
            Event::PolicyGroupSelected { policy_group_id } => {
                row.policy_group_id = Some(policy_group_id.clone());
            }
            Event::PolicyGroupMoved { policy_group_id, .. } => {
                row.policy_group_id = Some(policy_group_id.clone());
            }
            Event::CertificateExpired { fingerprint, .. } => row.tell(fingerprint),
            Event::SigningIntended(_) => {}
            Event::CertificateRevoked { fingerprint, reason } => {
                row.revoke(fingerprint, reason, recorded.recorded_at);
            }
            Event::PersonalDataErased { .. } => row.contacts.clear(),
        }
        row.next_expiry = row.untold_end();
        Some(row)
    }
}

fn registered(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Registered(registration) = &recorded.event else { return None };
    Some(Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: PartnerStatus::Registered,
        status_reason: None,
        partner_type: registration.partner_type,
        organization_name: registration.organization_name.clone(),
        policy_group_id: registration.policy_group_id.clone(),
        lang_code: registration.lang_code.clone(),
        logo_url: registration.logo_url.clone(),
        members: vec![registration.member.clone()],
        member_roles: Members::from([(registration.member.clone(), MemberRole::Manager)]),
        contacts: BTreeMap::from([(ContactPurpose::Primary, registration.contact.reference)]),
        certificate_fingerprint: None,
        certificate_expires_at: None,
        certificate_uploaded_at: None,
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
    fn becomes(&mut self, status: PartnerStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }

    fn accept(&mut self, accepted: &AcceptedCertificate, at: DateTime<Utc>) {
        if let Some(until) = accepted.overlap_until {
            self.certificates.iter_mut().for_each(|it| it.is_superseded(until));
        }
        self.certificates.insert(0, PartnerCertificate::accepted(accepted, at));
        self.show_newest_certificate();
    }

    fn revoke(&mut self, fingerprint: &str, reason: &Reason, at: DateTime<Utc>) {
        let revoked = self.certificates.iter_mut().filter(|it| it.fingerprint == fingerprint);
        revoked.for_each(|it| it.is_revoked(reason.as_str(), at));
        self.show_newest_certificate();
    }

    fn show_newest_certificate(&mut self) {
        let newest = self.certificates.iter().find(|it| it.revoked_at.is_none());
        self.certificate_fingerprint = newest.map(|it| it.fingerprint.clone());
        self.certificate_expires_at = newest.map(|it| it.valid_until);
        self.certificate_uploaded_at = newest.map(|it| it.uploaded_at);
        self.certificate_serial = newest.map(|it| it.serial.clone());
        self.certificate_path = newest.map_or_else(Vec::new, |it| it.path.clone());
    }

    fn seat(&mut self, member: &Member) {
        self.member_roles.insert(member.subject.clone(), member.role);
        self.members = self.member_roles.keys().cloned().collect();
    }

    fn unseat(&mut self, subject: &str) {
        self.member_roles.remove(subject);
        self.members = self.member_roles.keys().cloned().collect();
    }

    fn present(&mut self, details: &Details) {
        self.lang_code.clone_from(&details.lang_code);
        self.logo_url.clone_from(&details.logo_url);
    }

    fn tell(&mut self, fingerprint: &str) {
        let ended = self.certificates.iter_mut().filter(|it| it.fingerprint == fingerprint);
        ended.for_each(|it| it.told = true);
    }

    /// A partner that has ended needs no certificate any more.
    fn untold_end(&self) -> Option<DateTime<Utc>> {
        let untold = self.certificates.iter().filter(|it| !it.told && it.revoked_at.is_none());
        let ends = untold.map(|it| it.valid_until);
        ends.min().filter(|_| self.status != PartnerStatus::Deactivated)
    }
}

/// Which partners to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct PartnerFilter {
    /// The partner's id.
    pub partner_id: Option<TextFilter>,
    /// The organisation's name.
    pub organization_name: Option<TextFilter>,
    /// One of these types.
    pub partner_type: Option<Vec<PartnerType>>,
    /// One of these states.
    pub status: Option<Vec<PartnerStatus>>,
    /// In one of these policy groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// Whether it has a policy group.
    pub has_policy_group: Option<bool>,
    /// The e-mail address, whole: personal data is neither sorted nor searched.
    pub email_id: Option<String>,
    /// What the newest certificate that was not revoked is now.
    pub certificate_status: Option<Vec<NewestCertificate>>,
    /// When the newest certificate ends.
    pub certificate_expires_at: Option<TimeFilter>,
    /// The newest certificate ends within so many days from now, 1 to 365, and has not ended yet.
    pub expires_within_days: Option<i32>,
    /// When the partner was registered.
    pub created_at: Option<TimeFilter>,
    /// The holder of the e-mail address, found through its claim.
    #[graphql(skip)]
    pub email_holder: Option<String>,
}

/// The policy group of a partner, by name; those without come as if theirs had none.
const GROUP_OR_NONE: &str = "join (select id, lower(name) as name from policy_group \
     union all select '', '') named on named.id = coalesce(t.policy_group_id, '')";

/// What partners can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum PartnerSort {
    Id,
    OrganizationName,
    PartnerType,
    PolicyGroupName,
    Status,
    CertificateExpiresAt,
    CertificateUploadedAt,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for PartnerSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("lower(t.id)"),
            Self::OrganizationName => Key::text("lower(t.organization_name)"),
            Self::PartnerType => Key::text("t.partner_type"),
            Self::PolicyGroupName => Key::text("named.name").of("named").joining(GROUP_OR_NONE),
            Self::Status => Key::text("t.status"),
            Self::CertificateExpiresAt => {
                Key::time("coalesce(t.certificate_expires_at, 'infinity')")
            }
            Self::CertificateUploadedAt => {
                Key::time("coalesce(t.certificate_uploaded_at, 'infinity')")
            }
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of partners whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum PartnerDistinct {
    PartnerType,
    Status,
    PolicyGroupId,
}

impl Listed for Row {
    type Filter = PartnerFilter;
    type Sort = PartnerSort;
    type Distinct = PartnerDistinct;
    const JOINS: &'static str = "left join policy_group on policy_group.id = t.policy_group_id";

    fn filter(filter: &PartnerFilter, conditions: &mut Conditions) {
        conditions.text("t.id", filter.partner_id.as_ref());
        conditions.text("t.organization_name", filter.organization_name.as_ref());
        conditions.any_of("t.partner_type", filter.partner_type.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.any_id("t.policy_group_id", filter.policy_group_id.as_ref());
        conditions.text("policy_group.name", filter.policy_group_name.as_ref());
        conditions.is_there("t.policy_group_id", filter.has_policy_group);
        conditions.time("t.certificate_expires_at", filter.certificate_expires_at.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
        conditions.ends_within("t.certificate_expires_at", filter.expires_within_days);
        NewestCertificate::filter(filter.certificate_status.as_ref(), conditions);
        if filter.email_id.is_some() {
            conditions.add_text("t.id = ?", filter.email_holder.clone().unwrap_or_default());
        }
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_id("t.id", Some(&partners.to_vec()));
    }
}

/// When contact data of these partners was erased last; without those of whom it never was. Asked of
/// the log and not of rows, for what was erased is gone from every past, too.
pub async fn contacts_erased_at(
    db: impl PgExecutor<'_>,
    ids: &[String],
) -> crate::Result<Vec<(String, DateTime<Utc>)>> {
    let sql = "select aggregate_id, max(recorded_at) from public.events \
               where aggregate_type = 'partner' and aggregate_id = any($1) \
                 and event_type = 'personal_data_erased' group by aggregate_id";
    Ok(sqlx::query_as(sql).bind(ids).fetch_all(db).await?)
}

/// The partners that `subject` is a member of, and what it is there: now, also where the past is
/// served, for who has left sees nothing any more.
pub async fn of_member(
    db: impl PgExecutor<'_>,
    subject: &str,
) -> crate::Result<Vec<(PartnerId, MemberRole)>> {
    let sql = "select id, member_roles->$1 from read.partner \
               where members @> array[$1] order by id";
    let seats: Vec<(String, serde_json::Value)> =
        sqlx::query_as(sql).bind(subject).fetch_all(db).await?;
    let seat = |(id, role): (String, _)| Ok((id.as_str().into(), serde_json::from_value(role)?));
    seats.into_iter().map(seat).collect()
}
