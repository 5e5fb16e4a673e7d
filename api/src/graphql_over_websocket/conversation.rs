//! One socket, from the greeting to its end.

use super::Sockets;
use super::message::{End, FromClient, ToClient};
use super::operation::{Operation, Outgoing, too_many};
use super::seats::Seat;
use crate::auth::token::life;
use crate::caller::{Caller, bearer};
use crate::live::Live;
use crate::server::Node;
use axum::extract::ws::{Message, WebSocket};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, Interval, Sleep, interval_at, sleep, timeout};

/// How many answers wait for a client at most; whoever has more of them waits.
const QUEUE: usize = 16;
/// How long the client is listened to after the server has said that it ends.
const GOODBYE: Duration = Duration::from_secs(2);

/// One socket.
pub struct Conversation {
    sockets: Arc<Sockets>,
    node: Node,
    origin: (String, String),
    socket: WebSocket,
    /// Who was greeted.
    bearer: Option<Bearer>,
    /// What runs, by the ids that the client chose.
    running: HashMap<String, Running>,
    leaves: Arc<Semaphore>,
    outgoing: mpsc::Sender<Result<Outgoing, End>>,
    waiting: mpsc::Receiver<Result<Outgoing, End>>,
    serial: u64,
    /// Until when the client may greet, or its token is believed.
    until: Pin<Box<Sleep>>,
    beat: Interval,
    has_been_heard: bool,
}

/// A caller, and its place among its sockets.
struct Bearer {
    token: String,
    _seat: Seat,
}

/// An operation that runs; it ends with this. A mutation that has begun goes on.
struct Running {
    serial: u64,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Conversation {
    /// Of somebody at an address with a user agent.
    pub fn new(
        sockets: Arc<Sockets>,
        node: Node,
        origin: (String, String),
        socket: WebSocket,
    ) -> Self {
        let limits = sockets.limits;
        let (outgoing, waiting) = mpsc::channel(QUEUE);
        Self {
            node,
            origin,
            socket,
            bearer: None,
            running: HashMap::new(),
            leaves: Arc::new(Semaphore::new(limits.operations)),
            outgoing,
            waiting,
            serial: 0,
            until: Box::pin(sleep(limits.greeting)),
            beat: interval_at(Instant::now() + limits.ping, limits.ping),
            has_been_heard: true,
            sockets,
        }
    }

    /// From the greeting to the end.
    pub async fn hold(mut self) {
        let end = match self.socket.protocol() {
            Some(_) => self.converse().await,
            None => End::close(4406, "Subprotocol not acceptable"),
        };
        self.running.clear();
        if let End::Close(frame) = end {
            let farewell = self.socket.send(Message::Close(Some(frame)));
            if !matches!(timeout(self.sockets.limits.reading, farewell).await, Ok(Ok(()))) {
                return;
            }
        }
        // What the client still sends is not read, until it ends too.
        let goodbye = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        drop(timeout(GOODBYE, goodbye).await);
    }

    async fn converse(&mut self) -> End {
        loop {
            let step = tokio::select! {
                heard = self.socket.recv() => self.hear(heard).await,
                Some(outgoing) = self.waiting.recv() => self.pass_on(outgoing).await,
                () = &mut self.until => Err(self.time_is_over()),
                _ = self.beat.tick() => self.ping().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn time_is_over(&self) -> End {
        match self.bearer {
            None => End::close(4408, "Connection initialisation timeout"),
            Some(_) => End::forbidden("TOKEN_EXPIRED"),
        }
    }

    async fn hear(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.has_been_heard = true;
        match heard {
            Some(Ok(Message::Text(text))) => self.understand(FromClient::read(&text)?).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()), // answered by axum
            Some(Ok(Message::Binary(_))) => Err(End::close(4400, "Invalid message: not text")),
            // Not a WebSocket any more, or a message that is too long.
            Some(Err(_)) => Err(End::close(4400, "Invalid message: broken or longer than 512 KiB")),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        }
    }

    async fn understand(&mut self, message: FromClient) -> Result<(), End> {
        match message {
            FromClient::ConnectionInit { .. } if self.bearer.is_some() => {
                Err(End::close(4429, "Too many initialisation requests"))
            }
            FromClient::ConnectionInit { payload } => self.greet(payload).await,
            FromClient::Ping { payload } => self.say(ToClient::Pong { payload }.text()).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload).await,
            FromClient::Complete { id } => {
                self.running.remove(&id); // what is not known has just completed
                Ok(())
            }
        }
    }

    async fn greet(&mut self, payload: Option<Map<String, Value>>) -> Result<(), End> {
        let payload = payload.unwrap_or_default();
        let token = payload.get("Authorization").or_else(|| payload.get("authorization"));
        let token = token.and_then(Value::as_str).and_then(bearer);
        let caller = Caller::identify(&self.node, token, None).await;
        let caller = caller.map_err(|why| End::unidentified(&why))?;
        let (limits, token) = (&self.sockets.limits, token.unwrap_or_default());
        let seat =
            self.sockets.seats.take(&caller.request.actor.subject, limits.sockets_per_caller);
        let seat = seat.ok_or_else(|| End::try_again_later("too many sockets of this caller"))?;
        self.until = Box::pin(sleep(life(token, commands::now())));
        self.bearer = Some(Bearer { token: token.to_owned(), _seat: seat });
        self.say(ToClient::ConnectionAck.text()).await
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Value>) -> Result<(), End> {
        let Some(bearer) = &self.bearer else { return Err(End::close(4401, "Unauthorized")) };
        if self.running.contains_key(&id) {
            return Err(End::close(4409, &format!("Subscriber for {id} already exists")));
        }
        let malformed = || End::close(4400, "Invalid message: no GraphQL request");
        let has_query = payload.get("query").is_some_and(Value::is_string);
        let request = serde_json::from_value(Value::Object(payload)).map_err(|_| malformed())?;
        if !has_query {
            return Err(malformed());
        }
        let Ok(leave) = self.leaves.clone().try_acquire_owned() else {
            return self.say(too_many(&id, self.sockets.limits.operations)).await;
        };
        self.serial += 1;
        let operation = Operation {
            live: self.live(),
            node: self.node.clone(),
            token: bearer.token.clone(),
            origin: self.origin.clone(),
            id: id.clone(),
            serial: self.serial,
            outgoing: self.outgoing.clone(),
            leave: Arc::new(leave),
        };
        let task = tokio::spawn(operation.run(request)).abort_handle();
        self.running.insert(id, Running { serial: self.serial, task });
        Ok(())
    }

    fn live(&self) -> Arc<Live> {
        let store = self.node.commands.store();
        self.sockets.live.get_or_init(|| Live::start(store.clone())).clone()
    }

    /// What is still on its way from an operation that the client has completed is not sent.
    async fn pass_on(&mut self, outgoing: Result<Outgoing, End>) -> Result<(), End> {
        let Outgoing { serial, id, text, is_last } = outgoing?;
        if self.running.get(&id).is_none_or(|running| running.serial != serial) {
            return Ok(());
        }
        if is_last {
            self.running.remove(&id);
        }
        self.say(text).await
    }

    async fn ping(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.has_been_heard) {
            return Err(End::Gone);
        }
        self.say(ToClient::Ping.text()).await
    }

    /// Nothing else is done for the client until it has made room for this.
    async fn say(&mut self, text: String) -> Result<(), End> {
        let sent =
            timeout(self.sockets.limits.reading, self.socket.send(Message::text(text))).await;
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(End::Gone) }
    }
}
