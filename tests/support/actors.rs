//! People, and what they do, in the words of the business.

mod makers;

pub use makers::{Makers, device_provider, ftm_provider};

use super::certificates::Authority;
use ::commands::api_key::{DeactivateApiKey, GenerateApiKey, RotateApiKey, SetApiKeyExpiry};
use ::commands::consent::{GiveConsent, WithdrawConsent};
use ::commands::device::{DeactivateDevice, RejectDevice};
use ::commands::extractor::{CreateExtractor, DeleteExtractor};
use ::commands::follower::ReplayParked;
use ::commands::ftm_chip::{DeactivateFtmChip, RejectFtmChip};
use ::commands::misp_license::{
    DeactivateMispLicense, GenerateMispLicense, RotateMispLicense, SetMispLicenseExpiry,
};
use ::commands::oidc_client::{
    CreateOidcClient, DeactivateOidcClient, OidcClientSettings, RetireOidcClientKey,
    RotateOidcClientKey, UpdateOidcClient,
};
use ::commands::partner::{
    CertificateChallenge, DeactivatePartner, InviteMember, MovePartnerToPolicyGroup,
    ProofOfPossession, ReactivatePartner, RegisterPartner, RemoveMember, RemovePartnerContact,
    RevokePartnerCertificate, SelectPolicyGroup, SetMemberRole, SetPartnerContact, SuspendPartner,
    UpdatePartner, UploadPartnerCertificate,
};
use ::commands::policy::{
    ClonePolicy, CreatePolicy, DeactivatePolicy, DiscardDraftPolicy, PublishPolicy,
    UpdateDraftPolicy,
};
use ::commands::policy_group::{
    CreatePolicyGroup, DeactivatePolicyGroup, ReactivatePolicyGroup, UpdatePolicyGroup,
};
use ::commands::policy_request::{
    ApprovePolicyRequest, ChosenExtractor, RejectPolicyRequest, RequestPolicy, RevokePolicyRequest,
    SubmitPolicyRequest, UpdateDraftPolicyRequest, WithdrawPolicyRequest,
};
use ::commands::proposal::{ConfirmProposal, RefuseProposal};
use ::commands::sbi::{DeactivateSbi, RejectSbi};
use ::commands::subject::EraseSubject;
use ::commands::trust_certificate::{
    AttachCrl, DisableTrustCertificate, EnableTrustCertificate, RevokeTrustCertificate,
    UploadTrustCertificate, Uploaded,
};
use ::commands::{Commands, Done, Request, Result};
use chrono::{DateTime, TimeDelta, Utc};
use domain::actor::{Actor, MemberRole, Role};
use domain::certificate::Certificate;
use domain::partner::ContactPurpose;
use domain::policy_document::PolicyType;
use domain::reference::{Modality, PartnerType, TrustDomain, consent_text};
use domain::subject::{LegalGround, SubjectKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Somebody at a keyboard.
#[derive(Clone)]
pub struct Person {
    node: Commands,
    actor: Actor,
    /// The partner that this person speaks for.
    pub partner: String,
    idempotency_key: Option<String>,
    expected_version: Option<i64>,
}

/// Runs partner management.
pub fn admin(node: &Commands) -> Person {
    Person::new(node, "admin", Role::PartnerAdmin)
}

/// Runs partner management too.
pub fn second_admin(node: &Commands) -> Person {
    Person::new(node, "second admin", Role::PartnerAdmin)
}

/// Writes and publishes policies.
pub fn policy_manager(node: &Commands) -> Person {
    Person::new(node, "manager", Role::PolicyManager)
}

/// Speaks for an infrastructure provider, whose id is `<name>-co`.
pub fn misp(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::MispPartner)
}

/// Speaks for an authentication partner, whose id is `<name>-co`.
pub fn partner(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::AuthPartner)
}

/// Speaks for an infrastructure provider, whose id is `<name>-co`.
pub fn provider(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::MispPartner)
}

/// Speaks for a credential partner, whose id is `<name>-co`.
pub fn credential_partner(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::CredentialPartner)
}

impl Person {
    fn new(node: &Commands, name: &str, role: Role) -> Self {
        let (subject, roles) = (name.to_owned(), BTreeSet::from([role]));
        Self {
            node: node.clone(),
            actor: Actor { subject, roles, claimed_partners: BTreeSet::new() },
            partner: format!("{name}-co"),
            idempotency_key: None,
            expected_version: None,
        }
    }

    /// The same person at another node.
    pub fn at(&self, node: &Commands) -> Self {
        Self { node: node.clone(), ..self.clone() }
    }

    /// The same person, whose next wishes carry this idempotency key.
    pub fn once(&self, key: &str) -> Self {
        Self { idempotency_key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same person, who has seen this version of what the next wish is about.
    pub fn having_seen(&self, version: i64) -> Self {
        Self { expected_version: Some(version), ..self.clone() }
    }

    /// The same person, who speaks for the partner of somebody else.
    pub fn beside(&self, other: &Self) -> Self {
        Self { partner: other.partner.clone(), ..self.clone() }
    }

    /// The node that this person works at.
    pub fn node(&self) -> &Commands {
        &self.node
    }

    fn request(&self) -> Request {
        Request::new(self.actor.clone())
    }

    /// Registers the partner this person speaks for, in a policy group.
    pub async fn registers(&self, group: &str) -> Result<Done> {
        self.registers_with(group, &format!("{}@example.org", self.partner)).await
    }

    /// Registers the partner this person speaks for under an e-mail address.
    pub async fn registers_with(&self, group: &str, email: &str) -> Result<Done> {
        let input = RegisterPartner {
            email_id: email.to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            ..self.registration(self.partner_type(), Some(group))
        };
        self.node.register_partner(&self.request(), &input).await
    }

    /// Registers the partner of somebody else, who will speak for it.
    pub async fn registers_for(
        &self,
        other: &Self,
        partner_type: PartnerType,
        group: Option<&str>,
    ) -> Result<Done> {
        let input = RegisterPartner {
            member: Some(other.actor.subject.clone()),
            idempotency_key: self.idempotency_key.clone(),
            ..other.registration(partner_type, group)
        };
        self.node.register_partner(&self.request(), &input).await
    }

    fn registration(&self, partner_type: PartnerType, group: Option<&str>) -> RegisterPartner {
        RegisterPartner {
            partner_id: self.partner.clone(),
            organization_name: self.organization(),
            partner_type,
            policy_group: group.map(Into::into),
            address: "1 Main Street".to_owned(),
            contact_number: "+1 555 0100".to_owned(),
            email_id: format!("{}@example.org", self.partner),
            lang_code: None,
            logo_url: None,
            member: None,
            idempotency_key: None,
        }
    }

    /// Lets somebody speak for the partner.
    pub async fn invites(&self, subject: &str, role: MemberRole) -> Result<Done> {
        let input = InviteMember {
            partner_id: self.partner.as_str().into(),
            subject: subject.to_owned(),
            role,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.invite_member(&self.request(), &input).await
    }

    /// Gives a member of the partner another role.
    pub async fn seats(&self, subject: &str, role: MemberRole) -> Result<Done> {
        let input = SetMemberRole {
            partner_id: self.partner.as_str().into(),
            subject: subject.to_owned(),
            role,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.set_member_role(&self.request(), &input).await
    }

    /// Lets a member speak for the partner no more.
    pub async fn dismisses(&self, subject: &str) -> Result<Done> {
        let input = RemoveMember {
            partner_id: self.partner.as_str().into(),
            subject: subject.to_owned(),
            reason: None,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.remove_member(&self.request(), &input).await
    }

    /// Says how the partner is reached.
    pub async fn is_reached(&self, purpose: ContactPurpose, email: &str) -> Result<Done> {
        let input = SetPartnerContact {
            partner_id: self.partner.as_str().into(),
            purpose,
            address: Some("2 Side Street".to_owned()),
            contact_number: "+1 555 0200".to_owned(),
            email_id: email.to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.set_partner_contact(&self.request(), &input).await
    }

    /// Takes back how the partner is reached.
    pub async fn is_reached_no_more(&self, purpose: ContactPurpose) -> Result<Done> {
        let input = RemovePartnerContact {
            partner_id: self.partner.as_str().into(),
            purpose,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.remove_partner_contact(&self.request(), &input).await
    }

    /// Says how the partner presents itself.
    pub async fn presents_itself(&self, logo_url: &str) -> Result<Done> {
        let input = UpdatePartner {
            partner_id: self.partner.as_str().into(),
            lang_code: Some("fra".to_owned()),
            logo_url: Some(logo_url.to_owned()),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.update_partner(&self.request(), &input).await
    }

    /// Chooses the policy group of the partner.
    pub async fn chooses_group(&self, group: &str) -> Result<Done> {
        let input = SelectPolicyGroup {
            partner_id: self.partner.as_str().into(),
            policy_group: group.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.select_policy_group(&self.request(), &input).await
    }

    /// Puts a partner into another policy group.
    pub async fn moves(&self, partner: &str, group: &str) -> Result<Done> {
        let input = MovePartnerToPolicyGroup {
            partner_id: partner.into(),
            policy_group: group.into(),
            reason: "For a test".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.move_partner_to_policy_group(&self.request(), &input).await
    }

    /// Agrees to the newest consent text.
    pub async fn consents(&self) -> Result<Done> {
        let input = GiveConsent {
            text_version: consent_text().version,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.give_consent(&self.request(), &input).await
    }

    /// Agrees to it no more.
    pub async fn withdraws_consent(&self) -> Result<Done> {
        let input = WithdrawConsent {
            reason: Some("For a test".to_owned()),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.withdraw_consent(&self.request(), &input).await
    }

    fn partner_type(&self) -> PartnerType {
        let credentials = self.actor.roles.contains(&Role::CredentialPartner);
        if credentials { PartnerType::CredentialPartner } else { PartnerType::AuthPartner }
    }

    /// The name of the partner's organisation.
    pub fn organization(&self) -> String {
        format!("{} Inc", self.partner)
    }

    /// Uploads a certificate of the partner.
    pub async fn uploads(&self, certificate: &Certificate) -> Result<Done> {
        self.uploads_with(certificate, None, None).await
    }

    /// Uploads a certificate that takes the place of the older ones at an instant.
    pub async fn renews(&self, certificate: &Certificate, until: DateTime<Utc>) -> Result<Done> {
        self.uploads_with(certificate, Some(until), None).await
    }

    /// Uploads a certificate with a proof that its private key is there.
    pub async fn uploads_with(
        &self,
        certificate: &Certificate,
        overlap_until: Option<DateTime<Utc>>,
        proof: Option<ProofOfPossession>,
    ) -> Result<Done> {
        let input = UploadPartnerCertificate {
            partner_id: self.partner.as_str().into(),
            certificate_data: certificate.pem(),
            overlap_until,
            proof,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.upload_partner_certificate(&self.request(), &input).await
    }

    /// Asks for something to sign.
    pub async fn is_challenged(&self) -> Result<CertificateChallenge> {
        let partner = self.partner.as_str().into();
        self.node.certificate_challenge(&self.request(), &partner).await
    }

    /// Declares a certificate of the partner unfit for ever.
    pub async fn revokes_certificate(&self, certificate: &Certificate) -> Result<Done> {
        let input = RevokePartnerCertificate {
            partner_id: self.partner.as_str().into(),
            fingerprint: certificate.sha256(),
            reason: "The key was stolen".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.revoke_partner_certificate(&self.request(), &input).await
    }

    /// Trusts an authority for authentication partners.
    pub async fn trusts(&self, authority: &Authority) -> Result<Done> {
        self.trusts_for(TrustDomain::Auth, authority).await
    }

    /// Trusts an authority for the partners of a domain.
    pub async fn trusts_for(
        &self,
        partner_domain: TrustDomain,
        authority: &Authority,
    ) -> Result<Done> {
        Ok(self.trusts_all(partner_domain, &[authority]).await?.done)
    }

    /// Trusts several authorities at once, in this order.
    pub async fn trusts_all(
        &self,
        partner_domain: TrustDomain,
        authorities: &[&Authority],
    ) -> Result<Uploaded> {
        let input = UploadTrustCertificate {
            partner_domain,
            certificate_data: authorities.iter().map(|it| it.pem()).collect(),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.upload_trust_certificate(&self.request(), &input).await
    }

    /// Attaches the list of an authority to its certificate.
    pub async fn attaches(&self, certificate: &str, crl: &str) -> Result<Done> {
        let input = AttachCrl {
            trust_certificate_id: certificate.into(),
            crl_data: crl.to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.attach_crl(&self.request(), &input).await
    }

    /// Creates a policy group.
    pub async fn creates_group(&self, name: &str) -> Result<Done> {
        let input = CreatePolicyGroup {
            name: name.to_owned(),
            description: "For a test".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.create_policy_group(&self.request(), &input).await
    }

    /// Gives a policy group another name.
    pub async fn renames_group(&self, group: &str, name: &str) -> Result<Done> {
        let input = UpdatePolicyGroup {
            policy_group_id: group.into(),
            name: name.to_owned(),
            description: "For a test".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.update_policy_group(&self.request(), &input).await
    }

    /// Starts a draft with a document of its type.
    pub async fn drafts(&self, group: &str, name: &str) -> Result<Done> {
        self.drafts_with(group, name, document()).await
    }

    /// Starts a draft with this document.
    pub async fn drafts_with(&self, group: &str, name: &str, document: Value) -> Result<Done> {
        self.drafts_of(PolicyType::Auth, group, name, document).await
    }

    /// Starts a draft of another type with this document.
    pub async fn drafts_of(
        &self,
        policy_type: PolicyType,
        group: &str,
        name: &str,
        document: Value,
    ) -> Result<Done> {
        let input = CreatePolicy { policy_type, policies: document, ..self.policy(group, name) };
        self.node.create_policy(&self.request(), &input).await
    }

    /// Starts a draft that takes the place of another policy.
    pub async fn supersedes(&self, policy: &str, group: &str, name: &str) -> Result<Done> {
        let input = CreatePolicy { supersedes: Some(policy.into()), ..self.policy(group, name) };
        self.node.create_policy(&self.request(), &input).await
    }

    fn policy(&self, group: &str, name: &str) -> CreatePolicy {
        CreatePolicy {
            policy_group_id: group.into(),
            policy_type: PolicyType::Auth,
            name: name.to_owned(),
            description: "For a test".to_owned(),
            version: "1".to_owned(),
            policies: document(),
            supersedes: None,
            idempotency_key: self.idempotency_key.clone(),
        }
    }

    /// Starts a draft with the content of another policy, under another name.
    pub async fn clones(&self, policy: &str, group: &str, name: &str) -> Result<Done> {
        let input = ClonePolicy {
            policy_id: policy.into(),
            policy_group_id: group.into(),
            name: Some(name.to_owned()),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.clone_policy(&self.request(), &input).await
    }

    /// Drafts and publishes a policy that shares biometrics.
    pub async fn offers_biometrics(&self, group: &str, name: &str) -> String {
        let input = CreatePolicy {
            policy_type: PolicyType::DataShare,
            policies: data_share(),
            ..self.policy(group, name)
        };
        let policy = self.node.create_policy(&self.request(), &input).await.unwrap().id;
        self.publishes(&policy).await.unwrap();
        policy
    }

    /// Makes an extractor known.
    pub async fn creates_extractor(&self, name: &str, modality: Modality) -> Result<Done> {
        let input = CreateExtractor {
            name: name.to_owned(),
            provider: "Acme".to_owned(),
            version: "1.1".to_owned(),
            modality,
            attribute_name: "photo".to_owned(),
            data_format: None,
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.create_extractor(&self.request(), &input).await
    }

    /// Writes a draft anew, under another name.
    pub async fn rewrites(&self, policy: &str, name: &str) -> Result<Done> {
        let input = UpdateDraftPolicy {
            policy_id: policy.into(),
            name: name.to_owned(),
            description: "Written anew".to_owned(),
            version: "2".to_owned(),
            policies: document(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.update_draft_policy(&self.request(), &input).await
    }

    /// Publishes a draft.
    pub async fn publishes(&self, policy: &str) -> Result<Done> {
        let input = PublishPolicy {
            policy_id: policy.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.publish_policy(&self.request(), &input).await
    }

    /// Drafts and publishes a policy.
    pub async fn offers(&self, group: &str, name: &str) -> String {
        let policy = self.drafts(group, name).await.unwrap().id;
        self.publishes(&policy).await.unwrap();
        policy
    }

    /// Asks for a policy.
    pub async fn requests(&self, policy: &str) -> Result<Done> {
        self.node.request_policy(&self.request(), &self.asks_for(policy, None, None)).await
    }

    /// Asks for a policy under which credentials of a type are received, with face templates.
    pub async fn requests_for(&self, policy: &str, credential: &str, face: &str) -> Result<Done> {
        let input = self.asks_for(policy, Some(credential), Some(face));
        self.node.request_policy(&self.request(), &input).await
    }

    /// Begins to ask for a policy, and names nothing else yet.
    pub async fn drafts_request(&self, policy: &str) -> Result<Done> {
        let input = RequestPolicy { as_draft: Some(true), ..self.asks_for(policy, None, None) };
        self.node.request_policy(&self.request(), &input).await
    }

    fn asks_for(
        &self,
        policy: &str,
        credential: Option<&str>,
        face: Option<&str>,
    ) -> RequestPolicy {
        RequestPolicy {
            partner_id: self.partner.as_str().into(),
            policy_id: policy.into(),
            comment: "We need it".to_owned(),
            credential_type: credential.map(ToOwned::to_owned),
            extractors: face.map(of_faces),
            as_draft: None,
            idempotency_key: self.idempotency_key.clone(),
        }
    }

    /// Writes the draft of a request anew, with a type of credential and face templates.
    pub async fn completes(&self, request: &str, credential: &str, face: &str) -> Result<Done> {
        let input = UpdateDraftPolicyRequest {
            policy_request_id: request.into(),
            comment: "We need it soon".to_owned(),
            credential_type: Some(credential.to_owned()),
            extractors: Some(of_faces(face)),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.update_draft_policy_request(&self.request(), &input).await
    }

    /// Asks what the draft of a request says.
    pub async fn submits(&self, request: &str) -> Result<Done> {
        let input = SubmitPolicyRequest {
            policy_request_id: request.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.submit_policy_request(&self.request(), &input).await
    }

    /// Allows a request.
    pub async fn approves(&self, request: &str) -> Result<Done> {
        let input = ApprovePolicyRequest {
            policy_request_id: request.into(),
            comment: None,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.approve_policy_request(&self.request(), &input).await
    }

    /// Takes a request back.
    pub async fn withdraws(&self, request: &str) -> Result<Done> {
        let input = WithdrawPolicyRequest {
            policy_request_id: request.into(),
            reason: None,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.withdraw_policy_request(&self.request(), &input).await
    }

    /// Does what somebody else has proposed.
    pub async fn confirms(&self, proposal: &str) -> Result<Done> {
        let input = ConfirmProposal {
            proposal_id: proposal.into(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.confirm_proposal(&self.request(), &input).await
    }

    /// Proposes to destroy the personal data of a subject.
    pub async fn erases(&self, kind: SubjectKind, id: &str) -> Result<Done> {
        let input = EraseSubject {
            kind,
            id: id.to_owned(),
            legal_ground: LegalGround::NoLongerNecessary,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.erase_subject(&self.request(), &input).await
    }

    /// Lets the origins of what this person did so far be known, as a request over HTTP does.
    pub async fn came_from(&self, address: &str) {
        let sql = "insert into request_log (request_id, client_address, user_agent, at) \
                   select distinct (metadata->>'request_id')::uuid, $2, 'a portal', recorded_at \
                   from events where metadata->>'actor' = $1 on conflict do nothing";
        let query = sqlx::query(sql).bind(&self.actor.subject).bind(address);
        query.execute(self.node.store().pool()).await.unwrap();
    }

    /// Generates a key under an approved policy.
    pub async fn generates_key(&self, policy: &str, label: &str) -> Result<Done> {
        let input = GenerateApiKey {
            partner_id: self.partner.as_str().into(),
            policy_id: policy.into(),
            label: label.to_owned(),
            expires_at: None,
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.generate_api_key(&self.request(), &input).await
    }

    /// Issues the successor of a key, which lives beside it until then: a week when absent.
    pub async fn rotates_key(&self, key: &str, until: Option<DateTime<Utc>>) -> Result<Done> {
        let input = RotateApiKey {
            api_key_id: key.into(),
            overlap_until: until,
            expires_at: None,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.rotate_api_key(&self.request(), &input).await
    }

    /// Lets a follower try again what it has parked: one key, or all.
    pub async fn replays(&self, follower: &str, key: Option<String>) -> Result<()> {
        let input = ReplayParked { follower: follower.to_owned(), key };
        self.node.replay_parked(&self.request(), &input).await
    }

    /// Lets a key end in so many days.
    pub async fn lets_key_end_in(&self, key: &str, days: i64) -> Result<Done> {
        self.lets_key_end_at(key, ::commands::now() + TimeDelta::days(days)).await
    }

    /// Lets a key end at an instant.
    pub async fn lets_key_end_at(&self, key: &str, expires_at: DateTime<Utc>) -> Result<Done> {
        let input = SetApiKeyExpiry {
            api_key_id: key.into(),
            expires_at,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.set_api_key_expiry(&self.request(), &input).await
    }

    /// Generates a licence for the partner of `provider`, under an approved policy or none.
    pub async fn generates_license(
        &self,
        provider: &Self,
        policy: Option<&str>,
        label: &str,
    ) -> Result<Done> {
        let input = GenerateMispLicense {
            partner_id: provider.partner.as_str().into(),
            policy_id: policy.map(Into::into),
            label: label.to_owned(),
            expires_at: None,
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.generate_misp_license(&self.request(), &input).await
    }

    /// Issues the successor of a licence, which lives beside it until then: a week when absent.
    pub async fn rotates_license(
        &self,
        license: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Done> {
        let input = RotateMispLicense {
            misp_license_id: license.into(),
            overlap_until: until,
            expires_at: None,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.rotate_misp_license(&self.request(), &input).await
    }

    /// Lets a licence end in so many days.
    pub async fn lets_license_end_in(&self, license: &str, days: i64) -> Result<Done> {
        let input = SetMispLicenseExpiry {
            misp_license_id: license.into(),
            expires_at: ::commands::now() + TimeDelta::days(days),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.set_misp_license_expiry(&self.request(), &input).await
    }

    /// Creates an OIDC client under an approved policy.
    pub async fn creates_client(&self, policy: &str, key: &Value) -> Result<Done> {
        let input = CreateOidcClient {
            partner_id: self.partner.as_str().into(),
            policy_id: policy.into(),
            public_key: key.to_string(),
            settings: client_settings("Portal"),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.create_oidc_client(&self.request(), &input).await
    }

    /// Gives an OIDC client another name.
    pub async fn renames_client(&self, client: &str, name: &str) -> Result<Done> {
        let input = UpdateOidcClient {
            oidc_client_id: client.into(),
            settings: client_settings(name),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.update_oidc_client(&self.request(), &input).await
    }

    /// Adds a key to an OIDC client; the older one ends then, or after a week.
    pub async fn rotates_client_key(
        &self,
        client: &str,
        key: &Value,
        overlap_until: Option<DateTime<Utc>>,
    ) -> Result<Done> {
        let input = RotateOidcClientKey {
            oidc_client_id: client.into(),
            public_key: key.to_string(),
            overlap_until,
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.rotate_oidc_client_key(&self.request(), &input).await
    }

    /// Ends one of two live keys of an OIDC client.
    pub async fn retires_client_key(&self, client: &str, key: &Value) -> Result<Done> {
        let input = RetireOidcClientKey {
            oidc_client_id: client.into(),
            key_id: super::jwk::thumbprint(key),
            reason: "For a test".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.retire_oidc_client_key(&self.request(), &input).await
    }
}

/// Wishes that name one thing, tell a reason, and carry what every wish may carry.
macro_rules! verbs {
    ($($(#[$meta:meta])* $verb:ident: $command:ident($input:ident, $id:ident);)*) => {
        impl Person {
            $($(#[$meta])*
            pub async fn $verb(&self, id: &str) -> Result<Done> {
                let input = $input {
                    $id: id.into(),
                    reason: "For a test".to_owned(),
                    idempotency_key: self.idempotency_key.clone(),
                    expected_version: self.expected_version,
                };
                self.node.$command(&self.request(), &input).await
            })*
        }
    };
}
verbs! {
    /// Stops a partner for a while.
    suspends: suspend_partner(SuspendPartner, partner_id);
    /// Lifts a suspension.
    reactivates: reactivate_partner(ReactivatePartner, partner_id);
    /// Ends a partner.
    deactivates: deactivate_partner(DeactivatePartner, partner_id);
    /// Trusts a certificate no more.
    disables: disable_trust_certificate(DisableTrustCertificate, trust_certificate_id);
    /// Trusts a certificate again.
    enables: enable_trust_certificate(EnableTrustCertificate, trust_certificate_id);
    /// Trusts a certificate never again.
    revokes_trust: revoke_trust_certificate(RevokeTrustCertificate, trust_certificate_id);
    /// Closes a policy group.
    closes_group: deactivate_policy_group(DeactivatePolicyGroup, policy_group_id);
    /// Opens a policy group again.
    opens_group: reactivate_policy_group(ReactivatePolicyGroup, policy_group_id);
    /// Ends a published policy.
    retires: deactivate_policy(DeactivatePolicy, policy_id);
    /// Throws a draft away.
    discards: discard_draft_policy(DiscardDraftPolicy, policy_id);
    /// Refuses a request.
    rejects: reject_policy_request(RejectPolicyRequest, policy_request_id);
    /// Ends an approved request.
    revokes: revoke_policy_request(RevokePolicyRequest, policy_request_id);
    /// Does not do what was proposed.
    refuses: refuse_proposal(RefuseProposal, proposal_id);
    /// Takes an extractor off the menu.
    deletes_extractor: delete_extractor(DeleteExtractor, extractor_id);
    /// Refuses a secure biometric interface.
    rejects_sbi: reject_sbi(RejectSbi, sbi_id);
    /// Ends a secure biometric interface.
    ends_sbi: deactivate_sbi(DeactivateSbi, sbi_id);
    /// Refuses a device.
    rejects_device: reject_device(RejectDevice, device_id);
    /// Ends a device.
    ends_device: deactivate_device(DeactivateDevice, device_id);
    /// Refuses a chip.
    rejects_chip: reject_ftm_chip(RejectFtmChip, ftm_chip_id);
    /// Ends a chip.
    ends_chip: deactivate_ftm_chip(DeactivateFtmChip, ftm_chip_id);
    /// Ends a key.
    ends_key: deactivate_api_key(DeactivateApiKey, api_key_id);
    /// Ends a licence.
    ends_license: deactivate_misp_license(DeactivateMispLicense, misp_license_id);
    /// Ends an OIDC client.
    ends_client: deactivate_oidc_client(DeactivateOidcClient, oidc_client_id);
}

/// A valid document of an authentication policy.
pub fn document() -> Value {
    json!({"authTokenType": "policy", "allowedAuthTypes": [], "allowedKycAttributes": []})
}

/// A valid document of the policy of an infrastructure provider.
pub fn delegation() -> Value {
    json!({"allowAuthRequestDelegation": true, "allowKycRequestDelegation": true,
           "allowKeyBindingDelegation": false})
}

/// An infrastructure provider that was let in.
pub struct Provider {
    /// Speaks for it.
    pub mia: Person,
    /// The policy that it was approved for.
    pub policy: String,
    /// The request that was approved.
    pub request: String,
}

/// A valid document of a data share with biometrics.
pub fn data_share() -> Value {
    json!({
        "dataSharePolicies": {
            "typeOfShare": "Data Share", "validForInMinutes": "30", "transactionsAllowed": "2",
            "encryptionType": "Partner Based", "shareDomain": "datashare", "source": "Print"
        },
        "shareableAttributes": [{
            "attributeName": "photo", "group": "CBEFF", "encrypted": true, "format": "extraction",
            "source": [{"attribute": "individualBiometrics", "filter": [{"type": "Face"}]}]
        }]
    })
}

fn of_faces(extractor: &str) -> Vec<ChosenExtractor> {
    vec![ChosenExtractor { modality: Modality::Face, extractor_id: extractor.into() }]
}

/// A document under which OIDC clients can work.
pub fn sign_in_document() -> Value {
    json!({"authTokenType": "policy", "allowedKycAttributes": [{"attributeName": "fullName"}],
           "allowedAuthTypes": [{"authType": "otp", "mandatory": false}]})
}

fn client_settings(name: &str) -> OidcClientSettings {
    OidcClientSettings {
        name: name.to_owned(),
        names: Vec::new(),
        logo_uri: "https://portal.example/logo.png".to_owned(),
        redirect_uris: vec!["https://portal.example/callback".to_owned()],
        grant_types: None,
        client_auth_methods: None,
    }
}

/// A market at work: a trusted authority, an open group with a published policy, and Alice, whose
/// partner is active.
pub struct Market {
    /// Runs partner management.
    pub admin: Person,
    /// Writes policies.
    pub manager: Person,
    /// Speaks for an active partner.
    pub alice: Person,
    /// Issues partners' certificates.
    pub authority: Authority,
    /// An open policy group.
    pub group: String,
    /// A published policy.
    pub policy: String,
}

impl Market {
    /// Opens on a node.
    pub async fn open(node: &Commands) -> Self {
        let (admin, manager) = (admin(node), policy_manager(node));
        let authority = Authority::root("AUTH Root");
        admin.trusts(&authority).await.unwrap();
        let group = manager.creates_group("Banking").await.unwrap().id;
        let policy = manager.offers(&group, "KYC").await;
        let alice = partner(node, "alice");
        let market = Self { admin, manager, alice, authority, group, policy };
        market.welcome(&market.alice).await;
        market
    }

    /// Registers somebody's partner and makes it active.
    pub async fn welcome(&self, person: &Person) {
        person.registers(&self.group).await.unwrap();
        person.uploads(&self.authority.leaf(&person.organization())).await.unwrap();
    }

    /// A request of Alice that was approved.
    pub async fn approved_request(&self) -> String {
        let request = self.alice.requests(&self.policy).await.unwrap().id;
        self.admin.approves(&request).await.unwrap();
        request
    }

    /// Lets in an infrastructure provider that works under a policy.
    pub async fn provider(&self) -> Provider {
        let mia = provider(self.admin.node(), "mia");
        let group = self.manager.creates_group("Infrastructure").await.unwrap().id;
        let draft =
            self.manager.drafts_of(PolicyType::Misp, &group, "Delegation", delegation()).await;
        let policy = draft.unwrap().id;
        self.manager.publishes(&policy).await.unwrap();
        self.lets_in(&mia, Some(&group)).await;
        let request = mia.requests(&policy).await.unwrap().id;
        self.admin.approves(&request).await.unwrap();
        Provider { mia, policy, request }
    }

    /// Registers somebody's infrastructure provider and makes it active.
    pub async fn lets_in(&self, person: &Person, group: Option<&str>) {
        let registered = self.admin.registers_for(person, PartnerType::MispPartner, group).await;
        registered.unwrap();
        let authority = Authority::root(&format!("MISP Root of {}", person.partner));
        self.admin.trusts_for(TrustDomain::Misp, &authority).await.unwrap();
        person.uploads(&authority.leaf(&person.organization())).await.unwrap();
    }

    /// A published policy for OIDC clients, for which a person's partner was approved by the request
    /// that is told too.
    pub async fn sign_in_policy(&self, person: &Person) -> (String, String) {
        self.sign_in_policy_named("Sign-in", person).await
    }

    /// The same under a name.
    pub async fn sign_in_policy_named(&self, name: &str, person: &Person) -> (String, String) {
        let draft = self.manager.drafts_with(&self.group, name, sign_in_document()).await;
        let policy = draft.unwrap().id;
        self.manager.publishes(&policy).await.unwrap();
        let request = person.requests(&policy).await.unwrap().id;
        self.admin.approves(&request).await.unwrap();
        (policy, request)
    }

    /// Any command that succeeds and concerns nobody.
    pub async fn anything(&self) -> Result<Done> {
        self.manager.creates_group(&::commands::new_id().to_string()).await
    }

    /// Everything that can happen to every noun happens, some of it by authorities with RSA keys.
    pub async fn busy_day(&self, node: &Commands) {
        self.manager_works().await;
        let issuer = self.authorities_come_and_go().await;
        self.requests_take_every_way(&partner(node, "bob"), &issuer).await;
        self.credentials_are_asked_for(&credential_partner(node, "paula")).await;
        self.partners_are_stopped_and_ended(&partner(node, "carol")).await;
        self.keys_follow_each_other(&partner(node, "erin")).await;
        self.licenses_come_and_go().await;
        self.clients_come_and_go(&partner(node, "olga")).await;
        node.tell_expired(::commands::now()).await.unwrap();
        self.proposals_take_every_way(node).await;
        self.a_partner_is_given_another_shape(&partner(node, "gus")).await;
        self.subjects_are_erased(&partner(node, "lea")).await;
        self.a_group_is_chosen(&misp(node, "mina")).await;
        self.certificates_follow_each_other(&partner(node, "hugo")).await;
        Makers::open(node).await.busy_day().await;
        node.tell_expired(::commands::now() + TimeDelta::days(36_500)).await.unwrap();
    }

    async fn a_partner_is_given_another_shape(&self, gus: &Person) {
        self.welcome(gus).await;
        gus.invites("erin", MemberRole::Viewer).await.unwrap();
        gus.seats("erin", MemberRole::Operator).await.unwrap();
        gus.invites("frank", MemberRole::Manager).await.unwrap();
        gus.dismisses("frank").await.unwrap();
        for purpose in [ContactPurpose::Primary, ContactPurpose::Technical, ContactPurpose::Billing]
        {
            gus.is_reached(purpose, "new@example.org").await.unwrap();
        }
        gus.is_reached_no_more(ContactPurpose::Billing).await.unwrap();
        gus.presents_itself("https://gus.example/logo.png").await.unwrap();
        gus.consents().await.unwrap();
        self.admin.consents().await.unwrap();
        self.admin.withdraws_consent().await.unwrap();
    }

    async fn subjects_are_erased(&self, lea: &Person) {
        self.welcome(lea).await;
        lea.came_from("192.0.2.1").await;
        for (kind, id) in [(SubjectKind::Partner, &*lea.partner), (SubjectKind::Person, "lea")] {
            let proposal = self.admin.erases(kind, id).await.unwrap().id;
            second_admin(lea.node()).confirms(&proposal).await.unwrap();
        }
        lea.is_reached(ContactPurpose::Primary, "lea@example.org").await.unwrap();
    }

    async fn certificates_follow_each_other(&self, hugo: &Person) {
        self.welcome(hugo).await;
        let [second, third] = [(); 2].map(|()| self.authority.leaf(&hugo.organization()));
        let in_a_month = ::commands::now() + TimeDelta::days(30);
        hugo.renews(&second, in_a_month).await.unwrap();
        hugo.renews(&third, ::commands::now()).await.unwrap();
        hugo.revokes_certificate(&second).await.unwrap();
    }

    async fn a_group_is_chosen(&self, mina: &Person) {
        self.admin.registers_for(mina, PartnerType::MispPartner, None).await.unwrap();
        let other = self.manager.creates_group("Networks").await.unwrap().id;
        mina.chooses_group(&other).await.unwrap();
        self.admin.moves(&mina.partner, &self.group).await.unwrap();
    }

    async fn manager_works(&self) {
        let manager = &self.manager;
        let group = manager.creates_group("Health").await.unwrap().id;
        manager.renames_group(&group, "Health and Care").await.unwrap();
        let draft = manager.drafts(&group, "Records").await.unwrap().id;
        manager.rewrites(&draft, "Patient records").await.unwrap();
        manager.discards(&draft).await.unwrap();
        let policy = manager.offers(&group, "Prescriptions").await;
        manager.retires(&policy).await.unwrap();
        let successor = manager.supersedes(&policy, &group, "Prescriptions").await.unwrap().id;
        manager.discards(&successor).await.unwrap();
        manager.clones(&policy, &self.group, "Prescriptions for banks").await.unwrap();
        manager.closes_group(&group).await.unwrap();
        manager.opens_group(&group).await.unwrap();
    }

    async fn credentials_are_asked_for(&self, print: &Person) {
        self.welcome(print).await;
        let policy = self.manager.offers_biometrics(&self.group, "Cards").await;
        let old = self.admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
        self.admin.deletes_extractor(&old).await.unwrap();
        let face = self.admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
        let request = print.drafts_request(&policy).await.unwrap().id;
        print.completes(&request, "euin", &face).await.unwrap();
        print.submits(&request).await.unwrap();
        self.admin.approves(&request).await.unwrap();
        let cloned = self.manager.clones(&policy, &self.group, "More cards").await.unwrap().id;
        self.manager.publishes(&cloned).await.unwrap();
        print.drafts_request(&cloned).await.unwrap();
    }

    async fn authorities_come_and_go(&self) -> Authority {
        let root = Authority::rsa_root("AUTH RSA Root");
        let trusted = self.admin.trusts(&root).await.unwrap().id;
        let issuer = root.intermediate("AUTH RSA Issuing CA");
        self.admin.trusts(&issuer).await.unwrap();
        self.admin.disables(&trusted).await.unwrap();
        self.admin.enables(&trusted).await.unwrap();
        let (old, below) = (Authority::root("AUTH Old Root"), root.intermediate("AUTH Old CA"));
        let old_root = self.admin.trusts_all(TrustDomain::Auth, &[&below, &old]).await.unwrap();
        self.admin.revokes_trust(old_root.certificates[1].id.as_str()).await.unwrap();
        let crl = root.takes_back(1, &[below.certificate()]);
        self.admin.attaches(&trusted, &crl).await.unwrap();
        issuer
    }

    async fn requests_take_every_way(&self, bob: &Person, issuer: &Authority) {
        bob.registers(&self.group).await.unwrap();
        bob.uploads(&issuer.rsa_leaf(&bob.organization())).await.unwrap();
        let withdrawn = bob.requests(&self.policy).await.unwrap().id;
        bob.withdraws(&withdrawn).await.unwrap();
        let rejected = bob.requests(&self.policy).await.unwrap().id;
        self.admin.rejects(&rejected).await.unwrap();
        let revoked = bob.requests(&self.policy).await.unwrap().id;
        self.admin.approves(&revoked).await.unwrap();
        let key = bob.generates_key(&self.policy, "one").await.unwrap().id;
        bob.ends_key(&key).await.unwrap();
        bob.generates_key(&self.policy, "two").await.unwrap();
        self.admin.revokes(&revoked).await.unwrap();
        bob.requests(&self.policy).await.unwrap();
    }

    async fn partners_are_stopped_and_ended(&self, carol: &Person) {
        self.welcome(carol).await;
        for person in [&self.alice, carol] {
            let request = person.requests(&self.policy).await.unwrap().id;
            self.admin.approves(&request).await.unwrap();
            person.generates_key(&self.policy, "one").await.unwrap();
            self.admin.suspends(&person.partner).await.unwrap();
            self.admin.reactivates(&person.partner).await.unwrap();
        }
        self.admin.deactivates(&carol.partner).await.unwrap();
    }

    async fn keys_follow_each_other(&self, erin: &Person) {
        self.welcome(erin).await;
        let request = erin.requests(&self.policy).await.unwrap().id;
        self.admin.approves(&request).await.unwrap();
        let first = erin.generates_key(&self.policy, "one").await.unwrap().id;
        let second = erin.rotates_key(&first, Some(::commands::now())).await.unwrap().id;
        erin.lets_key_end_in(&second, 90).await.unwrap();
        erin.rotates_key(&second, None).await.unwrap();
    }

    async fn licenses_come_and_go(&self) {
        let Provider { mia, policy, .. } = self.provider().await;
        let first = self.admin.generates_license(&mia, Some(&policy), "one").await.unwrap().id;
        let second = mia.rotates_license(&first, Some(::commands::now())).await.unwrap().id;
        self.admin.lets_license_end_in(&second, 90).await.unwrap();
        self.admin.suspends(&mia.partner).await.unwrap();
        self.admin.reactivates(&mia.partner).await.unwrap();
        mia.ends_license(&second).await.unwrap();
    }

    async fn proposals_take_every_way(&self, node: &Commands) {
        let dave = partner(node, "dave");
        self.welcome(&dave).await;
        let admin = self.admin.at(&node.clone().with_four_eyes(true));
        let proposes = async || admin.deactivates(&dave.partner).await.unwrap().id;
        let lapses = proposes().await;
        admin.refuses(&proposes().await).await.unwrap();
        second_admin(node).confirms(&proposes().await).await.unwrap();
        let late = ::commands::now() + domain::proposal::MAX_WAIT;
        node.tell_expired(late).await.unwrap();
        assert!(second_admin(node).confirms(&lapses).await.is_err());
    }

    async fn clients_come_and_go(&self, dora: &Person) {
        self.welcome(dora).await;
        let (policy, request) = self.sign_in_policy(dora).await;
        let keys = ["1", "2", "3", "4"].map(super::jwk::key);
        let portal = dora.creates_client(&policy, &keys[0]).await.unwrap().id;
        dora.renames_client(&portal, "Shop").await.unwrap();
        dora.rotates_client_key(&portal, &keys[1], None).await.unwrap();
        dora.retires_client_key(&portal, &keys[0]).await.unwrap();
        let now = ::commands::now();
        dora.rotates_client_key(&portal, &keys[2], Some(now)).await.unwrap();
        dora.node.tell_expired(::commands::now()).await.unwrap();
        let app = dora.creates_client(&policy, &keys[3]).await.unwrap().id;
        self.admin.suspends(&dora.partner).await.unwrap();
        self.admin.reactivates(&dora.partner).await.unwrap();
        dora.ends_client(&app).await.unwrap();
        self.admin.revokes(&request).await.unwrap();
    }
}
