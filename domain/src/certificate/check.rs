//! What an upload must pass, into a trust store or for a partner.

use super::{Certificate, CertificatePolicy, TrustKind, TrustStore, instant, lint, path};
use crate::finding::Finding;
use crate::reference::CertificateProfile;
use crate::text;
use chrono::{DateTime, Months, TimeDelta, Utc};

/// Judges a certificate that is to be trusted: a sound CA that lives long enough and is either
/// a self-signed root or has a path to a root of the store.
///
/// # Errors
/// All findings about the certificate itself, and why there is no path.
pub fn check_trust_certificate(
    certificate: &Certificate,
    store: TrustStore<'_>,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Result<TrustKind, Vec<Finding>> {
    let mut findings = lint::lint(certificate, now, policy, field);
    findings.extend(lint::ca_findings(certificate, field));
    let needed = now.checked_add_months(Months::new(policy.trust_months_left));
    findings.extend(life_finding(certificate, now, needed, field));
    match trust_kind(certificate, store, now, policy, field) {
        Ok(kind) if findings.is_empty() => Ok(kind),
        Ok(_) => Err(findings),
        Err(finding) => Err(with_path_finding(certificate, findings, finding)),
    }
}

fn trust_kind(
    certificate: &Certificate,
    store: TrustStore<'_>,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Result<TrustKind, Finding> {
    match (certificate.is_self_signed(), certificate.is_self_issued()) {
        (true, true) => Ok(TrustKind::Root),
        (true, false) => Err(names_differ(certificate, field)),
        (false, _) => {
            let path = path::find(certificate, store, now, policy, field)?;
            let issuer = path.get(1).map(|issuer| issuer.sha256());
            Ok(TrustKind::Intermediate { issuer_sha256: issuer.unwrap_or_default() })
        }
    }
}

fn names_differ(certificate: &Certificate, field: &str) -> Finding {
    let message = "The certificate is signed with its own key, but issuer and subject are \
        different names. A root must name itself as its issuer.";
    Finding::new("SELF_SIGNED_NAMES_DIFFER", field, message)
        .with("subject", certificate.subject())
        .with("issuer", certificate.issuer())
}

/// Whether `issuer` is a CA that may put `certificate` below itself: its flags, its path length and
/// its name constraints. Signature and dates are not looked at.
pub fn issuer_findings(
    issuer: &Certificate,
    certificate: &Certificate,
    field: &str,
) -> Vec<Finding> {
    let fault = path::issuing_fault(issuer, &[certificate], field);
    lint::ca_findings(issuer, field).into_iter().chain(fault).collect()
}

/// Judges a partner's certificate and returns the SHA-256 of every certificate of its path, from
/// the partner's to the root's.
///
/// Whether the key belongs to another partner, and whether this certificate is already there, is
/// for the caller to decide, from `spki_sha256` and `sha256`.
///
/// # Errors
/// All findings about the certificate itself, and why there is no path.
pub fn check_partner_certificate(
    certificate: &Certificate,
    organization: &str,
    profile: CertificateProfile,
    store: TrustStore<'_>,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Result<Vec<String>, Vec<Finding>> {
    let mut findings = lint::lint(certificate, now, policy, field);
    findings.extend(profile_findings(certificate, profile, field));
    findings.extend(organization_finding(certificate, organization, field));
    let needed = now.checked_add_signed(TimeDelta::days(policy.partner_days_left.into()));
    findings.extend(life_finding(certificate, now, needed, field));
    match partner_path(certificate, store, now, policy, field) {
        Ok(path) if findings.is_empty() => Ok(path),
        Ok(_) => Err(findings),
        Err(finding) => Err(with_path_finding(certificate, findings, finding)),
    }
}

/// The path of a partner's certificate to a root, whatever else is wrong with it: the SHA-256 of
/// every certificate of it.
///
/// # Errors
/// Why there is none.
pub fn partner_path(
    certificate: &Certificate,
    store: TrustStore<'_>,
    now: DateTime<Utc>,
    policy: &CertificatePolicy,
    field: &str,
) -> Result<Vec<String>, Finding> {
    if certificate.is_self_issued() || certificate.is_self_signed() {
        return Err(self_signed(field));
    }
    let path = path::find(certificate, store, now, policy, field)?;
    Ok(path.into_iter().map(Certificate::sha256).collect())
}

fn self_signed(field: &str) -> Finding {
    let message = "The certificate was issued by its own subject. Have a CA issue it whose root is \
        in the trust store of your domain.";
    Finding::new("SELF_SIGNED", field, message)
}

/// A signature that was not even looked at, because its algorithm or a root's own key is refused,
/// is no second fault.
fn with_path_finding(
    certificate: &Certificate,
    mut findings: Vec<Finding>,
    finding: Finding,
) -> Vec<Finding> {
    let refused = |prefix| findings.iter().any(|found| found.code.starts_with(prefix));
    let explained = match finding.code {
        "BAD_SIGNATURE" => refused("SIGALG_"),
        "ISSUER_UNKNOWN" if certificate.is_self_issued() => refused("SIGALG_") || refused("KEY_"),
        _ => false,
    };
    if !explained {
        findings.push(finding);
    }
    findings
}

fn life_finding(
    certificate: &Certificate,
    now: DateTime<Utc>,
    needed: Option<DateTime<Utc>>,
    field: &str,
) -> Option<Finding> {
    let expired = certificate.not_after < now;
    let lives = needed.is_some_and(|needed| certificate.not_after >= needed);
    (!expired && !lives).then(|| {
        let ends = instant(certificate.not_after);
        let needed = needed.map(instant).unwrap_or_default();
        let message = format!(
            "The certificate ends too soon, at {ends}. It must be valid at least \
            until {needed}: renew it at your CA."
        );
        Finding::new("VALIDITY_TOO_SHORT", field, message)
            .with("notAfter", ends)
            .with("needed", needed)
    })
}

fn profile_findings(
    certificate: &Certificate,
    profile: CertificateProfile,
    field: &str,
) -> Vec<Finding> {
    match (profile, certificate.is_ca()) {
        (CertificateProfile::EndEntity, _) => {
            Vec::from_iter(end_entity_finding(certificate, field))
        }
        (CertificateProfile::Issuing, false) => Vec::from_iter(usage_finding(certificate, field)),
        (CertificateProfile::Issuing, true) => issuing_partner_findings(certificate, field),
    }
}

fn end_entity_finding(certificate: &Certificate, field: &str) -> Option<Finding> {
    let is_ca = certificate.is_ca()
        || certificate.may_sign_certificates()
        || !certificate.name_constraints.is_empty();
    let message = "This is the certificate of a CA. Send the end-entity certificate of your \
        system: no CA flag, no keyCertSign and no name constraints.";
    if is_ca {
        return Some(Finding::new("CA_NOT_ALLOWED", field, message));
    }
    usage_finding(certificate, field)
}

fn issuing_partner_findings(certificate: &Certificate, field: &str) -> Vec<Finding> {
    let mut findings = lint::ca_findings(certificate, field);
    if certificate.path_len() != Some(0) {
        let message = "A partner's CA may sign keys but no further CAs. Have it issued with a path \
            length of 0.";
        findings.push(Finding::new("PATH_LENGTH_NOT_ZERO", field, message));
    }
    findings
}

/// A missing keyUsage allows everything (RFC 5280, 4.2.1.3).
fn usage_finding(certificate: &Certificate, field: &str) -> Option<Finding> {
    let refused = certificate.key_usage.is_some_and(|usage| !usage.digital_signature());
    let message =
        "The key may not sign. Have the certificate issued with keyUsage digitalSignature.";
    refused.then(|| Finding::new("KEY_USAGE", field, message))
}

/// Exactly one O, equal to the registered name but for case, blanks and Unicode form.
fn organization_finding(
    certificate: &Certificate,
    registered: &str,
    field: &str,
) -> Option<Finding> {
    let organizations = certificate.organizations();
    let matches =
        matches!(organizations.as_slice(), [one] if text::normal(one) == text::normal(registered));
    (!matches).then(|| {
        let found = organizations.join(" | ");
        let message = format!(
            "The subject must have exactly one organisation (O) and it must be \
            \"{registered}\", as registered. The certificate has \"{found}\"."
        );
        Finding::new("ORG_MISMATCH", field, message)
            .with("registered", registered)
            .with("certificate", found)
    })
}
