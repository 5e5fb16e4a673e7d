//! The few DER questions that the facts need and the parser does not answer: which bytes an
//! element covers, and whether the elements fill their container to the last byte.

use x509_parser::asn1_rs::{Any, FromDer};

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The elements that stand one after the other in `bytes`, each with tag and length.
/// Nothing when they do not fill `bytes` exactly.
pub(super) fn elements(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (rest, _) = Any::from_der(bytes).ok()?;
        let (element, _) = bytes.split_at_checked(bytes.len() - rest.len())?;
        found.push(element);
        bytes = rest;
    }
    Some(found)
}

/// Whether a whole element stands at the beginning of `bytes`, whatever follows.
pub(super) fn begins_with_element(bytes: &[u8]) -> bool {
    Any::from_der(bytes).is_ok()
}

/// What stands inside `element`, without tag and length.
pub(super) fn content(element: &[u8]) -> Option<&[u8]> {
    let (rest, any) = Any::from_der(element).ok()?;
    rest.is_empty().then_some(any.data)
}

/// The elements inside `element`.
pub(super) fn children(element: &[u8]) -> Option<Vec<&[u8]>> {
    elements(content(element)?)
}

/// The first byte of an element; all tags that we ask for fit in one.
pub(super) fn tag(element: &[u8]) -> u8 {
    element.first().copied().unwrap_or_default()
}

/// The tags of the elements inside `element`: its shape.
pub(super) fn shape(element: &[u8]) -> Vec<u8> {
    let inside = children(element).unwrap_or_default();
    inside.into_iter().map(tag).collect()
}

/// Whether a number has no byte that it does not need (X.690, 8.3.2).
pub(super) fn is_shortest(digits: &[u8]) -> bool {
    match digits {
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        other => !other.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for shortest in [&[0][..], &[0x7f], &[0x80], &[0, 0x80], &[0xff, 0x7f]] {
            assert!(is_shortest(shortest), "{shortest:?}");
        }
        for longer in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80]] {
            assert!(!is_shortest(longer), "{longer:?}");
        }
    }

    const TWO_NUMBERS: [u8; 8] = [SEQUENCE, 6, INTEGER, 1, 5, INTEGER, 1, 7];

    #[test]
    fn elements_are_cut_whole() {
        let numbers = children(&TWO_NUMBERS).unwrap();
        assert_eq!(numbers, [&[INTEGER, 1, 5], &[INTEGER, 1, 7]]);
        assert_eq!(shape(&TWO_NUMBERS), [INTEGER, INTEGER]);
    }

    #[test]
    fn bytes_left_over_or_missing_are_noticed() {
        let longer = [TWO_NUMBERS.as_slice(), &[0]].concat();
        assert_eq!(content(&longer), None);
        assert_eq!(elements(&TWO_NUMBERS[..7]), None);
    }
}
