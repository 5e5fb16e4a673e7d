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

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

/// The longest entry in bytes: what a C2SP entry bundle can carry.
pub const MAX_ENTRY: usize = 65_535;

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
            "pms-event/v1",
            &self.position.to_string(),
            self.aggregate_type,
            self.aggregate_id,
            &self.sequence.to_string(),
            self.event_type,
            self.event_version,
            &self.recorded_at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            self.metadata,
            self.payload,
        ]
        .join("\n")
    }

    /// The RFC 6962 leaf hash of the entry.
    pub fn leaf_hash(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[0]);
        context.update(self.entry().as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
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
}
