//! The log is sealed: every event is in a tree whose heads are signed, and on a log that was changed
//! nothing is signed any more.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use crate::support::database::TestDatabase;
use crate::support::sealing::{ORIGIN, log_keys, seals, stopped};
use ::commands::Commands;
use domain::audit::auditor::Auditor;
use domain::audit::key::VerifierKey;
use domain::audit::proof::{Plan, verify_consistency};
use projections::audit::{Sealed, first_change, heads_after, tiles};
use projections::log::after;

fn signed_by(head: &Sealed, key: &VerifierKey) -> bool {
    head.note().unwrap().signature_of(key).unwrap().is_some()
}

/// As the owner of the database can, who has switched the triggers off.
async fn meddles(database: &TestDatabase, sql: &str) {
    let unguarded = "alter table events disable trigger all";
    database.as_owner(&format!("{unguarded}; {sql}")).await;
}

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
        auditor.add(row.stored().entry().as_bytes()).unwrap();
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
    let change = "update log_tiles set hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)";
    for edge in
        ["level = 0 and index = (select max(index) from log_tiles where level = 0)", "level = 1"]
    {
        let (installation, node, market, head) = sealed_log().await;
        installation.database.as_owner(&format!("{change} where {edge}")).await;
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
