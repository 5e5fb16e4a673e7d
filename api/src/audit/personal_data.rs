//! Personal data that an event commits to, in GraphQL: shown with what proves it, while it is there.

use crate::caller::caller;
use crate::errors::{Result, answer};
use async_graphql::{Context, Enum, ID, SimpleObject};
use domain::actor::Operation;
use domain::ids::PartnerId;
use domain::partner::{Partner, PrivateReference};
use projections::audit::disclosures;
use projections::log::LogRow;

/// Personal data that an event commits to. It lies beside the log, so that it can be erased while all
/// proofs hold.
#[derive(SimpleObject)]
pub struct AuditPersonalData {
    /// The name of the row that has it, or had it.
    reference: ID,
    /// What the event says of it, base64: the HMAC-SHA-256 of the data under the salt.
    commitment: String,
    /// Whether it is shown here.
    status: Status,
    /// The salt, base64: the key of the HMAC.
    salt: Option<String>,
    /// The data as it was committed to, byte for byte: JSON.
    data: Option<String>,
}

/// Whether personal data is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "Disclosure")]
pub enum Status {
    /// It is.
    Disclosed,
    /// It is gone, with its salt, as the log says: nobody can tell any more what it was.
    Erased,
    /// It cannot be read, and the log does not say that it was erased: it was lost, or removed past the
    /// program.
    Missing,
    /// It may be there, and the caller may not see it.
    Withheld,
}

impl AuditPersonalData {
    fn hidden(
        PrivateReference { reference, commitment }: &PrivateReference,
        status: Status,
    ) -> Self {
        let (reference, commitment) = (ID::from(reference), commitment.clone());
        Self { reference, commitment, status, salt: None, data: None }
    }
}

/// What the event commits to, as far as the caller may see it: those who may read all partners, and
/// those who may see all that is kept of how theirs was reached.
pub async fn personal_data(ctx: &Context<'_>, row: &LogRow) -> Result<Option<AuditPersonalData>> {
    if row.aggregate_type != "partner" {
        return Ok(None);
    }
    let recorded = answer(ctx, row.decode::<Partner>())?;
    let Some(reference) = recorded.event.private_reference() else { return Ok(None) };
    let (actor, owner) = (&caller(ctx).request.actor, PartnerId::from(row.aggregate_id.as_str()));
    let is_own = actor.may(Operation::ExportSubject, caller(ctx).role_at(&owner));
    let shown = if is_own || actor.may_on_any(Operation::ReadPartner) {
        disclosed(ctx, row, reference).await?
    } else {
        AuditPersonalData::hidden(reference, Status::Withheld)
    };
    Ok(Some(shown))
}

async fn disclosed(
    ctx: &Context<'_>,
    row: &LogRow,
    reference: &PrivateReference,
) -> Result<AuditPersonalData> {
    let keys = &caller(ctx).commands.keys().wrapping;
    let mut db = answer(ctx, caller(ctx).pool().acquire().await)?;
    let found = disclosures(&mut db, keys, row.position - 1, row.position, 1).await;
    let found = answer(ctx, found)?.pop();
    let status = match &found {
        Some(found) if found.data.is_some() => Status::Disclosed,
        Some(found) if found.erased => Status::Erased,
        _ => Status::Missing,
    };
    let (salt, data) = found.map(|it| (it.salt, it.data)).unzip();
    let (salt, data) = (salt.flatten(), data.flatten());
    Ok(AuditPersonalData { salt, data, ..AuditPersonalData::hidden(reference, status) })
}
