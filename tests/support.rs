//! What tests stand on: a database of their own, the commands over it, certificates, and people.

pub mod actors;
pub mod archive;
pub mod auditor;
pub mod certificates;
pub mod commands;
pub mod database;
pub mod followers;
pub mod http;
pub mod jwk;
pub mod oidc_provider;
pub mod program;
pub mod proxy;
pub mod replication;
pub mod sealing;
pub mod socket;
pub mod statements;
pub mod wire;
pub mod wishes;
pub mod witness;

use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `question` has an answer. The pause is no synchronisation: what ends the wait is
/// the answer.
pub async fn until<T>(mut question: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
