//! The whole history in a file, for those who keep it elsewhere.

use crate::support::actors::Market;
use crate::support::commands::Installation;
use crate::support::http::{App, Caller};
use crate::support::proxy::{Moment, Proxy, Trouble};
use api::server::RateLimit;
use api::transport::{Times, Transport};
use commands::event_store::raise_epoch;
use domain::actor::Role;
use domain::audit::tree::leaf_hash;
use reqwest::Response;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgPool};
use std::sync::Arc;
use std::time::Duration;
use strum::IntoEnumIterator as _;
use tokio::sync::Semaphore;

async fn get(app: &App, who: &Caller<'_>, path: &str) -> Response {
    let url = app.url(&format!("/audit/history.{path}"));
    reqwest::Client::new().get(url).bearer_auth(who.token()).send().await.unwrap()
}

async fn lines(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn findings(response: Response) -> (u16, Vec<String>) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let finding = |it: &Value| {
        let it = &it["extensions"];
        format!("{}: {}", it["field"].as_str().unwrap_or_default(), it["code"].as_str().unwrap())
    };
    (status, body["errors"].as_array().unwrap().iter().map(finding).collect())
}

/// Many groups, so that a file has several pages.
async fn with_many_events(app: &App) -> Market {
    let market = Market::open(&app.node).await;
    for _ in 0..230 {
        market.anything().await.unwrap();
    }
    market
}

/// More than the sockets between a node and a client hold. How many events there are then.
async fn with_a_long_log(app: &App) -> usize {
    let padding = "insert into events select 'consent', 'carla', n, 'given', '1.0', \
        json '{\"type\":\"given\",\"text_version\":1}', json_build_object('actor', repeat('a', 4000), \
          'roles', '', 'actor_partner', '', 'correlation_id', '', 'causation_id', '', 'request_id', ''), \
        (select coalesce(max(position), 0) from events) + n, now() from generate_series(1, 5000) n";
    let database = &app.installation.database;
    database.as_owner(padding).await;
    database.ask::<i64>("select max(position) from events").await.try_into().unwrap()
}

#[tokio::test]
async fn an_auditor_gets_every_event_and_computes_its_leaf_hash_again() {
    let app = App::start().await;
    with_many_events(&app).await;
    let response = get(&app, &app.auditor(), "jsonl").await;
    assert_eq!(response.headers()["content-type"], "application/jsonl; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let lines = lines(response).await;
    for (number, line) in (1..).zip(&lines) {
        assert_eq!(line["position"], json!(number.to_string()));
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let columns = [
            "position",
            "aggregate_type",
            "aggregate_id",
            "sequence",
            "event_type",
            "event_version",
            "recorded_at",
            "metadata",
            "payload",
        ];
        let column = |name: &str| match name {
            "sequence" => line[name].as_i64().unwrap().to_string(),
            name => text(name),
        };
        let entry = format!("pms-event/v1\n{}", columns.map(column).join("\n"));
        assert_eq!(text("leaf_hash"), hex::encode(leaf_hash(entry.as_bytes())));
    }
    let database = &app.installation.database;
    assert_eq!(
        i64::try_from(lines.len()).unwrap(),
        database.ask::<i64>("select count(*) from events").await
    );
    let stored: Vec<String> =
        database.ask("select array_agg(payload::text order by position) from events").await;
    assert!(lines.iter().map(|line| line["payload"].as_str().unwrap()).eq(&stored));
}

#[tokio::test]
async fn a_file_ends_where_the_log_stood_when_it_was_asked_for() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let head = with_a_long_log(&app).await;
    let [one, two] =
        [get(&app, &app.auditor(), "jsonl").await, get(&app, &app.auditor(), "csv").await];
    let third = get(&app, &app.auditor(), "jsonl").await;
    assert_eq!(third.headers()["retry-after"], "11");
    assert_eq!(findings(third).await, (429, vec![": RATE_LIMITED".to_owned()]), "two run already");

    market.anything().await.unwrap();
    assert_eq!(lines(one).await.len(), head);
    assert_eq!(rows(two).await.len(), head);
    assert_eq!(lines(get(&app, &app.auditor(), "jsonl").await).await.len(), head + 1);
}

async fn rows(response: Response) -> Vec<csv::StringRecord> {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap()).collect()
}

#[tokio::test]
async fn a_spreadsheet_gets_rows_of_which_none_is_a_formula() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let formula = "=HYPERLINK(\"https://evil.example\", \"Click,\nhere\")";
    let wish = json!({"partnerId": market.alice.partner, "reason": formula});
    app.admin().does("suspendPartner", wish, "position").await.payload();
    let response = get(&app, &app.auditor(), "csv?event=suspended&event=published").await;
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    assert_eq!(response.headers()["content-disposition"], "attachment; filename=\"history.csv\"");
    let text = response.text().await.unwrap();
    let head = "position,recorded_at,aggregate_type,aggregate_id,sequence,event_type,event_version,actor,\
                roles,actor_partner,reason,correlation_id,causation_id,metadata,payload,leaf_hash\r\n";
    assert!(text.starts_with(head), "{text}");
    let rows: Vec<_> =
        csv::Reader::from_reader(text.as_bytes()).into_records().map(Result::unwrap).collect();
    let told: Vec<[&str; 3]> = rows.iter().map(|row| [&row[3], &row[5], &row[10]]).collect();
    let reason = format!("'{formula}");
    assert_eq!(told, [[&*market.policy, "published", ""], ["alice-co", "suspended", &reason]]);
    let payload: Value = serde_json::from_str(&rows[1][14]).unwrap();
    assert_eq!(payload["reason"], formula, "what is stored is not touched");
}

#[tokio::test]
async fn a_file_has_what_the_conditions_of_history_find() {
    let app = App::start().await;
    let market = with_many_events(&app).await;
    market.approved_request().await;
    let database = &app.installation.database;
    let time: String = database.ask(
        "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from events \
         where event_type = 'approved'").await;
    for (query, condition) in [
        ("noun=policy_group", "aggregate_type = 'policy_group'"),
        ("noun=partner&id=alice-co", "aggregate_id = 'alice-co'"),
        ("partnerId=alice-co", "aggregate_id = 'alice-co' or aggregate_type = 'policy_request'"),
        ("actor=admin", "metadata->>'actor' = 'admin'"),
        ("event=approved", "event_type = 'approved'"),
        ("text=ALICE-co", "aggregate_id || payload::text || metadata::text ~* 'alice-co'"),
        (&format!("from={time}"), "event_type = 'approved'"),
        (&format!("to={time}"), "event_type <> 'approved'"),
        ("correlationId=nobody%27s", "false"),
    ] {
        let positions = format!(
            "select coalesce(array_agg(position::text order by position), '{{}}') from events where {condition}"
        );
        let expected: Vec<String> = database.ask(&positions).await;
        let lines = lines(get(&app, &app.auditor(), &format!("jsonl?{query}")).await).await;
        let told: Vec<&str> = lines.iter().map(|it| it["position"].as_str().unwrap()).collect();
        assert_eq!(told, expected, "{query}");
    }
    assert_eq!(rows(get(&app, &app.auditor(), "csv?actor=nobody").await).await.len(), 0);
}

#[tokio::test]
async fn only_auditors_take_the_history_with_them() {
    let app = App::start().await;
    for role in Role::iter() {
        let who = app.person("somebody", role);
        for path in ["jsonl", "csv"] {
            let response = get(&app, &who, path).await;
            if role == Role::Auditor {
                assert_eq!(response.status(), 200);
            } else {
                assert_eq!(
                    findings(response).await,
                    (403, vec![": FORBIDDEN".to_owned()]),
                    "{role}"
                );
            }
        }
    }
    let nobody = reqwest::get(app.url("/audit/history.csv")).await.unwrap();
    assert_eq!(nobody.headers()["www-authenticate"], "Bearer");
    assert_eq!(findings(nobody).await, (401, vec![": TOKEN_MISSING".to_owned()]));
    let forged = app.bearer("not.a.token".to_owned());
    assert_eq!(
        findings(get(&app, &forged, "csv").await).await,
        (401, vec![": TOKEN_INVALID".to_owned()])
    );
}

#[tokio::test]
async fn all_that_is_wrong_with_what_is_asked_for_is_told_and_nothing_is_sent() {
    let app = App::start().await;
    let long = "a".repeat(257);
    let query = format!("csv?colour=red&noun=a&noun=b&from=yesterday&actor=%00&text={long}");
    let expected = [
        "actor: CONTROL_CHARACTER",
        "text: TOO_LONG",
        "noun: PARAMETER_REPEATED",
        "from: TIME_MALFORMED",
        "colour: PARAMETER_UNKNOWN",
    ];
    let refused = findings(get(&app, &app.auditor(), &query).await).await;
    assert_eq!(refused, (400, expected.map(ToOwned::to_owned).to_vec()));
    let post = reqwest::Client::new().post(app.url("/audit/history.csv")).send().await.unwrap();
    assert_eq!(findings(post).await, (405, vec![": METHOD_NOT_ALLOWED".to_owned()]));
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_waits_for_no_slow_reader() {
    let times = Times { stop: Duration::ZERO, ..Times::default() };
    let app = App::with(Transport { times, ..Transport::default() }).await;
    with_a_long_log(&app).await;
    let export = get(&app, &app.auditor(), "jsonl").await;
    assert_eq!(export.status(), 200);
    app.stop();
    assert!(export.bytes().await.is_err(), "what has an end is whole");
    app.has_stopped().await;
}

#[tokio::test]
async fn an_export_goes_on_after_a_position() {
    let app = App::start().await;
    let market = with_many_events(&app).await;
    market.approved_request().await;
    let whole = lines(get(&app, &app.auditor(), "jsonl").await).await;
    let rest = lines(get(&app, &app.auditor(), "jsonl?after=217").await).await;
    assert_eq!(rest, whole[217..]);
    let rest = rows(get(&app, &app.auditor(), "csv?after=217").await).await;
    assert_eq!(rest.len(), whole.len() - 217, "each file names its columns");
    let own = lines(get(&app, &app.auditor(), "jsonl?after=217&partnerId=alice-co").await).await;
    assert!(!own.is_empty() && own.iter().all(|line| whole[217..].contains(line)));
    let end = format!("jsonl?after={}", whole.len());
    assert_eq!(lines(get(&app, &app.auditor(), &end).await).await.len(), 0);
}

#[tokio::test]
async fn an_export_over_a_log_that_another_server_goes_on_with_breaks_off() {
    let app = App::start().await;
    Market::open(&app.node).await;
    with_a_long_log(&app).await;
    let export = get(&app, &app.auditor(), "jsonl").await;
    assert_eq!(export.status(), 200);
    let mut service = app.installation.database.serving().connect().await.unwrap();
    raise_epoch(&mut service, Some(100)).await.unwrap();
    assert!(export.bytes().await.is_err(), "what was read may not be so any more");
    lines(get(&app, &app.auditor(), "jsonl").await).await;
}

#[tokio::test]
async fn an_export_outlives_one_lost_connection() {
    let installation = Installation::new().await;
    let line = Proxy::before(&installation.database).await;
    let way = line.way(&installation.database.serving());
    let node = installation.node_reading_through(PgPool::connect_lazy_with(way));
    let app = App::over(installation, node).await;
    let head = with_a_long_log(&app).await;
    let export = get(&app, &app.auditor(), "jsonl").await;
    line.make_all([(Moment::Exchange(1), Trouble::LostAnswer)]);
    assert_eq!(lines(export).await.len(), head);
    assert!(line.has_struck());
}

#[tokio::test]
async fn who_finds_no_place_has_paid_for_none() {
    let (exports, per_caller) = (Arc::new(Semaphore::new(0)), RateLimit::per_second(1));
    let app = App::with(Transport { exports, per_caller, ..Transport::default() }).await;
    let refused = get(&app, &app.auditor(), "jsonl").await;
    assert_eq!(refused.headers()["retry-after"], "11");
    assert_eq!(app.auditor().asks("{ me { subject } }", json!({})).await.status, 200);
}
