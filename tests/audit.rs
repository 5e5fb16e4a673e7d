//! What outsiders get of the sealed log, by HTTP and GraphQL, and what they do with it: verify, with
//! nothing but their own policy.

mod files;
mod operators;
mod proofs;

use crate::support::actors::Market;
use crate::support::http::App;
use crate::support::sealing::{ORIGIN, log_keys, seals};
use crate::support::statements::Statements;
use domain::audit::policy::{Believed, Policy};
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A system with a market, whose log is sealed, and the policy of an outsider.
struct Audited {
    app: App,
    market: Market,
    policy: Policy,
}

impl Audited {
    async fn new() -> Self {
        Self::of(App::start().await).await
    }

    async fn counted() -> (Self, Statements) {
        let (app, statements) = App::counted().await;
        (Self::of(app).await, statements)
    }

    async fn of(app: App) -> Self {
        app.node.adopt_log_key(Some(ORIGIN)).await.unwrap();
        let market = Market::open(&app.node).await;
        let [key] = log_keys(&app.node).await.try_into().unwrap();
        let policy = format!("log {key}\nquorum none\n").parse().unwrap();
        let audited = Self { app, market, policy };
        audited.seal().await;
        audited
    }

    /// Lets the node seal what there is.
    async fn seal(&self) {
        seals(&self.app.node).await;
    }

    /// The checkpoint that everybody gets, as far as it is believed.
    async fn checkpoint(&self) -> Believed {
        let note = self.gets("checkpoint").await.text();
        self.policy.check(&note.parse().unwrap()).unwrap()
    }

    /// What everybody gets of a file of the log.
    async fn gets(&self, path: &str) -> Served {
        self.sends(reqwest::Client::new().get(self.app.url(&format!("/log/{path}")))).await
    }

    /// What an auditor gets.
    async fn audits(&self, path: &str) -> Served {
        let token = self.app.auditor().token().to_owned();
        let request = reqwest::Client::new().get(self.app.url(&format!("/log/{path}")));
        self.sends(request.bearer_auth(token)).await
    }

    async fn asks_to(&self, method: Method, path: &str) -> Served {
        let url = self.app.url(&format!("/log/{path}"));
        self.sends(reqwest::Client::new().request(method, url)).await
    }

    async fn sends(&self, request: RequestBuilder) -> Served {
        let response = request.send().await.unwrap();
        let header = |name| response.headers().get(name).cloned();
        let (status, caching) = (response.status(), header("cache-control"));
        let media_type = header("content-type");
        let body = response.bytes().await.unwrap().to_vec();
        Served { status, caching, media_type, body }
    }

    /// The answer of an auditor's question.
    async fn answered(&self, query: &str, variables: Value) -> Value {
        self.app.auditor().asks(query, variables).await.data().clone()
    }

    /// What an auditor's question is refused with: field and code.
    async fn refused(&self, query: &str) -> Vec<String> {
        self.app.auditor().asks(query, json!({})).await.findings()
    }

    async fn head(&self) -> i64 {
        self.app.installation.database.head().await
    }
}

/// What came of asking for a file.
#[derive(Debug)]
struct Served {
    status: StatusCode,
    caching: Option<HeaderValue>,
    media_type: Option<HeaderValue>,
    body: Vec<u8>,
}

impl Served {
    /// A file that is there.
    fn bytes(self) -> Vec<u8> {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    fn text(self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Status and code of what is refused.
    fn refusal(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap();
        assert!(body["errors"][0]["message"].is_string());
        assert_eq!(self.caching.as_ref().unwrap(), "no-store");
        (self.status.as_u16(), code.to_owned())
    }
}
