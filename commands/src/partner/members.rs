//! Who speaks for a partner.

use super::own;
use crate::event_store::StreamId;
use crate::{Commands, Done, Request, Result, input};
use async_graphql::InputObject;
use domain::Reason;
use domain::actor::{MemberRole, Operation};
use domain::ids::PartnerId;
use domain::partner::{Change, Command, Member, Partner, check_subject};
use domain::text::Checks;
use serde::Serialize;

/// Lets somebody speak for a partner.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "InviteMemberInput")]
pub struct InviteMember {
    /// For which partner.
    pub partner_id: PartnerId,
    /// Who: the subject of his access token, 1 to 256 characters.
    pub subject: String,
    /// What he may do.
    pub role: MemberRole,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(InviteMember, "inviteMember");

/// Lets somebody speak for a partner no more.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "RemoveMemberInput")]
pub struct RemoveMember {
    /// For which partner.
    pub partner_id: PartnerId,
    /// Which member: the subject of the access token.
    pub subject: String,
    /// Why: 1 to 500 characters, kept in the log for ever.
    pub reason: Option<String>,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(RemoveMember, "removeMember");

/// Gives a member another role.
#[derive(Debug, Clone, Serialize, InputObject)]
#[graphql(name = "SetMemberRoleInput")]
pub struct SetMemberRole {
    /// Of which partner.
    pub partner_id: PartnerId,
    /// Which member: the subject of the access token.
    pub subject: String,
    /// What he may do from now on.
    pub role: MemberRole,
    /// Makes repeating harmless: 1 to 128 characters.
    pub idempotency_key: Option<String>,
    /// The version of the partner that the caller has seen.
    pub expected_version: Option<i64>,
}
input!(SetMemberRole, "setMemberRole");

impl Commands {
    /// Lets somebody speak for a partner.
    pub async fn invite_member(&self, request: &Request, input: &InviteMember) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::InviteMember, &input.partner_id).await?;
            let member = Member { subject: subject(&input.subject)?, role: input.role };
            unit.decide(&mut partner, Command::Change(Change::InviteMember(member)))?;
            Ok(partner.done())
        })
        .await
    }

    /// Lets somebody speak for a partner no more. One manager has to stay.
    pub async fn remove_member(&self, request: &Request, input: &RemoveMember) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::RemoveMember, &input.partner_id).await?;
            let reason = input.reason.as_deref().map(|it| Reason::new("reason", it)).transpose();
            let mut checks = Checks::default();
            check_subject(&mut checks, "subject", &input.subject);
            checks.extend(reason.clone().err().into_iter().flatten());
            checks.done()?;
            let (subject, reason) = (input.subject.clone(), reason?);
            unit.decide(&mut partner, Command::Change(Change::RemoveMember { subject, reason }))?;
            Ok(partner.done())
        })
        .await
    }

    /// Gives a member another role. One manager has to stay.
    pub async fn set_member_role(&self, request: &Request, input: &SetMemberRole) -> Result<Done> {
        let stream = StreamId::of::<Partner>(input.partner_id.as_str());
        self.run(request, input, stream, |unit| async move {
            let mut partner = own(&unit, Operation::SetMemberRole, &input.partner_id).await?;
            let member = Member { subject: subject(&input.subject)?, role: input.role };
            unit.decide(&mut partner, Command::Change(Change::SetMemberRole(member)))?;
            Ok(partner.done())
        })
        .await
    }
}

/// A checked subject, exactly as typed: tokens are compared with it.
fn subject(typed: &str) -> Result<String> {
    let mut checks = Checks::default();
    check_subject(&mut checks, "subject", typed);
    Ok(checks.done().map(|()| typed.to_owned())?)
}
