//! One row of a noun: as it is, as it was, and as a command left it.

use crate::caller::caller;
use crate::errors::{Result, answer, read};
use crate::scalars::{AsOf, Position};
use async_graphql::Context;
use commands::{Done, Error};
use projections::fold::{Fold, find, find_at};

/// The row with this id, now or at a point in the past.
pub async fn one<R: Fold>(ctx: &Context<'_>, id: &str, as_of: Option<AsOf>) -> Result<Option<R>> {
    let pool = caller(ctx).pool();
    read(
        ctx,
        match as_of {
            None => find(pool, id).await,
            Some(AsOf(until)) => find_at(pool, id, until).await,
        },
    )
}

/// The row that a command has made or changed, and where the log stands.
pub async fn changed<R: Fold>(
    ctx: &Context<'_>,
    done: commands::Result<Done>,
) -> Result<(R, Position)> {
    let Done { id, position, .. } = answer(ctx, done)?;
    let row = find(caller(ctx).pool(), &id).await.map_err(Error::from);
    let row = row.and_then(|row| row.ok_or_else(|| Error::fault("what was changed has no row")));
    Ok((read(ctx, row)?, Position(position)))
}
