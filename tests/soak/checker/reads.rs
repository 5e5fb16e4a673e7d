//! Whoever knows that something is stored sees it, at any node; and nobody sees what is not stored.

use super::super::history::Read;
use super::{Case, Event, Rule, Violation};
use std::collections::HashMap;
use std::time::Duration;

type Stream<'a> = (&'a str, &'a str);

pub(super) fn check(case: &Case) -> Vec<Violation> {
    let shown: Vec<Read> = case.history.reads.iter().cloned().chain(answers(case)).collect();
    let known = known(case, &shown);
    let reads = shown.iter().flat_map(|read| {
        let stale = known.get(&(read.noun, &*read.id)).and_then(|it| stale(it, read));
        stale.into_iter().chain(invented(case, read))
    });
    reads.chain(own(case)).collect()
}

/// The object in the answer to a command is read, too.
fn answers(case: &Case) -> impl Iterator<Item = Read> {
    case.history.commands.iter().flat_map(|command| {
        command.granted().map(|(attempt, granted)| Read {
            called: attempt.called,
            answered: attempt.answered,
            noun: command.wish.noun,
            id: granted.id.clone(),
            version: granted.version,
        })
    })
}

/// From when on somebody knew that a stream has come this far: in order of time, and growing.
fn known<'a>(case: &Case<'a>, shown: &'a [Read]) -> HashMap<Stream<'a>, Vec<(Duration, i64)>> {
    let mut known: HashMap<Stream, Vec<(Duration, i64)>> = HashMap::new();
    for (command, events) in case.commands() {
        let Some((attempt, _)) = command.granted().next() else { continue };
        for event in events {
            let stream = (event.noun.as_str(), event.id.as_str());
            known.entry(stream).or_default().push((attempt.answered, event.sequence));
        }
    }
    for read in shown {
        known.entry((read.noun, &read.id)).or_default().push((read.answered, read.version));
    }
    for moments in known.values_mut() {
        moments.sort_unstable();
        let mut most = 0;
        for (_, version) in moments {
            most = most.max(*version);
            *version = most;
        }
    }
    known
}

fn stale(known: &[(Duration, i64)], read: &Read) -> Option<Violation> {
    let before = known.partition_point(|(moment, _)| *moment < read.called);
    let (_, due) = known.get(before.checked_sub(1)?)?;
    (read.version < *due).then(|| {
        let Read { called, noun, id, version, .. } = read;
        let place = format!("{noun}/{id} at {called:?}: version {version} instead of {due}");
        Rule::Reads.broken(place)
    })
}

/// A version that is not in the log, or that was asked for only after it had been shown.
fn invented(case: &Case, read: &Read) -> Option<Violation> {
    let last = usize::try_from(read.version).ok()?.checked_sub(1)?;
    let event = case.stream(read.noun, &read.id).get(last);
    let attempt = event.and_then(|event| case.attempt(event));
    let is_there = event.is_some() && attempt.is_none_or(|it| it.called <= read.answered);
    (!is_there).then(|| {
        let Read { answered, noun, id, version, .. } = read;
        Rule::Reads.broken(format!("{noun}/{id} at {answered:?}: version {version} never was"))
    })
}

/// The answer to a command shows its own effect.
fn own(case: &Case) -> Vec<Violation> {
    let blind = case.commands().filter_map(|(command, events)| {
        let (_, granted) = command.granted().next()?;
        let own = |event: &&&Event| event.id == granted.id && event.noun == command.wish.noun;
        let last = events.iter().rfind(own)?;
        (granted.version < last.sequence).then(|| {
            let place = format!("{} does not show version {}", command.key, last.sequence);
            Rule::Reads.broken(place)
        })
    });
    blind.collect()
}
