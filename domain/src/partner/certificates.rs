//! The certificates of a partner or of a chip: what we intend to sign, what was accepted, how one
//! takes the place of another, and which must never be used again.

use crate::aggregate::ShapeChange;
use crate::certificate::Certificate;
use crate::issuance::Terms;
use crate::text::Checks;
use crate::time;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long an older certificate stays valid beside a newer one at most, when anybody says.
pub const MAX_OVERLAP: TimeDelta = TimeDelta::days(90);

/// How long after its first second a certificate may still be signed: later it would live shorter
/// than it should.
const SIGNED_WITHIN: TimeDelta = TimeDelta::days(1);

/// What we are about to sign for a certificate that was uploaded. It is in the log before there is
/// a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SigningIntent {
    /// SHA-256 of the uploaded certificate, lower-case hex.
    pub fingerprint: String,
    /// The serial number of the one that will be issued: 16 bytes, lower-case hex.
    pub serial: String,
    /// The first second in which it will be valid.
    pub not_before: DateTime<Utc>,
    /// The last second in which it will be valid.
    pub not_after: DateTime<Utc>,
    /// SHA-256 of the issuing CA's certificate, lower-case hex.
    pub issuer_fingerprint: String,
    /// SHA-256 of exactly the bytes that will be signed, lower-case hex.
    pub tbs_sha256: String,
}

impl SigningIntent {
    /// The terms that the body follows from; `None` when the serial number is none of ours.
    pub fn terms(&self) -> Option<Terms> {
        let serial = hex::decode(&self.serial).ok()?.try_into().ok()?;
        Some(Terms { serial, not_before: self.not_before, not_after: self.not_after })
    }

    /// Whether it may still be signed: within a day, and before its own end.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        now < self.not_after && now < self.not_before + SIGNED_WITHIN
    }

    /// Stands for any intent where only the decision is asked for.
    pub(crate) fn any() -> Self {
        Self {
            fingerprint: String::new(),
            serial: String::new(),
            not_before: DateTime::UNIX_EPOCH,
            not_after: DateTime::UNIX_EPOCH,
            issuer_fingerprint: String::new(),
            tbs_sha256: String::new(),
        }
    }
}

/// A certificate of the partner, with the one that we issued for the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptedCertificate {
    /// SHA-256 of the certificate, lower-case hex: its name.
    pub fingerprint: String,
    /// SHA-256 of the public key: two partners never share one.
    pub key_fingerprint: String,
    /// The certificate as the partner sent it, PEM.
    pub certificate: String,
    /// The counter-signed certificate, PEM.
    pub signed_certificate: String,
    /// Fingerprints of the verified path, the partner's own first, the root last.
    pub path: Vec<String>,
    /// When the partner's own certificate ends.
    pub not_after: DateTime<Utc>,
    /// When the counter-signed certificate ends.
    pub signed_not_after: DateTime<Utc>,
    /// SHA-256 of the signed part of the counter-signed certificate, lower-case hex: which intent it
    /// fulfils. Those from before signatures were announced fulfil none.
    pub tbs_sha256: String,
    /// When the partner's older certificates end, unless they end before; absent when they stay
    /// valid until their own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_until: Option<DateTime<Utc>>,
}

impl AcceptedCertificate {
    /// When it or its counter-signed form ends, whichever is first.
    pub fn ends_at(&self) -> DateTime<Utc> {
        self.not_after.min(self.signed_not_after)
    }
}

/// Since version 2 the event says what was signed; before, it said so from the day on that signatures
/// were announced.
pub(crate) const CHANGES: &[ShapeChange] =
    &[ShapeChange { event_type: "certificate_accepted", version: "2.0", upcast: with_tbs_sha256 }];

/// What version 1 may leave out can be read off the counter-signed certificate that it holds.
fn with_tbs_sha256(mut accepted: Value) -> Value {
    let Some(fields) = accepted.as_object_mut() else { return accepted };
    if !fields.contains_key("tbs_sha256") {
        let signed = fields.get("signed_certificate").and_then(Value::as_str).unwrap_or_default();
        let signed = Certificate::read(signed, "").map(|it| it.tbs_sha256()).unwrap_or_default();
        fields.insert("tbs_sha256".to_owned(), signed.into());
    }
    accepted
}

/// A checked end of the older certificates: within [`MAX_OVERLAP`]. A time that has passed means at
/// once; nothing leaves them their own end.
pub fn overlap(
    checks: &mut Checks,
    wished: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let message = "The older certificate can stay valid for at most 90 days.";
    Some(time::overlap(checks, wished?, now, MAX_OVERLAP, message))
}

/// What later decisions need to know of the certificates of a partner or chip.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Certificates {
    /// Those that were accepted, oldest first.
    pub held: Vec<HeldCertificate>,
    /// What we intend to sign, for those that were not accepted yet; one each.
    pub intents: Vec<SigningIntent>,
}

/// What later decisions need to know of an accepted certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCertificate {
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// SHA-256 of its public key, lower-case hex.
    pub key_fingerprint: String,
    /// When it, its counter-signed form or its overlap with a newer one ends, whichever is first.
    pub ends_at: DateTime<Utc>,
    /// Whether its end has been told.
    pub expired: bool,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Why a certificate is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// It or its key was revoked.
    Revoked,
    /// It is not what the log says that we would sign.
    NotIntended,
}

impl Certificates {
    /// Whether this certificate was accepted.
    pub fn holds(&self, fingerprint: &str) -> bool {
        self.find(fingerprint).is_some()
    }

    /// Whether this certificate, or another one with this key, was revoked.
    pub fn is_revoked(&self, fingerprint: &str, key_fingerprint: &str) -> bool {
        let same = |it: &&HeldCertificate| {
            it.fingerprint == fingerprint || it.key_fingerprint == key_fingerprint
        };
        self.held.iter().filter(same).any(|it| it.revoked)
    }

    /// What the log says that we would sign for this certificate.
    pub fn intent(&self, fingerprint: &str) -> Option<&SigningIntent> {
        self.intents.iter().find(|it| it.fingerprint == fingerprint)
    }

    fn find(&self, fingerprint: &str) -> Option<&HeldCertificate> {
        self.held.iter().find(|it| it.fingerprint == fingerprint)
    }

    /// What has to be said before signing; nothing for what was said or has been accepted.
    pub(crate) fn intend(
        &self,
        intent: SigningIntent,
        key_fingerprint: &str,
    ) -> Result<Option<SigningIntent>, NotTaken> {
        if self.is_revoked(&intent.fingerprint, key_fingerprint) {
            return Err(NotTaken::Revoked);
        }
        let said = self.intent(&intent.fingerprint) == Some(&intent);
        Ok((!said && !self.holds(&intent.fingerprint)).then_some(intent))
    }

    /// What has to be said of a certificate that was signed; nothing when it was accepted before.
    pub(crate) fn accept(
        &self,
        certificate: AcceptedCertificate,
    ) -> Result<Option<AcceptedCertificate>, NotTaken> {
        if self.is_revoked(&certificate.fingerprint, &certificate.key_fingerprint) {
            return Err(NotTaken::Revoked);
        }
        if self.holds(&certificate.fingerprint) {
            return Ok(None);
        }
        let intended = self.intent(&certificate.fingerprint).map(|it| &it.tbs_sha256);
        if intended != Some(&certificate.tbs_sha256) {
            return Err(NotTaken::NotIntended);
        }
        Ok(Some(certificate))
    }

    /// Whether a revocation has to be said; `None` when there is no such certificate.
    pub(crate) fn revoke(&self, fingerprint: &str) -> Option<bool> {
        self.find(fingerprint).map(|it| !it.revoked)
    }

    /// Those that have ended by themselves and of which it was not told yet.
    pub(crate) fn ended(&self, now: DateTime<Utc>) -> impl Iterator<Item = &HeldCertificate> {
        self.held.iter().filter(move |it| !it.expired && !it.revoked && it.ends_at <= now)
    }

    pub(crate) fn was_intended(&mut self, intent: SigningIntent) {
        self.intents.retain(|it| it.fingerprint != intent.fingerprint);
        self.intents.push(intent);
    }

    pub(crate) fn was_accepted(&mut self, certificate: AcceptedCertificate) {
        self.intents.retain(|it| it.fingerprint != certificate.fingerprint);
        if let Some(until) = certificate.overlap_until {
            self.held.iter_mut().for_each(|it| it.ends_at = it.ends_at.min(until));
        }
        self.held.push(HeldCertificate {
            ends_at: certificate.ends_at(),
            fingerprint: certificate.fingerprint,
            key_fingerprint: certificate.key_fingerprint,
            expired: false,
            revoked: false,
        });
    }

    pub(crate) fn was_revoked(&mut self, fingerprint: &str) {
        self.each(fingerprint, |it| it.revoked = true);
    }

    pub(crate) fn has_expired(&mut self, fingerprint: &str) {
        self.each(fingerprint, |it| it.expired = true);
    }

    fn each(&mut self, fingerprint: &str, change: impl FnMut(&mut HeldCertificate)) {
        self.held.iter_mut().filter(|it| it.fingerprint == fingerprint).for_each(change);
    }
}
