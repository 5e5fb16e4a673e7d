//! Every acknowledged command is in the log exactly once, every other one whole or not at all.
//! `cascades.rs` has what else has to be whole.

use super::super::history::{Command, Granted, Outcome, Wish};
use super::super::stored::Event;
use super::{Case, Rule, Violation};
use std::collections::BTreeSet;

pub(super) fn check(case: &Case) -> Vec<Violation> {
    let commands = case.commands().flat_map(|(command, events)| {
        let answers = answers(command).into_iter();
        answers
            .chain(once(command, events))
            .chain(absent(case, command, events))
            .chain(stored(case, command, events))
            .chain(whole(case, command, events))
    });
    commands.chain(bare(case)).collect()
}

/// What was answered, for itself.
fn answers(command: &Command) -> Vec<Violation> {
    let key = &command.key;
    let mut found = vec![];
    for attempt in &command.attempts {
        if let Outcome::Fault(what) = &attempt.outcome {
            found.push(Rule::NoFault.broken(format!("{key}: {what}")));
        }
    }
    if !command.is_known() {
        found.push(Rule::KnownInTheEnd.broken(key.clone()));
    }
    let said: BTreeSet<_> = command.granted().map(|(_, it)| (&it.id, it.position)).collect();
    if said.len() > 1 {
        found.push(Rule::SameAnswer.broken(format!("{key}: {said:?}")));
    }
    found
}

/// All events of a command come of one request.
fn once(command: &Command, events: &[&Event]) -> Option<Violation> {
    let requests: BTreeSet<&str> = events.iter().map(|event| event.request_id.as_str()).collect();
    (requests.len() > 1).then(|| Rule::OneEffect.broken(format!("{}: {requests:?}", command.key)))
}

/// What was answered as not stored. A command that was refused in the end never was.
fn absent(case: &Case, command: &Command, events: &[&Event]) -> Vec<Violation> {
    let of_attempt = |attempt: usize| {
        let id = command.correlation_id(attempt);
        events.iter().find(|event| event.correlation_id == id)
    };
    let broken = |attempt: usize, position: i64| {
        let place = format!("{} is at {position}", command.correlation_id(attempt));
        Rule::NotStored.broken(place)
    };
    let mut found = vec![];
    for (attempt, outcome) in command.attempts.iter().map(|it| &it.outcome).enumerate() {
        if matches!(outcome, Outcome::Refused(_) | Outcome::Unavailable)
            && let Some(event) = of_attempt(attempt)
        {
            found.push(broken(attempt, event.position));
        }
    }
    let refused = command.is_known() && command.granted().next().is_none();
    if refused && (!events.is_empty() || case.stored.keys.contains_key(&command.key)) {
        let place = format!("{} was refused", command.key);
        found.push(Rule::NotStored.broken(place));
    }
    found
}

/// What was acknowledged is there as it was acknowledged.
fn stored(case: &Case, command: &Command, events: &[&Event]) -> Option<Violation> {
    let (_, granted) = command.granted().next()?;
    let noted = case.stored.keys.get(&command.key);
    let at_its_place = events.last().is_none_or(|last| last.position == granted.position);
    let is_so = holds(case, &command.wish, granted);
    let is_noted =
        noted.is_some_and(|(id, position)| *id == granted.id && *position == granted.position);
    (!at_its_place || !is_so || !is_noted).then(|| {
        let last = events.last().map(|event| event.position);
        let place = format!(
            "{}: acknowledged {granted:?}, its last event {last:?}, its key {noted:?}, so: {is_so}",
            command.key
        );
        Rule::NothingLost.broken(place)
    })
}

/// Whether the log shows at the acknowledged position that what was wished is so.
fn holds(case: &Case, wish: &Wish, granted: &Granted) -> bool {
    let stream = case.stream(wish.noun, &granted.id);
    let until = stream.partition_point(|event| event.position <= granted.position);
    let decided = stream[..until].iter().rfind(|it| wish.deciding.contains(&&*it.kind));
    decided.is_some_and(|event| {
        let showing = wish.showing.as_object().into_iter().flatten();
        wish.fulfilling.contains(&&*event.kind)
            && showing.into_iter().all(|(field, value)| event.payload[field] == *value)
    })
}

/// The events of a command have positions in a row, and its key was noted with them.
fn whole(case: &Case, command: &Command, events: &[&Event]) -> Option<Violation> {
    let in_a_row = events.windows(2).all(|pair| pair[0].position + 1 == pair[1].position);
    let noted = events.is_empty() || case.stored.keys.contains_key(&command.key);
    (!in_a_row || !noted).then(|| Rule::NothingHalf.broken(command.key.clone()))
}

/// Events without the private rows that went with them.
fn bare(case: &Case) -> Vec<Violation> {
    let place = |position| format!("position {position} lacks a private row");
    case.stored.bare.iter().map(|position| Rule::NothingHalf.broken(place(position))).collect()
}
