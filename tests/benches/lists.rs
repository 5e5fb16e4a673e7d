//! How long a page of a list takes through the whole system, beside its bare SQL statement.
//!
//! `./dev bench` starts a server of its own with 100,000 partners and asks, in turns, for 20 rows of
//! a filtered list over HTTP (token, GraphQL, permission, SQL, JSON) and for the same rows by the same
//! statement, prepared, over one connection. Ratios within one run are what counts: both share the
//! machine, its cache and its moment.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

mod support;

use api::auth::{DevelopmentIssuer, Issuers};
use api::embedded_postgres::{Server, Settings, find_binaries};
use api::server::{Node, serve};
use api::transport::Transport;
use chrono::TimeDelta;
use commands::Commands;
use commands::event_store::{EventStore, Limits};
use commands::keys::Keys;
use domain::actor::Role;
use projections::page::{Order, PageRequest, Question, Statement, TextFilter};
use projections::partner::{PartnerFilter, PartnerStatus, Row};
use projections::{READ, Viewer, reading};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{open_to_all, percentile};

const TURNS: u32 = 3_000;
const WARM: u32 = 200;
const GRACE: Duration = Duration::from_secs(20);
const PARTNERS: &str =
    "insert into read.partner (id, version, status, partner_type, organization_name,
      members, member_roles, contacts, certificate_path, certificates, created_at, created_by,
      updated_at)
    select 'partner-' || n, 3, (array['ACTIVE', 'ACTIVE', 'REGISTERED', 'SUSPENDED'])[1 + n % 4],
      'AUTH_PARTNER', 'Bank ' || md5(n::text), array['subject-' || n],
      jsonb_build_object('subject-' || n, 'MANAGER'), '{}', '[]', '[]',
      now() - n * interval '3 minutes', 'admin', now()
    from generate_series(1, 100000) n";
const QUERY: &str = "query($filter: PartnerFilter) { partners(filter: $filter, first: 20) {
    nodes { id version status partnerType organizationName createdAt updatedAt }
    pageInfo { hasNextPage endCursor } } }";

#[tokio::main]
async fn main() {
    let folder = tempfile::Builder::new().prefix("pms-bench-").tempdir_in("/var/tmp").unwrap();
    open_to_all(folder.path());
    let bin_dir = find_binaries(Path::new("../.pms")).unwrap();
    let root = folder.path().join("postgres");
    let server = Server::start(&Settings { root, bin_dir, durable: true }).unwrap();
    let url = server.url("postgres");
    let bare = reading(PgConnectOptions::from_str(&url).unwrap(), READ);
    let mut bare = PgConnection::connect_with(&bare).await.unwrap();
    projections::migrate::migrate(&mut bare).await.unwrap();
    bare.execute(PARTNERS).await.unwrap();
    bare.execute("vacuum analyze").await.unwrap();
    bare.execute("set jit = off").await.unwrap();
    let portal = Portal::open(&url, folder.path()).await;

    println!(
        "20 of 100,000 partners  | over HTTP p50 ms  p99 ms | bare SQL p50 ms  p99 ms | ratio of p99"
    );
    for (name, filter) in FILTERS {
        let (mut whole, mut sql) = (Vec::new(), Vec::new());
        for turn in 0..WARM + TURNS {
            let (took, rows) = portal.asks(&filter(turn).0).await;
            let (bare_took, bare_rows) = asks(&mut bare, &statement(filter(turn).1)).await;
            assert_eq!(rows, bare_rows.min(20));
            if turn >= WARM {
                whole.push(took);
                sql.push(bare_took);
            }
        }
        let [whole, sql] = [whole, sql].map(Measured::of);
        println!(
            "{name:23} | {:16.2} {:7.2} | {:15.2} {:7.2} | {:12.2}",
            whole.p50,
            whole.p99,
            sql.p50,
            sql.p99,
            whole.p99 / sql.p99
        );
    }
    drop(portal);
    server.stop(GRACE).unwrap();
}

/// A filter for each turn, as GraphQL takes it and as the list does.
type Filter = fn(u32) -> (Value, PartnerFilter);
const FILTERS: [(&str, Filter); 3] = [
    ("in two states", |_| {
        let status = Some(vec![PartnerStatus::Registered, PartnerStatus::Suspended]);
        let filter = PartnerFilter { status, ..PartnerFilter::default() };
        (json!({"status": ["REGISTERED", "SUSPENDED"]}), filter)
    }),
    ("a part of the name", |turn| {
        let part = format!("{:03x}", turn * 7 % 4096);
        let contains = TextFilter { contains: Some(part.clone()), ..TextFilter::default() };
        let filter =
            PartnerFilter { organization_name: Some(contains), ..PartnerFilter::default() };
        (json!({"organizationName": {"contains": part}}), filter)
    }),
    ("the beginning of an id", |turn| {
        let part = format!("partner-{}", 1_000 + turn * 7 % 9_000);
        let begins = TextFilter { starts_with: Some(part.clone()), ..TextFilter::default() };
        let filter = PartnerFilter { partner_id: Some(begins), ..PartnerFilter::default() };
        (json!({"partnerId": {"startsWith": part}}), filter)
    }),
];

fn statement(filter: PartnerFilter) -> Statement {
    let question = Question::<Row> { viewer: Viewer::All, filter, now: commands::now() };
    let page = PageRequest { first: Some(20), ..PageRequest::default() };
    question.page_statement(Order::default(), &page).unwrap()
}

async fn asks(db: &mut PgConnection, statement: &Statement) -> (f64, usize) {
    let start = Instant::now();
    let rows: Vec<(Value,)> = statement.rows().persistent(true).fetch_all(db).await.unwrap();
    (milliseconds(start), rows.len())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Who reads lists over HTTP.
struct Portal {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Portal {
    /// A node, and an administrator's token for it.
    async fn open(url: &str, folder: &Path) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap();
        let options = options.options([("role", "pms_serve"), ("jit", "off")]);
        let options = reading(options, READ);
        let pool = PgPoolOptions::new().max_connections(10).test_before_acquire(false);
        let pool = pool.connect_with(options.clone()).await.unwrap();
        let keys = folder.join("keys");
        let store = EventStore::start(pool, options, Limits::default());
        let commands = Commands::new(store, Arc::new(Keys::open(&keys, true).unwrap()));
        let issuer = DevelopmentIssuer::open(&keys, "pms").unwrap();
        let (now, day) = (commands::now(), TimeDelta::days(1));
        let token = issuer.issue("admin", &[Role::PartnerAdmin], &[], now, day).unwrap();
        let node = Node {
            commands,
            schema: api::schema::schema(),
            issuers: Arc::new(Issuers::Development(issuer)),
            transport: Arc::new(Transport::default()),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, node, std::future::pending()));
        Self { client: reqwest::Client::new(), url, token }
    }

    async fn asks(&self, filter: &Value) -> (f64, usize) {
        let body = json!({"query": QUERY, "variables": {"filter": filter}}).to_string();
        let start = Instant::now();
        let request =
            self.client.post(&self.url).body(body).header(CONTENT_TYPE, "application/json");
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let took = milliseconds(start);
        (took, answer["data"]["partners"]["nodes"].as_array().unwrap().len())
    }
}

/// What was measured: latencies in milliseconds.
struct Measured {
    p50: f64,
    p99: f64,
}

impl Measured {
    fn of(mut latencies: Vec<f64>) -> Self {
        latencies.sort_by(f64::total_cmp);
        let at = |percent| percentile(&latencies, percent);
        Self { p50: at(50), p99: at(99) }
    }
}
