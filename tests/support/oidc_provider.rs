//! A real OpenID Connect provider, npm's `oidc-provider`, in a process of its own. What it can do
//! stands at the head of `tests/oidc_provider/provider.mjs`.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "oidc_provider";
const INSTALL: &str = "./dev test brings it, or: npm ci --prefix tests/oidc_provider";
/// The key that it signs with at first.
pub const FIRST_KEY: &str = "ES256.first";

/// A running provider; it ends with this value.
pub struct OidcProvider {
    /// Its URL.
    pub issuer: String,
    process: Child,
}

impl OidcProvider {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_at("0")
    }

    /// Starts one at the address of another that is gone.
    pub fn start_again(issuer: &str) -> Self {
        Self::start_at(issuer.rsplit_once(':').unwrap().1)
    }

    fn start_at(port: &str) -> Self {
        assert!(
            Path::new(FOLDER).join("node_modules/oidc-provider").exists(),
            "npm's oidc-provider is missing; {INSTALL}"
        );
        let mut process = Command::new("node")
            .args(["provider.mjs", port])
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is missing: apt-get install nodejs npm");
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let issuer = lines.next().expect("the provider has not started").unwrap();
        Self { issuer, process }
    }

    /// An access token as any client gets it: alice's, who is an authentication partner.
    pub async fn token(&self) -> String {
        let response = reqwest::Client::new()
            .post(format!("{}/token", self.issuer))
            .basic_auth("portal", Some("secret"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials&resource=urn:pms");
        let answer: Value = response.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// Publishes these keys from now on, and signs with the first.
    pub async fn publish(&self, keys: &[&str]) {
        self.post("keys", &json!(keys)).await;
    }

    /// Any token at all, signed with a key of the provider.
    pub async fn sign(&self, key: &str, header: Value, claims: &Value) -> String {
        self.post("sign", &json!({"key": key, "header": header, "claims": claims})).await
    }

    /// Any token at all, signed with a shared secret.
    pub async fn sign_with_secret(&self, secret: &str, header: Value, claims: &Value) -> String {
        self.post("sign", &json!({"secret": secret, "header": header, "claims": claims})).await
    }

    /// How often the key set was asked for.
    pub async fn fetches(&self) -> u32 {
        self.post("fetches", &Value::Null).await.parse().unwrap()
    }

    /// A public key, as it is published.
    pub async fn public_key(&self) -> Value {
        let response = reqwest::get(format!("{}/jwks", self.issuer)).await.unwrap();
        response.json::<Value>().await.unwrap()["keys"][0].clone()
    }

    /// Takes it away, and tells where it was.
    pub fn stop(self) -> String {
        self.issuer.clone()
    }

    async fn post(&self, route: &str, body: &Value) -> String {
        let url = format!("{}/test/{route}", self.issuer);
        let response = reqwest::Client::new().post(url).json(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
