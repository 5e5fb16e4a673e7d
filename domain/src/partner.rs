//! A partner: an organisation that works with the national ID.
//!
//! Registered → active with its first accepted certificate ⇄ suspended → deactivated, which is
//! final. What a partner holds (requests, keys) follows in the same submission,
//! each with its own event; `commands` puts that together.

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{MAX_ID, PolicyGroupId};
use crate::reference::{GroupRule, PartnerType, language};
use crate::text::Checks;
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};
use uuid::Uuid;

/// The longest name of an organisation, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_ORGANIZATION_NAME: usize = 128;
/// The longest address, in characters.
pub const MAX_ADDRESS: usize = 2000;
/// The longest telephone number, in characters.
pub const MAX_CONTACT_NUMBER: usize = 16;

/// The longest address of a logo, in characters.
pub const MAX_LOGO_URL: usize = 256;

/// A wish about one partner.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make the partner known.
    Register(Registration),
    /// Take a certificate that `certificate` has checked and the issuing key has counter-signed.
    AcceptCertificate(AcceptedCertificate),
    /// Stop the partner for a while.
    Suspend(Reason),
    /// Lift a suspension.
    Reactivate(Reason),
    /// End the partner for good.
    Deactivate(Reason),
}

/// What is known of a new partner, checked by [`check_registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The organisation's name; certificates have to carry it.
    pub organization_name: String,
    /// What kind of partner this is; never changes.
    pub partner_type: PartnerType,
    /// The group whose policies the partner may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_group_id: Option<PolicyGroupId>,
    /// The language in which the partner wants to be written to, ISO 639-3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang_code: Option<String>,
    /// Where the partner's logo is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// Where the contact data lies.
    pub contact: PrivateReference,
    /// The subject that speaks for the partner from now on.
    pub member: String,
}

/// Personal data, as an event holds it: where it lies, and a commitment that proves later that it
/// was not exchanged. Both say nothing once the data and its salt are erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateReference {
    /// The row of `personal_data`.
    pub reference: Uuid,
    /// HMAC-SHA-256 of the data under a salt that lies beside it, base64.
    pub commitment: String,
}

/// How to reach the people at a partner. Personal: never in an event, a log line or an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Postal address.
    pub address: String,
    /// Telephone number.
    pub contact_number: String,
    /// E-mail address; unique among partners after normalisation.
    pub email_id: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(personal)")
    }
}

impl Contact {
    /// What is wrong with the contact data; limits of MOSIP PMS 1.2.2.2.
    pub fn check(&self, checks: &mut Checks) {
        checks.paragraph("address", &self.address, MAX_ADDRESS);
        checks.line("contactNumber", &self.contact_number, MAX_CONTACT_NUMBER);
        // Control characters were told by `line`.
        let dialable = |c: char| c.is_ascii_digit() || " +-()/.".contains(c) || c.is_control();
        checks.add_if(!self.contact_number.chars().all(dialable), || {
            let message = "A telephone number has digits, blanks and + - ( ) / . only.";
            Finding::new("CONTACT_NUMBER_MALFORMED", "contactNumber", message)
        });
        checks.email("emailId", &self.email_id);
    }
}

/// What is wrong with a chosen partner id: 1 to 36 characters, letters, digits and `. _ -`.
/// Blanks are refused as in `PMS_PRT_066`; other signs because the id stands in URLs and names.
pub fn check_id(checks: &mut Checks, field: &str, id: &str) {
    checks.line(field, id, MAX_ID);
    let plain = |c: char| c.is_alphanumeric() || "._-".contains(c) || c.is_control();
    checks.add_if(!id.trim().is_empty() && !id.chars().all(plain), || {
        let message = "A partner id has letters, digits, dots, dashes and underscores only.";
        Finding::new("PARTNER_ID_MALFORMED", field, message)
    });
}

/// What is wrong with the language and the logo's address (`PMS_PRT_056`; MOSIP PMS 1.2.2.2).
pub fn check_presentation(checks: &mut Checks, lang_code: Option<&str>, logo_url: Option<&str>) {
    checks.add_if(lang_code.is_some_and(|code| language(code).is_none()), || {
        Finding::new("LANGUAGE_NOT_SUPPORTED", "langCode", "This language is not supported.")
    });
    if let Some(url) = logo_url {
        checks.https_url("logoUrl", url, MAX_LOGO_URL);
    }
}

/// What is wrong with the name of an organisation and its policy group.
pub fn check_registration(
    checks: &mut Checks,
    organization_name: &str,
    partner_type: PartnerType,
    has_group: bool,
) {
    checks.line("organizationName", organization_name, MAX_ORGANIZATION_NAME);
    let rule = partner_type.terms().policy_group;
    checks.add_if(rule == GroupRule::Needed && !has_group, || {
        let message = "A partner of this type needs a policy group.";
        Finding::new("POLICY_GROUP_NEEDED", "policyGroup", message)
            .with("partnerType", partner_type)
    });
    checks.add_if(rule == GroupRule::None && has_group, || {
        let message = "A partner of this type works without a policy group.";
        Finding::new("POLICY_GROUP_NOT_ALLOWED", "policyGroup", message)
            .with("partnerType", partner_type)
    });
}

/// A certificate of the partner, with the one that we issued for the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedCertificate {
    /// SHA-256 of the certificate, lower-case hex: its name.
    pub fingerprint: String,
    /// SHA-256 of the public key: two partners never share one.
    pub key_fingerprint: String,
    /// The certificate as the partner sent it, PEM.
    pub certificate: String,
    /// The counter-signed certificate, PEM.
    pub signed_certificate: String,
    /// Fingerprints of the verified path, the partner's own first, the root last.
    pub path: Vec<String>,
    /// When the partner's own certificate ends.
    pub not_after: DateTime<Utc>,
    /// When the counter-signed certificate ends.
    pub signed_not_after: DateTime<Utc>,
}

/// What happened to a partner. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Registered(Registration),
    CertificateAccepted(AcceptedCertificate),
    Activated {},
    Suspended { reason: Reason },
    Reactivated { reason: Reason },
    Deactivated { reason: Reason },
}

/// Why a wish about a partner was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This partner is not known.")]
    PartnerNotFound,
    #[error("A partner with this id exists already.")]
    PartnerIdTaken,
    #[error("The partner is not active yet: it has to upload a certificate first.")]
    PartnerNotActiveYet,
    #[error("The partner is suspended.")]
    PartnerSuspended,
    #[error("The partner was deactivated, which is final.")]
    PartnerDeactivated,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl Refusal {
    fn field(&self) -> &'static str {
        "partnerId"
    }
}

/// Where a partner stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Partner {
    /// Not registered.
    #[default]
    Missing,
    /// Known, without a certificate.
    Registered(Profile),
    /// May work.
    Active(Profile),
    /// Stopped for a while.
    Suspended(Profile),
    /// Ended.
    Deactivated(Profile),
}

/// What later decisions need to know of a partner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// As registered.
    pub organization_name: String,
    /// As registered.
    pub partner_type: PartnerType,
    /// As registered.
    pub policy_group_id: Option<PolicyGroupId>,
    /// The subjects that speak for the partner.
    pub members: Vec<String>,
    /// Fingerprints of the certificates that were accepted, oldest first.
    pub certificates: Vec<String>,
}

impl Partner {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{AcceptCertificate, Deactivate, Reactivate, Register, Suspend};
        match (self, command) {
            (Self::Missing, Register(registration)) => Ok(vec![Event::Registered(registration)]),
            (_, Register(_)) => Err(Refusal::PartnerIdTaken),

            (Self::Registered(profile), AcceptCertificate(certificate)) => {
                let mut events = accepted(profile, certificate);
                events.push(Event::Activated {});
                Ok(events)
            }
            (Self::Active(profile), AcceptCertificate(certificate)) => {
                Ok(accepted(profile, certificate))
            }
            (Self::Suspended(_), AcceptCertificate(_)) => Err(Refusal::PartnerSuspended),

            (Self::Active(_), Suspend(reason)) => Ok(vec![Event::Suspended { reason }]),
            (Self::Suspended(_), Suspend(_)) => Ok(vec![]),
            (Self::Registered(_), Suspend(_) | Reactivate(_)) => Err(Refusal::PartnerNotActiveYet),

            (Self::Suspended(_), Reactivate(reason)) => Ok(vec![Event::Reactivated { reason }]),
            (Self::Active(_), Reactivate(_)) => Ok(vec![]),

            (Self::Registered(_) | Self::Active(_) | Self::Suspended(_), Deactivate(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Deactivated(_), Deactivate(_)) => Ok(vec![]),
            (Self::Deactivated(_), AcceptCertificate(_) | Suspend(_) | Reactivate(_)) => {
                Err(Refusal::PartnerDeactivated)
            }
            (Self::Missing, AcceptCertificate(_) | Suspend(_) | Reactivate(_) | Deactivate(_)) => {
                Err(Refusal::PartnerNotFound)
            }
        }
    }

    /// The state after `event`.
    #[must_use]
    pub fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (_, Event::Registered(registration)) => Self::Registered(Profile {
                organization_name: registration.organization_name,
                partner_type: registration.partner_type,
                policy_group_id: registration.policy_group_id,
                members: vec![registration.member],
                certificates: Vec::new(),
            }),
            (mut partner, Event::CertificateAccepted(certificate)) => {
                if let Some(profile) = partner.profile_mut() {
                    profile.certificates.push(certificate.fingerprint);
                }
                partner
            }
            (partner, Event::Activated {} | Event::Reactivated { .. }) => {
                partner.into(Self::Active)
            }
            (partner, Event::Suspended { .. }) => partner.into(Self::Suspended),
            (partner, Event::Deactivated { .. }) => partner.into(Self::Deactivated),
        }
    }

    /// What is known of the partner, whatever its state; nothing when it is missing.
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Missing => None,
            Self::Registered(profile)
            | Self::Active(profile)
            | Self::Suspended(profile)
            | Self::Deactivated(profile) => Some(profile),
        }
    }

    /// The profile of a partner that may work now, else why it may not.
    pub fn active(&self) -> Result<&Profile, Refusal> {
        match self {
            Self::Active(profile) => Ok(profile),
            Self::Missing => Err(Refusal::PartnerNotFound),
            Self::Registered(_) => Err(Refusal::PartnerNotActiveYet),
            Self::Suspended(_) => Err(Refusal::PartnerSuspended),
            Self::Deactivated(_) => Err(Refusal::PartnerDeactivated),
        }
    }

    fn profile_mut(&mut self) -> Option<&mut Profile> {
        match self {
            Self::Missing => None,
            Self::Registered(profile)
            | Self::Active(profile)
            | Self::Suspended(profile)
            | Self::Deactivated(profile) => Some(profile),
        }
    }

    fn into(self, state: impl FnOnce(Profile) -> Self) -> Self {
        match self {
            Self::Missing => Self::Missing,
            Self::Registered(profile)
            | Self::Active(profile)
            | Self::Suspended(profile)
            | Self::Deactivated(profile) => state(profile),
        }
    }
}

/// The same certificate again changes nothing.
fn accepted(profile: &Profile, certificate: AcceptedCertificate) -> Vec<Event> {
    if profile.certificates.contains(&certificate.fingerprint) {
        return Vec::new();
    }
    vec![Event::CertificateAccepted(certificate)]
}

aggregate!(Partner, "partner");

impl Actions for Partner {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        vec![
            self.possible(Operation::SuspendPartner, Command::Suspend(Reason::any())),
            self.possible(Operation::ReactivatePartner, Command::Reactivate(Reason::any())),
            self.possible(Operation::DeactivatePartner, Command::Deactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::given;

    fn registration() -> Registration {
        Registration {
            organization_name: "Acme".into(),
            partner_type: PartnerType::AuthPartner,
            policy_group_id: Some("banking".into()),
            lang_code: None,
            logo_url: None,
            contact: PrivateReference { reference: Uuid::nil(), commitment: String::new() },
            member: "alice".into(),
        }
    }

    fn certificate(fingerprint: &str) -> AcceptedCertificate {
        AcceptedCertificate {
            fingerprint: fingerprint.into(),
            key_fingerprint: fingerprint.into(),
            certificate: String::new(),
            signed_certificate: String::new(),
            path: Vec::new(),
            not_after: DateTime::UNIX_EPOCH,
            signed_not_after: DateTime::UNIX_EPOCH,
        }
    }

    fn reason() -> Reason {
        Reason::new("reason", "audit").unwrap()
    }

    fn registered() -> Partner {
        given([Event::Registered(registration())])
    }

    fn active() -> Partner {
        let accepted = Event::CertificateAccepted(certificate("first"));
        given([Event::Registered(registration()), accepted, Event::Activated {}])
    }

    fn suspended() -> Partner {
        active().evolve(Event::Suspended { reason: reason() })
    }

    fn deactivated() -> Partner {
        active().evolve(Event::Deactivated { reason: reason() })
    }

    #[test]
    fn whoever_registers_a_partner_for_himself_is_its_first_member() {
        let events = Partner::Missing.decide(Command::Register(registration())).unwrap();
        assert_eq!(events, [Event::Registered(registration())]);
        assert_eq!(given::<Partner>(events).profile().unwrap().members, ["alice"]);
    }

    #[test]
    fn an_id_is_never_registered_twice() {
        for partner in [registered(), active(), suspended(), deactivated()] {
            let again = partner.decide(Command::Register(registration()));
            assert_eq!(again, Err(Refusal::PartnerIdTaken));
        }
    }

    #[test]
    fn the_first_accepted_certificate_makes_a_partner_active() {
        let events = registered().decide(Command::AcceptCertificate(certificate("first")));
        let accepted = Event::CertificateAccepted(certificate("first"));
        assert_eq!(events, Ok(vec![accepted, Event::Activated {}]));
        assert!(active().active().is_ok());
    }

    #[test]
    fn a_later_certificate_is_added_and_the_same_one_changes_nothing() {
        let next = active().decide(Command::AcceptCertificate(certificate("next")));
        assert_eq!(next, Ok(vec![Event::CertificateAccepted(certificate("next"))]));
        let same = active().decide(Command::AcceptCertificate(certificate("first")));
        assert_eq!(same, Ok(vec![]));
    }

    #[test]
    fn a_suspended_partner_gets_no_certificate_until_it_is_reactivated() {
        let upload = suspended().decide(Command::AcceptCertificate(certificate("next")));
        assert_eq!(upload, Err(Refusal::PartnerSuspended));
        let events = suspended().decide(Command::Reactivate(reason())).unwrap();
        assert_eq!(events, [Event::Reactivated { reason: reason() }]);
    }

    #[test]
    fn suspending_reactivating_or_deactivating_twice_changes_nothing() {
        assert_eq!(suspended().decide(Command::Suspend(reason())), Ok(vec![]));
        assert_eq!(active().decide(Command::Reactivate(reason())), Ok(vec![]));
        assert_eq!(deactivated().decide(Command::Deactivate(reason())), Ok(vec![]));
    }

    #[test]
    fn a_partner_that_never_worked_is_not_suspended_but_can_be_ended() {
        let suspend = registered().decide(Command::Suspend(reason()));
        assert_eq!(suspend, Err(Refusal::PartnerNotActiveYet));
        let end = registered().decide(Command::Deactivate(reason()));
        assert_eq!(end, Ok(vec![Event::Deactivated { reason: reason() }]));
    }

    #[test]
    fn a_deactivated_partner_never_comes_back() {
        for command in [
            Command::AcceptCertificate(certificate("next")),
            Command::Suspend(reason()),
            Command::Reactivate(reason()),
        ] {
            assert_eq!(deactivated().decide(command), Err(Refusal::PartnerDeactivated));
        }
    }

    #[test]
    fn nothing_can_be_done_to_a_partner_that_is_not_there() {
        for command in [
            Command::AcceptCertificate(certificate("first")),
            Command::Suspend(reason()),
            Command::Reactivate(reason()),
            Command::Deactivate(reason()),
        ] {
            assert_eq!(Partner::Missing.decide(command), Err(Refusal::PartnerNotFound));
        }
    }
}
