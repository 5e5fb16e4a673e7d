//! What can be asked: one fold and its queries per noun.
//!
//! A read table is a fold of the log, keyed by the id of its noun. The appender folds each event in
//! the transaction that writes it; [`rebuild`] folds the whole log again with the same function.

mod folded;
mod read_schema;

pub mod api_key;
pub mod as_of;
pub mod audit;
pub mod change;
pub mod consent;
pub mod credential;
pub mod dashboard;
pub mod device;
pub mod diff;
pub mod expiring;
pub mod extractor;
pub mod fold;
pub mod follower;
pub mod ftm_chip;
pub mod held;
pub mod history;
pub mod issued;
pub mod log;
pub mod migrate;
pub mod misp_license;
pub mod noun;
pub mod oidc_client;
pub mod page;
pub mod partner;
pub mod policy;
pub mod policy_group;
pub mod policy_request;
pub mod private_rows;
pub mod proposal;
pub mod rebuild;
pub mod refused_attempt;
pub mod sbi;
pub mod search;
pub mod soundness;
pub mod subject;
pub mod trust_certificate;
pub mod verify;

use domain::Finding;
use domain::ids::PartnerId;
use fold::ReadTable;
use sqlx::postgres::PgConnectOptions;

/// Every read table.
pub const TABLES: [ReadTable; 14] = [
    ReadTable::of::<partner::Row>(),
    ReadTable::of::<trust_certificate::Row>(),
    ReadTable::of::<policy_group::Row>(),
    ReadTable::of::<policy::Row>(),
    ReadTable::of::<policy_request::Row>(),
    ReadTable::of::<extractor::Row>(),
    ReadTable::of::<api_key::Row>(),
    ReadTable::of::<misp_license::Row>(),
    ReadTable::of::<proposal::Row>(),
    ReadTable::of::<consent::Row>(),
    ReadTable::of::<oidc_client::Row>(),
    ReadTable::of::<sbi::Row>(),
    ReadTable::of::<device::Row>(),
    ReadTable::of::<ftm_chip::Row>(),
];

/// The live schema of the read tables.
pub const READ: &str = "read";

/// Lets a connection find the read tables of `schema` by their names alone, as all read SQL has
/// them; what is not there, such as the log, is found in `public`.
pub fn reading(options: PgConnectOptions, schema: &str) -> PgConnectOptions {
    options.options([("search_path", format!("{schema},public"))])
}

/// Whose rows a query may see. Every `list` and `find` asks for it, so it cannot be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// Staff and auditors: all rows.
    All,
    /// Members of these partners: their rows.
    Partners(Vec<PartnerId>),
}

impl Viewer {
    /// Whether rows of this partner may be shown.
    pub fn sees(&self, partner: &PartnerId) -> bool {
        match self {
            Self::All => true,
            Self::Partners(own) => own.contains(partner),
        }
    }

    /// The ids to compare with; `None` stands for all.
    pub fn partner_ids(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Partners(own) => Some(own.iter().map(|id| id.as_str().to_owned()).collect()),
        }
    }
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The question makes no sense; all that is wrong with it.
    #[error("the question has errors")]
    Refused(Vec<Finding>),
    /// PostgreSQL is out of reach or said something unexpected.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Stored data cannot be read: a fault of ours or a broken installation.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
}

impl From<serde_json::Error> for Error {
    /// Only the place is kept: the text around it may hold personal data.
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(format!("line {} column {}", error.line(), error.column()))
    }
}

/// The answer of a query, or why there is none.
pub type Result<T> = std::result::Result<T, Error>;
