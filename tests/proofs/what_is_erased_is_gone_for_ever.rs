//! What is erased is gone: for every node, for whoever reads the database with our keys, and after a
//! restore. The log says so, stays as it is, and proves what it proved.

use crate::support::actors::{Market, Person, second_admin};
use crate::support::commands::{Installation, overtaken};
use ::commands::Commands;
use domain::partner::ContactPurpose;
use domain::subject::SubjectKind;
use projections::log::{LogRow, after};
use projections::migrate::migrate;
use projections::rebuild::{dump, rebuild};
use sqlx::{ConnectOptions as _, PgPool};

const HELD: &str = "select (select count(*) from subject_keys) + (select count(*) from personal_data) \
                    + (select count(*) from request_log)";
/// As a backup keeps the tables beside the log.
const BACK_UP: &str = "create schema backup; create table backup.keys as table subject_keys; \
     create table backup.data as table personal_data; create table backup.log as table request_log";
const RESTORE: &str = "insert into subject_keys table backup.keys on conflict do nothing; \
     insert into personal_data table backup.data on conflict do nothing; \
     insert into request_log table backup.log on conflict do nothing";

async fn erases(market: &Market, kind: SubjectKind, id: &str) {
    let proposal = market.admin.erases(kind, id).await.unwrap().id;
    second_admin(market.admin.node()).confirms(&proposal).await.unwrap();
}

/// Alice's contacts and origins, before and after their erasure: the only ones there are.
async fn erased() -> (Installation, Commands, Market) {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let alice = &market.alice;
    alice.is_reached(ContactPurpose::Security, "security@example.org").await.unwrap();
    alice.came_from("192.0.2.7").await;
    let database = &installation.database;
    database.as_owner(BACK_UP).await;
    assert!(database.ask::<i64>(HELD).await > 3);
    erases(&market, SubjectKind::Partner, &alice.partner).await;
    erases(&market, SubjectKind::Person, "alice").await;
    assert_eq!(database.ask::<i64>(HELD).await, 0);
    (installation, node, market)
}

/// How many contacts of Alice's partner a node can read, whatever the rows say of them.
async fn readable(node: &Commands) -> usize {
    let pool = node.store().pool();
    let periods = projections::subject::contacts(pool, "alice-co").await.unwrap();
    let references: Vec<_> = periods.iter().map(|it| it.reference).collect();
    assert!(!references.is_empty());
    node.keys().wrapping.contacts(pool, &references).await.unwrap().len()
}

async fn leaf_hashes(pool: &PgPool) -> Vec<[u8; 32]> {
    let log = after(pool, 0, i64::MAX).await.unwrap();
    log.iter().map(|row: &LogRow| row.stored().leaf_hash()).collect()
}

#[tokio::test]
async fn every_leaf_hash_from_before_an_erasure_is_the_same_after_it() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let before = leaf_hashes(node.store().pool()).await;
    erases(&market, SubjectKind::Partner, &market.alice.partner).await;
    let now = leaf_hashes(node.store().pool()).await;
    assert_eq!(now[..before.len()], before);
    assert_eq!(now.len(), before.len() + 3, "proposed, confirmed, erased");
}

#[tokio::test]
async fn no_node_can_read_what_another_one_has_erased() {
    let installation = Installation::new().await;
    let (one, two) = (installation.node(), installation.node());
    let market = Market::open(&one).await;
    assert_eq!((readable(&one).await, readable(&two).await), (1, 1), "both have read it");
    erases(&market, SubjectKind::Partner, &market.alice.partner).await;
    assert_eq!((readable(&one).await, readable(&two).await), (0, 0));
}

#[tokio::test]
async fn the_sealed_rows_of_a_backup_are_nothing_without_the_key() {
    let (installation, node, _market) = erased().await;
    installation.database.as_owner("insert into personal_data table backup.data").await;
    assert_eq!(readable(&node).await, 0);
}

#[tokio::test]
async fn what_a_restore_brings_back_is_destroyed_before_anybody_is_served() {
    let (installation, node, _market) = erased().await;
    let database = &installation.database;
    database.as_owner(RESTORE).await;
    assert_eq!(readable(&node).await, 2, "a key that came back opens");
    let destroyed = node.erase_what_the_log_says().await.unwrap(); // what `serve` begins with
    assert_eq!((destroyed.subject_keys, destroyed.personal_data), (1, 2));
    assert!(destroyed.request_log > 0);
    assert_eq!(database.ask::<i64>(HELD).await, 0);
    assert_eq!(readable(&node).await, 0);
    assert!(node.erase_what_the_log_says().await.unwrap().is_nothing());
}

#[tokio::test]
async fn migrating_and_the_hourly_clean_up_destroy_it_too() {
    let (installation, node, _market) = erased().await;
    let database = &installation.database;
    database.as_owner(RESTORE).await;
    migrate(&mut database.owner().connect().await.unwrap()).await.unwrap();
    assert_eq!(database.ask::<i64>(HELD).await, 0);
    database.as_owner(RESTORE).await;
    node.forget().await.unwrap();
    assert_eq!(database.ask::<i64>(HELD).await, 0);
}

/// Each is cleaned up for a reason of its own.
#[tokio::test]
async fn what_cannot_be_cleaned_up_keeps_nothing_else_from_it() {
    let (installation, node, _market) = erased().await;
    let database = &installation.database;
    let expired = "insert into request_log (request_id, client_address, user_agent, at) \
                   values (gen_random_uuid(), '192.0.2.9', 'curl', now() - interval '91 days')";
    for table in ["idempotency_keys", "subject_keys"] {
        database.as_owner(RESTORE).await;
        database.as_owner(expired).await;
        database.as_owner(&format!("alter table {table} rename to away")).await;
        assert!(node.forget().await.is_err(), "{table}");
        database.as_owner(&format!("alter table away rename to {table}")).await;
        let origins = "select count(*) from request_log where client_address = '192.0.2.9'";
        assert_eq!(database.ask::<i64>(origins).await, 0, "{table}");
        let is_erased = database.ask::<i64>(HELD).await == 0;
        assert_eq!(is_erased, table == "idempotency_keys", "{table}");
    }
}

/// The name under which the old data lay is dead; the new data has another.
#[tokio::test]
async fn what_was_given_after_an_erasure_outlives_a_restore() {
    let (installation, node, market) = erased().await;
    market.alice.is_reached(ContactPurpose::Primary, "new@example.org").await.unwrap();
    installation.database.as_owner(RESTORE).await;
    node.erase_what_the_log_says().await.unwrap();
    assert_eq!(readable(&node).await, 1);
}

#[tokio::test]
async fn tables_that_are_folded_anew_say_erased_as_the_live_ones_do() {
    let (installation, _node, _market) = erased().await;
    let pool = installation.database.owner_pool();
    let live = format!("{:#?}", dump(&pool).await.unwrap());
    rebuild(&mut installation.database.owner().connect().await.unwrap(), |_| {}).await.unwrap();
    assert_eq!(format!("{:#?}", dump(&pool).await.unwrap()), live);
}

/// A contact that was decided on before an erasure is decided anew after it: it is never sealed with
/// the key that has gone, and never goes with it.
#[tokio::test]
async fn a_contact_that_comes_too_late_for_an_erasure_is_sealed_with_a_new_key() {
    let installation = Installation::new().await;
    let (node, other) = (installation.node(), installation.node());
    let market = Market::open(&node).await;
    let proposal = market.admin.erases(SubjectKind::Partner, "alice-co").await.unwrap().id;
    let late: Person = market.alice.clone();
    let (late, early) = overtaken(
        &installation,
        &node,
        market.manager.creates_group("Blocker"),
        late.is_reached(ContactPurpose::Security, "security@example.org"),
        second_admin(&other).confirms(&proposal),
    )
    .await;
    early.unwrap();
    late.unwrap();
    let subjects = "select string_agg(subject, ' ') from subject_keys";
    assert_eq!(installation.database.ask::<String>(subjects).await, "partner/alice-co/2");
    assert_eq!(readable(&node).await, 1);
}
