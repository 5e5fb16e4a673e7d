//! What people wish for, drawn by chance: names that several want, changes with and without an
//! expected version of the same few things, cascades, ends.
#![expect(clippy::unnecessary_wraps, reason = "rows of one table: some find nothing to do it to")]

use super::history::{Name, Wish};
use super::world::World;
use serde_json::{Value, json};

/// How many names the shared groups have between them; fewer than groups and one.
const GROUP_NAMES: usize = 8;
const EXTRACTOR_NAMES: usize = 5;
/// How many turns of anybody a new name is wanted for.
const RUSH: usize = 30;

/// What a turn may be about, as often as its number says.
const MIX: [(usize, Draw); 12] = [
    (6, rename_group),
    (1, close_group),
    (2, open_group),
    (2, create_group),
    (4, create_extractor),
    (4, delete_extractor),
    (3, suspend),
    (3, reactivate),
    (4, generate_key),
    (3, deactivate_key),
    (3, register),
    (1, end),
];

type Draw = fn(&World, &mut fastrand::Rng) -> Option<Wish>;

/// The next wish of somebody.
pub fn draw(world: &World, rng: &mut fastrand::Rng) -> Wish {
    let mut turns = MIX.iter().flat_map(|(often, draw)| std::iter::repeat_n(*draw, *often));
    let all: usize = MIX.iter().map(|(often, _)| often).sum();
    let drawn = turns.nth(rng.usize(..all)).and_then(|draw| draw(world, rng));
    drawn.or_else(|| create_extractor(world, rng)).unwrap() // there is nothing yet to do it to
}

fn rename_group(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = rng.choice(&world.groups)?;
    let name = format!("name {}", rng.usize(..GROUP_NAMES));
    let input = json!({"policyGroupId": id, "name": name, "description": "shared"});
    Some(Wish {
        input: expecting(input, id, world, rng),
        deciding: &["created", "updated"],
        fulfilling: &["created", "updated"],
        showing: json!({"name": name, "description": "shared"}),
        name: named("policy_group_name", name),
        ..of_group("updatePolicyGroup")
    })
}

fn close_group(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = rng.choice(&world.groups)?;
    let input = json!({"policyGroupId": id, "reason": "no more"});
    let input = expecting(input, id, world, rng);
    Some(Wish { input, fulfilling: &["deactivated"], ..of_group("deactivatePolicyGroup") })
}

fn open_group(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = rng.choice(&world.groups)?;
    let input = json!({"policyGroupId": id, "reason": "again"});
    let input = expecting(input, id, world, rng);
    let fulfilling = &["created", "reactivated"];
    Some(Wish { input, fulfilling, ..of_group("reactivatePolicyGroup") })
}

fn create_group(world: &World, _: &mut fastrand::Rng) -> Option<Wish> {
    let name = format!("group {}", world.turn() / RUSH);
    let input = json!({"name": name, "description": "wanted by many"});
    let (fulfilling, showing) = (&["created"], json!({"name": name}));
    let name = named("policy_group_name", name);
    Some(Wish { input, fulfilling, showing, name, ..of_group("createPolicyGroup") })
}

fn of_group(mutation: &'static str) -> Wish {
    Wish {
        mutation,
        field: "policyGroup",
        input: Value::Null,
        noun: "policy_group",
        deciding: &["created", "deactivated", "reactivated"],
        fulfilling: &[],
        showing: Value::Null,
        name: None,
    }
}

fn create_extractor(_: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let name = format!("extractor {}", rng.usize(..EXTRACTOR_NAMES));
    let input = json!({"name": name, "provider": "Acme", "version": "1", "modality": "FACE",
                       "attributeName": "photo"});
    let (fulfilling, showing) = (&["created"], json!({"name": name}));
    let name = named("extractor_name", name);
    Some(Wish { input, fulfilling, showing, name, ..of_extractor("createExtractor") })
}

/// Its name is free again, and wanted.
fn delete_extractor(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = world.any("extractor", rng)?;
    let input = expecting(json!({"extractorId": id, "reason": "old"}), &id, world, rng);
    Some(Wish { input, fulfilling: &["deleted"], ..of_extractor("deleteExtractor") })
}

fn of_extractor(mutation: &'static str) -> Wish {
    Wish {
        mutation,
        field: "extractor",
        input: Value::Null,
        noun: "extractor",
        deciding: &["created", "deleted"],
        fulfilling: &[],
        showing: Value::Null,
        name: None,
    }
}

fn suspend(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = rng.choice(&world.partners)?;
    let input = json!({"partnerId": id, "reason": "in doubt"});
    let input = expecting(input, id, world, rng);
    Some(Wish { input, fulfilling: &["suspended"], ..of_partner("suspendPartner") })
}

fn reactivate(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = rng.choice(&world.partners)?;
    let input = json!({"partnerId": id, "reason": "no doubt"});
    let input = expecting(input, id, world, rng);
    let fulfilling = &["activated", "reactivated"];
    Some(Wish { input, fulfilling, ..of_partner("reactivatePartner") })
}

fn register(world: &World, _: &mut fastrand::Rng) -> Option<Wish> {
    let id = format!("partner-{}", world.turn() / RUSH);
    let input = json!({"partnerId": id, "organizationName": id, "partnerType": "AUTH_PARTNER",
                       "policyGroup": world.group, "address": "1 Main Street",
                       "contactNumber": "+1 555 0100", "emailId": format!("{id}@example.org"),
                       "member": "somebody"});
    let (deciding, fulfilling) = (&["registered"], &["registered"]);
    let name = named("partner_id", id);
    Some(Wish { input, deciding, fulfilling, name, ..of_partner("registerPartner") })
}

/// Mostly of a partner that has just registered; now and then of one with keys.
fn end(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let with_keys = rng.usize(..200) == 0;
    let last = world.partners.last().filter(|_| with_keys).cloned();
    let id = last.or_else(|| world.any("partner", rng))?;
    let input = json!({"partnerId": id, "reason": "it left"});
    Some(Wish { input, fulfilling: &["deactivated"], ..of_partner("deactivatePartner") })
}

fn of_partner(mutation: &'static str) -> Wish {
    Wish {
        mutation,
        field: "partner",
        input: Value::Null,
        noun: "partner",
        deciding: &["activated", "suspended", "reactivated", "deactivated"],
        fulfilling: &[],
        showing: Value::Null,
        name: None,
    }
}

fn generate_key(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let partner = rng.choice(&world.partners)?;
    let label = format!("label {}", world.turn() / RUSH);
    let input = json!({"partnerId": partner, "policyId": world.policy, "label": label});
    let showing = json!({"partner_id": partner, "policy_id": world.policy, "label": label});
    let name = named("api_key_label", format!("{partner}/{}/{label}", world.policy));
    Some(Wish { input, fulfilling: &["generated"], showing, name, ..of_key("generateApiKey") })
}

fn deactivate_key(world: &World, rng: &mut fastrand::Rng) -> Option<Wish> {
    let id = world.any("api_key", rng)?;
    let input = expecting(json!({"apiKeyId": id, "reason": "leaked"}), &id, world, rng);
    Some(Wish { input, fulfilling: &["deactivated"], ..of_key("deactivateApiKey") })
}

fn of_key(mutation: &'static str) -> Wish {
    Wish {
        mutation,
        field: "apiKey",
        input: Value::Null,
        noun: "api_key",
        deciding: &["generated", "deactivated"],
        fulfilling: &[],
        showing: Value::Null,
        name: None,
    }
}

/// All names here are in the form for comparing.
fn named(kind: &str, name: String) -> Option<Name> {
    Some((kind.to_owned(), name))
}

/// Every third time with the version in which somebody has seen the object.
fn expecting(mut input: Value, id: &str, world: &World, rng: &mut fastrand::Rng) -> Value {
    if let Some(version) = world.version(id).filter(|_| rng.usize(..3) == 0) {
        input["expectedVersion"] = version.into();
    }
    input
}
