//! Who the caller is.

use crate::caller::caller;
use crate::consent::MyConsent;
use crate::errors::{Result, answer};
use crate::partner::Partner;
use async_graphql::{Context, Object, SimpleObject};
use domain::actor::{Operation, Role};
use projections::fold::find_many;
use projections::partner::Row;
use strum::IntoEnumIterator as _;

/// Who asks: what the access token says, and what the log adds to it.
#[derive(SimpleObject)]
pub struct Me {
    /// The subject that the token vouches for.
    subject: String,
    /// The roles of this system that the token carries.
    roles: Vec<Role>,
    /// What these roles allow on what is the caller's own, by the names of mutations and reads.
    permissions: Vec<String>,
    /// The partners that the caller belongs to; `myRole` says as what.
    partners: Vec<Partner>,
    /// Whether one of them works without a policy group but may choose one.
    needs_policy_group: bool,
    /// Whether the caller has agreed to the newest consent text.
    consent_given: bool,
    /// What the caller has agreed to.
    consent: MyConsent,
}

/// The question who asks.
#[derive(Default)]
pub struct MeQuery;

#[Object]
impl MeQuery {
    /// Who the caller is.
    async fn me(&self, ctx: &Context<'_>) -> Result<Me> {
        let caller = caller(ctx);
        let actor = &caller.request.actor;
        let ids: Vec<String> =
            caller.memberships.iter().map(|(id, _)| id.as_str().to_owned()).collect();
        let rows = answer(ctx, find_many::<Row>(caller.pool(), &ids).await)?;
        let partners: Vec<Partner> = rows.into_iter().map(Partner::from).collect();
        let consent = MyConsent::of(ctx, &actor.subject).await?;
        let permissions = Operation::iter().filter(|operation| actor.may_on_own(*operation));
        Ok(Me {
            subject: actor.subject.clone(),
            roles: actor.roles.iter().copied().collect(),
            permissions: permissions.map(|operation| operation.to_string()).collect(),
            needs_policy_group: partners.iter().any(Partner::needs_policy_group),
            partners,
            consent_given: consent.is_to_the_newest_text(),
            consent,
        })
    }
}
