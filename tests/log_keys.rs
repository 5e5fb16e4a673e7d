//! Keys that sign the log follow each other, and one that was stolen ends its name.

use crate::support::actors::{Market, policy_manager};
use crate::support::commands::{Installation, codes};
use crate::support::sealing::{log_keys, seals};
use crate::support::witness::{Witness, policy};
use ::commands::follower::Lease;
use ::commands::{Commands, Error, now};
use api::witnesses::Witnesses;
use chrono::TimeDelta;
use domain::audit::key::VerifierKey;
use domain::audit::policy::Policy;
use domain::audit::proof::{Plan, verify_consistency};
use domain::audit_log;
use projections::audit::{Sealed, newest, newest_witnessed, tiles};
use projections::log::streams;

/// Whether an outsider who knows this key alone believes the head.
fn believes(key: &VerifierKey, head: &Sealed) -> bool {
    let policy: Policy = format!("log {key}\nquorum none\n").parse().unwrap();
    policy.check(&head.note().unwrap()).is_ok()
}

/// A node with a log, and the only key that signs it.
async fn signed() -> (Installation, Commands, VerifierKey) {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    Market::open(&node).await;
    seals(&node).await;
    let [key] = log_keys(&node).await.try_into().unwrap();
    (installation, node, key)
}

#[tokio::test]
async fn a_new_key_is_told_under_the_old_one_and_both_sign_until_that_one_is_retired() {
    let (_installation, node, old) = signed().await;
    let new = node.add_log_key().await.unwrap();
    let head = seals(&node).await;
    assert!(believes(&old, &head) && believes(&new, &head));

    let early = node.retire_log_key(old.clone(), now() + TimeDelta::days(89)).await;
    assert_eq!(codes(early), ["LOG_KEY_OVERLAP"]);
    node.retire_log_key(old.clone(), now() + TimeDelta::days(91)).await.unwrap();
    let head = seals(&node).await;
    assert!(!believes(&old, &head) && believes(&new, &head));
    let last = node.retire_log_key(new, now() + TimeDelta::days(999)).await;
    assert_eq!(codes(last), ["LAST_LOG_KEY"]);
}

#[tokio::test]
async fn a_node_that_runs_already_signs_with_a_key_that_another_one_made() {
    let (installation, node, old) = signed().await;
    let new = installation.node().add_log_key().await.unwrap();
    let head = seals(&node).await;
    assert!(believes(&old, &head) && believes(&new, &head));
}

#[tokio::test]
async fn without_its_key_no_node_starts_and_none_signs() {
    let (installation, node, _key) = signed().await;
    let [key, aside] = ["log.key", "aside"].map(|it| installation.key_folder().join(it));
    std::fs::rename(&key, &aside).unwrap();
    let stranger = installation.node();
    let refused = stranger.adopt_log_key(None).await;
    assert_eq!(codes(refused), ["LOG_KEY_MISSING"]);
    assert!(!key.exists(), "no other key is made in its place");

    let before = seals(&node).await;
    assert_eq!(codes(stranger.add_log_key().await), ["LOG_KEY_MISSING"]);
    policy_manager(&stranger).creates_group("late").await.unwrap();
    let run_out = "update followers set lease_until = '-infinity'";
    installation.database.as_owner(run_out).await;
    let mut lease = Lease::new("sealing", "a stranger");
    let turn = stranger.sealer(None).turn(stranger.store().pool(), &mut lease).await;
    assert!(matches!(turn, Err(Error::Unavailable)), "{turn:?}");
    assert_eq!(newest(stranger.store().pool()).await.unwrap().unwrap(), before);

    std::fs::rename(&aside, &key).unwrap();
    assert!(seals(&stranger).await.size > before.size, "it waits for the key, and goes on");
}

#[tokio::test]
async fn a_key_that_is_lost_for_good_is_replaced_as_a_stolen_one_is() {
    let (installation, _node, lost) = signed().await;
    std::fs::remove_file(installation.key_folder().join("log.key")).unwrap();
    let node = installation.node();
    let new = node.restart_log("audit.example.org/events-2").await.unwrap();
    let head = seals(&node).await;
    assert!(believes(&new, &head) && !believes(&lost, &head));
    assert_eq!(node.adopt_log_key(None).await.unwrap(), [new]);
}

#[tokio::test]
async fn a_key_in_the_folder_gives_the_log_no_other_name_than_the_one_that_was_asked_for() {
    let installation = Installation::new().await;
    let node = installation.node();
    node.keys().log.first(Some("audit.example.net/events")).unwrap();
    let refused = node.adopt_log_key(Some("audit.example.org/events")).await;
    assert_eq!(codes(refused), ["LOG_NAME_INVALID"]);
    let spaces = installation.node().keys().log.next("an audit").unwrap_err().to_string();
    assert!(spaces.contains("neither spaces nor plus signs"), "{spaces}");
    let files = std::fs::read_dir(installation.key_folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(names.filter(|name| name.starts_with("log.")).eq(["log.key"]), "no draft is left");
}

#[tokio::test]
async fn after_a_theft_the_log_goes_on_under_another_name_from_the_last_witnessed_head() {
    let (_installation, node, stolen) = signed().await;
    let witness = Witness::of(&stolen, 1).await;
    let mut witnesses = Witnesses::open(policy(&stolen, &[&witness], 1).path()).unwrap();
    witnesses.show(&node).await.unwrap();
    let last = newest_witnessed(node.store().pool()).await.unwrap().unwrap();

    assert_eq!(codes(node.restart_log(stolen.name()).await), ["SAME_LOG"]);
    let new = node.restart_log("audit.example.org/events-2").await.unwrap();
    let head = seals(&node).await;
    assert!(believes(&new, &head) && !believes(&stolen, &head));
    assert_eq!(head.checkpoint().unwrap().origin, "audit.example.org/events-2");

    // The first event under the new name holds the last head to believe under the old one.
    let ids = [audit_log::ID.to_owned()];
    let rows = streams(node.store().pool(), "audit_log", &ids).await.unwrap();
    let restarted = rows.last().unwrap();
    let told: serde_json::Value = serde_json::from_str(&restarted.payload).unwrap();
    assert_eq!(told["checkpoint"], last.note.as_str());
    let [old, new] = [&last, &head].map(|it| it.checkpoint().unwrap());
    let plan = Plan::consistency(old.size, new.size).unwrap();
    let tiles = tiles(node.store().pool(), plan.tiles()).await.unwrap();
    let hashes = plan.hashes(&tiles).unwrap();
    assert!(verify_consistency((old.size, &old.root), (new.size, &new.root), &hashes));
    assert_eq!(node.examine().await.unwrap(), None);
}
