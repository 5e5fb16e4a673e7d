//! MISP licences in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::partner::Partner;
use crate::policy::Policy;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use crate::secret::{Shown, issued};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use commands::Done;
use commands::misp_license::{
    DeactivateMispLicense, GenerateMispLicense, RotateMispLicense, SetMispLicenseExpiry,
};
use domain::actor::Operation;
use domain::ids::MispLicenseId;
use projections::misp_license::{MispLicenseFilter, MispLicenseSort, Row};
use projections::page::{Order, PageRequest};
use projections::{partner, policy};

/// What may be known of a MISP licence.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct MispLicense {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for MispLicense {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl MispLicense {
    /// Whose it is.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// The policy that it works under; nothing where its partner works without policies.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        let Some(id) = &self.row.policy_id else { return Ok(None) };
        Ok(load::<policy::Row>(ctx, id.as_str()).await?.map(Into::into))
    }

    /// Whether it has expired: now, or at another instant.
    async fn expired(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant that is asked about; now when absent.")] at: Option<
            DateTime<Utc>,
        >,
    ) -> bool {
        self.row.expires_at <= at.unwrap_or_else(|| caller(ctx).commands.now())
    }

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::misp_license::MispLicense>(ctx, self.row.id.as_str(), member)
            .await
    }
}

/// A MISP licence after a change.
#[derive(SimpleObject)]
pub struct MispLicensePayload {
    /// What was changed.
    misp_license: MispLicense,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<MispLicensePayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(MispLicensePayload { misp_license: MispLicense { row }, position })
}

/// A new MISP licence.
#[derive(SimpleObject)]
pub struct GenerateMispLicensePayload {
    /// What may be known of the licence.
    misp_license: MispLicense,
    #[graphql(flatten)]
    shown: Shown,
}

async fn shown(
    ctx: &Context<'_>,
    done: commands::Result<Done>,
) -> Result<GenerateMispLicensePayload> {
    let (row, shown) = issued(ctx, done).await?;
    Ok(GenerateMispLicensePayload { misp_license: MispLicense { row }, shown })
}

/// Questions about MISP licences.
#[derive(Default)]
pub struct MispLicenseQuery;

#[Object]
impl MispLicenseQuery {
    /// What may be known of a MISP licence, now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn misp_license(
        &self,
        ctx: &Context<'_>,
        id: MispLicenseId,
        as_of: Option<AsOf>,
    ) -> Result<Option<MispLicense>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadMispLicense)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(MispLicense::from))
    }

    /// MISP licences, newest first unless ordered otherwise; never their keys.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn misp_licenses(
        &self,
        ctx: &Context<'_>,
        filter: Option<MispLicenseFilter>,
        order_by: Option<Order<MispLicenseSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, MispLicense>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadMispLicense)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of MISP licences.
#[derive(Default)]
pub struct MispLicenseMutation;

#[Object]
impl MispLicenseMutation {
    /// Issues a licence to an infrastructure provider. Its key is shown once, in this answer.
    async fn generate_misp_license(
        &self,
        ctx: &Context<'_>,
        input: GenerateMispLicense,
    ) -> Result<GenerateMispLicensePayload> {
        let caller = caller(ctx);
        shown(ctx, caller.commands.generate_misp_license(&caller.request, &input).await).await
    }

    /// Issues a licence that takes the place of another one, under the same policy and label. Its
    /// key is shown once, in this answer; both open the door until the overlap ends.
    /// Refused with `ROTATED_ALREADY`, `OVERLAP_RUNNING`, `MISP_LICENSE_SUSPENDED`,
    /// `MISP_LICENSE_DEACTIVATED`, and as a new licence is.
    async fn rotate_misp_license(
        &self,
        ctx: &Context<'_>,
        input: RotateMispLicense,
    ) -> Result<GenerateMispLicensePayload> {
        let caller = caller(ctx);
        shown(ctx, caller.commands.rotate_misp_license(&caller.request, &input).await).await
    }

    /// Lets a licence end at another time. What has expired or ended stays so.
    /// Refused with `MISP_LICENSE_EXPIRED`, `MISP_LICENSE_DEACTIVATED`, or `ROTATED_ALREADY` for a
    /// later end of a rotated licence.
    async fn set_misp_license_expiry(
        &self,
        ctx: &Context<'_>,
        input: SetMispLicenseExpiry,
    ) -> Result<MispLicensePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.set_misp_license_expiry(&caller.request, &input).await).await
    }

    /// Ends a licence for good.
    async fn deactivate_misp_license(
        &self,
        ctx: &Context<'_>,
        input: DeactivateMispLicense,
    ) -> Result<MispLicensePayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_misp_license(&caller.request, &input).await).await
    }
}
