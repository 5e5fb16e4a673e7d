//! An appender that finds the read tables of another version stops and says so; one that finds
//! another server under the log raises its epoch.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::{Installation, wait_for_submissions};
use ::commands::event_store::{Health, Limits};
use ::commands::{Commands, Error};
use futures::future::join_all;
use projections::log::APPEND_LOCK;
use std::time::Duration;

/// What a newer version does when it migrates.
const OTHER_FOLDS: &str = "update read.fold_version set version = 'newer'";

async fn ready(node: &Commands) -> Health {
    *node.store().health().wait_for(|health| health.ready).await.unwrap()
}

#[tokio::test]
async fn an_appender_that_finds_other_folds_stops_and_says_so() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let head = ready(&node).await.head;
    installation.database.as_owner(OTHER_FOLDS).await;
    for _ in 0..2 {
        let answer = market.anything().await;
        assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
    }
    let health = *node.store().health().borrow();
    assert!(!health.ready);
    assert!(health.stopped.is_some_and(|why| why.contains("another version")), "{health:?}");
    assert_eq!(installation.database.head().await, head);
}

#[tokio::test]
async fn an_appender_that_starts_on_other_folds_is_not_ready() {
    let installation = Installation::new().await;
    installation.database.as_owner(OTHER_FOLDS).await;
    let short = Limits { queue: Duration::from_millis(300), ..Limits::default() };
    let node = installation.node_with(short);
    let answer = policy_manager(&node).creates_group("Banking").await;
    assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
    assert!(!node.store().health().borrow().ready);
}

/// More commands wait than one batch takes, so that some have been put aside for the next.
#[tokio::test]
async fn everybody_who_waits_for_an_appender_that_stops_hears_that_nothing_was_stored() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let log = installation.database.lock_the_log().await;
    let director = async {
        installation.database.wait_for_appenders(|count| count == 1).await;
        wait_for_submissions(&node, 402).await;
        let other =
            format!("begin; select pg_advisory_xact_lock({APPEND_LOCK}); {OTHER_FOLDS}; commit");
        let released = async {
            installation.database.wait_for_appenders(|count| count == 2).await;
            log.release().await;
        };
        tokio::join!(installation.database.as_owner(&other), released);
    };
    let first = market.anything();
    let others = async {
        installation.database.wait_for_appenders(|count| count == 1).await;
        join_all((0..401).map(|_| market.anything())).await
    };
    let (first, others, ()) = tokio::join!(first, others, director);
    first.unwrap();
    for answer in others {
        assert!(matches!(answer, Err(Error::Unavailable)), "{answer:?}");
    }
}

#[tokio::test]
async fn the_same_server_goes_on_in_the_same_epoch() {
    let installation = Installation::new().await;
    let first = ready(&installation.node()).await.epoch;
    assert_eq!(first, 1);
    assert_eq!(ready(&installation.node()).await.epoch, first);
}

#[tokio::test]
async fn another_server_under_the_log_raises_the_epoch_from_the_next_position_on() {
    for change in ["system_identifier = 'the server before'", "timeline = '000000FF'"] {
        let installation = Installation::new().await;
        let market = Market::open(&installation.node()).await;
        let head = market.anything().await.unwrap().position;
        // A restore on another server cannot be had by a command.
        installation.database.as_owner(&format!("update log_epochs set {change}")).await;
        assert_eq!(ready(&installation.node()).await.epoch, 2);
        let begins = "select from_position from log_epochs where epoch = 2";
        assert_eq!(installation.database.ask::<i64>(begins).await, head + 1);
        assert_eq!(ready(&installation.node()).await.epoch, 2);
    }
}
