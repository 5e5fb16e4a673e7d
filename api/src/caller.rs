//! Who asks, and what a request carries through its resolvers.

use crate::errors::{Result, answer};
use async_graphql::Context;
use commands::{Commands, Error, Request};
use domain::actor::{MemberRole, Operation};
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

impl Caller {
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
