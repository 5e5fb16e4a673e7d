//! What belongs to a partner: rows that follow it when it is stopped or ended, and that its people
//! may read the history of.

use crate::Result;
use crate::fold::Fold;
use crate::page::Key;
use cqrs_es::Aggregate as _;
use domain::ids::{PartnerId, PolicyId};
use sqlx::PgExecutor;

/// A row that belongs to a partner: its table has the columns `partner_id` and `status`.
pub trait Held: Fold {
    /// The states that are not final.
    const LIVE: &'static [&'static str];
}

/// Joins the partner, for lists of what belongs to one.
pub(crate) const OF_PARTNER: &str = "left join partner on partner.id = t.partner_id";
/// Joins the partner, the policy and its group, for lists of what works under a policy.
pub(crate) const UNDER_POLICY: &str = "left join partner on partner.id = t.partner_id \
     left join policy on policy.id = t.policy_id \
     left join policy_group on policy_group.id = policy.policy_group_id";

/// The name of the partner's organisation.
pub(crate) const ORGANIZATION_NAME: Key =
    Key::text("lower(partner.organization_name)").of("partner");
/// The name of the policy.
pub(crate) const POLICY_NAME: Key = Key::text("lower(policy.name)").of("policy");
/// The name of the policy's group.
pub(crate) const POLICY_GROUP_NAME: Key = Key::text("lower(policy_group.name)").of("policy_group");

/// The tables of what belongs to a partner.
pub const HELD: [&str; 7] =
    ["policy_request", "api_key", "misp_license", "oidc_client", "sbi", "device", "ftm_chip"];

/// The ids of everything of one kind that a partner holds and that has not ended.
pub async fn live_of_partner<R: Held>(
    db: impl PgExecutor<'_>,
    partner: &PartnerId,
) -> Result<Vec<String>> {
    let sql = format!(
        "select id from {} where partner_id = $1 and status = any($2) order by id",
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
        "select id from {} where partner_id = $1 and policy_id = $2 and status = any($3) \
         order by id",
        R::Noun::TYPE
    );
    let query = sqlx::query_scalar(&sql).bind(partner.as_str()).bind(policy.as_str());
    Ok(query.bind(R::LIVE).fetch_all(db).await?)
}

/// The SQL condition on `events` that a stream is one of the partners in `parameter`, a text
/// array, or belongs to one of them. Either the streams are found first or the events, whichever is
/// less.
pub fn belongs(parameter: &str) -> String {
    let held = HELD.iter().map(|table| {
        format!(" union all select '{table}', id from {table} where partner_id = any({parameter})")
    });
    let held = held.collect::<String>();
    format!("(aggregate_type, aggregate_id) in (select 'partner'::text, unnest({parameter}){held})")
}
