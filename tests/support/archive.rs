//! A server that archives its WAL, a base backup of it, and its recovery to a moment: point-in-time
//! recovery as `docs/operator.md` tells it.

use super::replication::{Member, Place, Standby, text};
use super::until;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A server with an archive.
pub struct Archived {
    /// The server.
    pub server: Member,
    place: Place,
    archive: PathBuf,
}

impl Archived {
    /// Starts a server with an empty archive.
    pub async fn start() -> Self {
        let place = Place::new(Standby::Asynchronous);
        let archive = place.empty_folder();
        let data = place.new_data().await;
        let copy = format!("archive_command = 'test ! -f {0}/%f && cp %p {0}/%f'", text(&archive));
        set(&data, &["archive_mode = on", &copy]);
        Self { server: place.server(data).await, place, archive }
    }

    /// A copy of the server's data as it works.
    pub async fn base_backup(&self) -> PathBuf {
        let backup = self.place.backup_of(&self.server, &[]).await;
        self.place.run("pg_verifybackup", &[text(&backup)]).await;
        backup
    }

    /// Gives this moment a name.
    pub async fn names_this_moment(&self, name: &str) {
        let mut db = self.server.connect().await;
        let named = sqlx::query("select pg_create_restore_point($1)").bind(name);
        named.execute(&mut db).await.unwrap();
    }

    /// A server that has come from a base backup to a moment; the first one is killed.
    pub async fn recovered_to(self, moment: &str, backup: PathBuf) -> (Member, Place) {
        self.has_archived_everything().await;
        self.server.kill();
        let restore = format!("restore_command = 'cp {}/%f %p'", text(&self.archive));
        let target = format!("recovery_target_name = '{moment}'");
        let promote = "recovery_target_action = 'promote'";
        set(&backup, &["archive_mode = off", &restore, &target, promote]);
        std::fs::write(backup.join("recovery.signal"), "").unwrap();
        let recovered = self.place.server(backup).await;
        let mut db = recovered.connect().await;
        until(async || {
            let recovers =
                sqlx::query_scalar("select pg_is_in_recovery()").fetch_one(&mut db).await;
            (!recovers.unwrap_or(true)).then_some(())
        })
        .await;
        (recovered, self.place)
    }

    async fn has_archived_everything(&self) {
        let mut db = self.server.connect().await;
        let last: String = sqlx::query_scalar("select pg_walfile_name(pg_switch_wal())")
            .fetch_one(&mut db)
            .await
            .unwrap();
        until(async || self.archive.join(&last).exists().then_some(())).await;
    }
}

fn set(data: &Path, settings: &[&str]) {
    let file = data.join("postgresql.auto.conf");
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    for it in settings {
        writeln!(file, "{it}").unwrap();
    }
}
