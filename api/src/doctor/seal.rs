//! Whether the log is what was sealed, and by whom.

use super::Examination;
use crate::errors::chain;
use crate::service::Error;
use commands::keys::Keys;
use domain::audit_log::{self, AuditLog};
use projections::Error::Unreadable;
use projections::audit::{Sealed, first_change, newest};
use projections::log::state;
use sqlx::PgConnection;

const CHANGED: &str = "Keep this database as it is, and compare it with exports and checkpoints that lie \
                       elsewhere (docs/auditing.md). Go on with the last backup that is sound.";

impl Examination<'_> {
    /// That the log is sealed at all is one of the promises.
    pub(super) async fn seal(
        &mut self,
        db: &mut PgConnection,
        keys: Option<&Keys>,
    ) -> Result<(), Error> {
        let Some(head) = newest(&mut *db).await? else { return Ok(()) };
        if let Some(keys) = keys {
            self.signature(db, &head, keys).await?;
        }
        match first_change(db).await {
            Ok(None) => {
                self.sound("seal", format!("positions 1 to {} are what was sealed", head.size));
            }
            Ok(Some(change)) => {
                self.wrong("seal", format!("it is not what was sealed: {change}"), CHANGED);
            }
            Err(Unreadable(what)) => {
                self.wrong("seal", format!("tiles or checkpoints cannot be read: {what}"), CHANGED);
            }
            Err(problem) => return Err(problem.into()),
        }
        Ok(())
    }

    /// Whether the newest head is signed with a key of this installation that the log knows.
    async fn signature(
        &mut self,
        db: &mut PgConnection,
        head: &Sealed,
        keys: &Keys,
    ) -> Result<(), Error> {
        let log: AuditLog = state(db, audit_log::ID).await?;
        let signing = match keys.log.signing(log.active()) {
            Ok(signing) => signing,
            Err(problem) => {
                self.wrong("seal", chain(&problem), "Put back your copy of the key folder.");
                return Ok(());
            }
        };
        if signing.iter().any(|key| head.is_signed_by(key.verifier())) {
            self.sound("seal", "the newest checkpoint is signed with this installation's key");
        } else {
            let told = "the newest checkpoint is not signed with a key of this installation";
            let cure = "After `pms restart-log`, start a node. Else somebody has put it there: keep this \
                        database as it is, and compare it with checkpoints that lie elsewhere \
                        (docs/auditing.md).";
            self.wrong("seal", told, cure);
        }
        Ok(())
    }
}
