//! What we issue, read by others: `openssl x509`, `openssl verify -x509_strict` and pkilint, which
//! knows the rules of RFC 5280 one by one. Every finding is mended in the issuing or explained here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use domain::certificate::{Certificate, CertificatePolicy};
use domain::issuance::{
    self, CounterSigning, Draft, EcdsaP256Signer, Ed25519Signer, Signer, Subject, Usage,
};
use domain::reference::CertificateProfile;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// In the checkout, where `./dev` puts tools.
const PKILINT: &str = "../.tools/pkilint";
const INSTALL: &str = "python3 -m pip install --no-deps --require-hashes --upgrade --target .tools/pkilint \
    --requirement .ci/pkilint.txt";

/// What pkilint says and what is meant to be so: the code, where it is found, why.
const EXPLAINED: [(&str, &str, &str); 2] = [
    (
        "pkix.subject_key_identifier_rfc7093_method_1_identified",
        "subjectKeyIdentifier",
        "No fault is meant: it tells how the key id was made, without SHA-1.",
    ),
    (
        "pkix.invalid_uri_syntax",
        "Invalid URI syntax: \"urn:mosip:partner:acme%201\"",
        "pkilint takes only URLs with a host for URIs. RFC 5280 asks for an absolute URI, which a URN \
        is (RFC 3986, 1.1.2).",
    ),
];

#[derive(Deserialize)]
struct Vector {
    id: String,
    leaf: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("data/certificates.json")).unwrap()
}

fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

/// A certificate that we issued, and what stands above it.
struct Issued {
    name: String,
    certificate: Certificate,
    above: Vec<Certificate>,
}

fn issuer_draft<'a>(subject: &'a [u8], spki: &'a [u8], path_len: Option<u8>) -> Draft<'a> {
    let (not_before, not_after) = (now(), now() + TimeDelta::days(3650));
    let usage = Usage::Authority { path_len };
    Draft { serial: [0xa5; 16], subject, spki, not_before, not_after, usage, partner_id: None }
}

fn subject(common_name: &str, country: Option<&str>) -> Vec<u8> {
    let organization = "Partner Management System";
    Subject { common_name, organization, organizational_unit: None, country }.der().unwrap()
}

/// The authorities that `pms` makes: the issuing one of an installation, and a root of the demo
/// world with an intermediate.
fn authorities(key: &EcdsaP256Signer) -> Vec<Issued> {
    let (subject, spki) = (subject("Issuing CA", None), key.spki().unwrap());
    let issuing = issuance::self_signed_ca(&issuer_draft(&subject, &spki, Some(1)), key).unwrap();
    let root_key = Ed25519Signer::from_seed(&[2; 32]).unwrap();
    let (subject, spki) = (self::subject("Root", Some("IN")), root_key.spki().unwrap());
    let root = issuance::self_signed_ca(&issuer_draft(&subject, &spki, None), &root_key).unwrap();
    let (subject, spki) = (self::subject("Below", Some("IN")), key.spki().unwrap());
    let draft = issuer_draft(&subject, &spki, Some(1));
    let below = issuance::certificate(&draft, &root, &root_key).unwrap();
    let issued = |name: &str, certificate: &Certificate, above: &[&Certificate]| Issued {
        name: name.to_owned(),
        certificate: certificate.clone(),
        above: above.iter().map(|c| (*c).clone()).collect(),
    };
    vec![
        issued("the issuing CA", &issuing, &[]),
        issued("a root", &root, &[]),
        issued("an intermediate", &below, &[&root]),
    ]
}

/// One of each profile for each kind of partner's key.
fn counter_signed(issuing: &Certificate, signer: &dyn Signer) -> Vec<Issued> {
    let (vectors, policy) = (vectors(), CertificatePolicy::default());
    let kinds = ["rsa2048", "rsa3072", "rsa4096", "P256", "P384", "P521", "ed25519"];
    let both = [CertificateProfile::EndEntity, CertificateProfile::Issuing];
    let all = kinds.iter().flat_map(|kind| both.map(|profile| (kind, profile)));
    let issued = all.map(|(kind, profile)| {
        let id = format!("own::leaf_{kind}-noSAN-noEKU");
        let vector = vectors.iter().find(|vector| vector.id == id).unwrap();
        let partner = Certificate::read(&vector.leaf, "").unwrap();
        let (partner, issuer) = (&partner, issuing);
        let order = CounterSigning { partner, issuer, profile, partner_id: "acme 1" };
        let terms = order.terms([0x5a; 16], now(), &policy).unwrap();
        let certificate = order.body(&terms, signer).unwrap().sign(issuer, signer).unwrap();
        Issued { name: format!("{kind}, {profile:?}"), certificate, above: vec![issuing.clone()] }
    });
    issued.collect()
}

fn all() -> Vec<Issued> {
    let key = EcdsaP256Signer::from_seed(&[1; 32]).unwrap();
    let mut all = authorities(&key);
    let partners = counter_signed(&all[0].certificate, &key);
    all.extend(partners);
    all
}

/// Certificates as files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn pem(&self, certificate: &Certificate) -> String {
        let path = self.folder.path().join(certificate.sha256());
        std::fs::write(&path, certificate.pem()).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
fn openssl_reads_and_verifies_everything_without_a_word() {
    let (files, at) = (Files::new(), now().timestamp().to_string());
    for issued in all() {
        let file = files.pem(&issued.certificate);
        let read = run("openssl", &["x509", "-noout", "-text", "-in", &file]);
        assert!(read.status.success() && read.stderr.is_empty(), "{}: {read:?}", issued.name);
        let root = files.pem(issued.above.last().unwrap_or(&issued.certificate));
        let strict =
            ["verify", "-x509_strict", "-check_ss_sig", "-policy_check", "-auth_level", "2"];
        let these = ["-attime", &at, "-CAfile", &root, &file];
        let verified = run("openssl", &[strict.as_slice(), &these].concat());
        assert_eq!(String::from_utf8_lossy(&verified.stdout), format!("{file}: OK\n"));
        assert!(verified.stderr.is_empty(), "{}: {verified:?}", issued.name);
    }
}

/// A finding of pkilint: its code, and all that it says of it.
type Finding = (String, String);

fn findings(certificate: &Certificate) -> Vec<Finding> {
    assert!(
        Path::new(PKILINT).exists(),
        "pkilint is missing; `./dev test` brings it, or: {INSTALL}"
    );
    let file = Files::new();
    let pem = file.pem(certificate);
    let lint = ["-m", "pkilint.bin.lint_pkix_cert", "lint", "--severity", "ALL"];
    let output = Command::new("python3")
        .args(lint)
        .args(["--format", "JSON", &pem])
        .env("PYTHONPATH", PKILINT)
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("pkilint did not understand: {output:?}"));
    report["results"].as_array().unwrap().iter().flat_map(findings_at).collect()
}

fn findings_at(result: &serde_json::Value) -> Vec<Finding> {
    let descriptions = result["finding_descriptions"].as_array().unwrap().iter();
    let place = result["node_path"].as_str().unwrap();
    let said = |finding: &serde_json::Value| {
        let message = finding["message"].as_str().unwrap_or_default();
        (finding["code"].as_str().unwrap().to_owned(), format!("{place} {message}"))
    };
    descriptions.map(said).collect()
}

#[test]
fn pkilint_finds_nothing_that_is_not_explained() {
    let mut shown = BTreeSet::new();
    for issued in all() {
        for (code, words) in findings(&issued.certificate) {
            let explains = |known: &&(&str, &str, &str)| known.0 == code && words.contains(known.1);
            let explained = EXPLAINED.iter().find(explains);
            assert!(explained.is_some(), "{}: {code}, {words}", issued.name);
            shown.extend(explained.map(|(code, ..)| *code));
        }
    }
    for (code, _, why) in EXPLAINED {
        assert!(shown.contains(code), "{code} is explained ({why}), but no certificate shows it");
    }
}

/// Whoever looks at nothing finds nothing, too.
#[test]
fn pkilint_finds_what_a_certificate_lacks() {
    let bare = vectors().into_iter().find(|vector| vector.id == "own::v1-leaf").unwrap();
    let found = findings(&Certificate::read(&bare.leaf, "").unwrap());
    let absent = "pkix.authority_key_identifier_extension_absent";
    assert!(found.iter().any(|(code, _)| code == absent), "{found:?}");
}
