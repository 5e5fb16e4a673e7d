//! Stores and uploads that are made to cost much: how often a search does what is expensive is
//! counted where it is done, not where the budget is kept.

use super::tests::{extension, issued, root, with_extension};
use super::{
    Certificate, CertificatePolicy, MAX_NAME_COMPARISONS, MAX_PATH, MAX_SIGNATURE_CHECKS,
    TrustKind, TrustStore, check_partner_certificate, check_trust_certificate,
};
use crate::finding::Finding;
use crate::issuance::Usage;
use crate::reference::CertificateProfile;
use chrono::{DateTime, Utc};
use std::cell::Cell;
use x509_cert::der::Encode;
use x509_cert::der::asn1::Ia5String;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName as RawName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};

thread_local! {
    /// Signatures that were checked in this thread
    pub(super) static SIGNATURES: Cell<u32> = const { Cell::new(0) };
    /// Names that were compared with a constraint in this thread
    pub(super) static COMPARISONS: Cell<usize> = const { Cell::new(0) };
}

const CA: Usage = Usage::Authority { path_len: None };

fn now() -> DateTime<Utc> {
    "2027-01-01T00:00:00Z".parse().unwrap()
}

/// What a check of `upload` did.
#[derive(Debug)]
struct Done<T> {
    answer: Result<T, Vec<Finding>>,
    signatures: u32,
    comparisons: usize,
}

impl<T> Done<T> {
    fn of(check: impl FnOnce() -> Result<T, Vec<Finding>>) -> Self {
        let before = (SIGNATURES.get(), COMPARISONS.get());
        let answer = check();
        Self {
            answer,
            signatures: SIGNATURES.get() - before.0,
            comparisons: COMPARISONS.get() - before.1,
        }
    }

    /// One signature more than a search may check: whether the upload signed itself.
    fn stays_within_the_limits(&self) {
        assert!(self.signatures <= MAX_SIGNATURE_CHECKS + 1, "{} signatures", self.signatures);
        assert!(self.comparisons <= MAX_NAME_COMPARISONS, "{} comparisons", self.comparisons);
    }

    fn codes(&self) -> Vec<&'static str> {
        self.answer.as_ref().err().into_iter().flatten().map(|finding| finding.code).collect()
    }
}

fn by_partner(upload: &Certificate, store: TrustStore<'_>) -> Done<Vec<String>> {
    let (profile, policy) = (CertificateProfile::EndEntity, CertificatePolicy::default());
    let name = "Acme Biometrics";
    Done::of(|| check_partner_certificate(upload, name, profile, store, now(), &policy, ""))
}

fn as_trusted(upload: &Certificate, store: TrustStore<'_>) -> Done<TrustKind> {
    let policy = CertificatePolicy::default();
    Done::of(|| check_trust_certificate(upload, store, now(), &policy, ""))
}

/// As long as an upload may be: read from PEM, so that the limit has been kept.
fn filled(certificate: &Certificate, issuer_seed: u8, added: usize) -> Certificate {
    let filling = vec![0x5a; 11_900 - certificate.der().len() - added];
    let filling = x509_cert::der::asn1::OctetString::new(filling).unwrap().to_der().unwrap();
    let filled = with_extension(certificate, issuer_seed, extension("1.2.3.4", false, &filling));
    Certificate::read(&filled.pem(), "").unwrap()
}

/// `levels` of CAs, in each of them `many` of one name and one key, all of them signed by the key
/// of the level above: as many ways as `many` to the power of `levels`.
fn thicket(levels: u8, many: usize) -> Vec<Certificate> {
    let mut store = Vec::new();
    for level in 0..levels {
        let above = root(&format!("CA {}", level + 1), level + 2);
        let ca = issued(&format!("CA {level}"), level + 1, CA, &above, level + 2);
        for number in 0..many {
            store.push(filled(&ca, level + 2, number));
        }
    }
    store
}

fn upload() -> Certificate {
    issued("leaf", 99, Usage::EndEntity, &root("CA 0", 1), 1)
}

#[test]
fn a_thicket_of_ways_without_a_root_is_left_in_time() {
    let (thicket, unrelated) = (thicket(8, 6), [root("Root", 90)]);
    let store = TrustStore::new(&unrelated, &thicket);
    let done = by_partner(&filled(&upload(), 1, 0), store);
    assert_eq!(done.codes(), ["PATH_BUDGET"]);
    assert!(done.signatures > MAX_SIGNATURE_CHECKS / 2, "it was meant to be hard");
    done.stays_within_the_limits();
    let done = as_trusted(&issued("CA", 99, CA, &root("CA 0", 1), 1), store);
    assert_eq!(done.codes(), ["PATH_BUDGET"]);
    done.stays_within_the_limits();
}

#[test]
fn a_root_above_the_longest_path_is_not_reached() {
    let thicket = thicket(8, 1);
    for (levels, found) in [(MAX_PATH - 2, true), (MAX_PATH - 1, false)] {
        let top = u8::try_from(levels).unwrap();
        let anchors = [root(&format!("CA {top}"), top + 1)];
        let store = TrustStore::new(&anchors, &thicket[..levels]);
        let done = by_partner(&filled(&upload(), 1, 0), store);
        assert_eq!(done.answer.as_ref().map(Vec::len).ok(), found.then_some(MAX_PATH));
        assert_eq!(done.codes().is_empty(), found);
        done.stays_within_the_limits();
    }
}

#[test]
fn a_crowd_of_namesakes_is_not_asked_one_by_one() {
    let crowd: Vec<_> = (3..=255).map(|seed| root("CA 0", seed)).collect();
    let crowd = [crowd.as_slice(), &crowd].concat();
    let done = by_partner(&upload(), TrustStore::new(&crowd, &[]));
    assert_eq!(done.codes(), ["PATH_BUDGET"]);
    assert!(done.signatures >= MAX_SIGNATURE_CHECKS, "it was meant to be hard");
    done.stays_within_the_limits();
}

fn hosts(count: usize) -> Vec<RawName> {
    (0..count)
        .map(|at| RawName::DnsName(Ia5String::new(&format!("h{at}.example")).unwrap()))
        .collect()
}

/// A CA that excludes `count` hosts, none of them below "h…".
fn excluding(ca: &Certificate, issuer_seed: u8, count: usize) -> Certificate {
    let subtree = |at| GeneralSubtree {
        base: RawName::DnsName(Ia5String::new(&format!("x{at}.example")).unwrap()),
        minimum: 0,
        maximum: None,
    };
    let excluded_subtrees = Some((0..count).map(subtree).collect());
    let constraints = NameConstraints { permitted_subtrees: None, excluded_subtrees };
    let value = constraints.to_der().unwrap();
    let ca = with_extension(ca, issuer_seed, extension("2.5.29.30", true, &value));
    Certificate::read(&ca.pem(), "").unwrap()
}

fn named(certificate: &Certificate, issuer_seed: u8, count: usize) -> Certificate {
    let names = SubjectAltName(hosts(count)).to_der().unwrap();
    let added = extension("2.5.29.17", false, &names);
    Certificate::read(&with_extension(certificate, issuer_seed, added).pem(), "").unwrap()
}

#[test]
fn a_flood_of_names_and_constraints_is_compared_within_the_limit() {
    // As many as fit into a certificate: 500 constraints, 700 names.
    let top = excluding(&root("CA 0", 1), 1, 500);
    let done = by_partner(&named(&upload(), 1, 700), TrustStore::new(&[top], &[]));
    assert_eq!((done.codes(), done.comparisons), (vec!["PATH_BUDGET"], 0));
}

#[test]
fn every_way_draws_on_the_same_budget_of_comparisons() {
    let ca = |level: u8| {
        let above = root(&format!("CA {}", level + 1), level + 2);
        let ca = issued(&format!("CA {level}"), level + 1, CA, &above, level + 2);
        excluding(&ca, level + 2, 90)
    };
    let intermediates: Vec<_> = (0..8).flat_map(|level| vec![ca(level); 6]).collect();
    let store = TrustStore::new(&[], &intermediates);
    let done = by_partner(&named(&upload(), 1, 90), store);
    assert_eq!(done.codes(), ["PATH_BUDGET"]);
    assert!(done.comparisons > MAX_NAME_COMPARISONS / 2, "it was meant to be hard: {done:?}");
    done.stays_within_the_limits();
}
