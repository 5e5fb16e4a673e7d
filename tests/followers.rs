//! What operators see of followers, and what they do about them.

use crate::support::actors::{Market, admin, policy_manager};
use crate::support::commands::Installation;
use crate::support::followers::{copyist, lease, works};
use crate::support::http::App;
use commands::Error;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FOLLOWERS: &str =
    "{ followers { name position lag heartbeatAt heartbeatAge leaseHolder stopped
    parkedKeys parked { key reason since position waiting replay } } }";

/// A system with a copyist that has parked a policy group, and is one event behind.
async fn with_a_parked_group() -> (App, String) {
    let installation = Installation::new().await.with_copyist().await;
    let node = installation.node();
    Market::open(&node).await;
    let group = policy_manager(&node).creates_group("Poison").await.unwrap();
    installation.database.poison(group.position).await;
    works(&copyist(), &node, &mut lease("here")).await;
    policy_manager(&node).creates_group("Later").await.unwrap();
    (App::over(installation, node).await, group.id)
}

#[tokio::test]
async fn an_operator_sees_how_far_each_is_whether_it_lives_and_what_it_could_not_do() {
    let (app, group) = with_a_parked_group().await;
    let head = app.installation.database.head().await;
    for caller in [app.admin(), app.auditor()] {
        let answer = caller.asks(FOLLOWERS, json!({})).await;
        let followers = answer.data()["followers"].as_array().unwrap();
        let names: Vec<&str> = followers.iter().map(|it| it["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            ["copyist", "examination", "expiry", "retention", "sealing", "witnessing"]
        );
        let copyist = &followers[0];
        assert_eq!(copyist["position"], json!((head - 1).to_string()));
        assert_eq!((&copyist["lag"], &copyist["leaseHolder"]), (&json!(1), &json!("here")));
        assert!(copyist["heartbeatAt"].is_string() && copyist["heartbeatAge"].is_number());
        assert_eq!(copyist["parkedKeys"], json!(1));
        let parked = &copyist["parked"][0];
        assert_eq!(parked["key"], json!(format!("policy_group/{group}")));
        assert_eq!(parked["position"], json!((head - 1).to_string()));
        assert_eq!((&parked["reason"], &parked["waiting"]), (&json!("INTERNAL_ERROR"), &json!(1)));
        let expiry = &followers[1];
        for nothing in ["position", "lag", "heartbeatAt", "heartbeatAge", "leaseHolder", "stopped"]
        {
            assert_eq!(expiry[nothing], Value::Null, "{nothing}");
        }
    }
}

#[tokio::test]
async fn a_holder_whose_lease_has_run_out_is_shown_no_more() {
    let (app, _) = with_a_parked_group().await;
    app.installation.database.let_leases_run_out().await;
    let answer = app.admin().asks(FOLLOWERS, json!({})).await;
    assert_eq!(answer.data()["followers"][0]["leaseHolder"], Value::Null);
}

#[tokio::test]
async fn an_administrator_lets_it_try_again_and_asking_twice_is_harmless() {
    let (app, group) = with_a_parked_group().await;
    app.installation.database.as_owner("delete from poison").await;
    let input = json!({"follower": "copyist", "key": format!("policy_group/{group}")});
    let shows = "follower { parked { replay } } position";
    for _ in 0..2 {
        let asked = app.admin().does("replayParked", input.clone(), shows).await;
        let asked = asked.payload();
        assert_eq!(asked["follower"]["parked"], json!([{"replay": true}]));
        let head = app.installation.database.head().await;
        assert_eq!(asked["position"], json!(head.to_string()), "asking is no event");
    }
    app.installation.database.let_leases_run_out().await;
    works(&copyist(), &app.node, &mut lease("there")).await;
    let answer = app.admin().asks(FOLLOWERS, json!({})).await;
    assert_eq!(answer.data()["followers"][0]["parkedKeys"], json!(0));
}

#[tokio::test]
async fn of_a_follower_that_is_not_there_nothing_is_replayed() {
    let (app, _) = with_a_parked_group().await;
    for follower in ["nobody", "", "a\u{0}"] {
        let answer =
            app.admin().does("replayParked", json!({"follower": follower}), "position").await;
        let expected =
            if follower.contains('\0') { "CONTROL_CHARACTER" } else { "FOLLOWER_NOT_FOUND" };
        assert_eq!(answer.codes(), [expected]);
    }
}

#[tokio::test]
async fn only_administrators_replay() {
    let installation = Installation::new().await;
    let node = installation.node();
    let refused = policy_manager(&node).replays("expiry", None).await;
    assert!(matches!(refused, Err(Error::Forbidden)), "{refused:?}");
    admin(&node).replays("expiry", None).await.unwrap();
}

#[tokio::test]
async fn a_node_is_ready_although_a_follower_lags_and_says_that_it_does() {
    let (app, _) = with_a_parked_group().await;
    let answer = reqwest::get(app.url("/readyz")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    let copyist = &body["followers"][0];
    assert_eq!((&copyist["name"], &copyist["lag"]), (&json!("copyist"), &json!(1)));
    assert_eq!((&copyist["parkedKeys"], &copyist["stopped"]), (&json!(1), &Value::Null));
}

/// The media type and the text of `/metrics`, for who accepts this.
async fn scraped(app: &App, accept: &str) -> (String, String) {
    let request = reqwest::Client::new().get(app.url("/metrics")).header(ACCEPT, accept);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let media_type = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (media_type, answer.text().await.unwrap())
}

/// The samples of an exposition, by name and labels. Every name has a type and a help before it,
/// and every value is a number.
fn samples(text: &str) -> BTreeMap<&str, &str> {
    let (mut samples, mut described) = (BTreeMap::new(), (None, None));
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            described.0 = Some(help.split_once(' ').unwrap().0);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            described.1 = kind.strip_suffix(" gauge");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split_once('{').map_or(name, |it| it.0);
            assert_eq!(described, (Some(family), Some(family)), "{line}");
            value.parse::<f64>().unwrap();
            assert!(samples.insert(name, value).is_none(), "{line}");
        }
    }
    samples
}

#[tokio::test]
async fn metrics_tell_monitoring_what_operators_see_and_nothing_of_whom() {
    let (app, group) = with_a_parked_group().await;
    let head = app.installation.database.head().await;
    let (before, head) = ((head - 1).to_string(), head.to_string());
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5";
    for (accept, expected) in [
        (prometheus, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        let (media_type, text) = scraped(&app, accept).await;
        assert_eq!(media_type, expected);
        assert_eq!(text.ends_with("# EOF\n"), accept == prometheus);
        let samples = samples(&text);
        for (name, value) in [
            ("log_head", &*head),
            ("log_epoch", "1"),
            ("appender_ready", "1"),
            ("appender_head", &head),
            ("appender_waiting", "0"),
            ("follower_position{follower=\"copyist\"}", &before),
            ("follower_lag_events{follower=\"copyist\"}", "1"),
            ("follower_parked_keys{follower=\"copyist\"}", "1"),
            ("follower_stopped{follower=\"copyist\"}", "0"),
            ("follower_parked_keys{follower=\"retention\"}", "0"),
        ] {
            assert_eq!(samples[format!("pms_{name}").as_str()], value, "{name}");
        }
        let heartbeat = "pms_follower_heartbeat_age_seconds{follower=\"copyist\"}";
        assert!(samples[heartbeat].parse::<f64>().unwrap() >= 0.0);
        for inside in [group.as_str(), "policy_group", "\"here\"", "alice"] {
            assert!(!text.contains(inside), "{inside} is in {text}");
        }
    }
}

#[tokio::test]
async fn metrics_of_a_node_without_its_database_tell_what_it_knows_itself() {
    let (app, _) = with_a_parked_group().await;
    app.installation.database.forbid_connections().await;
    let (_, text) = scraped(&app, "*/*").await;
    let samples = samples(&text);
    assert!(samples.contains_key("pms_appender_ready"));
    assert!(!samples.contains_key("pms_log_head"));
    app.installation.database.allow_connections().await;
}
