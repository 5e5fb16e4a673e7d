//! Times as people wish them, and as they are stored.

use crate::Finding;
use crate::text::Checks;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// A time as the log and the read tables can both hold it: in whole microseconds, as PostgreSQL
/// does, so that they tell the same instant.
pub fn stored(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

/// A checked `overlapUntil`, until which something lives beside its successor: at most `longest`
/// from now, else `OVERLAP_TOO_LONG` in the words of `message`. A time that has passed means at
/// once, so that nobody has to guess our clock.
pub fn overlap(
    checks: &mut Checks,
    wished: DateTime<Utc>,
    now: DateTime<Utc>,
    longest: TimeDelta,
    message: &str,
) -> DateTime<Utc> {
    let until = stored(wished.max(now));
    checks.add_if(until > now + longest, || {
        let days = longest.num_days();
        Finding::new("OVERLAP_TOO_LONG", "overlapUntil", message).with("maxDays", days)
    });
    until
}
