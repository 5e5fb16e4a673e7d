//! What single events changed: the rows of their things before and after each, folded from the streams.
//!
//! However many events are asked about, one statement reads what is needed; none does where that is too
//! much.

use crate::diff::{FieldChange, different};
use crate::fold::ReadTable;
use crate::log::{COLUMNS, LogRow};
use crate::page::refused;
use crate::{Result, TABLES};
use sqlx::PgExecutor;
use std::collections::{HashMap, HashSet};

/// How many events are folded for one answer.
pub const MAX_FOLDED: i64 = 10_000;

/// An event, by its thing and its place among the events of that thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the field of `HistoryEntry` of the same name")]
pub struct Moment {
    pub noun: String,
    pub id: String,
    pub version: i64,
}

impl Moment {
    fn of(event: &LogRow) -> Self {
        let (noun, id) = (event.aggregate_type.clone(), event.aggregate_id.clone());
        Self { noun, id, version: event.sequence }
    }
}

/// What each of these events changed; nothing for those whose noun has no read table. Refused with
/// `TOO_MANY_EVENTS`.
pub async fn changes(
    db: impl PgExecutor<'_>,
    moments: &[Moment],
) -> Result<HashMap<Moment, Vec<FieldChange>>> {
    let last = last_of_each(moments);
    if last.values().sum::<i64>() > MAX_FOLDED {
        let message = "Too much happened to these things before: ask for fewer events.";
        return Err(refused("TOO_MANY_EVENTS", "first", message));
    }
    let events = events_up_to(db, last).await?;
    let asked: HashSet<&Moment> = moments.iter().collect();
    let mut told = HashMap::new();
    for stream in events.chunk_by(is_same_stream) {
        tell(stream, &asked, &mut told)?;
    }
    Ok(told)
}

/// Of each stream with a read table the last version that is asked about: so many events it has until
/// then.
fn last_of_each(moments: &[Moment]) -> HashMap<(&str, &str), i64> {
    let mut last: HashMap<(&str, &str), i64> = HashMap::new();
    for Moment { noun, id, version } in moments.iter().filter(|it| table(&it.noun).is_some()) {
        let last = last.entry((noun, id)).or_default();
        *last = (*last).max(*version);
    }
    last
}

/// Each stream, up to this version.
async fn events_up_to(
    db: impl PgExecutor<'_>,
    last: HashMap<(&str, &str), i64>,
) -> Result<Vec<LogRow>> {
    let (mut nouns, mut ids, mut versions) = (Vec::new(), Vec::new(), Vec::new());
    for ((noun, id), version) in last {
        nouns.push(noun);
        ids.push(id);
        versions.push(version);
    }
    let sql = format!(
        "select {COLUMNS} from unnest($1::text[], $2::text[], $3::bigint[]) asked (noun, id, last) \
         join events on aggregate_type = noun and aggregate_id = id and sequence <= last \
         order by aggregate_type, aggregate_id, sequence"
    );
    Ok(sqlx::query_as(&sql).bind(nouns).bind(ids).bind(versions).fetch_all(db).await?)
}

fn is_same_stream(one: &LogRow, other: &LogRow) -> bool {
    one.aggregate_type == other.aggregate_type && one.aggregate_id == other.aggregate_id
}

/// Folds one stream and looks at its row around each event that is asked about.
fn tell(
    stream: &[LogRow],
    asked: &HashSet<&Moment>,
    told: &mut HashMap<Moment, Vec<FieldChange>>,
) -> Result<()> {
    let Some(table) = stream.first().and_then(|event| table(&event.aggregate_type)) else {
        return Ok(());
    };
    let mut rows = table.empty();
    for event in stream {
        let moment = Moment::of(event);
        if asked.contains(&moment) {
            let before = rows.get(&event.aggregate_id)?;
            rows.fold(event)?;
            let after = rows.get(&event.aggregate_id)?;
            told.insert(moment, different(before, after));
        } else {
            rows.fold(event)?;
        }
    }
    Ok(())
}

fn table(noun: &str) -> Option<ReadTable> {
    TABLES.into_iter().find(|table| table.name == noun)
}
