//! One order: of positions, of time, within each stream, and of those who waited for an answer.

use super::{Case, Event, Rule, Violation};
use std::time::Duration;

pub(super) fn check(case: &Case) -> Vec<Violation> {
    let found = positions(case).into_iter().chain(clock(case)).chain(sequences(case));
    found.chain(real_time(case)).collect()
}

fn positions(case: &Case) -> Option<Violation> {
    let wrong = case.stored.events.iter().zip(1..).find(|(event, due)| event.position != *due);
    wrong.map(|(event, due)| Rule::Positions.broken(format!("{} instead of {due}", event.position)))
}

fn clock(case: &Case) -> Option<Violation> {
    let back = |pair: &&[Event]| pair[1].recorded_at < pair[0].recorded_at;
    let wrong = case.stored.events.windows(2).find(back);
    wrong.map(|pair| Rule::Clock.broken(format!("position {}", pair[1].position)))
}

fn sequences(case: &Case) -> Vec<Violation> {
    let wrong = |(stream, events): (&String, &Vec<&Event>)| {
        let wrong = events.iter().zip(1..).find(|(event, due)| event.sequence != *due);
        wrong.map(|(event, due)| {
            let place = format!("{stream}: {} instead of {due}", event.sequence);
            Rule::Sequences.broken(place)
        })
    };
    case.streams.iter().filter_map(wrong).collect()
}

/// A command in time and in the log.
struct Span<'a> {
    key: &'a str,
    called: Duration,
    /// `None`: it was never acknowledged.
    answered: Option<Duration>,
    first: i64,
    last: i64,
    /// One without events has the position at which it was judged.
    writes: bool,
}

fn real_time(case: &Case) -> Vec<Violation> {
    let mut by_call: Vec<Span> = spans(case).collect();
    by_call.sort_by_key(|span| span.called);
    let mut by_answer: Vec<&Span> = by_call.iter().filter(|it| it.answered.is_some()).collect();
    by_answer.sort_by_key(|span| span.answered);
    let mut answered = by_answer.into_iter().peekable();
    let mut latest: Option<&Span> = None;
    let mut found = vec![];
    for span in &by_call {
        while let Some(before) = answered.next_if(|it| it.answered < Some(span.called)) {
            latest = latest.filter(|it| it.last >= before.last).or(Some(before));
        }
        if let Some(before) = latest
            && (span.first < before.last || (span.first == before.last && span.writes))
        {
            let place = format!(
                "{} at {} was asked after {} at {} had been answered",
                span.key, span.first, before.key, before.last
            );
            found.push(Rule::RealTime.broken(place));
        }
    }
    found
}

/// Everything that has a place in the log. A command with events was called when the attempt that
/// stored them was.
fn spans<'a>(case: &Case<'a>) -> impl Iterator<Item = Span<'a>> {
    case.commands().filter_map(|(command, events)| {
        let granted = command.granted().next();
        let position = granted.map(|(_, granted)| granted.position);
        let attempt = events.first().and_then(|event| case.attempt(event));
        Some(Span {
            key: &command.key,
            called: attempt.or(command.attempts.first())?.called,
            answered: granted.map(|(attempt, _)| attempt.answered),
            first: events.first().map(|event| event.position).or(position)?,
            last: events.last().map(|event| event.position).or(position)?,
            writes: !events.is_empty(),
        })
    })
}
