//! A bundle of entries, and each entry in it as an event. What is read is written as it was.
#![no_main]

use domain::audit::auditor::Auditor;
use domain::audit::bundle::{decode, encode};
use domain::log_entry::StoredEvent;

libfuzzer_sys::fuzz_target!(|bundle: &[u8]| {
    let Ok(entries) = decode(bundle).collect::<Result<Vec<_>, _>>() else { return };
    assert_eq!(encode(entries.iter().copied()).as_deref(), Ok(bundle));
    let mut auditor = Auditor::default();
    for entry in entries {
        if let Ok(event) = StoredEvent::read(entry) {
            assert_eq!(event.entry().as_bytes(), entry);
        }
        let _ = auditor.add(entry);
    }
    let _ = auditor.root();
});
