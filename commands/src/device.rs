//! What can be done with devices.

mod batch;

pub use batch::{AddDevices, AddedDevices, BatchMode, MAX_BATCH, NewDevice};

use crate::event_store::{Name, StreamId};
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Request, Result, input};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::Operation;
use domain::device::{Command, Device, Model, Refusal, Support};
use domain::ids::{DeviceId, PartnerId, SbiId};
use domain::partner::Partner;
use domain::sbi::Sbi;
use domain::text::normal;
use serde::Serialize;
use std::collections::BTreeSet;

/// Lets a device rest on one more secure biometric interface.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "LinkDeviceToSbiInput")]
pub struct LinkDeviceToSbi {
    /// Which device.
    pub device_id: DeviceId,
    /// On what: an interface of the same provider that is approved and has not expired.
    pub sbi_id: SbiId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the device that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(LinkDeviceToSbi, "linkDeviceToSbi");

/// Lets a device rest on a secure biometric interface no more.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "UnlinkDeviceFromSbiInput")]
pub struct UnlinkDeviceFromSbi {
    /// Which device.
    pub device_id: DeviceId,
    /// On what no more.
    pub sbi_id: SbiId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the device that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(UnlinkDeviceFromSbi, "unlinkDeviceFromSbi");

/// Allows a device.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ApproveDeviceInput")]
pub struct ApproveDevice {
    /// Which device.
    pub device_id: DeviceId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the device that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ApproveDevice, "approveDevice");

/// Refuses a device.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RejectDeviceInput")]
pub struct RejectDevice {
    /// Which device.
    pub device_id: DeviceId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the device that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RejectDevice, "rejectDevice");

/// Ends an approved device for good.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "DeactivateDeviceInput")]
pub struct DeactivateDevice {
    /// Which device.
    pub device_id: DeviceId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the device that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(DeactivateDevice, "deactivateDevice");

impl Commands {
    /// Lets a device rest on one more live interface of its provider.
    pub async fn link_device_to_sbi(
        &self,
        request: &Request,
        input: &LinkDeviceToSbi,
    ) -> Result<Done> {
        let id = input.device_id.as_str();
        self.run(request, input, StreamId::of::<Device>(id), |unit| async move {
            let (mut device, provider) = own(&unit, Operation::LinkDeviceToSbi, id).await?;
            unit.expect(&device)?;
            provider.active().map_err(Vec::from)?;
            let sbi = unit.sbi_of(&provider.id, &input.sbi_id).await?;
            let support = Support::of([&*sbi], unit.now);
            let sbi_id = input.sbi_id.clone();
            if unit.decide(&mut device, Command::Link { sbi_id, support })? {
                unit.raise(crate::sbi::devices(&sbi.id));
            }
            Ok(device.done())
        })
        .await
    }

    /// Lets a device rest on an interface no more.
    pub async fn unlink_device_from_sbi(
        &self,
        request: &Request,
        input: &UnlinkDeviceFromSbi,
    ) -> Result<Done> {
        let id = input.device_id.as_str();
        self.run(request, input, StreamId::of::<Device>(id), |unit| async move {
            let (mut device, provider) = own(&unit, Operation::UnlinkDeviceFromSbi, id).await?;
            unit.expect(&device)?;
            provider.active().map_err(Vec::from)?;
            unit.decide(&mut device, Command::Unlink { sbi_id: input.sbi_id.clone() })?;
            Ok(device.done())
        })
        .await
    }

    /// Allows a device that rests on a live interface.
    pub async fn approve_device(&self, request: &Request, input: &ApproveDevice) -> Result<Done> {
        let id = input.device_id.as_str();
        self.run(request, input, StreamId::of::<Device>(id), |unit| async move {
            unit.permit(Operation::ApproveDevice)?;
            let mut device = decidable(&unit, id).await?;
            let support = support(&unit, &device).await?;
            unit.decide(&mut device, Command::Approve { support })?;
            Ok(device.done())
        })
        .await
    }

    /// Refuses a device, whatever it rests on.
    pub async fn reject_device(&self, request: &Request, input: &RejectDevice) -> Result<Done> {
        let id = input.device_id.as_str();
        self.run(request, input, StreamId::of::<Device>(id), |unit| async move {
            unit.permit(Operation::RejectDevice)?;
            let reason = Reason::new("reason", &input.reason)?;
            let mut device = decidable(&unit, id).await?;
            end(&unit, &mut device, Command::Reject(reason))
        })
        .await
    }

    /// Ends an approved device for good.
    pub async fn deactivate_device(
        &self,
        request: &Request,
        input: &DeactivateDevice,
    ) -> Result<Done> {
        let id = input.device_id.as_str();
        self.run(request, input, StreamId::of::<Device>(id), |unit| async move {
            let (mut device, _) = own(&unit, Operation::DeactivateDevice, id).await?;
            unit.expect(&device)?;
            let reason = Reason::new("reason", &input.reason)?;
            end(&unit, &mut device, Command::Deactivate(reason))
        })
        .await
    }
}

/// A device, and the partner that makes it, for what the provider may do itself.
async fn own(
    unit: &Unit,
    operation: Operation,
    id: &str,
) -> Result<(Stream<Device>, Stream<Partner>)> {
    let device = unit.load::<Device>(id).await?;
    let provider = provider(unit, &device).await?;
    unit.permit_on(operation, &provider, Refusal::DeviceNotFound)?;
    Ok((device, provider))
}

/// A device for an administrator to decide about. What a suspended provider has offered waits.
async fn decidable(unit: &Unit, id: &str) -> Result<Stream<Device>> {
    let device = unit.load::<Device>(id).await?;
    unit.expect(&device)?;
    if let Device::Pending(_) = &*device {
        provider(unit, &device).await?.active().map_err(Vec::from)?;
    }
    Ok(device)
}

/// The partner that makes it; a missing one for a missing device.
async fn provider(unit: &Unit, device: &Stream<Device>) -> Result<Stream<Partner>> {
    let provider = device.known().map_or("", |known| known.provider_id.as_str());
    unit.load::<Partner>(provider).await
}

/// What the interfaces of a device are good for now.
async fn support(unit: &Unit, device: &Stream<Device>) -> Result<Support> {
    let sbis = unit.load_many::<Sbi>(&sbi_ids(device)).await?;
    Ok(Support::of(sbis.iter().map(|sbi| &**sbi), unit.now))
}

fn sbi_ids(device: &Stream<Device>) -> Vec<String> {
    let ids = device.known().into_iter().flat_map(|known| &known.sbi_ids);
    ids.map(|id| id.as_str().to_owned()).collect()
}

/// Ends every device that rested on `sbi` and rests on no other live interface.
pub(crate) async fn end_orphans(unit: &Unit, sbi: &Stream<Sbi>, reason: &Reason) -> Result<()> {
    let ids = projections::device::live_of_sbi(unit.pool(), &sbi.id.as_str().into()).await?;
    let mut devices = unit.load_many::<Device>(&ids).await?;
    let others: BTreeSet<String> = devices.iter().flat_map(sbi_ids).collect();
    let others: Vec<String> = others.into_iter().filter(|id| *id != sbi.id).collect();
    let others = unit.load_many::<Sbi>(&others).await?;
    let live = |id: &String| others.iter().any(|it| it.id == *id && it.live(unit.now).is_ok());
    unit.because_of(sbi);
    for device in devices.iter_mut().filter(|device| !sbi_ids(device).iter().any(live)) {
        end(unit, device, Command::End(reason.clone()))?;
    }
    Ok(())
}

/// Ends a device, so that another one may have its name.
fn end(unit: &Unit, device: &mut Stream<Device>, command: Command) -> Result<Decided> {
    unit.decide(device, command)?;
    release_name(unit, device);
    Ok(device.done())
}

fn normal_form(model: &Model) -> String {
    let (kind, sub_kind) = (&model.device_type, &model.device_sub_type);
    // No line has a line feed, so no two models have one form.
    format!("{kind}\n{sub_kind}\n{}\n{}", normal(&model.make), normal(&model.model))
}

fn name(provider: &PartnerId, model: &Model) -> Name {
    Name { kind: "device", key: format!("{}\n{}", provider.as_str(), normal_form(model)) }
}

/// What has ended may be offered again, as another device.
pub(crate) fn release_name(unit: &Unit, device: &Stream<Device>) {
    if device.has_ended()
        && let Some(known) = device.known()
    {
        unit.release(name(&known.provider_id, &known.model), device.stream_id());
    }
}
