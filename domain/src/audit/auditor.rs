//! Reads a whole log from its first entry on, once and in order, and finds the first thing that the
//! log must not hold.
//!
//! It keeps the right edge of the tree (a few KiB) and, to know that no stream has a gap, the last
//! sequence of each: 24 bytes a stream, up to 57 with the table's free places; so a log of a
//! million streams takes about 50 MB, however many events they have.

use super::Fault;
use super::tile::Tile;
use super::tree::{Edge, Hash, leaf_hash};
use crate::log_entry::StoredEvent;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// What is known of a log so far.
#[derive(Debug, Default)]
pub struct Auditor {
    edge: Edge,
    /// The last sequence of each stream, by half of the SHA-256 of its name.
    streams: HashMap<[u8; 16], i64>,
    last: Option<DateTime<Utc>>,
}

/// What became of an entry.
#[derive(Debug)]
pub struct Added {
    /// The tiles that it has filled.
    pub filled: Vec<(Tile, Vec<u8>)>,
    /// What is wrong with it.
    pub judged: Result<(), Fault>,
}

impl Auditor {
    /// Takes the next entry, whatever it is. It must be an event in its one form, at the next
    /// position, the next of its stream, and not older than the one before: after one that is not,
    /// nothing is known of those that follow.
    ///
    /// Whoever has tiles that a checkpoint covers ([`super::tile::Tiles::authenticate`]) compares
    /// them with those of the entries ([`Tile::first_difference`]): that an entry is well-formed
    /// does not prove that it has always been the same, and of two that contradict each other the
    /// tiles tell which one has not.
    pub fn add(&mut self, entry: &[u8]) -> Added {
        let judged = self.judge(self.edge.size() + 1, entry);
        Added { filled: self.edge.push(leaf_hash(entry)), judged }
    }

    fn judge(&mut self, position: u64, entry: &[u8]) -> Result<(), Fault> {
        let wrong = |reason| Fault::WrongEntry { position, reason };
        let event = StoredEvent::read(entry).map_err(|reason| wrong(reason.to_owned()))?;
        if u64::try_from(event.position) != Ok(position) {
            return Err(wrong(format!("the event says that its position is {}", event.position)));
        }
        let stream = stream_of(&event);
        self.continues(stream, &event)
            .map_err(|reason| Fault::Contradiction { position, reason })?;
        self.streams.insert(stream, event.sequence);
        self.last = Some(event.recorded_at);
        Ok(())
    }

    /// Whether the event can follow those before it.
    fn continues(&self, stream: [u8; 16], event: &StoredEvent<'_>) -> Result<(), String> {
        let next = self.streams.get(&stream).copied().unwrap_or_default() + 1;
        if event.sequence != next {
            let stream = format!("{}/{}", event.aggregate_type, event.aggregate_id);
            let sequence = event.sequence;
            return Err(format!("event {sequence} of {stream:?}, of which {next} is the next"));
        }
        match self.last {
            Some(last) if event.recorded_at < last => Err(format!(
                "recorded at {:?}, before the event ahead of it at {last:?}",
                event.recorded_at
            )),
            _ => Ok(()),
        }
    }

    /// How many entries it has taken.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The root over them, to compare with a checkpoint of this size.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }

    /// The tiles that are not full yet.
    pub fn partial_tiles(&self) -> Vec<(Tile, Vec<u8>)> {
        self.edge.partial_tiles()
    }
}

/// A type holds no line feed, so no two streams share a name.
fn stream_of(event: &StoredEvent<'_>) -> [u8; 16] {
    let name = format!("{}\n{}", event.aggregate_type, event.aggregate_id);
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, name.as_bytes()).as_ref()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tree::root;

    fn event(position: i64, id: &str, sequence: i64) -> StoredEvent<'_> {
        StoredEvent {
            position,
            aggregate_type: "partner",
            aggregate_id: id,
            sequence,
            event_type: "renamed",
            event_version: "1.0",
            recorded_at: DateTime::from_timestamp(1_795_000_000 + position, 5000).unwrap(),
            metadata: "{}",
            payload: r#"{"name":"Größe"}"#,
        }
    }

    /// Events 1 to `size`, in turn of three partners.
    fn log(size: i64) -> Vec<String> {
        let id = |position| ["acme", "bold", "core"][usize::try_from(position % 3).unwrap()];
        (1..=size).map(|at| event(at, id(at), (at + 2) / 3).entry()).collect()
    }

    /// The first fault in these entries.
    fn fault(entries: &[String]) -> Option<String> {
        let mut auditor = Auditor::default();
        entries
            .iter()
            .find_map(|entry| auditor.add(entry.as_bytes()).judged.err())
            .map(|f| f.to_string())
    }

    #[test]
    fn a_sound_log_has_its_root_and_tiles_at_every_size() {
        let (entries, mut auditor, mut edge) = (log(600), Auditor::default(), Edge::default());
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        assert_eq!(auditor.root(), root(&[]));
        for (entry, size) in entries.iter().zip(1..) {
            let Added { filled: full, judged } = auditor.add(entry.as_bytes());
            judged.unwrap();
            let tiles = edge.append([hashes[size - 1]]);
            assert!(full.iter().all(|tile| tiles.contains(tile)));
            assert_eq!(auditor.size(), size as u64);
            if size % 100 == 0 || size == 256 {
                assert_eq!(auditor.root(), root(&hashes[..size]));
                assert_eq!(auditor.partial_tiles(), edge.partial_tiles());
            }
        }
    }

    #[test]
    fn a_deleted_swapped_or_repeated_entry_is_named() {
        for at in [0, 1, 255, 256, 299] {
            let position = at + 1;
            let mut deleted = log(301);
            deleted.remove(at);
            let mut swapped = log(301);
            swapped.swap(at, at + 1);
            for entries in [deleted, swapped] {
                let expected =
                    format!("position {position}: the event says that its position is {}", at + 2);
                assert_eq!(fault(&entries), Some(expected));
            }
            let mut repeated = log(301);
            repeated.insert(at, repeated[at].clone());
            let expected = format!(
                "position {}: the event says that its position is {position}",
                position + 1
            );
            assert_eq!(fault(&repeated), Some(expected));
        }
    }

    #[test]
    fn a_stream_with_a_gap_is_named() {
        let mut entries = log(9);
        entries[6] = event(7, "bold", 4).entry();
        let expected =
            "position 7, or one before it: event 4 of \"partner/bold\", of which 3 is the next";
        assert_eq!(fault(&entries), Some(expected.to_owned()));
        entries[6] = event(7, "dove", 0).entry();
        let expected =
            "position 7, or one before it: event 0 of \"partner/dove\", of which 1 is the next";
        assert_eq!(fault(&entries), Some(expected.to_owned()));
    }

    #[test]
    fn time_does_not_go_backwards() {
        let mut entries = log(2);
        let early = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        entries[1] = StoredEvent { recorded_at: early, ..event(2, "core", 1) }.entry();
        let expected = "position 2, or one before it: recorded at 2026-11-18T11:06:40Z, before the \
                        event ahead of it at 2026-11-18T11:06:41.000005Z";
        assert_eq!(fault(&entries), Some(expected.to_owned()));
    }

    /// Two contradict each other, and the tiles tell which of them was not there.
    #[test]
    fn what_is_wrong_is_in_the_tiles_too() {
        let (mut entries, mut auditor) = (log(3), Auditor::default());
        let late = DateTime::from_timestamp(1_795_009_000, 0).unwrap();
        let kept = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect::<Vec<_>>();
        entries[1] = StoredEvent { recorded_at: late, ..event(2, "core", 1) }.entry();
        let judged = entries.iter().map(|entry| auditor.add(entry.as_bytes()).judged.is_ok());
        assert_eq!(judged.collect::<Vec<_>>(), [true, true, false]);
        let [(tile, hashes)] = auditor.partial_tiles().try_into().unwrap();
        assert_eq!(tile.first_difference(&hashes, kept.as_flattened()), Some(2));
    }

    /// A change that leaves ten sound lines shows in the tiles, and nowhere else.
    #[test]
    fn a_changed_payload_is_found_by_the_tiles_that_a_checkpoint_covers() {
        let mut sealed = Edge::default();
        let kept = sealed.append(log(300).iter().map(|entry| leaf_hash(entry.as_bytes())));
        for changed_at in [1_u64, 256, 257, 300] {
            let mut entries = log(300);
            let entry = &mut entries[usize::try_from(changed_at).unwrap() - 1];
            *entry = entry.replace("Größe", "Grösse");
            let mut auditor = Auditor::default();
            let mut tiles: Vec<(Tile, Vec<u8>)> =
                entries.iter().flat_map(|entry| auditor.add(entry.as_bytes()).filled).collect();
            assert_ne!(auditor.root(), sealed.root());
            tiles.extend(auditor.partial_tiles());
            let differ = tiles.iter().zip(&kept).find_map(|((tile, ours), (same, theirs))| {
                assert_eq!(tile, same);
                tile.first_difference(ours, theirs)
            });
            assert_eq!(differ, Some(changed_at));
        }
    }
}
