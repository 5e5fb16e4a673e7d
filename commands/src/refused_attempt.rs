//! Remembering what people tried and were refused, beside the log.
//!
//! It can neither fail what it belongs to nor hold it up for long, and nobody fills the disk with it.

use crate::Commands;
use projections::refused_attempt::Row;
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;

/// How many attempts of one person are kept one by one in an hour; those after them are counted.
pub const KEPT_PER_HOUR: usize = 1_000;

/// How long a refusal waits for this. What is not kept by then is told to the operator.
const PATIENCE: Duration = Duration::from_secs(2);

impl Commands {
    /// Keeps what one person was refused in one request, before he is told.
    pub async fn remember_refused(&self, attempts: &[Row]) {
        let Some(Row { actor, operation, correlation_id, .. }) = attempts.first() else { return };
        let problem = match timeout(PATIENCE, self.keep(actor, attempts)).await {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem.to_string(),
            Err(late) => late.to_string(),
        };
        let codes: Vec<&String> = attempts.iter().flat_map(|it| &it.codes).take(10).collect();
        let count = attempts.len();
        warn!(problem, correlation_id, operation, ?codes, count, "refused attempts are not kept");
    }

    /// The database's clock says when: an erasure covers what came before it, by the same clock.
    async fn keep(&self, actor: &str, attempts: &[Row]) -> Result<(), sqlx::Error> {
        let pool = self.store().pool();
        let sql = format!(
            "insert into refused_attempts \
             select (jsonb_populate_record(null::refused_attempts, \
                       value || jsonb_build_object('at', clock_timestamp()))).* \
             from jsonb_array_elements($1) with ordinality \
             where ordinality <= {KEPT_PER_HOUR} - (select count(*) from (select from refused_attempts \
               where actor = $2 and at > clock_timestamp() - interval '1 hour' \
               limit {KEPT_PER_HOUR}) recent)"
        );
        let rows = sqlx::types::Json(attempts);
        let kept = sqlx::query(&sql).bind(rows).bind(actor).execute(pool).await?.rows_affected();
        let more = i64::try_from(attempts.len()).unwrap_or(i64::MAX) - kept.cast_signed();
        if more > 0 {
            let sql = "update refused_attempts set more = more + $1 where id = (select id \
                       from refused_attempts where actor = $2 order by at desc, id desc limit 1)";
            sqlx::query(sql).bind(more).bind(actor).execute(pool).await?;
        }
        Ok(())
    }
}
