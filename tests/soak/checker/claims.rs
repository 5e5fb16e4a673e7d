//! Names, folded from the events anew, by nothing of the product but the form in which names are
//! compared.

use super::super::history::Name;
use super::super::stored::Event;
use super::{Case, Rule, Violation};
use domain::text::normal;
use std::collections::{BTreeMap, HashMap};

/// The kinds of names that are folded here.
const KINDS: [&str; 4] = ["policy_group_name", "extractor_name", "partner_id", "api_key_label"];

/// How long a stream held a name.
pub(super) struct Tenure {
    pub name: Name,
    /// `<noun>/<id>`
    pub holder: String,
    /// The position that took it.
    pub from: i64,
    /// The position that gave it back.
    pub until: Option<i64>,
}

/// Nobody takes what another holds, at whichever position, and in the end the table of names says
/// the same.
pub(super) fn check(case: &Case) -> Vec<Violation> {
    let mut found = vec![];
    let mut holders: BTreeMap<&Name, &Tenure> = BTreeMap::new();
    let tenures = tenures(&case.stored.events);
    for tenure in &tenures {
        let Tenure { name, holder, from, .. } = tenure;
        let before = holders.insert(name, tenure);
        if let Some(other) = before.filter(|it| it.until.is_none_or(|until| until > *from)) {
            let place = format!("{name:?} of {} is taken by {holder} at {from}", other.holder);
            found.push(Rule::Claims.broken(place));
        }
    }
    let last = tenures.iter().filter(|tenure| tenure.until.is_none());
    let last = last.map(|tenure| (tenure.name.clone(), tenure.holder.clone())).collect();
    found.extend(differences(&last, &case.stored.claims));
    found
}

/// Folds all names over the log: who held which from where to where, in order of taking.
pub(super) fn tenures(events: &[Event]) -> Vec<Tenure> {
    let mut tenures: Vec<Tenure> = vec![];
    let mut present: HashMap<String, usize> = HashMap::new();
    for event in events {
        let holder = format!("{}/{}", event.noun, event.id);
        let Some(change) = change(event) else { continue };
        if let Some(place) = present.remove(&holder) {
            tenures[place].until = Some(event.position);
        }
        if let Change::Takes(name) = change {
            present.insert(holder.clone(), tenures.len());
            tenures.push(Tenure { name, holder, from: event.position, until: None });
        }
    }
    tenures
}

fn differences(folded: &BTreeMap<Name, String>, table: &BTreeMap<Name, String>) -> Vec<Violation> {
    let ours = table.iter().filter(|((kind, _), _)| KINDS.contains(&kind.as_str()));
    let unknown = ours.filter(|(name, holder)| folded.get(*name) != Some(*holder));
    let missing = folded.iter().filter(|(name, _)| !table.contains_key(*name));
    let place = |(name, holder)| format!("claims and events differ in {name:?}: {holder}");
    unknown.chain(missing).map(|it| Rule::Claims.broken(place(it))).collect()
}

/// What happens to the name that a stream holds; what it held before is free.
enum Change {
    Takes(Name),
    GivesBack,
}

fn change(event: &Event) -> Option<Change> {
    let name = |kind: &str, key: String| Some(Change::Takes((kind.to_owned(), key)));
    match (&*event.noun, &*event.kind) {
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
        ("extractor", "deleted") | ("api_key", "rotated") => Some(Change::GivesBack),
        _ => None,
    }
}
