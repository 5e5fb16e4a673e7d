//! Files for verifiers that others have written: `tests/verifiers/run`.

use super::bundle::encode;
use super::checkpoint::{Checkpoint, add_checkpoint};
use super::proof::Plan;
use super::sample::{ORIGIN, at, entry, log_key, witness_key};
use super::tile::{Tile, Tiles};
use super::tlog_proof::TlogProof;
use super::tree::{Edge, leaf_hash};
use std::path::Path;
use std::{env, fs};

/// Sizes around full tiles on three levels.
const SIZES: [usize; 7] = [1, 2, 255, 256, 257, 65_536, 1_000_001];

/// Writes the `vkey`s of log and witness, all tiles and bundles, and for each size its checkpoint,
/// some entries with their `tlog-proof`, and the body of `add-checkpoint` from each smaller size
/// and from itself.
#[test]
#[ignore = "needs AUDIT_FILES, a folder; tests/verifiers/run sets it"]
fn write_files() {
    for (name, key) in [("log.vkey", log_key()), ("witness.vkey", witness_key(1))] {
        write(name, key.verifier().to_string());
    }
    let (mut edge, mut tiles) = (Edge::default(), Tiles::default());
    for (before, size) in (0..).zip(SIZES) {
        let new = usize::try_from(edge.size()).unwrap()..size;
        let changed = edge.append(new.map(|index| leaf_hash(&entry(index))));
        for (tile, bytes) in &changed {
            write(&tile.path(), bytes);
            if tile.level == 0 {
                write(&tile.bundle_path(), bundle(tile));
            }
        }
        tiles.extend(changed);
        let head = Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root: edge.root() };
        let checkpoint = head.sign(&[&log_key(), &witness_key(1)], at());
        write(&format!("{size}.checkpoint"), checkpoint.to_string());
        for index in [0, 1, 255, 256, size / 2, size - 1] {
            let Some(plan) = Plan::inclusion(index as u64, size as u64) else { continue };
            let (hashes, checkpoint) = (plan.hashes(&tiles).unwrap(), checkpoint.clone());
            let proof = TlogProof { extra: None, index: index as u64, hashes, checkpoint };
            write(&format!("{size}-{index}.tlog-proof"), proof.to_string());
            write(&format!("{size}-{index}.entry"), entry(index));
        }
        for old in &SIZES[..=before] {
            let plan = Plan::consistency(*old as u64, size as u64).unwrap();
            let body = add_checkpoint(*old as u64, &plan.hashes(&tiles).unwrap(), &checkpoint);
            write(&format!("{old}-{size}.add-checkpoint"), body);
        }
    }
}

fn bundle(tile: &Tile) -> Vec<u8> {
    let first = usize::try_from(tile.index).unwrap() * 256;
    let entries: Vec<Vec<u8>> = (first..first + usize::from(tile.width)).map(entry).collect();
    encode(entries.iter().map(Vec::as_slice)).unwrap()
}

fn write(name: &str, bytes: impl AsRef<[u8]>) {
    let path = Path::new(&env::var("AUDIT_FILES").unwrap()).join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
