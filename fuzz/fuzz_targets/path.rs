//! A trust store and an upload: certificates one after the other, the upload first, then the roots
//! as many as the first byte says, then intermediates.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::certificate::{
    Certificate, CertificatePolicy, MAX_PATH, TrustStore, check_partner_certificate,
    check_trust_certificate,
};
use domain::reference::CertificateProfile;

libfuzzer_sys::fuzz_target!(|bundle: &[u8]| {
    let Some((roots, ders)) = bundle.split_first() else { return };
    let certificates: Vec<_> =
        elements(ders).filter_map(|der| fuzz::read(&STANDARD.encode(der))).collect();
    let Some((upload, store)) = certificates.split_first() else { return };
    let (anchors, intermediates) = store.split_at(store.len().min((*roots).into()));
    judge(upload, TrustStore::new(anchors, intermediates));
});

fn judge(upload: &Certificate, store: TrustStore<'_>) {
    let (now, policy) = (
        fuzz::now(),
        CertificatePolicy { partner_days_left: 0, trust_months_left: 0, ..Default::default() },
    );
    let organization = upload.organizations().pop().unwrap_or_default();
    for profile in [CertificateProfile::EndEntity, CertificateProfile::Issuing] {
        let path =
            check_partner_certificate(upload, &organization, profile, store, now, &policy, "");
        if let Ok(path) = path {
            assert!(path.len() <= MAX_PATH && path.first() == Some(&upload.sha256()));
            let root = path.last();
            assert!(store.anchors.iter().any(|anchor| Some(&anchor.sha256()) == root));
        }
    }
    let _ = check_trust_certificate(upload, store, now, &policy, "");
}

/// Long elements, one after the other, as their own lengths say.
fn elements(mut ders: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [0x30, 0x82, high, low, ..] = ders else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])) + 4;
        let (element, rest) = ders.split_at_checked(length)?;
        ders = rest;
        Some(element)
    })
}
