//! A real OpenID Connect provider, npm's `oidc-provider`, in a process of its own. What it can do
//! stands at the head of `tests/oidc_provider/provider.mjs`.

use api::auth::claims::ClaimNames;
use api::auth::key_set::Times;
use api::auth::settings::IssuerSettings;
use api::auth::{Issuers, Refusal};
use commands::now;
use domain::actor::Actor;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "oidc_provider";
const INSTALL: &str = "./dev test brings it, or: npm ci --prefix tests/oidc_provider";
/// The key that it signs with at first.
pub const FIRST_KEY: &str = "ES256.first";
/// Longer than any test.
pub const AGES: Duration = Duration::from_hours(24);
/// No time at all.
pub const NEVER: Duration = Duration::ZERO;

/// A running provider; it ends with this value.
pub struct OidcProvider {
    /// Its URL.
    pub issuer: String,
    process: Child,
}

impl OidcProvider {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_with(&["0"])
    }

    /// Starts one that speaks https, with the private key and the certificate in a file.
    pub fn start_with_tls(pem: &Path) -> Self {
        Self::start_with(&["0", pem.to_str().unwrap()])
    }

    /// Starts one at the address of another that is gone.
    pub fn start_again(issuer: &str) -> Self {
        Self::start_with(&[issuer.rsplit_once(':').unwrap().1])
    }

    fn start_with(arguments: &[&str]) -> Self {
        assert!(
            Path::new(FOLDER).join("node_modules/oidc-provider").exists(),
            "npm's oidc-provider is missing; {INSTALL}"
        );
        let mut process = Command::new("node")
            .arg("provider.mjs")
            .args(arguments)
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("Node.js is missing: apt-get install nodejs npm ({why})"));
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let issuer = lines.next().unwrap_or_else(|| panic!("the provider ends at once")).unwrap();
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

/// Keys are fetched once, and again for every unknown one.
pub fn times() -> Times {
    Times { fresh: AGES..=AGES, stale: AGES, pause: NEVER, patience: Duration::from_mins(1) }
}

/// An issuer as Keycloak is one, whose people have a prefix.
pub fn issuer(url: &str, prefix: &str) -> IssuerSettings {
    let (url, prefix, audience) = (url.to_owned(), prefix.to_owned(), "pms".to_owned());
    IssuerSettings { url, prefix, audience, claims: ClaimNames::default() }
}

/// Who believes a provider alone.
pub fn believing(provider: &OidcProvider, times: &Times) -> Issuers {
    Issuers::external(&[issuer(&provider.issuer, "")], times).unwrap()
}

/// Whom a token lets in now.
pub async fn verdict(issuers: &Issuers, token: &str) -> Result<Actor, Refusal> {
    issuers.actor(token, now()).await
}

/// What a token says that is in order, as Keycloak's are.
pub fn claims(issuer: &str) -> Value {
    let now = now().timestamp();
    json!({"iss": issuer, "aud": ["account", "pms"], "sub": "5f", "typ": "Bearer", "iat": now,
           "exp": now + 600, "preferred_username": "mallory",
           "realm_access": {"roles": ["PARTNER_ADMIN"]}})
}

/// `of` with `more`; null takes a member away.
pub fn with(mut of: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        of[name] = value.clone();
    }
    of.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    of
}

/// The header of a token that is in order.
pub fn header() -> Value {
    json!({"alg": "ES256", "typ": "JWT", "kid": FIRST_KEY})
}
