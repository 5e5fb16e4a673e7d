//! Files for verifiers that others have written: `tests/verifiers/run`.

use super::checkpoint::{Checkpoint, add_checkpoint};
use super::proof::Plan;
use super::sample::{ORIGIN, at, entry, log_key, witness_key};
use super::tile::Tiles;
use super::tlog_proof::TlogProof;
use super::tree::{Edge, leaf_hash};
use std::path::Path;
use std::{env, fs};

/// Sizes around full tiles on three levels.
const SIZES: [u64; 7] = [1, 2, 255, 256, 257, 65_536, 1_000_001];

/// Writes the `vkey`s of log and witness, and for each size its checkpoint, some entries with their
/// `tlog-proof`, and the body of `add-checkpoint` from each smaller size and from itself.
#[test]
#[ignore = "needs AUDIT_FILES, a folder; tests/verifiers/run sets it"]
fn write_files() {
    let folder = env::var("AUDIT_FILES").unwrap();
    let write =
        |name: String, bytes: &[u8]| fs::write(Path::new(&folder).join(name), bytes).unwrap();
    for (name, key) in [("log.vkey", log_key()), ("witness.vkey", witness_key(1))] {
        write(name.to_owned(), key.verifier().to_string().as_bytes());
    }
    let (mut edge, mut tiles, mut sizes) = (Edge::default(), Tiles::default(), Vec::new());
    for size in SIZES {
        let leaves = (edge.size()..size).map(|index| leaf_hash(&entry(index as usize)));
        tiles.extend(edge.append(leaves));
        sizes.push(size);
        let head = Checkpoint { origin: ORIGIN.to_owned(), size, root: edge.root() };
        let checkpoint = head.sign(&[&log_key(), &witness_key(1)], at());
        write(format!("{size}.checkpoint"), checkpoint.to_string().as_bytes());
        for index in [0, 1, 255, 256, size / 2, size - 1] {
            let Some(plan) = Plan::inclusion(index, size) else { continue };
            let (hashes, checkpoint) = (plan.hashes(&tiles).unwrap(), checkpoint.clone());
            let proof = TlogProof { extra: None, index, hashes, checkpoint };
            write(format!("{size}-{index}.tlog-proof"), proof.to_string().as_bytes());
            write(format!("{size}-{index}.entry"), &entry(index as usize));
        }
        for old in &sizes {
            let hashes = Plan::consistency(*old, size).unwrap().hashes(&tiles).unwrap();
            let body = add_checkpoint(*old, &hashes, &checkpoint);
            write(format!("{old}-{size}.add-checkpoint"), body.as_bytes());
        }
    }
}
