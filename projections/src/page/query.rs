//! A list in SQL, and the statements that read a part of it.

use super::cursor::Window;
use super::{Conditions, Direction, Key, Page, PageRequest, Parameter, Statement};
use crate::Result;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

/// A list in SQL: rows of one source, or of several, each of which is read in order.
pub(crate) struct Query {
    /// Keeps cursors of other lists and orders out.
    pub list: String,
    /// What is read of every row that may be on the page.
    pub item: &'static str,
    /// What a row on the page is, made of its `item`: a JSON object with an `id`.
    pub row: String,
    /// Where rows come from: a table `t`, which has an `id`, and what is joined to it.
    pub sources: Vec<String>,
    /// Which of them.
    pub conditions: Conditions,
    /// What they are sorted by, before the id.
    pub key: Key,
    /// Which way.
    pub direction: Direction,
}

impl Query {
    /// What `columns` tell of each source by its kind, as JSON arrays.
    pub async fn told<T>(self, db: impl PgExecutor<'_>, columns: &str) -> Result<Vec<T>>
    where
        T: DeserializeOwned,
    {
        let Self { sources, conditions, .. } = self;
        let statement = conditions.statement(|conditions| {
            let told = |source| {
                format!(
                    "select jsonb_build_array({columns}) from {source} where true{conditions} \
                     group by t.kind"
                )
            };
            sources.iter().map(told).collect::<Vec<_>>().join(" union all ")
        })?;
        let told: Vec<(Value,)> = statement.rows().fetch_all(db).await?;
        told.into_iter().map(|(row,)| Ok(serde_json::from_value(row)?)).collect()
    }

    /// How many rows there are in all.
    pub async fn count(self, db: &PgPool) -> Result<i64> {
        let (count,): (i64,) = self.count_statement()?.rows().fetch_one(db).await?;
        Ok(count)
    }

    pub fn count_statement(self) -> Result<Statement> {
        let Self { sources, conditions, .. } = self;
        conditions.statement(|conditions| {
            let count = |source| format!("(select count(*) from {source} where true{conditions})");
            let counts: Vec<String> = sources.iter().map(count).collect();
            format!("select {}", counts.join(" + "))
        })
    }

    /// One page of them, in one statement.
    pub async fn page<T: DeserializeOwned>(
        self,
        db: impl PgExecutor<'_>,
        page: &PageRequest,
    ) -> Result<Page<T>> {
        let (statement, window) = self.page_statement(page)?;
        let rows: Vec<(Value,)> = statement.rows().fetch_all(db).await?;
        window.page(rows.into_iter().map(|(row,)| row).collect())
    }

    pub fn page_statement(self, page: &PageRequest) -> Result<(Statement, Window)> {
        let Self { list, item, row, sources, mut conditions, key, direction } = self;
        let window = Window::new(list, key, page)?;
        let (compare, order) = match (direction, window.backwards) {
            (Direction::Asc, false) | (Direction::Desc, true) => (">", "asc"),
            (Direction::Desc, false) | (Direction::Asc, true) => ("<", "desc"),
        };
        begin(&mut conditions, key, compare, &window);
        let (limit, Key { sql: key, join, .. }) = (window.rows(), key);
        let part = |source: &String, conditions: &str| {
            format!(
                "(select {item} as item, {key} as key, t.id from {source} {join} where true{conditions} \
                 order by {key} {order}, t.id {order} limit {limit})"
            )
        };
        let statement = conditions.statement(|conditions| {
            let parts: Vec<String> = sources.iter().map(|it| part(it, conditions)).collect();
            format!(
                "select jsonb_build_object('row', {row}, 'key', key) from ({}) t \
                 order by key {order}, id {order} limit {limit}",
                parts.join(" union all ")
            )
        });
        Ok((statement?, window))
    }
}

/// Adds where the window begins. A comparison of rows over two tables is no condition that an index
/// knows, so it is told apart that the other table's index begins at the key.
fn begin(conditions: &mut Conditions, key: Key, compare: &str, window: &Window) {
    if let Some(table) = key.table {
        conditions.add_plain(&format!("{table}.id is not null")); // an inner join can be walked
    }
    let Some(cursor) = &window.from else { return };
    let Some(value) = cursor.key(key) else { return }; // was refused
    let parameter = key.parameter();
    if key.table.is_some() {
        conditions.add(&format!("{} {compare}= {parameter}", key.sql), [value.clone()]);
    }
    let id = Parameter::Text(cursor.id.clone());
    conditions.add(&format!("({}, t.id) {compare} ({parameter}, ?)", key.sql), [value, id]);
}
