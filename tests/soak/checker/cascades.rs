//! A partner and its keys are stopped, resumed and ended together.

use super::super::stored::Event;
use super::{Case, Rule, Violation};
use std::collections::{BTreeMap, HashMap, HashSet};

/// After each command of the run no key works whose partner was stopped by it, none is left stopped
/// by one that resumed it, and none is left by one that ended it.
pub(super) fn check(case: &Case) -> Vec<Violation> {
    let ours: HashSet<i64> = case.effects.iter().flatten().map(|event| event.position).collect();
    let mut keys = Keys::default();
    let mut found = vec![];
    for request in case.stored.events.chunk_by(|a, b| a.request_id == b.request_id) {
        for event in request {
            keys.fold(event);
        }
        let causes =
            request.iter().filter(|it| it.noun == "partner" && ours.contains(&it.position));
        for cause in causes {
            found.extend(keys.left_by(cause).map(|key| {
                let place = format!("{} at {} left key {key}", cause.kind, cause.position);
                Rule::NothingHalf.broken(place)
            }));
        }
    }
    found
}

/// The keys that partners hold, and whether each works.
#[derive(Default)]
struct Keys<'a> {
    owners: HashMap<&'a str, &'a str>,
    held: HashMap<&'a str, BTreeMap<&'a str, bool>>,
}

impl<'a> Keys<'a> {
    fn fold(&mut self, event: &'a Event) {
        if event.noun != "api_key" {
            return;
        }
        let key = event.id.as_str();
        if event.kind == "generated" {
            self.owners.insert(key, event.text("partner_id"));
        }
        let Some(owner) = self.owners.get(key) else { return };
        let held = self.held.entry(owner).or_default();
        match &*event.kind {
            "generated" | "resumed" => held.insert(key, true),
            "suspended" => held.insert(key, false),
            "deactivated" | "expired" => held.remove(key),
            _ => None,
        };
    }

    /// The keys that should not be as they are after what was decided about their partner.
    fn left_by(&self, cause: &'a Event) -> impl Iterator<Item = &str> {
        let held = self.held.get(&*cause.id).into_iter().flatten();
        let is_left = |works: bool| match &*cause.kind {
            "suspended" => works,
            "reactivated" => !works,
            "deactivated" => true,
            _ => false,
        };
        held.filter(move |(_, works)| is_left(**works)).map(|(key, _)| *key)
    }
}
