//! A checker that cannot fail is worth nothing: a whole day passes, and whatever is broken in it is
//! found.

use super::super::history::{Attempt, Command, Granted, History, Outcome, Read, Wish};
use super::super::stored::{Event, Stored};
use super::{Rule, check};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::time::Duration;

/// A day on which everything that may happen happens, and everything is right.
struct Day {
    stored: Stored,
    history: History,
}

impl Day {
    fn new() -> Self {
        let mut day = Self { stored: Stored::default(), history: History::default() };
        day.happens("setup", "partner/acme", "registered", json!({}));
        day.happens("setup", "partner/acme", "activated", json!({}));
        day.happens("setup", "api_key/key", "generated", key_of("acme"));
        day.claims("partner_id", "acme", "partner/acme");
        day.claims("api_key_label", "acme/policy/one", "api_key/key");

        day.happens("a-0.0", "extractor/old", "created", json!({"name": "Face"})); // 4
        day.asks("a-0", create_extractor(), vec![granted("old", 4, 1)]);
        day.happens("a-1.0", "extractor/old", "deleted", json!({})); // 5
        day.asks("a-1", delete_extractor(), vec![granted("old", 5, 2)]);

        day.happens("b-0.0", "extractor/new", "created", json!({"name": "Face"})); // 6
        let lost = Outcome::Unknown("the connection broke".into());
        let again = granted("new", 6, 1);
        day.asks("b-0", create_extractor(), vec![lost, again.clone(), again]);
        day.claims("extractor_name", "face", "extractor/new");

        day.happens("b-1.1", "partner/acme", "suspended", json!({})); // 7
        day.happens("b-1.1", "api_key/key", "suspended", json!({})); // 8
        day.asks("b-1", suspend(), vec![Outcome::Unavailable, granted("acme", 8, 3)]);
        day.asks("b-2", suspend(), vec![granted("acme", 8, 3)]); // nothing to do
        day.asks("b-3", create_extractor(), vec![refused("EXTRACTOR_NAME_TAKEN")]);

        day.reads("extractor", "new", 1);
        day.reads("extractor", "nobody's", 0);
        day
    }

    /// An event, all of one attempt being of one request.
    fn happens(&mut self, attempt: &str, stream: &str, kind: &str, payload: Value) {
        let (noun, id) = stream.split_once('/').unwrap();
        let earlier = self.stored.events.iter().filter(|it| it.noun == noun && it.id == id);
        let sequence = i64::try_from(earlier.count()).unwrap() + 1;
        let position = i64::try_from(self.stored.events.len()).unwrap() + 1;
        self.stored.events.push(Event {
            position,
            noun: noun.to_owned(),
            id: id.to_owned(),
            sequence,
            kind: kind.to_owned(),
            payload,
            correlation_id: attempt.to_owned(),
            request_id: format!("request of {attempt}"),
            recorded_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(position),
        });
    }

    /// A command after all that were asked before; attempt follows upon attempt.
    fn asks(&mut self, key: &str, wish: Wish, outcomes: Vec<Outcome>) {
        let mut attempts = vec![];
        for outcome in outcomes {
            if let Outcome::Granted(granted) = &outcome {
                let noted = (granted.id.clone(), granted.position);
                self.stored.keys.insert(key.to_owned(), noted);
            }
            let (called, answered) = (self.now(&attempts), self.now(&attempts) + MOMENT / 2);
            attempts.push(Attempt { called, answered, outcome });
        }
        self.history.commands.push(Command { key: key.to_owned(), wish, attempts });
    }

    fn reads(&mut self, noun: &'static str, id: &str, version: i64) {
        let (called, id) = (self.now(&[]), id.to_owned());
        self.history.reads.push(Read { called, answered: called + MOMENT / 2, noun, id, version });
    }

    /// One moment after the last of all.
    fn now(&self, attempts: &[Attempt]) -> Duration {
        let commands = self.history.commands.iter().flat_map(|it| &it.attempts);
        let answers = commands.chain(attempts).map(|it| it.answered);
        answers.chain(self.history.reads.iter().map(|it| it.answered)).max().unwrap_or_default()
            + MOMENT
    }

    fn claims(&mut self, kind: &str, key: &str, holder: &str) {
        self.stored.claims.insert((kind.to_owned(), key.to_owned()), holder.to_owned());
    }

    fn event(&mut self, position: usize) -> &mut Event {
        &mut self.stored.events[position - 1]
    }

    fn command(&mut self, key: &str) -> &mut Command {
        self.history.commands.iter_mut().find(|command| command.key == key).unwrap()
    }

    /// Takes events out and closes the gaps, as if they had never been.
    fn never(&mut self, is_gone: impl Fn(&Event) -> bool) {
        let events = std::mem::take(&mut self.stored.events);
        for Event { correlation_id, noun, id, kind, payload, .. } in
            events.into_iter().filter(|event| !is_gone(event))
        {
            self.happens(&correlation_id, &format!("{noun}/{id}"), &kind, payload);
        }
    }

    fn broken(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> =
            check(&self.stored, &self.history).into_iter().map(|it| it.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }
}

const MOMENT: Duration = Duration::from_millis(2);

fn key_of(partner: &str) -> Value {
    json!({"partner_id": partner, "policy_id": "policy", "label": "One"})
}

fn granted(id: &str, position: i64, version: i64) -> Outcome {
    Outcome::Granted(Granted { id: id.to_owned(), position, version })
}

fn refused(code: &str) -> Outcome {
    Outcome::Refused(vec![code.to_owned()])
}

fn wish(noun: &'static str) -> Wish {
    let (deciding, fulfilling): (&[_], &[_]) = (&["created", "deleted"], &["created"]);
    let (input, showing) = (Value::Null, Value::Null);
    let name = None;
    Wish { mutation: "do", field: "it", input, noun, deciding, fulfilling, showing, name }
}

fn create_extractor() -> Wish {
    let name = Some(("extractor_name".to_owned(), "face".to_owned()));
    Wish { showing: json!({"name": "Face"}), name, ..wish("extractor") }
}

fn delete_extractor() -> Wish {
    Wish { fulfilling: &["deleted"], ..wish("extractor") }
}

fn suspend() -> Wish {
    let deciding = &["activated", "suspended", "reactivated", "deactivated"];
    Wish { deciding, fulfilling: &["suspended"], ..wish("partner") }
}

/// What the checker finds in a day after it was broken.
fn found_in_a_day_with(breakage: impl FnOnce(&mut Day)) -> Vec<Rule> {
    let mut day = Day::new();
    breakage(&mut day);
    day.broken()
}

#[test]
fn in_a_whole_day_nothing_is_wrong() {
    assert_eq!(found_in_a_day_with(|_| {}), []);
}

#[test]
fn a_fault_is_found() {
    let found = found_in_a_day_with(|day| {
        day.command("b-0").attempts[0].outcome = Outcome::Fault("INTERNAL_ERROR".into());
    });
    assert_eq!(found, [Rule::NoFault]);
}

#[test]
fn a_command_of_which_nobody_knows_what_became_is_found() {
    let found = found_in_a_day_with(|day| {
        day.command("b-0").attempts.truncate(1);
    });
    assert_eq!(found, [Rule::KnownInTheEnd]);
}

#[test]
fn acknowledged_events_that_are_gone_are_found() {
    let found = found_in_a_day_with(|day| day.never(|event| event.position > 6));
    assert_eq!(found, [Rule::NothingLost, Rule::Reads]);
}

#[test]
fn an_acknowledged_event_that_is_another_one_is_found() {
    let found = found_in_a_day_with(|day| day.event(6).payload = json!({"name": "FACE"}));
    assert_eq!(found, [Rule::NothingLost]);
}

#[test]
fn a_wish_that_was_acknowledged_as_fulfilled_already_and_was_not_is_found() {
    let found = found_in_a_day_with(|day| {
        let position = 5; // the partner works yet
        day.command("b-2").attempts[0].outcome = granted("acme", position, 3);
        day.stored.keys.insert("b-2".into(), ("acme".into(), position));
    });
    assert!(found.contains(&Rule::NothingLost), "{found:?}");
}

#[test]
fn an_acknowledged_key_that_is_gone_is_found() {
    let found = found_in_a_day_with(|day| drop(day.stored.keys.remove("b-2")));
    assert_eq!(found, [Rule::NothingLost]);
}

#[test]
fn events_that_were_stored_without_their_key_are_found() {
    let found = found_in_a_day_with(|day| {
        day.command("b-1").attempts[1].outcome = Outcome::Unknown(String::new());
        day.stored.keys.remove("b-1");
    });
    assert_eq!(found, [Rule::KnownInTheEnd, Rule::NothingHalf]);
}

#[test]
fn a_cascade_that_was_cut_off_is_found() {
    let found = found_in_a_day_with(|day| {
        day.never(|event| event.position == 8);
        for key in ["b-1", "b-2"] {
            let Some(attempt) = day.command(key).attempts.last_mut() else { continue };
            attempt.outcome = granted("acme", 7, 3);
            day.stored.keys.insert(key.into(), ("acme".into(), 7));
        }
    });
    assert_eq!(found, [Rule::NothingHalf]);
}

#[test]
fn a_key_that_was_resumed_without_its_partner_or_forgotten_at_its_end_is_found() {
    for event_type in ["reactivated", "deactivated"] {
        let found = found_in_a_day_with(|day| {
            day.happens("b-4.0", "partner/acme", event_type, json!({}));
            let fulfilling =
                if event_type == "reactivated" { "reactivated" } else { "deactivated" };
            let fulfilling = Vec::leak(vec![fulfilling]);
            day.asks("b-4", Wish { fulfilling, ..suspend() }, vec![granted("acme", 9, 4)]);
        });
        assert_eq!(found, [Rule::NothingHalf], "{event_type}");
    }
}

#[test]
fn an_event_between_those_of_one_command_is_found() {
    let found = found_in_a_day_with(|day| {
        day.event(6).correlation_id = "b-1.1".into(); // of the same request as 7 and 8
        day.event(6).request_id = "request of b-1.1".into();
        day.event(7).correlation_id = "b-0.0".into();
        day.event(7).request_id = "request of b-0.0".into();
    });
    assert!(found.contains(&Rule::NothingHalf), "{found:?}");
}

#[test]
fn an_event_without_its_private_row_is_found() {
    let found = found_in_a_day_with(|day| day.stored.bare.push(1));
    assert_eq!(found, [Rule::NothingHalf]);
}

#[test]
fn a_second_effect_of_one_key_is_found() {
    let found = found_in_a_day_with(|day| {
        day.happens("b-0.1", "extractor/twin", "created", json!({"name": "Other"}));
        day.claims("extractor_name", "other", "extractor/twin");
    });
    assert!(found.contains(&Rule::OneEffect), "{found:?}");
}

#[test]
fn what_was_unavailable_and_is_stored_is_found() {
    let found = found_in_a_day_with(|day| {
        for position in [7, 8] {
            day.event(position).correlation_id = "b-1.0".into();
        }
    });
    assert_eq!(found, [Rule::NotStored]);
}

#[test]
fn what_was_refused_and_is_stored_is_found() {
    let found = found_in_a_day_with(|day| {
        day.happens("b-3.0", "extractor/refused", "created", json!({"name": "Other"}));
        day.claims("extractor_name", "other", "extractor/refused");
        day.stored.keys.insert("b-3".into(), ("refused".into(), 9));
    });
    assert_eq!(found, [Rule::NotStored]);
}

#[test]
fn a_refused_wish_that_used_its_key_up_is_found() {
    let found = found_in_a_day_with(|day| {
        day.stored.keys.insert("b-3".into(), ("none".into(), 8));
    });
    assert_eq!(found, [Rule::NotStored]);
}

#[test]
fn another_answer_to_a_repetition_is_found() {
    for other in [granted("new", 7, 1), granted("old", 6, 2)] {
        let found = found_in_a_day_with(|day| day.command("b-0").attempts[2].outcome = other);
        assert!(found.contains(&Rule::SameAnswer), "{found:?}");
    }
}

#[test]
fn a_gap_and_a_repeated_position_are_found() {
    let found = found_in_a_day_with(|day| day.event(1).position = 0);
    assert_eq!(found, [Rule::Positions]);
    let found = found_in_a_day_with(|day| day.event(3).position = 2);
    assert_eq!(found, [Rule::Positions]);
}

#[test]
fn time_that_runs_backwards_is_found() {
    let found = found_in_a_day_with(|day| day.event(6).recorded_at -= TimeDelta::seconds(2));
    assert_eq!(found, [Rule::Clock]);
}

#[test]
fn a_gap_in_a_stream_is_found() {
    let found = found_in_a_day_with(|day| day.event(2).sequence = 3);
    assert!(found.contains(&Rule::Sequences), "{found:?}");
}

#[test]
fn what_comes_before_that_which_was_answered_before_it_was_asked_is_found() {
    let found = found_in_a_day_with(|day| {
        for attempt in &mut day.command("b-0").attempts {
            (attempt.called, attempt.answered) = (Duration::ZERO, MOMENT / 2);
        }
    });
    assert_eq!(found, [Rule::RealTime]);
}

#[test]
fn a_wish_that_was_judged_before_what_was_already_acknowledged_is_found() {
    let found = found_in_a_day_with(|day| {
        day.command("b-2").attempts[0].outcome = granted("acme", 7, 3);
        day.stored.keys.insert("b-2".into(), ("acme".into(), 7));
    });
    assert_eq!(found, [Rule::RealTime]);
}

#[test]
fn a_name_with_two_holders_is_found_even_if_one_gives_it_back() {
    let found = found_in_a_day_with(|day| {
        let (fifth, sixth) = (day.event(5).clone(), day.event(6).clone());
        *day.event(5) = Event { position: 5, ..sixth };
        *day.event(6) = Event { position: 6, ..fifth };
    });
    assert!(found.contains(&Rule::Claims), "{found:?}");
}

#[test]
fn a_name_that_was_called_taken_while_nobody_held_it_is_found() {
    let before_all = |_: &mut Day| Duration::ZERO;
    let between = |day: &mut Day| day.command("a-1").attempts[0].answered + MOMENT / 4;
    for moment in [before_all as fn(&mut Day) -> Duration, between] {
        let found = found_in_a_day_with(|day| {
            let moment = moment(day);
            let attempt = &mut day.command("b-3").attempts[0];
            (attempt.called, attempt.answered) = (moment, moment);
        });
        assert_eq!(found, [Rule::Refusals]);
    }
}

#[test]
fn a_table_of_names_that_disagrees_with_the_log_is_found() {
    let name = || ("extractor_name".to_owned(), "face".to_owned());
    let found = found_in_a_day_with(|day| drop(day.stored.claims.remove(&name())));
    assert_eq!(found, [Rule::Claims]);
    let found = found_in_a_day_with(|day| day.claims("extractor_name", "face", "extractor/old"));
    assert_eq!(found, [Rule::Claims]);
    let found = found_in_a_day_with(|day| day.claims("partner_id", "nobody", "partner/nobody"));
    assert_eq!(found, [Rule::Claims]);
}

#[test]
fn a_read_that_misses_what_was_acknowledged_is_found() {
    let found = found_in_a_day_with(|day| day.history.reads[0].version = 0);
    assert_eq!(found, [Rule::Reads]);
}

#[test]
fn a_read_that_misses_what_a_cascade_did_is_found() {
    let found = found_in_a_day_with(|day| day.reads("api_key", "key", 1));
    assert_eq!(found, [Rule::Reads]);
}

#[test]
fn a_read_of_what_is_not_in_the_log_is_found() {
    let found = found_in_a_day_with(|day| day.reads("extractor", "new", 2));
    assert_eq!(found, [Rule::Reads]);
}

#[test]
fn a_read_that_is_taken_back_by_the_next_one_is_found() {
    let found = found_in_a_day_with(|day| {
        day.happens("b-5.0", "extractor/late", "created", json!({"name": "Late"}));
        day.claims("extractor_name", "late", "extractor/late");
        let unanswered = Outcome::Unknown(String::new());
        day.asks("b-5", create_extractor(), vec![unanswered]);
        day.stored.keys.insert("b-5".into(), ("late".into(), 9));
        day.reads("extractor", "late", 1);
        day.reads("extractor", "late", 0);
    });
    assert_eq!(found, [Rule::KnownInTheEnd, Rule::Reads]);
}

#[test]
fn an_answer_that_does_not_show_its_own_effect_is_found() {
    let found = found_in_a_day_with(|day| {
        day.command("a-1").attempts[0].outcome = granted("old", 5, 1);
    });
    assert_eq!(found, [Rule::Reads]);
}
