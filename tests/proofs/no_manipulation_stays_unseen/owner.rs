//! The owner of the database, who switches the triggers off and has stolen the log's key. What he does
//! follows from a seed.

use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::{Algorithm, SigningKey};
use domain::audit::tree::Edge;
use fastrand::Rng;
use sqlx::{Connection as _, Executor as _, PgConnection};

const COLUMNS: [&str; 9] = [
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_type",
    "event_version",
    "payload",
    "metadata",
    "position",
    "recorded_at",
];

/// No log of a test reaches this position.
const FAR: i64 = 1_000_000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    /// A bit of one column was changed.
    Flip { column: &'static str, position: i64 },
    /// As before, with the hash of the leaf, but not those above it.
    FlipWithLeaf { position: i64 },
    /// So many rows from this position on were deleted.
    Delete { position: i64, count: i64 },
    /// Two rows have changed places.
    Swap { one: i64, other: i64 },
    /// A forged event has its place, and all later ones moved.
    Insert { position: i64 },
    /// Nothing is left after this position.
    Truncate { after: i64 },
    /// A bit of one column was changed, and the whole tree made and signed anew.
    Rewrite { column: &'static str, from: i64 },
    /// An event was deleted, all later ones moved, and the whole tree made and signed anew.
    RewriteWithout { position: i64 },
    /// The same with a forged event in its place.
    RewriteWith { position: i64 },
    /// Nothing is left after this position, and the tree says so under a signature.
    TruncateAndSeal { after: i64 },
    /// A bit of a tile was changed.
    EditTile,
    /// The head of this size was replaced by something that is wrong in itself.
    ForgeHead { size: i64, how: Forgery },
    /// The newest heads were deleted, those of this size and less are left.
    RollBack { size: i64 },
}

/// In which way a head was forged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Forgery {
    /// A bit of it was changed.
    Bit,
    /// Another root was signed.
    Root,
    /// Another key signed it.
    Key,
    /// It covers events that are not there.
    Size,
}

impl Deed {
    /// Whether what is sealed is itself wrong, whatever became of the events.
    pub fn spoils_seals(self) -> bool {
        matches!(self, Self::EditTile | Self::ForgeHead { .. })
    }

    /// Whether everything fits together that lies in the database afterwards.
    pub fn is_consistent(self) -> bool {
        matches!(
            self,
            Self::Rewrite { column: "payload" | "metadata", .. }
                | Self::RewriteWith { .. }
                | Self::TruncateAndSeal { .. }
                | Self::RollBack { .. }
        )
    }

    /// Whether what is sealed is made of the events, which may contradict each other.
    pub fn is_resealed(self) -> bool {
        matches!(self, Self::Rewrite { .. } | Self::RewriteWithout { .. })
    }
}

/// Draws deeds.
pub struct Owner {
    rng: Rng,
    /// The sizes of the heads.
    heads: Vec<i64>,
    size: i64,
    key: SigningKey,
}

impl Owner {
    /// The same seed does the same to a log with heads of these sizes, under this key.
    pub fn new(seed: u64, heads: &[i64], key: SigningKey) -> Self {
        let size = heads.last().copied().unwrap();
        Self { rng: Rng::with_seed(seed), heads: heads.to_vec(), size, key }
    }

    /// Does something that PostgreSQL accepts, in a transaction of the caller: with each number another
    /// kind of deed, so that none of them stays out.
    pub async fn acts(&mut self, db: &mut PgConnection, number: usize) -> Deed {
        db.execute("alter table events disable trigger all").await.unwrap();
        loop {
            let mut attempt = db.begin().await.unwrap();
            let mut deeds = self.deeds();
            let kind = number % deeds.len();
            let deed = deeds.swap_remove(kind);
            if self.does(&mut attempt, deed).await.is_ok() {
                attempt.commit().await.unwrap();
                return deed;
            }
        }
    }

    /// One deed of every kind, column and forgery, each somewhere.
    fn deeds(&mut self) -> Vec<Deed> {
        let (position, other) = (self.rng.i64(1..=self.size), self.rng.i64(1..=self.size));
        let size = self.rng.choice(self.heads.clone()).unwrap();
        let flips = COLUMNS.map(|column| Deed::Flip { column, position });
        let sealed = COLUMNS.into_iter().filter(|column| *column != "position"); // none twice
        let rewrites = sealed.map(|column| Deed::Rewrite { column, from: position });
        let forgeries = [Forgery::Bit, Forgery::Root, Forgery::Key, Forgery::Size];
        let forged = forgeries.map(|how| Deed::ForgeHead { size, how });
        let others = [
            Deed::FlipWithLeaf { position },
            Deed::Delete { position, count: self.rng.i64(1..4) },
            Deed::Swap { one: position, other },
            Deed::Insert { position },
            Deed::Truncate { after: position - 1 },
            Deed::RewriteWithout { position },
            Deed::RewriteWith { position },
            Deed::TruncateAndSeal { after: position },
            Deed::EditTile,
            Deed::RollBack { size },
        ];
        flips.into_iter().chain(rewrites).chain(forged).chain(others).collect()
    }

    /// An error stands for what PostgreSQL refuses, or what would change nothing.
    async fn does(&mut self, db: &mut PgConnection, deed: Deed) -> Result<(), sqlx::Error> {
        let changed = match deed {
            Deed::Flip { column, position } => self.flips(db, column, position).await?,
            Deed::FlipWithLeaf { position } => {
                self.flips(db, "payload", position).await?;
                self.adapts_leaf(db, position).await?
            }
            Deed::Delete { position, count } => {
                let sql = "delete from events where position >= $1 and position < $1 + $2";
                rows(db, sqlx::query(sql).bind(position).bind(count)).await?
            }
            Deed::Swap { one, other } => {
                let sql = "update events set position = $2 where position = $1";
                for (from, to) in [(one, i64::MAX), (other, one), (i64::MAX, other)] {
                    rows(db, sqlx::query(sql).bind(from).bind(to)).await?;
                }
                u64::from(one != other)
            }
            Deed::Insert { position } => inserts(db, position).await?,
            Deed::Truncate { after } => truncates(db, after).await?,
            Deed::Rewrite { column, from } => {
                self.flips(db, column, from).await?;
                self.seals(db, self.size).await
            }
            Deed::RewriteWithout { position } => {
                let sql = "delete from events where position = $1";
                rows(db, sqlx::query(sql).bind(position)).await?;
                moves(db, position + 1, -1).await?;
                self.seals(db, self.size - 1).await
            }
            Deed::RewriteWith { position } => {
                inserts(db, position).await?;
                self.seals(db, self.size + 1).await
            }
            Deed::TruncateAndSeal { after } => {
                truncates(db, after).await?;
                self.seals(db, after).await
            }
            Deed::EditTile => self.edits_tile(db).await?,
            Deed::ForgeHead { size, how } => self.forges(db, size, how).await?,
            Deed::RollBack { size } => {
                rows(db, sqlx::query("delete from log_checkpoints where size > $1").bind(size))
                    .await?
            }
        };
        if changed > 0 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
    }

    async fn flips(
        &mut self,
        db: &mut PgConnection,
        column: &str,
        position: i64,
    ) -> Result<u64, sqlx::Error> {
        let (read, write) = match column {
            "sequence" | "position" => ("$column::text", "$1::bigint # (1::bigint << $2)"),
            "recorded_at" => (
                "(extract(epoch from recorded_at) * 1000000)::bigint::text",
                "timestamptz 'epoch' + ($1::bigint # (1::bigint << $2)) * interval '1 microsecond'",
            ),
            "payload" | "metadata" => ("$column::text", "$1::json"),
            _ => ("$column", "$1"),
        };
        let sql =
            format!("select {read} from events where position = $1").replace("$column", column);
        let value: String = sqlx::query_scalar(&sql).bind(position).fetch_one(&mut *db).await?;
        let sql = format!("update events set {column} = {write} where position = $3");
        let is_number = write.contains('#');
        let bit = self.rng.i32(0..40);
        let value = if is_number { value } else { self.with_flipped_bit(&value)? };
        let sql = if is_number { sql } else { format!("{sql} and $2 = $2") };
        rows(db, sqlx::query(&sql).bind(value).bind(bit).bind(position)).await
    }

    fn with_flipped_bit(&mut self, text: &str) -> Result<String, sqlx::Error> {
        let mut bytes = text.as_bytes().to_vec();
        let at = self.rng.usize(0..bytes.len());
        bytes[at] ^= 1 << self.rng.u32(0..8);
        String::from_utf8(bytes).map_err(|_| sqlx::Error::RowNotFound)
    }

    async fn adapts_leaf(&self, db: &mut PgConnection, position: i64) -> Result<u64, sqlx::Error> {
        let row = projections::log::after(&mut *db, position - 1, 1).await.unwrap().remove(0);
        let (tile, slot) = ((position - 1) / 256, (position - 1) % 256);
        let sql = "update log_tiles set hashes = overlay(hashes placing $1 from $2) \
                   where level = 0 and index = $3";
        let from = i32::try_from(slot * 32 + 1).unwrap();
        let hash = row.stored().leaf_hash().to_vec();
        rows(db, sqlx::query(sql).bind(hash).bind(from).bind(tile)).await
    }

    /// Everything anew: tiles, and a head of every size that there was.
    async fn seals(&self, db: &mut PgConnection, size: i64) -> u64 {
        let sizes = self.heads.iter().copied().filter(|it| *it < size).chain([size]);
        seal(db, &self.key, &sizes.collect::<Vec<_>>()).await;
        1
    }

    async fn edits_tile(&mut self, db: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let sql = "select level, index, hashes from log_tiles order by level, index";
        let tiles: Vec<(i16, i64, Vec<u8>)> = sqlx::query_as(sql).fetch_all(&mut *db).await?;
        let (level, index, mut hashes) = self.rng.choice(tiles).unwrap();
        let at = self.rng.usize(0..hashes.len());
        hashes[at] ^= 1 << self.rng.u32(0..8);
        let sql = "update log_tiles set hashes = $3 where level = $1 and index = $2";
        rows(db, sqlx::query(sql).bind(level).bind(index).bind(hashes)).await
    }

    async fn forges(
        &mut self,
        db: &mut PgConnection,
        size: i64,
        how: Forgery,
    ) -> Result<u64, sqlx::Error> {
        let sql = "select note from log_checkpoints where size = $1";
        let note: String = sqlx::query_scalar(sql).bind(size).fetch_one(&mut *db).await?;
        let text = note.split_once("\n\n").unwrap().0;
        let head: Checkpoint = format!("{text}\n").parse().unwrap();
        let at = ::commands::now();
        let (size, note) = match how {
            Forgery::Bit => (size, self.with_flipped_bit(&note)?),
            Forgery::Root => {
                let head = Checkpoint { root: [7; 32], ..head };
                (size, head.sign(&[&self.key], at).to_string())
            }
            Forgery::Key => (size, head.sign(&[&self.other_key()], at).to_string()),
            Forgery::Size => {
                let head = Checkpoint { size: head.size + 5, ..head };
                (size + 5, head.sign(&[&self.key], at).to_string())
            }
        };
        let sql = "insert into log_checkpoints values ($1, $2, $3) \
                   on conflict (size) do update set note = excluded.note";
        rows(db, sqlx::query(sql).bind(size).bind(note).bind(at)).await
    }

    /// Another one under the same name.
    fn other_key(&self) -> SigningKey {
        let text = SigningKey::text(self.key.verifier().name(), Algorithm::Ed25519, &[9; 32]);
        SigningKey::from_text(&text.unwrap()).unwrap()
    }
}

async fn inserts(db: &mut PgConnection, position: i64) -> Result<u64, sqlx::Error> {
    moves(db, position, 1).await?;
    let sql = "insert into events select aggregate_type, aggregate_id || '-forged', 1, event_type, \
               event_version, payload, metadata, $1, recorded_at from events where position = $1 + 1";
    rows(db, sqlx::query(sql).bind(position)).await
}

/// Moves all events from a position on, by way of places that are free.
async fn moves(db: &mut PgConnection, from: i64, by: i64) -> Result<(), sqlx::Error> {
    let sql = "update events set position = position + $2 where position >= $1";
    for (from, by) in [(from, FAR), (FAR, by - FAR)] {
        rows(db, sqlx::query(sql).bind(from).bind(by)).await?;
    }
    Ok(())
}

async fn truncates(db: &mut PgConnection, after: i64) -> Result<u64, sqlx::Error> {
    rows(db, sqlx::query("delete from events where position > $1").bind(after)).await
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

async fn rows(db: &mut PgConnection, query: Query<'_>) -> Result<u64, sqlx::Error> {
    Ok(query.execute(db).await?.rows_affected())
}

/// Throws all seals away and seals the log anew: a head for each of these sizes, and the tiles of the
/// last.
async fn seal(db: &mut PgConnection, key: &SigningKey, sizes: &[i64]) {
    let at = ::commands::now();
    db.execute("delete from log_tiles; delete from log_checkpoints").await.unwrap();
    let (mut edge, mut sealed) = (Edge::default(), 0);
    for size in sizes {
        let rows = projections::log::after(&mut *db, sealed, size - sealed).await.unwrap();
        for (tile, hashes) in edge.append(rows.iter().map(|row| row.stored().leaf_hash())) {
            let sql = "insert into log_tiles values ($1, $2, $3) \
                       on conflict (level, index) do update set hashes = excluded.hashes";
            let index = i64::try_from(tile.index).unwrap();
            let query = sqlx::query(sql).bind(i16::from(tile.level)).bind(index).bind(hashes);
            query.execute(&mut *db).await.unwrap();
        }
        let (origin, size) = (key.verifier().name().to_owned(), edge.size());
        let note = Checkpoint { origin, size, root: edge.root() }.sign(&[key], at);
        let sql = "insert into log_checkpoints values ($1, $2, $3)";
        sealed = i64::try_from(size).unwrap();
        let query = sqlx::query(sql).bind(sealed).bind(note.to_string()).bind(at);
        query.execute(&mut *db).await.unwrap();
    }
}
