//! What spans nouns, asked by every kind of caller: of each noun he is shown what the permission table
//! of `domain::actor` says.

use super::outcome::{Outcome, reading};
use super::permissions::{callers, expected};
use super::queries::nouns;
use super::things::Things;
use crate::support::http::App;
use domain::actor::grant;
use projections::dashboard::Card;
use projections::expiring::ExpiringKind;
use serde_json::json;
use strum::VariantArray as _;

#[tokio::test]
async fn what_ends_soon_is_forbidden_to_those_who_may_see_none_of_its_kinds() {
    let app = App::start().await;
    for (subject, role, _) in callers() {
        let query = "{ expiringItems { nodes { id } } }";
        let answer = app.person(subject, role).asks(query, json!({})).await;
        let may = ExpiringKind::VARIANTS.iter().any(|it| grant(role, it.operation()).is_some());
        let expected: &[&str] = if may { &[] } else { &["FORBIDDEN"] };
        assert_eq!(answer.codes(), expected, "{role}");
    }
}

#[tokio::test]
async fn a_dashboard_has_the_cards_of_what_its_reader_may_read() {
    let app = App::start().await;
    for (subject, role, _) in callers() {
        let query = "{ dashboardCounts { cards { kind } } }";
        let answer = app.person(subject, role).asks(query, json!({})).await;
        let cards = answer.data()["dashboardCounts"]["cards"].as_array().unwrap().len();
        let may = |card: &&Card| grant(role, card.operation()).is_some();
        assert_eq!(cards, Card::VARIANTS.iter().filter(may).count(), "{role}");
    }
}

/// Proposals have no name and are not searched.
#[tokio::test]
async fn a_search_finds_what_its_reader_may_read_and_nothing_else() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    let nouns: Vec<_> =
        nouns(&things).into_iter().filter(|(noun, ..)| *noun != "proposal").collect();
    for (subject, role, member) in callers() {
        for (noun, _, id) in &nouns {
            let read = reading(noun);
            let query = "query($id: String!) { search(text: $id) { id } }";
            let answer = app.person(subject, role).asks(query, json!({"id": id})).await;
            let hits = answer.data()["search"].as_array().unwrap();
            let found = hits.iter().any(|hit| hit["id"] == json!(id));
            let may = expected(role, member, read) == Outcome::Allowed;
            assert_eq!(found, may, "{role} {member:?} {noun}: {hits:?}");
        }
    }
}
