//! What can be done with commands that wait for a second person.
//!
//! The first person gives the command as always. Where a second one is needed, by the installation's
//! wish or by the command's nature, what was decided is thrown away and a proposal is appended in its
//! place; the second person's confirmation decides anew, in one submission with the proposal's end.

use crate::event_store::StreamId;
use crate::partner::DeactivatePartner;
use crate::policy::DeactivatePolicy;
use crate::subject::EraseSubject;
use crate::trust_certificate::UploadTrustCertificate;
use crate::unit::{Decided, Stream, Unit};
use crate::{Commands, Done, Error, Request, Result, input};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::Operation;
use domain::ids::ProposalId;
use domain::proposal::{Command, MAX_WAIT, Proposal, Proposed, ProposedAction, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Does what somebody else has proposed.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "ConfirmProposalInput")]
pub struct ConfirmProposal {
    /// Which proposal.
    pub proposal_id: ProposalId,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the proposal that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(ConfirmProposal, "confirmProposal");

/// Does not do what was proposed; the proposer takes it back in this way.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RefuseProposalInput")]
pub struct RefuseProposal {
    /// Which proposal.
    pub proposal_id: ProposalId,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: String,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the proposal that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RefuseProposal, "refuseProposal");

impl Commands {
    /// Does what somebody else has proposed, if it is still possible.
    pub async fn confirm_proposal(
        &self,
        request: &Request,
        input: &ConfirmProposal,
    ) -> Result<Done> {
        let id = input.proposal_id.as_str();
        let done = self.run(request, input, StreamId::of::<Proposal>(id), |unit| async move {
            let (mut proposal, proposed) = permitted(&unit, Operation::ConfirmProposal, id).await?;
            let by = unit.actor().subject.clone();
            if unit.decide(&mut proposal, Command::Confirm { by, now: unit.now })? {
                unit.because_of(&proposal);
                carry_out(&unit, proposed).await?;
            }
            Ok(proposal.done())
        });
        let done = done.await?;
        self.erase_origins(done.position).await;
        Ok(done)
    }

    /// Ends a proposal without doing what it says.
    pub async fn refuse_proposal(&self, request: &Request, input: &RefuseProposal) -> Result<Done> {
        let id = input.proposal_id.as_str();
        self.run(request, input, StreamId::of::<Proposal>(id), |unit| async move {
            let (mut proposal, _) = permitted(&unit, Operation::RefuseProposal, id).await?;
            let reason = Reason::new("reason", &input.reason)?;
            unit.decide(&mut proposal, Command::Refuse { reason, now: unit.now })?;
            Ok(proposal.done())
        })
        .await
    }
}

/// The proposal, for those who might have given the command themselves.
async fn permitted(
    unit: &Unit,
    operation: Operation,
    id: &str,
) -> Result<(Stream<Proposal>, Proposed)> {
    unit.permit(operation)?;
    let proposal = unit.load::<Proposal>(id).await?;
    let proposed = proposal.proposed().ok_or(Vec::from(Refusal::ProposalNotFound))?.clone();
    unit.permit(proposed.action.operation())?;
    unit.expect(&proposal)?;
    Ok((proposal, proposed))
}

async fn carry_out(unit: &Unit, Proposed { action, input, .. }: Proposed) -> Result<()> {
    let decided = match action {
        ProposedAction::UploadTrustCertificate => {
            let input: UploadTrustCertificate = read(input)?;
            crate::trust_certificate::upload(unit, &input).await.map(|upload| upload.decided())
        }
        ProposedAction::DeactivatePartner => {
            let input: DeactivatePartner = read(input)?;
            let unit = unit.expecting(input.expected_version);
            crate::partner::deactivate(&unit, &input).await
        }
        ProposedAction::DeactivatePolicy => {
            let input: DeactivatePolicy = read(input)?;
            let unit = unit.expecting(input.expected_version);
            crate::policy::deactivate(&unit, &input).await
        }
        ProposedAction::EraseSubject => {
            let input: EraseSubject = read(input)?;
            crate::subject::erase_of(&unit.expecting(input.expected_version), &input).await
        }
    };
    decided.map(drop)
}

fn read<I: DeserializeOwned>(input: Value) -> Result<I> {
    serde_json::from_value(input).map_err(|_| Error::fault("a proposal does not read any more"))
}

impl Unit {
    /// Lets what was decided wait for a second person, where one is needed and there is something
    /// to do. `target` names what it is about.
    pub(crate) fn or_propose(
        &self,
        decided: Decided,
        action: ProposedAction,
        target: String,
        input: &impl Serialize,
    ) -> Result<Decided> {
        if !self.wants_second_person(action) {
            return Ok(decided);
        }
        self.set_aside();
        let mut input = serde_json::to_value(input).map_err(|error| Error::Fault(error.into()))?;
        input["idempotency_key"] = Value::Null; // it was for this wish, not for the confirmation
        let (proposed_by, expires_at) = (self.actor().subject.clone(), self.now + MAX_WAIT);
        let mut proposal = self.begin::<Proposal>();
        let proposed = Proposed { action, target, input, proposed_by, expires_at };
        self.decide(&mut proposal, Command::Propose(proposed))?;
        Ok(proposal.done().into_proposal())
    }
}
