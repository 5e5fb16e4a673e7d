//! The fault table of what a command reads before it submits, on the connections of the pool: at
//! whatever exchange the line breaks, the command is `UNAVAILABLE` and leaves nothing, or it works all
//! the same. Never a fault, never half. What a mutation shows is read after it was stored: then its
//! outcome is told as unknown, and not as nothing.

use crate::support::http::{Answer, App};
use crate::support::proxy::{Moment, Proxy, Trouble};
use crate::support::wishes::{Stage, Wish};
use ::commands::{Commands, Error};
use serde_json::json;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::collections::BTreeSet;
use std::time::Duration;

const BEFORE_AND_AFTER: [Trouble; 2] = [Trouble::LostQuestion, Trouble::LostAnswer];

/// As `pms serve` connects, through a line; nothing is open yet. One connection, so that a command
/// asks the same whenever it is given.
fn pool_behind(stage: &Stage, line: &Proxy) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(3))
        .test_before_acquire(false)
        .connect_lazy_with(line.way(&stage.installation.database.serving()))
}

/// Lets a wish read through a line that breaks; whether it broke before the wish was through.
async fn play(stage: &Stage, wish: Wish, strike: (Moment, Trouble)) -> bool {
    let line = Proxy::before(&stage.installation.database).await;
    let node: Commands = stage.installation.node_reading_through(pool_behind(stage, &line));
    let name = stage.prepare(wish).await;
    let before = stage.left().await;
    line.make_all([strike]);
    let answer = stage.wish(wish, &node, &name).await.pop().unwrap();
    let is_struck = line.has_struck();
    line.heal();
    let after = stage.left().await;
    let is_whole = match answer {
        Ok(_) => true,
        Err(Error::Refused(_)) if wish.is_refused() => true,
        Err(Error::Unavailable) if is_struck => false,
        other => panic!("{wish:?} {strike:?}: {other:?}"),
    };
    if is_whole {
        assert_eq!(before.and(wish.leaves()), after, "{wish:?} {strike:?}");
    } else {
        let possible = wish.may_leave();
        let is_nothing = possible.into_iter().any(|left| before.and(left) == after);
        assert!(is_nothing, "{wish:?} {strike:?}: {before:?}, then {after:?}");
    }
    match stage.wish(wish, &node, &name).await.pop().unwrap() {
        Ok(again) => assert_eq!(again.replayed, is_whole, "{wish:?} {strike:?}"),
        Err(Error::Refused(_)) if wish.is_refused() => {}
        other => panic!("{wish:?} {strike:?} again: {other:?}"),
    }
    assert_eq!(before.and(wish.leaves()), stage.left().await, "{wish:?} {strike:?} again");
    stage.clear(wish).await;
    is_struck
}

#[tokio::test]
async fn a_command_that_reads_over_a_broken_line_leaves_nothing_or_works() {
    let stage = Stage::open().await;
    let wishes =
        [Wish::Group, Wish::Certificate, Wish::Suspension, Wish::Key, Wish::Nothing, Wish::Refused];
    for (wish, trouble) in wishes.into_iter().flat_map(|it| BEFORE_AND_AFTER.map(|how| (it, how))) {
        let mut number = 0;
        while play(&stage, wish, (Moment::Exchange(number), trouble)).await {
            number += 1;
        }
        assert!(number > 2, "{wish:?} read nothing");
    }
    stage.agrees().await;
}

const SELECTION: &str = "policyGroup { id allowedActions { action } } position";

/// A system whose reading goes through a line.
struct Shop {
    app: App,
    line: Proxy,
    database: PgPool,
}

impl Shop {
    async fn open() -> Self {
        let stage = Stage::open().await;
        let line = Proxy::before(&stage.installation.database).await;
        let database = stage.installation.database.owner_pool();
        let node = stage.installation.node_reading_through(pool_behind(&stage, &line));
        Self { app: App::over(stage.installation, node).await, line, database }
    }

    async fn creates(&self, name: &str) -> Answer {
        let input = json!({"name": name, "description": "d", "idempotencyKey": name});
        self.app.policy_manager().does("createPolicyGroup", input, SELECTION).await
    }

    async fn has(&self, name: &str) -> bool {
        let sql = "select exists (select from events where payload->>'name' = $1)";
        sqlx::query_scalar(sql).bind(name).fetch_one(&self.database).await.unwrap()
    }
}

#[tokio::test]
async fn a_mutation_that_cannot_show_what_it_has_stored_does_not_say_that_nothing_was() {
    let shop = Shop::open().await;
    let mut told = BTreeSet::new();
    for trouble in BEFORE_AND_AFTER {
        for number in 0.. {
            let name = format!("{trouble:?} {number}");
            shop.line.make_all([(Moment::Exchange(number), trouble)]);
            let answer = shop.creates(&name).await;
            if !shop.line.has_struck() {
                break; // it asks no more than that
            }
            match answer.codes()[..] {
                [] => assert!(shop.has(&name).await, "{name}"),
                ["UNAVAILABLE"] => assert!(!shop.has(&name).await, "{name}: {answer:?}"),
                ["OUTCOME_UNKNOWN"] => assert!(shop.has(&name).await, "{name}: {answer:?}"),
                _ => panic!("{name}: {answer:?}"),
            }
            told.extend(answer.codes().into_iter().map(ToOwned::to_owned));
            let again = shop.creates(&name).await;
            assert!(again.payload()["position"].is_string(), "{name}");
        }
    }
    assert_eq!(Vec::from_iter(told), ["OUTCOME_UNKNOWN", "UNAVAILABLE"]);
}
