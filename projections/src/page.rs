//! Lists: one shape for all of them. A page is one statement; its cursor names the last row by sort
//! key and id, so it stays right while rows are added.

mod conditions;
mod cursor;
mod query;

pub use conditions::{Conditions, IdFilter, MAX_DAYS, MAX_TEXT, Statement, TextFilter, TimeFilter};
pub(crate) use conditions::{Parameter, beginning, days_ahead, escaped};
pub(crate) use cursor::refused;
pub use cursor::{DEFAULT_PAGE, MAX_PAGE, limit};
pub(crate) use query::Query;

use crate::fold::Fold;
use crate::{Result, Viewer};
use async_graphql::{Enum, InputObject, InputType, SimpleObject};
use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgPool;

/// A row that can be listed: what may be filtered and sorted, and which values are told apart.
pub trait Listed: Fold {
    /// The filter of the list.
    type Filter: InputType + Default + Clone + Send + Sync + 'static;
    /// The columns it can be sorted by.
    type Sort: SortKey;
    /// The columns of its own table whose distinct values can be asked for, by name: few, and no
    /// personal data.
    type Distinct: InputType + Copy + Send + Sync + Into<&'static str>;
    /// Tables beside its own (named `t`) that filters and sort keys may use. Each is a left join
    /// over the other table's key: PostgreSQL leaves it out where nobody asks for it.
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
    /// What the rows are sorted by.
    fn key(self) -> Key;
}

/// What rows are sorted by, before their id: an SQL expression that is never null.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    sql: &'static str,
    kind: Kind,
    table: Option<&'static str>,
    join: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Time,
    Number,
}

impl Key {
    const fn new(sql: &'static str, kind: Kind) -> Self {
        Self { sql, kind, table: None, join: "" }
    }

    /// A text.
    pub const fn text(sql: &'static str) -> Self {
        Self::new(sql, Kind::Text)
    }

    /// A time.
    pub const fn time(sql: &'static str) -> Self {
        Self::new(sql, Kind::Time)
    }

    /// A whole number.
    pub const fn number(sql: &'static str) -> Self {
        Self::new(sql, Kind::Number)
    }

    /// The same, of a row of `table`, which every row of the list has. That table's index is walked
    /// instead of the list's own.
    #[must_use]
    pub const fn of(self, table: &'static str) -> Self {
        Self { table: Some(table), ..self }
    }

    /// The same, of a table that is joined for this order alone.
    #[must_use]
    pub const fn joining(self, join: &'static str) -> Self {
        Self { join, ..self }
    }

    /// How a parameter is read that is compared with the key.
    const fn parameter(self) -> &'static str {
        match self.kind {
            Kind::Text => "?::text",
            Kind::Time => "?::timestamptz",
            Kind::Number => "?::bigint",
        }
    }
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

impl<S: SortKey> Default for Order<S> {
    fn default() -> Self {
        Self { field: S::DEFAULT, direction: Direction::Desc }
    }
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
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

/// One of the values in a column of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, SimpleObject)]
pub struct DistinctValue {
    /// The value, as a filter takes it.
    pub value: String,
    /// How many rows of the list have it.
    pub count: i64,
}

/// Which rows of a list, as seen by somebody at an instant.
#[derive(Debug, Clone)]
pub struct Question<R: Listed> {
    /// Who asks.
    pub viewer: Viewer,
    /// Which rows.
    pub filter: R::Filter,
    /// When.
    pub now: DateTime<Utc>,
}

impl<R: Listed> Question<R> {
    /// One page of the rows.
    pub async fn page(
        &self,
        db: &PgPool,
        order: Option<Order<R::Sort>>,
        page: &PageRequest,
    ) -> Result<Page<R>> {
        self.query(order.unwrap_or_default()).page(db, page).await
    }

    /// How many rows there are in all.
    pub async fn count(&self, db: &PgPool) -> Result<i64> {
        self.query(Order::default()).count(db).await
    }

    /// The values in a column with their rows, the most frequent first, at most `first` (1 to 200).
    pub async fn distinct(
        &self,
        db: &PgPool,
        field: R::Distinct,
        first: i32,
    ) -> Result<Vec<DistinctValue>> {
        let values = self.distinct_statement(field, first)?;
        let values: Vec<(Value,)> = values.rows().fetch_all(db).await?;
        values.into_iter().map(|(value,)| Ok(serde_json::from_value(value)?)).collect()
    }

    /// The statement of [`Self::page`].
    pub fn page_statement(&self, order: Order<R::Sort>, page: &PageRequest) -> Result<Statement> {
        Ok(self.query(order).page_statement(page)?.0)
    }

    /// The statement of [`Self::count`].
    pub fn count_statement(&self) -> Result<Statement> {
        self.query(Order::default()).count_statement()
    }

    /// The statement of [`Self::distinct`].
    pub fn distinct_statement(&self, field: R::Distinct, first: i32) -> Result<Statement> {
        let limit = limit(Some(first), first, "first")?;
        let (column, source) = (format!("t.{}", field.into()), Self::source());
        self.conditions().statement(|conditions| {
            format!(
                "select jsonb_build_object('value', value, 'count', count) from (\
                 select {column} as value, count(*) from {source} \
                 where {column} is not null{conditions} group by {column}) t \
                 order by count desc, value limit {limit}"
            )
        })
    }

    fn source() -> String {
        format!("{} t {}", R::Noun::TYPE, R::JOINS)
    }

    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::at(self.now);
        self.narrow(&mut conditions);
        conditions
    }

    fn narrow(&self, conditions: &mut Conditions) {
        if let Some(partners) = self.viewer.partner_ids() {
            R::scope(&partners, conditions);
        }
        R::filter(&self.filter, conditions);
    }

    /// The rows, as what follows `from` in a part of a statement. The parameters of all its parts
    /// are kept in `whole`.
    pub(crate) fn rows(&self, whole: &mut Conditions) -> String {
        let own = whole.part(|conditions| self.narrow(conditions));
        format!("{} where true{own}", Self::source())
    }

    /// Whether this is one of the rows.
    pub async fn shows(&self, db: &PgPool, id: &str) -> Result<bool> {
        let mut conditions = self.conditions();
        conditions.add_text("t.id = ?", id.to_owned());
        let statement = conditions.statement(|conditions| {
            format!("select exists (select from {} where true{conditions})", Self::source())
        })?;
        let (shows,): (bool,) = statement.rows().fetch_one(db).await?;
        Ok(shows)
    }

    fn query(&self, Order { field, direction }: Order<R::Sort>) -> Query {
        let table = R::Noun::TYPE;
        Query {
            list: format!("{table} {field:?} {direction:?}"),
            item: "t.id",
            row: format!("(select to_jsonb(r) from {table} r where r.id = item)"),
            sources: vec![Self::source()],
            conditions: self.conditions(),
            key: field.key(),
            direction,
        }
    }
}
