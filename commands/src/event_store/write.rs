//! Writing what was accepted: one statement per table.

use super::judge::{Facts, names};
use super::{Name, Submission, recorded_at};
use crate::Result;
use domain::Finding;
use domain::log_entry::MAX_ENTRY;
use projections::log::LogRow;
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

/// Why an event cannot be stored as it is: no NUL, no line feed, not too long. Checked before a submission is queued, so that it cannot sink a batch.
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
        let forbidden = texts.iter().any(|it| it.contains(['\0', '\n']) || has_escaped_nul(it));
        let message = "The character U+0000 cannot be stored.";
        forbidden.then(|| Finding::new("CONTROL_CHARACTER", "", message))
    })
}

/// Whether a JSON text has U+0000: `\u0000` behind an even number of backslashes.
fn has_escaped_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let backslashes = json[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
        backslashes % 2 == 0
    })
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
        let subjects: Vec<_> = personal.iter().map(|row| row.subject.as_str()).collect();
        let sql = "insert into subject_keys (subject, wrapped_key) \
                   select * from unnest($1::text[], $2::bytea[])";
        let keys: Vec<_> = personal.iter().map(|row| row.wrapped_key.as_slice()).collect();
        sqlx::query(sql).bind(&subjects).bind(keys).execute(&mut *db).await?;
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
