//! The GraphQL schema: what each noun brings, put together.

use crate::descriptions::described;
use crate::limits::MAX_NESTING;
use crate::subscription::Subscription;
use crate::{
    api_key, audit, certificate, consent, dashboard, device, diff, expiring, extractor, follower,
    ftm_chip, history, me, misp_license, oidc_client, partner, policy, policy_group,
    policy_request, preview, proposal, reference, sbi, search, subject, trust_certificate,
};
use async_graphql::{MergedObject, SDLExportOptions, SchemaBuilder};

/// Everything that can be asked.
#[derive(Default, MergedObject)]
pub struct Query(
    me::MeQuery,
    reference::ReferenceQuery,
    partner::PartnerQuery,
    subject::SubjectQuery,
    certificate::CertificateQuery,
    trust_certificate::TrustCertificateQuery,
    policy_group::PolicyGroupQuery,
    policy::PolicyQuery,
    policy_request::PolicyRequestQuery,
    extractor::ExtractorQuery,
    api_key::ApiKeyQuery,
    misp_license::MispLicenseQuery,
    sbi::SbiQuery,
    device::DeviceQuery,
    ftm_chip::FtmChipQuery,
    proposal::ProposalQuery,
    consent::ConsentQuery,
    oidc_client::OidcClientQuery,
    expiring::ExpiringQuery,
    dashboard::DashboardQuery,
    search::SearchQuery,
    history::HistoryQuery,
    audit::AuditQuery,
    follower::FollowerQuery,
    diff::DiffQuery,
    preview::PreviewQuery,
);

/// Everything that can be done.
#[derive(Default, MergedObject)]
pub struct Mutation(
    partner::PartnerMutation,
    subject::SubjectMutation,
    trust_certificate::TrustCertificateMutation,
    policy_group::PolicyGroupMutation,
    policy::PolicyMutation,
    policy_request::PolicyRequestMutation,
    extractor::ExtractorMutation,
    api_key::ApiKeyMutation,
    misp_license::MispLicenseMutation,
    sbi::SbiMutation,
    device::DeviceMutation,
    ftm_chip::FtmChipMutation,
    proposal::ProposalMutation,
    consent::ConsentMutation,
    oidc_client::OidcClientMutation,
    follower::FollowerMutation,
);

/// The schema of this program.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Makes the schema. The limits that protect the server are [`crate::document`]'s: every document
/// passes there first.
pub fn schema() -> Schema {
    unfinished().finish()
}

/// The schema before it is closed: tests add to it what no client can bring about.
pub fn unfinished() -> SchemaBuilder<Query, Mutation, Subscription> {
    described(Schema::build(Query::default(), Mutation::default(), Subscription))
        .limit_recursive_depth(MAX_NESTING)
        .disable_suggestions()
}

/// The schema as text, as it is committed.
pub fn sdl() -> String {
    schema().sdl_with_options(SDLExportOptions::new().include_specified_by())
}
