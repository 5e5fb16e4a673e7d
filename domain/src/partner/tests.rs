//! What a partner does and does not do, in every state.

use super::*;
use crate::aggregate::given;
use crate::generated_docs::StateMachine;
use chrono::TimeDelta;

fn registration() -> Registration {
    Registration {
        organization_name: "Acme".into(),
        partner_type: PartnerType::AuthPartner,
        policy_group_id: Some("banking".into()),
        lang_code: None,
        logo_url: None,
        contact: PrivateReference { reference: Uuid::nil(), commitment: String::new() },
        member: "alice".into(),
    }
}

/// A certificate that fulfils [`intent`].
pub(crate) fn certificate(fingerprint: &str) -> AcceptedCertificate {
    AcceptedCertificate {
        fingerprint: fingerprint.into(),
        key_fingerprint: format!("key of {fingerprint}"),
        certificate: String::new(),
        signed_certificate: String::new(),
        path: Vec::new(),
        not_after: DateTime::UNIX_EPOCH,
        signed_not_after: DateTime::UNIX_EPOCH,
        tbs_sha256: intent(fingerprint).tbs_sha256,
        overlap_until: None,
    }
}

pub(crate) fn intent(fingerprint: &str) -> SigningIntent {
    let tbs_sha256 = format!("body of {fingerprint}");
    SigningIntent { fingerprint: fingerprint.into(), tbs_sha256, ..SigningIntent::any() }
}

fn intend(fingerprint: &str) -> Command {
    let key_fingerprint = format!("key of {fingerprint}");
    Command::IntendSigning { intent: intent(fingerprint), key_fingerprint }
}

fn accept(fingerprint: &str) -> Command {
    Command::AcceptCertificate(certificate(fingerprint))
}

fn revoke(fingerprint: &str) -> Command {
    Command::RevokeCertificate { fingerprint: fingerprint.into(), reason: reason() }
}

fn revoked(fingerprint: &str) -> Event {
    Event::CertificateRevoked { fingerprint: fingerprint.into(), reason: reason() }
}

fn reason() -> Reason {
    Reason::new("reason", "audit").unwrap()
}

fn registered() -> Partner {
    given([Event::Registered(registration())])
}

fn active() -> Partner {
    let accepted = Event::CertificateAccepted(certificate("first"));
    given([Event::Registered(registration()), accepted, Event::Activated {}])
}

fn suspended() -> Partner {
    active().evolve(Event::Suspended { reason: reason() })
}

fn deactivated() -> Partner {
    active().evolve(Event::Deactivated { reason: reason() })
}

pub(crate) fn machine() -> StateMachine<Partner> {
    let registered = Event::Registered(registration());
    let accepted = Event::CertificateAccepted(certificate("first"));
    let active = vec![registered.clone(), accepted, Event::Activated {}];
    let after = |event| [active.clone(), vec![event]].concat();
    StateMachine {
        states: vec![
            ("", vec![]),
            ("", vec![registered.clone()]),
            ("that intends to sign", vec![registered, Event::SigningIntended(intent("next"))]),
            ("in no group yet", vec![groupless(PartnerType::MispPartner)]),
            ("", active.clone()),
            ("that intends to sign", after(Event::SigningIntended(intent("next")))),
            ("whose certificate was revoked", after(revoked("first"))),
            ("", after(Event::Suspended { reason: reason() })),
            ("", after(Event::Deactivated { reason: reason() })),
            ("whose contacts were erased", after(erased())),
        ],
        commands: vec![
            ("", Command::Register(registration())),
            ("the same", intend("first")),
            ("another one", intend("next")),
            ("the same", accept("first")),
            ("another one", accept("next")),
            ("one of its own", revoke("first")),
            ("a strange one", revoke("strange")),
            ("", Command::Suspend(reason())),
            ("", Command::Reactivate(reason())),
            ("", Command::Deactivate(reason())),
            ("invite somebody", invite("bob", MemberRole::Operator)),
            ("invite a member in his role", invite("alice", MemberRole::Manager)),
            ("invite a member in another role", invite("alice", MemberRole::Operator)),
            ("remove a stranger", remove("bob")),
            ("remove the last manager", remove("alice")),
            ("set the role of a stranger", set_role("bob", MemberRole::Operator)),
            ("set the role of the last manager", set_role("alice", MemberRole::Operator)),
            ("set a contact", set_contact(ContactPurpose::Security, 7)),
            ("remove a contact that there is not", remove_contact(ContactPurpose::Security)),
            ("remove the primary contact", remove_contact(ContactPurpose::Primary)),
            ("update details", Command::Change(Change::UpdateDetails(any_details()))),
            ("the same", Command::SelectPolicyGroup("banking".into())),
            ("another one", Command::SelectPolicyGroup("health".into())),
            ("move to another group without links", move_to("health", 0)),
            ("move to another group with links", move_to("health", 1)),
            ("once a certificate has ended", Command::Expire { now: DateTime::UNIX_EPOCH }),
            ("", erase()),
        ],
    }
}

fn erase() -> Command {
    let (subject, legal_ground) = ("partner/acme".to_owned(), LegalGround::Objection);
    Command::ErasePersonalData { subject, legal_ground }
}

fn erased() -> Event {
    let (subject, legal_ground) = ("partner/acme".to_owned(), LegalGround::Objection);
    Event::PersonalDataErased { subject, legal_ground }
}

#[test]
fn contacts_are_erased_in_every_state_once_and_again_after_new_ones_were_given() {
    for partner in [registered(), active(), suspended(), deactivated()] {
        assert_eq!(partner.decide(erase()), Ok(vec![erased()]));
        let partner = after(partner, [erase()]);
        assert_eq!(partner.profile().unwrap().contacts, BTreeMap::new());
        assert_eq!(partner.decide(erase()), Ok(vec![]));
    }
    let given_anew = after(active(), [erase(), set_contact(ContactPurpose::Billing, 9)]);
    assert_eq!(given_anew.profile().unwrap().erasures, 1);
    assert_eq!(given_anew.decide(erase()), Ok(vec![erased()]));
}

#[test]
fn a_contact_that_was_taken_back_is_still_kept_and_can_be_erased() {
    let billing = ContactPurpose::Billing;
    let partner = after(active(), [erase(), set_contact(billing, 9), remove_contact(billing)]);
    assert_eq!(partner.profile().unwrap().contacts, BTreeMap::new());
    assert_eq!(partner.decide(erase()), Ok(vec![erased()]));
}

#[test]
fn whoever_registers_a_partner_for_himself_is_its_first_member() {
    let events = Partner::Missing.decide(Command::Register(registration())).unwrap();
    assert_eq!(events, [Event::Registered(registration())]);
    let members = Members::from([("alice".to_owned(), MemberRole::Manager)]);
    assert_eq!(given::<Partner>(events).profile().unwrap().members, members);
}

#[test]
fn an_id_is_never_registered_twice() {
    for partner in [registered(), active(), suspended(), deactivated()] {
        let again = partner.decide(Command::Register(registration()));
        assert_eq!(again, Err(Refusal::PartnerIdTaken));
    }
}

#[test]
fn the_first_accepted_certificate_makes_a_partner_active() {
    assert_eq!(registered().decide(accept("first")), Err(Refusal::SigningNotIntended));
    let announced = after(registered(), [intend("first")]);
    assert!(announced.active().is_err(), "an intent is no certificate");
    let accepted = Event::CertificateAccepted(certificate("first"));
    assert_eq!(announced.decide(accept("first")), Ok(vec![accepted, Event::Activated {}]));
    assert!(active().active().is_ok());
}

#[test]
fn a_later_certificate_is_added_and_the_same_one_changes_nothing() {
    let announced = after(active(), [intend("next")]);
    let next = Event::CertificateAccepted(certificate("next"));
    assert_eq!(announced.decide(accept("next")), Ok(vec![next]));
    assert_eq!(active().decide(intend("first")), Ok(vec![]));
    assert_eq!(active().decide(accept("first")), Ok(vec![]));
}

#[test]
fn what_differs_from_its_intent_is_never_accepted_and_the_latest_intent_counts() {
    let announced = after(active(), [intend("next")]);
    assert_eq!(announced.decide(intend("next")), Ok(vec![]));
    let other =
        |tbs: &str| AcceptedCertificate { tbs_sha256: tbs.to_owned(), ..certificate("next") };
    for differs in [other("another body"), other("")] {
        let decided = announced.decide(Command::AcceptCertificate(differs));
        assert_eq!(decided, Err(Refusal::SigningNotIntended));
    }
    let anew = SigningIntent { tbs_sha256: "another body".into(), ..intent("next") };
    let key_fingerprint = String::new();
    let again = after(announced, [Command::IntendSigning { intent: anew, key_fingerprint }]);
    assert_eq!(again.decide(accept("next")), Err(Refusal::SigningNotIntended));
    let done = after(again, [Command::AcceptCertificate(other("another body"))]);
    assert_eq!(done.profile().unwrap().certificates.intents, []);
}

#[test]
fn intents_for_two_certificates_do_not_disturb_each_other() {
    let announced = after(active(), [intend("one"), intend("two"), accept("one")]);
    let accepted = Event::CertificateAccepted(certificate("two"));
    assert_eq!(announced.decide(accept("two")), Ok(vec![accepted]));
}

#[test]
fn an_intent_is_signed_within_a_day_and_before_its_end() {
    let at = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
    let long = SigningIntent { not_before: at(0), not_after: at(365), ..intent("next") };
    let just_before = at(1) - TimeDelta::microseconds(1);
    assert!(long.holds(just_before) && !long.holds(at(1)));
    let short = SigningIntent { not_after: just_before, ..long };
    assert!(!short.holds(just_before));
}

fn lasting(fingerprint: &str, days: i64, overlap: Option<i64>) -> Command {
    let at = |days| DateTime::UNIX_EPOCH + TimeDelta::days(days);
    Command::AcceptCertificate(AcceptedCertificate {
        not_after: at(days + 1),
        signed_not_after: at(days),
        overlap_until: overlap.map(at),
        ..certificate(fingerprint)
    })
}

fn ends(partner: &Partner) -> Vec<i64> {
    let held = &partner.profile().unwrap().certificates.held;
    held.iter().map(|it| (it.ends_at - DateTime::UNIX_EPOCH).num_days()).collect()
}

#[test]
fn an_overlap_shortens_the_life_of_all_older_certificates_and_prolongs_none() {
    let partner = after(registered(), ["one", "two", "three", "four"].map(intend));
    let two = after(partner, [lasting("one", 10, None), lasting("two", 300, None)]);
    assert_eq!(ends(&two), [10, 300], "an older one stays valid until its own end");
    let three = after(two, [lasting("three", 365, Some(30))]);
    assert_eq!(ends(&three), [10, 30, 365]);
    assert_eq!(three.decide(lasting("three", 365, Some(5))), Ok(vec![]));
    let four = after(three, [lasting("four", 400, Some(60))]);
    assert_eq!(ends(&four), [10, 30, 60, 400]);
    let told = four.decide(Command::Expire { now: DateTime::UNIX_EPOCH + TimeDelta::days(30) });
    assert_eq!(told.unwrap().len(), 2);
}

#[test]
fn an_overlap_is_ninety_days_at_most_and_what_has_passed_means_at_once() {
    let now = DateTime::from_timestamp(1_795_000_000, 1_500).unwrap();
    let stored = DateTime::from_timestamp(1_795_000_000, 1_000).unwrap();
    let ask = |wished| {
        let mut checks = Checks::default();
        let until = overlap(&mut checks, wished, now);
        (until, checks.done().err().map(|findings| findings[0].code))
    };
    assert_eq!(ask(None), (None, None));
    assert_eq!(ask(Some(DateTime::UNIX_EPOCH)), (Some(stored), None));
    assert_eq!(ask(Some(now + MAX_OVERLAP)).1, None);
    assert_eq!(ask(Some(now + MAX_OVERLAP + TimeDelta::days(1))).1, Some("OVERLAP_TOO_LONG"));
}

#[test]
fn a_revoked_certificate_and_its_key_are_never_accepted_again() {
    for partner in [active(), suspended()] {
        assert_eq!(partner.decide(revoke("first")), Ok(vec![revoked("first")]));
        assert_eq!(partner.decide(revoke("strange")), Err(Refusal::CertificateNotFound));
    }
    assert_eq!(registered().decide(revoke("first")), Err(Refusal::CertificateNotFound));
    let without = after(active(), [intend("next"), revoke("first")]);
    assert!(without.active().is_ok(), "what becomes of the partner is decided separately");
    assert_eq!(without.decide(revoke("first")), Ok(vec![]));
    assert_eq!(without.decide(intend("first")), Err(Refusal::CertificateWasRevoked));
    assert_eq!(without.decide(accept("first")), Err(Refusal::CertificateWasRevoked));
    let key_fingerprint = "key of first".to_owned();
    let same_key = Command::IntendSigning { intent: intent("renewed"), key_fingerprint };
    assert_eq!(without.decide(same_key), Err(Refusal::CertificateWasRevoked));
    let same_key =
        AcceptedCertificate { key_fingerprint: "key of first".into(), ..certificate("next") };
    let decided = without.decide(Command::AcceptCertificate(same_key));
    assert_eq!(decided, Err(Refusal::CertificateWasRevoked));
    let later = Command::Expire { now: DateTime::UNIX_EPOCH };
    assert_eq!(without.decide(later), Ok(vec![]), "its end is told already");
}

#[test]
fn a_suspended_partner_gets_no_certificate_until_it_is_reactivated() {
    assert_eq!(suspended().decide(intend("next")), Err(Refusal::PartnerSuspended));
    assert_eq!(suspended().decide(accept("next")), Err(Refusal::PartnerSuspended));
    let events = suspended().decide(Command::Reactivate(reason())).unwrap();
    assert_eq!(events, [Event::Reactivated { reason: reason() }]);
}

#[test]
fn suspending_reactivating_or_deactivating_twice_changes_nothing() {
    assert_eq!(suspended().decide(Command::Suspend(reason())), Ok(vec![]));
    assert_eq!(active().decide(Command::Reactivate(reason())), Ok(vec![]));
    assert_eq!(deactivated().decide(Command::Deactivate(reason())), Ok(vec![]));
}

#[test]
fn a_partner_that_never_worked_is_not_suspended_but_can_be_ended() {
    let suspend = registered().decide(Command::Suspend(reason()));
    assert_eq!(suspend, Err(Refusal::PartnerNotActiveYet));
    let end = registered().decide(Command::Deactivate(reason()));
    assert_eq!(end, Ok(vec![Event::Deactivated { reason: reason() }]));
}

#[test]
fn a_deactivated_partner_never_comes_back() {
    for command in [
        intend("next"),
        accept("next"),
        revoke("first"),
        Command::Suspend(reason()),
        Command::Reactivate(reason()),
    ] {
        assert_eq!(deactivated().decide(command), Err(Refusal::PartnerDeactivated));
    }
}

#[test]
fn nothing_can_be_done_to_a_partner_that_is_not_there() {
    for command in [
        intend("first"),
        accept("first"),
        revoke("first"),
        Command::Suspend(reason()),
        Command::Reactivate(reason()),
        Command::Deactivate(reason()),
        Command::Expire { now: DateTime::UNIX_EPOCH },
    ]
    .into_iter()
    .chain(changes())
    {
        assert_eq!(Partner::Missing.decide(command), Err(Refusal::PartnerNotFound));
    }
}

/// Everything that changes a partner but not where it stands.
fn changes() -> Vec<Command> {
    vec![
        invite("bob", MemberRole::Operator),
        remove("bob"),
        set_role("alice", MemberRole::Viewer),
        set_contact(ContactPurpose::Security, 7),
        remove_contact(ContactPurpose::Security),
        Command::Change(Change::UpdateDetails(any_details())),
        Command::SelectPolicyGroup("health".into()),
        move_to("health", 0),
    ]
}

fn invite(subject: &str, role: MemberRole) -> Command {
    Command::Change(Change::InviteMember(Member { subject: subject.into(), role }))
}

fn remove(subject: &str) -> Command {
    Command::Change(Change::RemoveMember { subject: subject.into(), reason: None })
}

fn set_role(subject: &str, role: MemberRole) -> Command {
    Command::Change(Change::SetMemberRole(Member { subject: subject.into(), role }))
}

fn set_contact(purpose: ContactPurpose, row: u128) -> Command {
    let (reference, commitment) = (Uuid::from_u128(row), String::new());
    let contact = PrivateReference { reference, commitment };
    Command::Change(Change::SetContact { purpose, contact })
}

fn remove_contact(purpose: ContactPurpose) -> Command {
    Command::Change(Change::RemoveContact(purpose))
}

fn move_to(group: &str, links: usize) -> Command {
    let (policy_group_id, reason) = (group.into(), reason());
    Command::Change(Change::MovePolicyGroup { policy_group_id, reason, links })
}

fn after(mut partner: Partner, commands: impl IntoIterator<Item = Command>) -> Partner {
    for command in commands {
        let events = partner.decide(command).unwrap();
        partner = events.into_iter().fold(partner, Partner::evolve);
    }
    partner
}

#[test]
fn a_deactivated_partner_is_changed_no_more() {
    for command in changes() {
        assert_eq!(deactivated().decide(command), Err(Refusal::PartnerDeactivated));
    }
    let ended = Command::Expire { now: DateTime::UNIX_EPOCH };
    assert_eq!(deactivated().decide(ended), Ok(vec![]));
}

#[test]
fn a_member_is_invited_once_and_gets_another_role_only_by_setting_it() {
    let two = after(registered(), [invite("bob", MemberRole::Viewer)]);
    assert_eq!(two.decide(invite("bob", MemberRole::Viewer)), Ok(vec![]));
    let other = two.decide(invite("bob", MemberRole::Operator));
    assert_eq!(other, Err(Refusal::MemberExists));
    let promoted = after(two, [set_role("bob", MemberRole::Operator)]);
    assert_eq!(promoted.profile().unwrap().members["bob"], MemberRole::Operator);
    assert_eq!(promoted.decide(set_role("bob", MemberRole::Operator)), Ok(vec![]));
    let stranger = promoted.decide(set_role("carol", MemberRole::Viewer));
    assert_eq!(stranger, Err(Refusal::MemberNotFound));
}

#[test]
fn the_last_manager_is_neither_removed_nor_demoted() {
    let one = after(registered(), [invite("bob", MemberRole::Operator)]);
    assert_eq!(one.decide(remove("alice")), Err(Refusal::LastManager));
    let demoted = one.decide(set_role("alice", MemberRole::Viewer));
    assert_eq!(demoted, Err(Refusal::LastManager));
    let handed_over = after(one, [set_role("bob", MemberRole::Manager), remove("alice")]);
    assert_eq!(handed_over.decide(remove("alice")), Ok(vec![]));
    assert_eq!(handed_over.decide(remove("bob")), Err(Refusal::LastManager));
}

#[test]
fn a_partner_has_a_hundred_members_and_no_more() {
    let invitations = (1..MAX_MEMBERS).map(|n| invite(&format!("member {n}"), MemberRole::Viewer));
    let full = after(registered(), invitations);
    assert_eq!(full.decide(invite("late", MemberRole::Viewer)), Err(Refusal::TooManyMembers));
    assert_eq!(full.decide(invite("alice", MemberRole::Manager)), Ok(vec![]));
}

#[test]
fn a_contact_is_set_and_removed_by_its_purpose_and_the_primary_one_stays() {
    let security = ContactPurpose::Security;
    assert_eq!(registered().decide(remove_contact(security)), Ok(vec![]));
    let two = after(registered(), [set_contact(security, 7)]);
    assert_eq!(two.decide(set_contact(security, 7)), Ok(vec![]));
    let moved = after(two, [set_contact(ContactPurpose::Primary, 8)]);
    assert_eq!(moved.profile().unwrap().contacts.len(), 2);
    let primary = remove_contact(ContactPurpose::Primary);
    assert_eq!(moved.decide(primary), Err(Refusal::PrimaryContactStays));
    let removed = after(moved, [remove_contact(security)]);
    let left = &removed.profile().unwrap().contacts;
    assert_eq!(*left, BTreeMap::from([(ContactPurpose::Primary, Uuid::from_u128(8))]));
}

#[test]
fn the_same_details_again_change_nothing() {
    let updated = after(registered(), [Command::Change(Change::UpdateDetails(any_details()))]);
    assert_eq!(updated.decide(Command::Change(Change::UpdateDetails(any_details()))), Ok(vec![]));
    assert_eq!(
        registered().decide(Command::Change(Change::UpdateDetails(Details::default()))),
        Ok(vec![])
    );
}

fn groupless(partner_type: PartnerType) -> Event {
    Event::Registered(Registration { partner_type, policy_group_id: None, ..registration() })
}

fn of_type(partner_type: PartnerType) -> Partner {
    given([groupless(partner_type)])
}

#[test]
fn a_policy_group_is_chosen_once_by_a_partner_that_may_have_one_and_has_none() {
    let choose = |group: &str| Command::SelectPolicyGroup(group.into());
    let misp = after(of_type(PartnerType::MispPartner), [choose("banking")]);
    assert_eq!(misp.decide(choose("banking")), Ok(vec![]));
    assert_eq!(misp.decide(choose("health")), Err(Refusal::PolicyGroupChosen));
    assert_eq!(registered().decide(choose("health")), Err(Refusal::PolicyGroupChosen));
    let maker = of_type(PartnerType::DeviceProvider);
    assert_eq!(maker.decide(choose("banking")), Err(Refusal::PolicyGroupNotAllowed));
    assert_eq!(suspended().decide(choose("banking")), Err(Refusal::PartnerSuspended));
}

#[test]
fn only_a_partner_without_links_is_moved_to_another_policy_group() {
    assert_eq!(active().decide(move_to("health", 1)), Err(Refusal::PartnerHasLinks));
    assert_eq!(active().decide(move_to("banking", 1)), Ok(vec![]));
    let moved = after(active(), [move_to("health", 0)]);
    assert_eq!(moved.profile().unwrap().policy_group_id, Some("health".into()));
    let maker = of_type(PartnerType::FtmProvider);
    assert_eq!(maker.decide(move_to("health", 0)), Err(Refusal::PolicyGroupNotAllowed));
}

#[test]
fn the_end_of_each_certificate_is_told_once_from_the_instant_on_at_which_it_ends() {
    let end = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let lasting =
        AcceptedCertificate { not_after: end, signed_not_after: end, ..certificate("next") };
    let two = after(active(), [intend("next"), Command::AcceptCertificate(lasting)]);
    let told = |fingerprint: &str, expired_at| Event::CertificateExpired {
        fingerprint: fingerprint.into(),
        expired_at,
    };
    let before = Command::Expire { now: end - TimeDelta::microseconds(1) };
    assert_eq!(two.decide(before.clone()), Ok(vec![told("first", DateTime::UNIX_EPOCH)]));
    let one_left = after(two, [before]);
    let now = Command::Expire { now: end };
    assert_eq!(one_left.decide(now.clone()), Ok(vec![told("next", end)]));
    let all_told = after(one_left, [now.clone()]);
    assert_eq!(all_told.decide(now), Ok(vec![]));
    assert!(all_told.active().is_ok(), "expiry is no state");
}
