//! One list shape: a Relay connection, and what is asked of the whole list only when it is asked for.

use crate::caller::caller;
use crate::errors::{Result, read};
use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, InputType as _, Object, ObjectType, OutputType, TypeName};
use projections::Viewer;
use projections::page::{DistinctValue, Listed, Order, Page, PageRequest, Question};
use std::borrow::Cow;

/// A part of a list of rows `R` in coats `N`.
pub type List<R, N> = Connection<String, N, Whole<R>>;

/// How many distinct values are told when nobody says how many.
const DEFAULT_VALUES: i32 = 50;

/// What is asked of the whole list and not of a page.
pub struct Whole<R: Listed>(Question<R>);

#[Object(name_type)]
impl<R: Listed> Whole<R> {
    /// How many elements there are in all; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        read(ctx, self.0.count(caller(ctx).pool()).await)
    }

    /// The values in a column of the list, for a filter to choose from: the most frequent first, 50
    /// unless `first` says otherwise, at most 200.
    async fn distinct_values(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The column whose values are told.")] field: R::Distinct,
        first: Option<i32>,
    ) -> Result<Vec<DistinctValue>> {
        let first = first.unwrap_or(DEFAULT_VALUES);
        read(ctx, self.0.distinct(caller(ctx).pool(), field, first).await)
    }
}

impl<R: Listed> TypeName for Whole<R> {
    fn type_name() -> Cow<'static, str> {
        format!("Whole{}", R::Filter::type_name()).into() // never seen: its fields are the connection's
    }
}

/// Reads a part of a list.
pub async fn connection<R, N>(
    ctx: &Context<'_>,
    viewer: Viewer,
    filter: Option<R::Filter>,
    order: Option<Order<R::Sort>>,
    page: PageRequest,
) -> Result<List<R, N>>
where
    R: Listed,
    N: OutputType + From<R>,
{
    let filter = filter.unwrap_or_default();
    let question = Question { viewer, filter, now: commands::now() };
    let page = read(ctx, question.page(caller(ctx).pool(), order, &page).await)?;
    Ok(part(page, Whole(question), N::from))
}

/// A part of a list that was read, as the world sees it.
pub fn part<R, N: OutputType, W: ObjectType>(
    page: Page<R>,
    whole: W,
    coat: impl Fn(R) -> N,
) -> Connection<String, N, W> {
    let mut connection =
        Connection::with_additional_fields(page.has_previous, page.has_next, whole);
    let edges = page.rows.into_iter().map(|(cursor, row)| Edge::new(cursor, coat(row)));
    connection.edges.extend(edges);
    connection
}
