//! Partners in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::{Caller, caller};
use crate::certificate::{PartnerCertificate, certificates};
use crate::errors::{Result, answer};
use crate::list::{List, connection};
use crate::loader::{ErasedAt, contact, load};
use crate::policy_group::PolicyGroup;
use crate::proposal::{Proposal, waiting};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use commands::Done;
use commands::partner::{
    DeactivatePartner, InviteMember, MovePartnerToPolicyGroup, ReactivatePartner, RegisterPartner,
    RemoveMember, RemovePartnerContact, RevokePartnerCertificate, SelectPolicyGroup, SetMemberRole,
    SetPartnerContact, SuspendPartner, UpdatePartner, UploadPartnerCertificate,
};
use domain::actor::{MemberRole, Operation};
use domain::ids::PartnerId;
use domain::partner::ContactPurpose;
use futures::future::try_join_all;
use projections::page::{Order, PageRequest};
use projections::partner::{PartnerFilter, PartnerSort, PartnerStatus, Row};
use projections::policy_group;

/// An organisation that works with the national ID.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Partner {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Partner {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Partner {
    /// The group whose policies the partner may ask for.
    async fn policy_group(&self, ctx: &Context<'_>) -> Result<Option<PolicyGroup>> {
        let Some(id) = &self.row.policy_group_id else { return Ok(None) };
        Ok(load::<policy_group::Row>(ctx, id.as_str()).await?.map(Into::into))
    }

    /// Who speaks for the partner, by subject; for the partner itself and those who may read
    /// partners.
    async fn members(&self, ctx: &Context<'_>) -> Result<Vec<Member>> {
        self.permit_reading(ctx)?;
        let members = self.row.member_roles.iter();
        Ok(members
            .map(|(subject, role)| Member { subject: subject.clone(), role: *role })
            .collect())
    }

    /// What the caller is to the partner; null for strangers and for staff.
    async fn my_role(&self, ctx: &Context<'_>) -> Option<MemberRole> {
        self.role(ctx)
    }

    /// How to reach the partner where there is no contact for the purpose; null when it was erased, see
    /// `contactErasedAt`. Personal data: for the partner itself and those who may read partners.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<PartnerContact>> {
        self.permit_reading(ctx)?;
        self.contact_for(ctx, ContactPurpose::Primary).await
    }

    /// When contact data of the partner was erased last; null where none ever was. What is shown beside
    /// it was given later, or, in a past (`asOf`), nothing: what was erased is gone from every past.
    async fn contact_erased_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime<Utc>>> {
        self.permit_reading(ctx)?;
        Ok(load::<ErasedAt>(ctx, self.row.id.as_str()).await?.map(|ErasedAt(at)| at))
    }

    /// How to reach the partner, the primary contact first; without those that were erased.
    /// Personal data: for the partner itself and those who may read partners.
    async fn contacts(&self, ctx: &Context<'_>) -> Result<Vec<PartnerContact>> {
        self.permit_reading(ctx)?;
        let purposes = self.row.contacts.keys();
        let contacts = try_join_all(purposes.map(|purpose| self.contact_for(ctx, *purpose))).await;
        Ok(contacts?.into_iter().flatten().collect())
    }

    /// All certificates that were accepted, newest first.
    async fn certificates(&self, ctx: &Context<'_>) -> Result<Vec<PartnerCertificate>> {
        let domain = self.row.partner_type.terms().trust_domain;
        certificates(ctx, &self.row.certificates, domain)
    }

    /// What can be done with the partner now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let (id, member) = (self.row.id.as_str(), self.role(ctx));
        allowed_actions::<domain::partner::Partner>(ctx, id, member).await
    }
}

impl Partner {
    /// A partner is also reached through what belongs to it, by people who may not read partners.
    fn permit_reading(&self, ctx: &Context<'_>) -> Result<()> {
        let may = caller(ctx).request.actor.may(Operation::ReadPartner, self.role(ctx));
        answer(ctx, if may { Ok(()) } else { Err(commands::Error::Forbidden) })
    }

    /// The row is asked, not the caller: a partner may have been registered in this very request. In
    /// the past the row says who was a member then, and only who is one today counts.
    fn role(&self, ctx: &Context<'_>) -> Option<MemberRole> {
        let caller = caller(ctx);
        if caller.commands.past().is_some() {
            return caller.role_at(&self.row.id);
        }
        caller.request.actor.role_at(&self.row.id, &self.row.member_roles)
    }

    async fn contact_for(
        &self,
        ctx: &Context<'_>,
        purpose: ContactPurpose,
    ) -> Result<Option<PartnerContact>> {
        let Some(reference) = self.row.contacts.get(&purpose) else { return Ok(None) };
        Ok(contact(ctx, *reference).await?.map(|contact| PartnerContact {
            purpose,
            address: contact.address,
            contact_number: contact.contact_number,
            email_id: contact.email_id,
        }))
    }

    /// Whether the partner works without a policy group but may have one.
    pub fn needs_policy_group(&self) -> bool {
        let may_have_one = self.row.partner_type.terms().may_have_group();
        let ended = self.row.status == PartnerStatus::Deactivated;
        may_have_one && self.row.policy_group_id.is_none() && !ended
    }
}

/// Somebody who speaks for a partner.
#[derive(SimpleObject)]
pub struct Member {
    /// The subject of his access token.
    subject: String,
    /// What he may do.
    role: MemberRole,
}

/// How to reach a partner. Personal data.
#[derive(SimpleObject)]
pub struct PartnerContact {
    /// What it is for.
    purpose: ContactPurpose,
    /// Postal address; the primary contact has one.
    address: Option<String>,
    /// Telephone number.
    contact_number: String,
    /// E-mail address.
    email_id: String,
}

/// A partner after a change.
#[derive(SimpleObject)]
pub struct PartnerPayload {
    /// The partner.
    partner: Partner,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<PartnerPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(PartnerPayload { partner: Partner { row }, position })
}

/// A partner after its end was wished.
#[derive(SimpleObject)]
pub struct DeactivatePartnerPayload {
    /// As it stands now: unchanged while a proposal waits.
    partner: Partner,
    /// What waits for a second person, where the installation wants one.
    proposal: Option<Proposal>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// Questions about partners.
#[derive(Default)]
pub struct PartnerQuery;

#[Object]
impl PartnerQuery {
    /// One partner, now or at a point in the past; null when there is none that the caller may see.
    async fn partner(
        &self,
        ctx: &Context<'_>,
        id: PartnerId,
        as_of: Option<AsOf>,
    ) -> Result<Option<Partner>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPartner)?;
        if !viewer.sees(&id) {
            return Ok(None);
        }
        Ok(one::<Row>(ctx, id.as_str(), as_of).await?.map(Partner::from))
    }

    /// Partners, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn partners(
        &self,
        ctx: &Context<'_>,
        filter: Option<PartnerFilter>,
        order_by: Option<Order<PartnerSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Partner>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadPartner)?;
        let mut filter = filter.unwrap_or_default();
        if let Some(email) = &filter.email_id {
            answer(ctx, known_today(caller(ctx)))?;
            let name = caller(ctx).commands.email_name(email);
            let holder = caller(ctx).commands.store().holder(&name).await;
            let partner =
                answer(ctx, holder)?.and_then(|it| Some(it.split_once('/')?.1.to_owned()));
            filter.email_holder = partner;
        }
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, Some(filter), order_by, page).await
    }
}

/// Who holds which address is known of today only: what is kept are hashes, one for each holder.
fn known_today(caller: &Caller) -> commands::Result<()> {
    if caller.commands.past().is_none() {
        return Ok(());
    }
    let message = "In the past partners cannot be found by their e-mail addresses.";
    Err(commands::Error::refused("NOT_IN_THE_PAST", "filter.emailId", message))
}

/// Changes of partners.
#[derive(Default)]
pub struct PartnerMutation;

#[Object]
impl PartnerMutation {
    /// Makes a partner known. A partner registers itself; for types that do not, an administrator
    /// does and names the first member.
    /// Refused with `PARTNER_ID_TAKEN`, `EMAIL_TAKEN`, and with `MEMBER_NEEDED` for an
    /// administrator who names none.
    async fn register_partner(
        &self,
        ctx: &Context<'_>,
        input: RegisterPartner,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.register_partner(&caller.request, &input).await).await
    }

    /// Takes a certificate that a trusted authority issued to the partner's organisation, and
    /// counter-signs it. The first one makes the partner active; older ones stay valid as long as
    /// `overlapUntil` says. All findings come together.
    async fn upload_partner_certificate(
        &self,
        ctx: &Context<'_>,
        input: UploadPartnerCertificate,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.upload_partner_certificate(&caller.request, &input).await)
            .await
    }

    /// Declares a certificate of a partner and its key unfit for ever. The partner's status does not
    /// change.
    /// Refused with `CERTIFICATE_NOT_FOUND`.
    async fn revoke_partner_certificate(
        &self,
        ctx: &Context<'_>,
        input: RevokePartnerCertificate,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.revoke_partner_certificate(&caller.request, &input).await)
            .await
    }

    /// Says how a partner presents itself; what is absent is taken away.
    async fn update_partner(
        &self,
        ctx: &Context<'_>,
        input: UpdatePartner,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.update_partner(&caller.request, &input).await).await
    }

    /// Says how a partner is reached. What was said before stays known as of its time.
    /// Refused with `EMAIL_TAKEN` for the primary contact.
    async fn set_partner_contact(
        &self,
        ctx: &Context<'_>,
        input: SetPartnerContact,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.set_partner_contact(&caller.request, &input).await).await
    }

    /// Takes back how a partner is reached; the primary contact stays.
    /// Refused with `PRIMARY_CONTACT_STAYS`.
    async fn remove_partner_contact(
        &self,
        ctx: &Context<'_>,
        input: RemovePartnerContact,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.remove_partner_contact(&caller.request, &input).await).await
    }

    /// Lets somebody speak for a partner. A partner has at most 100 members.
    /// Refused with `MEMBER_EXISTS` for a member in another role, and with `TOO_MANY_MEMBERS`.
    async fn invite_member(
        &self,
        ctx: &Context<'_>,
        input: InviteMember,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.invite_member(&caller.request, &input).await).await
    }

    /// Lets somebody speak for a partner no more. One manager has to stay.
    /// Refused with `LAST_MANAGER`.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        input: RemoveMember,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.remove_member(&caller.request, &input).await).await
    }

    /// Gives a member another role. One manager has to stay.
    /// Refused with `MEMBER_NOT_FOUND` and `LAST_MANAGER`.
    async fn set_member_role(
        &self,
        ctx: &Context<'_>,
        input: SetMemberRole,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.set_member_role(&caller.request, &input).await).await
    }

    /// Chooses the policy group of a partner that has none; this is chosen once.
    /// Refused with `POLICY_GROUP_CHOSEN` and `POLICY_GROUP_NOT_ALLOWED`.
    async fn select_policy_group(
        &self,
        ctx: &Context<'_>,
        input: SelectPolicyGroup,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.select_policy_group(&caller.request, &input).await).await
    }

    /// Puts a partner that has no requests, keys and the like into another policy group.
    /// Refused with `PARTNER_HAS_LINKS` for any other.
    async fn move_partner_to_policy_group(
        &self,
        ctx: &Context<'_>,
        input: MovePartnerToPolicyGroup,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.move_partner_to_policy_group(&caller.request, &input).await)
            .await
    }

    /// Stops a partner and its keys for a while.
    /// Refused with `PARTNER_NOT_ACTIVE_YET` and `PARTNER_DEACTIVATED`.
    async fn suspend_partner(
        &self,
        ctx: &Context<'_>,
        input: SuspendPartner,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.suspend_partner(&caller.request, &input).await).await
    }

    /// Lifts the suspension of a partner, and of exactly the keys that it stopped.
    /// Refused with `PARTNER_NOT_ACTIVE_YET` and `PARTNER_DEACTIVATED`.
    async fn reactivate_partner(
        &self,
        ctx: &Context<'_>,
        input: ReactivatePartner,
    ) -> Result<PartnerPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reactivate_partner(&caller.request, &input).await).await
    }

    /// Ends a partner for good, with its keys and its open and approved requests.
    async fn deactivate_partner(
        &self,
        ctx: &Context<'_>,
        input: DeactivatePartner,
    ) -> Result<DeactivatePartnerPayload> {
        let caller = caller(ctx);
        let done = answer(ctx, caller.commands.deactivate_partner(&caller.request, &input).await)?;
        let proposal = waiting(ctx, &done).await?;
        let done = Done { id: input.partner_id.as_str().to_owned(), ..done };
        let (row, position) = changed(ctx, Ok(done)).await?;
        Ok(DeactivatePartnerPayload { partner: Partner { row }, proposal, position })
    }
}
