//! The texts that a verifier of the log reads: notes, checkpoints, proofs about one entry, keys,
//! disclosures, policies. What is read prints as it was.
#![no_main]

use domain::audit::checkpoint::Checkpoint;
use domain::audit::disclosure::Disclosure;
use domain::audit::key::VerifierKey;
use domain::audit::note::Note;
use domain::audit::policy::Policy;
use domain::audit::proof::read_hashes;
use domain::audit::tile::Tile;
use domain::audit::tlog_proof::TlogProof;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::LazyLock;

/// Believes the log that signed the note of the seeds.
static POLICY: LazyLock<Option<Policy>> =
    LazyLock::new(|| include_str!("../corpus/log_text/policy").parse().ok());

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Some(policy) = POLICY.as_ref() else { panic!("the policy of the seeds does not read") };
    if let Some(note) = read::<Note>(text) {
        let _ = policy.check(&note);
    }
    if let Some(proof) = read::<TlogProof>(text) {
        let _ = proof.verify(proof.extra.as_deref().unwrap_or_default(), policy);
    }
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert!(text.starts_with(&checkpoint.to_string()), "{text}"); // more lines may follow
    }
    read::<VerifierKey>(text);
    if let Ok(disclosure) = text.parse::<Disclosure>() {
        assert_eq!(disclosure.to_string().parse(), Ok(disclosure));
    }
    if let Some(tile) = Tile::from_path(text) {
        assert_eq!(tile.path(), text);
    }
    let _ = text.parse::<Policy>();
    let _ = read_hashes(text);
});

fn read<T: FromStr + Display>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    assert_eq!(read.to_string(), text);
    Some(read)
}
