//! The search over everything that has a name, in GraphQL.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::{policy, policy_request};
use async_graphql::{Context, Object};
use commands::Error;
use projections::noun::Noun;
use projections::search::{Scope, SearchHit, has_name, search};
use std::collections::BTreeMap;
use strum::VariantArray as _;

/// The search.
#[derive(Default)]
pub struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Searches ids, names and labels of everything that the caller may see, ignoring case; no
    /// personal data. `text` has 2 to 64 characters. First comes what is called so, then what begins
    /// with it, then what contains it (3 characters or more; ids that the system made are found by
    /// their beginning only). 20 hits unless `first` says otherwise, at most 200.
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "2 to 64 characters.")] text: String,
        first: Option<i32>,
    ) -> Result<Vec<SearchHit>> {
        let scopes = scopes(ctx);
        if scopes.is_empty() {
            return answer(ctx, Err(Error::Forbidden));
        }
        answer(ctx, search(caller(ctx).pool(), &scopes, &text, first).await)
    }
}

/// Whose things of each kind the caller may see.
fn scopes(ctx: &Context<'_>) -> BTreeMap<Noun, Scope> {
    let caller = caller(ctx);
    let scope = |noun: &Noun| {
        let viewer = caller.sees(noun.operation())?;
        let without_drafts = match noun {
            Noun::Policy => policy::without_drafts(caller),
            Noun::PolicyRequest => policy_request::without_drafts(caller, &viewer),
            _ => false,
        };
        Some((*noun, Scope { viewer, without_drafts }))
    };
    Noun::VARIANTS.iter().filter(|noun| has_name(**noun)).filter_map(scope).collect()
}
