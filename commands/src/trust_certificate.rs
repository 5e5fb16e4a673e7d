//! What can be done with trust certificates.

mod bundle;

pub use bundle::{Uploaded, UploadedCertificate};

use crate::event_store::StreamId;
use crate::unit::{Decided, Unit};
use crate::{Change, Commands, Done, Error, Request, Result, input, new_id};
use async_graphql::InputObject;
use bundle::refuse_too_large;
pub(crate) use bundle::upload;
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate as _;
use domain::Reason;
use domain::actor::Operation;
use domain::certificate::{
    Certificate, CertificatePolicy, RevocationList, Revocations, TrustStore,
};
use domain::ids::TrustCertificateId;
use domain::proposal::ProposedAction;
use domain::reference::TrustDomain;
use domain::trust_certificate::{Command, Crl, Event, TrustCertificate, TrustKind};
use projections::fold::find;
use projections::trust_certificate::Row;
use projections::trust_certificate::dependents::{Dependents, dependents};
use serde::{Deserialize, Serialize};

/// Root and intermediate certificates to trust: all of them or none.
#[derive(Debug, Clone, Serialize, Deserialize, InputObject)]
#[graphql(name = "UploadTrustCertificateInput")]
pub struct UploadTrustCertificate {
    /// Where it will be trusted.
    pub partner_domain: TrustDomain,
    /// One certificate, or a bundle of up to 32 in any order: PEM, base64 of DER, or PKCS#7 as PEM
    /// or base64; at most 256 KiB. The issuer of an intermediate has to be here, or in the bundle.
    pub certificate_data: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(UploadTrustCertificate, "uploadTrustCertificate", new);

/// Trusts a certificate no more, for a while.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DisableTrustCertificateInput")]
pub struct DisableTrustCertificate {
    /// Which certificate.
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
    /// Which certificate.
    pub trust_certificate_id: TrustCertificateId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the certificate's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(EnableTrustCertificate, "enableTrustCertificate");

/// Trusts a certificate never again.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RevokeTrustCertificateInput")]
pub struct RevokeTrustCertificate {
    /// Which certificate.
    pub trust_certificate_id: TrustCertificateId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the certificate's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RevokeTrustCertificate, "revokeTrustCertificate");

/// Trusts no more what a CA takes back by its list.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "AttachCrlInput")]
pub struct AttachCrl {
    /// The CA that issued the list.
    pub trust_certificate_id: TrustCertificateId,
    /// The complete revocation list of the CA, PEM or base64 of DER: at most 1,000 certificates and
    /// 128 KiB. It takes the place of the one before.
    pub crl_data: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the certificate's record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(AttachCrl, "attachCrl");

/// The certificates that are trusted in one domain now, and what they take back.
#[derive(Default)]
pub(crate) struct TrustedSet {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    revocations: Revocations,
}

impl TrustedSet {
    /// As the path walker wants it.
    pub fn store(&self) -> TrustStore<'_> {
        let Self { anchors, intermediates, revocations } = self;
        TrustStore { anchors, intermediates, revocations }
    }

    fn add(&mut self, kind: TrustKind, certificate: Certificate) {
        match kind {
            TrustKind::Root => self.anchors.push(certificate),
            TrustKind::Intermediate => self.intermediates.push(certificate),
        }
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
    let mut set = TrustedSet::default();
    for row in rows {
        let certificate = stored(&row.certificate_data)?;
        set.revocations.add(row.key_fingerprint, row.revoked_serials);
        set.add(row.kind, certificate);
    }
    Ok(set)
}

impl Commands {
    /// Trusts roots and intermediates in a domain, all of them or none. What is trusted there already
    /// stays as it is.
    pub async fn upload_trust_certificate(
        &self,
        request: &Request,
        input: &UploadTrustCertificate,
    ) -> Result<Uploaded> {
        let stream = StreamId::of::<TrustCertificate>(&new_id().to_string());
        let done = self.run(request, input, stream, |unit| async move {
            let upload = upload(&unit, input).await?;
            match upload.target() {
                Some(target) => {
                    let action = ProposedAction::UploadTrustCertificate;
                    refuse_too_large(&unit, input)?;
                    unit.or_propose(upload.decided(), action, target, input)
                }
                None => Ok(upload.decided()),
            }
        });
        Ok(Uploaded::from(done.await?))
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
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, |_| Ok(Command::Disable(reason))).await
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
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, |_| Ok(Command::Enable(reason))).await
        })
        .await
    }

    /// Trusts a certificate, and what stands below it, never again.
    pub async fn revoke_trust_certificate(
        &self,
        request: &Request,
        input: &RevokeTrustCertificate,
    ) -> Result<Done> {
        let id = input.trust_certificate_id.as_str();
        self.run(request, input, StreamId::of::<TrustCertificate>(id), |unit| async move {
            unit.permit(Operation::RevokeTrustCertificate)?;
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, |_| Ok(Command::Revoke(reason))).await
        })
        .await
    }

    /// Trusts no more what a CA takes back by its list. The same list again changes nothing.
    pub async fn attach_crl(&self, request: &Request, input: &AttachCrl) -> Result<Done> {
        let id = input.trust_certificate_id.as_str();
        self.run(request, input, StreamId::of::<TrustCertificate>(id), |unit| async move {
            unit.permit(Operation::AttachCrl)?;
            let list = RevocationList::read(&input.crl_data, "crlData")?;
            decide(&unit, id, |ca| checked(ca, &list, unit.now)).await
        })
        .await
    }
}

impl Commands {
    /// What would be trusted no more after these changes; no command changes two trust certificates
    /// in such a way.
    pub async fn dependents_of(&self, changes: &[Change]) -> Result<Dependents> {
        for change in changes.iter().filter(|it| it.noun == TrustCertificate::TYPE) {
            let event = serde_json::from_str(&change.payload);
            let serials = match event.map_err(|error| Error::Fault(error.into()))? {
                Event::Disabled { .. } | Event::Revoked { .. } => None,
                Event::CrlAttached(crl) => Some(crl.revoked),
                Event::Uploaded(_) | Event::Enabled { .. } | Event::Expired { .. } => continue,
            };
            let pool = self.store.pool();
            let Some(ca) = find::<Row>(pool, &change.id).await? else { continue };
            return Ok(dependents(pool, &ca, serials.as_ref(), self.now()).await?);
        }
        Ok(Dependents::default())
    }
}

async fn decide(
    unit: &Unit,
    id: &str,
    command: impl FnOnce(&TrustCertificate) -> Result<Command>,
) -> Result<Decided> {
    let mut stream = unit.load::<TrustCertificate>(id).await?;
    unit.expect(&stream)?;
    let command = command(&stream)?;
    if unit.decide(&mut stream, command)?
        && let Some(it) = stream.trusted()
    {
        unit.raise(fence(it.domain));
    }
    Ok(stream.done())
}

/// The list, judged against its CA; the one that is attached already was judged then.
fn checked(ca: &TrustCertificate, list: &RevocationList, now: DateTime<Utc>) -> Result<Command> {
    let crl = Crl::from(list);
    if let Some(trusted) = ca.trusted().filter(|_| ca.crl() != Some(&crl)) {
        let certificate = stored(&trusted.certificate)?;
        let previous = ca.crl().map(|it| it.number.as_str());
        list.check(&certificate, previous, now, &CertificatePolicy::default(), "crlData")?;
    }
    Ok(Command::AttachCrl(crl))
}

/// A certificate from our own store.
fn stored(pem: &str) -> Result<Certificate> {
    let read = Certificate::read(pem, "");
    read.map_err(|_| Error::fault("a trusted certificate does not read any more"))
}
