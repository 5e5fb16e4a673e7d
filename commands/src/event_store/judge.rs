//! Judging submissions one by one, as if each had its own transaction.

use super::{Claim, Name, StreamId, Submission, Verdict};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

type KeyName = (String, &'static str, String);

/// What is true in the database about everything that a batch touches, as of one statement.
#[derive(Debug)]
pub(super) struct Facts {
    streams: HashMap<StreamId, i64>,
    fences: HashMap<String, i64>,
    holders: HashMap<Name, String>,
    used_keys: HashSet<KeyName>,
    /// The last position of the log; 0 when it is empty.
    pub head: i64,
    /// When the last event was recorded.
    pub last_recorded_at: Option<DateTime<Utc>>,
    /// The database's clock.
    pub clock: DateTime<Utc>,
    /// The fold version of the live read tables.
    pub fold_version: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FactsRow {
    versions: Vec<i64>,
    fences: Vec<i64>,
    holders: Vec<Option<String>>,
    keys: Vec<bool>,
    head: i64,
    last_recorded_at: Option<DateTime<Utc>>,
    clock: DateTime<Utc>,
    fold_version: Option<String>,
}

/// Under the lock this is read after the lock, as a statement of its own: lock and read in one
/// statement would see the world before the lock.
const FETCH: &str = "
select
  array(select coalesce((select max(e.sequence) from events e
                         where e.aggregate_type = s.type and e.aggregate_id = s.id), 0)
        from unnest($1::text[], $2::text[]) with ordinality s(type, id, n) order by n) as versions,
  array(select coalesce((select f.version from fences f where f.name = s.name), 0)
        from unnest($3::text[]) with ordinality s(name, n) order by n) as fences,
  array(select (select c.holder from claims c where c.kind = s.kind and c.key = s.key)
        from unnest($4::text[], $5::text[]) with ordinality s(kind, key, n) order by n) as holders,
  array(select exists (select from idempotency_keys k
                       where k.subject = s.subject and k.mutation = s.mutation and k.key = s.key)
        from unnest($6::text[], $7::text[], $8::text[])
             with ordinality s(subject, mutation, key, n) order by n) as keys,
  coalesce((select max(position) from events), 0) as head,
  (select recorded_at from events order by position desc limit 1) as last_recorded_at,
  clock_timestamp() as clock,
  (select version from read.fold_version) as fold_version";

impl Facts {
    /// Fetches the facts for `submissions` in one statement.
    pub async fn fetch(
        db: &mut PgConnection,
        submissions: &[&Submission],
    ) -> Result<Self, sqlx::Error> {
        let streams: Vec<&StreamId> = submissions.iter().flat_map(|s| s.streams.keys()).collect();
        let fences: Vec<&String> =
            submissions.iter().flat_map(|s| s.fences.keys().chain(&s.raised)).collect();
        let names: Vec<&Name> = submissions.iter().flat_map(|s| names(s)).collect();
        let keys: Vec<KeyName> = submissions.iter().filter_map(|s| key_name(s)).collect();
        let row: FactsRow = sqlx::query_as(FETCH)
            .bind(streams.iter().map(|s| s.aggregate_type).collect::<Vec<_>>())
            .bind(streams.iter().map(|s| s.aggregate_id.as_str()).collect::<Vec<_>>())
            .bind(&fences)
            .bind(names.iter().map(|n| n.kind).collect::<Vec<_>>())
            .bind(names.iter().map(|n| n.key.as_str()).collect::<Vec<_>>())
            .bind(keys.iter().map(|k| k.0.as_str()).collect::<Vec<_>>())
            .bind(keys.iter().map(|k| k.1).collect::<Vec<_>>())
            .bind(keys.iter().map(|k| k.2.as_str()).collect::<Vec<_>>())
            .fetch_one(db)
            .await?;
        let held = names.into_iter().cloned().zip(row.holders);
        Ok(Self {
            streams: streams.into_iter().cloned().zip(row.versions).collect(),
            fences: fences.into_iter().cloned().zip(row.fences).collect(),
            holders: held.filter_map(|(name, holder)| Some((name, holder?))).collect(),
            used_keys: keys
                .into_iter()
                .zip(row.keys)
                .filter_map(|(k, used)| used.then_some(k))
                .collect(),
            head: row.head,
            last_recorded_at: row.last_recorded_at,
            clock: row.clock,
            fold_version: row.fold_version,
        })
    }

    /// Whether everything that `submission` read is still as it was read.
    pub fn hold_for(&self, submission: &Submission) -> bool {
        let key_is_free = key_name(submission).is_none_or(|key| !self.used_keys.contains(&key));
        key_is_free
            && submission.streams.iter().all(|(id, read)| self.version(id) == *read)
            && submission.fences.iter().all(|(name, read)| self.fence(name) == *read)
    }

    /// Judges one submission and, when it is accepted, lets those after it see what it changes.
    pub fn judge(&mut self, submission: &Submission) -> Verdict {
        if !self.hold_for(submission) {
            return Verdict::Conflict;
        }
        let taken: Vec<&Claim> =
            submission.claims.iter().filter(|claim| self.is_taken(claim, submission)).collect();
        if taken.iter().any(|claim| claim.taken.is_none()) {
            return Verdict::Conflict;
        }
        if !taken.is_empty() {
            return Verdict::Refused(
                taken.iter().filter_map(|claim| claim.taken.clone()).collect(),
            );
        }
        self.accept(submission);
        Verdict::Accepted(self.head)
    }

    fn version(&self, id: &StreamId) -> i64 {
        self.streams.get(id).copied().unwrap_or_default()
    }

    /// The version of a fence, with what the accepted submissions did to it.
    pub fn fence(&self, name: &str) -> i64 {
        self.fences.get(name).copied().unwrap_or_default()
    }

    /// Who holds a name, with what the accepted submissions did to it.
    pub fn holder(&self, name: &Name) -> Option<&str> {
        self.holders.get(name).map(String::as_str)
    }

    /// A name is free for its holder, and for whoever takes it over in the same submission.
    fn is_taken(&self, claim: &Claim, by: &Submission) -> bool {
        let Some(holder) = self.holders.get(&claim.name) else { return false };
        let given_back = by
            .released
            .iter()
            .any(|(name, from)| *name == claim.name && from.to_string() == *holder);
        *holder != claim.holder.to_string() && !given_back
    }

    fn accept(&mut self, submission: &Submission) {
        for event in &submission.events {
            *self.streams.entry(event.stream.clone()).or_default() += 1;
            self.head += 1;
        }
        for name in &submission.raised {
            *self.fences.entry(name.clone()).or_default() += 1;
        }
        for (name, from) in &submission.released {
            if self.holders.get(name).is_some_and(|holder| *holder == from.to_string()) {
                self.holders.remove(name);
            }
        }
        for claim in &submission.claims {
            self.holders.insert(claim.name.clone(), claim.holder.to_string());
        }
        self.used_keys.extend(key_name(submission));
    }
}

/// The names that a submission takes or gives back.
pub(super) fn names(submission: &Submission) -> impl Iterator<Item = &Name> {
    let taken = submission.claims.iter().map(|claim| &claim.name);
    taken.chain(submission.released.iter().map(|(name, _)| name))
}

fn key_name(submission: &Submission) -> Option<KeyName> {
    let key = submission.idempotency_key.as_ref()?;
    Some((key.subject.clone(), key.mutation, key.key.clone()))
}
