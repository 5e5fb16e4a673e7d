//! Who was told that a name is taken was told the truth.

use super::super::history::{Command, Outcome};
use super::claims::{Tenure, tenures};
use super::{Case, Rule, Violation};
use std::time::Duration;

/// Another stream held the name at some moment between question and answer.
pub(super) fn check(case: &Case) -> Vec<Violation> {
    let tenures = tenures(&case.stored.events);
    let wrong = case.commands().filter_map(|(command, _)| {
        let (called, answered) = told_taken(command)?;
        let name = command.wish.name.as_ref()?;
        let was_held =
            |tenure: &Tenure| tenure.name == *name && may_overlap(case, tenure, called, answered);
        let place = || format!("{}: nobody held {name:?}", command.key);
        (!tenures.iter().any(was_held)).then(|| Rule::Refusals.broken(place()))
    });
    wrong.collect()
}

/// When a command that was refused in the end was told that a name is taken.
fn told_taken(command: &Command) -> Option<(Duration, Duration)> {
    let last = command.attempts.last()?;
    let Outcome::Refused(codes) = &last.outcome else { return None };
    codes.iter().any(|code| code.ends_with("_TAKEN")).then_some((last.called, last.answered))
}

/// A name was perhaps held from when it was asked for, and perhaps until it was known to be free.
fn may_overlap(case: &Case, tenure: &Tenure, called: Duration, answered: Duration) -> bool {
    let event = |position: i64| {
        let place = usize::try_from(position).ok()?.checked_sub(1)?;
        case.stored.events.get(place)
    };
    let begun = event(tenure.from).and_then(|it| case.attempt(it)).map(|it| it.called);
    let over = tenure.until.and_then(event).and_then(|it| case.acknowledged(it));
    begun.is_none_or(|begun| begun <= answered) && over.is_none_or(|over| called <= over)
}
