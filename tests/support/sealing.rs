//! A node that seals its log.

use super::commands::Installation;
use ::commands::Commands;
use ::commands::follower::{Follower, Lease, Turn};
use domain::audit::key::{SigningKey, VerifierKey};
use domain::audit_log::{AuditLog, ID};
use projections::audit::{Sealed, newest};
use projections::log::state;

/// The name of the log.
pub const ORIGIN: &str = "audit.example.org/events";

impl Installation {
    /// A node whose log has a name and a key.
    pub async fn sealing_node(&self) -> Commands {
        let node = self.node();
        node.adopt_log_key(Some(ORIGIN)).await.unwrap();
        node
    }

    /// The key that signs its log, as somebody has it who stole the folder.
    pub fn stolen_log_key(&self) -> SigningKey {
        let text = std::fs::read_to_string(self.key_folder().join("log.key")).unwrap();
        SigningKey::from_text(&text.into()).unwrap()
    }

    /// A policy that believes this key alone, and asks for no witness.
    pub fn log_policy(&self) -> String {
        format!("log {}\nquorum none\n", self.stolen_log_key().verifier())
    }
}

/// Lets a node seal what there is, whoever did before: the newest head.
pub async fn seals(node: &Commands) -> Sealed {
    seals_through(&node.sealer(None), node).await
}

/// The same, through a sealer that remembers what it has seen.
pub async fn seals_through(sealer: &Follower, node: &Commands) -> Sealed {
    let pool = node.store().pool();
    let run_out = "update followers set lease_until = '-infinity' where name = 'sealing'";
    sqlx::query(run_out).execute(pool).await.unwrap();
    let mut lease = Lease::new("sealing", "a node");
    while sealer.turn(pool, &mut lease).await.unwrap() == Turn::GoesOn {}
    newest(pool).await.unwrap().unwrap()
}

/// The keys that sign the log of a node, oldest first.
pub async fn log_keys(node: &Commands) -> Vec<VerifierKey> {
    let log: AuditLog = state(node.store().pool(), ID).await.unwrap();
    log.active().iter().map(|it| it.key.clone()).collect()
}

/// Why sealing does not go on.
pub async fn stopped(node: &Commands) -> Option<String> {
    let followers = projections::follower::all(node.store().pool()).await.unwrap();
    followers.into_iter().find(|it| it.name == "sealing").unwrap().stopped
}
