//! When the answer to COMMIT is lost, the appender finds out what became of it: whoever is told
//! success was written once, and nobody is told anything that is not so.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::Installation;
use crate::support::proxy::{Proxy, Trouble};
use ::commands::event_store::Limits;
use ::commands::{Commands, Error};
use futures::future::join_all;
use std::time::Duration;

/// A node behind a bad line.
struct BadLine {
    installation: Installation,
    proxy: Proxy,
    node: Commands,
}

impl BadLine {
    async fn with(limits: Limits) -> Self {
        let installation = Installation::new().await;
        let proxy = Proxy::before(&installation.database).await;
        let way = proxy.way(&installation.database.serving());
        let node = installation.node_through(way, limits);
        node.store().health().wait_for(|health| health.ready).await.unwrap();
        Self { installation, proxy, node }
    }

    async fn events(&self) -> i64 {
        self.installation.database.ask("select count(*) from events").await
    }
}

const IMPATIENT: Limits = Limits {
    queue: Duration::from_millis(500),
    outcome: Duration::from_secs(1),
    transaction: Duration::from_secs(3),
};

#[tokio::test]
async fn a_commit_that_never_reached_the_server_is_made_again() {
    let line = BadLine::with(Limits::default()).await;
    line.proxy.make(Trouble::LostQuestion);
    let done = policy_manager(&line.node).creates_group("Banking").await.unwrap();
    line.proxy.in_trouble().await;
    assert_eq!((done.position, line.events().await), (1, 1));
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_made_again() {
    let line = BadLine::with(Limits::default()).await;
    line.proxy.make(Trouble::LostAnswer);
    let done = policy_manager(&line.node).creates_group("Banking").await.unwrap();
    line.proxy.in_trouble().await;
    assert_eq!((done.position, line.events().await), (1, 1));
}

#[tokio::test]
async fn a_commit_of_a_wish_that_changed_nothing_is_found_out_too() {
    for trouble in [Trouble::LostQuestion, Trouble::LostAnswer] {
        let line = BadLine::with(Limits::default()).await;
        let manager = policy_manager(&line.node);
        let group = manager.creates_group("Banking").await.unwrap().id;
        line.proxy.make(trouble);
        manager.once("click").renames_group(&group, "Banking").await.unwrap();
        line.proxy.in_trouble().await;
        assert!(manager.once("click").renames_group(&group, "Banking").await.unwrap().replayed);
        assert_eq!(line.events().await, 1);
    }
}

#[tokio::test]
async fn everybody_in_the_batch_is_answered_and_nobody_is_written_twice() {
    for trouble in [Trouble::LostQuestion, Trouble::LostAnswer] {
        let line = BadLine::with(Limits::default()).await;
        let market = Market::open(&line.node).await;
        let before = line.events().await;
        line.proxy.make(trouble);
        let done = join_all((0..20).map(|_| market.anything())).await;
        let mut positions: Vec<i64> = done.into_iter().map(|it| it.unwrap().position).collect();
        positions.sort_unstable();
        assert_eq!(positions, (before + 1..=before + 20).collect::<Vec<_>>());
        assert_eq!(line.events().await, before + 20);
    }
}

#[tokio::test]
async fn when_the_server_stays_away_the_outcome_is_unknown_and_the_same_key_is_safe() {
    for trouble in [Trouble::LostQuestion, Trouble::LostAnswer] {
        let line = BadLine::with(IMPATIENT).await;
        line.proxy.make_lasting(trouble);
        let manager = policy_manager(&line.node).once("click");
        let unknown = manager.creates_group("Banking").await;
        assert!(matches!(unknown, Err(Error::OutcomeUnknown)), "{unknown:?}");
        line.proxy.heal();
        line.node.store().health().wait_for(|health| health.ready).await.unwrap();
        let again = manager.creates_group("Banking").await.unwrap();
        assert_eq!(again.replayed, trouble == Trouble::LostAnswer);
        assert_eq!((again.position, line.events().await), (1, 1));
    }
}

#[tokio::test]
async fn what_waits_while_the_server_is_away_is_certainly_not_stored() {
    let line = BadLine::with(IMPATIENT).await;
    line.proxy.make_lasting(Trouble::LostQuestion);
    let manager = policy_manager(&line.node);
    let (lost, waited) = tokio::join!(manager.creates_group("Lost"), async {
        line.proxy.in_trouble().await;
        manager.creates_group("Waited").await
    });
    assert!(matches!(lost, Err(Error::OutcomeUnknown)), "{lost:?}");
    assert!(matches!(waited, Err(Error::Unavailable)), "{waited:?}");
    assert_eq!(line.events().await, 0);
}
