//! The trail of one credential in GraphQL.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::history::Entry;
use crate::scalars::Position;
use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use domain::actor::{MemberRole, Operation};
use domain::ids::{PartnerId, PolicyId};
use projections::credential::{Fact, Trail, User, trail};
use projections::noun::Noun;

/// Everything about one API key, OIDC client or MISP licence: who approved what it rests on, who issued
/// it, who could use it, when it ended and why. Each fact has the position of its event.
#[derive(SimpleObject)]
pub struct CredentialTrail {
    /// What kind of credential it is.
    noun: Noun,
    /// Which one.
    id: ID,
    /// Whose it is.
    partner_id: PartnerId,
    /// Under which policy it works; null for a licence that works without one.
    policy_id: Option<PolicyId>,
    /// What it rests on, as it stood when it was issued, in the order of the log: how its partner was
    /// registered and made active, the partner's certificate, how the policy was created and published,
    /// and how the request for it was submitted and approved. A partner is not told of the policy's
    /// making, which is in nobody's own part of the history.
    rests_on: Vec<Entry>,
    /// Who issued it, and what it then allowed.
    issued: CredentialFact,
    /// Who belonged to its partner while it lived, in the order in which they came. Whom a token's claim
    /// made a member, the log does not know.
    users: Vec<CredentialUser>,
    /// Everything that happened to it afterwards: suspended, resumed, rotated, ended.
    later: Vec<CredentialFact>,
    /// How it ended: it expired, or was deactivated; null while it has not.
    ended: Option<CredentialFact>,
}

/// Something that happened to a credential.
#[derive(SimpleObject)]
pub struct CredentialFact {
    /// What happened, when, by whom and why.
    event: Entry,
    /// The event that it followed from, such as the suspension of its partner; null where somebody asked
    /// for just this, or where the cause is not the caller's to see.
    cause: Option<Entry>,
}

impl From<Fact> for CredentialFact {
    fn from(Fact { event, cause }: Fact) -> Self {
        Self { event: event.into(), cause: cause.map(Entry::from) }
    }
}

/// Somebody who could use a credential, from one time to another.
#[derive(SimpleObject)]
pub struct CredentialUser {
    /// The subject of his access token.
    subject: String,
    /// What he was to the partner.
    role: MemberRole,
    /// From when on.
    since: DateTime<Utc>,
    /// The event that made him so.
    since_position: Position,
    /// Until when; null while he is.
    until: Option<DateTime<Utc>>,
    /// The event that ended it.
    until_position: Option<Position>,
}

impl From<User> for CredentialUser {
    fn from(user: User) -> Self {
        let User { subject, role, since, since_position, until, until_position } = user;
        let since_position = Position(since_position);
        let until_position = until_position.map(Position);
        Self { subject, role, since, since_position, until, until_position }
    }
}

/// Questions about credentials.
#[derive(Default)]
pub struct CredentialQuery;

#[Object]
impl CredentialQuery {
    /// The whole trail of an API key, OIDC client or MISP licence, read off the events; null when there
    /// is none whose history the caller may see. Refused with `TOO_MANY_EVENTS` where it would be read
    /// off more than 10,000.
    async fn credential_trail(&self, ctx: &Context<'_>, id: ID) -> Result<Option<CredentialTrail>> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadHistory)?;
        let found = answer(ctx, trail(caller(ctx).pool(), &viewer, &id).await)?;
        Ok(found.map(|trail| CredentialTrail::of(id, trail)))
    }
}

impl CredentialTrail {
    fn of(id: ID, trail: Trail) -> Self {
        let Trail { noun, partner_id, policy_id, rests_on, issued, users, later, ended } = trail;
        Self {
            noun,
            id,
            partner_id,
            policy_id,
            rests_on: rests_on.into_iter().map(Entry::from).collect(),
            issued: issued.into(),
            users: users.into_iter().map(Into::into).collect(),
            later: later.into_iter().map(Into::into).collect(),
            ended: ended.map(Into::into),
        }
    }
}
