//! One list shape: a Relay connection whose total is counted only when it is asked for.

use crate::caller::caller;
use crate::errors::{Result, answer};
use async_graphql::connection::{Connection, Edge};
use async_graphql::{Context, Object, OutputType};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use projections::Viewer;
use projections::page::{Listed, Order, Page, PageRequest, count, list};
use sqlx::PgPool;

/// A part of a list.
pub type List<N> = Connection<String, N, Total>;

/// Counts the elements of a list.
pub struct Total(Count);

type Count = Box<dyn Fn(PgPool) -> BoxFuture<'static, projections::Result<i64>> + Send + Sync>;

impl Total {
    /// Counts in this way.
    pub fn new<C>(count: C) -> Self
    where
        C: Fn(PgPool) -> BoxFuture<'static, projections::Result<i64>> + Send + Sync + 'static,
    {
        Self(Box::new(count))
    }
}

#[Object]
impl Total {
    /// How many elements there are in all; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        answer(ctx, (self.0)(caller(ctx).pool().clone()).await)
    }
}

/// Reads a part of a list.
pub async fn connection<R, N>(
    ctx: &Context<'_>,
    viewer: Viewer,
    filter: Option<R::Filter>,
    order: Option<Order<R::Sort>>,
    page: PageRequest,
) -> Result<List<N>>
where
    R: Listed,
    N: OutputType + From<R>,
{
    let filter = filter.unwrap_or_default();
    let page = list::<R>(caller(ctx).pool(), &viewer, &filter, order, &page).await;
    let page = answer(ctx, page)?;
    let total = Total::new(move |pool| {
        let (viewer, filter) = (viewer.clone(), filter.clone());
        async move { count::<R>(&pool, &viewer, &filter).await }.boxed()
    });
    Ok(part(page, total, N::from))
}

/// A part of a list that was read, as the world sees it.
pub fn part<R, N: OutputType>(page: Page<R>, total: Total, coat: impl Fn(R) -> N) -> List<N> {
    let mut connection =
        Connection::with_additional_fields(page.has_previous, page.has_next, total);
    let edges = page.rows.into_iter().map(|(cursor, row)| Edge::new(cursor, coat(row)));
    connection.edges.extend(edges);
    connection
}
