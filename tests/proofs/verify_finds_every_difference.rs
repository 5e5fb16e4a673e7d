//! What the read tables say is compared with what the log says, and whatever is not the same is found.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use projections::rebuild::rebuild;
use projections::verify::{Verified, verify};
use sqlx::ConnectOptions as _;

async fn verified(installation: &Installation) -> Verified {
    let mut owner = installation.database.owner().connect().await.unwrap();
    verify(&mut owner, |_| {}).await.unwrap()
}

async fn first(installation: &Installation) -> (i64, String) {
    let found = verified(installation).await;
    (found.differences, found.first.map(|it| it.to_string()).unwrap_or_default())
}

#[tokio::test]
async fn after_a_busy_day_there_is_none_and_every_row_was_looked_at() {
    let installation = Installation::new().await;
    let node = installation.node();
    Market::open(&node).await.busy_day(&node).await;
    let found = verified(&installation).await;
    assert!(found.is_good(), "{found:?}");
    assert!(found.rows > 40, "{found:?}");
    assert_eq!(found.position, installation.database.head().await);
}

#[tokio::test]
async fn changed_missing_and_invented_rows_are_found_and_the_first_is_named_without_its_values() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    market.approved_request().await;
    let database = &installation.database;

    database.as_owner("update read.partner set organization_name = 'Forged', version = 9").await;
    let named = "partner alice-co differs in organization_name, version".to_owned();
    assert_eq!(first(&installation).await, (1, named));
    database.as_owner("delete from read.partner").await;
    assert_eq!(first(&installation).await, (1, "partner alice-co is missing".to_owned()));
    let invented = "insert into read.policy_group (id, version, status, name, description, \
                    created_at, created_by, updated_at) \
                    values ('0', 1, 'ACTIVE', 'Forged', '', now(), 'mallory', now())";
    database.as_owner(invented).await;
    let (count, named) = first(&installation).await;
    assert_eq!((count, &*named), (2, "partner alice-co is missing"));

    let mut owner = database.owner().connect().await.unwrap();
    rebuild(&mut owner, |_| {}).await.unwrap();
    assert!(verified(&installation).await.is_good());
    database.as_owner(invented).await;
    assert_eq!(first(&installation).await, (1, "policy_group 0 is not in the log".to_owned()));
}

#[tokio::test]
async fn a_column_that_other_nouns_change_is_compared_too() {
    let installation = Installation::new().await;
    let node = installation.node();
    Market::open(&node).await.busy_day(&node).await;
    installation.database.as_owner("update read.sbi set device_count = device_count + 1").await;
    let (count, named) = first(&installation).await;
    assert!(count > 0 && named.ends_with("differs in device_count"), "{count} {named}");
}
