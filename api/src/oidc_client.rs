//! OIDC clients in GraphQL.

use crate::actions::{AllowedAction, allowed_actions};
use crate::caller::caller;
use crate::errors::Result;
use crate::list::{List, connection};
use crate::loader::load;
use crate::partner::Partner;
use crate::policy::Policy;
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Done;
use commands::oidc_client::{
    CreateOidcClient, DeactivateOidcClient, RetireOidcClientKey, RotateOidcClientKey,
    UpdateOidcClient,
};
use domain::actor::Operation;
use domain::ids::OidcClientId;
use projections::oidc_client::{OidcClientFilter, OidcClientSort, Row};
use projections::page::{Order, PageRequest};
use projections::{partner, policy};

/// An OpenID Connect client of a partner: with it an application signs people in through eSignet.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct OidcClient {
    #[graphql(flatten)]
    row: Row,
}

impl From<Row> for OidcClient {
    fn from(row: Row) -> Self {
        Self { row }
    }
}

#[ComplexObject]
impl OidcClient {
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

    /// What can be done with it now, and why not.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<AllowedAction>> {
        let member = caller(ctx).role_at(&self.row.partner_id);
        allowed_actions::<domain::oidc_client::OidcClient>(ctx, self.row.id.as_str(), member).await
    }
}

/// An OIDC client after a change.
#[derive(SimpleObject)]
pub struct OidcClientPayload {
    /// What was changed.
    oidc_client: OidcClient,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<OidcClientPayload> {
    let (row, position) = changed(ctx, done).await?;
    Ok(OidcClientPayload { oidc_client: OidcClient { row }, position })
}

/// Questions about OIDC clients.
#[derive(Default)]
pub struct OidcClientQuery;

#[Object]
impl OidcClientQuery {
    /// An OIDC client, now or at a point in the past; null when there is none that the caller may
    /// see.
    async fn oidc_client(
        &self,
        ctx: &Context<'_>,
        id: OidcClientId,
        as_of: Option<AsOf>,
    ) -> Result<Option<OidcClient>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadOidcClient)?;
        let row =
            one::<Row>(ctx, id.as_str(), as_of).await?.filter(|row| viewer.sees(&row.partner_id));
        Ok(row.map(OidcClient::from))
    }

    /// OIDC clients, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of every list")]
    async fn oidc_clients(
        &self,
        ctx: &Context<'_>,
        filter: Option<OidcClientFilter>,
        order_by: Option<Order<OidcClientSort>>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<List<Row, OidcClient>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadOidcClient)?;
        let page = PageRequest { first, after, last, before };
        connection::<Row, _>(ctx, viewer, filter, order_by, page).await
    }
}

/// Changes of OIDC clients.
#[derive(Default)]
pub struct OidcClientMutation;

#[Object]
impl OidcClientMutation {
    /// Makes a client known under an approved request. What it may ask for follows from the policy
    /// and never changes. Everything that is wrong with the input is told at once.
    /// Refused with `KEY_IN_USE` for the key of another client.
    async fn create_oidc_client(
        &self,
        ctx: &Context<'_>,
        input: CreateOidcClient,
    ) -> Result<OidcClientPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.create_oidc_client(&caller.request, &input).await).await
    }

    /// Sets anew what the owner of a client may set. Everything that is wrong with the input is
    /// told at once.
    async fn update_oidc_client(
        &self,
        ctx: &Context<'_>,
        input: UpdateOidcClient,
    ) -> Result<OidcClientPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.update_oidc_client(&caller.request, &input).await).await
    }

    /// Adds a key to a client, whose id stays the same; the older key ends after a while.
    /// Refused with `TOO_MANY_KEYS` while two are live.
    async fn rotate_oidc_client_key(
        &self,
        ctx: &Context<'_>,
        input: RotateOidcClientKey,
    ) -> Result<OidcClientPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.rotate_oidc_client_key(&caller.request, &input).await).await
    }

    /// Ends one of two live keys at once.
    /// Refused with `LAST_KEY` and `KEY_NOT_FOUND`.
    async fn retire_oidc_client_key(
        &self,
        ctx: &Context<'_>,
        input: RetireOidcClientKey,
    ) -> Result<OidcClientPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.retire_oidc_client_key(&caller.request, &input).await).await
    }

    /// Ends a client for good, also while its partner is suspended.
    async fn deactivate_oidc_client(
        &self,
        ctx: &Context<'_>,
        input: DeactivateOidcClient,
    ) -> Result<OidcClientPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.deactivate_oidc_client(&caller.request, &input).await).await
    }
}
