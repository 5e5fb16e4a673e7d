//! One upload of trust certificates: any number in any order, all of them or none.
//!
//! What the upload itself makes trusted counts for the rest of it: the certificates are judged again
//! until nothing more is accepted. The log gets them in that order, issuers first.

use super::{TrustedSet, UploadTrustCertificate, fence, trusted};
use crate::event_store::Name;
use crate::unit::{Decided, Unit};
use crate::{Done, Error, Result};
use chrono::{DateTime, Utc};
use domain::Finding;
use domain::actor::Operation;
use domain::certificate::{self, Certificate, CertificatePolicy, check_trust_certificate};
use domain::ids::TrustCertificateId;
use domain::proposal::ProposedAction;
use domain::reference::TrustDomain;
use domain::trust_certificate::{Command, TrustCertificate, TrustKind, Trusted};
use std::collections::HashMap;

/// The largest upload that can wait for a second person, in bytes of JSON: a proposal is one event.
const MAX_PROPOSED: usize = 60_000;

const FIELD: &str = "certificateData";

/// What became of an upload.
#[derive(Debug)]
pub struct Uploaded {
    /// Each certificate in the order of the upload; empty while a proposal waits.
    pub certificates: Vec<UploadedCertificate>,
    /// The first certificate, or the proposal.
    pub done: Done,
}

/// One certificate of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedCertificate {
    /// The id of its record.
    pub id: TrustCertificateId,
    /// Whether the upload made it known; else it was before.
    pub added: bool,
}

impl From<Done> for Uploaded {
    fn from(done: Done) -> Self {
        if done.proposed {
            return Self { certificates: Vec::new(), done };
        }
        let certificates = from_text(&done.id);
        let id = certificates.first().map(|it| it.id.as_str().to_owned()).unwrap_or_default();
        Self { certificates, done: Done { id, ..done } }
    }
}

/// An upload that was decided.
pub(crate) struct Upload {
    certificates: Vec<UploadedCertificate>,
    /// The subjects of the roots that it adds.
    new_roots: Vec<String>,
}

impl Upload {
    /// The decision is about all certificates of the upload.
    pub fn decided(&self) -> Decided {
        Decided::about_many(to_text(&self.certificates))
    }

    /// What is to be confirmed by a second person, for people; nothing without a new root.
    pub fn target(&self) -> Option<String> {
        let (first, others) = self.new_roots.split_first()?;
        let more = others.len();
        Some(if more == 0 { first.clone() } else { format!("{first} and {more} more") })
    }
}

/// Trusts the certificates that are not known in the domain yet.
pub(crate) async fn upload(unit: &Unit, input: &UploadTrustCertificate) -> Result<Upload> {
    unit.permit(Operation::UploadTrustCertificate)?;
    let read = Certificate::read_bundle(&input.certificate_data, FIELD)?;
    let domain = input.partner_domain;
    let mut set = trusted(unit, domain).await?;
    let fingerprints: Vec<String> =
        read.iter().filter_map(|(_, it)| Some(it.as_ref().ok()?.sha256())).collect();
    let db = unit.pool();
    let known = projections::trust_certificate::by_fingerprints(db, domain, &fingerprints).await?;
    unit.load_many::<TrustCertificate>(&known.values().cloned().collect::<Vec<_>>()).await?;
    let mut bundle = Bundle::new(read, &known);
    bundle.judge(domain, &mut set, unit.now);
    store(unit, domain, bundle.all_accepted()?, known)
}

/// Certificates of an upload, and what is found out about each.
struct Bundle {
    parts: Vec<Part>,
    /// What is new, in the order in which it was accepted.
    new: Vec<Trusted>,
}

struct Part {
    field: String,
    verdict: Verdict,
}

enum Verdict {
    /// Not accepted, so far for these reasons.
    Waits(Box<Certificate>, Vec<Finding>),
    /// Refused for good.
    Refused(Vec<Finding>),
    /// Known before or accepted now, by its fingerprint.
    Accepted(String),
}

impl Bundle {
    fn new(read: Vec<(String, certificate::OneOf)>, known: &HashMap<String, String>) -> Self {
        let verdict = |read| match read {
            Err(findings) => Verdict::Refused(findings),
            Ok(certificate) => known_or_waiting(certificate, known),
        };
        let part = |(field, read)| Part { field, verdict: verdict(read) };
        Self { parts: read.into_iter().map(part).collect(), new: Vec::new() }
    }

    /// Accepts whatever can be accepted, and adds it to `set`.
    fn judge(&mut self, domain: TrustDomain, set: &mut TrustedSet, now: DateTime<Utc>) {
        let mut accepted = 1;
        while accepted > 0 {
            let before = self.new.len();
            for part in &mut self.parts {
                let Verdict::Waits(certificate, findings) = &mut part.verdict else { continue };
                match judged(domain, certificate, set, now, &part.field) {
                    Err(found) => *findings = found,
                    Ok(new) => {
                        set.add(new.kind, (**certificate).clone());
                        part.verdict = Verdict::Accepted(new.fingerprint.clone());
                        self.new.push(new);
                    }
                }
            }
            accepted = self.new.len() - before;
        }
    }

    /// The fingerprints in the order of the upload, and what is new; or all that is wrong.
    fn all_accepted(self) -> Result<(Vec<String>, Vec<Trusted>)> {
        let (mut fingerprints, mut findings) = (Vec::new(), Vec::new());
        for part in self.parts {
            match part.verdict {
                Verdict::Accepted(fingerprint) => fingerprints.push(fingerprint),
                Verdict::Waits(_, found) | Verdict::Refused(found) => findings.extend(found),
            }
        }
        if findings.is_empty() {
            Ok((fingerprints, self.new))
        } else {
            Err(Error::Refused(findings))
        }
    }
}

fn known_or_waiting(certificate: Certificate, known: &HashMap<String, String>) -> Verdict {
    let fingerprint = certificate.sha256();
    if known.contains_key(&fingerprint) {
        Verdict::Accepted(fingerprint)
    } else {
        Verdict::Waits(Box::new(certificate), Vec::new())
    }
}

/// Judges a certificate by what is trusted in its domain.
fn judged(
    domain: TrustDomain,
    it: &Certificate,
    set: &TrustedSet,
    now: DateTime<Utc>,
    field: &str,
) -> Result<Trusted, Vec<Finding>> {
    let kind = check_trust_certificate(it, set.store(), now, &CertificatePolicy::default(), field)?;
    let fingerprint = it.sha256();
    let (kind, issuer_fingerprint) = match kind {
        certificate::TrustKind::Root => (TrustKind::Root, fingerprint.clone()),
        certificate::TrustKind::Intermediate { issuer_sha256 } => {
            (TrustKind::Intermediate, issuer_sha256)
        }
    };
    Ok(Trusted {
        domain,
        kind,
        fingerprint,
        issuer_fingerprint,
        certificate: it.pem(),
        subject: it.subject(),
        issuer: it.issuer(),
        not_before: it.not_before(),
        not_after: it.not_after(),
    })
}

/// Lets each new certificate begin its stream; a certificate that stands twice in the upload begins
/// one.
fn store(
    unit: &Unit,
    domain: TrustDomain,
    (fingerprints, new): (Vec<String>, Vec<Trusted>),
    mut ids: HashMap<String, String>,
) -> Result<Upload> {
    let mut added: HashMap<String, String> = HashMap::new();
    let mut new_roots = Vec::new();
    for trusted in new {
        let fingerprint = trusted.fingerprint.clone();
        if added.contains_key(&fingerprint) {
            continue;
        }
        if trusted.kind == TrustKind::Root {
            new_roots.push(trusted.subject.clone());
        }
        let mut stream = unit.begin::<TrustCertificate>();
        let name = Name { kind: "trust_certificate", key: format!("{domain}/{fingerprint}") };
        unit.claim(name, stream.stream_id(), None);
        unit.raise(fence(domain));
        unit.decide(&mut stream, Command::Upload(trusted))?;
        added.insert(fingerprint, stream.id);
    }
    // What is told of a certificate first is that it was added, then that it is known.
    let told = |fingerprint: &String| {
        let new = added.remove(fingerprint);
        let is_new = new.is_some();
        let id = ids.entry(fingerprint.clone()).or_insert_with(|| new.unwrap_or_default());
        UploadedCertificate { id: id.as_str().into(), added: is_new }
    };
    Ok(Upload { certificates: fingerprints.iter().map(told).collect(), new_roots })
}

/// Refuses what would have to wait for a second person, and does not fit into a proposal.
pub(crate) fn refuse_too_large(unit: &Unit, input: &UploadTrustCertificate) -> Result<()> {
    let size = serde_json::to_string(input).map_err(|error| Error::Fault(error.into()))?.len();
    if !unit.wants_second_person(ProposedAction::UploadTrustCertificate) || size <= MAX_PROPOSED {
        return Ok(());
    }
    let message = "A new root needs a second person here, and what waits for one has at most \
        60,000 bytes. Send the roots alone first; intermediates need no second person.";
    Err(vec![Finding::new("PROPOSAL_TOO_LARGE", FIELD, message).with("max", MAX_PROPOSED)].into())
}

/// The certificates of an upload in one text, as an idempotency key remembers them: `+` stands before
/// those that were added.
fn to_text(certificates: &[UploadedCertificate]) -> String {
    let text =
        |it: &UploadedCertificate| format!("{}{}", if it.added { "+" } else { "" }, it.id.as_str());
    certificates.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn from_text(text: &str) -> Vec<UploadedCertificate> {
    let certificate = |text: &str| match text.strip_prefix('+') {
        Some(id) => UploadedCertificate { id: id.into(), added: true },
        None => UploadedCertificate { id: text.into(), added: false },
    };
    text.split_ascii_whitespace().map(certificate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_each_certificate_is_remembered() {
        let told = [("one", true), ("two", false), ("one", false)]
            .map(|(id, added)| UploadedCertificate { id: id.into(), added });
        assert_eq!(to_text(&told), "+one two one");
        assert_eq!(from_text("+one two one"), told);
    }

    #[test]
    fn what_waits_for_a_second_person_is_named_by_its_roots() {
        let target = |roots: &[&str]| {
            let new_roots = roots.iter().map(|it| (*it).to_owned()).collect();
            Upload { certificates: Vec::new(), new_roots }.target()
        };
        assert_eq!(target(&[]), None);
        assert_eq!(target(&["CN=One"]).as_deref(), Some("CN=One"));
        assert_eq!(target(&["CN=One", "CN=Two"]).as_deref(), Some("CN=One and 1 more"));
    }
}
