//! How much there is of everything, and how much of it waits, ends soon or has ended: all of it, and
//! the first of what ends, as of one position of the log.

use crate::expiring::{ExpiringFilter, ExpiringKind, Item, expiring, tally};
use crate::page::{Conditions, Listed, Page, PageRequest, Question};
use crate::policy::PolicyFilter;
use crate::policy_request::{PolicyRequestFilter, PolicyRequestStatus};
use crate::proposal::ProposalStatus;
use crate::rebuild::generation;
use crate::trust_certificate::TrustCertificateFilter;
use crate::{
    Result, Viewer, api_key, device, extractor, ftm_chip, misp_license, oidc_client, partner,
    policy, policy_group, policy_request, proposal, sbi, trust_certificate,
};
use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::trust_certificate::TrustKind;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use strum::VariantArray;

/// What a dashboard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum, VariantArray)]
#[graphql(name = "DashboardCardKind")]
pub enum Card {
    /// Partners; what ends is the newest certificate of each.
    Partners,
    /// Roots that were ever trusted.
    Roots,
    /// Intermediates that were ever trusted.
    Intermediates,
    /// Policy groups.
    PolicyGroups,
    /// Policies; drafts only for those who may read them.
    Policies,
    /// Requests for policies; what waits is not decided. Drafts only for their partner.
    PolicyRequests,
    /// Biometric extractors.
    Extractors,
    /// API keys.
    ApiKeys,
    /// MISP licences.
    MispLicenses,
    /// OIDC clients; what ends is the last key of each.
    OidcClients,
    /// Secure biometric interfaces; what waits is neither approved nor rejected.
    Sbis,
    /// Devices; what waits is neither approved nor rejected.
    Devices,
    /// FTM chips; what waits has a certificate and is neither approved nor rejected, what ends is
    /// the newest certificate of each.
    FtmChips,
    /// Commands that wait for a second person.
    Proposals,
}

/// How much there is of one kind of thing, as far as the caller may see it.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "DashboardCard")]
pub struct Counts {
    /// Of what.
    pub kind: Card,
    /// How many wait for a decision; null where nothing is decided.
    pub pending: Option<i64>,
    /// How many end within 30 days and were not renewed, as `expiringItems` lists them; null where
    /// nothing ends.
    pub expiring: Option<i64>,
    /// How many have ended already and were not renewed; null where nothing ends.
    pub expired: Option<i64>,
    /// How many there are in all: what the list's `totalCount` says.
    pub total: i64,
}

/// What somebody may see on a dashboard.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Whose of each; what he may not see is left out.
    pub cards: BTreeMap<Card, Viewer>,
    /// Whose of each kind that ends.
    pub kinds: BTreeMap<ExpiringKind, Viewer>,
    /// Whether drafts of policies are kept from him.
    pub without_draft_policies: bool,
    /// Whether requests that were never submitted are kept from him.
    pub without_draft_requests: bool,
}

/// What is there as of one position.
#[derive(Debug)]
pub struct Dashboard {
    /// The log's last position.
    pub position: i64,
    /// One for each kind that may be seen.
    pub cards: Vec<Counts>,
    /// The first of what ends within 30 days, if that was asked for.
    pub expiring: Page<Item>,
}

impl Card {
    /// What has to be allowed to see it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Partners => Operation::ReadPartner,
            Self::Roots | Self::Intermediates => Operation::ReadTrustCertificate,
            Self::PolicyGroups => Operation::ReadPolicyGroup,
            Self::Policies => Operation::ReadPolicy,
            Self::PolicyRequests => Operation::ReadPolicyRequest,
            Self::Extractors => Operation::ReadExtractor,
            Self::ApiKeys => Operation::ReadApiKey,
            Self::MispLicenses => Operation::ReadMispLicense,
            Self::OidcClients => Operation::ReadOidcClient,
            Self::Sbis => Operation::ReadSbi,
            Self::Devices => Operation::ReadDevice,
            Self::FtmChips => Operation::ReadFtmChip,
            Self::Proposals => Operation::ReadProposal,
        }
    }

    /// What of it ends.
    fn ends(self) -> Option<ExpiringKind> {
        Some(match self {
            Self::Partners => ExpiringKind::PartnerCertificate,
            Self::Roots => ExpiringKind::Root,
            Self::Intermediates => ExpiringKind::Intermediate,
            Self::ApiKeys => ExpiringKind::ApiKey,
            Self::MispLicenses => ExpiringKind::MispLicense,
            Self::OidcClients => ExpiringKind::OidcKey,
            Self::Sbis => ExpiringKind::Sbi,
            Self::FtmChips => ExpiringKind::FtmCertificate,
            Self::PolicyGroups | Self::Policies | Self::PolicyRequests | Self::Extractors => {
                return None;
            }
            Self::Devices | Self::Proposals => return None,
        })
    }

    /// The state in which it waits for a decision.
    fn waits(self) -> Option<String> {
        Some(match self {
            Self::PolicyRequests => PolicyRequestStatus::Pending.to_string(),
            Self::Sbis => sbi::SbiStatus::Pending.to_string(),
            Self::Devices => device::DeviceStatus::Pending.to_string(),
            Self::FtmChips => ftm_chip::FtmChipStatus::Pending.to_string(),
            Self::Proposals => ProposalStatus::Open.to_string(),
            _ => return None,
        })
    }

    /// The rows that its list shows, as what follows `from`.
    fn rows(self, viewer: &Viewer, sight: &Sight, to: &mut Conditions) -> String {
        let trusted =
            |kind| TrustCertificateFilter { kind: Some(vec![kind]), ..Default::default() };
        let policies =
            PolicyFilter { without_drafts: sight.without_draft_policies, ..Default::default() };
        let requests = PolicyRequestFilter {
            without_drafts: sight.without_draft_requests,
            ..Default::default()
        };
        match self {
            Self::Partners => all::<partner::Row>(viewer, to),
            Self::Roots => of::<trust_certificate::Row>(viewer, trusted(TrustKind::Root), to),
            Self::Intermediates => {
                of::<trust_certificate::Row>(viewer, trusted(TrustKind::Intermediate), to)
            }
            Self::PolicyGroups => all::<policy_group::Row>(viewer, to),
            Self::Policies => of::<policy::Row>(viewer, policies, to),
            Self::PolicyRequests => of::<policy_request::Row>(viewer, requests, to),
            Self::Extractors => all::<extractor::Row>(viewer, to),
            Self::ApiKeys => all::<api_key::Row>(viewer, to),
            Self::MispLicenses => all::<misp_license::Row>(viewer, to),
            Self::OidcClients => all::<oidc_client::Row>(viewer, to),
            Self::Sbis => all::<sbi::Row>(viewer, to),
            Self::Devices => all::<device::Row>(viewer, to),
            Self::FtmChips => all::<ftm_chip::Row>(viewer, to),
            Self::Proposals => all::<proposal::Row>(viewer, to),
        }
    }
}

fn all<R: Listed>(viewer: &Viewer, to: &mut Conditions) -> String {
    of::<R>(viewer, R::Filter::default(), to)
}

fn of<R: Listed>(viewer: &Viewer, filter: R::Filter, to: &mut Conditions) -> String {
    Question::<R> { viewer: viewer.clone(), filter, now: to.now }.rows(to)
}

/// Everything in one snapshot, and the first `first` of what ends soon.
///
/// To be run in a task of its own: a future that is dropped while a transaction begins gives its
/// connection back with the transaction open, and whoever gets it next reads the past.
pub async fn dashboard(
    db: PgPool,
    sight: Sight,
    first: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Dashboard> {
    loop {
        if let Some(dashboard) = at_once(&db, &sight, first, now).await? {
            return Ok(dashboard);
        }
    }
}

/// One try: `None` when other tables have become the live ones meanwhile.
async fn at_once(
    db: &PgPool,
    sight: &Sight,
    first: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Option<Dashboard>> {
    let mut snapshot =
        db.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let tables = generation(&mut *snapshot).await?;
    let position = crate::log::head(&mut *snapshot).await?;
    let cards = cards(&mut snapshot, sight, now).await?;
    let mut page = Page { rows: Vec::new(), has_next: false, has_previous: false };
    if let Some(first) = first.filter(|_| !sight.kinds.is_empty()) {
        let request = PageRequest { first: Some(first), ..PageRequest::default() };
        let filter = ExpiringFilter::default();
        page = expiring(&mut *snapshot, &sight.kinds, &filter, now, &request).await?;
    }
    let are_the_same = generation(&mut *snapshot).await? == tables;
    snapshot.commit().await?;
    Ok(are_the_same.then_some(Dashboard { position, cards, expiring: page }))
}

async fn cards(db: &mut PgConnection, sight: &Sight, now: DateTime<Utc>) -> Result<Vec<Counts>> {
    if sight.cards.is_empty() {
        return Ok(Vec::new());
    }
    let totals = totals(db, sight, now).await?;
    let ends =
        if sight.kinds.is_empty() { Vec::new() } else { tally(db, &sight.kinds, now).await? };
    let counts = sight.cards.keys().zip(totals).map(|(card, (total, pending))| {
        let ends = card.ends().map(|kind| {
            let found = ends.iter().find(|(it, ..)| *it == kind);
            found.map_or((0, 0), |(_, expiring, expired)| (*expiring, *expired))
        });
        Counts {
            kind: *card,
            pending: card.waits().map(|_| pending),
            expiring: ends.map(|it| it.0),
            expired: ends.map(|it| it.1),
            total,
        }
    });
    Ok(counts.collect())
}

/// How many there are of each kind, and how many of them wait, in the order of the cards.
async fn totals(
    db: &mut PgConnection,
    sight: &Sight,
    now: DateTime<Utc>,
) -> Result<Vec<(i64, i64)>> {
    let mut parameters = Conditions::at(now);
    let total = |(card, viewer): (&Card, &Viewer)| {
        let waits = card.waits().map_or("false".to_owned(), |it| format!("t.status = '{it}'"));
        let rows = card.rows(viewer, sight, &mut parameters);
        format!("(select jsonb_build_array(count(*), count(*) filter (where {waits})) from {rows})")
    };
    let totals: Vec<String> = sight.cards.iter().map(total).collect();
    let statement =
        parameters.statement(|_| format!("select jsonb_build_array({})", totals.join(", ")))?;
    let (told,): (Value,) = statement.rows().fetch_one(db).await?;
    Ok(serde_json::from_value(told)?)
}
