//! What ends soon, of every kind in one list, through GraphQL.

use crate::support::actors::{Makers, Market, Person};
use crate::support::http::{App, Caller};
use crate::support::jwk;
use chrono::{DateTime, Utc};
use domain::actor::Role;
use serde_json::{Value, json};

const QUERY: &str = "query($filter: ExpiringItemFilter, $first: Int, $after: String) {
    expiringItems(filter: $filter, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { kind id label domain daysLeft expiresAt partner { id } } } }";
const YEAR: i32 = 365;

/// A system in which something of every kind ends.
struct Place {
    app: App,
    market: Market,
    makers: Makers,
    mia: Person,
    key: String,
    license: String,
    sbi: String,
    chip: String,
    client: String,
}

impl Place {
    async fn open() -> Self {
        let app = App::start().await;
        let market = Market::open(&app.node).await;
        let makers = Makers::open(&app.node).await;
        let (alice, admin) = (&market.alice, &market.admin);
        let (policy, _) = market.sign_in_policy(alice).await;
        let key = alice.generates_key(&policy, "Branches").await.unwrap().id;
        let client = alice.creates_client(&policy, &jwk::key("1")).await.unwrap().id;
        let provider = market.provider().await;
        let license = admin.generates_license(&provider.mia, Some(&provider.policy), "Main").await;
        let license = license.unwrap().id;
        let sbi = makers.live_sbi("1.0").await;
        let chip = makers.fred.certified_chip("C 1", &makers.chip_authority).await;
        Self { app, market, makers, mia: provider.mia, key, license, sbi, chip, client }
    }

    /// The same, in which eight things end one day after the other. Most lives are longer than a
    /// test, so their ends are moved where no command moves them.
    async fn with_ends() -> Self {
        let place = Self::open().await;
        place.a_client_without_successor().await;
        let issuing = place.market.authority.intermediate("Issuing");
        place.market.admin.trusts(&issuing).await.unwrap();
        let Self { key, license, sbi, chip, .. } = &place;
        let (alice, auth) = (&place.market.alice.partner, "partner_domain = 'AUTH'");
        place
            .lets_end("trust_certificate", "valid_till", &format!("{auth} and kind = 'ROOT'"), 1)
            .await;
        place.lets_end("trust_certificate", "valid_till", "kind = 'INTERMEDIATE'", 2).await;
        place.lets_end("partner", "certificate_expires_at", &format!("id = '{alice}'"), 3).await;
        place.lets_end("ftm_chip", "certificate_expires_at", &format!("id = '{chip}'"), 4).await;
        place.market.alice.lets_key_end_in(key, 5).await.unwrap();
        place.market.admin.lets_license_end_in(license, 6).await.unwrap();
        place.lets_end("sbi", "sw_expiry_date_time", &format!("id = '{sbi}'"), 8).await;
        place
    }

    /// A client whose second key, and with it its only way to go on, was retired: the first one
    /// ends in a week.
    async fn a_client_without_successor(&self) {
        let (alice, key) = (&self.market.alice, jwk::key("2"));
        alice.rotates_client_key(&self.client, &key, None).await.unwrap();
        alice.retires_client_key(&self.client, &key).await.unwrap();
    }

    async fn lets_end(&self, table: &str, column: &str, which: &str, days: i32) {
        let sql = format!(
            "update read.{table} set {column} = now() + interval '{days} days' where {which}"
        );
        self.app.installation.database.as_owner(&sql).await;
    }

    fn alice(&self) -> Caller<'_> {
        self.app.partner("alice")
    }
}

async fn asks(caller: &Caller<'_>, filter: Value) -> Vec<Value> {
    let answer = caller.asks(QUERY, json!({"filter": filter})).await;
    let list = &answer.data()["expiringItems"];
    let nodes = list["nodes"].as_array().unwrap().clone();
    assert_eq!(list["totalCount"], nodes.len());
    nodes
}

/// `KIND label` of what is told, in its order.
async fn told(caller: &Caller<'_>, filter: Value) -> Vec<String> {
    let text = |it: &Value| format!("{} {}", it["kind"], it["label"]).replace('"', "");
    asks(caller, filter).await.iter().map(text).collect()
}

/// The kinds of what ends within a year, in alphabetical order.
async fn kinds(caller: &Caller<'_>) -> Vec<String> {
    let items = asks(caller, json!({"withinDays": YEAR})).await;
    let mut kinds: Vec<String> =
        items.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort_unstable();
    kinds
}

#[tokio::test]
async fn everything_that_ends_is_told_in_the_order_in_which_it_ends() {
    let place = Place::with_ends().await;
    let items = asks(&place.app.admin(), json!({})).await;
    let brief = |it: &Value| {
        let ends: DateTime<Utc> = it["expiresAt"].as_str().unwrap().parse().unwrap();
        let days = (ends - commands::now()).num_days();
        assert!(it["daysLeft"] == days || it["daysLeft"] == days + 1); // time goes on
        json!([it["kind"], it["label"], it["domain"], it["partner"]["id"]])
    };
    let brief: Vec<Value> = items.iter().map(brief).collect();
    let expected = [
        json!(["ROOT", items[0]["label"], "AUTH", null]),
        json!(["INTERMEDIATE", items[1]["label"], "AUTH", null]),
        json!(["PARTNER_CERTIFICATE", "alice-co Inc", "AUTH", "alice-co"]),
        json!(["FTM_CERTIFICATE", "Acme C 1", "FTM", "fred-co"]),
        json!(["API_KEY", "Branches", "AUTH", "alice-co"]),
        json!(["MISP_LICENSE", "Main", "MISP", "mia-co"]),
        json!(["OIDC_KEY", "Portal", "AUTH", "alice-co"]),
        json!(["SBI", "1.0", "DEVICE", "dora-co"]),
    ];
    assert_eq!(brief, expected);
    let ids = |at: usize| items[at]["id"].as_str().unwrap();
    assert_eq!((ids(2), ids(3)), ("alice-co", place.chip.as_str()));
    assert_eq!([ids(4), ids(5)], [&place.key, &place.license]);
    assert_eq!([ids(6), ids(7)], [&place.client, &place.sbi]);
    assert!(ids(0) != ids(1) && items[0]["label"].as_str().unwrap().contains("AUTH Root"));
}

#[tokio::test]
async fn what_was_renewed_is_forgotten() {
    let place = Place::with_ends().await;
    let (admin, alice, fred) = (&place.market.admin, &place.market.alice, &place.makers.fred);
    let seen = async |kind: &str| {
        let items = asks(&place.app.admin(), json!({"kinds": [kind]})).await;
        items.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(seen("PARTNER_CERTIFICATE").await, [alice.partner.as_str()]);
    alice.uploads(&place.market.authority.leaf(&alice.organization())).await.unwrap();
    assert!(seen("PARTNER_CERTIFICATE").await.is_empty());

    assert_eq!(seen("FTM_CERTIFICATE").await, [place.chip.as_str()]);
    let renewed = place.makers.chip_authority.leaf(&fred.organization());
    fred.certifies(&place.chip, &renewed).await.unwrap();
    assert!(seen("FTM_CERTIFICATE").await.is_empty());

    assert_eq!(seen("API_KEY").await, [place.key.as_str()]);
    let successor = alice.rotates_key(&place.key, None).await.unwrap().id;
    assert!(seen("API_KEY").await.is_empty());
    alice.ends_key(&successor).await.unwrap();
    assert_eq!(seen("API_KEY").await, [place.key.as_str()], "nothing comes after it any more");

    assert_eq!(seen("MISP_LICENSE").await, [place.license.as_str()]);
    admin.rotates_license(&place.license, None).await.unwrap();
    assert!(seen("MISP_LICENSE").await.is_empty());

    assert_eq!(seen("OIDC_KEY").await, [place.client.as_str()]);
    alice.rotates_client_key(&place.client, &jwk::key("3"), None).await.unwrap();
    assert!(seen("OIDC_KEY").await.is_empty());
}

#[tokio::test]
async fn what_has_ended_is_forgotten() {
    let place = Place::with_ends().await;
    let (admin, dora, fred) = (&place.market.admin, &place.makers.dora, &place.makers.fred);
    let person = place.app.admin();
    assert_eq!(asks(&person, json!({})).await.len(), 8);
    dora.ends_sbi(&place.sbi).await.unwrap();
    admin.ends_license(&place.license).await.unwrap();
    place.market.alice.ends_key(&place.key).await.unwrap();
    let roots = asks(&person, json!({"kinds": ["ROOT"]})).await;
    admin.disables(roots[0]["id"].as_str().unwrap()).await.unwrap();
    admin.suspends(&place.market.alice.partner).await.unwrap();
    let left = told(&person, json!({})).await;
    let kinds: Vec<&str> = left.iter().map(|it| it.split(' ').next().unwrap()).collect();
    let expected = ["INTERMEDIATE", "PARTNER_CERTIFICATE", "FTM_CERTIFICATE", "OIDC_KEY"];
    assert_eq!(kinds, expected, "a suspended partner comes back");
    admin.deactivates(&place.market.alice.partner).await.unwrap();
    admin.deactivates(&fred.partner).await.unwrap();
    let left = told(&person, json!({})).await;
    assert!(left.len() == 1 && left[0].starts_with("INTERMEDIATE"), "{left:?}");
}

#[tokio::test]
async fn what_has_expired_is_told_when_it_is_asked_for() {
    let place = Place::with_ends().await;
    let admin = place.app.admin();
    place.lets_end("api_key", "expires_at", "true", -3).await;
    place.lets_end("misp_license", "expires_at", "true", 31).await;
    let kinds = json!(["API_KEY", "MISP_LICENSE", "SBI"]);
    let filter = |expired: bool, days: i32| json!({"kinds": kinds, "includeExpired": expired, "withinDays": days});
    assert_eq!(told(&admin, filter(false, 30)).await, ["SBI 1.0"]);
    assert_eq!(told(&admin, filter(false, 31)).await, ["SBI 1.0", "MISP_LICENSE Main"]);
    let with_expired = asks(&admin, filter(true, 1)).await;
    assert_eq!(with_expired.len(), 1);
    assert_eq!(
        (&with_expired[0]["kind"], &with_expired[0]["daysLeft"]),
        (&json!("API_KEY"), &json!(-4))
    );
}

#[tokio::test]
async fn each_filter_narrows_the_list() {
    let place = Place::with_ends().await;
    let admin = place.app.admin();
    let asks = async |filter: Value| told(&admin, filter).await.join(", ");
    let of_alice = "PARTNER_CERTIFICATE alice-co Inc, API_KEY Branches, OIDC_KEY Portal";
    assert_eq!(asks(json!({"partnerId": {"equals": "alice-co"}})).await, of_alice);
    assert_eq!(asks(json!({"organizationName": {"startsWith": "ALICE"}})).await, of_alice);
    assert_eq!(
        asks(json!({"domain": ["DEVICE", "FTM"]})).await,
        "FTM_CERTIFICATE Acme C 1, SBI 1.0"
    );
    let auth = asks(json!({"domain": ["AUTH"]})).await;
    assert!(auth.starts_with("ROOT ") && auth.ends_with(of_alice), "{auth}");
    assert_eq!(asks(json!({"domain": ["MISP"], "withinDays": 7})).await, "MISP_LICENSE Main");
    assert_eq!(asks(json!({"kinds": ["SBI"], "withinDays": 8})).await, "SBI 1.0");
    assert_eq!(asks(json!({"kinds": ["SBI"], "withinDays": 7})).await, "");
    assert_eq!(asks(json!({"kinds": []})).await, "");
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps() {
    let place = Place::with_ends().await;
    let admin = place.app.admin();
    let same_end = "update read.api_key set expires_at = (select certificate_expires_at \
                    from read.partner where id = 'alice-co')";
    place.app.installation.database.as_owner(same_end).await;
    let whole = asks(&admin, json!({})).await;
    assert_eq!(whole[2]["expiresAt"], whole[3]["expiresAt"]);
    let (mut pages, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = admin.asks(QUERY, json!({"first": 3, "after": after})).await;
        let list = &answer.data()["expiringItems"];
        assert_eq!(list["totalCount"], 8);
        pages.extend(list["nodes"].as_array().unwrap().clone());
        after = list["pageInfo"]["endCursor"].clone();
        if list["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(pages, whole);
}

#[tokio::test]
async fn a_question_without_bounds_is_refused() {
    let app = App::start().await;
    let admin = app.admin();
    for days in [0, -1, 366] {
        let answer = admin.asks(QUERY, json!({"filter": {"withinDays": days}})).await;
        assert_eq!(answer.findings(), ["filter.withinDays: DAYS_OUT_OF_RANGE"]);
    }
    for (wrong, finding) in [
        (json!({"first": 201}), "first: PAGE_SIZE"),
        (json!({"first": 0}), "first: PAGE_SIZE"),
        (json!({"after": "x"}), "after: CURSOR_INVALID"),
    ] {
        assert_eq!(admin.asks(QUERY, wrong).await.findings(), [finding]);
    }
}

#[tokio::test]
async fn everybody_sees_what_is_his_own_and_strangers_see_nothing() {
    let place = Place::with_ends().await;
    let trusted = ["INTERMEDIATE", "ROOT"];
    let everything = kinds(&place.app.admin()).await;
    assert_eq!(kinds(&place.app.auditor()).await, everything);

    let own = [&["API_KEY"], &trusted[..1], &["OIDC_KEY", "PARTNER_CERTIFICATE"], &trusted[1..]];
    assert_eq!(kinds(&place.alice()).await, own.concat());
    assert_eq!(kinds(&place.app.partner("stranger")).await, trusted);
    let of_alice = json!({"partnerId": {"equals": "alice-co"}, "includeExpired": true});
    assert!(told(&place.app.partner("stranger"), of_alice).await.is_empty());

    let mia = place.app.person(place.mia.partner.trim_end_matches("-co"), Role::MispPartner);
    let own = [&trusted[..1], &["MISP_LICENSE", "PARTNER_CERTIFICATE"], &trusted[1..]];
    assert_eq!(kinds(&mia).await, own.concat());
    let fred = place.app.person("fred", Role::FtmProvider);
    let own = [&["FTM_CERTIFICATE"], &trusted[..1], &["PARTNER_CERTIFICATE"], &trusted[1..]];
    assert_eq!(kinds(&fred).await, own.concat());

    let manager = place.app.policy_manager().asks(QUERY, json!({})).await;
    assert_eq!(manager.codes(), ["FORBIDDEN"]);
}
