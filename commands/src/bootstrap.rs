//! What every new system starts with: the default policy groups and policies. Running it again
//! changes nothing, nor does running it twice at once: several nodes may start on an empty log, and
//! the idempotency keys let one of them create what the others then find.

use crate::policy::{CreatePolicy, PublishPolicy};
use crate::policy_group::CreatePolicyGroup;
use crate::{Commands, Request, Result};
use domain::actor::Actor;
use domain::defaults::{DefaultGroup, DefaultPolicy, policies, policy_groups};
use domain::ids::{PolicyGroupId, PolicyId};
use projections::fold::{exists, find};
use projections::{policy, policy_group};

impl Commands {
    /// Creates the default groups, and creates and publishes the default policies, where they are
    /// missing. What was changed or ended since is left alone.
    pub async fn bootstrap(&self) -> Result<()> {
        let request = Request::new(Actor::system());
        for group in policy_groups() {
            if exists::<policy_group::Row>(self.store().pool(), group.id).await? {
                continue;
            }
            self.create_policy_group_as(&request, &group_input(group), group.id.to_owned()).await?;
        }
        for policy in policies() {
            let id = policy.id;
            let known = find::<policy::Row>(self.store().pool(), id).await?;
            if known.is_none() {
                self.create_policy_as(&request, &policy_input(policy), id.to_owned()).await?;
            }
            // An earlier start may have ended between the two.
            if known.is_none_or(|row| row.version == 1) {
                self.publish_policy(&request, &publish(id)).await?;
            }
        }
        Ok(())
    }
}

fn group_input(group: &DefaultGroup) -> CreatePolicyGroup {
    CreatePolicyGroup {
        name: group.name.to_owned(),
        description: group.description.to_owned(),
        idempotency_key: Some(key(group.id)),
    }
}

fn policy_input(policy: DefaultPolicy) -> CreatePolicy {
    CreatePolicy {
        policy_group_id: PolicyGroupId::from(policy.group_id),
        policy_type: policy.policy_type,
        name: policy.name.to_owned(),
        description: policy.description.to_owned(),
        version: policy.version.to_owned(),
        policies: policy.document,
        supersedes: None,
        idempotency_key: Some(key(policy.id)),
    }
}

fn key(id: &str) -> String {
    format!("bootstrap {id}")
}

fn publish(id: &str) -> PublishPolicy {
    PublishPolicy { policy_id: PolicyId::from(id), idempotency_key: None, expected_version: None }
}
