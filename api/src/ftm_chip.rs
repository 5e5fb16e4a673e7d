//! FTM chips in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::bulk::{Rows, RowsPayload, each};
use crate::caller::caller;
use crate::certificate::{PartnerCertificate, certificates};
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::partner::Partner;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::ftm_chip::{
    AddFtmChip, ApproveFtmChip, DeactivateFtmChip, RejectFtmChip, UploadFtmChipCertificate,
};
use domain::actor::Operation;
use domain::ids::FtmChipId;
use domain::reference::PartnerType;
use futures::FutureExt as _;
use projections::ftm_chip::{FtmChipFilter, FtmChipSort, Row};
use projections::page::{Order, PageRequest};
use projections::partner;

/// A make and model of foundational trust module chip.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct FtmChip {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for FtmChip {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl FtmChip {
    /// Who makes it.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// All certificates that were accepted, newest first: an older one is superseded by the next.
    async fn certificates(&self, ctx: &Context<'_>) -> Result<Vec<PartnerCertificate>> {
        let domain = PartnerType::FtmProvider.terms().trust_domain;
        certificates(ctx, &self.row.certificates, domain)
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::ftm_chip::FtmChip>(ctx, self.row.id.as_str(), member).await
    }
}

/// An FTM chip after a change.
#[derive(SimpleObject)]
pub struct FtmChipPayload {
    /// What was changed.
    ftm_chip: FtmChip,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<FtmChipPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(FtmChipPayload { ftm_chip: FtmChip { row }, position })
}

/// Questions about FTM chips.
#[derive(Default)]
pub struct FtmChipQuery;

#[Object]
impl FtmChipQuery {
    /// An FTM chip, now or at a point in the past; null when there is none that the caller may see.
    async fn ftm_chip(
        &self,
        ctx: &Context<'_>,
        id: FtmChipId,
        as_of: Option<AsOf>,
    ) -> Result<Option<FtmChip>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadFtmChip)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(FtmChip::from))
    }

    /// FTM chips, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn ftm_chips(
        &self,
        ctx: &Context<'_>,
        filter: Option<FtmChipFilter>,
        order_by: Option<Order<FtmChipSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, FtmChip>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadFtmChip)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of FTM chips.
#[derive(Default)]
pub struct FtmChipMutation;

#[Object]
impl FtmChipMutation {
    /// Offers a chip, which needs a certificate next.
    /// Refused with `FTM_CHIP_EXISTS` where a live one has this make and model.
    async fn add_ftm_chip(&self, ctx: &Context<'_>, input: AddFtmChip) -> Result<FtmChipPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.add_ftm_chip(&caller.request, &input).await).await
    }

    /// Takes a certificate that a trusted authority issued to the provider's organisation, and
    /// counter-signs it. The chip waits for approval then, also if it was approved before.
    async fn upload_ftm_chip_certificate(
        &self,
        ctx: &Context<'_>,
        input: UploadFtmChipCertificate,
    ) -> Result<FtmChipPayload> {
        let caller = caller(ctx);
        let done = caller.commands.upload_ftm_chip_certificate(&caller.request, &input).await;
        payload(ctx, done).await
    }

    /// Allows a chip that has a certificate.
    /// Refused with `FTM_CHIP_WITHOUT_CERTIFICATE`, `FTM_CHIP_REJECTED`, `FTM_CHIP_DEACTIVATED`.
    async fn approve_ftm_chip(
        &self,
        ctx: &Context<'_>,
        input: ApproveFtmChip,
    ) -> Result<FtmChipPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.approve_ftm_chip(&caller.request, &input).await).await
    }

    /// Allows many chips, each as `approveFtmChip` does it.
    async fn approve_ftm_chips(
        &self,
        ctx: &Context<'_>,
        input: Rows<ApproveFtmChip>,
    ) -> Result<RowsPayload<FtmChip>> {
        let (operation, caller) = (Operation::ApproveFtmChip, caller(ctx));
        let approve = |row| caller.commands.approve_ftm_chip(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, approve).await
    }

    /// Refuses a chip, with or without a certificate.
    /// Refused with `FTM_CHIP_APPROVED` and `FTM_CHIP_DEACTIVATED`.
    async fn reject_ftm_chip(
        &self,
        ctx: &Context<'_>,
        input: RejectFtmChip,
    ) -> Result<FtmChipPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.reject_ftm_chip(&caller.request, &input).await).await
    }

    /// Refuses many chips, each as `rejectFtmChip` does it.
    async fn reject_ftm_chips(
        &self,
        ctx: &Context<'_>,
        input: Rows<RejectFtmChip>,
    ) -> Result<RowsPayload<FtmChip>> {
        let (operation, caller) = (Operation::RejectFtmChip, caller(ctx));
        let reject = |row| caller.commands.reject_ftm_chip(&caller.request, row).boxed();
        each::<_, Row, _>(ctx, operation, &input, reject).await
    }

    /// Ends an approved chip for good.
    /// Refused with `FTM_CHIP_PENDING`, `FTM_CHIP_WITHOUT_CERTIFICATE`, `FTM_CHIP_REJECTED`.
    async fn deactivate_ftm_chip(
        &self,
        ctx: &Context<'_>,
        input: DeactivateFtmChip,
    ) -> Result<FtmChipPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_ftm_chip(&caller.request, &input).await).await
    }
}
