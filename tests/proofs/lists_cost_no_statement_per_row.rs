//! A list costs a number of statements that does not depend on how many rows it has, whatever is
//! asked of each row and of what the row leads to. The lists and their fields are read from the
//! schema, so that a new one is asked too.
//!
//! One way through the fields is asked at a time: where several meet, it depends on the minute
//! whether their statements become one.

use crate::support::actors::{
    Makers, Market, Person, Provider, credential_partner, partner, sign_in_document,
};
use crate::support::certificates::Authority;
use crate::support::http::App;
use crate::support::jwk;
use crate::support::statements::Statements;
use domain::actor::Role;
use domain::reference::Modality;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So few that every shape of a policy is among them: a successor, a clone, and what is neither.
const FEW: usize = 4;
const MANY: usize = 20;
/// How far a way leads from the row: its partner, the group of its partner, …
const STEPS: usize = 3;

/// Arguments of lists that would not show all rows without them.
const ARGUMENTS: [(&str, &str); 1] = [("expiringItems", "filter: {withinDays: 365}")];

/// A system that things are added to.
struct Growing<'a> {
    app: &'a App,
    market: Market,
    makers: Makers,
    provider: Provider,
}

impl<'a> Growing<'a> {
    async fn new(app: &'a App) -> Self {
        let market = Market::open(&app.node).await;
        let provider = market.provider().await;
        Self { app, market, makers: Makers::open(&app.node).await, provider }
    }

    /// Adds something of every noun, in every shape that makes a difference to what is loaded, with
    /// neighbours of its own.
    async fn grow(&self, number: usize) {
        let Self { app, market, makers, provider } = self;
        let group = market.manager.creates_group(&format!("Group {number}")).await.unwrap().id;
        partners_work(app, market, number, &group).await;
        let (label, policy) = (format!("License {number}"), Some(&*provider.policy));
        market.admin.generates_license(&provider.mia, policy, &label).await.unwrap();
        let sbi = makers.live_sbi(&format!("{number}.0")).await;
        makers.approved_device(&sbi, &format!("F {number}")).await;
        makers.fred.certified_chip(&format!("C {number}"), &makers.chip_authority).await;
        let mallory = app.person("mallory", Role::Auditor);
        let wish = json!({"partnerId": market.alice.partner, "reason": "I can"});
        assert_eq!(mallory.does("suspendPartner", wish, "position").await.codes(), ["FORBIDDEN"]);
        let root = Authority::root(&format!("AUTH Root {number}"));
        market.admin.trusts(&root).await.unwrap();
        market.admin.trusts(&root.intermediate(&format!("AUTH CA {number}"))).await.unwrap();
    }
}

/// A partner that authenticates people, and one that receives credentials, each under policies of
/// their own.
async fn partners_work(app: &App, market: &Market, number: usize, group: &str) {
    let (admin, manager) = (&market.admin, &market.manager);
    let welcome = async |person: &Person| {
        person.registers(group).await.unwrap();
        person.uploads(&market.authority.leaf(&person.organization())).await.unwrap();
    };
    let alice = partner(&app.node, &format!("alice{number}"));
    welcome(&alice).await;
    let sign_in = sign_in_document();
    let policy = manager.drafts_with(group, "Sign-in", sign_in).await.unwrap().id;
    manager.publishes(&policy).await.unwrap();
    let request = alice.requests(&policy).await.unwrap().id;
    admin.approves(&request).await.unwrap();
    alice.generates_key(&policy, "one").await.unwrap();
    alice.creates_client(&policy, &jwk::key(&number.to_string())).await.unwrap();
    let successor = manager.supersedes(&policy, group, "Next").await.unwrap().id;
    manager.publishes(&successor).await.unwrap();
    let clone = manager.clones(&successor, group, "Clone").await.unwrap().id;
    manager.publishes(&clone).await.unwrap();
    let four_eyes = manager.at(&app.node.clone().with_four_eyes(true));
    four_eyes.retires(&clone).await.unwrap();

    let paula = credential_partner(&app.node, &format!("paula{number}"));
    welcome(&paula).await;
    let cards = manager.offers_biometrics(group, "Cards").await;
    let face = admin.creates_extractor(&format!("Face {number}"), Modality::Face).await.unwrap().id;
    let request = paula.requests_for(&cards, "euin", &face).await.unwrap().id;
    admin.approves(&request).await.unwrap();
}

/// The object types of the schema: their fields, each with its innermost type.
struct Schema(BTreeMap<String, Vec<(String, String)>>);

impl Schema {
    async fn of(app: &App) -> Self {
        let query = "{ __schema { types { kind name fields { name
            args { defaultValue type { kind } }
            type { name ofType { name ofType { name ofType { name } } } } } } } }";
        let answer = app.admin().asks(query, json!({})).await;
        let types = answer.data()["__schema"]["types"].as_array().unwrap();
        let objects = types.iter().filter(|it| it["kind"] == "OBJECT");
        Self(objects.map(|it| (name(it), fields(it))).collect())
    }

    /// The name of every list, and the type of its rows.
    fn lists(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0["Query"].iter().filter_map(|(field, of)| {
            let nodes = &self.0.get(of)?.iter().find(|(it, _)| it == "nodes")?.1;
            of.ends_with("Connection").then_some((&**field, &**nodes))
        })
    }

    /// Every selection of one way from here. No field leads on from itself: what is above a
    /// certificate is asked once.
    fn ways(&self, of: &str, before: &[&str]) -> Vec<String> {
        let (further, values): (Vec<_>, Vec<_>) =
            self.0[of].iter().partition(|(_, of)| self.0.contains_key(of));
        let values: Vec<&str> = values.iter().map(|(field, _)| &**field).collect();
        let mut ways = vec![values.join(" ")];
        ways.retain(|way| !way.is_empty());
        let leads_on = |field: &str| before.len() < STEPS && !before.contains(&field);
        for (field, of) in further.into_iter().filter(|(field, _)| leads_on(field)) {
            let beyond = self.ways(of, &[before, &[field]].concat()).into_iter();
            ways.extend(beyond.map(|way| format!("{field} {{ {way} }}")));
        }
        ways
    }
}

fn name(of: &Value) -> String {
    of["name"].as_str().unwrap().to_owned()
}

/// Fields that need no argument.
fn fields(of: &Value) -> Vec<(String, String)> {
    let is_free = |field: &&Value| {
        let mut arguments = field["args"].as_array().unwrap().iter();
        arguments.all(|it| it["type"]["kind"] != "NON_NULL" || !it["defaultValue"].is_null())
    };
    let field = |it: &Value| {
        let mut innermost = &it["type"];
        while innermost["name"].is_null() {
            innermost = &innermost["ofType"];
        }
        (name(it), name(innermost))
    };
    of["fields"].as_array().unwrap().iter().filter(is_free).map(field).collect()
}

/// Which statements a query is answered with. It asks for a list, of which this many rows come.
async fn asked(
    app: &App,
    statements: &Statements,
    list: &str,
    way: &str,
    rows: usize,
) -> Vec<String> {
    let arguments = ARGUMENTS.iter().find(|(of, _)| *of == list).map_or("", |(_, it)| it);
    let query = format!("{{ {list}(first: {rows} {arguments}) {{ nodes {{ {way} }} }} }}");
    let admin = app.admin();
    let (answer, asked) = statements.of(admin.asks(&query, json!({}))).await;
    assert_eq!(answer.data()[list]["nodes"].as_array().unwrap().len(), rows, "{list}");
    asked
}

#[tokio::test]
async fn a_list_of_twenty_rows_costs_what_one_of_a_few_costs() {
    let (app, statements) = App::counted().await;
    let system = Growing::new(&app).await;
    for number in 0..MANY {
        system.grow(number).await;
    }
    let (schema, mut wrong) = (Schema::of(&app).await, Vec::new());
    for (list, of) in schema.lists() {
        for way in schema.ways(of, &[]) {
            let few = asked(&app, &statements, list, &way, FEW).await;
            let many = asked(&app, &statements, list, &way, MANY).await;
            if few.len() != many.len() {
                wrong.push(format!("{list} {way}:\n{few:#?}\n{many:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
