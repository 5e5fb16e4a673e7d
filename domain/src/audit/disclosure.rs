//! Personal data that lies beside the log, shown to an auditor together with the salt that proves to
//! which event it belongs. One line of JSON each; once it is erased, only its name is left.

use super::{Fault, base64, hash_from_base64, not_proved, unreadable};
use crate::log_entry::StoredEvent;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// What an event refers to. Prints as its line, without the line feed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// The position of the event.
    pub position: u64,
    /// The name of the data, as the event has it.
    pub reference: Uuid,
    /// The salt of the commitment, 32 bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The very text that the commitment was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Whether it is gone because the log says that it was erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disclosure({}, {})", self.position, self.reference)
    }
}

impl Disclosure {
    /// Data with its salt.
    pub fn of(position: u64, reference: Uuid, salt: &[u8; 32], data: String) -> Self {
        let (salt, data) = (Some(base64(salt)), Some(data));
        Self { position, reference, salt, data, erased: false }
    }

    /// That there is nothing to show any more.
    pub fn gone(position: u64, reference: Uuid, erased: bool) -> Self {
        Self { position, reference, salt: None, data: None, erased }
    }

    /// Whether data is shown; then it is what this event, at the same position, was committed to. Data
    /// that is gone is such that the event refers to it.
    pub fn verify(&self, event: &StoredEvent<'_>) -> Result<bool, Fault> {
        let form = |reason| Err(unreadable(format!("position {}: {reason}", self.position)));
        let wrong = |reason| Err(not_proved(format!("position {}: {reason}", self.position)));
        let reference = self.reference.to_string();
        let mut commitments = commitments(event.payload).into_iter();
        let Some((_, committed)) = commitments.find(|(it, _)| *it == reference) else {
            return wrong("the event does not refer to the disclosed data");
        };
        match (&self.salt, &self.data) {
            (Some(salt), Some(data)) if !self.erased => match hash_from_base64(salt) {
                None => form("the salt is none"),
                Some(salt) if committed == commitment(&salt, data.as_bytes()) => Ok(true),
                Some(_) => wrong("the disclosed data is not what the event was committed to"),
            },
            (None, None) => Ok(false),
            _ => form("the data has no salt, the salt no data, or both are called erased"),
        }
    }
}

/// What stands in an event for personal data: HMAC-SHA-256 of it under its salt, base64.
pub fn commitment(salt: &[u8; 32], data: &[u8]) -> String {
    base64(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), data).as_ref())
}

/// The references to personal data that the payload of an event holds, wherever they stand in it, each
/// with the commitment beside it.
pub fn commitments(payload: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if !payload.contains("\"commitment\"") {
        return found; // nearly all of them, without reading them as JSON
    }
    let mut parts: Vec<Value> = serde_json::from_str(payload).into_iter().collect();
    while let Some(part) = parts.pop() {
        match part {
            Value::Object(it) => {
                let text = |key| it.get(key).and_then(Value::as_str).map(str::to_owned);
                found.extend(text("reference").zip(text("commitment")));
                parts.extend(it.into_iter().map(|(_, value)| value));
            }
            Value::Array(it) => parts.extend(it),
            _ => {}
        }
    }
    found
}

impl fmt::Display for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Disclosure {
    type Err = Fault;

    /// The error does not repeat what stands there.
    fn from_str(line: &str) -> Result<Self, Fault> {
        serde_json::from_str(line)
            .map_err(|error| unreadable(format!("no disclosure, from column {}", error.column())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const DATA: &str = r#"{"contact_number":"123","email_id":"a@b.example"}"#;

    fn verified(disclosure: &Disclosure, payload: &str) -> Result<bool, Fault> {
        disclosure.verify(&StoredEvent {
            position: 7,
            aggregate_type: "partner",
            aggregate_id: "acme",
            sequence: 1,
            event_type: "registered",
            event_version: "1.0",
            recorded_at: DateTime::UNIX_EPOCH,
            metadata: "{}",
            payload,
        })
    }

    fn disclosure() -> Disclosure {
        Disclosure::of(7, Uuid::nil(), &[3; 32], DATA.to_owned())
    }

    fn payload() -> String {
        let commitment = commitment(&[3; 32], DATA.as_bytes());
        let (one, nil) = (Uuid::from_u128(1), Uuid::nil());
        format!(
            r#"{{"other":{{"reference":"{one}","commitment":""}},
                "list":[{{"contact":{{"reference":"{nil}","commitment":"{commitment}"}}}}]}}"#
        )
    }

    #[test]
    fn what_is_disclosed_belongs_to_its_event_or_is_refused() {
        assert_eq!(verified(&disclosure(), &payload()), Ok(true));
        let other = Disclosure { reference: Uuid::from_u128(2), ..disclosure() };
        let changed = Disclosure { data: Some(DATA.replace("123", "124")), ..disclosure() };
        let salted = Disclosure::of(7, Uuid::nil(), &[4; 32], DATA.to_owned());
        let gone = Disclosure::gone(7, Uuid::from_u128(2), true);
        let unsalted = Disclosure { salt: None, ..disclosure() };
        let bare = Disclosure { data: None, ..disclosure() };
        let erased = Disclosure { erased: true, ..disclosure() };
        let half = "position 7: the data has no salt, the salt no data, or both are called erased";
        for (wrong, reason) in [
            (other, "position 7: the event does not refer to the disclosed data"),
            (gone, "position 7: the event does not refer to the disclosed data"),
            (unsalted, half),
            (bare, half),
            (erased, half),
            (changed, "position 7: the disclosed data is not what the event was committed to"),
            (salted, "position 7: the disclosed data is not what the event was committed to"),
        ] {
            assert_eq!(verified(&wrong, &payload()).unwrap_err().to_string(), reason);
        }
        assert!(verified(&disclosure(), "no JSON").is_err());
        assert!(verified(&disclosure(), "\"commitment\" in no JSON").is_err());
    }

    #[test]
    fn what_is_erased_is_no_fault() {
        let erased = Disclosure::gone(7, Uuid::nil(), true);
        assert_eq!(verified(&erased, &payload()), Ok(false));
        let line = format!(r#"{{"position":7,"reference":"{}","erased":true}}"#, Uuid::nil());
        assert_eq!(erased.to_string(), line);
        assert_eq!(line.parse(), Ok(erased));
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_shows_nothing_in_logs() {
        let line = disclosure().to_string();
        assert_eq!(line.parse(), Ok(disclosure()));
        assert!(!format!("{:?}", disclosure()).contains("a@b"));
        let fault = line.replace("\"data\"", "\"date\"").parse::<Disclosure>().unwrap_err();
        assert!(!fault.to_string().contains("a@b"), "{fault}");
    }

    /// As `openssl dgst -sha256 -mac HMAC -macopt hexkey:0303…` computes it.
    #[test]
    fn the_commitment_is_one_that_others_compute() {
        let golden = "8SsbT0M3+xgiMa7f373X3rKkdMO7t0lN0UcdrzeK434=";
        assert_eq!(commitment(&[3; 32], DATA.as_bytes()), golden);
    }
}
