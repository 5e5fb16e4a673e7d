//! Distinguished names: how they are shown (RFC 4514) and when two are the same (RFC 5280, 7.1).

use crate::text;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

pub(super) const COMMON_NAME: &str = "2.5.4.3";
pub(super) const ORGANIZATION: &str = "2.5.4.10";
pub(super) const EMAIL: &str = "1.2.840.113549.1.9.1";

/// The short names of RFC 4514, section 3, and a few that every tool knows.
const SHORT_NAMES: [(&str, &str); 12] = [
    (COMMON_NAME, "CN"),
    (ORGANIZATION, "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    (EMAIL, "emailAddress"),
];

/// A distinguished name, as it stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// The DER, for copying: an issuer field must repeat its bytes.
    pub raw: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    oid: String,
    /// The text of the value; nothing when its type is not a string.
    text: Option<String>,
    /// What is compared: the text without regard to case and blanks, or the bytes.
    folded: String,
}

impl Name {
    pub fn read(name: &X509Name<'_>) -> Self {
        let rdns = name.iter().map(attributes).collect();
        Self { raw: name.as_raw().to_vec(), rdns }
    }

    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// Whether both name the same: every part equal, without regard to case, blanks and the
    /// string type (RFC 5280, 7.1).
    pub fn same_as(&self, other: &Self) -> bool {
        self.rdns.len() == other.rdns.len() && self.is_within(other)
    }

    /// Whether `self` lies in the subtree of `top` (RFC 5280, 4.2.1.10): `top` is its beginning.
    pub fn is_within(&self, top: &Self) -> bool {
        let beginning = self.rdns.get(..top.rdns.len());
        beginning.is_some_and(|own| own.iter().zip(&top.rdns).all(|(a, b)| same_rdn(a, b)))
    }

    /// The values of one attribute type that are text, in the order of the name.
    pub fn values(&self, oid: &str) -> Vec<String> {
        let attributes = self.rdns.iter().flatten();
        attributes.filter(|a| a.oid == oid).filter_map(|a| a.text.clone()).collect()
    }

    /// RFC 4514: the most specific part first.
    pub fn display(&self) -> String {
        let parts: Vec<String> = self.rdns.iter().rev().map(|rdn| display_rdn(rdn)).collect();
        parts.join(",")
    }
}

fn attributes(rdn: &RelativeDistinguishedName<'_>) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = rdn.iter().map(attribute).collect();
    // An RDN is a set: its order means nothing, so it must not matter for equality.
    attributes.sort_by(|a, b| (&a.oid, &a.folded).cmp(&(&b.oid, &b.folded)));
    attributes
}

fn attribute(read: &AttributeTypeAndValue<'_>) -> Attribute {
    let text = text_of(read.attr_value());
    let folded = text.as_deref().map_or_else(|| hex_of(read.attr_value()), text::normal);
    Attribute { oid: read.attr_type().to_id_string(), text, folded }
}

/// The string types of RFC 5280, `DirectoryString` and its older relatives.
fn text_of(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => String::from_utf8(value.data.to_vec()).ok(),
        // In practice Latin-1, whatever T.61 says.
        Tag::T61String => Some(value.data.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => utf16(value.data),
        _ => None,
    }
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    rest.is_empty().then(|| String::from_utf16(&units).ok())?
}

fn hex_of(value: &Any<'_>) -> String {
    format!("#{}", hex::encode(value.data))
}

fn same_rdn(a: &[Attribute], b: &[Attribute]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.oid == b.oid && a.folded == b.folded)
}

fn display_rdn(rdn: &[Attribute]) -> String {
    let parts: Vec<String> = rdn.iter().map(display_attribute).collect();
    parts.join("+")
}

fn display_attribute(attribute: &Attribute) -> String {
    let short = SHORT_NAMES.iter().find(|(oid, _)| *oid == attribute.oid);
    let name = short.map_or(attribute.oid.as_str(), |(_, short)| short);
    let value = attribute.text.as_deref().map_or_else(|| attribute.folded.clone(), escaped);
    format!("{name}={value}")
}

/// RFC 4514, 2.4: what would end or change a value stands behind a backslash. Control characters
/// are written as bytes, so that a name cannot draw on a terminal or forge a log line.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let characters = text.chars().enumerate();
    characters.map(|(at, c)| escaped_character(c, at == 0, at == last)).collect()
}

fn escaped_character(c: char, first: bool, last: bool) -> String {
    match c {
        '"' | '+' | ',' | ';' | '<' | '>' | '\\' => format!("\\{c}"),
        '#' | ' ' if first => format!("\\{c}"),
        ' ' if last => "\\ ".to_owned(),
        c if c.is_control() => utf8_bytes(c),
        c => c.to_string(),
    }
}

fn utf8_bytes(c: char) -> String {
    let mut buffer = [0; 4];
    let bytes = hex::encode(c.encode_utf8(&mut buffer));
    bytes.as_bytes().chunks(2).flat_map(|pair| [b"\\", pair].concat()).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(rdns: &[&[(&str, &str)]]) -> Name {
        let attribute = |(oid, text): &(&str, &str)| Attribute {
            oid: (*oid).to_owned(),
            text: Some((*text).to_owned()),
            folded: text::normal(text),
        };
        let rdns = rdns.iter().map(|rdn| rdn.iter().map(attribute).collect()).collect();
        Name { raw: Vec::new(), rdns }
    }

    #[test]
    fn case_and_blanks_do_not_make_another_name() {
        let one = name(&[&[("2.5.4.6", "IN")], &[(ORGANIZATION, "ACME  biometrics")]]);
        let other = name(&[&[("2.5.4.6", "in")], &[(ORGANIZATION, " Acme Biometrics")]]);
        assert!(one.same_as(&other));
    }

    #[test]
    fn a_longer_name_lies_within_a_shorter_one_but_not_the_reverse() {
        let top = name(&[&[("2.5.4.6", "IN")]]);
        let leaf = name(&[&[("2.5.4.6", "IN")], &[(COMMON_NAME, "x")]]);
        assert!(leaf.is_within(&top));
        assert!(!top.is_within(&leaf));
        assert!(!leaf.same_as(&top));
    }

    #[test]
    fn a_name_is_shown_most_specific_part_first_and_escaped() {
        let shown = name(&[&[("2.5.4.6", "IN")], &[(ORGANIZATION, "A, B\n")], &[("1.2.3", "#x ")]]);
        assert_eq!(shown.display(), "1.2.3=\\#x\\ ,O=A\\, B\\0a,C=IN");
    }
}
