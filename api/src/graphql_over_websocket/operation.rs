//! One operation of a socket: from the document to its last answer.

use super::message::{End, ToClient};
use crate::caller::Caller;
use crate::document::check;
use crate::errors::{complete, late, request_error};
use crate::execution::execute;
use crate::live::Live;
use crate::loader::loader;
use crate::server::Node;
use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, Response, ServerError};
use commands::Error;
use domain::Finding;
use futures::{FutureExt as _, StreamExt as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::{Instrument as _, info_span};

/// What an operation wants to be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// Whose it is: ids can be used again, serial numbers are not.
    pub serial: u64,
    /// The id that the client chose.
    pub id: String,
    /// What is sent.
    pub text: String,
    /// Whether nothing follows.
    pub is_last: bool,
}

/// What an operation needs.
pub struct Operation {
    /// Where it is run.
    pub node: Node,
    /// What subscriptions follow.
    pub live: Arc<Live>,
    /// Who asks, as the socket was greeted.
    pub token: String,
    /// The address of the client and its user agent.
    pub origin: (String, String),
    /// The id that the client chose.
    pub id: String,
    /// Whose answers these are.
    pub serial: u64,
    /// To the client.
    pub outgoing: mpsc::Sender<Result<Outgoing, End>>,
    /// Held until the work is done, also when nobody waits for it.
    pub leave: Arc<OwnedSemaphorePermit>,
}

impl Operation {
    /// Runs it to its end. Who asks is looked up anew: the token may have expired, and the log may say
    /// something else of its bearer.
    pub async fn run(self, request: Request) {
        let caller = match Caller::identify(&self.node, Some(&self.token), None).await {
            Ok(caller) => caller,
            Err(why) => return self.ends(End::unidentified(&why)).await,
        };
        let correlation_id = caller.request.correlation_id.clone();
        let span = info_span!("graphql", correlation_id, actor = caller.request.actor.subject);
        let work = AssertUnwindSafe(self.answer(caller, request)).catch_unwind();
        if work.instrument(span).await.is_err() {
            self.refuses(vec![fault(Error::fault("an operation panicked"), &correlation_id)]).await;
        }
    }

    async fn answer(&self, caller: Caller, mut request: Request) {
        let correlation_id = caller.request.correlation_id.clone();
        let kind = match self.check(&caller, &mut request) {
            Ok(kind) => kind,
            Err(finding) => {
                return self.refuses(vec![request_error(&finding, &correlation_id)]).await;
            }
        };
        if kind == OperationType::Mutation {
            let (address, agent) = &self.origin;
            let told = caller.commands.remember_origin(&caller.request, address, agent).await;
            if let Err(problem) = told {
                return self.refuses(vec![fault(problem, &correlation_id)]).await;
            }
        }
        let things = loader(&caller.commands);
        let request = request.data(caller).data(things).data(self.live.clone());
        if kind == OperationType::Subscription {
            self.stream(request, &correlation_id).await;
        } else {
            let request = request.data(self.leave.clone());
            let done = execute(&self.node, request, kind).await;
            let response = done.unwrap_or_else(|error| failed(error, &correlation_id));
            self.tell(response, &correlation_id).await;
        }
    }

    /// What a document has to pass before anything of it is executed, and what it is for.
    fn check(&self, caller: &Caller, request: &mut Request) -> Result<OperationType, Finding> {
        let transport = &self.node.transport;
        let name = request.operation_name.as_deref();
        let document = check(&request.query, name, &request.variables, transport.introspection)?;
        if document.operation == OperationType::Mutation {
            caller.commands.permit_changes()?;
        }
        let allowed = transport.allow(&caller.request.actor.subject, document.weight);
        allowed.map_err(|wait| {
            let message = "Too much was asked for lately. Try again later.";
            Finding::new("RATE_LIMITED", "", message).with("seconds", wait.as_secs() + 1)
        })?;
        request.set_parsed_query(document.parsed);
        Ok(document.operation)
    }

    async fn stream(&self, request: Request, correlation_id: &str) {
        let mut responses = self.node.schema.execute_stream(request);
        while let Some(mut response) = responses.next().await {
            if is_refused(&response) {
                return self.tell(response, correlation_id).await;
            }
            response.errors.iter_mut().for_each(|error| complete(error, correlation_id));
            self.send(&ToClient::Next { id: &self.id, payload: response }, false).await;
        }
        self.send(&ToClient::Complete { id: &self.id }, true).await;
    }

    /// The only answer: one that was refused before it was executed has no data.
    async fn tell(&self, mut response: Response, correlation_id: &str) {
        response.errors.iter_mut().for_each(|error| complete(error, correlation_id));
        if is_refused(&response) {
            return self.refuses(response.errors).await;
        }
        self.send(&ToClient::Next { id: &self.id, payload: response }, false).await;
        self.send(&ToClient::Complete { id: &self.id }, true).await;
    }

    async fn refuses(&self, errors: Vec<ServerError>) {
        self.send(&ToClient::Error { id: &self.id, payload: errors }, true).await;
    }

    async fn send(&self, message: &ToClient<'_>, is_last: bool) {
        let (id, serial) = (self.id.clone(), self.serial);
        let outgoing = Outgoing { id, serial, text: message.text(), is_last };
        drop(self.outgoing.send(Ok(outgoing)).await); // the socket may have ended
    }

    async fn ends(&self, end: End) {
        drop(self.outgoing.send(Err(end)).await);
    }
}

/// The answer to an operation for which there is no room.
pub fn too_many(id: &str, limit: usize) -> String {
    let message = format!("More than {limit} operations run on this socket.");
    let error = Error::Refused(vec![Finding::new("TOO_MANY_OPERATIONS", "", message)]);
    let correlation_id = commands::new_id().to_string();
    ToClient::Error { id, payload: vec![fault(error, &correlation_id)] }.text()
}

/// Whether nothing of it was executed: then no error has a place in the answer.
fn is_refused(response: &Response) -> bool {
    !response.errors.is_empty() && response.errors.iter().all(|error| error.path.is_empty())
}

fn fault(error: impl Into<Error>, correlation_id: &str) -> ServerError {
    late(error, correlation_id).into_server_error(Pos::default())
}

/// An answer that is nothing but an error.
fn failed(error: Error, correlation_id: &str) -> Response {
    Response::from_errors(vec![fault(error, correlation_id)])
}
