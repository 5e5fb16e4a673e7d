//! The authorities of the demo world: real certificates, the same for the same seed and year.

use aws_lc_rs::digest::SHA256;
use chrono::{DateTime, Datelike as _, TimeDelta, TimeZone as _, Utc};
use commands::trust_certificate::UploadTrustCertificate;
use commands::{Error, Result};
use domain::certificate::Certificate;
use domain::issuance::{
    Draft, EcdsaP256Signer, Ed25519Signer, NotIssued, Subject, Usage, certificate, self_signed_ca,
};
use domain::reference::{CertificateProfile, PartnerTerms, TrustDomain};

const LIFE: TimeDelta = TimeDelta::days(5 * 365);

/// SHA-256 of the seed and what it is for: everything of the demo that looks like chance.
pub fn digest(seed: u64, what: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let text = format!("{seed} {what}");
    bytes.copy_from_slice(aws_lc_rs::digest::digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// An authority of one trust domain. It signs with Ed25519, whose signatures have no randomness.
pub struct Authority {
    seed: u64,
    domain: TrustDomain,
    certificate: Certificate,
    key: Ed25519Signer,
}

impl Authority {
    /// A root of a domain.
    pub fn root(seed: u64, domain: TrustDomain, name: &str) -> Result<Self> {
        let key = Ed25519Signer::from_seed(&digest(seed, &format!("{domain} {name}")));
        let key = key.map_err(fault)?;
        let serial = digest(seed, &format!("serial {domain} {name}"));
        let name = subject(&format!("Demo {domain} {name}"), "Demo Authority").map_err(fault)?;
        let spki = key.spki().map_err(fault)?;
        let usage = Usage::Authority { path_len: None };
        let draft = draft(serial, &name, &spki, usage);
        let certificate = self_signed_ca(&draft, &key).map_err(fault)?;
        Ok(Self { seed, domain, certificate, key })
    }

    /// The authority below the root that issues to partners.
    pub fn intermediate(&self) -> Result<Self> {
        let (seed, domain) = (self.seed, self.domain);
        let key = Ed25519Signer::from_seed(&digest(seed, &format!("issuing {domain}")));
        let key = key.map_err(fault)?;
        let name =
            subject(&format!("Demo {domain} Issuing CA"), "Demo Authority").map_err(fault)?;
        let usage = Usage::Authority { path_len: Some(1) };
        let certificate = self.issue("issuing", &name, &key.spki().map_err(fault)?, usage)?;
        Ok(Self { seed, domain, certificate, key })
    }

    /// The wish that it be trusted, which changes nothing when it is.
    pub fn trusted(&self) -> UploadTrustCertificate {
        UploadTrustCertificate {
            partner_domain: self.domain,
            certificate_data: self.certificate.pem(),
            idempotency_key: None,
        }
    }

    /// The certificate of a partner or of its chip, PEM.
    pub fn partner(&self, id: &str, organization: &str, terms: PartnerTerms) -> Result<String> {
        let key = EcdsaP256Signer::from_seed(&digest(self.seed, id)).map_err(fault)?;
        let name = subject(id, organization).map_err(fault)?;
        let usage = match terms.certificate_profile {
            CertificateProfile::EndEntity => Usage::EndEntity,
            CertificateProfile::Issuing => Usage::IssuingPartner,
        };
        Ok(self.issue(id, &name, &key.spki().map_err(fault)?, usage)?.pem())
    }

    fn issue(&self, what: &str, name: &[u8], spki: &[u8], usage: Usage) -> Result<Certificate> {
        let serial = digest(self.seed, &format!("serial {} {what}", self.domain));
        certificate(&draft(serial, name, spki, usage), &self.certificate, &self.key).map_err(fault)
    }
}

fn subject(common_name: &str, organization: &str) -> Result<Vec<u8>, NotIssued> {
    Subject { common_name, organization, organizational_unit: None, country: None }.der()
}

fn draft<'a>(chance: [u8; 32], subject: &'a [u8], spki: &'a [u8], usage: Usage) -> Draft<'a> {
    let mut serial = [0; 16];
    serial.copy_from_slice(&chance[..16]);
    let not_before = new_year();
    let not_after = not_before + LIFE;
    Draft { serial, subject, spki, not_before, not_after, usage, partner_id: None }
}

/// What depends on the present begins with the year, so that the same seed gives the same bytes all
/// year.
pub fn new_year() -> DateTime<Utc> {
    let now = commands::now();
    Utc.with_ymd_and_hms(now.year(), 1, 1, 0, 0, 0).single().unwrap_or(now)
}

pub fn fault(problem: NotIssued) -> Error {
    Error::Fault(problem.into())
}
