//! A MISP licence: with it an infrastructure provider carries requests to the ID system.
//!
//! It lives as every issued key does: see [`crate::issued`].

use crate::actor::Operation;
use crate::aggregate::{Actions, Possible};
use crate::ids::{MispLicenseId, PolicyId};
use crate::issued::{self, Issued, KeyKind, Refused};
use crate::partner::Profile;
use crate::policy_document::PolicyType;
use crate::reference::PartnerType;
use crate::{Finding, Reason};
use chrono::{DateTime, Utc};
use strum::IntoStaticStr;

/// Where a licence stands.
pub type MispLicense = Issued<MispLicenseKind>;
/// A wish about one licence.
pub type Command = issued::Command<MispLicenseKind>;
/// What happened to a licence.
pub type Event = issued::Event<MispLicenseKind>;
/// What a licence allows to whom.
pub type Grant = issued::Grant<MispLicenseKind>;

/// Keys of infrastructure providers, under a policy where the partner works under policies. A label
/// is unique for the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MispLicenseKind;

impl KeyKind for MispLicenseKind {
    const PREFIX: &'static str = "pml";
    type Id = MispLicenseId;
    type Policy = Option<PolicyId>;
    type Refusal = Refusal;
}

/// Why a wish about a licence was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the message says it")]
pub enum Refusal {
    #[error("This licence is not known.")]
    MispLicenseNotFound,
    #[error("This licence exists already.")]
    MispLicenseExists,
    #[error("The licence is suspended with its partner.")]
    MispLicenseSuspended,
    #[error("The licence was rotated already; its successor goes on.")]
    RotatedAlready,
    #[error(
        "An earlier licence of this label still lives: until it has ended, this one can only be replaced at once."
    )]
    OverlapRunning,
    #[error("The licence has expired; rotate it or generate another one.")]
    MispLicenseExpired,
    #[error("The licence was deactivated, which is final.")]
    MispLicenseDeactivated,
    #[error("Only partners that provide infrastructure (MISP) have licences.")]
    PartnerType,
    #[error("A partner with a policy group gets licences under a policy: name it.")]
    PolicyNeeded,
    #[error("A licence works under a policy of the type MISP.")]
    PolicyType,
    #[error("The partner has no approved request for this policy.")]
    PolicyNotApproved,
    #[error("The input has errors.")]
    Invalid(Vec<Finding>),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::MispLicenseNotFound,
            Refused::Exists => Self::MispLicenseExists,
            Refused::Suspended => Self::MispLicenseSuspended,
            Refused::Rotated => Self::RotatedAlready,
            Refused::Overlapping => Self::OverlapRunning,
            Refused::Expired => Self::MispLicenseExpired,
            Refused::Deactivated => Self::MispLicenseDeactivated,
        }
    }
}

impl Refusal {
    fn field(&self) -> &'static str {
        match self {
            Self::PartnerType => "partnerId",
            Self::PolicyNeeded | Self::PolicyType | Self::PolicyNotApproved => "policyId",
            Self::OverlapRunning => "overlapUntil",
            _ => "mispLicenseId",
        }
    }
}

/// Whether a partner may have a licence under a policy of this type, as far as the partner alone
/// can tell. The policy is what the ID system enforces, so a partner that can have one does not go
/// without.
pub fn entitled(profile: &Profile, policy: Option<PolicyType>) -> Result<(), Refusal> {
    if profile.partner_type != PartnerType::MispPartner {
        return Err(Refusal::PartnerType);
    }
    match policy {
        None if profile.policy_group_id.is_some() => Err(Refusal::PolicyNeeded),
        None | Some(PolicyType::Misp) => Ok(()),
        Some(_) => Err(Refusal::PolicyType),
    }
}

aggregate!(MispLicense, "misp_license");

impl Actions for MispLicense {
    fn actions(&self, now: DateTime<Utc>) -> Vec<Possible> {
        let rotate =
            Command::Rotate { successor: "".into(), until: now, predecessor_opens: false, now };
        let set_expiry = Command::SetExpiry { expires_at: now, now };
        vec![
            self.possible(Operation::RotateMispLicense, rotate),
            self.possible(Operation::SetMispLicenseExpiry, set_expiry),
            self.possible(Operation::DeactivateMispLicense, Command::Deactivate(Reason::any())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner::{Certificates, Details};
    use std::collections::BTreeMap;

    #[test]
    fn what_happens_to_every_issued_key_is_refused_in_words_of_its_own() {
        let code = |refused: Refused| <&'static str>::from(&Refusal::from(refused));
        assert_eq!(code(Refused::NotFound), "MISP_LICENSE_NOT_FOUND");
        assert_eq!(code(Refused::Exists), "MISP_LICENSE_EXISTS");
        assert_eq!(code(Refused::Suspended), "MISP_LICENSE_SUSPENDED");
        assert_eq!(code(Refused::Rotated), "ROTATED_ALREADY");
        assert_eq!(code(Refused::Overlapping), "OVERLAP_RUNNING");
        assert_eq!(code(Refused::Expired), "MISP_LICENSE_EXPIRED");
        assert_eq!(code(Refused::Deactivated), "MISP_LICENSE_DEACTIVATED");
    }

    fn profile(partner_type: PartnerType, group: Option<&str>) -> Profile {
        Profile {
            organization_name: "Carrier".into(),
            partner_type,
            policy_group_id: group.map(Into::into),
            details: Details::default(),
            members: BTreeMap::new(),
            contacts: BTreeMap::new(),
            keeps_personal_data: true,
            erasures: 0,
            certificates: Certificates::default(),
        }
    }

    #[test]
    fn only_infrastructure_providers_have_licences() {
        let bank = profile(PartnerType::AuthPartner, Some("banking"));
        assert_eq!(entitled(&bank, Some(PolicyType::Misp)), Err(Refusal::PartnerType));
        assert_eq!(entitled(&profile(PartnerType::MispPartner, None), None), Ok(()));
    }

    #[test]
    fn a_provider_that_can_have_a_policy_does_not_go_without() {
        let provider = profile(PartnerType::MispPartner, Some("carriers"));
        assert_eq!(entitled(&provider, None), Err(Refusal::PolicyNeeded));
        assert_eq!(entitled(&provider, Some(PolicyType::Auth)), Err(Refusal::PolicyType));
        assert_eq!(entitled(&provider, Some(PolicyType::Misp)), Ok(()));
    }
}
