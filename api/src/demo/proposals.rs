//! What one of the staff proposes to another, as if the installation wanted four eyes.

use super::authority::Authority;
use super::menu::Menu;
use super::{key, second_of_staff, staff};
use commands::policy::DeactivatePolicy;
use commands::proposal::{ConfirmProposal, RefuseProposal};
use commands::trust_certificate::UploadTrustCertificate;
use commands::{Commands, Result};
use domain::ids::ProposalId;
use domain::reference::TrustDomain;

/// One proposal is confirmed, one refused, and one waits.
pub async fn make(commands: &Commands, seed: u64, menu: &Menu) -> Result<()> {
    let office = Office { commands: commands.clone().with_four_eyes(true), seed };
    office.end_the_pilot(menu).await?;
    office.refuse_a_root().await?;
    office.new_root("New Root", "propose new root").await?;
    Ok(())
}

struct Office {
    commands: Commands,
    seed: u64,
}

impl Office {
    fn key(&self, what: &str) -> String {
        key(self.seed, what)
    }

    async fn end_the_pilot(&self, menu: &Menu) -> Result<()> {
        let input = DeactivatePolicy {
            policy_id: menu.pilot.clone(),
            reason: "The pilot is over".to_owned(),
            idempotency_key: Some(self.key("propose end of pilot")),
            expected_version: None,
        };
        let proposal = self.commands.deactivate_policy(&staff(), &input).await?.id;
        let input = ConfirmProposal {
            proposal_id: proposal.as_str().into(),
            idempotency_key: Some(self.key("confirm")),
            expected_version: None,
        };
        self.commands.confirm_proposal(&second_of_staff(), &input).await?;
        Ok(())
    }

    async fn refuse_a_root(&self) -> Result<()> {
        let input = RefuseProposal {
            proposal_id: self.new_root("Unknown Root", "propose unknown root").await?,
            reason: "Nobody has checked its fingerprint".to_owned(),
            idempotency_key: Some(self.key("refuse")),
            expected_version: None,
        };
        self.commands.refuse_proposal(&second_of_staff(), &input).await?;
        Ok(())
    }

    async fn new_root(&self, name: &str, wish: &str) -> Result<ProposalId> {
        let root = Authority::root(self.seed, TrustDomain::Auth, name)?;
        let input =
            UploadTrustCertificate { idempotency_key: Some(self.key(wish)), ..root.trusted() };
        Ok(self.commands.upload_trust_certificate(&staff(), &input).await?.done.id.as_str().into())
    }
}
