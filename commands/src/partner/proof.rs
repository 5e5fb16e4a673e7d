//! Proof that who uploads a certificate has its private key: it signs a text that we have given out
//! a moment ago. Nothing of it is stored: the text carries its own expiry and our keyed hash.

use super::own;
use crate::{Commands, Request, Result};
use async_graphql::{InputObject, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use domain::Finding;
use domain::actor::Operation;
use domain::certificate::Certificate;
use domain::ids::PartnerId;
use serde::Serialize;

/// How long a challenge can be answered.
const LIFE: TimeDelta = TimeDelta::minutes(10);
/// Keeps the keyed hashes of challenges apart from others.
const PURPOSE: &str = "certificate_challenge";

/// What the private key of a certificate is to sign.
#[derive(Debug, Clone, SimpleObject)]
pub struct CertificateChallenge {
    /// The text to sign, byte for byte.
    pub nonce: String,
    /// Until when its signature is accepted.
    pub expires_at: DateTime<Utc>,
}

/// The answer to a challenge.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ProofOfPossessionInput")]
pub struct ProofOfPossession {
    /// As `certificateChallenge` told it.
    pub nonce: String,
    /// The signature of its bytes by the certificate's private key, base64: RSA with PKCS#1 or PSS
    /// (a salt as long as the hash) or ECDSA (DER), with SHA-256, 384 or 512; or Ed25519.
    pub signature: String,
}

impl Commands {
    /// Something to sign for whoever may upload certificates of a partner.
    pub async fn certificate_challenge(
        &self,
        request: &Request,
        partner_id: &PartnerId,
    ) -> Result<CertificateChallenge> {
        let unit = self.unit(request, None);
        own(&unit, Operation::UploadPartnerCertificate, partner_id).await?;
        let expires_at = (unit.now + LIFE).trunc_subsecs(0);
        let expiry = expires_at.timestamp();
        let tag = self.keys().hmac(PURPOSE, &challenged(partner_id, expiry));
        Ok(CertificateChallenge { nonce: format!("{expiry}.{}", hex::encode(tag)), expires_at })
    }

    /// What is wrong with a proof. One that nobody asked for is judged all the same.
    pub(super) fn proof_finding(
        &self,
        partner_id: &PartnerId,
        certificate: &Certificate,
        proof: Option<&ProofOfPossession>,
        now: DateTime<Utc>,
    ) -> Option<Finding> {
        let Some(proof) = proof else { return self.proof_of_possession.then(proof_needed) };
        match self.expiry(partner_id, &proof.nonce) {
            None => Some(wrong_nonce()),
            Some(expiry) if expiry <= now.timestamp() => Some(proof_expired()),
            Some(_) => {
                let signature = STANDARD.decode(proof.signature.trim()).unwrap_or_default();
                let signed = certificate.verifies_message(proof.nonce.as_bytes(), &signature);
                (!signed).then(wrong_signature)
            }
        }
    }

    /// When a challenge of ours for this partner expires, in seconds.
    fn expiry(&self, partner_id: &PartnerId, nonce: &str) -> Option<i64> {
        let (expiry, tag) = nonce.split_once('.')?;
        let (expiry, tag) = (expiry.parse().ok()?, hex::decode(tag).ok()?);
        let ours = self.keys().verifies_hmac(PURPOSE, &challenged(partner_id, expiry), &tag);
        ours.then_some(expiry)
    }
}

/// No partner id has a line feed.
fn challenged(partner_id: &PartnerId, expiry: i64) -> Vec<u8> {
    format!("{}\n{expiry}", partner_id.as_str()).into_bytes()
}

fn proof_needed() -> Finding {
    let message = "Show that you have the private key: sign what certificateChallenge tells.";
    Finding::new("PROOF_NEEDED", "proof", message)
}

fn proof_expired() -> Finding {
    let message = "This challenge has expired: ask for another one and sign it.";
    Finding::new("PROOF_EXPIRED", "proof.nonce", message)
}

fn wrong_nonce() -> Finding {
    let message = "This is no challenge for this partner: ask for one and sign it unchanged.";
    Finding::new("PROOF_WRONG", "proof.nonce", message)
}

fn wrong_signature() -> Finding {
    let message = "This is not the challenge's signature by the private key of the certificate.";
    Finding::new("PROOF_WRONG", "proof.signature", message)
}
