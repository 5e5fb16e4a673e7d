//! That one entry is in the log: a C2SP tlog-proof.

use super::Report;
use chrono::SecondsFormat;
use domain::audit::Fault;
use domain::audit::policy::Policy;
use domain::audit::tlog_proof::TlogProof;
use domain::log_entry::StoredEvent;
use serde_json::Value;

/// Verifies a tlog-proof about an entry, which GraphQL's `auditBundle` carries in the line `extra`.
pub fn one_entry(text: &str, entry: Option<Vec<u8>>, policy: &Policy) -> Result<Report, Fault> {
    let proof: TlogProof = text.parse()?;
    let none = || Fault::Unreadable("the proof carries no entry: name it with --entry".to_owned());
    let entry = entry.or_else(|| proof.extra.clone()).ok_or_else(none)?;
    let proved = proof.verify(&entry, policy)?;
    let position = proved.index + 1;
    let wrong = |reason: String| Fault::WrongEntry { position, reason };
    let event = StoredEvent::read(&entry).map_err(|reason| wrong(reason.to_owned()))?;
    if u64::try_from(event.position) != Ok(position) {
        return Err(wrong(format!("the event says that its position is {}", event.position)));
    }
    let proved = vec![proved.to_string(), in_words(&event)];
    Ok(Report { proved, ..Report::default() })
}

fn in_words(event: &StoredEvent<'_>) -> String {
    let StoredEvent { position, aggregate_type, aggregate_id, sequence, event_type, .. } = event;
    let at = event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let metadata: Value = serde_json::from_str(event.metadata).unwrap_or_default();
    let actor = metadata["actor"].as_str();
    let actor = actor.map_or("nobody that it names".to_owned(), |actor| format!("{actor:?}"));
    format!(
        "position {position}, {at}: {event_type}, event {sequence} of {aggregate_type}/{aggregate_id}, \
         by {actor}"
    )
}
