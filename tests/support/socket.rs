//! A client of graphql-transport-ws, on a real socket.

use super::http::Caller;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// One socket.
pub struct Socket {
    line: WebSocketStream<TcpStream>,
}

/// What came next.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// A message.
    Said(Value),
    /// The server ended it, with a code and a reason.
    Closed(u16, String),
    /// The line broke.
    Broken,
}

impl Socket {
    /// Opens a socket at an address such as `http://127.0.0.1:1`; nobody is greeted yet.
    pub async fn open(address: &str) -> Self {
        Self::open_as(address, Some("graphql-transport-ws")).await
    }

    /// The same with another sub-protocol, or none.
    pub async fn open_as(address: &str, protocol: Option<&'static str>) -> Self {
        Self::over(TcpSocket::new_v4().unwrap(), address, protocol).await
    }

    /// A socket that takes in little when nobody reads it.
    pub async fn narrow(address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket, address, Some("graphql-transport-ws")).await
    }

    async fn over(socket: TcpSocket, address: &str, protocol: Option<&'static str>) -> Self {
        let url = format!("{address}/graphql/ws").replacen("http", "ws", 1);
        let mut request = url.into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_static(protocol);
            request.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        let server = address.trim_start_matches("http://").parse().unwrap();
        let stream = socket.connect(server).await.unwrap();
        Self { line: client_async(request, stream).await.unwrap().0 }
    }

    /// Sends `connection_init` with a caller's token and waits until it is accepted.
    pub async fn greets(mut self, caller: &Caller<'_>) -> Self {
        self.says(greeting(caller.token())).await;
        assert_eq!(self.hears().await, Heard::Said(json!({"type": "connection_ack"})));
        self
    }

    /// Sends a message.
    pub async fn says(&mut self, message: Value) {
        self.sends(Message::text(message.to_string())).await;
    }

    /// Sends a frame, whatever it is.
    pub async fn sends(&mut self, frame: Message) {
        self.line.send(frame).await.unwrap();
    }

    /// Asks for an operation under an id.
    pub async fn asks(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.says(json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// What comes next, whatever it is.
    pub async fn hears(&mut self) -> Heard {
        loop {
            let heard = timeout(super::PATIENCE, self.line.next()).await.unwrap();
            return match heard {
                Some(Ok(Message::Text(text))) => Heard::Said(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    Heard::Closed(frame.code.into(), frame.reason.to_string())
                }
                Some(Ok(_)) => continue,
                Some(Err(tungstenite::Error::Utf8(_))) => panic!("not text"),
                Some(Err(_)) | None => Heard::Broken,
            };
        }
    }

    /// The next answer to an operation: its `data`.
    pub async fn data(&mut self, id: &str) -> Value {
        match self.hears().await {
            Heard::Said(message) if message["type"] == "next" && message["id"] == id => {
                assert!(message["payload"]["errors"].is_null(), "{message:#}");
                message["payload"]["data"].clone()
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The codes of the errors that come next.
    pub async fn codes(&mut self) -> Vec<String> {
        let Heard::Said(message) = self.hears().await else { panic!("no message") };
        let errors = if message["type"] == "error" {
            &message["payload"]
        } else {
            &message["payload"]["errors"]
        };
        let code = |it: &Value| it["extensions"]["code"].as_str().unwrap().to_owned();
        errors.as_array().unwrap().iter().map(code).collect()
    }

    /// How the socket is closed, when nothing is said before.
    pub async fn is_closed(&mut self) -> (u16, String) {
        match self.hears().await {
            Heard::Closed(code, reason) => (code, reason),
            other => panic!("not closed: {other:?}"),
        }
    }
}

/// `connection_init` with a token.
pub fn greeting(token: &str) -> Value {
    json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}})
}
