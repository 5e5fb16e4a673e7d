//! Lists: one shape for all of them. A page is one statement; its cursor names the last row by sort
//! key and id, so it stays right while rows are added.

use crate::fold::Fold;
use crate::{Error, READ, Result, Viewer};
use async_graphql::{Enum, InputObject, InputType};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use domain::Finding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryScalar;
use sqlx::{PgExecutor, PgPool};
use std::fmt::Write as _;

/// Rows on a page when nobody says how many.
pub const DEFAULT_PAGE: i32 = 20;
/// The most rows on a page.
pub const MAX_PAGE: usize = 200;

/// A row that can be listed: what may be filtered and sorted.
pub trait Listed: Fold {
    /// The filter of the list.
    type Filter: Default + Clone + Send + Sync + 'static;
    /// The columns it can be sorted by.
    type Sort: SortKey;
    /// Tables beside its own (named `t`) that filters and sort keys may use.
    const JOINS: &'static str = "";

    /// Adds the conditions of `filter`.
    fn filter(filter: &Self::Filter, conditions: &mut Conditions);
    /// Adds the condition that limits rows to those of `partners`; nothing where everybody may
    /// see all rows.
    fn scope(partners: &[String], conditions: &mut Conditions);
}

/// A column that a list can be sorted by.
pub trait SortKey: InputType + Copy + Send + Sync + std::fmt::Debug {
    /// The order when nobody asks for another.
    const DEFAULT: Self;
    /// An SQL expression over the list's tables that is never null, and its type.
    fn sql(self) -> (&'static str, &'static str);
}

/// The order of a list.
#[derive(Debug, Clone, Copy, InputObject)]
#[graphql(concrete(name = "PartnerOrder", params(crate::partner::PartnerSort)))]
#[graphql(concrete(
    name = "TrustCertificateOrder",
    params(crate::trust_certificate::TrustCertificateSort)
))]
#[graphql(concrete(name = "PolicyGroupOrder", params(crate::policy_group::PolicyGroupSort)))]
#[graphql(concrete(name = "PolicyOrder", params(crate::policy::PolicySort)))]
#[graphql(concrete(name = "PolicyRequestOrder", params(crate::policy_request::PolicyRequestSort)))]
#[graphql(concrete(name = "ProposalOrder", params(crate::proposal::ProposalSort)))]
#[graphql(concrete(name = "ExtractorOrder", params(crate::extractor::ExtractorSort)))]
#[graphql(concrete(name = "ApiKeyOrder", params(crate::api_key::ApiKeySort)))]
#[graphql(concrete(name = "MispLicenseOrder", params(crate::misp_license::MispLicenseSort)))]
#[graphql(concrete(name = "OidcClientOrder", params(crate::oidc_client::OidcClientSort)))]
#[graphql(concrete(name = "SbiOrder", params(crate::sbi::SbiSort)))]
#[graphql(concrete(name = "DeviceOrder", params(crate::device::DeviceSort)))]
#[graphql(concrete(name = "FtmChipOrder", params(crate::ftm_chip::FtmChipSort)))]
pub struct Order<S: SortKey> {
    /// The column; rows with equal values are sorted by id.
    pub field: S,
    /// Ascending or descending.
    pub direction: Direction,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// Looks for text, ignoring case. Several conditions have to hold together.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TextFilter {
    /// The whole text.
    pub equals: Option<String>,
    /// Any part of the text.
    pub contains: Option<String>,
    /// The beginning of the text.
    pub starts_with: Option<String>,
}

/// Looks for a time.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TimeFilter {
    /// The earliest time, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The end, itself excluded.
    pub to: Option<DateTime<Utc>>,
}

/// Which part of a list: the first rows after a cursor, or the last before one.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "as in the Relay cursor connection specification")]
pub struct PageRequest {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

/// A part of a list.
#[derive(Debug)]
pub struct Page<R> {
    /// Each row with its cursor.
    pub rows: Vec<(String, R)>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}

/// The `where` of a list, with its parameters.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    sql: String,
    parameters: Vec<Parameter>,
}

#[derive(Debug, Clone)]
enum Parameter {
    Text(String),
    List(Vec<String>),
}

impl Conditions {
    /// Text conditions on an expression.
    pub fn text(&mut self, expression: &str, filter: Option<&TextFilter>) {
        let Some(filter) = filter else { return };
        if let Some(text) = &filter.equals {
            self.add_text(&format!("lower({expression}) = lower(?)"), text.clone());
        }
        if let Some(text) = &filter.contains {
            self.like(expression, format!("%{}%", escaped(text)));
        }
        if let Some(text) = &filter.starts_with {
            self.like(expression, format!("{}%", escaped(text)));
        }
    }

    fn like(&mut self, expression: &str, pattern: String) {
        self.add_text(&format!("lower({expression}) like lower(?) escape '\\'"), pattern);
    }

    /// Time conditions on an expression.
    pub fn time(&mut self, expression: &str, filter: Option<&TimeFilter>) {
        let Some(filter) = filter else { return };
        if let Some(from) = filter.from {
            self.add_text(&format!("{expression} >= ?::timestamptz"), from.to_rfc3339());
        }
        if let Some(to) = filter.to {
            self.add_text(&format!("{expression} < ?::timestamptz"), to.to_rfc3339());
        }
    }

    /// One of several words; an empty list matches nothing.
    pub fn any_of<T: ToString>(&mut self, expression: &str, words: Option<&Vec<T>>) {
        let Some(words) = words else { return };
        let words = words.iter().map(ToString::to_string).collect();
        self.add(&format!("{expression} = any(?)"), Parameter::List(words));
    }

    /// One of several ids; an empty list matches nothing.
    pub fn any_id<I: AsRef<str>>(&mut self, expression: &str, ids: Option<&Vec<I>>) {
        let Some(ids) = ids else { return };
        let ids = ids.iter().map(|id| id.as_ref().to_owned()).collect();
        self.add(&format!("{expression} = any(?)"), Parameter::List(ids));
    }

    /// Conditions that one of the rows of `from`, a table with its own `where`, has to meet
    /// together. Without conditions there need not be such a row.
    pub fn one_of(&mut self, from: &str, conditions: impl FnOnce(&mut Self)) {
        let before = std::mem::take(&mut self.sql);
        conditions(self);
        let together = std::mem::replace(&mut self.sql, before);
        if !together.is_empty() {
            let _ = write!(self.sql, " and exists (select from {from}{together})");
        }
    }

    /// A condition with one text parameter, written `?`.
    pub fn add_text(&mut self, sql: &str, text: String) {
        self.add(sql, Parameter::Text(text));
    }

    /// A text parameter outside the conditions: what stands for it in SQL.
    pub(crate) fn parameter(&mut self, text: String) -> String {
        self.parameters.push(Parameter::Text(text));
        format!("${}", self.parameters.len())
    }

    /// A condition without a parameter.
    pub fn add_plain(&mut self, sql: &str) {
        let _ = write!(self.sql, " and {sql}"); // writing to a String cannot fail
    }

    /// A condition with one parameter that is a list of texts, written `?`.
    pub fn add_list(&mut self, sql: &str, list: Vec<String>) {
        self.add(sql, Parameter::List(list));
    }

    fn add(&mut self, sql: &str, parameter: Parameter) {
        self.parameters.push(parameter);
        self.add_plain(&sql.replace('?', &format!("${}", self.parameters.len())));
    }

    /// The rows of a list that `viewer` may see, as what follows `from` in a part of a statement. The
    /// parameters of all its parts are kept here.
    pub(crate) fn rows<R: Listed>(&mut self, viewer: &Viewer, filter: &R::Filter) -> String {
        let before = std::mem::take(&mut self.sql);
        add_all::<R>(viewer, filter, self);
        let own = std::mem::replace(&mut self.sql, before);
        format!("{READ}.{} t {} where true{own}", R::Noun::TYPE, R::JOINS)
    }

    pub(crate) fn bind<'q, O>(self, sql: &'q str) -> QueryScalar<'q, Postgres, O, PgArguments>
    where
        (O,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        self.parameters.into_iter().fold(
            sqlx::query_scalar(sql),
            |query, parameter| match parameter {
                Parameter::Text(text) => query.bind(text),
                Parameter::List(list) => query.bind(list),
            },
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn conditions<R: Listed>(viewer: &Viewer, filter: &R::Filter) -> Conditions {
    let mut conditions = Conditions::default();
    add_all::<R>(viewer, filter, &mut conditions);
    conditions
}

fn add_all<R: Listed>(viewer: &Viewer, filter: &R::Filter, conditions: &mut Conditions) {
    if let Some(partners) = viewer.partner_ids() {
        R::scope(&partners, conditions);
    }
    R::filter(filter, conditions);
}

/// Whether the list has a row with this id that `viewer` may see.
pub async fn shows<R: Listed>(
    db: &PgPool,
    viewer: &Viewer,
    filter: &R::Filter,
    id: &str,
) -> Result<bool> {
    let mut parameters = Conditions::default();
    let rows = parameters.rows::<R>(viewer, filter);
    let id = parameters.parameter(id.to_owned());
    let sql = format!("select exists (select from {rows} and t.id = {id})");
    Ok(parameters.bind(&sql).fetch_one(db).await?)
}

/// How many rows there are in all.
pub async fn count<R: Listed>(db: &PgPool, viewer: &Viewer, filter: &R::Filter) -> Result<i64> {
    let order = Order { field: R::Sort::DEFAULT, direction: Direction::Desc };
    Query::of::<R>(viewer, filter, order).count(db).await
}

/// One page of the rows that `viewer` may see.
pub async fn list<R: Listed>(
    db: &PgPool,
    viewer: &Viewer,
    filter: &R::Filter,
    order: Option<Order<R::Sort>>,
    page: &PageRequest,
) -> Result<Page<R>> {
    let order = order.unwrap_or(Order { field: R::Sort::DEFAULT, direction: Direction::Desc });
    Query::of::<R>(viewer, filter, order).page(db, page).await
}

/// A list in SQL: rows of one source, or of several, each of which is read in order.
pub(crate) struct Query {
    /// Keeps cursors of other lists and orders out.
    pub list: String,
    /// What a row is: a JSON object with an `id`.
    pub row: &'static str,
    /// Where rows come from: a table `t`, which has an `id`, and what is joined to it.
    pub sources: Vec<String>,
    /// Which of them.
    pub conditions: Conditions,
    /// What they are sorted by, before the id: an expression that is never null, and its type.
    pub key: (&'static str, &'static str),
    /// Which way.
    pub direction: Direction,
}

impl Query {
    fn of<R: Listed>(viewer: &Viewer, filter: &R::Filter, order: Order<R::Sort>) -> Self {
        let Order { field, direction } = order;
        Self {
            list: format!("{} {field:?} {direction:?}", R::Noun::TYPE),
            row: "to_jsonb(t)",
            sources: vec![format!("{READ}.{} t {}", R::Noun::TYPE, R::JOINS)],
            conditions: conditions::<R>(viewer, filter),
            key: field.sql(),
            direction,
        }
    }

    /// What `columns` tell of each source by their first one, as JSON arrays.
    pub async fn told(self, db: impl PgExecutor<'_>, columns: &str) -> Result<Vec<Value>> {
        let Self { sources, conditions, .. } = self;
        let told = |source| {
            format!(
                "select jsonb_build_array({columns}) from {source} where true{} group by t.kind",
                conditions.sql
            )
        };
        let told: Vec<String> = sources.iter().map(told).collect();
        let sql = told.join(" union all ");
        Ok(conditions.bind(&sql).fetch_all(db).await?)
    }

    /// How many rows there are in all.
    pub async fn count(self, db: &PgPool) -> Result<i64> {
        let Self { sources, conditions, .. } = self;
        let count =
            |source| format!("(select count(*) from {source} where true{})", conditions.sql);
        let counts: Vec<String> = sources.iter().map(count).collect();
        let sql = format!("select {}", counts.join(" + "));
        Ok(conditions.bind(&sql).fetch_one(db).await?)
    }

    /// One page of them, in one statement.
    pub async fn page<T>(mut self, db: impl PgExecutor<'_>, page: &PageRequest) -> Result<Page<T>>
    where
        T: DeserializeOwned,
    {
        let window = Window::new(std::mem::take(&mut self.list), page)?;
        let sql = self.sql(&window);
        let rows: Vec<Value> = self.conditions.bind(&sql).fetch_all(db).await?;
        window.page(rows)
    }

    fn sql(&mut self, window: &Window) -> String {
        let Self { row, sources, conditions, key: (key, key_type), direction, .. } = self;
        let (compare, direction) = match (direction, window.backwards) {
            (Direction::Asc, false) | (Direction::Desc, true) => (">", "asc"),
            (Direction::Desc, false) | (Direction::Asc, true) => ("<", "desc"),
        };
        if let Some(cursor) = &window.from {
            conditions
                .add_text(&format!("({key}, t.id) {compare} (?::{key_type}, "), cursor.key.clone());
            conditions.parameters.push(Parameter::Text(cursor.id.clone()));
            let _ = write!(conditions.sql, "${})", conditions.parameters.len());
        }
        let limit = window.limit + 1;
        let part = |source: &String| {
            format!(
                "(select {row} as row, {key} as key, t.id from {source} where true{} \
                 order by {key} {direction}, t.id {direction} limit {limit})",
                conditions.sql
            )
        };
        let parts: Vec<String> = sources.iter().map(part).collect();
        format!(
            "select jsonb_build_object('row', row, 'key', key::text) from ({}) t \
             order by key {direction}, id {direction} limit {limit}",
            parts.join(" union all ")
        )
    }
}

/// The part of the list that is read, in the direction in which it is read.
struct Window {
    list: String,
    backwards: bool,
    limit: usize,
    from: Option<Cursor>,
}

/// Where a row stands. `list` keeps cursors of other lists and orders out.
#[derive(Serialize, Deserialize)]
struct Cursor {
    list: String,
    key: String,
    id: String,
}

impl Window {
    fn new(list: String, page: &PageRequest) -> Result<Self> {
        let backwards = page.last.is_some() || page.before.is_some();
        if backwards && (page.first.is_some() || page.after.is_some()) {
            let message = "Ask for the first rows after a cursor, or for the last before one.";
            return refused("PAGE_AMBIGUOUS", "first", message);
        }
        let (wished, field) = if backwards { (page.last, "last") } else { (page.first, "first") };
        let limit = usize::try_from(wished.unwrap_or(DEFAULT_PAGE)).unwrap_or(0);
        if !(1..=MAX_PAGE).contains(&limit) {
            let message = format!("A page has 1 to {MAX_PAGE} rows.");
            return refused("PAGE_SIZE", field, &message);
        }
        let cursor = if backwards { &page.before } else { &page.after };
        let from = cursor.as_deref().map(|cursor| Cursor::read(cursor, &list)).transpose()?;
        Ok(Self { list, backwards, limit, from })
    }

    fn page<T: DeserializeOwned>(self, mut rows: Vec<Value>) -> Result<Page<T>> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.backwards {
            rows.reverse();
        }
        let (has_next, has_previous) =
            if self.backwards { (self.from.is_some(), more) } else { (more, self.from.is_some()) };
        let rows = rows.into_iter().map(|row| self.row(row)).collect::<Result<_>>()?;
        Ok(Page { rows, has_next, has_previous })
    }

    fn row<T: DeserializeOwned>(&self, mut found: Value) -> Result<(String, T)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let cursor = Cursor {
            list: self.list.clone(),
            key: text(&found["key"]),
            id: text(&found["row"]["id"]),
        };
        Ok((cursor.write()?, serde_json::from_value(found["row"].take())?))
    }
}

impl Cursor {
    fn read(text: &str, list: &str) -> Result<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(cursor) if cursor.list == list => Ok(cursor),
            _ => {
                refused("CURSOR_INVALID", "after", "This cursor belongs to another list or order.")
            }
        }
    }

    fn write(&self) -> Result<String> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }
}

fn refused<T>(code: &'static str, field: &str, message: &str) -> Result<T> {
    Err(Error::Refused(vec![Finding::new(code, field, message)]))
}
