//! Proofs from the stored tiles, about heads that were signed. The head and the tiles are one statement
//! each, however large the log is.

use super::{Sealed, covering, heads, tiles};
use crate::{Error, Result};
use domain::Finding;
use domain::audit::proof::Plan;
use domain::audit::tree::Hash;
use sqlx::PgExecutor;

/// The newest head. Refused with `NOT_SEALED_YET` before the first.
pub async fn newest(db: impl PgExecutor<'_>) -> Result<Sealed> {
    super::newest(db).await?.ok_or_else(|| not_sealed_yet(""))
}

/// The first head that covers this position. Refused with `NOT_SEALED_YET`; `field` is what asked for
/// it.
pub async fn first_covering(
    db: impl PgExecutor<'_>,
    position: i64,
    field: &'static str,
) -> Result<Sealed> {
    covering(db, position).await?.ok_or_else(|| not_sealed_yet(field))
}

/// The head of exactly this size. Refused with `NOT_SEALED_YET` where the log is not sealed as far, and
/// with `CHECKPOINT_NOT_FOUND` where no head of this size was signed: not every size has one.
pub async fn of_size(db: impl PgExecutor<'_>, size: i64, field: &'static str) -> Result<Sealed> {
    let head = first_covering(db, size, field).await?;
    if head.size == size {
        return Ok(head);
    }
    let message = "No checkpoint of this size was signed.";
    Err(refused(Finding::new("CHECKPOINT_NOT_FOUND", field, message).with("next", head.size)))
}

/// The head that proves the most about a position: the newest that enough witnesses have seen and that
/// covers it, else the newest. Refused with `NOT_SEALED_YET`.
pub async fn strongest_covering(db: impl PgExecutor<'_>, position: i64) -> Result<Sealed> {
    let newest = "select max(size) from log_checkpoints where size >= $1";
    let strongest =
        format!("where size = coalesce(({newest} and witnessed_at is not null), ({newest}))");
    let head = sqlx::query_as(&heads(&strongest)).bind(position).fetch_optional(db).await?;
    head.ok_or_else(|| not_sealed_yet("position"))
}

/// That the event at a position is under this head. Refused with `POSITION_NOT_COVERED`.
pub async fn inclusion(db: impl PgExecutor<'_>, position: i64, head: &Sealed) -> Result<Vec<Hash>> {
    let plan = leaf(position).and_then(|index| Plan::inclusion(index, size(head)));
    let plan = plan.ok_or_else(|| {
        let message = "The checkpoint of this size does not cover the position.";
        refused(Finding::new("POSITION_NOT_COVERED", "size", message))
    })?;
    hashes(db, &plan).await
}

/// That the log under the head `to` begins with all that is under the head `from`. Refused with
/// `FROM_AFTER_TO`.
pub async fn consistency(db: impl PgExecutor<'_>, from: &Sealed, to: &Sealed) -> Result<Vec<Hash>> {
    let plan = Plan::consistency(size(from), size(to)).ok_or_else(|| {
        let message = "The first checkpoint is larger than the second.";
        refused(Finding::new("FROM_AFTER_TO", "from", message))
    })?;
    hashes(db, &plan).await
}

async fn hashes(db: impl PgExecutor<'_>, plan: &Plan) -> Result<Vec<Hash>> {
    Ok(plan.hashes(&tiles(db, plan.tiles()).await?)?)
}

/// Which leaf of the tree the event at a position is, from 0.
pub fn leaf(position: i64) -> Option<u64> {
    position.checked_sub(1)?.try_into().ok()
}

fn size(head: &Sealed) -> u64 {
    head.size.try_into().unwrap_or_default() // the smallest is 1
}

fn not_sealed_yet(field: &'static str) -> Error {
    let message = "No signed checkpoint covers this yet. Ask again in a second.";
    refused(Finding::new("NOT_SEALED_YET", field, message))
}

fn refused(finding: Finding) -> Error {
    Error::Refused(vec![finding])
}
