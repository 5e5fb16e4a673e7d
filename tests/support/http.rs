//! The system as the world sees it: a real socket, real tokens, GraphQL.

use super::commands::Installation;
use super::statements::Statements;
use api::auth::{DevelopmentIssuer, Issuers};
use api::schema::{Schema, schema};
use api::server::Node;
use api::transport::Transport;
use chrono::TimeDelta;
use domain::actor::Role;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A running system.
pub struct App {
    /// What lies behind it.
    pub installation: Installation,
    /// The commands of its one node.
    pub node: ::commands::Commands,
    /// Who makes its tokens, unless it believes others.
    pub issuer: Arc<DevelopmentIssuer>,
    served: Node,
    url: String,
    client: reqwest::Client,
    stop: Arc<Notify>,
    stopped: Arc<Notify>,
}

/// What a system answered.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is not JSON.
    pub body: Value,
}

/// Somebody with a token.
pub struct Caller<'a> {
    app: &'a App,
    token: String,
    url: String,
}

impl App {
    /// Starts a system on an empty log.
    pub async fn start() -> Self {
        let installation = Installation::new().await;
        let node = installation.node();
        Self::over(installation, node).await
    }

    /// Starts a system on an empty log, and counts its statements.
    pub async fn counted() -> (Self, Statements) {
        let installation = Installation::new().await;
        let statements = Statements::before(&installation.database).await;
        let node = installation.node_counted_by(&statements);
        (Self::over(installation, node).await, statements)
    }

    /// Starts a system that meets the network in its own way.
    pub async fn with(transport: Transport) -> Self {
        let installation = Installation::new().await;
        let node = installation.node();
        Self::serving(installation, node, schema(), transport).await
    }

    /// Starts a system over a node.
    pub async fn over(installation: Installation, node: ::commands::Commands) -> Self {
        Self::serving(installation, node, schema(), Transport::default()).await
    }

    /// Starts a system over a node that believes these issuers.
    pub async fn believing(
        issuers: Issuers,
        installation: Installation,
        node: ::commands::Commands,
    ) -> Self {
        Self::of(installation, node, schema(), issuers, Transport::default()).await
    }

    /// Starts a system that believes development tokens, of these parts.
    pub async fn serving(
        installation: Installation,
        node: ::commands::Commands,
        schema: Schema,
        transport: Transport,
    ) -> Self {
        let issuer = DevelopmentIssuer::open(installation.key_folder(), "pms").unwrap();
        Self::of(installation, node, schema, Issuers::Development(issuer), transport).await
    }

    async fn of(
        installation: Installation,
        node: ::commands::Commands,
        schema: Schema,
        issuers: Issuers,
        transport: Transport,
    ) -> Self {
        let issuer = Arc::new(DevelopmentIssuer::open(installation.key_folder(), "pms").unwrap());
        let node_of_its_own = Node {
            commands: node.clone(),
            schema,
            issuers: Arc::new(issuers),
            transport: Arc::new(transport),
        };
        let stop = Arc::new(Notify::new());
        let (stopped, told) = (Arc::new(Notify::new()), stop.clone());
        let (listener, url) = address().await;
        let (served, has_stopped) = (node_of_its_own.clone(), stopped.clone());
        tokio::spawn(async move {
            api::server::serve(listener, served, told.notified()).await;
            has_stopped.notify_one();
        });
        let client = reqwest::Client::new();
        Self { installation, node, issuer, served: node_of_its_own, url, client, stop, stopped }
    }

    /// Tells the system to stop, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits until it has stopped.
    pub async fn has_stopped(&self) {
        self.stopped.notified().await;
    }

    /// Lets a node, this one or another, serve the same people in its own way: where.
    pub async fn beside(&self, commands: &::commands::Commands, transport: Transport) -> String {
        let (commands, transport) = (commands.clone(), Arc::new(transport));
        let served = Node { commands, transport, ..self.served.clone() };
        let (listener, url) = address().await;
        tokio::spawn(api::server::serve(listener, served, std::future::pending()));
        url
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Somebody in a role.
    pub fn person(&self, subject: &str, role: Role) -> Caller<'_> {
        self.with_token(subject, role, &[])
    }

    /// Somebody in a role, whose token says that he belongs to a partner.
    pub fn person_of(&self, subject: &str, role: Role, partner: &str) -> Caller<'_> {
        self.with_token(subject, role, &[partner.to_owned()])
    }

    fn with_token(&self, subject: &str, role: Role, partners: &[String]) -> Caller<'_> {
        let hour = TimeDelta::hours(1);
        let now = ::commands::now();
        self.bearer(self.issuer.issue(subject, &[role], partners, now, hour).unwrap())
    }

    /// Somebody with this token.
    pub fn bearer(&self, token: String) -> Caller<'_> {
        Caller { app: self, token, url: self.url.clone() }
    }

    /// Runs partner management.
    pub fn admin(&self) -> Caller<'_> {
        self.person("admin", Role::PartnerAdmin)
    }

    /// Writes policies.
    pub fn policy_manager(&self) -> Caller<'_> {
        self.person("manager", Role::PolicyManager)
    }

    /// Speaks for an authentication partner.
    pub fn partner(&self, subject: &str) -> Caller<'_> {
        self.person(subject, Role::AuthPartner)
    }

    /// Reads everything.
    pub fn auditor(&self) -> Caller<'_> {
        self.person("auditor", Role::Auditor)
    }

    /// Sends bytes to GraphQL with a token, as they are.
    pub async fn sends(&self, token: &str, content_type: &str, body: Vec<u8>) -> Answer {
        self.sends_to(&self.url, token, content_type, body).await
    }

    async fn sends_to(&self, url: &str, token: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = self
            .client
            .post(format!("{url}/graphql"))
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, content_type)
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        Answer { status, body: response.json().await.unwrap_or(Value::Null) }
    }
}

async fn address() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl Caller<'_> {
    /// The caller's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same somebody before another node.
    pub fn at(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    /// Sends a query with variables.
    pub async fn asks(&self, query: &str, variables: Value) -> Answer {
        let body = json!({"query": query, "variables": variables}).to_string();
        let body = body.into_bytes();
        self.app.sends_to(&self.url, &self.token, "application/json", body).await
    }

    /// Gives a command that takes an input and answers with what `selection` names.
    pub async fn does(&self, mutation: &str, input: Value, selection: &str) -> Answer {
        let mut name = mutation.to_owned();
        name[..1].make_ascii_uppercase();
        let query = format!(
            "mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}"
        );
        let Answer { status, mut body } = self.asks(&query, json!({"input": input})).await;
        if let Some(payload) = body["data"][mutation].as_object() {
            body["payload"] = Value::Object(payload.clone());
        }
        Answer { status, body }
    }
}

impl Answer {
    /// The payload of a command that succeeded.
    pub fn payload(&self) -> &Value {
        assert!(self.body["errors"].is_null(), "{:#}", self.body["errors"]);
        &self.body["payload"]
    }

    /// The data of a query that succeeded.
    pub fn data(&self) -> &Value {
        assert!(self.body["errors"].is_null(), "{:#}", self.body["errors"]);
        &self.body["data"]
    }

    /// The codes of all errors, in alphabetical order.
    pub fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.errors().map(|it| it["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        codes
    }

    /// `field: CODE` of all errors, in alphabetical order.
    pub fn findings(&self) -> Vec<String> {
        let finding = |it: &Value| {
            format!("{}: {}", it["field"].as_str().unwrap_or(""), it["code"].as_str().unwrap())
        };
        let mut findings: Vec<String> = self.errors().map(finding).collect();
        findings.sort_unstable();
        findings
    }

    /// The extensions of all errors.
    pub fn errors(&self) -> impl Iterator<Item = &Value> {
        self.body["errors"].as_array().into_iter().flatten().map(|error| &error["extensions"])
    }
}
