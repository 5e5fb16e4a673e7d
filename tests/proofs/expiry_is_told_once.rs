//! What expires is told in the log once, at its instant, however many nodes look; and nothing that
//! is shown or decided waits for it.

use crate::support::actors::{Market, admin};
use crate::support::commands::Installation;
use crate::support::until;
use chrono::TimeDelta;
use commands::Commands;
use projections::api_key;
use projections::fold::find;
use projections::follower::parked;

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

/// Three keys, the first of which cannot be told of, for its stream cannot be read: no command can
/// bring that about, and none can heal it.
struct Poisoned {
    installation: Installation,
    node: Commands,
    poison: String,
    payload: String,
}

impl Poisoned {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let node = installation.node();
        let market = Market::open(&node).await;
        market.approved_request().await;
        let poison = market.alice.generates_key(&market.policy, "poison").await.unwrap().id;
        for label in ["one", "two"] {
            market.alice.generates_key(&market.policy, label).await.unwrap();
        }
        let payload = format!("select payload::text from events where aggregate_id = '{poison}'");
        let payload = installation.database.ask(&payload).await;
        let poisoned = Self { installation, node, poison, payload };
        poisoned.rewrite("{}").await;
        poisoned
    }

    async fn rewrite(&self, payload: &str) {
        let (id, payload) = (&self.poison, payload.replace('\'', "''"));
        let sql = format!(
            "alter table events disable trigger events_are_immutable;
             update events set payload = '{payload}' where aggregate_id = '{id}' and sequence = 1;
             alter table events enable always trigger events_are_immutable"
        );
        self.installation.database.as_owner(&sql).await;
    }

    async fn tells(&self) -> usize {
        let late = commands::now() + TimeDelta::days(200);
        self.node.tell_expired(late).await.unwrap()
    }
}

#[tokio::test]
async fn what_cannot_be_told_holds_up_nothing_else_and_is_shown() {
    let it = Poisoned::new().await;
    assert_eq!(it.tells().await, 2);
    assert_eq!(it.installation.database.ask::<i64>(TOLD).await, 2);
    let [parked] = &parked(it.node.store().pool()).await.unwrap()[..] else {
        panic!("one key is parked")
    };
    assert_eq!((&*parked.follower, &*parked.reason), ("expiry", "INTERNAL_ERROR"));
    assert_eq!(parked.key, format!("api_key/{}", it.poison));
    assert_eq!((parked.position, parked.waiting), (None, 0));
}

#[tokio::test]
async fn what_is_parked_is_left_alone_until_somebody_asks_for_it() {
    let it = Poisoned::new().await;
    it.tells().await;
    it.rewrite(&it.payload).await;
    assert_eq!(it.tells().await, 0);
    admin(&it.node).replays("expiry", None).await.unwrap();
    assert_eq!(it.tells().await, 1);
    assert!(parked(it.node.store().pool()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_still_cannot_be_told_is_parked_again() {
    let it = Poisoned::new().await;
    it.tells().await;
    admin(&it.node).replays("expiry", Some(format!("api_key/{}", it.poison))).await.unwrap();
    assert_eq!(it.tells().await, 0);
    assert_eq!(parked(it.node.store().pool()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_node_watches_and_another_takes_over_when_it_dies() {
    let installation = Installation::new().await;
    let (here, there) = (installation.node(), installation.node());
    let market = Market::open(&here).await;
    market.approved_request().await;
    let database = &installation.database;
    let watches = |node: &Commands| {
        let node = node.clone();
        tokio::spawn(async move { node.watch_expiry().await })
    };
    let lease = async || {
        database.ask::<i64>("select lease_epoch from followers where name = 'expiry'").await
    };
    let ends = async |label: &str, told: i64| {
        let key = market.alice.generates_key(&market.policy, label).await.unwrap().id;
        let soon = commands::now() + TimeDelta::seconds(1);
        market.alice.lets_key_end_at(&key, soon).await.unwrap();
        until(async || (database.ask::<i64>(TOLD).await == told).then_some(())).await;
    };
    let first = watches(&here);
    until(async || (lease().await == 1).then_some(())).await;
    let second = watches(&there);
    ends("one", 1).await;
    assert_eq!(lease().await, 1, "the lease has passed on");
    first.abort();
    first.await.unwrap_err();
    database.let_leases_run_out().await;
    ends("two", 2).await;
    assert_eq!(lease().await, 2);
    second.abort();
}
