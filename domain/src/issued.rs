//! The life of a key that we issue, whatever it opens: an API key, the licence of an
//! infrastructure provider.
//!
//! Active ⇄ suspended (with its partner) → deactivated, which is final. A key is rotated at most
//! once: its successor is another key, and both open the door until the overlap ends; three never
//! do. Expiry is not a state: it is a fact that everybody can read off `expires_at`; that it is told
//! in the log decides nothing. The key itself is never here: only what may be known of it; its keyed
//! hash lies with the private rows.

use crate::aggregate::{Decide, Expires};
use crate::ids::PartnerId;
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason, time};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use strum::{IntoStaticStr, VariantNames};

/// The longest label, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_LABEL: usize = 36;
/// A key lives at most a year: what nobody renews, nobody misses.
pub const MAX_LIFE: TimeDelta = TimeDelta::days(365);
/// How long a key lives when nobody says otherwise.
pub const DEFAULT_LIFE: TimeDelta = TimeDelta::days(180);
/// How long a key can live beside its successor.
pub const MAX_OVERLAP: TimeDelta = TimeDelta::days(30);
/// How long it does when nobody says otherwise.
pub const DEFAULT_OVERLAP: TimeDelta = TimeDelta::days(7);

/// A checked label, as it is stored.
pub fn label(checks: &mut Checks, typed: &str) -> String {
    checks.line("label", typed, MAX_LABEL);
    squeezed(typed)
}

/// A checked end of life: in the future, and within [`MAX_LIFE`].
pub fn expiry(
    checks: &mut Checks,
    wished: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let expires_at = time::stored(wished.unwrap_or(now + DEFAULT_LIFE));
    checks.add_if(expires_at <= now, || {
        Finding::new("EXPIRY_IN_THE_PAST", "expiresAt", "The key would have expired already.")
    });
    checks.add_if(expires_at > now + MAX_LIFE, || {
        let message = "A key lives at most 365 days.";
        Finding::new("EXPIRY_TOO_LATE", "expiresAt", message).with("maxDays", MAX_LIFE.num_days())
    });
    expires_at
}

/// A checked end of an overlap: within [`MAX_OVERLAP`]. A time that has passed means at once.
pub fn overlap(
    checks: &mut Checks,
    wished: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let message = "A key lives at most 30 days beside its successor.";
    time::overlap(checks, wished.unwrap_or(now + DEFAULT_OVERLAP), now, MAX_OVERLAP, message)
}

/// A kind of key: what tells it from the others.
pub trait KeyKind: Debug + Clone + PartialEq + Send + Sync + 'static {
    /// How the text of such a key begins, so that a leaked one is known by its looks.
    const PREFIX: &'static str;
    /// Names a key of this kind.
    type Id: Stored + AsRef<str> + for<'a> From<&'a str>;
    /// The policy that such a key works under.
    type Policy: Stored;
    /// Why a wish about such a key was refused, in words of its own.
    type Refusal: From<Refused>;
}

/// What can lie in an event.
pub trait Stored:
    Debug + Clone + PartialEq + Serialize + DeserializeOwned + JsonSchema + Send + Sync
{
}
impl<T> Stored for T where
    T: Debug + Clone + PartialEq + Serialize + DeserializeOwned + JsonSchema + Send + Sync
{
}

/// What a key allows to whom, and how people recognise it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(bound = "")]
#[schemars(bound = "", rename = "Grant")]
pub struct Grant<K: KeyKind> {
    /// Whose key it is.
    pub partner_id: PartnerId,
    /// Under which policy it works.
    pub policy_id: K::Policy,
    /// The partner's name for it, which a successor takes over.
    pub label: String,
    /// The public part of the key, 12 characters.
    pub lookup_id: String,
    /// The last four characters of the key.
    pub last_four: String,
    /// From this instant on the key opens nothing, unless that changes.
    pub expires_at: DateTime<Utc>,
    /// The key whose place this one takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_from: Option<K::Id>,
}

/// A wish about one key.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command<K: KeyKind> {
    /// Issue it. That its partner may have it has been read before.
    Generate(Grant<K>),
    /// Stop it with its partner.
    Suspend(Reason),
    /// Lift the stop with its partner's.
    Resume(Reason),
    /// Let a successor, issued together with this, take its place.
    Rotate {
        /// The new key.
        successor: K::Id,
        /// Until when this one lives beside it, unless it ends earlier.
        until: DateTime<Utc>,
        /// Whether a key before this one in its line still opens the door.
        predecessor_opens: bool,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Let it end at another time, which has been checked before.
    SetExpiry {
        /// From this instant on the key opens nothing.
        expires_at: DateTime<Utc>,
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Tell that it has expired, once.
    Expire {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// End it for good.
    Deactivate(Reason),
}

/// What happened to a key. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case", bound = "")]
#[schemars(bound = "", rename = "Event")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event<K: KeyKind> {
    Generated(Grant<K>),
    Suspended { reason: Reason },
    Resumed { reason: Reason },
    Rotated { successor: K::Id, expires_at: DateTime<Utc> },
    ExpirySet { expires_at: DateTime<Utc> },
    Expired { expired_at: DateTime<Utc> },
    Deactivated { reason: Reason },
}

impl<K: KeyKind> Event<K> {
    /// When the log is to be told next that the key has expired; nothing when it was, or has ended.
    pub fn next_expiry(&self, before: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        match self {
            Self::Generated(Grant { expires_at, .. }) | Self::ExpirySet { expires_at } => {
                Some(*expires_at)
            }
            Self::Rotated { expires_at, .. } => before.and(Some(*expires_at)),
            Self::Suspended { .. } | Self::Resumed { .. } => before,
            Self::Expired { .. } | Self::Deactivated { .. } => None,
        }
    }
}

/// Why a wish about a key was refused, before its kind finds the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such key.
    NotFound,
    /// It was issued already.
    Exists,
    /// It is stopped with its partner.
    Suspended,
    /// It has a successor already.
    Rotated,
    /// A key before it in its line still lives beside it.
    Overlapping,
    /// It has expired.
    Expired,
    /// It has ended.
    Deactivated,
}

/// Where a key stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(bound = "")]
pub enum Issued<K: KeyKind> {
    /// Not issued.
    #[default]
    Missing,
    /// Opens the door until it expires.
    Active(Key<K>),
    /// Stopped with its partner.
    Suspended(Key<K>),
    /// Ended.
    Deactivated(Key<K>),
}

/// What later decisions need to know of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Key<K: KeyKind> {
    /// What it allows to whom.
    pub grant: Grant<K>,
    /// From this instant on it opens nothing.
    pub expires_at: DateTime<Utc>,
    /// The key that took its place.
    pub rotated_to: Option<K::Id>,
    /// Whether the log tells that this end has come.
    expiry_told: bool,
}

impl<K: KeyKind> Issued<K> {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command<K>) -> Result<Vec<Event<K>>, K::Refusal> {
        use Command::{Deactivate, Expire, Generate, Resume, Rotate, SetExpiry, Suspend};
        let decided = match (self, command) {
            (Self::Missing, Generate(grant)) => Ok(vec![Event::Generated(grant)]),
            (_, Generate(_)) => Err(Refused::Exists),
            (
                Self::Missing,
                Suspend(_)
                | Resume(_)
                | Rotate { .. }
                | SetExpiry { .. }
                | Expire { .. }
                | Deactivate(_),
            ) => Err(Refused::NotFound),

            (Self::Active(_), Suspend(reason)) => Ok(vec![Event::Suspended { reason }]),
            (Self::Suspended(_), Resume(reason)) => Ok(vec![Event::Resumed { reason }]),
            (Self::Active(_) | Self::Suspended(_), Deactivate(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }

            (Self::Active(key), Rotate { successor, until, predecessor_opens, now }) => {
                let crowded = predecessor_opens && until > now;
                if crowded { Err(Refused::Overlapping) } else { key.rotate(successor, until) }
            }
            (Self::Suspended(_), Rotate { .. }) => Err(Refused::Suspended),
            (Self::Active(key) | Self::Suspended(key), SetExpiry { expires_at, now }) => {
                key.set_expiry(expires_at, now)
            }
            (Self::Active(key) | Self::Suspended(key), Expire { now }) => Ok(key.expire(now)),

            (Self::Active(_), Resume(_))
            | (Self::Suspended(_), Suspend(_))
            | (Self::Deactivated(_), Deactivate(_) | Expire { .. }) => Ok(vec![]),

            (Self::Deactivated(_), Suspend(_) | Resume(_) | Rotate { .. } | SetExpiry { .. }) => {
                Err(Refused::Deactivated)
            }
        };
        decided.map_err(K::Refusal::from)
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event<K>) -> Self {
        match (self, event) {
            (_, Event::Generated(grant)) => {
                let expires_at = grant.expires_at;
                Self::Active(Key { grant, expires_at, rotated_to: None, expiry_told: false })
            }
            (key, Event::Suspended { .. }) => key.into(Self::Suspended),
            (key, Event::Resumed { .. }) => key.into(Self::Active),
            (key, Event::Rotated { successor, expires_at }) => key.with(|key| {
                key.rotated_to = Some(successor);
                key.expires_at = expires_at;
            }),
            (key, Event::ExpirySet { expires_at }) => key.with(|key| {
                key.expires_at = expires_at;
                key.expiry_told = false;
            }),
            (key, Event::Expired { .. }) => key.with(|key| key.expiry_told = true),
            (key, Event::Deactivated { .. }) => key.into(Self::Deactivated),
        }
    }

    /// The key, whatever its state; nothing when it is missing.
    pub fn key(&self) -> Option<&Key<K>> {
        match self {
            Self::Missing => None,
            Self::Active(key) | Self::Suspended(key) | Self::Deactivated(key) => Some(key),
        }
    }

    /// What the key allows, whatever its state; nothing when it is missing.
    pub fn grant(&self) -> Option<&Grant<K>> {
        self.key().map(|key| &key.grant)
    }

    /// Whether the key opens the door at `now`.
    pub fn opens(&self, now: DateTime<Utc>) -> bool {
        matches!(self, Self::Active(key) if now < key.expires_at)
    }

    fn into(self, state: impl FnOnce(Key<K>) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Active(key) | Self::Suspended(key) | Self::Deactivated(key) => state(key),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Key<K>)) -> Self {
        match &mut self {
            Self::Missing => {}
            Self::Active(key) | Self::Suspended(key) | Self::Deactivated(key) => change(key),
        }
        self
    }
}

impl<K: KeyKind> Expires for Issued<K>
where
    Self: Decide<Command = Command<K>>,
{
    fn expire(now: DateTime<Utc>) -> Command<K> {
        Command::Expire { now }
    }
}

impl<K: KeyKind> Key<K> {
    /// An expired key can be rotated as well: its label then goes on with the successor.
    fn rotate(&self, successor: K::Id, until: DateTime<Utc>) -> Result<Vec<Event<K>>, Refused> {
        if self.rotated_to.is_some() {
            return Err(Refused::Rotated);
        }
        Ok(vec![Event::Rotated { successor, expires_at: until.min(self.expires_at) }])
    }

    /// What has expired stays so, and what was rotated only ever ends earlier.
    fn set_expiry(
        &self,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event<K>>, Refused> {
        if self.expires_at <= now {
            return Err(Refused::Expired);
        }
        if self.rotated_to.is_some() && expires_at > self.expires_at {
            return Err(Refused::Rotated);
        }
        let changed = expires_at != self.expires_at;
        Ok(changed.then_some(Event::ExpirySet { expires_at }).into_iter().collect())
    }

    fn expire(&self, now: DateTime<Utc>) -> Vec<Event<K>> {
        let due = !self.expiry_told && self.expires_at <= now;
        due.then_some(Event::Expired { expired_at: self.expires_at }).into_iter().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::api_key::{ApiKey, ApiKeyKind, Refusal};
    use crate::generated_docs::StateMachine;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn end() -> DateTime<Utc> {
        now() + DEFAULT_LIFE
    }

    fn grant<K: KeyKind>(policy_id: K::Policy) -> Grant<K> {
        Grant {
            partner_id: "acme".into(),
            policy_id,
            label: "branch office".into(),
            lookup_id: "0LygHa16AHYF".into(),
            last_four: "a1b2".into(),
            expires_at: end(),
            rotated_from: None,
        }
    }

    fn generated() -> Event<ApiKeyKind> {
        Event::Generated(grant("kyc".into()))
    }

    fn reason() -> Reason {
        Reason::new("reason", "leaked").unwrap()
    }

    fn suspended<K: KeyKind>() -> Event<K> {
        Event::Suspended { reason: reason() }
    }

    fn deactivated<K: KeyKind>() -> Event<K> {
        Event::Deactivated { reason: reason() }
    }

    fn rotated<K: KeyKind>(expires_at: DateTime<Utc>) -> Event<K> {
        Event::Rotated { successor: "next".into(), expires_at }
    }

    fn rotate<K: KeyKind>(until: DateTime<Utc>) -> Command<K> {
        let successor = "next".into();
        Command::Rotate { successor, until, predecessor_opens: false, now: now() }
    }

    fn rotate_beside_predecessor<K: KeyKind>(until: DateTime<Utc>) -> Command<K> {
        let successor = "next".into();
        Command::Rotate { successor, until, predecessor_opens: true, now: now() }
    }

    /// Every state that a key of a kind can be in, and all that can be asked of it.
    pub(crate) fn machine<K: KeyKind>(policy: &K::Policy) -> StateMachine<Issued<K>>
    where
        Issued<K>: Decide<Command = Command<K>, Event = Event<K>>,
    {
        let generated = || Event::Generated(grant(policy.clone()));
        let overlap = now() + DEFAULT_OVERLAP;
        let set_expiry = |expires_at, now| Command::SetExpiry { expires_at, now };
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![generated()]),
                ("rotated", vec![generated(), rotated(overlap)]),
                ("", vec![generated(), suspended()]),
                ("", vec![generated(), deactivated()]),
            ],
            commands: vec![
                ("", Command::Generate(grant(policy.clone()))),
                ("", Command::Suspend(reason())),
                ("", Command::Resume(reason())),
                ("", rotate(overlap)),
                ("while its predecessor lives", rotate_beside_predecessor(overlap)),
                ("at once, while it lives", rotate_beside_predecessor(now())),
                ("earlier", set_expiry(now() + TimeDelta::days(1), now())),
                ("later", set_expiry(now() + MAX_LIFE, now())),
                ("after its end", set_expiry(now() + MAX_LIFE, end())),
                ("before its end", Command::Expire { now: now() }),
                ("after its end", Command::Expire { now: end() }),
                ("", Command::Deactivate(reason())),
            ],
        }
    }

    fn codes<T>(check: impl FnOnce(&mut Checks) -> T) -> Vec<&'static str> {
        let mut checks = Checks::default();
        check(&mut checks);
        checks.done().err().map_or_else(Vec::new, |all| all.iter().map(|f| f.code).collect())
    }

    #[test]
    fn a_key_opens_the_door_until_the_instant_it_expires() {
        let key = given::<ApiKey>([generated()]);
        assert!(key.opens(end() - TimeDelta::microseconds(1)));
        assert!(!key.opens(end()));
    }

    #[test]
    fn a_suspended_key_opens_nothing_and_can_be_resumed() {
        let key = given::<ApiKey>([generated(), suspended()]);
        assert!(!key.opens(now()));
        let resumed = key.decide(Command::Resume(reason()));
        assert_eq!(resumed, Ok(vec![Event::Resumed { reason: reason() }]));
    }

    #[test]
    fn a_deactivated_key_never_comes_back() {
        let ended = given::<ApiKey>([generated(), suspended(), deactivated()]);
        let later = Command::SetExpiry { expires_at: end() + DEFAULT_LIFE, now: now() };
        for command in [Command::Resume(reason()), rotate(end()), later] {
            assert_eq!(ended.decide(command), Err(Refusal::ApiKeyDeactivated));
        }
        assert_eq!(ended.decide(Command::Deactivate(reason())), Ok(vec![]));
        assert_eq!(ended.decide(Command::Expire { now: end() }), Ok(vec![]));
    }

    #[test]
    fn nothing_can_be_done_to_a_key_that_is_not_there() {
        for command in [
            Command::Suspend(reason()),
            Command::Deactivate(reason()),
            Command::Expire { now: now() },
            Command::SetExpiry { expires_at: end(), now: now() },
            rotate(now()),
        ] {
            assert_eq!(ApiKey::Missing.decide(command), Err(Refusal::ApiKeyNotFound));
        }
    }

    #[test]
    fn a_rotated_key_opens_the_door_until_the_overlap_ends() {
        let overlap = now() + DEFAULT_OVERLAP;
        let key = given::<ApiKey>([generated()]);
        assert_eq!(key.decide(rotate(overlap)), Ok(vec![rotated(overlap)]));
        let key = given::<ApiKey>([generated(), rotated(overlap)]);
        assert!(key.opens(overlap - TimeDelta::microseconds(1)));
        assert!(!key.opens(overlap));
    }

    #[test]
    fn an_overlap_prolongs_nothing() {
        let key = given::<ApiKey>([generated()]);
        assert_eq!(key.decide(rotate(end() + MAX_OVERLAP)), Ok(vec![rotated(end())]));
    }

    #[test]
    fn a_key_is_rotated_once_and_not_while_it_is_suspended() {
        let key = given::<ApiKey>([generated(), rotated(now())]);
        assert_eq!(key.decide(rotate(now())), Err(Refusal::RotatedAlready));
        let key = given::<ApiKey>([generated(), suspended()]);
        assert_eq!(key.decide(rotate(now())), Err(Refusal::ApiKeySuspended));
    }

    #[test]
    fn never_do_three_keys_of_one_label_open_the_door() {
        let key = given::<ApiKey>([generated()]);
        let crowded = key.decide(rotate_beside_predecessor(now() + DEFAULT_OVERLAP));
        assert_eq!(crowded, Err(Refusal::OverlapRunning));
        assert_eq!(key.decide(rotate_beside_predecessor(now())), Ok(vec![rotated(now())]));
    }

    #[test]
    fn the_end_of_a_key_can_be_moved_until_it_has_come() {
        let key = given::<ApiKey>([generated()]);
        let set = |expires_at, now| key.decide(Command::SetExpiry { expires_at, now });
        for expires_at in [now() + TimeDelta::days(1), now() + MAX_LIFE] {
            assert_eq!(set(expires_at, now()), Ok(vec![Event::ExpirySet { expires_at }]));
        }
        assert_eq!(set(end(), now()), Ok(vec![]));
        assert_eq!(set(end() + MAX_OVERLAP, end()), Err(Refusal::ApiKeyExpired));
    }

    #[test]
    fn a_rotated_key_only_ever_ends_earlier() {
        let overlap = now() + DEFAULT_OVERLAP;
        let key = given::<ApiKey>([generated(), rotated(overlap)]);
        let set = |expires_at| key.decide(Command::SetExpiry { expires_at, now: now() });
        let earlier = overlap - TimeDelta::days(1);
        assert_eq!(set(earlier), Ok(vec![Event::ExpirySet { expires_at: earlier }]));
        assert_eq!(set(end()), Err(Refusal::RotatedAlready));
    }

    #[test]
    fn that_a_key_has_expired_is_told_once_and_decides_nothing() {
        let key = given::<ApiKey>([generated()]);
        let expire = |key: &ApiKey, now| key.decide(Command::Expire { now });
        assert_eq!(expire(&key, end() - TimeDelta::microseconds(1)), Ok(vec![]));
        let expired = Event::Expired { expired_at: end() };
        assert_eq!(expire(&key, end()), Ok(vec![expired.clone()]));
        let told = given::<ApiKey>([generated(), expired]);
        assert_eq!(expire(&told, end()), Ok(vec![]));
        for key in [key, told] {
            assert_eq!(key.decide(rotate(end() + MAX_OVERLAP)), Ok(vec![rotated(end())]));
        }
    }

    #[test]
    fn an_end_that_was_moved_is_told_when_it_comes() {
        let earlier = now() + TimeDelta::days(1);
        let moved = Event::ExpirySet { expires_at: earlier };
        let key = given::<ApiKey>([generated(), moved]);
        let told = key.decide(Command::Expire { now: earlier });
        assert_eq!(told, Ok(vec![Event::Expired { expired_at: earlier }]));
    }

    #[test]
    fn a_key_lives_a_year_at_most_and_never_starts_dead() {
        let codes = |wished| codes(|checks| expiry(checks, wished, now()));
        assert!(codes(None).is_empty());
        assert!(codes(Some(now() + MAX_LIFE)).is_empty());
        assert_eq!(codes(Some(now() + MAX_LIFE + TimeDelta::seconds(1))), ["EXPIRY_TOO_LATE"]);
        assert_eq!(codes(Some(now())), ["EXPIRY_IN_THE_PAST"]);
    }

    #[test]
    fn no_end_is_finer_than_what_the_read_tables_hold() {
        let mut checks = Checks::default();
        let fine = end() + TimeDelta::nanoseconds(1_999);
        let stored = end() + TimeDelta::microseconds(1);
        assert_eq!(expiry(&mut checks, Some(fine), now()), stored);
        assert_eq!(overlap(&mut checks, Some(fine), fine), stored);
    }

    #[test]
    fn an_overlap_is_a_week_or_up_to_thirty_days_or_nothing() {
        let until = |wished| overlap(&mut Checks::default(), wished, now());
        assert_eq!(until(None), now() + DEFAULT_OVERLAP);
        assert_eq!(until(Some(now() - TimeDelta::seconds(1))), now());
        let codes = |wished| codes(|checks| overlap(checks, wished, now()));
        assert!(codes(Some(now() + MAX_OVERLAP)).is_empty());
        assert_eq!(codes(Some(now() + MAX_OVERLAP + TimeDelta::seconds(1))), ["OVERLAP_TOO_LONG"]);
    }
}
