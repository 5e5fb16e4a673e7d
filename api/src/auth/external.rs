//! An issuer in another house.

use super::key_set::{KeySet, Times};
use super::settings::IssuerSettings;
use super::token::{Terms, Token};
use super::{IssuerState, Refusal, claims, invalid};
use chrono::{DateTime, Utc};
use domain::actor::Actor;
use reqwest::Client;
use std::sync::Arc;

/// One issuer, with keys of its own.
pub struct ExternalIssuer {
    settings: IssuerSettings,
    /// How subjects of other issuers begin.
    of_others: Vec<String>,
    keys: Arc<KeySet>,
}

impl ExternalIssuer {
    /// One of `all` issuers.
    pub fn new(of: &IssuerSettings, all: &[IssuerSettings], client: Client, times: Times) -> Self {
        let others = all.iter().filter(|other| other.url != of.url && !other.prefix.is_empty());
        Self {
            settings: of.clone(),
            of_others: others.map(|other| other.prefix.clone()).collect(),
            keys: KeySet::new(of.url.clone(), client, times),
        }
    }

    /// Its name, which stands in its tokens.
    pub fn url(&self) -> &str {
        &self.settings.url
    }

    /// Whether its tokens can be verified now. Asks for keys that are missing or old meanwhile.
    pub fn state(&self) -> IssuerState {
        self.keys.keep_fresh();
        IssuerState { issuer: self.url().to_owned(), usable: self.keys.is_usable() }
    }

    /// The actor that a token vouches for: in the log he has this issuer's prefix before his name,
    /// and nobody whose name begins like that of somebody of another issuer is let in.
    pub async fn actor(&self, token: &Token<'_>, now: DateTime<Utc>) -> Result<Actor, Refusal> {
        let key = self.keys.find(token.key_id(), token.algorithm()).await?;
        let IssuerSettings { url, prefix, audience, claims: names } = &self.settings;
        let told = token.verify(&key, Terms { issuer: url, audience }, now)?;
        let name = names.name(&told).ok_or_else(|| invalid("nobody is named"))?;
        let subject = format!("{prefix}{name}");
        if name.is_empty() || self.of_others.iter().any(|it| subject.starts_with(it.as_str())) {
            return Err(invalid("nobody of this issuer can have that name"));
        }
        claims::actor(subject, names, &told)
    }
}
