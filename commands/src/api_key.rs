//! What can be done with API keys.

use crate::event_store::{Name, StreamId};
use crate::issued::{Labelled, Succession};
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use domain::Reason;
use domain::actor::Operation;
use domain::api_key::{ApiKey, ApiKeyKind, Command, Grant, Refusal};
use domain::ids::{ApiKeyId, PartnerId, PolicyId};
use domain::issued::{expiry, label};
use domain::partner::{self, Partner};
use domain::text::{Checks, normal};
use serde::Serialize;

/// A new API key.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "GenerateApiKeyInput")]
pub struct GenerateApiKey {
    /// Whose key it will be.
    pub partner_id: PartnerId,
    /// Under which policy it works: one that the partner was approved for.
    pub policy_id: PolicyId,
    /// The partner's own name for it: 1 to 36 characters, unique for partner and policy.
    pub label: String,
    /// When the key ends: at most 365 days from now; 180 days when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes repeating harmless: 1 to 128 characters. A repetition does not show the key again.
    pub idempotency_key: Option<String>,
}
input!(GenerateApiKey, "generateApiKey", new);

/// A successor for an API key, under the same policy and label.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RotateApiKeyInput")]
pub struct RotateApiKey {
    /// Which key.
    pub api_key_id: ApiKeyId,
    /// Until when it lives beside its successor: at most 30 days from now, seven when absent, and
    /// never longer than it would have lived. A time that is over ends it at once.
    pub overlap_until: Option<DateTime<Utc>>,
    /// When the successor ends: at most 365 days from now; 180 days when absent.
    pub expires_at: Option<DateTime<Utc>>,
    /// Makes repeating harmless: 1 to 128 characters. A repetition does not show the key again.
    pub idempotency_key: Option<String>,
    /// The version of the key's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RotateApiKey, "rotateApiKey");

/// Another end for an API key.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SetApiKeyExpiryInput")]
pub struct SetApiKeyExpiry {
    /// Which key.
    pub api_key_id: ApiKeyId,
    /// When it ends: at most 365 days from now. A key that was rotated only ever ends earlier.
    pub expires_at: DateTime<Utc>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the key's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SetApiKeyExpiry, "setApiKeyExpiry");

/// Ends an API key for good.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateApiKeyInput")]
pub struct DeactivateApiKey {
    /// Which key.
    pub api_key_id: ApiKeyId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the key's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateApiKey, "deactivateApiKey");

impl Labelled for ApiKeyKind {
    const TAKEN: &'static str = "Another key of the partner under this policy has this label.";

    fn label(grant: &Grant) -> Name {
        let (partner, policy) = (grant.partner_id.as_str(), grant.policy_id.as_str());
        let key = format!("{partner}/{policy}/{}", normal(&grant.label));
        Name { kind: "api_key_label", key }
    }
}

impl Commands {
    /// Issues a key under an approved request. It is shown once, in the answer to this.
    pub async fn generate_api_key(
        &self,
        request: &Request,
        input: &GenerateApiKey,
    ) -> Result<Done> {
        let stream = StreamId::of::<ApiKey>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            let not_found = partner::Refusal::PartnerNotFound;
            unit.permit_on(Operation::GenerateApiKey, &partner, not_found)?;
            let mut checks = Checks::default();
            let label = label(&mut checks, &input.label);
            let expires_at = expiry(&mut checks, input.expires_at, unit.now);
            checks.done()?;
            entitled(&unit, &partner, &input.policy_id).await?;
            let key = self.draw::<ApiKeyKind>()?;
            let grant = Grant {
                partner_id: input.partner_id.clone(),
                policy_id: input.policy_id.clone(),
                label,
                lookup_id: key.lookup_id.clone(),
                last_four: key.last_four.clone(),
                expires_at,
                rotated_from: None,
            };
            self.issue(&unit, unit.begin(), grant, key)
        })
        .await
    }

    /// Issues a key that takes the place of another one, by the rules of a new one. It is shown
    /// once; both open the door until the overlap ends.
    pub async fn rotate_api_key(&self, request: &Request, input: &RotateApiKey) -> Result<Done> {
        let stream = StreamId::of::<ApiKey>(input.api_key_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.api_key_id;
            let (old, partner) = unit.key::<ApiKeyKind>(Operation::RotateApiKey, id).await?;
            let times = Succession::new(input.overlap_until, input.expires_at, unit.now)?;
            if let Some(grant) = old.grant() {
                entitled(&unit, &partner, &grant.policy_id).await?;
            }
            self.succeed(&unit, old, &times).await
        })
        .await
    }

    /// Lets a key end at another time.
    pub async fn set_api_key_expiry(
        &self,
        request: &Request,
        input: &SetApiKeyExpiry,
    ) -> Result<Done> {
        let stream = StreamId::of::<ApiKey>(input.api_key_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.api_key_id;
            let (mut key, _) = unit.key::<ApiKeyKind>(Operation::SetApiKeyExpiry, id).await?;
            unit.set_expiry(&mut key, input.expires_at)
        })
        .await
    }

    /// Ends a key for good.
    pub async fn deactivate_api_key(
        &self,
        request: &Request,
        input: &DeactivateApiKey,
    ) -> Result<Done> {
        let stream = StreamId::of::<ApiKey>(input.api_key_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let id = &input.api_key_id;
            let (mut key, _) = unit.key::<ApiKeyKind>(Operation::DeactivateApiKey, id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut key, Command::Deactivate(reason))?;
            Ok(key.done())
        })
        .await
    }
}

/// A key is for an active partner, under a request that was approved.
async fn entitled(unit: &Unit, partner: &Stream<Partner>, policy: &PolicyId) -> Result<()> {
    partner.active().map_err(Vec::from)?;
    let approved = unit.approved_request(&partner.id.as_str().into(), policy).await?;
    approved.ok_or(Vec::from(Refusal::PolicyNotApproved))?;
    Ok(())
}
