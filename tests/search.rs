//! The search over everything that has a name, through GraphQL.

use crate::support::actors::{Makers, Market, partner};
use crate::support::http::{App, Caller};
use crate::support::jwk;
use serde_json::{Value, json};

const QUERY: &str = "query($text: String!, $first: Int) {
    search(text: $text, first: $first) { noun id label partnerId } }";

async fn finds(caller: &Caller<'_>, text: &str) -> Vec<Value> {
    let told = caller.asks(QUERY, json!({"text": text, "first": 200})).await;
    told.data()["search"].as_array().unwrap().clone()
}

/// `NOUN label` of what is found, in its order.
async fn labels(caller: &Caller<'_>, text: &str) -> Vec<String> {
    let label = |it: &Value| format!("{} {}", it["noun"], it["label"]).replace('"', "");
    finds(caller, text).await.iter().map(label).collect()
}

#[tokio::test]
async fn first_comes_what_is_called_so_then_what_begins_so_then_what_contains_it() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    for name in ["The blue one", "Blue", "Blue sky"] {
        market.manager.creates_group(name).await.unwrap();
    }
    let expected = ["POLICY_GROUP Blue", "POLICY_GROUP Blue sky", "POLICY_GROUP The blue one"];
    assert_eq!(labels(&app.admin(), " bLUE ").await, expected);
    assert_eq!(labels(&app.admin(), "bl").await, expected[..2], "too short to be found anywhere");
    let first = app.admin().asks(QUERY, json!({"text": "blue", "first": 1})).await;
    assert_eq!(first.data()["search"].as_array().unwrap().len(), 1);
    assert!(labels(&app.admin(), "b%e").await.is_empty());
    assert!(labels(&app.admin(), "__").await.is_empty());
}

#[tokio::test]
async fn every_kind_of_thing_is_found_by_its_id_and_by_its_name() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let makers = Makers::open(&app.node).await;
    let (policy, request) = market.sign_in_policy(&market.alice).await;
    let key = market.alice.generates_key(&policy, "Branches").await.unwrap().id;
    let client = market.alice.creates_client(&policy, &jwk::key("1")).await.unwrap().id;
    let provider = market.provider().await;
    let license = market.admin.generates_license(&provider.mia, Some(&provider.policy), "Main");
    let license = license.await.unwrap().id;
    let sbi = makers.live_sbi("3.14").await;
    let device = makers.approved_device(&sbi, "F 1").await;
    let chip = makers.fred.adds_chip("C 1").await.unwrap().id;
    let extractor = market.admin.creates_extractor("Templates", domain::reference::Modality::Face);
    let extractor = extractor.await.unwrap().id;
    let trusted = "select id from read.trust_certificate limit 1";
    let trusted: String = app.installation.database.ask(trusted).await;
    let things = [
        ("PARTNER", "alice-co", "alice-co in"),
        ("POLICY_GROUP", &market.group, ""),
        ("POLICY", &policy, ""),
        ("POLICY_REQUEST", &request, ""),
        ("EXTRACTOR", &extractor, "templ"),
        ("API_KEY", &key, "branch"),
        ("MISP_LICENSE", &license, "main"),
        ("OIDC_CLIENT", &client, "portal"),
        ("TRUST_CERTIFICATE", &trusted, "root"),
        ("SBI", &sbi, "3.14"),
        ("DEVICE", &device, "f 1"),
        ("FTM_CHIP", &chip, "c 1"),
    ];
    let admin = app.admin();
    for (noun, id, name) in things {
        let found = finds(&admin, id).await;
        assert_eq!((&found[0]["noun"], &found[0]["id"]), (&json!(noun), &json!(id)));
        assert!(!found[0]["label"].as_str().unwrap().is_empty());
        let beginning: String = id.chars().take(id.len() - 1).collect();
        for text in [beginning.as_str(), name].iter().filter(|text| !text.is_empty()) {
            let found = finds(&admin, text).await;
            let it = |it: &Value| it["noun"] == noun && it["id"] == id;
            assert!(found.iter().any(it), "{noun} {text}: {found:?}");
        }
    }
}

#[tokio::test]
async fn strangers_find_nothing_that_is_not_theirs() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let bob = partner(&app.node, "bob");
    market.welcome(&bob).await;
    market.approved_request().await;
    let key = market.alice.generates_key(&market.policy, "Alpha key").await.unwrap().id;
    market.manager.drafts(&market.group, "Alpha draft").await.unwrap();
    let draft = market.manager.offers(&market.group, "Alpha offer").await;
    let draft = market.alice.drafts_request(&draft).await.unwrap().id;

    let alice = labels(&app.partner("alice"), "alpha").await;
    assert_eq!(alice, ["API_KEY Alpha key", "POLICY Alpha offer"]);
    assert_eq!(labels(&app.partner("bob"), "alpha").await, ["POLICY Alpha offer"]);
    assert_eq!(labels(&app.policy_manager(), "alpha draft").await, ["POLICY Alpha draft"]);
    for of_alice in [key.as_str(), "alice-co", "alice"] {
        assert!(labels(&app.partner("bob"), of_alice).await.is_empty(), "{of_alice}");
        assert!(labels(&app.partner("stranger"), of_alice).await.is_empty(), "{of_alice}");
        assert!(!labels(&app.partner("alice"), of_alice).await.is_empty(), "{of_alice}");
    }
    assert_eq!(labels(&app.partner("alice"), &draft).await, ["POLICY_REQUEST Alpha offer"]);
    assert!(labels(&app.admin(), &draft).await.is_empty(), "a draft is for its partner");
    for personal in ["alice@", "example.org", "555"] {
        assert!(labels(&app.admin(), personal).await.is_empty(), "{personal}");
    }
}

#[tokio::test]
async fn a_search_has_its_limits() {
    let app = App::start().await;
    let admin = app.admin();
    for (text, first, finding) in [
        (" a ", 1, "text: TOO_SHORT"),
        (&*"ü".repeat(65), 1, "text: TOO_LONG"),
        ("ab", 0, "first: PAGE_SIZE"),
        ("ab", 201, "first: PAGE_SIZE"),
    ] {
        let refused = admin.asks(QUERY, json!({"text": text, "first": first})).await;
        assert_eq!(refused.findings(), [finding]);
    }
    assert!(finds(&admin, &"ü".repeat(64)).await.is_empty());
}
