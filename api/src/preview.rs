//! What a command would change: decided by the same code, appended nowhere.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::scalars::Position;
use async_graphql::{Context, Object, SimpleObject};
use commands::api_key::DeactivateApiKey;
use commands::consent::WithdrawConsent;
use commands::device::{DeactivateDevice, RejectDevice, UnlinkDeviceFromSbi};
use commands::extractor::DeleteExtractor;
use commands::ftm_chip::{DeactivateFtmChip, RejectFtmChip};
use commands::misp_license::DeactivateMispLicense;
use commands::oidc_client::{DeactivateOidcClient, RetireOidcClientKey};
use commands::partner::{
    DeactivatePartner, ReactivatePartner, RemoveMember, RemovePartnerContact,
    RevokePartnerCertificate, SuspendPartner,
};
use commands::policy::{DeactivatePolicy, DiscardDraftPolicy};
use commands::policy_group::DeactivatePolicyGroup;
use commands::policy_request::{RejectPolicyRequest, RevokePolicyRequest, WithdrawPolicyRequest};
use commands::proposal::{ConfirmProposal, RefuseProposal};
use commands::sbi::{DeactivateSbi, RejectSbi};
use commands::subject::EraseSubject;
use commands::trust_certificate::{AttachCrl, DisableTrustCertificate, RevokeTrustCertificate};
use commands::{Change, Done, Error};

/// What would happen to one thing.
#[derive(SimpleObject)]
pub struct PreviewedChange {
    /// The kind of thing, such as `api_key`.
    noun: &'static str,
    /// The thing's id.
    id: String,
    /// What would happen, such as `deactivated`.
    event: String,
}

impl From<Change> for PreviewedChange {
    fn from(Change { noun, id, event, .. }: Change) -> Self {
        Self { noun, id, event }
    }
}

/// What a command would change now.
#[derive(SimpleObject)]
pub struct Preview {
    /// Everything that would happen, in order; empty when nothing would.
    changes: Vec<PreviewedChange>,
    /// What would be trusted no more, though nothing happens to it: the first 1,000 trust certificates
    /// below, partners and FTM chips whose newest certificate rests on what changes.
    affected: Vec<Affected>,
    /// How many these are in all.
    affected_count: i64,
    /// Where the log stood.
    position: Position,
}

/// A thing that rests on what changes.
#[derive(SimpleObject)]
pub struct Affected {
    /// The kind of thing: `trust_certificate`, `partner` or `ftm_chip`.
    noun: String,
    /// The thing's id.
    id: String,
}

async fn preview(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<Preview> {
    let Done { position, changes, .. } = answer(ctx, done)?;
    let affected = answer(ctx, caller(ctx).commands.dependents_of(&changes).await)?;
    let named = affected.named.into_iter().map(|(noun, id)| Affected { noun, id });
    Ok(Preview {
        changes: changes.into_iter().map(Into::into).collect(),
        affected: named.collect(),
        affected_count: affected.count,
        position: Position(position),
    })
}

/// Every command that ends or stops something, by the name of its mutation.
pub struct Previews;

/// The question what a command would change.
#[derive(Default)]
pub struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// What a command would change, or the refusal that it would meet; nothing is appended.
    /// Refused with `READ_ONLY` where the past is served: names are held by whoever holds them today.
    async fn preview(&self, ctx: &Context<'_>) -> Result<Previews> {
        answer(ctx, caller(ctx).commands.permit_changes().map_err(|it| Error::Refused(vec![it])))?;
        Ok(Previews)
    }
}

macro_rules! previews {
    ($($command:ident($Input:ident);)*) => {
        /// Every command that ends or stops something, by the name of its mutation.
        #[Object]
        impl Previews {
            $(
                /// What the mutation of this name would change.
                async fn $command(&self, ctx: &Context<'_>, input: $Input) -> Result<Preview> {
                    let caller = caller(ctx);
                    let commands = caller.commands.preview();
                    preview(ctx, commands.$command(&caller.request, &input).await).await
                }
            )*
        }
    };
}
previews! {
    suspend_partner(SuspendPartner);
    reactivate_partner(ReactivatePartner);
    deactivate_partner(DeactivatePartner);
    erase_subject(EraseSubject);
    revoke_partner_certificate(RevokePartnerCertificate);
    disable_trust_certificate(DisableTrustCertificate);
    revoke_trust_certificate(RevokeTrustCertificate);
    attach_crl(AttachCrl);
    deactivate_policy_group(DeactivatePolicyGroup);
    deactivate_policy(DeactivatePolicy);
    discard_draft_policy(DiscardDraftPolicy);
    reject_policy_request(RejectPolicyRequest);
    withdraw_policy_request(WithdrawPolicyRequest);
    revoke_policy_request(RevokePolicyRequest);
    delete_extractor(DeleteExtractor);
    deactivate_api_key(DeactivateApiKey);
    deactivate_misp_license(DeactivateMispLicense);
    reject_sbi(RejectSbi);
    deactivate_sbi(DeactivateSbi);
    reject_device(RejectDevice);
    deactivate_device(DeactivateDevice);
    reject_ftm_chip(RejectFtmChip);
    deactivate_ftm_chip(DeactivateFtmChip);
    remove_member(RemoveMember);
    remove_partner_contact(RemovePartnerContact);
    unlink_device_from_sbi(UnlinkDeviceFromSbi);
    withdraw_consent(WithdrawConsent);
    confirm_proposal(ConfirmProposal);
    refuse_proposal(RefuseProposal);
    retire_oidc_client_key(RetireOidcClientKey);
    deactivate_oidc_client(DeactivateOidcClient);
}
