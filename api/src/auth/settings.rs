//! The issuers that a configuration names.
//!
//! A text is a list with commas between: `https://id.example/realms/pms`, or
//! `https://id.example,bank:=https://id.bank.example` where the second issuer's people get the prefix
//! `bank:`. A TOML list holds such texts, or tables with everything that can differ.

use super::claims::ClaimNames;
use crate::outgoing::is_secure;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

/// The longest prefix, in characters: a subject has 256.
const MAX_PREFIX: usize = 64;

/// An issuer, and how its tokens are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Its name exactly as its tokens and its discovery document have it.
    pub url: String,
    /// What stands in the log before the names that it gives; empty for one issuer at most.
    pub prefix: String,
    /// Whom its tokens have to be meant for.
    pub audience: String,
    /// Which of its claims say who somebody is.
    pub claims: ClaimNames,
}

/// An issuer as it is written down: what it does not say is said for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerEntry {
    url: String,
    #[serde(default)]
    prefix: String,
    audience: Option<String>,
    subject_claim: Option<String>,
    roles_claim: Option<String>,
    partners_claim: Option<String>,
}

impl IssuerEntry {
    /// The issuer, with what is said for all issuers.
    pub fn complete(&self, audience: &str, claims: &ClaimNames) -> IssuerSettings {
        let own = |own: &Option<String>, all: &str| own.as_deref().unwrap_or(all).to_owned();
        IssuerSettings {
            url: self.url.clone(),
            prefix: self.prefix.clone(),
            audience: own(&self.audience, audience),
            claims: ClaimNames {
                subject: own(&self.subject_claim, &claims.subject),
                roles: own(&self.roles_claim, &claims.roles),
                partners: own(&self.partners_claim, &claims.partners),
            },
        }
    }

    /// `URL` or `PREFIX=URL`: an issuer's URL has no query, so no `=`.
    fn read(text: &str) -> Self {
        let (prefix, url) = text.trim().split_once('=').unwrap_or(("", text.trim()));
        Self { url: url.to_owned(), prefix: prefix.to_owned(), ..Self::default() }
    }
}

/// Reads a text, or a list of texts and tables.
pub fn entries<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IssuerEntry>, D::Error> {
    let several = |text: &str| text.split(',').map(IssuerEntry::read).collect();
    match toml::Value::deserialize(from)? {
        toml::Value::String(text) => Ok(several(&text)),
        toml::Value::Array(entries) => {
            let entry = |entry| match entry {
                toml::Value::String(text) => Ok(IssuerEntry::read(&text)),
                table => table.try_into(),
            };
            let read: Result<Vec<_>, toml::de::Error> = entries.into_iter().map(entry).collect();
            read.map_err(|error| D::Error::custom(format!("oidc_issuer: {}", error.message())))
        }
        _ => Err(D::Error::custom("oidc_issuer: neither a text nor a list")),
    }
}

/// Everything that is wrong with a list of issuers.
pub fn findings(issuers: &[IssuerSettings]) -> Vec<String> {
    let mut findings: Vec<String> = issuers.iter().flat_map(findings_of_one).collect();
    if issuers.iter().filter(|issuer| issuer.prefix.is_empty()).count() > 1 {
        let why = "people of two issuers could have the same name: give each but one a prefix";
        findings.push(why.to_owned());
    }
    for (place, one) in issuers.iter().enumerate() {
        for other in &issuers[place + 1..] {
            findings.extend(findings_of_two(one, other));
        }
    }
    findings
}

fn findings_of_one(issuer: &IssuerSettings) -> Vec<String> {
    let IssuerSettings { url, prefix, audience, claims } = issuer;
    let is_storable = prefix.chars().count() <= MAX_PREFIX
        && !prefix.starts_with(char::is_whitespace)
        && !prefix.chars().any(char::is_control);
    let named = [audience, &claims.subject, &claims.roles, &claims.partners];
    let checks = [
        (is_issuer(url), "an issuer is an https URL, or http on a loopback address, without query"),
        (is_storable, "a prefix has at most 64 characters, and begins with no blank"),
        (named.iter().all(|it| !it.is_empty()), "an audience or a claim has an empty name"),
    ];
    let wrong = checks.into_iter().filter(|(right, _)| !right);
    wrong.map(|(_, why)| format!("`{url}`: {why}")).collect()
}

/// OpenID Connect Discovery 1.0, section 3; a password in a URL ends in logs.
fn is_issuer(url: &str) -> bool {
    Url::parse(url).is_ok_and(|it| {
        is_secure(&it)
            && it.query().is_none()
            && it.fragment().is_none()
            && it.username().is_empty()
            && it.password().is_none()
    })
}

fn findings_of_two(one: &IssuerSettings, other: &IssuerSettings) -> Vec<String> {
    let mut findings = vec![];
    if one.url == other.url {
        findings.push(format!("`{}` is named twice", one.url));
    }
    let (a, b) = (&one.prefix, &other.prefix);
    if !a.is_empty() && !b.is_empty() && (a.starts_with(b) || b.starts_with(a)) {
        findings.push(format!("one of the prefixes `{a}` and `{b}` begins with the other"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        #[serde(deserialize_with = "entries")]
        oidc_issuer: Vec<IssuerEntry>,
    }

    fn read(text: &str) -> Result<Vec<IssuerSettings>, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let complete = |entry: &IssuerEntry| entry.complete("pms", &ClaimNames::default());
        Ok(file.oidc_issuer.iter().map(complete).collect())
    }

    fn wrong(text: &str) -> usize {
        findings(&read(text).unwrap()).len()
    }

    #[test]
    fn one_issuer_or_several_are_written_as_a_text_or_as_a_list() {
        let text = read("oidc_issuer = 'https://a.example, b:=https://b.example/x'").unwrap();
        let list = read("oidc_issuer = ['https://a.example', 'b:=https://b.example/x']").unwrap();
        let tables = read(
            "[[oidc_issuer]]\nurl = 'https://a.example'\n\
             [[oidc_issuer]]\nurl = 'https://b.example/x'\nprefix = 'b:'",
        );
        assert_eq!(text, list);
        assert_eq!(text, tables.unwrap());
        assert_eq!((text[1].url.as_str(), text[1].prefix.as_str()), ("https://b.example/x", "b:"));
        assert!(findings(&text).is_empty());
    }

    #[test]
    fn an_issuer_may_have_its_own_audience_and_claims() {
        let own = "[[oidc_issuer]]\nurl = 'https://a.example'\naudience = 'partners'\n\
                   subject_claim = 'sub'\nroles_claim = 'roles'\npartners_claim = 'org.partners'";
        let own = &read(own).unwrap()[0];
        assert_eq!(own.audience, "partners");
        let names = [&own.claims.subject, &own.claims.roles, &own.claims.partners];
        assert_eq!(names, ["sub", "roles", "org.partners"]);
    }

    #[test]
    fn unknown_settings_of_an_issuer_are_refused() {
        assert!(read("[[oidc_issuer]]\nurl = 'https://a.example'\nprefx = 'a'").is_err());
        assert!(read("[[oidc_issuer]]\nprefix = 'a'").is_err());
        assert!(read("oidc_issuer = 7").is_err());
    }

    #[test]
    fn an_issuer_is_reached_safely_and_named_plainly() {
        for url in [
            "http://a.example",
            "a.example",
            "https://a.example?x",
            "https://u:p@a.example",
            "https://a.example#x",
            "",
        ] {
            assert_eq!(wrong(&format!("oidc_issuer = ['{url}']")), 1, "{url}");
        }
        assert_eq!(wrong("oidc_issuer = 'http://127.0.0.1:8180/realms/pms'"), 0);
    }

    #[test]
    fn people_of_two_issuers_never_have_the_same_name() {
        assert_eq!(wrong("oidc_issuer = ['https://a.example', 'https://b.example']"), 1);
        assert_eq!(wrong("oidc_issuer = ['a=https://a.example', 'ab=https://b.example']"), 1);
        assert_eq!(wrong("oidc_issuer = ['a=https://a.example', 'a=https://b.example']"), 1);
        assert_eq!(wrong("oidc_issuer = ['a=https://a.example', 'b=https://a.example']"), 1);
        assert_eq!(wrong("oidc_issuer = ['a=https://a.example', 'b=https://b.example']"), 0);
    }
}
