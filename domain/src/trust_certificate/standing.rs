//! Whether what was accepted once is trusted now.
//!
//! A certificate follows the path that was verified when it was accepted: when something above it is
//! disabled, revoked, taken back or has ended, it is not trusted from that instant on, and trusted
//! again when that is undone. Nothing is written for it. A new upload looks for a path of its own.

use super::TrustCertificateStatus as Status;
use crate::certificate::Revocations;
use crate::ids::TrustCertificateId;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};

/// What is known of one trust certificate; the fields are columns of its read table.
#[derive(Debug, Clone, Deserialize)]
pub struct Fact {
    /// The id of the certificate's record.
    pub id: TrustCertificateId,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Fingerprint of the certificate whose key verified this one; its own for a root.
    pub issuer_fingerprint: String,
    /// SHA-256 of its key.
    pub key_fingerprint: String,
    /// Its serial number.
    pub serial: String,
    /// What was decided about it.
    pub status: Status,
    /// When it begins.
    pub valid_from: DateTime<Utc>,
    /// When it ends.
    pub valid_till: DateTime<Utc>,
    /// The serial numbers that it takes back.
    pub revoked_serials: BTreeSet<String>,
}

/// Why something is not trusted now: what is nearest to it and, of one certificate, what is hardest
/// to undo. `ISSUER_…` is about a CA above it, however far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub enum UntrustedReason {
    /// It was revoked, or its CA takes it back.
    Revoked,
    /// It was disabled.
    Disabled,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// A CA above it was revoked, or taken back.
    IssuerRevoked,
    /// A CA above it was disabled.
    IssuerDisabled,
    /// A CA above it has ended.
    IssuerExpired,
    /// A CA above it has not begun.
    IssuerNotYetValid,
    /// A CA above it is not known in its domain.
    IssuerUnknown,
}

/// A certificate that was accepted for a partner or a chip.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    /// Its serial number.
    pub serial: &'a str,
    /// When it ends.
    pub not_after: DateTime<Utc>,
    /// The fingerprints of its path, its own first, the root's last.
    pub path: &'a [String],
}

/// All that is known of the trust certificates of one domain.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    by_fingerprint: HashMap<String, Fact>,
    /// The lists of those that are active.
    revocations: Revocations,
}

/// One certificate of a path, judged by itself.
struct Step<'a> {
    serial: &'a str,
    issuer_key: &'a str,
    status: Status,
    begins: Option<DateTime<Utc>>,
    ends: DateTime<Utc>,
}

impl Facts {
    /// The facts of one domain.
    pub fn new(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut all = Self::default();
        for fact in facts {
            if fact.status == Status::Active {
                all.revocations.add(fact.key_fingerprint.clone(), fact.revoked_serials.clone());
            }
            all.by_fingerprint.insert(fact.fingerprint.clone(), fact);
        }
        all
    }

    /// The certificate and those above it up to the root; it ends early where one is not known.
    pub fn chain(&self, fingerprint: &str) -> Vec<&Fact> {
        let mut chain: Vec<&Fact> = Vec::new();
        let mut next = self.by_fingerprint.get(fingerprint);
        while let Some(fact) = next {
            chain.push(fact);
            let issuer = self.by_fingerprint.get(&fact.issuer_fingerprint);
            next = issuer.filter(|it| chain.iter().all(|c| c.fingerprint != it.fingerprint));
        }
        chain
    }

    /// Why a trust certificate is not trusted at `now`; nothing when it is.
    pub fn untrusted(&self, fingerprint: &str, now: DateTime<Utc>) -> Option<UntrustedReason> {
        let chain = self.chain(fingerprint);
        let Some(root) = chain.last() else { return Some(UntrustedReason::IssuerUnknown) };
        let complete = root.fingerprint == root.issuer_fingerprint;
        let steps = steps(&chain);
        self.first_fault(&steps, now).or((!complete).then_some(UntrustedReason::IssuerUnknown))
    }

    /// Why an accepted certificate is not trusted at `now`; nothing when it is.
    pub fn untrusted_path(&self, it: Accepted<'_>, now: DateTime<Utc>) -> Option<UntrustedReason> {
        let above: Vec<&Fact> =
            it.path.iter().skip(1).map_while(|it| self.by_fingerprint.get(it)).collect();
        let complete = !above.is_empty() && above.len() + 1 == it.path.len();
        let own = Step {
            serial: it.serial,
            issuer_key: above.first().map_or("", |issuer| &issuer.key_fingerprint),
            status: Status::Active,
            begins: None,
            ends: it.not_after,
        };
        let steps: Vec<Step<'_>> = std::iter::once(own).chain(steps(&above)).collect();
        self.first_fault(&steps, now).or((!complete).then_some(UntrustedReason::IssuerUnknown))
    }

    fn first_fault(&self, steps: &[Step<'_>], now: DateTime<Utc>) -> Option<UntrustedReason> {
        let mut faults = steps.iter().enumerate().map(|(at, step)| (at, self.fault(step, now)));
        let (at, fault) = faults.find_map(|(at, fault)| Some((at, fault?)))?;
        Some(if at == 0 { fault } else { fault.of_issuer() })
    }

    fn fault(&self, step: &Step<'_>, now: DateTime<Utc>) -> Option<UntrustedReason> {
        let taken_back = self.revocations.hold(step.issuer_key, step.serial);
        match step.status {
            _ if taken_back => Some(UntrustedReason::Revoked),
            Status::Revoked => Some(UntrustedReason::Revoked),
            Status::Disabled => Some(UntrustedReason::Disabled),
            Status::Active if step.ends < now => Some(UntrustedReason::Expired),
            Status::Active if step.begins.is_some_and(|begins| now < begins) => {
                Some(UntrustedReason::NotYetValid)
            }
            Status::Active => None,
        }
    }
}

/// The steps of a chain that goes up to its root, which is its own issuer.
fn steps<'a>(chain: &[&'a Fact]) -> Vec<Step<'a>> {
    let issuers = chain.iter().skip(1).chain(chain.last());
    let step = |(it, issuer): (&&'a Fact, &&'a Fact)| Step {
        serial: &it.serial,
        issuer_key: &issuer.key_fingerprint,
        status: it.status,
        begins: Some(it.valid_from),
        ends: it.valid_till,
    };
    chain.iter().zip(issuers).map(step).collect()
}

impl UntrustedReason {
    fn of_issuer(self) -> Self {
        match self {
            Self::Revoked | Self::IssuerRevoked => Self::IssuerRevoked,
            Self::Disabled | Self::IssuerDisabled => Self::IssuerDisabled,
            Self::Expired | Self::IssuerExpired => Self::IssuerExpired,
            Self::NotYetValid | Self::IssuerNotYetValid => Self::IssuerNotYetValid,
            Self::IssuerUnknown => Self::IssuerUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UntrustedReason::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::days(day)
    }

    fn fact(name: &str, issuer: &str) -> Fact {
        Fact {
            id: name.into(),
            fingerprint: name.to_owned(),
            issuer_fingerprint: issuer.to_owned(),
            key_fingerprint: format!("key of {name}"),
            serial: format!("serial of {name}"),
            status: Status::Active,
            valid_from: day(0),
            valid_till: day(100),
            revoked_serials: BTreeSet::new(),
        }
    }

    /// A root, an intermediate, an issuing CA.
    fn three() -> [Fact; 3] {
        [fact("root", "root"), fact("middle", "root"), fact("issuing", "middle")]
    }

    fn path() -> Vec<String> {
        ["leaf", "issuing", "middle", "root"].map(String::from).to_vec()
    }

    /// What becomes of root, middle, issuing and a leaf below it.
    fn told(facts: impl IntoIterator<Item = Fact>, now: i64) -> [Option<UntrustedReason>; 4] {
        let facts = Facts::new(facts);
        let leaf = Accepted { serial: "serial of leaf", not_after: day(50), path: &path() };
        let [root, middle, issuing] =
            ["root", "middle", "issuing"].map(|it| facts.untrusted(it, day(now)));
        [root, middle, issuing, facts.untrusted_path(leaf, day(now))]
    }

    fn changed(at: usize, change: impl FnOnce(&mut Fact)) -> [Fact; 3] {
        let mut facts = three();
        change(&mut facts[at]);
        facts
    }

    #[test]
    fn what_is_above_decides_about_everything_below() {
        assert_eq!(told(three(), 10), [None; 4]);
        let disabled = changed(0, |it| it.status = Status::Disabled);
        let below = Some(IssuerDisabled);
        assert_eq!(told(disabled, 10), [Some(Disabled), below, below, below]);
        let revoked = changed(1, |it| it.status = Status::Revoked);
        let below = Some(IssuerRevoked);
        assert_eq!(told(revoked, 10), [None, Some(Revoked), below, below]);
        let ended = changed(2, |it| it.valid_till = day(5));
        assert_eq!(told(ended, 10), [None, None, Some(Expired), Some(IssuerExpired)]);
        let early = changed(2, |it| it.valid_from = day(20));
        assert_eq!(told(early, 10), [None, None, Some(NotYetValid), Some(IssuerNotYetValid)]);
        assert_eq!(told(three(), 51), [None, None, None, Some(Expired)]);
    }

    #[test]
    fn a_list_takes_back_what_its_ca_issued_and_nothing_else() {
        let lists = |serial: &str| {
            let serials = BTreeSet::from([format!("serial of {serial}")]);
            move |it: &mut Fact| it.revoked_serials = serials
        };
        let below = Some(IssuerRevoked);
        assert_eq!(told(changed(0, lists("middle")), 10), [None, Some(Revoked), below, below]);
        assert_eq!(told(changed(2, lists("leaf")), 10), [None, None, None, Some(Revoked)]);
        assert_eq!(told(changed(0, lists("leaf")), 10), [None; 4]);
        assert_eq!(told(changed(0, lists("issuing")), 10), [None; 4]);
        assert_eq!(told(changed(0, lists("root")), 10), [Some(Revoked), below, below, below]);
    }

    #[test]
    fn the_nearest_reason_is_told_and_of_one_certificate_the_one_that_lasts() {
        let mut facts = three();
        (facts[0].status, facts[2].status) = (Status::Revoked, Status::Disabled);
        facts[2].valid_till = day(5);
        let [root, middle, issuing, leaf] = told(facts, 10);
        assert_eq!((root, middle), (Some(Revoked), Some(IssuerRevoked)));
        assert_eq!((issuing, leaf), (Some(Disabled), Some(IssuerDisabled)));
    }

    #[test]
    fn who_is_not_known_vouches_for_nobody() {
        let [_, middle, issuing] = three();
        let unknown = Some(IssuerUnknown);
        assert_eq!(told([middle, issuing], 10), [unknown; 4]);
    }

    #[test]
    fn chains_go_up_to_the_root_and_never_in_circles() {
        let facts = Facts::new(three());
        let names: Vec<&str> = facts.chain("issuing").iter().map(|it| it.id.as_str()).collect();
        assert_eq!(names, ["issuing", "middle", "root"]);
        let circle = Facts::new([fact("one", "two"), fact("two", "one")]);
        assert_eq!(circle.chain("one").len(), 2);
        assert_eq!(circle.untrusted("one", day(1)), Some(IssuerUnknown));
    }
}
