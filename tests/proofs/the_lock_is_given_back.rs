//! Whoever holds the lock of the log and does nothing loses it; whoever waits for it too long hears
//! that nothing was stored; and everything works again afterwards.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::Installation;
use crate::support::proxy::{Proxy, Trouble};
use ::commands::event_store::Limits;
use ::commands::{Commands, Error};
use sqlx::{ConnectOptions as _, Executor as _};
use std::time::Duration;

const SHORT: Limits = Limits {
    queue: Duration::from_secs(1),
    outcome: Duration::from_secs(3),
    transaction: Duration::from_millis(200),
};
const PATIENT: Limits = Limits { queue: Duration::from_secs(30), ..SHORT };

async fn ready(node: &Commands) {
    node.store().health().wait_for(|health| health.ready).await.unwrap();
}

#[tokio::test]
async fn a_session_that_freezes_with_the_lock_is_ended_and_the_log_goes_on() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node_with(PATIENT)).await;
    let mut frozen = installation.database.serving().connect().await.unwrap();
    frozen.execute("set idle_in_transaction_session_timeout = 200").await.unwrap();
    let lock = format!("begin; select pg_advisory_xact_lock({})", projections::log::APPEND_LOCK);
    frozen.execute(&*lock).await.unwrap();
    market.anything().await.unwrap();
    assert!(frozen.execute("commit").await.is_err());
}

#[tokio::test]
async fn a_node_that_freezes_with_the_lock_does_not_stop_the_others() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node_with(PATIENT)).await;
    let proxy = Proxy::before(&installation.database).await;
    let there = installation.node_through(proxy.way(&installation.database.serving()), PATIENT);
    ready(&there).await;
    proxy.make(Trouble::Silence);
    let frozen = policy_manager(&there);
    let (stuck, ()) = tokio::join!(frozen.creates_group("Frozen"), async {
        proxy.in_trouble().await;
        market.anything().await.unwrap();
        proxy.heal();
    });
    stuck.unwrap();
    let count = "select count(*) from events where payload->>'name' = 'Frozen'";
    assert_eq!(installation.database.ask::<i64>(count).await, 1);
}

#[tokio::test]
async fn what_waits_for_the_lock_too_long_is_certainly_not_stored() {
    let installation = Installation::new().await;
    let node = installation.node_with(SHORT);
    let manager = policy_manager(&node);
    manager.creates_group("Before").await.unwrap();
    let log = installation.database.lock_the_log().await;
    let late = manager.creates_group("Late").await;
    assert!(matches!(late, Err(Error::Unavailable)), "{late:?}");
    log.release().await;
    ready(&node).await;
    assert_eq!(manager.creates_group("After").await.unwrap().position, 2);
    manager.creates_group("Late").await.unwrap(); // its name is free: it was not stored
}

/// The deadline of the queue passes while the batch waits for the lock, and PostgreSQL gives up
/// waiting after that: what is back in the queue then is certainly not stored either.
#[tokio::test]
async fn what_is_put_back_after_its_deadline_is_certainly_not_stored() {
    let installation = Installation::new().await;
    let limits = Limits {
        queue: Duration::from_millis(50),
        outcome: Duration::from_millis(1500),
        transaction: Duration::from_millis(200),
    };
    let node = installation.node_with(limits);
    ready(&node).await;
    let log = installation.database.lock_the_log().await;
    let late = policy_manager(&node).creates_group("Late").await;
    assert!(matches!(late, Err(Error::Unavailable)), "{late:?}");
    log.release().await;
    ready(&node).await;
    assert_eq!(installation.database.ask::<i64>("select count(*) from events").await, 0);
}

#[tokio::test]
async fn an_appender_whose_session_is_ended_goes_on() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = policy_manager(&node);
    manager.creates_group("Before").await.unwrap();
    installation
        .database
        .as_owner(
            "select pg_terminate_backend(pid) from pg_stat_activity \
                   where application_name = 'pms appender' and datname = current_database()",
        )
        .await;
    assert_eq!(manager.creates_group("After").await.unwrap().position, 2);
}
