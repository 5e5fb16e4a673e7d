//! A day at work in a few minutes: 200 people at once read, change and mistype, on a system that the
//! demo has filled, through HTTP; 20 of them also listen to all events, through sockets.
//!
//! `./dev bench --bench load -- 300` runs it for 300 seconds. It prints what was answered how fast and
//! fails when an answer was neither data nor a refusal, or when the program's resident memory of the
//! last minute is above 1.1 times that of the second one. Without an argument it is a short run, which
//! says nothing of memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark talks and may fail"
)]

mod support;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{open_to_all, percentile};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const CLIENTS: usize = 200;
const LISTENERS: usize = 20;
const SHORT: u64 = 20;
/// Errors that are nobody's fault but ours.
const FAULTS: [&str; 4] = ["INTERNAL_ERROR", "UNAVAILABLE", "OUTCOME_UNKNOWN", "RATE_LIMITED"];
/// People read more than they write: what one does in turn.
const DAY: [Deed; 12] = [
    Deed::Partners,
    Deed::Requests,
    Deed::Registers,
    Deed::Expiring,
    Deed::Mistypes,
    Deed::Partners,
    Deed::History,
    Deed::Opens,
    Deed::Groups,
    Deed::Invents,
    Deed::Me,
    Deed::Policies,
];

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Partners,
    Requests,
    Policies,
    Expiring,
    History,
    Me,
    Registers,
    Opens,
    Groups,
    Mistypes,
    Invents,
}

impl Deed {
    /// The query and its variables. `turn` is never the same twice.
    fn question(self, turn: &str) -> (&'static str, Value) {
        match self {
            Self::Partners => (
                "query($text: String!) { partners(first: 20, filter: {organizationName: {contains: $text}},
                    orderBy: {field: ORGANIZATION_NAME, direction: ASC}) {
                    nodes { id status policyGroup { name } allowedActions { action allowed } }
                    pageInfo { endCursor hasNextPage } totalCount } }",
                json!({"text": &turn[..1]}),
            ),
            Self::Requests => (
                "{ policyRequests(first: 20, filter: {status: [PENDING, APPROVED]}) {
                    nodes { id partner { organizationName } policy { name } missingParts } } }",
                json!({}),
            ),
            Self::Policies => ("{ policies(first: 50) { nodes { id name status policies } } }", json!({})),
            Self::Expiring => (
                "{ expiringItems(first: 50, filter: {withinDays: 365}) {
                    nodes { kind label daysLeft partner { id } } totalCount } }",
                json!({}),
            ),
            Self::History => (
                "{ history(first: 50, filter: {noun: \"partner\"}) { nodes { position event actor data } } }",
                json!({}),
            ),
            Self::Me => ("{ me { subject permissions partners { id } } config { maxRows } }", json!({})),
            Self::Registers => (
                "mutation($id: String!, $mail: String!) { registerPartner(input: {partnerId: $id,
                    organizationName: $id, partnerType: AUTH_PARTNER, address: \"1 Main Street\",
                    policyGroup: \"mpolicygroup-default-auth\", contactNumber: \"+1 555 0100\",
                    emailId: $mail, idempotencyKey: $id}) { partner { id version } position } }",
                json!({"id": format!("l{turn}"), "mail": format!("l{turn}@load.example")}),
            ),
            Self::Opens => (
                "mutation($name: String!) { createPolicyGroup(input: {name: $name, description: \"d\"}) {
                    policyGroup { id } position } }",
                json!({"name": format!("Group {turn}")}),
            ),
            Self::Groups => ("{ policyGroups(last: 5) { nodes { id name } totalCount } }", json!({})),
            Self::Mistypes => (
                "mutation { createPolicyGroup(input: {name: \" \", description: \"\"}) { position } }",
                json!({}),
            ),
            Self::Invents => ("{ partner(id: \"nobody\") { id } partners(first: 0) { totalCount } }", json!({})),
        }
    }

    /// In which role it is done.
    fn role(self) -> &'static str {
        match self {
            Self::Registers => "AUTH_PARTNER",
            Self::Opens | Self::Groups | Self::Policies | Self::Mistypes => "POLICYMANAGER",
            _ => "PARTNER_ADMIN",
        }
    }
}

/// A person's token for each role.
type Tokens = BTreeMap<&'static str, String>;

/// What was seen of one deed: how long each took in milliseconds, and which codes it met.
#[derive(Default)]
struct Seen {
    latencies: Vec<f64>,
    codes: BTreeMap<String, usize>,
}

#[tokio::main]
async fn main() {
    let seconds = std::env::args().find_map(|it| it.parse().ok()).unwrap_or(SHORT);
    let service = Service::start();
    let day = Duration::from_secs(seconds);
    let people = (0..CLIENTS).map(|who| service.tokens(&format!("person-{who}"))).collect();
    let listeners = futures::future::join_all((0..LISTENERS).map(|_| listen(&service, day)));
    let work =
        async { tokio::join!(crowd(&service, people, day), watch(service.process.id(), day)) };
    let ((mut seen, memory), heard) = tokio::join!(work, listeners);
    println!(
        "events heard by each listener: {} to {}",
        heard.iter().min().unwrap(),
        heard.iter().max().unwrap()
    );
    println!("deed       |  count | p50 ms | p99 ms | codes");
    for (deed, Seen { latencies, codes }) in &mut seen {
        latencies.sort_by(f64::total_cmp);
        println!(
            "{:10} | {:6} | {:6.1} | {:6.1} | {codes:?}",
            format!("{deed:?}"),
            latencies.len(),
            percentile(latencies, 50),
            percentile(latencies, 99)
        );
    }
    let codes = seen.values().flat_map(|it| it.codes.keys());
    let faults: Vec<&String> = codes.filter(|code| is_fault(code)).collect();
    assert!(faults.is_empty(), "errors that are no refusals: {faults:?}");
    report_memory(&memory);
}

fn is_fault(code: &str) -> bool {
    FAULTS.contains(&code) || code.starts_with("HTTP")
}

fn report_memory(samples: &[f64]) {
    let mean =
        |part: &[f64]| part.iter().sum::<f64>() / f64::from(u32::try_from(part.len()).unwrap());
    let Some(second) = samples.get(60..120).filter(|_| samples.len() >= 180) else {
        println!("resident memory at the end: {:.0} MiB", samples.last().unwrap());
        return;
    };
    let (second, last) = (mean(second), mean(&samples[samples.len() - 60..]));
    println!(
        "resident memory, MiB: second minute {second:.1}, last {last:.1}, ratio {:.3}",
        last / second
    );
    assert!(last <= 1.1 * second, "the memory grows");
}

/// Everybody works until the day is over.
async fn crowd(service: &Service, people: Vec<Tokens>, day: Duration) -> BTreeMap<Deed, Seen> {
    let begin = Instant::now();
    let http = Client::new();
    let somebody = |(who, tokens): (usize, Tokens)| {
        let (http, url) = (http.clone(), service.url("/graphql"));
        tokio::spawn(async move {
            let mut seen: BTreeMap<Deed, Seen> = BTreeMap::new();
            for turn in who.. {
                if begin.elapsed() >= day {
                    break;
                }
                let deed = DAY[turn % DAY.len()];
                let start = Instant::now();
                let codes =
                    does(&http, &url, &tokens[deed.role()], deed, &format!("{who}-{turn}")).await;
                let seen = seen.entry(deed).or_default();
                seen.latencies.push(start.elapsed().as_secs_f64() * 1000.0);
                for code in codes {
                    *seen.codes.entry(code).or_default() += 1;
                }
            }
            seen
        })
    };
    let mut all: BTreeMap<Deed, Seen> = BTreeMap::new();
    for one in futures::future::join_all(people.into_iter().enumerate().map(somebody)).await {
        for (deed, seen) in one.unwrap() {
            let sum = all.entry(deed).or_default();
            sum.latencies.extend(seen.latencies);
            for (code, count) in seen.codes {
                *sum.codes.entry(code).or_default() += count;
            }
        }
    }
    all
}

/// Listens to all events until the day is over, and tells how many came. That the socket ends, or
/// that anything else is said, is a fault.
async fn listen(service: &Service, day: Duration) -> usize {
    let mut request =
        service.url("/graphql/ws").replacen("http", "ws", 1).into_client_request().unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await.unwrap();
    let token = format!("Bearer {}", service.tokens("listener")["PARTNER_ADMIN"]);
    let payload = json!({"query": "subscription { events { position event } }"});
    for message in [
        json!({"type": "connection_init", "payload": {"Authorization": token}}),
        json!({"type": "subscribe", "id": "1", "payload": payload}),
    ] {
        socket.send(Message::text(message.to_string())).await.unwrap();
    }
    let (mut heard, end) = (0, tokio::time::Instant::now() + day);
    while let Ok(message) = tokio::time::timeout_at(end, socket.next()).await {
        let Message::Text(message) = message.unwrap().unwrap() else { continue };
        let message: Value = serde_json::from_str(&message).unwrap();
        match message["type"].as_str() {
            Some("next") if message["payload"]["errors"].is_null() => heard += 1,
            Some("connection_ack") => {}
            Some("ping") => socket.send(Message::text(r#"{"type": "pong"}"#)).await.unwrap(),
            _ => panic!("{message:#}"),
        }
    }
    heard
}

/// Does one thing, and tells the codes of the errors that came of it.
async fn does(http: &Client, url: &str, token: &str, deed: Deed, turn: &str) -> Vec<String> {
    let (query, variables) = deed.question(turn);
    let body = json!({"query": query, "variables": variables}).to_string();
    let request = http.post(url).bearer_auth(token).header("content-type", "application/json");
    let answer = match request.body(body).send().await {
        Ok(answer) if answer.status().is_success() => answer.json::<Value>().await,
        Ok(answer) => return vec![format!("HTTP {}", answer.status().as_u16())],
        Err(error) => Err(error),
    };
    let Ok(answer) = answer else { return vec!["HTTP broke off".to_owned()] };
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or("HTTP").to_owned();
    errors.iter().map(code).collect()
}

/// The resident memory of a process in MiB, once a second.
async fn watch(process: u32, day: Duration) -> Vec<f64> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut samples = Vec::new();
    for _ in 0..day.as_secs() {
        second.tick().await;
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        samples.push(kib / 1024.0);
    }
    samples
}

/// `pms` as an operator runs it, in a folder of its own.
struct Service {
    folder: tempfile::TempDir,
    pms: PathBuf,
    port: u16,
    process: Child,
}

impl Service {
    fn start() -> Self {
        let pms = build();
        let folder = tempfile::Builder::new().prefix("pms-load-").tempdir_in("/var/tmp").unwrap();
        open_to_all(folder.path());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let demo = command(&pms, folder.path(), port).arg("demo").stdout(Stdio::null()).status();
        assert!(demo.unwrap().success(), "pms demo failed");
        let mut serve = command(&pms, folder.path(), port);
        let process = serve.arg("serve").stdout(Stdio::null()).spawn().unwrap();
        Self { folder, pms, port, process }.ready()
    }

    fn ready(self) -> Self {
        let end = Instant::now() + Duration::from_mins(1);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "pms does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A token for each role of a person. Everybody has a name of his own: whoever registers a partner
    /// belongs to it, and nobody belongs to thousands.
    fn tokens(&self, subject: &str) -> Tokens {
        let token = |role: &'static str| {
            let arguments = ["token", "--subject", subject, "--role", role];
            let made = command(&self.pms, self.folder.path(), self.port).args(arguments).output();
            (role, String::from_utf8(made.unwrap().stdout).unwrap().trim().to_owned())
        };
        ["PARTNER_ADMIN", "POLICYMANAGER", "AUTH_PARTNER"].map(token).into()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        Command::new("kill").arg(pid).status().ok();
        self.process.wait().ok();
    }
}

fn command(pms: &Path, folder: &Path, port: u16) -> Command {
    let mut command = Command::new(pms);
    command.env("PMS_DATA_DIR", folder).env("PMS_LISTEN", format!("127.0.0.1:{port}"));
    command.env("PMS_LOG", "error").env_remove("DATABASE_URL");
    // All these people have one address and a few names.
    command.env("PMS_REQUESTS_PER_ADDRESS", "0").env("PMS_REQUESTS_PER_CALLER", "0");
    command
}

/// The program as it is released.
fn build() -> PathBuf {
    let arguments = ["build", "--release", "--locked", "-p", "api", "--bin", "pms"];
    assert!(Command::new(env!("CARGO")).args(arguments).status().unwrap().success());
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().join("pms")
}
