//! A revocation list, behind base64.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::certificate::{Certificate, CertificatePolicy, MAX_REVOKED, RevocationList};
use std::sync::LazyLock;

/// The CA of the seeds.
static CA: LazyLock<Option<Certificate>> =
    LazyLock::new(|| Certificate::read(include_str!("../crl_ca.pem"), "").ok());

libfuzzer_sys::fuzz_target!(|der: &[u8]| {
    let Ok(list) = RevocationList::read(&STANDARD.encode(der), "") else { return };
    assert!(list.revoked().len() <= MAX_REVOKED);
    let Some(ca) = CA.as_ref() else { panic!("the CA of the seeds does not read") };
    for previous in [None, Some(list.number().as_str()), Some("ff")] {
        let _ = list.check(ca, previous, fuzz::now(), &CertificatePolicy::default(), "");
    }
});
