//! Whether the live read tables are what the log says. Nothing is changed: the log is folded in
//! memory, and the rows of the tables are compared with it one after the other, all in one snapshot.

use crate::fold::{ReadTable, Rows};
use crate::folded::{Folded, Progress, Step};
use crate::log::head;
use crate::rebuild::{alone, fold_version, live_version, not_alone};
use crate::{Error, READ, Result, sbi};
use chrono::{DateTime, SubsecRound as _};
use cqrs_es::Aggregate as _;
use domain::sbi::Sbi;
use futures::TryStreamExt as _;
use serde_json::{Map, Value};
use sqlx::{Connection as _, PgConnection};
use std::collections::BTreeSet;
use std::fmt;

/// After so many rows it is told how far the comparison has come.
const ROWS: i64 = 1_000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The last event of the snapshot.
    pub position: i64,
    /// How many rows the tables have.
    pub rows: i64,
    /// How many rows are different, missing, or too many.
    pub differences: i64,
    /// The first of them, by table and id.
    pub first: Option<Difference>,
}

impl Verified {
    /// Whether everything is as the log says.
    pub fn is_good(&self) -> bool {
        self.differences == 0
    }
}

/// A row that is not what the log says. What stands in it is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The read table.
    pub table: &'static str,
    /// The row.
    pub id: String,
    /// What is wrong with it.
    pub what: What,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The log knows it, the table does not.
    Missing,
    /// The table has it, the log does not.
    Unknown,
    /// These columns have other values.
    Columns(Vec<String>),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, id, what } = self;
        match what {
            What::Missing => write!(f, "{table} {id} is missing"),
            What::Unknown => write!(f, "{table} {id} is not in the log"),
            What::Columns(columns) => write!(f, "{table} {id} differs in {}", columns.join(", ")),
        }
    }
}

/// Compares the live tables with the log. Nobody rebuilds or migrates meanwhile; everybody else goes
/// on.
pub async fn verify(db: &mut PgConnection, progress: impl FnMut(Progress)) -> Result<Verified> {
    alone(db).await?;
    let verified = verify_alone(db, progress).await;
    let _ = not_alone(db).await; // a broken connection has given the lock back already
    verified
}

async fn verify_alone(
    db: &mut PgConnection,
    mut progress: impl FnMut(Progress),
) -> Result<Verified> {
    if live_version(db).await?.as_deref() != Some(fold_version()) {
        let why = "the read tables are another program's: run `pms migrate`";
        return Err(Error::Unreadable(why.to_owned()));
    }
    let mut snapshot =
        db.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let position = head(&mut *snapshot).await?;
    let folded = Folded::up_to(&mut snapshot, position, &mut progress).await?;
    let all = folded.count();
    let mut found = Verified { position, ..Verified::default() };
    for (table, rows) in folded.tables {
        let (before, mut wrong) = (found.rows, Wrong::default());
        found.rows += compare(&mut snapshot, table, rows, &mut wrong, |done| {
            progress(Progress { step: Step::Rows, done: before + done, all });
        })
        .await?;
        if table.name == Sbi::TYPE {
            let columns = || table.foreign.iter().map(ToString::to_string).collect();
            for id in sbi::miscounted(&mut snapshot).await? {
                wrong.is(id, What::Columns(columns()));
            }
        }
        found.differences += wrong.count;
        let first = wrong.first.map(|(id, what)| Difference { table: table.name, id, what });
        found.first = found.first.or(first);
    }
    snapshot.commit().await?;
    Ok(found)
}

/// What is wrong with one table.
#[derive(Default)]
struct Wrong {
    count: i64,
    first: Option<(String, What)>,
}

impl Wrong {
    fn is(&mut self, id: String, what: What) {
        self.count += 1;
        if self.first.as_ref().is_none_or(|(first, _)| id < *first) {
            self.first = Some((id, what));
        }
    }
}

/// Compares the rows of a table as they come; how many there were.
async fn compare(
    db: &mut PgConnection,
    table: ReadTable,
    mut rows: Box<dyn Rows>,
    wrong: &mut Wrong,
    mut told: impl FnMut(i64),
) -> Result<i64> {
    let sql = format!("select id, to_jsonb(t) from {READ}.{} t", table.name);
    let mut stored = sqlx::query_as::<_, (String, Value)>(&sql).fetch(db);
    let mut count = 0;
    while let Some((id, stored)) = stored.try_next().await? {
        count += 1;
        if count % ROWS == 0 {
            told(count);
        }
        match (rows.remove(&id)?, stored) {
            (Some(Value::Object(folded)), Value::Object(stored)) => {
                let columns = different(&folded, &stored, table.foreign);
                if !columns.is_empty() {
                    wrong.is(id, What::Columns(columns));
                }
            }
            _ => wrong.is(id, What::Unknown),
        }
    }
    for row in rows.take() {
        if let (id, Some(_)) = row? {
            wrong.is(id, What::Missing);
        }
    }
    Ok(count)
}

/// The columns that are not the same, but for those that are no fold of the noun's events.
fn different(
    folded: &Map<String, Value>,
    stored: &Map<String, Value>,
    but: &[&str],
) -> Vec<String> {
    let columns: BTreeSet<&String> = folded.keys().chain(stored.keys()).collect();
    let is_other = |column: &&&String| {
        let values = (folded.get(**column), stored.get(**column));
        !but.contains(&column.as_str()) && !is_same(values)
    };
    columns.iter().filter(is_other).map(|column| (**column).clone()).collect()
}

/// PostgreSQL writes a time in its own way, and rounds it to microseconds.
fn is_same(values: (Option<&Value>, Option<&Value>)) -> bool {
    let time =
        |value: &Value| Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.round_subsecs(6));
    match values {
        (Some(folded), Some(stored)) => {
            folded == stored || time(folded).is_some_and(|it| time(stored) == Some(it))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_differs_when_its_value_does_or_is_absent_on_one_side() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let folded = row(json!({"id": "a", "at": "2027-01-01T00:00:00Z", "n": 0, "x": null}));
        let stored = row(json!({"id": "a", "at": "2027-01-01T01:00:00+01:00", "n": 7, "y": 1}));
        assert_eq!(different(&folded, &stored, &["n"]), ["x", "y"]);
        assert_eq!(different(&folded, &stored, &[]), ["n", "x", "y"]);
        let exact = row(json!({"at": "2027-01-01T00:00:00.123456789Z"}));
        let stored = row(json!({"at": "2027-01-01T00:00:00.123457+00:00"}));
        assert!(different(&exact, &stored, &[]).is_empty());
        let later = row(json!({"at": "2027-01-01T00:00:01Z"}));
        assert_eq!(different(&later, &row(json!({"at": "2027-01-01T00:00:00Z"})), &[]), ["at"]);
    }
}
