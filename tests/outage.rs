//! PostgreSQL goes away and comes back.

use crate::support::commands::Installation;
use crate::support::http::App;
use crate::support::until;
use commands::event_store::Limits;
use serde_json::json;
use std::time::Duration;

fn impatient() -> Limits {
    let (queue, outcome) = (Duration::from_secs(1), Duration::from_secs(2));
    Limits { queue, outcome, transaction: Duration::from_secs(1) }
}

async fn is_ready(app: &App) -> bool {
    reqwest::get(app.url("/readyz")).await.unwrap().status() == 200
}

#[tokio::test]
async fn a_lost_database_is_told_clearly_and_found_again_without_a_restart() {
    let installation = Installation::new().await;
    let node = installation.node_with(impatient());
    let app = App::over(installation, node).await;
    let creates = async |name: &str| {
        let input = json!({"name": name, "description": "d"});
        app.policy_manager().does("createPolicyGroup", input, "policyGroup { id }").await
    };
    creates("before").await.payload();
    until(async || is_ready(&app).await.then_some(())).await;

    app.installation.database.forbid_connections().await;
    until(async || (!is_ready(&app).await).then_some(())).await;
    let refused = creates("meanwhile").await;
    assert!([200, 503].contains(&refused.status));
    assert_eq!(refused.codes(), ["UNAVAILABLE"], "{refused:?}");

    app.installation.database.allow_connections().await;
    until(async || is_ready(&app).await.then_some(())).await;
    creates("after").await.payload();
    let names = app.admin().asks("{ policyGroups { nodes { name } } }", json!({})).await;
    let expected = json!({"policyGroups": {"nodes": [{"name": "after"}, {"name": "before"}]}});
    assert_eq!(*names.data(), expected);
}
