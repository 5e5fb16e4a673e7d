//! What there is to work on: few things for many people, so that they get in each other's way.

use crate::support::actors::{Market, partner};
use ::commands::Commands;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const GROUPS: usize = 6;
const PARTNERS: usize = 6;
/// How many things of one kind are remembered.
const MEMORY: usize = 12;

/// What everybody knows.
pub struct World {
    /// Groups that are renamed, closed and opened.
    pub groups: Vec<String>,
    /// Active partners that may have keys under the policy.
    pub partners: Vec<String>,
    /// The group that partners register in.
    pub group: String,
    pub policy: String,
    /// Extractors, keys and partners that the run has made lately.
    made: Mutex<HashMap<&'static str, VecDeque<String>>>,
    versions: Mutex<HashMap<String, i64>>,
    turns: AtomicUsize,
}

impl World {
    /// Makes it through the commands of a node.
    pub async fn found(node: &Commands) -> Self {
        let market = Market::open(node).await;
        let (mut groups, mut partners) = (vec![], vec![]);
        for number in 0..GROUPS {
            let group = market.manager.creates_group(&format!("Shared {number}")).await;
            groups.push(group.unwrap().id);
        }
        for number in 0..PARTNERS {
            let person = partner(node, &format!("person{number}"));
            market.welcome(&person).await;
            let request = person.requests(&market.policy).await.unwrap().id;
            market.admin.approves(&request).await.unwrap();
            person.generates_key(&market.policy, "first").await.unwrap();
            partners.push(person.partner);
        }
        let Market { group, policy, .. } = market;
        let (made, versions, turns) = (Mutex::default(), Mutex::default(), AtomicUsize::new(0));
        Self { groups, partners, group, policy, made, versions, turns }
    }

    /// A number that grows by one with every turn of anybody.
    pub fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers something that the run has made.
    pub fn keep(&self, noun: &'static str, id: &str) {
        let mut made = self.made.lock().unwrap();
        let made = made.entry(noun).or_default();
        made.push_back(id.to_owned());
        made.drain(..made.len().saturating_sub(MEMORY));
    }

    /// Something of this kind that the run has made.
    pub fn any(&self, noun: &str, rng: &mut fastrand::Rng) -> Option<String> {
        let made = self.made.lock().unwrap();
        rng.choice(made.get(noun)?.iter()).cloned()
    }

    /// Remembers the version in which somebody saw an object.
    pub fn saw(&self, id: &str, version: i64) {
        self.versions.lock().unwrap().insert(id.to_owned(), version);
    }

    /// The version in which somebody has seen an object.
    pub fn version(&self, id: &str) -> Option<i64> {
        self.versions.lock().unwrap().get(id).copied()
    }
}
