//! A root or intermediate certificate that is trusted in one domain.
//!
//! Active ⇄ disabled. What stands below a disabled certificate is not trusted any more; whether a
//! chain holds is decided by [`certificate`](crate::certificate) over the active ones.

use crate::actor::Operation;
use crate::aggregate::{Actions, Expires, Possible};
use crate::reference::TrustDomain;
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// A wish about one trust certificate.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Trust it. `certificate` has checked it before.
    Upload(Trusted),
    /// Trust it no more, for a while.
    Disable(Reason),
    /// Trust it again.
    Enable(Reason),
    /// Tell that it has ended, if it has by now.
    Expire {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
}

/// A certificate that anchors or extends trust in one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// Where it is trusted; the same certificate may be trusted in several domains.
    pub domain: TrustDomain,
    /// Root or intermediate.
    pub kind: TrustKind,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Fingerprint of the certificate whose key verified this one; its own for a root.
    pub issuer_fingerprint: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Its subject, for people.
    pub subject: String,
    /// Its issuer, for people.
    pub issuer: String,
    /// When it begins.
    pub not_before: DateTime<Utc>,
    /// When it ends.
    pub not_after: DateTime<Utc>,
}

/// What a trust certificate is good for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TrustKind {
    /// Trusted because an administrator says so.
    Root,
    /// Trusted because a root says so.
    Intermediate,
}

/// What happened to a trust certificate. Stored for ever: add variants and optional fields, never
/// rename or remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Uploaded(Trusted),
    Disabled { reason: Reason },
    Enabled { reason: Reason },
    Expired { expired_at: DateTime<Utc> },
}

/// Why a wish about a trust certificate was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This trust certificate is not known.")]
    TrustCertificateNotFound,
    #[error("This trust certificate exists already.")]
    TrustCertificateExists,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "trustCertificateId"
    }
}

/// Where a trust certificate stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum TrustCertificate {
    /// Not uploaded.
    #[default]
    Missing,
    /// Trusted, while its dates hold.
    Active(Known),
    /// Not trusted for now.
    Disabled(Known),
}

/// What later decisions need to know of a trust certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As uploaded.
    pub trusted: Trusted,
    /// Whether its end has been told.
    pub expired: bool,
}

impl TrustCertificate {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{Disable, Enable, Expire, Upload};
        match (self, command) {
            (Self::Missing, Upload(trusted)) => Ok(vec![Event::Uploaded(trusted)]),
            (Self::Missing, Disable(_) | Enable(_) | Expire { .. }) => {
                Err(Refusal::TrustCertificateNotFound)
            }

            (
                Self::Active(Known { trusted: old, .. })
                | Self::Disabled(Known { trusted: old, .. }),
                Upload(new),
            ) => {
                let same = (old.domain, &old.fingerprint) == (new.domain, &new.fingerprint);
                if same { Ok(vec![]) } else { Err(Refusal::TrustCertificateExists) }
            }
            (Self::Active(_), Disable(reason)) => Ok(vec![Event::Disabled { reason }]),
            (Self::Disabled(_), Enable(reason)) => Ok(vec![Event::Enabled { reason }]),
            (Self::Active(_), Enable(_)) | (Self::Disabled(_), Disable(_)) => Ok(vec![]),
            (Self::Active(it) | Self::Disabled(it), Expire { now }) => {
                let expired_at = it.trusted.not_after;
                let untold = !it.expired && expired_at <= now;
                Ok(untold.then_some(Event::Expired { expired_at }).into_iter().collect())
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Uploaded(trusted)) => Self::Active(Known { trusted, expired: false }),
            (
                Self::Missing,
                Event::Disabled { .. } | Event::Enabled { .. } | Event::Expired { .. },
            ) => Self::Missing,
            (Self::Active(it) | Self::Disabled(it), Event::Disabled { .. }) => Self::Disabled(it),
            (Self::Active(it) | Self::Disabled(it), Event::Enabled { .. }) => Self::Active(it),
            (Self::Active(it), Event::Expired { .. }) => Self::Active(it.told()),
            (Self::Disabled(it), Event::Expired { .. }) => Self::Disabled(it.told()),
        }
    }

    /// The certificate, trusted now or not; nothing when it is missing.
    pub fn trusted(&self) -> Option<&Trusted> {
        match self {
            Self::Missing => None,
            Self::Active(it) | Self::Disabled(it) => Some(&it.trusted),
        }
    }
}

impl Known {
    fn told(self) -> Self {
        Self { expired: true, ..self }
    }
}

aggregate!(TrustCertificate, "trust_certificate");

impl Expires for TrustCertificate {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Expire { now }
    }
}

impl Actions for TrustCertificate {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        vec![
            self.possible(Operation::DisableTrustCertificate, Command::Disable(Reason::any())),
            self.possible(Operation::EnableTrustCertificate, Command::Enable(Reason::any())),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;

    fn root() -> Trusted {
        Trusted {
            domain: TrustDomain::Auth,
            kind: TrustKind::Root,
            fingerprint: "00".repeat(32),
            issuer_fingerprint: "00".repeat(32),
            certificate: String::new(),
            subject: "CN=Root".into(),
            issuer: "CN=Root".into(),
            not_before: DateTime::UNIX_EPOCH,
            not_after: DateTime::UNIX_EPOCH,
        }
    }

    fn reason() -> Reason {
        Reason::new("reason", "key ceremony").unwrap()
    }

    pub(crate) fn machine() -> StateMachine<TrustCertificate> {
        let disabled = Event::Disabled { reason: reason() };
        let other = Trusted { fingerprint: "11".repeat(32), ..root() };
        let before = root().not_after - chrono::TimeDelta::microseconds(1);
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![Event::Uploaded(root())]),
                ("", vec![Event::Uploaded(root()), disabled]),
            ],
            commands: vec![
                ("", Command::Upload(root())),
                ("another one", Command::Upload(other)),
                ("", Command::Disable(reason())),
                ("", Command::Enable(reason())),
                ("before it ends", Command::Expire { now: before }),
                ("once it has ended", Command::Expire { now: root().not_after }),
            ],
        }
    }

    #[test]
    fn the_same_certificate_again_changes_nothing() {
        let active = given::<TrustCertificate>([Event::Uploaded(root())]);
        assert_eq!(active.decide(Command::Upload(root())), Ok(vec![]));
    }

    #[test]
    fn uploading_a_disabled_certificate_does_not_enable_it() {
        let events = [Event::Uploaded(root()), Event::Disabled { reason: reason() }];
        let disabled = given::<TrustCertificate>(events);
        assert_eq!(disabled.decide(Command::Upload(root())), Ok(vec![]));
        assert!(disabled.decide(Command::Enable(reason())).is_ok_and(|events| events.len() == 1));
    }

    #[test]
    fn disabling_twice_changes_nothing() {
        let events = [Event::Uploaded(root()), Event::Disabled { reason: reason() }];
        let disabled = given::<TrustCertificate>(events);
        assert_eq!(disabled.decide(Command::Disable(reason())), Ok(vec![]));
    }

    #[test]
    fn the_end_of_a_certificate_is_told_once_even_while_it_is_disabled() {
        let end = root().not_after;
        let early = Command::Expire { now: end - chrono::TimeDelta::microseconds(1) };
        let expired = Event::Expired { expired_at: end };
        for events in [
            vec![Event::Uploaded(root())],
            vec![Event::Uploaded(root()), Event::Disabled { reason: reason() }],
        ] {
            let certificate = given::<TrustCertificate>(events.clone());
            assert_eq!(certificate.decide(early.clone()), Ok(vec![]));
            let told = certificate.decide(Command::Expire { now: end });
            assert_eq!(told, Ok(vec![expired.clone()]));
            let after = given::<TrustCertificate>([events, vec![expired.clone()]].concat());
            assert_eq!(after.decide(Command::Expire { now: end }), Ok(vec![]));
        }
    }

    #[test]
    fn nothing_can_be_done_to_a_certificate_that_is_not_there() {
        let expire = Command::Expire { now: DateTime::UNIX_EPOCH };
        for command in [Command::Disable(reason()), Command::Enable(reason()), expire] {
            let refused = TrustCertificate::Missing.decide(command);
            assert_eq!(refused, Err(Refusal::TrustCertificateNotFound));
        }
    }
}
