//! Names of subjects and issuers, and the forms in which one name can be written.

use crate::der::{SEQUENCE, SET, element, oid, sequence};
use crate::dice::Dice;

pub const COUNTRY: &str = "2.5.4.6";
pub const ORGANIZATION: &str = "2.5.4.10";
pub const UNIT: &str = "2.5.4.11";
pub const COMMON_NAME: &str = "2.5.4.3";
pub const EMAIL: &str = "1.2.840.113549.1.9.1";

/// The string types of ASN.1, by their tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Utf8 = 0x0c,
    Numeric = 0x12,
    Printable = 0x13,
    Teletex = 0x14,
    Ia5 = 0x16,
    Visible = 0x1a,
    Universal = 0x1c,
    Bmp = 0x1e,
}

/// The types that both sides take for the same when the text is the same.
const COMPARABLE: [Type; 5] = [Type::Utf8, Type::Printable, Type::Teletex, Type::Ia5, Type::Bmp];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub oid: &'static str,
    pub typed: Type,
    pub text: String,
}

/// A name: parts, each a set of attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name(pub Vec<Vec<Attribute>>);

impl Attribute {
    pub fn new(oid: &'static str, text: &str) -> Self {
        let typed = match oid {
            COUNTRY => Type::Printable,
            EMAIL => Type::Ia5,
            _ => Type::Utf8,
        };
        Self { oid, typed, text: text.to_owned() }
    }

    fn der(&self) -> Vec<u8> {
        let bytes = match self.typed {
            Type::Teletex => self.text.chars().map(|c| u8::try_from(c).unwrap()).collect(),
            Type::Bmp => self.text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Type::Universal => self.text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
            _ => self.text.clone().into_bytes(),
        };
        sequence(&[&oid(self.oid), &element(self.typed as u8, &bytes)])
    }

    fn rewritten(&self, dice: &mut Dice) -> Self {
        let recased = |c: char, dice: &mut Dice| {
            if dice.coin() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        };
        let text: String = self.text.chars().map(|c| recased(c, dice)).collect();
        let text = text.replace(' ', dice.pick(&[" ", "  ", "    "]));
        let text = [dice.pick(&["", " "]), text.as_str(), dice.pick(&["", "  "])].concat();
        let typed = if text.is_ascii() { dice.pick(&COMPARABLE) } else { self.typed };
        Self { oid: self.oid, typed, text }
    }
}

impl Name {
    pub fn new(attributes: &[(&'static str, &str)]) -> Self {
        Self(attributes.iter().map(|(oid, text)| vec![Attribute::new(oid, text)]).collect())
    }

    pub fn der(&self) -> Vec<u8> {
        let set = |part: &Vec<Attribute>| {
            let mut attributes: Vec<_> = part.iter().map(Attribute::der).collect();
            attributes.sort(); // DER
            element(SET, &attributes.concat())
        };
        element(SEQUENCE, &self.0.iter().flat_map(set).collect::<Vec<_>>())
    }

    pub fn set(&mut self, oid: &'static str, text: &str) {
        self.0.retain(|part| part[0].oid != oid);
        self.0.push(vec![Attribute::new(oid, text)]);
    }

    /// The same name in other letters: case, blanks and string types (RFC 5280, 7.1).
    pub fn rewritten(&self, dice: &mut Dice) -> Self {
        let part = |part: &Vec<Attribute>, dice: &mut Dice| {
            part.iter().map(|attribute| attribute.rewritten(dice)).collect()
        };
        Self(self.0.iter().map(|p| part(p, dice)).collect())
    }

    /// The same name with `text` in its organisation, of the given type.
    pub fn with_organization(&self, typed: Type, text: &str) -> Self {
        let mut name = self.clone();
        for attribute in name.0.iter_mut().flatten().filter(|a| a.oid == ORGANIZATION) {
            attribute.typed = typed;
            text.clone_into(&mut attribute.text);
        }
        name
    }
}
