//! The GraphQL schema: what each noun brings, put together.

use crate::{
    api_key, certificate, consent, device, expiring, extractor, ftm_chip, history, me,
    misp_license, oidc_client, partner, policy, policy_group, policy_request, preview, proposal,
    sbi, search, trust_certificate,
};
use async_graphql::{EmptySubscription, MergedObject};

/// Everything that can be asked.
#[derive(Default, MergedObject)]
pub struct Query(
    me::MeQuery,
    partner::PartnerQuery,
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
    search::SearchQuery,
    history::HistoryQuery,
    preview::PreviewQuery,
);

/// Everything that can be done.
#[derive(Default, MergedObject)]
pub struct Mutation(
    partner::PartnerMutation,
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
);

/// The schema of this program.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// How deep a query may nest.
const MAX_DEPTH: usize = 15;
/// How many fields a query may ask for, aliases and all.
const MAX_COMPLEXITY: usize = 2_000;
/// How many directives may stand on one field.
const MAX_DIRECTIVES: usize = 8;

/// Makes the schema, with the limits that protect the server.
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_COMPLEXITY)
        .limit_directives(MAX_DIRECTIVES)
        .disable_suggestions()
        .finish()
}
