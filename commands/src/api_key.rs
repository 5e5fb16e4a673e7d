//! What can be done with API keys.

use crate::event_store::{Name, SecretHash, StreamId};
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id, random};
use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::api_key::{ApiKey, Command, Grant, Refusal, expiry, label};
use domain::ids::{ApiKeyId, PartnerId, PolicyId};
use domain::partner::{self, Partner};
use domain::secret::{IssuedKey, issue_key};
use domain::text::{Checks, normal};
use domain::{Finding, Reason};
use secrecy::ExposeSecret as _;
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
            partner.active().map_err(Vec::from)?;
            let approved = unit.approved_request(&input.partner_id, &input.policy_id).await?;
            approved.ok_or(Vec::from(Refusal::PolicyNotApproved))?;

            let mut stream = unit.begin::<ApiKey>();
            let key = issue_key(self.environment, u64::from_be_bytes(random()?), &random()?);
            let grant = Grant {
                partner_id: input.partner_id.clone(),
                policy_id: input.policy_id.clone(),
                label,
                lookup_id: key.lookup_id.clone(),
                last_four: key.last_four.clone(),
                expires_at,
            };
            claim_label(&unit, &grant, stream.stream_id());
            unit.raise(crate::partner::holds(&partner.id));
            self.keep_hash(&unit, &stream, &key);
            unit.decide(&mut stream, Command::Generate(grant))?;
            Ok(stream.done_with(key.text))
        })
        .await
    }

    fn keep_hash(&self, unit: &Unit, stream: &Stream<ApiKey>, key: &IssuedKey) {
        unit.keep_hash(SecretHash {
            lookup_id: key.lookup_id.clone(),
            object_id: stream.id.clone(),
            pepper_version: self.keys().pepper_version,
            hash: self.keys().hmac("api_key", key.text.expose_secret().as_bytes()),
        });
    }

    /// Ends a key for good.
    pub async fn deactivate_api_key(
        &self,
        request: &Request,
        input: &DeactivateApiKey,
    ) -> Result<Done> {
        let id = input.api_key_id.as_str();
        self.run(request, input, StreamId::of::<ApiKey>(id), |unit| async move {
            let mut stream = unit.load::<ApiKey>(id).await?;
            let partner = stream.grant().map_or("", |grant| grant.partner_id.as_str());
            let partner = unit.load::<Partner>(partner).await?;
            unit.permit_on(Operation::DeactivateApiKey, &partner, Refusal::ApiKeyNotFound)?;
            unit.expect(&stream)?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut stream, Command::Deactivate(reason))?;
            Ok(stream.done())
        })
        .await
    }
}

/// A label stays taken after its key has ended, so that history never means two keys by one name.
fn claim_label(unit: &Unit, grant: &Grant, holder: StreamId) {
    let (partner, policy) = (grant.partner_id.as_str(), grant.policy_id.as_str());
    let key = format!("{partner}/{policy}/{}", normal(&grant.label));
    let message = "Another key of the partner under this policy has this label.";
    let taken = Finding::new("LABEL_TAKEN", "label", message);
    unit.claim(Name { kind: "api_key_label", key }, holder, Some(taken));
}
