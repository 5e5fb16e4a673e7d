//! DER written by hand, so that no library stands between a fault and the bytes.

use x509_cert::der::asn1::ObjectIdentifier;

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const NULL: u8 = 0x05;
pub const OID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// One element around `content`.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        Ok(medium) => der.extend([0x81, medium]),
        Err(_) => {
            der.push(0x82);
            der.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    der.extend(content);
    der
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

pub fn oid(dotted: &str) -> Vec<u8> {
    element(OID, ObjectIdentifier::new(dotted).unwrap().as_bytes())
}

/// A BIT STRING of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes].concat())
}

pub fn small(number: u8) -> Vec<u8> {
    element(INTEGER, &[number])
}

pub fn null() -> Vec<u8> {
    element(NULL, &[])
}
