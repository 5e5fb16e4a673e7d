//! Who may do what: roles, and the one table of permissions.

use crate::ids::PartnerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

/// A role as the access token carries it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    Display,
    EnumIter,
    EnumString,
    IntoStaticStr,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Runs partner management.
    PartnerAdmin,
    /// Writes and publishes policies.
    #[serde(rename = "POLICYMANAGER")]
    #[strum(serialize = "POLICYMANAGER")]
    #[graphql(name = "POLICYMANAGER")]
    PolicyManager,
    /// Authenticates citizens.
    AuthPartner,
    /// Receives and prints credentials.
    CredentialPartner,
    /// Makes biometric devices.
    DeviceProvider,
    /// Makes secure chips for devices.
    FtmProvider,
    /// Carries authentication requests to the ID system.
    MispPartner,
    /// Runs the deduplication engine.
    AbisPartner,
    /// Decides deduplication cases by hand.
    ManualAdjudication,
    /// Verifies credentials online.
    OnlineVerificationPartner,
    /// Makes software kits.
    SdkPartner,
    /// Reads everything, history and proofs included; changes nothing.
    Auditor,
}

/// Who asks: a person or a service behind a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The subject that the issuer vouches for.
    pub subject: String,
    /// Roles of this system that the token carries; others are ignored.
    pub roles: BTreeSet<Role>,
    /// Partners that a configured claim of the token adds to those the log knows.
    pub claimed_partners: BTreeSet<String>,
}

impl Actor {
    /// The system itself: bootstrap, demo, schedules.
    pub fn system() -> Self {
        Self {
            subject: "system".to_owned(),
            roles: BTreeSet::from([Role::PartnerAdmin, Role::PolicyManager]),
            claimed_partners: BTreeSet::new(),
        }
    }

    /// Whether the actor works for a partner with these members.
    pub fn belongs_to(&self, partner: &PartnerId, members: &[String]) -> bool {
        members.contains(&self.subject) || self.claimed_partners.contains(partner.as_str())
    }

    /// Whether some role allows `operation` on what is the actor's own (`own`) or anybody's.
    pub fn may(&self, operation: Operation, own: bool) -> bool {
        self.roles.iter().any(|role| grant(*role, operation).is_some_and(|on| on.covers(own)))
    }

    /// Whether some role allows `operation` on what belongs to others.
    pub fn may_on_any(&self, operation: Operation) -> bool {
        self.may(operation, false)
    }
}

/// Everything that can be asked of the system and needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, IntoStaticStr, Display)]
#[strum(serialize_all = "camelCase")]
#[expect(missing_docs, reason = "each is the mutation or query of the same name")]
pub enum Operation {
    RegisterPartner,
    RegisterPartnerForOthers,
    UploadPartnerCertificate,
    SuspendPartner,
    ReactivatePartner,
    DeactivatePartner,
    ReadPartner,
    UploadTrustCertificate,
    DisableTrustCertificate,
    EnableTrustCertificate,
    ReadTrustCertificate,
    CreatePolicyGroup,
    UpdatePolicyGroup,
    DeactivatePolicyGroup,
    ReactivatePolicyGroup,
    ReadPolicyGroup,
    CreatePolicy,
    UpdateDraftPolicy,
    PublishPolicy,
    DeactivatePolicy,
    DiscardDraftPolicy,
    ReadPolicy,
    ReadDraftPolicy,
    RequestPolicy,
    ApprovePolicyRequest,
    RejectPolicyRequest,
    WithdrawPolicyRequest,
    RevokePolicyRequest,
    ReadPolicyRequest,
    GenerateApiKey,
    DeactivateApiKey,
    ReadApiKey,
    ConfirmProposal,
    RefuseProposal,
    ReadProposal,
    CreateOidcClient,
    UpdateOidcClient,
    RotateOidcClientKey,
    RetireOidcClientKey,
    DeactivateOidcClient,
    ReadOidcClient,
    ReadHistory,
}

/// On whose things a role may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Only on what belongs to the actor's own partner.
    Own,
    /// On everything.
    Any,
}

impl On {
    fn covers(self, own: bool) -> bool {
        self == Self::Any || own
    }
}

/// The permission table: what `role` may do, and on whose things. `None`: nothing.
pub fn grant(role: Role, operation: Operation) -> Option<On> {
    match role {
        Role::PartnerAdmin => admin(operation),
        Role::PolicyManager => policy_manager(operation),
        Role::Auditor => is_read(operation).then_some(On::Any),
        _ => partner(role, operation),
    }
}

fn is_read(operation: Operation) -> bool {
    use Operation::*;
    matches!(
        operation,
        ReadPartner
            | ReadTrustCertificate
            | ReadPolicyGroup
            | ReadPolicy
            | ReadDraftPolicy
            | ReadPolicyRequest
            | ReadApiKey
            | ReadProposal
            | ReadOidcClient
            | ReadHistory
    )
}

/// An administrator may do everything but what binds the partner itself: a key is generated by
/// the one who will use it, so that nobody else ever sees it.
fn admin(operation: Operation) -> Option<On> {
    use Operation::*;
    match operation {
        RegisterPartner | GenerateApiKey => None,
        _ => Some(On::Any),
    }
}

fn policy_manager(operation: Operation) -> Option<On> {
    use Operation::*;
    matches!(
        operation,
        CreatePolicyGroup
            | UpdatePolicyGroup
            | DeactivatePolicyGroup
            | ReactivatePolicyGroup
            | CreatePolicy
            | UpdateDraftPolicy
            | PublishPolicy
            | DeactivatePolicy
            | DiscardDraftPolicy
            | ReadPolicyGroup
            | ReadPolicy
            | ReadDraftPolicy
            | ReadPolicyRequest
            | ConfirmProposal
            | RefuseProposal
            | ReadProposal
    )
    .then_some(On::Any)
}

/// What every kind of partner may do with what is its own. Policy groups and published policies
/// are the menu it chooses from; trust certificates tell which authorities it may buy from.
fn partner(role: Role, operation: Operation) -> Option<On> {
    use Operation::*;
    match operation {
        ReadPolicyGroup | ReadPolicy | ReadTrustCertificate => Some(On::Any),
        RegisterPartner
        | UploadPartnerCertificate
        | ReadPartner
        | ReadPolicyRequest
        | ReadApiKey
        | ReadOidcClient
        | ReadHistory => Some(On::Own),
        RequestPolicy | WithdrawPolicyRequest if uses_policies(role) => Some(On::Own),
        GenerateApiKey | DeactivateApiKey if uses_policies(role) => Some(On::Own),
        CreateOidcClient | UpdateOidcClient | DeactivateOidcClient if uses_policies(role) => {
            Some(On::Own)
        }
        RotateOidcClientKey | RetireOidcClientKey if uses_policies(role) => Some(On::Own),
        _ => None,
    }
}

/// Device, chip and kit makers work without policies (MOSIP PMS 1.2.2.2).
fn uses_policies(role: Role) -> bool {
    !matches!(role, Role::DeviceProvider | Role::FtmProvider | Role::SdkPartner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    fn actor(role: Role) -> Actor {
        Actor {
            subject: "alice".into(),
            roles: BTreeSet::from([role]),
            claimed_partners: BTreeSet::new(),
        }
    }

    #[test]
    fn an_auditor_reads_everything_and_changes_nothing() {
        for operation in Operation::iter() {
            let name: &str = operation.into();
            assert_eq!(
                actor(Role::Auditor).may_on_any(operation),
                name.starts_with("read"),
                "{name}"
            );
        }
    }

    #[test]
    fn no_partner_role_touches_what_belongs_to_others() {
        let open = ["readPolicyGroup", "readPolicy", "readTrustCertificate"];
        let staff = [Role::PartnerAdmin, Role::PolicyManager, Role::Auditor];
        for role in Role::iter().filter(|role| !staff.contains(role)) {
            for operation in Operation::iter() {
                let name: &str = operation.into();
                assert_eq!(
                    actor(role).may_on_any(operation),
                    open.contains(&name),
                    "{role} {name}"
                );
            }
        }
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        let nobody = Actor { roles: BTreeSet::new(), ..actor(Role::Auditor) };
        assert!(Operation::iter().all(|operation| !nobody.may(operation, true)));
    }
}
