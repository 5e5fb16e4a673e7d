//! What is kept about a partner's contacts or about a person, read off the log and off what lies
//! beside it.

use crate::history::{
    DEFAULT_EVENTS, HistoryEntry, HistoryFilter, HistoryPage, history, position as cursor,
};
use crate::log::{COLUMNS, LogRow};
use crate::page::{Direction, PageRequest, limit};
use crate::private_rows::ORIGIN_IS_KEPT;
use crate::{Result, Viewer};
use chrono::{DateTime, Utc};
use domain::actor::MemberRole;
use domain::ids::PartnerId;
use domain::partner::{ContactPurpose, Event, Member, Partner};
use domain::recorded::Recorded;
use domain::subject::{LegalGround, SubjectKind};
use sqlx::{PgExecutor, PgPool};
use std::collections::HashMap;
use uuid::Uuid;

/// How a partner was reached, from one time to another.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactPeriod {
    /// The position of the event that said so.
    pub position: i64,
    /// Where the contact data lies, or lay.
    pub reference: Uuid,
    /// For what.
    pub purpose: ContactPurpose,
    /// From when on.
    pub since: DateTime<Utc>,
    /// Until when; nothing while it applies.
    pub until: Option<DateTime<Utc>>,
    /// When it was erased.
    pub erased_at: Option<DateTime<Utc>>,
}

/// What somebody was to a partner, from one time to another.
#[derive(Debug, Clone, PartialEq)]
pub struct MembershipPeriod {
    /// The position of the event that made him so.
    pub position: i64,
    /// To which partner.
    pub partner_id: PartnerId,
    /// What he was there.
    pub role: MemberRole,
    /// From when on.
    pub since: DateTime<Utc>,
    /// Until when; nothing while he is.
    pub until: Option<DateTime<Utc>>,
    /// Why he was removed, where that was said.
    pub end_reason: Option<String>,
}

/// From where a change came.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Origin {
    /// The position of the change.
    pub position: i64,
    /// The address of the client.
    pub client_address: String,
    /// The program, as it names itself.
    pub user_agent: String,
}

/// That something was erased.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Erasure {
    /// The position of the event that says so.
    pub position: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    #[sqlx(json)]
    pub legal_ground: LegalGround,
}

/// How a partner is and was reached, in the order of the log. What was erased is gone from every past,
/// too, and so is told in each: erasures are read off the whole log.
pub async fn contacts(db: impl PgExecutor<'_>, partner: &str) -> Result<Vec<ContactPeriod>> {
    let sql = format!(
        "select {COLUMNS} from events where aggregate_type = 'partner' and aggregate_id = $1 \
         and event_type in ('registered', 'contact_set', 'contact_removed') \
         union all \
         select {COLUMNS} from public.events where aggregate_type = 'partner' and aggregate_id = $1 \
         and event_type = 'personal_data_erased' order by sequence"
    );
    let rows: Vec<LogRow> = sqlx::query_as(&sql).bind(partner).fetch_all(db).await?;
    let mut periods = Vec::new();
    for row in rows {
        happened_to_contacts(&mut periods, row.decode::<Partner>()?);
    }
    Ok(periods)
}

fn happened_to_contacts(periods: &mut Vec<ContactPeriod>, recorded: Recorded<Event>) {
    let Recorded { position, recorded_at: at, event, .. } = recorded;
    let ends = |periods: &mut Vec<ContactPeriod>, purpose| {
        let open = periods.iter_mut().filter(|it| it.purpose == purpose && it.until.is_none());
        open.for_each(|it| it.until = Some(at));
    };
    let begins = |purpose, reference| {
        let (until, erased_at) = (None, None);
        ContactPeriod { position, reference, purpose, since: at, until, erased_at }
    };
    match event {
        Event::Registered(it) => {
            periods.push(begins(ContactPurpose::Primary, it.contact.reference));
        }
        Event::ContactSet { purpose, contact } => {
            ends(periods, purpose);
            periods.push(begins(purpose, contact.reference));
        }
        Event::ContactRemoved { purpose } => ends(periods, purpose),
        Event::PersonalDataErased { .. } => {
            for period in periods.iter_mut().filter(|it| it.erased_at.is_none()) {
                period.until.get_or_insert(at);
                period.erased_at = Some(at);
            }
        }
        _ => {}
    }
}

/// What a person is and was to partners, in the order of the log.
pub async fn memberships(db: impl PgExecutor<'_>, person: &str) -> Result<Vec<MembershipPeriod>> {
    let sql = format!(
        "select {COLUMNS} from events where aggregate_type = 'partner' \
         and event_type in ('registered', 'member_invited', 'member_role_set', 'member_removed') \
         and coalesce(payload->>'subject', payload->>'member') = $1 order by position"
    );
    let rows: Vec<LogRow> = sqlx::query_as(&sql).bind(person).fetch_all(db).await?;
    let mut periods = Vec::new();
    for row in rows {
        happened_to_member(&mut periods, row.decode::<Partner>()?);
    }
    Ok(periods)
}

fn happened_to_member(periods: &mut Vec<MembershipPeriod>, recorded: Recorded<Event>) {
    let Recorded { position, recorded_at: since, aggregate_id, event, .. } = recorded;
    let partner_id = PartnerId::from(aggregate_id.as_str());
    let open = periods.iter_mut().find(|it| it.partner_id == partner_id && it.until.is_none());
    let (role, end_reason) = match event {
        Event::Registered(_) => (Some(MemberRole::Manager), None),
        Event::MemberInvited(Member { role, .. }) | Event::MemberRoleSet(Member { role, .. }) => {
            (Some(role), None)
        }
        Event::MemberRemoved { reason, .. } => (None, reason.map(|it| it.as_str().to_owned())),
        _ => return,
    };
    if let Some(before) = open {
        (before.until, before.end_reason) = (Some(since), end_reason);
    }
    if let Some(role) = role {
        let (until, end_reason) = (None, None);
        let period = MembershipPeriod { position, partner_id, role, since, until, end_reason };
        periods.push(period);
    }
}

/// The part of what is kept that a page asks for, and whether more follows. Cursors are positions.
pub fn part_after<T>(
    all: Vec<T>,
    page: &PageRequest,
    position: impl Fn(&T) -> i64,
) -> Result<(Vec<T>, bool)> {
    let limit = limit(page.first, DEFAULT_EVENTS, "first")?;
    let after = cursor(page.after.as_deref())?.unwrap_or_default();
    let mut part: Vec<T> = all.into_iter().filter(|it| position(it) > after).collect();
    let has_next = part.len() > limit;
    part.truncate(limit);
    Ok((part, has_next))
}

/// What a person did, oldest first.
pub async fn acts(db: &PgPool, person: &str, page: &PageRequest) -> Result<HistoryPage> {
    let filter = HistoryFilter { actor: Some(person.to_owned()), ..HistoryFilter::default() };
    history(db, &Viewer::All, &filter, Direction::Asc, page).await
}

/// From where these changes came, by their positions; without those that are kept no more.
pub async fn origins(
    db: impl PgExecutor<'_>,
    acts: &[HistoryEntry],
) -> Result<HashMap<i64, Origin>> {
    let sql = "select e.position, r.client_address, r.user_agent from events e \
               join request_log r on r.request_id = (e.metadata->>'request_id')::uuid \
               where e.position = any($1)";
    let positions: Vec<i64> = acts.iter().map(|act| act.position).collect();
    let origins: Vec<Origin> = sqlx::query_as(sql).bind(positions).fetch_all(db).await?;
    Ok(origins.into_iter().map(|origin| (origin.position, origin)).collect())
}

/// Up to which position something is kept of a person beside the log: his last change whose origin is
/// kept or, where a refused attempt is, the whole log; 0 when nothing is.
pub async fn last_origin(db: impl PgExecutor<'_>, person: &str) -> Result<i64> {
    let sql = format!(
        "select case when exists (select from refused_attempts where actor = $1) \
           then (select coalesce(max(position), 1) from events) \
           else coalesce((select e.position from events e where e.metadata->>'actor' = $1 \
             and {ORIGIN_IS_KEPT} and exists (select from request_log r \
               where r.request_id = (e.metadata->>'request_id')::uuid) \
             order by e.position desc limit 1), 0) end"
    );
    Ok(sqlx::query_scalar(&sql).bind(person).fetch_one(db).await?)
}

/// What was erased of a subject, in the order of the log; in every past, as in [`contacts`].
pub async fn erasures(
    db: impl PgExecutor<'_>,
    kind: SubjectKind,
    id: &str,
) -> Result<Vec<Erasure>> {
    let (noun, event) = match kind {
        SubjectKind::Partner => ("partner", "personal_data_erased"),
        SubjectKind::Person => ("person", "origins_erased"),
    };
    let sql = "select position, recorded_at as at, payload->'legal_ground' as legal_ground \
               from public.events where aggregate_type = $1 and aggregate_id = $2 and event_type = $3 \
               order by position";
    Ok(sqlx::query_as(sql).bind(noun).bind(id).bind(event).fetch_all(db).await?)
}
