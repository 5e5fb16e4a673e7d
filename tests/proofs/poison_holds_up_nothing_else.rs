//! An event that cannot be worked off parks its key. Everything of that key waits in order, and
//! nothing else does.

use crate::support::actors::{Market, admin, policy_manager};
use crate::support::commands::Installation;
use crate::support::followers::{COPYIST, copyist, copyist_without_keys, lease, works};
use commands::Commands;
use commands::follower::Lease;
use projections::follower::{ParkedKey, parked};

struct Poisoned {
    installation: Installation,
    node: Commands,
    lease: Lease,
    /// A policy group whose first event is poison.
    group: String,
}

impl Poisoned {
    /// A log with poison in it.
    async fn new() -> Self {
        let installation = Installation::new().await.with_copyist().await;
        let node = installation.node();
        Market::open(&node).await;
        let manager = policy_manager(&node);
        let group = manager.creates_group("Poison").await.unwrap();
        installation.database.poison(group.position).await;
        manager.creates_group("Another").await.unwrap();
        Self { installation, node, lease: lease("here"), group: group.id }
    }

    async fn works(&mut self) {
        works(&copyist(), &self.node, &mut self.lease).await;
    }

    async fn renames(&self, name: &str) {
        policy_manager(&self.node).renames_group(&self.group, name).await.unwrap();
    }

    async fn replays(&self, key: Option<String>) {
        admin(&self.node).replays(COPYIST, key).await.unwrap();
    }

    async fn parked(&self) -> Vec<ParkedKey> {
        parked(self.node.store().pool()).await.unwrap()
    }

    fn key(&self) -> String {
        format!("policy_group/{}", self.group)
    }
}

#[tokio::test]
async fn what_follows_under_the_key_waits_and_everything_else_goes_on() {
    let mut it = Poisoned::new().await;
    it.works().await;
    it.renames("Renamed").await;
    it.works().await;
    let waiting = it.installation.database.positions_of(&it.group).await;
    let head = it.installation.database.head().await;
    assert_eq!(it.installation.database.checkpoint().await, head);
    let others: Vec<i64> = (1..=head).filter(|position| !waiting.contains(position)).collect();
    assert_eq!(it.installation.database.copied().await, others);

    let [parked] = &it.parked().await[..] else { panic!("one key is parked") };
    assert_eq!((&parked.key, &*parked.reason), (&it.key(), "INTERNAL_ERROR"));
    assert_eq!((parked.position, parked.waiting), (waiting.first().copied(), 2));
    assert!(!parked.replay);
}

#[tokio::test]
async fn a_replay_works_off_the_key_in_order_and_frees_it() {
    let mut it = Poisoned::new().await;
    it.works().await;
    it.renames("Renamed").await;
    it.installation.database.as_owner("delete from poison").await;
    it.replays(Some(it.key())).await;
    it.renames("Renamed again").await;
    it.works().await;
    assert!(it.parked().await.is_empty());
    let copied = it.installation.database.copied().await;
    let waited = it.installation.database.positions_of(&it.group).await;
    let of_the_key: Vec<i64> = copied.iter().copied().filter(|it| waited.contains(it)).collect();
    assert_eq!(of_the_key, waited);
    let mut all = copied;
    all.sort_unstable();
    assert!((1..=it.installation.database.head().await).eq(all));
}

#[tokio::test]
async fn what_is_still_poison_stays_parked_with_all_that_waits_behind_it() {
    let mut it = Poisoned::new().await;
    it.renames("Renamed").await;
    it.works().await;
    it.replays(None).await;
    it.works().await;
    let [parked] = &it.parked().await[..] else { panic!("one key is parked") };
    assert_eq!((parked.waiting, parked.replay), (2, false));
    let copied = it.installation.database.copied().await;
    let waited = it.installation.database.positions_of(&it.group).await;
    assert!(!copied.iter().any(|position| waited.contains(position)));
}

#[tokio::test]
async fn a_key_that_is_not_asked_for_stays_where_it_is() {
    let mut it = Poisoned::new().await;
    it.works().await;
    it.installation.database.as_owner("delete from poison").await;
    it.replays(Some("policy_group/another".to_owned())).await;
    it.works().await;
    assert_eq!(it.parked().await.len(), 1);
}

#[tokio::test]
async fn what_has_no_keys_stops_before_the_poison_and_goes_on_when_it_is_told_to() {
    let mut it = Poisoned::new().await;
    let copyist = copyist_without_keys();
    works(&copyist, &it.node, &mut it.lease).await;
    let poison = it.installation.database.positions_of(&it.group).await[0];
    assert_eq!(it.installation.database.checkpoint().await, poison - 1);
    let stopped = "select coalesce(stopped, '') from followers where name = 'copyist'";
    assert_eq!(it.installation.database.ask::<String>(stopped).await, "INTERNAL_ERROR");

    it.installation.database.as_owner("delete from poison").await;
    works(&copyist, &it.node, &mut it.lease).await;
    assert_eq!(it.installation.database.checkpoint().await, poison - 1);
    it.replays(None).await;
    works(&copyist, &it.node, &mut it.lease).await;
    let head = it.installation.database.head().await;
    assert!((1..=head).eq(it.installation.database.copied().await));
    assert_eq!(it.installation.database.ask::<String>(stopped).await, "");
}
