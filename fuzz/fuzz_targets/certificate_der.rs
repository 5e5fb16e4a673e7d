//! The same behind base64, where the interesting bytes are.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

libfuzzer_sys::fuzz_target!(|der: &[u8]| {
    fuzz::read(&STANDARD.encode(der));
});
