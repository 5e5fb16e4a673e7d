//! The tree in files of 256 hashes, which anyone may keep for ever: C2SP tlog-tiles.

use super::tree::{Edge, Hash, root};
use super::{Fault, decimal, not_proved, unreadable};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many hashes a full tile has, and how many entries a full bundle.
pub const FULL: u16 = 256;

/// The name of a tile: on level 0 its hashes are those of leaves, above each is the root over one
/// full tile of the level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// The level, from 0 at the leaves; C2SP allows 63, no tree of ours reaches 8.
    pub level: u8,
    /// The place within the level, from 0.
    pub index: u64,
    /// How many hashes it has, 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile as a tree of `size` entries has it, if it has it.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(8 * u32::from(level))?;
        let left = hashes.checked_sub(index.checked_mul(FULL.into())?)?;
        let width = u16::try_from(left).map_or(FULL, |left| left.min(FULL));
        (width > 0).then_some(Self { level, index, width })
    }

    /// The tiles that are not full in a tree of `size` entries, from the leaves up.
    pub fn edge(size: u64) -> impl Iterator<Item = Self> {
        let last = move |level| Self::at(level, (size >> (8 * level)) / u64::from(FULL), size);
        (0..8).filter_map(last)
    }

    /// Whether a tree of `size` entries has as many hashes of this tile.
    pub fn within(&self, size: u64) -> bool {
        Self::at(self.level, self.index, size).is_some_and(|tile| tile.width >= self.width)
    }

    /// `tile/<level>/<index>[.p/<width>]`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// The path of the entries whose hashes this tile of level 0 has:
    /// `tile/entries/<index>[.p/<width>]`.
    pub fn bundle_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// The tile with this path, which must be spelt as [`Self::path`] does it.
    pub fn from_path(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = u8::try_from(decimal(level)?).ok().filter(|level| *level < 64)?;
        Self::from_place(level, place)
    }

    /// The tile of level 0 whose bundle has this path, spelt as [`Self::bundle_path`] does it.
    pub fn from_bundle_path(path: &str) -> Option<Self> {
        Self::from_place(0, path.strip_prefix("tile/entries/")?)
    }

    fn from_place(level: u8, place: &str) -> Option<Self> {
        let (index, width) = place.split_once(".p/").unwrap_or((place, "256"));
        let digits: String = index.chars().filter(char::is_ascii_digit).collect();
        let tile = Self { level, index: digits.parse().ok()?, width: width.parse().ok()? };
        let form = (1..=FULL).contains(&tile.width) && tile.place() == place;
        form.then_some(tile)
    }

    /// Index 1,234,067 is `x001/x234/067`.
    fn place(&self) -> String {
        let mut place = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1000);
            rest /= 1000;
        }
        if self.width < FULL {
            // writing to a String never fails
            let _ = write!(place, ".p/{}", self.width);
        }
        place
    }

    /// The position of the first event under the first hash that is not the same in both, counted
    /// from 1: on level 0 that very event, above the first of a full tile below.
    pub fn first_difference(&self, ours: &[u8], theirs: &[u8]) -> Option<u64> {
        let hashes = |bytes| <[u8]>::chunks(bytes, 32).map(Some).chain(std::iter::repeat(None));
        let mut pairs = hashes(ours).zip(hashes(theirs)).take(self.width.into());
        let slot = pairs.position(|(ours, theirs)| ours != theirs)?;
        let hash = self.index.saturating_mul(FULL.into()).saturating_add(slot as u64);
        let first = hash.checked_shl(8 * u32::from(self.level)).unwrap_or(u64::MAX);
        Some(first.saturating_add(1))
    }
}

/// The bytes of tiles that somebody has fetched. A wider tile serves for a narrower one.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<u8>>);

impl Tiles {
    /// Keeps a tile, unless a wider one is there.
    pub fn insert(&mut self, tile: Tile, bytes: Vec<u8>) {
        let kept = self.0.entry((tile.level, tile.index)).or_default();
        if kept.len() <= bytes.len() {
            *kept = bytes;
        }
    }

    /// The hashes of a tile.
    pub(super) fn hashes(&self, tile: Tile) -> Result<&[Hash], Fault> {
        let bytes = self.0.get(&(tile.level, tile.index)).map(Vec::as_slice).unwrap_or_default();
        let (hashes, _) = bytes.as_chunks();
        hashes
            .get(..tile.width.into())
            .ok_or_else(|| unreadable(format!("{} is missing or too short", tile.path())))
    }

    /// Checks every tile against the root of a tree of `size` entries: the right edge by computing
    /// the root, each full tile by the hash one level up, from the top down. What lies beyond
    /// `size` is not looked at.
    pub fn authenticate(&self, size: u64, expected: &Hash) -> Result<(), Fault> {
        if Edge::from_tiles(size, self)?.root() != *expected {
            return Err(not_proved("the tiles at the end of the tree do not give its root"));
        }
        let full = self.0.keys().rev().filter_map(|&(level, index)| Tile::at(level, index, size));
        for tile in full.filter(|tile| tile.width == FULL) {
            if root(self.hashes(tile)?) != self.hash_above(tile, size)? {
                let path = tile.path();
                return Err(not_proved(format!("{path} is not what the checkpoint covers")));
            }
        }
        Ok(())
    }

    fn hash_above(&self, tile: Tile, size: u64) -> Result<Hash, Fault> {
        let (level, index) = (tile.level + 1, tile.index / u64::from(FULL));
        let slot = usize::try_from(tile.index % u64::from(FULL)).unwrap_or_default();
        let above = Tile::at(level, index, size).map(|above| self.hashes(above)).transpose()?;
        let hash = above.and_then(|hashes| hashes.get(slot).copied());
        hash.ok_or_else(|| unreadable(format!("nothing above {}", tile.path())))
    }
}

impl Extend<(Tile, Vec<u8>)> for Tiles {
    fn extend<I: IntoIterator<Item = (Tile, Vec<u8>)>>(&mut self, tiles: I) {
        tiles.into_iter().for_each(|(tile, bytes)| self.insert(tile, bytes));
    }
}

impl FromIterator<(Tile, Vec<u8>)> for Tiles {
    fn from_iter<I: IntoIterator<Item = (Tile, Vec<u8>)>>(tiles: I) -> Self {
        let mut kept = Self::default();
        kept.extend(tiles);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::leaves;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (path, level, index, width) in [
            ("tile/0/000", 0, 0, 256),
            ("tile/1/x001/x234/067", 1, 1_234_067, 256),
            ("tile/63/x001/000.p/1", 63, 1000, 1),
            ("tile/0/x018/x446/x744/x073/x709/x551/615.p/255", 0, u64::MAX, 255),
        ] {
            let tile = Tile { level, index, width };
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::from_path(path), Some(tile), "{path}");
        }
        let bundle = Tile { level: 0, index: 1_234_067, width: 7 };
        assert_eq!(bundle.bundle_path(), "tile/entries/x001/x234/067.p/7");
        assert_eq!(Tile::from_bundle_path("tile/entries/x001/x234/067.p/7"), Some(bundle));
    }

    #[test]
    fn a_path_that_is_spelt_otherwise_is_none() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/00/000",
            "tile/64/000",
            "tile/+1/000",
            "tile/-1/000",
            "tile/256/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001",
            "tile/0/X001/000",
            "tile/0/x1/000",
            "tile/0/000/",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.p/65536",
            "tile/8/0/000",
            "tile/0/٠٠٠",
            "tile/0/00 0",
            "tile/entries/000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        ] {
            assert_eq!(Tile::from_path(path), None, "{path}");
        }
        assert_eq!(Tile::from_bundle_path("tile/0/000"), None);
    }

    proptest! {
        #[test]
        fn what_is_read_prints_as_it_was(path in "(tile/)?[0-9x/.p+]{0,30}") {
            if let Some(tile) = Tile::from_path(&path) {
                prop_assert_eq!(tile.path(), path.clone());
            }
            if let Some(tile) = Tile::from_bundle_path(&path) {
                prop_assert_eq!(tile.bundle_path(), path);
            }
        }

        #[test]
        fn what_is_printed_is_read(level in 0_u8..64, index: u64, width in 1_u16..=256) {
            let tile = Tile { level, index, width };
            prop_assert_eq!(Tile::from_path(&tile.path()), Some(tile));
        }

        #[test]
        fn any_text_is_a_path_or_none(path: String) {
            prop_assert_eq!(Tile::from_path(&path), None);
        }

        #[test]
        fn any_numbers_are_a_tile_or_none(level: u8, index: u64, size: u64) {
            let tile = Tile::at(level, index, size);
            prop_assert!(tile.is_none_or(|tile| tile.within(size)));
        }
    }

    /// The example of the specification.
    #[test]
    fn a_tree_of_70_000_entries_has_the_tiles_of_the_specification() {
        let edge: Vec<String> = Tile::edge(70_000).map(|tile| tile.path()).collect();
        assert_eq!(edge, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(Tile::at(0, 272, 70_000).unwrap().width, 256);
        assert_eq!(Tile::at(1, 0, 70_000).unwrap().width, 256);
        assert_eq!(Tile::at(0, 274, 70_000), None);
        assert_eq!(Tile::at(3, 0, 70_000), None);
    }

    #[test]
    fn the_first_event_that_differs_is_named() {
        let tile = |level, index| Tile { level, index, width: 3 };
        let ours = [[1; 32], [2; 32], [3; 32]].concat();
        assert_eq!(tile(0, 0).first_difference(&ours, &ours), None);
        let mut theirs = ours.clone();
        theirs[63] ^= 1;
        assert_eq!(tile(0, 0).first_difference(&ours, &theirs), Some(2));
        assert_eq!(tile(0, 5).first_difference(&ours, &theirs), Some(5 * 256 + 2));
        assert_eq!(tile(1, 1).first_difference(&ours, &theirs), Some(257 * 256 + 1));
        assert_eq!(tile(0, 0).first_difference(&ours, &ours[..64]), Some(3));
    }

    #[test]
    fn a_changed_tile_is_named_wherever_it_is() {
        let size = 256 * 256 + 600;
        let mut edge = Edge::default();
        let tiles: Tiles = edge.append(leaves(size)).into_iter().collect();
        let (size, root) = (size as u64, edge.root());
        assert_eq!(tiles.authenticate(size, &root), Ok(()));
        for ((level, index), at) in [((0, 0), 0), ((0, 257), 8191), ((1, 0), 4000)] {
            let mut changed = tiles.clone();
            changed.0.get_mut(&(level, index)).unwrap()[at] ^= 1;
            let fault = changed.authenticate(size, &root).unwrap_err().to_string();
            let path = Tile { level, index, width: FULL }.path();
            assert!(fault.starts_with(&path), "{fault}");
        }
        for (level, index) in [(0, 258), (1, 1), (2, 0)] {
            let mut changed = tiles.clone();
            changed.0.get_mut(&(level, index)).unwrap()[0] ^= 1;
            assert!(changed.authenticate(size, &root).is_err(), "{level} {index}");
        }
    }
}
