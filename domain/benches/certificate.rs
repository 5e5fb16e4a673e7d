//! How long the most expensive uploads take: what the limits of the path search are for. How often
//! it does what is expensive is asserted in `src/certificate/hostile.rs`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

use chrono::{DateTime, TimeDelta, Utc};
use domain::certificate::{
    Certificate, CertificatePolicy, MAX_PATH, TrustStore, check_partner_certificate,
};
use domain::issuance::{self, Draft, EcdsaP256Signer, Signer as _, Subject, Usage};
use domain::reference::CertificateProfile;
use std::time::{Duration, Instant};
use x509_cert::der::asn1::{BitString, Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};

const ROUNDS: u32 = 20;
const ORGANIZATION: &str = "Acme Biometrics";
/// Certificates of one name at each level of a hostile store
const NAMESAKES: usize = 8;
/// Fills a name until its certificate is nearly as long as an upload may be
const LONG: usize = 5_000;

fn main() {
    let short = |level: u8| format!("CA {level}");
    let long = |level: u8| format!("CA {level} {}", "x".repeat(LONG));
    println!("upload                                       | ms");
    measure("two CAs below the root", &chain(2, 1, &short), 3);
    measure("the longest path", &chain(6, 1, &short), 7);
    measure("a thicket of ways", &chain(8, NAMESAKES, &short), 9);
    measure("a thicket of ways, names of 5,000 letters", &chain(8, NAMESAKES, &long), 9);
    let bound: Vec<_> = chain(8, NAMESAKES, &short).into_iter().map(constrained).collect();
    measure("a thicket of ways, 90 constraints and names", &bound, 9);
}

fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

fn key(seed: u8) -> EcdsaP256Signer {
    EcdsaP256Signer::from_seed(&[seed; 32]).unwrap()
}

/// A certificate and the seed of the key that signed it.
type Signed = (Certificate, u8);

/// An upload, then `levels` of CAs of one key each, every one of them `many` times.
fn chain(levels: u8, many: usize, name: &dyn Fn(u8) -> String) -> Vec<Signed> {
    let mut all = vec![issued("leaf", 99, Usage::EndEntity, &name(0), 1)];
    for level in 0..levels {
        let ca = Usage::Authority { path_len: None };
        let signed = issued(&name(level), level + 1, ca, &name(level + 1), level + 2);
        all.extend(vec![signed; many]);
    }
    all
}

fn issued(common_name: &str, seed: u8, usage: Usage, issuer: &str, issuer_seed: u8) -> Signed {
    let subject = subject(common_name);
    let spki = key(seed).spki().unwrap();
    let issuer = root(issuer, issuer_seed);
    let draft = Draft { usage, ..draft(&subject, &spki) };
    (issuance::certificate(&draft, &issuer, &key(issuer_seed)).unwrap(), issuer_seed)
}

fn root(common_name: &str, seed: u8) -> Certificate {
    let (subject, spki) = (subject(common_name), key(seed).spki().unwrap());
    issuance::self_signed_ca(&draft(&subject, &spki), &key(seed)).unwrap()
}

fn subject(common_name: &str) -> Vec<u8> {
    let (organization, organizational_unit, country) = (ORGANIZATION, None, None);
    Subject { common_name, organization, organizational_unit, country }.der().unwrap()
}

fn draft<'a>(subject: &'a [u8], spki: &'a [u8]) -> Draft<'a> {
    let (not_before, not_after) = (now(), now() + TimeDelta::days(3650));
    let usage = Usage::Authority { path_len: None };
    Draft { serial: [7; 16], subject, spki, not_before, not_after, usage, partner_id: None }
}

/// With names, and constraints that take each of them to be compared.
fn constrained((certificate, issuer_seed): Signed) -> Signed {
    let host = |name: String| GeneralName::DnsName(Ia5String::new(&name).unwrap());
    let names = SubjectAltName((0..90).map(|at| host(format!("h{at}.example"))).collect());
    let subtree = |base| GeneralSubtree { base, minimum: 0, maximum: None };
    let excluded = (0..90).map(|at| subtree(host(format!("x{at}.example")))).collect();
    let constraints =
        NameConstraints { permitted_subtrees: None, excluded_subtrees: Some(excluded) };
    let mut raw = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let extensions = raw.tbs_certificate.extensions.as_mut().unwrap();
    extensions.push(extension("2.5.29.17", &names.to_der().unwrap()));
    if certificate.is_ca() {
        extensions.push(extension("2.5.29.30", &constraints.to_der().unwrap()));
    }
    let signature = key(issuer_seed).sign(&raw.tbs_certificate.to_der().unwrap()).unwrap();
    raw.signature = BitString::from_bytes(&signature).unwrap();
    (Certificate::from_der(&raw.to_der().unwrap(), "").unwrap(), issuer_seed)
}

fn extension(oid: &str, value: &[u8]) -> Extension {
    let extn_id = ObjectIdentifier::new(oid).unwrap();
    Extension { extn_id, critical: false, extn_value: OctetString::new(value).unwrap() }
}

/// The upload is read each time, the store is not. The root stands above the last level.
fn measure(what: &str, chain: &[Signed], root_seed: u8) {
    let above = chain.last().unwrap().0.clone();
    let name = above.issuer().replace("CN=", "").replace(&format!(",O={ORGANIZATION}"), "");
    let anchors = [root(&name, root_seed)];
    let upload = chain[0].0.pem();
    let intermediates: Vec<_> = chain[1..].iter().map(|(ca, _)| ca.clone()).collect();
    let store = TrustStore::new(&anchors, &intermediates);
    let begin = Instant::now();
    let found = (0..ROUNDS).filter(|_| judge(&upload, store)).count();
    let each = begin.elapsed() / ROUNDS;
    assert_eq!(found > 0, chain.len() < MAX_PATH, "{what}");
    println!("{what:44} | {:.2}", ms(each));
}

fn judge(upload: &str, store: TrustStore<'_>) -> bool {
    let policy = CertificatePolicy::default();
    let upload = Certificate::read(upload, "").unwrap();
    let profile = CertificateProfile::EndEntity;
    check_partner_certificate(&upload, ORGANIZATION, profile, store, now(), &policy, "").is_ok()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
