//! People, and what they do, in the words of the business.

use super::certificates::Authority;
use ::commands::api_key::{DeactivateApiKey, GenerateApiKey};
use ::commands::extractor::{CreateExtractor, DeleteExtractor};
use ::commands::partner::{
    DeactivatePartner, ReactivatePartner, RegisterPartner, SuspendPartner, UploadPartnerCertificate,
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
use ::commands::trust_certificate::{
    DisableTrustCertificate, EnableTrustCertificate, UploadTrustCertificate,
};
use ::commands::{Commands, Done, Request, Result};
use domain::actor::{Actor, Role};
use domain::certificate::Certificate;
use domain::policy_document::PolicyType;
use domain::reference::{Modality, PartnerType, TrustDomain};
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

/// Speaks for an authentication partner, whose id is `<name>-co`.
pub fn partner(node: &Commands, name: &str) -> Person {
    Person::new(node, name, Role::AuthPartner)
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
            partner_id: self.partner.clone(),
            organization_name: self.organization(),
            partner_type: self.partner_type(),
            policy_group: Some(group.into()),
            address: "1 Main Street".to_owned(),
            contact_number: "+1 555 0100".to_owned(),
            email_id: email.to_owned(),
            lang_code: None,
            logo_url: None,
            member: None,
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.register_partner(&self.request(), &input).await
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
        let input = UploadPartnerCertificate {
            partner_id: self.partner.as_str().into(),
            certificate_data: certificate.pem(),
            idempotency_key: self.idempotency_key.clone(),
            expected_version: self.expected_version,
        };
        self.node.upload_partner_certificate(&self.request(), &input).await
    }

    /// Trusts an authority for authentication partners.
    pub async fn trusts(&self, authority: &Authority) -> Result<Done> {
        let input = UploadTrustCertificate {
            partner_domain: TrustDomain::Auth,
            certificate_data: authority.pem(),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.upload_trust_certificate(&self.request(), &input).await
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
        let input = CreatePolicy { policies: document, ..self.policy(group, name) };
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
    /// Ends a key.
    ends_key: deactivate_api_key(DeactivateApiKey, api_key_id);
}

/// A valid document of an authentication policy.
pub fn document() -> Value {
    json!({"authTokenType": "policy", "allowedAuthTypes": [], "allowedKycAttributes": []})
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
        self.proposals_take_every_way(node).await;
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
}
