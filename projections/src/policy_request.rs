//! Partners' requests for policies, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, ORGANIZATION_NAME, POLICY_GROUP_NAME, POLICY_NAME, UNDER_POLICY};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::Reason;
use domain::ids::{PartnerId, PolicyGroupId, PolicyId, PolicyRequestId};
use domain::policy_request::{Asked, Comment, Event, ExtractorChoice, PolicyRequest, Wording};
use domain::reference::PartnerType;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use strum::{Display, IntoStaticStr};

/// A partner's wish to work under a policy.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "PolicyRequestRow")]
pub struct Row {
    /// The request's id.
    pub id: PolicyRequestId,
    /// How many events the request has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the request stands.
    pub status: PolicyRequestStatus,
    /// Who asks.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// For what.
    #[graphql(skip)]
    pub policy_id: PolicyId,
    /// What the partner wants to do with it.
    pub comment: String,
    /// The type of credential that the partner will receive under the policy.
    pub credential_type: Option<String>,
    /// What makes the biometric templates that are shared under it.
    #[graphql(skip)]
    pub extractors: Vec<ExtractorChoice>,
    /// When it was submitted; null when it never was more than a draft.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it was approved, rejected, withdrawn or revoked last.
    pub decided_at: Option<DateTime<Utc>>,
    /// The subject that did so.
    pub decided_by: Option<String>,
    /// What they said: the comment of an approval, the reason of anything else.
    pub decision_reason: Option<String>,
    /// When the request was drafted, or submitted where it never was a draft.
    pub created_at: DateTime<Utc>,
    /// The subject that did so.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyRequestStatus {
    /// Being written; seen by its partner only.
    Draft,
    /// Waits for an administrator.
    Pending,
    /// The partner may work under the policy.
    Approved,
    /// Refused by an administrator; the partner may ask again.
    Rejected,
    /// Taken back by the partner, or ended with it.
    Withdrawn,
    /// Approved once, ended since.
    Revoked,
}

impl Fold for Row {
    type Noun = PolicyRequest;
    const DDL: &'static str = include_str!("../../migrations/read/policy_request.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        use PolicyRequestStatus::{Approved, Draft, Pending, Rejected, Revoked, Withdrawn};
        let mut row = match (&recorded.event, row) {
            (Event::Submitted(asked), _) => begun(asked, Pending, recorded),
            (Event::Drafted(asked), _) => begun(asked, Draft, recorded),
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Submitted(_) => row.submitted_at = Some(recorded.recorded_at),
            Event::Drafted(_) => {}
            Event::DraftUpdated(wording) => row.says(wording),
            Event::DraftSubmitted {} => {
                row.status = Pending;
                row.submitted_at = Some(recorded.recorded_at);
            }
            Event::Approved { comment } => {
                row.decided(Approved, comment.as_ref().map(Comment::as_str), recorded);
            }
            Event::Rejected { reason } => row.decided(Rejected, Some(reason.as_str()), recorded),
            Event::Withdrawn { reason } => {
                row.decided(Withdrawn, reason.as_ref().map(Reason::as_str), recorded);
            }
            Event::Revoked { reason } => row.decided(Revoked, Some(reason.as_str()), recorded),
        }
        Some(row)
    }
}

fn begun(asked: &Asked, status: PolicyRequestStatus, recorded: &RecordedOf<Row>) -> Row {
    Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status,
        partner_id: asked.partner_id.clone(),
        policy_id: asked.policy_id.clone(),
        comment: asked.wording.comment.as_str().to_owned(),
        credential_type: asked.wording.credential_type.clone(),
        extractors: asked.wording.extractors.clone(),
        submitted_at: None,
        decided_at: None,
        decided_by: None,
        decision_reason: None,
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    }
}

impl Row {
    fn says(&mut self, wording: &Wording) {
        wording.comment.as_str().clone_into(&mut self.comment);
        self.credential_type.clone_from(&wording.credential_type);
        self.extractors.clone_from(&wording.extractors);
    }

    fn decided(
        &mut self,
        status: PolicyRequestStatus,
        reason: Option<&str>,
        recorded: &RecordedOf<Self>,
    ) {
        self.status = status;
        self.decided_at = Some(recorded.recorded_at);
        self.decided_by = Some(recorded.metadata.actor.clone());
        self.decision_reason = reason.map(ToOwned::to_owned);
    }
}

/// Which requests to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct PolicyRequestFilter {
    /// The partner that asks.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// One of these types of partner.
    pub partner_type: Option<Vec<PartnerType>>,
    /// The policy asked for.
    pub policy_id: Option<TextFilter>,
    /// Its name.
    pub policy_name: Option<TextFilter>,
    /// In one of these groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<PolicyRequestStatus>>,
    /// One of these types of credential.
    pub credential_type: Option<Vec<String>>,
    /// What the partner wrote.
    pub comment: Option<TextFilter>,
    /// The subject that decided.
    pub decided_by: Option<TextFilter>,
    /// When the request was drafted or submitted.
    pub created_at: Option<TimeFilter>,
    /// What was never submitted is for its partner.
    #[graphql(skip)]
    pub without_drafts: bool,
}

/// What requests can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum PolicyRequestSort {
    PartnerId,
    OrganizationName,
    PartnerType,
    PolicyId,
    PolicyName,
    PolicyGroupName,
    Status,
    DecidedAt,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for PolicyRequestSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::PartnerType => Key::text("partner.partner_type").of("partner"),
            Self::PolicyId => Key::text("t.policy_id"),
            Self::PolicyName => POLICY_NAME,
            Self::PolicyGroupName => POLICY_GROUP_NAME,
            Self::Status => Key::text("t.status"),
            Self::DecidedAt => Key::time("coalesce(t.decided_at, 'infinity')"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of requests whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum PolicyRequestDistinct {
    PolicyId,
    Status,
    CredentialType,
}

impl Listed for Row {
    type Filter = PolicyRequestFilter;
    type Sort = PolicyRequestSort;
    type Distinct = PolicyRequestDistinct;
    const JOINS: &'static str = UNDER_POLICY;

    fn filter(filter: &PolicyRequestFilter, conditions: &mut Conditions) {
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.any_of("partner.partner_type", filter.partner_type.as_ref());
        conditions.text("policy.id", filter.policy_id.as_ref());
        conditions.text("policy.name", filter.policy_name.as_ref());
        conditions.any_id("policy.policy_group_id", filter.policy_group_id.as_ref());
        conditions.text("policy_group.name", filter.policy_group_name.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.any_of("t.credential_type", filter.credential_type.as_ref());
        conditions.text("t.comment", filter.comment.as_ref());
        conditions.text("t.decided_by", filter.decided_by.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
        if filter.without_drafts {
            conditions.add_plain("t.submitted_at is not null");
        }
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["DRAFT", "PENDING", "APPROVED"];
}

/// How many requests for a policy are open or approved.
pub async fn live_for_policy(db: impl PgExecutor<'_>, policy: &PolicyId) -> crate::Result<usize> {
    let sql = "select count(*) from policy_request \
               where policy_id = $1 and status in ('PENDING', 'APPROVED')";
    let count: i64 = sqlx::query_scalar(sql).bind(policy.as_str()).fetch_one(db).await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The approved request of a partner for a policy.
pub async fn approved(
    db: impl PgExecutor<'_>,
    partner: &PartnerId,
    policy: &PolicyId,
) -> crate::Result<Option<String>> {
    let sql = "select id from policy_request \
               where partner_id = $1 and policy_id = $2 and status = 'APPROVED' order by id limit 1";
    let query = sqlx::query_scalar(sql).bind(partner.as_str()).bind(policy.as_str());
    Ok(query.fetch_optional(db).await?)
}

/// The approved request of a partner that names a credential type.
pub async fn approved_for_credential_type(
    db: impl PgExecutor<'_>,
    partner: &PartnerId,
    credential_type: &str,
) -> crate::Result<Option<Row>> {
    let sql = "select to_jsonb(t) from policy_request t \
               where partner_id = $1 and credential_type = $2 and status = 'APPROVED' limit 1";
    let query = sqlx::query_scalar(sql).bind(partner.as_str()).bind(credential_type);
    let row: Option<serde_json::Value> = query.fetch_optional(db).await?;
    Ok(row.map(serde_json::from_value).transpose()?)
}

/// How many requests that are drafts, open or approved name each of these extractors; those that
/// none names are left out.
pub async fn uses(
    db: impl PgExecutor<'_>,
    extractors: &[String],
) -> crate::Result<Vec<(String, usize)>> {
    let sql = "select x.id, count(*) from unnest($1::text[]) x(id) join policy_request t \
               on t.extractors @> jsonb_build_array(jsonb_build_object('extractor_id', x.id)) \
               where t.status in ('DRAFT', 'PENDING', 'APPROVED') group by x.id";
    let counts: Vec<(String, i64)> = sqlx::query_as(sql).bind(extractors).fetch_all(db).await?;
    let count = |(id, count)| (id, usize::try_from(count).unwrap_or_default());
    Ok(counts.into_iter().map(count).collect())
}
