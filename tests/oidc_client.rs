//! An OIDC client from its creation to its end, through GraphQL.

use crate::support::actors::Market;
use crate::support::http::{Answer, App, Caller};
use crate::support::jwk;
use chrono::{DateTime, TimeDelta, Utc};
use domain::actor::Role;
use serde_json::{Value, json};

const KEYS: &str = "oidcClient { id version publicKeys { thumbprint expiresAt retiredAt } }";

/// A system with Alice, whose partner was approved for a policy that clients can work under.
struct Place {
    app: App,
    market: Market,
    policy: String,
    request: String,
}

impl Place {
    async fn open() -> Self {
        let app = App::start().await;
        let market = Market::open(&app.node).await;
        let (policy, request) = market.sign_in_policy(&market.alice).await;
        Self { app, market, policy, request }
    }

    fn alice(&self) -> Caller<'_> {
        self.app.partner("alice")
    }

    fn input(&self, key: &Value) -> Value {
        json!({"partnerId": self.market.alice.partner, "policyId": self.policy,
               "publicKey": key.to_string(), "name": "Portal",
               "names": [{"language": "fra", "name": "Portail"}],
               "logoUri": "https://portal.example/logo.png",
               "redirectUris": ["https://portal.example/callback"]})
    }

    async fn creates(&self, input: Value) -> Answer {
        self.alice().does("createOidcClient", input, "oidcClient { id }").await
    }

    /// A client with key 1.
    async fn client(&self) -> String {
        self.market.alice.creates_client(&self.policy, &jwk::key("1")).await.unwrap().id
    }

    async fn rotates(&self, client: &str, key: &Value, until: Option<DateTime<Utc>>) -> Answer {
        let input = json!({"oidcClientId": client, "publicKey": key.to_string(),
                           "overlapUntil": until});
        self.alice().does("rotateOidcClientKey", input, KEYS).await
    }

    async fn retires(&self, client: &str, key_id: &str) -> Answer {
        let input = json!({"oidcClientId": client, "keyId": key_id, "reason": "Leaked"});
        self.alice().does("retireOidcClientKey", input, KEYS).await
    }

    async fn status_of(&self, client: &str) -> Value {
        let query = "query($id: ID!) { oidcClient(id: $id) { status statusReason } }";
        let told = self.app.admin().asks(query, json!({"id": client})).await;
        told.data()["oidcClient"].clone()
    }

    async fn events(&self) -> i64 {
        self.app.installation.database.ask("select count(*) from events").await
    }
}

/// The keys of an answer, newest first.
fn keys(answer: &Answer) -> &Vec<Value> {
    answer.payload()["oidcClient"]["publicKeys"].as_array().unwrap()
}

#[tokio::test]
async fn a_client_has_the_id_of_its_key_and_what_its_policy_allows() {
    let place = Place::open().await;
    let selection = "oidcClient { id status version name names { language name } logoUri
        redirectUris grantTypes authMethods claims acrValues partner { id } policy { name }
        publicKeys { kid thumbprint publicKey expiresAt retiredAt }
        allowedActions { action allowed reasonCode } }";
    let key = jwk::key("1");
    let created = place.alice().does("createOidcClient", place.input(&key), selection).await;
    let thumbprint = jwk::thumbprint(&key);
    let mut kept = key.clone();
    kept["kid"] = json!(thumbprint);
    let id = &created.payload()["oidcClient"]["id"];
    assert_eq!(id.as_str().unwrap().len(), 43);
    let expected = json!({
        "id": id, "status": "ACTIVE", "version": 1, "name": "Portal",
        "names": [{"language": "fra", "name": "Portail"}],
        "logoUri": "https://portal.example/logo.png",
        "redirectUris": ["https://portal.example/callback"],
        "grantTypes": ["AUTHORIZATION_CODE"], "authMethods": ["PRIVATE_KEY_JWT"],
        "claims": ["name"], "acrValues": ["mosip:idp:acr:generated-code"],
        "partner": {"id": place.market.alice.partner}, "policy": {"name": "Sign-in"},
        "publicKeys": [{"kid": thumbprint, "thumbprint": thumbprint, "publicKey": kept,
                        "expiresAt": null, "retiredAt": null}],
        "allowedActions": [
            {"action": "updateOidcClient", "allowed": true, "reasonCode": null},
            {"action": "rotateOidcClientKey", "allowed": true, "reasonCode": null},
            {"action": "retireOidcClientKey", "allowed": false, "reasonCode": "LAST_KEY"},
            {"action": "deactivateOidcClient", "allowed": true, "reasonCode": null},
        ],
    });
    assert_eq!(created.payload()["oidcClient"], expected);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_client_is_told_at_once() {
    let place = Place::open().await;
    let before = place.events().await;
    let mut input = place.input(&json!({"kty": "EC", "crv": "P-256", "x": "AA", "use": "enc"}));
    input["name"] = json!("");
    input["names"] = json!([{"language": "xxx", "name": "n"}]);
    input["logoUri"] = json!("http://portal.example/logo.png");
    input["redirectUris"] = json!(["http://portal.example", "app://x", "https://a.example/*#x"]);
    input["grantTypes"] = json!([]);
    let refused = place.creates(input).await;
    let findings = [
        "grantTypes: EMPTY",
        "logoUri: URL_MALFORMED",
        "name: EMPTY",
        "names[0].language: LANGUAGE_NOT_SUPPORTED",
        "publicKey.use: JWK_USE",
        "publicKey.x: JWK_COORDINATE",
        "publicKey.y: JWK_MEMBER_MISSING",
        "redirectUris[0]: REDIRECT_URI_SCHEME",
        "redirectUris[1]: REDIRECT_URI_SCHEME",
        "redirectUris[2]: REDIRECT_URI_FRAGMENT",
        "redirectUris[2]: REDIRECT_URI_WILDCARD",
    ];
    assert_eq!(refused.findings(), findings);
    assert_eq!(place.events().await, before);
}

#[tokio::test]
async fn a_private_key_is_refused_and_appears_nowhere() {
    let place = Place::open().await;
    let client = place.client().await;
    let secret = "TWFyY28gUG9sbyB3YXMgaGVyZSBpbiAxMjc1LiBIZSBsZWZ0IGEgc2VjcmV0";
    let mut private = jwk::key("2");
    private["d"] = json!(secret);
    let mut input = place.input(&private);
    input["idempotencyKey"] = json!("private");
    let created = place.creates(input).await;
    let rotated = place.rotates(&client, &private, None).await;
    for refused in [created, rotated] {
        assert_eq!(refused.findings(), ["publicKey: PRIVATE_KEY_SENT"]);
        assert!(!refused.body.to_string().contains(secret));
    }
    let tables: String = place
        .app
        .installation
        .database
        .ask(
            "select string_agg(query_to_xml(format('select * from %I.%I', schemaname, tablename), \
         true, false, '')::text, '') from pg_tables where schemaname in ('public', 'read')",
        )
        .await;
    assert!(tables.contains(&client), "the tables were read");
    assert!(!tables.contains(secret) && !tables.contains(&secret[..20]));
}

#[tokio::test]
async fn a_client_needs_an_approved_policy_that_suits_it() {
    let place = Place::open().await;
    let (alice, manager, group) = (&place.market.alice, &place.market.manager, &place.market.group);
    let key = jwk::key("1");
    let with_policy = |policy: &str| {
        let mut input = place.input(&key);
        input["policyId"] = json!(policy);
        input
    };
    let unapproved = place.creates(with_policy(&place.market.policy)).await;
    assert_eq!(unapproved.findings(), ["policyId: POLICY_NOT_APPROVED"]);

    let strict = json!({"authTokenType": "policy",
        "allowedAuthTypes": [{"authType": "demo", "mandatory": true}],
        "allowedKycAttributes": [{"attributeName": "addressLine1"}]});
    let strict = manager.drafts_with(group, "Strict", strict).await.unwrap().id;
    manager.publishes(&strict).await.unwrap();
    let request = alice.requests(&strict).await.unwrap().id;
    place.market.admin.approves(&request).await.unwrap();
    let unsuited = place.creates(with_policy(&strict)).await;
    assert_eq!(
        unsuited.findings(),
        ["policyId: MANDATORY_AUTH_TYPE", "policyId: NO_ACR_VALUES", "policyId: NO_CLAIMS"]
    );
}

#[tokio::test]
async fn only_authentication_partners_have_clients() {
    let place = Place::open().await;
    let carl = place.app.person("carl", Role::CredentialPartner);
    let registration = json!({"partnerId": "cards", "organizationName": "Cards",
        "partnerType": "CREDENTIAL_PARTNER", "policyGroup": place.market.group,
        "address": "1 Main Street", "contactNumber": "+1 555 0100",
        "emailId": "office@cards.example"});
    carl.does("registerPartner", registration, "position").await.payload();
    let certificate = place.market.authority.leaf("Cards").pem();
    let upload = json!({"partnerId": "cards", "certificateData": certificate});
    carl.does("uploadPartnerCertificate", upload, "position").await.payload();
    let mut input = place.input(&jwk::key("1"));
    input["partnerId"] = json!("cards");
    let refused = carl.does("createOidcClient", input, "position").await;
    assert_eq!(refused.findings(), ["partnerId: PARTNER_TYPE"]);
}

#[tokio::test]
async fn settings_are_set_anew_and_a_repeated_wish_changes_nothing() {
    let place = Place::open().await;
    let client = place.client().await;
    let input = json!({"oidcClientId": client, "name": "Shop",
        "logoUri": "https://shop.example/logo.png",
        "redirectUris": ["https://shop.example/a", "http://localhost:3000/a"],
        "expectedVersion": 1});
    let selection = "oidcClient { version name redirectUris claims }";
    let updated = place.alice().does("updateOidcClient", input.clone(), selection).await;
    let expected = json!({"version": 2, "name": "Shop", "claims": ["name"],
                          "redirectUris": ["https://shop.example/a", "http://localhost:3000/a"]});
    assert_eq!(updated.payload()["oidcClient"], expected);
    let stale = place.alice().does("updateOidcClient", input.clone(), selection).await;
    assert_eq!(stale.codes(), ["CONFLICT"]);
    let mut again = input;
    again["expectedVersion"] = json!(2);
    let again = place.app.admin().does("updateOidcClient", again, selection).await;
    assert_eq!(again.payload()["oidcClient"]["version"], 2);
}

#[tokio::test]
async fn keys_rotate_with_an_overlap_and_their_end_is_told_once() {
    let place = Place::open().await;
    let client = place.client().await;
    let rotated = place.rotates(&client, &jwk::key("2"), None).await;
    let [new, old] = keys(&rotated).as_slice() else { panic!("two keys") };
    assert_eq!(rotated.payload()["oidcClient"]["id"], json!(client), "the id stays");
    assert_eq!(new["expiresAt"], Value::Null);
    let end: DateTime<Utc> = old["expiresAt"].as_str().unwrap().parse().unwrap();
    let week = end - commands::now();
    assert!(week < TimeDelta::days(7) && week > TimeDelta::days(7) - TimeDelta::minutes(5));

    let again = place.rotates(&client, &jwk::key("2"), None).await;
    assert_eq!(again.payload()["oidcClient"]["version"], 2, "a repeated wish changes nothing");
    let third = place.rotates(&client, &jwk::key("3"), None).await;
    assert_eq!(third.findings(), ["publicKey: TOO_MANY_KEYS"]);

    assert_eq!(place.app.node.tell_expired(end - TimeDelta::seconds(1)).await.unwrap(), 0);
    assert_eq!(place.app.node.tell_expired(end).await.unwrap(), 1);
    assert_eq!(place.app.node.tell_expired(end).await.unwrap(), 0);
    let history = "query($id: String!) { history(filter: {noun: \"oidc_client\", id: $id}) {
        nodes { event actor data } } }";
    let told = place.alice().asks(history, json!({"id": client})).await;
    let last = told.data()["history"]["nodes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["event"], &last["actor"]), (&json!("key_expired"), &json!("system")));
    assert_eq!(last["data"]["kid"], json!(jwk::thumbprint(&jwk::key("1"))));
}

#[tokio::test]
async fn an_overlap_can_end_at_once_and_never_lasts_longer_than_a_month() {
    let place = Place::open().await;
    let client = place.client().await;
    let month = commands::now() + TimeDelta::days(31);
    let too_long = place.rotates(&client, &jwk::key("2"), Some(month)).await;
    assert_eq!(too_long.findings(), ["overlapUntil: OVERLAP_TOO_LONG"]);
    let yesterday = commands::now() - TimeDelta::days(1);
    place.rotates(&client, &jwk::key("2"), Some(yesterday)).await.payload();
    let third = place.rotates(&client, &jwk::key("3"), Some(yesterday)).await;
    assert_eq!(keys(&third).len(), 3, "with one live key another one can come");
}

#[tokio::test]
async fn one_of_two_keys_can_be_retired_and_the_last_one_never() {
    let place = Place::open().await;
    let client = place.client().await;
    let mut named = jwk::key("2");
    named["kid"] = json!("2027");
    place.rotates(&client, &named, None).await.payload();
    let retired = place.retires(&client, "2027").await;
    assert_ne!(keys(&retired)[0]["retiredAt"], Value::Null);
    let last = place.retires(&client, &jwk::thumbprint(&jwk::key("1"))).await;
    assert_eq!(last.findings(), ["keyId: LAST_KEY"]);
    let unknown = place.retires(&client, "2028").await;
    assert_eq!(unknown.findings(), ["keyId: KEY_NOT_FOUND"]);
    let back = place.rotates(&client, &named, None).await;
    assert_eq!(back.findings(), ["publicKey: KEY_IN_USE"], "a retired key never comes back");
}

#[tokio::test]
async fn a_key_belongs_to_one_client_for_ever_and_whose_it_is_is_not_told() {
    let place = Place::open().await;
    let client = place.client().await;
    place.rotates(&client, &jwk::key("2"), None).await.payload();
    place.market.alice.ends_client(&client).await.unwrap();

    let bob = crate::support::actors::partner(&place.app.node, "bob");
    place.market.welcome(&bob).await;
    let request = bob.requests(&place.policy).await.unwrap().id;
    place.market.admin.approves(&request).await.unwrap();
    for taken in ["1", "2"] {
        let mut input = place.input(&jwk::key(taken));
        input["partnerId"] = json!(bob.partner);
        let refused = place.app.partner("bob").does("createOidcClient", input, "position").await;
        assert_eq!(refused.findings(), ["publicKey: KEY_IN_USE"]);
        assert!(!refused.body.to_string().contains("alice"));
    }
    let own = bob.creates_client(&place.policy, &jwk::key("3")).await.unwrap().id;
    let taken = bob.rotates_client_key(&own, &jwk::key("2"), None).await;
    assert_eq!(crate::support::commands::codes(taken), ["KEY_IN_USE"]);
}

#[tokio::test]
async fn a_deactivated_client_is_never_changed_again() {
    let place = Place::open().await;
    let client = place.client().await;
    let input = json!({"oidcClientId": client, "reason": "Shut down"});
    let preview = "query($input: DeactivateOidcClientInput!) { preview {
        deactivateOidcClient(input: $input) { changes { noun id event } } } }";
    let would = place.alice().asks(preview, json!({"input": input})).await;
    let change = json!({"noun": "oidc_client", "id": client, "event": "deactivated"});
    assert_eq!(would.data()["preview"]["deactivateOidcClient"]["changes"], json!([change]));
    let ended = place.alice().does("deactivateOidcClient", input, "oidcClient { status }").await;
    assert_eq!(ended.payload()["oidcClient"]["status"], "DEACTIVATED");

    let rotated = place.rotates(&client, &jwk::key("2"), None).await;
    assert_eq!(rotated.findings(), ["oidcClientId: OIDC_CLIENT_DEACTIVATED"]);
    let renamed = place.market.alice.renames_client(&client, "Shop").await;
    assert_eq!(crate::support::commands::codes(renamed), ["OIDC_CLIENT_DEACTIVATED"]);
}

#[tokio::test]
async fn a_client_follows_its_partner() {
    let place = Place::open().await;
    let (alice, admin) = (&place.market.alice, &place.market.admin);
    let client = place.client().await;
    let ended = alice.creates_client(&place.policy, &jwk::key("9")).await.unwrap().id;
    alice.ends_client(&ended).await.unwrap();

    admin.suspends(&alice.partner).await.unwrap();
    let reason = "For a test";
    let expected = json!({"status": "SUSPENDED", "statusReason": reason});
    assert_eq!(place.status_of(&client).await, expected);
    let refused = place.rotates(&client, &jwk::key("2"), None).await;
    assert_eq!(refused.codes(), ["PARTNER_SUSPENDED"]);
    let new = place.creates(place.input(&jwk::key("2"))).await;
    assert_eq!(new.codes(), ["PARTNER_SUSPENDED"]);

    admin.reactivates(&alice.partner).await.unwrap();
    assert_eq!(place.status_of(&client).await["status"], "ACTIVE");
    assert_eq!(place.status_of(&ended).await["status"], "DEACTIVATED");
    admin.suspends(&alice.partner).await.unwrap();
    alice.ends_client(&client).await.unwrap();
    assert_eq!(place.status_of(&client).await["status"], "DEACTIVATED");
}

#[tokio::test]
async fn a_client_ends_with_its_partner_and_with_the_approval_it_stands_on() {
    let place = Place::open().await;
    let (alice, admin) = (&place.market.alice, &place.market.admin);
    let client = place.client().await;
    admin.revokes(&place.request).await.unwrap();
    assert_eq!(place.status_of(&client).await["status"], "DEACTIVATED");

    let request = alice.requests(&place.policy).await.unwrap().id;
    admin.approves(&request).await.unwrap();
    let client = alice.creates_client(&place.policy, &jwk::key("2")).await.unwrap().id;
    admin.deactivates(&alice.partner).await.unwrap();
    assert_eq!(place.status_of(&client).await["status"], "DEACTIVATED");
}

#[tokio::test]
async fn clients_can_be_found_sorted_and_seen_as_they_were() {
    let place = Place::open().await;
    let client = place.client().await;
    let second = place.market.alice.creates_client(&place.policy, &jwk::key("2")).await.unwrap();
    place.market.alice.renames_client(&client, "Shop").await.unwrap();
    for field in [
        "ID",
        "PARTNER_ID",
        "ORGANIZATION_NAME",
        "POLICY_NAME",
        "NAME",
        "STATUS",
        "CREATED_AT",
        "UPDATED_AT",
    ] {
        let query = format!(
            "query($f: OidcClientFilter) {{ oidcClients(filter: $f, first: 1,
                orderBy: {{field: {field}, direction: ASC}})
                {{ totalCount nodes {{ id }} pageInfo {{ endCursor }} }} }}"
        );
        let filter = json!({"partnerId": {"equals": place.market.alice.partner},
            "organizationName": {"contains": "co inc"}, "policyName": {"startsWith": "sign"},
            "policyId": {"equals": place.policy}, "policyGroupId": [place.market.group],
            "status": ["ACTIVE"], "createdAt": {"from": "2020-01-01T00:00:00Z"},
            "name": {"contains": "o"}});
        let found = place.app.auditor().asks(&query, json!({"f": filter})).await;
        assert_eq!(found.data()["oidcClients"]["totalCount"], 2, "{field}");
        let none = json!({"f": {"name": {"equals": "nobody"}}});
        let none = place.app.auditor().asks(&query, none).await;
        assert_eq!(none.data()["oidcClients"]["totalCount"], 0);
    }
    let as_of = "query($id: ID!, $at: AsOf!) { oidcClient(id: $id, asOf: $at) { name } }";
    let at = second.position.to_string();
    let then = place.alice().asks(as_of, json!({"id": client, "at": at})).await;
    assert_eq!(then.data()["oidcClient"]["name"], "Portal");
}
