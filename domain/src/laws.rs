//! Laws that hold for every noun, whatever is asked of it in whatever order.

use crate::actor::MemberRole;
use crate::api_key::ApiKey;
use crate::audit_log::{self, AuditLog};
use crate::consent::{self, Consent};
use crate::device::{self, Device, Model, Support};
use crate::extractor::{self, Configuration, Extractor};
use crate::ftm_chip::{self, Chip, FtmChip};
use crate::ids::PolicyId;
use crate::issued::{self, KeyKind};
use crate::misp_license::MispLicense;
use crate::oidc_client::{self, Entitlement, NewClient, OidcClient, PublicKey, Settings};
use crate::partner::{
    self, AcceptedCertificate, ContactPurpose, Details, Member, Partner, PrivateReference,
    Registration, SigningIntent,
};
use crate::person::{self, Person};
use crate::policy::{self, Content, Policy};
use crate::policy_document::PolicyType;
use crate::policy_group::{self, Description, PolicyGroup};
use crate::policy_request::{
    self, Asked, Comment, Demands, ExtractorChoice, PolicyRequest, Wording,
};
use crate::proposal::{self, Proposal, Proposed, ProposedAction};
use crate::reference::{CredentialRule, Modality, PartnerType, TrustDomain};
use crate::sbi::{self, Sbi, Software};
use crate::subject::LegalGround;
use crate::trust_certificate::{self, Crl, TrustCertificate, TrustKind, Trusted};
use crate::{Decide, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use uuid::Uuid;

/// Asks for everything in turn, and checks the laws after every step.
fn hold<A>(commands: Vec<A::Command>)
where
    A: Decide + PartialEq + Debug,
    A::Command: Clone,
    A::Event: Clone + PartialEq + Debug,
{
    let mut history = Vec::new();
    for command in commands {
        let state = replay::<A>(&history);
        let Ok(events) = state.decide(command.clone()) else { continue };
        assert_eq!(replay::<A>(&history), state, "deciding changes nothing");
        let after = events.iter().cloned().fold(state, |mut state, event| {
            state.apply(event);
            state
        });
        history.extend(events);
        assert_eq!(replay::<A>(&history), after, "a replay leads to the state after the decision");
        assert_eq!(replay::<A>(&stored(&history)), after, "so does what was stored");
        let again = after.decide(command).unwrap_or_default();
        assert_eq!(again, [], "the same wish again yields no second event");
    }
}

fn replay<A: Decide>(events: &[A::Event]) -> A
where
    A::Event: Clone,
{
    events.iter().cloned().fold(A::default(), |mut state, event| {
        state.apply(event);
        state
    })
}

/// The events as they come back from the log.
fn stored<E: cqrs_es::DomainEvent>(events: &[E]) -> Vec<E> {
    let stored = events.iter().map(|event| serde_json::to_string(event).unwrap());
    stored.map(|text| serde_json::from_str(&text).unwrap()).collect()
}

/// The laws of one noun, over sequences of up to a dozen of its commands.
macro_rules! laws {
    ($($test:ident: $noun:ty, $command:expr;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(10_000))]
            $(#[test]
            fn $test(commands in vec($command, 1..12)) {
                hold::<$noun>(commands);
            })*
        }
    };
}
laws! {
    partners_obey_the_laws: Partner, a_partner_command();
    trust_certificates_obey_the_laws: TrustCertificate, a_trust_certificate_command();
    policy_groups_obey_the_laws: PolicyGroup, a_policy_group_command();
    policies_obey_the_laws: Policy, a_policy_command();
    policy_requests_obey_the_laws: PolicyRequest, a_policy_request_command();
    extractors_obey_the_laws: Extractor, an_extractor_command();
    api_keys_obey_the_laws: ApiKey, an_issued_key_command(a_policy());
    misp_licenses_obey_the_laws: MispLicense, an_issued_key_command(option::of(a_policy()));
    proposals_obey_the_laws: Proposal, a_proposal_command();
    people_obey_the_laws: Person, a_person_command();
    the_audit_log_obeys_the_laws: AuditLog, an_audit_log_command();
    consents_obey_the_laws: Consent, a_consent_command();
    oidc_clients_obey_the_laws: OidcClient, an_oidc_client_command();
    sbis_obey_the_laws: Sbi, an_sbi_command();
    devices_obey_the_laws: Device, a_device_command();
    ftm_chips_obey_the_laws: FtmChip, an_ftm_chip_command();
}

/// Few different values, so that the same one comes again.
fn a_word() -> impl Strategy<Value = String> + Clone {
    prop_oneof![Just("One"), Just("Two"), Just("Größe \"3\"\\")].prop_map(String::from)
}

fn a_reason() -> impl Strategy<Value = Reason> {
    a_word().prop_map(|word| Reason::new("reason", &word).unwrap())
}

fn a_comment() -> impl Strategy<Value = Comment> {
    a_word().prop_map(|word| Comment::new("comment", &word).unwrap())
}

fn a_partner_command() -> impl Strategy<Value = partner::Command> {
    use partner::Command::*;
    let intend = |(intent, key_fingerprint)| IntendSigning { intent, key_fingerprint };
    let revoke = |(fingerprint, reason)| RevokeCertificate { fingerprint, reason };
    prop_oneof![
        a_registration().prop_map(Register),
        a_signing_intent().prop_map(intend),
        (a_word(), a_reason()).prop_map(revoke),
        an_accepted_certificate().prop_map(AcceptCertificate),
        a_reason().prop_map(Suspend),
        a_reason().prop_map(Reactivate),
        a_reason().prop_map(Deactivate),
        a_change().prop_map(Change),
        a_word().prop_map(|group| SelectPolicyGroup(group.as_str().into())),
        an_instant().prop_map(|now| Expire { now }),
        a_word().prop_map(|subject| ErasePersonalData {
            subject,
            legal_ground: LegalGround::Objection
        }),
    ]
}

fn a_person_command() -> impl Strategy<Value = person::Command> {
    (0..4_i64).prop_map(|through| person::Command::EraseOrigins {
        subject: "person/alice".to_owned(),
        legal_ground: LegalGround::Objection,
        through,
    })
}

fn an_audit_log_command() -> impl Strategy<Value = audit_log::Command> {
    use audit_log::Command::*;
    let key = (prop_oneof![Just("one"), Just("two")], 1..4_u8, 0..400_i32);
    let key = key.prop_map(|(log, number, day)| audit_log::tests::log_key(log, number, day));
    let retire = |key: audit_log::LogKey| RetireKey { key: key.key, at: key.since };
    let restart = |(key, checkpoint)| Restart { key, checkpoint };
    prop_oneof![
        key.clone().prop_map(Begin),
        key.clone().prop_map(AddKey),
        key.clone().prop_map(retire),
        (key, option::of(a_word())).prop_map(restart),
    ]
}

fn a_change() -> impl Strategy<Value = partner::Change> {
    use partner::Change::*;
    let remove = |(subject, reason)| RemoveMember { subject, reason };
    let set_contact = |(purpose, contact)| SetContact { purpose, contact };
    let update = |logo_url| UpdateDetails(Details { lang_code: None, logo_url });
    let move_group = |(group, reason, links): (String, Reason, usize)| MovePolicyGroup {
        policy_group_id: group.as_str().into(),
        reason,
        links,
    };
    prop_oneof![
        a_member().prop_map(InviteMember),
        (a_subject(), proptest::option::of(a_reason())).prop_map(remove),
        a_member().prop_map(SetMemberRole),
        (a_purpose(), a_private_reference()).prop_map(set_contact),
        a_purpose().prop_map(RemoveContact),
        proptest::option::of(a_word()).prop_map(update),
        (a_word(), a_reason(), 0..2_usize).prop_map(move_group),
    ]
}

/// Alice registers the partners.
fn a_subject() -> impl Strategy<Value = String> {
    prop_oneof![Just("alice"), Just("bob")].prop_map(String::from)
}

fn a_member() -> impl Strategy<Value = Member> {
    let role = prop_oneof![Just(MemberRole::Manager), Just(MemberRole::Viewer)];
    (a_subject(), role).prop_map(|(subject, role)| Member { subject, role })
}

fn a_purpose() -> impl Strategy<Value = ContactPurpose> {
    prop_oneof![Just(ContactPurpose::Primary), Just(ContactPurpose::Security)]
}

fn a_private_reference() -> impl Strategy<Value = PrivateReference> {
    (0..3_u128).prop_map(|row| PrivateReference {
        reference: Uuid::from_u128(row),
        commitment: String::new(),
    })
}

fn a_consent_command() -> impl Strategy<Value = consent::Command> {
    use consent::Command::{Give, Withdraw};
    prop_oneof![
        (0..3_u32).prop_map(|text_version| Give { text_version }),
        proptest::option::of(a_reason()).prop_map(Withdraw),
    ]
}

fn a_registration() -> impl Strategy<Value = Registration> {
    (a_word(), option::of(a_word())).prop_map(|(name, group)| Registration {
        organization_name: name,
        partner_type: PartnerType::AuthPartner,
        policy_group_id: group.as_deref().map(Into::into),
        lang_code: None,
        logo_url: group,
        contact: PrivateReference { reference: Uuid::nil(), commitment: String::new() },
        member: "alice".to_owned(),
    })
}

fn an_accepted_certificate() -> impl Strategy<Value = AcceptedCertificate> {
    (a_word(), option::of(an_instant())).prop_map(|(word, overlap_until)| AcceptedCertificate {
        fingerprint: word.clone(),
        key_fingerprint: word.clone(),
        certificate: word.clone(),
        signed_certificate: word.clone(),
        path: vec![word.clone()],
        not_after: DateTime::UNIX_EPOCH,
        signed_not_after: DateTime::UNIX_EPOCH,
        tbs_sha256: word,
        overlap_until,
    })
}

/// With the name of the key.
fn a_signing_intent() -> impl Strategy<Value = (SigningIntent, String)> {
    a_word().prop_map(|word| {
        let intent = SigningIntent {
            fingerprint: word.clone(),
            serial: word.clone(),
            not_before: DateTime::UNIX_EPOCH,
            not_after: DateTime::UNIX_EPOCH,
            issuer_fingerprint: word.clone(),
            tbs_sha256: word.clone(),
        };
        (intent, word)
    })
}

fn a_trust_certificate_command() -> impl Strategy<Value = trust_certificate::Command> {
    use trust_certificate::Command::{AttachCrl, Disable, Enable, Expire, Revoke, Upload};
    prop_oneof![
        a_trusted().prop_map(Upload),
        a_reason().prop_map(Disable),
        a_reason().prop_map(Enable),
        a_reason().prop_map(Revoke),
        a_crl().prop_map(AttachCrl),
        an_instant().prop_map(|now| Expire { now }),
    ]
}

fn a_crl() -> impl Strategy<Value = Crl> {
    (a_word(), vec(a_word(), 0..3)).prop_map(|(number, revoked)| Crl {
        number,
        this_update: DateTime::UNIX_EPOCH,
        next_update: DateTime::UNIX_EPOCH,
        revoked: revoked.into_iter().collect(),
    })
}

fn a_trusted() -> impl Strategy<Value = Trusted> {
    a_word().prop_map(|word| Trusted {
        domain: TrustDomain::Auth,
        kind: TrustKind::Root,
        fingerprint: word.clone(),
        issuer_fingerprint: word.clone(),
        certificate: word.clone(),
        subject: word.clone(),
        issuer: word,
        not_before: DateTime::UNIX_EPOCH,
        not_after: DateTime::UNIX_EPOCH,
    })
}

fn a_policy_group_command() -> impl Strategy<Value = policy_group::Command> {
    use policy_group::Command::{Create, Deactivate, Reactivate, Update};
    let deactivate = |(reason, live_policies)| Deactivate { reason, live_policies };
    prop_oneof![
        a_description().prop_map(Create),
        a_description().prop_map(Update),
        (a_reason(), 0..2_usize).prop_map(deactivate),
        a_reason().prop_map(Reactivate),
    ]
}

fn a_description() -> impl Strategy<Value = Description> {
    (a_word(), a_word()).prop_map(|(name, text)| Description::new(&name, &text).unwrap())
}

fn a_policy_command() -> impl Strategy<Value = policy::Command> {
    use policy::Command::{Create, Deactivate, Discard, Publish, UpdateDraft};
    let create = |(group, content, other): (String, Content, Option<String>)| Create {
        policy_group_id: group.as_str().into(),
        policy_type: PolicyType::Auth,
        content,
        supersedes: other.as_deref().map(Into::into),
        cloned_from: other.as_deref().map(Into::into),
    };
    let deactivate = |(reason, live_requests)| Deactivate { reason, live_requests };
    prop_oneof![
        (a_word(), a_content(), proptest::option::of(a_word())).prop_map(create),
        a_content().prop_map(UpdateDraft),
        Just(Publish),
        (a_reason(), 0..2_usize).prop_map(deactivate),
        a_reason().prop_map(Discard),
    ]
}

/// Some documents are valid, some are not any more.
fn a_content() -> impl Strategy<Value = Content> {
    let valid =
        json!({"authTokenType": "policy", "allowedAuthTypes": [], "allowedKycAttributes": []});
    let document = prop_oneof![Just(valid), Just(json!({"authTokenType": "policy"}))];
    (a_word(), document).prop_map(|(name, policies)| Content {
        description: name.clone(),
        version: "1".to_owned(),
        name,
        policies,
    })
}

fn a_policy_request_command() -> impl Strategy<Value = policy_request::Command> {
    use policy_request::Command::{
        Approve, Draft, End, Reject, Revoke, Submit, SubmitDraft, UpdateDraft, Withdraw,
    };
    let approve = |(comment, demands)| Approve(comment, demands);
    prop_oneof![
        (what_is_asked(), some_demands()).prop_map(|(asked, demands)| Submit(asked, demands)),
        (what_is_asked(), some_demands()).prop_map(|(asked, demands)| Draft(asked, demands)),
        (a_wording(), some_demands()).prop_map(|(wording, demands)| UpdateDraft(wording, demands)),
        some_demands().prop_map(SubmitDraft),
        (option::of(a_comment()), some_demands()).prop_map(approve),
        a_reason().prop_map(Reject),
        option::of(a_reason()).prop_map(Withdraw),
        a_reason().prop_map(Revoke),
        a_reason().prop_map(End),
    ]
}

fn what_is_asked() -> impl Strategy<Value = Asked> {
    (a_word(), a_word(), a_wording()).prop_map(|(partner, policy, wording)| Asked {
        partner_id: partner.as_str().into(),
        policy_id: policy.as_str().into(),
        wording,
    })
}

fn a_wording() -> impl Strategy<Value = Wording> {
    let choice = a_word().prop_map(|word| ExtractorChoice {
        modality: Modality::Face,
        extractor_id: word.as_str().into(),
    });
    (a_comment(), option::of(a_word()), vec(choice, 0..2)).prop_map(
        |(comment, credential_type, extractors)| Wording { comment, credential_type, extractors },
    )
}

fn some_demands() -> impl Strategy<Value = Demands> {
    let rule = prop_oneof![
        Just(CredentialRule::Needed),
        Just(CredentialRule::Optional),
        Just(CredentialRule::None)
    ];
    (rule, any::<bool>()).prop_map(|(credential, biometrics)| Demands {
        credential,
        biometrics,
        unusable: Vec::new(),
    })
}

fn an_extractor_command() -> impl Strategy<Value = extractor::Command> {
    use extractor::Command::{Create, Delete};
    prop_oneof![
        a_configuration().prop_map(Create),
        (a_reason(), 0..2_usize).prop_map(|(reason, uses)| Delete { reason, uses }),
    ]
}

fn a_configuration() -> impl Strategy<Value = Configuration> {
    (a_word(), option::of(a_word())).prop_map(|(word, data_format)| Configuration {
        name: word.clone(),
        provider: word.clone(),
        version: word.clone(),
        modality: Modality::Iris,
        attribute_name: word,
        data_format,
    })
}

fn an_issued_key_command<K: KeyKind>(
    policy: impl Strategy<Value = K::Policy>,
) -> impl Strategy<Value = issued::Command<K>> {
    use issued::Command::{Deactivate, Expire, Generate, Resume, Rotate, SetExpiry, Suspend};
    let rotate = |(word, until, predecessor_opens, now): (String, _, _, _)| Rotate {
        successor: K::Id::from(word.as_str()),
        until,
        predecessor_opens,
        now,
    };
    prop_oneof![
        a_grant::<K>(policy).prop_map(Generate),
        a_reason().prop_map(Suspend),
        a_reason().prop_map(Resume),
        (a_word(), an_instant(), any::<bool>(), an_instant()).prop_map(rotate),
        (an_instant(), an_instant()).prop_map(|(expires_at, now)| SetExpiry { expires_at, now }),
        an_instant().prop_map(|now| Expire { now }),
        a_reason().prop_map(Deactivate),
    ]
}

fn a_grant<K: KeyKind>(
    policy: impl Strategy<Value = K::Policy>,
) -> impl Strategy<Value = issued::Grant<K>> {
    let grant =
        |(word, policy_id, expires_at, from): (String, _, _, Option<String>)| issued::Grant {
            partner_id: word.as_str().into(),
            policy_id,
            label: word.clone(),
            lookup_id: word.clone(),
            last_four: word,
            expires_at,
            rotated_from: from.as_deref().map(Into::into),
        };
    (a_word(), policy, an_instant(), option::of(a_word())).prop_map(grant)
}

fn a_policy() -> impl Strategy<Value = PolicyId> {
    a_word().prop_map(|word| word.as_str().into())
}

fn a_proposal_command() -> impl Strategy<Value = proposal::Command> {
    use proposal::Command::{Confirm, Lapse, Propose, Refuse};
    prop_oneof![
        a_proposed().prop_map(Propose),
        (a_word(), an_instant()).prop_map(|(by, now)| Confirm { by, now }),
        (a_reason(), an_instant()).prop_map(|(reason, now)| Refuse { reason, now }),
        an_instant().prop_map(|now| Lapse { now }),
    ]
}

fn a_proposed() -> impl Strategy<Value = Proposed> {
    (a_word(), an_instant()).prop_map(|(word, expires_at)| Proposed {
        action: ProposedAction::DeactivatePartner,
        target: word.clone(),
        input: json!({"partner_id": word}),
        proposed_by: word,
        expires_at,
    })
}

/// Few different instants, so that some are before an end and some after it.
fn an_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_i64).prop_map(|hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours))
}

fn an_oidc_client_command() -> impl Strategy<Value = oidc_client::Command> {
    use oidc_client::Command::{Create, Deactivate, Expire, Resume, Suspend, Update};
    use oidc_client::Command::{RetireKey, RotateKey};
    let create = |(partner, settings, key): (String, Settings, PublicKey)| {
        let (partner_id, policy_id) = (partner.as_str().into(), partner.as_str().into());
        let entitlement = Entitlement { claims: vec![partner], acr_values: Vec::new() };
        Create(NewClient { partner_id, policy_id, settings, key, entitlement })
    };
    let rotate = |(key, overlap_until, now)| RotateKey { key, overlap_until, now };
    let retire = |(key_id, reason, now)| RetireKey { key_id, reason, now };
    prop_oneof![
        (a_word(), some_settings(), a_public_key()).prop_map(create),
        some_settings().prop_map(Update),
        (a_public_key(), an_instant(), an_instant()).prop_map(rotate),
        (a_word(), a_reason(), an_instant()).prop_map(retire),
        a_reason().prop_map(Suspend),
        a_reason().prop_map(Resume),
        a_reason().prop_map(Deactivate),
        an_instant().prop_map(|now| Expire { now }),
    ]
}

fn some_settings() -> impl Strategy<Value = Settings> {
    a_word().prop_map(|name| Settings { name, ..Settings::default() })
}

fn a_public_key() -> impl Strategy<Value = PublicKey> {
    let key = |(kid, thumbprint)| PublicKey { kid, thumbprint, jwk: BTreeMap::new() };
    (a_word(), a_word()).prop_map(key)
}

fn an_sbi_command() -> impl Strategy<Value = sbi::Command> {
    use sbi::Command::{Add, Approve, Deactivate, End, Expire, Reject};
    prop_oneof![
        a_software().prop_map(Add),
        an_instant().prop_map(|now| Approve { now }),
        a_reason().prop_map(Reject),
        a_reason().prop_map(Deactivate),
        a_reason().prop_map(End),
        an_instant().prop_map(|now| Expire { now }),
    ]
}

fn a_software() -> impl Strategy<Value = Software> {
    (a_word(), an_instant()).prop_map(|(word, expiry)| Software {
        provider_id: word.as_str().into(),
        sw_version: word.clone(),
        sw_binary_hash: word,
        sw_create_date_time: DateTime::UNIX_EPOCH,
        sw_expiry_date_time: expiry,
    })
}

fn a_device_command() -> impl Strategy<Value = device::Command> {
    use device::Command::{Add, Approve, Deactivate, End, Link, Reject, Unlink};
    let add = |(model, sbi): (Model, Option<String>)| Add {
        provider_id: "acme".into(),
        model,
        sbi_id: sbi.as_deref().map(Into::into),
    };
    let link = |(sbi, support): (String, Support)| Link { sbi_id: sbi.as_str().into(), support };
    prop_oneof![
        (a_model(), proptest::option::of(a_word())).prop_map(add),
        (a_word(), a_support()).prop_map(link),
        a_word().prop_map(|sbi| Unlink { sbi_id: sbi.as_str().into() }),
        a_support().prop_map(|support| Approve { support }),
        a_reason().prop_map(Reject),
        a_reason().prop_map(Deactivate),
        a_reason().prop_map(End),
    ]
}

fn a_model() -> impl Strategy<Value = Model> {
    a_word().prop_map(|word| Model {
        device_type: word.clone(),
        device_sub_type: word.clone(),
        make: word.clone(),
        model: word,
    })
}

fn a_support() -> impl Strategy<Value = Support> {
    prop_oneof![Just(Support::Live), Just(Support::Expired), Just(Support::NotApproved)]
}

fn an_ftm_chip_command() -> impl Strategy<Value = ftm_chip::Command> {
    use ftm_chip::Command::*;
    let intend = |(intent, key_fingerprint)| IntendSigning { intent, key_fingerprint };
    let chip = |word: String| Chip::new("acme".into(), &word, &word).unwrap();
    prop_oneof![
        a_word().prop_map(move |word| Add(chip(word))),
        a_signing_intent().prop_map(intend),
        an_accepted_certificate().prop_map(AcceptCertificate),
        Just(Approve),
        a_reason().prop_map(Reject),
        a_reason().prop_map(Deactivate),
        a_reason().prop_map(End),
        an_instant().prop_map(|now| Expire { now }),
    ]
}
