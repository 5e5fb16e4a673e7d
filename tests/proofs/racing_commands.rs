//! Two commands that would break a rule together never do, in whatever order they come: both in one
//! batch, each held between its decision and its submission while the other one is appended, and
//! let loose on two nodes. The log tells no forbidden history, nobody gets a fault for an answer,
//! and what was granted is there.

use crate::support::actors::{Makers, Market, Person, device_provider, partner};
use crate::support::certificates::Authority;
use crate::support::commands::{Installation, in_one_batch, overtaken};
use crate::support::jwk;
use ::commands::{Commands, Done, Error, Result};
use futures::FutureExt as _;
use projections::fold::{Fold, find};
use projections::held::live_of_partner;
use projections::{
    api_key, device, oidc_client, partner as partners, policy, policy_group, policy_request,
};
use serde_json::Value;
use strum::{EnumCount as _, IntoEnumIterator as _};

/// Times that each pair meets in each form: 18 pairs make 864 races.
const TIMES: usize = 12;

/// How two commands meet.
#[derive(Debug, Clone, Copy, PartialEq, strum::EnumIter, strum::EnumCount)]
enum Form {
    OneBatch,
    OneIsHeld,
    OtherIsHeld,
    TwoNodes,
}

/// Where commands race: two nodes on one log, and a second way to the first one's appender, since
/// commands on the same thing queue within one process.
struct Field {
    installation: Installation,
    here: Commands,
    beside: Commands,
    there: Commands,
    market: Market,
    makers: Makers,
}

impl Field {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let (here, there) = (installation.node(), installation.node());
        let beside = installation.beside(&here);
        let market = Market::open(&here).await;
        let makers = Makers::open(&here).await;
        Self { installation, here, beside, there, market, makers }
    }

    async fn status<R: Fold>(&self, id: &str) -> String {
        let row = find::<R>(self.here.store().pool(), id).await.unwrap().unwrap();
        let row: Value = serde_json::to_value(row).unwrap();
        row["status"].as_str().unwrap().to_owned()
    }

    /// A partner that is active.
    async fn newcomer(&self, name: &str) -> Person {
        let newcomer = partner(&self.here, name);
        self.market.welcome(&newcomer).await;
        newcomer
    }

    /// A partner with an approved request for the policy.
    async fn customer(&self, name: &str) -> (Person, String) {
        let customer = self.newcomer(name).await;
        let request = customer.requests(&self.market.policy).await.unwrap().id;
        self.market.admin.approves(&request).await.unwrap();
        (customer, request)
    }

    /// A partner with an OIDC client, which has a key of the partner's name.
    async fn client_owner(&self, name: &str) -> (Person, String) {
        let owner = self.newcomer(name).await;
        let (policy, _) = self.market.sign_in_policy_named(name, &owner).await;
        let client = owner.creates_client(&policy, &jwk::key(name)).await.unwrap().id;
        (owner, client)
    }

    /// A maker of devices with an approved interface.
    async fn maker(&self, name: &str) -> (Person, String) {
        let maker = device_provider(&self.here, name);
        self.makers.welcome_devices(&maker).await;
        let sbi = maker.adds_sbi("1.0").await.unwrap().id;
        self.market.admin.approves_sbi(&sbi).await.unwrap();
        (maker, sbi)
    }

    async fn live_devices(&self, person: &Person) -> usize {
        let partner = person.partner.as_str().into();
        let devices = live_of_partner::<device::Row>(self.here.store().pool(), &partner).await;
        devices.unwrap().len()
    }

    async fn live_keys(&self, person: &Person) -> usize {
        let partner = person.partner.as_str().into();
        let keys = live_of_partner::<api_key::Row>(self.here.store().pool(), &partner).await;
        keys.unwrap().len()
    }

    /// What was granted is in the log.
    async fn nothing_is_lost(&self, answer: &Result<Done>) {
        if let Ok(done) = answer {
            let sql = "select exists (select from events where position = $1)";
            let query = sqlx::query_scalar(sql).bind(done.position);
            let there: bool = query.fetch_one(self.here.store().pool()).await.unwrap();
            assert!(there);
        }
    }
}

/// Lets two commands meet in every form, many times, and asks each time whether what must hold
/// does.
async fn race<C>(
    set_up: impl AsyncFn(&Field, &str) -> C,
    one: impl AsyncFn(&Field, &C, &Commands) -> Result<Done>,
    other: impl AsyncFn(&Field, &C, &Commands) -> Result<Done>,
    holds: impl AsyncFn(&Field, &C, Outcome, Outcome),
) {
    let field = Field::new().await;
    let mut met = [0; Form::COUNT];
    for time in 0..TIMES {
        for form in Form::iter() {
            let context = set_up(&field, &format!("{form:?}-{time}")).await;
            let (first, second) = meet(&field, form, &context, &one, &other).await;
            met[form as usize] += 1;
            field.nothing_is_lost(&first).await;
            field.nothing_is_lost(&second).await;
            holds(&field, &context, outcome(first), outcome(second)).await;
        }
    }
    assert_eq!(met, [TIMES; Form::COUNT], "every form occurred");
}

async fn meet<C>(
    field: &Field,
    form: Form,
    context: &C,
    one: &impl AsyncFn(&Field, &C, &Commands) -> Result<Done>,
    other: &impl AsyncFn(&Field, &C, &Commands) -> Result<Done>,
) -> (Result<Done>, Result<Done>) {
    let Field { installation, here, beside, there, market, .. } = field;
    let blocker = market.anything();
    match form {
        Form::OneBatch => {
            let both = vec![
                one(field, context, here).boxed_local(),
                other(field, context, beside).boxed_local(),
            ];
            let mut answers = in_one_batch(installation, here, blocker, both).await;
            let second = answers.remove(1);
            (answers.remove(0), second)
        }
        Form::OneIsHeld => {
            let (late, early) = (one(field, context, here), other(field, context, there));
            overtaken(installation, here, blocker, late, early).await
        }
        Form::OtherIsHeld => {
            let (late, early) = (other(field, context, here), one(field, context, there));
            let (second, first) = overtaken(installation, here, blocker, late, early).await;
            (first, second)
        }
        Form::TwoNodes => tokio::join!(one(field, context, here), other(field, context, there)),
    }
}

/// What became of a command: granted, or refused with these codes. Nothing else is an answer here.
type Outcome = std::result::Result<(), Vec<&'static str>>;

fn outcome(answer: Result<Done>) -> Outcome {
    match answer {
        Ok(_) => Ok(()),
        Err(Error::Refused(findings)) => Err(findings.iter().map(|it| it.code).collect()),
        Err(other) => panic!("no answer: {other:?}"),
    }
}

fn granted_or(outcome: &Outcome, code: &'static str) {
    assert!(*outcome == Ok(()) || *outcome == Err(vec![code]), "{outcome:?}");
}

/// One is granted, the other refused.
fn one_of_them(first: &Outcome, second: &Outcome) {
    assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn no_key_survives_the_end_of_its_partner() {
    race(
        async |field, name| field.customer(name).await.0,
        async |field, it, node| field.market.admin.at(node).deactivates(&it.partner).await,
        async |field, it, node| it.at(node).generates_key(&field.market.policy, "late").await,
        async |field, it, ended, generated| {
            assert_eq!(ended, Ok(()));
            granted_or(&generated, "PARTNER_DEACTIVATED");
            assert_eq!(field.live_keys(it).await, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn nobody_is_approved_for_a_policy_that_has_ended() {
    race(
        async |field, name| {
            let policy = field.market.manager.offers(&field.market.group, name).await;
            let request = field.market.alice.requests(&policy).await.unwrap().id;
            (policy, request)
        },
        async |field, (policy, _), node| field.market.manager.at(node).retires(policy).await,
        async |field, (_, request), node| field.market.admin.at(node).approves(request).await,
        async |field, (policy, _), retired, approved| {
            assert_eq!((retired, approved), (Err(vec!["POLICY_IN_USE"]), Ok(())));
            assert_eq!(field.status::<policy::Row>(policy).await, "PUBLISHED");
        },
    )
    .await;
}

#[tokio::test]
async fn no_policy_binds_in_a_group_that_is_closed() {
    race(
        async |field, name| {
            let group = field.market.manager.creates_group(name).await.unwrap().id;
            let policy = field.market.manager.drafts(&group, "Draft").await.unwrap().id;
            (group, policy)
        },
        async |field, (group, _), node| field.market.manager.at(node).closes_group(group).await,
        async |field, (_, policy), node| field.market.manager.at(node).publishes(policy).await,
        async |field, (group, policy), closed, published| {
            assert_eq!(closed, Err(vec!["POLICY_GROUP_HAS_POLICIES"]));
            assert_eq!(published, Ok(()));
            assert_eq!(field.status::<policy_group::Row>(group).await, "ACTIVE");
            assert_eq!(field.status::<policy::Row>(policy).await, "PUBLISHED");
        },
    )
    .await;
}

#[tokio::test]
async fn two_partners_never_share_an_address_in_whatever_spelling() {
    race(
        async |_, name| name.to_owned(),
        async |field, name, node| {
            let email = format!("Office@{name}.example");
            partner(node, &format!("{name}a")).registers_with(&field.market.group, &email).await
        },
        async |field, name, node| {
            let email = format!(" office@{}.EXAMPLE", name.to_lowercase());
            partner(node, &format!("{name}b")).registers_with(&field.market.group, &email).await
        },
        async |_, _, first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "EMAIL_TAKEN");
            granted_or(&second, "EMAIL_TAKEN");
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_is_approved_once() {
    race(
        async |field, name| {
            field.newcomer(name).await.requests(&field.market.policy).await.unwrap().id
        },
        async |field, request, node| field.market.admin.at(node).approves(request).await,
        async |field, request, node| field.market.admin.at(node).approves(request).await,
        async |field, request, first, second| {
            assert_eq!((first, second), (Ok(()), Ok(())));
            let sql = "select count(*) from events where aggregate_id = $1";
            let query = sqlx::query_scalar(sql).bind(request);
            let events: i64 = query.fetch_one(field.here.store().pool()).await.unwrap();
            assert_eq!(events, 2, "submitted, and approved once");
        },
    )
    .await;
}

#[tokio::test]
async fn a_request_is_never_both_approved_and_rejected() {
    race(
        async |field, name| {
            field.newcomer(name).await.requests(&field.market.policy).await.unwrap().id
        },
        async |field, request, node| field.market.admin.at(node).approves(request).await,
        async |field, request, node| field.market.admin.at(node).rejects(request).await,
        async |field, request, approved, rejected| {
            one_of_them(&approved, &rejected);
            let expected = if approved.is_ok() { "APPROVED" } else { "REJECTED" };
            assert_eq!(field.status::<policy_request::Row>(request).await, expected);
            granted_or(&approved, "REQUEST_REJECTED");
            granted_or(&rejected, "REQUEST_APPROVED");
        },
    )
    .await;
}

#[tokio::test]
async fn two_keys_never_share_a_label() {
    race(
        async |field, name| field.customer(name).await.0,
        async |field, it, node| it.at(node).generates_key(&field.market.policy, "branch").await,
        async |field, it, node| it.at(node).generates_key(&field.market.policy, " BRANCH ").await,
        async |field, it, first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "LABEL_TAKEN");
            granted_or(&second, "LABEL_TAKEN");
            assert_eq!(field.live_keys(it).await, 1);
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_has_one_successor() {
    race(
        async |field, name| {
            let it = field.customer(name).await.0;
            let key = it.generates_key(&field.market.policy, "branch").await.unwrap().id;
            (it, key)
        },
        async |_, (it, key), node| it.at(node).rotates_key(key, None).await,
        async |_, (it, key), node| it.at(node).rotates_key(key, None).await,
        async |field, (it, _), first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "ROTATED_ALREADY");
            granted_or(&second, "ROTATED_ALREADY");
            assert_eq!(field.live_keys(it).await, 2);
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_that_is_ended_has_no_successor_unless_it_came_first() {
    race(
        async |field, name| {
            let it = field.customer(name).await.0;
            let key = it.generates_key(&field.market.policy, "branch").await.unwrap().id;
            (it, key)
        },
        async |_, (it, key), node| it.at(node).rotates_key(key, None).await,
        async |field, (_, key), node| field.market.admin.at(node).ends_key(key).await,
        async |field, (it, key), rotated, ended| {
            assert_eq!(ended, Ok(()));
            granted_or(&rotated, "API_KEY_DEACTIVATED");
            assert_eq!(field.status::<api_key::Row>(key).await, "DEACTIVATED");
            assert_eq!(field.live_keys(it).await, usize::from(rotated.is_ok()));
        },
    )
    .await;
}

#[tokio::test]
async fn no_client_of_a_suspended_partner_is_live() {
    race(
        async |field, name| {
            let owner = field.newcomer(name).await;
            let (policy, _) = field.market.sign_in_policy_named(name, &owner).await;
            (owner, policy, name.to_owned())
        },
        async |field, (owner, ..), node| field.market.admin.at(node).suspends(&owner.partner).await,
        async |_, (owner, policy, name), node| {
            owner.at(node).creates_client(policy, &jwk::key(name)).await
        },
        async |field, (owner, ..), suspended, created| {
            assert_eq!(suspended, Ok(()));
            granted_or(&created, "PARTNER_SUSPENDED");
            let sql = "select count(*) from read.oidc_client where partner_id = $1 \
                       and status <> 'SUSPENDED'";
            let query = sqlx::query_scalar(sql).bind(&owner.partner);
            let awake: i64 = query.fetch_one(field.here.store().pool()).await.unwrap();
            assert_eq!(awake, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn no_certificate_is_accepted_under_an_authority_that_is_not_trusted_any_more() {
    race(
        async |field, name| {
            let authority = Authority::root(name);
            let trusted = field.market.admin.trusts(&authority).await.unwrap().id;
            let person = partner(&field.here, name);
            person.registers(&field.market.group).await.unwrap();
            (trusted, authority.leaf(&person.organization()), person)
        },
        async |field, (trusted, ..), node| field.market.admin.at(node).disables(trusted).await,
        async |_, (_, certificate, person), node| person.at(node).uploads(certificate).await,
        async |field, (trusted, _, person), disabled, uploaded| {
            assert_eq!(disabled, Ok(()));
            granted_or(&uploaded, "ISSUER_UNKNOWN");
            let sql = "select coalesce((select min(position) from events where event_type = \
                       'certificate_accepted' and aggregate_id = $1), 0) < (select position from \
                       events where event_type = 'disabled' and aggregate_id = $2)";
            let query = sqlx::query_scalar(sql).bind(&person.partner).bind(trusted);
            let before: bool = query.fetch_one(field.here.store().pool()).await.unwrap();
            assert!(before, "accepted while it was trusted, or not at all");
            let status = if uploaded.is_ok() { "ACTIVE" } else { "REGISTERED" };
            assert_eq!(field.status::<partners::Row>(&person.partner).await, status);
        },
    )
    .await;
}

#[tokio::test]
async fn no_client_outlives_the_approval_it_stands_on() {
    race(
        async |field, name| {
            let owner = field.newcomer(name).await;
            let (policy, request) = field.market.sign_in_policy_named(name, &owner).await;
            (owner, policy, request, name.to_owned())
        },
        async |field, (.., request, _), node| field.market.admin.at(node).revokes(request).await,
        async |_, (owner, policy, _, name), node| {
            owner.at(node).creates_client(policy, &jwk::key(name)).await
        },
        async |field, (owner, ..), revoked, created| {
            assert_eq!(revoked, Ok(()));
            granted_or(&created, "POLICY_NOT_APPROVED");
            let partner = owner.partner.as_str().into();
            let pool = field.here.store().pool();
            let live = live_of_partner::<oidc_client::Row>(pool, &partner).await.unwrap();
            assert!(live.is_empty());
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_never_becomes_that_of_two_clients() {
    race(
        async |field, name| {
            let (owner, client) = field.client_owner(&format!("{name}a")).await;
            let other = field.newcomer(&format!("{name}b")).await;
            let policy = field.market.sign_in_policy_named(&format!("{name}b"), &other).await.0;
            (owner, client, other, policy, jwk::key(name))
        },
        async |_, (owner, client, .., key), node| {
            owner.at(node).rotates_client_key(client, key, None).await
        },
        async |_, (_, _, other, policy, key), node| {
            other.at(node).creates_client(policy, key).await
        },
        async |_, _, rotated, created| {
            one_of_them(&rotated, &created);
            granted_or(&rotated, "KEY_IN_USE");
            granted_or(&created, "KEY_IN_USE");
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_never_has_three_live_keys() {
    race(
        async |field, name| {
            let (owner, client) = field.client_owner(name).await;
            (owner, client, ["2", "3"].map(|number| jwk::key(&format!("{name}{number}"))))
        },
        async |_, (owner, client, [key, _]), node| {
            owner.at(node).rotates_client_key(client, key, None).await
        },
        async |_, (owner, client, [_, key]), node| {
            owner.at(node).rotates_client_key(client, key, None).await
        },
        async |_, _, first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "TOO_MANY_KEYS");
            granted_or(&second, "TOO_MANY_KEYS");
        },
    )
    .await;
}

#[tokio::test]
async fn a_client_never_loses_both_keys() {
    race(
        async |field, name| {
            let (owner, client) = field.client_owner(name).await;
            let keys = [jwk::key(name), jwk::key(&format!("{name}2"))];
            owner.rotates_client_key(&client, &keys[1], None).await.unwrap();
            (owner, client, keys)
        },
        async |_, (owner, client, [key, _]), node| {
            owner.at(node).retires_client_key(client, key).await
        },
        async |_, (owner, client, [_, key]), node| {
            owner.at(node).retires_client_key(client, key).await
        },
        async |_, _, first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "LAST_KEY");
            granted_or(&second, "LAST_KEY");
        },
    )
    .await;
}

#[tokio::test]
async fn no_device_rests_on_an_interface_that_was_ended() {
    race(
        async |field, name| field.maker(name).await,
        async |_, (dora, sbi), node| dora.at(node).ends_sbi(sbi).await,
        async |_, (dora, sbi), node| dora.at(node).adds_device(Some(sbi), "F 1").await,
        async |field, (dora, _), ended, added| {
            assert_eq!(ended, Ok(()));
            granted_or(&added, "SBI_DEACTIVATED");
            assert_eq!(field.live_devices(dora).await, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn no_device_is_approved_on_an_interface_that_was_ended() {
    race(
        async |field, name| {
            let (dora, sbi) = field.maker(name).await;
            let device = dora.adds_device(Some(&sbi), "F 1").await.unwrap().id;
            (dora, sbi, device)
        },
        async |_, (dora, sbi, _), node| dora.at(node).ends_sbi(sbi).await,
        async |field, (.., device), node| field.market.admin.at(node).approves_device(device).await,
        async |field, (dora, ..), ended, approved| {
            assert_eq!(ended, Ok(()));
            granted_or(&approved, "DEVICE_REJECTED");
            assert_eq!(field.live_devices(dora).await, 0);
        },
    )
    .await;
}

#[tokio::test]
async fn a_provider_never_has_one_live_device_twice() {
    race(
        async |field, name| field.maker(name).await,
        async |_, (dora, sbi), node| dora.at(node).adds_device(Some(sbi), "F 1").await,
        async |_, (dora, sbi), node| dora.at(node).adds_device(Some(sbi), " f 1").await,
        async |field, (dora, _), first, second| {
            one_of_them(&first, &second);
            granted_or(&first, "DEVICE_EXISTS");
            granted_or(&second, "DEVICE_EXISTS");
            assert_eq!(field.live_devices(dora).await, 1);
        },
    )
    .await;
}
