//! What expires is told in the log once, at its instant, however many nodes look; and nothing that
//! is shown or decided waits for it.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use chrono::TimeDelta;
use projections::api_key;
use projections::fold::find;

const TOLD: &str = "select count(*) from events where event_type = 'expired'";

#[tokio::test]
async fn two_nodes_that_look_at_once_tell_each_end_once() {
    let installation = Installation::new().await;
    let (here, there) = (installation.node(), installation.node());
    let market = Market::open(&here).await;
    market.approved_request().await;
    for label in ["one", "two", "three"] {
        market.alice.generates_key(&market.policy, label).await.unwrap();
    }
    let late = commands::now() + TimeDelta::days(200);
    let (one, other) = tokio::join!(here.tell_expired(late), there.tell_expired(late));
    one.unwrap();
    other.unwrap();
    assert_eq!(installation.database.ask::<i64>(TOLD).await, 3);
    assert_eq!(here.tell_expired(late).await.unwrap(), 0);
}

#[tokio::test]
async fn an_end_is_told_at_its_instant_and_not_before() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    let row: api_key::Row = find(node.store().pool(), &key).await.unwrap().unwrap();
    assert_eq!(node.tell_expired(row.expires_at - TimeDelta::microseconds(1)).await.unwrap(), 0);
    assert_eq!(node.tell_expired(row.expires_at).await.unwrap(), 1);
    let told = "select payload->>'expired_at' from events where event_type = 'expired'";
    let told: String = installation.database.ask(told).await;
    assert_eq!(told.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), row.expires_at);
}

/// Makes the first event of a stream unreadable, or readable again: no command can.
async fn rewrite(installation: &Installation, id: &str, payload: &str) {
    let payload = payload.replace('\'', "''");
    let sql = format!(
        "alter table events disable trigger events_are_immutable;
         update events set payload = '{payload}' where aggregate_id = '{id}' and sequence = 1;
         alter table events enable always trigger events_are_immutable"
    );
    installation.database.as_owner(&sql).await;
}

#[tokio::test]
async fn what_cannot_be_told_holds_up_nothing_else() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    market.approved_request().await;
    let poison = market.alice.generates_key(&market.policy, "poison").await.unwrap().id;
    for label in ["one", "two"] {
        market.alice.generates_key(&market.policy, label).await.unwrap();
    }
    rewrite(&installation, &poison, "{}").await;
    let late = commands::now() + TimeDelta::days(200);
    node.tell_expired(late).await.unwrap();
    assert_eq!(installation.database.ask::<i64>(TOLD).await, 2);
}
