//! PostgreSQL goes away and comes back.

use crate::support::actors::{admin, policy_manager};
use crate::support::commands::{Installation, wait_for_submissions};
use crate::support::http::App;
use crate::support::until;
use commands::event_store::{EventStore, Limits};
use commands::keys::Keys;
use commands::{Commands, Error};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::time::Duration;

fn impatient() -> Limits {
    let (queue, outcome) = (Duration::from_secs(1), Duration::from_secs(2));
    Limits { queue, outcome, transaction: Duration::from_secs(1) }
}

async fn is_ready(app: &App) -> bool {
    reqwest::get(app.url("/readyz")).await.unwrap().status() == 200
}

#[tokio::test]
async fn a_lost_database_is_told_clearly_and_found_again_without_a_restart() {
    let installation = Installation::new().await;
    let node = installation.node_with(impatient());
    let app = App::over(installation, node).await;
    let creates = async |name: &str| {
        let input = json!({"name": name, "description": "d"});
        app.policy_manager().does("createPolicyGroup", input, "policyGroup { id }").await
    };
    creates("before").await.payload();
    until(async || is_ready(&app).await.then_some(())).await;

    app.installation.database.forbid_connections().await;
    until(async || (!is_ready(&app).await).then_some(())).await;
    let refused = creates("meanwhile").await;
    assert!([200, 503].contains(&refused.status));
    assert_eq!(refused.codes(), ["UNAVAILABLE"], "{refused:?}");

    app.installation.database.allow_connections().await;
    until(async || is_ready(&app).await.then_some(())).await;
    creates("after").await.payload();
    let names = app.admin().asks("{ policyGroups { nodes { name } } }", json!({})).await;
    let expected = json!({"policyGroups": {"nodes": [{"name": "after"}, {"name": "before"}]}});
    assert_eq!(*names.data(), expected);
}

#[tokio::test]
async fn a_database_that_is_lost_after_the_commit_is_never_told_as_nothing_stored() {
    let installation = Installation::new().await;
    let node = installation.node();
    let app = App::over(installation, node).await;
    let database = &app.installation.database;
    let log = database.lock_the_log().await;
    let input = json!({"name": "Banking", "description": "d"});
    let manager = app.policy_manager();
    let wish = manager.does("createPolicyGroup", input, "policyGroup { id }");
    let director = async {
        wait_for_submissions(&app.node, 1).await;
        drop(app.node.store().pool().close()); // nothing is read any more; the appender writes
        log.release().await;
    };
    let (answer, ()) = tokio::join!(wish, director);
    assert_eq!(answer.codes(), ["OUTCOME_UNKNOWN"], "{answer:?}");
    assert_eq!(database.ask::<i64>("select count(*) from events").await, 1);
}

#[tokio::test]
async fn a_database_that_is_lost_while_a_stream_is_loaded_is_unavailable_and_no_fault_of_ours() {
    let installation = Installation::new().await;
    let nowhere = installation.database.serving().socket("/nowhere");
    let pool = PgPoolOptions::new().connect_lazy_with(nowhere.clone());
    let keys = Keys::open(installation.key_folder(), true).unwrap();
    let store = EventStore::start(pool, nowhere, impatient());
    let node = Commands::new(store, Arc::new(keys));
    let published = policy_manager(&node).publishes("some policy").await;
    assert!(matches!(published, Err(Error::Unavailable)), "{published:?}");
    let suspended = admin(&node).suspends("acme").await;
    assert!(matches!(suspended, Err(Error::Unavailable)), "{suspended:?}");
}
