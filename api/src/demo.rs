//! A believable world, made through the same commands as everybody's.

use clap::Args;
use commands::{Commands, Result};

/// Fills a system with partners of every type in every state.
#[derive(Debug, Args)]
pub struct Demo {
    /// How many partners.
    #[arg(long, default_value_t = 100)]
    partners: u32,
    /// The same seed makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Demo {
    /// Makes the world.
    pub async fn run(&self, _commands: &Commands) -> Result<()> {
        Ok(())
    }
}
