//! The dashboard: counts and expiring items of one instant, for everybody what he may see.

use crate::support::actors::{Makers, Market};
use crate::support::http::{App, Caller};
use crate::support::jwk;
use domain::actor::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CARDS: &str = "{ dashboardCounts { position at
    cards { kind pending expiring expired total } } }";

/// The cards that somebody sees, by kind.
async fn cards(caller: &Caller<'_>) -> BTreeMap<String, Value> {
    let answer = caller.asks(CARDS, json!({})).await;
    let cards = answer.data()["dashboardCounts"]["cards"].as_array().unwrap().clone();
    cards.into_iter().map(|card| (card["kind"].as_str().unwrap().to_owned(), card)).collect()
}

/// A system with something of every kind, some of which waits, ends soon or has ended.
async fn busy_place() -> App {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (alice, admin) = (&market.alice, &market.admin);
    let (policy, _) = market.sign_in_policy(alice).await;
    let key = alice.generates_key(&policy, "Branches").await.unwrap().id;
    alice.lets_key_end_in(&key, 5).await.unwrap();
    alice.generates_key(&policy, "Kiosks").await.unwrap();
    alice.creates_client(&policy, &jwk::key("1")).await.unwrap();
    alice.requests(&market.policy).await.unwrap();
    market.manager.drafts(&market.group, "Draft").await.unwrap();
    let provider = market.provider().await;
    let license = admin.generates_license(&provider.mia, Some(&provider.policy), "Main").await;
    admin.lets_license_end_in(&license.unwrap().id, 40).await.unwrap();
    let makers = Makers::open(&app.node).await;
    let sbi = makers.live_sbi("1.0").await;
    makers.dora.adds_sbi("2.0").await.unwrap();
    makers.dora.adds_device(Some(&sbi), "D 1").await.unwrap();
    makers.fred.certified_chip("C 1", &makers.chip_authority).await;
    // Most lives are longer than a test, so their ends are moved where no command moves them.
    let ended =
        "update read.api_key set expires_at = now() - interval '1 day' where label = 'Kiosks'";
    app.installation.database.as_owner(ended).await;
    app
}

/// The list behind each card.
const LISTS: [(&str, &str, &str); 14] = [
    ("PARTNERS", "partners", ""),
    ("ROOTS", "trustCertificates", "kind: [ROOT]"),
    ("INTERMEDIATES", "trustCertificates", "kind: [INTERMEDIATE]"),
    ("POLICY_GROUPS", "policyGroups", ""),
    ("POLICIES", "policies", ""),
    ("POLICY_REQUESTS", "policyRequests", ""),
    ("EXTRACTORS", "extractors", ""),
    ("API_KEYS", "apiKeys", ""),
    ("MISP_LICENSES", "mispLicenses", ""),
    ("OIDC_CLIENTS", "oidcClients", ""),
    ("SBIS", "sbis", ""),
    ("DEVICES", "devices", ""),
    ("FTM_CHIPS", "ftmChips", ""),
    ("PROPOSALS", "proposals", ""),
];

/// What waits for a decision, in the words of its list.
fn waits(card: &str) -> Option<&'static str> {
    match card {
        "POLICY_REQUESTS" | "SBIS" | "DEVICES" | "FTM_CHIPS" => Some("status: [PENDING]"),
        "PROPOSALS" => Some("status: [OPEN]"),
        _ => None,
    }
}

#[tokio::test]
async fn every_card_says_what_its_list_says() {
    let app = busy_place().await;
    let mia = app.person("mia", Role::MispPartner);
    let dora = app.person("dora", Role::DeviceProvider);
    let people = [
        app.admin(),
        app.auditor(),
        app.policy_manager(),
        app.partner("alice"),
        mia,
        dora,
        app.partner("stranger"),
    ];
    for person in &people {
        let cards = cards(person).await;
        for (card, list, filter) in LISTS {
            let count = async |filter: &str| {
                let query = format!("{{ {list}(filter: {{{filter}}}) {{ totalCount }} }}");
                let answer = person.asks(&query, json!({})).await;
                (answer.codes() != ["FORBIDDEN"]).then(|| answer.data()[list]["totalCount"].clone())
            };
            assert_eq!(
                cards.get(card).map(|it| it["total"].clone()),
                count(filter).await,
                "{card}"
            );
            let Some(told) = cards.get(card) else { continue };
            let pending = match waits(card) {
                Some(status) => count(status).await.unwrap(),
                None => Value::Null,
            };
            assert_eq!(told["pending"], pending, "{card}");
        }
    }
    let admin = cards(&people[0]).await;
    let of =
        |card: &str| ["pending", "expiring", "expired", "total"].map(|it| admin[card][it].clone());
    assert_eq!(of("API_KEYS"), [json!(null), json!(1), json!(1), json!(2)]);
    assert_eq!(of("MISP_LICENSES"), [json!(null), json!(0), json!(0), json!(1)]);
    assert_eq!(of("SBIS"), [json!(1), json!(0), json!(0), json!(2)]);
    assert_eq!(of("POLICY_REQUESTS")[0], json!(1));
    assert_eq!(cards(&people[6]).await["PARTNERS"]["total"], 0);
}

#[tokio::test]
async fn what_ends_is_what_the_list_of_expiring_items_has() {
    let app = busy_place().await;
    for person in [app.admin(), app.partner("alice"), app.partner("stranger")] {
        let query = "{ dashboardCounts { position at cards { expiring }
                         short: expiringItems(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } }
                         expiringItems { totalCount nodes { kind id daysLeft partner { id } }
                                         pageInfo { endCursor } } }
                       expiringItems { totalCount nodes { kind id daysLeft partner { id } }
                                       pageInfo { endCursor } } }";
        let answer = person.asks(query, json!({})).await;
        let dashboard = &answer.data()["dashboardCounts"];
        assert_eq!(dashboard["expiringItems"], answer.data()["expiringItems"]);
        let sum: i64 = dashboard["cards"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|card| card["expiring"].as_i64())
            .sum();
        assert_eq!(dashboard["expiringItems"]["totalCount"], sum);
        assert_eq!(dashboard["short"]["totalCount"], sum);
        let shown = dashboard["short"]["nodes"].as_array().unwrap().len();
        assert_eq!(i64::try_from(shown).unwrap(), sum.min(1));
    }
    let head = app.installation.database.head().await;
    let told = app.admin().asks(CARDS, json!({})).await;
    assert_eq!(told.data()["dashboardCounts"]["position"], head.to_string());
    let wrong = "{ dashboardCounts { expiringItems(first: 201) { totalCount } } }";
    assert_eq!(app.admin().asks(wrong, json!({})).await.findings(), ["first: PAGE_SIZE"]);
}

#[tokio::test]
async fn counts_and_items_agree_while_others_write() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    market.approved_request().await;
    let writers = (0..8).map(async |writer| {
        for turn in 0..6 {
            let label = format!("{writer} {turn}");
            let key = market.alice.generates_key(&market.policy, &label).await.unwrap().id;
            market.alice.lets_key_end_in(&key, 5).await.unwrap();
        }
    });
    let reader = async {
        let query = "{ dashboardCounts { position cards { kind expiring total }
                         expiringItems(first: 200) { totalCount nodes { kind } } } }";
        let mut last = 0;
        while last < 48 {
            let answer = app.admin().asks(query, json!({})).await;
            let told = &answer.data()["dashboardCounts"];
            let cards = told["cards"].as_array().unwrap();
            let keys = cards.iter().find(|card| card["kind"] == "API_KEYS").unwrap();
            let items = told["expiringItems"]["nodes"].as_array().unwrap();
            let listed = items.iter().filter(|it| it["kind"] == "API_KEY").count();
            assert_eq!(keys["expiring"], listed, "{told:#}");
            // Every key is two events, so what is counted is what the position says.
            let position: i64 = told["position"].as_str().unwrap().parse().unwrap();
            let made = format!(
                "select count(*) from events where position <= {position} and aggregate_type = 'api_key' \
                 and sequence = 1"
            );
            assert_eq!(keys["total"], app.installation.database.ask::<i64>(&made).await);
            last = listed;
        }
    };
    tokio::join!(join_all(writers), reader);
}
