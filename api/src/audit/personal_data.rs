//! Personal data that an event commits to, in GraphQL: shown with what proves it, while it is there.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::loader::{ErasedAt, load};
use async_graphql::{Context, Enum, ID, SimpleObject};
use base64::prelude::{BASE64_STANDARD, Engine};
use domain::actor::Operation;
use domain::ids::PartnerId;
use domain::partner::{Partner, PrivateReference};
use projections::audit;
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
    status: Disclosure,
    /// The salt, base64: the key of the HMAC.
    salt: Option<String>,
    /// The data as it was committed to, byte for byte: JSON.
    data: Option<String>,
}

/// Whether personal data is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Disclosure {
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
        status: Disclosure,
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
        AuditPersonalData::hidden(reference, Disclosure::Withheld)
    };
    Ok(Some(shown))
}

async fn disclosed(
    ctx: &Context<'_>,
    row: &LogRow,
    reference: &PrivateReference,
) -> Result<AuditPersonalData> {
    let (pool, keys) = (caller(ctx).pool(), caller(ctx).commands.keys());
    let found = audit::disclosed(pool, &keys.wrapping, reference.reference).await;
    let Some(found) = answer(ctx, found)? else {
        let erased = load::<ErasedAt>(ctx, &row.aggregate_id).await?;
        let is_erased = erased.is_some_and(|ErasedAt(at)| at >= row.recorded_at);
        let status = if is_erased { Disclosure::Erased } else { Disclosure::Missing };
        return Ok(AuditPersonalData::hidden(reference, status));
    };
    Ok(AuditPersonalData {
        salt: Some(BASE64_STANDARD.encode(found.salt)),
        data: Some(found.data),
        ..AuditPersonalData::hidden(reference, Disclosure::Disclosed)
    })
}
