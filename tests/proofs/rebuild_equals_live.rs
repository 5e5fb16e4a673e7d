//! The read tables are folds of the log and nothing else: folded anew they are the same, row by
//! row, and folding them anew loses nothing that happens meanwhile.

use crate::support::actors::{Market, partner};
use crate::support::commands::Installation;
use futures::future::join_all;
use projections::rebuild::{dump, rebuild};
use sqlx::ConnectOptions as _;

/// All rows of all read tables, as text.
async fn tables(installation: &Installation) -> String {
    let pool = installation.database.owner_pool();
    format!("{:#?}", dump(&pool).await.unwrap())
}

async fn rebuild_all(installation: &Installation) {
    let mut owner = installation.database.owner().connect().await.unwrap();
    rebuild(&mut owner, |_| {}).await.unwrap();
}

#[tokio::test]
async fn after_a_busy_day_the_rebuilt_tables_equal_the_live_ones() {
    let installation = Installation::new().await;
    let node = installation.node();
    Market::open(&node).await.busy_day(&node).await;
    for (table, rows) in dump(&installation.database.owner_pool()).await.unwrap() {
        assert!(!rows.is_empty(), "{table} has rows");
    }
    let live = tables(&installation).await;
    rebuild_all(&installation).await;
    assert_eq!(tables(&installation).await, live);
}

#[tokio::test]
async fn a_rebuild_while_commands_run_loses_nothing() {
    let installation = Installation::new().await;
    let nodes = [installation.node(), installation.node()];
    let market = Market::open(&nodes[0]).await;
    let people: Vec<_> = (0..8).map(|n| partner(&nodes[n % 2], &format!("person{n}"))).collect();
    let commands = join_all(people.iter().map(async |person| {
        market.welcome(person).await;
        let request = person.requests(&market.policy).await.unwrap().id;
        market.admin.approves(&request).await.unwrap();
        person.generates_key(&market.policy, "one").await.unwrap();
        market.admin.suspends(&person.partner).await.unwrap();
    }));
    let rebuilds = async {
        for _ in 0..5 {
            rebuild_all(&installation).await;
        }
    };
    tokio::join!(commands, rebuilds);
    let live = tables(&installation).await;
    rebuild_all(&installation).await;
    assert_eq!(tables(&installation).await, live);
}

#[tokio::test]
async fn the_appender_goes_on_in_the_rebuilt_tables() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    rebuild_all(&installation).await;
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let status = "select status from read.partner where id = 'alice-co'";
    assert_eq!(installation.database.ask::<String>(status).await, "SUSPENDED");
}
