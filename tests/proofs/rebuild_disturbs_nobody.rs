//! Rebuilding takes nothing from anybody: whoever asks or commands meanwhile notices nothing, and
//! one that ends half-way has changed nothing.

use crate::support::actors::{Market, partner};
use crate::support::commands::Installation;
use crate::support::http::App;
use crate::support::until;
use futures::future::join_all;
use projections::fold::find;
use projections::partner::Row;
use projections::rebuild::{Step, dump, rebuild};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Executor as _};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Questions that read one table, several, the log, and everything in one snapshot.
const QUESTIONS: [&str; 6] = [
    "{ partners(filter: {policyGroupName: {contains: \"o\"}}) { totalCount nodes { id policyGroup { id } } } }",
    "{ policyRequests(orderBy: {field: POLICY_NAME, direction: ASC}) { nodes { id partner { id } policy { id policyGroup { id } } } } }",
    "{ history(filter: {partnerId: \"alice-co\"}) { nodes { id } } me { subject } }",
    "{ search(text: \"alice\") { id } apiKeys { nodes { id allowedActions { action } } } }",
    "{ expiringItems(filter: {includeExpired: true}) { totalCount nodes { id } } }",
    "{ dashboardCounts { position cards { kind total } expiringItems { nodes { id } } } }",
];

/// How many partners a dashboard counts; 0 for another answer.
fn partners(answer: &Value) -> i64 {
    answer["dashboardCounts"]["cards"][0]["total"].as_i64().unwrap_or_default()
}

#[tokio::test]
async fn whoever_asks_or_commands_during_rebuilds_is_answered() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.approved_request().await;
    let rebuilt = AtomicBool::new(false);
    let is_over = || rebuilt.load(Ordering::Relaxed);
    let portals = join_all(QUESTIONS.iter().cycle().take(12).map(async |question| {
        let (admin, mut known, mut answers) = (app.admin(), 0, 0);
        while !is_over() {
            let answer = admin.asks(question, json!({})).await;
            let counted = partners(answer.data());
            assert!(counted >= known, "a dashboard that has lost partners: {answer:?}");
            (known, answers) = (counted, answers + 1);
        }
        answers
    }));
    let people: Vec<_> = (0..3).map(|n| partner(&app.node, &format!("person{n}"))).collect();
    let commands = join_all(people.iter().map(async |person| {
        market.welcome(person).await;
        let mut done = 0;
        while !is_over() {
            let name = format!("{} {done}", person.partner);
            let policy = market.manager.offers(&market.group, &name).await;
            person.requests(&policy).await.unwrap();
            market.admin.suspends(&person.partner).await.unwrap();
            market.admin.reactivates(&person.partner).await.unwrap();
            done += 1;
        }
        done
    }));
    let rebuilds = async {
        for _ in 0..8 {
            let mut owner = app.installation.database.owner().connect().await.unwrap();
            rebuild(&mut owner, |_| {}).await.unwrap();
        }
        rebuilt.store(true, Ordering::Relaxed);
    };
    let (answers, done, ()) = tokio::join!(portals, commands, rebuilds);
    assert!(answers.iter().chain(&done).all(|count| *count > 0), "{answers:?} {done:?}");
    let schemas = "select count(*) from pg_namespace where nspname like 'read%'";
    assert_eq!(app.installation.database.ask::<i64>(schemas).await, 1);
}

#[tokio::test]
async fn whoever_reads_across_the_swap_goes_on_reading() {
    let installation = Installation::new().await;
    Market::open(&installation.node()).await;
    let database = &installation.database;
    let mut reader = database.serving().connect().await.unwrap();
    assert!(find::<Row>(&mut reader, "alice-co").await.unwrap().is_some());
    reader.execute("begin; select count(*) from partner").await.unwrap();
    let mut owner = database.owner().connect().await.unwrap();
    let reads = async {
        let swapped = "select to_regnamespace('read_last') is not null";
        until(async || database.ask::<bool>(swapped).await.then_some(())).await;
        let joined = "select p.id from partner p left join policy_group g on g.id = p.policy_group_id \
                      where p.id in (select partner_id from policy_request) or true";
        assert_eq!(reader.fetch_all(joined).await.unwrap().len(), 1);
        assert!(find::<Row>(&mut reader, "alice-co").await.unwrap().is_some());
        reader.execute("commit").await.unwrap();
        assert!(find::<Row>(&mut reader, "alice-co").await.unwrap().is_some());
    };
    let (rebuilt, ()) = tokio::join!(rebuild(&mut owner, |_| {}), reads);
    rebuilt.unwrap();
    assert!(database.ask::<bool>("select to_regnamespace('read_last') is null").await);
}

#[tokio::test]
async fn a_rebuild_that_is_killed_changes_nothing_and_the_next_one_starts_afresh() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    market.busy_day(&node).await;
    let tables = async || dump(&installation.database.owner_pool()).await.unwrap();
    for step in [Step::Fold, Step::Rows, Step::Index] {
        let live = tables().await;
        let mut owner = installation.database.owner().connect().await.unwrap();
        let reached = Notify::new();
        let whole = rebuild(&mut owner, |progress| {
            if progress.step == step {
                reached.notify_one();
            }
        });
        tokio::select! {
            biased;
            () = reached.notified() => {}
            ended = whole => panic!("{ended:?} before {step:?}"),
        }
        drop(owner); // as the end of its process ends it
        assert_eq!(tables().await, live, "{step:?}");
        market.admin.suspends(&market.alice.partner).await.unwrap();
        market.admin.reactivates(&market.alice.partner).await.unwrap();
        let live = tables().await;
        let mut owner = installation.database.owner().connect().await.unwrap();
        rebuild(&mut owner, |_| {}).await.unwrap();
        assert_eq!(tables().await, live, "{step:?}");
    }
}
