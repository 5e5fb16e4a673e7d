//! `docs/trust.md` tells every finding about certificates, revocation lists and keys, and none that
//! is not made any more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Words in capitals that are no codes: kinds of keys and their algorithms, labels of PEM, parts of
/// names. No code is shorter than three letters.
const NO_CODES: [&str; 20] = [
    "CMS", "EC_P256", "EC_P384", "EC_P521", "ED25519", "ES256", "ES384", "ES512", "OKP", "OTHER",
    "PKCS7", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "RSA", "STREET", "UID",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All sources below a folder, or the one file.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let rust = |it: &PathBuf| it.is_dir() || it.extension().is_some_and(|ending| ending == "rs");
    entries.filter(rust).flat_map(|it| sources(&it)).collect()
}

/// Sources that are tests from their first line on.
const TESTS: [&str; 2] = ["tests.rs", "hostile.rs"];

/// What stands between quotes in capitals, outside of tests.
fn words(source: &Path) -> BTreeSet<String> {
    if TESTS.iter().any(|tests| source.ends_with(tests)) {
        return BTreeSet::new();
    }
    let text = fs::read_to_string(source).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let word = |it: &str| {
        let begins = it.starts_with(|c: char| c.is_ascii_uppercase());
        it.len() > 2 && begins && it.chars().all(shape) && !it.ends_with('_')
    };
    code.split('"').filter(|it| word(it)).map(ToOwned::to_owned).collect()
}

fn words_of(folders: &[&str]) -> BTreeSet<String> {
    let files = folders.iter().flat_map(|folder| sources(&root().join(folder)));
    files.flat_map(|file| words(&file)).collect()
}

/// The codes in the first column of the tables of findings.
fn told() -> BTreeSet<String> {
    let document = fs::read_to_string(root().join("docs/trust.md")).unwrap();
    let findings = document.split("\n## ").find(|it| it.starts_with("Every finding")).unwrap();
    let rows = findings.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(code, _)| code.to_owned()).collect()
}

#[test]
fn every_code_is_told_with_its_meaning_and_its_cure() {
    let mut codes = words_of(&["domain/src/certificate", "domain/src/jwk.rs"]);
    codes.retain(|it| !NO_CODES.contains(&it.as_str()));
    let untold: Vec<String> = codes.difference(&told()).cloned().collect();
    assert!(codes.len() > 60, "found only {codes:?}");
    assert!(untold.is_empty(), "docs/trust.md does not tell {untold:?}");
}

#[test]
fn no_code_is_told_that_nobody_makes() {
    let made = words_of(&["domain/src", "commands/src"]);
    let gone: Vec<String> = told().difference(&made).cloned().collect();
    assert!(gone.is_empty(), "docs/trust.md tells {gone:?}, which nobody makes");
}
