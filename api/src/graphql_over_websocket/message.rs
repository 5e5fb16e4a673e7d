//! The messages of graphql-transport-ws, and the codes with which a socket ends.

use crate::caller::Unidentified;
use async_graphql::{Response, ServerError};
use axum::extract::ws::CloseFrame;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a client says. Fields that the protocol does not know are ignored.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong {},
    Subscribe { id: String, payload: Map<String, Value> },
    Complete { id: String },
}

/// What a server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToClient<'a> {
    ConnectionAck,
    Ping,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Map<String, Value>>,
    },
    Next {
        id: &'a str,
        payload: Response,
    },
    Error {
        id: &'a str,
        payload: Vec<ServerError>,
    },
    Complete {
        id: &'a str,
    },
}

impl FromClient {
    /// Reads a message: a JSON object, where serde would take an array as well.
    pub fn read(text: &str) -> Result<Self, End> {
        let malformed = || End::close(4400, "Invalid message");
        if !text.trim_start().starts_with('{') {
            return Err(malformed());
        }
        match serde_json::from_str(text) {
            Ok(Self::Subscribe { id, .. } | Self::Complete { id }) if id.is_empty() => {
                Err(malformed())
            }
            Ok(message) => Ok(message),
            Err(_) => Err(malformed()),
        }
    }
}

impl ToClient<'_> {
    /// The message as it is sent.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() // maps with string keys: it cannot fail
    }
}

/// How a conversation ends.
#[derive(Debug)]
pub enum End {
    /// The client has gone, or the line is dead.
    Gone,
    /// The server ends it.
    Close(CloseFrame),
}

impl End {
    /// With a code of the protocol (44xx) or of RFC 6455, and a reason of at most 123 bytes.
    pub fn close(code: u16, reason: &str) -> Self {
        let end = reason.floor_char_boundary(123);
        Self::Close(CloseFrame { code, reason: reason[..end].into() })
    }

    /// The token is not believed, or not any more; the reason is its code.
    pub fn forbidden(code: &str) -> Self {
        Self::close(4403, code)
    }

    /// Nobody knows who asks; the reason tells whether another token helps, or only time does.
    pub fn unidentified(why: &Unidentified) -> Self {
        match why {
            Unidentified::Token(refusal) if refusal.status() == StatusCode::UNAUTHORIZED => {
                Self::forbidden(refusal.code())
            }
            Unidentified::Token(refusal) => Self::try_again_later(refusal.code()),
            Unidentified::Database(_) => Self::try_again_later("the database cannot be reached"),
        }
    }

    /// The server cannot serve this socket now (RFC 6455, registered by IANA).
    pub fn try_again_later(reason: &str) -> Self {
        Self::close(1013, reason)
    }
}
