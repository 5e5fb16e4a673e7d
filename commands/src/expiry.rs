//! Tells the log what has expired, once and at its instant. Nothing waits for it: what has expired
//! is told by its own `expires_at`, whether this runs or not.

use crate::event_store::StreamId;
use crate::follower::{Schedule, park, poison, release_asked, unharmed};
use crate::{Commands, Error, Request, Result, input, now};
use chrono::{DateTime, Utc};
use domain::Finding;
use domain::actor::Actor;
use domain::aggregate::Expires;
use domain::api_key::ApiKey;
use domain::ftm_chip::FtmChip;
use domain::misp_license::MispLicense;
use domain::oidc_client::OidcClient;
use domain::partner::Partner;
use domain::proposal::Proposal;
use domain::sbi::Sbi;
use domain::trust_certificate::TrustCertificate;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use std::error::Error as StdError;
use std::time::Duration;
use tracing::{error, warn};

/// Its name among the followers.
const FOLLOWER: &str = "expiry";
/// How often the read tables are asked; one statement over their indexes.
const EVERY: Duration = Duration::from_secs(1);
/// How many are told in one turn.
const BATCH: i64 = 1_000;
/// Commands that are under way at once: as many as make full batches.
const AT_ONCE: usize = 64;

/// Something has expired. Repeating it tells nothing twice, so a node that has lost its lease does no
/// harm.
#[derive(Debug, Serialize)]
struct Expire;
input!(Expire, "expire", system);

/// A noun whose read table has the column `next_expiry`: the next instant at which the log is to be
/// told something, null when there is none.
struct Expiring {
    table: &'static str,
    tell: for<'a> fn(&'a Commands, String, DateTime<Utc>) -> BoxFuture<'a, Result<()>>,
}

impl Expiring {
    const fn of<A>() -> Self
    where
        A: Expires + 'static,
        Vec<Finding>: From<A::Error>,
    {
        Self { table: A::TYPE, tell: |commands, id, now| commands.tell::<A>(id, now).boxed() }
    }
}

/// Every noun of which something expires.
const EXPIRING: &[Expiring] = &[
    Expiring::of::<Partner>(),
    Expiring::of::<TrustCertificate>(),
    Expiring::of::<ApiKey>(),
    Expiring::of::<MispLicense>(),
    Expiring::of::<OidcClient>(),
    Expiring::of::<Proposal>(),
    Expiring::of::<Sbi>(),
    Expiring::of::<FtmChip>(),
];

impl Commands {
    /// Tells what expires, as long as it runs and while it is this node's turn.
    pub async fn watch_expiry(&self) {
        let mut schedule = Schedule::new(FOLLOWER, EVERY);
        let pool = self.store().pool();
        loop {
            schedule.next(pool).await;
            if let Err(problem) = schedule.keep(pool, self.tell_expired(now())).await {
                warn!(%problem, "what has expired was not told");
            }
        }
    }

    /// Tells what has expired by `now` and was not told yet, the oldest first and at most 1,000 at a
    /// time. How much that was. What cannot be told is parked and holds up nothing else.
    pub async fn tell_expired(&self, now: DateTime<Utc>) -> Result<usize> {
        release_asked(self.store().pool(), FOLLOWER).await?;
        let due = self.due(now).await?.into_iter();
        let telling: Vec<_> =
            due.map(|(expiring, id)| self.tell_or_park(expiring, id, now)).collect();
        let told = stream::iter(telling).buffer_unordered(AT_ONCE);
        told.try_fold(0, async |sum, told| Ok(sum + usize::from(told))).await
    }

    /// Whether it was told.
    async fn tell_or_park(
        &self,
        expiring: &Expiring,
        id: String,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let key = format!("{}/{id}", expiring.table);
        match unharmed((expiring.tell)(self, id, now)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict) => Ok(false), // it is due again with the next turn
            Err(problem) => {
                let Some(reason) = poison(&problem) else { return Err(problem) };
                error!(key, reason, problem = &problem as &dyn StdError, "a key is parked");
                park(self.store().pool(), FOLLOWER, &key, reason).await?;
                Ok(false)
            }
        }
    }

    async fn due(&self, now: DateTime<Utc>) -> Result<Vec<(&'static Expiring, String)>> {
        let Some(sql) = due_sql() else { return Ok(Vec::new()) };
        let query = sqlx::query_as(&sql).bind(now).bind(BATCH);
        let due: Vec<(String, String)> = query.fetch_all(self.store().pool()).await?;
        let expiring = |table: &str| EXPIRING.iter().find(|it| it.table == table);
        Ok(due.into_iter().filter_map(|(table, id)| Some((expiring(&table)?, id))).collect())
    }

    async fn tell<A>(&self, id: String, now: DateTime<Utc>) -> Result<()>
    where
        A: Expires + 'static,
        Vec<Finding>: From<A::Error>,
    {
        let (request, id) = (Request::new(Actor::system()), id.as_str());
        let done = self.run(&request, &Expire, StreamId::of::<A>(id), |unit| async move {
            let mut stream = unit.load::<A>(id).await?;
            unit.decide(&mut stream, A::expire(now))?;
            Ok(stream.done())
        });
        done.await.map(drop)
    }
}

fn due_sql() -> Option<String> {
    let tables = EXPIRING.iter().map(|Expiring { table, .. }| {
        format!("select '{table}', id, next_expiry from read.{table} where next_expiry <= $1")
    });
    let all = tables.reduce(|all, table| format!("{all} union all {table}"))?;
    Some(format!(
        "select table_name, id from ({all}) as due(table_name, id, at) where not exists \
         (select from parked_keys where follower = '{FOLLOWER}' and key = table_name || '/' || id) \
         order by at limit $2"
    ))
}
