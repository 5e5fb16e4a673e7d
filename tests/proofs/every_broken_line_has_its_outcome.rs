//! The fault table of the appender. Its line breaks at every exchange of its transaction, before the
//! server hears of it and after the server has done it; what was wished is then granted once, or
//! certainly not at all, and what belongs to it is there whole or not at all.
//!
//! | the line breaks                    | the wish was    | and is                          |
//! |------------------------------------|-----------------|---------------------------------|
//! | at any exchange before COMMIT      | not stored      | judged again, on another line   |
//! | before COMMIT reaches the server   | not stored      | looked for, judged again        |
//! | before the answer to COMMIT comes  | stored          | looked for, and answered        |
//! | the same, when it was refused      | nothing to store| judged again                    |
//!
//! When the server stays away, what broke before COMMIT is `UNAVAILABLE`, and what broke at COMMIT is
//! `OUTCOME_UNKNOWN`; the same wish under the same key is then granted once.
//!
//! What each wish leaves, and what a repeat gives, stands in `tests/support/wishes.rs`.

use crate::support;
use crate::support::proxy::{CUTS, Moment, Proxy, Trouble, is_commit};
use crate::support::wire::Said;
use crate::support::wishes::{Stage, Wish};
use ::commands::event_store::Limits;
use ::commands::{Done, Error, Result};
use futures::{StreamExt as _, stream};
use std::time::Duration;

/// Before the server hears of it, and after it has done it.
const BEFORE_AND_AFTER: [Trouble; 2] = [Trouble::LostQuestion, Trouble::LostAnswer];

type Asked = Vec<Vec<Said>>;

/// Lets a wish meet trouble and holds what comes of it against the table: what the appender asked
/// until the answer. Another wish follows on the same line.
async fn play(
    stage: &Stage,
    wish: Wish,
    strikes: impl IntoIterator<Item = (Moment, Trouble)>,
) -> Asked {
    let line = Proxy::before(&stage.installation.database).await;
    let node = stage.node_behind(&line, Limits::default()).await;
    let name = stage.prepare(wish).await;
    let before = stage.left().await;
    line.make_all(strikes);
    let answers = stage.wish(wish, &node, &name).await;
    let asked = line.was_asked();
    line.in_trouble().await;
    let after = stage.left().await;
    assert_eq!(before.and(wish.leaves()), after, "{wish:?}");
    let again = stage.wish_again(wish, &name).await;
    assert_eq!(stage.left().await, after, "{wish:?} again");
    for (first, again) in answers.into_iter().zip(again) {
        match (first, again) {
            (Err(Error::Refused(first)), Err(Error::Refused(again))) if wish.is_refused() => {
                assert_eq!(first, again);
            }
            (Ok(first), Ok(again)) if !wish.is_refused() => {
                assert_eq!((&first.id, first.position), (&again.id, again.position));
                assert!(again.replayed && !first.replayed, "{wish:?}");
            }
            other => panic!("{wish:?}: {other:?}"),
        }
    }
    stage.clear(wish).await;
    let next = stage.prepare(Wish::Group).await;
    stage.wish(Wish::Group, &node, &next).await.pop().unwrap().unwrap();
    asked
}

/// Breaks the line at every exchange of a wish, in each of these ways.
async fn strike_everywhere(wish: Wish, troubles: &[Trouble]) {
    let stage = Stage::open().await;
    let healthy = play(&stage, wish, []).await;
    assert!(healthy.last().unwrap().iter().any(is_commit), "{healthy:?}");
    for number in 0..healthy.len() {
        for trouble in troubles {
            let strike = (Moment::Exchange(number), *trouble);
            let asked = play(&stage, wish, [strike]).await;
            let at_commit = number + 1 == healthy.len();
            let is_done = matches!(trouble, Trouble::LostAnswer | Trouble::HalfAnswer);
            let is_found = at_commit && is_done && !wish.is_refused();
            let is_judged_again = asked[number + 1..].iter().any(|it| is_judgement(it));
            assert_eq!(is_judged_again, !is_found, "{wish:?} {strike:?}");
        }
    }
    stage.agrees().await;
}

fn runs(question: &[Said], text: &str) -> bool {
    question.iter().any(|said| matches!(said, Said::Run(statement) if statement.contains(text)))
}

/// Whether the facts of a batch are asked for.
fn is_judgement(question: &[Said]) -> bool {
    runs(question, "as fold_version")
}

/// Whether it is looked for what became of a batch.
fn is_search(question: &[Said]) -> bool {
    runs(question, "select exists (select from")
}

#[tokio::test]
async fn a_new_event_with_a_name() {
    strike_everywhere(Wish::Group, &CUTS).await;
}

#[tokio::test]
async fn a_new_event_with_personal_data() {
    strike_everywhere(Wish::Registration, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_new_event_with_a_secret() {
    strike_everywhere(Wish::Key, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn two_submissions() {
    strike_everywhere(Wish::Certificate, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_cascade_over_several_streams() {
    strike_everywhere(Wish::Suspension, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_repeat_without_events() {
    strike_everywhere(Wish::Nothing, &CUTS).await;
}

#[tokio::test]
async fn a_batch_of_several() {
    strike_everywhere(Wish::Several, &BEFORE_AND_AFTER).await;
}

#[tokio::test]
async fn a_refusal() {
    strike_everywhere(Wish::Refused, &BEFORE_AND_AFTER).await;
}

/// After a COMMIT that the server never heard, everything up to the next COMMIT is struck, too: the
/// search, the new line, the second judgement. After one whose answer was lost, the search is.
#[tokio::test]
async fn twice_in_a_row() {
    let stage = Stage::open().await;
    for wish in [Wish::Group, Wish::Nothing] {
        for trouble in BEFORE_AND_AFTER {
            let first = (Moment::Commit, trouble);
            let asked = play(&stage, wish, [first]).await;
            for number in 0..until_decided(&asked) {
                for trouble in BEFORE_AND_AFTER {
                    let second = (Moment::Exchange(number), trouble);
                    play(&stage, wish, [first, second]).await;
                }
            }
        }
    }
    stage.agrees().await;
}

/// How many exchanges it takes after the lost COMMIT.
fn until_decided(asked: &[Vec<Said>]) -> usize {
    let struck = asked.iter().position(|it| it.iter().any(is_commit)).unwrap();
    let after = &asked[struck + 1..];
    let last = match after.iter().position(|it| is_judgement(it)) {
        Some(judged) => {
            judged + after[judged..].iter().position(|it| it.iter().any(is_commit)).unwrap()
        }
        None => after.iter().position(|it| is_search(it)).unwrap(),
    };
    last + 1
}

/// Until a wish that is not stored is withdrawn, and one whose fate is unknown is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The server stays away from this moment on: what the wish is answered, and whether it turns out to
/// have been granted. The other deadline is far away, so that only one of them can pass.
async fn lose_the_server(
    stage: &Stage,
    wish: Wish,
    (moment, trouble): (Moment, Trouble),
    outcome: Duration,
) -> (Result<Done>, bool) {
    let line = Proxy::before(&stage.installation.database).await;
    let limits = Limits { queue: PATIENCE, outcome, ..Limits::default() };
    let node = stage.node_behind(&line, limits).await;
    let name = stage.prepare(wish).await;
    line.make_lasting_at(moment, trouble);
    let answer = stage.wish(wish, &node, &name).await.pop().unwrap();
    line.in_trouble().await;
    let again = stage.wish_again(wish, &name).await.pop().unwrap();
    (answer, again.is_ok_and(|it| it.replayed))
}

#[tokio::test]
async fn when_the_server_stays_away_before_commit_nothing_is_stored() {
    let stage = Stage::open().await;
    let healthy = play(&stage, Wish::Group, []).await;
    let strikes = (0..healthy.len() - 1)
        .flat_map(|number| BEFORE_AND_AFTER.map(|it| (Wish::Group, Moment::Exchange(number), it)))
        .chain(BEFORE_AND_AFTER.map(|it| (Wish::Refused, Moment::Commit, it)));
    let lost = strikes.map(async |(wish, moment, trouble)| {
        let outcome = support::PATIENCE;
        let (answer, is_stored) = lose_the_server(&stage, wish, (moment, trouble), outcome).await;
        let is_unavailable = matches!(answer, Err(Error::Unavailable));
        assert!(is_unavailable && !is_stored, "{wish:?} {moment:?} {trouble:?}: {answer:?}");
    });
    stream::iter(lost).for_each_concurrent(6, |it| it).await;
    stage.agrees().await;
}

#[tokio::test]
async fn when_the_server_stays_away_at_commit_the_outcome_is_unknown() {
    let stage = Stage::open().await;
    for wish in [Wish::Group, Wish::Nothing] {
        for trouble in BEFORE_AND_AFTER {
            let strike = (Moment::Commit, trouble);
            let (answer, is_stored) = lose_the_server(&stage, wish, strike, PATIENCE).await;
            let is_unknown = matches!(answer, Err(Error::OutcomeUnknown));
            assert!(is_unknown, "{wish:?} {trouble:?}: {answer:?}");
            assert_eq!(is_stored, trouble == Trouble::LostAnswer, "{wish:?} {trouble:?}");
        }
    }
    stage.agrees().await;
}
