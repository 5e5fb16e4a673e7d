//! The figures of a run.

use super::Comeback;
use super::history::{Attempt, Command, History, Outcome};
use super::stored::Stored;
use std::time::Duration;

/// Says what was done, what got in its way, and how long that lasted.
pub fn print(name: &str, history: &History, stored: &Stored, comebacks: &[Comeback]) {
    let commands = &history.commands;
    let attempts = || commands.iter().flat_map(|command| &command.attempts);
    let met = |kind: fn(&Outcome) -> bool| {
        let meets = |command: &&Command| command.attempts.iter().any(|it| kind(&it.outcome));
        commands.iter().filter(meets).count()
    };
    let granted = commands.iter().filter(|it| it.granted().next().is_some()).count();
    let refused = commands.iter().filter(|it| it.is_known()).count() - granted;
    let answers = attempts().filter(|it| matches!(it.outcome, Outcome::Granted(_))).count();
    let end = attempts().map(|attempt: &Attempt| attempt.answered).max().unwrap_or_default();
    eprintln!(
        "soak {name}: {} commands in {} s: {granted} acknowledged, {refused} refused\n  \
         {} events; {} attempts, {} repetitions of what was granted, {} reads\n  \
         {} commands met an unknown outcome, {} UNAVAILABLE; {} not known in the end\n  \
         {} comebacks: {}",
        commands.len(),
        end.as_secs(),
        stored.events.len(),
        attempts().count(),
        answers - granted,
        history.reads.len(),
        met(|it| matches!(it, Outcome::Unknown(_))),
        met(|it| matches!(it, Outcome::Unavailable)),
        commands.iter().filter(|it| !it.is_known()).count(),
        comebacks.len(),
        times(comebacks),
    );
}

fn times(comebacks: &[Comeback]) -> String {
    let of = |time: fn(&Comeback) -> Duration| {
        let mut times: Vec<u128> = comebacks.iter().map(|it| time(it).as_millis()).collect();
        times.sort_unstable();
        let half = times.get(times.len() / 2).copied().unwrap_or_default();
        format!("{half} ms (median), {} ms (longest)", times.last().copied().unwrap_or_default())
    };
    let (ready, acknowledged) = (of(|it| it.ready), of(|it| it.acknowledged));
    format!("ready after {ready}; the next command acknowledged after {acknowledged}")
}
