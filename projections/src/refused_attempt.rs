//! What people tried and were refused: beside the log, for 90 days.
//!
//! A person's attempts are personal data: they are told to him, and erased with the origins of his
//! changes ([`crate::private_rows`]).

use crate::Result;
use crate::page::{Conditions, Direction, Key, Page, PageRequest, Query, Statement, TimeFilter};
use async_graphql::{ID, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::collections::HashMap;
use uuid::Uuid;

/// Something that somebody tried and was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, SimpleObject)]
#[graphql(name = "RefusedAttempt")]
pub struct Row {
    /// Names the attempt.
    pub id: ID,
    /// When it was refused.
    pub at: DateTime<Utc>,
    /// The subject that tried.
    pub actor: String,
    /// The roles it acted in.
    pub roles: Vec<String>,
    /// The partners that it belonged to then.
    pub actor_partners: Vec<String>,
    /// The mutation, such as `suspendPartner`.
    pub operation: String,
    /// What kind of thing it was about, such as `partner`; null where the input does not say.
    pub noun: Option<String>,
    /// Which one, whether or not there is such a thing; null where the input has no id that could be
    /// one, and of a person.
    pub entity_id: Option<String>,
    /// Why it was refused: the code of each finding, such as `FORBIDDEN` or `PARTNER_SUSPENDED`; of the
    /// first 20 that differ in code or field.
    pub codes: Vec<String>,
    /// The field of the input that each finding is about; empty where it is about the whole.
    pub fields: Vec<String>,
    /// As the caller was told it.
    pub correlation_id: String,
    /// The request that was refused.
    #[graphql(skip)]
    pub request_id: Uuid,
    /// How many attempts this actor made after this one that are only counted: more than 1,000 in an
    /// hour are not kept one by one.
    pub more: i64,
}

/// Which attempts to list. All conditions have to hold.
#[derive(Debug, Clone, Default, InputObject)]
pub struct RefusedAttemptFilter {
    /// The subject that tried.
    pub actor: Option<String>,
    /// One of these mutations, such as `suspendPartner`.
    pub operation: Option<Vec<String>>,
    /// Refused for one of these reasons, such as `FORBIDDEN`.
    pub code: Option<Vec<String>>,
    /// The kind of thing that it was about, such as `partner`.
    pub noun: Option<String>,
    /// The id of the thing.
    pub id: Option<String>,
    /// As the caller was told it.
    pub correlation_id: Option<String>,
    /// The earliest time, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The end, itself excluded.
    pub to: Option<DateTime<Utc>>,
    /// What is tried with requests that were never submitted is for their partners.
    #[graphql(skip)]
    pub without_drafts: bool,
}

/// What somebody tried, newest first.
pub async fn list(
    db: &PgPool,
    filter: &RefusedAttemptFilter,
    page: &PageRequest,
) -> Result<Page<Row>> {
    query(filter).page(db, page).await
}

/// How many attempts there are in all.
pub async fn count(db: &PgPool, filter: &RefusedAttemptFilter) -> Result<i64> {
    query(filter).count(db).await
}

/// The statement of [`list`].
pub fn statement(filter: &RefusedAttemptFilter, page: &PageRequest) -> Result<Statement> {
    Ok(query(filter).page_statement(page)?.0)
}

/// The mutations that those who do not read drafts of requests may not use either.
const OF_NO_DRAFT: &str = "t.operation not in ('updateDraftPolicyRequest', 'submitPolicyRequest')";

fn query(filter: &RefusedAttemptFilter) -> Query {
    let mut conditions = Conditions::default();
    let texts = [
        ("t.actor = ?", &filter.actor),
        ("t.noun = ?", &filter.noun),
        ("t.entity_id = ?", &filter.id),
        ("t.correlation_id = ?", &filter.correlation_id),
    ];
    for (sql, text) in texts {
        if let Some(text) = text {
            conditions.add_text(sql, text.clone());
        }
    }
    conditions.any_of("t.operation", filter.operation.as_ref());
    if let Some(codes) = &filter.code {
        conditions.add_list("t.codes && ?", codes.clone());
    }
    if filter.without_drafts {
        conditions.add_plain(OF_NO_DRAFT);
    }
    conditions.time("t.at", Some(&TimeFilter { from: filter.from, to: filter.to }));
    Query {
        list: "refused_attempts".to_owned(),
        item: "t.id",
        row: "(select to_jsonb(r) from refused_attempts r where r.id = item)".to_owned(),
        sources: vec!["refused_attempts t".to_owned()],
        conditions,
        key: Key::time("t.at"),
        direction: Direction::Desc,
    }
}

/// From where attempts came, by the requests that were refused; without those that are kept no more.
pub async fn origins(db: &PgPool, attempts: &[&Row]) -> Result<HashMap<Uuid, (String, String)>> {
    let sql = "select request_id, client_address, user_agent from request_log \
               where request_id = any($1)";
    let requests: Vec<Uuid> = attempts.iter().map(|it| it.request_id).collect();
    let origins: Vec<(Uuid, String, String)> =
        sqlx::query_as(sql).bind(requests).fetch_all(db).await?;
    Ok(origins.into_iter().map(|(id, address, agent)| (id, (address, agent))).collect())
}
