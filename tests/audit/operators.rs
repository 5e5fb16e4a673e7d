//! What operators see of the seal.

use super::Audited;
use crate::support::http::App;
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn seal_of(app: &App) -> Value {
    let told: Value = reqwest::get(app.url("/readyz")).await.unwrap().json().await.unwrap();
    told["seal"].clone()
}

/// The numbers about checkpoints in `/metrics`.
async fn metrics(app: &App) -> BTreeMap<String, String> {
    let text = reqwest::get(app.url("/metrics")).await.unwrap().text().await.unwrap();
    let samples = text.lines().filter_map(|line| line.strip_prefix("pms_checkpoint_"));
    let number = |sample: &str| {
        let (name, value) = sample.split_once(' ').unwrap();
        assert!(value.parse::<f64>().unwrap() >= 0.0, "{sample}");
        (name.to_owned(), value.to_owned())
    };
    samples.map(number).collect()
}

#[tokio::test]
async fn before_the_first_seal_the_whole_log_is_behind() {
    let app = App::start().await;
    crate::support::actors::policy_manager(&app.node).creates_group("One").await.unwrap();
    let seal = seal_of(&app).await;
    assert_eq!((&seal["size"], &seal["lag"]), (&json!(0), &json!(1)));
    assert_eq!((&seal["signedAt"], &seal["age"]), (&Value::Null, &Value::Null));
    let metrics = metrics(&app).await;
    assert_eq!((&*metrics["size"], &*metrics["lag_events"]), ("0", "1"));
    assert!(!metrics.contains_key("age_seconds"), "nothing was signed yet");
}

#[tokio::test]
async fn operators_see_how_far_the_log_is_sealed_and_since_when_witnesses_are_missing() {
    let audited = Audited::new().await;
    let (app, head) = (&audited.app, audited.head().await);
    let seal = seal_of(app).await;
    assert_eq!((&seal["size"], &seal["lag"]), (&json!(head), &json!(0)));
    assert!(seal["signedAt"].is_string() && seal["age"].as_f64().unwrap() >= 0.0);
    assert_eq!(seal["witnessedSize"], json!(0));
    assert!(seal["unwitnessedSince"].is_string(), "{seal}");

    let witnessed = "update log_checkpoints set witnessed_at = clock_timestamp()";
    app.installation.database.as_owner(witnessed).await;
    let seal = seal_of(app).await;
    assert_eq!((&seal["witnessedSize"], &seal["unwitnessedSince"]), (&json!(head), &Value::Null));
    assert_eq!(metrics(app).await["unwitnessed_seconds"], "0.0");

    let group = audited.market.anything().await.unwrap();
    audited.market.anything().await.unwrap();
    let at =
        "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS') from events";
    let at = format!("{at} where position = {}", group.position);
    let at: String = app.installation.database.ask(&at).await;
    let seal = seal_of(app).await;
    assert!(seal["unwitnessedSince"].as_str().unwrap().starts_with(&at), "{seal} {at}");
    let metrics = metrics(app).await;
    let size = head.to_string();
    assert_eq!((&metrics["size"], &*metrics["lag_events"]), (&size, "2"));
    assert_eq!(metrics["witnessed_size"], size);
    assert!(metrics.contains_key("age_seconds"));
}

#[tokio::test]
async fn a_log_that_stands_still_lacks_its_witnesses_for_longer_and_longer() {
    let audited = Audited::new().await;
    let before = seal_of(&audited.app).await;
    let still = "update log_checkpoints set signed_at = signed_at - interval '11 min'";
    audited.app.installation.database.as_owner(still).await;
    assert!(audited.app.node.sign_again().await.unwrap());
    let now = seal_of(&audited.app).await;
    assert_ne!(now["signedAt"], before["signedAt"], "a heartbeat");
    assert_eq!(now["unwitnessedSince"], before["unwitnessedSince"]);
}

#[tokio::test]
async fn without_its_database_a_node_tells_nothing_of_the_seal() {
    let audited = Audited::new().await;
    audited.app.installation.database.forbid_connections().await;
    assert_eq!(seal_of(&audited.app).await, Value::Null);
    assert!(metrics(&audited.app).await.is_empty());
    let served = audited.gets("checkpoint").await;
    assert_eq!(served.refusal(), (503, "UNAVAILABLE".to_owned()));
}
