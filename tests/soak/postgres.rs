//! The PostgreSQL of a run: durable, on disk, and stopped at once in the middle of everything.

use crate::support::until;
use api::embedded_postgres::{Server, Settings, find_binaries};
use projections::migrate::migrate;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use std::path::Path;

pub struct Postgres {
    settings: Settings,
    server: Option<Server>,
}

impl Postgres {
    /// Makes a server below `folder`, with an empty log in it.
    pub async fn start(folder: &Path) -> Self {
        let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
        let settings = Settings { root: folder.join("postgres"), bin_dir, durable: true };
        let server = begin(settings.clone()).await;
        let postgres = Self { settings, server: Some(server) };
        let mut db = postgres.owner().connect().await.unwrap();
        migrate(&mut db).await.unwrap();
        db.close().await.unwrap();
        postgres
    }

    /// Where clients find it, whenever it runs.
    pub fn url(&self) -> String {
        self.server.as_ref().unwrap().url("postgres")
    }

    /// As the owner of all tables connects.
    pub fn owner(&self) -> PgConnectOptions {
        self.url().parse().unwrap()
    }

    /// Connections of the owner.
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_lazy_with(self.owner())
    }

    /// Stops it as `pg_ctl stop -m immediate` does: every session is cut wherever it is, nothing is
    /// written, and the next start recovers from the write-ahead log. Then starts it again.
    pub async fn stop_at_once(&mut self) {
        let mut server = self.server.take().unwrap();
        let postmaster = Pid::from_raw(server.pid().cast_signed()).unwrap();
        kill_process(postmaster, Signal::QUIT).unwrap();
        until(async || server.ended().unwrap()).await;
        drop(server);
        self.server = Some(begin(self.settings.clone()).await);
    }
}

/// Starting blocks, and others work meanwhile.
async fn begin(settings: Settings) -> Server {
    tokio::task::spawn_blocking(move || Server::start(&settings).unwrap()).await.unwrap()
}
