//! Whoever wished and goes away, at whatever point the wish has reached, leaves it whole or not at
//! all, holds up nobody, and is answered as if nothing had happened when he asks again.

use crate::support::wishes::{Left, Stage, Wish};
use std::future::poll_fn;
use std::task::Poll;

/// Works until it waits and `is_enough`, and is dropped then.
async fn dropped<T>(
    work: impl Future<Output = T>,
    mut is_enough: impl FnMut() -> bool,
) -> Option<T> {
    let mut work = Box::pin(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if is_enough() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// What a command leaves that waits until everything before it in the queue is decided.
const BARRIER: Left = Left {
    events: 1,
    claims: 1,
    fences: 0,
    personal_data: 0,
    secret_hashes: 0,
    idempotency_keys: 0,
};

/// Wishes, drops it when it `is_enough`, and wishes the same again: whether it was done before it could
/// be dropped, and whether it was whole before the second time.
async fn play(stage: &Stage, wish: Wish, is_enough: impl FnMut() -> bool) -> (bool, bool) {
    let name = stage.prepare(wish).await;
    let before = stage.left().await;
    let done = dropped(stage.wish(wish, stage.node(), &name), is_enough).await;
    stage.market.anything().await.unwrap();
    let before = before.and(BARRIER);
    let after = stage.left().await;
    let is_whole = after == before.and(wish.leaves());
    let is_nothing = wish.may_leave().into_iter().any(|left| after == before.and(left));
    assert!(is_whole || (is_nothing && done.is_none()), "{wish:?}: {before:?}, then {after:?}");

    let again = stage.wish(wish, stage.node(), &name).await.pop().unwrap().unwrap();
    assert_eq!(again.replayed, is_whole, "{wish:?}");
    assert_eq!(stage.left().await, before.and(wish.leaves()), "{wish:?}");
    stage.clear(wish).await;
    (done.is_some(), is_whole)
}

/// Drops the wish at the first point at which it waits, at the second, and so on to its end; and
/// where it waits for its verdict.
async fn drop_everywhere(wish: Wish) {
    let stage = Stage::open().await;
    for times in 0.. {
        let mut waited = 0;
        let is_enough = || {
            waited += 1;
            waited > times
        };
        if play(&stage, wish, is_enough).await.0 {
            assert!(times > 0, "{wish:?} waits nowhere");
            break;
        }
    }
    let is_submitted = || stage.node().store().waiting() > 0;
    let (is_done, is_whole) = play(&stage, wish, is_submitted).await;
    assert!(!is_done && is_whole != (wish == Wish::Certificate), "{wish:?}"); // it has two
    stage.agrees().await;
}

#[tokio::test]
async fn a_new_name() {
    drop_everywhere(Wish::Group).await;
}

#[tokio::test]
async fn personal_data() {
    drop_everywhere(Wish::Registration).await;
}

#[tokio::test]
async fn two_submissions() {
    drop_everywhere(Wish::Certificate).await;
}

#[tokio::test]
async fn a_secret() {
    drop_everywhere(Wish::Key).await;
}

#[tokio::test]
async fn a_cascade() {
    drop_everywhere(Wish::Suspension).await;
}
