//! What happened, for those who look for something: a text, or what an event changed.

use crate::support::actors::Market;
use crate::support::http::{App, Caller};
use projections::noun::Noun;
use serde_json::{Value, json};
use strum::VariantArray as _;

const HISTORY: &str =
    "query($filter: HistoryFilter, $direction: Direction, $first: Int, $after: String) {
    history(filter: $filter, direction: $direction, first: $first, after: $after) {
      nodes { position noun id event } pageInfo { hasNextPage endCursor } } }";
const CHANGES: &str = "query($filter: HistoryFilter, $after: String) {
    history(filter: $filter, first: 200, after: $after) {
      nodes { position noun id event changes { field before after } }
      pageInfo { hasNextPage endCursor } } }";

async fn found(who: &Caller<'_>, text: &str) -> Vec<String> {
    let answer = who.asks(HISTORY, json!({"filter": {"text": text}})).await;
    let nodes = answer.data()["history"]["nodes"].as_array().unwrap();
    nodes.iter().map(|it| format!("{} {}", it["noun"], it["event"]).replace('"', "")).collect()
}

/// Many times somebody gives and withdraws his consent, which concerns nobody else.
async fn with_a_long_log(app: &App, events: i64) {
    let sql = format!(
        "insert into events select 'consent', 'carla', n, \
           case when n % 2 = 1 then 'given' else 'withdrawn' end, '1.0', \
           case when n % 2 = 1 then json '{{\"type\":\"given\",\"text_version\":1}}' \
             else json '{{\"type\":\"withdrawn\",\"reason\":\"Enough\"}}' end, \
           json_build_object('actor', 'carla-' || n, 'roles', '', 'actor_partner', '', \
             'correlation_id', '', 'causation_id', '', 'request_id', ''), \
           (select coalesce(max(position), 0) from events) + n, now() \
         from generate_series(1, {events}) n"
    );
    app.installation.database.as_owner(&sql).await;
}

#[tokio::test]
async fn a_text_is_found_in_what_was_said_who_said_it_and_what_it_was_about() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let reason = "They said \"Stop!\", 100%_sure\nof it \\ Größe";
    let wish = json!({"partnerId": market.alice.partner, "reason": reason});
    app.admin().does("suspendPartner", wish, "position").await.payload();

    let auditor = app.auditor();
    for text in ["stop", "SAID \"STOP!\"", "100%_SURE", "sure\nof", "it \\ gr", "GRÖSSE", "größe"]
    {
        let expected: &[&str] = if text == "GRÖSSE" { &[] } else { &["partner suspended"] };
        assert_eq!(found(&auditor, text).await, expected, "{text}");
    }
    assert_eq!(found(&auditor, "100__sure").await, [""; 0], "no letter stands for others");
    assert_eq!(found(&auditor, "said \\").await, [""; 0], "how JSON writes is nobody's business");
    assert!(found(&auditor, "alice-CO").await.len() > 1, "the id of a thing, in any event");
    let by_role = found(&auditor, "policymanager").await;
    assert!(by_role.contains(&"policy published".to_owned()), "{by_role:?}");
    assert_eq!(found(&app.partner("alice"), "policymanager").await, [""; 0], "not her own part");
    assert_eq!(found(&app.partner("alice"), "stop!").await, ["partner suspended"]);

    let together = json!({"filter": {"text": "stop!", "actor": "somebody else"}});
    let together = auditor.asks(HISTORY, together).await;
    assert_eq!(together.data()["history"]["nodes"], json!([]));
    let long = auditor.asks(HISTORY, json!({"filter": {"text": "a".repeat(257)}})).await;
    assert_eq!(long.findings(), ["filter: TOO_LONG"]);
}

#[tokio::test]
async fn a_page_looks_through_so_many_events_and_says_where_to_go_on() {
    let app = App::start().await;
    with_a_long_log(&app, 20_500).await;
    let auditor = app.auditor();
    let look = async |direction: &str, text: &str, after: &Value| {
        let filter = json!({"text": text});
        let page = json!({"filter": filter, "direction": direction, "first": 2, "after": after});
        let answer = auditor.asks(HISTORY, page).await;
        let history = &answer.data()["history"];
        let positions: Vec<Value> =
            history["nodes"].as_array().unwrap().iter().map(|it| it["position"].clone()).collect();
        let info = &history["pageInfo"];
        (positions, info["hasNextPage"] == true, info["endCursor"].clone())
    };
    let nothing = Vec::<Value>::new();
    let first = look("ASC", "carla-20321", &Value::Null).await;
    assert_eq!(first, (nothing.clone(), true, json!("10000")));
    let second = look("ASC", "carla-20321", &first.2).await;
    assert_eq!(second, (nothing.clone(), true, json!("20000")));
    let third = look("ASC", "carla-20321", &second.2).await;
    assert_eq!(third, (vec![json!("20321")], false, json!("20321")));

    let newest = look("DESC", "carla-7777", &Value::Null).await;
    assert_eq!(newest, (nothing, true, json!("10501")));
    let full = look("ASC", "carla-777", &Value::Null).await;
    assert_eq!(full, (vec![json!("777"), json!("7770")], true, json!("7770")));
}

#[tokio::test]
async fn every_event_tells_what_a_look_before_and_after_it_tells() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.busy_day(&app.node).await;
    let (auditor, mut after, mut told) = (app.auditor(), Value::Null, 0);
    loop {
        let page = auditor.asks(CHANGES, json!({"after": after})).await;
        let page = &page.data()["history"];
        for event in page["nodes"].as_array().unwrap() {
            told += usize::from(is_told_as_diff_tells_it(&auditor, event).await);
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert!(told > 200, "{told}");
}

/// Whether there is a diff of its noun to compare with.
async fn is_told_as_diff_tells_it(auditor: &Caller<'_>, event: &Value) -> bool {
    let of = |noun: &&Noun| event["noun"] == noun.stored_name();
    let Some(noun) = Noun::VARIANTS.iter().find(of) else {
        let has_table = event["noun"] == "consent";
        assert_eq!(event["changes"] != json!([]), has_table, "{event}");
        return false;
    };
    let position: i64 = event["position"].as_str().unwrap().parse().unwrap();
    let diff = "query($noun: Noun!, $id: ID!, $from: AsOf!, $to: AsOf) {
        diff(noun: $noun, id: $id, from: $from, to: $to) { changes { field before after } } }";
    let noun = noun.stored_name().to_uppercase();
    let between = json!({"noun": noun, "id": event["id"], "from": (position - 1).to_string(),
                         "to": position.to_string()});
    let diff = auditor.asks(diff, between).await;
    assert_eq!(event["changes"], diff.data()["diff"]["changes"], "{event}");
    true
}

#[tokio::test]
async fn a_partner_is_told_what_changed_of_its_own_and_nothing_personal() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let answer = app.partner("alice").asks(CHANGES, json!({})).await;
    let nodes = answer.data()["history"]["nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["event"], "registered");
    let suspended = nodes.last().unwrap()["changes"].as_array().unwrap();
    let status = json!({"field": "status", "before": "ACTIVE", "after": "SUSPENDED"});
    assert!(suspended.contains(&status), "{suspended:?}");
    for personal in ["contact", "alice-co@example.org", "1 Main Street"] {
        assert!(!nodes[0]["changes"].to_string().contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn a_thing_with_too_long_a_past_is_not_even_read_and_the_rest_of_the_page_is_told() {
    let (app, statements) = App::counted().await;
    with_a_long_log(&app, 10_500).await;
    let auditor = app.auditor();
    let asks = async |direction: &str, fields: &str| {
        let query = format!(
            "{{ history(filter: {{id: \"carla\"}}, direction: {direction}, first: 1) {{
                nodes {{ position {fields} }} }} }}"
        );
        let (answer, asked) = statements.of(auditor.asks(&query, json!({}))).await;
        (answer, asked.len())
    };
    let (oldest, _) = asks("ASC", "changes { field }").await;
    assert!(oldest.data()["history"]["nodes"][0]["changes"].as_array().unwrap().len() > 1);
    let (_, without) = asks("DESC", "").await;
    let (newest, with) = asks("DESC", "changes { field }").await;
    assert_eq!(newest.findings(), ["first: TOO_MANY_EVENTS"]);
    let node = &newest.body["data"]["history"]["nodes"][0];
    assert_eq!((&node["position"], &node["changes"]), (&json!("10500"), &Value::Null));
    assert_eq!(with, without, "nothing was read for it");
}
