//! What can be done with all that is kept about a subject: a partner's contacts, or a person.

use crate::event_store::StreamId;
use crate::partner::at;
use crate::unit::{Decided, Unit};
use crate::{Commands, Done, Request, Result, input};
use async_graphql::InputObject;
use domain::Decide as _;
use domain::actor::Operation;
use domain::partner::{self, Partner, check_subject};
use domain::person::{self, Person};
use domain::proposal::ProposedAction;
use domain::subject::{LegalGround, SubjectKind, of_partner, of_person};
use domain::text::Checks;
use projections::private_rows::{self, Erased, erase_all};
use projections::subject::last_origin;
use serde::{Deserialize, Serialize};
use sqlx::Executor as _;

/// Destroys the personal data that is kept about a subject. What the log holds of it stays, and so
/// do all proofs: references, commitments and names of accounts.
#[derive(Debug, Clone, Serialize, Deserialize, InputObject)]
#[graphql(name = "EraseSubjectInput")]
pub struct EraseSubject {
    /// What the subject is.
    pub kind: SubjectKind,
    /// A partner's id, or the subject of a person's access token.
    pub id: String,
    /// Why; kept in the log for ever.
    pub legal_ground: LegalGround,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(EraseSubject, "eraseSubject");

impl Commands {
    /// Proposes to destroy the personal data of a subject; a second person has to confirm, whatever
    /// the installation wants.
    pub async fn erase_subject(&self, request: &Request, input: &EraseSubject) -> Result<Done> {
        let stream = match input.kind {
            SubjectKind::Partner => StreamId::of::<Partner>(&input.id),
            SubjectKind::Person => StreamId::of::<Person>(&input.id),
        };
        self.run(request, input, stream, |unit| async move {
            let decided = erase_of(&unit, input).await?;
            let target = match input.kind {
                SubjectKind::Partner => of_partner(&input.id, 0),
                SubjectKind::Person => of_person(&input.id),
            };
            unit.or_propose(decided, ProposedAction::EraseSubject, target, input)
        })
        .await
    }

    /// Destroys from where the changes of a person came, as an event from `position` on may want it. What
    /// fails is done within the hour, by whoever forgets what has expired.
    pub(crate) async fn erase_origins(&self, position: i64) {
        let erased = private_rows::erase_origins(self.store().pool(), position).await;
        if let Err(problem) = erased {
            tracing::warn!(%problem, "origins are not erased yet");
        }
    }

    /// Destroys again what the log says is erased: a restore of the tables beside the log may have
    /// brought it back.
    pub async fn erase_what_the_log_says(&self) -> Result<Erased> {
        let mut all = self.store().pool().begin().await?;
        all.execute("set local statement_timeout = '10min'").await?; // it looks at all of them
        let erased = erase_all(&mut all).await?;
        all.commit().await?;
        if !erased.is_nothing() {
            tracing::warn!(
                ?erased,
                "what the log says is erased was there, and was destroyed again"
            );
        }
        Ok(erased)
    }
}

/// Decides to erase. What has to go follows from the events, when they are appended.
pub(crate) async fn erase_of(unit: &Unit, input: &EraseSubject) -> Result<Decided> {
    unit.permit(Operation::EraseSubject)?;
    match input.kind {
        SubjectKind::Partner => erase_contacts(unit, input).await,
        SubjectKind::Person => erase_origins(unit, input).await,
    }
}

/// The e-mail address, too, is free for others from now on.
async fn erase_contacts(unit: &Unit, input: &EraseSubject) -> Result<Decided> {
    let mut partner = unit.load::<Partner>(&input.id).await?;
    unit.expect(&partner)?;
    let erasures = partner.profile().map_or(0, |it| it.erasures);
    let (subject, legal_ground) = (of_partner(&input.id, erasures), input.legal_ground);
    let command = partner::Command::ErasePersonalData { subject, legal_ground };
    if partner.is_missing() {
        return Err(at("id", partner::Refusal::PartnerNotFound).into());
    }
    if unit.decide(&mut partner, command)? {
        unit.release_all("partner_email", partner.stream_id()).await?;
    }
    Ok(partner.done())
}

async fn erase_origins(unit: &Unit, input: &EraseSubject) -> Result<Decided> {
    let mut checks = Checks::default();
    check_subject(&mut checks, "id", &input.id);
    checks.done()?;
    let mut person = unit.load::<Person>(&input.id).await?;
    unit.expect(&person)?;
    let through = last_origin(unit.pool(), &input.id).await?;
    let (subject, legal_ground) = (of_person(&input.id), input.legal_ground);
    unit.decide(&mut person, person::Command::EraseOrigins { subject, legal_ground, through })?;
    Ok(person.done())
}
