//! Whoever wished and goes away, at whatever point the wish has reached, leaves it whole or not at
//! all, holds up nobody, and is answered as if nothing had happened when he asks again.

use crate::support::wishes::{Left, Stage, Wish};
use std::future::poll_fn;
use std::task::Poll;

/// Works for as long as it can be polled so many times, and is dropped then.
async fn polled<T>(times: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
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

/// Drops the wish at the first point at which it waits, at the second, and so on to its end.
async fn drop_everywhere(wish: Wish) {
    let stage = Stage::open().await;
    let (mut nothings, mut wholes) = (0, 0);
    for times in 0.. {
        let name = stage.prepare(wish).await;
        let before = stage.left().await;
        let done = polled(times, stage.wish(wish, stage.node(), &name)).await;
        stage.market.anything().await.unwrap();
        let before = before.and(BARRIER);
        let after = stage.left().await;
        let is_whole = after == before.and(wish.leaves());
        let is_nothing = wish.may_leave().into_iter().any(|left| after == before.and(left));
        assert!(is_whole || is_nothing, "{wish:?} after {times}: {before:?}, then {after:?}");

        let again = stage.wish(wish, stage.node(), &name).await.pop().unwrap().unwrap();
        assert_eq!(again.replayed, is_whole, "{wish:?} after {times}");
        assert_eq!(stage.left().await, before.and(wish.leaves()), "{wish:?} after {times}");
        stage.clear(wish).await;
        if let Some(done) = done {
            assert!(is_whole && done.into_iter().all(|it| it.is_ok()));
            break;
        }
        (nothings, wholes) = (nothings + usize::from(is_nothing), wholes + usize::from(is_whole));
    }
    assert!(nothings > 1 && wholes > 0, "{wish:?}: {nothings} and {wholes}");
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
