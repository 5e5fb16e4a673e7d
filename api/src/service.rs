//! Putting a node together: database, keys, commands.

use crate::auth::key_set::Times;
use crate::auth::{DevelopmentIssuer, Issuers, discovery};
use crate::config::{Config, FourEyes, ProofOfPossession};
use crate::embedded_postgres::{self, Server, Settings, find_binaries};
use crate::errors::chain;
use crate::last_seen::{LastSeen, recognise};
use crate::limits::QUERY_TIME;
use crate::witnesses;
use commands::Commands;
use commands::event_store::{EventStore, Limits};
use commands::keys::{Keys, KeysError};
use projections::migrate::{is_current, migrate};
use projections::verify::Difference;
use projections::{READ, reading};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, warn};

/// The role that the service works under: it owns no table.
const SERVING_ROLE: &str = "pms_serve";
const STOP_GRACE: Duration = Duration::from_secs(20);

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its own PostgreSQL does not.
    #[error(transparent)]
    Postgres(#[from] embedded_postgres::Error),
    /// The database is out of reach.
    #[error("the database at DATABASE_URL cannot be used")]
    Database(#[from] sqlx::Error),
    /// The database has another shape.
    #[error("the database has not this program's shape: run `pms migrate` first")]
    NotMigrated,
    /// Migrating or rebuilding failed.
    #[error("the database cannot be brought to this program's shape")]
    Migration(#[from] projections::Error),
    /// There are no keys, or others than before.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Nobody can be asked for the issuers' keys.
    #[error("issuers cannot be asked for their keys")]
    Issuers(#[from] discovery::Error),
    /// Nobody can be asked to witness the log.
    #[error(transparent)]
    Witnesses(#[from] witnesses::Error),
    /// Whoever could make tokens here would be anybody.
    #[error("PMS_OIDC_ISSUER is set: tokens come from there, and there is no development issuer")]
    NoDevelopmentIssuer,
    /// The log lacks what this node has seen of it, and its epoch was not raised since.
    #[error(
        "this node has seen position {position} of the log, and the database has it no more: it was put \
        back to an earlier state. Put back a newer one. If this is the newest that you have, run `pms \
        raise-epoch --from N`, where N is the first position after the state that was put back: then all \
        who follow the log are told, and `serve` starts"
    )]
    PutBack {
        /// What was seen.
        position: i64,
    },
    /// The file beside the node's data.
    #[error("{}", .0)]
    Remembering(std::io::Error),
    /// Somebody else holds its lock, or the server takes no changes.
    #[error("the log cannot be appended to: see the warnings above")]
    NoAppender,
    /// The doctor has found something.
    #[error("{0} of these have to be put right")]
    Unsound(usize),
    /// The read tables are not what the log says.
    #[error(
        "{differences} rows are not what the log says up to position {position}; the first: {first}. `pms \
        rebuild` makes them anew"
    )]
    Differs {
        /// How many rows.
        differences: i64,
        /// The end of the log.
        position: i64,
        /// The first of the rows.
        first: Difference,
    },
    /// Nothing is signed that could be exported or shown.
    #[error("no head of the log is signed yet: `pms serve` seals it")]
    NotSealed,
    /// The newest signed head is older than it may be.
    #[error(
        "the newest signed head of the log is {0} minutes old: see the metrics of the follower `sealing`"
    )]
    Stale(i64),
    /// The database has not all that a signed head covers.
    #[error(
        "{0} events or tiles are not there that the newest checkpoint covers: `pms audit verify` says where"
    )]
    LogLacks(u64),
    /// An export from before is not overwritten with another log.
    #[error(
        "the folder has a checkpoint of {0} events that the log in the database does not continue, or its \
         newest head is not that of its tiles: export into another folder, and let `pms audit verify` hold it against this one (--checkpoint)"
    )]
    FolderOfOtherLog(u64),
    /// Two exports would write the same files.
    #[error("another export writes into the folder")]
    FolderInUse,
    /// A folder that was named on the command line.
    #[error("the folder cannot be written")]
    Folder(#[from] std::io::Error),
    /// The connection is lost that the tables of the past belong to.
    #[error("the connection that keeps the past is lost: start again")]
    PastLost,
    /// A command at the start failed.
    #[error("{0}")]
    Command(String),
    /// The address is taken, or the socket failed.
    #[error("the HTTP server cannot listen: {0}")]
    Listen(std::io::Error),
}

/// The PostgreSQL of a node.
#[derive(Debug)]
pub struct Database {
    owner: PgConnectOptions,
    serving: PgConnectOptions,
    embedded: Option<(Settings, Server)>,
}

impl Database {
    /// Starts the node's own server, or takes the one that the configuration names.
    pub fn open(config: &Config) -> Result<Self, Error> {
        if let Some(url) = &config.database_url {
            return Self::at(config, url, None);
        }
        let bin_dir = find_binaries(&config.data_dir)?;
        let settings = Settings { root: embedded_root(config), bin_dir, durable: true };
        let server = Server::start(&settings)?;
        Self::at(config, &server.url("postgres"), Some((settings, server)))
    }

    /// The same, beside a `serve` that works there now.
    pub fn join(config: &Config) -> Result<Self, Error> {
        match Self::open(config) {
            Err(Error::Postgres(in_use @ embedded_postgres::Error::InUse { .. })) => {
                let url = embedded_postgres::running(&embedded_root(config), "postgres");
                Self::at(config, &url.ok_or(in_use)?, None)
            }
            opened => opened,
        }
    }

    fn at(config: &Config, url: &str, embedded: Option<(Settings, Server)>) -> Result<Self, Error> {
        let options =
            PgConnectOptions::from_str(url)?.log_statements(tracing::log::LevelFilter::Off);
        let owner = match &config.owner_database_url {
            Some(url) => PgConnectOptions::from_str(url)?,
            None => options.clone(),
        };
        // Whoever reads a page of a long list waits longer for compiled code than for the page.
        let serving = reading(options.options([("role", SERVING_ROLE), ("jit", "off")]), READ);
        Ok(Self { owner, serving, embedded })
    }

    /// A connection that may change tables.
    pub async fn owner(&self) -> Result<PgConnection, Error> {
        Ok(self.owner.connect().await?)
    }

    /// A connection of the service, under its role.
    pub async fn serving(&self) -> Result<PgConnection, Error> {
        Ok(self.serving.connect().await?)
    }

    /// Reading and deciding: under the serving role.
    pub async fn serving_pool(&self) -> Result<PgPool, Error> {
        Self::pool(self.serving.clone()).await
    }

    /// Reading the past, and nothing else: whatever would be written is refused.
    pub async fn past_pool(&self, schema: &str) -> Result<PgPool, Error> {
        let read_only = [("default_transaction_read_only", "on")];
        Self::pool(reading(self.serving.clone().options(read_only), schema)).await
    }

    async fn pool(serving: PgConnectOptions) -> Result<PgPool, Error> {
        let limit = format!("{}ms", QUERY_TIME.as_millis()); // the database stops when we do
        let serving = serving.options([("statement_timeout", limit)]);
        let pool = PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(3))
            .test_before_acquire(false) // one round trip less; a dead connection is an error once
            .after_connect(|db, _| Box::pin(refuse_standby(db)));
        Ok(pool.connect_with(serving).await?)
    }

    /// Brings the node's own server to shape; refuses another one that is not.
    pub async fn prepare(&self) -> Result<(), Error> {
        if self.embedded.is_some() {
            migrate(&mut self.owner().await?).await?;
        }
        self.check().await
    }

    /// Refuses a database that has not this program's shape.
    pub async fn check(&self) -> Result<(), Error> {
        // As those who serve see it: they append, so their settings count.
        let mut serving = self.serving().await?;
        if !is_current(&mut serving).await? {
            return Err(Error::NotMigrated);
        }
        warn_if_not_durable(&mut serving).await
    }

    /// Starts the node's own server again when it has died; never returns.
    pub async fn keep_alive(mut self) -> Result<(), Error> {
        let mut beat = tokio::time::interval(Duration::from_millis(500));
        loop {
            beat.tick().await;
            let Some((settings, server)) = &mut self.embedded else { continue };
            if let Some(status) = server.ended()? {
                error!(%status, "PostgreSQL has ended; starting it again");
                let settings = settings.clone();
                self.embedded = None; // gives its folder back
                let again = settings.clone();
                let started = tokio::task::spawn_blocking(move || Server::start(&again)).await;
                let server = started.map_err(|error| Error::Command(error.to_string()))??;
                self.embedded = Some((settings, server));
            }
        }
    }

    /// Stops the node's own server.
    pub fn stop(self) {
        if let Some((_, server)) = self.embedded
            && let Err(error) = server.stop(STOP_GRACE)
        {
            warn!(%error, "PostgreSQL did not stop in order");
        }
    }
}

fn embedded_root(config: &Config) -> PathBuf {
    config.data_dir.join("postgres")
}

/// A standby may not show yet what was acknowledged; after its promotion it shows everything it got.
async fn refuse_standby(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_standby = sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(db).await?;
    if is_standby { Err(sqlx::Error::Protocol("a standby was reached".into())) } else { Ok(()) }
}

/// A log that can lose what it has acknowledged is no log: say so loudly.
async fn warn_if_not_durable(db: &mut PgConnection) -> Result<(), Error> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut *db)
            .await?;
        if value == "off" {
            error!("{setting} is OFF in this PostgreSQL: acknowledged events CAN BE LOST");
        }
    }
    Ok(())
}

/// The commands over a database, with the keys of the installation. Keys are made only where the
/// log knows of none: a node that lost its key folder must not invent another.
pub async fn commands(config: &Config, database: &Database) -> Result<Commands, Error> {
    let pool = database.serving_pool().await?;
    let adopted = sqlx::query_scalar(
        "select exists (select from events where aggregate_type = 'installation')",
    );
    let adopted: bool = adopted.fetch_one(&pool).await?;
    let keys = Keys::open(&config.key_dir(), !adopted)?;
    let store = EventStore::start(pool, database.serving.clone(), Limits::default());
    recognise(&LastSeen::file(&config.data_dir), &store).await?; // before anything is appended
    let commands = configured(Commands::new(store, Arc::new(keys)), config);
    commands.adopt_keys().await.map_err(start_error)?;
    commands.erase_what_the_log_says().await.map_err(start_error)?; // before anybody can ask for it
    Ok(commands)
}

/// The same commands, as the configuration wants them.
pub(crate) fn configured(commands: Commands, config: &Config) -> Commands {
    let commands = commands.with_environment(config.environment());
    let commands = commands.with_four_eyes(config.four_eyes == FourEyes::On);
    let proof_of_possession = config.proof_of_possession == ProofOfPossession::On;
    commands.with_proof_of_possession(proof_of_possession)
}

/// Whose tokens the node believes: those of the configured issuers, or else its own. Never both.
pub fn issuers(config: &Config) -> Result<Issuers, Error> {
    let external = config.issuers();
    if external.is_empty() {
        return Ok(Issuers::Development(development_issuer(config)?));
    }
    Ok(Issuers::external(&external, &Times::default())?)
}

/// The issuer of development tokens; there is none where others are believed.
pub fn development_issuer(config: &Config) -> Result<DevelopmentIssuer, Error> {
    if !config.oidc_issuer.is_empty() {
        return Err(Error::NoDevelopmentIssuer);
    }
    Ok(DevelopmentIssuer::open(&config.key_dir(), &config.oidc_audience)?)
}

/// What a command refused at the start, in the words of its findings.
pub fn start_error(error: commands::Error) -> Error {
    Error::Command(match error {
        commands::Error::Refused(findings) => {
            findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join(" ")
        }
        other => chain(&other),
    })
}
