//! Witnesses outside see every head of the log, and nobody waits for them.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use crate::support::sealing::{log_keys, seals};
use crate::support::witness::{Witness, policy};
use ::commands::Commands;
use api::witnesses::Witnesses;
use domain::audit::policy::Policy;
use projections::audit::standing::standing;
use projections::audit::{newest, newest_witnessed};

/// A node whose log two witnesses know, of whom so many have to sign.
async fn witnessed(enough: usize) -> (Installation, Commands, Market, [Witness; 2], Witnesses) {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    let market = Market::open(&node).await;
    let [key] = log_keys(&node).await.try_into().unwrap();
    let people = [Witness::of(&key, 1).await, Witness::of(&key, 2).await];
    let witnesses = asked(&node, &people.each_ref(), enough).await;
    (installation, node, market, people, witnesses)
}

async fn asked(node: &Commands, people: &[&Witness], enough: usize) -> Witnesses {
    let [key] = log_keys(node).await.try_into().unwrap();
    Witnesses::open(policy(&key, people, enough).path()).unwrap()
}

#[tokio::test]
async fn a_head_that_enough_witnesses_have_signed_is_believed_by_who_follows_the_same_policy() {
    let (_installation, node, _market, people, mut witnesses) = witnessed(2).await;
    seals(&node).await;
    assert!(standing(node.store().pool()).await.unwrap().unwitnessed_since.is_some());
    witnesses.show(&node).await.unwrap();
    let head = newest(node.store().pool()).await.unwrap().unwrap();
    assert!(head.witnessed_at.is_some());
    assert_eq!(standing(node.store().pool()).await.unwrap().unwitnessed_since, None);
    let [key] = log_keys(&node).await.try_into().unwrap();
    let text = std::fs::read_to_string(policy(&key, &people.each_ref(), 2).path()).unwrap();
    let believed = text.parse::<Policy>().unwrap().check(&head.note().unwrap()).unwrap();
    let names: Vec<&str> = believed.witnesses.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names, ["witness-1", "witness-2"]);

    witnesses.show(&node).await.unwrap();
    assert_eq!(people[0].asked().len(), 1, "what was signed is not asked for again");
}

#[tokio::test]
async fn while_a_witness_is_away_everything_goes_on_and_it_catches_up() {
    let (_installation, node, market, people, mut witnesses) = witnessed(2).await;
    let first = seals(&node).await.size;
    witnesses.show(&node).await.unwrap();
    people[1].is_away(true);
    for group in ["one", "two"] {
        market.manager.creates_group(group).await.unwrap();
        seals(&node).await;
        witnesses.show(&node).await.unwrap();
    }
    let pool = node.store().pool();
    let head = newest(pool).await.unwrap().unwrap();
    assert!(head.size > first && head.witnessed_at.is_none());
    assert!(head.note().unwrap().signature_of(&people[0].key).unwrap().is_some());
    assert_eq!(newest_witnessed(pool).await.unwrap().unwrap().size, first);

    people[1].is_away(false);
    witnesses.show(&node).await.unwrap();
    assert_eq!(newest_witnessed(pool).await.unwrap().unwrap().size, head.size);
    let [first, head] = [first, head.size].map(i64::unsigned_abs);
    assert_eq!(people[1].asked(), [(0, first), (first, head)]);
}

#[tokio::test]
async fn a_node_learns_from_a_witness_how_much_it_has_seen() {
    let (_installation, node, market, people, mut witnesses) = witnessed(1).await;
    let seen = seals(&node).await.size.unsigned_abs();
    witnesses.show(&node).await.unwrap();
    market.manager.creates_group("more").await.unwrap();
    let head = seals(&node).await.size.unsigned_abs();
    let mut another = asked(&node, &people.each_ref(), 2).await;
    another.show(&node).await.unwrap();
    assert_eq!(people[0].asked(), [(0, seen), (0, head), (seen, head)]);
    assert!(newest(node.store().pool()).await.unwrap().unwrap().witnessed_at.is_some());
}

#[tokio::test]
async fn a_log_that_was_written_anew_finds_no_witness() {
    let (installation, node, market, _people, mut witnesses) = witnessed(1).await;
    seals(&node).await;
    let before = installation.database.snapshot().await;
    market.manager.creates_group("what happened").await.unwrap();
    seals(&node).await;
    witnesses.show(&node).await.unwrap();

    let installation = installation.moved_to(before);
    let node = installation.node();
    let manager = crate::support::actors::policy_manager(&node);
    for group in ["what did not", "happen"] {
        manager.creates_group(group).await.unwrap();
        let head = seals(&node).await; // first as large as what they have seen, then larger
        witnesses.show(&node).await.unwrap();
        let shown = newest(node.store().pool()).await.unwrap().unwrap();
        assert_eq!(shown, head, "nobody signs it");
    }
}

#[tokio::test]
async fn a_log_that_waits_for_witnesses_for_too_long_is_an_alarm() {
    let (installation, node, _market, people, mut witnesses) = witnessed(2).await;
    seals(&node).await;
    people[1].is_away(true);
    assert!(!witnesses.show(&node).await.unwrap(), "it is away for a moment only");
    let ten_minutes_pass = "alter table events disable trigger all; \
        update events set recorded_at = recorded_at - interval '10 minutes'";
    installation.database.as_owner(ten_minutes_pass).await;
    assert!(witnesses.show(&node).await.unwrap());
    people[1].is_away(false);
    assert!(!witnesses.show(&node).await.unwrap());
}

#[tokio::test]
async fn where_no_witness_is_needed_every_head_is_witnessed() {
    let (_installation, node, _market, _people, _) = witnessed(1).await;
    seals(&node).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"quorum none\n").unwrap();
    Witnesses::open(file.path()).unwrap().show(&node).await.unwrap();
    assert!(newest(node.store().pool()).await.unwrap().unwrap().witnessed_at.is_some());
}

#[tokio::test]
async fn a_log_that_has_lost_its_end_finds_no_witness() {
    let (installation, node, market, _people, mut witnesses) = witnessed(1).await;
    seals(&node).await;
    let before = installation.database.snapshot().await;
    market.manager.creates_group("lost").await.unwrap();
    seals(&node).await;
    witnesses.show(&node).await.unwrap();
    let installation = installation.moved_to(before);
    let node = installation.node();
    let head = newest(node.store().pool()).await.unwrap().unwrap();
    witnesses.show(&node).await.unwrap();
    assert_eq!(newest(node.store().pool()).await.unwrap().unwrap(), head);
}

#[tokio::test]
async fn a_policy_that_makes_no_sense_is_refused_at_the_start() {
    let (_installation, node, _market, [mut witness, _], _) = witnessed(1).await;
    let [key] = log_keys(&node).await.try_into().unwrap();
    let refused = |witness: &Witness, threshold| {
        Witnesses::open(policy(&key, &[witness], threshold).path()).unwrap_err().to_string()
    };
    assert!(refused(&witness, 2).contains("line 3"), "{}", refused(&witness, 2));
    witness.url = "http://witness.example.org".to_owned();
    assert!(refused(&witness, 1).contains("https or on a loopback address"));
    witness.url = String::new();
    assert!(refused(&witness, 1).contains("needs an address"));
    let nowhere = Witnesses::open("/nowhere/policy".as_ref()).unwrap_err().to_string();
    assert!(nowhere.contains("/nowhere/policy"), "{nowhere}");
}
