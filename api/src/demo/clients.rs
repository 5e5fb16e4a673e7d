//! OIDC clients of authentication partners, with keys that follow from the seed.

use super::World;
use super::authority::{digest, fault};
use super::character::{Character, Fate};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use commands::oidc_client::{
    CreateOidcClient, DeactivateOidcClient, OidcClientName, OidcClientSettings, RotateOidcClientKey,
};
use commands::{Error, Result};
use domain::ids::{OidcClientId, PolicyId};
use domain::issuance::EcdsaP256Signer;
use serde_json::json;

impl World<'_> {
    /// A client; who works on has given it another key, and has ended an older client.
    pub(super) async fn create_clients(&self, one: &Character, policy: &PolicyId) -> Result<()> {
        let portal = self.create_client(one, policy, "Portal").await?;
        if one.fate != Fate::Keyed {
            return Ok(());
        }
        let rotate = RotateOidcClientKey {
            oidc_client_id: portal,
            public_key: self.public_key(one, "second key of Portal")?,
            overlap_until: None,
            idempotency_key: Some(one.key("rotate client")),
            expected_version: None,
        };
        self.commands.rotate_oidc_client_key(&one.request(), &rotate).await?;
        let end = DeactivateOidcClient {
            oidc_client_id: self.create_client(one, policy, "Old portal").await?,
            reason: "The new portal is open".to_owned(),
            idempotency_key: Some(one.key("end client")),
            expected_version: None,
        };
        self.commands.deactivate_oidc_client(&one.request(), &end).await?;
        Ok(())
    }

    async fn create_client(
        &self,
        one: &Character,
        policy: &PolicyId,
        name: &str,
    ) -> Result<OidcClientId> {
        let input = CreateOidcClient {
            partner_id: one.partner_id(),
            policy_id: policy.clone(),
            public_key: self.public_key(one, &format!("key of {name}"))?,
            settings: settings(one, name),
            idempotency_key: Some(one.key(name)),
        };
        let done = self.commands.create_oidc_client(&one.request(), &input).await?;
        Ok(done.id.as_str().into())
    }

    /// A key on P-256 as a JWK: the point is the end of its `SubjectPublicKeyInfo`.
    fn public_key(&self, one: &Character, what: &str) -> Result<String> {
        let seed = digest(self.seed, &format!("{} {what}", one.id));
        let spki = EcdsaP256Signer::from_seed(&seed).and_then(|key| key.spki()).map_err(fault)?;
        let point: &[u8; 64] =
            spki.last_chunk().ok_or_else(|| Error::fault("a key without a point"))?;
        let [x, y] = [&point[..32], &point[32..]].map(|it| BASE64_URL_SAFE_NO_PAD.encode(it));
        Ok(json!({"kty": "EC", "crv": "P-256", "use": "sig", "x": x, "y": y}).to_string())
    }
}

fn settings(one: &Character, name: &str) -> OidcClientSettings {
    let host = format!("https://{}.example", one.id);
    OidcClientSettings {
        name: format!("{} {name}", one.organization),
        names: vec![OidcClientName {
            language: "fra".to_owned(),
            name: format!("Portail de {}", one.organization),
        }],
        logo_uri: format!("{host}/logo.png"),
        redirect_uris: vec![format!("{host}/callback")],
        grant_types: None,
        client_auth_methods: None,
    }
}
