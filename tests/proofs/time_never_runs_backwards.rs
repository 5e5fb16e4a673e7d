//! `recorded_at` never decreases, whatever the clock does.

use crate::support::actors::policy_manager;
use crate::support::commands::Installation;
use chrono::{DateTime, Utc};

/// An event that was recorded tomorrow stands for a clock that was set back since. Only SQL can
/// bring it about: the clock is the server's, and nothing in the system can turn it.
const TOMORROW: &str = "insert into events select aggregate_type, gen_random_uuid()::text, sequence, event_type, \
     event_version, payload, metadata, position + 1, recorded_at + interval '1 day' from events";

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_reorder_the_log() {
    let installation = Installation::new().await;
    let manager = policy_manager(&installation.node());
    manager.creates_group("Today").await.unwrap();
    installation.database.as_owner(TOMORROW).await;
    assert_eq!(manager.creates_group("Set back").await.unwrap().position, 3);
    manager.creates_group("Still set back").await.unwrap();
    let times: Vec<DateTime<Utc>> = installation
        .database
        .ask("select array_agg(recorded_at order by position) from events")
        .await;
    assert!(times[0] < times[1]);
    assert_eq!(times[1..], [times[1]; 3]);
}
