//! From a document that was checked to its one answer, whatever brought it.
//!
//! A query waits for its turn, and stops when its time is over or its client has gone. A mutation waits
//! for nobody, has a task of its own and runs to its end. A panic is a fault of this operation alone.

use crate::limits::MUTATION_PATIENCE;
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
    let schema = node.schema.clone();
    let work = async move { schema.execute(request).await };
    let work = AssertUnwindSafe(work.in_current_span()).catch_unwind();
    let done = if operation == OperationType::Mutation {
        let done = timeout(MUTATION_PATIENCE, tokio::spawn(work)).await;
        done.map_err(|_| Error::OutcomeUnknown)?
            .map_err(|_| Error::fault("an operation was cut off"))?
    } else {
        node.transport.in_turn(work).await?
    };
    done.map_err(|_| Error::fault("an operation panicked"))
}
