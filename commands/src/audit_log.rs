//! The log's name and keys: taken at the first start, replaced by hand.

use crate::event_store::StreamId;
use crate::{Commands, Error, Request, Result, input, now};
use chrono::{DateTime, Utc};
use domain::actor::Actor;
use domain::audit::key::VerifierKey;
use domain::audit_log::{AuditLog, Command, ID, LogKey, Refusal};
use projections::audit::newest_witnessed;
use projections::log::state;
use serde::Serialize;

/// What an operator wants of the log's keys.
#[derive(Debug, Serialize)]
struct ChangeLogKeys;
input!(ChangeLogKeys, "changeLogKeys", system);

impl Commands {
    /// Signs the log from the first start on, under this name or, without one, a name of its own; later
    /// sees that the keys are here that sign it. Refused with `LOG_NAME_INVALID` where the folder has a
    /// key of another name, and with `LOG_KEY_MISSING` where it lacks one.
    pub async fn adopt_log_key(&self, name: Option<&str>) -> Result<Vec<VerifierKey>> {
        if self.log_keys().await?.is_empty() {
            let key = self.keys().log.first(name)?;
            self.change_log_keys(Command::Begin(LogKey { key, since: now() })).await?;
        }
        let keys = self.log_keys().await?;
        self.keys().log.signing(&keys)?;
        Ok(keys.into_iter().map(|it| it.key).collect())
    }

    async fn log_keys(&self) -> Result<Vec<LogKey>> {
        let log: AuditLog = state(self.store().pool(), ID).await?;
        Ok(log.active().to_vec())
    }

    /// Makes a key that signs the log beside those that do.
    pub async fn add_log_key(&self) -> Result<VerifierKey> {
        let keys = self.log_keys().await?;
        let Some(first) = keys.first() else { return Err(not_signed()) };
        self.keys().log.signing(&keys)?; // a folder that lacks one gets no other in its place
        let key = self.keys().log.next(first.key.name())?;
        let command = Command::AddKey(LogKey { key: key.clone(), since: now() });
        self.change_log_keys(command).await.map(|()| key)
    }

    /// Signs no more with a key that another one has replaced.
    pub async fn retire_log_key(&self, key: VerifierKey, at: DateTime<Utc>) -> Result<()> {
        self.change_log_keys(Command::RetireKey { key, at }).await
    }

    /// Goes on under another name with a new key, because one that signs was stolen. The newest
    /// checkpoint that enough witnesses have seen is the last to believe.
    pub async fn restart_log(&self, name: &str) -> Result<VerifierKey> {
        if self.log_keys().await?.first().is_some_and(|it| it.key.name() == name) {
            return Err(Vec::from(Refusal::SameLog).into()); // before a key is made
        }
        let witnessed = newest_witnessed(self.store().pool()).await?;
        let key = self.keys().log.next(name)?;
        let command = Command::Restart {
            key: LogKey { key: key.clone(), since: now() },
            checkpoint: witnessed.map(|it| it.note),
        };
        self.change_log_keys(command).await.map(|()| key)
    }

    async fn change_log_keys(&self, command: Command) -> Result<()> {
        let request = Request::new(Actor::system());
        let done = self.run(&request, &ChangeLogKeys, StreamId::of::<AuditLog>(ID), |unit| {
            let command = command.clone();
            async move {
                let mut log = unit.load::<AuditLog>(ID).await?;
                unit.decide(&mut log, command)?;
                Ok(log.done())
            }
        });
        done.await.map(drop)
    }
}

fn not_signed() -> Error {
    Error::refused("LOG_KEY_NOT_FOUND", "", "The log is not signed yet: start `pms serve` once.")
}
