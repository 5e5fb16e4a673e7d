//! What can be done with trust certificates.

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Unit};
use crate::{Commands, Done, Error, Request, Result, input, new_id};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::Operation;
use domain::certificate::{
    self, Certificate, CertificatePolicy, TrustStore, check_trust_certificate,
};
use domain::ids::TrustCertificateId;
use domain::proposal::ProposedAction;
use domain::reference::TrustDomain;
use domain::trust_certificate::{Command, TrustCertificate, TrustKind, Trusted};
use serde::{Deserialize, Serialize};

/// A root or intermediate certificate to trust.
#[derive(Debug, Clone, Serialize, Deserialize, InputObject)]
#[graphql(name = "UploadTrustCertificateInput")]
pub struct UploadTrustCertificate {
    /// Where it will be trusted.
    pub partner_domain: TrustDomain,
    /// One certificate, PEM or base64 of DER, at most 16 KiB. An intermediate needs its issuer
    /// here first.
    pub certificate_data: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(UploadTrustCertificate, "uploadTrustCertificate", new);

/// Trusts a certificate no more, for a while.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DisableTrustCertificateInput")]
pub struct DisableTrustCertificate {
    /// Which one.
    pub trust_certificate_id: TrustCertificateId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the certificate's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DisableTrustCertificate, "disableTrustCertificate");

/// Trusts a certificate again.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "EnableTrustCertificateInput")]
pub struct EnableTrustCertificate {
    /// Which one.
    pub trust_certificate_id: TrustCertificateId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the certificate's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(EnableTrustCertificate, "enableTrustCertificate");

/// The certificates that are trusted in one domain now.
pub(crate) struct TrustedSet {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
}

impl TrustedSet {
    /// As the path walker wants it.
    pub fn store(&self) -> TrustStore<'_> {
        TrustStore { anchors: &self.anchors, intermediates: &self.intermediates }
    }
}

/// The fence of the set that is trusted in a domain.
fn fence(domain: TrustDomain) -> String {
    format!("trust/{domain}")
}

/// Reads the set that is trusted in a domain, and its fence: a decision that was made on it does
/// not survive its change.
pub(crate) async fn trusted(unit: &Unit, domain: TrustDomain) -> Result<TrustedSet> {
    unit.fence(fence(domain)).await?;
    let rows = projections::trust_certificate::trusted(unit.pool(), domain).await?;
    let mut set = TrustedSet { anchors: Vec::new(), intermediates: Vec::new() };
    for row in rows {
        let certificate = Certificate::read(&row.certificate_data, "")
            .map_err(|_| Error::fault("a trusted certificate does not read any more"))?;
        match row.kind {
            TrustKind::Root => set.anchors.push(certificate),
            TrustKind::Intermediate => set.intermediates.push(certificate),
        }
    }
    Ok(set)
}

impl Commands {
    /// Trusts a root or an intermediate in a domain. The same certificate again changes nothing.
    pub async fn upload_trust_certificate(
        &self,
        request: &Request,
        input: &UploadTrustCertificate,
    ) -> Result<Done> {
        let stream = StreamId::of::<TrustCertificate>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            match upload(&unit, input).await? {
                (decided, Some(new)) if new.kind == TrustKind::Root => {
                    let action = ProposedAction::UploadTrustCertificate;
                    unit.or_propose(decided, action, new.subject, input)
                }
                (decided, _) => Ok(decided),
            }
        })
        .await
    }

    /// Trusts a certificate, and what stands below it, no more for a while.
    pub async fn disable_trust_certificate(
        &self,
        request: &Request,
        input: &DisableTrustCertificate,
    ) -> Result<Done> {
        let id = input.trust_certificate_id.as_str();
        self.run(request, input, StreamId::of::<TrustCertificate>(id), |unit| async move {
            unit.permit(Operation::DisableTrustCertificate)?;
            decide(&unit, id, &input.reason, Command::Disable).await
        })
        .await
    }

    /// Trusts a certificate again.
    pub async fn enable_trust_certificate(
        &self,
        request: &Request,
        input: &EnableTrustCertificate,
    ) -> Result<Done> {
        let id = input.trust_certificate_id.as_str();
        self.run(request, input, StreamId::of::<TrustCertificate>(id), |unit| async move {
            unit.permit(Operation::EnableTrustCertificate)?;
            decide(&unit, id, &input.reason, Command::Enable).await
        })
        .await
    }
}

/// Trusts a certificate that is not trusted in the domain yet; it is told when it is new.
pub(crate) async fn upload(
    unit: &Unit,
    input: &UploadTrustCertificate,
) -> Result<(Decided, Option<Trusted>)> {
    unit.permit(Operation::UploadTrustCertificate)?;
    let certificate = Certificate::read(&input.certificate_data, "certificateData")?;
    let domain = input.partner_domain;
    let fingerprint = certificate.sha256();
    let known = projections::trust_certificate::by_fingerprint(unit.pool(), domain, &fingerprint);
    if let Some(id) = known.await? {
        return Ok((unit.load::<TrustCertificate>(&id).await?.done(), None));
    }
    let trusted = trusted_certificate(unit, domain, &certificate).await?;
    let mut stream = unit.begin::<TrustCertificate>();
    let name = Name { kind: "trust_certificate", key: format!("{domain}/{fingerprint}") };
    unit.claim(name, stream.stream_id(), None);
    unit.raise(fence(domain));
    unit.decide(&mut stream, Command::Upload(trusted.clone()))?;
    Ok((stream.done(), Some(trusted)))
}

async fn decide(
    unit: &Unit,
    id: &str,
    reason: &str,
    command: fn(Reason) -> Command,
) -> Result<Decided> {
    let reason = Reason::new("reason", reason)?;
    let mut stream = unit.load::<TrustCertificate>(id).await?;
    unit.expect(&stream)?;
    if unit.decide(&mut stream, command(reason))?
        && let Some(it) = stream.trusted()
    {
        unit.raise(fence(it.domain));
    }
    Ok(stream.done())
}

/// Checks a certificate against what is trusted in its domain.
async fn trusted_certificate(
    unit: &Unit,
    domain: TrustDomain,
    certificate: &Certificate,
) -> Result<Trusted> {
    let set = trusted(unit, domain).await?;
    let policy = CertificatePolicy::default();
    let kind =
        check_trust_certificate(certificate, set.store(), unit.now, &policy, "certificateData")?;
    let fingerprint = certificate.sha256();
    let (kind, issuer_fingerprint) = match kind {
        certificate::TrustKind::Root => (TrustKind::Root, fingerprint.clone()),
        certificate::TrustKind::Intermediate { issuer_sha256 } => {
            (TrustKind::Intermediate, issuer_sha256)
        }
    };
    Ok(Trusted {
        domain,
        kind,
        fingerprint,
        issuer_fingerprint,
        certificate: certificate.pem(),
        subject: certificate.subject(),
        issuer: certificate.issuer(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    })
}
