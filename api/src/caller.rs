//! Who asks, and what a request carries through its resolvers.

use crate::errors::{Result, answer};
use async_graphql::Context;
use commands::{Commands, Error, Request};
use domain::actor::Operation;
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
    /// The partners that the actor belongs to.
    pub partners: Vec<PartnerId>,
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

    /// Whose rows the caller may read.
    pub fn viewer(&self, ctx: &Context<'_>, operation: Operation) -> Result<Viewer> {
        let actor = &self.request.actor;
        if actor.may_on_any(operation) {
            return Ok(Viewer::All);
        }
        if actor.may(operation, true) {
            return Ok(Viewer::Partners(self.partners.clone()));
        }
        answer(ctx, Err(Error::Forbidden))
    }
}
