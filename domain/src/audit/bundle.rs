//! The entries themselves in files of up to 256: C2SP tlog-tiles, "Log entries".

use super::{Fault, unreadable};

/// The bundle of these entries: each after its length in two bytes, big end first. An entry is at
/// most 65,535 bytes long ([`crate::log_entry::MAX_ENTRY`]).
pub fn encode<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Fault> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len());
        let length = length.map_err(|_| unreadable("an entry is longer than 65,535 bytes"))?;
        bundle.extend(length.to_be_bytes());
        bundle.extend(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle, all of it. Where it ends within one, that is the last, and an error.
pub fn decode(mut bundle: &[u8]) -> impl Iterator<Item = Result<&[u8], Fault>> {
    std::iter::from_fn(move || {
        if bundle.is_empty() {
            return None;
        }
        let whole = split(bundle);
        bundle = whole.map(|(_, rest)| rest).unwrap_or_default();
        Some(whole.map(|(entry, _)| entry).ok_or_else(|| unreadable("the bundle ends within it")))
    })
}

fn split(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_that_does_not_fit_is_refused() {
        assert!(encode([vec![0; 65_535].as_slice()]).is_ok());
        assert!(encode([vec![0; 65_536].as_slice()]).is_err());
    }

    #[test]
    fn a_bundle_that_was_cut_is_refused() {
        let bundle = encode([b"one".as_slice(), b"", b"three"]).unwrap();
        assert_eq!(bundle, b"\x00\x03one\x00\x00\x00\x05three");
        for (at, entries) in [(0, 0), (5, 1), (7, 2), (14, 3)] {
            assert_eq!(decode(&bundle[..at]).flatten().count(), entries);
            assert!(decode(&bundle[..at]).all(|entry| entry.is_ok()));
        }
        for (at, whole) in [(1, 0), (2, 0), (4, 0), (6, 1), (8, 2), (13, 2)] {
            let entries: Vec<_> = decode(&bundle[..at]).map(|entry| entry.is_ok()).collect();
            assert_eq!(entries, [vec![true; whole], vec![false]].concat(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(bundle: Vec<u8>, entries: Vec<Vec<u8>>) {
            if let Ok(entries) = decode(&bundle).collect::<Result<Vec<_>, _>>() {
                prop_assert_eq!(encode(entries).unwrap(), bundle);
            }
            let bundle = encode(entries.iter().map(Vec::as_slice)).unwrap();
            prop_assert_eq!(decode(&bundle).collect::<Result<Vec<_>, _>>().unwrap(), entries);
        }
    }
}
