//! However much a partner holds, it ends with it in one transaction: an event per thing, each with
//! its cause.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// More than a batch may have events, and more than one page of anything.
const KEYS: usize = 5_000;

#[tokio::test]
async fn the_end_of_a_partner_with_five_thousand_keys_is_one_transaction() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    market.approved_request().await;
    let labels: Vec<String> = (0..KEYS).map(|number| format!("terminal {number}")).collect();
    stream::iter(&labels)
        .map(|label| market.alice.generates_key(&market.policy, label))
        .buffer_unordered(128)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await
        .unwrap();

    let ended = market.admin.deactivates(&market.alice.partner).await.unwrap();
    let ask = async |what: &str| -> i64 {
        let since = ended.position - i64::try_from(KEYS).unwrap() - 2;
        let sql = format!("select count(distinct {what}) from events where position > {since}");
        installation.database.ask(&sql).await
    };
    assert_eq!(ask("position").await, 5_002, "the partner, its request and its keys");
    assert_eq!(ask("xmin::text").await, 1, "one transaction");
    assert_eq!(ask("metadata->>'causation_id'").await, 2, "the request and the partner's end");
    let live = "select count(*) from read.api_key where status <> 'DEACTIVATED'";
    assert_eq!(installation.database.ask::<i64>(live).await, 0);
}
