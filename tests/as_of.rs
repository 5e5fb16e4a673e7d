//! The whole system as it was: whoever opens a point in the past sees what was there then, and changes
//! nothing.

use crate::support::actors::{Market, partner, second_admin};
use crate::support::http::App;
use crate::support::sealing::{ORIGIN, seals};
use crate::support::socket::Socket;
use api::as_of::AsOf;
use api::config::Config;
use api::service::Database;
use api::transport::Transport;
use domain::actor::MemberRole;
use domain::partner::ContactPurpose;
use domain::subject::SubjectKind;
use projections::log::Until;
use projections::rebuild::{dump, dump_of};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;

/// A past that is served beside the present.
struct Past {
    as_of: AsOf,
    url: String,
}

impl Past {
    async fn of(app: &App, point: &str) -> Self {
        let as_of = opened(app, point).await.unwrap();
        let url = app.beside(&as_of.commands, Transport::default()).await;
        Self { as_of, url }
    }
}

async fn opened(app: &App, point: &str) -> Result<AsOf, String> {
    let config = Config {
        database_url: Some(app.installation.database.url().to_owned()),
        key_dir: Some(app.installation.key_folder().to_owned()),
        ..Config::default()
    };
    let database = Database::open(&config).unwrap();
    let until: Until = point.parse().unwrap();
    AsOf::open(&config, &database, until).await.map_err(|refusal| refusal.to_string())
}

async fn head(app: &App) -> String {
    app.installation.database.ask("select max(position)::text from events").await
}

async fn schemas(app: &App) -> i64 {
    let past = "select count(*) from pg_namespace where nspname like 'as\\_of\\_%'";
    app.installation.database.ask(past).await
}

async fn tries_in_vain(app: &App) {
    let wish = json!({"partnerId": "alice-co", "reason": "I can"});
    let refused = app.auditor().does("suspendPartner", wish, "position").await;
    assert_eq!(refused.codes(), ["FORBIDDEN"]);
}

const OVERVIEW: &str = "{
    config { asOf { position at } }
    partners { totalCount nodes { id status version } }
    policyRequests { totalCount nodes { id status } }
    search(text: \"bob\") { id }
    refusedAttempts { totalCount }
    history(direction: DESC, first: 1) { nodes { position at event } }
    dashboardCounts { position at cards { kind pending total } } }";

#[tokio::test]
async fn an_auditor_sees_every_list_count_and_event_as_it_was_and_the_present_goes_on() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    tries_in_vain(&app).await;
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    let then = head(&app).await;
    let before = app.auditor().asks(OVERVIEW, json!({})).await.data().clone();

    market.admin.approves(&request).await.unwrap();
    market.welcome(&partner(&app.node, "bob")).await;
    market.admin.suspends(&market.alice.partner).await.unwrap();
    tries_in_vain(&app).await;
    let past = Past::of(&app, &then).await;

    let mut told = app.auditor().at(&past.url).asks(OVERVIEW, json!({})).await.data().clone();
    assert_eq!(told["config"]["asOf"]["position"], json!(then));
    assert_eq!(told["config"]["asOf"]["at"], told["history"]["nodes"][0]["at"]);
    assert_eq!(told["dashboardCounts"]["at"], told["history"]["nodes"][0]["at"]);
    told["config"]["asOf"].take();
    told["dashboardCounts"]["at"] = before["dashboardCounts"]["at"].clone();
    assert_eq!(told, before);
    assert_eq!(told["policyRequests"]["nodes"][0], json!({"id": request, "status": "PENDING"}));

    let now = app.auditor().asks(OVERVIEW, json!({})).await.data().clone();
    assert!(now["config"]["asOf"].is_null());
    assert_eq!(now["partners"]["totalCount"], 2);
    assert_eq!(now["refusedAttempts"]["totalCount"], 2);
    assert_eq!(now["policyRequests"]["nodes"][0]["status"], "APPROVED");
}

#[tokio::test]
async fn a_time_shows_what_had_happened_by_then_and_is_the_now_of_every_answer() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let time = "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
                from events order by position desc limit 1";
    let then: String = app.installation.database.ask(time).await;
    let key = "query($id: ID!) { apiKeys { totalCount } partner(id: $id) { status } config { asOf { at } } }";
    market.approved_request().await;
    market.alice.generates_key(&market.policy, "one").await.unwrap();
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let past = Past::of(&app, &then).await;
    let told = app.auditor().at(&past.url).asks(key, json!({"id": "alice-co"})).await;
    let at: chrono::DateTime<chrono::Utc> = then.parse().unwrap();
    assert_eq!(told.data()["config"]["asOf"]["at"], json!(at.to_rfc3339()));
    assert_eq!(told.data()["partner"]["status"], "ACTIVE");
    assert_eq!(told.data()["apiKeys"]["totalCount"], 0);
}

/// What ends after the day that is looked at has not ended there, whatever the clock says.
#[tokio::test]
async fn what_had_not_expired_then_is_shown_as_live() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "one").await.unwrap().id;
    let past = Past::of(&app, &head(&app).await).await;
    // As if the day were long ago: a node that has this past, and a key that ended yesterday.
    let yesterday = "update {schema}.api_key set expires_at = now() - interval '1 day'";
    let schema = "select nspname::text from pg_namespace where nspname like 'as\\_of\\_%'";
    let schema: String = app.installation.database.ask(schema).await;
    app.installation.database.as_owner(&yesterday.replace("{schema}", &schema)).await;
    let mut point = past.as_of.point();
    point.at -= chrono::TimeDelta::days(2);
    let commands = past.as_of.commands.clone().as_of(point);
    let url = app.beside(&commands, Transport::default()).await;
    let query = "query($id: ID!) { apiKey(id: $id) { expired }
        expiringItems(filter: {kinds: [API_KEY]}) { nodes { id daysLeft } } }";
    let told = app.auditor().at(&url).asks(query, json!({"id": key})).await;
    assert_eq!(told.data()["apiKey"]["expired"], false);
    assert_eq!(told.data()["expiringItems"]["nodes"], json!([{"id": key, "daysLeft": 1}]));
}

#[tokio::test]
async fn the_tables_of_the_past_are_those_of_that_day() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.busy_day(&app.node).await;
    let (then, pool) = (head(&app).await, app.installation.database.owner_pool());
    let live = dump(&pool).await.unwrap();
    market.admin.suspends(&market.alice.partner).await.unwrap();
    market.manager.offers(&market.group, "Later").await;
    let past = opened(&app, &then).await.unwrap();
    let schema = "select nspname::text from pg_namespace where nspname like 'as\\_of\\_%'";
    let schema: String = app.installation.database.ask(schema).await;
    assert_eq!(dump_of(&pool, &schema).await.unwrap(), live);
    past.close().await;
    assert_eq!(schemas(&app).await, 0);
}

#[tokio::test]
async fn nothing_can_be_changed_in_the_past_and_nothing_is_written() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let then = head(&app).await;
    let past = Past::of(&app, &then).await;
    let counts = "select (select count(*) from events) + (select count(*) from idempotency_keys) \
                  + (select count(*) from request_log) + (select sum(version)::bigint from fences)";
    let before: i64 = app.installation.database.ask(counts).await;

    let input =
        json!({"partnerId": market.alice.partner, "reason": "audit", "idempotencyKey": "k"});
    let admin = app.admin().at(&past.url);
    let refused = admin.does("suspendPartner", input.clone(), "position").await;
    assert_eq!(refused.codes(), ["READ_ONLY"]);
    // Even one that would be refused for another reason, and one that is not allowed.
    let nonsense = json!({"partnerId": "nobody", "reason": ""});
    let stranger = app.partner("mallory").at(&past.url);
    assert_eq!(stranger.does("suspendPartner", nonsense, "position").await.codes(), ["READ_ONLY"]);
    let preview = "query($input: SuspendPartnerInput!) { preview { suspendPartner(input: $input) { position } } }";
    let preview = admin.asks(preview, json!({"input": input})).await;
    assert_eq!(preview.codes(), ["READ_ONLY"]);
    let mut socket = Socket::open(&past.url).await.greets(&app.admin()).await;
    let mutation =
        "mutation($input: SuspendPartnerInput!) { suspendPartner(input: $input) { position } }";
    socket.asks("1", mutation, json!({"input": input})).await;
    assert_eq!(socket.codes().await, ["READ_ONLY"]);
    // Nor by the commands themselves, past the border.
    let mut alice = partner(&app.node, "alice").at(&past.as_of.commands);
    alice.partner.clone_from(&market.alice.partner);
    let invited = alice.invites("bob", MemberRole::Viewer).await;
    assert_eq!(crate::support::commands::codes(invited), ["READ_ONLY"]);

    assert_eq!(app.installation.database.ask::<i64>(counts).await, before);
    assert_eq!(head(&app).await, then);
}

#[tokio::test]
async fn the_service_of_the_past_is_ready_and_says_which_past() {
    let app = App::start().await;
    Market::open(&app.node).await;
    let past = Past::of(&app, "3").await;
    let ready = reqwest::get(format!("{}/readyz", past.url)).await.unwrap();
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.unwrap();
    assert_eq!((&ready["position"], &ready["asOf"]["position"]), (&json!("3"), &json!("3")));
    assert_eq!(reqwest::get(format!("{}/healthz", past.url)).await.unwrap().status(), 200);
    let present: Value = reqwest::get(app.url("/readyz")).await.unwrap().json().await.unwrap();
    assert!(present["asOf"].is_null());
}

#[tokio::test]
async fn events_of_the_past_are_replayed_up_to_its_end() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let then: i64 = head(&app).await.parse().unwrap();
    market.admin.suspends(&market.alice.partner).await.unwrap();
    let past = Past::of(&app, &then.to_string()).await;
    let mut socket = Socket::open(&past.url).await.greets(&app.auditor()).await;
    let events = "subscription($after: Position) { events(after: $after) { position } }";
    socket.asks("1", events, json!({"after": (then - 2).to_string()})).await;
    for position in [then - 1, then] {
        let told = socket.data("1").await;
        assert_eq!(told["events"]["position"], json!(position.to_string()));
    }
    socket.asks("2", events, json!({"after": (then + 1).to_string()})).await;
    assert_eq!(socket.codes().await, ["POSITION_BEYOND_LOG"]);
}

#[tokio::test]
async fn personal_data_is_that_of_the_day_and_what_was_erased_is_absent() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let then = head(&app).await;
    market.alice.is_reached(ContactPurpose::Primary, "new@example.org").await.unwrap();
    let past = Past::of(&app, &then).await;
    let query = "{ partner(id: \"alice-co\") { contact { emailId } } }";
    let emails = async |url: &str| {
        let told = app.admin().at(url).asks(query, json!({})).await;
        told.data()["partner"]["contact"]["emailId"].clone()
    };
    assert_eq!(emails(&app.url("")).await, "new@example.org");
    assert_eq!(emails(&past.url).await, "alice-co@example.org");
    let by_address = "{ partners(filter: {emailId: \"new@example.org\"}) { nodes { id } } }";
    let refused = app.admin().at(&past.url).asks(by_address, json!({})).await;
    assert_eq!(refused.findings(), ["filter.emailId: NOT_IN_THE_PAST"]);
    let proposal = market.admin.erases(SubjectKind::Partner, "alice-co").await.unwrap().id;
    second_admin(&app.node).confirms(&proposal).await.unwrap();
    assert!(emails(&past.url).await.is_null());

    // What was erased after that day is told as erased, and not as lost.
    let sql =
        "select position from events where event_type = 'registered' and aggregate_id = 'alice-co'";
    let registered = app.installation.database.ask::<i64>(sql).await.to_string();
    let query = "query($at: Position!) { auditEntry(position: $at) { personalData { status } } }";
    let told = app.auditor().at(&past.url).asks(query, json!({"at": registered})).await;
    assert_eq!(told.data()["auditEntry"]["personalData"]["status"], "ERASED", "{told:?}");
}

#[tokio::test]
async fn who_has_left_a_partner_sees_nothing_of_it_in_the_past_either() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.alice.invites("bob", MemberRole::Viewer).await.unwrap();
    let then = head(&app).await;
    market.alice.dismisses("bob").await.unwrap();
    let past = Past::of(&app, &then).await;
    let query = "{ partners { nodes { id } } history { nodes { id } } }";
    let told = app.partner("bob").at(&past.url).asks(query, json!({})).await;
    assert_eq!(*told.data(), json!({"partners": {"nodes": []}, "history": {"nodes": []}}));
    let told = app.partner("alice").at(&past.url).asks(query, json!({})).await;
    assert_eq!(told.data()["partners"]["nodes"], json!([{"id": "alice-co"}]));
}

#[tokio::test]
async fn points_that_the_log_does_not_have_are_refused() {
    let app = App::start().await;
    let refusal = async |point: &str| opened(&app, point).await.unwrap_err();
    assert_eq!(refusal("2001-01-01T00:00:00Z").await, "Nothing had happened by then.");
    Market::open(&app.node).await;
    let head = head(&app).await;
    let beyond = format!("The log has the positions 1 to {head}.");
    assert_eq!(refusal("0").await, beyond);
    assert_eq!(refusal("1000000").await, beyond);
    assert_eq!(refusal("1999-12-31T00:00:00Z").await, "Nothing had happened by then.");
    assert!(refusal("9999-01-01T00:00:00Z").await.starts_with("This is still to come"));
    assert!("yesterday".parse::<Until>().is_err() && "-1".parse::<Until>().is_err());
    assert_eq!(schemas(&app).await, 0);
}

#[tokio::test]
async fn what_a_killed_one_left_behind_is_swept_by_the_next_and_what_is_in_use_stays() {
    let app = App::start().await;
    Market::open(&app.node).await;
    let used = Past::of(&app, "2").await;
    let killed = opened(&app, "3").await.unwrap();
    assert_eq!(schemas(&app).await, 2);
    killed.commands.store().pool().close().await;
    drop(killed);
    crate::support::until(async || {
        let next = opened(&app, "4").await.unwrap();
        let left = schemas(&app).await;
        next.close().await;
        (left == 2).then_some(()) // the killed one's session has been noticed to be over
    })
    .await;
    assert_eq!(schemas(&app).await, 1);
    let told =
        app.auditor().at(&used.url).asks("{ history { nodes { position } } }", json!({})).await;
    assert_eq!(told.data()["history"]["nodes"].as_array().unwrap().len(), 2);
    let mut owner = app.installation.database.owner().connect().await.unwrap();
    projections::rebuild::rebuild(&mut owner, |_| {}).await.unwrap(); // the present goes its way
    let told = app.auditor().at(&used.url).asks("{ partners { totalCount } }", json!({})).await;
    assert_eq!(told.data()["partners"]["totalCount"], 0);
}

#[tokio::test]
async fn the_past_has_the_proofs_of_the_whole_log_and_the_entries_of_its_day() {
    let app = App::start().await;
    app.node.adopt_log_key(Some(ORIGIN)).await.unwrap();
    let market = Market::open(&app.node).await;
    let then = head(&app).await;
    market.anything().await.unwrap();
    let now = head(&app).await;
    seals(&app.node).await;
    let past = Past::of(&app, &then).await;
    let gets = async |path: &str| {
        let url = format!("{}/log/{path}", past.url);
        let request = reqwest::Client::new().get(url).bearer_auth(app.auditor().token());
        request.send().await.unwrap().status().as_u16()
    };
    for (path, status) in [
        ("checkpoint".to_owned(), 200),
        (format!("tile/0/000.p/{now}"), 200),
        (format!("tile/entries/000.p/{then}"), 200),
        (format!("tile/entries/000.p/{now}"), 404),
    ] {
        assert_eq!(gets(&path).await, status, "{path}");
    }
    let query = "query($position: Position!) {
        auditInclusion(position: $position) { checkpoint { size } }
        auditEntry(position: $position) { position } }";
    let asks = async |position: &str| {
        let caller = app.auditor().at(&past.url);
        caller.asks(query, json!({"position": position})).await.data().clone()
    };
    let told = json!({"auditInclusion": {"checkpoint": {"size": now}},
                      "auditEntry": {"position": then}});
    assert_eq!(asks(&then).await, told);
    assert_eq!(asks(&now).await, json!({"auditInclusion": null, "auditEntry": null}));
    past.as_of.close().await;
}
