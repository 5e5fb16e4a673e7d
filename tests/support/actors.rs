//! People, and what they do, in the words of the business.

use super::certificates::Authority;
use ::commands::api_key::{DeactivateApiKey, GenerateApiKey};
use ::commands::oidc_client::{
    CreateOidcClient, DeactivateOidcClient, OidcClientSettings, RetireOidcClientKey,
    RotateOidcClientKey, UpdateOidcClient,
};
use ::commands::partner::{
    DeactivatePartner, ReactivatePartner, RegisterPartner, SuspendPartner, UploadPartnerCertificate,
};
use ::commands::policy::{
    CreatePolicy, DeactivatePolicy, DiscardDraftPolicy, PublishPolicy, UpdateDraftPolicy,
};
use ::commands::policy_group::{
    CreatePolicyGroup, DeactivatePolicyGroup, ReactivatePolicyGroup, UpdatePolicyGroup,
};
use ::commands::policy_request::{
    ApprovePolicyRequest, RejectPolicyRequest, RequestPolicy, RevokePolicyRequest,
    WithdrawPolicyRequest,
};
use ::commands::proposal::{ConfirmProposal, RefuseProposal};
use ::commands::trust_certificate::{
    DisableTrustCertificate, EnableTrustCertificate, UploadTrustCertificate,
};
use ::commands::{Commands, Done, Request, Result};
use chrono::{DateTime, Utc};
use domain::actor::{Actor, Role};
use domain::certificate::Certificate;
use domain::policy_document::PolicyType;
use domain::reference::{PartnerType, TrustDomain};
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
            partner_type: PartnerType::AuthPartner,
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
        let input = CreatePolicy {
            policy_group_id: group.into(),
            policy_type: PolicyType::Auth,
            name: name.to_owned(),
            description: "For a test".to_owned(),
            version: "1".to_owned(),
            policies: document,
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.create_policy(&self.request(), &input).await
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
        let input = RequestPolicy {
            partner_id: self.partner.as_str().into(),
            policy_id: policy.into(),
            comment: "We need it".to_owned(),
            idempotency_key: self.idempotency_key.clone(),
        };
        self.node.request_policy(&self.request(), &input).await
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
    /// Ends a key.
    ends_key: deactivate_api_key(DeactivateApiKey, api_key_id);
    /// Ends an OIDC client.
    ends_client: deactivate_oidc_client(DeactivateOidcClient, oidc_client_id);
}

/// A valid document of an authentication policy.
pub fn document() -> Value {
    json!({"authTokenType": "policy", "allowedAuthTypes": [], "allowedKycAttributes": []})
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
        self.partners_are_stopped_and_ended(&partner(node, "carol")).await;
        self.proposals_take_every_way(node).await;
        self.clients_come_and_go(&partner(node, "dora")).await;
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
        manager.closes_group(&group).await.unwrap();
        manager.opens_group(&group).await.unwrap();
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
