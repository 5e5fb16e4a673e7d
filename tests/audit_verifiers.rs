//! Files of a real log for verifiers that others have written: `tests/verifiers/run`.

use crate::support::actors::Market;
use crate::support::auditor::{exported, proof_of};
use crate::support::commands::Installation;
use crate::support::sealing::seals;
use domain::audit::checkpoint::add_checkpoint;
use domain::audit::proof::Plan;
use projections::audit::{heads_after, tiles};
use sqlx::{Connection as _, PgConnection};
use std::path::Path;

/// A node seals what people do, while they do it; then the log is exported. Beside the folder's files:
/// the `vkey` of the log and of the key that was added last, each head, some entries with their
/// `tlog-proof` (and each time a `bundle` with both), and the body of `add-checkpoint` from each head to
/// each later one.
#[tokio::test]
#[ignore = "needs AUDIT_FILES, a folder; tests/verifiers/run sets it"]
async fn write_files_of_a_real_log() {
    let installation = Installation::new().await;
    let node = installation.sealing_node().await;
    let market = Market::open(&node).await;
    seals(&node).await;
    market.busy_day(&node).await;
    seals(&node).await;
    let added = node.add_log_key().await.unwrap();
    let newest = seals(&node).await;

    let mut db = PgConnection::connect(installation.database.url()).await.unwrap();
    let folder = std::env::var("AUDIT_FILES").unwrap();
    exported(&mut db, Path::new(&folder)).await;
    let write = |name: String, bytes: &[u8]| {
        std::fs::write(Path::new(&folder).join(name), bytes).unwrap();
    };
    let key = installation.stolen_log_key();
    write("log.vkey".to_owned(), key.verifier().to_string().as_bytes());
    write("added.key".to_owned(), added.to_string().as_bytes());
    let heads = heads_after(&mut db, 0, i64::MAX).await.unwrap();
    assert_eq!(heads.last().map(|it| it.size), Some(newest.size));
    for position in [1, 2, 256, 257, newest.size / 2, newest.size] {
        let mut proof = proof_of(&mut db, position).await;
        write(format!("{position}.bundle"), proof.to_string().as_bytes());
        let (size, entry) = (newest.size, proof.extra.take().unwrap());
        write(format!("{size}-{position}.tlog-proof"), proof.to_string().as_bytes());
        write(format!("{size}-{position}.entry"), &entry);
    }
    for (number, new) in heads.iter().enumerate() {
        write(format!("{}.checkpoint", new.size), new.note.as_bytes());
        for old in &heads[..=number] {
            let (from, to) = (old.size.unsigned_abs(), new.size.unsigned_abs());
            let plan = Plan::consistency(from, to).unwrap();
            let hashes = plan.hashes(&tiles(&mut db, plan.tiles()).await.unwrap()).unwrap();
            let body = add_checkpoint(from, &hashes, &new.note().unwrap());
            write(format!("{from}-{to}.add-checkpoint"), body.as_bytes());
        }
    }
}
