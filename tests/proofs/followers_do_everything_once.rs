//! A follower misses no event and does none twice, whichever node works for it and however it ends.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::Installation;
use crate::support::followers::{
    COPYIST, Gate, copyist, copyist_before, copyist_without_keys, lease, works,
};
use crate::support::until;
use chrono::{DateTime, Utc};
use commands::event_store::raise_epoch;
use commands::follower::{Follower, Turn};
use commands::{Commands, Error};
use futures::FutureExt as _;
use sqlx::ConnectOptions as _;
use std::sync::Arc;

async fn with_events() -> (Installation, Commands, Commands) {
    let installation = Installation::new().await.with_copyist().await;
    let (here, there) = (installation.node(), installation.node());
    Market::open(&here).await;
    (installation, here, there)
}

async fn everything_is_copied_once(installation: &Installation) {
    let head = installation.database.head().await;
    assert!((1..=head).eq(installation.database.copied().await));
    assert_eq!(installation.database.checkpoint().await, head);
}

/// Lets the lease run out until another node has it, and lets that one work.
async fn takes_over(installation: &Installation, node: &Commands) {
    let (database, mut lease) = (&installation.database, lease("there"));
    until(async || {
        database.let_leases_run_out().await;
        works(&copyist(), node, &mut lease).await;
        (database.checkpoint().await == database.head().await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_two_nodes_one_works_and_the_other_goes_on_when_its_lease_has_run_out() {
    let (installation, here, there) = with_events().await;
    let (copyist, mut mine, mut yours) = (copyist(), lease("here"), lease("there"));
    works(&copyist, &here, &mut mine).await;
    everything_is_copied_once(&installation).await;
    assert_eq!(copyist.turn(there.store().pool(), &mut yours).await.unwrap(), Turn::Away);

    policy_manager(&there).creates_group("Later").await.unwrap();
    installation.database.let_leases_run_out().await;
    works(&copyist, &there, &mut yours).await;
    everything_is_copied_once(&installation).await;
    assert_eq!(copyist.turn(here.store().pool(), &mut mine).await.unwrap(), Turn::Away);
}

#[tokio::test]
async fn a_node_that_nobody_has_replaced_keeps_what_it_has() {
    let (installation, here, _) = with_events().await;
    let (copyist, mut mine) = (copyist(), lease("here"));
    works(&copyist, &here, &mut mine).await;
    installation.database.let_leases_run_out().await;
    works(&copyist, &here, &mut mine).await;
    let epoch = "select lease_epoch from followers where name = 'copyist'";
    assert_eq!(installation.database.ask::<i64>(epoch).await, 1);
}

#[tokio::test]
async fn a_frozen_node_that_wakes_up_can_commit_neither_effect_nor_checkpoint() {
    let (installation, here, there) = with_events().await;
    let gate = Arc::new(Gate::default());
    let (frozen, mut mine) = (copyist_before(&gate), lease("here"));
    let other = async {
        gate.reached.notified().await;
        takes_over(&installation, &there).await;
        gate.open.notify_one();
    };
    let (woken, ()) = tokio::join!(frozen.turn(here.store().pool(), &mut mine), other);
    assert!(matches!(woken, Err(Error::Conflict)), "{woken:?}");
    everything_is_copied_once(&installation).await;
}

/// The effect never ends: whoever is at it is heard of all the same, and hears when he is replaced.
#[tokio::test]
async fn a_node_at_work_keeps_its_lease_and_gives_up_when_another_has_it() {
    let (installation, here, there) = with_events().await;
    let gate = Arc::new(Gate::default());
    let (waiting, mut mine) = (copyist_before(&gate), lease("here"));
    let heard = async || {
        let sql = "select heartbeat_at from followers where name = 'copyist'";
        installation.database.ask::<DateTime<Utc>>(sql).await
    };
    let other = async {
        gate.reached.notified().await;
        let began = heard().await;
        until(async || (heard().await > began).then_some(())).await;
        takes_over(&installation, &there).await;
    };
    let (replaced, ()) = tokio::join!(waiting.turn(here.store().pool(), &mut mine), other);
    assert!(matches!(replaced, Err(Error::Conflict)), "{replaced:?}");
    everything_is_copied_once(&installation).await;
}

/// What it was at was done by another node meanwhile.
#[tokio::test]
async fn a_node_that_gets_its_lease_back_goes_on_from_where_the_other_has_come() {
    let (installation, here, there) = with_events().await;
    let gate = Arc::new(Gate::default());
    let (waiting, mut mine) = (copyist_before(&gate), lease("here"));
    let database = &installation.database;
    let other = async {
        gate.reached.notified().await;
        takes_over(&installation, &there).await;
        database.let_leases_run_out().await;
        let holder = "select holder from followers where name = 'copyist'";
        until(async || (database.ask::<String>(holder).await == "here").then_some(())).await;
        gate.open.notify_one();
    };
    let (back, ()) = tokio::join!(waiting.turn(here.store().pool(), &mut mine), other);
    assert!(matches!(back, Err(Error::Conflict)), "{back:?}");
    works(&copyist(), &here, &mut mine).await;
    everything_is_copied_once(&installation).await;
}

#[tokio::test]
async fn an_effect_that_fails_for_now_leaves_no_trace_and_is_tried_again() {
    let (installation, here, _) = with_events().await;
    let mut mine = lease("here");
    let fails = Follower {
        effect: Box::new(|db, events| {
            async move {
                (copyist().effect)(db, events).await?;
                Err(Error::Unavailable)
            }
            .boxed()
        }),
        ..copyist()
    };
    let failed = fails.turn(here.store().pool(), &mut mine).await;
    assert!(matches!(failed, Err(Error::Unavailable)), "{failed:?}");
    assert!(installation.database.copied().await.is_empty());
    assert_eq!(installation.database.checkpoint().await, 0);
    works(&copyist(), &here, &mut mine).await;
    everything_is_copied_once(&installation).await;
}

/// What a receiver outside sees when a node dies between its answer and the checkpoint.
#[tokio::test]
async fn what_leaves_the_database_can_come_twice_and_is_known_by_its_name() {
    let (_installation, here, _) = with_events().await;
    let received = Arc::new(std::sync::Mutex::new(Vec::new()));
    let outside = received.clone();
    let sends = Follower {
        effect: Box::new(move |_, events| {
            let first = outside.lock().unwrap().is_empty();
            outside.lock().unwrap().extend(events.iter().map(|it| it.stored().leaf_hash()));
            async move { if first { Err(Error::OutcomeUnknown) } else { Ok(()) } }.boxed()
        }),
        ..copyist()
    };
    let mut mine = lease("here");
    sends.turn(here.store().pool(), &mut mine).await.unwrap_err();
    sends.turn(here.store().pool(), &mut mine).await.unwrap();
    let received = received.lock().unwrap();
    let (first, again) = received.split_at(received.len() / 2);
    assert!(!first.is_empty());
    assert_eq!(first, again);
}

/// Nobody counts here but the clock and the log: the loops of two nodes, one of which dies.
#[tokio::test]
async fn nodes_follow_what_any_of_them_writes_and_take_over_from_each_other() {
    let (installation, here, there) = with_events().await;
    let follows = |node: &Commands| {
        let node = node.clone();
        tokio::spawn(async move { copyist().run(node.store()).await })
    };
    let database = &installation.database;
    let caught_up = async || {
        until(async || (database.checkpoint().await == database.head().await).then_some(())).await;
        everything_is_copied_once(&installation).await;
    };
    let first = follows(&here);
    caught_up().await;
    let second = follows(&there);
    for (node, name) in [(&here, "one"), (&there, "two")] {
        policy_manager(node).creates_group(name).await.unwrap();
        caught_up().await;
    }
    first.abort();
    first.await.unwrap_err();
    policy_manager(&here).creates_group("three").await.unwrap();
    database.let_leases_run_out().await;
    caught_up().await;
    second.abort();
}

/// Lets another server go on with the log, whose end after `kept` is lost.
async fn restore(installation: &Installation, kept: i64) -> Commands {
    let restore = format!(
        "alter table events disable trigger events_are_immutable; \
         delete from events where position > {kept}; \
         alter table events enable always trigger events_are_immutable; \
         update log_epochs set system_identifier = 'the server before'"
    );
    installation.database.as_owner(&restore).await;
    let node = installation.node();
    node.store().health().wait_for(|health| health.epoch == 2).await.unwrap();
    node
}

#[tokio::test]
async fn a_fork_of_the_log_is_noticed_before_anything_else_and_one_goes_back_to_it() {
    let (installation, here, _) = with_events().await;
    let (copyist, mut mine) = (copyist(), lease("here"));
    works(&copyist, &here, &mut mine).await;
    let lost = installation.database.head().await;
    let after = restore(&installation, lost - 1).await;
    // The new log has passed the old checkpoint: its position alone tells nothing.
    for name in ["one", "two"] {
        policy_manager(&after).creates_group(name).await.unwrap();
    }
    works(&copyist, &after, &mut mine).await;
    let head = installation.database.head().await;
    let expected: Vec<i64> = (1..=lost).chain(lost..=head).collect();
    assert_eq!(installation.database.copied().await, expected);
}

#[tokio::test]
async fn a_fork_stops_what_must_not_go_on_by_itself() {
    let (installation, here, _) = with_events().await;
    let (copyist, mut mine) = (copyist_without_keys(), lease("here"));
    works(&copyist, &here, &mut mine).await;
    let lost = installation.database.head().await;
    let after = restore(&installation, lost - 1).await;
    policy_manager(&after).creates_group("one").await.unwrap();
    works(&copyist, &after, &mut mine).await;
    let stopped = "select stopped from followers where name = 'copyist'";
    assert_eq!(installation.database.ask::<String>(stopped).await, "LOG_FORKED");
    assert_eq!(installation.database.checkpoint().await, lost, "it stands where it was");
    assert!((1..=lost).eq(installation.database.copied().await));
}

#[tokio::test]
async fn what_is_stopped_while_it_works_commits_nothing_and_stays_stopped() {
    let (installation, here, _) = with_events().await;
    let gate = Arc::default();
    let (copyist, mut mine) = (copyist_before(&gate), lease("here"));
    let stops = async {
        gate.reached.notified().await;
        installation.database.as_owner("update followers set stopped = 'BY_HAND'").await;
        gate.open.notify_one();
    };
    let (turn, ()) = tokio::join!(copyist.turn(here.store().pool(), &mut mine), stops);
    assert!(matches!(turn, Err(Error::Conflict)), "{turn:?}");
    let stopped = "select stopped from followers where name = 'copyist'";
    assert_eq!(installation.database.ask::<String>(stopped).await, "BY_HAND");
    assert!(installation.database.copied().await.is_empty());
}

#[tokio::test]
async fn a_failover_that_has_lost_nothing_stops_nobody() {
    let (installation, here, _) = with_events().await;
    let (copyist, mut mine) = (copyist_without_keys(), lease("here"));
    works(&copyist, &here, &mut mine).await;
    let mut service = installation.database.serving().connect().await.unwrap();
    raise_epoch(&mut service, None).await.unwrap();
    policy_manager(&here).creates_group("one").await.unwrap();
    works(&copyist, &here, &mut mine).await;
    everything_is_copied_once(&installation).await;
}

/// As after a copy of the disk was put back: no epoch tells of it.
#[tokio::test]
async fn a_log_that_has_lost_its_end_is_noticed_where_it_ends() {
    let (installation, here, _) = with_events().await;
    let (copyist, mut mine) = (copyist(), lease("here"));
    works(&copyist, &here, &mut mine).await;
    let ahead = format!("update followers set position = position + 5 where name = '{COPYIST}'");
    installation.database.as_owner(&ahead).await;
    works(&copyist, &here, &mut mine).await;
    policy_manager(&here).creates_group("one").await.unwrap();
    works(&copyist, &here, &mut mine).await;
    everything_is_copied_once(&installation).await;
}
