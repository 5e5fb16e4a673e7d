//! What is stored, as `psql` sees it: read with SQL of its own, by nothing of the product.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use std::collections::BTreeMap;

/// The log, and what must agree with it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stored {
    /// In order of position.
    pub events: Vec<Event>,
    /// Who holds a name: kind and key of the name, `<noun>/<id>` of the holder.
    pub claims: BTreeMap<(String, String), String>,
    /// The object and position that each idempotency key was used for.
    pub keys: BTreeMap<String, (String, i64)>,
    /// The positions of events whose personal data or secret's hash is not there.
    pub bare: Vec<i64>,
}

/// One event.
#[derive(Debug, Clone, Serialize, sqlx::FromRow)]
pub struct Event {
    pub position: i64,
    pub noun: String,
    pub id: String,
    pub sequence: i64,
    pub kind: String,
    pub payload: Value,
    pub correlation_id: String,
    pub request_id: String,
    pub recorded_at: DateTime<Utc>,
}

impl Event {
    /// The key of the command that it belongs to, and which attempt it was.
    pub fn attempt(&self) -> Option<(&str, usize)> {
        let (key, attempt) = self.correlation_id.rsplit_once('.')?;
        Some((key, attempt.parse().ok()?))
    }

    /// A field of the payload, as text.
    pub fn text(&self, field: &str) -> &str {
        self.payload[field].as_str().unwrap_or_default()
    }
}

const EVENTS: &str = "
select position, aggregate_type as noun, aggregate_id as id, sequence, event_type as kind, payload,
       metadata->>'correlation_id' as correlation_id, metadata->>'request_id' as request_id,
       recorded_at
from events order by position";

const BARE: &str = "
select position from events
where (payload->'contact' is not null and not exists
        (select from personal_data where reference::text = payload->'contact'->>'reference'))
   or (payload->'lookup_id' is not null and not exists
        (select from secret_hashes where lookup_id = payload->>'lookup_id'))";

impl Stored {
    /// Everything that is stored now.
    pub async fn read(db: &PgPool) -> Self {
        let claims: Vec<(String, String, String)> =
            sqlx::query_as("select kind, key, holder from claims").fetch_all(db).await.unwrap();
        let keys: Vec<(String, String, i64)> =
            sqlx::query_as("select key, object_id, position from idempotency_keys")
                .fetch_all(db)
                .await
                .unwrap();
        Self {
            events: sqlx::query_as(EVENTS).fetch_all(db).await.unwrap(),
            claims: claims.into_iter().map(|(kind, key, holder)| ((kind, key), holder)).collect(),
            keys: keys.into_iter().map(|(key, id, position)| (key, (id, position))).collect(),
            bare: sqlx::query_scalar(BARE).fetch_all(db).await.unwrap(),
        }
    }
}
