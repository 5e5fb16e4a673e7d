//! Secure biometric interfaces in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::bulk::{Rows, RowsPayload, each};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::partner::Partner;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::sbi::{AddSbi, ApproveSbi, DeactivateSbi, RejectSbi};
use domain::actor::Operation;
use domain::ids::SbiId;
use futures::FutureExt as _;
use projections::device::Counts;
use projections::page::{Order, PageRequest};
use projections::partner;
use projections::sbi::{Row, SbiFilter, SbiSort};

/// A secure biometric interface: one version of the software that drives a provider's devices.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct Sbi {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for Sbi {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl Sbi {
    /// Who makes it.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// How many devices rest on it now.
    async fn devices(&self, ctx: &Context<'_>) -> Result<Counts> {
        Ok(load::<Counts>(ctx, self.row.id.as_str()).await?.unwrap_or_default())
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::sbi::Sbi>(ctx, self.row.id.as_str(), member).await
    }
}

/// A secure biometric interface after a change.
#[derive(SimpleObject)]
pub struct SbiPayload {
    /// What was changed.
    sbi: Sbi,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<SbiPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(SbiPayload { sbi: Sbi { row }, position })
}

/// Questions about secure biometric interfaces.
#[derive(Default)]
pub struct SbiQuery;

#[Object]
impl SbiQuery {
    /// A secure biometric interface, now or at a point in the past; null when there is none that
    /// the caller may see.
    async fn sbi(&self, ctx: &Context<'_>, id: SbiId, as_of: Option<AsOf>) -> Result<Option<Sbi>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadSbi)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(Sbi::from))
    }

    /// Secure biometric interfaces, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn sbis(
        &self,
        ctx: &Context<'_>,
        filter: Option<SbiFilter>,
        order_by: Option<Order<SbiSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, Sbi>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadSbi)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of secure biometric interfaces.
#[derive(Default)]
pub struct SbiMutation;

#[Object]
impl SbiMutation {
    /// Offers a version of the software that drives a provider's devices.
    /// Refused with `SBI_VERSION_TAKEN`.
    async fn add_sbi(&self, ctx: &Context<'_>, input: AddSbi) -> Result<SbiPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.add_sbi(&caller.request, &input).await).await
    }

    /// Allows devices to rest on an interface that has not expired.
    /// Refused with `SBI_EXPIRED`, `SBI_REJECTED`, `SBI_DEACTIVATED`.
    async fn approve_sbi(&self, ctx: &Context<'_>, input: ApproveSbi) -> Result<SbiPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.approve_sbi(&caller.request, &input).await).await
    }

    /// Allows many secure biometric interfaces, each as `approveSbi` does it.
    async fn approve_sbis(
        &self,
        ctx: &Context<'_>,
        input: Rows<ApproveSbi>,
    ) -> Result<RowsPayload<Sbi>> {
        let (operation, caller) = (Operation::ApproveSbi, caller(ctx));
        let approve = |row| caller.commands.approve_sbi(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, approve).await
    }

    /// Refuses an interface, expired or not.
    /// Refused with `SBI_APPROVED` and `SBI_DEACTIVATED`.
    async fn reject_sbi(&self, ctx: &Context<'_>, input: RejectSbi) -> Result<SbiPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reject_sbi(&caller.request, &input).await).await
    }

    /// Refuses many secure biometric interfaces, each as `rejectSbi` does it.
    async fn reject_sbis(
        &self,
        ctx: &Context<'_>,
        input: Rows<RejectSbi>,
    ) -> Result<RowsPayload<Sbi>> {
        let (operation, caller) = (Operation::RejectSbi, caller(ctx));
        let reject = |row| caller.commands.reject_sbi(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, reject).await
    }

    /// Ends an interface for good, and every device that rests on no other live one: approved
    /// devices are deactivated, pending ones rejected.
    /// Refused with `SBI_PENDING` and `SBI_REJECTED`.
    async fn deactivate_sbi(&self, ctx: &Context<'_>, input: DeactivateSbi) -> Result<SbiPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_sbi(&caller.request, &input).await).await
    }
}
