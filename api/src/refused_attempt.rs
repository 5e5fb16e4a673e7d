//! What people tried and were refused, in GraphQL; and how it is noted while a mutation runs.
//!
//! Every refusal passes the border of errors on its way out, so none is forgotten. A dry look
//! (`preview`) is no attempt; neither is what never became a mutation: a document that does not fit the
//! schema, a token that is none.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::list::part;
use crate::policy_request::without_drafts;
use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::parser::types::OperationType;
use async_graphql::{Context, Object, SimpleObject, Value};
use commands::{Commands, new_id, now};
use domain::Finding;
use domain::actor::Operation;
use projections::page::PageRequest;
use projections::refused_attempt::{RefusedAttemptFilter, Row, count, list, origins};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The fields of inputs that name what a mutation is about, the first that is there; and what they name.
const NAMING: [(&str, &str); 15] = [
    ("partnerId", "partner"),
    ("providerId", "partner"),
    ("ftpProviderId", "partner"),
    ("proposalId", "proposal"),
    ("apiKeyId", "api_key"),
    ("mispLicenseId", "misp_license"),
    ("oidcClientId", "oidc_client"),
    ("policyRequestId", "policy_request"),
    ("deviceId", "device"),
    ("ftmChipId", "ftm_chip"),
    ("sbiId", "sbi"),
    ("extractorId", "extractor"),
    ("trustCertificateId", "trust_certificate"),
    ("policyId", "policy"),
    ("policyGroupId", "policy_group"),
];

/// The longest id of anything: that of an OIDC client.
const LONGEST_ID: usize = 43;

/// How many reasons of one refusal are kept: lists of inputs can be long, and each row be wrong.
const MOST_REASONS: usize = 20;

/// What was refused while an operation ran.
#[derive(Clone, Default)]
pub struct Noted(Arc<Mutex<Vec<Row>>>);

impl Noted {
    /// Keeps all of it.
    pub async fn keep(&self, commands: &Commands) {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        commands.remember_refused(&noted).await;
    }
}

/// Notes that what a mutation wants, or the `row` of many of its wishes, is refused for these reasons.
pub fn note(ctx: &Context<'_>, findings: &[Finding], row: Option<usize>) {
    let is_wish = ctx.path_node.is_some_and(|node| node.parent.is_none());
    if !is_wish || ctx.query_env.operation.node.ty != OperationType::Mutation {
        return; // a question, or what is read of a thing that was changed
    }
    if let Some(Noted(noted)) = ctx.data_opt() {
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(attempt(ctx, findings, row));
    }
}

fn attempt(ctx: &Context<'_>, findings: &[Finding], row: Option<usize>) -> Row {
    let caller = caller(ctx);
    let (noun, entity_id) = input(ctx, row).and_then(|it| named(&it)).unwrap_or_default();
    let (codes, fields) = reasons(findings);
    Row {
        id: new_id().into(),
        at: now(),
        actor: caller.request.actor.subject.clone(),
        roles: caller.request.actor.roles.iter().map(ToString::to_string).collect(),
        actor_partners: caller.partners().iter().map(|id| id.as_str().to_owned()).collect(),
        operation: ctx.field().name().to_owned(),
        noun: noun.map(ToOwned::to_owned),
        entity_id,
        codes,
        fields,
        correlation_id: caller.request.correlation_id.clone(),
        request_id: caller.request.request_id,
        more: 0,
    }
}

/// The first findings by code and field, each once.
fn reasons(findings: &[Finding]) -> (Vec<String>, Vec<String>) {
    let mut seen = HashSet::new();
    let reasons = findings.iter().map(|it| (it.code, field(&it.field)));
    let distinct = reasons.filter(|reason| seen.insert(*reason)).take(MOST_REASONS);
    distinct.map(|(code, field)| (code.to_owned(), field.to_owned())).unzip()
}

/// The input of the wish.
fn input(ctx: &Context<'_>, row: Option<usize>) -> Option<Value> {
    let arguments = ctx.field().arguments().ok()?;
    let input = arguments.into_iter().find(|(name, _)| name == "input")?.1;
    let Some(row) = row else { return Some(input) };
    let Value::Object(mut fields) = input else { return None };
    let Some(Value::List(mut rows)) = fields.swap_remove("rows") else { return None };
    (row < rows.len()).then(|| rows.swap_remove(row))
}

/// What an input is about, as far as it says so; of a person not which one, for what others tried
/// could neither be told to him nor be erased.
fn named(input: &Value) -> Option<(Option<&'static str>, Option<String>)> {
    let Value::Object(fields) = input else { return None };
    let text = |field: &str| match fields.get(field)? {
        Value::String(text) => Some(text.as_str()),
        Value::Enum(word) => Some(word.as_str()),
        _ => None,
    };
    let found = NAMING.into_iter().find_map(|(field, noun)| Some((noun, text(field)?)));
    let of_subject = || match text("kind")? {
        "PARTNER" => Some(("partner", text("id")?)),
        "PERSON" => Some(("person", "")),
        _ => None,
    };
    let (noun, id) = found.or_else(of_subject)?;
    Some((Some(noun), is_id(id).then(|| id.to_owned())))
}

/// Whether a text could be an id. What could not is somebody's free text, and is not kept.
fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.chars().count())
        && text.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
}

/// The field of a finding. What lies in a policy's document is named by whoever wrote it, and so is told
/// by the document alone.
fn field(path: &str) -> &str {
    if path.starts_with("policies") { "policies" } else { path }
}

/// A part of the list of refused attempts.
pub type RefusedAttempts = Connection<String, Row, AllAttempts>;

/// What is asked of the whole list and not of a page.
pub struct AllAttempts(RefusedAttemptFilter);

#[Object]
impl AllAttempts {
    /// How many elements there are in all; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        answer(ctx, count(caller(ctx).pool(), &self.0).await)
    }
}

/// Questions about what was refused.
#[derive(Default)]
pub struct RefusedAttemptQuery;

#[Object]
impl RefusedAttemptQuery {
    /// Who tried what and why it was refused, newest first: every mutation that a rule or the
    /// permissions refused, of the last 90 days. It stands beside the log, for nothing has happened:
    /// `history` tells what has. No input is kept but the id of what it was about. What partners tried
    /// with drafts of their requests, only auditors see.
    async fn refused_attempts(
        &self,
        ctx: &Context<'_>,
        filter: Option<RefusedAttemptFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<RefusedAttempts> {
        let viewer = caller(ctx).viewer(ctx, Operation::ReadRefusedAttempt)?;
        let without_drafts = without_drafts(caller(ctx), &viewer);
        let filter = RefusedAttemptFilter { without_drafts, ..filter.unwrap_or_default() };
        let filter = by_then(ctx, filter);
        let page = PageRequest { first, after, last, before };
        let page = answer(ctx, list(caller(ctx).pool(), &filter, &page).await)?;
        Ok(part(page, AllAttempts(filter), |row| row))
    }
}

/// Where the past is looked at, what had been tried by then.
fn by_then(ctx: &Context<'_>, mut filter: RefusedAttemptFilter) -> RefusedAttemptFilter {
    if let Some(then) = caller(ctx).commands.past() {
        filter.to = Some(filter.to.map_or(then.at, |to| to.min(then.at)));
    }
    filter
}

/// What a person tried and was refused.
#[derive(SimpleObject)]
pub struct ExportedAttempt {
    #[graphql(flatten)]
    attempt: Row,
    /// The address from which it came; null once it is kept no more.
    client_address: Option<String>,
    /// The program that it came from, as it named itself; kept as long as the address.
    user_agent: Option<String>,
}

impl ExportedAttempt {
    fn of(attempt: Row, origin: Option<(String, String)>) -> Self {
        let (client_address, user_agent) = origin.unzip();
        Self { attempt, client_address, user_agent }
    }
}

/// A part of what a person was refused.
pub type ExportedAttempts = Connection<String, ExportedAttempt>;

/// What a person tried and was refused, newest first.
pub async fn of_person(
    ctx: &Context<'_>,
    person: &str,
    page: PageRequest,
) -> Result<ExportedAttempts> {
    let actor = Some(person.to_owned());
    let filter = by_then(ctx, RefusedAttemptFilter { actor, ..RefusedAttemptFilter::default() });
    let page = answer(ctx, list(caller(ctx).pool(), &filter, &page).await)?;
    let attempts: Vec<_> = page.rows.iter().map(|(_, attempt)| attempt).collect();
    let origins = answer(ctx, origins(caller(ctx).pool(), &attempts).await)?;
    Ok(part(page, EmptyFields, |attempt| {
        let origin = origins.get(&attempt.request_id).cloned();
        ExportedAttempt::of(attempt, origin)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_schema;
    use async_graphql::parser::types::{ServiceDocument, TypeKind, TypeSystemDefinition};
    use serde_json::json;
    use std::collections::BTreeSet;

    fn told(input: serde_json::Value) -> (Option<&'static str>, Option<String>) {
        named(&Value::from_json(input).unwrap()).unwrap_or_default()
    }

    #[test]
    fn an_attempt_is_about_what_its_input_names() {
        let about = |noun, id: &str| (Some(noun), Some(id.to_owned()));
        assert_eq!(told(json!({"apiKeyId": "k", "reason": "acme"})), about("api_key", "k"));
        assert_eq!(told(json!({"policyId": "p", "partnerId": "acme"})), about("partner", "acme"));
        assert_eq!(told(json!({"policyGroupId": "g", "policyId": "p"})), about("policy", "p"));
        assert_eq!(told(json!({"kind": "PARTNER", "id": "acme"})), about("partner", "acme"));
        assert_eq!(told(json!({"kind": "PERSON", "id": "joe"})), (Some("person"), None));
        assert_eq!(told(json!({"name": "Banking"})), (None, None));
        assert_eq!(told(json!([])), (None, None));
    }

    /// The fields of inputs that end in `Id`.
    fn naming_fields() -> BTreeSet<String> {
        let ServiceDocument { definitions } = parse_schema(crate::schema::sdl()).unwrap();
        let inputs = definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(it) => Some(it.node),
            _ => None,
        });
        let inputs = inputs.filter(|it| it.name.node.ends_with("Input"));
        let fields = inputs.flat_map(|it| match it.kind {
            TypeKind::InputObject(it) => it.fields,
            _ => Vec::new(),
        });
        let names = fields.map(|it| it.node.name.node.to_string());
        names.filter(|name| name.ends_with("Id")).collect()
    }

    #[test]
    fn every_field_that_names_a_thing_is_known() {
        let known: BTreeSet<String> = NAMING.iter().map(|(field, _)| (*field).to_owned()).collect();
        let others = ["emailId", "keyId"].map(ToOwned::to_owned).into();
        assert_eq!(&naming_fields() - &others, known);
    }

    #[test]
    fn what_is_no_id_is_not_kept() {
        let nothing = (Some("partner"), None);
        let long = "a".repeat(44);
        for text in ["", "Joe Miller, 7 Cedar Lane", "joe@acme.example", "a\nb", "<b>", &long] {
            assert_eq!(told(json!({"partnerId": text})), nothing, "{text}");
        }
        assert_eq!(field("policies.joe_miller[2]"), "policies");
        assert_eq!(field("devices[3].make"), "devices[3].make");
    }
}
