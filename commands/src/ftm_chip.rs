//! What can be done with FTM chips.

use crate::event_store::{Name, StreamId};
use crate::partner::{Announcing, Offer, Signing, at};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use domain::actor::Operation;
use domain::certificate::Certificate;
use domain::ftm_chip::{Chip, Command, FtmChip, Refusal};
use domain::ids::{FtmChipId, PartnerId};
use domain::partner::{self, Certificates, Partner};
use domain::reference::PartnerType;
use domain::text::{Checks, normal};
use domain::{Finding, Reason};
use serde::Serialize;

/// A new FTM chip.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "AddFtmChipInput")]
pub struct AddFtmChip {
    /// Who makes it: an active FTM provider.
    pub ftp_provider_id: PartnerId,
    /// Who made it: 1 to 36 characters.
    pub make: String,
    /// Which one it is: 1 to 36 characters. Live chips of one provider differ in make or model.
    pub model: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(AddFtmChip, "addFtmChip", new);

/// A certificate of a chip.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UploadFtmChipCertificateInput")]
pub struct UploadFtmChipCertificate {
    /// Which chip.
    pub ftm_chip_id: FtmChipId,
    /// One certificate, PEM or base64 of DER, at most 16 KiB, issued to the provider's
    /// organisation under a root of the FTM domain.
    pub certificate_data: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the chip that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UploadFtmChipCertificate, "uploadFtmChipCertificate");

/// Allows a chip.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ApproveFtmChipInput")]
pub struct ApproveFtmChip {
    /// Which chip.
    pub ftm_chip_id: FtmChipId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the chip that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ApproveFtmChip, "approveFtmChip");

/// Refuses a chip.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RejectFtmChipInput")]
pub struct RejectFtmChip {
    /// Which chip.
    pub ftm_chip_id: FtmChipId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the chip that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RejectFtmChip, "rejectFtmChip");

/// Ends an approved chip for good.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateFtmChipInput")]
pub struct DeactivateFtmChip {
    /// Which chip.
    pub ftm_chip_id: FtmChipId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the chip that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateFtmChip, "deactivateFtmChip");

impl Commands {
    /// Offers a chip, which needs a certificate next.
    pub async fn add_ftm_chip(&self, request: &Request, input: &AddFtmChip) -> Result<Done> {
        let stream = StreamId::of::<FtmChip>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let provider = unit.load::<Partner>(input.ftp_provider_id.as_str()).await?;
            let not_found = at("ftpProviderId", partner::Refusal::PartnerNotFound);
            unit.permit_on(Operation::AddFtmChip, &provider, not_found)?;
            let chip = Chip::new(input.ftp_provider_id.clone(), &input.make, &input.model)?;
            let active = provider.active_as(PartnerType::FtmProvider);
            active.map_err(|refusal| at("ftpProviderId", refusal))?;

            let mut stream = unit.begin::<FtmChip>();
            claim_name(&unit, &chip, stream.stream_id());
            unit.raise(crate::partner::holds(&provider.id));
            unit.decide(&mut stream, Command::Add(chip))?;
            Ok(stream.done())
        })
        .await
    }

    /// Takes a certificate that a trusted authority issued to the provider's organisation, and
    /// counter-signs it. The chip waits for approval then, also if it was approved before.
    pub async fn upload_ftm_chip_certificate(
        &self,
        request: &Request,
        input: &UploadFtmChipCertificate,
    ) -> Result<Done> {
        if let Some(done) = self.granted(request, input).await? {
            return Ok(done);
        }
        let stream = StreamId::of::<FtmChip>(input.ftm_chip_id.as_str());
        let first = Announcing(input);
        let announcing = self.run(request, &first, stream.clone(), |unit| async move {
            let (mut chip, offer) = self.wished_for_chip(&unit, input).await?;
            if let Some(offer) = offer {
                let intent = self.intent(&unit, &offer, certificates(&chip)?)?;
                let key_fingerprint = offer.key_fingerprint();
                unit.decide(&mut chip, Command::IntendSigning { intent, key_fingerprint })?;
            }
            Ok(chip.done())
        });
        let second = Signing::after(&announcing.await?, input);
        self.run(request, &second, stream, |unit| async move {
            let (mut chip, offer) = self.wished_for_chip(&unit, input).await?;
            if let Some(offer) = offer {
                let accepted = self.counter_signed(&unit, &offer, certificates(&chip)?)?;
                unit.decide(&mut chip, Command::AcceptCertificate(accepted))?;
            }
            Ok(chip.done())
        })
        .await
    }

    /// The chip, and the certificate that is wished for it; none when it has it already.
    async fn wished_for_chip(
        &self,
        unit: &Unit,
        input: &UploadFtmChipCertificate,
    ) -> Result<(Stream<FtmChip>, Option<Offer>)> {
        let operation = Operation::UploadFtmChipCertificate;
        let (chip, provider) = own(unit, operation, input.ftm_chip_id.as_str()).await?;
        unit.expect(&chip)?;
        provider.active().map_err(Vec::from)?;
        let certificate = Certificate::read(&input.certificate_data, "certificateData")?;
        let new = chip.takes(certificate.sha256(), certificate.spki_sha256());
        if !new.map_err(Vec::from)? {
            return Ok((chip, None));
        }
        let (holder, checks) = (chip.stream_id(), Checks::default());
        let offer = self.offer(unit, &provider, certificate, holder, checks).await?;
        Ok((chip, Some(offer)))
    }

    /// Allows a chip that has a certificate.
    pub async fn approve_ftm_chip(
        &self,
        request: &Request,
        input: &ApproveFtmChip,
    ) -> Result<Done> {
        let id = input.ftm_chip_id.as_str();
        self.run(request, input, StreamId::of::<FtmChip>(id), |unit| async move {
            unit.permit(Operation::ApproveFtmChip)?;
            decide(&unit, id, Command::Approve).await
        })
        .await
    }

    /// Refuses a chip, with or without a certificate.
    pub async fn reject_ftm_chip(&self, request: &Request, input: &RejectFtmChip) -> Result<Done> {
        let id = input.ftm_chip_id.as_str();
        self.run(request, input, StreamId::of::<FtmChip>(id), |unit| async move {
            unit.permit(Operation::RejectFtmChip)?;
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, Command::Reject(reason)).await
        })
        .await
    }

    /// Ends an approved chip for good.
    pub async fn deactivate_ftm_chip(
        &self,
        request: &Request,
        input: &DeactivateFtmChip,
    ) -> Result<Done> {
        let id = input.ftm_chip_id.as_str();
        self.run(request, input, StreamId::of::<FtmChip>(id), |unit| async move {
            let (mut stream, _) = own(&unit, Operation::DeactivateFtmChip, id).await?;
            unit.expect(&stream)?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut stream, Command::Deactivate(reason))?;
            release_name(&unit, &stream);
            Ok(stream.done())
        })
        .await
    }
}

fn certificates(chip: &FtmChip) -> Result<&Certificates> {
    Ok(chip.certificates().ok_or(Vec::from(Refusal::FtmChipNotFound))?)
}

/// A chip, and the partner that makes it, for what the provider may do itself.
async fn own(
    unit: &Unit,
    operation: Operation,
    id: &str,
) -> Result<(Stream<FtmChip>, Stream<Partner>)> {
    let stream = unit.load::<FtmChip>(id).await?;
    let provider = provider(unit, &stream).await?;
    unit.permit_on(operation, &provider, Refusal::FtmChipNotFound)?;
    Ok((stream, provider))
}

/// An administrator's decision. What a suspended provider has offered waits.
async fn decide(unit: &Unit, id: &str, command: Command) -> Result<Decided> {
    let mut stream = unit.load::<FtmChip>(id).await?;
    unit.expect(&stream)?;
    if let FtmChip::PendingCertificate(..) | FtmChip::Pending(..) = &*stream {
        provider(unit, &stream).await?.active().map_err(Vec::from)?;
    }
    unit.decide(&mut stream, command)?;
    release_name(unit, &stream);
    Ok(stream.done())
}

/// The partner that makes it; a missing one for a missing chip.
async fn provider(unit: &Unit, stream: &Stream<FtmChip>) -> Result<Stream<Partner>> {
    let provider = stream.chip().map_or("", |chip| chip.provider_id.as_str());
    unit.load::<Partner>(provider).await
}

fn name(chip: &Chip) -> Name {
    let (provider, make, model) = (chip.provider_id.as_str(), &chip.make, &chip.model);
    // No line has a line feed, so no two chips have one name.
    Name { kind: "ftm_chip", key: format!("{provider}\n{}\n{}", normal(make), normal(model)) }
}

fn claim_name(unit: &Unit, chip: &Chip, holder: StreamId) {
    let message = "The provider has this FTM chip already.";
    let taken = Finding::new("FTM_CHIP_EXISTS", "make", message);
    unit.claim(name(chip), holder, Some(taken));
}

/// What has ended may be offered again, as another chip.
pub(crate) fn release_name(unit: &Unit, stream: &Stream<FtmChip>) {
    if stream.has_ended()
        && let Some(chip) = stream.chip()
    {
        unit.release(name(chip), stream.stream_id());
    }
}
