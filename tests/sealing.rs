//! The log is sealed: every event is in a tree whose heads are signed, and on a log that was changed
//! nothing is signed any more.

use crate::support::actors::Market;
use crate::support::commands::{Installation, codes};
use crate::support::database::TestDatabase;
use crate::support::sealing::{ORIGIN, log_keys, seals, seals_through, stopped};
use ::commands::Commands;
use domain::audit::auditor::Auditor;
use domain::audit::key::VerifierKey;
use domain::audit::proof::{Plan, verify_consistency};
use projections::audit::{Sealed, first_change, heads_after, newest, tiles};
use projections::log::after;

fn signed_by(head: &Sealed, key: &VerifierKey) -> bool {
    head.note().unwrap().signature_of(key).unwrap().is_some()
}

/// As the owner of the database can, who has switched the triggers off.
async fn meddles(database: &TestDatabase, sql: &str) {
    let unguarded = "alter table events disable trigger all";
    database.as_owner(&format!("{unguarded}; {sql}")).await;
}

/// A bit of a tile.
const FLIPPED: &str = "update log_tiles set hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)";

async fn first_difference(node: &Commands) -> Option<u64> {
    let mut db = node.store().pool().acquire().await.unwrap();
    first_change(&mut db).await.unwrap().map(|it| it.position)
}

/// A sealed log of some hundred events, whose head is not at the end of a tile.
async fn sealed_log() -> (Installation, Commands, Market, Sealed) {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    let market = Market::open(&node).await;
    market.busy_day(&node).await;
    let head = seals(&node).await;
    assert!(head.size > 258 && head.size % 256 > 0, "{} events", head.size);
    (installation, node, market, head)
}

#[tokio::test]
async fn every_event_is_under_a_signed_head() {
    let (_installation, node, _market, head) = sealed_log().await;
    let rows = after(node.store().pool(), 0, i64::MAX).await.unwrap();
    let mut auditor = Auditor::default();
    for row in &rows {
        auditor.add(row.stored().entry().as_bytes()).judged.unwrap();
    }
    let checkpoint = head.checkpoint().unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (auditor.size(), auditor.root()));
    assert_eq!(checkpoint.origin, ORIGIN);
    let [key] = log_keys(&node).await.try_into().unwrap();
    assert!(signed_by(&head, &key));
    assert_eq!(first_difference(&node).await, None);
    assert_eq!(node.examine().await.unwrap(), None);
}

#[tokio::test]
async fn each_head_continues_the_one_before() {
    let (_installation, node, market, _head) = sealed_log().await;
    for group in ["one", "two", "three"] {
        market.manager.creates_group(group).await.unwrap();
        seals(&node).await;
    }
    let heads = heads_after(node.store().pool(), 0, 100).await.unwrap();
    let heads: Vec<_> = heads.iter().map(|it| it.checkpoint().unwrap()).collect();
    assert!(heads.len() > 3);
    for pair in heads.windows(2) {
        let plan = Plan::consistency(pair[0].size, pair[1].size).unwrap();
        let tiles = tiles(node.store().pool(), plan.tiles()).await.unwrap();
        let hashes = plan.hashes(&tiles).unwrap();
        let [old, new] = [&pair[0], &pair[1]].map(|it| (it.size, &it.root));
        assert!(verify_consistency(old, new, &hashes));
    }
}

#[tokio::test]
async fn on_other_tiles_than_those_that_were_signed_nothing_is_signed() {
    for edge in
        ["level = 0 and index = (select max(index) from log_tiles where level = 0)", "level = 1"]
    {
        let (installation, node, market, head) = sealed_log().await;
        installation.database.as_owner(&format!("{FLIPPED} where {edge}")).await;
        market.manager.creates_group("late").await.unwrap();
        assert_eq!(seals(&node).await, head);
        assert_eq!(stopped(&node).await.as_deref(), Some("LOG_CHANGED"), "{edge}");
    }
}

#[tokio::test]
async fn a_head_that_was_replaced_or_taken_away_is_noticed() {
    let forged = "update log_checkpoints set note = replace(note, E'\\n\\n', E'\\nmore\\n\\n') \
                  where size = (select max(size) from log_checkpoints)";
    let gone = "delete from log_checkpoints where size = (select max(size) from log_checkpoints)";
    for change in [forged, gone] {
        let (installation, node, market, _head) = sealed_log().await;
        market.manager.creates_group("late").await.unwrap();
        seals(&node).await;
        installation.database.as_owner(change).await;
        market.manager.creates_group("later").await.unwrap();
        seals(&node).await;
        assert_eq!(stopped(&node).await.as_deref(), Some("LOG_CHANGED"), "{change}");
    }
}

#[tokio::test]
async fn who_examines_the_log_finds_where_it_was_changed_and_stops_the_sealing() {
    let edits = [
        (7, "update events set payload = payload::jsonb || '{\"a\": 1}' where position = 7"),
        (258, "update events set recorded_at = recorded_at + interval '1 us' where position = 258"),
        (9, "delete from events where position = 9"),
    ];
    for (position, edit) in edits {
        let (installation, node, _market, _head) = sealed_log().await;
        meddles(&installation.database, edit).await;
        assert_eq!(node.examine().await.unwrap().unwrap().position, position, "{edit}");
        assert_eq!(stopped(&node).await.as_deref(), Some("LOG_CHANGED"), "{edit}");
    }
}

#[tokio::test]
async fn a_tail_that_is_gone_is_told_by_its_first_position() {
    let (installation, node, _market, _head) = sealed_log().await;
    meddles(&installation.database, "delete from events where position > 257").await;
    assert_eq!(first_difference(&node).await, Some(258));
}

#[tokio::test]
async fn a_head_that_stands_still_is_signed_again_after_ten_minutes() {
    let (installation, node, market, head) = sealed_log().await;
    let ten_minutes_pass = async || {
        let sql = "update log_checkpoints set signed_at = signed_at - interval '10 minutes'";
        installation.database.as_owner(sql).await;
    };
    assert!(!node.sign_again().await.unwrap(), "it is young");
    ten_minutes_pass().await;
    assert!(node.sign_again().await.unwrap());
    let again = newest(node.store().pool()).await.unwrap().unwrap();
    assert!(again.note == head.note && again.signed_at > head.signed_at);

    // A sealing that has stopped or lags shall not look alive.
    market.manager.creates_group("not sealed").await.unwrap();
    ten_minutes_pass().await;
    assert!(!node.sign_again().await.unwrap());
    seals(&node).await;
    ten_minutes_pass().await;
    installation.database.as_owner(FLIPPED).await;
    assert_eq!(codes(node.sign_again().await), ["LOG_CHANGED"]);
    installation.database.as_owner("update followers set stopped = 'LOG_CHANGED'").await;
    assert!(!node.sign_again().await.unwrap());
}

/// Puts the log and its seal back to where they were, without a trace in the database.
async fn put_back_beneath(database: &TestDatabase, work: impl AsyncFnOnce()) {
    database
        .as_owner(
            "create table kept_tiles as select * from log_tiles; \
             create table kept_heads as select * from log_checkpoints; \
             create table kept_followers as select name, position from followers",
        )
        .await;
    let head = database.head().await;
    work().await;
    meddles(
        database,
        &format!(
            "delete from events where position > {head}; \
             delete from log_tiles; insert into log_tiles select * from kept_tiles; \
             delete from log_checkpoints; insert into log_checkpoints select * from kept_heads; \
             update followers f set position = k.position from kept_followers k where k.name = f.name"
        ),
    )
    .await;
}

#[tokio::test]
async fn a_node_that_has_seen_a_head_signs_no_other_history_under_its_name() {
    let (installation, node, market, _head) = sealed_log().await;
    let sealer = node.sealer(None);
    seals_through(&sealer, &node).await;
    put_back_beneath(&installation.database, async || {
        market.manager.creates_group("what happened").await.unwrap();
        seals_through(&sealer, &node).await;
        market.manager.creates_group("is seen").await.unwrap();
        seals_through(&sealer, &node).await;
    })
    .await;
    let before = seals_through(&sealer, &node).await;
    market.manager.creates_group("what did not").await.unwrap();
    assert_eq!(seals_through(&sealer, &node).await, before);
    assert_eq!(stopped(&node).await.as_deref(), Some("LOG_FORKED"));

    // Under another name it goes on.
    node.restart_log("audit.example.org/events-2").await.unwrap();
    market.admin.replays("sealing", None).await.unwrap();
    assert!(seals_through(&sealer, &node).await.size > before.size);
}
