//! How a partner is reached. Every change keeps what was before: a new row beside the log, under a
//! new reference, sealed with the partner's one key. What is given after an erasure is sealed with a
//! key of its own.

use super::own;
use crate::event_store::StreamId;
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Error, Request, Result, input, new_id, random};
use async_graphql::InputObject;
use domain::actor::Operation;
use domain::ids::PartnerId;
use domain::partner::{Change, Command, Contact, ContactPurpose, Partner, Refusal};
use domain::subject::of_partner;
use domain::text::{Checks, squeezed};
use projections::private_rows::SubjectKey;
use serde::Serialize;
use zeroize::Zeroizing;

/// Says how a partner is reached.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SetPartnerContactInput")]
pub struct SetPartnerContact {
    /// Which partner.
    pub partner_id: PartnerId,
    /// What the contact is for.
    pub purpose: ContactPurpose,
    /// Postal address: 1 to 2000 characters; the primary contact needs one. Personal data.
    pub address: Option<String>,
    /// Telephone number: 1 to 16 digits, blanks and `+ - ( ) / .`. Personal data.
    pub contact_number: String,
    /// E-mail address: at most 254 characters; that of the primary contact is unique among
    /// partners. Personal data.
    pub email_id: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SetPartnerContact, "setPartnerContact");

/// Takes back how a partner is reached.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RemovePartnerContactInput")]
pub struct RemovePartnerContact {
    /// Which partner.
    pub partner_id: PartnerId,
    /// For what; the primary contact stays.
    pub purpose: ContactPurpose,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RemovePartnerContact, "removePartnerContact");

impl Commands {
    /// Says how a partner is reached. What is known already changes nothing.
    pub async fn set_partner_contact(
        &self,
        request: &Request,
        input: &SetPartnerContact,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::SetPartnerContact, &input.partner_id).await?;
            let contact = checked(input)?;
            let known = self.known_contact(&unit, &partner, input.purpose).await?;
            if known.as_ref() == Some(&contact) {
                return Ok(partner.done());
            }
            if input.purpose == ContactPurpose::Primary {
                self.move_email(&unit, &partner, known, &contact);
            }
            let (contact, row) =
                self.key_of(&unit, &partner).await?.seal(new_id(), random()?, &contact)?;
            unit.keep_personal(row);
            let purpose = input.purpose;
            unit.decide(&mut partner, Command::Change(Change::SetContact { purpose, contact }))?;
            Ok(partner.done())
        })
        .await
    }

    /// The key that contact data of the partner is sealed with. After an erasure it is a new one; one
    /// that is needed to read what is kept is never replaced.
    async fn key_of(&self, unit: &Unit, partner: &Stream<Partner>) -> Result<SubjectKey> {
        let profile = partner.living().map_err(Vec::from)?;
        let (subject, wrapping) =
            (of_partner(&partner.id, profile.erasures), &self.keys().wrapping);
        match wrapping.subject(unit.pool(), &subject).await? {
            Some(key) => Ok(key),
            None if profile.keeps_personal_data => {
                Err(Error::Refused(Refusal::SubjectKeyMissing.into()))
            }
            None => Ok(wrapping.new_subject(&subject, &Zeroizing::new(random()?))?),
        }
    }

    /// The contact data that is kept for a purpose; `None` when there is none or it was erased.
    async fn known_contact(
        &self,
        unit: &Unit,
        partner: &Stream<Partner>,
        purpose: ContactPurpose,
    ) -> Result<Option<Contact>> {
        let profile = partner.living().map_err(Vec::from)?;
        let Some(reference) = profile.contacts.get(&purpose) else { return Ok(None) };
        let mut contacts = self.keys().wrapping.contacts(unit.pool(), &[*reference]).await?;
        Ok(contacts.remove(reference))
    }

    /// The old address is free for others from now on.
    fn move_email(
        &self,
        unit: &Unit,
        partner: &Stream<Partner>,
        old: Option<Contact>,
        new: &Contact,
    ) {
        if let Some(old) = old {
            unit.release(self.email_name(&old.email_id), partner.stream_id());
        }
        self.claim_email(unit, &new.email_id, partner.stream_id());
    }

    /// Takes back how a partner is reached.
    pub async fn remove_partner_contact(
        &self,
        request: &Request,
        input: &RemovePartnerContact,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let operation = Operation::RemovePartnerContact;
            let mut partner = own(&unit, operation, &input.partner_id).await?;
            unit.decide(&mut partner, Command::Change(Change::RemoveContact(input.purpose)))?;
            Ok(partner.done())
        })
        .await
    }
}

/// The contact as it is kept, after all that is wrong with it has been told.
fn checked(input: &SetPartnerContact) -> Result<Contact> {
    let typed = Contact {
        address: input.address.clone(),
        contact_number: input.contact_number.clone(),
        email_id: input.email_id.clone(),
    };
    let mut checks = Checks::default();
    typed.check(&mut checks, input.purpose);
    checks.done()?;
    Ok(Contact {
        address: typed.address.map(|address| address.trim().to_owned()),
        contact_number: squeezed(&typed.contact_number),
        email_id: typed.email_id.trim().to_owned(),
    })
}
