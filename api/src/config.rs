//! Every setting, in one place: from a TOML file, from the environment (which wins), typed, and
//! refused when unknown.

use crate::auth::claims::ClaimNames;
use crate::auth::settings::{self, IssuerEntry, IssuerSettings};
use crate::embedded_postgres::{self, reachable, server_account};
use crate::limits::{CONNECTIONS, REQUESTS_PER_ADDRESS, REQUESTS_PER_CALLER};
use crate::server::RateLimit;
use crate::transport::Transport;
use axum::http::{HeaderValue, Uri};
use domain::secret::Environment;
use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tracing_subscriber::EnvFilter;

/// The data folder of root's own PostgreSQL, where its account cannot reach the checkout.
const ROOT_DATA_DIR: &str = "/var/lib/pms";

/// The settings of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `DATABASE_URL`: the PostgreSQL to work on; unset: one of its own.
    pub database_url: Option<String>,
    /// `PMS_OWNER_DATABASE_URL`: how `migrate` and `rebuild` connect; unset: as `DATABASE_URL`.
    pub owner_database_url: Option<String>,
    /// `PMS_LISTEN`: the address of the HTTP server.
    pub listen: SocketAddr,
    /// `PMS_DATA_DIR`: where its own PostgreSQL and, unless told otherwise, the keys lie.
    pub data_dir: PathBuf,
    /// `PMS_KEY_DIR`: the keys of the installation, shared by all nodes.
    pub key_dir: Option<PathBuf>,
    /// `PMS_OIDC_ISSUER`: who issues access tokens, one or several; unset: the development issuer,
    /// which exists on loopback addresses only.
    #[serde(deserialize_with = "settings::entries")]
    pub oidc_issuer: Vec<IssuerEntry>,
    /// `PMS_OIDC_AUDIENCE`: whom tokens have to be meant for.
    pub oidc_audience: String,
    /// `PMS_OIDC_SUBJECT_CLAIM`: the claim that names the caller in the log.
    pub oidc_subject_claim: String,
    /// `PMS_OIDC_ROLES_CLAIM`: the claim with his roles; dots lead into objects.
    pub oidc_roles_claim: String,
    /// `PMS_OIDC_PARTNERS_CLAIM`: the claim with partners that he belongs to beside those that the
    /// log knows.
    pub oidc_partners_claim: String,
    /// `PMS_AUDIT_ORIGIN`: the name under which outsiders know the sealed log, taken at the first start;
    /// unset: one that is made then.
    pub audit_origin: Option<String>,
    /// `PMS_WITNESS_POLICY`: a file in the form of C2SP tlog-policy that names the witnesses of the
    /// sealed log, where they take checkpoints, and how many have to; unset: none.
    pub witness_policy: Option<PathBuf>,
    /// `PMS_FOUR_EYES`: whether new roots of trust and the ends of partners and policies need a
    /// second person: `on` or `off`.
    pub four_eyes: FourEyes,
    /// `PMS_PROOF_OF_POSSESSION`: whether who uploads a certificate of a partner has to show that
    /// he has its private key: `on` or `off`.
    pub proof_of_possession: ProofOfPossession,
    /// `PMS_GRAPHIQL`: whether browsers get a page to try queries on; unset: with the development
    /// issuer only.
    pub graphiql: Option<Switch>,
    /// `PMS_INTROSPECTION`: whether the schema may be asked for; unset: with the development issuer
    /// only.
    pub introspection: Option<Switch>,
    /// `PMS_CORS_ORIGINS`: the origins whose pages may ask from a browser, between commas.
    #[serde(deserialize_with = "list")]
    pub cors_origins: Vec<Origin>,
    /// `PMS_TRUSTED_PROXIES`: the addresses or networks whose `X-Forwarded-For` is believed,
    /// between commas.
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<Network>,
    /// `PMS_REQUESTS_PER_ADDRESS`: how many requests a second one address may send, and ten times
    /// as many at once; 0: any number.
    #[serde(deserialize_with = "number")]
    pub requests_per_address: u32,
    /// `PMS_REQUESTS_PER_CALLER`: the same for one caller; a heavy query counts for several.
    #[serde(deserialize_with = "number")]
    pub requests_per_caller: u32,
    /// `PMS_CONNECTIONS`: how many connections may be open; more of them wait.
    #[serde(deserialize_with = "number")]
    pub connections: u32,
    /// `PMS_LOG`: what to log, as a filter of `tracing`.
    pub log: String,
    /// `PMS_LOG_FORMAT`: `text` for people, `json` for machines.
    pub log_format: LogFormat,
}

/// Whether some commands need a second person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FourEyes {
    /// They are proposed first, and confirmed by somebody else.
    On,
    /// One person is enough.
    Off,
}

/// Whether an uploaded certificate needs a proof that its private key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofOfPossession {
    /// A challenge has to be signed with the private key.
    On,
    /// A proof is judged where one is given.
    Off,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let claims = ClaimNames::default();
        Self {
            database_url: None,
            owner_database_url: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from(".pms"),
            key_dir: None,
            oidc_issuer: vec![],
            oidc_audience: "pms".to_owned(),
            oidc_subject_claim: claims.subject,
            oidc_roles_claim: claims.roles,
            oidc_partners_claim: claims.partners,
            audit_origin: None,
            witness_policy: None,
            four_eyes: FourEyes::Off,
            proof_of_possession: ProofOfPossession::Off,
            graphiql: None,
            introspection: None,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            requests_per_address: REQUESTS_PER_ADDRESS,
            requests_per_caller: REQUESTS_PER_CALLER,
            connections: CONNECTIONS,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A setting is unknown or has a value that makes no sense.
    #[error("the configuration has an error: {0}")]
    Value(String),
    /// The development issuer must not be reachable from elsewhere.
    #[error(
        "anybody on this machine can make development tokens: \
         listen on a loopback address only, or set PMS_OIDC_ISSUER"
    )]
    DevelopmentIssuerExposed,
    /// Issuers that cannot be trusted, or not beside each other.
    #[error("the configuration has an error: oidc_issuer: {}", .0.join("; "))]
    Issuers(Vec<String>),
    /// No account for the own PostgreSQL.
    #[error(transparent)]
    Postgres(#[from] embedded_postgres::Error),
}

impl Config {
    /// Reads `file`, if any, and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let mut table = file.map_or_else(|| Ok(toml::Table::new()), read)?;
        for (name, value) in std::env::vars_os() {
            let Some(setting) = name.to_str().and_then(setting_of) else { continue };
            let value =
                value.into_string().map_err(|_| Error::Value(format!("{setting}: no text")))?;
            if !value.is_empty() {
                table.insert(setting, toml::Value::String(value));
            }
        }
        let mut config: Self = toml::Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| Error::Value(error.message().to_owned()))?;
        config.choose_data_dir()?;
        config.check()?;
        Ok(config)
    }

    /// Where the keys of the installation lie.
    pub fn key_dir(&self) -> PathBuf {
        self.key_dir.clone().unwrap_or_else(|| self.data_dir.join("keys"))
    }

    /// The issuers whose tokens are believed; none: the development issuer's are.
    pub fn issuers(&self) -> Vec<IssuerSettings> {
        let claims = ClaimNames {
            subject: self.oidc_subject_claim.clone(),
            roles: self.oidc_roles_claim.clone(),
            partners: self.oidc_partners_claim.clone(),
        };
        let complete = |entry: &IssuerEntry| entry.complete(&self.oidc_audience, &claims);
        self.oidc_issuer.iter().map(complete).collect()
    }

    /// What the keys that are issued here open: a system that believes tokens made on its own
    /// machine is a test system.
    pub fn environment(&self) -> Environment {
        let issuers = self.issuers();
        let is_live = !issuers.is_empty() && issuers.iter().all(|it| it.url.starts_with("https:"));
        if is_live { Environment::Live } else { Environment::Test }
    }

    /// How the node meets the network.
    pub fn transport(&self) -> Transport {
        let by_default = if self.oidc_issuer.is_empty() { Switch::On } else { Switch::Off };
        let is_on = |switch: Option<Switch>| switch.unwrap_or(by_default) == Switch::On;
        Transport {
            per_address: RateLimit::per_second(self.requests_per_address),
            per_caller: RateLimit::per_second(self.requests_per_caller),
            graphiql: is_on(self.graphiql),
            introspection: is_on(self.introspection),
            connections: self.connections,
            cors_origins: self.cors_origins.iter().map(|it| it.0.clone()).collect(),
            trusted_proxies: self.trusted_proxies.iter().map(|it| it.0).collect(),
            ..Transport::default()
        }
    }

    /// Whether the service runs a PostgreSQL of its own.
    pub fn is_embedded(&self) -> bool {
        self.database_url.is_none()
    }

    /// As root, where the account that PostgreSQL runs as cannot reach the default folder, another
    /// one is taken.
    fn choose_data_dir(&mut self) -> Result<(), Error> {
        let is_default = self.data_dir == Self::default().data_dir;
        self.data_dir = std::path::absolute(&self.data_dir)
            .map_err(|source| Error::File { path: self.data_dir.clone(), source })?;
        if !is_default || !self.is_embedded() {
            return Ok(());
        }
        if let Some(account) = server_account(&self.data_dir)?
            && !reachable(&self.data_dir, &account)
        {
            self.data_dir = PathBuf::from(ROOT_DATA_DIR);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        if self.oidc_issuer.is_empty() && !self.listen.ip().is_loopback() {
            return Err(Error::DevelopmentIssuerExposed);
        }
        let findings = settings::findings(&self.issuers());
        if !findings.is_empty() {
            return Err(Error::Issuers(findings));
        }
        if self.connections == 0 {
            return Err(Error::Value("connections: at least one is needed".to_owned()));
        }
        let filter = EnvFilter::try_new(&self.log);
        filter.map(drop).map_err(|error| Error::Value(format!("log: {error}")))
    }
}

fn read(path: &Path) -> Result<toml::Table, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::File { path: path.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        Error::Value(format!("{}: {}", path.display(), error.message()))
    })
}

/// An origin as browsers tell it: scheme, host and, where it is not the usual one, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "an origin is https://host or https://host:port, without a path";
        let uri: Uri = text.parse().map_err(|_| expected)?;
        let is_web = ["https", "http"].contains(&uri.scheme_str().unwrap_or_default());
        // Browsers tell it in small letters, and compare letter by letter.
        let is_origin = is_web && uri.path_and_query().is_none_or(|it| it == "/");
        if !is_origin || text.ends_with('/') || text != text.to_ascii_lowercase() {
            return Err(expected);
        }
        text.parse().map(Self).map_err(|_| expected)
    }
}

/// An address, or a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let network = address.or_else(|_| text.parse());
        network.map(Self).map_err(|_| "a proxy is an address or a network such as 10.0.0.0/8")
    }
}

/// In the environment everything is text.
fn number<'de, D: Deserializer<'de>>(input: D) -> Result<u32, D::Error> {
    let text = match toml::Value::deserialize(input)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    text.trim().parse().map_err(|_| D::Error::custom(format!("{text} is no number from 0 on")))
}

/// Texts between commas.
fn list<'de, D, T>(input: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = &'static str>,
{
    let text = String::deserialize(input)?;
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    parts.map(|it| it.parse().map_err(|why| D::Error::custom(format!("{it}: {why}")))).collect()
}

/// The setting that an environment variable means. `PMS_POSTGRES_BIN` belongs to the launcher,
/// `PMS_CONFIG` names the file.
fn setting_of(variable: &str) -> Option<String> {
    match variable {
        "DATABASE_URL" => Some("database_url".to_owned()),
        "PMS_POSTGRES_BIN" | "PMS_CONFIG" => None,
        _ => variable.strip_prefix("PMS_").map(str::to_lowercase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(parsed("listn = '127.0.0.1:1'").is_err());
        assert!(parsed("listen = '127.0.0.1:1'").is_ok());
    }

    #[test]
    fn the_development_issuer_is_never_reachable_from_elsewhere() {
        for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[2001:db8::1]:80"] {
            let open = parsed(&format!("listen = '{listen}'")).unwrap();
            assert!(matches!(open.check(), Err(Error::DevelopmentIssuerExposed)), "{listen}");
            let issuer = "oidc_issuer = 'https://id.example'";
            let external = parsed(&format!("listen = '{listen}'\n{issuer}")).unwrap();
            assert!(external.check().is_ok(), "{listen}");
        }
        for listen in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"] {
            assert!(parsed(&format!("listen = '{listen}'")).unwrap().check().is_ok(), "{listen}");
        }
    }

    #[test]
    fn issuers_that_cannot_be_trusted_are_refused_all_at_once() {
        let text = "oidc_issuer = 'http://id.example,https://id.example'";
        let Err(Error::Issuers(findings)) = parsed(text).unwrap().check() else { panic!() };
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn what_is_said_for_all_issuers_holds_for_those_who_say_nothing_else() {
        let text =
            "oidc_audience = 'ours'\noidc_roles_claim = 'roles'\noidc_issuer = 'https://a.example'";
        let issuers = parsed(text).unwrap().issuers();
        assert_eq!(
            (issuers[0].audience.as_str(), issuers[0].claims.roles.as_str()),
            ("ours", "roles")
        );
    }

    #[test]
    fn only_a_system_that_believes_no_token_of_this_machine_is_live() {
        let environment = |text: &str| parsed(text).unwrap().environment();
        assert_eq!(environment(""), Environment::Test);
        assert_eq!(environment("oidc_issuer = 'https://id.example'"), Environment::Live);
        let mixed = "oidc_issuer = 'https://id.example,t:=http://127.0.0.1:8180'";
        assert_eq!(environment(mixed), Environment::Test);
    }

    #[test]
    fn what_helps_to_attack_is_shown_only_with_the_development_issuer() {
        let shown = |config: Config| {
            let transport = config.transport();
            (transport.graphiql, transport.introspection)
        };
        let external = "oidc_issuer = 'https://id.example'";
        assert_eq!(shown(Config::default()), (true, true));
        assert_eq!(shown(parsed(external).unwrap()), (false, false));
        let asked = parsed(&format!("{external}\nintrospection = 'on'")).unwrap();
        assert_eq!(shown(asked), (false, true));
    }

    #[test]
    fn numbers_and_lists_are_read_from_text_too() {
        let text = "requests_per_caller = '7'\nconnections = 9\n\
                    cors_origins = 'https://a.example, http://localhost:3000'\n\
                    trusted_proxies = '10.0.0.0/8,::1'";
        let config = parsed(text).unwrap();
        assert_eq!((config.requests_per_caller, config.connections), (7, 9));
        assert_eq!((config.cors_origins.len(), config.trusted_proxies.len()), (2, 2));
        for wrong in [
            "connections = '-1'",
            "connections = 'many'",
            "cors_origins = '*'",
            "cors_origins = 'https://a.example/'",
            "cors_origins = 'https://a.example/path'",
            "cors_origins = 'a.example'",
            "trusted_proxies = '10.0.0.0/33'",
            "graphiql = 'maybe'",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        let none = Config { connections: 0, ..Config::default() };
        assert!(matches!(none.check(), Err(Error::Value(_))));
    }

    #[test]
    fn a_log_filter_that_makes_no_sense_is_refused() {
        let log = "info,=".to_owned();
        assert!(matches!(Config { log, ..Config::default() }.check(), Err(Error::Value(_))));
    }

    #[test]
    fn every_variable_of_ours_means_a_setting() {
        assert_eq!(setting_of("PMS_LOG_FORMAT").as_deref(), Some("log_format"));
        assert_eq!(setting_of("HOME"), None);
    }
}
