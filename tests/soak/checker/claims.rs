//! Names, folded from the events anew, by nothing of the product but the form in which names are
//! compared.

use super::super::stored::Event;
use super::{Case, Rule, Violation};
use domain::text::normal;
use std::collections::BTreeMap;

type Name = (String, String);

/// The kinds of names that are folded here.
const KINDS: [&str; 4] = ["policy_group_name", "extractor_name", "partner_id", "api_key_label"];

/// Folds all names over every prefix of the log: nobody takes what another holds, and in the end
/// the table of names says the same.
pub(super) fn check(case: &Case) -> Vec<Violation> {
    let mut found = vec![];
    let mut holders: BTreeMap<Name, String> = BTreeMap::new();
    let mut held: BTreeMap<String, Name> = BTreeMap::new();
    for event in &case.stored.events {
        let stream = format!("{}/{}", event.noun, event.id);
        let Some(change) = change(event) else { continue };
        if let Some(old) = held.remove(&stream) {
            holders.remove(&old);
        }
        let Some(new) = change else { continue };
        if let Some(other) = holders.insert(new.clone(), stream.clone()) {
            let place = format!("{new:?} of {other} is taken at {}", event.position);
            found.push(Rule::Claims.broken(place));
        }
        held.insert(stream, new);
    }
    found.extend(differences(&holders, &case.stored.claims));
    found
}

fn differences(folded: &BTreeMap<Name, String>, table: &BTreeMap<Name, String>) -> Vec<Violation> {
    let ours = table.iter().filter(|((kind, _), _)| KINDS.contains(&kind.as_str()));
    let unknown = ours.filter(|(name, holder)| folded.get(*name) != Some(*holder));
    let missing = folded.iter().filter(|(name, _)| !table.contains_key(*name));
    let place = |(name, holder)| format!("claims and events differ in {name:?}: {holder}");
    unknown.chain(missing).map(|it| Rule::Claims.broken(place(it))).collect()
}

/// What an event does to the name that its stream holds: `Some(None)` gives it back.
fn change(event: &Event) -> Option<Option<Name>> {
    let name = |kind: &str, key: String| Some(Some((kind.to_owned(), key)));
    match (&*event.noun, &*event.event_type) {
        ("policy_group", "created" | "updated") => {
            name("policy_group_name", normal(event.text("name")))
        }
        ("extractor", "created") => name("extractor_name", normal(event.text("name"))),
        ("partner", "registered") => name("partner_id", normal(&event.id)),
        ("api_key", "generated") => {
            let (partner, policy) = (event.text("partner_id"), event.text("policy_id"));
            let label = normal(event.text("label"));
            name("api_key_label", format!("{partner}/{policy}/{label}"))
        }
        ("extractor", "deleted") | ("api_key", "rotated") => Some(None),
        _ => None,
    }
}
