//! The log's seals in the hands of its owner, who can write whatever he wants with his key.

use chrono::{DateTime, Utc};
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::{Algorithm, SigningKey};
use domain::audit::policy::Policy;
use domain::audit::tree::Edge;
use projections::log::after;
use sqlx::{Executor as _, PgConnection};

/// The name of a test's log.
pub const ORIGIN: &str = "audit.example.org/events";

/// The key that this seed makes.
pub fn log_key(seed: u8) -> SigningKey {
    let text = SigningKey::text(ORIGIN, Algorithm::Ed25519, &[seed; 32]).unwrap();
    SigningKey::from_text(&text).unwrap()
}

/// Believes this key alone, and asks for no witness.
pub fn policy_for(key: &SigningKey) -> String {
    format!("log {}\nquorum none\n", key.verifier())
}

/// The same, read.
pub fn believing(key: &SigningKey) -> Policy {
    policy_for(key).parse().unwrap()
}

/// Throws all seals away and seals the log anew: a head for each of these sizes, and the tiles of the
/// last.
pub async fn seal(db: &mut PgConnection, key: &SigningKey, sizes: &[i64], at: DateTime<Utc>) {
    db.execute("delete from log_tiles; delete from log_checkpoints").await.unwrap();
    let (mut edge, mut sealed) = (Edge::default(), 0);
    for size in sizes {
        let rows = after(&mut *db, sealed, size - sealed).await.unwrap();
        for (tile, hashes) in edge.append(rows.iter().map(|row| row.stored().leaf_hash())) {
            let sql = "insert into log_tiles values ($1, $2, $3) \
                       on conflict (level, index) do update set hashes = excluded.hashes";
            let index = i64::try_from(tile.index).unwrap();
            let query = sqlx::query(sql).bind(i16::from(tile.level)).bind(index).bind(hashes);
            query.execute(&mut *db).await.unwrap();
        }
        let (origin, size) = (ORIGIN.to_owned(), edge.size());
        let note = Checkpoint { origin, size, root: edge.root() }.sign(&[key], at);
        let sql = "insert into log_checkpoints values ($1, $2, $3)";
        sealed = i64::try_from(size).unwrap();
        let query = sqlx::query(sql).bind(sealed).bind(note.to_string()).bind(at);
        query.execute(&mut *db).await.unwrap();
    }
}
