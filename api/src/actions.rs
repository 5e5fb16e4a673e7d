//! What can be done with a thing now, and by whom: asked of the function that decides.

use crate::caller::caller;
use crate::errors::Result;
use crate::loader::{Thing, load};
use async_graphql::{Context, SimpleObject};
use domain::actor::MemberRole;
use domain::aggregate::{Actions, Possible};

/// Something that can be done with a thing, or not now, or not by this caller.
#[derive(Debug, SimpleObject)]
pub struct AllowedAction {
    /// The mutation's name.
    pub action: &'static str,
    /// Whether it would be accepted, as far as the thing's own state can tell.
    pub allowed: bool,
    /// The code of the refusal that it would meet.
    pub reason_code: Option<&'static str>,
}

/// Asks the function that decides itself.
pub async fn allowed_actions<A: Thing + Actions>(
    ctx: &Context<'_>,
    id: &str,
    member: Option<MemberRole>,
) -> Result<Vec<AllowedAction>> {
    let state = load::<A>(ctx, id).await?.unwrap_or_default();
    Ok(as_allowed(ctx, member, state.actions(caller(ctx).commands.now())))
}

/// What of the possible the caller's roles allow. `member`: what the caller is to the partner that
/// the thing belongs to.
pub fn as_allowed(
    ctx: &Context<'_>,
    member: Option<MemberRole>,
    possible: Vec<Possible>,
) -> Vec<AllowedAction> {
    let actor = &caller(ctx).request.actor;
    let action = |possible: Possible| {
        let may = actor.may(possible.operation, member);
        let reason_code = if may { possible.refusal } else { Some("FORBIDDEN") };
        let action = possible.operation.into();
        AllowedAction { action, allowed: reason_code.is_none(), reason_code }
    };
    possible.into_iter().map(action).collect()
}
