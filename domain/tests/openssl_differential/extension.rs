//! Extensions and their contents (RFC 5280, 4.2).

use crate::der::{BOOLEAN, OCTET_STRING, SEQUENCE, bits, element, oid, sequence, small};
use crate::name::Name;

pub const SUBJECT_KEY_ID: &str = "2.5.29.14";
pub const KEY_USAGE: &str = "2.5.29.15";
pub const ALTERNATIVE_NAMES: &str = "2.5.29.17";
pub const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub const POLICIES: &str = "2.5.29.32";
pub const POLICY_MAPPINGS: &str = "2.5.29.33";
pub const AUTHORITY_KEY_ID: &str = "2.5.29.35";
pub const POLICY_CONSTRAINTS: &str = "2.5.29.36";
pub const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub const INHIBIT_ANY_POLICY: &str = "2.5.29.54";
pub const AUTHORITY_INFO: &str = "1.3.6.1.5.5.7.1.1";
/// Known to nobody
pub const UNKNOWN: &str = "1.3.6.1.4.1.99999.7";

/// The first byte of keyUsage.
pub const DIGITAL_SIGNATURE: u8 = 0x80;
pub const KEY_ENCIPHERMENT: u8 = 0x20;
pub const CERT_SIGN: u8 = 0x04;
pub const CRL_SIGN: u8 = 0x02;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub oid: &'static str,
    pub critical: bool,
    pub value: Vec<u8>,
}

impl Extension {
    pub fn new(oid: &'static str, critical: bool, value: Vec<u8>) -> Self {
        Self { oid, critical, value }
    }

    pub fn der(&self) -> Vec<u8> {
        let critical = if self.critical { element(BOOLEAN, &[0xff]) } else { Vec::new() };
        sequence(&[&oid(self.oid), &critical, &element(OCTET_STRING, &self.value)])
    }
}

pub fn basic_constraints(ca: bool, path_len: Option<u8>) -> Vec<u8> {
    let ca = if ca { element(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[&ca, &path_len.map(small).unwrap_or_default()])
}

/// DER: trailing zero bits are left away.
pub fn key_usage(usages: u8) -> Vec<u8> {
    let unused = u8::try_from(usages.trailing_zeros().min(7)).unwrap();
    element(crate::der::BIT_STRING, &[unused, usages])
}

pub fn subject_key_id(id: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, id)
}

pub fn authority_key_id(id: &[u8]) -> Vec<u8> {
    sequence(&[&element(0x80, id)])
}

pub fn authority_key_id_with_serial(id: &[u8], issuer: &Name, serial: &[u8]) -> Vec<u8> {
    let issuer = element(0xa1, &directory(issuer));
    sequence(&[&element(0x80, id), &issuer, &element(0x82, serial)])
}

pub fn email(address: &str) -> Vec<u8> {
    element(0x81, address.as_bytes())
}

pub fn host(host: &str) -> Vec<u8> {
    element(0x82, host.as_bytes())
}

pub fn directory(name: &Name) -> Vec<u8> {
    element(0xa4, &name.der())
}

pub fn uri(uri: &str) -> Vec<u8> {
    element(0x86, uri.as_bytes())
}

pub fn address(bytes: &[u8]) -> Vec<u8> {
    element(0x87, bytes)
}

pub fn registered_id(dotted: &str) -> Vec<u8> {
    let mut der = oid(dotted);
    der[0] = 0x88;
    der
}

pub fn alternative_names(names: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &names.concat())
}

pub fn name_constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let subtrees = |tag, names: &[Vec<u8>]| {
        let inside: Vec<u8> = names.iter().flat_map(|name| sequence(&[name])).collect();
        if names.is_empty() { Vec::new() } else { element(tag, &inside) }
    };
    sequence(&[&subtrees(0xa0, permitted), &subtrees(0xa1, excluded)])
}

pub fn oids(dotted: &[&str]) -> Vec<u8> {
    element(SEQUENCE, &dotted.iter().flat_map(|dotted| oid(dotted)).collect::<Vec<_>>())
}

pub fn policies(dotted: &[&str]) -> Vec<u8> {
    let policy = |dotted: &&str| sequence(&[&oid(dotted)]);
    element(SEQUENCE, &dotted.iter().flat_map(policy).collect::<Vec<_>>())
}

/// Where the issuer's certificate can be fetched; nobody does.
pub fn authority_info(at: &str) -> Vec<u8> {
    sequence(&[&sequence(&[&oid("1.3.6.1.5.5.7.48.2"), &uri(at)])])
}

/// Whole bytes of a BIT STRING whose last bits are said to be unused.
pub fn unused_bits(bytes: &[u8]) -> Vec<u8> {
    let mut der = bits(bytes);
    let at = der.len() - bytes.len() - 1;
    der[at] = 1;
    der
}
