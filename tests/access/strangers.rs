//! What a stranger learns of what is not his: not even that it exists. The answers to a question
//! about a thing of somebody else and about a thing that does not exist are the same, to the letter,
//! and cost the same statements.

use super::mutations::mutations;
use super::queries::queries;
use super::things::Things;
use crate::support::http::{Answer, App};
use crate::support::statements::Statements;
use domain::actor::{On, Operation, Role, grant};
use serde_json::Value;
use strum::IntoEnumIterator as _;

/// One role that may do this on its own things only, and one that may not at all.
fn strangers(operation: Operation) -> impl Iterator<Item = Role> {
    let own = Role::iter().find(|role| grant(*role, operation) == Some(On::Own));
    let none = Role::iter().find(|role| grant(*role, operation).is_none());
    own.into_iter().chain(none)
}

/// The whole answer, without what names the request, and the statements that it took.
async fn told(
    statements: &Statements,
    question: impl Future<Output = Answer>,
) -> (u16, Value, Vec<String>) {
    let (mut answer, asked) = statements.of(question).await;
    for error in answer.body["errors"].as_array_mut().into_iter().flatten() {
        error["extensions"]["correlationId"].take();
    }
    (answer.status, answer.body, asked)
}

#[tokio::test]
async fn a_stranger_learns_the_same_of_what_is_not_his_as_of_what_does_not_exist() {
    let (app, statements) = App::counted().await;
    let things = Things::of(&app).await;
    let invented = things.invented();
    let mut wrong = Vec::new();
    let mut compare = |role: Role, name: &str, real, none| {
        if real != none {
            wrong.push(format!("{role} {name}:\n{real:#?}\n{none:#?}"));
        }
    };
    for (real, none) in mutations(&things).iter().zip(&mutations(&invented)) {
        for role in strangers(real.operation) {
            let mallory = app.person("mallory", role);
            let of_real = told(&statements, real.asked_by(&mallory, false)).await;
            let of_none = told(&statements, none.asked_by(&mallory, false)).await;
            compare(role, real.name, of_real, of_none);
        }
    }
    for (real, none) in queries(&things).iter().zip(&queries(&invented)) {
        for role in strangers(real.operation) {
            let mallory = app.person("mallory", role);
            let of_real = told(&statements, real.asked_by(&mallory)).await;
            let of_none = told(&statements, none.asked_by(&mallory)).await;
            compare(role, &real.text, of_real, of_none);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
