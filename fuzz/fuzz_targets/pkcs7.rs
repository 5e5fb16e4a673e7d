//! A bundle of certificates. The marks of PEM are `certificate_pem`'s.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::certificate::{Certificate, MAX_BUNDLE};

libfuzzer_sys::fuzz_target!(|der: &[u8]| {
    let read = Certificate::read_bundle(&STANDARD.encode(der), "").unwrap_or_default();
    assert!(read.len() <= MAX_BUNDLE);
    for certificate in read.into_iter().filter_map(|(_, read)| read.ok()) {
        assert_eq!(fuzz::read(&certificate.pem()), Some(certificate));
    }
});
