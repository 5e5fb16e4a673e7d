//! Personal data with what shows that an event commits to it.

use crate::Result;
use crate::private_rows::{Salted, WrappingKey};
use sqlx::PgExecutor;
use uuid::Uuid;

/// What an event commits to: its `commitment` is the HMAC-SHA-256 of the data under the salt.
pub struct Disclosed {
    /// The salt.
    pub salt: [u8; 32],
    /// The data, byte for byte as it was committed to: JSON.
    pub data: String,
}

/// What lies behind the reference of an event; `None` when it is gone.
pub async fn disclosed(
    db: impl PgExecutor<'_>,
    keys: &WrappingKey,
    reference: Uuid,
) -> Result<Option<Disclosed>> {
    let found = keys.salted(db, &[reference]).await?.remove(&reference);
    let disclosed =
        |Salted { salt, data }| Ok(Disclosed { salt, data: serde_json::to_string(&data)? });
    found.map(disclosed).transpose()
}
