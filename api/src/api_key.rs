//! API keys in GraphQL.

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
use commands::api_key::{DeactivateApiKey, GenerateApiKey, RotateApiKey, SetApiKeyExpiry};
use domain::actor::Operation;
use domain::ids::ApiKeyId;
use projections::api_key::{ApiKeyFilter, ApiKeySort, Row};
use projections::page::{Order, PageRequest};
use projections::{partner, policy};

/// What may be known of an API key.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct ApiKey {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl ApiKey {
    /// Whose it is.
    async fn partner(&self, ctx: &Context<'_>) -> Result<Option<Partner>> {
        let id = self.row.partner_id.as_str();
        Ok(load::<partner::Row>(ctx, id).await?.map(Into::into))
    }

    /// The policy it is about.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        let id = self.row.policy_id.as_str();
        Ok(load::<policy::Row>(ctx, id).await?.map(Into::into))
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
        allowed_actions::<domain::api_key::ApiKey>(ctx, self.row.id.as_str(), member).await
    }
}

/// An API key after a change.
#[derive(SimpleObject)]
pub struct ApiKeyPayload {
    /// What was changed.
    api_key: ApiKey,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<ApiKeyPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(ApiKeyPayload { api_key: ApiKey { row }, position })
}

/// A new API key.
#[derive(SimpleObject)]
pub struct GenerateApiKeyPayload {
    /// What may be known of the key.
    api_key: ApiKey,
    #[graphql(flatten)]
    shown: Shown,
}

async fn shown(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<GenerateApiKeyPayload> {
    let (row, shown) = issued(ctx, done).await?;
    Ok(GenerateApiKeyPayload { api_key: ApiKey { row }, shown })
}

/// Questions about API keys.
#[derive(Default)]
pub struct ApiKeyQuery;

#[Object]
impl ApiKeyQuery {
    /// What may be known of an API key, now or at a point in the past; null when there is
    /// none that the caller may see.
    async fn api_key(
        &self,
        ctx: &Context<'_>,
        id: ApiKeyId,
        as_of: Option<AsOf>,
    ) -> Result<Option<ApiKey>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadApiKey)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(ApiKey::from))
    }

    /// API keys, newest first unless ordered otherwise; never the keys themselves.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        filter: Option<ApiKeyFilter>,
        order_by: Option<Order<ApiKeySort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, ApiKey>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadApiKey)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of API keys.
#[derive(Default)]
pub struct ApiKeyMutation;

#[Object]
impl ApiKeyMutation {
    /// Issues a key under an approved request. It is shown once, in this answer.
    /// Refused with `POLICY_NOT_APPROVED`, `LABEL_TAKEN`, or while the partner does not work:
    /// `PARTNER_NOT_ACTIVE_YET`, `PARTNER_SUSPENDED`, `PARTNER_DEACTIVATED`.
    async fn generate_api_key(
        &self,
        ctx: &Context<'_>,
        input: GenerateApiKey,
    ) -> Result<GenerateApiKeyPayload> {
        let caller = caller(ctx);
        shown(ctx, caller.commands.generate_api_key(&caller.request, &input).await).await
    }

    /// Issues a key that takes the place of another one, under the same policy and label. It is
    /// shown once, in this answer; both open the door until the overlap ends.
    /// Refused with `ROTATED_ALREADY`, `OVERLAP_RUNNING`, `API_KEY_SUSPENDED`,
    /// `API_KEY_DEACTIVATED`, and as a new key is.
    async fn rotate_api_key(
        &self,
        ctx: &Context<'_>,
        input: RotateApiKey,
    ) -> Result<GenerateApiKeyPayload> {
        let caller = caller(ctx);
        shown(ctx, caller.commands.rotate_api_key(&caller.request, &input).await).await
    }

    /// Lets a key end at another time. What has expired or ended stays so.
    /// Refused with `API_KEY_EXPIRED`, `API_KEY_DEACTIVATED`, or `ROTATED_ALREADY` for a later end
    /// of a rotated key.
    async fn set_api_key_expiry(
        &self,
        ctx: &Context<'_>,
        input: SetApiKeyExpiry,
    ) -> Result<ApiKeyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.set_api_key_expiry(&caller.request, &input).await).await
    }

    /// Ends a key for good.
    async fn deactivate_api_key(
        &self,
        ctx: &Context<'_>,
        input: DeactivateApiKey,
    ) -> Result<ApiKeyPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_api_key(&caller.request, &input).await).await
    }
}
