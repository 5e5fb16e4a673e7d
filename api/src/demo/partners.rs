//! How partners come, who speaks for them, and how they end.

use super::character::{Character, Fate};
use super::{World, staff};
use commands::consent::GiveConsent;
use commands::partner::{
    DeactivatePartner, InviteMember, RegisterPartner, SetPartnerContact, SuspendPartner,
    UploadPartnerCertificate,
};
use commands::{Done, Result};
use domain::actor::MemberRole;
use domain::partner::ContactPurpose;
use domain::reference::consent_text;

impl World<'_> {
    pub(super) async fn register(&self, one: &Character) -> Result<Done> {
        let input = RegisterPartner {
            partner_id: one.id.clone(),
            organization_name: one.organization.clone(),
            partner_type: one.partner_type,
            policy_group: self.menu.policy(one).map(|policy| policy.group.clone()),
            address: format!("{} Market Street, Springfield", one.number + 1),
            contact_number: format!("+1 555 {:07}", one.number),
            email_id: format!("office@{}.example", one.id),
            lang_code: Some("eng".to_owned()),
            logo_url: None,
            member: Some(one.member.clone()),
            idempotency_key: Some(one.key("register")),
        };
        self.commands.register_partner(&staff(), &input).await
    }

    /// Who else speaks for the partner, and whom to call when something goes wrong.
    pub(super) async fn people(&self, one: &Character) -> Result<()> {
        let input = GiveConsent {
            text_version: consent_text().version,
            idempotency_key: None,
            expected_version: None,
        };
        self.commands.give_consent(&one.request(), &input).await?;
        let (role, desk) = match one.number % 3 {
            0 => return Ok(()),
            1 => (MemberRole::Operator, "desk"),
            _ => (MemberRole::Viewer, "audit"),
        };
        let input = InviteMember {
            partner_id: one.partner_id(),
            subject: format!("{}-{desk}", one.id),
            role,
            idempotency_key: Some(one.key("invite")),
            expected_version: None,
        };
        self.commands.invite_member(&one.request(), &input).await?;
        let input = SetPartnerContact {
            partner_id: one.partner_id(),
            purpose: ContactPurpose::Security,
            address: None,
            contact_number: format!("+1 555 {:07}", 5_000_000 + one.number),
            email_id: format!("security@{}.example", one.id),
            idempotency_key: Some(one.key("security contact")),
            expected_version: None,
        };
        self.commands.set_partner_contact(&one.request(), &input).await?;
        Ok(())
    }

    pub(super) async fn upload_certificate(&self, one: &Character) -> Result<Done> {
        let terms = one.partner_type.terms();
        let authority = self.authority(terms.trust_domain)?;
        let input = UploadPartnerCertificate {
            partner_id: one.partner_id(),
            certificate_data: authority.partner(&one.id, &one.organization, *terms)?,
            overlap_until: None,
            proof: None,
            idempotency_key: Some(one.key("certificate")),
            expected_version: None,
        };
        self.commands.upload_partner_certificate(&one.request(), &input).await
    }

    pub(super) async fn end(&self, one: &Character) -> Result<()> {
        let (partner_id, expected_version) = (one.partner_id(), None);
        if one.fate == Fate::Suspended {
            let (reason, idempotency_key) = ("Under review".to_owned(), Some(one.key("suspend")));
            let input = SuspendPartner { partner_id, reason, idempotency_key, expected_version };
            self.commands.suspend_partner(&staff(), &input).await?;
        } else if one.fate == Fate::Deactivated {
            let (reason, idempotency_key) =
                ("Out of business".to_owned(), Some(one.key("deactivate")));
            let input = DeactivatePartner { partner_id, reason, idempotency_key, expected_version };
            self.commands.deactivate_partner(&staff(), &input).await?;
        }
        Ok(())
    }
}
