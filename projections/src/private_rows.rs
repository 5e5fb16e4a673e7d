//! Personal data: sealed with a key of its subject, opened only to be shown.
//!
//! Losing the subject's key erases the data; a backup is readable as long as it holds that key, too. The salt of the commitment
//! lies inside the sealed bytes, so that nobody can test guesses against the event afterwards.
//!
//! What is erased follows from the log alone ([`erase`]), as read tables do. No key of a subject is
//! remembered between two statements: what one node erases, no other node can read any more.

use crate::log::LogRow;
use crate::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use domain::audit::disclosure::commitment;
use domain::partner::{Contact, PrivateReference};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use std::collections::HashMap;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A 256-bit key.
pub type KeyBytes = Zeroizing<[u8; 32]>;

/// Seals the keys of subjects; lies in the key folder.
#[derive(Debug)]
pub struct WrappingKey(RandomizedNonceKey);

/// The key of one subject: everything personal of it is sealed with this one, so that destroying it
/// erases everything.
#[derive(Debug)]
pub struct SubjectKey {
    subject: String,
    key: RandomizedNonceKey,
    /// To be stored; `None` when it lies in `subject_keys` already.
    wrapped: Option<Vec<u8>>,
}

/// One row of `personal_data` that is about to be written, and its subject's wrapped key.
#[derive(Debug, Clone)]
pub struct SealedRow {
    /// Name of the row.
    pub reference: Uuid,
    /// Whose data it is: `partner/<id>`.
    pub subject: String,
    /// The data, readable with the subject's key only.
    pub ciphertext: Vec<u8>,
    /// The subject's key, readable with the wrapping key only; `None` when it is stored already.
    pub wrapped_key: Option<Vec<u8>>,
}

/// What was destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each is how many rows of the table of that name")]
pub struct Erased {
    pub subject_keys: i64,
    pub personal_data: i64,
    pub request_log: i64,
    pub refused_attempts: i64,
}

impl Erased {
    /// Whether there was nothing to destroy.
    pub fn is_nothing(&self) -> bool {
        self.subject_keys + self.personal_data + self.request_log + self.refused_attempts == 0
    }
}

/// Whether an event says that something is erased.
pub fn says_erased(event: &LogRow) -> bool {
    let of = |noun, happened| event.aggregate_type == noun && event.event_type == happened;
    of("partner", "personal_data_erased") || of("person", "origins_erased")
}

/// What the log says is erased, from a position on.
const ERASED: &str = "erased as (select aggregate_id, payload->>'subject' as subject, \
        (payload->>'through')::bigint as through, recorded_at from events \
      where event_type in ('personal_data_erased', 'origins_erased') \
        and aggregate_type in ('partner', 'person') and position >= $1)";

/// Destroys keys and rows of subjects that the log says are erased, from `position` on. The appender
/// does it in the transaction that appends the event.
pub async fn erase(db: impl PgExecutor<'_>, position: i64) -> Result<Erased> {
    let sql = format!(
        "with {ERASED}, \
           keys as (delete from subject_keys t using erased \
                    where t.subject = erased.subject returning 1), \
           data as (delete from personal_data t using erased \
                    where t.subject = erased.subject returning 1) \
         select (select count(*) from keys) as subject_keys, \
                (select count(*) from data) as personal_data, \
                0::bigint as request_log, 0::bigint as refused_attempts"
    );
    Ok(sqlx::query_as(&sql).bind(position).fetch_one(db).await?)
}

/// Destroys from where the changes of a person came whose origins the log says are erased, from
/// `position` on, and what he tried in vain until then. It reads all that he did in 91 days, so the
/// append lock is not held for it.
pub async fn erase_origins(db: impl PgExecutor<'_>, position: i64) -> Result<Erased> {
    let sql = format!(
        "with {ERASED}, \
           attempts as (delete from refused_attempts t using erased \
                        where erased.through is not null and t.at <= erased.recorded_at \
                          and t.actor = erased.aggregate_id returning t.request_id), \
           origins as (delete from request_log t using erased, events e \
                       where e.metadata->>'actor' = erased.aggregate_id \
                         and e.position <= erased.through and {ORIGIN_IS_KEPT} \
                         and t.request_id = (e.metadata->>'request_id')::uuid returning 1), \
           refused as (delete from request_log t using attempts \
                       where t.request_id = attempts.request_id returning 1) \
         select 0::bigint as subject_keys, 0::bigint as personal_data, \
                (select count(*) from origins) + (select count(*) from refused) as request_log, \
                (select count(*) from attempts) as refused_attempts"
    );
    Ok(sqlx::query_as(&sql).bind(position).fetch_one(db).await?)
}

/// Destroys everything that the log says is erased: at every start, for a restore may have brought
/// something back.
pub async fn erase_all(db: &mut PgConnection) -> Result<Erased> {
    let Erased { request_log, refused_attempts, .. } = erase_origins(&mut *db, 1).await?;
    Ok(Erased { request_log, refused_attempts, ..erase(db, 1).await? })
}

/// The condition on an event `e` that its origin may still be there: they are kept for 90 days.
pub(crate) const ORIGIN_IS_KEPT: &str = "e.position >= (select s.position from events s \
     where s.recorded_at > clock_timestamp() - interval '91 days' \
     order by s.recorded_at, s.position limit 1)";

/// What is sealed in a row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Salted {
    pub(crate) salt: [u8; 32],
    pub(crate) data: Contact,
}

impl WrappingKey {
    /// The wrapping key of an installation.
    pub fn new(bytes: &[u8; 32]) -> Result<Self> {
        key(bytes).map(Self)
    }

    /// The key of a subject of whom nothing is kept yet, of bytes that the caller drew.
    pub fn new_subject(&self, subject: &str, bytes: &KeyBytes) -> Result<SubjectKey> {
        let wrapped = seal(&self.0, subject.as_bytes(), bytes.as_slice())?;
        Ok(SubjectKey { subject: subject.to_owned(), key: key(bytes)?, wrapped: Some(wrapped) })
    }

    /// The stored key of a subject; `None` when it was erased or lost.
    pub async fn subject(
        &self,
        db: impl PgExecutor<'_>,
        subject: &str,
    ) -> Result<Option<SubjectKey>> {
        let sql = "select wrapped_key from subject_keys where subject = $1";
        let wrapped: Option<Vec<u8>> =
            sqlx::query_scalar(sql).bind(subject).fetch_optional(db).await?;
        let Some(wrapped) = wrapped else { return Ok(None) };
        let key = self.unwrapped(subject, wrapped)?;
        Ok(Some(SubjectKey { subject: subject.to_owned(), key, wrapped: None }))
    }

    /// What lies behind references, with the salt of its commitment. What was erased is absent.
    pub(crate) async fn salted(
        &self,
        db: impl PgExecutor<'_>,
        references: &[Uuid],
    ) -> Result<HashMap<Uuid, Salted>> {
        let rows: Vec<(Uuid, String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "select reference, subject, ciphertext, wrapped_key from personal_data \
             join subject_keys using (subject) where reference = any($1)",
        )
        .bind(references)
        .fetch_all(db)
        .await?;
        rows.into_iter()
            .map(|(reference, subject, data, wrapped)| {
                Ok((reference, self.open(reference, &subject, data, wrapped)?))
            })
            .collect()
    }

    /// The contact data behind references. What was erased is absent.
    pub async fn contacts(
        &self,
        db: impl PgExecutor<'_>,
        references: &[Uuid],
    ) -> Result<HashMap<Uuid, Contact>> {
        let salted = self.salted(db, references).await?;
        Ok(salted.into_iter().map(|(reference, salted)| (reference, salted.data)).collect())
    }

    /// A row of `personal_data` that does not open with this key; `None` when all do.
    pub async fn first_sealed(&self, db: &mut PgConnection) -> Result<Option<Uuid>> {
        let mut rows = sqlx::query_as(
            "select reference, subject, ciphertext, wrapped_key from personal_data \
             join subject_keys using (subject)",
        )
        .fetch(db);
        while let Some((reference, subject, data, wrapped)) = rows.try_next().await? {
            let subject: String = subject;
            if self.open(reference, &subject, data, wrapped).is_err() {
                return Ok(Some(reference));
            }
        }
        Ok(None)
    }

    fn open(&self, id: Uuid, subject: &str, data: Vec<u8>, wrapped: Vec<u8>) -> Result<Salted> {
        let data = open(&self.unwrapped(subject, wrapped)?, id.as_bytes(), data)?;
        Ok(serde_json::from_slice(&data)?)
    }

    fn unwrapped(&self, subject: &str, wrapped: Vec<u8>) -> Result<RandomizedNonceKey> {
        let bytes = open(&self.0, subject.as_bytes(), wrapped)?;
        key(bytes.as_slice().try_into().map_err(|_| unreadable("a subject key"))?)
    }
}

impl SubjectKey {
    /// Seals contact data of the subject.
    pub fn seal(
        self,
        reference: Uuid,
        salt: [u8; 32],
        contact: &Contact,
    ) -> Result<(PrivateReference, SealedRow)> {
        let salted = Zeroizing::new(serde_json::to_vec(&Salted { salt, data: contact.clone() })?);
        let sealed = SealedRow {
            reference,
            ciphertext: seal(&self.key, reference.as_bytes(), &salted)?,
            subject: self.subject,
            wrapped_key: self.wrapped,
        };
        let reference = PrivateReference {
            reference,
            commitment: commitment(&salt, &serde_json::to_vec(contact)?),
        };
        Ok((reference, sealed))
    }
}

fn key(bytes: &[u8; 32]) -> Result<RandomizedNonceKey> {
    RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| unreadable("a key"))
}

fn seal(key: &RandomizedNonceKey, name: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = data.to_vec();
    let nonce = key
        .seal_in_place_append_tag(Aad::from(name), &mut sealed)
        .map_err(|_| unreadable("private data"))?;
    let nonce: &[u8] = nonce.as_ref();
    Ok([nonce, &sealed].concat())
}

fn open(key: &RandomizedNonceKey, name: &[u8], sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
    let broken = || unreadable("a private row");
    let (nonce, data) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut data = Zeroizing::new(data.to_vec());
    let length = key.open_in_place(nonce, Aad::from(name), &mut data).map_err(|_| broken())?.len();
    data.truncate(length);
    Ok(data)
}

fn unreadable(what: &str) -> Error {
    Error::Unreadable(format!("{what} does not open with the keys of this installation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        let (address, email_id) = (Some("Main St".to_owned()), "a@b.example".to_owned());
        Contact { address, contact_number: "123".into(), email_id }
    }

    fn sealed(by: &WrappingKey) -> SealedRow {
        let subject_key = Zeroizing::new([2; 32]);
        let subject = by.new_subject("partner/acme", &subject_key).unwrap();
        subject.seal(Uuid::nil(), [3; 32], &contact()).unwrap().1
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_keys_only() {
        let ours = WrappingKey::new(&[1; 32]).unwrap();
        let row = sealed(&ours);
        let open = |by: &WrappingKey, subject: &str| {
            by.open(
                row.reference,
                subject,
                row.ciphertext.clone(),
                row.wrapped_key.clone().unwrap(),
            )
        };
        assert!(open(&ours, "partner/acme").unwrap().data == contact());
        assert!(open(&ours, "partner/other").is_err());
        assert!(open(&WrappingKey::new(&[9; 32]).unwrap(), "partner/acme").is_err());
    }
}
