//! What every key that we issue takes, whatever it opens: permission on it, its label, its keyed
//! hash, and a successor.

use crate::event_store::{Name, SecretHash, StreamId};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Result, random};
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::issued::{Command, Grant, Issued, KeyKind, Refused, expiry, overlap};
use domain::partner::Partner;
use domain::secret::{IssuedKey, issue_key};
use domain::text::Checks;
use domain::{Decide, Finding};
use projections::issued::open_before;
use secrecy::ExposeSecret as _;

/// A kind of key whose label is a name.
pub(crate) trait Labelled: KeyKind {
    /// What is said when another key has the label.
    const TAKEN: &'static str;

    /// The name that a label is: within what it is unique.
    fn label(grant: &Grant<Self>) -> Name;
}

/// When a successor takes over.
pub(crate) struct Succession {
    /// Until when the old key lives beside it.
    until: DateTime<Utc>,
    /// When the successor ends.
    expires_at: DateTime<Utc>,
}

impl Succession {
    /// Checks what was wished.
    pub fn new(
        overlap_until: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut checks = Checks::default();
        let until = overlap(&mut checks, overlap_until, now);
        let expires_at = expiry(&mut checks, expires_at, now);
        checks.done()?;
        Ok(Self { until, expires_at })
    }
}

impl Unit {
    /// A key that the caller may do this with, and the partner that holds it.
    pub(crate) async fn key<K: KeyKind>(
        &self,
        operation: Operation,
        id: &K::Id,
    ) -> Result<(Stream<Issued<K>>, Stream<Partner>)>
    where
        Issued<K>: Decide,
        Vec<Finding>: From<K::Refusal>,
    {
        let key = self.load::<Issued<K>>(id.as_ref()).await?;
        let partner = key.grant().map_or("", |grant| grant.partner_id.as_str());
        let partner = self.load::<Partner>(partner).await?;
        self.permit_on(operation, &partner, K::Refusal::from(Refused::NotFound))?;
        self.expect(&key)?;
        Ok((key, partner))
    }

    /// Lets a key end at another time.
    pub(crate) fn set_expiry<K: KeyKind>(
        &self,
        key: &mut Stream<Issued<K>>,
        expires_at: DateTime<Utc>,
    ) -> Result<Decided>
    where
        Issued<K>: Decide<Command = Command<K>, Error = K::Refusal>,
        Vec<Finding>: From<K::Refusal>,
    {
        let (now, mut checks) = (self.now, Checks::default());
        let expires_at = expiry(&mut checks, Some(expires_at), now);
        checks.done()?;
        self.decide(key, Command::SetExpiry { expires_at, now })?;
        Ok(key.done())
    }
}

impl Commands {
    /// Makes the text of a new key. Until it is issued it opens nothing.
    pub(crate) fn draw<K: KeyKind>(&self) -> Result<IssuedKey> {
        let (id, secret) = (u64::from_be_bytes(random()?), random()?);
        Ok(issue_key(K::PREFIX, self.environment, id, &secret))
    }

    /// Issues a key, which is shown this once. Its label stays taken after it has ended, so that
    /// history never means two keys by one name.
    pub(crate) fn issue<K: Labelled>(
        &self,
        unit: &Unit,
        mut stream: Stream<Issued<K>>,
        grant: Grant<K>,
        key: IssuedKey,
    ) -> Result<Decided>
    where
        Issued<K>: Decide<Command = Command<K>, Error = K::Refusal>,
        Vec<Finding>: From<K::Refusal>,
    {
        let taken = Finding::new("LABEL_TAKEN", "label", K::TAKEN);
        unit.claim(K::label(&grant), stream.stream_id(), Some(taken));
        unit.raise(crate::partner::holds(grant.partner_id.as_str()));
        unit.keep_hash(self.hash(stream.stream_id(), &key));
        unit.decide(&mut stream, Command::Generate(grant))?;
        Ok(stream.done_with(key.text))
    }

    /// Issues the successor of a key, which takes over what the key allows and its label. Its line
    /// grows at this end only, so the version of its stream guards what is read of the line.
    pub(crate) async fn succeed<K: Labelled>(
        &self,
        unit: &Unit,
        mut old: Stream<Issued<K>>,
        succession: &Succession,
    ) -> Result<Decided>
    where
        Issued<K>: Decide<Command = Command<K>, Error = K::Refusal>,
        Vec<Finding>: From<K::Refusal>,
    {
        let not_found = || Vec::from(K::Refusal::from(Refused::NotFound));
        let grant = old.grant().cloned().ok_or_else(not_found)?;
        let before = open_before::<Issued<K>>(unit.pool(), &old.id, unit.now).await?;
        let before = unit.load_many::<Issued<K>>(&before).await?;
        let stream = unit.begin::<Issued<K>>();
        let rotate = Command::Rotate {
            successor: K::Id::from(&stream.id),
            until: succession.until,
            predecessor_opens: before.iter().any(|key| key.opens(unit.now)),
            now: unit.now,
        };
        unit.decide(&mut old, rotate)?;
        unit.release(K::label(&grant), old.stream_id());
        let key = self.draw::<K>()?;
        let grant = Grant {
            lookup_id: key.lookup_id.clone(),
            last_four: key.last_four.clone(),
            expires_at: succession.expires_at,
            rotated_from: Some(K::Id::from(&old.id)),
            ..grant
        };
        self.issue(unit, stream, grant, key)
    }

    /// Hashes of keys of different kinds are kept apart by the kind's stored name.
    fn hash(&self, stream: StreamId, key: &IssuedKey) -> SecretHash {
        let text = key.text.expose_secret().as_bytes();
        SecretHash {
            lookup_id: key.lookup_id.clone(),
            pepper_version: self.keys().pepper_version,
            hash: self.keys().hmac(stream.aggregate_type, text),
            object_id: stream.aggregate_id,
        }
    }
}
