//! The bytes of one event as the audit log hashes them: part of the stored format, fixed with the
//! first event ever written.
//!
//! An entry is ten lines, joined by one line feed (0x0A), the last one without an end:
//!
//! ```text
//! pms-event/v1
//! <position, decimal>
//! <aggregate_type>
//! <aggregate_id>
//! <sequence, decimal>
//! <event_type>
//! <event_version>
//! <recorded_at, UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ>
//! <metadata, the stored text>
//! <payload, the stored text>
//! ```
//!
//! No part can hold a line feed (the appender refuses one), so no two events share an entry. The
//! event at position *n* is leaf *n − 1* of an RFC 6962 tree, its hash SHA-256(0x00 ‖ entry). An
//! auditor needs nothing of ours to recompute it:
//!
//! ```sql
//! select position, encode(sha256('\x00' || convert_to(concat_ws(E'\n', 'pms-event/v1', position,
//!   aggregate_type, aggregate_id, sequence, event_type, event_version,
//!   to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
//!   metadata, payload), 'UTF8')), 'hex') from events order by position;
//! ```

use crate::audit::tree;
use chrono::{DateTime, NaiveDateTime, Utc};

/// The longest entry in bytes: what a C2SP entry bundle can carry.
pub const MAX_ENTRY: usize = 65_535;

const HEADER: &str = "pms-event/v1";
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// One row of `events`, exactly as stored.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each is the column of the same name")]
pub struct StoredEvent<'a> {
    pub position: i64,
    pub aggregate_type: &'a str,
    pub aggregate_id: &'a str,
    pub sequence: i64,
    pub event_type: &'a str,
    pub event_version: &'a str,
    pub recorded_at: DateTime<Utc>,
    pub metadata: &'a str,
    pub payload: &'a str,
}

impl StoredEvent<'_> {
    /// The bytes that stand for this event in the audit log.
    pub fn entry(&self) -> String {
        [
            HEADER,
            &self.position.to_string(),
            self.aggregate_type,
            self.aggregate_id,
            &self.sequence.to_string(),
            self.event_type,
            self.event_version,
            &self.time(),
            self.metadata,
            self.payload,
        ]
        .join("\n")
    }

    /// When it was recorded, as it stands in the entry.
    pub fn time(&self) -> String {
        self.recorded_at.format(TIME).to_string()
    }

    /// The RFC 6962 leaf hash of the entry.
    pub fn leaf_hash(&self) -> [u8; 32] {
        tree::leaf_hash(self.entry().as_bytes())
    }
}

impl<'a> StoredEvent<'a> {
    /// The event in an entry, which must be spelt as [`Self::entry`] does it. The error says what
    /// is wrong, without what stands there.
    pub fn read(entry: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(entry).map_err(|_| "the entry is not UTF-8")?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [
            HEADER,
            position,
            aggregate_type,
            aggregate_id,
            sequence,
            event_type,
            event_version,
            at,
            metadata,
            payload,
        ] = lines[..]
        else {
            return Err("the entry is not ten lines of which the first is pms-event/v1");
        };
        let number = |text: &str| text.parse().map_err(|_| "position or sequence is no number");
        let at = NaiveDateTime::parse_from_str(at, TIME).map_err(|_| "the time is none")?;
        let event = Self {
            position: number(position)?,
            aggregate_type,
            aggregate_id,
            sequence: number(sequence)?,
            event_type,
            event_version,
            recorded_at: at.and_utc(),
            metadata,
            payload,
        };
        let same = event.entry().as_bytes() == entry;
        same.then_some(event).ok_or("position, sequence or time is not spelt in its one way")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this test fails, every proof ever given out has become worthless: change it back.
    #[test]
    fn the_leaf_hash_of_the_golden_event_never_changes() {
        let golden = StoredEvent {
            position: 1,
            aggregate_type: "policy_group",
            aggregate_id: "mpolicygroup-default-auth",
            sequence: 1,
            event_type: "created",
            event_version: "1.0",
            recorded_at: DateTime::from_timestamp(1_795_000_000, 123_456_000).unwrap(),
            metadata: r#"{"actor":"system","roles":""}"#,
            payload: r#"{"type":"created","name":"mpolicygroup-default-auth","description":"Größe"}"#,
        };
        assert_eq!(
            golden.entry(),
            "pms-event/v1\n1\npolicy_group\nmpolicygroup-default-auth\n1\ncreated\n1.0\n\
             2026-11-18T11:06:40.123456Z\n{\"actor\":\"system\",\"roles\":\"\"}\n\
             {\"type\":\"created\",\"name\":\"mpolicygroup-default-auth\",\"description\":\"Größe\"}"
        );
        // sha256sum of a zero byte and the entry
        let golden_hash = "87158a15af0a5e9272c8564054218fdc3c23d490df920feb943ec90f43feb4b4";
        assert_eq!(hex::encode(golden.leaf_hash()), golden_hash);
    }
    #[test]
    fn an_entry_is_read_as_it_was_written_and_in_no_other_spelling() {
        let entry = "pms-event/v1\n7\npartner\nacme\n2\nrenamed\n1.0\n\
                     2026-11-18T11:06:40.123456Z\n{}\n{\"name\":\"Größe\"}";
        let event = StoredEvent::read(entry.as_bytes()).unwrap();
        assert_eq!((event.position, event.sequence, event.payload), (7, 2, "{\"name\":\"Größe\"}"));
        assert_eq!(event.entry(), entry);
        for (right, wrong) in [
            ("pms-event/v1", "pms-event/v2"),
            ("\n7\n", "\n07\n"),
            ("\n7\n", "\n+7\n"),
            ("\n7\n", "\n\n"),
            ("\n7\n", "\n9223372036854775808\n"),
            (".123456Z", ".1234560Z"),
            (".123456Z", ".12345Z"),
            (".123456Z", ".123456+00:00"),
            ("2026-11", "2026-13"),
            ("Größe\"}", "Größe\"}\n"),
            ("\nrenamed", ""),
            ("pms", "\npms"),
        ] {
            let wrong = entry.replacen(right, wrong, 1);
            assert!(StoredEvent::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(StoredEvent::read(b"\xff").is_err());
    }
}
