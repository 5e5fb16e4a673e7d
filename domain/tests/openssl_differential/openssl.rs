//! The `openssl` command.

use std::process::{Command, Output};

/// What OpenSSL writes to its output.
pub fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    output.stdout
}

fn run(arguments: &[&str]) -> Output {
    Command::new("openssl").args(arguments).output().unwrap()
}

/// Whether OpenSSL, as strict as it can be, finds a path from `target` to `root` at `now`; if
/// not, its words.
pub fn verify(root: &str, untrusted: &str, target: &str, now: i64) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (root, target) = (write("root.pem", root), write("target.pem", target));
    let (now, between) = (now.to_string(), write("untrusted.pem", untrusted));
    // Level 2 asks for 112 bits of security: no RSA below 2048 bits, no SHA-1.
    let mut arguments = vec!["verify", "-x509_strict", "-check_ss_sig", "-auth_level", "2"];
    arguments.extend(["-purpose", "any", "-attime", &now, "-no-CApath", "-no-CAstore"]);
    arguments.extend(["-CAfile", &root]);
    if !untrusted.is_empty() {
        arguments.extend(["-untrusted", &between]);
    }
    arguments.push(&target);
    let output = run(&arguments);
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(words) }
}
