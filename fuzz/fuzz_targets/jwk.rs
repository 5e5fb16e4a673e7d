//! A client's public key. What is kept of it reads again as the same.
#![no_main]

use domain::jwk::Jwk;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(jwk) = Jwk::read(text, "") else { return };
    let kept = serde_json::to_string(&jwk.members).unwrap_or_default();
    assert_eq!(Jwk::read(&kept, "").as_ref(), Ok(&jwk), "{kept}");
});
