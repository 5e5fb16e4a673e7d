//! What is told while it happens: completely, once, and only to those who may know.

use crate::support::actors::{Market, credential_partner, partner};
use crate::support::http::App;
use crate::support::socket::{Heard, Socket};
use api::graphql_over_websocket::Limits;
use api::transport::Transport;
use domain::actor::{MemberRole, Role};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

const EVENTS: &str = "subscription($after: Position, $epoch: Int, $filter: HistoryFilter) {
    events(after: $after, epoch: $epoch, filter: $filter) { position epoch noun id event } }";
const CHANGED: &str = "subscription($noun: Noun!, $id: ID!) {
    entityChanged(noun: $noun, id: $id) { noun id version position } }";

/// The next event of a subscription: its position, and `noun/id event`.
async fn event(socket: &mut Socket, id: &str) -> (i64, String) {
    let event = socket.data(id).await["events"].clone();
    let position = event["position"].as_str().unwrap().parse().unwrap();
    let text = |field: &str| event[field].as_str().unwrap().to_owned();
    (position, format!("{}/{} {}", text("noun"), text("id"), text("event")))
}

async fn head(app: &App) -> i64 {
    app.installation.database.head().await
}

#[tokio::test]
async fn a_subscriber_misses_nothing_and_hears_nothing_twice_while_32_write() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let writers = join_all((0..32).map(async |_| {
        for _ in 0..8 {
            market.anything().await.unwrap();
        }
    }));
    let begin = head(&app).await;
    let end = begin + 32 * 8;
    let reader = async {
        let (mut heard, mut after, mut epoch) = (Vec::new(), begin, Value::Null);
        while after < end {
            let mut socket = Socket::open(&app.url("")).await.greets(&app.auditor()).await;
            let from = json!({"after": after.to_string(), "epoch": epoch});
            socket.asks("1", EVENTS, from).await;
            // The line is cut after every 20 events, with others on their way.
            for _ in 0..20.min(end - after) {
                let event = socket.data("1").await["events"].clone();
                after = event["position"].as_str().unwrap().parse().unwrap();
                epoch = event["epoch"].clone();
                heard.push(after);
            }
        }
        heard
    };
    let (_, heard) = tokio::join!(writers, reader);
    assert_eq!(heard, (begin + 1..=end).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_one_node_writes_is_told_by_the_other() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let other = app.installation.node();
    let address = app.beside(&other, Transport::default()).await;
    let mut socket = Socket::open(&address).await.greets(&app.admin()).await;
    let begin = market.anything().await.unwrap().position;
    socket.asks("1", EVENTS, json!({"after": begin.to_string()})).await;
    for _ in 0..3 {
        let done = market.anything().await.unwrap();
        let expected = (done.position, format!("policy_group/{} created", done.id));
        assert_eq!(event(&mut socket, "1").await, expected);
    }
    socket.asks("2", CHANGED, json!({"noun": "POLICY_GROUP", "id": market.group})).await;
    assert_eq!(socket.data("2").await["entityChanged"]["version"], 1);
    socket.says(json!({"id": "1", "type": "complete"})).await;
    market.manager.renames_group(&market.group, "Banks").await.unwrap();
    loop {
        let Heard::Said(message) = socket.hears().await else { panic!("closed") };
        if message["id"] == "2" {
            assert_eq!(message["payload"]["data"]["entityChanged"]["version"], 2);
            break;
        }
    }
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_holds_up_nobody() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let limits = Limits { reading: Duration::from_millis(500), ..Limits::default() };
    let transport = Transport { sockets: limits, ..Transport::default() };
    let address = app.beside(&app.node, transport).await;
    let begin = head(&app).await;

    // Everything since the beginning, many times over: more than the line holds.
    let again = (0..60).map(|n| format!("d{n}: data")).collect::<Vec<_>>().join(" ");
    let all = format!("subscription {{ events(after: \"0\") {{ position {again} }} }}");
    let mut stalled = Socket::narrow(&address).await.greets(&app.auditor()).await;
    for id in 0..32 {
        stalled.asks(&id.to_string(), &all, Value::Null).await;
    }
    let mut other = Socket::open(&address).await.greets(&app.admin()).await;
    other.asks("1", EVENTS, json!({"after": begin.to_string()})).await;
    let mut written = Vec::new();
    for _ in 0..100 {
        written.push(market.anything().await.unwrap().position);
    }
    for position in written {
        assert_eq!(event(&mut other, "1").await.0, position);
    }
    let mut told = 0;
    while let Heard::Said(_) = stalled.hears().await {
        told += 1;
    }
    assert!(told < 32 * begin, "it was told everything: {told}");
}

#[tokio::test]
async fn a_stranger_hears_of_nothing_but_what_is_his() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.partner("mallory")).await;
    socket.asks("events", EVENTS, json!({"after": "0"})).await;
    let of_alice = json!({"after": "0", "filter": {"partnerId": market.alice.partner}});
    socket.asks("filtered", EVENTS, of_alice).await;
    let request = market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    for (noun, id) in [
        ("PARTNER", market.alice.partner.as_str()),
        ("POLICY_REQUEST", &request),
        ("API_KEY", &key),
        ("PARTNER", "nobody"),
    ] {
        socket.asks(id, CHANGED, json!({"noun": noun, "id": id})).await;
    }
    market.alice.generates_key(&market.policy, "two").await.unwrap();
    market.alice.ends_key(&key).await.unwrap();
    let mallory = partner(&app.node, "mallory");
    let registered = mallory.registers(&market.group).await.unwrap().position;
    let expected = (registered, "partner/mallory-co registered".to_owned());
    assert_eq!(event(&mut socket, "events").await, expected);

    let mut manager = Socket::open(&app.url("")).await.greets(&app.policy_manager()).await;
    for (id, noun) in [(&market.alice.partner, "PARTNER"), (&key, "API_KEY"), (&key, "SBI")] {
        manager.asks("1", CHANGED, json!({"noun": noun, "id": id})).await;
        assert_eq!(manager.codes().await, ["FORBIDDEN"]);
        assert_eq!(manager.hears().await, Heard::Said(json!({"id": "1", "type": "complete"})));
    }
}

#[tokio::test]
async fn rights_are_those_of_the_moment() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.partner("bob")).await;
    let begin = head(&app).await;
    socket.asks("1", EVENTS, json!({"after": begin.to_string()})).await;
    market.alice.presents_itself("https://alice.example/1.png").await.unwrap();
    market.alice.invites("bob", MemberRole::Viewer).await.unwrap();
    let shown = market.alice.presents_itself("https://alice.example/2.png").await.unwrap();
    // Whether he is told how he came in depends on when it was looked.
    while event(&mut socket, "1").await.0 < shown.position {}

    socket.asks("2", CHANGED, json!({"noun": "PARTNER", "id": market.alice.partner})).await;
    assert_eq!(socket.data("2").await["entityChanged"]["position"], shown.position.to_string());
    market.alice.dismisses("bob").await.unwrap();
    market.alice.presents_itself("https://alice.example/3.png").await.unwrap();
    let bob = partner(&app.node, "bob");
    let own = bob.registers(&market.group).await.unwrap().position;
    assert_eq!(event(&mut socket, "1").await, (own, "partner/bob-co registered".to_owned()));
}

#[tokio::test]
async fn what_was_never_submitted_is_told_to_its_partner_only() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let paula = credential_partner(&app.node, "paula");
    market.welcome(&paula).await;
    let policy = market.manager.offers_biometrics(&market.group, "Cards").await;
    let begin = head(&app).await;
    let from = json!({"after": begin.to_string()});
    let draft = paula.drafts_request(&policy).await.unwrap();
    let mut own = Socket::open(&app.url("")).await;
    own = own.greets(&app.person("paula", Role::CredentialPartner)).await;
    let mut admin = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    for socket in [&mut own, &mut admin] {
        socket.asks("1", EVENTS, from.clone()).await;
        socket.asks("2", CHANGED, json!({"noun": "POLICY_REQUEST", "id": draft.id})).await;
    }
    let other = market.anything().await.unwrap();
    assert_eq!(event(&mut admin, "1").await.0, other.position);
    let mut told = [own.hears().await, own.hears().await].map(|heard| match heard {
        Heard::Said(message) => message["payload"]["data"].to_string(),
        other => panic!("{other:?}"),
    });
    told.sort();
    assert!(told[0].contains("entityChanged") && told[1].contains("events"), "{told:?}");
    assert!(told.iter().all(|it| it.contains(&draft.id)), "{told:?}");
}

#[tokio::test]
async fn a_thing_is_told_with_its_version_now_and_whenever_it_changes() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let draft = market.manager.drafts(&market.group, "Next").await.unwrap().id;
    let of_draft = json!({"noun": "POLICY", "id": draft});
    let mut manager = Socket::open(&app.url("")).await.greets(&app.policy_manager()).await;
    manager.asks("1", CHANGED, of_draft.clone()).await;
    let first = manager.data("1").await["entityChanged"].clone();
    assert_eq!(
        (&first["noun"], &first["id"], &first["version"]),
        (&json!("POLICY"), &json!(draft), &json!(1))
    );
    let mut alice = Socket::open(&app.url("")).await.greets(&app.partner("alice")).await;
    alice.asks("1", CHANGED, of_draft).await;
    let rewritten = market.manager.rewrites(&draft, "Next").await.unwrap();
    let told = manager.data("1").await["entityChanged"].clone();
    assert_eq!(told["position"], rewritten.position.to_string());
    let published = market.manager.publishes(&draft).await.unwrap();
    let now = json!({"position": published.position.to_string(), "version": published.version});
    let version = async |socket: &mut Socket| {
        let told = socket.data("1").await["entityChanged"].clone();
        json!({"position": told["position"], "version": told["version"]})
    };
    assert_eq!(version(&mut manager).await, now);
    // As soon as it is published she may know of it: whatever change is looked at then.
    while version(&mut alice).await != now {}
}

#[tokio::test]
async fn the_dashboard_is_told_now_and_when_it_has_changed() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let mut admin = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    let query = "subscription { dashboardCountsChanged { position cards { kind pending total } } }";
    admin.asks("1", query, Value::Null).await;
    let requests = |told: &Value| {
        let cards = told["dashboardCountsChanged"]["cards"].as_array().unwrap().clone();
        let card = cards.into_iter().find(|it| it["kind"] == "POLICY_REQUESTS").unwrap();
        (card["pending"].as_i64().unwrap(), card["total"].as_i64().unwrap())
    };
    assert_eq!(requests(&admin.data("1").await), (0, 0));
    market.alice.presents_itself("https://alice.example/1.png").await.unwrap(); // changes no count
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    assert_eq!(requests(&admin.data("1").await), (1, 1));
    market.admin.approves(&request).await.unwrap();
    assert_eq!(requests(&admin.data("1").await), (0, 1));
}

#[tokio::test]
async fn a_position_that_the_log_does_not_reach_is_refused() {
    let app = App::start().await;
    let head = Market::open(&app.node).await.anything().await.unwrap().position;
    let mut socket = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    for (variables, code) in [
        (json!({"after": (head + 1).to_string()}), "POSITION_BEYOND_LOG"),
        (json!({"after": head.to_string(), "epoch": 2}), "EPOCH_UNKNOWN"),
    ] {
        socket.asks("1", EVENTS, variables).await;
        assert_eq!(socket.codes().await, [code]);
        assert_eq!(socket.hears().await, Heard::Said(json!({"id": "1", "type": "complete"})));
    }
}

/// A server that had got less of the log goes on with it.
#[tokio::test]
async fn who_has_heard_what_another_server_writes_anew_is_told_so() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let kept = market.anything().await.unwrap().position;
    let lost = market.anything().await.unwrap().position;
    let mut ahead = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    ahead.asks("1", EVENTS, json!({"after": kept.to_string()})).await;
    assert_eq!(event(&mut ahead, "1").await.0, lost);
    let mut behind = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    let only_alice = json!({"after": (kept - 1).to_string(), "epoch": 1});
    behind.asks("1", EVENTS, only_alice).await;
    assert_eq!(event(&mut behind, "1").await.0, kept);
    behind.says(json!({"id": "1", "type": "complete"})).await;

    // A restore on another server cannot be had by a command.
    let restore = format!(
        "alter table events disable trigger events_are_immutable; \
         delete from events where position > {kept}; \
         alter table events enable always trigger events_are_immutable; \
         update log_epochs set system_identifier = 'the server before'"
    );
    app.installation.database.as_owner(&restore).await;
    let other = app.installation.node();
    other.store().health().wait_for(|health| health.epoch == 2).await.unwrap();
    assert_eq!(ahead.codes().await, ["EPOCH_RAISED"]);
    assert_eq!(ahead.hears().await, Heard::Said(json!({"id": "1", "type": "complete"})));

    let mut socket = Socket::open(&app.url("")).await.greets(&app.admin()).await;
    for (epoch, code) in [(json!(1), "EPOCH_RAISED"), (json!(null), "POSITION_BEYOND_LOG")] {
        let variables = json!({"after": lost.to_string(), "epoch": epoch});
        socket.asks("1", EVENTS, variables).await;
        assert_eq!(socket.codes().await, [code]);
        assert_eq!(socket.hears().await, Heard::Said(json!({"id": "1", "type": "complete"})));
    }
    let anew = market.manager.at(&other).creates_group("Anew").await.unwrap();
    assert_eq!(anew.position, lost);
    socket.asks("1", EVENTS, json!({"after": lost.to_string(), "epoch": 1})).await;
    assert_eq!(socket.codes().await, ["EPOCH_RAISED"]);
    assert_eq!(socket.hears().await, Heard::Said(json!({"id": "1", "type": "complete"})));
    socket.asks("1", EVENTS, json!({"after": kept.to_string(), "epoch": 1})).await;
    let told = socket.data("1").await["events"].clone();
    assert_eq!((&told["position"], &told["epoch"]), (&json!(lost.to_string()), &json!(2)));
}

#[tokio::test]
async fn over_http_nothing_is_told_while_it_happens() {
    let app = App::start().await;
    let answer = app.admin().asks("subscription { events { position } }", json!({})).await;
    assert_eq!(answer.codes(), ["INVALID_QUERY"]);
}
