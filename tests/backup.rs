//! What was put back from a backup goes on without a gap, or says what to do.

use crate::support::actors::{Market, policy_manager};
use crate::support::archive::Archived;
use crate::support::commands::{Installation, key_folder};
use crate::support::database::TestDatabase;
use crate::support::replication::node_at;
use crate::support::until;
use ::commands::Commands;
use ::commands::event_store::raise_epoch;
use api::embedded_postgres::find_binaries;
use api::last_seen::{LastSeen, Likeness, keep, recognise};
use api::service::Error;
use projections::log::{Extent, extent};
use projections::migrate::migrate;
use projections::rebuild::{dump, rebuild};
use sqlx::ConnectOptions as _;
use std::path::Path;
use std::process::Command;

async fn end(node: &Commands) -> Extent {
    extent(node.store().pool()).await.unwrap()
}

async fn ready(node: &Commands) {
    node.store().health().wait_for(|health| health.ready).await.unwrap();
}

/// Runs one of PostgreSQL's own programs.
fn runs(program: &str, arguments: &[&str]) {
    let program = find_binaries(Path::new("../.pms")).unwrap().join(program);
    let done = Command::new(&program).args(arguments).output().unwrap();
    assert!(
        done.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&done.stderr)
    );
}

#[tokio::test]
async fn a_dump_that_is_put_back_goes_on_without_a_gap_in_an_epoch_of_its_own() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let before = end(&node).await;
    let tables = dump(node.store().pool()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pms.dump").display().to_string();
    runs("pg_dump", &["--format=custom", "--file", &file, "--dbname", installation.database.url()]);
    market.anything().await.unwrap();

    let copy = TestDatabase::empty().await;
    runs("pg_restore", &["--exit-on-error", "--dbname", copy.url(), &file]);
    let restored = installation.moved_to(copy);
    let node = restored.node();
    ready(&node).await;
    assert_eq!(end(&node).await, Extent { epoch: before.epoch + 1, ..before });
    assert_eq!(dump(node.store().pool()).await.unwrap(), tables);
    let done = policy_manager(&node).creates_group("After the dump").await.unwrap();
    assert_eq!(done.position, before.head + 1);
    let mut owner = restored.database.owner().connect().await.unwrap();
    let tables = dump(node.store().pool()).await.unwrap();
    rebuild(&mut owner, |_| {}).await.unwrap();
    assert_eq!(dump(node.store().pool()).await.unwrap(), tables);
    let refused = sqlx::query("delete from events").execute(&mut owner).await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));
}

#[tokio::test]
async fn a_recovery_to_a_moment_goes_on_from_there_in_an_epoch_of_its_own() {
    let keys = key_folder();
    let archived = Archived::start().await;
    migrate(&mut archived.server.connect().await).await.unwrap();
    let node = node_at(archived.server.port, keys.path()).await;
    let manager = policy_manager(&node);
    manager.creates_group("In the base backup").await.unwrap();
    let backup = archived.base_backup().await;
    manager.creates_group("In the archive").await.unwrap();
    archived.names_this_moment("noon").await;
    let noon = end(&node).await;
    manager.creates_group("After noon").await.unwrap();
    let seen = LastSeen::of(node.store().pool()).await.unwrap().unwrap();

    let (recovered, _place) = archived.recovered_to("noon", backup).await;
    let node = node_at(recovered.port, keys.path()).await;
    ready(&node).await;
    assert_eq!(end(&node).await, Extent { epoch: noon.epoch + 1, ..noon });
    let likeness = seen.compare(node.store().pool()).await.unwrap();
    assert_eq!(likeness, Likeness::Forked(noon.head + 1));
    let done = policy_manager(&node).creates_group("After the recovery").await.unwrap();
    assert_eq!(done.position, noon.head + 1);
}

#[tokio::test]
async fn a_node_remembers_how_far_it_has_seen_the_log() {
    let installation = Installation::new().await;
    let node = installation.node();
    let folder = tempfile::tempdir().unwrap();
    let file = LastSeen::file(folder.path());
    tokio::spawn(keep(file.clone(), node.store().clone()));
    let done = policy_manager(&node).creates_group("Banking").await.unwrap();
    let seen =
        until(async || LastSeen::read(&file).filter(|it| it.position == done.position)).await;
    assert_eq!(Some(&seen), LastSeen::of(node.store().pool()).await.unwrap().as_ref());
    policy_manager(&node).creates_group("Health").await.unwrap();
    assert_eq!(seen.compare(node.store().pool()).await.unwrap(), Likeness::Same);
}

#[tokio::test]
async fn another_log_is_no_log_that_was_put_back() {
    let (one, other) = (Installation::new().await, Installation::new().await);
    let (node, stranger) = (one.node(), other.node());
    policy_manager(&node).creates_group("Banking").await.unwrap();
    let seen = LastSeen::of(node.store().pool()).await.unwrap().unwrap();
    assert_eq!(seen.compare(stranger.store().pool()).await.unwrap(), Likeness::Other);
    policy_manager(&stranger).creates_group("Banking").await.unwrap();
    assert_eq!(seen.compare(stranger.store().pool()).await.unwrap(), Likeness::Other);
}

/// A copy of the disk has the same server, the same timeline and the same tables: nothing in it tells.
#[tokio::test]
async fn a_log_that_was_put_back_unnoticed_is_refused_until_its_epoch_is_raised() {
    let installation = Installation::new().await;
    let node = installation.node();
    policy_manager(&node).creates_group("Kept").await.unwrap();
    let snapshot = installation.database.snapshot().await;
    ready(&node).await;
    policy_manager(&node).creates_group("Acknowledged").await.unwrap();
    policy_manager(&node).creates_group("Acknowledged too").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = LastSeen::file(folder.path());
    let remembering = tokio::spawn(keep(file.clone(), node.store().clone()));
    policy_manager(&node).creates_group("Seen").await.unwrap();
    until(async || LastSeen::read(&file).filter(|it| it.position == 4)).await;
    remembering.abort();

    let restored = installation.moved_to(snapshot);
    let node = restored.node();
    let end = keep(file.clone(), node.store().clone()).await;
    assert!(matches!(end, Error::PutBack { position: 4 }), "a node that works on goes on: {end}");
    let refused = recognise(&file, node.store()).await;
    assert!(matches!(refused, Err(Error::PutBack { position: 4 })), "{refused:?}");
    policy_manager(&node).creates_group("By a node that knew nothing").await.unwrap();
    assert!(recognise(&file, node.store()).await.is_err(), "it is not only shorter");

    let mut service = restored.database.serving().connect().await.unwrap();
    let raised = raise_epoch(&mut service, Some(2)).await.unwrap();
    assert_eq!(raised, Extent { head: 2, epoch: 2 });
    recognise(&file, node.store()).await.unwrap();
    let seen = LastSeen::read(&file).unwrap();
    assert_eq!(seen.compare(node.store().pool()).await.unwrap(), Likeness::Forked(2));
    let done = policy_manager(&node).creates_group("Goes on").await.unwrap();
    assert_eq!(done.position, 3);
}

#[tokio::test]
async fn an_epoch_that_is_raised_by_hand_begins_at_the_latest_with_the_next_event() {
    let installation = Installation::new().await;
    let node = installation.node();
    policy_manager(&node).creates_group("Banking").await.unwrap();
    let mut service = installation.database.serving().connect().await.unwrap();
    for from in [None, Some(1_000)] {
        raise_epoch(&mut service, from).await.unwrap();
        let sql = "select from_position from log_epochs order by epoch desc limit 1";
        assert_eq!(installation.database.ask::<i64>(sql).await, 2);
    }
    let node = installation.node();
    ready(&node).await;
    assert_eq!(end(&node).await, Extent { head: 1, epoch: 3 }, "the same server goes on");
}
