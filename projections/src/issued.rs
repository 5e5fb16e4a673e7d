//! Keys that follow each other, whatever they open.

use crate::Result;
use chrono::{DateTime, Utc};
use domain::Decide;
use sqlx::PgExecutor;

/// The keys before this one in its line that open the door at `now`: its predecessor, the one
/// before that, and so on.
pub async fn open_before<A: Decide>(
    db: impl PgExecutor<'_>,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let table = A::TYPE;
    let sql = format!(
        "with recursive line as (\
           select id, rotated_from, status, expires_at from {table} where id = $1 \
           union all \
           select t.id, t.rotated_from, t.status, t.expires_at \
           from {table} t join line on t.id = line.rotated_from) \
         select id from line where id <> $1 and status = 'ACTIVE' and expires_at > $2 order by id"
    );
    Ok(sqlx::query_scalar(&sql).bind(id).bind(now).fetch_all(db).await?)
}
