//! What a stranger learns of what is not his: not even that it exists. The answers to a question
//! about a thing of somebody else and about a thing that does not exist are the same, to the letter,
//! and cost the same statements.

use super::things::Things;
use super::wishes::{mutations, queries};
use crate::support::http::{Answer, App};
use domain::actor::{On, Operation, Role, grant};
use serde_json::Value;
use strum::IntoEnumIterator as _;

/// One role that may do this on its own things only, and one that may not at all.
fn strangers(operation: Operation) -> impl Iterator<Item = Role> {
    let own = Role::iter().find(|role| grant(*role, operation) == Some(On::Own));
    let none = Role::iter().find(|role| grant(*role, operation).is_none());
    own.into_iter().chain(none)
}

/// The whole answer, without what names the request.
fn told(mut answer: Answer) -> (u16, Value) {
    for error in answer.body["errors"].as_array_mut().into_iter().flatten() {
        error["extensions"]["correlationId"].take();
    }
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_stranger_learns_the_same_of_what_is_not_his_as_of_what_does_not_exist() {
    let (app, statements) = App::counted().await;
    let things = Things::of(&app).await;
    let invented = things.invented();
    let mut wrong = Vec::new();
    for (real, none) in mutations(&things).iter().zip(&mutations(&invented)) {
        for role in strangers(real.operation) {
            let mallory = app.person("mallory", role);
            let (real_answer, real_cost) = statements.of(real.asked_by(&mallory, false)).await;
            let (answer, cost) = statements.of(none.asked_by(&mallory, false)).await;
            if (told(real_answer), &real_cost) != (told(answer), &cost) {
                wrong.push(format!("{role} {}:\n{real_cost:#?}\n{cost:#?}", real.name));
            }
        }
    }
    for (real, none) in queries(&things).iter().zip(&queries(&invented)) {
        for role in strangers(real.operation) {
            let mallory = app.person("mallory", role);
            let (real_answer, real_cost) = statements.of(real.asked_by(&mallory)).await;
            let (answer, cost) = statements.of(none.asked_by(&mallory)).await;
            if (told(real_answer), &real_cost) != (told(answer), &cost) {
                wrong.push(format!("{role} {}:\n{real_cost:#?}\n{cost:#?}", real.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
