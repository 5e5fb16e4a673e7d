//! The demo world is believable, and the same for the same seed.

use crate::support::commands::Installation;
use api::demo::Demo;
use domain::reference::PartnerType;
use std::collections::BTreeSet;
use strum::VariantArray as _;

/// Enough for every type in every state.
const PARTNERS: u32 = 117;
/// What the seed decides: ids that the system draws, and times, are another system's own.
const WORLD: &str = "select jsonb_agg(jsonb_build_array(id, partner_type, status, organization_name, \
    policy_group_id, certificate_fingerprint, members) order by id)::text from read.partner";
const LIVES: &str = "select jsonb_agg(distinct partner_type || ' ' || status) from read.partner";

#[tokio::test]
async fn the_same_seed_makes_the_same_world_with_every_type_in_every_state() {
    let (one, other) = (Installation::new().await, Installation::new().await);
    Demo::new(PARTNERS, 7).run(&one.node()).await.unwrap();
    Demo::new(PARTNERS, 7).run(&other.node()).await.unwrap();
    let world: String = one.database.ask(WORLD).await;
    assert_eq!(world, other.database.ask::<String>(WORLD).await);

    let lives: serde_json::Value = one.database.ask(LIVES).await;
    let lives: BTreeSet<String> = serde_json::from_value(lives).unwrap();
    for partner_type in PartnerType::VARIANTS {
        for status in ["REGISTERED", "ACTIVE", "SUSPENDED", "DEACTIVATED"] {
            assert!(lives.contains(&format!("{partner_type} {status}")), "{partner_type} {status}");
        }
    }
}

#[tokio::test]
async fn a_demo_that_is_run_again_changes_nothing() {
    let installation = Installation::new().await;
    let node = installation.node();
    Demo::new(13, 7).run(&node).await.unwrap();
    let events = "select count(*) from events";
    let before: i64 = installation.database.ask(events).await;
    Demo::new(13, 7).run(&node).await.unwrap();
    assert_eq!(installation.database.ask::<i64>(events).await, before);
}
