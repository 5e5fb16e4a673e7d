//! A root or intermediate certificate that is trusted in one domain.
//!
//! Active ⇄ disabled → revoked for good. What stands below one that is not active is not trusted any
//! more, nor is what the list of its CA takes back: [`standing`] tells it of what was accepted, and
//! [`certificate`](crate::certificate) looks for chains over the active ones.

pub mod standing;

use crate::actor::Operation;
use crate::aggregate::{Actions, Expires, Possible};
use crate::certificate::RevocationList;
use crate::reference::TrustDomain;
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
    /// Trust it never again.
    Revoke(Reason),
    /// Trust no more what this list of the CA takes back. `certificate` has checked it before.
    AttachCrl(Crl),
    /// Tell that it has ended, if it has by now.
    Expire {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
}

/// A certificate that anchors or extends trust in one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What a CA takes back, by its newest list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Crl {
    /// The list's number in lower-case hex; a later list of the CA has a larger one.
    pub number: String,
    /// When the list was issued.
    pub this_update: DateTime<Utc>,
    /// When the next one is due. This one holds until it comes.
    pub next_update: DateTime<Utc>,
    /// Serial numbers in lower-case hex, at most 1,000.
    pub revoked: BTreeSet<String>,
}

impl From<&RevocationList> for Crl {
    fn from(list: &RevocationList) -> Self {
        Self {
            number: list.number(),
            this_update: list.this_update(),
            next_update: list.next_update(),
            revoked: list.revoked().clone(),
        }
    }
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
    JsonSchema,
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

/// What was decided about a trust certificate. Whether it is trusted, [`standing`] tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TrustCertificateStatus {
    /// Trusted, while its dates and what is above it hold.
    Active,
    /// Not trusted for now.
    Disabled,
    /// Never trusted again.
    Revoked,
}

/// What happened to a trust certificate. Stored for ever: add variants and optional fields, never
/// rename or remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Uploaded(Trusted),
    Disabled { reason: Reason },
    Enabled { reason: Reason },
    Revoked { reason: Reason },
    CrlAttached(Crl),
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
    #[error("This trust certificate was revoked, which is for good.")]
    TrustCertificateRevoked,
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
    /// Never trusted again.
    Revoked(Known),
}

/// What later decisions need to know of a trust certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As uploaded.
    pub trusted: Trusted,
    /// Whether its end has been told.
    pub expired: bool,
    /// What the CA takes back.
    pub crl: Option<Crl>,
}

impl TrustCertificate {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{AttachCrl, Disable, Enable, Expire, Revoke, Upload};
        match (self, command) {
            (Self::Missing, Upload(trusted)) => Ok(vec![Event::Uploaded(trusted)]),
            (Self::Missing, Disable(_) | Enable(_) | Revoke(_) | AttachCrl(_) | Expire { .. }) => {
                Err(Refusal::TrustCertificateNotFound)
            }

            (Self::Active(it) | Self::Disabled(it) | Self::Revoked(it), Upload(new)) => {
                let old = &it.trusted;
                let same = (old.domain, &old.fingerprint) == (new.domain, &new.fingerprint);
                if same { Ok(vec![]) } else { Err(Refusal::TrustCertificateExists) }
            }
            (Self::Active(_), Disable(reason)) => Ok(vec![Event::Disabled { reason }]),
            (Self::Disabled(_), Enable(reason)) => Ok(vec![Event::Enabled { reason }]),
            (Self::Active(_) | Self::Disabled(_), Revoke(reason)) => {
                Ok(vec![Event::Revoked { reason }])
            }
            (Self::Active(it) | Self::Disabled(it), AttachCrl(crl)) => {
                let new = it.crl.as_ref() != Some(&crl);
                Ok(new.then_some(Event::CrlAttached(crl)).into_iter().collect())
            }
            (Self::Active(_), Enable(_))
            | (Self::Disabled(_), Disable(_))
            | (Self::Revoked(_), Revoke(_)) => Ok(vec![]),
            (Self::Revoked(_), Disable(_) | Enable(_) | AttachCrl(_)) => {
                Err(Refusal::TrustCertificateRevoked)
            }
            (Self::Active(it) | Self::Disabled(it) | Self::Revoked(it), Expire { now }) => {
                let expired_at = it.trusted.not_after;
                let untold = !it.expired && expired_at <= now;
                Ok(untold.then_some(Event::Expired { expired_at }).into_iter().collect())
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match event {
            Event::Uploaded(trusted) => Self::Active(Known { trusted, expired: false, crl: None }),
            Event::Disabled { .. } => self.into(Self::Disabled),
            Event::Enabled { .. } => self.into(Self::Active),
            Event::Revoked { .. } => self.into(Self::Revoked),
            Event::CrlAttached(crl) => self.with(|it| it.crl = Some(crl)),
            Event::Expired { .. } => self.with(|it| it.expired = true),
        }
    }

    /// The certificate, trusted now or not; nothing when it is missing.
    pub fn trusted(&self) -> Option<&Trusted> {
        self.known().map(|it| &it.trusted)
    }

    /// What the CA takes back; nothing while no list was attached.
    pub fn crl(&self) -> Option<&Crl> {
        self.known()?.crl.as_ref()
    }

    fn known(&self) -> Option<&Known> {
        match self {
            Self::Missing => None,
            Self::Active(it) | Self::Disabled(it) | Self::Revoked(it) => Some(it),
        }
    }

    fn into(self, state: impl FnOnce(Known) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Active(it) | Self::Disabled(it) | Self::Revoked(it) => state(it),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Known)) -> Self {
        match &mut self {
            Self::Missing => {}
            Self::Active(it) | Self::Disabled(it) | Self::Revoked(it) => change(it),
        }
        self
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
            self.possible(Operation::RevokeTrustCertificate, Command::Revoke(Reason::any())),
            self.possible(Operation::AttachCrl, Command::AttachCrl(Crl::any())),
        ]
    }
}

impl Crl {
    /// Stands for any new list where only the decision is asked for.
    fn any() -> Self {
        let (number, at) = (String::new(), DateTime::UNIX_EPOCH);
        Self { number, this_update: at, next_update: at, revoked: BTreeSet::new() }
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

    fn crl(number: &str) -> Crl {
        Crl { number: number.to_owned(), revoked: BTreeSet::from(["2a".to_owned()]), ..Crl::any() }
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
                ("", vec![Event::Uploaded(root()), Event::Revoked { reason: reason() }]),
            ],
            commands: vec![
                ("", Command::Upload(root())),
                ("another one", Command::Upload(other)),
                ("", Command::Disable(reason())),
                ("", Command::Enable(reason())),
                ("", Command::Revoke(reason())),
                ("", Command::AttachCrl(crl("01"))),
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
    fn what_is_revoked_stays_revoked() {
        let revoked = Event::Revoked { reason: reason() };
        for events in [
            vec![Event::Uploaded(root()), revoked.clone()],
            vec![Event::Uploaded(root()), Event::Disabled { reason: reason() }, revoked],
        ] {
            let revoked = given::<TrustCertificate>(events);
            for nothing in [Command::Revoke(reason()), Command::Upload(root())] {
                assert_eq!(revoked.decide(nothing), Ok(vec![]));
            }
            let late = [
                Command::Enable(reason()),
                Command::Disable(reason()),
                Command::AttachCrl(crl("01")),
            ];
            for command in late {
                assert_eq!(revoked.decide(command), Err(Refusal::TrustCertificateRevoked));
            }
        }
    }

    #[test]
    fn the_same_list_again_changes_nothing_and_another_one_takes_its_place() {
        let uploaded = Event::Uploaded(root());
        for before in [vec![uploaded.clone()], vec![uploaded, Event::Disabled { reason: reason() }]]
        {
            let ca = given::<TrustCertificate>(before.clone());
            let attached = ca.decide(Command::AttachCrl(crl("01"))).unwrap();
            assert_eq!(attached, [Event::CrlAttached(crl("01"))]);
            let ca = given::<TrustCertificate>([before, attached].concat());
            assert_eq!(ca.crl(), Some(&crl("01")));
            assert_eq!(ca.decide(Command::AttachCrl(crl("01"))), Ok(vec![]));
            let next = ca.decide(Command::AttachCrl(crl("02"))).unwrap();
            assert_eq!(next, [Event::CrlAttached(crl("02"))]);
        }
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
        let (revoke, attach) = (Command::Revoke(reason()), Command::AttachCrl(crl("01")));
        let (disable, enable) = (Command::Disable(reason()), Command::Enable(reason()));
        for command in [disable, enable, revoke, attach, expire] {
            let refused = TrustCertificate::Missing.decide(command);
            assert_eq!(refused, Err(Refusal::TrustCertificateNotFound));
        }
    }
}
