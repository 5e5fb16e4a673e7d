//! Takes connections, as many as there is room for, and gives none of them longer than it needs.
//!
//! axum's own loop knows no limit of time for the head of a request. This one adds it: a client
//! that says nothing, or too slowly, or that is no longer there, loses its connection.

use crate::limits::{MAX_HEAD, SILENCE};
use crate::transport::Times;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tower::ServiceExt as _;

/// Serves until told to stop; then it takes no more connections, and ends when those there are
/// have had their answers, or `times.stop` is over. Whoever comes while `connections` are open waits
/// until one is closed.
pub async fn serve(
    mut listener: TcpListener,
    routes: Router,
    connections: u32,
    times: Times,
    told_to_stop: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(connections as usize));
    let (stop, stopped) = watch::channel(());
    let mut told_to_stop = std::pin::pin!(told_to_stop);
    loop {
        let next = async {
            let place = room.clone().acquire_owned().await;
            (place, Listener::accept(&mut listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            next = next => next,
            () = &mut told_to_stop => break,
        };
        let conversation = converse(stream, peer, routes.clone(), times, stopped.clone());
        tokio::spawn(async move {
            conversation.await;
            drop(place);
        });
    }
    drop((listener, stop));
    drop(room.acquire_many(connections).await); // when all places are free, nobody is left
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    times: Times,
    mut stopped: watch::Receiver<()>,
) {
    if let Err(problem) = watch_the_peer(&stream) {
        tracing::debug!(%problem, "a socket does not take its options");
    }
    let service = routes.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(times.head).max_header_size(MAX_HEAD);
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            timeout(times.stop, connection).await.unwrap_or_else(|_| {
                tracing::warn!("an answer took too long for a node that stops, and broke off");
                Ok(())
            })
        }
    };
    if let Err(problem) = ended {
        tracing::debug!(%problem, "a connection broke off");
    }
}

/// A peer that takes nothing any more, or is gone without a word, is found out by the system.
fn watch_the_peer(stream: &TcpStream) -> std::io::Result<()> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE)?;
    let silence = u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(stream, silence)?)
}
