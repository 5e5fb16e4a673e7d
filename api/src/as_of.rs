//! The past, served: the same GraphQL over the read tables as they were, read only.
//!
//! Who may see what is told by the roles of the token and by who is a member today. Nothing is
//! written in this process but the tables that it drops at its end: no appender, no follower.

use crate::config::Config;
use crate::progress::Bar;
use crate::rebuild::show;
use crate::service::{Database, Error, configured, start_error};
use commands::Commands;
use commands::event_store::EventStore;
use commands::keys::Keys;
use projections::as_of::{Past, Point, close, open};
use projections::log::{Until, extent};
use projections::private_rows::erase_all;
use sqlx::PgConnection;
use std::sync::Arc;
use std::time::Duration;

/// How often the connection is looked after that the tables belong to.
const BEAT: Duration = Duration::from_secs(2);

/// The past of a database, as long as it is looked at.
#[derive(Debug)]
pub struct AsOf {
    /// What can be asked; whatever would change something is refused with `READ_ONLY`.
    pub commands: Commands,
    past: Past,
    owner: PgConnection,
}

impl AsOf {
    /// Folds the log up to a point. The database has to have this program's shape already.
    pub async fn open(config: &Config, database: &Database, until: Until) -> Result<Self, Error> {
        database.check().await?;
        let keys = Arc::new(Keys::open(&config.key_dir(), false)?);
        let mut owner = database.owner().await?;
        erase_all(&mut owner).await?; // as every start does: a restore may have brought something back
        let mut bar = Bar::default();
        let past = open(&mut owner, until, |progress| show(&mut bar, progress)).await;
        let past = past.map_err(|refusal| start_error(refusal.into()))?;
        bar.ends();
        let pool = database.past_pool(&past.schema).await?;
        let extent = extent(&pool).await?;
        let commands = Commands::new(EventStore::of_the_past(pool, extent), keys);
        let commands = configured(commands, config).as_of(past.point);
        Ok(Self { commands, past, owner })
    }

    /// Which past.
    pub fn point(&self) -> Point {
        self.past.point
    }

    /// Waits until the connection is lost that the tables belong to: whoever starts next sweeps them
    /// away.
    pub async fn lost(&mut self) -> Error {
        let mut beat = tokio::time::interval(BEAT);
        loop {
            beat.tick().await;
            if sqlx::query("select 1").execute(&mut self.owner).await.is_err() {
                return Error::PastLost;
            }
        }
    }

    /// Drops the tables.
    pub async fn close(mut self) {
        self.commands.store().pool().close().await;
        if let Err(error) = close(&mut self.owner, &self.past).await {
            tracing::warn!(%error, "the tables of the past are left behind; the next start drops them");
        }
    }
}
