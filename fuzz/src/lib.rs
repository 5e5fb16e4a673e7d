//! What every target asks of a certificate.

use chrono::{DateTime, Utc};
use domain::certificate::{Certificate, CertificatePolicy, lint};

/// 2026-12-01, when the chains of the seeds are valid.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_796_083_200, 0).unwrap_or_default()
}

/// Reads `text`. Whatever is read reads again from its own PEM, as the same certificate.
pub fn read(text: &str) -> Option<Certificate> {
    let certificate = Certificate::read(text, "").ok()?;
    let again = Certificate::read(&certificate.pem(), "");
    assert_eq!(again.as_ref(), Ok(&certificate), "it does not survive being kept");
    look_at(&certificate);
    Some(certificate)
}

/// Asks everything that can be asked of one certificate.
fn look_at(certificate: &Certificate) {
    let findings = lint(certificate, now(), &CertificatePolicy::default(), "");
    let names = [certificate.subject(), certificate.issuer(), format!("{certificate:?}")];
    for text in names.iter().chain(findings.iter().map(|finding| &finding.message)) {
        assert!(!text.chars().any(char::is_control), "a name draws on the terminal: {text:?}");
    }
    let _ = (certificate.is_self_signed(), certificate.organizations(), certificate.path_len());
}
