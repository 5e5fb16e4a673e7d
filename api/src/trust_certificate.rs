//! Trust certificates in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::list::{List, connection};
use crate::proposal::{Proposal, waiting};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::trust_certificate::{
    DisableTrustCertificate, EnableTrustCertificate, UploadTrustCertificate,
};
use domain::actor::Operation;
use domain::ids::TrustCertificateId;
use projections::page::{Order, PageRequest};
use projections::trust_certificate::{Row, TrustCertificateFilter, TrustCertificateSort};

/// A root or intermediate certificate that is trusted in one domain.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct TrustCertificate {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for TrustCertificate {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl TrustCertificate {
    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = None;
        allowed_actions::<domain::trust_certificate::TrustCertificate>(
            ctx,
            self.row.id.as_str(),
            member,
        )
        .await
    }
}

/// A trust certificate after a change.
#[derive(SimpleObject)]
pub struct TrustCertificatePayload {
    /// What was changed.
    trust_certificate: TrustCertificate,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(
    ctx: &Context<'_>,
    done: commands::Result<Done>,
) -> Result<TrustCertificatePayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(TrustCertificatePayload { trust_certificate: TrustCertificate { row }, position })
}

/// A trust certificate after its upload.
#[derive(SimpleObject)]
pub struct UploadTrustCertificatePayload {
    /// The certificate; null while a proposal waits.
    trust_certificate: Option<TrustCertificate>,
    /// What waits for a second person, where the installation wants one for new roots.
    proposal: Option<Proposal>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// Questions about trust certificates.
#[derive(Default)]
pub struct TrustCertificateQuery;

#[Object]
impl TrustCertificateQuery {
    /// A root or intermediate certificate that is trusted in one domain, now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn trust_certificate(
        &self,
        ctx: &Context<'_>,
        id: TrustCertificateId,
        as_of: Option<AsOf>,
    ) -> Result<Option<TrustCertificate>> {
        caller(ctx).viewer(ctx, Operation::ReadTrustCertificate)?;
        let row = one::<Row>(ctx, id.as_str(), as_of).await?;
        Ok(row.map(TrustCertificate::from))
    }

    /// Trust certificates, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn trust_certificates(
        &self,
        ctx: &Context<'_>,
        filter: Option<TrustCertificateFilter>,
        order_by: Option<Order<TrustCertificateSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<TrustCertificate>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadTrustCertificate)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of trust certificates.
#[derive(Default)]
pub struct TrustCertificateMutation;

#[Object]
impl TrustCertificateMutation {
    /// Trusts a root or an intermediate in a domain. The same certificate again changes nothing.
    async fn upload_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: UploadTrustCertificate,
    ) -> Result<UploadTrustCertificatePayload> {
        let caller = caller(ctx);
        let done = caller.commands.upload_trust_certificate(&caller.request, &input).await;
        let done = answer(ctx, done)?;
        let position = Position(done.position);
        let proposal = waiting(ctx, &done).await?;
        let row = if done.proposed { None } else { one::<Row>(ctx, &done.id, None).await? };
        let trust_certificate = row.map(TrustCertificate::from);
        Ok(UploadTrustCertificatePayload { trust_certificate, proposal, position })
    }

    /// Trusts a certificate, and what stands below it, no more for a while.
    async fn disable_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: DisableTrustCertificate,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.disable_trust_certificate(&caller.request, &input).await).await
    }

    /// Trusts a certificate again.
    async fn enable_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: EnableTrustCertificate,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.enable_trust_certificate(&caller.request, &input).await).await
    }
}
