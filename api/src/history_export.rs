//! `GET /audit/history.jsonl` and `/audit/history.csv`: the history in a file, for auditors.
//!
//! It is read page by page up to where the log stood at the beginning, and sent as it is read, so no
//! export is too long and none takes more memory than a page. Where it cannot go on, or another server
//! has gone on with the log meanwhile, the connection breaks off: what has an end is whole. Whoever has a
//! part asks for what comes after it.

mod line;
mod parameters;

use crate::errors::chain;
use crate::graphql_over_http::{MediaType, Refusal, correlation_id, identify};
use crate::limits::MAX_WEIGHT;
use crate::server::Node;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use domain::actor::Operation;
use futures::stream::{Stream, try_unfold};
use line::Form;
use projections::history::{HistoryFilter, HistoryPage, rows};
use projections::log::{Extent, LogRow, extent};
use projections::page::{Direction, MAX_PAGE, PageRequest};
use projections::{Error, Viewer};
use sqlx::PgPool;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

/// After which time one may ask again who found no place.
const AGAIN: Duration = Duration::from_secs(10);

/// One event a line, as the log has it.
pub async fn jsonl(State(node): State<Node>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&node, &uri, &headers, Form::JsonLines).await
}

/// One event a row, for spreadsheets.
pub async fn csv(State(node): State<Node>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&node, &uri, &headers, Form::Csv).await
}

async fn answer(node: &Node, uri: &Uri, headers: &HeaderMap, form: Form) -> Response {
    let correlation_id = correlation_id(headers);
    match begin(node, uri, headers, form, &correlation_id).await {
        Ok(export) => {
            let name = format!("attachment; filename=\"history.{}\"", form.extension());
            let name = HeaderValue::from_str(&name).ok();
            let body = Body::from_stream(export.chunks());
            let mut response = ([(header::CONTENT_TYPE, form.media_type())], body).into_response();
            response.headers_mut().extend(name.map(|name| (header::CONTENT_DISPOSITION, name)));
            response
        }
        Err(refusal) => refusal.respond(MediaType::Json, &correlation_id),
    }
}

/// Everything that can be refused is refused before the first byte is sent.
async fn begin(
    node: &Node,
    uri: &Uri,
    headers: &HeaderMap,
    form: Form,
    correlation_id: &str,
) -> Result<Export, Refusal> {
    let caller = identify(node, headers, correlation_id).await?;
    let actor = &caller.request.actor;
    if !actor.may_on_any(Operation::ReadLogEntries) {
        let message = "Your roles do not allow this.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    let asked = parameters::read(uri.query().unwrap_or_default());
    let (filter, after) =
        asked.map_err(|findings| Refusal::all(StatusCode::BAD_REQUEST, findings))?;
    let seat = node.transport.exports.clone().try_acquire_owned();
    let seat = seat.map_err(|_| Refusal::rate_limited(AGAIN))?;
    node.transport.allow(&actor.subject, MAX_WEIGHT).map_err(Refusal::rate_limited)?;
    let pool = caller.pool().clone();
    let log = extent(&pool).await.map_err(|problem| Refusal::unavailable(&problem))?;
    let until = log.head;
    let filter = HistoryFilter { until: Some(until), ..filter };
    info!(correlation_id, actor = actor.subject, after, until, "the history is exported");
    let correlation_id = correlation_id.to_owned();
    Ok(Export { pool, log, filter, form, begins: true, after, correlation_id, _seat: seat })
}

/// An export at work.
struct Export {
    pool: PgPool,
    /// How far the log reached at the beginning.
    log: Extent,
    filter: HistoryFilter,
    form: Form,
    /// Whether nothing was sent yet.
    begins: bool,
    /// The last position that was looked at.
    after: Option<i64>,
    correlation_id: String,
    _seat: OwnedSemaphorePermit,
}

impl Export {
    /// The parts of the file, a page each.
    fn chunks(self) -> impl Stream<Item = Result<Vec<u8>, Error>> + Send {
        try_unfold(Some(self), async |export| {
            let Some(mut export) = export else { return Ok(None) };
            let chunk = export.next().await.inspect_err(|problem| {
                let (problem, correlation_id) = (chain(problem), &export.correlation_id);
                warn!(problem, correlation_id, "an export has broken off");
            });
            let (chunk, has_next) = chunk?;
            Ok(Some((chunk, has_next.then_some(export))))
        })
    }

    async fn next(&mut self) -> Result<(Vec<u8>, bool), Error> {
        let page = match self.page().await {
            Err(Error::Database(_)) => self.page().await, // the database may be away for a moment
            page => page,
        };
        let HistoryPage { entries, has_next, end } = page?;
        if !has_next {
            self.is_still_so().await?;
        }
        let begins = std::mem::replace(&mut self.begins, false);
        self.after = end;
        Ok((self.form.lines(&entries, begins)?, has_next))
    }

    async fn page(&self) -> Result<HistoryPage<LogRow>, Error> {
        let first = i32::try_from(MAX_PAGE).ok();
        let after = self.after.map(|it| it.to_string());
        let page = PageRequest { first, after, ..PageRequest::default() };
        rows(&self.pool, &Viewer::All, &self.filter, Direction::Asc, &page).await
    }

    /// No other server has gone on with the log since the beginning, and none has lost its end: else what
    /// was read may be of two pasts.
    async fn is_still_so(&self) -> Result<(), Error> {
        let now = extent(&self.pool).await?;
        if now.epoch == self.log.epoch && now.head >= self.log.head {
            return Ok(());
        }
        Err(Error::Unreadable("another server has gone on with the log meanwhile".to_owned()))
    }
}
