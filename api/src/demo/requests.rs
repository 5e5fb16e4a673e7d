//! What partners ask for, what becomes of it, and the keys and licences that follow.

use super::character::{Character, Fate};
use super::menu::Offer;
use super::{World, staff};
use commands::api_key::{GenerateApiKey, RotateApiKey};
use commands::misp_license::GenerateMispLicense;
use commands::policy_request::{
    ApprovePolicyRequest, RejectPolicyRequest, RequestPolicy, RevokePolicyRequest,
    WithdrawPolicyRequest,
};
use commands::{Done, Result};
use domain::ids::{PolicyId, PolicyRequestId};
use domain::reference::PartnerType;

impl World<'_> {
    /// What partners do that make nothing. A network works with or without a policy.
    pub(super) async fn work_under_policies(&self, one: &Character) -> Result<()> {
        match self.menu.policy(one) {
            Some(offer) if one.fate == Fate::Active => self.hesitate(one, offer).await,
            Some(offer) => self.ask_for(one, offer).await,
            None if one.partner_type == PartnerType::MispPartner => {
                self.generate_license(one, None).await
            }
            None => Ok(()),
        }
    }

    /// A request that has not been made yet, or not any more.
    async fn hesitate(&self, one: &Character, offer: &Offer) -> Result<()> {
        if one.names_credentials() {
            let draft = RequestPolicy {
                credential_type: None,
                extractors: None,
                as_draft: Some(true),
                ..self.question(one, offer)
            };
            self.commands.request_policy(&one.request(), &draft).await?;
            return Ok(());
        }
        let input = WithdrawPolicyRequest {
            policy_request_id: self.request(one, offer).await?,
            reason: Some("Asked too early".to_owned()),
            idempotency_key: Some(one.key("withdraw")),
            expected_version: None,
        };
        self.commands.withdraw_policy_request(&one.request(), &input).await?;
        Ok(())
    }

    /// A request and what becomes of it.
    async fn ask_for(&self, one: &Character, offer: &Offer) -> Result<()> {
        let request = self.request(one, offer).await?;
        match one.fate {
            Fate::Registered | Fate::Active | Fate::Requested => Ok(()),
            Fate::Rejected => self.reject(one, request).await,
            Fate::Approved => self.approve(one, request).await,
            Fate::Keyed | Fate::Suspended | Fate::Deactivated => {
                self.approve(one, request).await?;
                self.work(one, &offer.policy).await
            }
            Fate::Revoked => {
                self.approve(one, request.clone()).await?;
                self.work(one, &offer.policy).await?;
                self.revoke(one, request).await
            }
        }
    }

    async fn request(&self, one: &Character, offer: &Offer) -> Result<PolicyRequestId> {
        let asked = self.question(one, offer);
        let done = self.commands.request_policy(&one.request(), &asked).await?;
        Ok(done.id.as_str().into())
    }

    fn question(&self, one: &Character, offer: &Offer) -> RequestPolicy {
        let needed = one.names_credentials() && offer.biometrics;
        RequestPolicy {
            partner_id: one.partner_id(),
            policy_id: offer.policy.clone(),
            comment: "For our branches".to_owned(),
            credential_type: one.credential_type(),
            extractors: needed.then(|| self.extractors.clone()),
            as_draft: None,
            idempotency_key: Some(one.key("request")),
        }
    }

    async fn reject(&self, one: &Character, policy_request_id: PolicyRequestId) -> Result<()> {
        let input = RejectPolicyRequest {
            policy_request_id,
            reason: "The use case is not described".to_owned(),
            idempotency_key: Some(one.key("reject")),
            expected_version: None,
        };
        self.commands.reject_policy_request(&staff(), &input).await?;
        Ok(())
    }

    async fn approve(&self, one: &Character, policy_request_id: PolicyRequestId) -> Result<()> {
        let input = ApprovePolicyRequest {
            policy_request_id,
            comment: Some("Welcome".to_owned()),
            idempotency_key: Some(one.key("approve")),
            expected_version: None,
        };
        self.commands.approve_policy_request(&staff(), &input).await?;
        Ok(())
    }

    async fn revoke(&self, one: &Character, policy_request_id: PolicyRequestId) -> Result<()> {
        let input = RevokePolicyRequest {
            policy_request_id,
            reason: "The contract has ended".to_owned(),
            idempotency_key: Some(one.key("revoke")),
            expected_version: None,
        };
        self.commands.revoke_policy_request(&staff(), &input).await?;
        Ok(())
    }

    /// What an approval is good for.
    async fn work(&self, one: &Character, policy: &PolicyId) -> Result<()> {
        match one.partner_type {
            PartnerType::MispPartner => self.generate_license(one, Some(policy)).await,
            PartnerType::AuthPartner => {
                self.generate_keys(one, policy).await?;
                self.create_clients(one, policy).await
            }
            _ => self.generate_keys(one, policy).await,
        }
    }

    /// One key or two. Who works on rotates the first, so that both of the pair live for a while.
    async fn generate_keys(&self, one: &Character, policy: &PolicyId) -> Result<()> {
        let first = self.generate_key(one, policy, "branch offices").await?.id;
        if one.number % 2 == 1 {
            self.generate_key(one, policy, "call centre").await?;
        }
        if one.fate == Fate::Keyed {
            let input = RotateApiKey {
                api_key_id: first.as_str().into(),
                overlap_until: None,
                expires_at: None,
                idempotency_key: Some(one.key("rotate key")),
                expected_version: None,
            };
            self.commands.rotate_api_key(&one.request(), &input).await?;
        }
        Ok(())
    }

    async fn generate_key(&self, one: &Character, policy: &PolicyId, label: &str) -> Result<Done> {
        let input = GenerateApiKey {
            partner_id: one.partner_id(),
            policy_id: policy.clone(),
            label: label.to_owned(),
            expires_at: None,
            idempotency_key: Some(one.key(label)),
        };
        self.commands.generate_api_key(&one.request(), &input).await
    }

    async fn generate_license(&self, one: &Character, policy: Option<&PolicyId>) -> Result<()> {
        let input = GenerateMispLicense {
            partner_id: one.partner_id(),
            policy_id: policy.cloned(),
            label: "production".to_owned(),
            expires_at: None,
            idempotency_key: Some(one.key("licence")),
        };
        self.commands.generate_misp_license(&staff(), &input).await?;
        Ok(())
    }
}
