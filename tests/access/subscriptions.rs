//! Every subscription, by every kind of caller: who may not is told so, who may hears, and a stranger
//! hears nothing.

use super::outcome::{Outcome, reading};
use super::permissions::{callers, expected};
use super::queries::nouns;
use super::things::Things;
use crate::support::http::App;
use crate::support::socket::{Heard, Socket};
use domain::actor::Operation;
use serde_json::{Value, json};

/// Every subscription there is.
pub const SUBSCRIPTIONS: [&str; 3] = ["dashboardCountsChanged", "entityChanged", "events"];

const CHANGED: &str = "subscription($noun: Noun!, $id: ID!) {
    entityChanged(noun: $noun, id: $id) { id } }";
const EVENTS: &str = "subscription($filter: HistoryFilter) {
    events(after: \"0\", filter: $filter) { id } }";

/// The next thing that is said of an operation.
async fn said(socket: &mut Socket) -> (String, Value) {
    loop {
        let Heard::Said(message) = socket.hears().await else { panic!("closed") };
        if message["type"] == "next" {
            let id = message["id"].as_str().unwrap().to_owned();
            return (id, message["payload"].clone());
        }
    }
}

/// Subscribes, and demands the outcome that is expected. That nothing is heard is seen by what is
/// heard instead: a dashboard, which everybody with a token gets.
async fn hears(socket: &mut Socket, query: &str, variables: Value, expected: Outcome, what: &str) {
    socket.asks("asked", query, variables).await;
    if expected == Outcome::NotThere {
        let marker = "subscription { dashboardCountsChanged { position } }";
        socket.asks("marker", marker, Value::Null).await;
    }
    let (id, payload) = said(socket).await;
    let code = payload["errors"][0]["extensions"]["code"].as_str();
    let outcome = match (id.as_str(), code) {
        ("marker", None) => Outcome::NotThere,
        ("asked", None) => Outcome::Allowed,
        ("asked", Some("FORBIDDEN")) => Outcome::Forbidden,
        _ => panic!("{what}: {payload:#}"),
    };
    assert_eq!(outcome, expected, "{what}: {payload:#}");
}

#[tokio::test]
async fn a_change_of_a_thing_is_told_to_those_who_may_read_it() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    for (subject, role, member) in callers() {
        for (noun, _, id) in nouns(&things) {
            let read = reading(noun);
            let expected = expected(role, member, read);
            let mut socket = Socket::open(&app.url("")).await;
            socket = socket.greets(&app.person(subject, role)).await;
            let variables = json!({"noun": upper_snake(noun), "id": id});
            let what = format!("{role} {member:?} {noun}");
            hears(&mut socket, CHANGED, variables, expected, &what).await;
        }
    }
}

#[tokio::test]
async fn events_are_told_to_those_who_may_read_the_history() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    for (subject, role, member) in callers() {
        let expected = expected(role, member, Operation::ReadHistory);
        let mut socket = Socket::open(&app.url("")).await;
        socket = socket.greets(&app.person(subject, role)).await;
        let filter = json!({"filter": {"noun": "partner", "id": things.partner}});
        let what = format!("{role} {member:?}");
        hears(&mut socket, EVENTS, filter, expected, &what).await;
    }
}

#[tokio::test]
async fn a_dashboard_that_is_told_is_the_one_that_is_asked_for() {
    let app = App::start().await;
    let counts = "{ cards { kind total pending } }";
    for (subject, role, _) in callers() {
        let caller = app.person(subject, role);
        let mut socket = Socket::open(&app.url("")).await.greets(&caller).await;
        let subscription = format!("subscription {{ dashboardCountsChanged {counts} }}");
        socket.asks("1", &subscription, Value::Null).await;
        let told = socket.data("1").await["dashboardCountsChanged"].clone();
        let asked = caller.asks(&format!("{{ dashboardCounts {counts} }}"), json!({})).await;
        assert_eq!(told, asked.data()["dashboardCounts"], "{role}");
    }
}

/// `apiKey` as an enum of GraphQL has it.
fn upper_snake(name: &str) -> String {
    let letter = |it: char| {
        if it.is_uppercase() { format!("_{it}") } else { it.to_uppercase().to_string() }
    };
    name.chars().map(letter).collect()
}
