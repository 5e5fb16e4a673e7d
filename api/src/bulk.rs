//! One wish for many things, such as approving a page of requests: each row is the input of the
//! mutation for one of them, and is decided by itself, so that a refusal stops no other row.

use crate::caller::caller;
use crate::device::Device;
use crate::errors::{Result, ToldFinding, answer, told};
use crate::ftm_chip::FtmChip;
use crate::loader::{Thing, load_all};
use crate::policy_request::PolicyRequest;
use crate::refused_attempt::note;
use crate::sbi::Sbi;
use crate::scalars::Position;
use async_graphql::{Context, InputObject, InputType, OutputType, SimpleObject};
use commands::device::{ApproveDevice, RejectDevice};
use commands::ftm_chip::{ApproveFtmChip, RejectFtmChip};
use commands::policy_request::{ApprovePolicyRequest, RejectPolicyRequest};
use commands::sbi::{ApproveSbi, RejectSbi};
use commands::{Done, Error};
use domain::Finding;
use domain::actor::Operation;
use futures::future::BoxFuture;
use futures::{StreamExt as _, stream};

/// The most rows of one mutation.
pub const MAX_ROWS: usize = 100;
/// How many rows are decided at the same time: they share transactions of the log, and leave
/// connections to others.
const ABREAST: usize = 8;

/// Many wishes of one kind.
#[derive(InputObject)]
#[graphql(concrete(name = "ApprovePolicyRequestsInput", params(ApprovePolicyRequest)))]
#[graphql(concrete(name = "RejectPolicyRequestsInput", params(RejectPolicyRequest)))]
#[graphql(concrete(name = "ApproveSbisInput", params(ApproveSbi)))]
#[graphql(concrete(name = "RejectSbisInput", params(RejectSbi)))]
#[graphql(concrete(name = "ApproveDevicesInput", params(ApproveDevice)))]
#[graphql(concrete(name = "RejectDevicesInput", params(RejectDevice)))]
#[graphql(concrete(name = "ApproveFtmChipsInput", params(ApproveFtmChip)))]
#[graphql(concrete(name = "RejectFtmChipsInput", params(RejectFtmChip)))]
pub struct Rows<I: InputType> {
    /// 1 to 100 wishes. Each is the input of the mutation for one thing, with a version and an
    /// idempotency key of its own.
    rows: Vec<I>,
}

/// What became of many wishes.
#[derive(SimpleObject)]
#[graphql(concrete(name = "PolicyRequestsPayload", params(PolicyRequest)))]
#[graphql(concrete(name = "SbisPayload", params(Sbi)))]
#[graphql(concrete(name = "DevicesPayload", params(Device)))]
#[graphql(concrete(name = "FtmChipsPayload", params(FtmChip)))]
pub struct RowsPayload<N: OutputType>
where
    RowResult<N>: OutputType,
{
    /// What became of each row, in the order of the input.
    results: Vec<RowResult<N>>,
    /// Where the log stands: all that was granted is in it up to here; null when nothing was.
    position: Option<Position>,
}

/// What became of one wish among many.
#[derive(SimpleObject)]
#[graphql(concrete(name = "PolicyRequestResult", params(PolicyRequest)))]
#[graphql(concrete(name = "SbiResult", params(Sbi)))]
#[graphql(concrete(name = "DeviceResult", params(Device)))]
#[graphql(concrete(name = "FtmChipResult", params(FtmChip)))]
pub struct RowResult<N: OutputType> {
    /// Its place in the input, from 0.
    index: usize,
    /// The thing as the wish left it; null when the wish was not granted.
    node: Option<N>,
    /// Why it was not granted; empty when it was.
    errors: Vec<ToldFinding>,
}

/// Gives one command for each row. `operation` is asked for first: who may do it nowhere is refused
/// as a whole.
pub async fn each<'a, I, R, N>(
    ctx: &Context<'_>,
    operation: Operation,
    input: &'a Rows<I>,
    command: impl Fn(&'a I) -> BoxFuture<'a, commands::Result<Done>>,
) -> Result<RowsPayload<N>>
where
    I: InputType,
    R: Thing,
    N: OutputType + From<R>,
    RowResult<N>: OutputType,
{
    answer(ctx, permitted(ctx, operation, input.rows.len()))?;
    let commands: Vec<_> = input.rows.iter().map(command).collect();
    let outcomes: Vec<_> = stream::iter(commands).buffered(ABREAST).collect().await;
    let granted = || outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let position = granted().map(|done| Position(done.position)).max();
    let nodes = load_all::<R>(ctx, granted().map(|done| done.id.as_str())).await?;
    let mut nodes = nodes.into_iter().map(N::from);
    let result = |(index, outcome): (usize, commands::Result<Done>)| match outcome {
        Ok(_) => RowResult { index, node: nodes.next(), errors: Vec::new() },
        Err(error) => RowResult { index, node: None, errors: errors(ctx, index, error) },
    };
    let results = outcomes.into_iter().enumerate().map(result).collect();
    Ok(RowsPayload { results, position })
}

fn permitted(ctx: &Context<'_>, operation: Operation, rows: usize) -> commands::Result<()> {
    if !caller(ctx).request.actor.may_on_own(operation) {
        return Err(Error::Forbidden);
    }
    if (1..=MAX_ROWS).contains(&rows) {
        return Ok(());
    }
    let message = format!("Send 1 to {MAX_ROWS} rows.");
    let finding = Finding::new("BATCH_SIZE", "rows", message).with("max", MAX_ROWS);
    Err(Error::Refused(vec![finding]))
}

/// What the mutation for one thing would tell, with the row before each field.
fn errors(ctx: &Context<'_>, index: usize, error: Error) -> Vec<ToldFinding> {
    let is_refused = matches!(error, Error::Refused(_) | Error::Forbidden);
    let findings = told(error, &caller(ctx).request.correlation_id);
    if is_refused {
        note(ctx, &findings, Some(index));
    }
    let in_row = |finding: Finding| {
        let dot = if finding.field.is_empty() { "" } else { "." };
        Finding { field: format!("rows[{index}]{dot}{}", finding.field), ..finding }
    };
    findings.into_iter().map(|finding| in_row(finding).into()).collect()
}
