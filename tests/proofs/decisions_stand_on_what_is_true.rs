//! Nothing is written, and nothing is answered, on what is not true any more: streams and sets
//! that a decision read are guarded by their versions, and it is made again when one has moved.

use crate::support::actors::{Market, Person, Provider, credential_partner, partner};
use crate::support::commands::{Installation, codes, overtaken};
use ::commands::{Commands, Error};
use domain::actor::MemberRole;
use domain::reference::Modality;
use projections::held::live_of_partner;
use projections::{api_key, fold, policy_request};

/// An installation of two nodes and a market.
struct Two {
    installation: Installation,
    here: Commands,
    there: Commands,
    market: Market,
}

impl Two {
    async fn nodes() -> Self {
        let installation = Installation::new().await;
        let (here, there) = (installation.node(), installation.node());
        let market = Market::open(&here).await;
        Self { installation, here, there, market }
    }

    /// Lets `late` decide here, `early` decide and append there, and `late` append.
    async fn overtaken<L, E>(
        &self,
        late: impl Future<Output = L>,
        early: impl Future<Output = E>,
    ) -> (L, E) {
        overtaken(&self.installation, &self.here, self.market.anything(), late, early).await
    }

    fn there(&self, person: &Person) -> Person {
        person.at(&self.there)
    }

    async fn key_status(&self, id: &str) -> String {
        let row: Option<api_key::Row> = fold::find(self.here.store().pool(), id).await.unwrap();
        serde_json::to_value(row.unwrap()).unwrap()["status"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_request_is_not_made_for_a_policy_retired_meanwhile() {
    let two = Two::nodes().await;
    let (alice, manager) = (&two.market.alice, two.there(&two.market.manager));
    let (requested, retired) = two
        .overtaken(alice.requests(&two.market.policy), manager.retires(&two.market.policy))
        .await;
    retired.unwrap();
    assert_eq!(codes(requested), ["POLICY_DEACTIVATED"]);
}

#[tokio::test]
async fn a_policy_requested_meanwhile_is_not_retired() {
    let two = Two::nodes().await;
    let (manager, alice) = (&two.market.manager, two.there(&two.market.alice));
    let (retired, requested) = two
        .overtaken(manager.retires(&two.market.policy), alice.requests(&two.market.policy))
        .await;
    requested.unwrap();
    assert_eq!(codes(retired), ["POLICY_IN_USE"]);
}

#[tokio::test]
async fn a_request_of_a_partner_suspended_meanwhile_is_not_approved() {
    let two = Two::nodes().await;
    let request = two.market.alice.requests(&two.market.policy).await.unwrap().id;
    let (admin, elsewhere) = (&two.market.admin, two.there(&two.market.admin));
    let (approved, suspended) = two
        .overtaken(admin.approves(&request), elsewhere.suspends(&two.market.alice.partner))
        .await;
    suspended.unwrap();
    assert_eq!(codes(approved), ["PARTNER_SUSPENDED"]);
}

#[tokio::test]
async fn a_draft_is_not_started_in_a_group_closed_meanwhile() {
    let two = Two::nodes().await;
    let group = two.market.manager.creates_group("Health").await.unwrap().id;
    let (manager, elsewhere) = (&two.market.manager, two.there(&two.market.manager));
    let (drafted, closed) =
        two.overtaken(manager.drafts(&group, "Records"), elsewhere.closes_group(&group)).await;
    closed.unwrap();
    assert_eq!(codes(drafted), ["POLICY_GROUP_INACTIVE"]);
}

#[tokio::test]
async fn a_group_in_which_a_draft_was_started_meanwhile_is_not_closed() {
    let two = Two::nodes().await;
    let group = two.market.manager.creates_group("Health").await.unwrap().id;
    let (manager, elsewhere) = (&two.market.manager, two.there(&two.market.manager));
    let (closed, drafted) =
        two.overtaken(manager.closes_group(&group), elsewhere.drafts(&group, "Records")).await;
    drafted.unwrap();
    assert_eq!(codes(closed), ["POLICY_GROUP_HAS_POLICIES"]);
}

#[tokio::test]
async fn a_certificate_under_an_authority_disabled_meanwhile_is_not_accepted() {
    let two = Two::nodes().await;
    let bob = partner(&two.here, "bob");
    bob.registers(&two.market.group).await.unwrap();
    let certificate = two.market.authority.leaf(&bob.organization());
    let trusted = two.market.admin.trusts(&two.market.authority).await.unwrap().id;
    let elsewhere = two.there(&two.market.admin);
    let (uploaded, disabled) =
        two.overtaken(bob.uploads(&certificate), elsewhere.disables(&trusted)).await;
    disabled.unwrap();
    assert!(matches!(uploaded, Err(Error::Refused(_))), "{uploaded:?}");
}

#[tokio::test]
async fn a_certificate_that_its_authority_takes_back_meanwhile_is_not_accepted() {
    let two = Two::nodes().await;
    let bob = partner(&two.here, "bob");
    bob.registers(&two.market.group).await.unwrap();
    let certificate = two.market.authority.leaf(&bob.organization());
    let trusted = two.market.admin.trusts(&two.market.authority).await.unwrap().id;
    let crl = two.market.authority.takes_back(1, &[&certificate]);
    let elsewhere = two.there(&two.market.admin);
    let (uploaded, attached) =
        two.overtaken(bob.uploads(&certificate), elsewhere.attaches(&trusted, &crl)).await;
    attached.unwrap();
    assert_eq!(codes(uploaded), ["CERTIFICATE_REVOKED"]);
}

#[tokio::test]
async fn a_key_generated_while_its_partner_is_being_deactivated_does_not_survive() {
    let two = Two::nodes().await;
    two.market.approved_request().await;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (ended, generated) = two
        .overtaken(
            admin.deactivates(&alice.partner),
            alice.generates_key(&two.market.policy, "late"),
        )
        .await;
    ended.unwrap();
    assert_eq!(two.key_status(&generated.unwrap().id).await, "DEACTIVATED");
}

#[tokio::test]
async fn a_key_generated_while_its_partner_is_being_suspended_is_suspended() {
    let two = Two::nodes().await;
    two.market.approved_request().await;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (suspended, generated) = two
        .overtaken(admin.suspends(&alice.partner), alice.generates_key(&two.market.policy, "late"))
        .await;
    suspended.unwrap();
    assert_eq!(two.key_status(&generated.unwrap().id).await, "SUSPENDED");
}

#[tokio::test]
async fn a_key_generated_while_its_approval_is_being_revoked_does_not_survive() {
    let two = Two::nodes().await;
    let request = two.market.approved_request().await;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (revoked, generated) = two
        .overtaken(admin.revokes(&request), alice.generates_key(&two.market.policy, "late"))
        .await;
    revoked.unwrap();
    assert_eq!(two.key_status(&generated.unwrap().id).await, "DEACTIVATED");
}

#[tokio::test]
async fn a_successor_issued_while_its_partner_is_being_deactivated_does_not_survive() {
    let two = Two::nodes().await;
    two.market.approved_request().await;
    let key = two.market.alice.generates_key(&two.market.policy, "one").await.unwrap().id;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (ended, rotated) =
        two.overtaken(admin.deactivates(&alice.partner), alice.rotates_key(&key, None)).await;
    ended.unwrap();
    assert_eq!(two.key_status(&rotated.unwrap().id).await, "DEACTIVATED");
}

#[tokio::test]
async fn no_licence_is_generated_under_an_approval_revoked_meanwhile() {
    let two = Two::nodes().await;
    let Provider { mia, policy, request } = two.market.provider().await;
    let (admin, elsewhere) = (&two.market.admin, two.there(&two.market.admin));
    let (generated, revoked) = two
        .overtaken(
            admin.generates_license(&mia, Some(&policy), "late"),
            elsewhere.revokes(&request),
        )
        .await;
    revoked.unwrap();
    assert_eq!(codes(generated), ["POLICY_NOT_APPROVED"]);
}

#[tokio::test]
async fn no_key_is_generated_under_an_approval_revoked_meanwhile() {
    let two = Two::nodes().await;
    let request = two.market.approved_request().await;
    let (alice, admin) = (&two.market.alice, two.there(&two.market.admin));
    let (generated, revoked) = two
        .overtaken(alice.generates_key(&two.market.policy, "late"), admin.revokes(&request))
        .await;
    revoked.unwrap();
    assert_eq!(codes(generated), ["POLICY_NOT_APPROVED"]);
}

#[tokio::test]
async fn a_request_made_while_its_partner_is_being_deactivated_ends_with_it() {
    let two = Two::nodes().await;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (ended, requested) =
        two.overtaken(admin.deactivates(&alice.partner), alice.requests(&two.market.policy)).await;
    ended.unwrap();
    requested.unwrap();
    let partner = alice.partner.as_str().into();
    let pool = two.here.store().pool();
    let live = live_of_partner::<policy_request::Row>(pool, &partner).await.unwrap();
    assert!(live.is_empty());
}

/// Paula prints under a policy that shares biometrics; with the policy and an extractor.
async fn print_shop(two: &Two) -> (Person, String, String) {
    let paula = credential_partner(&two.here, "paula");
    two.market.welcome(&paula).await;
    let policy = two.market.manager.offers_biometrics(&two.market.group, "Cards").await;
    let face = two.market.admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
    (paula, policy, face)
}

#[tokio::test]
async fn an_extractor_deleted_meanwhile_is_named_by_no_request() {
    let two = Two::nodes().await;
    let (paula, policy, face) = print_shop(&two).await;
    let admin = two.there(&two.market.admin);
    let (requested, deleted) = two
        .overtaken(paula.requests_for(&policy, "euin", &face), admin.deletes_extractor(&face))
        .await;
    deleted.unwrap();
    assert_eq!(codes(requested), ["EXTRACTOR_DELETED"]);
}

#[tokio::test]
async fn an_extractor_that_a_request_named_meanwhile_is_not_deleted() {
    let two = Two::nodes().await;
    let (paula, policy, face) = print_shop(&two).await;
    let (admin, paula) = (&two.market.admin, two.there(&paula));
    let (deleted, requested) = two
        .overtaken(admin.deletes_extractor(&face), paula.requests_for(&policy, "euin", &face))
        .await;
    requested.unwrap();
    assert_eq!(codes(deleted), ["EXTRACTOR_IN_USE"]);
}

#[tokio::test]
async fn an_extractor_that_a_draft_names_since_is_not_deleted() {
    let two = Two::nodes().await;
    let (paula, policy, face) = print_shop(&two).await;
    let draft = paula.drafts_request(&policy).await.unwrap().id;
    let (admin, paula) = (&two.market.admin, two.there(&paula));
    let (deleted, completed) =
        two.overtaken(admin.deletes_extractor(&face), paula.completes(&draft, "euin", &face)).await;
    completed.unwrap();
    assert_eq!(codes(deleted), ["EXTRACTOR_IN_USE"]);
}

#[tokio::test]
async fn a_policy_for_which_a_draft_was_submitted_meanwhile_is_not_retired() {
    let two = Two::nodes().await;
    let (paula, policy, face) = print_shop(&two).await;
    let draft = paula.drafts_request(&policy).await.unwrap().id;
    paula.completes(&draft, "euin", &face).await.unwrap();
    let (manager, paula) = (&two.market.manager, two.there(&paula));
    let (retired, submitted) = two.overtaken(manager.retires(&policy), paula.submits(&draft)).await;
    submitted.unwrap();
    assert_eq!(codes(retired), ["POLICY_IN_USE"]);
}

#[tokio::test]
async fn of_two_successors_of_one_policy_one_is_drafted() {
    let two = Two::nodes().await;
    let (group, policy) = (two.market.group.as_str(), two.market.policy.as_str());
    let (manager, elsewhere) = (&two.market.manager, two.there(&two.market.manager));
    let (late, early) = two
        .overtaken(
            manager.supersedes(policy, group, "KYC"),
            elsewhere.supersedes(policy, group, "KYC"),
        )
        .await;
    early.unwrap();
    assert_eq!(codes(late), ["POLICY_SUPERSEDED_ALREADY"]);
}

#[tokio::test]
async fn of_two_managers_who_dismiss_each_other_at_once_one_stays() {
    let two = Two::nodes().await;
    two.market.alice.invites("bob", MemberRole::Manager).await.unwrap();
    let bob = partner(&two.there, "bob").beside(&two.market.alice);
    let (late, early) =
        two.overtaken(two.market.alice.dismisses("bob"), bob.dismisses("alice")).await;
    early.unwrap();
    assert_eq!(codes(late), ["PARTNER_NOT_FOUND"]); // she is a stranger by now
}

#[tokio::test]
async fn a_partner_that_asks_for_a_policy_meanwhile_is_not_moved_to_another_group() {
    let two = Two::nodes().await;
    let other = two.market.manager.creates_group("Health").await.unwrap().id;
    let (admin, alice) = (&two.market.admin, two.there(&two.market.alice));
    let (moved, requested) = two
        .overtaken(admin.moves(&alice.partner, &other), alice.requests(&two.market.policy))
        .await;
    requested.unwrap();
    assert_eq!(codes(moved), ["PARTNER_HAS_LINKS"]);
}

#[tokio::test]
async fn a_caller_who_pinned_a_version_hears_of_the_conflict() {
    let two = Two::nodes().await;
    let (manager, elsewhere) = (&two.market.manager, two.there(&two.market.manager));
    let (late, early) = two
        .overtaken(
            manager.having_seen(1).renames_group(&two.market.group, "Finance"),
            elsewhere.renames_group(&two.market.group, "Money"),
        )
        .await;
    early.unwrap();
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
}

#[tokio::test]
async fn a_caller_who_pinned_an_old_version_hears_of_the_conflict_at_once() {
    let two = Two::nodes().await;
    let manager = &two.market.manager;
    let before = two.here.store().health().borrow().head;
    let stale = manager.having_seen(7).renames_group(&two.market.group, "Finance").await;
    assert!(matches!(stale, Err(Error::Conflict)), "{stale:?}");
    assert_eq!(two.here.store().health().borrow().head, before);
}

#[tokio::test]
async fn without_a_pinned_version_the_later_of_two_writers_decides_again() {
    let two = Two::nodes().await;
    let (manager, elsewhere) = (&two.market.manager, two.there(&two.market.manager));
    let (late, early) = two
        .overtaken(
            manager.renames_group(&two.market.group, "Finance"),
            elsewhere.renames_group(&two.market.group, "Money"),
        )
        .await;
    assert!(early.unwrap().position < late.unwrap().position);
    manager.creates_group("Money").await.unwrap(); // given back by the later one
}

/// What nothing follows from is true at the moment of the answer: the key of a wish that changes
/// nothing goes through the same judgement as every event.
#[tokio::test]
async fn nothing_to_do_is_answered_only_while_it_is_still_so() {
    let two = Two::nodes().await;
    let (admin, elsewhere) = (&two.market.admin, two.there(&two.market.admin));
    let partner = &two.market.alice.partner;
    admin.suspends(partner).await.unwrap();
    let (again, reactivated) =
        two.overtaken(admin.once("again").suspends(partner), elsewhere.reactivates(partner)).await;
    let (again, reactivated) = (again.unwrap(), reactivated.unwrap());
    assert!(again.position > reactivated.position, "it was suspended again: it is to be suspended");
    assert_eq!(again.position, two.here.store().health().borrow().head);
}
