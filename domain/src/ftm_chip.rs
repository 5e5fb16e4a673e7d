//! A foundational trust module (FTM) chip: a make and model that protects the keys of devices.
//!
//! Waits for its certificate → pending → approved or rejected; approved → deactivated. Rejected
//! and deactivated are final. A new certificate takes an approved chip out of service until it is
//! approved again. Expiry of the newest certificate is not a state.

use crate::actor::Operation;
use crate::aggregate::{Actions, Expires, Possible};
use crate::ids::PartnerId;
use crate::partner::{AcceptedCertificate, CHANGES, Certificates, NotTaken, SigningIntent};
use crate::text::{Checks, squeezed};
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// The longest make and the longest model, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_MAKE: usize = 36;

/// A wish about one chip.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
#[expect(missing_docs, reason = "`now` is the instant of the decision")]
pub enum Command {
    /// Offer it. That the provider is active and makes chips has been read before.
    Add(Chip),
    /// Say what the issuing key will sign for a certificate that `certificate` has checked; its key
    /// is named by SHA-256.
    IntendSigning { intent: SigningIntent, key_fingerprint: String },
    /// Take a certificate that the issuing key has counter-signed as intended.
    AcceptCertificate(AcceptedCertificate),
    /// Allow it.
    Approve,
    /// Refuse it.
    Reject(Reason),
    /// End it for good.
    Deactivate(Reason),
    /// End it with its provider, however far it came.
    End(Reason),
    /// Tell that its newest certificate has expired, once.
    Expire { now: DateTime<Utc> },
}

/// What a provider calls its chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chip {
    /// Who makes it.
    pub provider_id: PartnerId,
    /// Who made it, in the provider's words.
    pub make: String,
    /// Which one it is, in the provider's words.
    pub model: String,
}

impl Chip {
    /// The chip as it is stored, or everything that is wrong with it.
    pub fn new(provider_id: PartnerId, make: &str, model: &str) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.line("make", make, MAX_MAKE);
        checks.line("model", model, MAX_MAKE);
        checks.done()?;
        Ok(Self { provider_id, make: squeezed(make), model: squeezed(model) })
    }
}

/// What happened to a chip. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Added(Chip),
    CertificateAccepted(AcceptedCertificate),
    Approved {},
    Rejected { reason: Reason },
    Deactivated { reason: Reason },
    Expired { expired_at: DateTime<Utc> },
    SigningIntended(SigningIntent),
}

/// Why a wish about a chip was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This FTM chip is not known.")]
    FtmChipNotFound,
    #[error("The provider has this FTM chip already.")]
    FtmChipExists,
    #[error("The FTM chip needs a certificate first.")]
    FtmChipWithoutCertificate,
    #[error("The FTM chip was not decided about yet.")]
    FtmChipPending,
    #[error("The FTM chip was approved: deactivate it instead.")]
    FtmChipApproved,
    #[error("The FTM chip was rejected, which is final.")]
    FtmChipRejected,
    #[error("The FTM chip was deactivated, which is final.")]
    FtmChipDeactivated,
    #[error("This certificate or its key was revoked; make a new key.")]
    CertificateWasRevoked,
    #[error("The log does not say that this would be signed.")]
    SigningNotIntended,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::CertificateWasRevoked | Self::SigningNotIntended => "certificateData",
            _ => "ftmChipId",
        }
    }
}

impl From<NotTaken> for Refusal {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Revoked => Self::CertificateWasRevoked,
            NotTaken::NotIntended => Self::SigningNotIntended,
        }
    }
}

/// Where a chip stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
pub enum FtmChip {
    /// Not offered.
    #[default]
    Missing,
    /// Offered, without an accepted certificate.
    PendingCertificate(Chip, Certificates),
    /// Waits for an administrator.
    Pending(Chip, Certificates),
    /// May be used.
    Approved(Chip, Certificates),
    /// Refused.
    Rejected(Chip),
    /// Ended.
    Deactivated(Chip),
}

impl FtmChip {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{
            AcceptCertificate, Add, Approve, Deactivate, End, Expire, IntendSigning, Reject,
        };
        match (self, command) {
            (Self::Missing, Add(chip)) => Ok(vec![Event::Added(chip)]),
            (_, Add(_)) => Err(Refusal::FtmChipExists),
            (
                Self::Missing,
                IntendSigning { .. }
                | AcceptCertificate(_)
                | Approve
                | Reject(_)
                | Deactivate(_)
                | End(_)
                | Expire { .. },
            ) => Err(Refusal::FtmChipNotFound),

            (
                Self::PendingCertificate(_, it) | Self::Pending(_, it) | Self::Approved(_, it),
                IntendSigning { intent, key_fingerprint },
            ) => {
                let intended = it.intend(intent, &key_fingerprint)?;
                Ok(intended.map(Event::SigningIntended).into_iter().collect())
            }
            (
                Self::PendingCertificate(_, it) | Self::Pending(_, it) | Self::Approved(_, it),
                AcceptCertificate(certificate),
            ) => {
                let accepted = it.accept(certificate)?;
                Ok(accepted.map(Event::CertificateAccepted).into_iter().collect())
            }

            (Self::PendingCertificate(..), Approve | Deactivate(_)) => {
                Err(Refusal::FtmChipWithoutCertificate)
            }
            (Self::PendingCertificate(..) | Self::Pending(..), Reject(reason) | End(reason)) => {
                Ok(vec![Event::Rejected { reason }])
            }

            (Self::Pending(..), Approve) => Ok(vec![Event::Approved {}]),
            (Self::Pending(..), Deactivate(_)) => Err(Refusal::FtmChipPending),

            (Self::Approved(..), Deactivate(reason) | End(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Approved(..), Reject(_)) => Err(Refusal::FtmChipApproved),

            (Self::Pending(_, certificates) | Self::Approved(_, certificates), Expire { now }) => {
                Ok(newest_expiry(certificates, now))
            }

            // A repeated wish, or one to end what has ended, changes nothing.
            (Self::PendingCertificate(..), Expire { .. })
            | (Self::Approved(..), Approve)
            | (Self::Rejected(_), Reject(_) | End(_) | Expire { .. })
            | (Self::Deactivated(_), Deactivate(_) | End(_) | Expire { .. }) => Ok(vec![]),

            (
                Self::Rejected(_),
                IntendSigning { .. } | AcceptCertificate(_) | Approve | Deactivate(_),
            ) => Err(Refusal::FtmChipRejected),
            (
                Self::Deactivated(_),
                IntendSigning { .. } | AcceptCertificate(_) | Approve | Reject(_),
            ) => Err(Refusal::FtmChipDeactivated),
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Added(chip)) => Self::PendingCertificate(chip, Certificates::default()),
            (chip, Event::CertificateAccepted(certificate)) => chip.certified(certificate),
            (Self::Pending(chip, certificates), Event::Approved {}) => {
                Self::Approved(chip, certificates)
            }
            (chip, Event::Rejected { .. }) => chip.into(Self::Rejected),
            (chip, Event::Deactivated { .. }) => chip.into(Self::Deactivated),
            (mut chip, Event::Expired { .. }) => {
                if let Some(newest) = chip.certificates_mut().and_then(|it| it.held.last_mut()) {
                    newest.expired = true;
                }
                chip
            }
            (mut chip, Event::SigningIntended(intent)) => {
                if let Some(certificates) = chip.certificates_mut() {
                    certificates.was_intended(intent);
                }
                chip
            }
            (chip, Event::Approved {}) => chip, // cannot be: nothing else is ever approved
        }
    }

    /// Whether a certificate would be a new one; why it would not be taken, if so.
    pub fn takes(&self, fingerprint: String, key_fingerprint: String) -> Result<bool, Refusal> {
        let intent = SigningIntent { fingerprint, ..SigningIntent::any() };
        let events = self.decide(Command::IntendSigning { intent, key_fingerprint })?;
        Ok(!events.is_empty())
    }

    /// What its provider calls it, whatever the state; nothing when it is missing.
    pub fn chip(&self) -> Option<&Chip> {
        match self {
            Self::Missing => None,
            Self::PendingCertificate(chip, _)
            | Self::Pending(chip, _)
            | Self::Approved(chip, _)
            | Self::Rejected(chip)
            | Self::Deactivated(chip) => Some(chip),
        }
    }

    /// Whether nothing can happen to the chip any more.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Deactivated(_))
    }

    /// The certificates of a chip that has not ended.
    pub fn certificates(&self) -> Option<&Certificates> {
        match self {
            Self::PendingCertificate(_, it) | Self::Pending(_, it) | Self::Approved(_, it) => {
                Some(it)
            }
            Self::Missing | Self::Rejected(_) | Self::Deactivated(_) => None,
        }
    }

    fn certificates_mut(&mut self) -> Option<&mut Certificates> {
        match self {
            Self::PendingCertificate(_, it) | Self::Pending(_, it) | Self::Approved(_, it) => {
                Some(it)
            }
            Self::Missing | Self::Rejected(_) | Self::Deactivated(_) => None,
        }
    }

    /// Whoever has a new certificate waits for approval again.
    fn certified(self, certificate: AcceptedCertificate) -> Self {
        match self {
            Self::PendingCertificate(chip, mut certificates)
            | Self::Pending(chip, mut certificates)
            | Self::Approved(chip, mut certificates) => {
                certificates.was_accepted(certificate);
                Self::Pending(chip, certificates)
            }
            ended => ended,
        }
    }

    fn into(self, state: impl FnOnce(Chip) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::PendingCertificate(chip, _)
            | Self::Pending(chip, _)
            | Self::Approved(chip, _)
            | Self::Rejected(chip)
            | Self::Deactivated(chip) => state(chip),
        }
    }
}

/// A chip works with its newest certificate: the ends of older ones are of no interest.
fn newest_expiry(certificates: &Certificates, now: DateTime<Utc>) -> Vec<Event> {
    let newest = certificates.held.last().filter(|it| !it.expired && it.ends_at <= now);
    newest.map(|it| Event::Expired { expired_at: it.ends_at }).into_iter().collect()
}

aggregate!(FtmChip, "ftm_chip", CHANGES);

impl Actions for FtmChip {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        let (intent, key_fingerprint) = (SigningIntent::any(), String::new());
        let upload = Command::IntendSigning { intent, key_fingerprint };
        vec![
            self.possible(Operation::UploadFtmChipCertificate, upload),
            self.possible(Operation::ApproveFtmChip, Command::Approve),
            self.possible(Operation::RejectFtmChip, Command::Reject(Reason::any())),
            self.possible(Operation::DeactivateFtmChip, Command::Deactivate(Reason::any())),
        ]
    }
}

impl Expires for FtmChip {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Expire { now }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregate::given;
    use crate::generated_docs::StateMachine;
    use crate::partner::tests::{certificate as accepted_certificate, intent};
    use chrono::TimeDelta;

    fn end() -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap()
    }

    fn added() -> Event {
        Event::Added(Chip::new("acme".into(), "Acme", "C 1").unwrap())
    }

    fn certificate(fingerprint: &str) -> AcceptedCertificate {
        let not_after = end() + TimeDelta::days(1);
        AcceptedCertificate {
            not_after,
            signed_not_after: end(),
            ..accepted_certificate(fingerprint)
        }
    }

    fn intended(fingerprint: &str) -> Event {
        Event::SigningIntended(intent(fingerprint))
    }

    fn intend(fingerprint: &str) -> Command {
        let key_fingerprint = fingerprint.to_owned();
        Command::IntendSigning { intent: intent(fingerprint), key_fingerprint }
    }

    fn accepted(fingerprint: &str) -> Event {
        Event::CertificateAccepted(certificate(fingerprint))
    }

    fn upload(fingerprint: &str) -> Command {
        Command::AcceptCertificate(certificate(fingerprint))
    }

    fn reason() -> Reason {
        Reason::new("reason", "not certified").unwrap()
    }

    fn rejected() -> Event {
        Event::Rejected { reason: reason() }
    }

    fn deactivated() -> Event {
        Event::Deactivated { reason: reason() }
    }

    fn pending() -> FtmChip {
        given([added(), accepted("one")])
    }

    fn approved() -> FtmChip {
        given([added(), accepted("one"), Event::Approved {}])
    }

    pub(crate) fn machine() -> StateMachine<FtmChip> {
        let one = || vec![added(), accepted("one")];
        let approved = || [one(), vec![Event::Approved {}]].concat();
        let intended = |events: Vec<Event>| [events, vec![intended("two")]].concat();
        let Event::Added(chip) = added() else { unreachable!() };
        StateMachine {
            states: vec![
                ("", vec![]),
                ("", vec![added()]),
                ("that intends to sign", intended(vec![added()])),
                ("", one()),
                ("", approved()),
                ("that intends to sign", intended(approved())),
                ("", [one(), vec![rejected()]].concat()),
                ("", [approved(), vec![deactivated()]].concat()),
            ],
            commands: vec![
                ("", Command::Add(chip)),
                ("another certificate", intend("two")),
                ("another certificate", upload("two")),
                ("the same again", intend("one")),
                ("the same again", upload("one")),
                ("", Command::Approve),
                ("", Command::Reject(reason())),
                ("", Command::Deactivate(reason())),
                ("with its provider", Command::End(reason())),
                ("", Command::Expire { now: end() }),
            ],
        }
    }

    #[test]
    fn a_chip_needs_a_certificate_before_it_can_be_approved() {
        let bare = given::<FtmChip>([added()]);
        assert_eq!(bare.decide(Command::Approve), Err(Refusal::FtmChipWithoutCertificate));
        assert_eq!(bare.decide(Command::Reject(reason())), Ok(vec![rejected()]));
        assert_eq!(pending().decide(Command::Approve), Ok(vec![Event::Approved {}]));
        assert_eq!(approved().decide(Command::Approve), Ok(vec![]));
        assert_eq!(approved().decide(Command::Reject(reason())), Err(Refusal::FtmChipApproved));
    }

    #[test]
    fn a_new_certificate_takes_an_approved_chip_out_of_service() {
        assert_eq!(approved().decide(intend("one")), Ok(vec![]));
        assert_eq!(approved().decide(upload("one")), Ok(vec![]));
        assert_eq!(approved().decide(upload("two")), Err(Refusal::SigningNotIntended));
        assert_eq!(approved().decide(intend("two")), Ok(vec![intended("two")]));
        let announced = approved().evolve(intended("two"));
        assert!(matches!(announced, FtmChip::Approved(..)));
        assert_eq!(announced.decide(intend("two")), Ok(vec![]));
        assert_eq!(announced.decide(upload("two")), Ok(vec![accepted("two")]));
        let again =
            given::<FtmChip>([added(), accepted("one"), Event::Approved {}, accepted("two")]);
        assert!(matches!(again, FtmChip::Pending(..)));
        assert_eq!(again.decide(Command::Deactivate(reason())), Err(Refusal::FtmChipPending));
        assert_eq!(again.decide(Command::Approve), Ok(vec![Event::Approved {}]));
    }

    #[test]
    fn what_was_rejected_or_deactivated_never_comes_back() {
        let ended = [
            (given::<FtmChip>([added(), rejected()]), Refusal::FtmChipRejected),
            (
                given::<FtmChip>([added(), accepted("one"), Event::Approved {}, deactivated()]),
                Refusal::FtmChipDeactivated,
            ),
        ];
        for (chip, refusal) in ended {
            assert_eq!(chip.decide(Command::Approve), Err(refusal.clone()));
            assert_eq!(chip.decide(upload("two")), Err(refusal));
            assert_eq!(chip.decide(Command::End(reason())), Ok(vec![]));
        }
    }

    #[test]
    fn the_end_of_its_provider_rejects_what_is_pending_and_deactivates_what_is_approved() {
        let end = || Command::End(reason());
        assert_eq!(given::<FtmChip>([added()]).decide(end()), Ok(vec![rejected()]));
        assert_eq!(pending().decide(end()), Ok(vec![rejected()]));
        assert_eq!(approved().decide(end()), Ok(vec![deactivated()]));
    }

    #[test]
    fn that_its_newest_certificate_has_expired_is_told_once() {
        let expire = |now| Command::Expire { now };
        let told = Event::Expired { expired_at: end() };
        assert_eq!(given::<FtmChip>([added()]).decide(expire(end())), Ok(vec![]));
        assert_eq!(approved().decide(expire(end() - TimeDelta::microseconds(1))), Ok(vec![]));
        assert_eq!(approved().decide(expire(end())), Ok(vec![told.clone()]));
        let history = [added(), accepted("one"), Event::Approved {}, told.clone()];
        assert_eq!(given::<FtmChip>(history.clone()).decide(expire(end())), Ok(vec![]));
        let renewed = given::<FtmChip>(history.into_iter().chain([accepted("two")]));
        assert_eq!(renewed.decide(expire(end())), Ok(vec![told]));
    }

    #[test]
    fn nothing_can_be_done_to_a_chip_that_is_not_there() {
        for command in [upload("one"), Command::Approve, Command::Reject(reason())] {
            assert_eq!(FtmChip::Missing.decide(command), Err(Refusal::FtmChipNotFound));
        }
    }
}
