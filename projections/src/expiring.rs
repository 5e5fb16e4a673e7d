//! What ends soon, of whatever kind, in one list and one statement.
//!
//! Forgotten is what has ended already, and what was renewed: it may end in peace.

use crate::held::Held;
use crate::page::{
    Conditions, Direction, Key, Page, PageRequest, Parameter, Query, Statement, TextFilter,
    days_ahead,
};
use crate::{Error, Result, Viewer, api_key, ftm_chip, misp_license, oidc_client, sbi};
use async_graphql::{Enum, ID, InputObject, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate as _;
use domain::actor::Operation;
use domain::ids::PartnerId;
use domain::reference::{PartnerType, TrustDomain};
use serde::Deserialize;
use sqlx::{PgExecutor, PgPool};
use std::collections::BTreeMap;
use strum::{Display, VariantArray};

/// How far ahead is looked when nobody says how far, in days.
pub const DEFAULT_DAYS: i32 = 30;

/// What kind of thing ends.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Display, Enum, VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ExpiringKind {
    /// A root that is trusted.
    Root,
    /// An intermediate that is trusted.
    Intermediate,
    /// The newest certificate of a partner.
    PartnerCertificate,
    /// The newest certificate of an FTM chip.
    FtmCertificate,
    /// An API key without a successor.
    ApiKey,
    /// A MISP licence without a successor.
    MispLicense,
    /// A secure biometric interface.
    Sbi,
    /// The last key of an OIDC client, whose successors were all retired.
    OidcKey,
}

/// Something that ends.
#[derive(Debug, Clone, Deserialize, SimpleObject)]
#[graphql(name = "ExpiringItemRow")]
pub struct Item {
    /// What kind of thing it is.
    pub kind: ExpiringKind,
    /// The id of the thing: of a certificate's partner or chip, of a key's client.
    pub id: ID,
    /// Whose it is; absent for what is trusted.
    #[graphql(skip)]
    pub partner_id: Option<PartnerId>,
    /// What its owner is; absent for what is trusted.
    #[graphql(skip)]
    pub partner_type: Option<PartnerType>,
    /// Where it is trusted; absent for what belongs to a partner.
    #[graphql(skip)]
    pub trusted_in: Option<TrustDomain>,
    /// What it is called: its subject, its organisation, its make and model, its label, its
    /// version, the name of its client.
    pub label: String,
    /// From this instant on it is good for nothing.
    pub expires_at: DateTime<Utc>,
}

impl Item {
    /// Where it is trusted, or where its partner's certificates have to be.
    pub fn domain(&self) -> Option<TrustDomain> {
        self.trusted_in.or(self.partner_type.map(|it| it.terms().trust_domain))
    }

    /// How many whole days are left at `now`: 0 on the last day, -1 on the first one after.
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        let left = self.expires_at - now;
        let whole = left.num_days();
        if TimeDelta::days(whole) > left { whole - 1 } else { whole }
    }
}

/// Which of what ends to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
#[graphql(name = "ExpiringItemFilter")]
pub struct ExpiringFilter {
    /// One of these kinds.
    pub kinds: Option<Vec<ExpiringKind>>,
    /// What ends within so many days from now: 1 to 365, 30 when absent.
    pub within_days: Option<i32>,
    /// Also what has expired already, however long ago, and was not renewed.
    pub include_expired: Option<bool>,
    /// The partner's id.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// In one of these trust domains: where the thing is trusted, or its partner's certificates
    /// have to be.
    pub domain: Option<Vec<TrustDomain>>,
}

impl ExpiringKind {
    /// What has to be allowed to see it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Root | Self::Intermediate => Operation::ReadTrustCertificate,
            Self::PartnerCertificate => Operation::ReadPartner,
            Self::FtmCertificate => Operation::ReadFtmChip,
            Self::ApiKey => Operation::ReadApiKey,
            Self::MispLicense => Operation::ReadMispLicense,
            Self::Sbi => Operation::ReadSbi,
            Self::OidcKey => Operation::ReadOidcClient,
        }
    }

    /// Everything of the kind that has an end, has not ended before it, and was not renewed.
    fn source(self) -> String {
        match self {
            Self::Root | Self::Intermediate => trusted(self),
            Self::PartnerCertificate => newest_certificates(self),
            Self::FtmCertificate => {
                held::<ftm_chip::Row>(self, "make || ' ' || model", "certificate_expires_at")
            }
            Self::ApiKey => unrenewed::<api_key::Row>(self),
            Self::MispLicense => unrenewed::<misp_license::Row>(self),
            Self::Sbi => held::<sbi::Row>(self, "sw_version", "sw_expiry_date_time"),
            Self::OidcKey => held::<oidc_client::Row>(self, "name", "key_expires_at"),
        }
    }
}

fn trusted(kind: ExpiringKind) -> String {
    format!(
        "select '{kind}'::text as kind, id, null::text as partner_id, partner_domain as trusted_in, \
         issued_to as label, valid_till as expires_at \
         from trust_certificate where kind = '{kind}' and status = 'ACTIVE'"
    )
}

fn newest_certificates(kind: ExpiringKind) -> String {
    format!(
        "select '{kind}'::text as kind, id, id as partner_id, null::text as trusted_in, \
         organization_name as label, certificate_expires_at as expires_at \
         from partner where status <> 'DEACTIVATED'"
    )
}

fn held<R: Held>(kind: ExpiringKind, label: &str, expires_at: &str) -> String {
    format!(
        "select '{kind}'::text as kind, id, partner_id, null::text as trusted_in, {label} as label, \
         {expires_at} as expires_at from {} it where status in ('{}')",
        R::Noun::TYPE,
        R::LIVE.join("', '")
    )
}

/// Keys without a successor, or with one that has ended.
fn unrenewed<R: Held>(kind: ExpiringKind) -> String {
    let (table, live) = (R::Noun::TYPE, R::LIVE.join("', '"));
    held::<R>(kind, "label", "expires_at")
        + &format!(
            " and not exists (select from {table} successor \
             where successor.id = it.rotated_to and successor.status in ('{live}'))"
        )
}

/// What ends soon, first what ends first, as far as each kind's viewer may see it. A kind without a
/// viewer is left out; there has to be one that is not.
pub async fn expiring(
    db: impl PgExecutor<'_>,
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    filter: &ExpiringFilter,
    now: DateTime<Utc>,
    page: &PageRequest,
) -> Result<Page<Item>> {
    query(viewers, filter, now)?.page(db, page).await
}

/// How many there are in all.
pub async fn count(
    db: &PgPool,
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    filter: &ExpiringFilter,
    now: DateTime<Utc>,
) -> Result<i64> {
    query(viewers, filter, now)?.count(db).await
}

/// Of each kind, how many end within [`DEFAULT_DAYS`], and how many have ended already and were not
/// renewed. A kind of which there are none is left out.
pub async fn tally(
    db: impl PgExecutor<'_>,
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    now: DateTime<Utc>,
) -> Result<Vec<(ExpiringKind, i64, i64)>> {
    let filter = ExpiringFilter { include_expired: Some(true), ..ExpiringFilter::default() };
    let mut query = query(viewers, &filter, now)?;
    let ended = format!("t.expires_at <= {}", query.conditions.parameter(Parameter::Time(now)));
    let columns =
        format!("t.kind, count(*) filter (where not {ended}), count(*) filter (where {ended})");
    query.told(db, &columns).await
}

/// The statement of [`expiring`].
pub fn statement(
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    filter: &ExpiringFilter,
    now: DateTime<Utc>,
    page: &PageRequest,
) -> Result<Statement> {
    Ok(query(viewers, filter, now)?.page_statement(page)?.0)
}

fn query(
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    filter: &ExpiringFilter,
    now: DateTime<Utc>,
) -> Result<Query> {
    let owned = |kind: &ExpiringKind| {
        format!("({}) t left join partner on partner.id = t.partner_id", kind.source())
    };
    Ok(Query {
        list: "expiring".to_owned(),
        item: "to_jsonb(t) || jsonb_build_object('partner_type', partner.partner_type)",
        row: "item".to_owned(),
        sources: viewers.keys().map(owned).collect(),
        conditions: conditions(viewers, filter, now)?,
        key: Key::time("t.expires_at"),
        direction: Direction::Asc,
    })
}

fn conditions(
    viewers: &BTreeMap<ExpiringKind, Viewer>,
    filter: &ExpiringFilter,
    now: DateTime<Utc>,
) -> Result<Conditions> {
    let mut conditions = Conditions::at(now);
    for (kind, viewer) in viewers {
        if let Some(own) = viewer.partner_ids() {
            let scope = format!("(t.kind <> '{kind}' or t.partner_id = any(?))");
            conditions.add_list(&scope, own);
        }
    }
    let until = now + within(filter)?;
    conditions.add_time("t.expires_at <= ?", until);
    if filter.include_expired != Some(true) {
        conditions.add_time("t.expires_at > ?", now);
    }
    conditions.any_of("t.kind", filter.kinds.as_ref());
    conditions.text("partner.id", filter.partner_id.as_ref());
    conditions.text("partner.organization_name", filter.organization_name.as_ref());
    if let Some(domains) = &filter.domain {
        conditions.any_of("coalesce(t.trusted_in, partner.partner_type)", Some(&at_home(domains)));
    }
    Ok(conditions)
}

fn within(filter: &ExpiringFilter) -> Result<TimeDelta> {
    let days = filter.within_days.unwrap_or(DEFAULT_DAYS);
    days_ahead(days, "filter.withinDays").map_err(|finding| Error::Refused(vec![finding]))
}

/// Trust domains, and the types of partners whose certificates have to be trusted there. No type is
/// called like a domain.
fn at_home(domains: &[TrustDomain]) -> Vec<String> {
    let types = PartnerType::VARIANTS.iter();
    let types = types.filter(|it| domains.contains(&it.terms().trust_domain));
    types.map(ToString::to_string).chain(domains.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone as _;

    #[test]
    fn days_left_are_whole_days_and_none_is_left_once_it_is_over() {
        let now = Utc.with_ymd_and_hms(2027, 3, 1, 12, 0, 0).unwrap();
        let days_left = |left| {
            let item = Item {
                kind: ExpiringKind::Root,
                id: "r".into(),
                partner_id: None,
                partner_type: None,
                trusted_in: Some(TrustDomain::Auth),
                label: "Root".to_owned(),
                expires_at: now + left,
            };
            item.days_left(now)
        };
        let (day, tick) = (TimeDelta::days(1), TimeDelta::microseconds(1));
        assert_eq!([day * 30, day, day - tick, tick].map(days_left), [30, 1, 0, 0]);
        assert_eq!([TimeDelta::zero(), -tick, -day, -day - tick].map(days_left), [0, -1, -1, -2]);
    }
}
