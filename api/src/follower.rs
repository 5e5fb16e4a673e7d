//! Followers in GraphQL: what works behind the log, and what it could not do.

use crate::caller::caller;
use crate::errors::{Result, answer, read};
use crate::scalars::Position;
use async_graphql::{ComplexObject, Context, Object, SimpleObject};
use commands::Error;
use commands::follower::ReplayParked;
use domain::actor::Operation;
use projections::follower::{self, Row, all};
use sqlx::PgPool;

/// What reacts to the log or to the clock, on one node at a time.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Follower {
    #[graphql(flatten)]
    row: Row,
    /// What it has parked, at most 100 keys, those that wait longest first.
    parked: Vec<ParkedKey>,
}

#[ComplexObject]
impl Follower {
    /// The last event that it has worked off; null for one that is driven by the clock.
    async fn position(&self) -> Option<Position> {
        self.row.position.map(Position)
    }
}

/// A key of which something could not be done. All of it waits in order, and nothing else.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ParkedKey {
    #[graphql(flatten)]
    row: follower::ParkedKey,
}

#[ComplexObject]
impl ParkedKey {
    /// The first event that waits; null where the clock drives.
    async fn position(&self) -> Option<Position> {
        self.row.position.map(Position)
    }
}

async fn followers(pool: &PgPool) -> projections::Result<Vec<Follower>> {
    let (rows, mut parked) = (all(pool).await?, follower::parked(pool).await?);
    let follower = |row: Row| {
        let own = parked.extract_if(.., |it| it.follower == row.name);
        let parked = own.map(|row| ParkedKey { row }).collect();
        Follower { row, parked }
    };
    Ok(rows.into_iter().map(follower).collect())
}

/// A follower that has been asked to try again.
#[derive(SimpleObject)]
pub struct ReplayParkedPayload {
    /// The follower; it tries again with its next turn.
    follower: Follower,
    /// Where the log stands. Asking is no event.
    position: Position,
}

/// Questions about followers.
#[derive(Default)]
pub struct FollowerQuery;

#[Object]
impl FollowerQuery {
    /// Everything that reacts to the log or to the clock: how far it is, whether it lives, and what
    /// it could not do.
    async fn followers(&self, ctx: &Context<'_>) -> Result<Vec<Follower>> {
        caller(ctx).viewer(ctx, Operation::ReadFollower)?;
        answer(ctx, followers(caller(ctx).pool()).await)
    }
}

/// What operators do with followers.
#[derive(Default)]
pub struct FollowerMutation;

#[Object]
impl FollowerMutation {
    /// Lets a follower try again, in order, what it has parked, and go on where it has stopped.
    /// Repeating it is harmless, so it takes no idempotency key.
    /// Refused with `FOLLOWER_NOT_FOUND`.
    async fn replay_parked(
        &self,
        ctx: &Context<'_>,
        input: ReplayParked,
    ) -> Result<ReplayParkedPayload> {
        let caller = caller(ctx);
        answer(ctx, caller.commands.replay_parked(&caller.request, &input).await)?;
        let asked = read(ctx, followers(caller.pool()).await)?;
        let asked = asked.into_iter().find(|it| it.row.name == input.follower);
        let asked = asked.ok_or_else(|| Error::fault("a follower is gone"));
        let position = read(ctx, projections::log::head(caller.pool()).await)?;
        Ok(ReplayParkedPayload { follower: answer(ctx, asked)?, position: Position(position) })
    }
}
