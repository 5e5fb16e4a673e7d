//! Under which policy group a partner works: chosen once by itself, changed by an administrator.

use super::{active_group, holds, own};
use crate::event_store::StreamId;
use crate::unit::{Stream, Unit};
use crate::{Commands, Done, Request, Result, input};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::Operation;
use domain::ids::{PartnerId, PolicyGroupId};
use domain::partner::{Change, Command, Partner};
use projections::held::live_of_partner;
use projections::policy_request;
use serde::Serialize;

/// Chooses the policy group of a partner that has none.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SelectPolicyGroupInput")]
pub struct SelectPolicyGroup {
    /// Which partner.
    pub partner_id: PartnerId,
    /// The id of the group whose policies it will ask for. This is chosen once.
    pub policy_group: PolicyGroupId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SelectPolicyGroup, "selectPolicyGroup");

/// Puts a partner into another policy group.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "MovePartnerToPolicyGroupInput")]
pub struct MovePartnerToPolicyGroup {
    /// Which partner: one without requests, keys and the like.
    pub partner_id: PartnerId,
    /// The id of the group whose policies it may ask for from now on.
    pub policy_group: PolicyGroupId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(MovePartnerToPolicyGroup, "movePartnerToPolicyGroup");

impl Commands {
    /// Chooses the policy group of a partner that has none.
    pub async fn select_policy_group(
        &self,
        request: &Request,
        input: &SelectPolicyGroup,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::SelectPolicyGroup, &input.partner_id).await?;
            let group = input.policy_group.clone();
            if unit.decide(&mut partner, Command::SelectPolicyGroup(group))? {
                active_group(&unit, &input.policy_group).await?;
            }
            Ok(partner.done())
        })
        .await
    }

    /// Puts a partner without links into another policy group.
    pub async fn move_partner_to_policy_group(
        &self,
        request: &Request,
        input: &MovePartnerToPolicyGroup,
    ) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            unit.permit(Operation::MovePartnerToPolicyGroup)?;
            let reason = Reason::new("reason", &input.reason)?;
            let mut partner = unit.load::<Partner>(input.partner_id.as_str()).await?;
            unit.expect(&partner)?;
            let links = links(&unit, &partner).await?;
            let policy_group_id = input.policy_group.clone();
            let change = Change::MovePolicyGroup { policy_group_id, reason, links };
            if unit.decide(&mut partner, Command::Change(change))? {
                active_group(&unit, &input.policy_group).await?;
            }
            Ok(partner.done())
        })
        .await
    }
}

/// How many live requests the partner has. Whatever else it holds under a policy of its group rests
/// on an approved one, and ends with it.
async fn links(unit: &Unit, partner: &Stream<Partner>) -> Result<usize> {
    unit.fence(holds(&partner.id)).await?;
    let id = partner.id.as_str().into();
    Ok(live_of_partner::<policy_request::Row>(unit.pool(), &id).await?.len())
}
