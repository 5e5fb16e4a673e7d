//! A wish with an idempotency key is granted once, however often it is sent.

use crate::support::actors::{Market, partner, policy_manager};
use crate::support::commands::{Installation, codes, overtaken};
use ::commands::Commands;
use futures::future::join_all;
use projections::{fold, partner};
use secrecy::ExposeSecret as _;

fn head(node: &Commands) -> i64 {
    node.store().health().borrow().head
}

async fn status(node: &Commands, partner: &str) -> String {
    let row: Option<partner::Row> = fold::find(node.store().pool(), partner).await.unwrap();
    serde_json::to_value(row.unwrap()).unwrap()["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_same_wish_again_is_answered_with_the_same_object_and_position_and_no_event() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = policy_manager(&node).once("click");
    let first = manager.creates_group("Banking").await.unwrap();
    let again = manager.creates_group("Banking").await.unwrap();
    assert_eq!((&again.id, again.position), (&first.id, first.position));
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(head(&node), 1);
}

#[tokio::test]
async fn a_wish_is_remembered_for_thirty_days() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = policy_manager(&node).once("click");
    manager.creates_group("Banking").await.unwrap();
    node.forget().await.unwrap();
    assert!(manager.creates_group("Banking").await.unwrap().replayed);
    let aged = "update idempotency_keys set created_at = created_at - interval '31 days'";
    installation.database.as_owner(aged).await;
    node.forget().await.unwrap();
    assert_eq!(codes(manager.creates_group("Banking").await), ["POLICY_GROUP_NAME_TAKEN"]);
}

#[tokio::test]
async fn a_secret_is_not_shown_again() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    market.approved_request().await;
    let alice = market.alice.once("click");
    let first = alice.generates_key(&market.policy, "one").await.unwrap();
    let again = alice.generates_key(&market.policy, "one").await.unwrap();
    assert!(first.secret.is_some());
    assert!(again.secret.is_none());
    assert_eq!(again.id, first.id);
}

#[tokio::test]
async fn a_secret_lies_nowhere_in_the_database() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    market.approved_request().await;
    let done = market.alice.once("click").generates_key(&market.policy, "one").await.unwrap();
    let secret = done.secret.unwrap();
    let everything: String = installation
        .database
        .ask("select concat((select jsonb_agg(t) from events t), (select jsonb_agg(t) from read.api_key t), \
              (select jsonb_agg(t) from secret_hashes t), (select jsonb_agg(t) from idempotency_keys t))")
        .await;
    assert!(everything.contains(&done.id));
    assert!(!everything.contains(secret.expose_secret()));
}

#[tokio::test]
async fn the_same_key_with_another_input_is_refused() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = policy_manager(&node).once("click");
    manager.creates_group("Banking").await.unwrap();
    assert_eq!(codes(manager.creates_group("Health").await), ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(head(&node), 1);
}

#[tokio::test]
async fn a_refusal_does_not_use_up_the_key() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let careful = market.manager.once("click");
    assert_eq!(codes(careful.creates_group("Banking").await), ["POLICY_GROUP_NAME_TAKEN"]);
    market.manager.renames_group(&market.group, "Finance").await.unwrap();
    assert!(!careful.creates_group("Banking").await.unwrap().replayed);
}

#[tokio::test]
async fn a_refusal_leaves_the_key_free_for_another_input() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let careful = market.manager.once("click");
    assert_eq!(codes(careful.creates_group("Banking").await), ["POLICY_GROUP_NAME_TAKEN"]);
    assert!(!careful.creates_group("Health").await.unwrap().replayed);
}

#[tokio::test]
async fn a_wish_that_changed_nothing_has_been_granted_too() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let partner = &market.alice.partner;
    market.admin.suspends(partner).await.unwrap();
    let before = head(&node);
    assert_eq!(market.admin.once("click").suspends(partner).await.unwrap().position, before);
    market.admin.reactivates(partner).await.unwrap();
    assert!(market.admin.once("click").suspends(partner).await.unwrap().replayed);
    assert_eq!(status(&node, partner).await, "ACTIVE");
}

#[tokio::test]
async fn a_wish_that_changes_nothing_writes_no_event() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let before = head(&node);
    market.manager.publishes(&market.policy).await.unwrap();
    market.manager.once("click").publishes(&market.policy).await.unwrap();
    market.admin.trusts(&market.authority).await.unwrap();
    assert_eq!(head(&node), before);
}

#[tokio::test]
async fn the_key_of_another_subject_is_another_key() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let (bob, carol) = (partner(&node, "bob").once("click"), partner(&node, "carol").once("click"));
    assert!(!bob.registers(&market.group).await.unwrap().replayed);
    assert!(!carol.registers(&market.group).await.unwrap().replayed);
}

#[tokio::test]
async fn the_key_of_another_mutation_is_another_key() {
    let installation = Installation::new().await;
    let manager = policy_manager(&installation.node()).once("click");
    let group = manager.creates_group("Banking").await.unwrap().id;
    assert!(!manager.renames_group(&group, "Finance").await.unwrap().replayed);
    assert!(!manager.closes_group(&group).await.unwrap().replayed);
}

#[tokio::test]
async fn a_wish_sent_to_two_nodes_at_once_is_granted_once() {
    let installation = Installation::new().await;
    let (here, there) = (installation.node(), installation.node());
    let market = Market::open(&here).await;
    let impatient = market.manager.once("click");
    let elsewhere = impatient.at(&there);
    let (late, early) = overtaken(
        &installation,
        &here,
        market.anything(),
        impatient.creates_group("Health"),
        elsewhere.creates_group("Health"),
    )
    .await;
    let (late, early) = (late.unwrap(), early.unwrap());
    assert_eq!((&late.id, late.position), (&early.id, early.position));
    assert_eq!((early.replayed, late.replayed), (false, true));
}

/// The first sending moved the version that the second one has pinned: it is the same wish still.
#[tokio::test]
async fn a_wish_that_pins_a_version_and_is_sent_to_two_nodes_at_once_is_granted_once() {
    let installation = Installation::new().await;
    let (here, there) = (installation.node(), installation.node());
    let market = Market::open(&here).await;
    let impatient = market.manager.once("click").having_seen(1);
    let elsewhere = impatient.at(&there);
    let (late, early) = overtaken(
        &installation,
        &here,
        market.anything(),
        impatient.renames_group(&market.group, "Finance"),
        elsewhere.renames_group(&market.group, "Finance"),
    )
    .await;
    assert!(!early.unwrap().replayed);
    assert!(late.unwrap().replayed);
}

#[tokio::test]
async fn nodes_that_start_at_the_same_time_create_the_defaults_once() {
    let installation = Installation::new().await;
    let nodes = [(); 3].map(|()| installation.node());
    for bootstrapped in join_all(nodes.iter().map(Commands::bootstrap)).await {
        bootstrapped.unwrap();
    }
    let twice = "select count(*) from (select from events where event_type in ('created', 'published') \
                 group by aggregate_id, event_type having count(*) > 1) twice";
    assert_eq!(installation.database.ask::<i64>(twice).await, 0);
    let unpublished = "select count(*) from read.policy where status <> 'PUBLISHED'";
    assert_eq!(installation.database.ask::<i64>(unpublished).await, 0);
}
