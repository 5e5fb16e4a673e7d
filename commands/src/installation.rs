//! What an installation does with itself when a node starts.

use crate::event_store::StreamId;
use crate::{Commands, Request, Result, input};
use domain::actor::Actor;
use domain::installation::{Command, Fingerprints, ID, Installation};
use serde::Serialize;

/// The keys that a node brings.
#[derive(Debug, Serialize)]
struct AdoptKeys(Fingerprints);
input!(AdoptKeys, "adoptKeys", system);

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
