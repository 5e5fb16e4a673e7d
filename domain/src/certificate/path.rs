//! The way from a certificate up to a root of the trust store (RFC 5280, section 6).
//!
//! Going up, every step asks whether the candidate really issued what stands below it. Nothing in
//! these rules depends on what comes above, so a path that arrives at a root is a valid one. The
//! root is judged like every other CA, its path length and name constraints included (RFC 5937).
//! When a way ends, the next candidate is tried; budgets end the search in hostile stores.

use super::constraints::GeneralName;
use super::name::EMAIL;
use super::{Certificate, CertificatePolicy, TrustStore, key, lint, signature};
use crate::finding::Finding;
use chrono::{DateTime, Utc};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Certificates in a path, both ends included.
pub const MAX_PATH: usize = 8;
/// Signatures that one search checks; each costs up to half a millisecond.
pub const MAX_SIGNATURE_CHECKS: u32 = 200;
/// Names compared with name constraints in one search.
pub const MAX_NAME_COMPARISONS: usize = 50_000;

/// The path from `certificate` to a root, both included.
///
/// # Errors
/// Why there is none: the finding of the way that came furthest.
pub(super) fn find<'a>(
    certificate: &'a Certificate,
    store: TrustStore<'a>,
    now: DateTime<Utc>,
    policy: &'a CertificatePolicy,
    field: &'a str,
) -> Result<Vec<&'a Certificate>, Finding> {
    let mut search = Search {
        store,
        now,
        policy,
        field,
        signatures_left: MAX_SIGNATURE_CHECKS,
        comparisons_left: MAX_NAME_COMPARISONS,
        judged: BTreeMap::new(),
        furthest: None,
    };
    let mut path = vec![certificate];
    if search.climb(&mut path) {
        return Ok(path);
    }
    Err(search.explanation(certificate))
}

struct Search<'a> {
    store: TrustStore<'a>,
    now: DateTime<Utc>,
    policy: &'a CertificatePolicy,
    field: &'a str,
    signatures_left: u32,
    comparisons_left: usize,
    /// What the lint said of a CA, by its DER; one CA can stand on many ways.
    judged: BTreeMap<&'a [u8], Option<Finding>>,
    furthest: Option<(Progress, Finding)>,
}

/// How far a way came before it ended; the last one tells the most. Within one stage the longer
/// way came further.
type Progress = (Stage, usize);

/// Builds a finding about a certificate, for a field.
type ChainFinding = fn(&Certificate, &str) -> Finding;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    IssuerUnknown,
    SignatureWrong,
    IssuerRefused,
    BudgetSpent,
}

impl<'a> Search<'a> {
    /// Whether `path` could be completed; if so it is. Its last certificate is the one whose
    /// issuer is looked for.
    fn climb(&mut self, path: &mut Vec<&'a Certificate>) -> bool {
        let candidates = self.candidates(path);
        if candidates.is_empty() {
            self.end(path, Stage::IssuerUnknown, issuer_unknown);
        }
        for (issuer, is_anchor) in candidates {
            if self.budget_is_spent(path) {
                return false;
            }
            if self.step(path, issuer) {
                path.push(issuer);
                if is_anchor || self.climb(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// All certificates with the issuer's name that are not in the path yet, the likely ones
    /// first: those whose key id is asked for, and roots. A key id only orders, it proves nothing.
    fn candidates(&self, path: &[&'a Certificate]) -> Vec<(&'a Certificate, bool)> {
        let Some(child) = path.last() else {
            return Vec::new();
        };
        let anchors = self.store.anchors.iter().map(|c| (c, true));
        let all = anchors.chain(self.store.intermediates.iter().map(|c| (c, false)));
        let mut named: Vec<_> =
            all.filter(|(c, _)| c.subject.same_as(&child.issuer) && !stands_in(path, c)).collect();
        named.sort_by_key(|(c, is_anchor)| Reverse((has_asked_key_id(c, child), *is_anchor)));
        named
    }

    fn budget_is_spent(&mut self, path: &[&'a Certificate]) -> bool {
        let spent = self.signatures_left == 0 || self.comparisons_left == 0;
        if spent || path.len() >= MAX_PATH {
            self.end(path, Stage::BudgetSpent, budget_spent);
        }
        spent || path.len() >= MAX_PATH
    }

    /// Whether `issuer` issued the end of `path` and may stand above all of it.
    fn step(&mut self, path: &[&'a Certificate], issuer: &'a Certificate) -> bool {
        let Some(child) = path.last() else {
            return false;
        };
        self.signatures_left -= 1;
        if !signature::verifies(&child.signed, issuer) {
            let finding =
                self.weak_key_of(issuer).unwrap_or_else(|| bad_signature(child, self.field));
            self.keep((Stage::SignatureWrong, path.len()), finding);
            return false;
        }
        let fault = self.fault_of(issuer);
        let fault = fault.or_else(|| self.revocation_by(issuer, child));
        let fault = fault.or_else(|| self.fault_above(path, issuer));
        let sound = fault.is_none();
        if let Some(finding) = fault {
            self.keep((Stage::IssuerRefused, path.len()), finding);
        }
        sound
    }

    /// A signature by a key of a refused type or size is not even looked at: then the key is what
    /// to speak about. For all other issuers the lint would cost more than the signature did.
    fn weak_key_of(&mut self, issuer: &'a Certificate) -> Option<Finding> {
        if key::can_verify(&issuer.key) { None } else { self.fault_of(issuer) }
    }

    /// What is wrong with a CA by itself.
    fn fault_of(&mut self, ca: &'a Certificate) -> Option<Finding> {
        let (now, policy, field) = (self.now, self.policy, self.field);
        let judged = self.judged.entry(ca.der()).or_insert_with(|| {
            let mut findings = lint::lint(ca, now, policy, field);
            findings.extend(lint::ca_findings(ca, field));
            findings.into_iter().next().map(|finding| ca_refused(ca, &finding, field))
        });
        judged.clone()
    }

    /// Whether `issuer` takes back what it has issued: `child`, or itself when it is a root.
    fn revocation_by(&self, issuer: &Certificate, child: &Certificate) -> Option<Finding> {
        let itself = issuer.is_self_issued().then_some(issuer);
        let mut judged = std::iter::once(child).chain(itself);
        let struck = judged.find(|it| self.store.revocations.strike(issuer, it))?;
        Some(revoked(struck, issuer, self.field))
    }

    /// What forbids `issuer` to stand above `path`.
    fn fault_above(&mut self, path: &[&Certificate], issuer: &Certificate) -> Option<Finding> {
        let cost = path.iter().map(|below| issuer.name_constraints.cost(name_count(below))).sum();
        if self.comparisons_left < cost {
            self.comparisons_left = 0;
            return path.last().map(|child| budget_spent(child, self.field));
        }
        self.comparisons_left -= cost;
        issuing_fault(issuer, path, self.field)
    }

    /// This way ends here; `finding` says why.
    fn end(&mut self, path: &[&Certificate], stage: Stage, finding: ChainFinding) {
        if let Some(child) = path.last() {
            self.keep((stage, path.len()), finding(child, self.field));
        }
    }

    fn keep(&mut self, progress: Progress, finding: Finding) {
        if self.furthest.as_ref().is_none_or(|(best, _)| progress > *best) {
            self.furthest = Some((progress, finding));
        }
    }

    fn explanation(self, certificate: &Certificate) -> Finding {
        let furthest = self.furthest.map(|(_, finding)| finding);
        furthest.unwrap_or_else(|| issuer_unknown(certificate, self.field))
    }
}

/// What forbids `issuer` to stand above the certificates of `below`, which go from the target up:
/// its path length or its name constraints.
pub(super) fn issuing_fault(
    issuer: &Certificate,
    below: &[&Certificate],
    field: &str,
) -> Option<Finding> {
    let cas = below.iter().filter(|c| c.is_ca() && !c.is_self_issued()).count();
    let allowed = issuer.path_len().map(|len| usize::try_from(len).unwrap_or(usize::MAX));
    if allowed.is_some_and(|allowed| cas > allowed) {
        return Some(path_too_long(issuer, field));
    }
    let judged = below.iter().enumerate().filter(|(at, c)| *at == 0 || !c.is_self_issued());
    let mut refused = judged.filter_map(|(_, c)| Some((c, refused_name(issuer, c)?)));
    refused.next().map(|(c, name)| name_not_permitted(issuer, c, &name, field))
}

fn refused_name(issuer: &Certificate, below: &Certificate) -> Option<String> {
    let constraints = &issuer.name_constraints;
    if constraints.is_empty() {
        return None;
    }
    let refused = names(below).into_iter().find(|name| !constraints.permits(name));
    refused.map(|name| name.display())
}

/// RFC 5280, 4.2.1.10: the subject, every alternative name, and mail addresses in the subject when
/// the alternative names have none.
fn names(certificate: &Certificate) -> Vec<GeneralName> {
    let mut names = certificate.alternative_names.clone();
    let has_mail = names.iter().any(|name| matches!(name, GeneralName::Email(_)));
    if !has_mail {
        names.extend(certificate.subject.values(EMAIL).into_iter().map(GeneralName::Email));
    }
    if !certificate.subject.is_empty() {
        names.push(GeneralName::Directory(certificate.subject.clone()));
    }
    names
}

fn name_count(certificate: &Certificate) -> usize {
    certificate.alternative_names.len() + certificate.subject.values(EMAIL).len() + 1
}

/// RFC 5280, 6.1 forbids a certificate twice; the same name with the same key is no progress
/// either, and would let cross certificates run in circles.
fn stands_in(path: &[&Certificate], candidate: &Certificate) -> bool {
    path.iter().any(|c| c.key.spki == candidate.key.spki && c.subject.same_as(&candidate.subject))
}

fn has_asked_key_id(candidate: &Certificate, child: &Certificate) -> bool {
    child.authority_key_id.is_some() && child.authority_key_id == candidate.subject_key_id
}

fn chain_finding(code: &'static str, about: &Certificate, field: &str, message: String) -> Finding {
    Finding::new(code, field, message)
        .with("subject", about.subject())
        .with("sha256", about.sha256())
}

fn issuer_unknown(child: &Certificate, field: &str) -> Finding {
    let message = format!(
        "The issuer \"{}\" of \"{}\" is not in the trust store of this domain. Have its \
        certificate added first, the root before the intermediates.",
        child.issuer(),
        child.subject()
    );
    chain_finding("ISSUER_UNKNOWN", child, field, message).with("issuer", child.issuer())
}

fn bad_signature(child: &Certificate, field: &str) -> Finding {
    let message = format!(
        "\"{}\" was not signed with the key of the issuer \"{}\" that is in the trust store. \
        Perhaps the CA has a new key: have its present certificate added.",
        child.subject(),
        child.issuer()
    );
    chain_finding("BAD_SIGNATURE", child, field, message).with("issuer", child.issuer())
}

fn budget_spent(child: &Certificate, field: &str) -> Finding {
    let message = format!(
        "No path to a root was found within the limits: at most {MAX_PATH} certificates, \
        {MAX_SIGNATURE_CHECKS} signatures and {MAX_NAME_COMPARISONS} compared names. Use a shorter \
        chain."
    );
    chain_finding("PATH_BUDGET", child, field, message)
}

fn ca_refused(ca: &Certificate, finding: &Finding, field: &str) -> Finding {
    let message =
        format!("The CA \"{}\" in the chain cannot be used. {}", ca.subject(), finding.message);
    chain_finding("CHAIN_CERTIFICATE_REFUSED", ca, field, message).with("reason", finding.code)
}

fn revoked(child: &Certificate, issuer: &Certificate, field: &str) -> Finding {
    let message = format!(
        "The CA \"{}\" has taken back the certificate of \"{}\" with the serial number {}. Have a new \
        one issued, for a new key.",
        issuer.subject(),
        child.subject(),
        child.serial()
    );
    chain_finding("CERTIFICATE_REVOKED", child, field, message)
        .with("issuer", issuer.subject())
        .with("serial", child.serial())
}

fn path_too_long(issuer: &Certificate, field: &str) -> Finding {
    let allowed = issuer.path_len().unwrap_or_default();
    let message = format!(
        "The CA \"{}\" allows {allowed} further CAs below it and there are more. Have the \
        certificate issued nearer to the root.",
        issuer.subject()
    );
    chain_finding("PATH_LENGTH", issuer, field, message).with("allowed", allowed)
}

fn name_not_permitted(
    issuer: &Certificate,
    below: &Certificate,
    name: &str,
    field: &str,
) -> Finding {
    let message = format!(
        "The CA \"{}\" may not issue certificates for \"{name}\". Have the certificate of \"{}\" \
        issued with a permitted name or by another CA.",
        issuer.subject(),
        below.subject()
    );
    chain_finding("NAME_NOT_PERMITTED", issuer, field, message).with("name", name)
}
