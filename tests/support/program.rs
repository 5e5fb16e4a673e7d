//! `pms` itself, for tests that run it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Makes the program, where it is not current.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let here = std::env::current_exe().unwrap(); // <target>/debug/deps/acceptance-…
        let target = here.ancestors().nth(3).unwrap();
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "-p", "api", "--bin", "pms", "--target-dir"]);
        assert!(cargo.arg(target).status().unwrap().success(), "pms is not built");
        target.join("debug/pms")
    })
}
