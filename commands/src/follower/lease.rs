//! Who of several nodes works for a follower, told by the database's clock and by nothing else.

use crate::{Error, Result};
use sqlx::{PgConnection, PgExecutor, PgPool};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long a node has the lease after it was last heard of, in seconds: so long after its death
/// another one takes over.
const LEASE: f64 = 5.0;
/// How often it is heard of while it is at work.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// A node's hold on the work of one follower. Each time the lease passes on, its epoch is raised:
/// whoever comes with an older one is told that he has it no more. The holder's name is compared,
/// too: a failover can lose a raise, and the epoch is then given out again.
#[derive(Debug)]
pub struct Lease {
    follower: &'static str,
    holder: String,
    /// Under which epoch this node has had it last.
    epoch: Option<i64>,
}

/// Where a follower stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Checkpoint {
    /// The last event that is worked off; 0 before the first, and always where the clock drives.
    pub position: i64,
    /// The log's epoch at that time; 0 before the first.
    pub log_epoch: i64,
    /// Why it does not go on: a code.
    pub stopped: Option<String>,
}

impl Lease {
    /// A lease that is not had yet. `holder` tells people which node it is.
    pub fn new(follower: &'static str, holder: impl Into<String>) -> Self {
        Self { follower, holder: holder.into(), epoch: None }
    }

    /// Prolongs the lease, or takes one that has run out: where the follower stands. `None` while
    /// another node has it.
    pub async fn renew(&mut self, db: impl PgExecutor<'_>) -> Result<Option<Checkpoint>> {
        let sql = "update followers set holder = $3, heartbeat_at = clock_timestamp(), \
                     lease_until = clock_timestamp() + make_interval(secs => $4), \
                     lease_epoch = lease_epoch \
                       + ((lease_epoch, holder) is distinct from ($2, $3))::int \
                   where name = $1 and ((lease_epoch, holder) = ($2, $3) \
                                        or lease_until <= clock_timestamp()) \
                   returning lease_epoch, coalesce(position, 0) as position, log_epoch, stopped";
        let query = sqlx::query_as::<_, Renewed>(sql).bind(self.follower).bind(self.epoch);
        let renewed = query.bind(&self.holder).bind(LEASE).fetch_optional(db).await?;
        self.epoch = renewed.as_ref().map(|it| it.lease_epoch);
        Ok(renewed.map(|it| it.checkpoint))
    }

    /// Keeps the lease while this node is at work. [`Error::Conflict`] when another node has or had
    /// it meanwhile: then the work is given up where it is.
    pub(super) async fn keep<T>(
        &mut self,
        pool: &PgPool,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let (mut work, begun) = (pin!(work), self.epoch);
        loop {
            if let Ok(outcome) = timeout(SIGN_OF_LIFE, &mut work).await {
                return outcome;
            }
            self.renew(pool).await?;
            if self.epoch != begun {
                return Err(Error::Conflict);
            }
        }
    }

    /// Moves the checkpoint, in the transaction of the effect. [`Error::Conflict`] when another
    /// node has the lease meanwhile, or the follower was stopped: then the transaction must not be
    /// committed.
    pub(super) async fn advance(&self, db: &mut PgConnection, to: &Checkpoint) -> Result<()> {
        let sql = "update followers set position = $3, log_epoch = $4, stopped = $5 \
                   where name = $1 and (lease_epoch, holder) = ($2, $6) \
                     and (stopped is null or $5 is not null)";
        let query = sqlx::query(sql).bind(self.follower).bind(self.epoch).bind(to.position);
        let query = query.bind(to.log_epoch).bind(&to.stopped).bind(&self.holder);
        let moved = query.execute(db).await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }
}

#[derive(sqlx::FromRow)]
struct Renewed {
    lease_epoch: i64,
    #[sqlx(flatten)]
    checkpoint: Checkpoint,
}
