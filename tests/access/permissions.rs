//! Every query and every mutation, asked by every kind of caller: what they are told is what the
//! permission table of `domain::actor` says, and nothing else.
//!
//! A kind of caller is a role in the token and what its bearer is to the partner that owns what is
//! asked about.

use super::mutations::mutations;
use super::outcome::Outcome;
use super::queries::{APART, OPEN, Query, queries};
use super::subscriptions::SUBSCRIPTIONS;
use super::things::{PEOPLE, Things};
use crate::support::http::App;
use domain::actor::{MemberRole, On, Operation, Role, grant, member_may};
use domain::reference::{PartnerType, RegisteredBy};
use serde_json::json;
use std::collections::BTreeSet;
use strum::{IntoEnumIterator as _, VariantArray as _};

/// What the table says.
pub fn expected(role: Role, member: Option<MemberRole>, operation: Operation) -> Outcome {
    let is_personal = matches!(operation, Operation::GiveConsent | Operation::WithdrawConsent);
    match (grant(role, operation), member) {
        (None, _) => Outcome::Forbidden,
        (Some(On::Any), _) => Outcome::Allowed,
        (Some(On::Own), _) if is_personal => Outcome::Allowed,
        // What somebody has consented to belongs to no partner.
        (Some(On::Own), _) if operation == Operation::ReadConsent => Outcome::NotThere,
        (Some(On::Own), None) => Outcome::NotThere,
        (Some(On::Own), Some(member)) if member_may(member, operation) => Outcome::Allowed,
        (Some(On::Own), Some(_)) => Outcome::Forbidden,
    }
}

async fn head(app: &App) -> i64 {
    app.installation.database.head().await
}

/// Every kind of caller: subject, role of the token, role at the owner.
pub fn callers() -> impl Iterator<Item = (&'static str, Role, Option<MemberRole>)> {
    let kinds = |role| PEOPLE.map(|(subject, member)| (subject, role, member));
    Role::iter().flat_map(kinds)
}

#[tokio::test]
async fn every_mutation_is_granted_and_refused_as_the_table_says() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    let (mutations, previews) = (mutations(&things), names(&app, "Previews").await);
    let before = head(&app).await;
    let mut wrong = Vec::new();
    for (subject, role, member) in callers() {
        let caller = app.person(subject, role);
        for mutation in &mutations {
            let expected = expected(role, member, mutation.operation);
            let mut outcomes = vec![mutation.asked_by(&caller, false).await];
            if previews.contains(mutation.name) {
                outcomes.push(mutation.asked_by(&caller, true).await);
            }
            for answer in outcomes {
                if mutation.outcome(&answer) != expected {
                    let name = mutation.name;
                    wrong.push(format!("{role} {member:?} {name}: {expected:?}, not {answer:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(head(&app).await, before, "something was stored");
}

#[tokio::test]
async fn every_query_shows_and_hides_what_the_table_says() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    let mut wrong = Vec::new();
    for (subject, role, member) in callers() {
        let caller = app.person(subject, role);
        for query in &queries(&things) {
            let expected = match expected(role, member, query.operation) {
                Outcome::Forbidden if query.is_hidden => Outcome::NotThere,
                other => other,
            };
            let answer = query.asked_by(&caller).await;
            if query.outcome(&answer) != expected {
                let Query { name, text, .. } = query;
                wrong.push(format!(
                    "{role} {member:?} {name}: {expected:?}, not {answer:?}\n{text}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_partner_registers_itself_where_its_type_does_and_the_role_fits() {
    let app = App::start().await;
    for role in Role::iter() {
        for partner_type in PartnerType::VARIANTS {
            let terms = partner_type.terms();
            let granted = grant(role, Operation::RegisterPartner).is_some();
            let fits = terms.role == role && terms.registered_by == RegisteredBy::Itself;
            let input = json!({"partnerId": "", "organizationName": "", "address": "",
                               "partnerType": partner_type, "contactNumber": "", "emailId": ""});
            let answer = app.person("bob", role).does("registerPartner", input, "position").await;
            let is_told = answer.codes().contains(&"FORBIDDEN");
            let names_a_member = grant(role, Operation::RegisterPartnerForOthers).is_some();
            assert_eq!(is_told, !(names_a_member || granted && fits), "{role} {partner_type}");
            assert_eq!(answer.codes() == ["MEMBER_NEEDED"], names_a_member, "{role} {answer:?}");
        }
    }
}

#[tokio::test]
async fn nobody_without_a_role_may_do_or_see_anything() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    let hour = chrono::TimeDelta::hours(1);
    let token = app.issuer.issue("mona", &[], &[], commands::now(), hour).unwrap();
    let mona = app.bearer(token);
    for mutation in &mutations(&things) {
        let answer = mutation.asked_by(&mona, false).await;
        assert_eq!(mutation.outcome(&answer), Outcome::Forbidden, "{}", mutation.name);
    }
    for query in &queries(&things) {
        let answer = query.asked_by(&mona).await;
        assert_eq!(query.outcome(&answer), Outcome::Forbidden, "{}", query.name);
    }
}

/// The names of the fields of a type.
pub async fn names(app: &App, of: &str) -> BTreeSet<String> {
    let query = format!("{{ __type(name: \"{of}\") {{ fields {{ name }} }} }}");
    let answer = app.admin().asks(&query, json!({})).await;
    let fields = answer.data()["__type"]["fields"].as_array().unwrap();
    fields.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// Whatever is new in the schema has to be asked by every kind of caller, too.
#[tokio::test]
async fn nothing_in_the_schema_escapes_the_tables() {
    let app = App::start().await;
    let things = Things::of(&app).await;
    let (mutations, queries) = (mutations(&things), queries(&things));

    let known: BTreeSet<String> = mutations.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(names(&app, "Mutation").await, known);
    assert!(names(&app, "Previews").await.is_subset(&known));
    let open = OPEN.iter().map(|(name, _)| *name);
    let known = queries.iter().map(|it| it.name).chain(open).chain(APART);
    assert_eq!(names(&app, "Query").await, known.map(ToOwned::to_owned).collect());
    let known = SUBSCRIPTIONS.map(ToOwned::to_owned);
    assert_eq!(names(&app, "Subscription").await, known.into());

    let tried = mutations.iter().map(|it| it.operation);
    let tried = tried.chain(queries.iter().map(|it| it.operation));
    // The entries of the whole log are files (`audit/files.rs`).
    let apart = [Operation::RegisterPartner, Operation::ReadLogEntries];
    let tried: Vec<Operation> = tried.chain(apart).collect();
    let untried: Vec<Operation> = Operation::iter().filter(|it| !tried.contains(it)).collect();
    assert!(untried.is_empty(), "no query or mutation needs these: {untried:?}");
}

#[tokio::test]
async fn what_is_open_is_open_to_everybody_with_a_token() {
    let app = App::start().await;
    let fields: Vec<String> =
        OPEN.iter().map(|(name, fields)| format!("{name} {fields}")).collect();
    for (subject, role, _) in callers() {
        let query = format!("{{ {} }}", fields.join(" "));
        let answer = app.person(subject, role).asks(&query, json!({})).await;
        assert!(answer.codes().is_empty(), "{role}: {answer:?}");
    }
}
