//! Clients that are slow, silent, gone or too many cost nobody else.

use crate::support::PATIENCE;
use crate::support::commands::wait_for_submissions;
use crate::support::http::App;
use crate::support::until;
use api::transport::{Times, Transport};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(50);

/// A client without manners.
struct Socket(TcpStream);

impl Socket {
    async fn to(app: &App) -> Self {
        let address = app.url("").replace("http://", "");
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn says(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// All that comes until the connection is closed.
    async fn hears_until_closed(&mut self) -> String {
        let mut heard = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut heard)).await.unwrap().ok();
        String::from_utf8(heard).unwrap()
    }

    /// What comes until this text has come.
    async fn hears(&mut self, expected: &str) -> String {
        let mut heard = String::new();
        while !heard.contains(expected) {
            let mut part = [0; 4096];
            let length = timeout(PATIENCE, self.0.read(&mut part)).await.unwrap().unwrap();
            assert!(length > 0, "closed after: {heard}");
            heard.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        heard
    }
}

/// The head of a POST of the administrator.
fn head(app: &App, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
        app.admin().token()
    )
}

fn request(app: &App, body: &Value) -> String {
    let body = body.to_string();
    format!("{}{body}", head(app, body.len()))
}

fn creates_group(app: &App, name: &str) -> String {
    let query = "mutation($n: String!) { createPolicyGroup(input: {name: $n, description: \"d\"}) \
                 { position } }";
    request(app, &json!({"query": query, "variables": {"n": name}}))
}

async fn groups(app: &App) -> String {
    let names =
        "select coalesce(string_agg(payload->>'name', ' ' order by position), '') from events";
    app.installation.database.ask(names).await
}

#[tokio::test]
async fn whoever_is_too_slow_with_the_head_is_cut_off() {
    let times = Times { head: SOON, ..Times::default() };
    let app = App::with(Transport { times, ..Transport::default() }).await;
    let (mut silent, mut slow) = (Socket::to(&app).await, Socket::to(&app).await);
    slow.says("POST /graphql HTTP/1.1\r\nHost: loc").await;
    assert!(!slow.hears_until_closed().await.contains("200"));
    assert!(!silent.hears_until_closed().await.contains("200"));
}

#[tokio::test]
async fn whoever_keeps_a_connection_without_using_it_loses_it() {
    let times = Times { head: SOON, ..Times::default() };
    let app = App::with(Transport { times, ..Transport::default() }).await;
    let mut idle = Socket::to(&app).await;
    idle.says("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let heard = idle.hears_until_closed().await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("alive"), "{heard}");
}

#[tokio::test]
async fn whoever_is_too_slow_with_the_body_is_told_so() {
    let times = Times { body: SOON, ..Times::default() };
    let app = App::with(Transport { times, ..Transport::default() }).await;
    let mut slow = Socket::to(&app).await;
    slow.says(&head(&app, 100)).await;
    slow.says("{\"query\": ").await;
    let heard = slow.hears_until_closed().await;
    assert!(heard.starts_with("HTTP/1.1 408") && heard.contains("BODY_TIMEOUT"), "{heard}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so() {
    let app = App::start().await;
    let mut large = Socket::to(&app).await;
    let name = "x".repeat(70_000);
    large
        .says(&format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Name: {name}\r\n\r\n"))
        .await;
    let heard = large.hears("HTTP/1.1").await;
    assert!(heard.starts_with("HTTP/1.1 431"), "{heard}");
}

#[tokio::test]
async fn whoever_comes_when_all_places_are_taken_waits_for_one() {
    let app = App::with(Transport { connections: 1, ..Transport::default() }).await;
    let mut first = Socket::to(&app).await;
    first.says("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    first.hears("alive").await;
    let mut second = Socket::to(&app).await;
    second.says(&creates_group(&app, "second")).await;
    first.says(&creates_group(&app, "first")).await;
    first.hears("position").await;
    drop(first);
    second.hears("position").await;
    assert_eq!(groups(&app).await, "first second");
}

#[tokio::test]
async fn a_mutation_runs_to_its_end_when_its_client_hangs_up() {
    let app = App::start().await;
    let log = app.installation.database.lock_the_log().await;
    let mut client = Socket::to(&app).await;
    client.says(&creates_group(&app, "Banking")).await;
    wait_for_submissions(&app.node, 1).await;
    drop(client);
    log.release().await;
    until(async || (groups(&app).await == "Banking").then_some(())).await;
}

/// With a part of the request gone, with all of it, with a part of the answer here.
#[tokio::test]
async fn a_client_that_hangs_up_at_any_moment_leaves_all_or_nothing() {
    let app = App::start().await;
    let whole = once(&app, "0");
    let body = whole.find("\r\n\r\n").unwrap() + 4;
    let lengths = [0, 1, body / 2, body, body + 1, body.midpoint(whole.len()), whole.len() - 1];
    for length in lengths {
        let mut client = Socket::to(&app).await;
        client.says(&whole[..length]).await;
        drop(client);
    }
    assert_eq!(answered(&app, &whole).await.matches("\"position\":\"1\"").count(), 1);

    let (sent, heard) = (once(&app, "1"), once(&app, "2"));
    let mut client = Socket::to(&app).await;
    client.says(&sent).await;
    drop(client);
    let mut client = Socket::to(&app).await;
    client.says(&heard).await;
    client.hears("H").await;
    drop(client);
    for request in [&heard, &sent] {
        assert!(answered(&app, request).await.contains("position"));
    }
    let mut names: Vec<String> = groups(&app).await.split(' ').map(ToOwned::to_owned).collect();
    names.sort_unstable();
    assert_eq!(names, ["0", "1", "2"]);
}

/// A wish whose idempotency key is its name.
fn once(app: &App, name: &str) -> String {
    let query = "mutation($n: String!) { createPolicyGroup(input: {name: $n, description: \"d\", \
                 idempotencyKey: $n}) { position } }";
    request(app, &json!({"query": query, "variables": {"n": name}}))
}

async fn answered(app: &App, request: &str) -> String {
    let mut client = Socket::to(app).await;
    client.says(request).await;
    client.hears("}}").await
}

#[tokio::test]
async fn told_to_stop_a_node_answers_who_has_asked_and_takes_nobody_else() {
    let app = App::start().await;
    let log = app.installation.database.lock_the_log().await;
    let (mut busy, mut idle) = (Socket::to(&app).await, Socket::to(&app).await);
    idle.says("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    idle.hears("alive").await;
    busy.says(&creates_group(&app, "Banking")).await;
    wait_for_submissions(&app.node, 1).await;
    app.stop();
    assert_eq!(idle.hears_until_closed().await, "");
    until(async || reqwest::get(app.url("/healthz")).await.is_err().then_some(())).await;
    log.release().await;
    assert!(busy.hears_until_closed().await.contains("position"));
    app.has_stopped().await;
}
