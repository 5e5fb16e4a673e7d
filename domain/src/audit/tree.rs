//! The Merkle tree of RFC 6962, section 2.1, and how it grows tile by tile.

use super::Fault;
use super::tile::{FULL, Tile, Tiles};
use aws_lc_rs::digest::{SHA256, digest};

/// A SHA-256 hash: of an entry, of two hashes, or of a whole tree.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry].concat())
}

/// The hash over two neighbours.
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left);
    node[33..].copy_from_slice(right);
    sha256(&node)
}

/// The root over these leaves, or over the equally high subtrees with these roots.
pub fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => sha256(&[]),
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(1 << (hashes.len() - 1).ilog2());
            node_hash(&root(left), &root(right))
        }
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// A tree's right edge: its tiles that are not full, at most one on each level. It is all that is
/// needed to let the tree grow and to know its root; at most 8 KiB a level, of which a log of
/// 16 million entries has three.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` entries, of which `tiles` hold at least those of
    /// [`Tile::edge`].
    pub fn from_tiles(size: u64, tiles: &Tiles) -> Result<Self, Fault> {
        let mut levels = Vec::new();
        for tile in Tile::edge(size) {
            levels.resize(usize::from(tile.level), Vec::new());
            levels.push(tiles.hashes(tile)?.to_vec());
        }
        Ok(Self { size, levels })
    }

    /// How many entries the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let above = |right: Option<Hash>, level: &Vec<Hash>| {
            let hashes: Vec<Hash> = level.iter().copied().chain(right).collect();
            (!hashes.is_empty()).then(|| root(&hashes))
        };
        self.levels.iter().fold(None, above).unwrap_or_else(|| root(&[]))
    }

    /// Adds leaves, and gives the tiles to store: those that have become full, and those that are
    /// not and have changed. A tile begins with the bytes of its narrower past.
    pub fn append(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Vec<(Tile, Vec<u8>)> {
        let before = self.size;
        let mut tiles: Vec<_> = leaves.into_iter().flat_map(|leaf| self.push(leaf)).collect();
        tiles.extend(self.partial_tiles().into_iter().filter(|(tile, _)| !tile.within(before)));
        tiles
    }

    /// Adds one leaf, and gives the tiles that it has filled.
    pub fn push(&mut self, leaf: Hash) -> Vec<(Tile, Vec<u8>)> {
        let mut full = Vec::new();
        let (mut hash, mut index) = (leaf, self.size);
        self.size += 1;
        for level in 0_u8.. {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[usize::from(level)];
            hashes.push(hash);
            if hashes.len() < usize::from(FULL) {
                break;
            }
            index /= u64::from(FULL);
            full.push((Tile { level, index, width: FULL }, hashes.concat()));
            hash = root(hashes);
            hashes.clear();
        }
        full
    }

    /// The tiles that are not full.
    pub fn partial_tiles(&self) -> Vec<(Tile, Vec<u8>)> {
        Tile::edge(self.size)
            .map(|tile| (tile, self.levels[usize::from(tile.level)].concat()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{CT_MERKLE, SIZES, leaves};
    use super::*;

    /// The entries and roots of the test vectors of the reference implementation of RFC 6962.
    #[test]
    fn the_roots_of_rfc_6962s_test_vectors_are_ours() {
        let entries =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"].map(hex::decode);
        let leaves = entries.map(|entry| leaf_hash(&entry.unwrap()));
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
            (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
            (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        ] {
            assert_eq!(hex::encode(root(&leaves[..size])), expected, "{size}");
        }
    }

    #[test]
    fn a_tree_that_grew_leaf_by_leaf_has_the_root_that_another_program_computes() {
        let leaves = leaves(65_537);
        let mut edge = Edge::default();
        let mut tiles = Tiles::default();
        for size in SIZES {
            let more = &leaves[usize::try_from(edge.size()).unwrap()..size];
            tiles.extend(edge.append(more.iter().copied()));
            assert_eq!(edge.size(), size as u64);
            assert_eq!(edge.root(), CT_MERKLE.roots[&size], "{size}");
            assert_eq!(edge.root(), root(&leaves[..size]), "{size}");
            assert_eq!(Edge::from_tiles(size as u64, &tiles), Ok(edge.clone()), "{size}");
        }
    }

    #[test]
    fn the_edge_at_any_past_size_can_be_cut_out_of_later_tiles() {
        let leaves = leaves(700);
        let tiles: Tiles = Edge::default().append(leaves.iter().copied()).into_iter().collect();
        for size in 0..=leaves.len() {
            let edge = Edge::from_tiles(size as u64, &tiles).unwrap();
            assert_eq!(edge.root(), root(&leaves[..size]), "{size}");
        }
    }

    #[test]
    fn only_tiles_that_changed_are_to_be_stored() {
        let mut edge = Edge::default();
        let mut stored = |leaf_count| -> Vec<String> {
            let tiles = edge.append(leaves(leaf_count));
            tiles.iter().map(|(tile, _)| tile.path()).collect()
        };
        assert_eq!(stored(0), [""; 0]);
        assert_eq!(stored(255), ["tile/0/000.p/255"]);
        assert_eq!(stored(1), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(stored(1), ["tile/0/001.p/1"]);
        assert_eq!(stored(511), ["tile/0/001", "tile/0/002", "tile/1/000.p/3"]);
    }

    #[test]
    fn an_edge_is_not_made_of_missing_or_short_tiles() {
        let mut tiles = Tiles::default();
        assert!(Edge::from_tiles(3, &tiles).is_err());
        tiles.insert(Tile { level: 0, index: 0, width: 2 }, vec![0; 64]);
        assert!(Edge::from_tiles(2, &tiles).is_ok());
        assert!(Edge::from_tiles(3, &tiles).is_err());
    }
}
