//! The whole trail of one credential, an API key, an OIDC client or a MISP licence, read off the events
//! of everything involved: who approved what it rests on, who issued it, who could use it, what became
//! of it and why.
//!
//! However much happened, it takes three statements, which read what counts and no more than
//! [`MAX_EVENTS`] of it.

use crate::held::belongs;
use crate::history::HistoryEntry;
use crate::log::{COLUMNS, LogRow};
use crate::noun::Noun;
use crate::page::refused;
use crate::{Error, Result, Viewer};
use chrono::{DateTime, Utc};
use domain::actor::MemberRole;
use domain::ids::{PartnerId, PolicyId};
use domain::partner::{Event, Member, Partner};
use sqlx::PgPool;
use std::collections::HashMap;

/// How many events one trail is read off.
pub const MAX_EVENTS: usize = 10_000;

/// Everything about one credential, in the order of the log.
#[derive(Debug)]
pub struct Trail {
    /// What kind of credential it is.
    pub noun: Noun,
    /// Whose it is.
    pub partner_id: PartnerId,
    /// Under which policy it works; absent for a licence that works without one.
    pub policy_id: Option<PolicyId>,
    /// What it rests on, as it stood when it was issued.
    pub rests_on: Vec<HistoryEntry>,
    /// How it was issued.
    pub issued: Fact,
    /// Who belonged to its partner while it lived.
    pub users: Vec<User>,
    /// Everything that happened to it afterwards.
    pub later: Vec<Fact>,
    /// How it ended; absent while it has not.
    pub ended: Option<Fact>,
}

/// Something that happened, and the event that it followed from.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What happened.
    pub event: HistoryEntry,
    /// What caused it; absent where somebody asked for just this, and where the cause is not the
    /// viewer's to see.
    pub cause: Option<HistoryEntry>,
}

/// Somebody who belonged to a partner, from one event to another.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The subject of his access token.
    pub subject: String,
    /// What he was there.
    pub role: MemberRole,
    /// From when on.
    pub since: DateTime<Utc>,
    /// The position of the event that made him so.
    pub since_position: i64,
    /// Until when; absent while he is.
    pub until: Option<DateTime<Utc>>,
    /// The position of the event that ended it.
    pub until_position: Option<i64>,
}

/// What a credential is and what it belongs to.
#[derive(Debug, sqlx::FromRow)]
struct Found {
    noun: String,
    partner_id: String,
    policy_id: Option<String>,
}

/// An event, by its stream and its place there.
type Place = (String, String, i64);

/// The trail of the credential with this id; `None` when there is none that `viewer` may see. What
/// belongs to no partner, such as the making of the policy, only those see who see all of history.
/// Refused with `TOO_MANY_EVENTS`.
pub async fn trail(db: &PgPool, viewer: &Viewer, id: &str) -> Result<Option<Trail>> {
    let Some(found) = find(db, id).await? else { return Ok(None) };
    let partner_id = PartnerId::from(found.partner_id.as_str());
    if !viewer.sees(&partner_id) {
        return Ok(None);
    }
    let events = involved(db, viewer, &found, id).await?;
    let own: Vec<&LogRow> = events.iter().filter(|it| it.aggregate_id == id).collect();
    let causes = causes(db, viewer, &own).await?;
    let facts = own.iter().map(|row| fact(row, &causes)).collect::<Result<Vec<_>>>()?;
    let mut later = facts.into_iter();
    let issued = later.next().ok_or_else(|| Error::Unreadable("a stream is empty".to_owned()))?;
    let later: Vec<Fact> = later.collect();
    let ended = later.iter().find(|it| is_end(&it.event)).cloned();
    let (from, until) = (issued.event.position, ended.as_ref().map(|it| it.event.position));
    Ok(Some(Trail {
        noun: noun(&found.noun)?,
        rests_on: rests_on(&events, from)?,
        users: users(&events, from, until)?,
        policy_id: found.policy_id.as_deref().map(PolicyId::from),
        partner_id,
        issued,
        later,
        ended,
    }))
}

const CREDENTIALS: [Noun; 3] = [Noun::ApiKey, Noun::OidcClient, Noun::MispLicense];

fn noun(stored_name: &str) -> Result<Noun> {
    let noun = CREDENTIALS.into_iter().find(|it| it.stored_name() == stored_name);
    noun.ok_or_else(|| Error::Unreadable(format!("{stored_name} is no credential")))
}

async fn find(db: &PgPool, id: &str) -> Result<Option<Found>> {
    let of = |noun: Noun| {
        format!("select '{noun}' as noun, partner_id, policy_id from {noun} where id = $1")
    };
    let sql = CREDENTIALS.map(of).join(" union all ");
    Ok(sqlx::query_as(&sql).bind(id).fetch_optional(db).await?)
}

/// All events of the credential, and those that count of its partner, its policy, and the partner's
/// requests for that.
async fn involved(db: &PgPool, viewer: &Viewer, found: &Found, id: &str) -> Result<Vec<LogRow>> {
    let sql = format!(
        "select {COLUMNS} from events where aggregate_type = $1 and aggregate_id = $2 \
         union all select {COLUMNS} from events \
           where aggregate_type = 'partner' and aggregate_id = $3 \
             and event_type in ('registered', 'activated', 'certificate_accepted', \
               'member_invited', 'member_role_set', 'member_removed') \
         union all select {COLUMNS} from events \
           where $5 and aggregate_type = 'policy' and aggregate_id = $4 \
             and event_type in ('created', 'published') \
         union all select {COLUMNS} from events \
           where aggregate_type = 'policy_request' and aggregate_id in \
               (select id from policy_request where partner_id = $3 and policy_id = $4) \
             and event_type in ('submitted', 'draft_submitted', 'approved') \
         order by position limit {}",
        MAX_EVENTS + 1
    );
    let Found { noun, partner_id, policy_id } = found;
    let query = sqlx::query_as(&sql).bind(noun).bind(id).bind(partner_id).bind(policy_id);
    let events = query.bind(*viewer == Viewer::All).fetch_all(db).await?;
    if events.len() > MAX_EVENTS {
        let message = "Too much happened to it and its partner: read the history, page by page.";
        return Err(refused("TOO_MANY_EVENTS", "id", message));
    }
    Ok(events)
}

/// The events that `own` followed from, as far as `viewer` may see them.
async fn causes(
    db: &PgPool,
    viewer: &Viewer,
    own: &[&LogRow],
) -> Result<HashMap<Place, HistoryEntry>> {
    let (mut nouns, mut ids, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for row in own {
        if let Some((noun, id, version)) = place(&row.metadata()?.causation_id) {
            nouns.push(noun);
            ids.push(id);
            versions.push(version);
        }
    }
    let sql = format!(
        "select {COLUMNS} from events where (aggregate_type, aggregate_id, sequence) in \
           (select * from unnest($1::text[], $2::text[], $3::bigint[])) \
         and ($4::text[] is null or {})",
        belongs("$4")
    );
    let query = sqlx::query_as(&sql).bind(nouns).bind(ids).bind(versions);
    let causes: Vec<LogRow> = query.bind(viewer.partner_ids()).fetch_all(db).await?;
    causes.iter().map(|row| Ok((place_of(row), HistoryEntry::of(row)?))).collect()
}

/// The event that a causation id such as `partner/acme#4` names; nothing where it names a request.
fn place(causation_id: &str) -> Option<Place> {
    let (stream, version) = causation_id.rsplit_once('#')?;
    let (noun, id) = stream.split_once('/')?;
    Some((noun.to_owned(), id.to_owned(), version.parse().ok()?))
}

fn place_of(row: &LogRow) -> Place {
    (row.aggregate_type.clone(), row.aggregate_id.clone(), row.sequence)
}

fn fact(row: &LogRow, causes: &HashMap<Place, HistoryEntry>) -> Result<Fact> {
    let event = HistoryEntry::of(row)?;
    let cause = place(&event.causation_id).and_then(|place| causes.get(&place)).cloned();
    Ok(Fact { event, cause })
}

fn is_end(event: &HistoryEntry) -> bool {
    ["deactivated", "expired"].contains(&event.event.as_str())
}

/// How the partner was registered and made active, the certificate that it had, how the policy came to
/// be, and how the request for it was made and approved: all before this position.
fn rests_on(events: &[LogRow], issued: i64) -> Result<Vec<HistoryEntry>> {
    let before: Vec<&LogRow> = events.iter().filter(|row| row.position < issued).collect();
    let last = |noun: &str, event: &str| {
        let found = |row: &&&LogRow| row.aggregate_type == noun && row.event_type == event;
        before.iter().rev().find(found)
    };
    let certificate = last("partner", "certificate_accepted").map(|row| row.position);
    let request = last("policy_request", "approved").map(|row| row.aggregate_id.as_str());
    let counts = |row: &LogRow| match (row.aggregate_type.as_str(), row.event_type.as_str()) {
        ("partner", "registered" | "activated") | ("policy", "created" | "published") => true,
        ("partner", "certificate_accepted") => Some(row.position) == certificate,
        ("policy_request", "submitted" | "draft_submitted" | "approved") => {
            Some(row.aggregate_id.as_str()) == request
        }
        _ => false,
    };
    before.iter().filter(|row| counts(row)).map(|row| HistoryEntry::of(row)).collect()
}

/// Who belonged to the partner between the two positions.
fn users(events: &[LogRow], from: i64, until: Option<i64>) -> Result<Vec<User>> {
    let mut users = Vec::new();
    for row in events.iter().filter(|row| row.aggregate_type == "partner") {
        happened_to_user(&mut users, row)?;
    }
    users.retain(|it| {
        it.until_position.is_none_or(|end| end > from)
            && until.is_none_or(|end| it.since_position < end)
    });
    Ok(users)
}

fn happened_to_user(users: &mut Vec<User>, row: &LogRow) -> Result<()> {
    let (subject, role) = match row.decode::<Partner>()?.event {
        Event::Registered(it) => (it.member, Some(MemberRole::Manager)),
        Event::MemberInvited(Member { subject, role })
        | Event::MemberRoleSet(Member { subject, role }) => (subject, Some(role)),
        Event::MemberRemoved { subject, .. } => (subject, None),
        _ => return Ok(()),
    };
    let (since, since_position) = (row.recorded_at, row.position);
    if let Some(before) =
        users.iter_mut().find(|it| it.subject == subject && it.until_position.is_none())
    {
        (before.until, before.until_position) = (Some(since), Some(since_position));
    }
    let (until, until_position) = (None, None);
    users.extend(role.map(|role| User {
        subject,
        role,
        since,
        since_position,
        until,
        until_position,
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_causation_id_names_an_event_or_a_request() {
        let place = |text| place(text).map(|(noun, id, version)| format!("{noun} {id} {version}"));
        assert_eq!(place("partner/acme#4").as_deref(), Some("partner acme 4"));
        assert_eq!(place("person/a/b#c#2").as_deref(), Some("person a/b#c 2"));
        assert_eq!(place("01a2050b-3bde-7183-be36-668c9e61c44d"), None);
        assert_eq!(place("partner/acme#x"), None);
    }
}
