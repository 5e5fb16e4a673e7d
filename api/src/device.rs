//! Devices in GraphQL.

use crate::actions::{AllowedAction, as_allowed};
use crate::bulk::{Rows, RowsPayload, each};
use crate::caller::caller;
use crate::errors::{Result, ToldFinding, answer};
use crate::list::{List, connection};
use crate::loader::{load, load_all};
use crate::partner::Partner;
use crate::refused_attempt::note;
use crate::row::{changed, one};
use crate::sbi::Sbi;
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::device::{
    AddDevices, AddedDevices, ApproveDevice, DeactivateDevice, LinkDeviceToSbi, RejectDevice,
    UnlinkDeviceFromSbi,
};
use domain::Finding;
use domain::actor::Operation;
use domain::device::{self, Support};
use domain::ids::{DeviceId, SbiId};
use futures::FutureExt as _;
use projections::device::{DeviceFilter, DeviceSort, Row};
use projections::page::{Order, PageRequest};
use projections::{partner, sbi};

/// A make and model of biometric device.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Device {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Device {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Device {
    /// Who makes it.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// The secure biometric interfaces that it rests on, the oldest link first.
    async fn sbis(&self, ctx: &Context<'_>) -> Result<Vec<Sbi>> {
        Ok(self.sbi_rows(ctx).await?.into_iter().map(Into::into).collect())
    }

    /// Whether it rests on no secure biometric interface that is approved and has not expired: it
    /// cannot be approved then.
    async fn orphan(&self, ctx: &Context<'_>) -> Result<bool> {
        let now = caller(ctx).commands.now();
        Ok(!self.sbi_rows(ctx).await?.iter().any(|sbi| sbi.is_live(now)))
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        let state = load::<device::Device>(ctx, self.row.id.as_str()).await?.unwrap_or_default();
        let ids = state.known().into_iter().flat_map(|known| &known.sbi_ids).map(SbiId::as_str);
        let sbis = load_all::<domain::sbi::Sbi>(ctx, ids).await?;
        let possible = state.actions_on(Support::of(&sbis, caller(ctx).commands.now()));
        Ok(as_allowed(ctx, member, possible))
    }
}

impl Device {
    async fn sbi_rows(&self, ctx: &Context<'_>) -> Result<Vec<sbi::Row>> {
        load_all::<sbi::Row>(ctx, self.row.sbi_ids.iter().map(SbiId::as_str)).await
    }
}

/// A device after a change.
#[derive(SimpleObject)]
pub struct DevicePayload {
    /// What was changed.
    device: Device,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<DevicePayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(DevicePayload { device: Device { row }, position })
}

/// What became of a batch of devices.
#[derive(SimpleObject)]
pub struct AddDevicesPayload {
    /// What became of each device, in the order of the input.
    results: Vec<AddDeviceResult>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// What became of one device of a batch.
#[derive(SimpleObject)]
pub struct AddDeviceResult {
    /// Its place in the input, from 0.
    index: usize,
    /// The device; null when it was refused.
    device: Option<Device>,
    /// Everything that is wrong with it; empty when it was added.
    errors: Vec<ToldFinding>,
}

impl AddDevicesPayload {
    async fn of(ctx: &Context<'_>, added: AddedDevices) -> Result<Self> {
        let refused = added.rows.iter().filter_map(|row| row.as_ref().err()).flatten();
        let refused: Vec<Finding> = refused.cloned().collect();
        if !refused.is_empty() {
            note(ctx, &refused, None);
        }
        let ids = added.rows.iter().filter_map(|row| row.as_ref().ok()).map(DeviceId::as_str);
        let mut devices = load_all::<Row>(ctx, ids).await?.into_iter().map(Device::from);
        let result = |(index, row): (usize, std::result::Result<DeviceId, Vec<Finding>>)| {
            let (device, findings) = match row {
                Ok(_) => (devices.next(), Vec::new()),
                Err(findings) => (None, findings),
            };
            AddDeviceResult {
                index,
                device,
                errors: findings.into_iter().map(Into::into).collect(),
            }
        };
        let results = added.rows.into_iter().enumerate().map(result).collect();
        Ok(Self { results, position: Position(added.position) })
    }
}

/// Questions about devices.
#[derive(Default)]
pub struct DeviceQuery;

#[Object]
impl DeviceQuery {
    /// A device, now or at a point in the past; null when there is none that the caller may see.
    async fn device(
        &self,
        ctx: &Context<'_>,
        id: DeviceId,
        as_of: Option<AsOf>,
    ) -> Result<Option<Device>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadDevice)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(Device::from))
    }

    /// Devices, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn devices(
        &self,
        ctx: &Context<'_>,
        filter: Option<DeviceFilter>,
        order_by: Option<Order<DeviceSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Device>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadDevice)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of devices.
#[derive(Default)]
pub struct DeviceMutation;

#[Object]
impl DeviceMutation {
    /// Offers a batch of devices: all of them or the good ones, in one step.
    async fn add_devices(&self, ctx: &Context<'_>, input: AddDevices) -> Result<AddDevicesPayload> {
        let caller = caller(ctx);
        let added = answer(ctx, caller.commands.add_devices(&caller.request, &input).await)?;
        AddDevicesPayload::of(ctx, added).await
    }

    /// Lets a device rest on one more live interface of its provider.
    async fn link_device_to_sbi(
        &self,
        ctx: &Context<'_>,
        input: LinkDeviceToSbi,
    ) -> Result<DevicePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.link_device_to_sbi(&caller.request, &input).await).await
    }

    /// Lets a device rest on an interface no more.
    async fn unlink_device_from_sbi(
        &self,
        ctx: &Context<'_>,
        input: UnlinkDeviceFromSbi,
    ) -> Result<DevicePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.unlink_device_from_sbi(&caller.request, &input).await).await
    }

    /// Allows a device that rests on a live interface.
    /// Refused with `DEVICE_WITHOUT_SBI`, `SBI_EXPIRED`, `SBI_NOT_APPROVED`, `DEVICE_REJECTED`,
    /// `DEVICE_DEACTIVATED`.
    async fn approve_device(
        &self,
        ctx: &Context<'_>,
        input: ApproveDevice,
    ) -> Result<DevicePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.approve_device(&caller.request, &input).await).await
    }

    /// Allows many devices, each as `approveDevice` does it.
    async fn approve_devices(
        &self,
        ctx: &Context<'_>,
        input: Rows<ApproveDevice>,
    ) -> Result<RowsPayload<Device>> {
        let (operation, caller) = (Operation::ApproveDevice, caller(ctx));
        let approve = |row| caller.commands.approve_device(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, approve).await
    }

    /// Refuses a device, whatever it rests on.
    /// Refused with `DEVICE_APPROVED` and `DEVICE_DEACTIVATED`.
    async fn reject_device(&self, ctx: &Context<'_>, input: RejectDevice) -> Result<DevicePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reject_device(&caller.request, &input).await).await
    }

    /// Refuses many devices, each as `rejectDevice` does it.
    async fn reject_devices(
        &self,
        ctx: &Context<'_>,
        input: Rows<RejectDevice>,
    ) -> Result<RowsPayload<Device>> {
        let (operation, caller) = (Operation::RejectDevice, caller(ctx));
        let reject = |row| caller.commands.reject_device(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, reject).await
    }

    /// Ends an approved device for good.
    /// Refused with `DEVICE_PENDING` and `DEVICE_REJECTED`.
    async fn deactivate_device(
        &self,
        ctx: &Context<'_>,
        input: DeactivateDevice,
    ) -> Result<DevicePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_device(&caller.request, &input).await).await
    }
}
