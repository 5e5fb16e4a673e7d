//! Certificates of partners and chips, and what they are at an instant.

use crate::page::{Conditions, Parameter};
use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use domain::certificate::Certificate;
use domain::partner::AcceptedCertificate;
use serde::{Deserialize, Serialize};

/// A certificate that a partner uploaded for itself or for a chip, and the one that was issued for
/// it.
#[derive(Debug, Clone, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "PartnerCertificateRow")]
pub struct PartnerCertificate {
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Its serial number, lower-case hex.
    #[graphql(name = "serialNumber")]
    pub serial: String,
    /// The certificate as the partner sent it, PEM.
    pub certificate_data: String,
    /// The counter-signed certificate, PEM.
    pub signed_certificate_data: String,
    /// Fingerprints of the verified path, the uploaded one first, the root last.
    pub path: Vec<String>,
    /// When the uploaded certificate ends.
    pub expires_at: DateTime<Utc>,
    /// When the counter-signed certificate ends.
    pub signed_expires_at: DateTime<Utc>,
    /// When it was accepted.
    pub uploaded_at: DateTime<Utc>,
    /// When a newer one takes its place for good; absent when both stay valid.
    pub superseded_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    pub revocation_reason: Option<String>,
    /// Until when it may be relied on: the first of its own end, its counter-signed form's, the
    /// end of the overlap with a newer one and its revocation.
    pub valid_until: DateTime<Utc>,
    /// Whether its end has been told.
    #[graphql(skip)]
    pub told: bool,
}

/// What a certificate is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CertificateStatus {
    /// May be relied on; during an overlap more than one is.
    Current,
    /// A newer one has taken its place.
    Superseded,
    /// Unfit for ever, with its key.
    Revoked,
    /// It or its counter-signed form has ended.
    Expired,
}

/// What the newest certificate of a partner or chip is now. Sorting by its end sorts by this, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum NewestCertificate {
    /// There is none.
    Missing,
    /// May be relied on.
    Current,
    /// It or its counter-signed form has ended.
    Expired,
}

impl NewestCertificate {
    /// One of several; an empty list matches nothing.
    pub(crate) fn filter(wanted: Option<&Vec<Self>>, conditions: &mut Conditions) {
        let Some(wanted) = wanted else { return };
        let ends = wanted.iter().map(|it| match it {
            Self::Missing => " or t.certificate_expires_at is null",
            Self::Current => " or t.certificate_expires_at > ?",
            Self::Expired => " or t.certificate_expires_at <= ?",
        });
        let now = Parameter::Time(conditions.now);
        conditions.add(&format!("(false{})", ends.collect::<String>()), std::iter::repeat(now));
    }
}

impl PartnerCertificate {
    /// A certificate as it was accepted at an instant.
    pub(crate) fn accepted(accepted: &AcceptedCertificate, at: DateTime<Utc>) -> Self {
        let read = Certificate::read(&accepted.certificate, "");
        Self {
            fingerprint: accepted.fingerprint.clone(),
            serial: read.map(|it| it.serial()).unwrap_or_default(),
            certificate_data: accepted.certificate.clone(),
            signed_certificate_data: accepted.signed_certificate.clone(),
            path: accepted.path.clone(),
            expires_at: accepted.not_after,
            signed_expires_at: accepted.signed_not_after,
            uploaded_at: at,
            superseded_at: None,
            revoked_at: None,
            revocation_reason: None,
            valid_until: accepted.ends_at(),
            told: false,
        }
    }

    /// A newer one takes its place at an instant, unless another one does before.
    pub(crate) fn is_superseded(&mut self, at: DateTime<Utc>) {
        self.superseded_at = Some(self.superseded_at.map_or(at, |before| before.min(at)));
        self.valid_until = self.valid_until.min(at);
    }

    pub(crate) fn is_revoked(&mut self, reason: &str, at: DateTime<Utc>) {
        self.revoked_at = Some(at);
        self.revocation_reason = Some(reason.to_owned());
        self.valid_until = self.valid_until.min(at);
    }

    /// What it is at an instant. Once revoked it stays so, also when it would have ended since.
    pub fn status(&self, at: DateTime<Utc>) -> CertificateStatus {
        let by = |end: Option<DateTime<Utc>>| end.is_some_and(|end| end <= at);
        let end = self.expires_at.min(self.signed_expires_at);
        if by(self.revoked_at) {
            CertificateStatus::Revoked
        } else if at < self.valid_until {
            CertificateStatus::Current
        } else if self.superseded_at.is_some_and(|superseded| superseded < end) {
            CertificateStatus::Superseded
        } else {
            CertificateStatus::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CertificateStatus::{Current, Expired, Revoked, Superseded};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn certificate(not_after: i64, signed_not_after: i64) -> PartnerCertificate {
        PartnerCertificate::accepted(
            &AcceptedCertificate {
                fingerprint: String::new(),
                key_fingerprint: String::new(),
                certificate: String::new(),
                signed_certificate: String::new(),
                path: Vec::new(),
                not_after: at(not_after),
                signed_not_after: at(signed_not_after),
                tbs_sha256: String::new(),
                overlap_until: None,
            },
            at(0),
        )
    }

    #[test]
    fn whichever_end_comes_first_is_the_end() {
        for (not_after, signed_not_after) in [(100, 50), (50, 100)] {
            let it = certificate(not_after, signed_not_after);
            assert_eq!((it.status(at(49)), it.status(at(50))), (Current, Expired));
        }
    }

    #[test]
    fn the_first_of_two_successors_ends_it_and_its_own_end_wins_over_both() {
        let mut it = certificate(100, 50);
        it.is_superseded(at(30));
        it.is_superseded(at(40));
        assert_eq!((it.valid_until, it.superseded_at), (at(30), Some(at(30))));
        let shown = [at(29), at(30), at(60)].map(|at| it.status(at));
        assert_eq!(shown, [Current, Superseded, Superseded]);
        let mut short = certificate(100, 20);
        short.is_superseded(at(30));
        assert_eq!((short.status(at(25)), short.status(at(31))), (Expired, Expired));
    }

    #[test]
    fn revoked_is_for_ever_and_not_before() {
        let mut it = certificate(100, 50);
        it.is_superseded(at(40));
        it.is_revoked("stolen", at(30));
        assert_eq!(it.valid_until, at(30));
        let shown = [at(29), at(30), at(45), at(200)].map(|at| it.status(at));
        assert_eq!(shown, [Current, Revoked, Revoked, Revoked]);
        let mut late = certificate(100, 50);
        late.is_revoked("stolen", at(70));
        let shown = [at(49), at(60), at(70)].map(|at| late.status(at));
        assert_eq!((late.valid_until, shown), (at(50), [Current, Expired, Revoked]));
    }
}
