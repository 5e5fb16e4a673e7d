//! Writing what was accepted: one statement per table.

use super::judge::{Facts, names};
use super::{Name, Submission, recorded_at};
use crate::Result;
use domain::Finding;
use domain::log_entry::MAX_ENTRY;
use projections::log::LogRow;
use projections::private_rows::{SealedRow, erase, says_erased};
use projections::{Error, READ};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Gives events their sequences, positions and time. `head` is the position before the first.
pub(super) fn rows(accepted: &[&Submission], head: i64, facts: &Facts) -> Vec<LogRow> {
    let recorded_at = recorded_at(facts.clock, facts.last_recorded_at);
    let mut position = head;
    let mut rows = Vec::new();
    for submission in accepted {
        let mut versions = submission.streams.clone();
        for event in &submission.events {
            let sequence = versions.entry(event.stream.clone()).or_default();
            *sequence += 1;
            position += 1;
            rows.push(LogRow {
                aggregate_type: event.stream.aggregate_type.to_owned(),
                aggregate_id: event.stream.aggregate_id.clone(),
                sequence: *sequence,
                event_type: event.event_type.clone(),
                event_version: event.event_version.clone(),
                payload: event.payload.clone(),
                metadata: event.metadata.clone(),
                position,
                recorded_at,
            });
        }
    }
    rows
}

/// Why an event cannot be stored as it is: no NUL, no line feed, not too long. Checked before a
/// submission is queued, so that it cannot sink a batch.
pub(crate) fn unstorable(submission: &Submission) -> Option<Finding> {
    submission.events.iter().find_map(|event| {
        let texts = [
            event.stream.aggregate_type,
            &event.stream.aggregate_id,
            &event.event_type,
            &event.event_version,
            &event.payload,
            &event.metadata,
        ];
        // 120: the longest fixed first line, two longest numbers, the time and nine line feeds.
        let length: usize = texts.iter().map(|text| text.len()).sum::<usize>() + 120;
        if length > MAX_ENTRY {
            let message = "This is more than one event can hold.";
            return Some(Finding::new("TOO_LARGE", "", message).with("maxBytes", MAX_ENTRY));
        }
        let forbidden = texts.iter().any(|it| it.contains(['\0', '\n']) || escapes_nul(it));
        let message = "The character U+0000 cannot be stored.";
        forbidden.then(|| Finding::new("CONTROL_CHARACTER", "", message))
    })
}

/// Whether JSON holds U+0000, and not a backslash before the text `u0000`.
fn escapes_nul(json: &str) -> bool {
    json.contains(r"\u0000") && json.replace(r"\\", "").contains(r"\u0000")
}

/// Writes everything that the accepted submissions ask for, and folds the read tables.
pub(super) async fn write(
    db: &mut PgConnection,
    accepted: &[&Submission],
    rows: &[LogRow],
    facts: &Facts,
) -> Result<(), Error> {
    events(db, rows).await?;
    fences(db, accepted, facts).await?;
    claims(db, accepted, facts).await?;
    private_rows(db, accepted, facts).await?;
    idempotency_keys(db, accepted, rows, facts).await?;
    if let Some(first) = rows.iter().find(|row| says_erased(row)) {
        erase(&mut *db, first.position).await?;
    }
    projections::fold::project(db, READ, rows).await
}

async fn events(db: &mut PgConnection, rows: &[LogRow]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    // Payload and metadata go in as text and become `json`, which keeps their bytes.
    let sql = "insert into events (aggregate_type, aggregate_id, sequence, event_type, \
               event_version, payload, metadata, position, recorded_at) \
               select a, b, c, d, e, f::json, g::json, h, i from unnest($1::text[], $2::text[], \
               $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], \
               $9::timestamptz[]) as t(a, b, c, d, e, f, g, h, i)";
    let text = |column: fn(&LogRow) -> &str| rows.iter().map(column).collect::<Vec<_>>();
    sqlx::query(sql)
        .bind(text(|row| &row.aggregate_type))
        .bind(text(|row| &row.aggregate_id))
        .bind(rows.iter().map(|row| row.sequence).collect::<Vec<_>>())
        .bind(text(|row| &row.event_type))
        .bind(text(|row| &row.event_version))
        .bind(text(|row| &row.payload))
        .bind(text(|row| &row.metadata))
        .bind(rows.iter().map(|row| row.position).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.recorded_at).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

async fn fences(
    db: &mut PgConnection,
    accepted: &[&Submission],
    facts: &Facts,
) -> Result<(), sqlx::Error> {
    let raised: BTreeSet<&String> = accepted.iter().flat_map(|s| &s.raised).collect();
    if raised.is_empty() {
        return Ok(());
    }
    let versions: Vec<i64> = raised.iter().map(|name| facts.fence(name)).collect();
    let sql = "insert into fences (name, version) select * from unnest($1::text[], $2::bigint[]) \
               on conflict (name) do update set version = excluded.version";
    sqlx::query(sql)
        .bind(raised.into_iter().collect::<Vec<_>>())
        .bind(versions)
        .execute(db)
        .await?;
    Ok(())
}

/// What the judgement left of each name: held by somebody, or given back. Only the judgement knows
/// whether who gave a name back held it.
async fn claims(
    db: &mut PgConnection,
    accepted: &[&Submission],
    facts: &Facts,
) -> Result<(), sqlx::Error> {
    let touched: BTreeSet<&Name> = accepted.iter().flat_map(|s| names(s)).collect();
    if touched.is_empty() {
        return Ok(());
    }
    let (kinds, keys): (Vec<_>, Vec<_>) = touched.iter().map(|n| (n.kind, n.key.as_str())).unzip();
    let holders: Vec<Option<&str>> = touched.iter().map(|name| facts.holder(name)).collect();
    let sql = "with last as (select * from unnest($1::text[], $2::text[], $3::text[]) \
                             as t(kind, key, holder)), \
               gone as (delete from claims using last where claims.kind = last.kind \
                        and claims.key = last.key and last.holder is null) \
               insert into claims select * from last where holder is not null \
               on conflict (kind, key) do update set holder = excluded.holder";
    sqlx::query(sql).bind(kinds).bind(keys).bind(holders).execute(db).await?;
    Ok(())
}

async fn private_rows(
    db: &mut PgConnection,
    accepted: &[&Submission],
    facts: &Facts,
) -> Result<(), sqlx::Error> {
    let personal: Vec<_> = accepted.iter().flat_map(|s| &s.personal_data).collect();
    if !personal.is_empty() {
        let new_key = |row: &&SealedRow| Some((row.subject.clone(), row.wrapped_key.clone()?));
        let (new, keys): (Vec<_>, Vec<_>) = personal.iter().filter_map(new_key).unzip();
        let sql = "insert into subject_keys (subject, wrapped_key) \
                   select * from unnest($1::text[], $2::bytea[])";
        sqlx::query(sql).bind(new).bind(keys).execute(&mut *db).await?;
        let subjects: Vec<_> = personal.iter().map(|row| row.subject.as_str()).collect();
        let sql = "insert into personal_data (reference, subject, ciphertext, created_at) \
                   select a, b, c, $4 from unnest($1::uuid[], $2::text[], $3::bytea[]) as t(a, b, c)";
        sqlx::query(sql)
            .bind(personal.iter().map(|row| row.reference).collect::<Vec<_>>())
            .bind(subjects)
            .bind(personal.iter().map(|row| row.ciphertext.as_slice()).collect::<Vec<_>>())
            .bind(facts.clock)
            .execute(&mut *db)
            .await?;
    }
    let secrets: Vec<_> = accepted.iter().flat_map(|s| &s.secret_hashes).collect();
    if !secrets.is_empty() {
        let sql = "insert into secret_hashes (lookup_id, object_id, pepper_version, hash) \
                   select * from unnest($1::text[], $2::text[], $3::int[], $4::bytea[])";
        sqlx::query(sql)
            .bind(secrets.iter().map(|row| row.lookup_id.as_str()).collect::<Vec<_>>())
            .bind(secrets.iter().map(|row| row.object_id.as_str()).collect::<Vec<_>>())
            .bind(secrets.iter().map(|row| row.pepper_version).collect::<Vec<_>>())
            .bind(secrets.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>())
            .execute(db)
            .await?;
    }
    Ok(())
}

/// Written for every success, also for "nothing to do"; the position is that of the submission's
/// last event, else the log's end before it.
async fn idempotency_keys(
    db: &mut PgConnection,
    accepted: &[&Submission],
    rows: &[LogRow],
    facts: &Facts,
) -> Result<(), sqlx::Error> {
    let mut position = rows.first().map_or(facts.head, |row| row.position - 1);
    let mut keys = Vec::new();
    for submission in accepted {
        position += i64::try_from(submission.events.len()).unwrap_or_default();
        keys.extend(submission.idempotency_key.as_ref().map(|key| (key, position)));
    }
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "insert into idempotency_keys (subject, mutation, key, input_hmac, object_id, \
               version, position, created_at) \
               select a, b, c, d, e, f, g, $8 from unnest($1::text[], $2::text[], $3::text[], \
               $4::bytea[], $5::text[], $6::bigint[], $7::bigint[]) as t(a, b, c, d, e, f, g)";
    sqlx::query(sql)
        .bind(keys.iter().map(|(key, _)| key.subject.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(key, _)| key.mutation).collect::<Vec<_>>())
        .bind(keys.iter().map(|(key, _)| key.key.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(key, _)| key.input_hmac.as_slice()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(key, _)| key.object_id.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(key, _)| key.version).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, position)| *position).collect::<Vec<_>>())
        .bind(facts.clock)
        .execute(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_store::{NewEvent, StreamId};
    use domain::log_entry::StoredEvent;
    use domain::policy_group::PolicyGroup;

    fn submission(payload: &str, metadata: &str) -> Submission {
        let event = NewEvent {
            stream: StreamId::of::<PolicyGroup>("banking"),
            event_type: "created".into(),
            event_version: "1.0".into(),
            payload: payload.into(),
            metadata: metadata.into(),
        };
        Submission { events: vec![event], ..Submission::default() }
    }

    /// The longest entry that the event could become, at the last position of all.
    fn longest_entry(submission: &Submission) -> usize {
        let event = &submission.events[0];
        let stored = StoredEvent {
            position: i64::MAX,
            aggregate_type: event.stream.aggregate_type,
            aggregate_id: &event.stream.aggregate_id,
            sequence: i64::MAX,
            event_type: &event.event_type,
            event_version: &event.event_version,
            recorded_at: chrono::DateTime::UNIX_EPOCH,
            metadata: &event.metadata,
            payload: &event.payload,
        };
        stored.entry().len()
    }

    #[test]
    fn an_event_that_might_not_fit_an_entry_is_not_storable() {
        for length in MAX_ENTRY - 300..MAX_ENTRY {
            let submission = submission(&"x".repeat(length), "{}");
            let fits = longest_entry(&submission) <= MAX_ENTRY;
            assert!(fits || unstorable(&submission).is_some(), "{length}");
        }
        assert!(unstorable(&submission(&"x".repeat(MAX_ENTRY - 300), "{}")).is_none());
    }

    #[test]
    fn characters_that_would_make_an_entry_ambiguous_or_unreadable_are_not_storable() {
        for text in ["\0", "\n", r"\u0000"] {
            assert!(unstorable(&submission(text, "{}")).is_some());
            assert!(unstorable(&submission("{}", text)).is_some());
        }
    }

    #[test]
    fn a_backslash_before_u0000_is_text_like_any_other() {
        let text = serde_json::to_string(r"C:\u0000").unwrap();
        assert!(unstorable(&submission(&text, "{}")).is_none(), "{text}");
    }
}
