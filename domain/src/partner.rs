//! A partner: an organisation that works with the national ID.
//!
//! Registered → active with its first accepted certificate ⇄ suspended → deactivated, which is
//! final. What a partner holds (requests, keys) follows in the same submission,
//! each with its own event; `commands` puts that together.
//!
//! Several people speak for a partner, each in a role; one manager at least stays. It is reached
//! for several purposes; what those contacts are lies beside the log, and can be erased there whatever
//! the partner's state: a person's right does not wait for the end of an organisation.

mod certificates;

pub use certificates::{
    AcceptedCertificate, Certificates, HeldCertificate, MAX_OVERLAP, SigningIntent, overlap,
};
pub(crate) use certificates::{CHANGES, NotTaken};

use crate::actor::{MemberRole, Members, Operation};
use crate::aggregate::{Actions, Expires, Possible};
use crate::ids::{MAX_ID, PolicyGroupId};
use crate::reference::{GroupRule, PartnerType, language};
use crate::subject::LegalGround;
use crate::text::Checks;
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use strum::{Display, IntoStaticStr, VariantNames};
use uuid::Uuid;

/// The longest name of an organisation, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_ORGANIZATION_NAME: usize = 128;
/// The longest address, in characters.
pub const MAX_ADDRESS: usize = 2000;
/// The longest telephone number, in characters.
pub const MAX_CONTACT_NUMBER: usize = 16;
/// The longest address of a logo, in characters.
pub const MAX_LOGO_URL: usize = 256;
/// The longest subject of a member, in characters: that of a token.
pub const MAX_SUBJECT: usize = 256;
/// The most members of one partner.
pub const MAX_MEMBERS: usize = 100;

/// A wish about one partner.
#[derive(Debug, Clone, IntoStaticStr, VariantNames)]
pub enum Command {
    /// Make the partner known.
    Register(Registration),
    /// Say what the issuing key will sign for a certificate that `certificate` has checked.
    IntendSigning {
        /// What will be signed.
        intent: SigningIntent,
        /// SHA-256 of the certificate's public key, lower-case hex.
        key_fingerprint: String,
    },
    /// Take a certificate that the issuing key has counter-signed as intended.
    AcceptCertificate(AcceptedCertificate),
    /// Declare a certificate and its key unfit for ever.
    RevokeCertificate {
        /// SHA-256 of the certificate, lower-case hex.
        fingerprint: String,
        /// Why.
        reason: Reason,
    },
    /// Stop the partner for a while.
    Suspend(Reason),
    /// Lift a suspension.
    Reactivate(Reason),
    /// End the partner for good.
    Deactivate(Reason),
    /// Change who or what it is, but not where it stands.
    Change(Change),
    /// Choose the policy group, once. That the group is active is read beside.
    SelectPolicyGroup(PolicyGroupId),
    /// Tell which accepted certificates have ended by now.
    Expire {
        /// The instant of the decision.
        now: DateTime<Utc>,
    },
    /// Erase how the partner is and was reached.
    ErasePersonalData {
        /// The name under which it lies.
        subject: String,
        /// Why.
        legal_ground: LegalGround,
    },
}

/// What can be changed of a partner until it ends.
#[derive(Debug, Clone)]
pub enum Change {
    /// Let somebody speak for the partner.
    InviteMember(Member),
    /// Let somebody speak for it no more.
    RemoveMember {
        /// Who.
        subject: String,
        /// Why, if anybody says.
        reason: Option<Reason>,
    },
    /// Give a member another role.
    SetMemberRole(Member),
    /// Say how the partner is reached.
    SetContact {
        /// For what.
        purpose: ContactPurpose,
        /// Where the contact data lies.
        contact: PrivateReference,
    },
    /// Take back how the partner is reached.
    RemoveContact(ContactPurpose),
    /// Say how the partner presents itself.
    UpdateDetails(Details),
    /// Put the partner into another policy group. That the group is active is read beside.
    MovePolicyGroup {
        /// Into which.
        policy_group_id: PolicyGroupId,
        /// Why.
        reason: Reason,
        /// How many requests, keys and the like the partner has under policies of its group.
        links: usize,
    },
}

/// Somebody who speaks for a partner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// As the access token names him: 1 to 256 characters.
    pub subject: String,
    /// What he may do.
    pub role: MemberRole,
}

/// What a partner can be reached for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Display,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum ContactPurpose {
    /// Everything that has no contact of its own; known since the registration, never removed,
    /// only erased. Its e-mail address is unique among partners.
    Primary,
    /// Interfaces, certificates and faults.
    Technical,
    /// Incidents and leaked keys.
    Security,
    /// Contracts and approvals.
    Business,
    /// Invoices and payments.
    Billing,
}

/// How a partner presents itself. Not personal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Details {
    /// The language in which the partner wants to be written to, ISO 639-3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang_code: Option<String>,
    /// Where the partner's logo is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
}

/// What is known of a new partner, checked by [`check_registration`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The subject that speaks for the partner from now on, as its first manager.
    pub member: String,
}

/// Personal data, as an event holds it: where it lies, and a commitment that proves later that it
/// was not exchanged. Both say nothing once the data and its salt are erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PrivateReference {
    /// The row of `personal_data`.
    pub reference: Uuid,
    /// HMAC-SHA-256 of the data under a salt that lies beside it, base64.
    pub commitment: String,
}

/// How to reach the people at a partner. Personal: never in an event, a log line or an error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Postal address; the primary contact has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Telephone number.
    pub contact_number: String,
    /// E-mail address; that of the primary contact is unique among partners after normalisation.
    pub email_id: String,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(personal)")
    }
}

impl Contact {
    /// What is wrong with the contact data for this purpose; limits of MOSIP PMS 1.2.2.2.
    pub fn check(&self, checks: &mut Checks, purpose: ContactPurpose) {
        match &self.address {
            Some(address) => checks.paragraph("address", address, MAX_ADDRESS),
            None => checks.add_if(purpose == ContactPurpose::Primary, || {
                let message = "The primary contact needs an address.";
                Finding::new("ADDRESS_NEEDED", "address", message)
            }),
        }
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

/// What is wrong with the subject of a member.
pub fn check_subject(checks: &mut Checks, field: &str, subject: &str) {
    checks.line(field, subject, MAX_SUBJECT);
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
    checks.add_if(has_group && !partner_type.terms().may_have_group(), || {
        let message = "A partner of this type works without a policy group.";
        Finding::new("POLICY_GROUP_NOT_ALLOWED", "policyGroup", message)
            .with("partnerType", partner_type)
    });
}

/// What happened to a partner. Stored for ever: add variants and optional fields, never rename or
/// remove.
#[derive(
    Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantNames,
)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "the words are the meaning; fields as in the commands")]
pub enum Event {
    Registered(Registration),
    CertificateAccepted(AcceptedCertificate),
    Activated {},
    Suspended {
        reason: Reason,
    },
    Reactivated {
        reason: Reason,
    },
    Deactivated {
        reason: Reason,
    },
    MemberInvited(Member),
    MemberRemoved {
        subject: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    MemberRoleSet(Member),
    ContactSet {
        purpose: ContactPurpose,
        contact: PrivateReference,
    },
    ContactRemoved {
        purpose: ContactPurpose,
    },
    DetailsUpdated(Details),
    PolicyGroupSelected {
        policy_group_id: PolicyGroupId,
    },
    PolicyGroupMoved {
        policy_group_id: PolicyGroupId,
        reason: Reason,
    },
    CertificateExpired {
        fingerprint: String,
        expired_at: DateTime<Utc>,
    },
    SigningIntended(SigningIntent),
    CertificateRevoked {
        fingerprint: String,
        reason: Reason,
    },
    PersonalDataErased {
        subject: String,
        legal_ground: LegalGround,
    },
}

impl Event {
    /// The personal data that the event commits to.
    pub fn private_reference(&self) -> Option<&PrivateReference> {
        match self {
            Self::Registered(Registration { contact, .. }) | Self::ContactSet { contact, .. } => {
                Some(contact)
            }
            _ => None,
        }
    }
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
    #[error(
        "The key of this partner's personal data is missing: erase the data, then give it anew."
    )]
    SubjectKeyMissing,
    #[error("This is a member already, in another role.")]
    MemberExists,
    #[error("This is no member of the partner.")]
    MemberNotFound,
    #[error("One manager has to stay: make somebody else a manager first.")]
    LastManager,
    #[error("A partner has at most {MAX_MEMBERS} members.")]
    TooManyMembers,
    #[error("The primary contact stays; set it anew instead.")]
    PrimaryContactStays,
    #[error("A partner of this type works without a policy group.")]
    PolicyGroupNotAllowed,
    #[error("The partner has chosen its policy group; only an administrator moves it to another.")]
    PolicyGroupChosen,
    #[error("The partner has requests, keys or the like under policies of its group.")]
    PartnerHasLinks,
    #[error("The partner is of another type.")]
    PartnerType,
    #[error("The partner has no such certificate.")]
    CertificateNotFound,
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
            Self::MemberExists
            | Self::MemberNotFound
            | Self::LastManager
            | Self::TooManyMembers => "subject",
            Self::PrimaryContactStays => "purpose",
            Self::PolicyGroupNotAllowed | Self::PolicyGroupChosen => "policyGroup",
            Self::CertificateNotFound => "fingerprint",
            Self::CertificateWasRevoked | Self::SigningNotIntended => "certificateData",
            _ => "partnerId",
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

/// Where a partner stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
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
    /// The group whose policies the partner may ask for.
    pub policy_group_id: Option<PolicyGroupId>,
    /// How the partner presents itself.
    pub details: Details,
    /// Who speaks for the partner.
    pub members: Members,
    /// Where the contact data lies, by purpose.
    pub contacts: BTreeMap<ContactPurpose, Uuid>,
    /// Whether contact data is kept, earlier one included.
    pub keeps_personal_data: bool,
    /// How often it was erased.
    pub erasures: u32,
    /// The certificates, and what we intend to sign.
    pub certificates: Certificates,
}

impl Partner {
    /// The events that follow from `command` in this state.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        use Command::{
            AcceptCertificate, Change, Deactivate, ErasePersonalData, Expire, IntendSigning,
            Reactivate, Register, RevokeCertificate, SelectPolicyGroup, Suspend,
        };
        match (self, command) {
            (Self::Missing, Register(registration)) => Ok(vec![Event::Registered(registration)]),
            (_, Register(_)) => Err(Refusal::PartnerIdTaken),

            (
                Self::Registered(it) | Self::Active(it),
                IntendSigning { intent, key_fingerprint },
            ) => it.intend(intent, &key_fingerprint),
            (Self::Registered(it), AcceptCertificate(certificate)) => {
                let mut events = it.accept(certificate)?;
                events.push(Event::Activated {});
                Ok(events)
            }
            (Self::Active(it), AcceptCertificate(certificate)) => it.accept(certificate),
            (
                Self::Suspended(_),
                IntendSigning { .. } | AcceptCertificate(_) | SelectPolicyGroup(_),
            ) => Err(Refusal::PartnerSuspended),
            (
                Self::Registered(it) | Self::Active(it) | Self::Suspended(it),
                RevokeCertificate { fingerprint, reason },
            ) => it.revoke(fingerprint, reason),

            (Self::Active(_), Suspend(reason)) => Ok(vec![Event::Suspended { reason }]),
            (Self::Suspended(_), Suspend(_)) => Ok(vec![]),
            (Self::Registered(_), Suspend(_) | Reactivate(_)) => Err(Refusal::PartnerNotActiveYet),

            (Self::Suspended(_), Reactivate(reason)) => Ok(vec![Event::Reactivated { reason }]),
            (Self::Active(_), Reactivate(_)) => Ok(vec![]),

            (Self::Registered(_) | Self::Active(_) | Self::Suspended(_), Deactivate(reason)) => {
                Ok(vec![Event::Deactivated { reason }])
            }
            (Self::Deactivated(_), Deactivate(_) | Expire { .. }) => Ok(vec![]),

            (Self::Registered(it) | Self::Active(it), SelectPolicyGroup(group)) => {
                it.select_group(group)
            }
            (Self::Registered(it) | Self::Active(it) | Self::Suspended(it), Change(change)) => {
                it.change(change)
            }
            (Self::Registered(it) | Self::Active(it) | Self::Suspended(it), Expire { now }) => {
                Ok(it.expire(now))
            }
            (
                Self::Registered(it)
                | Self::Active(it)
                | Self::Suspended(it)
                | Self::Deactivated(it),
                ErasePersonalData { subject, legal_ground },
            ) => Ok(it.erase(subject, legal_ground)),
            (
                Self::Deactivated(_),
                IntendSigning { .. }
                | AcceptCertificate(_)
                | RevokeCertificate { .. }
                | Suspend(_)
                | Reactivate(_)
                | SelectPolicyGroup(_)
                | Change(_),
            ) => Err(Refusal::PartnerDeactivated),
            (
                Self::Missing,
                IntendSigning { .. }
                | AcceptCertificate(_)
                | RevokeCertificate { .. }
                | Suspend(_)
                | Reactivate(_)
                | Deactivate(_)
                | SelectPolicyGroup(_)
                | Change(_)
                | Expire { .. }
                | ErasePersonalData { .. },
            ) => Err(Refusal::PartnerNotFound),
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
                details: Details {
                    lang_code: registration.lang_code,
                    logo_url: registration.logo_url,
                },
                members: Members::from([(registration.member, MemberRole::Manager)]),
                contacts: BTreeMap::from([(
                    ContactPurpose::Primary,
                    registration.contact.reference,
                )]),
                keeps_personal_data: true,
                erasures: 0,
                certificates: Certificates::default(),
            }),
            (partner, Event::Activated {} | Event::Reactivated { .. }) => {
                partner.into(Self::Active)
            }
            (partner, Event::Suspended { .. }) => partner.into(Self::Suspended),
            (partner, Event::Deactivated { .. }) => partner.into(Self::Deactivated),
            (
                mut partner,
                event @ (Event::CertificateAccepted(_)
                | Event::MemberInvited(_)
                | Event::MemberRemoved { .. }
                | Event::MemberRoleSet(_)
                | Event::ContactSet { .. }
                | Event::ContactRemoved { .. }
                | Event::DetailsUpdated(_)
                | Event::PolicyGroupSelected { .. }
                | Event::PolicyGroupMoved { .. }
                | Event::CertificateExpired { .. }
                | Event::SigningIntended(_)
                | Event::CertificateRevoked { .. }
                | Event::PersonalDataErased { .. }),
            ) => {
                if let Some(profile) = partner.profile_mut() {
                    profile.evolve(event);
                }
                partner
            }
        }
    }

    /// Whether a certificate would be a new one; why it would not be taken, if so.
    pub fn takes(&self, fingerprint: String, key_fingerprint: String) -> Result<bool, Refusal> {
        let intent = SigningIntent { fingerprint, ..SigningIntent::any() };
        let events = self.decide(Command::IntendSigning { intent, key_fingerprint })?;
        Ok(!events.is_empty())
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

    /// The profile of a partner that has not ended, else why it cannot be changed.
    pub fn living(&self) -> Result<&Profile, Refusal> {
        match self {
            Self::Registered(profile) | Self::Active(profile) | Self::Suspended(profile) => {
                Ok(profile)
            }
            Self::Missing => Err(Refusal::PartnerNotFound),
            Self::Deactivated(_) => Err(Refusal::PartnerDeactivated),
        }
    }

    /// The profile of a partner of this type that may work now, else why it may not.
    pub fn active_as(&self, partner_type: PartnerType) -> Result<&Profile, Refusal> {
        match self.active() {
            Ok(profile) if profile.partner_type != partner_type => Err(Refusal::PartnerType),
            otherwise => otherwise,
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

impl Profile {
    fn change(&self, change: Change) -> Result<Vec<Event>, Refusal> {
        match change {
            Change::InviteMember(member) => self.invite(member),
            Change::RemoveMember { subject, reason } => self.remove(subject, reason),
            Change::SetMemberRole(member) => self.set_role(member),
            Change::SetContact { purpose, contact } => Ok(self.set_contact(purpose, contact)),
            Change::RemoveContact(purpose) => self.remove_contact(purpose),
            Change::UpdateDetails(details) => Ok(self.update_details(details)),
            Change::MovePolicyGroup { policy_group_id, reason, links } => {
                self.move_group(policy_group_id, reason, links)
            }
        }
    }

    fn invite(&self, member: Member) -> Result<Vec<Event>, Refusal> {
        match self.members.get(&member.subject) {
            Some(role) if *role == member.role => Ok(vec![]),
            Some(_) => Err(Refusal::MemberExists),
            None if self.members.len() >= MAX_MEMBERS => Err(Refusal::TooManyMembers),
            None => Ok(vec![Event::MemberInvited(member)]),
        }
    }

    fn remove(&self, subject: String, reason: Option<Reason>) -> Result<Vec<Event>, Refusal> {
        if !self.members.contains_key(&subject) {
            return Ok(vec![]);
        }
        if self.is_last_manager(&subject) {
            return Err(Refusal::LastManager);
        }
        Ok(vec![Event::MemberRemoved { subject, reason }])
    }

    fn set_role(&self, member: Member) -> Result<Vec<Event>, Refusal> {
        match self.members.get(&member.subject) {
            None => Err(Refusal::MemberNotFound),
            Some(role) if *role == member.role => Ok(vec![]),
            Some(_) if self.is_last_manager(&member.subject) => Err(Refusal::LastManager),
            Some(_) => Ok(vec![Event::MemberRoleSet(member)]),
        }
    }

    fn is_last_manager(&self, subject: &str) -> bool {
        let mut managers = self.members.iter().filter(|(_, role)| **role == MemberRole::Manager);
        managers.next().is_some_and(|(first, _)| first == subject) && managers.next().is_none()
    }

    /// Equal contact data has been told from other before: here only the reference is known.
    fn set_contact(&self, purpose: ContactPurpose, contact: PrivateReference) -> Vec<Event> {
        if self.contacts.get(&purpose) == Some(&contact.reference) {
            return Vec::new();
        }
        vec![Event::ContactSet { purpose, contact }]
    }

    fn remove_contact(&self, purpose: ContactPurpose) -> Result<Vec<Event>, Refusal> {
        if purpose == ContactPurpose::Primary {
            return Err(Refusal::PrimaryContactStays);
        }
        let there = self.contacts.contains_key(&purpose);
        Ok(there.then_some(Event::ContactRemoved { purpose }).into_iter().collect())
    }

    fn update_details(&self, details: Details) -> Vec<Event> {
        if self.details == details { Vec::new() } else { vec![Event::DetailsUpdated(details)] }
    }

    fn select_group(&self, policy_group_id: PolicyGroupId) -> Result<Vec<Event>, Refusal> {
        match &self.policy_group_id {
            Some(group) if *group == policy_group_id => Ok(vec![]),
            Some(_) => Err(Refusal::PolicyGroupChosen),
            None if !self.partner_type.terms().may_have_group() => {
                Err(Refusal::PolicyGroupNotAllowed)
            }
            None => Ok(vec![Event::PolicyGroupSelected { policy_group_id }]),
        }
    }

    fn move_group(
        &self,
        policy_group_id: PolicyGroupId,
        reason: Reason,
        links: usize,
    ) -> Result<Vec<Event>, Refusal> {
        if self.policy_group_id.as_ref() == Some(&policy_group_id) {
            return Ok(vec![]);
        }
        if !self.partner_type.terms().may_have_group() {
            return Err(Refusal::PolicyGroupNotAllowed);
        }
        if links > 0 {
            return Err(Refusal::PartnerHasLinks);
        }
        Ok(vec![Event::PolicyGroupMoved { policy_group_id, reason }])
    }

    fn intend(&self, intent: SigningIntent, key: &str) -> Result<Vec<Event>, Refusal> {
        let intended = self.certificates.intend(intent, key)?;
        Ok(intended.map(Event::SigningIntended).into_iter().collect())
    }

    fn accept(&self, certificate: AcceptedCertificate) -> Result<Vec<Event>, Refusal> {
        let accepted = self.certificates.accept(certificate)?;
        Ok(accepted.map(Event::CertificateAccepted).into_iter().collect())
    }

    fn revoke(&self, fingerprint: String, reason: Reason) -> Result<Vec<Event>, Refusal> {
        match self.certificates.revoke(&fingerprint) {
            None => Err(Refusal::CertificateNotFound),
            Some(false) => Ok(vec![]),
            Some(true) => Ok(vec![Event::CertificateRevoked { fingerprint, reason }]),
        }
    }

    fn erase(&self, subject: String, legal_ground: LegalGround) -> Vec<Event> {
        let erased = Event::PersonalDataErased { subject, legal_ground };
        self.keeps_personal_data.then_some(erased).into_iter().collect()
    }

    fn expire(&self, now: DateTime<Utc>) -> Vec<Event> {
        let told = |it: &HeldCertificate| Event::CertificateExpired {
            fingerprint: it.fingerprint.clone(),
            expired_at: it.ends_at,
        };
        self.certificates.ended(now).map(told).collect()
    }

    /// What happened to the profile without moving the partner to another state.
    fn evolve(&mut self, event: Event) {
        match event {
            Event::SigningIntended(intent) => self.certificates.was_intended(intent),
            Event::CertificateAccepted(certificate) => self.certificates.was_accepted(certificate),
            Event::CertificateRevoked { fingerprint, .. } => {
                self.certificates.was_revoked(&fingerprint);
            }
            Event::MemberInvited(member) | Event::MemberRoleSet(member) => {
                self.members.insert(member.subject, member.role);
            }
            Event::MemberRemoved { subject, .. } => {
                self.members.remove(&subject);
            }
            Event::ContactSet { purpose, contact } => {
                self.contacts.insert(purpose, contact.reference);
                self.keeps_personal_data = true;
            }
            Event::PersonalDataErased { .. } => {
                self.contacts.clear();
                self.keeps_personal_data = false;
                self.erasures += 1;
            }
            Event::ContactRemoved { purpose } => {
                self.contacts.remove(&purpose);
            }
            Event::DetailsUpdated(details) => self.details = details,
            Event::PolicyGroupSelected { policy_group_id }
            | Event::PolicyGroupMoved { policy_group_id, .. } => {
                self.policy_group_id = Some(policy_group_id);
            }
            Event::CertificateExpired { fingerprint, .. } => {
                self.certificates.has_expired(&fingerprint);
            }
            Event::Registered(_)
            | Event::Activated {}
            | Event::Suspended { .. }
            | Event::Reactivated { .. }
            | Event::Deactivated { .. } => {}
        }
    }
}

aggregate!(Partner, "partner", CHANGES);

impl Expires for Partner {
    fn expire(now: DateTime<Utc>) -> Command {
        Command::Expire { now }
    }
}

impl Actions for Partner {
    fn actions(&self, _now: DateTime<Utc>) -> Vec<Possible> {
        vec![
            self.possible(Operation::SuspendPartner, Command::Suspend(Reason::any())),
            self.possible(Operation::ReactivatePartner, Command::Reactivate(Reason::any())),
            self.possible(Operation::DeactivatePartner, Command::Deactivate(Reason::any())),
            self.possible(
                Operation::InviteMember,
                Command::Change(Change::InviteMember(anybody())),
            ),
            self.possible(Operation::SetPartnerContact, any_contact()),
            self.possible(
                Operation::UpdatePartner,
                Command::Change(Change::UpdateDetails(any_details())),
            ),
            self.possible(Operation::SelectPolicyGroup, Command::SelectPolicyGroup("".into())),
            self.possible(Operation::MovePartnerToPolicyGroup, any_move()),
            self.possible(Operation::UploadPartnerCertificate, any_upload()),
            self.possible(Operation::RevokePartnerCertificate, self.any_revocation()),
            self.possible(Operation::EraseSubject, any_erasure()),
        ]
    }
}

impl Partner {
    /// Of the newest certificate that is not revoked yet.
    fn any_revocation(&self) -> Command {
        let held = self.profile().into_iter().flat_map(|it| it.certificates.held.iter().rev());
        let fit = held.filter(|it| !it.revoked).map(|it| it.fingerprint.clone()).next();
        Command::RevokeCertificate { fingerprint: fit.unwrap_or_default(), reason: Reason::any() }
    }
}

// What stands for any input where only the decision is asked for.

fn any_upload() -> Command {
    Command::IntendSigning { intent: SigningIntent::any(), key_fingerprint: String::new() }
}

fn anybody() -> Member {
    Member { subject: String::new(), role: MemberRole::Viewer }
}

fn any_contact() -> Command {
    let contact = PrivateReference { reference: Uuid::nil(), commitment: String::new() };
    Command::Change(Change::SetContact { purpose: ContactPurpose::Primary, contact })
}

fn any_erasure() -> Command {
    let legal_ground = LegalGround::NoLongerNecessary;
    Command::ErasePersonalData { subject: String::new(), legal_ground }
}

fn any_details() -> Details {
    Details { lang_code: Some(String::new()), logo_url: None }
}

fn any_move() -> Command {
    let (policy_group_id, reason) = ("".into(), Reason::any());
    Command::Change(Change::MovePolicyGroup { policy_group_id, reason, links: 0 })
}

#[cfg(test)]
pub(crate) mod tests;
