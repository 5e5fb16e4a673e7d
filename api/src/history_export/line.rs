//! The two forms of an event in a file.

use projections::history::HistoryEntry;
use projections::log::LogRow;
use projections::{Error, Result};
use serde::Serialize;
use std::borrow::Cow;

/// In which form events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object a line (<https://jsonlines.org>): the columns of the log, metadata and payload as
    /// the exact text that is stored, so that the leaf hash can be computed again.
    JsonLines,
    /// RFC 4180: the first row has the names of the columns. Some cells are changed: see [`harmless`].
    Csv,
}

/// An event as the log has it, and its leaf hash.
#[derive(Serialize)]
struct Line<'a> {
    position: String,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    sequence: i64,
    event_type: &'a str,
    event_version: &'a str,
    recorded_at: String,
    metadata: &'a str,
    payload: &'a str,
    leaf_hash: String,
}

const COLUMNS: [&str; 16] = [
    "position",
    "recorded_at",
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_type",
    "event_version",
    "actor",
    "roles",
    "actor_partner",
    "reason",
    "correlation_id",
    "causation_id",
    "metadata",
    "payload",
    "leaf_hash",
];

impl Form {
    /// The end of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// What it is sent as.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/jsonl; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// These events; `begins` tells whether they are the first of the file.
    pub fn lines(self, events: &[LogRow], begins: bool) -> Result<Vec<u8>> {
        match self {
            Self::JsonLines => json_lines(events),
            Self::Csv => rows(events, begins),
        }
    }
}

fn json_lines(events: &[LogRow]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for event in events {
        let stored = event.stored();
        let line = Line {
            position: stored.position.to_string(),
            aggregate_type: stored.aggregate_type,
            aggregate_id: stored.aggregate_id,
            sequence: stored.sequence,
            event_type: stored.event_type,
            event_version: stored.event_version,
            recorded_at: stored.time(),
            metadata: stored.metadata,
            payload: stored.payload,
            leaf_hash: hex::encode(stored.leaf_hash()),
        };
        serde_json::to_writer(&mut lines, &line)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn rows(events: &[LogRow], begins: bool) -> Result<Vec<u8>> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let unwritten = |_| Error::Unreadable("a row cannot be written".to_owned());
    if begins {
        writer.write_record(COLUMNS).map_err(unwritten)?;
    }
    for event in events {
        let cells = cells(event)?;
        let cells = cells.each_ref().map(|cell| harmless(cell));
        writer.write_record(cells.iter().map(|cell| cell.as_bytes())).map_err(unwritten)?;
    }
    writer.into_inner().map_err(|_| Error::Unreadable("rows cannot be written".to_owned()))
}

/// In the order of [`COLUMNS`].
fn cells(event: &LogRow) -> Result<[String; 16]> {
    let (stored, told) = (event.stored(), HistoryEntry::of(event)?);
    Ok([
        stored.position.to_string(),
        stored.time(),
        told.noun,
        told.id,
        stored.sequence.to_string(),
        told.event,
        stored.event_version.to_owned(),
        told.actor,
        told.roles.join(" "),
        told.actor_partner.unwrap_or_default(),
        told.reason.unwrap_or_default(),
        told.correlation_id,
        told.causation_id,
        stored.metadata.to_owned(),
        stored.payload.to_owned(),
        hex::encode(stored.leaf_hash()),
    ])
}

/// A cell that no spreadsheet takes for a formula: one that begins like one, in full width too, gets an
/// apostrophe before it (OWASP, "CSV Injection"). It is the only place where a file says something else
/// than the log.
fn harmless(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_taken_for_a_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("＝1+1", "'＝1+1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠SUM(A1)", "'＠SUM(A1)"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell), written);
        }
    }
}
