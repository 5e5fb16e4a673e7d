//! GraphQL over WebSocket: the sub-protocol graphql-transport-ws, as `PROTOCOL.md` of graphql-ws has
//! it. Subscriptions, queries and mutations.
//!
//! A browser cannot send headers with a WebSocket, so the token comes in the payload of
//! `connection_init`. No cookie lets anybody in, so a page of somebody else cannot use the socket of
//! who is logged in elsewhere.
//!
//! Nothing is kept for a client without bound: how many sockets and operations it has, how long its
//! messages are and how many answers wait for it are limited, and one that does not read is closed.

mod conversation;
mod message;
mod operation;
mod seats;

use crate::limits::MAX_BODY;
use crate::live::Live;
use crate::server::{ClientAddress, Node, error};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use conversation::Conversation;
use seats::Seats;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The sub-protocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// The longest message, in bytes: as the longest body over HTTP.
const MAX_MESSAGE: usize = MAX_BODY;
/// What a socket sets aside for what comes and what goes, in bytes; longer messages take more while
/// they are under way.
const BUFFER: usize = 8 * 1024;

/// What a client may have, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many sockets a node has.
    pub sockets: usize,
    /// How many of them one caller has.
    pub sockets_per_caller: usize,
    /// How many operations of a socket run at the same time.
    pub operations: usize,
    /// How long a client takes to send `connection_init`.
    pub greeting: Duration,
    /// How long a client takes to make room for the next message.
    pub reading: Duration,
    /// How often a client is sent `ping`; one from which nothing comes until the next is gone.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 2_000,
            sockets_per_caller: 20,
            operations: 32,
            greeting: Duration::from_secs(5),
            reading: Duration::from_secs(10),
            ping: Duration::from_secs(20),
        }
    }
}

/// What all sockets of a node share.
struct Sockets {
    limits: Limits,
    seats: Seats,
    live: OnceLock<Arc<Live>>,
}

/// Where sockets are opened.
pub fn route(limits: Limits) -> MethodRouter<Node> {
    let sockets = Arc::new(Sockets { limits, seats: Seats::default(), live: OnceLock::new() });
    get(
        async move |State(node): State<Node>,
                    Extension(client): Extension<ClientAddress>,
                    headers: HeaderMap,
                    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| {
            open(&sockets, node, client, &headers, upgrade)
        },
    )
}

fn open(
    sockets: &Arc<Sockets>,
    node: Node,
    ClientAddress(client): ClientAddress,
    headers: &HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let message = "Open a WebSocket here, with the sub-protocol graphql-transport-ws.";
        return error(StatusCode::UPGRADE_REQUIRED, "UPGRADE_NEEDED", message);
    };
    let Some(place) = sockets.seats.take("", sockets.limits.sockets) else {
        let message = "Too many sockets are open. Try again later.";
        return error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    };
    let agent = headers.get(header::USER_AGENT).and_then(|it| it.to_str().ok());
    let origin = (client.to_string(), agent.unwrap_or_default().to_owned());
    let sockets = sockets.clone();
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(MAX_MESSAGE);
    let upgrade = upgrade.max_frame_size(MAX_MESSAGE);
    let upgrade = upgrade.read_buffer_size(BUFFER).write_buffer_size(BUFFER);
    upgrade
        .on_upgrade(async move |socket| {
            Conversation::new(sockets, node, origin, socket).hold().await;
            drop(place);
        })
        .into_response()
}
