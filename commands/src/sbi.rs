//! What can be done with secure biometric interfaces.

use crate::event_store::{Name, StreamId};
use crate::partner::at;
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input, new_id};
use async_graphql::InputObject;
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::ids::{PartnerId, SbiId};
use domain::partner::{self, Partner};
use domain::reference::PartnerType;
use domain::sbi::{Command, Refusal, Sbi, Software};
use domain::text::normal;
use domain::{Finding, Reason};
use serde::Serialize;

/// A new secure biometric interface.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "AddSbiInput")]
pub struct AddSbi {
    /// Who makes it: an active device provider.
    pub provider_id: PartnerId,
    /// The provider's own version of the software: 1 to 64 characters, unique for the provider
    /// among those that were not rejected.
    pub sw_version: String,
    /// SHA-256 of the binary: 64 hexadecimal digits.
    pub sw_binary_hash: String,
    /// When the software was made: not in the future and at most 10 years ago.
    pub sw_create_date_time: DateTime<Utc>,
    /// From when on no device can rest on it: in the future, after it was made, and at most 10
    /// years from now.
    pub sw_expiry_date_time: DateTime<Utc>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
}
input!(AddSbi, "addSbi", new);

/// Allows devices to rest on a secure biometric interface.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ApproveSbiInput")]
pub struct ApproveSbi {
    /// Which interface.
    pub sbi_id: SbiId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of its record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ApproveSbi, "approveSbi");

/// Refuses a secure biometric interface.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RejectSbiInput")]
pub struct RejectSbi {
    /// Which interface.
    pub sbi_id: SbiId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of its record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RejectSbi, "rejectSbi");

/// Ends an approved secure biometric interface, and the devices that rest on no other.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateSbiInput")]
pub struct DeactivateSbi {
    /// Which interface.
    pub sbi_id: SbiId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of its record that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateSbi, "deactivateSbi");

/// The fence of the devices that rest on a secure biometric interface.
pub(crate) fn devices(sbi: &str) -> String {
    format!("sbi/{sbi}:devices")
}

impl Commands {
    /// Offers a version of the software that drives a provider's devices.
    pub async fn add_sbi(&self, request: &Request, input: &AddSbi) -> Result<Done> {
        let stream = StreamId::of::<Sbi>(&new_id().to_string());
        self.run(request, input, stream, |unit| async move {
            let provider = unit.load::<Partner>(input.provider_id.as_str()).await?;
            let not_found = at("providerId", partner::Refusal::PartnerNotFound);
            unit.permit_on(Operation::AddSbi, &provider, not_found)?;
            let software = software(input, unit.now)?;
            let active = provider.active_as(PartnerType::DeviceProvider);
            active.map_err(|refusal| at("providerId", refusal))?;

            let mut stream = unit.begin::<Sbi>();
            claim_version(&unit, &software, stream.stream_id());
            unit.raise(crate::partner::holds(&provider.id));
            unit.decide(&mut stream, Command::Add(software))?;
            Ok(stream.done())
        })
        .await
    }

    /// Allows devices to rest on an interface that has not expired.
    pub async fn approve_sbi(&self, request: &Request, input: &ApproveSbi) -> Result<Done> {
        let id = input.sbi_id.as_str();
        self.run(request, input, StreamId::of::<Sbi>(id), |unit| async move {
            unit.permit(Operation::ApproveSbi)?;
            decide(&unit, id, Command::Approve { now: unit.now }).await
        })
        .await
    }

    /// Refuses an interface, expired or not.
    pub async fn reject_sbi(&self, request: &Request, input: &RejectSbi) -> Result<Done> {
        let id = input.sbi_id.as_str();
        self.run(request, input, StreamId::of::<Sbi>(id), |unit| async move {
            unit.permit(Operation::RejectSbi)?;
            let reason = Reason::new("reason", &input.reason)?;
            decide(&unit, id, Command::Reject(reason)).await
        })
        .await
    }

    /// Ends an interface for good, and every device that rests on no other live one.
    pub async fn deactivate_sbi(&self, request: &Request, input: &DeactivateSbi) -> Result<Done> {
        let id = input.sbi_id.as_str();
        self.run(request, input, StreamId::of::<Sbi>(id), |unit| async move {
            let mut stream = unit.load::<Sbi>(id).await?;
            let provider = provider(&unit, &stream).await?;
            unit.permit_on(Operation::DeactivateSbi, &provider, Refusal::SbiNotFound)?;
            unit.expect(&stream)?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.fence(devices(id)).await?;
            if unit.decide(&mut stream, Command::Deactivate(reason.clone()))? {
                crate::device::end_orphans(&unit, &stream, &reason).await?;
            }
            Ok(stream.done())
        })
        .await
    }
}

fn software(input: &AddSbi, now: DateTime<Utc>) -> Result<Software, Vec<Finding>> {
    let typed = Software {
        provider_id: input.provider_id.clone(),
        sw_version: input.sw_version.clone(),
        sw_binary_hash: input.sw_binary_hash.clone(),
        sw_create_date_time: input.sw_create_date_time,
        sw_expiry_date_time: input.sw_expiry_date_time,
    };
    Software::new(typed, now)
}

/// An administrator's decision. What a suspended provider has offered waits.
async fn decide(unit: &Unit, id: &str, command: Command) -> Result<Decided> {
    let mut stream = unit.load::<Sbi>(id).await?;
    unit.expect(&stream)?;
    if let Sbi::Pending(_) = &*stream {
        provider(unit, &stream).await?.active().map_err(Vec::from)?;
    }
    unit.decide(&mut stream, command)?;
    release_version(unit, &stream);
    Ok(stream.done())
}

/// The partner that makes it; a missing one for a missing interface.
async fn provider(unit: &Unit, stream: &Stream<Sbi>) -> Result<Stream<Partner>> {
    let provider = stream.software().map_or("", |software| software.provider_id.as_str());
    unit.load::<Partner>(provider).await
}

fn version_name(software: &Software) -> Name {
    let key = format!("{}/{}", software.provider_id.as_str(), normal(&software.sw_version));
    Name { kind: "sbi_version", key }
}

/// A version stays taken after its end, so that history never means two binaries by one version.
fn claim_version(unit: &Unit, software: &Software, holder: StreamId) {
    let message = "The provider has a secure biometric interface of this version already.";
    let taken = Finding::new("SBI_VERSION_TAKEN", "swVersion", message);
    unit.claim(version_name(software), holder, Some(taken));
}

/// What was rejected was never in use: its version can be offered again.
pub(crate) fn release_version(unit: &Unit, stream: &Stream<Sbi>) {
    if let Sbi::Rejected(known) = &**stream {
        unit.release(version_name(&known.software), stream.stream_id());
    }
}

impl Unit {
    /// A secure biometric interface of this provider; that there is one of another is not told.
    pub(crate) async fn sbi_of(&self, provider: &str, id: &SbiId) -> Result<Stream<Sbi>> {
        let sbi = self.load::<Sbi>(id.as_str()).await?;
        match sbi.software() {
            Some(software) if software.provider_id.as_str() == provider => Ok(sbi),
            _ => Err(crate::Error::Refused(Refusal::SbiNotFound.into())),
        }
    }
}
