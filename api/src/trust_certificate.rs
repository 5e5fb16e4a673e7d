//! Trust certificates in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::list::{List, connection};
use crate::loader::{UsedBy, load, load_all};
use crate::proposal::{Proposal, waiting};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::trust_certificate::{
    AttachCrl, DisableTrustCertificate, EnableTrustCertificate, RevokeTrustCertificate,
    UploadTrustCertificate, Uploaded,
};
use commands::{Done, Error};
use domain::actor::Operation;
use domain::certificate::Certificate;
use domain::ids::TrustCertificateId;
use domain::issuance;
use domain::reference::TrustDomain;
use domain::trust_certificate::standing::{Facts, UntrustedReason};
use projections::page::{Order, PageRequest};
use projections::trust_certificate::{Row, TrustCertificateFilter, TrustCertificateSort};
use std::sync::Arc;

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
    /// Whether it is trusted now: by itself, and by everything above it.
    async fn trusted(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.untrusted(ctx).await?.is_none())
    }

    /// Why it is not trusted now; null when it is.
    async fn untrusted_reason(&self, ctx: &Context<'_>) -> Result<Option<UntrustedReason>> {
        self.untrusted(ctx).await
    }

    /// It and everything above it up to the root, by the links that were verified at its upload.
    #[graphql(complexity = "8 * child_complexity")]
    async fn chain(&self, ctx: &Context<'_>) -> Result<Vec<TrustCertificate>> {
        Ok(self.chain_rows(ctx).await?.into_iter().map(Self::from).collect())
    }

    /// The chain in PEM, this certificate first.
    async fn chain_pem(&self, ctx: &Context<'_>) -> Result<String> {
        let rows = self.chain_rows(ctx).await?;
        Ok(rows.into_iter().map(|row| row.certificate_data).collect())
    }

    /// The chain as a PKCS#7 bundle without signatures, base64 of DER, this certificate first.
    #[graphql(name = "chainP7b")]
    async fn chain_p7b(&self, ctx: &Context<'_>) -> Result<String> {
        let rows = self.chain_rows(ctx).await?;
        answer(ctx, p7b(&rows))
    }

    /// How many partners and FTM chips rest on it: those whose newest certificate has not ended and
    /// has it in its path.
    async fn used_by_count(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = load::<UsedBy>(ctx, self.row.id.as_str()).await?;
        Ok(count.map_or(0, |it| it.0))
    }

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

impl TrustCertificate {
    async fn untrusted(&self, ctx: &Context<'_>) -> Result<Option<UntrustedReason>> {
        let facts = facts(ctx, self.row.partner_domain).await?;
        Ok(facts.untrusted(&self.row.fingerprint, caller(ctx).commands.now()))
    }

    async fn chain_rows(&self, ctx: &Context<'_>) -> Result<Vec<Row>> {
        let facts = facts(ctx, self.row.partner_domain).await?;
        let chain = facts.chain(&self.row.fingerprint);
        load_all::<Row>(ctx, chain.into_iter().map(|it| it.id.as_str())).await
    }
}

fn p7b(rows: &[Row]) -> commands::Result<String> {
    let read = |row: &Row| Certificate::read(&row.certificate_data, "");
    let chain = rows.iter().map(read).collect::<std::result::Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| Error::fault("a trusted certificate does not read any more"))?;
    let bundle = issuance::p7b(&chain.iter().collect::<Vec<_>>());
    bundle.map_err(|error| Error::Fault(error.into()))
}

/// All that is known of the trust certificates of a domain; one statement for all that an answer asks
/// at once.
pub async fn facts(ctx: &Context<'_>, domain: TrustDomain) -> Result<Arc<Facts>> {
    Ok(load::<Arc<Facts>>(ctx, &domain.to_string()).await?.unwrap_or_default())
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

/// Trust certificates after their upload.
#[derive(SimpleObject)]
pub struct UploadTrustCertificatePayload {
    /// The first certificate of the upload; null while a proposal waits.
    trust_certificate: Option<TrustCertificate>,
    /// Every certificate in the order of the upload; empty while a proposal waits.
    results: Vec<UploadedTrustCertificate>,
    /// What waits for a second person, where the installation wants one for new roots.
    proposal: Option<Proposal>,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

/// What became of one certificate of an upload.
#[derive(SimpleObject)]
pub struct UploadedTrustCertificate {
    /// Its place in the upload, from 0.
    index: usize,
    /// The certificate.
    trust_certificate: TrustCertificate,
    /// Whether the upload made it known; else it was known before and is as it was.
    added: bool,
}

impl UploadTrustCertificatePayload {
    async fn of(ctx: &Context<'_>, uploaded: Uploaded) -> Result<Self> {
        let Uploaded { certificates, done } = uploaded;
        let rows = load_all::<Row>(ctx, certificates.iter().map(|it| it.id.as_str())).await?;
        let result = |(index, (it, row)): (usize, (_, Row))| {
            let commands::trust_certificate::UploadedCertificate { added, .. } = it;
            UploadedTrustCertificate { index, trust_certificate: row.into(), added }
        };
        let results = certificates.into_iter().zip(rows).enumerate().map(result);
        let results: Vec<UploadedTrustCertificate> = results.collect();
        Ok(Self {
            trust_certificate: results.first().map(|it| it.trust_certificate.clone()),
            results,
            proposal: waiting(ctx, &done).await?,
            position: Position(done.position),
        })
    }
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
    ) -> Result<List<Row, TrustCertificate>> {
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
    /// Trusts roots and intermediates in a domain: one, or a bundle in any order, all of them or none.
    /// What is known there already stays as it is. All findings about all certificates come together,
    /// each under its place: `certificateData[2]`.
    async fn upload_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: UploadTrustCertificate,
    ) -> Result<UploadTrustCertificatePayload> {
        let caller = caller(ctx);
        let uploaded = caller.commands.upload_trust_certificate(&caller.request, &input).await;
        UploadTrustCertificatePayload::of(ctx, answer(ctx, uploaded)?).await
    }

    /// Trusts a certificate, and what stands below it, no more for a while.
    /// Refused with `TRUST_CERTIFICATE_REVOKED`.
    async fn disable_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: DisableTrustCertificate,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.disable_trust_certificate(&caller.request, &input).await).await
    }

    /// Trusts a certificate again.
    /// Refused with `TRUST_CERTIFICATE_REVOKED`.
    async fn enable_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: EnableTrustCertificate,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.enable_trust_certificate(&caller.request, &input).await).await
    }

    /// Trusts a certificate, and what stands below it, never again.
    async fn revoke_trust_certificate(
        &self,
        ctx: &Context<'_>,
        input: RevokeTrustCertificate,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.revoke_trust_certificate(&caller.request, &input).await).await
    }

    /// Trusts no more what a CA takes back by its revocation list, which takes the place of the list
    /// before. Nothing is ever fetched: lists are attached.
    async fn attach_crl(
        &self,
        ctx: &Context<'_>,
        input: AttachCrl,
    ) -> Result<TrustCertificatePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.attach_crl(&caller.request, &input).await).await
    }
}
