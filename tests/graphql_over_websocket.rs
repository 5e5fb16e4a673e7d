//! The protocol graphql-transport-ws: greeting, operations, codes and limits.

use crate::support::actors::Market;
use crate::support::commands::wait_for_submissions;
use crate::support::http::App;
use crate::support::socket::{Heard, Socket, greeting};
use crate::support::until;
use api::graphql_over_websocket::Limits;
use api::transport::Transport;
use chrono::TimeDelta;
use domain::actor::Role;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const ME: &str = "{ me { subject } }";
const EVENTS: &str = "subscription($after: Position) { events(after: $after) { position } }";

/// The sockets of a system, with limits of their own: where they are.
async fn with_limits(app: &App, limits: Limits) -> String {
    app.beside(&app.node, Transport { sockets: limits, ..Transport::default() }).await
}

fn said(message: Value) -> Heard {
    Heard::Said(message)
}

#[tokio::test]
async fn queries_and_mutations_are_answered_once() {
    let app = App::start().await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.policy_manager()).await;
    socket.asks("1", ME, Value::Null).await;
    assert_eq!(socket.data("1").await, json!({"me": {"subject": "manager"}}));
    assert_eq!(socket.hears().await, said(json!({"id": "1", "type": "complete"})));

    let create = "mutation { createPolicyGroup(input: {name: \"n\", description: \"d\"}) {
                      policyGroup { name } position } }";
    socket.asks("1", create, Value::Null).await;
    let created = socket.data("1").await["createPolicyGroup"].clone();
    assert_eq!(created["policyGroup"], json!({"name": "n"}));
    assert_eq!(socket.hears().await, said(json!({"id": "1", "type": "complete"})));
    let head = app.installation.database.head().await;
    assert_eq!(created["position"], head.to_string());
    let agents = "select count(*) from request_log";
    assert_eq!(app.installation.database.ask::<i64>(agents).await, 1);
}

#[tokio::test]
async fn what_cannot_be_executed_is_an_error_and_what_fails_is_an_answer() {
    let app = App::start().await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.policy_manager()).await;
    let invalid = "INVALID_QUERY";
    for (refused, code) in [
        ("{", invalid),
        ("{ nothing }", invalid),
        ("query A { me { subject } } query B { me { subject } }", "OPERATION_UNKNOWN"),
        ("subscription { a: events { position } b: events { position } }", invalid),
        ("subscription { ...F } fragment F on Subscription { events { position } }", invalid),
        (
            "{ a { a { a { a { a { a { a { a { a { a { a { a { a { a { a { a } } } } } } } } } } } } } } } }",
            "QUERY_TOO_DEEP",
        ),
    ] {
        socket.asks("1", refused, Value::Null).await;
        let Heard::Said(message) = socket.hears().await else { panic!("{refused}") };
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{refused}");
        let error = &message["payload"][0];
        assert_eq!(error["extensions"]["code"], code, "{refused}");
        assert!(error["extensions"]["correlationId"].is_string());
    }
    for (forbidden, field) in [
        ("{ apiKeys { totalCount } }", "apiKeys"),
        ("subscription { events { position } }", "events"),
    ] {
        socket.asks("1", forbidden, Value::Null).await;
        let Heard::Said(message) = socket.hears().await else { panic!("{forbidden}") };
        assert_eq!(message["type"], "next");
        let error = &message["payload"]["errors"][0];
        assert_eq!(
            (&error["extensions"]["code"], &error["path"]),
            (&json!("FORBIDDEN"), &json!([field]))
        );
        assert_eq!(socket.hears().await, said(json!({"id": "1", "type": "complete"})));
    }
}

#[tokio::test]
async fn every_breach_of_the_protocol_ends_the_socket_with_its_code() {
    let app = App::start().await;
    let admin = app.admin();
    let hello = greeting(admin.token());
    let events = |id: &str| json!({"id": id, "type": "subscribe", "payload": {"query": EVENTS}});
    let ask = json!({"id": "1", "type": "subscribe", "payload": {"query": ME}});
    let no_query = json!({"id": "1", "type": "subscribe", "payload": {"variables": {}}});
    let array = json!({"id": "1", "type": "subscribe", "payload": [ME]});
    let no_id = json!({"id": "", "type": "subscribe", "payload": {"query": ME}});
    for (messages, code) in [
        (vec![json!("text")], 4400),
        (vec![json!(["ping"])], 4400),
        (vec![json!({"type": "start"})], 4400),
        (vec![json!({"id": "1"})], 4400),
        (vec![json!({"type": "connection_init", "payload": "token"})], 4400),
        (vec![hello.clone(), no_query], 4400),
        (vec![hello.clone(), array], 4400),
        (vec![hello.clone(), no_id], 4400),
        (vec![hello.clone(), json!({"type": "complete"})], 4400),
        (vec![ask.clone()], 4401),
        (vec![hello.clone(), events("1"), events("1")], 4409),
        (vec![hello.clone(), hello.clone()], 4429),
    ] {
        let mut socket = Socket::open(&app.url("")).await;
        for message in &messages {
            socket.says(message.clone()).await;
        }
        if messages[0] == hello {
            assert_eq!(socket.hears().await, said(json!({"type": "connection_ack"})));
        }
        assert_eq!(socket.is_closed().await.0, code, "{messages:?}");
    }

    let mut socket = Socket::open(&app.url("")).await;
    socket.sends(Message::binary(hello.to_string().into_bytes())).await;
    assert_eq!(socket.is_closed().await.0, 4400);
    let mut other = Socket::open_as(&app.url(""), None).await;
    assert_eq!(other.is_closed().await.0, 4406);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_socket() {
    let app = App::start().await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    socket.says(json!({"type": "ping", "payload": {"a": "x".repeat(600_000)}})).await;
    let heard = socket.hears().await;
    assert!(matches!(heard, Heard::Closed(4400, _) | Heard::Broken), "{heard:?}");
}

#[tokio::test]
async fn only_a_believed_token_is_greeted_and_only_while_it_is_believed() {
    let app = App::start().await;
    let now = commands::now();
    let issue = |ago, life| app.issuer.issue("alice", &[Role::AuthPartner], &[], now - ago, life);
    let hour = TimeDelta::hours(1);
    let expired = issue(hour * 2, hour).unwrap();
    let alone = json!({"type": "connection_init"});
    let basic = json!({"type": "connection_init", "payload": {"Authorization": "Basic YTpi"}});
    for (greeting, code) in [
        (alone, "TOKEN_MISSING"),
        (basic, "TOKEN_MISSING"),
        (greeting("x"), "TOKEN_INVALID"),
        (greeting(&expired), "TOKEN_EXPIRED"),
    ] {
        let mut socket = Socket::open(&app.url("")).await;
        socket.says(greeting).await;
        assert_eq!(socket.is_closed().await, (4403, code.to_owned()));
    }

    // Clocks may differ by 30 seconds, so it is believed for a few more.
    let ending = issue(hour, hour - TimeDelta::seconds(27)).unwrap();
    let mut socket = Socket::open(&app.url("")).await;
    let payload = json!({"authorization": format!("bearer {ending}")});
    socket.says(json!({"type": "connection_init", "payload": payload})).await;
    assert_eq!(socket.hears().await, said(json!({"type": "connection_ack"})));
    socket.asks("1", EVENTS, Value::Null).await;
    assert_eq!(socket.is_closed().await, (4403, "TOKEN_EXPIRED".to_owned()));
}

#[tokio::test]
async fn who_does_not_greet_and_who_does_not_answer_is_gone() {
    let app = App::start().await;
    let short = Duration::from_millis(200);
    let silent = with_limits(&app, Limits { greeting: short, ..Limits::default() }).await;
    assert_eq!(Socket::open(&silent).await.is_closed().await.0, 4408);

    let asking = with_limits(&app, Limits { ping: short, ..Limits::default() }).await;
    let mut socket = Socket::open(&asking).await.greets(&app.admin()).await;
    for _ in 0..3 {
        assert_eq!(socket.hears().await, said(json!({"type": "ping"})));
        socket.says(json!({"type": "pong"})).await;
    }
    while socket.hears().await == said(json!({"type": "ping"})) {}
    assert_eq!(socket.hears().await, Heard::Broken);
}

#[tokio::test]
async fn a_ping_is_answered_at_any_time() {
    let app = App::start().await;
    let mut socket = Socket::open(&app.url("")).await;
    socket.says(json!({"type": "pong", "payload": {}})).await;
    socket.says(json!({"type": "ping"})).await;
    assert_eq!(socket.hears().await, said(json!({"type": "pong"})));
    let mut socket = socket.greets(&app.admin()).await;
    socket.says(json!({"type": "ping", "payload": {"at": 7}})).await;
    assert_eq!(socket.hears().await, said(json!({"type": "pong", "payload": {"at": 7}})));
}

#[tokio::test]
async fn a_completed_operation_says_nothing_more_and_its_id_is_free() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let head = market.anything().await.unwrap().position;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    socket.asks("1", EVENTS, json!({"after": "0"})).await;
    assert_eq!(socket.data("1").await["events"]["position"], "1");
    socket.says(json!({"id": "1", "type": "complete"})).await;
    socket.says(json!({"id": "unknown", "type": "complete"})).await;
    socket.says(json!({"type": "ping"})).await;
    while socket.hears().await != said(json!({"type": "pong"})) {} // what was under way
    socket.asks("1", EVENTS, json!({"after": (head - 1).to_string()})).await;
    assert_eq!(socket.data("1").await["events"]["position"], head.to_string());
}

#[tokio::test]
async fn a_mutation_runs_to_its_end_when_the_client_hangs_up() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.policy_manager()).await;
    let log = app.installation.database.lock_the_log().await;
    let create =
        "mutation { createPolicyGroup(input: {name: \"Late\", description: \"d\"}) { position } }";
    socket.asks("1", create, Value::Null).await;
    wait_for_submissions(&app.node, 1).await;
    drop(socket);
    log.release().await;
    let stored = "select count(*) from read.policy_group where name = 'Late'";
    until(async || (app.installation.database.ask::<i64>(stored).await == 1).then_some(())).await;
    market.anything().await.unwrap();
}

#[tokio::test]
async fn nobody_has_more_than_his_share() {
    let app = App::start().await;
    let limits = Limits { sockets_per_caller: 2, operations: 3, ..Limits::default() };
    let address = with_limits(&app, limits).await;
    let mut first = Socket::open(&address).await.greets(&app.admin()).await;
    let _second = Socket::open(&address).await.greets(&app.admin()).await;
    let mut third = Socket::open(&address).await;
    third.says(greeting(app.admin().token())).await;
    assert_eq!(third.is_closed().await.0, 1013);
    let _other = Socket::open(&address).await.greets(&app.auditor()).await;

    for id in ["1", "2", "3"] {
        first.asks(id, EVENTS, Value::Null).await;
    }
    first.asks("4", ME, Value::Null).await;
    assert_eq!(first.codes().await, ["TOO_MANY_OPERATIONS"]);
    first.says(json!({"id": "2", "type": "complete"})).await;
    until(async || {
        first.asks("4", ME, Value::Null).await;
        let Heard::Said(answer) = first.hears().await else { panic!("closed") };
        (answer["type"] == "next").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_has_so_many_sockets_and_they_are_sockets() {
    let app = App::start().await;
    let address = with_limits(&app, Limits { sockets: 1, ..Limits::default() }).await;
    let _first = Socket::open(&address).await;
    let url = format!("{address}/graphql/ws");
    let upgrade = reqwest::Client::new()
        .get(&url)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(upgrade.send().await.unwrap().status(), 503);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 426);
}
