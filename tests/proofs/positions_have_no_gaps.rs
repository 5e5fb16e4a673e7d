//! The log is one row of positions: 1, 2, 3 … without a gap, whatever happens beside it.

use crate::support::actors::{Market, Person, partner};
use crate::support::commands::Installation;
use ::commands::Result;
use futures::future::join_all;
use projections::log::{LogRow, after};
use std::collections::HashMap;

async fn log(installation: &Installation) -> Vec<LogRow> {
    after(&installation.database.owner_pool(), 0, i64::MAX).await.unwrap()
}

fn assert_in_order(log: &[LogRow]) {
    let mut sequences: HashMap<(&str, &str), i64> = HashMap::new();
    for (row, position) in log.iter().zip(1..) {
        assert_eq!(row.position, position);
        let last = sequences.entry((&row.aggregate_type, &row.aggregate_id)).or_default();
        *last += 1;
        assert_eq!(row.sequence, *last, "{}/{}", row.aggregate_type, row.aggregate_id);
    }
    assert!(log.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at));
}

#[tokio::test]
async fn the_first_event_has_position_one() {
    let installation = Installation::new().await;
    let node = installation.node();
    let manager = crate::support::actors::policy_manager(&node);
    assert_eq!(manager.creates_group("Banking").await.unwrap().position, 1);
    assert_in_order(&log(&installation).await);
}

#[tokio::test]
async fn many_commands_of_two_nodes_with_conflicts_and_refusals_leave_no_gap() {
    let installation = Installation::new().await;
    let nodes = [installation.node(), installation.node()];
    let market = Market::open(&nodes[0]).await;
    let people: Vec<Person> =
        (0..12).map(|n| partner(&nodes[n % 2], &format!("person{n}"))).collect();
    join_all(people.iter().map(|person| market.welcome(person))).await;
    let done = join_all(people.iter().map(|person| bustle(&market, person))).await;
    assert!(done.iter().flatten().any(Result::is_ok));
    assert!(done.iter().flatten().any(Result::is_err));
    assert_in_order(&log(&installation).await);
}

/// One person's busy day: some wishes are granted, some refused, some race with others.
async fn bustle(market: &Market, person: &Person) -> Vec<Result<::commands::Done>> {
    let request = person.requests(&market.policy).await.unwrap().id;
    let admin = market.admin.at(person.node());
    let mut done = Vec::new();
    done.push(person.requests(&market.policy).await);
    let (approved, suspended) =
        tokio::join!(market.admin.approves(&request), admin.suspends(&person.partner));
    let (resumed, renamed) =
        tokio::join!(admin.reactivates(&person.partner), market.manager.creates_group("Bustle"));
    let key = person.generates_key(&market.policy, "one").await;
    let ended = admin.deactivates(&person.partner).await;
    done.extend([approved, suspended, resumed, renamed, key, ended]);
    done
}

#[tokio::test]
async fn a_batch_that_is_rolled_back_leaves_no_gap() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    installation
        .database
        .as_owner("alter table events add constraint unlucky check (payload->>'name' <> 'Unlucky')")
        .await;
    assert!(market.manager.creates_group("Unlucky").await.is_err());
    market.manager.creates_group("Lucky").await.unwrap();
    assert_in_order(&log(&installation).await);
}

#[tokio::test]
async fn the_reply_names_the_position_of_the_last_event() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    market.approved_request().await;
    market.alice.generates_key(&market.policy, "one").await.unwrap();
    let ended = market.admin.deactivates(&market.alice.partner).await.unwrap();
    let log = log(&installation).await;
    assert_eq!(ended.position, i64::try_from(log.len()).unwrap());
    let last: Vec<&str> = log[log.len() - 3..].iter().map(|row| row.event_type.as_str()).collect();
    assert_eq!(last, ["deactivated", "deactivated", "revoked"]);
}
