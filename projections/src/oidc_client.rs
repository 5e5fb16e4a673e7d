//! OIDC clients, as they can be asked for.

use crate::fold::{Fold, RecordedOf};
use crate::held::{Held, ORGANIZATION_NAME, POLICY_GROUP_NAME, POLICY_NAME, UNDER_POLICY};
use crate::page::{Conditions, Key, Listed, SortKey, TextFilter, TimeFilter};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::ids::{OidcClientId, PartnerId, PolicyGroupId, PolicyId};
use domain::oidc_client::{
    AuthMethod, Event, GrantType, LocalName, OidcClient, PublicKey, Settings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strum::{Display, IntoStaticStr};

/// An OpenID Connect client of a partner.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "OidcClientRow")]
pub struct Row {
    /// The client's id, as eSignet knows it: 43 characters that follow from its first key.
    pub id: OidcClientId,
    /// How many events the client has had; give it as `expectedVersion`.
    pub version: i64,
    /// Where the client stands.
    pub status: OidcClientStatus,
    /// Why it was suspended, resumed or deactivated.
    pub status_reason: Option<String>,
    /// Whose client it is.
    #[graphql(skip)]
    pub partner_id: PartnerId,
    /// Under which policy it works.
    #[graphql(skip)]
    pub policy_id: PolicyId,
    /// How the client is called where no other name fits.
    pub name: String,
    /// How it is called in some languages.
    pub names: Vec<OidcClientName>,
    /// Where its logo is found.
    pub logo_uri: String,
    /// Where people may be sent back to.
    pub redirect_uris: Vec<String>,
    /// How it may get tokens.
    pub grant_types: Vec<GrantType>,
    /// How it proves that it is itself.
    pub auth_methods: Vec<AuthMethod>,
    /// What it may be told of a person. It followed from the policy and never changes.
    pub claims: Vec<String>,
    /// How it may have a person authenticated. It followed from the policy and never changes.
    pub acr_values: Vec<String>,
    /// All keys that it ever had, newest first.
    pub public_keys: Vec<OidcClientKey>,
    /// When the newest key that was not retired ends, which is when the client cannot sign in any
    /// more; absent while it has no end.
    #[graphql(skip)]
    pub key_expires_at: Option<DateTime<Utc>>,
    /// When the log is to be told next that a key has ended.
    #[graphql(skip)]
    pub next_expiry: Option<DateTime<Utc>>,
    /// When the client was created.
    pub created_at: DateTime<Utc>,
    /// The subject that created it.
    pub created_by: String,
    /// When anything happened last.
    pub updated_at: DateTime<Utc>,
}

/// The name of a client in one language.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
pub struct OidcClientName {
    /// The language, ISO 639-3.
    pub language: String,
    /// The name.
    pub name: String,
}

/// A public key of a client.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
pub struct OidcClientKey {
    /// What its owner calls it; its thumbprint, when it has no other name.
    pub kid: String,
    /// Its name in the world: RFC 7638, SHA-256.
    pub thumbprint: String,
    /// The key itself, as a JWK with its public members only.
    pub public_key: Value,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// From this instant on it is not live any more; absent for a key without a successor.
    pub expires_at: Option<DateTime<Utc>>,
    /// When its owner ended it before that.
    pub retired_at: Option<DateTime<Utc>>,
    /// Whether the log was told that it expired.
    #[graphql(skip)]
    pub expiry_told: bool,
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum OidcClientStatus {
    /// Signs people in.
    Active,
    /// Stopped with its partner.
    Suspended,
    /// Ended for good: it signs nobody in.
    Deactivated,
}

impl Fold for Row {
    type Noun = OidcClient;
    const DDL: &'static str = include_str!("../../migrations/read/oidc_client.sql");

    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self> {
        let mut row = match (&recorded.event, row) {
            (Event::Created(_), _) => created(recorded)?,
            (_, row) => row?,
        };
        row.version = recorded.sequence;
        row.updated_at = recorded.recorded_at;
        match &recorded.event {
            Event::Created(_) => {}
            Event::Updated(settings) => row.set(settings),
            Event::KeyRotated { key, overlap_until } => {
                row.public_keys.iter_mut().for_each(|older| older.ends(*overlap_until));
                row.public_keys.insert(0, added(key, recorded.recorded_at));
            }
            Event::KeyRetired { kid, .. } => {
                row.change_key(kid, |key| key.retired_at = Some(recorded.recorded_at));
            }
            Event::KeyExpired { kid, .. } => row.change_key(kid, |key| key.expiry_told = true),
            Event::Suspended { reason } => {
                row.becomes(OidcClientStatus::Suspended, reason.as_str());
            }
            Event::Resumed { reason } => row.becomes(OidcClientStatus::Active, reason.as_str()),
            Event::Deactivated { reason } => {
                row.becomes(OidcClientStatus::Deactivated, reason.as_str());
            }
        }
        row.key_expires_at = row.key_expires_at();
        row.next_expiry = row.next_expiry();
        Some(row)
    }
}

fn created(recorded: &RecordedOf<Row>) -> Option<Row> {
    let Event::Created(client) = &recorded.event else { return None };
    let mut row = Row {
        id: recorded.aggregate_id.as_str().into(),
        version: recorded.sequence,
        status: OidcClientStatus::Active,
        status_reason: None,
        partner_id: client.partner_id.clone(),
        policy_id: client.policy_id.clone(),
        name: String::new(),
        names: Vec::new(),
        logo_uri: String::new(),
        redirect_uris: Vec::new(),
        grant_types: Vec::new(),
        auth_methods: Vec::new(),
        claims: client.entitlement.claims.clone(),
        acr_values: client.entitlement.acr_values.clone(),
        public_keys: vec![added(&client.key, recorded.recorded_at)],
        key_expires_at: None,
        next_expiry: None,
        created_at: recorded.recorded_at,
        created_by: recorded.metadata.actor.clone(),
        updated_at: recorded.recorded_at,
    };
    row.set(&client.settings);
    Some(row)
}

fn added(key: &PublicKey, added_at: DateTime<Utc>) -> OidcClientKey {
    OidcClientKey {
        kid: key.kid.clone(),
        thumbprint: key.thumbprint.clone(),
        public_key: json!(key.jwk),
        added_at,
        expires_at: None,
        retired_at: None,
        expiry_told: false,
    }
}

impl OidcClientKey {
    /// A successor has come: without another end already, this is its end.
    fn ends(&mut self, at: DateTime<Utc>) {
        if self.retired_at.is_none() {
            self.expires_at.get_or_insert(at);
        }
    }

    fn expiry_to_tell(&self) -> Option<DateTime<Utc>> {
        self.expires_at.filter(|_| self.retired_at.is_none() && !self.expiry_told)
    }
}

impl Row {
    fn set(&mut self, settings: &Settings) {
        let name = |LocalName { language, name }: &LocalName| OidcClientName {
            language: language.clone(),
            name: name.clone(),
        };
        self.name.clone_from(&settings.name);
        self.names = settings.names.iter().map(name).collect();
        self.logo_uri.clone_from(&settings.logo_uri);
        self.redirect_uris.clone_from(&settings.redirect_uris);
        self.grant_types = settings.grant_types.iter().copied().collect();
        self.auth_methods = settings.auth_methods.iter().copied().collect();
    }

    fn change_key(&mut self, kid: &str, change: impl FnOnce(&mut OidcClientKey)) {
        if let Some(key) = self.public_keys.iter_mut().find(|key| key.kid == kid) {
            change(key);
        }
    }

    fn becomes(&mut self, status: OidcClientStatus, reason: &str) {
        self.status = status;
        self.status_reason = Some(reason.to_owned());
    }

    fn key_expires_at(&self) -> Option<DateTime<Utc>> {
        self.public_keys.iter().find(|key| key.retired_at.is_none())?.expires_at
    }

    fn next_expiry(&self) -> Option<DateTime<Utc>> {
        let keys = self.public_keys.iter().filter(|_| self.status != OidcClientStatus::Deactivated);
        keys.filter_map(OidcClientKey::expiry_to_tell).min()
    }
}

/// Which clients to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct OidcClientFilter {
    /// The partner that owns the client.
    pub partner_id: Option<TextFilter>,
    /// Its organisation's name.
    pub organization_name: Option<TextFilter>,
    /// The policy the client works under.
    pub policy_id: Option<TextFilter>,
    /// Its name.
    pub policy_name: Option<TextFilter>,
    /// In one of these groups.
    pub policy_group_id: Option<Vec<PolicyGroupId>>,
    /// The group's name.
    pub policy_group_name: Option<TextFilter>,
    /// The client's name.
    pub name: Option<TextFilter>,
    /// One of these states.
    pub status: Option<Vec<OidcClientStatus>>,
    /// When it was created.
    pub created_at: Option<TimeFilter>,
}

/// What clients can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[expect(missing_docs, reason = "each is the field of the same name")]
pub enum OidcClientSort {
    Id,
    PartnerId,
    OrganizationName,
    PolicyName,
    PolicyGroupName,
    Name,
    Status,
    CreatedAt,
    UpdatedAt,
}

impl SortKey for OidcClientSort {
    const DEFAULT: Self = Self::CreatedAt;

    fn key(self) -> Key {
        match self {
            Self::Id => Key::text("t.id"),
            Self::PartnerId => Key::text("t.partner_id"),
            Self::OrganizationName => ORGANIZATION_NAME,
            Self::PolicyName => POLICY_NAME,
            Self::PolicyGroupName => POLICY_GROUP_NAME,
            Self::Name => Key::text("lower(t.name)"),
            Self::Status => Key::text("t.status"),
            Self::CreatedAt => Key::time("t.created_at"),
            Self::UpdatedAt => Key::time("t.updated_at"),
        }
    }
}

/// The columns of clients whose distinct values can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is the filter of the same name")]
pub enum OidcClientDistinct {
    PolicyId,
    Status,
}

impl Listed for Row {
    type Filter = OidcClientFilter;
    type Sort = OidcClientSort;
    type Distinct = OidcClientDistinct;
    const JOINS: &'static str = UNDER_POLICY;

    fn filter(filter: &OidcClientFilter, conditions: &mut Conditions) {
        conditions.text("partner.id", filter.partner_id.as_ref());
        conditions.text("partner.organization_name", filter.organization_name.as_ref());
        conditions.text("policy.id", filter.policy_id.as_ref());
        conditions.text("policy.name", filter.policy_name.as_ref());
        conditions.any_id("policy.policy_group_id", filter.policy_group_id.as_ref());
        conditions.text("policy_group.name", filter.policy_group_name.as_ref());
        conditions.text("t.name", filter.name.as_ref());
        conditions.any_of("t.status", filter.status.as_ref());
        conditions.time("t.created_at", filter.created_at.as_ref());
    }

    fn scope(partners: &[String], conditions: &mut Conditions) {
        conditions.any_of("t.partner_id", Some(&partners.to_vec()));
    }
}

impl Held for Row {
    const LIVE: &'static [&'static str] = &["ACTIVE", "SUSPENDED"];
}
