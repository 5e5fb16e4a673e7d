//! Who tried what and was refused is seen by those who watch, and kept for a while only.

use crate::support::actors::{Makers, Market};
use crate::support::http::{Answer, App, Caller};
use crate::support::jwk;
use domain::actor::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ATTEMPTS: &str = "query($filter: RefusedAttemptFilter, $first: Int, $after: String) {
    refusedAttempts(filter: $filter, first: $first, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { at actor roles actorPartners operation noun entityId codes fields correlationId more } } }";

async fn attempts(app: &App, filter: Value) -> Vec<Value> {
    let answer = app.auditor().asks(ATTEMPTS, json!({"filter": filter})).await;
    answer.data()["refusedAttempts"]["nodes"].as_array().unwrap().clone()
}

async fn tries(who: &Caller<'_>, mutation: &str, input: Value) -> Answer {
    let refused = who.does(mutation, input, "position").await;
    assert!(!refused.codes().is_empty(), "{refused:?}");
    refused
}

async fn suspends(who: &Caller<'_>, partner: &str) -> Answer {
    tries(who, "suspendPartner", json!({"partnerId": partner, "reason": "Because I can"})).await
}

fn mallory(app: &App) -> Caller<'_> {
    app.person("mallory", Role::AuthPartner)
}

async fn count(app: &App, what: &str) -> i64 {
    app.installation.database.ask(&format!("select count(*) from {what}")).await
}

#[tokio::test]
async fn a_stranger_who_tries_other_peoples_doors_is_seen() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let forbidden = suspends(&mallory(&app), &market.alice.partner).await;
    let key =
        json!({"partnerId": market.alice.partner, "policyId": market.policy, "label": "mine"});
    let not_there = tries(&mallory(&app), "generateApiKey", key).await;
    assert_eq!(not_there.codes(), ["PARTNER_NOT_FOUND"], "he does not learn that there is one");

    let seen = attempts(&app, json!({"actor": "mallory"})).await;
    let [newest, oldest] = &seen[..] else { panic!("{seen:#?}") };
    for (attempt, answer) in [(newest, &not_there), (oldest, &forbidden)] {
        let correlation_id = &answer.errors().next().unwrap()["correlationId"];
        assert_eq!(attempt["correlationId"], *correlation_id);
        assert_eq!(attempt["roles"], json!(["AUTH_PARTNER"]));
        assert_eq!(
            (&attempt["noun"], &attempt["entityId"]),
            (&json!("partner"), &json!("alice-co"))
        );
        assert_eq!(attempt["actorPartners"], json!([]));
    }
    let why = |it: &Value| json!([it["operation"], it["codes"], it["fields"]]);
    assert_eq!(why(newest), json!(["generateApiKey", ["PARTNER_NOT_FOUND"], ["partnerId"]]));
    assert_eq!(why(oldest), json!(["suspendPartner", ["FORBIDDEN"], [""]]));

    let alice = suspends(&app.partner("alice"), "somebody-else").await;
    assert_eq!(alice.codes(), ["FORBIDDEN"]);
    let seen = attempts(&app, json!({"actor": "alice"})).await;
    assert_eq!(seen[0]["actorPartners"], json!(["alice-co"]), "who speaks for whom is told");
}

#[tokio::test]
async fn questions_dry_looks_and_what_was_granted_are_no_attempts() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let partner = &market.alice.partner;
    let forbidden = app.partner("alice").asks("{ followers { name } }", json!({})).await;
    assert_eq!(forbidden.codes(), ["FORBIDDEN"]);
    let preview = "query($input: SuspendPartnerInput!) { preview { suspendPartner(input: $input)
        { position } } }";
    let wish = json!({"partnerId": partner, "reason": "Why not"});
    let preview = mallory(&app).asks(preview, json!({"input": wish})).await;
    assert_eq!(preview.codes(), ["FORBIDDEN"]);
    let unreadable = mallory(&app).does("suspendPartner", json!({"reason": 1}), "position").await;
    assert_eq!(unreadable.codes(), ["INVALID_QUERY"]);
    let shown = "partner { contact { emailId } }";
    app.admin().does("suspendPartner", wish.clone(), shown).await.payload();
    app.admin().does("suspendPartner", wish, "position").await.payload();
    assert_eq!(count(&app, "refused_attempts").await, 0);
}

#[tokio::test]
async fn of_many_wishes_at_once_each_that_was_refused_is_seen() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    let none = ::commands::new_id().to_string();
    let rows = json!({"rows": [{"policyRequestId": request}, {"policyRequestId": none}]});
    app.admin().does("approvePolicyRequests", rows.clone(), "position").await.payload();
    let seen = attempts(&app, json!({})).await;
    assert_eq!(seen.len(), 1);
    let what = ["operation", "noun", "entityId", "codes", "fields"].map(|it| seen[0][it].clone());
    let expected = json!([
        "approvePolicyRequests",
        "policy_request",
        none,
        ["REQUEST_NOT_FOUND"],
        ["policyRequestId"]
    ]);
    assert_eq!(json!(what), expected);
    tries(&mallory(&app), "approvePolicyRequests", rows).await;
    assert_eq!(attempts(&app, json!({"code": ["FORBIDDEN"]})).await.len(), 1, "he is told once");

    let makers = Makers::open(&app.node).await;
    let device = |make: &str| {
        json!({"deviceType": "Finger", "deviceSubType": "Slap", "make": make,
                                     "model": "F 1"})
    };
    let batch = json!({"partnerId": makers.dora.partner, "mode": "EACH",
                       "devices": [device("Acme"), device(""), device("acme")]});
    let dora = app.person("dora", Role::DeviceProvider);
    dora.does("addDevices", batch, "position").await.payload();
    let seen = attempts(&app, json!({"actor": "dora"})).await;
    assert_eq!(seen[0]["codes"], json!(["EMPTY", "DEVICE_REPEATED"]));
    assert_eq!(seen[0]["fields"], json!(["devices[1].make", "devices[2].make"]));
}

#[tokio::test]
async fn of_what_was_sent_only_ids_are_kept() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let input = json!({"partnerId": "Joe Miller, 7 Cedar Lane", "organizationName": "Millers",
        "partnerType": "AUTH_PARTNER", "address": "7 Cedar Lane", "contactNumber": "+1 555 0177",
        "emailId": "joe-at-millers", "idempotencyKey": "joes-wish"});
    tries(&mallory(&app), "registerPartner", input).await;
    let policies = json!({"joe_miller": "7 Cedar Lane"});
    let draft = json!({"policyGroupId": market.group, "policyType": "AUTH", "name": "Cedar",
                       "description": "Joe's", "version": "1", "policies": policies});
    tries(&app.policy_manager(), "createPolicy", draft).await;
    let invited = json!({"partnerId": market.alice.partner, "subject": "joe@millers.example",
                         "role": "VIEWER"});
    tries(&mallory(&app), "inviteMember", invited).await;

    let kept: String = app
        .installation
        .database
        .ask("select lower(jsonb_agg(t)::text) from refused_attempts t")
        .await;
    for sent in ["joe", "miller", "cedar", "555 0177"] {
        assert!(!kept.contains(sent), "{sent}: {kept}");
    }
    let of_policy = &attempts(&app, json!({"operation": ["createPolicy"]})).await[0];
    assert!(
        of_policy["fields"].as_array().unwrap().iter().all(|it| it == "policies"),
        "{of_policy}"
    );
    assert_eq!(of_policy["noun"], "policy_group");
    let registration = &attempts(&app, json!({"operation": ["registerPartner"]})).await[0];
    assert_eq!(
        (&registration["noun"], &registration["entityId"]),
        (&json!("partner"), &Value::Null)
    );
}

#[tokio::test]
async fn an_attempt_on_a_person_does_not_say_on_whom() {
    let app = App::start().await;
    let about = json!({"kind": "PERSON", "id": "carla", "legalGround": "OBJECTION"});
    tries(&mallory(&app), "eraseSubject", about).await;
    let seen = attempts(&app, json!({"actor": "mallory"})).await;
    assert_eq!((&seen[0]["noun"], &seen[0]["entityId"]), (&json!("person"), &Value::Null));
    assert_eq!(count(&app, "refused_attempts t where t::text like '%carla%'").await, 0);
}

#[tokio::test]
async fn of_a_thousand_faults_the_first_are_kept_and_none_twice() {
    let app = App::start().await;
    let market = Market::open(&app.node).await;
    let (policy, _) = market.sign_in_policy(&market.alice).await;
    let nameless = json!({"language": "nowhere", "name": ""});
    let client = json!({"partnerId": market.alice.partner, "policyId": policy,
        "publicKey": jwk::key("1").to_string(), "name": "Portal", "names": vec![nameless; 1_000],
        "logoUri": "https://portal.example/logo.png",
        "redirectUris": ["https://portal.example/callback"]});
    tries(&app.partner("alice"), "createOidcClient", client).await;
    let document: serde_json::Map<_, _> =
        (0..30).map(|n| (format!("unknown{n}"), json!(n))).collect();
    let draft = json!({"policyGroupId": market.group, "policyType": "AUTH", "name": "Cedar",
                       "description": "Wood", "version": "1", "policies": document});
    tries(&app.policy_manager(), "createPolicy", draft).await;

    let seen = attempts(&app, json!({})).await;
    let pairs = |attempt: &Value| {
        let [codes, fields] = ["codes", "fields"].map(|it| attempt[it].as_array().unwrap());
        assert_eq!(codes.len(), fields.len());
        codes.iter().zip(fields).map(|(code, field)| format!("{field}: {code}")).collect()
    };
    let [of_policy, of_client]: [Vec<String>; 2] = [pairs(&seen[0]), pairs(&seen[1])];
    assert_eq!(of_client.len(), 20);
    assert_eq!(of_client[0], "\"names[0].language\": \"LANGUAGE_NOT_SUPPORTED\"");
    let distinct: BTreeSet<&String> = of_policy.iter().collect();
    assert_eq!(distinct.len(), of_policy.len(), "{of_policy:?}");
}

#[tokio::test]
async fn attempts_are_found_by_everything_that_is_known_of_them() {
    let app = App::start().await;
    Market::open(&app.node).await;
    suspends(&mallory(&app), "alice-co").await;
    let between = ::commands::now();
    suspends(&mallory(&app), "nobody").await;
    let wish = json!({"partnerId": "nobody", "reason": "It is over"});
    let admin = tries(&app.admin(), "deactivatePartner", wish).await;
    let wish = admin.errors().next().unwrap()["correlationId"].clone();

    for (filter, number) in [
        (json!({}), 3),
        (json!({"actor": "mallory"}), 2),
        (json!({"operation": ["deactivatePartner"]}), 1),
        (json!({"operation": ["deactivatePartner", "suspendPartner"]}), 3),
        (json!({"operation": []}), 0),
        (json!({"code": ["PARTNER_NOT_FOUND"]}), 1),
        (json!({"code": ["PARTNER_NOT_FOUND", "FORBIDDEN"]}), 3),
        (json!({"noun": "partner", "id": "nobody"}), 2),
        (json!({"noun": "policy"}), 0),
        (json!({"correlationId": wish}), 1),
        (json!({"from": between}), 2),
        (json!({"to": between}), 1),
        (json!({"actor": "mallory", "from": between}), 1),
    ] {
        let answer = app.admin().asks(ATTEMPTS, json!({"filter": filter})).await;
        let list = &answer.data()["refusedAttempts"];
        assert_eq!(list["totalCount"], number, "{filter}");
        assert_eq!(list["nodes"].as_array().unwrap().len(), number, "{filter}");
    }
    let first = app.admin().asks(ATTEMPTS, json!({"first": 2})).await;
    let page = &first.data()["refusedAttempts"];
    let rest = json!({"first": 2, "after": page["pageInfo"]["endCursor"]});
    let rest = app.admin().asks(ATTEMPTS, rest).await;
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    assert_eq!(rest.data()["refusedAttempts"]["nodes"][0]["entityId"], "alice-co");
}

#[tokio::test]
async fn who_tries_without_end_is_counted_and_fills_no_disk() {
    let app = App::start().await;
    let row = json!({"policyRequestId": ::commands::new_id()});
    let rows = json!({"rows": vec![row; 100]});
    for _ in 0..11 {
        app.admin().does("approvePolicyRequests", rows.clone(), "position").await.payload();
    }
    assert_eq!(count(&app, "refused_attempts").await, 1_000);
    assert_eq!(attempts(&app, json!({"actor": "admin"})).await[0]["more"], 100);
    assert_eq!(count(&app, "request_log").await, 10, "nobody could find the eleventh to erase it");
    let market = Market::open(&app.node).await;
    let request = market.alice.requests(&market.policy).await.unwrap().id;
    let with_one_to_grant =
        json!({"rows": [{"policyRequestId": request}, {"policyRequestId": ::commands::new_id()}]});
    app.admin().does("approvePolicyRequests", with_one_to_grant, "position").await.payload();
    assert_eq!(attempts(&app, json!({"actor": "admin"})).await[0]["more"], 101);
    assert_eq!(count(&app, "request_log").await, 11, "what was granted has its origin");
    suspends(&mallory(&app), "nobody").await;
    assert_eq!(attempts(&app, json!({"actor": "mallory"})).await.len(), 1, "others are seen");

    let older = "update refused_attempts set at = at - interval '30 minutes'";
    app.installation.database.as_owner(older).await;
    let half = "update refused_attempts set at = at - interval '1 hour' where ctid in \
                (select ctid from refused_attempts where actor = 'admin' order by at limit 950)";
    app.installation.database.as_owner(half).await;
    app.admin().does("approvePolicyRequests", rows, "position").await.payload();
    let of_admin = attempts(&app, json!({"actor": "admin"})).await;
    assert_eq!(count(&app, "refused_attempts where actor = 'admin'").await, 1_100);
    assert_eq!(of_admin[0]["more"], 0);
}

#[tokio::test]
async fn a_refusal_is_told_even_where_it_cannot_be_kept() {
    let app = App::start().await;
    app.installation.database.as_owner("alter table refused_attempts rename to away").await;
    assert_eq!(suspends(&mallory(&app), "nobody").await.codes(), ["FORBIDDEN"]);
    app.installation.database.as_owner("alter table away rename to refused_attempts").await;
    assert_eq!(count(&app, "refused_attempts").await, 0);
}

#[tokio::test]
async fn attempts_are_forgotten_after_ninety_days() {
    let app = App::start().await;
    suspends(&mallory(&app), "nobody").await;
    app.node.forget().await.unwrap();
    assert_eq!(count(&app, "refused_attempts").await, 1);
    let older = "update refused_attempts set at = at - interval '91 days'";
    app.installation.database.as_owner(older).await;
    app.node.forget().await.unwrap();
    assert_eq!(count(&app, "refused_attempts").await, 0);
}

#[tokio::test]
async fn a_person_is_told_his_attempts_and_they_are_erased_with_where_they_came_from() {
    let app = App::start().await;
    for _ in 0..2 {
        suspends(&mallory(&app), "nobody").await;
    }
    let export = "query($after: String) { exportSubject(kind: PERSON, id: \"mallory\") {
        acts { nodes { event } } refusedAttempts(first: 1, after: $after) {
          nodes { operation codes entityId clientAddress userAgent } pageInfo { endCursor } } } }";
    let told = mallory(&app).asks(export, json!({})).await;
    let told = &told.data()["exportSubject"]["refusedAttempts"];
    let attempt = json!({"operation": "suspendPartner", "codes": ["FORBIDDEN"], "entityId": "nobody",
                         "clientAddress": "127.0.0.1", "userAgent": ""});
    assert_eq!(told["nodes"], json!([attempt]));
    let second = json!({"after": told["pageInfo"]["endCursor"]});
    let second = mallory(&app).asks(export, second).await;
    assert_eq!(second.data()["exportSubject"]["refusedAttempts"]["nodes"], json!([attempt]));

    suspends(&app.person("olaf", Role::AuthPartner), "nobody").await;
    let about = json!({"kind": "PERSON", "id": "mallory", "legalGround": "OBJECTION"});
    let proposed = app.admin().does("eraseSubject", about.clone(), "proposal { id }").await;
    let confirm = json!({"proposalId": proposed.payload()["proposal"]["id"]});
    let second = app.person("second", Role::PartnerAdmin);
    second.does("confirmProposal", confirm, "position").await.payload();
    assert_eq!(count(&app, "refused_attempts where actor = 'mallory'").await, 0);
    assert_eq!(count(&app, "refused_attempts where actor = 'olaf'").await, 1, "others' are kept");
    // Of Olaf, and of the two who erased.
    assert_eq!(count(&app, "request_log").await, 3);

    let again = app.admin().does("eraseSubject", about.clone(), "proposal { id }").await;
    assert_eq!(*again.payload(), json!({"proposal": null}), "nothing is left");
    suspends(&mallory(&app), "nobody").await;
    app.node.erase_what_the_log_says().await.unwrap();
    assert_eq!(count(&app, "refused_attempts where actor = 'mallory'").await, 1, "it came later");
    let again = app.admin().does("eraseSubject", about, "proposal { id }").await;
    assert!(again.payload()["proposal"]["id"].is_string(), "and can be erased, too");
}

#[tokio::test]
async fn only_auditors_and_administrators_see_what_others_tried() {
    let app = App::start().await;
    suspends(&mallory(&app), "nobody").await;
    for who in [mallory(&app), app.policy_manager(), app.person("m", Role::MispPartner)] {
        assert_eq!(who.asks(ATTEMPTS, json!({})).await.codes(), ["FORBIDDEN"]);
    }
    for who in [app.auditor(), app.admin()] {
        assert_eq!(who.asks(ATTEMPTS, json!({})).await.data()["refusedAttempts"]["totalCount"], 1);
    }
}
