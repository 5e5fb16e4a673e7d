//! One thing, whatever its kind: who may know of it.

use crate::caller::Caller;
use projections::noun::Noun;
use projections::page::{Listed, Question};
use projections::policy::PolicyFilter;
use projections::policy_request::PolicyRequestFilter;
use projections::{
    Viewer, api_key, device, extractor, ftm_chip, misp_license, oidc_client, partner, policy,
    policy_group, policy_request, proposal, sbi, trust_certificate,
};

/// Whether the caller's list of these things has this one.
pub async fn is_shown(noun: Noun, caller: &Caller, id: &str) -> projections::Result<bool> {
    let Some(viewer) = caller.sees(noun.operation()) else { return Ok(false) };
    let without_drafts = crate::policy::without_drafts(caller);
    let policies = PolicyFilter { without_drafts, ..Default::default() };
    let without_drafts = crate::policy_request::without_drafts(caller, &viewer);
    let requests = PolicyRequestFilter { without_drafts, ..Default::default() };
    match noun {
        Noun::Policy => shows::<policy::Row>(caller, viewer, policies, id).await,
        Noun::PolicyRequest => shows::<policy_request::Row>(caller, viewer, requests, id).await,
        Noun::Partner => listed::<partner::Row>(caller, viewer, id).await,
        Noun::TrustCertificate => listed::<trust_certificate::Row>(caller, viewer, id).await,
        Noun::PolicyGroup => listed::<policy_group::Row>(caller, viewer, id).await,
        Noun::Extractor => listed::<extractor::Row>(caller, viewer, id).await,
        Noun::ApiKey => listed::<api_key::Row>(caller, viewer, id).await,
        Noun::MispLicense => listed::<misp_license::Row>(caller, viewer, id).await,
        Noun::OidcClient => listed::<oidc_client::Row>(caller, viewer, id).await,
        Noun::Sbi => listed::<sbi::Row>(caller, viewer, id).await,
        Noun::Device => listed::<device::Row>(caller, viewer, id).await,
        Noun::FtmChip => listed::<ftm_chip::Row>(caller, viewer, id).await,
        Noun::Proposal => listed::<proposal::Row>(caller, viewer, id).await,
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
    let question = Question::<R> { viewer, filter, now: caller.commands.now() };
    question.shows(caller.pool(), id).await
}
