//! Certificates of partners and chips in GraphQL, those that we issue for them, and what comes
//! before an upload: the dry run and the challenge.

use crate::caller::caller;
use crate::errors::{Result, ToldFinding, answer};
use crate::trust_certificate::facts;
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use commands::Error;
use commands::partner::{CertificateChallenge, CertificateCheck, PathLink, ToBeIssued};
use domain::actor::Operation;
use domain::certificate::Certificate;
use domain::ids::PartnerId;
use domain::issuance::p7b;
use domain::reference::TrustDomain;
use domain::trust_certificate::standing::{Accepted, UntrustedReason};
use projections::partner::{CertificateStatus, PartnerCertificate as Row};

/// A certificate that a partner uploaded for itself or for a chip, and the one that was issued for
/// it. It is told for ever, expired and revoked or not.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct PartnerCertificate {
    #[graphql(flatten)]
    row: Row,
    #[graphql(skip)]
    domain: TrustDomain,
    /// Whose it is, in the form of RFC 4514.
    subject: String,
    /// Who issued it, in the form of RFC 4514.
    issuer: String,
    /// The first second in which the uploaded certificate is valid.
    not_before: DateTime<Utc>,
    /// The last second in which the uploaded certificate is valid.
    not_after: DateTime<Utc>,
}

#[ComplexObject]
impl PartnerCertificate {
    /// What it is: now, or at another instant.
    async fn status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant that is asked about; now when absent.")] at: Option<
            DateTime<Utc>,
        >,
    ) -> CertificateStatus {
        self.row.status(at.unwrap_or_else(|| caller(ctx).commands.now()))
    }

    /// Whether the certificate is trusted now, by its dates and by everything in its path.
    async fn chain_status(&self, ctx: &Context<'_>) -> Result<ChainStatus> {
        let Row { serial, path, expires_at, .. } = &self.row;
        let accepted = Accepted { serial, not_after: *expires_at, path };
        let facts = facts(ctx, self.domain).await?;
        let untrusted_reason = facts.untrusted_path(accepted, caller(ctx).commands.now());
        Ok(ChainStatus { trusted: untrusted_reason.is_none(), untrusted_reason })
    }

    /// The counter-signed certificate with its CA, in this order: PKCS#7 without signature, base64
    /// of DER. Null at a node that was not started again since the CA's key was made.
    #[graphql(name = "signedChainP7b")]
    async fn signed_chain_p7b(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let signed = read(ctx, &self.row.signed_certificate_data)?;
        let mut issuers = caller(ctx).commands.keys().issuers();
        let Some(issuer) = issuers.find(|it| signed.is_signed_by(it)) else { return Ok(None) };
        let bundle = p7b(&[&signed, issuer]).map_err(|problem| Error::Fault(problem.into()));
        answer(ctx, bundle).map(Some)
    }
}

/// Whether a certificate is trusted now.
#[derive(SimpleObject)]
pub struct ChainStatus {
    /// Whether it is.
    trusted: bool,
    /// Why not; null when it is.
    untrusted_reason: Option<UntrustedReason>,
}

/// Certificates of one trust domain as they are stored, in the same order.
pub fn certificates(
    ctx: &Context<'_>,
    rows: &[Row],
    domain: TrustDomain,
) -> Result<Vec<PartnerCertificate>> {
    let certificate = |row: &Row| {
        let certificate = read(ctx, &row.certificate_data)?;
        Ok(PartnerCertificate {
            row: row.clone(),
            domain,
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        })
    };
    rows.iter().map(certificate).collect()
}

fn read(ctx: &Context<'_>, pem: &str) -> Result<Certificate> {
    let unreadable = |_| Error::fault("an accepted certificate does not read any more");
    answer(ctx, Certificate::read(pem, "").map_err(unreadable))
}

/// What would come of uploading a certificate.
#[derive(SimpleObject)]
#[graphql(name = "CertificateCheck")]
pub struct Check {
    /// Everything that is wrong; empty when the certificate would be accepted.
    findings: Vec<ToldFinding>,
    /// Whether the partner has it already: uploading it would change nothing.
    held: bool,
    /// The verified path, the certificate itself first, the root last; empty when there is none.
    path: Vec<PathLink>,
    /// What would be issued; null when nothing would.
    issued: Option<ToBeIssued>,
}

impl From<CertificateCheck> for Check {
    fn from(CertificateCheck { findings, held, path, issued }: CertificateCheck) -> Self {
        Self { findings: findings.into_iter().map(Into::into).collect(), held, path, issued }
    }
}

/// The certificate of an issuing key: a root that counter-signed certificates lead to.
#[derive(SimpleObject)]
pub struct IssuingCertificate {
    /// The certificate, PEM.
    certificate_data: String,
    /// SHA-256 of the certificate, lower-case hex.
    sha256: String,
    /// Whose it is, in the form of RFC 4514.
    subject: String,
    /// The first second in which it is valid.
    not_before: DateTime<Utc>,
    /// The last second in which it is valid.
    not_after: DateTime<Utc>,
    /// Whether this node issues under it now.
    current: bool,
}

/// Questions about certificates.
#[derive(Default)]
pub struct CertificateQuery;

#[Object]
impl CertificateQuery {
    /// What would come of uploading a certificate of a partner, for those who may upload it: all
    /// findings as data, the path, and what would be issued. Nothing is appended.
    async fn check_certificate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose certificate it would be.")] partner_id: PartnerId,
        #[graphql(desc = "One certificate, PEM or base64 of DER, at most 16 KiB.")]
        certificate_data: String,
    ) -> Result<Check> {
        let caller = caller(ctx);
        let checked =
            caller.commands.check_certificate(&caller.request, &partner_id, &certificate_data);
        Ok(answer(ctx, checked.await)?.into())
    }

    /// A text that the private key of a certificate has to sign, as the proof that an upload may
    /// need; for those who may upload certificates of the partner. It can be answered for ten
    /// minutes.
    async fn certificate_challenge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose certificate will be uploaded.")] partner_id: PartnerId,
    ) -> Result<CertificateChallenge> {
        let caller = caller(ctx);
        answer(ctx, caller.commands.certificate_challenge(&caller.request, &partner_id).await)
    }

    /// The CAs under which counter-signed certificates were issued, newest first; all of them stay
    /// good for what they have signed.
    async fn issuing_certificates(&self, ctx: &Context<'_>) -> Result<Vec<IssuingCertificate>> {
        let caller = caller(ctx);
        caller.viewer(ctx, Operation::ReadIssuingCertificate)?;
        let issuers = caller.commands.keys().issuers().enumerate();
        let told = |(before, certificate): (usize, &Certificate)| IssuingCertificate {
            certificate_data: certificate.pem(),
            sha256: certificate.sha256(),
            subject: certificate.subject(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            current: before == 0,
        };
        Ok(issuers.map(told).collect())
    }
}
