//! A name that only one may hold is held by one: in a row, in a race, and after it was given back.

use crate::support::actors::{Market, partner};
use crate::support::commands::{Installation, codes};

#[tokio::test]
async fn a_taken_name_is_refused_with_its_finding() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    assert_eq!(codes(market.manager.creates_group("BANKING").await), ["POLICY_GROUP_NAME_TAKEN"]);
    assert_eq!(codes(market.manager.drafts(&market.group, "kyc").await), ["POLICY_NAME_TAKEN"]);
}

#[tokio::test]
async fn all_taken_names_of_one_wish_are_told_together() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let impostor = partner(&node, "ALICE");
    let refused = impostor.registers_with(&market.group, "alice-co@example.org").await;
    assert_eq!(codes(refused), ["PARTNER_ID_TAKEN", "EMAIL_TAKEN"]);
}

#[tokio::test]
async fn a_name_that_was_given_back_is_free_again() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    market.manager.renames_group(&market.group, "Finance").await.unwrap();
    market.manager.creates_group("Banking").await.unwrap();
    assert_eq!(codes(market.manager.creates_group("Finance").await), ["POLICY_GROUP_NAME_TAKEN"]);
}

#[tokio::test]
async fn a_request_that_has_ended_makes_room_for_the_next() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let first = market.alice.requests(&market.policy).await.unwrap().id;
    assert_eq!(codes(market.alice.requests(&market.policy).await), ["POLICY_ALREADY_REQUESTED"]);
    market.admin.rejects(&first).await.unwrap();
    market.alice.requests(&market.policy).await.unwrap();
}

/// Rejecting again changes nothing: the name is another's by now.
#[tokio::test]
async fn a_repeated_rejection_does_not_give_away_the_name_of_the_next_request() {
    let installation = Installation::new().await;
    let market = Market::open(&installation.node()).await;
    let first = market.alice.requests(&market.policy).await.unwrap().id;
    market.admin.rejects(&first).await.unwrap();
    market.alice.requests(&market.policy).await.unwrap();
    market.admin.once("again").rejects(&first).await.unwrap();
    assert_eq!(codes(market.alice.requests(&market.policy).await), ["POLICY_ALREADY_REQUESTED"]);
}

#[tokio::test]
async fn of_two_nodes_that_register_one_id_one_wins() {
    let installation = Installation::new().await;
    let nodes = [installation.node(), installation.node()];
    let market = Market::open(&nodes[0]).await;
    let (bob, double) = (partner(&nodes[0], "bob"), partner(&nodes[1], "BOB"));
    let log = installation.database.lock_the_log().await;
    let director = async {
        installation.database.wait_for_appenders(|count| count == 2).await;
        log.release().await;
    };
    let (first, second, ()) = tokio::join!(
        bob.registers_with(&market.group, "bob@example.org"),
        double.registers_with(&market.group, "double@example.org"),
        director
    );
    let loser = if first.is_ok() { second } else { first };
    assert_eq!(codes(loser), ["PARTNER_ID_TAKEN"]);
}

#[tokio::test]
async fn of_two_nodes_that_register_one_e_mail_address_one_wins() {
    let installation = Installation::new().await;
    let nodes = [installation.node(), installation.node()];
    let market = Market::open(&nodes[0]).await;
    let (bob, carol) = (partner(&nodes[0], "bob"), partner(&nodes[1], "carol"));
    let log = installation.database.lock_the_log().await;
    let director = async {
        installation.database.wait_for_appenders(|count| count == 2).await;
        log.release().await;
    };
    let (first, second, ()) = tokio::join!(
        bob.registers_with(&market.group, "office@example.org"),
        carol.registers_with(&market.group, "office@example.org"),
        director
    );
    let loser = if first.is_ok() { second } else { first };
    assert_eq!(codes(loser), ["EMAIL_TAKEN"]);
}

#[tokio::test]
async fn two_partners_never_share_a_key_pair() {
    let installation = Installation::new().await;
    let node = installation.node();
    let market = Market::open(&node).await;
    let (bob, carol) = (partner(&node, "bob"), partner(&node, "carol"));
    bob.registers(&market.group).await.unwrap();
    carol.registers(&market.group).await.unwrap();
    let bobs = market.authority.rsa_leaf(&bob.organization());
    let carols = market.authority.same_key(&bobs, &carol.organization());
    bob.uploads(&bobs).await.unwrap();
    assert_eq!(codes(carol.uploads(&carols).await), ["KEY_IN_USE"]);
}
