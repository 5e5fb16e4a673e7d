//! From events to rows: the one mechanism behind every read table.
//!
//! A noun brings a row (a struct whose fields are the columns of its table) and a pure function.
//! Rows travel to and from PostgreSQL as JSON records, so there is no mapping to keep in step.

use crate::log::LogRow;
use crate::{Error, Result};
use cqrs_es::Aggregate;
use domain::Decide;
use domain::recorded::Recorded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// The row of a noun's read table and how events change it. The table has the noun's stored name
/// and a key `id`; the struct's fields are its columns.
pub trait Fold: Sized + Send + Serialize + DeserializeOwned + 'static {
    /// The noun whose events are folded.
    type Noun: Decide;
    /// The table's present shape: `migrations/read/<noun>.sql`, the table before its indexes.
    const DDL: &'static str;
    /// The columns that are no fold of the noun's own events.
    const FOREIGN: &'static [&'static str] = &[];

    /// The row after an event; `None` when there is nothing to show any more.
    fn fold(row: Option<Self>, recorded: &RecordedOf<Self>) -> Option<Self>;
}

/// An event of a row's noun, as recorded.
pub type RecordedOf<R> = Recorded<<<R as Fold>::Noun as Aggregate>::Event>;

/// One read table, without its types: what the appender and a rebuild need of it.
#[derive(Debug, Clone, Copy)]
pub struct ReadTable {
    /// The noun's stored name, which is the table's name too.
    pub name: &'static str,
    /// The table's present shape.
    pub ddl: &'static str,
    /// The columns that are no fold of the noun's own events.
    pub foreign: &'static [&'static str],
    rows: fn() -> Box<dyn Rows>,
}

impl ReadTable {
    /// The table of `R`.
    pub const fn of<R: Fold>() -> Self {
        let rows = || -> Box<dyn Rows> { Box::new(Typed::<R>(HashMap::new())) };
        Self { name: R::Noun::TYPE, ddl: R::DDL, foreign: R::FOREIGN, rows }
    }

    /// An empty set of rows to fold events into.
    pub fn empty(&self) -> Box<dyn Rows> {
        (self.rows)()
    }
}

/// Rows of one table in memory.
pub trait Rows: Send {
    /// Starts from a row as PostgreSQL holds it.
    fn put(&mut self, id: String, row: Value) -> Result<()>;
    /// Folds one event into the row of its noun.
    fn fold(&mut self, event: &LogRow) -> Result<()>;
    /// One row as it is now; `None` where there is none.
    fn get(&self, id: &str) -> Result<Option<Value>>;
    /// How many there are, those that went away included.
    fn count(&self) -> usize;
    /// Takes one row out; `None` where there is none.
    fn remove(&mut self, id: &str) -> Result<Option<Value>>;
    /// All rows as they are now, one after the other; `None` for those that went away.
    fn take(self: Box<Self>) -> TakenRows;
}

/// Rows with their ids, as they are to be written; `None` for those that went away.
pub type TakenRows = Box<dyn Iterator<Item = Result<(String, Option<Value>)>> + Send>;

struct Typed<R: Fold>(HashMap<String, Option<R>>);

impl<R: Fold> Rows for Typed<R> {
    fn put(&mut self, id: String, row: Value) -> Result<()> {
        self.0.insert(id, Some(serde_json::from_value(row)?));
        Ok(())
    }

    fn fold(&mut self, event: &LogRow) -> Result<()> {
        let recorded = event.decode::<R::Noun>()?;
        let row = self.0.entry(event.aggregate_id.clone()).or_default();
        *row = R::fold(row.take(), &recorded);
        Ok(())
    }

    fn get(&self, id: &str) -> Result<Option<Value>> {
        let row = self.0.get(id).and_then(Option::as_ref);
        Ok(row.map(serde_json::to_value).transpose()?)
    }

    fn count(&self) -> usize {
        self.0.len()
    }

    fn remove(&mut self, id: &str) -> Result<Option<Value>> {
        let row = self.0.remove(id).flatten();
        Ok(row.map(serde_json::to_value).transpose()?)
    }

    fn take(self: Box<Self>) -> TakenRows {
        let json =
            |(id, row): (String, Option<R>)| Ok((id, row.map(serde_json::to_value).transpose()?));
        Box::new(self.0.into_iter().map(json))
    }
}

/// Folds new events into the read tables of `schema`: each touched table is read once and written
/// once. The caller holds the append lock.
pub async fn project(db: &mut PgConnection, schema: &str, events: &[LogRow]) -> Result<()> {
    let mut by_noun: BTreeMap<&str, Vec<&LogRow>> = BTreeMap::new();
    for event in events {
        by_noun.entry(&event.aggregate_type).or_default().push(event);
    }
    for table in crate::TABLES {
        let Some(events) = by_noun.get(table.name) else { continue };
        let mut rows = load(db, schema, table, events).await?;
        events.iter().try_for_each(|event| rows.fold(event))?;
        save(db, schema, table.name, rows.take().collect::<Result<_>>()?).await?;
    }
    crate::sbi::count_devices(db, schema, Some(events)).await
}

/// The rows that `events` will change. A noun that begins in this batch has none yet.
async fn load(
    db: &mut PgConnection,
    schema: &str,
    table: ReadTable,
    events: &[&LogRow],
) -> Result<Box<dyn Rows>> {
    let mut rows = table.empty();
    let begun: Vec<&str> =
        events.iter().filter(|e| e.sequence == 1).map(|e| e.aggregate_id.as_str()).collect();
    let ids: Vec<&str> =
        events.iter().map(|e| e.aggregate_id.as_str()).filter(|id| !begun.contains(id)).collect();
    if ids.is_empty() {
        return Ok(rows);
    }
    let sql = format!("select id, to_jsonb(t) from {schema}.{} t where id = any($1)", table.name);
    let stored: Vec<(String, Value)> = sqlx::query_as(&sql).bind(&ids).fetch_all(db).await?;
    stored.into_iter().try_for_each(|(id, row)| rows.put(id, row))?;
    Ok(rows)
}

/// Writes rows, and removes those that went away.
pub async fn save(
    db: &mut PgConnection,
    schema: &str,
    table: &str,
    rows: Vec<(String, Option<Value>)>,
) -> Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, row)| row.is_some());
    let kept: Vec<Value> = kept.into_iter().filter_map(|(_, row)| row).collect();
    if !gone.is_empty() {
        let ids: Vec<String> = gone.into_iter().map(|(id, _)| id).collect();
        let sql = format!("delete from {schema}.{table} where id = any($1)");
        sqlx::query(&sql).bind(ids).execute(&mut *db).await?;
    }
    let Some(columns) = kept.first().and_then(Value::as_object) else { return Ok(()) };
    let set: Vec<String> =
        columns.keys().map(|column| format!("{column} = excluded.{column}")).collect();
    let sql = format!(
        "insert into {schema}.{table} \
         select * from jsonb_populate_recordset(null::{schema}.{table}, $1) \
         on conflict (id) do update set {}",
        set.join(", ")
    );
    sqlx::query(&sql).bind(Value::Array(kept)).execute(db).await?;
    Ok(())
}

/// The row of one noun.
pub async fn find<R: Fold>(db: impl sqlx::PgExecutor<'_>, id: &str) -> Result<Option<R>> {
    let sql = format!("select to_jsonb(t) from {} t where id = $1", R::Noun::TYPE);
    let row: Option<Value> = sqlx::query_scalar(&sql).bind(id).fetch_optional(db).await?;
    row.map(|row| serde_json::from_value(row).map_err(Error::from)).transpose()
}

/// The rows of many nouns, in no order.
pub async fn find_many<R: Fold>(db: impl sqlx::PgExecutor<'_>, ids: &[String]) -> Result<Vec<R>> {
    let sql = format!("select to_jsonb(t) from {} t where id = any($1)", R::Noun::TYPE);
    let rows: Vec<Value> = sqlx::query_scalar(&sql).bind(ids).fetch_all(db).await?;
    rows.into_iter().map(|row| serde_json::from_value(row).map_err(Error::from)).collect()
}

/// The row of one noun as it was at a point in the past, folded from its stream alone.
pub async fn find_at<R: Fold>(
    db: impl sqlx::PgExecutor<'_>,
    id: &str,
    until: crate::log::Until,
) -> Result<Option<R>> {
    let events = crate::log::stream_until(db, R::Noun::TYPE, id, until).await?;
    events.iter().try_fold(None, |row, event| Ok(R::fold(row, &event.decode::<R::Noun>()?)))
}

/// Whether there is a row with this id.
pub async fn exists<R: Fold>(db: impl sqlx::PgExecutor<'_>, id: &str) -> Result<bool> {
    let sql = format!("select exists (select from {} where id = $1)", R::Noun::TYPE);
    Ok(sqlx::query_scalar(&sql).bind(id).fetch_one(db).await?)
}
