//! Who may do what: roles of the token, roles of a partner's members, and the two tables of what
//! each allows.

use crate::ids::PartnerId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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

/// What somebody is to a partner that it speaks for.
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
    JsonSchema,
    Display,
    EnumIter,
    IntoStaticStr,
    async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberRole {
    /// Does everything that the partner may do, and says who its members are, how it is reached
    /// and under which policy group it works; and sees all that is kept of how it was reached.
    Manager,
    /// Does the partner's daily work: certificates, requests, keys.
    Operator,
    /// Reads what the partner may read.
    Viewer,
}

/// Who speaks for a partner, by subject.
pub type Members = BTreeMap<String, MemberRole>;

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

    /// What the actor is to a partner with these members; `None` for a stranger. Whoever issues
    /// tokens with a partner in them says thereby that their bearer manages it.
    pub fn role_at(&self, partner: &PartnerId, members: &Members) -> Option<MemberRole> {
        if self.claimed_partners.contains(partner.as_str()) {
            return Some(MemberRole::Manager);
        }
        members.get(&self.subject).copied()
    }

    /// Whether the actor may do `operation` on what belongs to a partner to which it is `member`.
    pub fn may(&self, operation: Operation, member: Option<MemberRole>) -> bool {
        let own = member.is_some_and(|role| member_may(role, operation));
        self.roles.iter().any(|role| grant(*role, operation).is_some_and(|on| on.covers(own)))
    }

    /// Whether some role allows `operation` on what belongs to others.
    pub fn may_on_any(&self, operation: Operation) -> bool {
        self.may(operation, None)
    }

    /// Whether some role allows `operation` at all: on what belongs to nobody else.
    pub fn may_on_own(&self, operation: Operation) -> bool {
        self.roles.iter().any(|role| grant(*role, operation).is_some())
    }
}

/// Everything that can be asked of the system and needs permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, IntoStaticStr, Display)]
#[strum(serialize_all = "camelCase")]
#[expect(missing_docs, reason = "each is the mutation, query or route of the same name")]
pub enum Operation {
    RegisterPartner,
    RegisterPartnerForOthers,
    UploadPartnerCertificate,
    RevokePartnerCertificate,
    SuspendPartner,
    ReactivatePartner,
    DeactivatePartner,
    InviteMember,
    RemoveMember,
    SetMemberRole,
    SetPartnerContact,
    RemovePartnerContact,
    UpdatePartner,
    SelectPolicyGroup,
    MovePartnerToPolicyGroup,
    ReadPartner,
    EraseSubject,
    ExportSubject,
    UploadTrustCertificate,
    DisableTrustCertificate,
    EnableTrustCertificate,
    RevokeTrustCertificate,
    AttachCrl,
    ReadTrustCertificate,
    ReadIssuingCertificate,
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
    ClonePolicy,
    ReadPolicy,
    ReadDraftPolicy,
    RequestPolicy,
    UpdateDraftPolicyRequest,
    SubmitPolicyRequest,
    ApprovePolicyRequest,
    RejectPolicyRequest,
    WithdrawPolicyRequest,
    RevokePolicyRequest,
    ReadPolicyRequest,
    ReadDraftPolicyRequest,
    CreateExtractor,
    DeleteExtractor,
    ReadExtractor,
    GenerateApiKey,
    RotateApiKey,
    SetApiKeyExpiry,
    DeactivateApiKey,
    ReadApiKey,
    AddSbi,
    ApproveSbi,
    RejectSbi,
    DeactivateSbi,
    ReadSbi,
    AddDevices,
    LinkDeviceToSbi,
    UnlinkDeviceFromSbi,
    ApproveDevice,
    RejectDevice,
    DeactivateDevice,
    ReadDevice,
    AddFtmChip,
    UploadFtmChipCertificate,
    ApproveFtmChip,
    RejectFtmChip,
    DeactivateFtmChip,
    ReadFtmChip,
    GenerateMispLicense,
    RotateMispLicense,
    SetMispLicenseExpiry,
    DeactivateMispLicense,
    ReadMispLicense,
    ConfirmProposal,
    RefuseProposal,
    ReadProposal,
    GiveConsent,
    WithdrawConsent,
    ReadConsent,
    CreateOidcClient,
    UpdateOidcClient,
    RotateOidcClientKey,
    RetireOidcClientKey,
    DeactivateOidcClient,
    ReadOidcClient,
    ReadHistory,
    ReadLogEntries,
    ReplayParked,
    ReadFollower,
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
    if is_personal(operation) {
        return Some(On::Own);
    }
    match role {
        // What is kept about himself, everybody may see.
        _ if operation == Operation::ExportSubject && role != Role::PartnerAdmin => Some(On::Own),
        Role::PartnerAdmin => admin(operation),
        Role::PolicyManager => policy_manager(operation),
        Role::Auditor => is_read(operation).then_some(On::Any),
        _ => partner(role, operation),
    }
}

/// The table of members: what one in this role may do for its partner, as far as the roles of its
/// token allow it. A manager says who and what the partner is, an operator works for it, a viewer
/// looks on.
pub fn member_may(role: MemberRole, operation: Operation) -> bool {
    match role {
        MemberRole::Manager => true,
        MemberRole::Operator => !shapes_the_partner(operation),
        MemberRole::Viewer => is_read(operation),
    }
}

fn shapes_the_partner(operation: Operation) -> bool {
    use Operation::*;
    matches!(
        operation,
        InviteMember
            | RemoveMember
            | SetMemberRole
            | SetPartnerContact
            | RemovePartnerContact
            | UpdatePartner
            | SelectPolicyGroup
            | ExportSubject
    )
}

/// What everybody does for himself and nobody for others.
fn is_personal(operation: Operation) -> bool {
    matches!(operation, Operation::GiveConsent | Operation::WithdrawConsent)
}

fn is_read(operation: Operation) -> bool {
    use Operation::*;
    matches!(
        operation,
        ReadPartner
            | ReadTrustCertificate
            | ReadIssuingCertificate
            | ReadPolicyGroup
            | ReadPolicy
            | ReadDraftPolicy
            | ReadPolicyRequest
            | ReadDraftPolicyRequest
            | ReadExtractor
            | ReadApiKey
            | ReadSbi
            | ReadDevice
            | ReadFtmChip
            | ReadMispLicense
            | ReadProposal
            | ReadConsent
            | ReadOidcClient
            | ReadHistory
            | ReadLogEntries
            | ReadFollower
    )
}

/// An administrator may do everything but what binds the partner itself: an API key is generated
/// by the one who will use it, so that nobody else ever sees it; a policy group is chosen by the
/// one who will work under it, and changed by moving the partner, with a reason; and a request is
/// nobody's business before the partner submits it, so that the log as a whole, which has the drafts,
/// is for auditors. A licence is handed over by the administrator (MOSIP PMS 1.2.2.2).
fn admin(operation: Operation) -> Option<On> {
    use Operation::*;
    match operation {
        RegisterPartner | SelectPolicyGroup | GenerateApiKey | RotateApiKey => None,
        UpdateDraftPolicyRequest | SubmitPolicyRequest | ReadDraftPolicyRequest => None,
        ReadLogEntries => None,
        _ => Some(On::Any),
    }
}

fn policy_manager(operation: Operation) -> Option<On> {
    use Operation::*;
    if operation == ReadConsent {
        return Some(On::Own);
    }
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
            | ClonePolicy
            | ReadPolicyGroup
            | ReadPolicy
            | ReadDraftPolicy
            | ReadPolicyRequest
            | ConfirmProposal
            | RefuseProposal
            | ReadProposal
            | ReadExtractor
            | ReadIssuingCertificate
    )
    .then_some(On::Any)
}

/// What every kind of partner may do with what is its own. Policy groups, published policies
/// and extractors are the menu it chooses from; trust certificates tell which authorities it may buy
/// from, issuing certificates under which ones its own are issued again.
fn partner(role: Role, operation: Operation) -> Option<On> {
    use Operation::*;
    match operation {
        ReadPolicyGroup
        | ReadPolicy
        | ReadExtractor
        | ReadTrustCertificate
        | ReadIssuingCertificate => Some(On::Any),
        RegisterPartner
        | UploadPartnerCertificate
        | RevokePartnerCertificate
        | InviteMember
        | RemoveMember
        | SetMemberRole
        | SetPartnerContact
        | RemovePartnerContact
        | UpdatePartner
        | ReadPartner
        | ReadPolicyRequest
        | ReadDraftPolicyRequest
        | ReadApiKey
        | ReadSbi
        | ReadDevice
        | ReadFtmChip
        | ReadConsent
        | ReadOidcClient
        | ReadHistory => Some(On::Own),
        SelectPolicyGroup
        | RequestPolicy
        | UpdateDraftPolicyRequest
        | SubmitPolicyRequest
        | WithdrawPolicyRequest
            if uses_policies(role) =>
        {
            Some(On::Own)
        }
        GenerateApiKey | RotateApiKey | SetApiKeyExpiry | DeactivateApiKey
            if uses_policies(role) =>
        {
            Some(On::Own)
        }
        CreateOidcClient | UpdateOidcClient | RotateOidcClientKey | RetireOidcClientKey
        | DeactivateOidcClient
            if uses_policies(role) =>
        {
            Some(On::Own)
        }
        GenerateMispLicense
        | RotateMispLicense
        | SetMispLicenseExpiry
        | DeactivateMispLicense
        | ReadMispLicense
            if role == Role::MispPartner =>
        {
            Some(On::Own)
        }
        AddSbi | DeactivateSbi | AddDevices | LinkDeviceToSbi | UnlinkDeviceFromSbi
        | DeactivateDevice
            if role == Role::DeviceProvider =>
        {
            Some(On::Own)
        }
        AddFtmChip | UploadFtmChipCertificate | DeactivateFtmChip if role == Role::FtmProvider => {
            Some(On::Own)
        }
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
        let open = [
            "readPolicyGroup",
            "readPolicy",
            "readExtractor",
            "readTrustCertificate",
            "readIssuingCertificate",
        ];
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
        assert!(Operation::iter().all(|operation| !nobody.may_on_own(operation)));
        let manager = Some(MemberRole::Manager);
        assert!(Operation::iter().all(|operation| !nobody.may(operation, manager)));
    }

    #[test]
    fn the_three_roles_of_members_are_steps_of_one_stair() {
        for operation in Operation::iter() {
            let [manager, operator, viewer] =
                [MemberRole::Manager, MemberRole::Operator, MemberRole::Viewer]
                    .map(|role| member_may(role, operation));
            assert!(manager && (operator || !viewer), "{operation}");
            let name: &str = operation.into();
            assert_eq!(viewer, name.starts_with("read"), "{name}");
        }
        for (role, operation, may) in [
            (MemberRole::Operator, Operation::RequestPolicy, true),
            (MemberRole::Operator, Operation::GenerateApiKey, true),
            (MemberRole::Operator, Operation::UploadPartnerCertificate, true),
            (MemberRole::Operator, Operation::RevokePartnerCertificate, true),
            (MemberRole::Operator, Operation::InviteMember, false),
            (MemberRole::Operator, Operation::SetPartnerContact, false),
            (MemberRole::Operator, Operation::SelectPolicyGroup, false),
            (MemberRole::Viewer, Operation::WithdrawPolicyRequest, false),
        ] {
            assert_eq!(actor(Role::AuthPartner).may(operation, Some(role)), may, "{operation}");
        }
    }

    #[test]
    fn an_administrator_is_not_bound_by_what_he_is_to_a_partner() {
        let admin = actor(Role::PartnerAdmin);
        for member in [None, Some(MemberRole::Viewer), Some(MemberRole::Manager)] {
            assert!(admin.may(Operation::InviteMember, member));
            assert!(!admin.may(Operation::GenerateApiKey, member));
        }
    }

    #[test]
    fn a_partner_that_the_token_claims_is_managed() {
        let acme = PartnerId::from("acme");
        let members = Members::from([("alice".to_owned(), MemberRole::Viewer)]);
        let alice = actor(Role::AuthPartner);
        assert_eq!(alice.role_at(&acme, &members), Some(MemberRole::Viewer));
        assert_eq!(alice.role_at(&acme, &Members::new()), None);
        let claimed = Actor { claimed_partners: BTreeSet::from(["acme".to_owned()]), ..alice };
        assert_eq!(claimed.role_at(&acme, &members), Some(MemberRole::Manager));
    }

    #[test]
    fn everybody_sees_what_is_kept_of_himself_and_only_administrators_that_of_others() {
        for role in Role::iter() {
            assert!(actor(role).may_on_own(Operation::ExportSubject), "{role}");
            for operation in [Operation::ExportSubject, Operation::EraseSubject] {
                let is_admin = role == Role::PartnerAdmin;
                assert_eq!(actor(role).may_on_any(operation), is_admin, "{role}");
            }
        }
        let alice = actor(Role::AuthPartner);
        assert!(alice.may(Operation::ExportSubject, Some(MemberRole::Manager)));
        assert!(!alice.may(Operation::ExportSubject, Some(MemberRole::Operator)));
    }

    #[test]
    fn everybody_consents_for_himself_and_nobody_for_others() {
        for role in Role::iter() {
            for operation in [Operation::GiveConsent, Operation::WithdrawConsent] {
                assert!(actor(role).may_on_own(operation), "{role}");
                assert!(!actor(role).may_on_any(operation), "{role}");
            }
        }
    }
}
