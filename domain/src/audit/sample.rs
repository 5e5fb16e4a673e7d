//! What the tests of this folder share: leaves, another program's tree over them, keys.

use super::checkpoint::Checkpoint;
use super::key::{Algorithm, SigningKey};
use super::tree::{Hash, leaf_hash, root};
use chrono::{DateTime, Utc};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Sizes around full tiles.
pub(super) const SIZES: [usize; 10] = [0, 1, 2, 255, 256, 257, 40_000, 65_535, 65_536, 65_537];

/// The name of the test's log.
pub(super) const ORIGIN: &str = "audit.example.org/events";

pub(super) fn entry(index: usize) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

pub(super) fn leaves(size: usize) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// The tree of the largest size as another program grows it, and its roots on the way there.
pub(super) static CT_MERKLE: LazyLock<CtMerkle> = LazyLock::new(|| {
    let (mut tree, mut roots) = (MemoryBackedTree::new(), BTreeMap::new());
    for size in 0..=SIZES[SIZES.len() - 1] {
        if SIZES.contains(&size) {
            roots.insert(size, tree.root().as_bytes()[..].try_into().unwrap());
        }
        tree.push(entry(size));
    }
    CtMerkle { tree, roots }
});

/// It has one leaf more than the largest size.
pub(super) struct CtMerkle {
    pub(super) tree: MemoryBackedTree<Sha256, Vec<u8>>,
    pub(super) roots: BTreeMap<usize, Hash>,
}

pub(super) fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

/// The key that these seed bytes make.
pub(super) fn key(name: &str, algorithm: Algorithm, seed: u8) -> SigningKey {
    SigningKey::from_text(&SigningKey::text(name, algorithm, &[seed; 32]).unwrap()).unwrap()
}

pub(super) fn log_key() -> SigningKey {
    key(ORIGIN, Algorithm::Ed25519, 1)
}

pub(super) fn witness_key(number: u8) -> SigningKey {
    let name = format!("witness.example.org/{number}");
    key(&name, Algorithm::CosignatureV1, 100 + number)
}

pub(super) fn checkpoint(size: usize) -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: size as u64, root: root(&leaves(size)) }
}
