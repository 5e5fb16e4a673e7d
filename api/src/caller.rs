//! Who asks, and what a request carries through its resolvers.

use crate::auth;
use crate::errors::{Result, answer};
use crate::server::Node;
use async_graphql::Context;
use commands::{Commands, Error, Request, now};
use domain::actor::{Actor, MemberRole, Operation};
use domain::ids::PartnerId;
use projections::Viewer;
use sqlx::PgPool;

/// One authenticated request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What it can do.
    pub commands: Commands,
    /// Who asks, and under which ids.
    pub request: Request,
    /// The partners that the actor belongs to, and what he is there.
    pub memberships: Vec<(PartnerId, MemberRole)>,
}

/// The caller of this request.
pub fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    ctx.data_unchecked()
}

/// Why nobody knows who asks.
#[derive(Debug, thiserror::Error)]
pub enum Unidentified {
    /// The token is not believed.
    #[error(transparent)]
    Token(#[from] auth::Refusal),
    /// What the log says of the actor cannot be read now.
    #[error("the database cannot be used")]
    Database(#[from] projections::Error),
}

impl Caller {
    /// Who a token vouches for. A correlation id has to be short and plain; without one it is made.
    pub async fn identify(
        node: &Node,
        token: Option<&str>,
        correlation_id: Option<&str>,
    ) -> std::result::Result<Self, Unidentified> {
        let token = token.ok_or(auth::Refusal::TokenMissing)?;
        let actor = node.issuers.actor(token, now()).await?;
        let pool = node.commands.store().pool();
        let seats = projections::partner::of_member(pool, &actor.subject).await?;
        let memberships = memberships(&actor, seats);
        let mut request = Request::new(actor);
        if let Some(id) = correlation_id {
            id.clone_into(&mut request.correlation_id);
        }
        Ok(Self { commands: node.commands.clone(), request, memberships })
    }

    /// The same caller with what the log says of him now.
    pub async fn again(&self) -> projections::Result<Self> {
        let actor = &self.request.actor;
        let seats = projections::partner::of_member(self.pool(), &actor.subject).await?;
        Ok(Self { memberships: memberships(actor, seats), ..self.clone() })
    }

    /// The pool for reading.
    pub fn pool(&self) -> &PgPool {
        self.commands.store().pool()
    }

    /// The partners that the actor belongs to.
    pub fn partners(&self) -> Vec<PartnerId> {
        self.memberships.iter().map(|(id, _)| id.clone()).collect()
    }

    /// What the actor is to a partner; `None` for a stranger.
    pub fn role_at(&self, partner: &PartnerId) -> Option<MemberRole> {
        self.memberships.iter().find(|(id, _)| id == partner).map(|(_, role)| *role)
    }

    /// Whose rows the caller may read.
    pub fn viewer(&self, ctx: &Context<'_>, operation: Operation) -> Result<Viewer> {
        answer(ctx, self.sees(operation).ok_or(Error::Forbidden))
    }

    /// Whose rows the caller may read; `None` when nobody's.
    pub fn sees(&self, operation: Operation) -> Option<Viewer> {
        let actor = &self.request.actor;
        if actor.may_on_any(operation) {
            return Some(Viewer::All);
        }
        actor.may_on_own(operation).then(|| Viewer::Partners(self.partners()))
    }
}

/// The token in an `Authorization`, as RFC 6750 has it there.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// What the log says, and what the token adds to it.
fn memberships(
    actor: &Actor,
    mut seats: Vec<(PartnerId, MemberRole)>,
) -> Vec<(PartnerId, MemberRole)> {
    seats.retain(|(id, _)| !actor.claimed_partners.contains(id.as_str()));
    let claimed = actor.claimed_partners.iter().map(|id| PartnerId::from(id.as_str()));
    seats.extend(claimed.map(|id| (id, MemberRole::Manager)));
    seats
}
