//! All that is kept about a subject, in GraphQL: told to it, and destroyed.

use crate::caller::caller;
use crate::consent::MyConsent;
use crate::errors::{Result, answer};
use crate::loader::{contact, load};
use crate::partner::Partner;
use crate::proposal::{Proposal, waiting};
use crate::refused_attempt::{ExportedAttempts, of_person};
use crate::scalars::Position;
use async_graphql::connection::{Connection, PageInfo};
use async_graphql::{ComplexObject, Context, ID, Object, OutputType, SimpleObject};
use chrono::{DateTime, Utc};
use commands::Error;
use commands::subject::EraseSubject;
use domain::actor::{MemberRole, Operation};
use domain::ids::PartnerId;
use domain::partner::ContactPurpose;
use domain::subject::{LegalGround, SubjectKind};
use futures::future::try_join_all;
use projections::history::HistoryEntry;
use projections::log::head;
use projections::page::PageRequest;
use projections::partner::Row;
use projections::subject::{
    self, ContactPeriod, Erasure, MembershipPeriod, Origin, acts, erasures, memberships, origins,
    part_after,
};

/// Everything that is kept about a subject. Events of the log are kept for ever; what lies beside it,
/// until it is erased or its time is over. Backups are the operator's.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct SubjectExport {
    /// What the subject is.
    kind: SubjectKind,
    /// A partner's id, or the subject of a person's access token.
    id: ID,
    /// When this was told.
    told_at: DateTime<Utc>,
    /// Where the log stood.
    position: Position,
    /// What was erased, and on which legal ground; oldest first.
    erasures: Vec<SubjectErasure>,
}

/// A part of a list; cursors are positions of the log.
#[derive(SimpleObject)]
#[graphql(concrete(name = "ExportedContactConnection", params(ExportedContact)))]
#[graphql(concrete(name = "ExportedMembershipConnection", params(ExportedMembership)))]
#[graphql(concrete(name = "ExportedActConnection", params(ExportedAct)))]
pub struct Part<N: OutputType> {
    /// What is kept, oldest first: 1 to 200 as `first` says, else 50.
    nodes: Vec<N>,
    /// Where this part lies; more is kept as long as it says `hasNextPage`.
    page_info: PageInfo,
}

/// How a partner was reached, from one time to another. Personal data.
#[derive(SimpleObject)]
pub struct ExportedContact {
    /// The event that said so.
    position: Position,
    /// What it is for.
    purpose: ContactPurpose,
    /// From when on it applied.
    since: DateTime<Utc>,
    /// Until when; null while it applies.
    until: Option<DateTime<Utc>>,
    /// When it was erased; then address, number and e-mail are null.
    erased_at: Option<DateTime<Utc>>,
    /// Postal address, where one was given.
    address: Option<String>,
    /// Telephone number.
    contact_number: Option<String>,
    /// E-mail address.
    email_id: Option<String>,
}

/// What a person was to a partner, from one time to another.
#[derive(SimpleObject)]
pub struct ExportedMembership {
    /// The event that made him so.
    position: Position,
    /// To which partner.
    partner_id: PartnerId,
    /// What he was there.
    role: MemberRole,
    /// From when on.
    since: DateTime<Utc>,
    /// Until when; null while he is.
    until: Option<DateTime<Utc>>,
    /// Why he was removed, where that was said.
    end_reason: Option<String>,
}

impl From<MembershipPeriod> for ExportedMembership {
    fn from(period: MembershipPeriod) -> Self {
        let MembershipPeriod { position, partner_id, role, since, until, end_reason } = period;
        Self { position: Position(position), partner_id, role, since, until, end_reason }
    }
}

/// A change that a person made; `history` has its data.
#[derive(SimpleObject)]
pub struct ExportedAct {
    /// Its place in the one order of the log.
    position: Position,
    /// When the log took it.
    at: DateTime<Utc>,
    /// The kind of thing that was changed, such as `partner`.
    noun: String,
    /// The id of the thing.
    id: String,
    /// What happened, such as `deactivated`.
    event: String,
    /// The roles in which he acted.
    roles: Vec<String>,
    /// The partner for which he acted, if any.
    actor_partner: Option<String>,
    /// The address from which it came; null once it is kept no more: after 90 days, or an erasure.
    client_address: Option<String>,
    /// The program that it came from, as it named itself; kept as long as the address.
    user_agent: Option<String>,
}

impl ExportedAct {
    fn of(entry: HistoryEntry, origin: Option<&Origin>) -> Self {
        let HistoryEntry { position, at, noun, id, event, roles, actor_partner, .. } = entry;
        let client_address = origin.map(|it| it.client_address.clone());
        let user_agent = origin.map(|it| it.user_agent.clone());
        let position = Position(position);
        Self { position, at, noun, id, event, roles, actor_partner, client_address, user_agent }
    }
}

/// That something was erased.
#[derive(SimpleObject)]
pub struct SubjectErasure {
    /// The event that says so.
    position: Position,
    /// When it was erased.
    at: DateTime<Utc>,
    /// Why it had to be.
    legal_ground: LegalGround,
}

impl From<Erasure> for SubjectErasure {
    fn from(Erasure { position, at, legal_ground }: Erasure) -> Self {
        Self { position: Position(position), at, legal_ground }
    }
}

#[ComplexObject]
impl SubjectExport {
    /// How the partner is and was reached, for every purpose; empty for a person.
    async fn contacts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Part<ExportedContact>> {
        if self.kind != SubjectKind::Partner {
            return Ok(Part::nothing());
        }
        let all = answer(ctx, subject::contacts(caller(ctx).pool(), &self.id).await)?;
        let is_later = after.is_some();
        let part = part_after(all, &page(first, after), |it| it.position);
        let (periods, has_next) = answer(ctx, part)?;
        let opened = try_join_all(periods.into_iter().map(|it| opened(ctx, it))).await?;
        Ok(Part::of(opened, has_next, is_later, |it| it.position))
    }

    /// What the person is and was to partners; empty for a partner.
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Part<ExportedMembership>> {
        if self.kind != SubjectKind::Person {
            return Ok(Part::nothing());
        }
        let all = answer(ctx, memberships(caller(ctx).pool(), &self.id).await)?;
        let is_later = after.is_some();
        let part = part_after(all, &page(first, after), |it| it.position);
        let (periods, has_next) = answer(ctx, part)?;
        let periods = periods.into_iter().map(ExportedMembership::from).collect();
        Ok(Part::of(periods, has_next, is_later, |it: &ExportedMembership| it.position))
    }

    /// What the person did, with where it came from as long as that is kept; empty for a partner.
    async fn acts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Part<ExportedAct>> {
        if self.kind != SubjectKind::Person {
            return Ok(Part::nothing());
        }
        let (pool, is_later) = (caller(ctx).pool(), after.is_some());
        let done = answer(ctx, acts(pool, &self.id, &page(first, after)).await)?;
        let origins = answer(ctx, origins(pool, &done.entries).await)?;
        let act = |entry: HistoryEntry| {
            let origin = origins.get(&entry.position);
            ExportedAct::of(entry, origin)
        };
        let acts = done.entries.into_iter().map(act).collect();
        Ok(Part::of(acts, done.has_next, is_later, |it: &ExportedAct| it.position))
    }

    /// What the person tried and was refused in the last 90 days, newest first, with where it came from;
    /// empty for a partner.
    async fn refused_attempts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<ExportedAttempts> {
        if self.kind != SubjectKind::Person {
            return Ok(Connection::new(false, false));
        }
        of_person(ctx, &self.id, page(first, after)).await
    }

    /// What the person agreed to; null for a partner.
    async fn consent(&self, ctx: &Context<'_>) -> Result<Option<MyConsent>> {
        if self.kind != SubjectKind::Person {
            return Ok(None);
        }
        MyConsent::of(ctx, &self.id).await.map(Some)
    }
}

fn page(first: Option<i32>, after: Option<String>) -> PageRequest {
    PageRequest { first, after, ..PageRequest::default() }
}

impl<N: OutputType> Part<N> {
    fn nothing() -> Self {
        Self::of(Vec::new(), false, false, |_| Position(0))
    }

    fn of(
        nodes: Vec<N>,
        has_next_page: bool,
        has_previous_page: bool,
        position: impl Fn(&N) -> Position,
    ) -> Self {
        let cursor = |node: Option<&N>| node.map(|it| position(it).0.to_string());
        let (start_cursor, end_cursor) = (cursor(nodes.first()), cursor(nodes.last()));
        let page_info = PageInfo { has_next_page, has_previous_page, start_cursor, end_cursor };
        Self { nodes, page_info }
    }
}

async fn opened(ctx: &Context<'_>, period: ContactPeriod) -> Result<ExportedContact> {
    let ContactPeriod { position, reference, purpose, since, until, erased_at } = period;
    let contact = contact(ctx, reference).await?;
    let (contact_number, email_id) =
        contact.as_ref().map(|it| (it.contact_number.clone(), it.email_id.clone())).unzip();
    let address = contact.and_then(|it| it.address);
    let position = Position(position);
    Ok(ExportedContact {
        position,
        purpose,
        since,
        until,
        erased_at,
        address,
        contact_number,
        email_id,
    })
}

/// Whether the caller may see what is kept about a subject. Whoever may not, and sees the subject
/// anyway, is told so; to a stranger it is not there.
fn may_see(ctx: &Context<'_>, kind: SubjectKind, id: &str) -> Result<bool> {
    let operation = Operation::ExportSubject;
    let actor = &caller(ctx).request.actor;
    let forbidden = || answer(ctx, Err(Error::Forbidden));
    if !actor.may_on_own(operation) {
        return forbidden();
    }
    if actor.may_on_any(operation) {
        return Ok(true);
    }
    match (kind, caller(ctx).role_at(&id.into())) {
        (SubjectKind::Person, _) => Ok(actor.subject == id),
        (SubjectKind::Partner, None) => Ok(false),
        (SubjectKind::Partner, member) if actor.may(operation, member) => Ok(true),
        (SubjectKind::Partner, Some(_)) => forbidden(),
    }
}

/// Questions about what is kept.
#[derive(Default)]
pub struct SubjectQuery;

#[Object]
impl SubjectQuery {
    /// Everything that is kept about a subject (GDPR, articles 15 and 20); null when there is no such
    /// partner that the caller may ask about. Administrators ask about everybody, a partner's managers
    /// about its contacts, everybody about himself. Follow each `pageInfo` to the end.
    async fn export_subject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the subject is.")] kind: SubjectKind,
        id: ID,
    ) -> Result<Option<SubjectExport>> {
        if !may_see(ctx, kind, &id)? {
            return Ok(None);
        }
        if kind == SubjectKind::Partner && load::<Row>(ctx, &id).await?.is_none() {
            return Ok(None);
        }
        let pool = caller(ctx).pool();
        let position = Position(answer(ctx, head(pool).await)?);
        let erasures = answer(ctx, erasures(pool, kind, &id).await)?;
        let erasures = erasures.into_iter().map(SubjectErasure::from).collect();
        Ok(Some(SubjectExport { kind, id, told_at: commands::now(), position, erasures }))
    }
}

/// What came of the wish to erase.
#[derive(SimpleObject)]
pub struct EraseSubjectPayload {
    /// The partner as it stands now; null for a person.
    partner: Option<Partner>,
    /// What waits for a second person; null when there is nothing to erase any more.
    proposal: Option<Proposal>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// Changes of what is kept.
#[derive(Default)]
pub struct SubjectMutation;

#[Object]
impl SubjectMutation {
    /// Proposes to destroy the personal data that is kept about a subject: all contact data of a
    /// partner, earlier one included, or from where a person's changes came. A second person always has
    /// to confirm. The log stays as it is, and all its proofs hold. Allowed whatever the partner's
    /// status; new contact data can be given afterwards.
    /// Refused with `PARTNER_NOT_FOUND` and `ORIGINS_NOT_FOUND`.
    async fn erase_subject(
        &self,
        ctx: &Context<'_>,
        input: EraseSubject,
    ) -> Result<EraseSubjectPayload> {
        let caller = caller(ctx);
        let done = answer(ctx, caller.commands.erase_subject(&caller.request, &input).await)?;
        let proposal = waiting(ctx, &done).await?;
        let partner = match input.kind {
            SubjectKind::Partner => load::<Row>(ctx, &input.id).await?.map(Partner::from),
            SubjectKind::Person => None,
        };
        Ok(EraseSubjectPayload { partner, proposal, position: Position(done.position) })
    }
}
