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
        let Some(first @ Row { operation, correlation_id, .. }) = attempts.first() else { return };
        let problem = match timeout(PATIENCE, self.keep(first, attempts)).await {
            Ok(Ok(())) => return,
            Ok(Err(problem)) => problem.to_string(),
            Err(late) => late.to_string(),
        };
        let codes: Vec<&String> = attempts.iter().flat_map(|it| &it.codes).take(10).collect();
        let count = attempts.len();
        warn!(problem, correlation_id, operation, ?codes, count, "refused attempts are not kept");
    }

    /// The database's clock says when: an erasure covers what came before it, by the same clock. From
    /// where a request came that leaves neither an attempt nor an event is not kept, for no erasure
    /// would find it.
    async fn keep(&self, first: &Row, attempts: &[Row]) -> Result<(), sqlx::Error> {
        let sql = format!(
            "with room as (select {KEPT_PER_HOUR} - count(*) as places from \
                (select from refused_attempts where actor = $2 \
                 and at > clock_timestamp() - interval '1 hour' limit {KEPT_PER_HOUR}) recent), \
              kept as (insert into refused_attempts \
                select (jsonb_populate_record(null::refused_attempts, value || jsonb_build_object( \
                  'at', clock_timestamp(), \
                  'more', case when number = places then jsonb_array_length($1) - places else 0 end))).* \
                from room, jsonb_array_elements($1) with ordinality attempt (value, number) \
                where number <= places), \
              forgotten as (delete from request_log where request_id = $3 \
                and (select places from room) <= 0 and not exists (select from events \
                  where metadata->>'correlation_id' = $4 and (metadata->>'request_id')::uuid = $3)) \
             update refused_attempts set more = more + jsonb_array_length($1) \
             where (select places from room) <= 0 and id = (select id from refused_attempts \
               where actor = $2 order by at desc, id desc limit 1)"
        );
        let query = sqlx::query(&sql).bind(sqlx::types::Json(attempts)).bind(&first.actor);
        let query = query.bind(first.request_id).bind(&first.correlation_id);
        query.execute(self.store().pool()).await.map(drop)
    }
}
