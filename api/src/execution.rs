//! From a document that was checked to its one answer, whatever brought it.
//!
//! A query waits for its turn, and stops when its time is over or its client has gone. A mutation waits
//! for nobody, has a task of its own and runs to its end; what of it was refused is kept before it is
//! answered. A panic is a fault of this operation alone.

use crate::limits::MUTATION_PATIENCE;
use crate::refused_attempt::Noted;
use crate::server::Node;
use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use commands::Error;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use tokio::time::timeout;
use tracing::Instrument as _;

/// Runs a query or a mutation. Refused with `QUERY_TIMEOUT` is a query that takes too long, the wait for
/// its turn included; the outcome of a mutation that does is unknown.
pub async fn execute(
    node: &Node,
    request: Request,
    operation: OperationType,
) -> Result<Response, Error> {
    let (schema, commands, noted) = (node.schema.clone(), node.commands.clone(), Noted::default());
    let work = async move {
        let response = schema.execute(request.data(noted.clone())).await;
        noted.keep(&commands).await;
        response
    };
    let work = AssertUnwindSafe(work.in_current_span()).catch_unwind();
    let done = if operation == OperationType::Mutation {
        let done = timeout(MUTATION_PATIENCE, tokio::spawn(work)).await;
        done.map_err(|_| Error::OutcomeUnknown)?
            .map_err(|_| Error::fault("an operation was cut off"))?
    } else {
        node.transport.in_turn(&node.transport.queries, work).await?
    };
    done.map_err(|_| Error::fault("an operation panicked"))
}
