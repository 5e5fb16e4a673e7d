//! The policies that partners of the demo ask for: some of those that every system starts with, and
//! the demo's own, which take every way that a policy can take.

use super::character::Character;
use super::{key, staff};
use commands::policy::{
    ClonePolicy, CreatePolicy, DeactivatePolicy, DiscardDraftPolicy, PublishPolicy,
};
use commands::policy_group::{CreatePolicyGroup, DeactivatePolicyGroup};
use commands::{Commands, Result};
use domain::defaults::{DefaultPolicy, policies, policy_groups};
use domain::ids::{PolicyGroupId, PolicyId};
use domain::policy_document::{PolicyType, shares_biometrics};
use domain::reference::{GroupRule, PartnerType};
use serde_json::{Value, json};

/// The default group in which authentication partners work.
const AUTH_GROUP: &str = "mpolicygroup-default-auth";

/// A policy that partners of its group can ask for.
pub struct Offer {
    pub group: PolicyGroupId,
    pub policy: PolicyId,
    /// Whether who asks has to name extractors.
    pub biometrics: bool,
}

/// What can be asked for.
pub struct Menu {
    /// For authentication partners: OIDC clients work under it.
    sign_in: Offer,
    /// For infrastructure providers.
    delegation: Offer,
    /// One data share of each default group that has any.
    shares: Vec<Offer>,
    /// A policy that nobody asks for.
    pub pilot: PolicyId,
}

impl Menu {
    /// Writes what is not there yet.
    pub async fn write(commands: &Commands, seed: u64) -> Result<Self> {
        let author = Author { commands, seed };
        let sign_in = author.publishes(&AUTH_GROUP.into(), "Sign-in", &sign_in()).await?;
        let infrastructure = author.opens("Infrastructure").await?;
        let delegation = author.publishes(&infrastructure, "Delegation", &delegation()).await?;
        let pilots = author.opens("Pilots").await?;
        let pilot = author.publishes(&pilots, "Pilot", &name_only()).await?;
        author.succeeds(&sign_in).await?;
        author.clones(&sign_in.policy, &pilots).await?;
        author.discards(&pilots).await?;
        author.closes().await?;
        Ok(Self { sign_in, delegation, shares: shares(), pilot: pilot.policy })
    }

    /// The policy that a partner asks for, if it works under policies. An infrastructure provider
    /// may, or may not.
    pub fn policy(&self, one: &Character) -> Option<&Offer> {
        match (one.partner_type, one.partner_type.terms().policy_group) {
            (PartnerType::AuthPartner, _) => Some(&self.sign_in),
            (_, GroupRule::Needed) => self.shares.get(one.number as usize % self.shares.len()),
            (_, GroupRule::Optional) => Some(&self.delegation).filter(|_| one.asks_for_a_policy()),
            (_, GroupRule::None) => None,
        }
    }
}

/// Groups without a policy of their own are passed over.
fn shares() -> Vec<Offer> {
    let policies = policies();
    let first = |group: &str| policies.iter().find(|policy| policy.group_id == group);
    policy_groups().iter().filter_map(|group| first(group.id).map(Offer::from)).collect()
}

impl From<&DefaultPolicy> for Offer {
    fn from(policy: &DefaultPolicy) -> Self {
        let biometrics = shares_biometrics(&policy.document);
        Self { group: policy.group_id.into(), policy: policy.id.into(), biometrics }
    }
}

/// Writes the demo's own policies.
struct Author<'a> {
    commands: &'a Commands,
    seed: u64,
}

impl Author<'_> {
    fn name(&self, name: &str) -> String {
        format!("Demo {} {name}", self.seed)
    }

    fn key(&self, what: &str) -> String {
        key(self.seed, what)
    }

    async fn opens(&self, name: &str) -> Result<PolicyGroupId> {
        let input = CreatePolicyGroup {
            name: self.name(name),
            description: format!("{name} of the demo"),
            idempotency_key: Some(self.key(name)),
        };
        Ok(self.commands.create_policy_group(&staff(), &input).await?.id.as_str().into())
    }

    fn draft(&self, group: &PolicyGroupId, name: &str, document: &Document) -> CreatePolicy {
        CreatePolicy {
            policy_group_id: group.clone(),
            policy_type: document.policy_type,
            name: self.name(name),
            description: document.description.to_owned(),
            version: "1".to_owned(),
            policies: document.content.clone(),
            supersedes: None,
            idempotency_key: Some(self.key(name)),
        }
    }

    async fn drafts(&self, input: &CreatePolicy) -> Result<PolicyId> {
        Ok(self.commands.create_policy(&staff(), input).await?.id.as_str().into())
    }

    async fn publishes(
        &self,
        group: &PolicyGroupId,
        name: &str,
        document: &Document,
    ) -> Result<Offer> {
        let policy = self.drafts(&self.draft(group, name, document)).await?;
        let input = PublishPolicy {
            policy_id: policy.clone(),
            idempotency_key: Some(self.key(&format!("publish {name}"))),
            expected_version: None,
        };
        self.commands.publish_policy(&staff(), &input).await?;
        Ok(Offer { group: group.clone(), policy, biometrics: false })
    }

    /// The next version of a policy is being written, under the same name.
    async fn succeeds(&self, old: &Offer) -> Result<()> {
        let input = CreatePolicy {
            version: "2".to_owned(),
            supersedes: Some(old.policy.clone()),
            idempotency_key: Some(self.key("successor")),
            ..self.draft(&old.group, "Sign-in", &name_only())
        };
        self.drafts(&input).await?;
        Ok(())
    }

    /// A policy is to be used in another group, too.
    async fn clones(&self, policy: &PolicyId, group: &PolicyGroupId) -> Result<()> {
        let input = ClonePolicy {
            policy_id: policy.clone(),
            policy_group_id: group.clone(),
            name: Some(self.name("Sign-in for pilots")),
            idempotency_key: Some(self.key("clone")),
        };
        self.commands.clone_policy(&staff(), &input).await?;
        Ok(())
    }

    /// A draft that came to nothing.
    async fn discards(&self, group: &PolicyGroupId) -> Result<()> {
        let draft = self.draft(group, "Sign-in by phone call", &name_only());
        let input = DiscardDraftPolicy {
            policy_id: self.drafts(&draft).await?,
            reason: "Nobody picks up".to_owned(),
            idempotency_key: Some(self.key("discard")),
            expected_version: None,
        };
        self.commands.discard_draft_policy(&staff(), &input).await?;
        Ok(())
    }

    /// A group that is closed, and the policy that ended before.
    async fn closes(&self) -> Result<()> {
        let group = self.opens("Trial").await?;
        let policy = self.publishes(&group, "Trial sign-in", &name_only()).await?.policy;
        let (reason, expected_version) = ("The trial is over".to_owned(), None);
        let input = DeactivatePolicy {
            policy_id: policy,
            reason: reason.clone(),
            idempotency_key: Some(self.key("end policy")),
            expected_version,
        };
        self.commands.deactivate_policy(&staff(), &input).await?;
        let idempotency_key = Some(self.key("close group"));
        let policy_group_id = group;
        let input =
            DeactivatePolicyGroup { policy_group_id, reason, idempotency_key, expected_version };
        self.commands.deactivate_policy_group(&staff(), &input).await?;
        Ok(())
    }
}

/// What a policy says.
struct Document {
    policy_type: PolicyType,
    description: &'static str,
    content: Value,
}

/// People sign in, and the client is told who they are.
fn sign_in() -> Document {
    Document {
        policy_type: PolicyType::Auth,
        description: "Sign-in with name, birth date and e-mail address",
        content: json!({
            "authTokenType": "partner",
            "allowedAuthTypes": [
                {"authType": "otp", "mandatory": false}, {"authType": "bio", "mandatory": false}
            ],
            "allowedKycAttributes": [
                {"attributeName": "fullName"}, {"attributeName": "dateOfBirth"},
                {"attributeName": "email"}
            ],
            "kycLanguages": ["eng", "fra"]
        }),
    }
}

/// People sign in, and the client is told their names only.
fn name_only() -> Document {
    Document {
        policy_type: PolicyType::Auth,
        description: "Sign-in with the name alone",
        content: json!({
            "authTokenType": "policy",
            "allowedAuthTypes": [{"authType": "otp", "mandatory": false}],
            "allowedKycAttributes": [{"attributeName": "fullName"}]
        }),
    }
}

/// A network asks on behalf of others.
fn delegation() -> Document {
    Document {
        policy_type: PolicyType::Misp,
        description: "Authentication and KYC on behalf of others",
        content: json!({
            "allowAuthRequestDelegation": true, "allowKycRequestDelegation": true,
            "allowKeyBindingDelegation": false
        }),
    }
}
