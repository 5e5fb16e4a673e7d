//! The personal data that the log refers to, with the salts that prove it: for an auditor who may see
//! it.

use crate::Result;
use crate::private_rows::WrappingKey;
use domain::audit::disclosure::Disclosure;
use sqlx::PgConnection;
use uuid::Uuid;

/// The events that refer to personal data. What is erased is erased in the past, too: the log has it all.
const NAMED: &str = "select position, payload->'contact'->>'reference' as reference, \
       exists (select from public.events erased where erased.aggregate_type = e.aggregate_type \
         and erased.aggregate_id = e.aggregate_id and erased.sequence > e.sequence \
         and erased.event_type = 'personal_data_erased') as erased \
     from events e where aggregate_type = 'partner' and event_type in ('registered', 'contact_set') \
       and position > $1 and position <= $2 order by position limit $3";

/// What events with positions in `(after, until]` refer to, in order, at most `limit`. What is not there
/// any more has only its name.
pub async fn disclosures(
    db: &mut PgConnection,
    keys: &WrappingKey,
    after: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<Disclosure>> {
    let named = sqlx::query_as(NAMED).bind(after).bind(until).bind(limit);
    let named: Vec<(i64, Option<Uuid>, bool)> = named
        .fetch_all(&mut *db)
        .await?
        .into_iter()
        .map(|(position, reference, erased): (i64, Option<String>, bool)| {
            (position, reference.and_then(|it| it.parse().ok()), erased)
        })
        .collect();
    let references: Vec<Uuid> = named.iter().filter_map(|(_, reference, _)| *reference).collect();
    let mut salted = keys.salted(db, &references).await?;
    let disclosed = named.into_iter().filter_map(|(position, reference, erased)| {
        let (position, reference) = (u64::try_from(position).ok()?, reference?);
        Some(match salted.remove(&reference) {
            Some(it) => {
                let data = serde_json::to_string(&it.data).ok()?;
                Disclosure::of(position, reference, &it.salt, data)
            }
            None => Disclosure::gone(position, reference, erased),
        })
    });
    Ok(disclosed.collect())
}
