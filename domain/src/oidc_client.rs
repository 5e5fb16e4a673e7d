//! An OpenID Connect client: with it a partner's application signs people in through eSignet, under
//! one approved policy.
//!
//! Active ⇄ suspended (with its partner) → deactivated, which is final. Its keys rotate with an
//! overlap; the client's id does not change with them. What it may ask for follows from the policy
//! and never changes: a policy's successor needs a client of its own.

mod entitlement;
mod settings;

pub use entitlement::Entitlement;
pub use settings::{
    AuthMethod, GrantType, LocalName, MAX_NAME, MAX_REDIRECT_URIS, MAX_URI, Settings,
};

use crate::actor::Operation;
use crate::aggregate::{Actions, Expires, Possible};
use crate::ids::{OidcClientId, PartnerId, PolicyId};
use crate::jwk::Jwk;
use crate::text::Checks;
use crate::{Finding, Reason, time};
use aws_lc_rs::digest::{SHA256, digest};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{IntoStaticStr, VariantNames};

/// How many keys of a client can be live at once: one, and its successor.
pub const MAX_LIVE_KEYS: usize = 2;
/// How long the older key stays live after a rotation when nobody says otherwise.
pub const DEFAULT_OVERLAP: TimeDelta = TimeDelta::days(7);
/// The longest overlap: a rotation that nobody finishes is none.
pub const MAX_OVERLAP: TimeDelta = TimeDelta::days(30);

/// A wish about one client.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Make it known. That the partner is active and its request approved has been read before.
    Create(NewClient),
    /// Set anew what its owner may set.
    Update(Settings),
    /// Add a key, and let the older one end.
    RotateKey {
        /// The new key.
        key: PublicKey,
        /// The end of the older one.
        overlap_until: DateTime<Utc>,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// End one of two live keys at once.
    RetireKey {
        /// Its thumbprint or `kid`.
        key_id: String,
        /// Why.
        reason: Reason,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Stop it with its partner.
    Suspend(Reason),
    /// Lift the stop with its partner's.
    Resume(Reason),
    /// End it for good.
    Deactivate(Reason),
    /// Tell which overlaps have ended.
    Expire {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
}

/// What a client begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewClient {
    /// Whose client it is.
    pub partner_id: PartnerId,
    /// Under which policy it works; never changes.
    pub policy_id: PolicyId,
    /// What its owner set.
    pub settings: Settings,
    /// Its first key, after which it is called.
    pub key: PublicKey,
    /// What the policy's document allowed it; never changes.
    pub entitlement: Entitlement,
}

/// A public key of a client, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicKey {
    /// What its owner calls it; unique among the keys that the client ever had.
    pub kid: String,
    /// RFC 7638, SHA-256; unique among the keys of all clients.
    pub thumbprint: String,
    /// Its public members.
    pub jwk: BTreeMap<String, String>,
}

impl From<&Jwk> for PublicKey {
    fn from(jwk: &Jwk) -> Self {
        let (kid, thumbprint) = (jwk.kid().to_owned(), jwk.thumbprint.clone());
        Self { kid, thumbprint, jwk: jwk.members.clone() }
    }
}

/// The id of a client whose first key this is, as eSignet knows it: SHA-256 of the key's bytes in
/// base64, itself in base64url without padding (MOSIP PMS 1.2.2.2; earlier versions hashed the
/// whole JWK).
pub fn client_id(key: &Jwk) -> OidcClientId {
    let text = BASE64_STANDARD.encode(key.encoded());
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())).as_str().into()
}

/// A checked end of the older key: within [`MAX_OVERLAP`]. A time that has passed means at once.
pub fn overlap(
    checks: &mut Checks,
    wished: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let message = "The older key can stay live for at most 30 days.";
    time::overlap(checks, wished.unwrap_or(now + DEFAULT_OVERLAP), now, MAX_OVERLAP, message)
}

/// What happened to a client. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Created(NewClient),
    Updated(Settings),
    KeyRotated { key: PublicKey, overlap_until: DateTime<Utc> },
    KeyRetired { kid: String, reason: Reason },
    KeyExpired { kid: String, expired_at: DateTime<Utc> },
    Suspended { reason: Reason },
    Resumed { reason: Reason },
    Deactivated { reason: Reason },
}

/// Why a wish about a client was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This OIDC client is not known.")]
    OidcClientNotFound,
    #[error("The OIDC client is suspended with its partner.")]
    OidcClientSuspended,
    #[error("The OIDC client was deactivated, which is final.")]
    OidcClientDeactivated,
    #[error("Only an authentication partner has OIDC clients.")]
    PartnerType,
    #[error("An OIDC client works under a policy of type AUTH.")]
    PolicyType,
    #[error("The partner has no approved request for this policy.")]
    PolicyNotApproved,
    #[error("This key is or was in use already; make a new one.")]
    KeyInUse,
    #[error("Another key of this client has this kid; leave it out or choose another.")]
    KidInUse,
    #[error("The client has two live keys already; retire one, or wait until it ends.")]
    TooManyKeys,
    #[error("The client has no such key.")]
    KeyNotFound,
    #[error("This is the client's last live key: rotate it, or deactivate the client.")]
    LastKey,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::PartnerType => "partnerId",
            Self::PolicyType | Self::PolicyNotApproved => "policyId",
            Self::KeyInUse | Self::KidInUse | Self::TooManyKeys => "publicKey",
            Self::KeyNotFound | Self::LastKey => "keyId",
            _ => "oidcClientId",
        }
    }
}

/// Where a client stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum OidcClient {
    /// Not created.
    #[default]
    Missing,
    /// Signs people in.
    Active(Client),
    /// Stopped with its partner.
    Suspended(Client),
    /// Ended.
    Deactivated(Client),
}

/// What later decisions need to know of a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// As created.
    pub partner_id: PartnerId,
    /// As created.
    pub policy_id: PolicyId,
    /// As last set.
    pub settings: Settings,
    /// All keys that it ever had, oldest first.
    keys: Vec<Key>,
}

/// A key and how long it lives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Key {
    kid: String,
    thumbprint: String,
    life: Life,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Life {
    /// No end is set.
    Open,
    /// It has a successor. Whether the log was `told` of its end decides nothing else.
    Until { at: DateTime<Utc>, told: bool },
    /// Its owner ended it.
    Retired,
}

impl Key {
    fn new(key: PublicKey) -> Self {
        Self { kid: key.kid, thumbprint: key.thumbprint, life: Life::Open }
    }

    fn is_live(&self, now: DateTime<Utc>) -> bool {
        match self.life {
            Life::Open => true,
            Life::Until { at, .. } => now < at,
            Life::Retired => false,
        }
    }

    /// The end that the log is to be told of.
    fn end_to_tell(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.life {
            Life::Until { at, told: false } if at <= now => Some(at),
            _ => None,
        }
    }
}

impl Client {
    fn live_keys(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.is_live(now))
    }

    fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.thumbprint == id || key.kid == id)
    }

    fn has(&self, key: &PublicKey) -> bool {
        let newest = self.keys.last();
        newest.is_some_and(|it| it.thumbprint == key.thumbprint && it.life == Life::Open)
    }

    fn rotate(
        &self,
        key: PublicKey,
        overlap_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.has(&key) {
            Ok(vec![])
        } else if self.key(&key.thumbprint).is_some() {
            Err(Refusal::KeyInUse)
        } else if self.key(&key.kid).is_some() {
            Err(Refusal::KidInUse)
        } else if self.live_keys(now).count() >= MAX_LIVE_KEYS {
            Err(Refusal::TooManyKeys)
        } else {
            Ok(vec![Event::KeyRotated { key, overlap_until }])
        }
    }

    fn retire(
        &self,
        key_id: &str,
        reason: Reason,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        let key = self.key(key_id).ok_or(Refusal::KeyNotFound)?;
        if !key.is_live(now) {
            Ok(vec![])
        } else if self.live_keys(now).count() == 1 {
            Err(Refusal::LastKey)
        } else {
            Ok(vec![Event::KeyRetired { kid: key.kid.clone(), reason }])
        }
    }

    fn expire(&self, now: DateTime<Utc>) -> Vec<Event> {
        let ended = self.keys.iter().filter_map(|key| {
            let expired_at = key.end_to_tell(now)?;
            Some(Event::KeyExpired { kid: key.kid.clone(), expired_at })
        });
        ended.collect()
    }

    fn with_key(mut self, key: PublicKey, at: DateTime<Utc>) -> Self {
        for older in self.keys.iter_mut().filter(|key| key.life == Life::Open) {
            older.life = Life::Until { at, told: false };
        }
        self.keys.push(Key::new(key));
        self
    }

    fn with_life(mut self, kid: &str, life: Life) -> Self {
        for key in self.keys.iter_mut().filter(|key| key.kid == kid) {
            key.life = life.clone();
        }
        self
    }
}

impl From<NewClient> for Client {
    fn from(new: NewClient) -> Self {
        let NewClient { partner_id, policy_id, settings, key, entitlement: _ } = new;
        Self { partner_id, policy_id, settings, keys: vec![Key::new(key)] }
    }
}

impl OidcClient {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Create, Deactivate, Expire, Resume, RetireKey, RotateKey, Suspend, Update};
        match (self, command) {
            (Self::Missing, Create(client)) => Ok(vec![Event::Created(client)]),
            (_, Create(_)) => Err(Refusal::KeyInUse),
            (Self::Missing, _) => Err(Refusal::OidcClientNotFound),

            (Self::Active(client), Update(settings)) if client.settings == settings => Ok(vec![]),
            (Self::Active(_), Update(settings)) => Ok(vec![Event::Updated(settings)]),
            (Self::Active(client), RotateKey { key, overlap_until, now }) => {
                client.rotate(key, overlap_until, now)
            }
            (Self::Active(client), RetireKey { key_id, reason, now }) => {
                client.retire(&key_id, reason, now)
            }
            (Self::Active(client) | Self::Suspended(client), Expire { now }) => {
                Ok(client.expire(now))
            }

            (Self::Active(_), Suspend(reason)) => Ok(vec![Event::Suspended { reason }]),
            (Self::Suspended(_), Resume(reason)) => Ok(vec![Event::Resumed { reason }]),
            (Self::Active(_) | Self::Suspended(_), Deactivate(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }

            (Self::Active(_), Resume(_))
            | (Self::Suspended(_), Suspend(_))
            | (Self::Deactivated(_), Deactivate(_) | Expire { .. }) => Ok(vec![]),

            (Self::Suspended(_), Update(_) | RotateKey { .. } | RetireKey { .. }) => {
                Err(Refusal::OidcClientSuspended)
            }
            (
                Self::Deactivated(_),
                Update(_) | RotateKey { .. } | RetireKey { .. } | Suspend(_) | Resume(_),
            ) => Err(Refusal::OidcClientDeactivated),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Created(client)) => Self::Active(client.into()),
            (client, Event::Updated(settings)) => client.map(|it| Client { settings, ..it }),
            (client, Event::KeyRotated { key, overlap_until }) => {
                client.map(|it| it.with_key(key, overlap_until))
            }
            (client, Event::KeyRetired { kid, .. }) => {
                client.map(|it| it.with_life(&kid, Life::Retired))
            }
            (client, Event::KeyExpired { kid, expired_at: at }) => {
                client.map(|it| it.with_life(&kid, Life::Until { at, told: true }))
            }
            (client, Event::Suspended { .. }) => client.into(Self::Suspended),
            (client, Event::Resumed { .. }) => client.into(Self::Active),
            (client, Event::Deactivated { .. }) => client.into(Self::Deactivated),
        }
    }

    /// The client, whatever its state; nothing when it is missing.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Missing => None,
            Self::Active(client) | Self::Suspended(client) | Self::Deactivated(client) => {
                Some(client)
            }
        }
    }

    fn into(self, state: impl FnOnce(Client) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Active(client) | Self::Suspended(client) | Self::Deactivated(client) => {
                state(client)
            }
        }
    }

    /// Another client in the same state.
    fn map(self, change: impl FnOnce(Client) -> Client) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Active(client) => Self::Active(change(client)),
            Self::Suspended(client) => Self::Suspended(change(client)),
            Self::Deactivated(client) => Self::Deactivated(change(client)),
        }
    }
}

aggregate!(OidcClient, "oidc_client");

impl Expires for OidcClient {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Expire { now }
    }
}

impl Actions for OidcClient {
    fn actions(&self, now: DateTime<Utc>) -> Vec<Possible> {
        let (kid, thumbprint, jwk) = (String::new(), String::new(), BTreeMap::new());
        let key = PublicKey { kid, thumbprint, jwk };
        let rotate = Command::RotateKey { key, overlap_until: now, now };
        let live = self.client().and_then(|client| client.live_keys(now).next());
        let key_id = live.map_or_else(String::new, |key| key.thumbprint.clone());
        let retire = Command::RetireKey { key_id, reason: Reason::any(), now };
        vec![
            self.possible(Operation::UpdateOidcClient, Command::Update(Settings::default())),
            self.possible(Operation::RotateOidcClientKey, rotate),
            self.possible(Operation::RetireOidcClientKey, retire),
            self.possible(Operation::DeactivateOidcClient, Command::Deactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests;
