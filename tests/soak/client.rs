//! One who speaks GraphQL over HTTP to a service that may be gone at any moment.

use super::history::{Granted, Outcome, Wish};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than the service takes to say that it does not know.
const TIMEOUT: Duration = Duration::from_secs(45);
/// Codes that say nothing about the wish: a fault of ours, or of this rig.
const FAULTS: [&str; 5] =
    ["INTERNAL_ERROR", "INVALID_QUERY", "FORBIDDEN", "RATE_LIMITED", "IDEMPOTENCY_KEY_REUSED"];

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    token: String,
}

impl Client {
    /// Somebody with a token; `keeps` connections for the next request, or opens a new one.
    pub fn new(token: String, keeps: bool) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).pool_max_idle_per_host(keeps.into());
        Self { http: http.build().unwrap(), token }
    }

    /// Gives a command; `None` when nobody took the connection, so that it was never sent.
    pub async fn does(
        &self,
        url: &str,
        wish: &Wish,
        key: &str,
        correlation_id: &str,
    ) -> Option<Outcome> {
        let Wish { mutation, field, .. } = wish;
        let mut kind = mutation.to_string();
        kind[..1].make_ascii_uppercase();
        let query = format!(
            "mutation($input: {kind}Input!) \
             {{ {mutation}(input: $input) {{ {field} {{ id version }} position }} }}"
        );
        let mut input = wish.input.clone();
        input["idempotencyKey"] = key.into();
        match self.asks(url, &query, json!({"input": input}), correlation_id).await {
            Ok(answer) => Some(outcome(&answer, mutation, field)),
            Err(problem) if problem.is_connect() => None,
            Err(problem) => Some(Outcome::Unknown(problem.to_string())),
        }
    }

    /// The version of an object, 0 where there is none; `None` when nobody can tell now.
    pub async fn sees(&self, url: &str, field: &str, id: &str) -> Option<i64> {
        let query = format!("query($id: ID!) {{ {field}(id: $id) {{ version }} }}");
        let answer = self.asks(url, &query, json!({"id": id}), "read").await.ok()?;
        let object = answer["data"].get(field)?;
        if answer["errors"].is_array() {
            None
        } else {
            Some(object["version"].as_i64().unwrap_or(0))
        }
    }

    async fn asks(
        &self,
        url: &str,
        query: &str,
        variables: Value,
        correlation_id: &str,
    ) -> reqwest::Result<Value> {
        let body = json!({"query": query, "variables": variables});
        let request = self.http.post(format!("{url}/graphql")).bearer_auth(&self.token);
        request.header("x-correlation-id", correlation_id).json(&body).send().await?.json().await
    }
}

fn outcome(answer: &Value, mutation: &str, field: &str) -> Outcome {
    let codes: Vec<String> = answer["errors"].as_array().into_iter().flatten().map(code).collect();
    let has = |code: &str| codes.iter().any(|it| it == code);
    if codes.is_empty() {
        return granted(&answer["data"][mutation], field)
            .map_or_else(|| Outcome::Fault(answer.to_string()), Outcome::Granted);
    }
    if codes.iter().any(|code| FAULTS.contains(&code.as_str()) || code.starts_with("TOKEN_")) {
        Outcome::Fault(answer["errors"].to_string())
    } else if has("OUTCOME_UNKNOWN") {
        Outcome::Unknown("OUTCOME_UNKNOWN".to_owned())
    } else if has("UNAVAILABLE") {
        Outcome::Unavailable
    } else {
        Outcome::Refused(codes)
    }
}

fn code(error: &Value) -> String {
    error["extensions"]["code"].as_str().unwrap_or("none").to_owned()
}

fn granted(payload: &Value, field: &str) -> Option<Granted> {
    Some(Granted {
        id: payload[field]["id"].as_str()?.to_owned(),
        position: payload["position"].as_str()?.parse().ok()?,
        version: payload[field]["version"].as_i64()?,
    })
}
