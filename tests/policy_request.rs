//! Requests of credential partners: policy, credential type and extractors in one wish, which may
//! wait as a draft until it is complete.

use crate::support::actors::{Market, Person, credential_partner};
use crate::support::http::{Answer, App, Caller};
use domain::actor::Role;
use domain::reference::Modality;
use serde_json::{Value, json};

/// A market with a policy that shares biometrics, an extractor of faces, and Paula, who prints.
struct PrintShop {
    app: App,
    market: Market,
    paula: Person,
    policy: String,
    face: String,
}

impl PrintShop {
    async fn open() -> Self {
        let app = App::start().await;
        let market = Market::open(&app.node).await;
        let paula = credential_partner(&app.node, "paula");
        market.welcome(&paula).await;
        let policy = market.manager.offers_biometrics(&market.group, "Cards").await;
        let face = market.admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
        Self { app, market, paula, policy, face }
    }

    fn paula(&self) -> Caller<'_> {
        self.app.person("paula", Role::CredentialPartner)
    }

    /// An input of Paula's that asks for the policy, with more or other fields.
    fn asks(&self, more: Value) -> Value {
        with(
            json!({"partnerId": self.paula.partner, "policyId": self.policy, "comment": "c"}),
            more,
        )
    }

    fn parts(&self) -> Value {
        let face = json!([{"modality": "FACE", "extractorId": self.face}]);
        json!({"credentialType": "EUIN", "extractors": face})
    }

    async fn drafts(&self) -> String {
        let draft = self.asks(json!({"asDraft": true}));
        let drafted = self.paula().does("requestPolicy", draft, SHOWN).await;
        let request = &drafted.payload()["policyRequest"];
        assert_eq!(request["status"], "DRAFT");
        assert_eq!(request["missingParts"], json!(["credentialType", "extractors"]));
        request["id"].as_str().unwrap().to_owned()
    }

    /// What somebody is shown of one request: by its id, in the list, in the history.
    async fn shown(&self, who: &Caller<'_>, request: &str) -> (bool, usize, usize) {
        let query = "query($id: ID!) { policyRequest(id: $id) { status }
            policyRequests { totalCount nodes { id } }
            history(filter: {noun: \"policy_request\"}) { nodes { event } } }";
        let answer = who.asks(query, json!({"id": request})).await;
        let data = answer.data();
        let listed = data["policyRequests"]["nodes"].as_array().unwrap().len();
        assert_eq!(data["policyRequests"]["totalCount"], json!(listed));
        let told = data["history"]["nodes"].as_array().unwrap().len();
        (!data["policyRequest"].is_null(), listed, told)
    }
}

const SHOWN: &str = "policyRequest { id status credentialType submittedAt missingParts
    extractors { modality extractor { name } } }";

fn with(mut input: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

async fn approves(shop: &PrintShop, request: &str) -> Answer {
    let input = json!({"policyRequestId": request});
    shop.app.admin().does("approvePolicyRequest", input, SHOWN).await
}

#[tokio::test]
async fn a_draft_is_completed_submitted_and_approved_and_then_found_by_its_credential_type() {
    let shop = PrintShop::open().await;
    let request = shop.drafts().await;
    let id = json!({"policyRequestId": request});

    let early = shop.paula().does("submitPolicyRequest", id.clone(), SHOWN).await;
    let missing = ["credentialType: CREDENTIAL_TYPE_NEEDED", "extractors: EXTRACTORS_NEEDED"];
    assert_eq!(early.findings(), missing);

    let complete = with(with(id.clone(), shop.parts()), json!({"comment": "Cards for all"}));
    let updated = shop.paula().does("updateDraftPolicyRequest", complete, SHOWN).await;
    let request_row = &updated.payload()["policyRequest"];
    assert_eq!(request_row["credentialType"], "euin");
    assert_eq!(request_row["missingParts"], json!([]));
    let face = json!([{"modality": "FACE", "extractor": {"name": "Face"}}]);
    assert_eq!(request_row["extractors"], face);
    assert!(request_row["submittedAt"].is_null());

    let submitted = shop.paula().does("submitPolicyRequest", id, SHOWN).await;
    let request_row = &submitted.payload()["policyRequest"];
    assert_eq!(request_row["status"], "PENDING");
    assert!(!request_row["submittedAt"].is_null());
    assert_eq!(shop.shown(&shop.app.admin(), &request).await, (true, 1, 3));

    let query = "query($p: ID!) { partnerPolicy(partnerId: $p, credentialType: \"eUIN\") {
        id policy { name } extractors { extractor { provider version } } } }";
    let by_type = json!({"p": shop.paula.partner});
    let before = shop.app.admin().asks(query, by_type.clone()).await;
    assert!(before.data()["partnerPolicy"].is_null());
    assert_eq!(approves(&shop, &request).await.payload()["policyRequest"]["status"], "APPROVED");
    let after = shop.app.admin().asks(query, by_type.clone()).await;
    assert_eq!(after.data()["partnerPolicy"]["id"], json!(request));
    assert_eq!(after.data()["partnerPolicy"]["policy"]["name"], "Cards");
    let stranger = shop.app.partner("mallory").asks(query, by_type).await;
    assert!(stranger.data()["partnerPolicy"].is_null());
}

#[tokio::test]
async fn a_draft_is_seen_by_its_partner_and_by_auditors_only() {
    let shop = PrintShop::open().await;
    let request = shop.drafts().await;
    assert_eq!(shop.shown(&shop.paula(), &request).await, (true, 1, 1));
    assert_eq!(shop.shown(&shop.app.auditor(), &request).await, (true, 1, 1));
    assert_eq!(shop.shown(&shop.app.admin(), &request).await, (false, 0, 0));
    assert_eq!(shop.shown(&shop.app.partner("mallory"), &request).await, (false, 0, 0));
    let drafts = "{ policyRequests(filter: {status: [DRAFT]}) { totalCount } }";
    for who in [shop.app.admin(), shop.app.policy_manager()] {
        let asked = who.asks(drafts, json!({})).await;
        assert_eq!(asked.data()["policyRequests"]["totalCount"], 0);
    }
    let id = json!({"policyRequestId": request});
    let why = with(id.clone(), json!({"reason": "because"}));
    for (mutation, input) in [
        ("approvePolicyRequest", &id),
        ("rejectPolicyRequest", &why),
        ("withdrawPolicyRequest", &id),
        ("revokePolicyRequest", &why),
    ] {
        let refused = shop.app.admin().does(mutation, input.clone(), "position").await;
        assert_eq!(refused.codes(), ["REQUEST_NOT_FOUND"], "{mutation}");
    }
}

#[tokio::test]
async fn what_was_tried_with_a_draft_is_seen_by_auditors_only() {
    let shop = PrintShop::open().await;
    let draft = json!({"policyRequestId": shop.drafts().await});
    let mallory = shop.app.partner("mallory");
    let rewritten = with(draft.clone(), json!({"comment": "mine"}));
    for (who, mutation, input) in [
        (&shop.paula(), "submitPolicyRequest", draft),
        (&mallory, "updateDraftPolicyRequest", rewritten),
        (&shop.paula(), "requestPolicy", shop.asks(shop.parts())),
    ] {
        let refused = who.does(mutation, input, "position").await;
        assert!(!refused.codes().is_empty(), "{mutation}");
    }
    let attempts = "query($of: [String!]) { refusedAttempts(filter: {operation: $of})
        { totalCount nodes { operation } } }";
    let seen = async |who: Caller<'_>, of: Value| {
        who.asks(attempts, json!({"of": of})).await.data()["refusedAttempts"].clone()
    };
    assert_eq!(seen(shop.app.auditor(), Value::Null).await["totalCount"], 3);
    let only = json!({"totalCount": 1, "nodes": [{"operation": "requestPolicy"}]});
    assert_eq!(seen(shop.app.admin(), Value::Null).await, only);
    let asked_for = json!(["submitPolicyRequest", "updateDraftPolicyRequest"]);
    assert_eq!(seen(shop.app.admin(), asked_for).await["totalCount"], 0);
}

#[tokio::test]
async fn a_draft_that_was_taken_back_never_appears_and_makes_room_for_the_next() {
    let shop = PrintShop::open().await;
    let request = shop.drafts().await;
    let refused = shop.paula().does("requestPolicy", shop.asks(shop.parts()), "position").await;
    assert_eq!(refused.findings(), ["policyId: POLICY_ALREADY_REQUESTED"]);
    let id = json!({"policyRequestId": request});
    let withdrawn = shop.paula().does("withdrawPolicyRequest", id, SHOWN).await;
    assert_eq!(withdrawn.payload()["policyRequest"]["status"], "WITHDRAWN");
    assert_eq!(shop.shown(&shop.app.admin(), &request).await, (false, 0, 0));
    shop.paula().does("requestPolicy", shop.asks(shop.parts()), "position").await.payload();
}

#[tokio::test]
async fn everything_that_is_wrong_with_the_parts_is_told_at_once() {
    let shop = PrintShop::open().await;
    let refused = async |more: Value| {
        let refused = shop.paula().does("requestPolicy", shop.asks(more), "position").await;
        refused.findings()
    };
    let choice = |modality: &str, id: &str| json!({"modality": modality, "extractorId": id});
    let needed = ["credentialType: CREDENTIAL_TYPE_NEEDED", "extractors: EXTRACTORS_NEEDED"];
    assert_eq!(refused(json!({})).await, needed);

    let twice = json!([choice("FACE", "x"), choice("FACE", "y")]);
    let shapes =
        refused(json!({"comment": "", "credentialType": "passport", "extractors": twice})).await;
    let expected = [
        "comment: EMPTY",
        "credentialType: CREDENTIAL_TYPE_UNKNOWN",
        "extractors[1].modality: MODALITY_REPEATED",
    ];
    assert_eq!(shapes, expected);

    let gone = shop.market.admin.creates_extractor("Gone", Modality::Finger).await.unwrap().id;
    shop.market.admin.deletes_extractor(&gone).await.unwrap();
    let unusable = [choice("IRIS", &shop.face), choice("FACE", "x"), choice("FINGER", &gone)];
    for as_draft in [true, false] {
        let more = json!({"credentialType": "euin", "extractors": unusable, "asDraft": as_draft});
        let expected = [
            "extractors[0].extractorId: EXTRACTOR_MODALITY_DIFFERS",
            "extractors[1].extractorId: EXTRACTOR_NOT_FOUND",
            "extractors[2].extractorId: EXTRACTOR_DELETED",
        ];
        assert_eq!(refused(more).await, expected);
    }
}

#[tokio::test]
async fn who_receives_no_credentials_names_no_parts() {
    let shop = PrintShop::open().await;
    let input = with(shop.asks(shop.parts()), json!({"partnerId": shop.market.alice.partner}));
    let refused = shop.app.partner("alice").does("requestPolicy", input, "position").await;
    let expected =
        ["credentialType: CREDENTIAL_TYPE_NOT_ALLOWED", "extractors: EXTRACTORS_NOT_ALLOWED"];
    assert_eq!(refused.findings(), expected);
    let types = "{ partnerTypes { partnerType credential } }";
    let types = shop.app.admin().asks(types, json!({})).await;
    let printer = json!({"partnerType": "PRINT_PARTNER", "credential": "NEEDED"});
    assert!(types.data()["partnerTypes"].as_array().unwrap().contains(&printer));
}

#[tokio::test]
async fn a_partner_has_one_request_for_a_credential_type_until_that_one_ends() {
    let shop = PrintShop::open().await;
    let more = shop.market.manager.offers_biometrics(&shop.market.group, "More cards").await;
    let first = shop.paula.requests_for(&shop.policy, "euin", &shop.face).await.unwrap().id;
    let input = with(shop.asks(shop.parts()), json!({"policyId": more}));
    let taken = shop.paula().does("requestPolicy", input.clone(), "position").await;
    assert_eq!(taken.findings(), ["credentialType: CREDENTIAL_TYPE_TAKEN"]);

    let draft = shop.paula.drafts_request(&more).await.unwrap().id;
    assert!(shop.paula.completes(&draft, "euin", &shop.face).await.is_err());
    shop.paula.completes(&draft, "qrcode", &shop.face).await.unwrap();
    shop.market.admin.approves(&first).await.unwrap();
    shop.market.admin.revokes(&first).await.unwrap();
    shop.paula.completes(&draft, "euin", &shop.face).await.unwrap();
    let other = shop.paula.requests_for(&shop.policy, "qrcode", &shop.face).await;
    other.unwrap(); // given back when the draft was written anew
}

#[tokio::test]
async fn a_draft_ends_with_its_partner() {
    let shop = PrintShop::open().await;
    let request = shop.drafts().await;
    shop.market.admin.deactivates(&shop.paula.partner).await.unwrap();
    let query = "query($id: ID!) { policyRequest(id: $id) { status decisionReason } }";
    let ended = shop.paula().asks(query, json!({"id": request})).await;
    let expected = json!({"status": "WITHDRAWN", "decisionReason": "For a test"});
    assert_eq!(ended.data()["policyRequest"], expected);
}
