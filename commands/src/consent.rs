//! What can be done with one's own consent.

use crate::event_store::StreamId;
use crate::{Commands, Done, Request, Result, input};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::Operation;
use domain::consent::{Command, Consent};
use serde::Serialize;

/// Agrees to the newest consent text.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "GiveConsentInput")]
pub struct GiveConsent {
    /// The version of the text that was read.
    pub text_version: u32,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the consent that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(GiveConsent, "giveConsent");

/// Takes one's consent back.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "WithdrawConsentInput")]
pub struct WithdrawConsent {
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the consent that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(WithdrawConsent, "withdrawConsent");

impl Commands {
    /// Agrees to the newest consent text, for oneself.
    pub async fn give_consent(&self, request: &Request, input: &GiveConsent) -> Result<Done> {
        let id = request.actor.subject.as_str();
        self.run(request, input, StreamId::of::<Consent>(id), |unit| async move {
            unit.permit_own(Operation::GiveConsent)?;
            let mut consent = unit.load::<Consent>(id).await?;
            unit.expect(&consent)?;
            let text_version = input.text_version;
            unit.decide(&mut consent, Command::Give { text_version })?;
            Ok(consent.done())
        })
        .await
    }

    /// Takes one's consent back.
    pub async fn withdraw_consent(
        &self,
        request: &Request,
        input: &WithdrawConsent,
    ) -> Result<Done> {
        let id = request.actor.subject.as_str();
        self.run(request, input, StreamId::of::<Consent>(id), |unit| async move {
            unit.permit_own(Operation::WithdrawConsent)?;
            let reason = input.reason.as_deref().map(|it| Reason::new("reason", it)).transpose()?;
            let mut consent = unit.load::<Consent>(id).await?;
            unit.expect(&consent)?;
            unit.decide(&mut consent, Command::Withdraw(reason))?;
            Ok(consent.done())
        })
        .await
    }
}
