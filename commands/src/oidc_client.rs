//! What can be done with OIDC clients.

use crate::event_store::{Name, StreamId};
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::ids::{OidcClientId, PartnerId, PolicyId};
use domain::jwk::Jwk;
use domain::oidc_client::{
    AuthMethod, Command, Entitlement, GrantType, LocalName, NewClient, OidcClient, PublicKey,
    Refusal, Settings, client_id, overlap,
};
use domain::partner::{self, Partner};
use domain::policy::Policy;
use domain::policy_document::PolicyType;
use domain::reference::PartnerType;
use domain::text::Checks;
use domain::{Finding, Reason};
use serde::Serialize;
use std::collections::BTreeSet;

/// A new OIDC client.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "CreateOidcClientInput")]
pub struct CreateOidcClient {
    /// Whose client it will be: an active authentication partner.
    pub partner_id: PartnerId,
    /// Under which policy it works: one of type AUTH that the partner was approved for. It says
    /// what the client may be told, for good: a successor of the policy needs a new client.
    pub policy_id: PolicyId,
    /// The public key as a JWK: JSON text of at most 16 KiB. Type RSA, EC or OKP (Ed25519). The
    /// client's id follows from it.
    pub public_key: String,
    /// What its owner may set.
    #[graphql(flatten)]
    #[serde(flatten)]
    pub settings: OidcClientSettings,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(CreateOidcClient, "createOidcClient", new);

/// What the owner of a client may set.
#[derive(Debug, Clone, Serialize, InputObject)]
pub struct OidcClientSettings {
    /// How the client is called where no other name fits: 1 to 256 characters.
    pub name: String,
    /// How it is called in some languages.
    #[graphql(default)]
    pub names: Vec<OidcClientName>,
    /// Where its logo is found: https, at most 2048 characters.
    pub logo_uri: String,
    /// Where people may be sent back to: 1 to 5 different addresses of at most 2048 characters,
    /// https, or http on `127.0.0.1`, `[::1]` or `localhost`.
    pub redirect_uris: Vec<String>,
    /// How it may get tokens: by an authorization code when absent.
    pub grant_types: Option<Vec<GrantType>>,
    /// How it proves that it is itself: by a signed token when absent.
    pub client_auth_methods: Option<Vec<AuthMethod>>,
}

/// The name of a client in one language.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "OidcClientNameInput")]
pub struct OidcClientName {
    /// The language, ISO 639-3: one that the platform speaks; each at most once.
    pub language: String,
    /// The name: 1 to 256 characters.
    pub name: String,
}

/// Sets anew what the owner of a client may set; what is absent becomes empty or the default.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UpdateOidcClientInput")]
pub struct UpdateOidcClient {
    /// Which client.
    pub oidc_client_id: OidcClientId,
    /// What its owner may set.
    #[graphql(flatten)]
    #[serde(flatten)]
    pub settings: OidcClientSettings,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the client that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UpdateOidcClient, "updateOidcClient");

/// Adds a key to a client; the older one ends after a while.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RotateOidcClientKeyInput")]
pub struct RotateOidcClientKey {
    /// Which client; its id stays the same.
    pub oidc_client_id: OidcClientId,
    /// The new public key as a JWK: JSON text of at most 16 KiB.
    pub public_key: String,
    /// When the older key ends: at most 30 days from now, 7 days when absent. A time that has
    /// passed means at once.
    pub overlap_until: Option<DateTime<Utc>>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the client that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RotateOidcClientKey, "rotateOidcClientKey");

/// Ends one of two live keys at once.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RetireOidcClientKeyInput")]
pub struct RetireOidcClientKey {
    /// Which client.
    pub oidc_client_id: OidcClientId,
    /// Which of its keys: the thumbprint or the `kid`.
    pub key_id: String,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the client that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RetireOidcClientKey, "retireOidcClientKey");

/// Ends a client for good.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateOidcClientInput")]
pub struct DeactivateOidcClient {
    /// Which client.
    pub oidc_client_id: OidcClientId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the client that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateOidcClient, "deactivateOidcClient");

impl Commands {
    /// Makes a client known under an approved request.
    pub async fn create_oidc_client(
        &self,
        request: &Request,
        input: &CreateOidcClient,
    ) -> Result<Done> {
        let jwk = &Jwk::read(&input.public_key, "publicKey");
        let id = jwk.as_ref().map_or_else(|_| new_id().to_string().as_str().into(), client_id);
        let id = &id;
        self.run(request, input, StreamId::of::<OidcClient>(id.as_str()), |unit| async move {
            let partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            let not_found = partner::Refusal::PartnerNotFound;
            unit.permit_on(Operation::CreateOidcClient, &partner, not_found)?;
            let (jwk, settings) = both(jwk.clone(), input.settings.clone().checked())?;
            let profile = partner.active().map_err(Vec::from)?;
            if profile.partner_type != PartnerType::AuthPartner {
                return Err(Vec::from(Refusal::PartnerType).into());
            }
            let entitlement = entitlement(&unit, input).await?;

            let mut stream = unit.load::<OidcClient>(id.as_str()).await?;
            let (partner_id, policy_id) = (input.partner_id.clone(), input.policy_id.clone());
            let key = PublicKey::from(&jwk);
            claim_key(&unit, &key, stream.stream_id());
            unit.raise(crate::partner::holds(&partner.id));
            let client = NewClient { partner_id, policy_id, settings, key, entitlement };
            unit.decide(&mut stream, Command::Create(client))?;
            Ok(stream.done())
        })
        .await
    }

    /// Sets anew what the owner of a client may set.
    pub async fn update_oidc_client(
        &self,
        request: &Request,
        input: &UpdateOidcClient,
    ) -> Result<Done> {
        let id = input.oidc_client_id.as_str();
        self.run(request, input, StreamId::of::<OidcClient>(id), |unit| async move {
            let (mut stream, partner) = own(&unit, Operation::UpdateOidcClient, id).await?;
            let settings = input.settings.clone().checked()?;
            partner.active().map_err(Vec::from)?;
            unit.decide(&mut stream, Command::Update(settings))?;
            Ok(stream.done())
        })
        .await
    }

    /// Adds a key to a client; the older one ends after a while.
    pub async fn rotate_oidc_client_key(
        &self,
        request: &Request,
        input: &RotateOidcClientKey,
    ) -> Result<Done> {
        let id = input.oidc_client_id.as_str();
        self.run(request, input, StreamId::of::<OidcClient>(id), |unit| async move {
            let (mut stream, partner) = own(&unit, Operation::RotateOidcClientKey, id).await?;
            let now = unit.now;
            let mut checks = Checks::default();
            let overlap_until = overlap(&mut checks, input.overlap_until, now);
            let jwk = Jwk::read(&input.public_key, "publicKey");
            let (jwk, ()) = both(jwk, checks.done())?;
            partner.active().map_err(Vec::from)?;
            let key = PublicKey::from(&jwk);
            let rotate = Command::RotateKey { key: key.clone(), overlap_until, now };
            if unit.decide(&mut stream, rotate)? {
                claim_key(&unit, &key, stream.stream_id());
            }
            Ok(stream.done())
        })
        .await
    }

    /// Ends one of two live keys at once.
    pub async fn retire_oidc_client_key(
        &self,
        request: &Request,
        input: &RetireOidcClientKey,
    ) -> Result<Done> {
        let id = input.oidc_client_id.as_str();
        self.run(request, input, StreamId::of::<OidcClient>(id), |unit| async move {
            let (mut stream, partner) = own(&unit, Operation::RetireOidcClientKey, id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            partner.active().map_err(Vec::from)?;
            let (key_id, now) = (input.key_id.clone(), unit.now);
            unit.decide(&mut stream, Command::RetireKey { key_id, reason, now })?;
            Ok(stream.done())
        })
        .await
    }

    /// Ends a client for good, also while its partner is suspended.
    pub async fn deactivate_oidc_client(
        &self,
        request: &Request,
        input: &DeactivateOidcClient,
    ) -> Result<Done> {
        let id = input.oidc_client_id.as_str();
        self.run(request, input, StreamId::of::<OidcClient>(id), |unit| async move {
            let (mut stream, _) = own(&unit, Operation::DeactivateOidcClient, id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut stream, Command::Deactivate(reason))?;
            Ok(stream.done())
        })
        .await
    }
}

impl OidcClientSettings {
    fn checked(self) -> Result<Settings, Vec<Finding>> {
        let name = |OidcClientName { language, name }| LocalName { language, name };
        let grant_types = self.grant_types.unwrap_or(vec![GrantType::AuthorizationCode]);
        let auth_methods = self.client_auth_methods.unwrap_or(vec![AuthMethod::PrivateKeyJwt]);
        let settings = Settings {
            name: self.name,
            names: self.names.into_iter().map(name).collect(),
            logo_uri: self.logo_uri,
            redirect_uris: self.redirect_uris,
            grant_types: BTreeSet::from_iter(grant_types),
            auth_methods: BTreeSet::from_iter(auth_methods),
        };
        settings.checked()
    }
}

/// Two checked parts of one input, or everything that is wrong with both.
fn both<A, B>(
    first: Result<A, Vec<Finding>>,
    second: Result<B, Vec<Finding>>,
) -> Result<(A, B), Vec<Finding>> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (first, second) => {
            Err([first.err().unwrap_or_default(), second.err().unwrap_or_default()].concat())
        }
    }
}

/// A client that the actor may do this with, in the version that he expects, and its partner.
async fn own(
    unit: &Unit,
    operation: Operation,
    id: &str,
) -> Result<(Stream<OidcClient>, Stream<Partner>)> {
    let stream = unit.load::<OidcClient>(id).await?;
    let partner = stream.client().map_or("", |client| client.partner_id.as_str());
    let partner = unit.load::<Partner>(partner).await?;
    unit.permit_on(operation, &partner, Refusal::OidcClientNotFound)?;
    unit.expect(&stream)?;
    Ok((stream, partner))
}

/// What the policy allows a client of a partner that was approved for it.
async fn entitlement(unit: &Unit, input: &CreateOidcClient) -> Result<Entitlement> {
    let approved = unit.approved_request(&input.partner_id, &input.policy_id).await?;
    approved.ok_or(Vec::from(Refusal::PolicyNotApproved))?;
    let policy = unit.load::<Policy>(input.policy_id.as_str()).await?;
    let body = policy.published().map_err(Vec::from)?;
    if body.policy_type != PolicyType::Auth {
        return Err(Vec::from(Refusal::PolicyType).into());
    }
    Ok(Entitlement::of(&body.content.policies)?)
}

/// A key is one client's for ever, also after it has ended. Whose it is already is not told.
fn claim_key(unit: &Unit, key: &PublicKey, holder: StreamId) {
    let name = Name { kind: "jwk_thumbprint", key: key.thumbprint.clone() };
    unit.claim(name, holder, Vec::from(Refusal::KeyInUse).pop());
}
