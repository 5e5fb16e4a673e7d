//! Things of every kind, told apart by their noun: which one has changed, and who may know.

use crate::caller::Caller;
use crate::policy_request::without_drafts;
use async_graphql::Enum;
use domain::actor::Operation;
use projections::page::{Listed, Question};
use projections::policy::PolicyFilter;
use projections::policy_request::PolicyRequestFilter;
use projections::{
    Viewer, api_key, device, extractor, ftm_chip, misp_license, oidc_client, partner, policy,
    policy_group, policy_request, proposal, sbi, trust_certificate,
};
use strum::IntoStaticStr;
#[cfg(test)]
use strum::VariantArray;

/// A kind of thing that has a life of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[cfg_attr(test, derive(VariantArray))]
#[strum(serialize_all = "snake_case")]
pub enum Noun {
    /// What `partner(id:)` asks for.
    Partner,
    /// What `trustCertificate(id:)` asks for.
    TrustCertificate,
    /// What `policyGroup(id:)` asks for.
    PolicyGroup,
    /// What `policy(id:)` asks for.
    Policy,
    /// What `policyRequest(id:)` asks for.
    PolicyRequest,
    /// What `extractor(id:)` asks for.
    Extractor,
    /// What `apiKey(id:)` asks for.
    ApiKey,
    /// What `mispLicense(id:)` asks for.
    MispLicense,
    /// What `oidcClient(id:)` asks for.
    OidcClient,
    /// What `sbi(id:)` asks for.
    Sbi,
    /// What `device(id:)` asks for.
    Device,
    /// What `ftmChip(id:)` asks for.
    FtmChip,
    /// What `proposal(id:)` asks for.
    Proposal,
}

impl Noun {
    /// The name of its streams.
    pub fn stored_name(self) -> &'static str {
        self.into()
    }

    /// What has to be allowed to see it.
    pub fn operation(self) -> Operation {
        match self {
            Self::Partner => Operation::ReadPartner,
            Self::TrustCertificate => Operation::ReadTrustCertificate,
            Self::PolicyGroup => Operation::ReadPolicyGroup,
            Self::Policy => Operation::ReadPolicy,
            Self::PolicyRequest => Operation::ReadPolicyRequest,
            Self::Extractor => Operation::ReadExtractor,
            Self::ApiKey => Operation::ReadApiKey,
            Self::MispLicense => Operation::ReadMispLicense,
            Self::OidcClient => Operation::ReadOidcClient,
            Self::Sbi => Operation::ReadSbi,
            Self::Device => Operation::ReadDevice,
            Self::FtmChip => Operation::ReadFtmChip,
            Self::Proposal => Operation::ReadProposal,
        }
    }

    /// Whether the caller's list of them has this one.
    pub async fn is_shown(self, caller: &Caller, id: &str) -> projections::Result<bool> {
        let Some(viewer) = caller.sees(self.operation()) else { return Ok(false) };
        let drafts = caller.request.actor.may_on_any(Operation::ReadDraftPolicy);
        let policies = PolicyFilter { without_drafts: !drafts, ..Default::default() };
        let without_drafts = without_drafts(caller, &viewer);
        let requests = PolicyRequestFilter { without_drafts, ..Default::default() };
        match self {
            Self::Policy => shows::<policy::Row>(caller, viewer, policies, id).await,
            Self::PolicyRequest => shows::<policy_request::Row>(caller, viewer, requests, id).await,
            Self::Partner => listed::<partner::Row>(caller, viewer, id).await,
            Self::TrustCertificate => listed::<trust_certificate::Row>(caller, viewer, id).await,
            Self::PolicyGroup => listed::<policy_group::Row>(caller, viewer, id).await,
            Self::Extractor => listed::<extractor::Row>(caller, viewer, id).await,
            Self::ApiKey => listed::<api_key::Row>(caller, viewer, id).await,
            Self::MispLicense => listed::<misp_license::Row>(caller, viewer, id).await,
            Self::OidcClient => listed::<oidc_client::Row>(caller, viewer, id).await,
            Self::Sbi => listed::<sbi::Row>(caller, viewer, id).await,
            Self::Device => listed::<device::Row>(caller, viewer, id).await,
            Self::FtmChip => listed::<ftm_chip::Row>(caller, viewer, id).await,
            Self::Proposal => listed::<proposal::Row>(caller, viewer, id).await,
        }
    }
}

async fn listed<R: Listed>(caller: &Caller, viewer: Viewer, id: &str) -> projections::Result<bool> {
    shows::<R>(caller, viewer, R::Filter::default(), id).await
}

async fn shows<R: Listed>(
    caller: &Caller,
    viewer: Viewer,
    filter: R::Filter,
    id: &str,
) -> projections::Result<bool> {
    let question = Question::<R> { viewer, filter, now: commands::now() };
    question.shows(caller.pool(), id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Consents are their givers' own business and have no query by id.
    #[test]
    fn every_read_table_but_that_of_consents_has_its_noun() {
        let mut nouns: Vec<&str> = Noun::VARIANTS.iter().map(|noun| noun.stored_name()).collect();
        nouns.push("consent");
        let mut tables: Vec<&str> = projections::TABLES.iter().map(|table| table.name).collect();
        nouns.sort_unstable();
        tables.sort_unstable();
        assert_eq!(nouns, tables);
    }
}
