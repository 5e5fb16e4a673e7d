//! Certificates of partners: judged, announced, counter-signed and revoked.
//!
//! An upload is two submissions. The first one says in the log what will be signed; the second one
//! decides everything anew, signs exactly that, and appends the certificate. When something breaks
//! in between, the intent stays, and the same upload again goes on from there.

use super::{ProofOfPossession, own};
use crate::event_store::{Name, StreamId};
use crate::keys::IssuingKey;
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Error, Input, Request, Result, input, random};
use async_graphql::{InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::certificate::{
    Certificate, CertificatePolicy, check_partner_certificate, partner_path,
};
use domain::ids::PartnerId;
use domain::issuance::{Body, CounterSigning, NotIssued};
use domain::partner::{
    AcceptedCertificate, Certificates, Command, Partner, Refusal, SigningIntent, overlap,
};
use domain::reference::CertificateProfile;
use domain::text::Checks;
use domain::{Finding, Reason};
use serde::Serialize;

/// Where what is wrong with a certificate is told.
const FIELD: &str = "certificateData";

/// A certificate of a partner.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UploadPartnerCertificateInput")]
pub struct UploadPartnerCertificate {
    /// Whose certificate it is.
    pub partner_id: PartnerId,
    /// One certificate, PEM or base64 of DER, at most 16 KiB.
    pub certificate_data: String,
    /// When the partner's older certificates end: at most 90 days from now. A time that has passed
    /// means at once; when absent, they stay valid until their own end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_until: Option<DateTime<Utc>>,
    /// Shows that the partner has the private key; needed where the installation says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofOfPossession>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UploadPartnerCertificate, "uploadPartnerCertificate");

/// Declares a certificate of a partner and its key unfit for ever.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RevokePartnerCertificateInput")]
pub struct RevokePartnerCertificate {
    /// Whose certificate it is.
    pub partner_id: PartnerId,
    /// SHA-256 of the certificate in hex.
    pub fingerprint: String,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RevokePartnerCertificate, "revokePartnerCertificate");

/// What would come of uploading a certificate.
#[derive(Debug, Clone)]
pub struct CertificateCheck {
    /// Everything that is wrong; empty when it would be accepted.
    pub findings: Vec<Finding>,
    /// Whether the partner has it already, so that uploading it changes nothing.
    pub held: bool,
    /// The verified path, the certificate itself first, the root last; empty when there is none.
    pub path: Vec<PathLink>,
    /// What would be issued; absent when nothing would.
    pub issued: Option<ToBeIssued>,
}

/// A certificate of a path.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "CertificatePathLink")]
pub struct PathLink {
    /// Whose it is, in the form of RFC 4514.
    pub subject: String,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: String,
}

/// A certificate that would be issued.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
#[graphql(name = "CertificateToBeIssued")]
pub struct ToBeIssued {
    /// The subject of the uploaded certificate, in the form of RFC 4514.
    pub subject: String,
    /// The first second in which it would be valid.
    pub not_before: DateTime<Utc>,
    /// The last second in which it would be valid.
    pub not_after: DateTime<Utc>,
    /// What its key could be used for.
    pub profile: CertificateProfile,
}

/// The first submission of an upload, which only announces: it has no idempotency key.
#[derive(Serialize)]
pub(crate) struct Announcing<'a, I>(pub &'a I);

impl<I: Input> Input for Announcing<'_, I> {
    const MUTATION: &'static str = I::MUTATION;
    fn idempotency_key(&self) -> Option<&str> {
        None
    }
    fn expected_version(&self) -> Option<i64> {
        self.0.expected_version()
    }
}

/// The second submission of an upload. The first one may have moved the version that the caller
/// has seen.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Signing<'a, I> {
    input: &'a I,
    #[serde(skip)]
    version: i64,
}

impl<'a, I> Signing<'a, I> {
    /// What was announced is signed.
    pub fn after(announced: &Done, input: &'a I) -> Self {
        Self { input, version: announced.version }
    }
}

impl<I: Input> Input for Signing<'_, I> {
    const MUTATION: &'static str = I::MUTATION;
    fn idempotency_key(&self) -> Option<&str> {
        self.input.idempotency_key()
    }
    fn expected_version(&self) -> Option<i64> {
        self.input.expected_version().map(|_| self.version)
    }
}

/// An uploaded certificate that is new and has passed every check.
pub(crate) struct Offer {
    certificate: Certificate,
    path: Vec<String>,
    partner_id: String,
    profile: CertificateProfile,
}

impl Offer {
    /// SHA-256 of the public key, lower-case hex.
    pub fn key_fingerprint(&self) -> String {
        self.certificate.spki_sha256()
    }

    fn order<'a>(&'a self, issuer: &'a Certificate) -> CounterSigning<'a> {
        let Self { certificate: partner, partner_id, profile, .. } = self;
        CounterSigning { partner, issuer, profile: *profile, partner_id }
    }
}

impl Commands {
    /// Takes a certificate that a trusted authority issued to the partner's organisation, and
    /// counter-signs it. The first one makes the partner active.
    pub async fn upload_partner_certificate(
        &self,
        request: &Request,
        input: &UploadPartnerCertificate,
    ) -> Result<Done> {
        if let Some(done) = self.granted(request, input).await? {
            return Ok(done);
        }
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        let first = Announcing(input);
        let announcing = self.run(request, &first, stream.clone(), |unit| async move {
            let (mut partner, wish) = self.wished_for_partner(&unit, input).await?;
            if let Some((offer, _)) = wish {
                let intent = self.intent(&unit, &offer, certificates(&partner)?)?;
                let key_fingerprint = offer.key_fingerprint();
                unit.decide(&mut partner, Command::IntendSigning { intent, key_fingerprint })?;
            }
            Ok(partner.done())
        });
        let second = Signing::after(&announcing.await?, input);
        self.run(request, &second, stream, |unit| async move {
            let (mut partner, wish) = self.wished_for_partner(&unit, input).await?;
            if let Some((offer, overlap_until)) = wish {
                let accepted = self.counter_signed(&unit, &offer, certificates(&partner)?)?;
                let accepted = AcceptedCertificate { overlap_until, ..accepted };
                unit.decide(&mut partner, Command::AcceptCertificate(accepted))?;
            }
            Ok(partner.done())
        })
        .await
    }

    /// The partner, and the certificate that it wishes for with the end of older ones; none when it
    /// has it already.
    async fn wished_for_partner(
        &self,
        unit: &Unit,
        input: &UploadPartnerCertificate,
    ) -> Result<(Stream<Partner>, Option<(Offer, Option<DateTime<Utc>>)>)> {
        let partner = own(unit, Operation::UploadPartnerCertificate, &input.partner_id).await?;
        let mut checks = Checks::default();
        let overlap_until = overlap(&mut checks, input.overlap_until, unit.now);
        let certificate = match Certificate::read(&input.certificate_data, FIELD) {
            Ok(certificate) => certificate,
            Err(findings) => {
                checks.extend(findings);
                return Err(checks.done().err().unwrap_or_default().into());
            }
        };
        if !takes(&partner, &certificate).map_err(Vec::from)? {
            checks.done()?;
            return Ok((partner, None));
        }
        let proof = input.proof.as_ref();
        checks.extend(self.proof_finding(&input.partner_id, &certificate, proof, unit.now));
        let holder = partner.stream_id();
        let offer = self.offer(unit, &partner, certificate, holder, checks).await?;
        Ok((partner, Some((offer, overlap_until))))
    }

    /// Judges a certificate as one of the partner's organisation, and takes its key for `holder`.
    /// What was found before is told too.
    pub(crate) async fn offer(
        &self,
        unit: &Unit,
        partner: &Stream<Partner>,
        certificate: Certificate,
        holder: StreamId,
        mut checks: Checks,
    ) -> Result<Offer> {
        let judgement = self.judge(unit, partner, &certificate, &holder).await?;
        checks.extend(judgement.findings);
        checks.done()?;
        let (name, taken) = (key_name(&certificate), Some(key_in_use()));
        unit.claim(name, holder, taken);
        let path = judgement.path.into_iter().map(|link| link.sha256).collect();
        let (partner_id, profile) = (partner.id.clone(), judgement.profile);
        Ok(Offer { certificate, path, partner_id, profile })
    }

    async fn judge(
        &self,
        unit: &Unit,
        partner: &Stream<Partner>,
        certificate: &Certificate,
        holder: &StreamId,
    ) -> Result<Judgement> {
        let profile = partner.profile().ok_or(Vec::from(Refusal::PartnerNotFound))?;
        let terms = profile.partner_type.terms();
        let trusted = crate::trust_certificate::trusted(unit, terms.trust_domain).await?;
        let (store, policy) = (trusted.store(), CertificatePolicy::default());
        let judged = check_partner_certificate(
            certificate,
            &profile.organization_name,
            terms.certificate_profile,
            store,
            unit.now,
            &policy,
            FIELD,
        );
        let (path, mut findings) = match judged {
            Ok(path) => (path, Vec::new()),
            Err(findings) => {
                let path = partner_path(certificate, store, unit.now, &policy, FIELD);
                (path.unwrap_or_default(), findings)
            }
        };
        let user = self.store.holder(&key_name(certificate)).await?;
        findings.extend(user.filter(|it| *it != holder.to_string()).map(|_| key_in_use()));
        let known = || [certificate].into_iter().chain(store.intermediates).chain(store.anchors);
        let subject = |sha256: &str| known().find(|it| it.sha256() == sha256);
        let link = |sha256: String| PathLink {
            subject: subject(&sha256).map(Certificate::subject).unwrap_or_default(),
            sha256,
        };
        let path = path.into_iter().map(link).collect();
        Ok(Judgement { profile: terms.certificate_profile, findings, path })
    }

    /// What will be signed: what the log says already as long as that holds, else something new.
    pub(crate) fn intent(
        &self,
        unit: &Unit,
        offer: &Offer,
        known: &Certificates,
    ) -> Result<SigningIntent> {
        if let Some((intent, _)) = self.announced(unit, offer, known)? {
            return Ok(intent.clone());
        }
        let IssuingKey { certificate: issuer, signer } = self.keys().issuer()?;
        let order = offer.order(issuer);
        let terms = order.terms(random()?, unit.now, &CertificatePolicy::default());
        let terms = terms.map_err(not_issued)?;
        let body = order.body(&terms, signer.as_ref()).map_err(not_issued)?;
        Ok(SigningIntent {
            fingerprint: offer.certificate.sha256(),
            serial: hex::encode(terms.serial),
            not_before: terms.not_before,
            not_after: terms.not_after,
            issuer_fingerprint: issuer.sha256(),
            tbs_sha256: body.sha256(),
        })
    }

    /// What the log says that would be signed, and its bytes; nothing when it holds no more, is of
    /// another issuing key, or would come out in other bytes today.
    fn announced<'a>(
        &self,
        unit: &Unit,
        offer: &Offer,
        known: &'a Certificates,
    ) -> Result<Option<(&'a SigningIntent, Body)>> {
        let IssuingKey { certificate: issuer, signer } = self.keys().issuer()?;
        let intent = known.intent(&offer.certificate.sha256());
        let intent = intent.filter(|it| it.holds(unit.now));
        let intent = intent.filter(|it| it.issuer_fingerprint == issuer.sha256());
        let Some((intent, terms)) = intent.and_then(|it| Some((it, it.terms()?))) else {
            return Ok(None);
        };
        let body = offer.order(issuer).body(&terms, signer.as_ref());
        let body = body.ok().filter(|body| body.sha256() == intent.tbs_sha256);
        Ok(body.map(|body| (intent, body)))
    }

    /// Signs what the log says that we would.
    pub(crate) fn counter_signed(
        &self,
        unit: &Unit,
        offer: &Offer,
        known: &Certificates,
    ) -> Result<AcceptedCertificate> {
        let (_, body) = self.announced(unit, offer, known)?.ok_or(Error::Conflict)?;
        let IssuingKey { certificate: issuer, signer } = self.keys().issuer()?;
        let signed = body.sign(issuer, signer.as_ref()).map_err(not_issued)?;
        let certificate = &offer.certificate;
        Ok(AcceptedCertificate {
            fingerprint: certificate.sha256(),
            key_fingerprint: certificate.spki_sha256(),
            certificate: certificate.pem(),
            signed_certificate: signed.pem(),
            path: offer.path.clone(),
            not_after: certificate.not_after(),
            signed_not_after: signed.not_after(),
            tbs_sha256: signed.tbs_sha256(),
            overlap_until: None,
        })
    }

    /// What would come of uploading a certificate of a partner: decided as the upload decides.
    pub async fn check_certificate(
        &self,
        request: &Request,
        partner_id: &PartnerId,
        certificate_data: &str,
    ) -> Result<CertificateCheck> {
        let unit = self.unit(request, None);
        let partner = own(&unit, Operation::UploadPartnerCertificate, partner_id).await?;
        let mut check =
            CertificateCheck { findings: Vec::new(), held: false, path: Vec::new(), issued: None };
        let certificate = match Certificate::read(certificate_data, FIELD) {
            Ok(certificate) => certificate,
            Err(findings) => return Ok(CertificateCheck { findings, ..check }),
        };
        match takes(&partner, &certificate) {
            Ok(new) => check.held = !new,
            Err(refusal) => check.findings.extend(Vec::from(refusal)),
        }
        let holder = partner.stream_id();
        let judgement = self.judge(&unit, &partner, &certificate, &holder).await?;
        check.path = judgement.path;
        if check.held {
            return Ok(check);
        }
        check.findings.extend(judgement.findings);
        if check.findings.is_empty() {
            let (partner_id, profile) = (partner.id.clone(), judgement.profile);
            let offer = Offer { certificate, path: Vec::new(), partner_id, profile };
            match self.intent(&unit, &offer, certificates(&partner)?) {
                Ok(intent) => check.issued = Some(offer.to_be_issued(&intent)),
                Err(Error::Refused(findings)) => check.findings = findings,
                Err(other) => return Err(other),
            }
        }
        Ok(check)
    }

    /// Declares a certificate of a partner and its key unfit for ever.
    pub async fn revoke_partner_certificate(
        &self,
        request: &Request,
        input: &RevokePartnerCertificate,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let operation = Operation::RevokePartnerCertificate;
            let mut partner = own(&unit, operation, &input.partner_id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            let fingerprint = input.fingerprint.trim().to_lowercase();
            unit.decide(&mut partner, Command::RevokeCertificate { fingerprint, reason })?;
            Ok(partner.done())
        })
        .await
    }
}

/// What an uploaded certificate is worth.
struct Judgement {
    profile: CertificateProfile,
    findings: Vec<Finding>,
    path: Vec<PathLink>,
}

impl Offer {
    fn to_be_issued(&self, intent: &SigningIntent) -> ToBeIssued {
        let SigningIntent { not_before, not_after, .. } = *intent;
        ToBeIssued {
            subject: self.certificate.subject(),
            not_before,
            not_after,
            profile: self.profile,
        }
    }
}

fn takes(partner: &Partner, certificate: &Certificate) -> Result<bool, Refusal> {
    partner.takes(certificate.sha256(), certificate.spki_sha256())
}

fn certificates(partner: &Partner) -> Result<&Certificates> {
    let profile = partner.profile().ok_or(Vec::from(Refusal::PartnerNotFound))?;
    Ok(&profile.certificates)
}

/// No two partners or chips share a key.
fn key_name(certificate: &Certificate) -> Name {
    Name { kind: "certificate_key", key: certificate.spki_sha256() }
}

/// Whose it is already is not told.
fn key_in_use() -> Finding {
    let message = "The key of this certificate is in use already; make a new one.";
    Finding::new("KEY_IN_USE", FIELD, message)
}

fn not_issued(problem: NotIssued) -> Error {
    match problem {
        NotIssued::Refused(findings) => {
            let here = |finding| Finding { field: FIELD.to_owned(), ..finding };
            Error::Refused(findings.into_iter().map(here).collect())
        }
        NotIssued::SubjectNotCanonical => Error::refused(
            "SUBJECT_NOT_CANONICAL",
            FIELD,
            "The subject of this certificate is not encoded as DER demands; ask your authority.",
        ),
        fault => Error::Fault(fault.into()),
    }
}
