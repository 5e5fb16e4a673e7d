//! A command that the database refuses, for a fault that the judgement could not see, fails alone.

use crate::support::actors::Market;
use crate::support::commands::{Installation, in_one_batch};
use ::commands::Error;

/// No command can make a fault that the judgement does not see; the owner of the database can.
const A_FAULT: &str =
    "alter table events add constraint unlucky check (payload->>'name' not like 'Unlucky%')";

#[tokio::test]
async fn a_culprit_in_a_batch_fails_alone() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    installation.database.as_owner(A_FAULT).await;
    let names: Vec<String> = (0..9)
        .map(|number| format!("{} {number}", if number % 4 == 2 { "Unlucky" } else { "Lucky" }))
        .collect();
    let wishes = names.iter().map(|name| market.manager.creates_group(name)).collect();
    let results = in_one_batch(&installation, &node, market.anything(), wishes).await;
    for (name, result) in names.iter().zip(&results) {
        let fails = matches!(result, Err(Error::Fault(_)));
        assert_eq!(fails, name.starts_with("Unlucky"), "{name}: {result:?}");
        assert_eq!(result.is_ok(), !fails, "{name}: {result:?}");
    }
}

#[tokio::test]
async fn what_a_culprit_wanted_is_still_free() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    installation.database.as_owner(A_FAULT).await;
    assert!(market.manager.once("click").creates_group("Unlucky").await.is_err());
    installation.database.as_owner("alter table events drop constraint unlucky").await;
    let done = market.manager.once("click").creates_group("Unlucky").await.unwrap();
    assert!(!done.replayed);
}
