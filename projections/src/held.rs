//! What belongs to a partner: rows that follow it when it is stopped or ended, and that its people
//! may read the history of.

use crate::Result;
use crate::fold::Fold;
use cqrs_es::Aggregate as _;
use domain::ids::{PartnerId, PolicyId};
use sqlx::PgExecutor;

/// A row that belongs to a partner: its table has the columns `partner_id` and `status`.
pub trait Held: Fold {
    /// The states that are not final.
    const LIVE: &'static [&'static str];
}

/// The tables of what belongs to a partner.
pub const HELD: [&str; 7] =
    ["policy_request", "api_key", "misp_license", "oidc_client", "sbi", "device", "ftm_chip"];

/// The ids of everything of one kind that a partner holds and that has not ended.
pub async fn live_of_partner<R: Held>(
    db: impl PgExecutor<'_>,
    partner: &PartnerId,
) -> Result<Vec<String>> {
    let sql = format!(
        "select id from read.{} where partner_id = $1 and status = any($2) order by id",
        R::Noun::TYPE
    );
    Ok(sqlx::query_scalar(&sql).bind(partner.as_str()).bind(R::LIVE).fetch_all(db).await?)
}

/// The same under one policy: the table has a column `policy_id` too.
pub async fn live_under_policy<R: Held>(
    db: impl PgExecutor<'_>,
    partner: &PartnerId,
    policy: &PolicyId,
) -> Result<Vec<String>> {
    let sql = format!(
        "select id from read.{} where partner_id = $1 and policy_id = $2 and status = any($3) \
         order by id",
        R::Noun::TYPE
    );
    let query = sqlx::query_scalar(&sql).bind(partner.as_str()).bind(policy.as_str());
    Ok(query.bind(R::LIVE).fetch_all(db).await?)
}

/// The SQL condition on `events` that a stream is one of the partners in `parameter`, a text
/// array, or belongs to one of them.
pub fn belongs(parameter: &str) -> String {
    let held = HELD.iter().map(|table| {
        format!(
            " or exists (select from read.{table} t where t.partner_id = any({parameter}) \
             and aggregate_type = '{table}' and aggregate_id = t.id)"
        )
    });
    format!("(aggregate_type = 'partner' and aggregate_id = any({parameter}))")
        + &held.collect::<String>()
}
