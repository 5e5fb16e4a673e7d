//! That an entry is in a tree, and that one tree continues another: RFC 6962, 2.1.1 and 2.1.2.
//!
//! A proof is a list of roots of subtrees. A [`Plan`] says which: first it names the tiles to
//! fetch, then it takes the hashes out of them. Who verifies walks the same plan with the hashes
//! that somebody gave.

use super::tile::{FULL, Tile, Tiles};
use super::tree::{Hash, node_hash, root};
use super::{Fault, hash_from_base64, unreadable};
use std::collections::BTreeSet;
use std::ops::Range;

/// The subtrees whose roots make up a proof, each by the leaves under it, in the order of RFC 6962.
#[derive(Debug)]
pub struct Plan {
    size: u64,
    subtrees: Vec<Range<u64>>,
}

impl Plan {
    /// For the proof that leaf `index` is in the tree of `size` leaves; none if it cannot be.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        (index < size).then(|| {
            let (_, subtrees) = descend(index, size, |at| at.end - at.start > 1);
            Self { size, subtrees }
        })
    }

    /// For the proof that the tree of `size` leaves continues that of `old` leaves; none if it
    /// cannot.
    pub fn consistency(old: u64, size: u64) -> Option<Self> {
        if old > size {
            return None;
        }
        let Some(last_old) = old.checked_sub(1) else {
            return Some(Self { size, subtrees: Vec::new() });
        };
        let (last, mut subtrees) = descend(last_old, size, |at| at.end != old);
        if last.start > 0 {
            subtrees.insert(0, last);
        }
        Some(Self { size, subtrees })
    }

    /// The tiles that the hashes are taken from.
    pub fn tiles(&self) -> BTreeSet<Tile> {
        self.subtrees.iter().flat_map(|leaves| self.parts(leaves)).map(|(tile, _)| tile).collect()
    }

    /// The hashes of the proof. A tile that is missing is an error.
    pub fn hashes(&self, tiles: &Tiles) -> Result<Vec<Hash>, Fault> {
        self.subtrees.iter().map(|leaves| self.hash(leaves, tiles)).collect()
    }

    fn hash(&self, leaves: &Range<u64>, tiles: &Tiles) -> Result<Hash, Fault> {
        let part = |(tile, slots): (Tile, Range<usize>)| Ok(root(&tiles.hashes(tile)?[slots]));
        let parts: Vec<Hash> = self.parts(leaves).map(part).collect::<Result<_, Fault>>()?;
        let whole = parts.into_iter().rev().reduce(|right, left| node_hash(&left, &right));
        Ok(whole.unwrap_or_else(|| root(&[])))
    }

    /// The complete subtrees that a subtree consists of, from the left, each as hashes of one tile.
    fn parts(&self, leaves: &Range<u64>) -> impl Iterator<Item = (Tile, Range<usize>)> {
        let Range { mut start, end } = *leaves;
        let size = self.size;
        std::iter::from_fn(move || {
            let height = (end - start).checked_ilog2()?;
            let first = start >> (height / 8 * 8);
            let tile = Tile::at(u8::try_from(height / 8).ok()?, first / u64::from(FULL), size)?;
            let slot = usize::try_from(first % u64::from(FULL)).ok()?;
            start += 1 << height;
            Some((tile, slot..slot + (1 << (height % 8))))
        })
    }
}

/// Goes down from the whole tree towards a leaf, while `further` says so. Gives the subtree where
/// it ended and those it did not enter, from the lowest up.
fn descend(
    leaf: u64,
    size: u64,
    further: impl Fn(&Range<u64>) -> bool,
) -> (Range<u64>, Vec<Range<u64>>) {
    let (mut at, mut passed) = (0..size, Vec::new());
    while further(&at) {
        let middle = at.start + (1 << (at.end - at.start - 1).ilog2());
        let (left, right) = (at.start..middle, middle..at.end);
        let (entered, other) = if leaf < middle { (left, right) } else { (right, left) };
        passed.push(other);
        at = entered;
    }
    passed.reverse();
    (at, passed)
}

/// Whether the hashes prove that this leaf is number `index`, from 0, of the tree of `size` leaves
/// with this root. They bind the size only together with a checkpoint that names both.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    hashes: &[Hash],
    expected: &Hash,
) -> bool {
    let Some(plan) = Plan::inclusion(index, size) else { return false };
    let up = |hash, (sibling, other): (&Range<u64>, &Hash)| {
        if sibling.start > index { node_hash(&hash, other) } else { node_hash(other, &hash) }
    };
    plan.subtrees.len() == hashes.len()
        && plan.subtrees.iter().zip(hashes).fold(*leaf, up) == *expected
}

/// Whether the hashes prove that the tree `new` (size and root) begins with all leaves of the tree
/// `old`. Every tree continues the empty one.
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), hashes: &[Hash]) -> bool {
    let ((old_size, old_root), (size, new_root)) = (old, new);
    let Some(plan) = Plan::consistency(old_size, size) else { return false };
    if plan.subtrees.len() != hashes.len() {
        return false;
    }
    if old_size == 0 {
        return *old_root == root(&[]) && (size > 0 || old_root == new_root);
    }
    let mut steps = plan.subtrees.iter().zip(hashes).peekable();
    // the proof leaves out the last complete subtree of the old tree when that is the old tree
    let last = steps.next_if(|(leaves, _)| leaves.end == old_size);
    let last = *last.map_or(old_root, |(_, hash)| hash);
    let (computed_old, computed_new) = steps.fold((last, last), |(old, new), (leaves, other)| {
        if leaves.start < old_size {
            (node_hash(other, &old), node_hash(other, &new))
        } else {
            (old, node_hash(&new, other))
        }
    });
    computed_old == *old_root && computed_new == *new_root
}

/// The hashes of a proof out of a text: in base64, between blanks, commas, quotes or brackets, so
/// that lines and a JSON array are both read.
pub fn read_hashes(text: &str) -> Result<Vec<Hash>, Fault> {
    let between = |c: char| c.is_whitespace() || "[]\",".contains(c);
    let words = text.split(between).filter(|word| !word.is_empty());
    words
        .map(|word| hash_from_base64(word).ok_or_else(|| unreadable("a proof is base64 hashes")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::base64;
    use super::super::sample::{CT_MERKLE, SIZES, leaves};
    use super::super::tree::{Edge, leaf_hash};
    use super::*;
    use proptest::prelude::*;

    fn tiles(size: usize) -> Tiles {
        Edge::default().append(leaves(size)).into_iter().collect()
    }

    fn inclusion(index: usize, size: usize, tiles: &Tiles) -> Vec<Hash> {
        of_named_tiles(Plan::inclusion(index as u64, size as u64).unwrap(), tiles)
    }

    fn consistency(old: usize, size: usize, tiles: &Tiles) -> Vec<Hash> {
        of_named_tiles(Plan::consistency(old as u64, size as u64).unwrap(), tiles)
    }

    fn of_named_tiles(plan: Plan, tiles: &Tiles) -> Vec<Hash> {
        let named = plan.tiles().into_iter();
        let named = named.map(|tile| (tile, tiles.hashes(tile).unwrap().concat())).collect();
        plan.hashes(&named).unwrap()
    }

    fn is_in(leaf: &Hash, index: usize, size: usize, hashes: &[Hash], root: &Hash) -> bool {
        verify_inclusion(leaf, index as u64, size as u64, hashes, root)
    }

    fn continues(old: (usize, &Hash), new: (usize, &Hash), hashes: &[Hash]) -> bool {
        verify_consistency((old.0 as u64, old.1), (new.0 as u64, new.1), hashes)
    }

    /// Every bit matters that a proof has: in the leaf, in the root, in each hash.
    fn refused_when_a_bit_flips(bytes: &mut [&mut Hash], verify: impl Fn(&[&mut Hash]) -> bool) {
        assert!(verify(bytes));
        for at in 0..bytes.len() {
            let bit = (at * 37) % 256;
            bytes[at][bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(bytes), "hash {at}");
            bytes[at][bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_entry_of_every_small_tree_is_proved() {
        let (leaves, tiles) = (leaves(257), tiles(257));
        for size in (1..70).chain([255, 256, 257]) {
            let root = root(&leaves[..size]);
            for (index, leaf) in leaves[..size].iter().enumerate() {
                let hashes = inclusion(index, size, &tiles);
                assert!(is_in(leaf, index, size, &hashes, &root), "{index} of {size}");
                for other in (0..size).filter(|other| *other != index) {
                    assert!(!is_in(leaf, other, size, &hashes, &root), "{other}, not {index}");
                }
            }
            assert!(Plan::inclusion(size as u64, size as u64).is_none());
        }
    }

    #[test]
    fn every_small_tree_is_proved_to_continue_every_smaller_one() {
        let (leaves, tiles) = (leaves(257), tiles(257));
        let roots: Vec<Hash> = (0..=257).map(|size| root(&leaves[..size])).collect();
        for new in (0..40).chain([255, 256, 257]) {
            for old in 0..=new {
                let hashes = consistency(old, new, &tiles);
                let (now, other) = ((new, &roots[new]), (old, &roots[(old + 1) % 258]));
                assert!(continues((old, &roots[old]), now, &hashes), "{old} to {new}");
                assert!(!continues(other, now, &hashes), "{old} to {new}");
            }
            assert!(Plan::consistency(new as u64 + 1, new as u64).is_none());
        }
    }

    #[test]
    fn proofs_in_large_trees_hold() {
        let (leaves, tiles) = (leaves(65_537), tiles(65_537));
        for size in SIZES.into_iter().filter(|size| *size > 65_000) {
            let root = CT_MERKLE.roots[&size];
            for index in [0, 1, 254, 255, 256, 257, 32_767, 32_768, 65_279, 65_280, size - 1] {
                let hashes = inclusion(index, size, &tiles);
                assert!(is_in(&leaves[index], index, size, &hashes, &root), "{index} of {size}");
            }
            for old in [0, 1, 2, 255, 256, 257, 32_768, 40_000, 65_280, 65_281, size - 1, size] {
                let hashes = consistency(old, size, &tiles);
                let old_root = Edge::from_tiles(old as u64, &tiles).unwrap().root();
                assert!(continues((old, &old_root), (size, &root), &hashes), "{old} to {size}");
            }
        }
    }

    #[test]
    fn another_program_gives_the_same_proofs() {
        let (other, size) = (&CT_MERKLE.tree, 65_538);
        let tiles = tiles(size);
        for at in [0, 1, 254, 255, 256, 257, 32_767, 32_768, 65_279, 65_280, 65_536] {
            let theirs = other.prove_inclusion(at);
            assert_eq!(inclusion(at, size, &tiles).concat(), theirs.as_bytes(), "leaf {at}");
            let theirs = other.prove_consistency(size - (at + 1));
            let ours = consistency(at + 1, size, &tiles);
            assert_eq!(ours.concat(), theirs.as_bytes(), "from {}", at + 1);
        }
    }

    /// From the test vectors of the reference implementation of RFC 6962, which counts leaves from
    /// 1.
    #[test]
    fn the_proofs_of_rfc_6962s_test_vectors_are_ours() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let leaves = entries.map(|entry| leaf_hash(&hex::decode(entry).unwrap()));
        let tiles: Tiles = Edge::default().append(leaves).into_iter().collect();
        let printed = |plan: Option<Plan>| -> Vec<String> {
            plan.unwrap().hashes(&tiles).unwrap().iter().map(hex::encode).collect()
        };
        let left_half = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7";
        let last_pair = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
        let fifth = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
        let second_pair = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
        let third_pair = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
        assert_eq!(printed(Plan::inclusion(5, 8)), [fifth, last_pair, left_half]);
        assert_eq!(printed(Plan::consistency(6, 8)), [third_pair, last_pair, left_half]);
        assert_eq!(printed(Plan::consistency(2, 5)), [second_pair, fifth]);
        assert_eq!(printed(Plan::consistency(8, 8)), [""; 0]);
    }

    #[test]
    fn hashes_are_read_from_lines_and_from_json() {
        let (one, two) = (base64(&[1; 32]), base64(&[2; 32]));
        for text in [format!("{one}\n{two}\n"), format!("[\"{one}\", \"{two}\"]")] {
            assert_eq!(read_hashes(&text), Ok(vec![[1; 32], [2; 32]]));
        }
        assert_eq!(read_hashes(" \n"), Ok(Vec::new()));
        for text in ["x", &one[1..], "{}"] {
            assert!(read_hashes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_missing_tile_is_told() {
        let plan = Plan::inclusion(0, 257).unwrap();
        let above = plan.tiles().into_iter().filter(|tile| tile.level > 0);
        let above = above.map(|tile| (tile, vec![0; 32])).collect();
        let fault = plan.hashes(&above).unwrap_err().to_string();
        assert_eq!(fault, "tile/0/000 is missing or too short");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_of_an_inclusion_proof_is_refused(size in 1_usize..2000, seed: usize) {
            let index = seed % size;
            let mut hashes = inclusion(index, size, &tiles(size));
            let (mut leaf, mut whole) = (leaves(size)[index], root(&leaves(size)));
            let mut bytes: Vec<&mut Hash> = vec![&mut leaf, &mut whole];
            bytes.extend(&mut hashes);
            refused_when_a_bit_flips(&mut bytes, |bytes| {
                let hashes: Vec<Hash> = bytes[2..].iter().map(|hash| **hash).collect();
                is_in(bytes[0], index, size, &hashes, bytes[1])
            });
        }

        #[test]
        fn a_flipped_bit_of_a_consistency_proof_is_refused(size in 2_usize..2000, seed: usize) {
            let old = 1 + seed % (size - 1);
            let mut hashes = consistency(old, size, &tiles(size));
            let (mut before, mut after) = (root(&leaves(old)), root(&leaves(size)));
            let mut bytes: Vec<&mut Hash> = vec![&mut before, &mut after];
            bytes.extend(&mut hashes);
            refused_when_a_bit_flips(&mut bytes, |bytes| {
                let hashes: Vec<Hash> = bytes[2..].iter().map(|hash| **hash).collect();
                continues((old, bytes[0]), (size, bytes[1]), &hashes)
            });
        }

        #[test]
        fn any_numbers_and_hashes_are_a_proof_or_none(
            index: u64, size: u64, hashes: Vec<[u8; 32]>, hash: [u8; 32],
        ) {
            prop_assert!(!verify_inclusion(&hash, index, size, &hashes, &hash) || size == 1);
            prop_assert!(!verify_consistency((index, &hash), (size, &[0; 32]), &hashes));
        }
    }
}
