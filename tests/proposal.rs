//! Four eyes: what ends or changes trust for good needs a second, different person, where the
//! installation wants it.

use crate::support::actors::Market;
use crate::support::certificates::Authority;
use crate::support::commands::Installation;
use crate::support::http::{Answer, App, Caller};
use chrono::TimeDelta;
use domain::actor::Role;
use domain::proposal::MAX_WAIT;
use serde_json::{Value, json};

/// A market whose operator has switched four eyes on since.
struct Careful {
    app: App,
    market: Market,
}

impl Careful {
    async fn start() -> Self {
        let installation = Installation::new().await;
        let node = installation.node();
        let market = Market::open(&node).await;
        Self { app: App::over(installation, node.with_four_eyes(true)).await, market }
    }

    fn second(&self) -> Caller<'_> {
        self.app.person("second", Role::PartnerAdmin)
    }

    async fn proposes_the_end_of_alice(&self) -> String {
        let input = json!({"partnerId": self.market.alice.partner, "reason": "Fraud was found"});
        let selection = "partner { status } proposal { id status action target proposedBy }";
        let wished = self.app.admin().does("deactivatePartner", input, selection).await;
        assert_eq!(wished.payload()["partner"]["status"], "ACTIVE");
        let proposal = &wished.payload()["proposal"];
        assert_eq!(proposal["action"], "DEACTIVATE_PARTNER");
        assert_eq!(proposal["target"], json!(self.market.alice.partner));
        assert_eq!(proposal["proposedBy"], "admin");
        proposal["id"].as_str().unwrap().to_owned()
    }

    async fn status_of_alice(&self) -> Value {
        let query = "query($id: ID!) { partner(id: $id) { status } }";
        let asked = self.app.admin().asks(query, json!({"id": self.market.alice.partner})).await;
        asked.data()["partner"]["status"].clone()
    }
}

async fn confirms(who: &Caller<'_>, proposal: &str) -> Answer {
    let input = json!({"proposalId": proposal});
    who.does("confirmProposal", input, "proposal { status decidedBy }").await
}

async fn refuses(who: &Caller<'_>, proposal: &str) -> Answer {
    let input = json!({"proposalId": proposal, "reason": "It was a mistake"});
    who.does("refuseProposal", input, "proposal { status decisionReason }").await
}

#[tokio::test]
async fn a_partner_ends_only_when_a_second_person_confirms() {
    let careful = Careful::start().await;
    careful.market.approved_request().await;
    careful.market.alice.generates_key(&careful.market.policy, "one").await.unwrap();
    let proposal = careful.proposes_the_end_of_alice().await;
    assert_eq!(careful.status_of_alice().await, "ACTIVE");

    let own = confirms(&careful.app.admin(), &proposal).await;
    assert_eq!(own.findings(), ["proposalId: SECOND_PERSON_NEEDED"]);
    let confirmed = confirms(&careful.second(), &proposal).await;
    let expected = json!({"status": "CONFIRMED", "decidedBy": "second"});
    assert_eq!(confirmed.payload()["proposal"], expected);
    assert_eq!(careful.status_of_alice().await, "DEACTIVATED");

    let query = "{ history(filter: {correlationId: $c}) { nodes { noun event causationId } } }";
    let correlation: String = careful
        .app
        .installation
        .database
        .ask("select metadata->>'correlation_id' from events order by position desc limit 1")
        .await;
    let query = query.replace("$c", &format!("{correlation:?}"));
    let told = careful.app.auditor().asks(&query, json!({})).await;
    let told = told.data()["history"]["nodes"].as_array().unwrap().clone();
    let what: Vec<String> = told
        .iter()
        .map(|it| format!("{} {}", it["noun"].as_str().unwrap(), it["event"].as_str().unwrap()))
        .collect();
    assert_eq!(what[..2], ["proposal confirmed", "partner deactivated"]);
    assert_eq!(told[1]["causationId"], json!(format!("proposal/{proposal}#2")));
    assert!(what.contains(&"api_key deactivated".to_owned()), "{what:?}");
    assert!(what.contains(&"policy_request revoked".to_owned()), "{what:?}");
}

#[tokio::test]
async fn a_refused_proposal_changes_nothing_and_cannot_be_confirmed() {
    let careful = Careful::start().await;
    let proposal = careful.proposes_the_end_of_alice().await;
    let refused = refuses(&careful.second(), &proposal).await;
    let expected = json!({"status": "REFUSED", "decisionReason": "It was a mistake"});
    assert_eq!(refused.payload()["proposal"], expected);
    let late = confirms(&careful.second(), &proposal).await;
    assert_eq!(late.findings(), ["proposalId: PROPOSAL_REFUSED"]);
    assert_eq!(careful.status_of_alice().await, "ACTIVE");
}

#[tokio::test]
async fn what_nobody_confirms_lapses_after_a_week_and_the_log_is_told_once() {
    let careful = Careful::start().await;
    let proposal = careful.proposes_the_end_of_alice().await;
    let node = &careful.app.node;
    let end = commands::now() + MAX_WAIT;
    let early = end - TimeDelta::hours(1);
    assert_eq!(node.tell_expired(early).await.unwrap(), 0);
    assert_eq!(node.tell_expired(end + TimeDelta::hours(1)).await.unwrap(), 1);
    assert_eq!(node.tell_expired(end + TimeDelta::hours(1)).await.unwrap(), 0);
    let late = confirms(&careful.second(), &proposal).await;
    assert_eq!(late.findings(), ["proposalId: PROPOSAL_LAPSED"]);
    let events = "select count(*) from events where event_type = 'lapsed'";
    assert_eq!(careful.app.installation.database.ask::<i64>(events).await, 1);
}

#[tokio::test]
async fn a_new_root_of_trust_needs_a_second_person_and_an_intermediate_does_not() {
    let careful = Careful::start().await;
    let root = Authority::root("Another Root");
    let upload = |authority: &Authority| json!({"partnerDomain": "AUTH", "certificateData": authority.pem()});
    let selection = "trustCertificate { status } proposal { id target }";
    let wished = careful.app.admin().does("uploadTrustCertificate", upload(&root), selection).await;
    assert!(wished.payload()["trustCertificate"].is_null());
    let proposal = wished.payload()["proposal"]["id"].as_str().unwrap().to_owned();
    confirms(&careful.second(), &proposal).await.payload();

    let intermediate = root.intermediate("Another Issuing CA");
    let admin = careful.app.admin();
    let at_once = admin.does("uploadTrustCertificate", upload(&intermediate), selection).await;
    assert_eq!(at_once.payload()["trustCertificate"]["status"], "ACTIVE");
    assert!(at_once.payload()["proposal"].is_null());
}

#[tokio::test]
async fn a_policy_ends_only_when_a_second_person_confirms_and_only_if_it_is_still_possible() {
    let careful = Careful::start().await;
    let input = json!({"policyId": careful.market.policy, "reason": "Replaced"});
    let selection = "policy { status } proposal { id }";
    let manager = careful.app.policy_manager();
    let wished = manager.does("deactivatePolicy", input.clone(), selection).await;
    assert_eq!(wished.payload()["policy"]["status"], "PUBLISHED");
    let proposal = wished.payload()["proposal"]["id"].as_str().unwrap().to_owned();

    let request = careful.market.alice.requests(&careful.market.policy).await.unwrap().id;
    let in_use = confirms(&careful.second(), &proposal).await;
    assert_eq!(in_use.findings(), ["policyId: POLICY_IN_USE"]);
    careful.market.alice.withdraws(&request).await.unwrap();
    confirms(&careful.second(), &proposal).await.payload();
    let again = manager.does("deactivatePolicy", input, selection).await;
    assert_eq!(again.payload()["policy"]["status"], "DEACTIVATED");
    assert!(again.payload()["proposal"].is_null(), "there is nothing to propose any more");
}

#[tokio::test]
async fn the_queue_shows_what_waits_and_what_each_person_can_do_about_it() {
    let careful = Careful::start().await;
    careful.proposes_the_end_of_alice().await;
    let query = "{ proposals(filter: {status: [OPEN]}) { totalCount nodes { target
        allowedActions { action allowed reasonCode } } } }";
    let allowed = async |who: Caller<'_>| {
        let queue = who.asks(query, json!({})).await;
        assert_eq!(queue.data()["proposals"]["totalCount"], 1);
        queue.data()["proposals"]["nodes"][0]["allowedActions"][0].clone()
    };
    let confirm = |reason: Value| json!({"action": "confirmProposal", "allowed": reason.is_null(), "reasonCode": reason});
    assert_eq!(allowed(careful.app.admin()).await, confirm(json!("SECOND_PERSON_NEEDED")));
    assert_eq!(allowed(careful.second()).await, confirm(Value::Null));
    assert_eq!(allowed(careful.app.auditor()).await, confirm(json!("FORBIDDEN")));
    let partner = careful.app.partner("alice").asks(query, json!({})).await;
    assert_eq!(partner.codes(), ["FORBIDDEN"]);
}

#[tokio::test]
async fn a_policy_manager_does_not_confirm_what_he_could_not_wish() {
    let careful = Careful::start().await;
    let proposal = careful.proposes_the_end_of_alice().await;
    let manager = careful.app.policy_manager();
    assert_eq!(confirms(&manager, &proposal).await.codes(), ["FORBIDDEN"]);
    assert_eq!(refuses(&manager, &proposal).await.codes(), ["FORBIDDEN"]);
}

#[tokio::test]
async fn the_same_wish_under_one_key_is_proposed_once() {
    let careful = Careful::start().await;
    let input = json!({"partnerId": careful.market.alice.partner, "reason": "Fraud",
                       "idempotencyKey": "end alice"});
    let selection = "proposal { id } position";
    let first = careful.app.admin().does("deactivatePartner", input.clone(), selection).await;
    let again = careful.app.admin().does("deactivatePartner", input, selection).await;
    assert_eq!(first.payload(), again.payload());
    assert!(first.payload()["proposal"]["id"].is_string());
}

/// What begins with one of these takes something away.
const DESTRUCTIVE: [&str; 14] = [
    "confirm",
    "deactivate",
    "delete",
    "disable",
    "discard",
    "refuse",
    "reject",
    "remove",
    "retire",
    "revoke",
    "suspend",
    "unlink",
    "withdraw",
    "reactivatePartner",
];

#[tokio::test]
async fn whatever_takes_something_away_can_be_previewed() {
    let app = App::start().await;
    let query = "{ mutations: __type(name: \"Mutation\") { fields { name } }
        previews: __type(name: \"Previews\") { fields { name } } }";
    let schema = app.admin().asks(query, json!({})).await;
    let names = |what: &str| -> Vec<String> {
        let fields = schema.data()[what]["fields"].as_array().unwrap();
        fields.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let previews = names("previews");
    // What a mutation for many would do is told by the preview for each.
    let of_one = |name: &str| name.strip_suffix('s').unwrap_or(name).to_owned();
    let missing: Vec<String> = names("mutations")
        .into_iter()
        .filter(|name| DESTRUCTIVE.iter().any(|verb| name.starts_with(verb)))
        .filter(|name| !previews.contains(name) && !previews.contains(&of_one(name)))
        .collect();
    assert!(missing.is_empty(), "no preview: {missing:?}");
}

#[tokio::test]
async fn a_preview_tells_everything_that_would_end_and_changes_nothing() {
    let careful = Careful::start().await;
    careful.market.approved_request().await;
    careful.market.alice.generates_key(&careful.market.policy, "one").await.unwrap();
    let before: i64 = careful.app.installation.database.ask("select count(*) from events").await;
    let query =
        "query($input: DeactivatePartnerInput!) { preview { deactivatePartner(input: $input)
        { changes { noun event } } } }";
    let input = json!({"partnerId": careful.market.alice.partner, "reason": "Fraud"});
    let told = careful.app.admin().asks(query, json!({"input": input})).await;
    let expected = json!([
        {"noun": "partner", "event": "deactivated"},
        {"noun": "api_key", "event": "deactivated"},
        {"noun": "policy_request", "event": "revoked"},
    ]);
    assert_eq!(told.data()["preview"]["deactivatePartner"]["changes"], expected);
    let after: i64 = careful.app.installation.database.ask("select count(*) from events").await;
    assert_eq!(after, before);
}
