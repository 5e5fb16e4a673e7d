//! Commands that are written together are judged as if each had its own transaction.

use crate::support::actors::{Market, partner, policy_manager};
use crate::support::commands::{Installation, codes, in_one_batch};
use ::commands::{Done, Result};
use futures::future::LocalBoxFuture;

/// How many transactions the events after `position` were written in.
async fn transactions_after(installation: &Installation, position: i64) -> i64 {
    let sql = format!("select count(distinct xmin::text) from events where position > {position}");
    installation.database.ask(&sql).await
}

#[tokio::test]
async fn two_commands_on_one_stream_in_one_batch_are_both_decided_on_what_is_there() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    let other_node = installation.node();
    let before = market.anything().await.unwrap().position;
    // Commands on one stream queue in their process, so it takes a second one for a race.
    let elsewhere = market.admin.at(&other_node);
    let log = installation.database.lock_the_log().await;
    let director = async {
        installation.database.wait_for_appenders(|count| count == 2).await;
        log.release().await;
    };
    let (approved, rejected, ()) =
        tokio::join!(market.admin.approves(&request), elsewhere.rejects(&request), director);
    let winners = [approved.is_ok(), rejected.is_ok()];
    assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{approved:?} {rejected:?}");
    let events: i64 = installation
        .database
        .ask(&format!("select count(*) from events where position > {before}"))
        .await;
    assert_eq!(events, 1);
}

#[tokio::test]
async fn the_second_of_two_submissions_on_one_stream_in_one_batch_is_a_conflict() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = policy_manager(&node);
    let group = manager.creates_group("Banking").await.unwrap().id;
    let position = node.store().health().borrow().head;
    let raised = |name: &str| raw::renamed(&group, 1, name);
    let verdicts = in_one_batch(
        &installation,
        &node,
        manager.creates_group("first in line"),
        vec![node.store().append(raised("One")), node.store().append(raised("Other"))],
    )
    .await;
    let [first, second] = &verdicts[..] else { panic!("two answers") };
    assert_eq!(first.as_ref().unwrap(), &raw::accepted(position + 2));
    assert_eq!(second.as_ref().unwrap(), &raw::conflict());
}

#[tokio::test]
async fn of_two_partners_with_one_e_mail_address_in_one_batch_one_is_refused() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let (bob, carol) = (partner(&node, "bob"), partner(&node, "carol"));
    let before = node.store().health().borrow().head;
    let results: Vec<Result<Done>> = in_one_batch(
        &installation,
        &node,
        market.anything(),
        vec![
            bob.registers_with(&market.group, "Office@example.org"),
            carol.registers_with(&market.group, " office@EXAMPLE.org "),
        ],
    )
    .await;
    let [bobs, carols] = <[_; 2]>::try_from(results).unwrap();
    assert!(bobs.is_ok());
    assert_eq!(codes(carols), ["EMAIL_TAKEN"]);
    assert_eq!(transactions_after(&installation, before).await, 2); // the first in line, the batch
}

#[tokio::test]
async fn two_wishes_with_one_idempotency_key_in_one_batch_are_granted_once() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let impatient = market.manager.once("click");
    let before = node.store().health().borrow().head;
    let results = in_one_batch(
        &installation,
        &node,
        market.anything(),
        vec![impatient.creates_group("Health"), impatient.creates_group("Health")],
    )
    .await;
    let [first, second] = <[_; 2]>::try_from(results).unwrap().map(Result::unwrap);
    assert_eq!((&first.id, first.position), (&second.id, second.position));
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(node.store().health().borrow().head, before + 2);
}

#[tokio::test]
async fn two_wishes_with_one_idempotency_key_and_other_input_in_one_batch_are_told_apart() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let confused = market.manager.once("click");
    let results = in_one_batch(
        &installation,
        &node,
        market.anything(),
        vec![confused.creates_group("Health"), confused.creates_group("Wealth")],
    )
    .await;
    let [first, second] = <[_; 2]>::try_from(results).unwrap();
    assert!(first.is_ok());
    assert_eq!(codes(second), ["IDEMPOTENCY_KEY_REUSED"]);
}

#[tokio::test]
async fn many_different_wishes_are_written_in_one_transaction() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let before = node.store().health().borrow().head;
    let names: Vec<String> = (0..20).map(|number| format!("Group {number}")).collect();
    let wishes = names.iter().map(|name| market.manager.creates_group(name)).collect();
    let results = in_one_batch(&installation, &node, market.anything(), wishes).await;
    let positions: Vec<i64> = results.into_iter().map(|done| done.unwrap().position).collect();
    assert_eq!(positions, (before + 2..before + 22).collect::<Vec<_>>());
    assert_eq!(transactions_after(&installation, before).await, 2);
}

#[tokio::test]
async fn a_name_given_back_in_a_batch_is_free_for_the_next_of_the_same_batch() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let draft = market.manager.drafts(&market.group, "eKYC").await.unwrap().id;
    let (manager, group) = (&market.manager, &market.group);
    let wishes: Vec<LocalBoxFuture<'_, Result<Done>>> =
        vec![Box::pin(manager.discards(&draft)), Box::pin(manager.drafts(group, "EKYC"))];
    let results = in_one_batch(&installation, &node, market.anything(), wishes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(codes(market.manager.drafts(&market.group, "ekyc").await), ["POLICY_NAME_TAKEN"]);
}

/// Submissions made by hand, where two commands of one process would wait for each other.
mod raw {
    use ::commands::event_store::{NewEvent, StreamId, Submission, Verdict};
    use cqrs_es::DomainEvent;
    use domain::policy_group::{Description, Event, PolicyGroup};
    use std::collections::BTreeMap;

    pub fn renamed(group: &str, version: i64, name: &str) -> Submission {
        let stream = StreamId::of::<PolicyGroup>(group);
        let event = Event::Updated(Description::new(name, "For a test").unwrap());
        let request_id = ::commands::new_id();
        Submission {
            events: vec![NewEvent {
                stream: stream.clone(),
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(&event).unwrap(),
                metadata: serde_json::to_string(&domain::recorded::Metadata {
                    request_id: request_id.to_string(),
                    ..Default::default()
                })
                .unwrap(),
            }],
            streams: BTreeMap::from([(stream, version)]),
            request_id,
            ..Submission::default()
        }
    }

    pub fn accepted(position: i64) -> Verdict {
        Verdict::Accepted(position)
    }

    pub fn conflict() -> Verdict {
        Verdict::Conflict
    }
}
