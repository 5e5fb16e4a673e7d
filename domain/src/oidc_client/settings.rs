//! What the owner of a client may set: how it is called, and where it sends people back to.

use crate::Finding;
use crate::reference::language;
use crate::text::{Checks, squeezed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// The longest name, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_NAME: usize = 256;
/// The longest web address, in characters (MOSIP PMS 1.2.2.2).
pub const MAX_URI: usize = 2048;
/// The most addresses to send people back to (MOSIP PMS 1.2.2.2).
pub const MAX_REDIRECT_URIS: usize = 5;

/// What the owner of a client may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// How the client is called where no other name fits.
    pub name: String,
    /// How it is called in a language: at most once each, in order of the languages.
    pub names: Vec<LocalName>,
    /// Where its logo is found.
    pub logo_uri: String,
    /// Where people may be sent back to; compared letter by letter.
    pub redirect_uris: Vec<String>,
    /// How it may get tokens.
    pub grant_types: BTreeSet<GrantType>,
    /// How it proves that it is itself.
    pub auth_methods: BTreeSet<AuthMethod>,
}

/// A name in one language.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LocalName {
    /// The language, ISO 639-3: one that the platform speaks.
    pub language: String,
    /// The name: 1 to 256 characters.
    pub name: String,
}

/// How a client may get tokens (RFC 6749). eSignet knows one way.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "OidcGrantType")]
pub enum GrantType {
    /// For a code that the person's browser brings back.
    AuthorizationCode,
}

/// How a client proves that it is itself (OpenID Connect Core 1.0, 9). eSignet knows one way.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "OidcClientAuthMethod")]
pub enum AuthMethod {
    /// It signs with its key.
    PrivateKeyJwt,
}

impl Settings {
    /// The settings as they are stored.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn checked(self) -> Result<Self, Vec<Finding>> {
        let mut checks = Checks::default();
        checks.line("name", &self.name, MAX_NAME);
        local_names(&mut checks, &self.names);
        logo_uri(&mut checks, &self.logo_uri);
        redirect_uris(&mut checks, &self.redirect_uris);
        let none = [
            ("grantTypes", self.grant_types.is_empty()),
            ("clientAuthMethods", self.auth_methods.is_empty()),
        ];
        for (field, is_empty) in none {
            let message = "Name at least one, or leave the list out.";
            checks.add_if(is_empty, || Finding::new("EMPTY", field, message));
        }
        checks.done()?;
        let mut names: Vec<LocalName> = self.names.into_iter().map(LocalName::stored).collect();
        names.sort();
        Ok(Self { name: squeezed(&self.name), names, ..self })
    }
}

impl LocalName {
    fn stored(self) -> Self {
        Self { name: squeezed(&self.name), ..self }
    }
}

fn local_names(checks: &mut Checks, names: &[LocalName]) {
    let mut seen = BTreeSet::new();
    for (at, LocalName { language: code, name }) in names.iter().enumerate() {
        let field = format!("names[{at}].language");
        checks.add_if(language(code).is_none(), || {
            let message = "The platform does not speak this language.";
            Finding::new("LANGUAGE_NOT_SUPPORTED", &field, message)
        });
        checks.add_if(!seen.insert(code), || {
            Finding::new("LANGUAGE_REPEATED", &field, "There is a name in this language already.")
        });
        checks.line(&format!("names[{at}].name"), name, MAX_NAME);
    }
}

fn logo_uri(checks: &mut Checks, text: &str) {
    let url = checks.uri("logoUri", text, MAX_URI);
    checks.add_if(url.is_some_and(|url| url.scheme() != "https"), || {
        Finding::new("URL_MALFORMED", "logoUri", "A web address has to start with https://.")
    });
}

fn redirect_uris(checks: &mut Checks, texts: &[String]) {
    checks.add_if(!(1..=MAX_REDIRECT_URIS).contains(&texts.len()), || {
        let message = format!("Name 1 to {MAX_REDIRECT_URIS} addresses.");
        Finding::new("REDIRECT_URI_COUNT", "redirectUris", message).with("max", MAX_REDIRECT_URIS)
    });
    let mut seen = BTreeSet::new();
    for (at, text) in texts.iter().take(MAX_REDIRECT_URIS).enumerate() {
        let field = format!("redirectUris[{at}]");
        redirect_uri(checks, &field, text);
        checks.add_if(!seen.insert(text), || {
            Finding::new("REDIRECT_URI_REPEATED", &field, "This address stands here already.")
        });
    }
}

/// RFC 9700, 2.1 and 4.1: a code goes to one exact address, which nobody else can listen at. Schemes
/// of apps can be taken by any app, so they are refused too.
fn redirect_uri(checks: &mut Checks, field: &str, text: &str) {
    let Some(url) = checks.uri(field, text, MAX_URI) else { return };
    let refused = [
        (
            !is_private_to_its_host(&url),
            "REDIRECT_URI_SCHEME",
            "Use https; http only for 127.0.0.1, [::1] or localhost.",
        ),
        (text.contains('#'), "REDIRECT_URI_FRAGMENT", "Leave out the part that begins with #."),
        (text.contains('*'), "REDIRECT_URI_WILDCARD", "Name each address in full, without *."),
        (names_a_user(text), "REDIRECT_URI_USER", "Leave out the user and password before the @."),
    ];
    for (_, code, message) in refused.into_iter().filter(|(wrong, ..)| *wrong) {
        checks.add(Finding::new(code, field, message));
    }
}

fn is_private_to_its_host(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// Whether an `@` stands in the part between `//` and the path; a parser drops an empty user.
fn names_a_user(text: &str) -> bool {
    text.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::resolver_utils::EnumType;

    fn settings(redirect_uris: &[&str]) -> Settings {
        Settings {
            name: "Acme  Portal".to_owned(),
            names: Vec::new(),
            logo_uri: "https://acme.example/logo.png".to_owned(),
            redirect_uris: redirect_uris.iter().map(|uri| (*uri).to_owned()).collect(),
            grant_types: BTreeSet::from([GrantType::AuthorizationCode]),
            auth_methods: BTreeSet::from([AuthMethod::PrivateKeyJwt]),
        }
    }

    fn codes(settings: Settings) -> Vec<(String, &'static str)> {
        let findings = settings.checked().err().unwrap_or_default();
        findings.into_iter().map(|it| (it.field, it.code)).collect()
    }

    #[test]
    fn a_redirect_uri_is_https_or_stays_on_the_machine() {
        for good in [
            "https://acme.example",
            "https://acme.example:8443/callback?tenant=1&a=%2A@x",
            "http://localhost:5000/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:8080/",
        ] {
            assert_eq!(codes(settings(&[good])), [], "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (bad, code) in [
            ("http://acme.example/callback", "REDIRECT_URI_SCHEME"),
            ("http://127.0.0.2/", "REDIRECT_URI_SCHEME"),
            ("http://localhost.evil.example/", "REDIRECT_URI_SCHEME"),
            ("acme.app://callback", "REDIRECT_URI_SCHEME"),
            ("javascript:alert(1)", "REDIRECT_URI_SCHEME"),
            ("data:text/html,x", "REDIRECT_URI_SCHEME"),
            ("https://acme.example/callback#token", "REDIRECT_URI_FRAGMENT"),
            ("https://acme.example/callback#", "REDIRECT_URI_FRAGMENT"),
            ("https://acme.example/*", "REDIRECT_URI_WILDCARD"),
            ("https://alice:secret@acme.example/", "REDIRECT_URI_USER"),
            ("https://acme.example@evil.example/", "REDIRECT_URI_USER"),
            ("https://@acme.example/", "REDIRECT_URI_USER"),
            ("/callback", "URL_MALFORMED"),
            ("//acme.example/callback", "URL_MALFORMED"),
            ("acme.example/callback", "URL_MALFORMED"),
            ("https:acme.example", "URL_MALFORMED"),
            ("https:///acme.example", "URL_MALFORMED"),
            ("https://", "URL_MALFORMED"),
            ("https://acme.example:99999/", "URL_MALFORMED"),
            ("https://acme.example/a b", "URL_MALFORMED"),
            (" https://acme.example/", "URL_MALFORMED"),
            ("https://acme.example\\@evil.example/", "URL_MALFORMED"),
            ("https://acmé.example/", "URL_MALFORMED"),
            ("https://acme.example/\n", "CONTROL_CHARACTER"),
            ("", "EMPTY"),
        ] {
            assert_eq!(codes(settings(&[bad])), [("redirectUris[0]".to_owned(), code)], "{bad:?}");
        }
        let several = codes(settings(&["http://a@evil.example/*#x"]));
        assert_eq!(several.len(), 4);
    }

    #[test]
    fn there_are_one_to_five_different_redirect_uris_of_2048_characters() {
        let of_length = |length: usize| format!("https://acme.example/{}", "x".repeat(length - 21));
        assert_eq!(codes(settings(&[&of_length(2048)])), []);
        assert_eq!(
            codes(settings(&[&of_length(2049)])),
            [("redirectUris[0]".to_owned(), "TOO_LONG")]
        );
        let count = [("redirectUris".to_owned(), "REDIRECT_URI_COUNT")];
        assert_eq!(codes(settings(&[])), count);
        let uris: Vec<String> = (0..6).map(|at| format!("https://acme.example/{at}")).collect();
        let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
        assert_eq!(codes(settings(&uris[..5])), []);
        assert_eq!(codes(settings(&uris)), count);
        let twice = ["https://acme.example/", "https://acme.example/"];
        assert_eq!(
            codes(settings(&twice)),
            [("redirectUris[1]".to_owned(), "REDIRECT_URI_REPEATED")]
        );
    }

    #[test]
    fn a_client_has_at_most_one_name_in_a_language_that_the_platform_speaks() {
        let name = |language: &str, name: &str| LocalName {
            language: language.to_owned(),
            name: name.to_owned(),
        };
        let names = vec![name("fra", "Portail  Acme"), name("eng", "Acme portal")];
        let good = Settings { names, ..settings(&["https://acme.example"]) }.checked().unwrap();
        assert_eq!(good.name, "Acme Portal");
        assert_eq!(good.names, [name("eng", "Acme portal"), name("fra", "Portail Acme")]);
        let names = vec![name("eng", ""), name("eng", "Acme"), name("xxx", "Acme")];
        let bad = Settings { names, ..settings(&["https://acme.example"]) };
        let expected = [
            ("names[0].name", "EMPTY"),
            ("names[1].language", "LANGUAGE_REPEATED"),
            ("names[2].language", "LANGUAGE_NOT_SUPPORTED"),
        ];
        assert_eq!(codes(bad), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn a_way_is_spelled_the_same_in_the_log_and_in_the_api() {
        let stored = serde_json::to_value(settings(&["https://acme.example"])).unwrap();
        assert_eq!(stored["grant_types"][0], GrantType::items()[0].name);
        assert_eq!(stored["auth_methods"][0], AuthMethod::items()[0].name);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let told = codes(Settings::default());
        let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
        let all = ["name", "logoUri", "redirectUris", "grantTypes", "clientAuthMethods"];
        assert_eq!(fields, all);
    }
}
