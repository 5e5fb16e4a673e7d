//! Chains of certificates, judged by us and by OpenSSL as strict as it can be. Each chain is sound
//! or has one fault; the table in `kinds.rs` says for every kind of chain what each side answers,
//! and why where they differ. Any other answer fails, and so does a row without a chain.
//!
//! The chains are the same in every run, but for the bytes of keys and signatures.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and tells counts")]

mod chain;
mod der;
mod dice;
mod extension;
mod keys;
mod kinds;
mod name;
mod openssl;

use chain::{ACME, Chain, Link, Target};
use dice::Dice;
use domain::certificate::{
    Certificate, CertificatePolicy, TrustStore, check_partner_certificate, check_trust_certificate,
};
use domain::finding::Finding;
use domain::reference::CertificateProfile;
use keys::Keys;
use kinds::{Answer, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Chains of every kind; there are at least 2,000 altogether.
const EACH: usize = 16;
const AT_LEAST: usize = 2_000;

/// What was sent to both sides.
struct Sent {
    /// Nothing when the target is itself to become a root
    root: Option<String>,
    others: Vec<String>,
    target: String,
}

fn sent(chain: &Chain<'_>) -> Sent {
    let pem = |link: &Link<'_>| link.pem(chain.keys);
    let (target, above) = chain.links.split_last().unwrap();
    let between = above.iter().skip(1);
    Sent {
        root: above.first().map(pem),
        others: chain.beside.iter().chain(between).map(pem).collect(),
        target: pem(target),
    }
}

/// What we say; the codes of our findings, those about a CA like those about the target.
fn our_answer(chain: &Chain<'_>, sent: &Sent) -> Result<(), BTreeSet<String>> {
    answer(chain, sent).map_err(|findings| findings.iter().map(code).collect())
}

fn answer(chain: &Chain<'_>, sent: &Sent) -> Result<(), Vec<Finding>> {
    let read = |pem: &String| Certificate::read(pem, "");
    let anchors = sent.root.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let intermediates = sent.others.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let target = read(&sent.target)?;
    let store = TrustStore::new(&anchors, &intermediates);
    // How long a certificate must live on is our policy and nobody else's.
    let policy =
        CertificatePolicy { trust_months_left: 0, partner_days_left: 0, ..Default::default() };
    let by_partner = |profile| {
        check_partner_certificate(&target, ACME, profile, store, chain.now, &policy, "").map(drop)
    };
    match chain.target {
        Target::EndEntity => by_partner(CertificateProfile::EndEntity),
        Target::Issuing => by_partner(CertificateProfile::Issuing),
        Target::Authority => {
            check_trust_certificate(&target, store, chain.now, &policy, "").map(drop)
        }
    }
}

fn code(finding: &Finding) -> String {
    let reason = finding.params.get("reason");
    reason.map_or_else(|| finding.code.to_owned(), ToString::to_string)
}

fn openssl_answer(chain: &Chain<'_>, sent: &Sent) -> Result<(), String> {
    let root = sent.root.as_ref().unwrap_or(&sent.target);
    openssl::verify(root, &sent.others.concat(), &sent.target, chain.now.timestamp())
}

/// What is not as the table says.
fn surprise(kind: &Kind, chain: &Chain<'_>) -> Option<String> {
    let sent = sent(chain);
    let (ours, theirs) = (our_answer(chain, &sent), openssl_answer(chain, &sent));
    let refused_for = |codes: &[&str]| {
        ours.as_ref().is_err_and(|found| found.iter().all(|code| codes.contains(&code.as_str())))
    };
    let expected = match kind.answer {
        Answer::Sound | Answer::Suffered(_) => ours.is_ok() && theirs.is_ok(),
        Answer::Refused(codes) => refused_for(codes) && theirs.is_err(),
        Answer::OursAlone(codes, _) => refused_for(codes) && theirs.is_ok(),
        Answer::OpenSslAlone(_) => ours.is_ok() && theirs.is_err(),
    };
    let story = || {
        let pems = [sent.others.concat(), sent.root.clone().unwrap_or_default(), sent.target];
        let (name, expected, at) = (kind.name, kind.answer, chain.now.timestamp());
        let pems = pems.concat();
        format!("{name}, at {at}: {expected:?}, but we {ours:?} and OpenSSL {theirs:?}\n{pems}")
    };
    (!expected).then(story)
}

/// One chain of the kind, as the number says.
fn chain<'k>(kind: &Kind, number: usize, keys: &'k Keys) -> Chain<'k> {
    let mut dice = Dice::new(u64::try_from(number).unwrap());
    let target = dice.pick(kind.targets);
    let length = dice.within(kind.lengths.clone());
    let mut chain = Chain::sound(keys, target, length, &mut dice);
    (kind.make)(&mut chain, &mut dice);
    chain
}

/// All that is not as the table says.
fn surprises(kinds: &[Kind], keys: &Keys) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let numbers = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        Some((kinds.get(number / EACH)?, number))
    };
    let judge = || -> Vec<String> {
        let all = std::iter::from_fn(numbers);
        all.filter_map(|(kind, number)| surprise(kind, &chain(kind, number, keys))).collect()
    };
    let workers = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(judge)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// Else the chains would not be as mixed as they are meant to be.
fn sound_chains_have_every_signature(kinds: &[Kind], keys: &Keys) {
    let plain = kinds.iter().find(|kind| kind.name == "of two to eight").unwrap();
    let chains = (0..200).map(|number| chain(plain, number, keys));
    let links = chains.flat_map(|chain| chain.links);
    let seen: BTreeSet<_> = links.map(|link| (link.signer.kind, link.scheme)).collect();
    let common = keys.common().into_iter();
    let all: BTreeSet<_> =
        common.flat_map(|key| key.schemes().iter().map(|scheme| (key.kind, *scheme))).collect();
    assert_eq!(seen, all);
}

#[test]
fn openssl_differs_only_where_the_table_explains_it() {
    let (kinds, keys) = (kinds::all(), Keys::make());
    sound_chains_have_every_signature(&kinds, &keys);
    let surprises = surprises(&kinds, &keys);
    assert!(surprises.is_empty(), "{} surprises:\n{}", surprises.len(), surprises.join("\n"));
    assert!(kinds.len() * EACH >= AT_LEAST, "{} chains", kinds.len() * EACH);
    let mut groups = BTreeMap::new();
    for kind in &kinds {
        *groups.entry(kind.answer.group()).or_insert(0) += 1;
    }
    println!("{} chains of {} kinds: {groups:?}", kinds.len() * EACH, kinds.len());
}

#[test]
fn every_kind_has_a_name_of_its_own_and_every_difference_a_reason() {
    let mut names = BTreeSet::new();
    for kind in kinds::all() {
        assert!(names.insert(kind.name), "{} stands there twice", kind.name);
        let differs = !matches!(kind.answer, Answer::Sound | Answer::Refused(_));
        assert_eq!(kind.answer.why().is_some_and(|why| why.len() > 20), differs, "{}", kind.name);
    }
}
