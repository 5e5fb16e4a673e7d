//! What can be done with partners.

mod certificates;
mod contacts;
mod group;
mod members;
mod proof;

pub(crate) use certificates::{Announcing, Offer, Signing};
pub use certificates::{
    CertificateCheck, PathLink, RevokePartnerCertificate, ToBeIssued, UploadPartnerCertificate,
};
pub use contacts::{RemovePartnerContact, SetPartnerContact};
pub use group::{MovePartnerToPolicyGroup, SelectPolicyGroup};
pub use members::{InviteMember, RemoveMember, SetMemberRole};
pub use proof::{CertificateChallenge, ProofOfPossession};

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id, random};
use async_graphql::InputObject;
use cqrs_es::Aggregate;
use domain::actor::Operation;
use domain::device;
use domain::ftm_chip;
use domain::ids::{PartnerId, PolicyGroupId};
use domain::issued;
use domain::oidc_client;
use domain::partner::{
    Change, Command, Contact, ContactPurpose, Details, Partner, Refusal, Registration, check_id,
    check_presentation, check_registration, check_subject,
};
use domain::policy_group::PolicyGroup;
use domain::policy_request;
use domain::proposal::ProposedAction;
use domain::reference::{PartnerType, RegisteredBy};
use domain::sbi;
use domain::subject::of_partner;
use domain::text::{Checks, normal, squeezed};
use domain::{Finding, Reason};
use projections::api_key::Row as Key;
use projections::device::Row as DeviceRow;
use projections::ftm_chip::Row as FtmChipRow;
use projections::held::{Held, live_of_partner};
use projections::misp_license::Row as License;
use projections::oidc_client::Row as Client;
use projections::policy_request::Row as PolicyRequestRow;
use projections::sbi::Row as SbiRow;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A new partner.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RegisterPartnerInput")]
pub struct RegisterPartner {
    /// The partner's id: 1 to 36 letters, digits, dots, dashes and underscores; unique ignoring
    /// case; never changes.
    pub partner_id: String,
    /// The organisation's name: 1 to 128 characters. Its certificates have to carry it.
    pub organization_name: String,
    /// What kind of partner this is; never changes.
    pub partner_type: PartnerType,
    /// The id of the policy group whose policies the partner may ask for; whether one is needed
    /// depends on the type.
    pub policy_group: Option<PolicyGroupId>,
    /// Postal address: 1 to 2000 characters. Personal data.
    pub address: String,
    /// Telephone number: 1 to 16 digits, blanks and `+ - ( ) / .`. Personal data.
    pub contact_number: String,
    /// E-mail address: at most 254 characters, unique among partners. Personal data.
    pub email_id: String,
    /// The language to write in, ISO 639-3.
    pub lang_code: Option<String>,
    /// Where the logo is found: https, at most 256 characters.
    pub logo_url: Option<String>,
    /// The subject that will speak for the partner: named by an administrator who registers for
    /// others, else absent.
    pub member: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(RegisterPartner, "registerPartner", new);

/// A decision about a partner's standing.
macro_rules! decision_input {
    ($(#[$meta:meta])* $name:ident, $graphql:literal, $mutation:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Serialize, Deserialize, InputObject)]
        #[graphql(name = $graphql)]
        pub struct $name {
            /// Which partner.
            pub partner_id: PartnerId,
            /// Why: 1 to 500 characters, kept in the log for ever.
            pub reason: String,
            /// Makes repeating harmless: 1 to 128 characters.
            pub idempotency_key: Option<String>,
            /// The version of the partner that the caller has seen.
            pub expected_version: Option<i64>,
        }
        input!($name, $mutation);
    };
}
decision_input!(/// Stops a partner for a while.
    SuspendPartner, "SuspendPartnerInput", "suspendPartner");
decision_input!(/// Lifts a suspension.
    ReactivatePartner, "ReactivatePartnerInput", "reactivatePartner");
decision_input!(/// Ends a partner for good.
    DeactivatePartner, "DeactivatePartnerInput", "deactivatePartner");

/// How a partner presents itself. What is absent is taken away.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UpdatePartnerInput")]
pub struct UpdatePartner {
    /// Which partner.
    pub partner_id: PartnerId,
    /// The language to write in, ISO 639-3.
    pub lang_code: Option<String>,
    /// Where the logo is found: https, at most 256 characters.
    pub logo_url: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UpdatePartner, "updatePartner");

/// The fence of everything a partner holds: requests, keys, licences, clients, SBIs, devices, chips.
pub(crate) fn holds(partner: &str) -> String {
    format!("partner/{partner}:holds")
}

impl Commands {
    /// Makes a partner known.
    pub async fn register_partner(
        &self,
        request: &Request,
        input: &RegisterPartner,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(&input.partner_id);
        self.run(request, input, stream, |unit| async move {
            permit_registration(&unit, input)?;
            check(input)?;
            if let Some(group) = &input.policy_group {
                active_group(&unit, group).await?;
            }
            let mut partner = unit.load::<Partner>(&input.partner_id).await?;
            self.claim_names(&unit, input, partner.stream_id());
            let registration = self.registration(&unit, input)?;
            unit.decide(&mut partner, Command::Register(registration))?;
            Ok(partner.done())
        })
        .await
    }

    /// One id ignoring case, one partner per e-mail address.
    fn claim_names(&self, unit: &Unit, input: &RegisterPartner, holder: StreamId) {
        let id = Name { kind: "partner_id", key: normal(&input.partner_id) };
        let taken = Vec::<Finding>::from(Refusal::PartnerIdTaken).pop();
        unit.claim(id, holder.clone(), taken);
        self.claim_email(unit, &input.email_id, holder);
    }

    fn claim_email(&self, unit: &Unit, email: &str, holder: StreamId) {
        let message = "Another partner uses this e-mail address.";
        let taken = Finding::new("EMAIL_TAKEN", "emailId", message);
        unit.claim(self.email_name(email), holder, Some(taken));
    }

    /// The claim on an e-mail address: a keyed hash, since the address is personal.
    pub fn email_name(&self, email: &str) -> Name {
        let hash = self.keys().hmac("partner_email", normal(email).as_bytes());
        Name { kind: "partner_email", key: hex::encode(hash) }
    }

    fn registration(&self, unit: &Unit, input: &RegisterPartner) -> Result<Registration> {
        let contact = Contact {
            address: Some(input.address.trim().to_owned()),
            contact_number: squeezed(&input.contact_number),
            email_id: input.email_id.trim().to_owned(),
        };
        let subject_key = Zeroizing::new(random()?);
        let subject =
            self.keys().wrapping.new_subject(&of_partner(&input.partner_id, 0), &subject_key)?;
        let (contact, row) = subject.seal(new_id(), random()?, &contact)?;
        unit.keep_personal(row);
        Ok(Registration {
            organization_name: squeezed(&input.organization_name),
            partner_type: input.partner_type,
            policy_group_id: input.policy_group.clone(),
            lang_code: input.lang_code.clone(),
            logo_url: input.logo_url.clone(),
            contact,
            member: input.member.clone().unwrap_or_else(|| unit.actor().subject.clone()),
        })
    }

    /// Says how a partner presents itself.
    pub async fn update_partner(&self, request: &Request, input: &UpdatePartner) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::UpdatePartner, &input.partner_id).await?;
            let mut checks = Checks::default();
            let (lang_code, logo_url) = (input.lang_code.clone(), input.logo_url.clone());
            check_presentation(&mut checks, lang_code.as_deref(), logo_url.as_deref());
            checks.done()?;
            let change = Change::UpdateDetails(Details { lang_code, logo_url });
            unit.decide(&mut partner, Command::Change(change))?;
            Ok(partner.done())
        })
        .await
    }

    /// Stops a partner with its keys, licences and clients for a while.
    pub async fn suspend_partner(&self, request: &Request, input: &SuspendPartner) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let operation = Operation::SuspendPartner;
            let (mut partner, reason) =
                standing(&unit, operation, &input.partner_id, &input.reason).await?;
            if unit.decide(&mut partner, Command::Suspend(reason.clone()))? {
                each::<Key>(&unit, &partner, issued::Command::Suspend(reason.clone())).await?;
                each::<License>(&unit, &partner, issued::Command::Suspend(reason.clone())).await?;
                each::<Client>(&unit, &partner, oidc_client::Command::Suspend(reason)).await?;
            }
            Ok(partner.done())
        })
        .await
    }

    /// Lifts the suspension of a partner, and of exactly the keys, licences and clients that it
    /// stopped.
    pub async fn reactivate_partner(
        &self,
        request: &Request,
        input: &ReactivatePartner,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let operation = Operation::ReactivatePartner;
            let (mut partner, reason) =
                standing(&unit, operation, &input.partner_id, &input.reason).await?;
            if unit.decide(&mut partner, Command::Reactivate(reason.clone()))? {
                each::<Key>(&unit, &partner, issued::Command::Resume(reason.clone())).await?;
                each::<License>(&unit, &partner, issued::Command::Resume(reason.clone())).await?;
                each::<Client>(&unit, &partner, oidc_client::Command::Resume(reason)).await?;
            }
            Ok(partner.done())
        })
        .await
    }

    /// Ends a partner for good, with everything that it holds.
    pub async fn deactivate_partner(
        &self,
        request: &Request,
        input: &DeactivatePartner,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let decided = deactivate(&unit, input).await?;
            let target = input.partner_id.as_str().to_owned();
            unit.or_propose(decided, ProposedAction::DeactivatePartner, target, input)
        })
        .await
    }
}

/// A partner registers itself when its type does and its role fits; for others an administrator
/// names the first member.
fn permit_registration(unit: &Unit, input: &RegisterPartner) -> Result<()> {
    let terms = input.partner_type.terms();
    if input.member.is_some() {
        return unit.permit(Operation::RegisterPartnerForOthers);
    }
    let actor = unit.actor();
    let fits = actor.roles.contains(&terms.role) && terms.registered_by == RegisteredBy::Itself;
    if actor.may_on_any(Operation::RegisterPartnerForOthers) {
        let message = "Name the subject that will speak for the partner.";
        return Err(crate::Error::refused("MEMBER_NEEDED", "member", message));
    }
    if fits && actor.may_on_own(Operation::RegisterPartner) {
        Ok(())
    } else {
        Err(crate::Error::Forbidden)
    }
}

/// Everything that is wrong with a registration, before anything is read.
fn check(input: &RegisterPartner) -> Result<()> {
    let mut checks = Checks::default();
    check_id(&mut checks, "partnerId", &input.partner_id);
    let has_group = input.policy_group.is_some();
    check_registration(&mut checks, &input.organization_name, input.partner_type, has_group);
    check_presentation(&mut checks, input.lang_code.as_deref(), input.logo_url.as_deref());
    let contact = Contact {
        address: Some(input.address.clone()),
        contact_number: input.contact_number.clone(),
        email_id: input.email_id.clone(),
    };
    contact.check(&mut checks, ContactPurpose::Primary);
    if let Some(member) = &input.member {
        check_subject(&mut checks, "member", member);
    }
    Ok(checks.done()?)
}

/// Ends a partner and everything that it holds.
pub(crate) async fn deactivate(unit: &Unit, input: &DeactivatePartner) -> Result<Decided> {
    let operation = Operation::DeactivatePartner;
    let (mut partner, reason) = standing(unit, operation, &input.partner_id, &input.reason).await?;
    if unit.decide(&mut partner, Command::Deactivate(reason.clone()))? {
        end_all(unit, &partner, reason).await?;
    }
    Ok(partner.done())
}

/// A policy group in which partners may work.
async fn active_group(unit: &Unit, id: &PolicyGroupId) -> Result<()> {
    let group = unit.load::<PolicyGroup>(id.as_str()).await?;
    group.active().map_err(|refusal| at("policyGroup", refusal))?;
    Ok(())
}

/// The partner that one of its own people changes, or an administrator.
async fn own(unit: &Unit, operation: Operation, id: &PartnerId) -> Result<Stream<Partner>> {
    let partner = unit.load::<Partner>(id.as_str()).await?;
    unit.permit_on(operation, &partner, Refusal::PartnerNotFound)?;
    unit.expect(&partner)?;
    Ok(partner)
}

/// The partner whose standing an administrator decides about, and the fence of what it holds.
async fn standing(
    unit: &Unit,
    operation: Operation,
    id: &PartnerId,
    reason: &str,
) -> Result<(Stream<Partner>, Reason)> {
    unit.permit(operation)?;
    let reason = Reason::new("reason", reason)?;
    let partner = unit.load::<Partner>(id.as_str()).await?;
    unit.expect(&partner)?;
    unit.fence(holds(id.as_str())).await?;
    Ok((partner, reason))
}

/// Ends everything that the partner holds: what is open is rejected or withdrawn, what is in use is
/// revoked or deactivated.
async fn end_all(unit: &Unit, partner: &Stream<Partner>, reason: Reason) -> Result<()> {
    each::<Key>(unit, partner, issued::Command::Deactivate(reason.clone())).await?;
    each::<License>(unit, partner, issued::Command::Deactivate(reason.clone())).await?;
    let end = oidc_client::Command::Deactivate(reason.clone());
    each::<Client>(unit, partner, end).await?;
    let end = policy_request::Command::End(reason.clone());
    for ended in each::<PolicyRequestRow>(unit, partner, end).await? {
        crate::policy_request::release_names(unit, &ended);
    }
    for ended in each::<SbiRow>(unit, partner, sbi::Command::End(reason.clone())).await? {
        crate::sbi::release_version(unit, &ended);
    }
    for ended in each::<DeviceRow>(unit, partner, device::Command::End(reason.clone())).await? {
        crate::device::release_name(unit, &ended);
    }
    for ended in each::<FtmChipRow>(unit, partner, ftm_chip::Command::End(reason)).await? {
        crate::ftm_chip::release_name(unit, &ended);
    }
    Ok(())
}

/// Decides about everything of one kind that the partner holds and that has not ended; each event
/// names the partner's as its cause.
async fn each<R>(
    unit: &Unit,
    partner: &Stream<Partner>,
    command: <R::Noun as Aggregate>::Command,
) -> Result<Vec<Stream<R::Noun>>>
where
    R: Held,
    <R::Noun as Aggregate>::Command: Clone,
    Vec<Finding>: From<<R::Noun as Aggregate>::Error>,
{
    let held = live_of_partner::<R>(unit.pool(), &partner.id.as_str().into()).await?;
    let mut streams = unit.load_many::<R::Noun>(&held).await?;
    unit.because_of(partner);
    for stream in &mut streams {
        unit.decide(stream, command.clone())?;
    }
    Ok(streams)
}

/// The findings of another noun, told about the field that named it.
pub(crate) fn at(field: &str, refusal: impl Into<Vec<Finding>>) -> Vec<Finding> {
    let here = |finding| Finding { field: field.to_owned(), ..finding };
    refusal.into().into_iter().map(here).collect()
}
