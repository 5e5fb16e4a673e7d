//! The sealed log in files that anybody may fetch, keep and verify: C2SP tlog-tiles
//! (<https://c2sp.org/tlog-tiles>), below `/log/`.
//!
//! Checkpoint and tiles are for everybody: they tell how many events there are and when, and nothing
//! of what happened. The entries themselves are for auditors. Nothing is served that the newest signed
//! checkpoint does not cover, so no file ever changes but the checkpoint; what is not there, whatever
//! its name, is 404.

use crate::caller::Caller;
use crate::errors::last_told;
use crate::graphql_over_http::{MediaType, Refusal, correlation_id, identify};
use crate::server::Node;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use domain::actor::Operation;
use domain::audit::tile::Tile;
use projections::{Error, audit};
use tokio::sync::Semaphore;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// The newest checkpoint may be another one a second later.
const FRESH: &str = "no-cache";
/// A tile stays as it is, unless a restore cuts the end of the log off: then other events get its positions,
/// and a cache that nobody has emptied must not serve the old ones for ever.
const A_DAY: &str = "public, max-age=86400";
/// So do entries, but no cache may show them to others.
const A_DAY_FOR_ONE: &str = "private, max-age=86400";

/// One file of the log.
struct File {
    media_type: &'static str,
    caching: &'static str,
    content: Bytes,
}

/// The routes of the sealed log.
pub fn routes() -> Router<Node> {
    Router::new().route("/log/{*path}", get(file))
}

/// Answers with a file. The path is looked at as it was sent: every file has one spelling, in which
/// nothing is percent-encoded.
async fn file(State(node): State<Node>, uri: Uri, headers: HeaderMap) -> Response {
    let correlation_id = correlation_id(&headers);
    let path = uri.path().strip_prefix("/log/").unwrap_or_default();
    let found = if path == "checkpoint" {
        checkpoint(&node, &correlation_id).await
    } else if let Some(tile) = Tile::from_path(path) {
        hashes(&node, tile, &correlation_id).await
    } else if let Some(tile) = Tile::from_bundle_path(path) {
        entries(&node, tile, &headers, &correlation_id).await
    } else {
        Ok(None)
    };
    match found.and_then(|file| file.ok_or_else(not_there)) {
        Ok(File { media_type, caching, content }) => {
            let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, caching)];
            (headers, content).into_response()
        }
        Err(refusal) => refusal.respond(MediaType::Json, &correlation_id),
    }
}

type Found = Result<Option<File>, Refusal>;

async fn checkpoint(node: &Node, correlation_id: &str) -> Found {
    let newest = audit::newest(node.commands.store().pool());
    let newest = asked(node, &node.transport.log_files, newest, correlation_id).await?;
    Ok(newest.map(|head| File { media_type: TEXT, caching: FRESH, content: head.note.into() }))
}

async fn hashes(node: &Node, tile: Tile, correlation_id: &str) -> Found {
    let hashes = sealed(node, tile, audit::tile(node.commands.store().pool(), tile));
    let hashes = asked(node, &node.transport.log_files, hashes, correlation_id).await?;
    Ok(hashes.map(|hashes| File { media_type: BYTES, caching: A_DAY, content: hashes.into() }))
}

async fn entries(node: &Node, tile: Tile, headers: &HeaderMap, correlation_id: &str) -> Found {
    let Caller { request, .. } = identify(node, headers, correlation_id).await?;
    if !request.actor.may_on_any(Operation::ReadLogEntries) {
        let message = "Your roles do not allow this.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    node.transport.allow(&request.actor.subject, 0).map_err(Refusal::rate_limited)?;
    let bundle = sealed(node, tile, audit::bundle(node.commands.store().pool(), tile));
    let bundle = asked(node, &node.transport.queries, bundle, correlation_id).await?;
    let (media_type, caching) = (BYTES, A_DAY_FOR_ONE);
    Ok(bundle.map(|bundle| File { media_type, caching, content: bundle.into() }))
}

/// What the newest checkpoint covers, and nothing beyond.
async fn sealed<T>(
    node: &Node,
    tile: Tile,
    file: impl Future<Output = projections::Result<Option<T>>>,
) -> projections::Result<Option<T>> {
    let newest = audit::newest(node.commands.store().pool()).await?;
    let size = newest.and_then(|head| u64::try_from(head.size).ok());
    if size.is_some_and(|size| tile.within(size)) { file.await } else { Ok(None) }
}

/// What a question to the database found, when its turn had come.
async fn asked<T>(
    node: &Node,
    places: &Semaphore,
    question: impl Future<Output = projections::Result<T>>,
    correlation_id: &str,
) -> Result<T, Refusal> {
    match node.transport.in_turn(places, question).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(Error::Database(problem))) => Err(Refusal::unavailable(&problem)),
        Ok(Err(fault)) => {
            let told = last_told(fault, correlation_id);
            Err(Refusal::of(StatusCode::INTERNAL_SERVER_ERROR, told))
        }
        Err(out_of_time) => {
            let told = last_told(out_of_time, correlation_id);
            Err(Refusal::of(StatusCode::GATEWAY_TIMEOUT, told))
        }
    }
}

fn not_there() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.")
}
