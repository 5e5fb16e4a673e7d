//! What can be done: permission first, load what it depends on, decide, append.

mod issued;
mod unit;

pub mod api_key;
pub mod audit_log;
pub mod bootstrap;
pub mod consent;
pub mod device;
pub mod event_store;
pub mod expiry;
pub mod extractor;
pub mod follower;
pub mod ftm_chip;
pub mod installation;
pub mod keys;
pub mod misp_license;
pub mod oidc_client;
pub mod partner;
pub mod policy;
pub mod policy_group;
pub mod policy_request;
pub mod proposal;
pub mod refused_attempt;
pub mod retention;
pub mod sbi;
pub mod sealing;
pub mod subject;
pub mod trust_certificate;

pub use unit::{Change, Done};

use chrono::{DateTime, Utc};
use domain::Finding;
use domain::actor::Actor;
use domain::secret::Environment;
use event_store::EventStore;
use keys::Keys;
use projections::as_of::Point;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;
use uuid::Uuid;

/// All commands of the system. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Commands {
    store: EventStore,
    keys: Arc<Keys>,
    environment: Environment,
    appends: bool,
    four_eyes: bool,
    proof_of_possession: bool,
    as_of: Option<Point>,
    queues: Arc<Queues>,
}

/// Commands that write the same stream queue here, in this process, from load to reply.
type Queues = std::sync::Mutex<HashMap<event_store::StreamId, Weak<Mutex<()>>>>;

impl Commands {
    /// The commands over a log and the keys of the installation. Unless told otherwise they belong
    /// to a test system.
    pub fn new(store: EventStore, keys: Arc<Keys>) -> Self {
        Self {
            store,
            keys,
            environment: Environment::Test,
            appends: true,
            four_eyes: false,
            proof_of_possession: false,
            as_of: None,
            queues: Arc::default(),
        }
    }

    /// The same commands; what the keys that they issue say that they open.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    /// The same commands; whether new roots of trust and the ends of partners and policies need a
    /// second person, see [`proposal`].
    #[must_use]
    pub fn with_four_eyes(self, four_eyes: bool) -> Self {
        Self { four_eyes, ..self }
    }

    /// The same commands; whether who uploads a certificate of a partner has to show that he has
    /// its private key.
    #[must_use]
    pub fn with_proof_of_possession(self, proof_of_possession: bool) -> Self {
        Self { proof_of_possession, ..self }
    }

    /// The same commands over a log that ends in the past: nothing can be changed there, and now is
    /// then.
    #[must_use]
    pub fn as_of(self, point: Point) -> Self {
        Self { as_of: Some(point), ..self }
    }

    /// Where the past ends that is looked at; `None` in the present.
    pub fn past(&self) -> Option<Point> {
        self.as_of
    }

    /// Refuses with `READ_ONLY` where the past is looked at.
    pub fn permit_changes(&self) -> Result<(), Finding> {
        self.as_of.map_or(Ok(()), |_| Err(read_only()))
    }

    /// The instant of a question or a decision.
    pub fn now(&self) -> DateTime<Utc> {
        self.as_of.map_or_else(now, |point| point.at)
    }

    /// Whether new roots of trust and the ends of partners and policies need a second person.
    pub fn wants_four_eyes(&self) -> bool {
        self.four_eyes
    }

    /// Whether who uploads a certificate of a partner has to show that he has its private key.
    pub fn wants_proof_of_possession(&self) -> bool {
        self.proof_of_possession
    }

    /// The same commands, which decide as always and append nothing: [`Done::changes`] tells what
    /// would happen.
    #[must_use]
    pub fn preview(&self) -> Self {
        Self { appends: false, ..self.clone() }
    }

    /// The log.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// The keys of the installation.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}

/// One wish of one client.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub actor: Actor,
    /// Names this request in the log; leads to `request_log`.
    pub request_id: Uuid,
    /// Ties together everything that one wish causes; given by the client or made by us.
    pub correlation_id: String,
}

impl Request {
    /// A request of `actor`.
    pub fn new(actor: Actor) -> Self {
        let request_id = new_id();
        Self { actor, request_id, correlation_id: request_id.to_string() }
    }
}

/// What every input may carry beside its own fields.
pub trait Input: serde::Serialize + Sync {
    /// The mutation's name.
    const MUTATION: &'static str;
    /// Makes repeating the wish harmless.
    fn idempotency_key(&self) -> Option<&str>;
    /// The version of the object that the client has seen.
    fn expected_version(&self) -> Option<i64>;
}

/// Says which mutation an input struct belongs to. New objects have no version to expect; what the
/// system itself wishes carries nothing beside its fields.
macro_rules! input {
    ($name:ident, $mutation:literal, system) => {
        impl $crate::Input for $name {
            const MUTATION: &'static str = $mutation;
            fn idempotency_key(&self) -> Option<&str> {
                None
            }
            fn expected_version(&self) -> Option<i64> {
                None
            }
        }
    };
    ($name:ident, $mutation:literal, new) => {
        impl $crate::Input for $name {
            const MUTATION: &'static str = $mutation;
            fn idempotency_key(&self) -> Option<&str> {
                self.idempotency_key.as_deref()
            }
            fn expected_version(&self) -> Option<i64> {
                None
            }
        }
    };
    ($name:ident, $mutation:literal) => {
        impl $crate::Input for $name {
            const MUTATION: &'static str = $mutation;
            fn idempotency_key(&self) -> Option<&str> {
                self.idempotency_key.as_deref()
            }
            fn expected_version(&self) -> Option<i64> {
                self.expected_version
            }
        }
    };
}
pub(crate) use input;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule said no; all findings about the input together.
    #[error("refused")]
    Refused(Vec<Finding>),
    /// The actor's roles do not allow it.
    #[error("not allowed")]
    Forbidden,
    /// Something moved meanwhile, too often or against the caller's `expectedVersion`.
    #[error("something has changed meanwhile")]
    Conflict,
    /// Certainly not stored: try again later.
    #[error("the log cannot be reached")]
    Unavailable,
    /// May have been stored: repeat with the same idempotency key.
    #[error("the outcome is not known")]
    OutcomeUnknown,
    /// Our own fault; logged once at the border, never shown.
    #[error("fault")]
    Fault(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a command did, or why it did nothing.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A fault that has no source.
    pub fn fault(what: impl Into<String>) -> Self {
        Self::Fault(what.into().into())
    }

    /// A single refusal.
    pub fn refused(code: &'static str, field: &str, message: &str) -> Self {
        Self::Refused(vec![Finding::new(code, field, message)])
    }
}

impl From<Vec<Finding>> for Error {
    fn from(findings: Vec<Finding>) -> Self {
        Self::Refused(findings)
    }
}

impl From<projections::Error> for Error {
    fn from(error: projections::Error) -> Self {
        match error {
            projections::Error::Refused(findings) => Self::Refused(findings),
            projections::Error::Database(error) => error.into(),
            other @ projections::Error::Unreadable(_) => Self::Fault(other.into()),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if event_store::is_passing(&error) {
            Self::Unavailable
        } else if has_nul(&error) {
            let message = "Control characters are not allowed here.";
            Self::refused("CONTROL_CHARACTER", "", message)
        } else {
            Self::Fault(error.into())
        }
    }
}

/// Whether the question held U+0000, the one character that PostgreSQL has no place for. What is to be
/// stored was checked field by field; an id or a filter that nobody has is found out here.
fn has_nul(error: &sqlx::Error) -> bool {
    const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(CHARACTER_NOT_IN_REPERTOIRE)
}

/// What whoever wants to change the past is told.
pub(crate) fn read_only() -> Finding {
    let message = "This is the system as it was at a point in the past: nothing can be changed.";
    Finding::new("READ_ONLY", "", message)
}

/// What a clock says: the only place that reads the clock.
#[expect(clippy::disallowed_methods, reason = "decisions get the time as an argument from here")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A new name: the only place that makes one.
#[expect(clippy::disallowed_methods, reason = "decisions get ids as arguments from here")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::fault("no random numbers"))?;
    Ok(bytes)
}
