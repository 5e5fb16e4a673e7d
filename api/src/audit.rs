//! The sealed log in GraphQL: its signed checkpoints, and proofs about single events. What anybody may
//! fetch as files is [`crate::tlog_tiles`]'s.
//!
//! Hashes are base64 (RFC 4648, 4) as in the files of C2SP; positions and sizes count from 1, leaves
//! from 0, so position *p* is leaf *p* − 1.

mod personal_data;

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::history::Entry;
use crate::policy_request::without_drafts;
use crate::scalars::Position;
use async_graphql::{Context, Object, SimpleObject};
use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use domain::actor::Operation;
use domain::audit::note::Note;
use domain::audit::tlog_proof::TlogProof;
use domain::audit::tree::Hash;
use personal_data::{AuditPersonalData, personal_data};
use projections::audit::Sealed;
use projections::audit::proof::{
    consistency, first_covering, inclusion, leaf, newest, of_size, strongest_covering,
};
use projections::history::{HistoryEntry, event};
use projections::log::LogRow;

/// A signed head of the log: everything up to a position, in one hash.
#[derive(SimpleObject)]
pub struct AuditCheckpoint {
    /// The name of the log, which is also the name of its keys.
    origin: String,
    /// How many events it covers: the positions from 1 to this one.
    size: Position,
    /// The root of the Merkle tree over them (RFC 6962), base64.
    root: String,
    /// The checkpoint as it is verified, under all its signatures (C2SP tlog-checkpoint). The other
    /// fields only tell what stands in it, and prove nothing.
    note: String,
    /// When the log signed it last.
    signed_at: DateTime<Utc>,
    /// Whether as many witnesses have seen it as this installation asks for.
    witnessed: bool,
    /// Since when; null while they have not.
    witnessed_at: Option<DateTime<Utc>>,
    /// Who outside has cosigned it. Whether these suffice is for you to say: keep a policy of your own.
    witnesses: Vec<AuditWitness>,
}

/// Somebody outside who has seen a checkpoint and that it continues the one before.
#[derive(SimpleObject)]
pub struct AuditWitness {
    /// The name of its key.
    name: String,
    /// The id of its key, the second part of its `vkey`: 8 hexadecimal digits.
    key_id: String,
    /// When it says that it saw the checkpoint.
    at: DateTime<Utc>,
}

/// That an event is in the log as a checkpoint has it (RFC 6962, 2.1.1).
#[derive(SimpleObject)]
pub struct AuditInclusion {
    /// The position of the event.
    position: Position,
    /// Which leaf of the tree it is, from 0: its position less one.
    index: Position,
    /// The hash of its entry, base64: SHA-256 of a zero byte and the entry.
    leaf_hash: String,
    /// The proof: roots of subtrees from the leaf up, base64.
    hashes: Vec<String>,
    /// What it is proved to be in.
    checkpoint: AuditCheckpoint,
}

/// That the log only grew from one checkpoint to another (RFC 6962, 2.1.2).
#[derive(SimpleObject)]
pub struct AuditConsistency {
    /// The earlier checkpoint.
    from: AuditCheckpoint,
    /// The later checkpoint.
    to: AuditCheckpoint,
    /// The proof: roots of subtrees, base64.
    hashes: Vec<String>,
}

/// An event as the log hashes it, and what it means.
#[derive(SimpleObject)]
pub struct AuditEntry {
    /// The position of the event.
    position: Position,
    /// What is hashed, exactly: ten lines with line feeds between them and none at the end. They are
    /// described in `docs/auditing.md`.
    entry: String,
    /// The hash of the entry, base64: SHA-256 of a zero byte and the entry.
    leaf_hash: String,
    /// The event in the words of `history`.
    event: Entry,
    /// The personal data that the event commits to and does not hold; null where it commits to none.
    personal_data: Option<AuditPersonalData>,
}

impl AuditCheckpoint {
    fn of(head: &Sealed) -> projections::Result<Self> {
        let (checkpoint, note) = (head.checkpoint()?, head.note()?);
        Ok(Self {
            witnesses: witnesses(&note, &checkpoint.origin),
            origin: checkpoint.origin,
            size: Position(head.size),
            root: BASE64_STANDARD.encode(checkpoint.root),
            note: head.note.clone(),
            signed_at: head.signed_at,
            witnessed: head.witnessed_at.is_some(),
            witnessed_at: head.witnessed_at,
        })
    }
}

/// Who signed beside the log itself. Only what verified is ever stored.
fn witnesses(note: &Note, origin: &str) -> Vec<AuditWitness> {
    let others = note.signatures().iter().filter(|it| it.name() != origin);
    let witness = |(at, name, key_id): (DateTime<Utc>, &str, String)| AuditWitness {
        name: name.to_owned(),
        key_id,
        at,
    };
    others.filter_map(|it| Some((it.cosigned_at()?, it.name(), it.key_id()))).map(witness).collect()
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}

/// The event at a position; `None` where there is none with a history that the caller may see.
async fn visible(ctx: &Context<'_>, Position(position): Position) -> Result<Option<LogRow>> {
    let viewer = caller(ctx).viewer(ctx, Operation::ReadHistory)?;
    let without_drafts = without_drafts(caller(ctx), &viewer);
    answer(ctx, event(caller(ctx).pool(), &viewer, without_drafts, position).await)
}

/// The head that a proof about a position is given for, and the proof.
async fn proved(
    ctx: &Context<'_>,
    position: i64,
    size: Option<Position>,
) -> Result<(Sealed, Vec<Hash>)> {
    let pool = caller(ctx).pool();
    let head = match size {
        Some(Position(size)) => of_size(pool, size, "size").await,
        None => strongest_covering(pool, position).await,
    };
    let head = answer(ctx, head)?;
    let hashes = answer(ctx, inclusion(pool, position, &head).await)?;
    Ok((head, hashes))
}

/// Questions about the sealed log.
#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// The newest signed checkpoint, or the first that covers a size; for everybody.
    /// Refused with `NOT_SEALED_YET`.
    async fn audit_checkpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Up to which position it has to reach; the newest when absent.")]
        size: Option<Position>,
    ) -> Result<AuditCheckpoint> {
        let pool = caller(ctx).pool();
        let head = match size {
            Some(Position(size)) => first_covering(pool, size, "size").await,
            None => newest(pool).await,
        };
        let head = answer(ctx, head)?;
        answer(ctx, AuditCheckpoint::of(&head))
    }

    /// The proof that the event at a position is in the log; null when there is none whose history the
    /// caller may see. It leads to the newest checkpoint that enough witnesses have seen, or, where
    /// none covers the position, to the newest.
    /// Refused with `NOT_SEALED_YET`, `CHECKPOINT_NOT_FOUND` and `POSITION_NOT_COVERED`.
    async fn audit_inclusion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position of the event.")] position: Position,
        #[graphql(desc = "The size of the checkpoint that the proof has to lead to.")] size: Option<
            Position,
        >,
    ) -> Result<Option<AuditInclusion>> {
        let Some(row) = visible(ctx, position).await? else { return Ok(None) };
        let (head, hashes) = proved(ctx, row.position, size).await?;
        Ok(Some(AuditInclusion {
            position,
            index: Position(row.position - 1),
            leaf_hash: BASE64_STANDARD.encode(row.stored().leaf_hash()),
            hashes: texts(&hashes),
            checkpoint: answer(ctx, AuditCheckpoint::of(&head))?,
        }))
    }

    /// The proof that the log of one checkpoint continues that of an earlier one; for everybody.
    /// Refused with `NOT_SEALED_YET`, `CHECKPOINT_NOT_FOUND` and `FROM_AFTER_TO`.
    async fn audit_consistency(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The size of the earlier checkpoint.")] from: Position,
        #[graphql(desc = "The size of the later checkpoint; the newest when absent.")] to: Option<
            Position,
        >,
    ) -> Result<AuditConsistency> {
        let pool = caller(ctx).pool();
        let earlier = answer(ctx, of_size(pool, from.0, "from").await)?;
        let later = match to {
            Some(Position(to)) => of_size(pool, to, "to").await,
            None => newest(pool).await,
        };
        let later = answer(ctx, later)?;
        let hashes = answer(ctx, consistency(pool, &earlier, &later).await)?;
        Ok(AuditConsistency {
            from: answer(ctx, AuditCheckpoint::of(&earlier))?,
            to: answer(ctx, AuditCheckpoint::of(&later))?,
            hashes: texts(&hashes),
        })
    }

    /// The event at a position as the log hashes it; null when there is none whose history the caller
    /// may see. It is there at once, sealed or not.
    async fn audit_entry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position of the event.")] position: Position,
    ) -> Result<Option<AuditEntry>> {
        let Some(row) = visible(ctx, position).await? else { return Ok(None) };
        Ok(Some(AuditEntry {
            position,
            entry: row.stored().entry(),
            leaf_hash: BASE64_STANDARD.encode(row.stored().leaf_hash()),
            event: answer(ctx, HistoryEntry::of(&row))?.into(),
            personal_data: personal_data(ctx, &row).await?,
        }))
    }

    /// All that proves one event, in one text to keep as a file: a C2SP tlog-proof whose `extra` line
    /// has the entry, base64. `pms audit verify` reads it. Null when there is no event whose history
    /// the caller may see. It leads to the same checkpoint as `auditInclusion`.
    /// Refused with `NOT_SEALED_YET`, `CHECKPOINT_NOT_FOUND` and `POSITION_NOT_COVERED`.
    async fn audit_bundle(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The position of the event.")] position: Position,
        #[graphql(desc = "The size of the checkpoint that the proof has to lead to.")] size: Option<
            Position,
        >,
    ) -> Result<Option<String>> {
        let Some(row) = visible(ctx, position).await? else { return Ok(None) };
        let (head, hashes) = proved(ctx, row.position, size).await?;
        let proof = TlogProof {
            extra: Some(row.stored().entry().into_bytes()),
            index: leaf(row.position).unwrap_or_default(), // a position is at least 1
            hashes,
            checkpoint: answer(ctx, head.note())?,
        };
        Ok(Some(proof.to_string()))
    }
}
