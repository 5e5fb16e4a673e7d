//! What an installation does with itself when a node starts.

use crate::event_store::StreamId;
use crate::{Commands, Input, Request, Result};
use domain::actor::Actor;
use domain::installation::{Command, Fingerprints, ID, Installation};
use serde::Serialize;

/// The keys that a node brings.
#[derive(Debug, Serialize)]
struct AdoptKeys(Fingerprints);

impl Input for AdoptKeys {
    const MUTATION: &'static str = "adoptKeys";
    fn idempotency_key(&self) -> Option<&str> {
        None
    }
    fn expected_version(&self) -> Option<i64> {
        None
    }
}

impl Commands {
    /// Tells the log which keys are in use, or refuses to work with others.
    pub async fn adopt_keys(&self) -> Result<()> {
        let input = AdoptKeys(self.keys().fingerprints.clone());
        let request = Request::new(Actor::system());
        let done = self.run(&request, &input, StreamId::of::<Installation>(ID), |unit| {
            let fingerprints = input.0.clone();
            async move {
                let mut installation = unit.load::<Installation>(ID).await?;
                unit.decide(&mut installation, Command::AdoptKeys(fingerprints))?;
                Ok(installation.done())
            }
        });
        done.await.map(drop)
    }
}
