//! Policies that follow each other, and policies that are made from others.

use crate::support::actors::{Market, document};
use crate::support::http::{Answer, App};
use serde_json::{Value, json};

struct Office {
    app: App,
    market: Market,
}

impl Office {
    async fn open() -> Self {
        let app = App::start().await;
        let market = Market::open(&app.node).await;
        Self { app, market }
    }

    /// Drafts a policy that takes the place of the market's, with more or other fields.
    async fn supersedes(&self, more: Value) -> Answer {
        let mut policies = document();
        policies["allowedAuthTypes"] = json!([{"authType": "otp", "mandatory": true}]);
        let mut input = json!({"policyGroupId": self.market.group, "policyType": "AUTH",
            "name": "kyc", "description": "For a test", "version": "2", "policies": policies,
            "supersedes": self.market.policy});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let selection = "policy { id supersedes { id } supersededBy { id } }";
        self.app.policy_manager().does("createPolicy", input, selection).await
    }

    async fn successor(&self) -> String {
        let drafted = self.supersedes(json!({})).await;
        let policy = &drafted.payload()["policy"];
        assert_eq!(policy["supersedes"]["id"], json!(self.market.policy));
        policy["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_successor_keeps_the_name_and_is_shown_to_those_who_may_read_it() {
    let office = Office::open().await;
    let successor = office.successor().await;
    let query = "query($id: ID!) { policy(id: $id) { supersededBy { id } } }";
    let id = json!({"id": office.market.policy});
    let manager = office.app.policy_manager().asks(query, id.clone()).await;
    assert_eq!(manager.data()["policy"]["supersededBy"]["id"], json!(successor));
    let partner = office.app.partner("alice").asks(query, id.clone()).await;
    assert!(partner.data()["policy"]["supersededBy"].is_null());
    office.market.manager.publishes(&successor).await.unwrap();
    let partner = office.app.partner("alice").asks(query, id).await;
    assert_eq!(partner.data()["policy"]["supersededBy"]["id"], json!(successor));
}

#[tokio::test]
async fn the_name_belongs_to_the_line_and_nobody_else_takes_it() {
    let office = Office::open().await;
    let (manager, group) = (&office.market.manager, office.market.group.as_str());
    let second = office.successor().await;
    manager.rewrites(&second, "KYC 2").await.unwrap();
    manager.rewrites(&second, "KYC").await.unwrap();
    manager.drafts(group, "KYC 2").await.unwrap(); // given back
    manager.publishes(&second).await.unwrap();
    let third = manager.supersedes(&second, group, "KYC").await.unwrap().id;
    manager.discards(&third).await.unwrap();
    let taken = crate::support::commands::codes(manager.drafts(group, "KYC").await);
    assert_eq!(taken, ["POLICY_NAME_TAKEN"]);
    manager.supersedes(&second, group, "KYC").await.unwrap();
}

#[tokio::test]
async fn a_policy_has_one_successor_until_that_one_is_discarded() {
    let office = Office::open().await;
    let first = office.successor().await;
    let second = office.supersedes(json!({})).await;
    assert_eq!(second.findings(), ["supersedes: POLICY_SUPERSEDED_ALREADY"]);
    office.market.manager.discards(&first).await.unwrap();
    office.successor().await;
}

#[tokio::test]
async fn a_successor_is_of_the_same_group_and_type_as_what_was_binding() {
    let office = Office::open().await;
    let manager = &office.market.manager;
    let other = manager.creates_group("Health").await.unwrap().id;
    let policies = json!({"allowedAuthTypes": []});
    let strange = json!({"policyGroupId": other, "policyType": "BINDING", "policies": policies});
    let expected = ["supersedes: SUCCESSOR_OF_OTHER_GROUP", "supersedes: SUCCESSOR_OF_OTHER_TYPE"];
    assert_eq!(office.supersedes(strange).await.findings(), expected);
    let draft = manager.drafts(&office.market.group, "Draft").await.unwrap().id;
    let early = office.supersedes(json!({"supersedes": draft})).await;
    assert_eq!(early.findings(), ["supersedes: POLICY_NOT_PUBLISHED"]);
    let unknown = office.supersedes(json!({"supersedes": "x"})).await;
    assert_eq!(unknown.findings(), ["supersedes: POLICY_NOT_FOUND"]);
    manager.retires(&office.market.policy).await.unwrap();
    office.successor().await;
}

const DIFF: &str = "query($id: ID!, $against: ID) { policyDiff(policyId: $id, against: $against) {
    path kind before after } }";

#[tokio::test]
async fn the_difference_to_the_predecessor_is_told_change_by_change() {
    let office = Office::open().await;
    let successor = office.successor().await;
    let otp = json!({"authType": "otp", "mandatory": true});
    let changed = |path: &str, before: &str, after: &str| json!({"path": path, "kind": "CHANGED", "before": before, "after": after});
    let expected = json!([
        changed("name", "KYC", "kyc"),
        changed("version", "1", "2"),
        {"path": "policies.allowedAuthTypes[otp]", "kind": "ADDED", "before": null, "after": otp},
    ]);
    let (manager, id) = (office.app.policy_manager(), json!({"id": successor}));
    assert_eq!(manager.asks(DIFF, id.clone()).await.data()["policyDiff"], expected);

    let draft = office.app.partner("alice").asks(DIFF, id).await;
    assert_eq!(draft.findings(), ["policyId: POLICY_NOT_FOUND"]);
    let first = json!({"id": office.market.policy});
    let alone = manager.asks(DIFF, first).await;
    assert_eq!(alone.findings(), ["against: AGAINST_NEEDED"]);
    let against = json!({"id": office.market.policy, "against": successor});
    let partner = office.app.partner("alice").asks(DIFF, against).await;
    assert_eq!(partner.findings(), ["against: POLICY_NOT_FOUND"]);
}

#[tokio::test]
async fn a_clone_begins_as_a_draft_with_the_same_content() {
    let office = Office::open().await;
    let manager = office.app.policy_manager();
    let other = office.market.manager.creates_group("Health").await.unwrap().id;
    let selection = "policy { id name status policyGroup { id } clonedFrom { id } }";
    let input = json!({"policyId": office.market.policy, "policyGroupId": other});
    let cloned = manager.does("clonePolicy", input.clone(), selection).await;
    let policy = &cloned.payload()["policy"];
    assert_eq!((&policy["name"], &policy["status"]), (&json!("KYC"), &json!("DRAFT")));
    assert_eq!(policy["policyGroup"]["id"], json!(other));
    assert_eq!(policy["clonedFrom"]["id"], json!(office.market.policy));
    let against = json!({"id": policy["id"], "against": office.market.policy});
    assert_eq!(manager.asks(DIFF, against).await.data()["policyDiff"], json!([]));

    let again = manager.does("clonePolicy", input, selection).await;
    assert_eq!(again.findings(), ["name: POLICY_NAME_TAKEN"]);
    let copy = policy["id"].as_str().unwrap();
    let group = office.market.group.as_str();
    office.market.manager.clones(copy, group, "From a draft").await.unwrap();
    office.market.manager.discards(copy).await.unwrap();
    let input = json!({"policyId": copy, "policyGroupId": group, "name": "n"});
    let discarded = manager.does("clonePolicy", input, selection).await;
    assert_eq!(discarded.findings(), ["policyId: POLICY_DISCARDED"]);
}
