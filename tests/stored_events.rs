//! Every event ever stored stays readable: `stored_events/` has one of each kind, word for word as
//! it lies in the log. A file is never changed. A new kind, or a new version of a kind, adds one.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use domain::actor::MemberRole;
use domain::api_key::ApiKey;
use domain::audit_log::{self, AuditLog, LogKey};
use domain::consent::{self, Consent};
use domain::device::{self, Device, Model};
use domain::extractor::{self, Configuration, Extractor};
use domain::ftm_chip::{self, Chip, FtmChip};
use domain::installation::{self, Installation};
use domain::issued::{self, Grant, KeyKind};
use domain::misp_license::MispLicense;
use domain::oidc_client::{
    self, AuthMethod, Entitlement, GrantType, LocalName, NewClient, OidcClient, PublicKey, Settings,
};
use domain::partner::{
    self, AcceptedCertificate, ContactPurpose, Details, Member, Partner, PrivateReference,
    Registration, SigningIntent,
};
use domain::person::{self, Person};
use domain::policy::{self, Content, Policy};
use domain::policy_document::PolicyType;
use domain::policy_group::{self, Description, PolicyGroup};
use domain::policy_request::{self, Asked, Comment, ExtractorChoice, PolicyRequest, Wording};
use domain::proposal::{self, Proposal, Proposed, ProposedAction};
use domain::reference::{Modality, PartnerType, TrustDomain};
use domain::sbi::{self, Sbi, Software};
use domain::subject::LegalGround;
use domain::trust_certificate::{self, Crl, TrustCertificate, TrustKind, Trusted};
use domain::{Decide, Reason};
use projections::log::LogRow;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use strum::VariantNames;
use uuid::Uuid;

#[test]
fn every_event_of_a_partner_is_kept() {
    let registered = partner::Event::Registered(Registration {
        organization_name: "Größte Bank".to_owned(),
        partner_type: PartnerType::AuthPartner,
        policy_group_id: Some("banking".into()),
        lang_code: Some("eng".to_owned()),
        logo_url: Some("https://bank.example/logo.png".to_owned()),
        contact: private(),
        member: "alice".to_owned(),
    });
    let accepted = partner::Event::CertificateAccepted(accepted_certificate());
    are_kept::<Partner>(vec![
        registered,
        accepted,
        partner::Event::Activated {},
        partner::Event::Suspended { reason: reason() },
        partner::Event::Reactivated { reason: reason() },
        partner::Event::Deactivated { reason: reason() },
        partner::Event::MemberInvited(member()),
        partner::Event::MemberRemoved { subject: "bob".to_owned(), reason: Some(reason()) },
        partner::Event::MemberRoleSet(member()),
        partner::Event::ContactSet { purpose: ContactPurpose::Security, contact: private() },
        partner::Event::ContactRemoved { purpose: ContactPurpose::Security },
        partner::Event::DetailsUpdated(Details {
            lang_code: Some("fra".to_owned()),
            logo_url: Some("https://bank.example/logo.png".to_owned()),
        }),
        partner::Event::PolicyGroupSelected { policy_group_id: "banking".into() },
        partner::Event::PolicyGroupMoved { policy_group_id: "health".into(), reason: reason() },
        partner::Event::CertificateExpired { fingerprint: "01".repeat(32), expired_at: instant() },
        partner::Event::SigningIntended(signing_intent()),
        partner::Event::CertificateRevoked { fingerprint: "01".repeat(32), reason: reason() },
        partner::Event::PersonalDataErased {
            subject: "partner/bank".to_owned(),
            legal_ground: LegalGround::ConsentWithdrawn,
        },
    ]);
}

#[test]
fn every_event_of_the_installation_is_kept() {
    let fingerprints = [("pepper.1", "01"), ("wrapping", "02"), ("issuing", "03")];
    let fingerprints = fingerprints.map(|(key, print)| (key.to_owned(), print.repeat(32))).into();
    are_kept::<Installation>(vec![installation::Event::KeysAdopted { fingerprints }]);
}

#[test]
fn every_event_of_a_person_is_kept() {
    are_kept::<Person>(vec![person::Event::OriginsErased {
        subject: "person/alice".to_owned(),
        legal_ground: LegalGround::Objection,
        through: 41,
    }]);
}

#[test]
fn every_event_of_the_audit_log_is_kept() {
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let log_key = || LogKey { key: key.parse().unwrap(), since: instant() };
    are_kept::<AuditLog>(vec![
        audit_log::Event::KeyAdded(log_key()),
        audit_log::Event::KeyRetired { key: key.parse().unwrap() },
        audit_log::Event::Restarted { key: log_key(), checkpoint: Some("a note\n".to_owned()) },
    ]);
}

fn private() -> PrivateReference {
    PrivateReference { reference: Uuid::nil(), commitment: "c2FsdGVk".to_owned() }
}

fn member() -> Member {
    Member { subject: "bob".to_owned(), role: MemberRole::Operator }
}

#[test]
fn every_event_of_a_trust_certificate_is_kept() {
    let uploaded = trust_certificate::Event::Uploaded(Trusted {
        domain: TrustDomain::Auth,
        kind: TrustKind::Intermediate,
        fingerprint: "01".repeat(32),
        issuer_fingerprint: "02".repeat(32),
        certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        subject: "CN=Issuing CA".to_owned(),
        issuer: "CN=Root".to_owned(),
        not_before: instant(),
        not_after: instant(),
    });
    are_kept::<TrustCertificate>(vec![
        uploaded,
        trust_certificate::Event::Disabled { reason: reason() },
        trust_certificate::Event::Enabled { reason: reason() },
        trust_certificate::Event::Revoked { reason: reason() },
        trust_certificate::Event::CrlAttached(Crl {
            number: "1000".to_owned(),
            this_update: instant(),
            next_update: instant(),
            revoked: BTreeSet::from(["00ff23".to_owned(), "2a".to_owned()]),
        }),
        trust_certificate::Event::Expired { expired_at: instant() },
    ]);
}

#[test]
fn every_event_of_a_policy_group_is_kept() {
    let description = || Description::new("Banking", "For banks").unwrap();
    are_kept::<PolicyGroup>(vec![
        policy_group::Event::Created(description()),
        policy_group::Event::Updated(description()),
        policy_group::Event::Deactivated { reason: reason() },
        policy_group::Event::Reactivated { reason: reason() },
    ]);
}

#[test]
fn every_event_of_a_policy_is_kept() {
    let content = || {
        let document = crate::support::actors::document();
        Content::new(PolicyType::Auth, "KYC", "For banks", "1.0", document).unwrap()
    };
    are_kept::<Policy>(vec![
        policy::Event::Created {
            policy_group_id: "banking".into(),
            policy_type: PolicyType::Auth,
            content: content(),
            supersedes: None,
            cloned_from: None,
        },
        policy::Event::DraftUpdated { content: content() },
        policy::Event::Published {},
        policy::Event::Deactivated { reason: reason() },
        policy::Event::Discarded { reason: reason() },
    ]);
}

#[test]
fn every_event_of_a_policy_request_is_kept() {
    let comment = || Comment::new("comment", "Opening accounts").unwrap();
    let bare = || Wording { comment: comment(), credential_type: None, extractors: vec![] };
    let full = || {
        let (modality, extractor_id) = (Modality::Face, "acme-face".into());
        let extractors = vec![ExtractorChoice { modality, extractor_id }];
        Wording { credential_type: Some("euin".to_owned()), extractors, ..bare() }
    };
    let asked = |wording| Asked { partner_id: "bank".into(), policy_id: "kyc".into(), wording };
    are_kept::<PolicyRequest>(vec![
        policy_request::Event::Submitted(asked(bare())),
        policy_request::Event::Drafted(asked(full())),
        policy_request::Event::DraftUpdated(full()),
        policy_request::Event::DraftSubmitted {},
        policy_request::Event::Approved { comment: Some(comment()) },
        policy_request::Event::Rejected { reason: reason() },
        policy_request::Event::Withdrawn { reason: Some(reason()) },
        policy_request::Event::Revoked { reason: reason() },
    ]);
}

#[test]
fn every_event_of_an_extractor_is_kept() {
    are_kept::<Extractor>(vec![
        extractor::Event::Created(Configuration {
            name: "Face templates".to_owned(),
            provider: "Acme".to_owned(),
            version: "1.1".to_owned(),
            modality: Modality::Face,
            attribute_name: "photo".to_owned(),
            data_format: Some("template".to_owned()),
        }),
        extractor::Event::Deleted { reason: reason() },
    ]);
}

/// What was added to an event since lies in a log as it does today.
#[test]
fn a_policy_that_names_another_one_is_kept() {
    let stored = r#"{"type":"created","policy_group_id":"banking","policy_type":"AUTH","content":{"name":"KYC","description":"For banks","version":"1.0","policies":{}},"supersedes":"old","cloned_from":"other"}"#;
    let event: policy::Event = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&event).unwrap(), stored);
}

#[test]
fn every_event_of_an_api_key_is_kept() {
    are_kept::<ApiKey>(events_of_a_key("kyc".into(), None));
}

#[test]
fn every_event_of_a_misp_license_is_kept() {
    are_kept::<MispLicense>(events_of_a_key(Some("delegation".into()), Some("before".into())));
}

fn events_of_a_key<K: KeyKind>(
    policy_id: K::Policy,
    rotated_from: Option<K::Id>,
) -> Vec<issued::Event<K>> {
    vec![
        issued::Event::Generated(Grant {
            partner_id: "bank".into(),
            policy_id,
            label: "branch office".to_owned(),
            lookup_id: "0LygHa16AHYF".to_owned(),
            last_four: "a1b2".to_owned(),
            expires_at: instant(),
            rotated_from,
        }),
        issued::Event::Suspended { reason: reason() },
        issued::Event::Resumed { reason: reason() },
        issued::Event::Rotated { successor: "next".into(), expires_at: instant() },
        issued::Event::ExpirySet { expires_at: instant() },
        issued::Event::Expired { expired_at: instant() },
        issued::Event::Deactivated { reason: reason() },
    ]
}

#[test]
fn every_event_of_a_proposal_is_kept() {
    are_kept::<Proposal>(vec![
        proposal::Event::Proposed(Proposed {
            action: ProposedAction::DeactivatePartner,
            target: "bank".to_owned(),
            input: json!({"partner_id": "bank", "reason": "gone"}),
            proposed_by: "alice".to_owned(),
            expires_at: instant(),
        }),
        proposal::Event::Confirmed {},
        proposal::Event::Refused { reason: reason() },
        proposal::Event::Lapsed { lapsed_at: instant() },
    ]);
}

#[test]
fn every_event_of_a_consent_is_kept() {
    are_kept::<Consent>(vec![
        consent::Event::Given { text_version: 1 },
        consent::Event::Withdrawn { reason: Some(reason()) },
    ]);
}

#[test]
fn every_event_of_an_oidc_client_is_kept() {
    let settings = || Settings {
        name: "Größte Bank".to_owned(),
        names: vec![LocalName {
            language: "fra".to_owned(),
            name: "La plus grande banque".to_owned(),
        }],
        logo_uri: "https://bank.example/logo.png".to_owned(),
        redirect_uris: vec!["https://bank.example/callback".to_owned()],
        grant_types: BTreeSet::from([GrantType::AuthorizationCode]),
        auth_methods: BTreeSet::from([AuthMethod::PrivateKeyJwt]),
    };
    let key = |kid: &str| {
        let x = "XgpeW3gij3dtaC-sJfkrvGDC22zqNbwb7O9HoSNcg8c";
        let jwk = [("crv", "Ed25519"), ("kid", kid), ("kty", "OKP"), ("x", x)];
        let thumbprint = "EnZOyBwIztDcburvz411_OiPoFLlaBr1Xw6OnEjoV5E".to_owned();
        let jwk = jwk.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        PublicKey { kid: kid.to_owned(), thumbprint, jwk }
    };
    let created = oidc_client::Event::Created(NewClient {
        partner_id: "bank".into(),
        policy_id: "kyc".into(),
        settings: settings(),
        key: key("2026"),
        entitlement: Entitlement {
            claims: vec!["name".to_owned()],
            acr_values: vec!["mosip:idp:acr:generated-code".to_owned()],
        },
    });
    let kid = || "2026".to_owned();
    are_kept::<OidcClient>(vec![
        created,
        oidc_client::Event::Updated(settings()),
        oidc_client::Event::KeyRotated { key: key("2027"), overlap_until: instant() },
        oidc_client::Event::KeyRetired { kid: kid(), reason: reason() },
        oidc_client::Event::KeyExpired { kid: kid(), expired_at: instant() },
        oidc_client::Event::Suspended { reason: reason() },
        oidc_client::Event::Resumed { reason: reason() },
        oidc_client::Event::Deactivated { reason: reason() },
    ]);
}

#[test]
fn every_event_of_an_sbi_is_kept() {
    are_kept::<Sbi>(vec![
        sbi::Event::Added(Software {
            provider_id: "maker".into(),
            sw_version: "1.0".to_owned(),
            sw_binary_hash: "01".repeat(32),
            sw_create_date_time: instant(),
            sw_expiry_date_time: instant(),
        }),
        sbi::Event::Approved {},
        sbi::Event::Rejected { reason: reason() },
        sbi::Event::Deactivated { reason: reason() },
        sbi::Event::Expired { expired_at: instant() },
    ]);
}

#[test]
fn every_event_of_a_device_is_kept() {
    let model = Model {
        device_type: "Finger".to_owned(),
        device_sub_type: "Slap".to_owned(),
        make: "Acme".to_owned(),
        model: "F 1".to_owned(),
    };
    are_kept::<Device>(vec![
        device::Event::Added { provider_id: "maker".into(), model, sbi_id: Some("one".into()) },
        device::Event::LinkedToSbi { sbi_id: "two".into() },
        device::Event::UnlinkedFromSbi { sbi_id: "one".into() },
        device::Event::Approved {},
        device::Event::Rejected { reason: reason() },
        device::Event::Deactivated { reason: reason() },
    ]);
}

#[test]
fn every_event_of_an_ftm_chip_is_kept() {
    are_kept::<FtmChip>(vec![
        ftm_chip::Event::Added(Chip::new("maker".into(), "Acme", "C 1").unwrap()),
        ftm_chip::Event::CertificateAccepted(accepted_certificate()),
        ftm_chip::Event::Approved {},
        ftm_chip::Event::Rejected { reason: reason() },
        ftm_chip::Event::Deactivated { reason: reason() },
        ftm_chip::Event::Expired { expired_at: instant() },
        ftm_chip::Event::SigningIntended(signing_intent()),
    ]);
}

/// What was added to an event since lies in a log as it does today.
#[test]
fn a_certificate_that_ends_another_one_is_kept() {
    let mut stored: serde_json::Value =
        serde_json::from_str(&golden("partner.certificate_accepted.v2")).unwrap();
    stored["overlap_until"] = json!("2026-11-18T11:06:40.123456Z");
    let event: partner::Event = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(&event).unwrap(), stored);
    let partner::Event::CertificateAccepted(it) = event else { panic!("{event:?}") };
    assert_eq!(it.overlap_until, Some(instant()));
}

/// Version 1 of it: what was signed stood in it only from a certain day on. The certificate in this
/// file is none, so nothing can be read off it.
#[test]
fn certificates_that_were_accepted_before_signatures_were_announced_are_kept() {
    let accepted = AcceptedCertificate { tbs_sha256: String::new(), ..accepted_certificate() };
    let at_partner = partner::Event::CertificateAccepted(accepted.clone());
    assert_eq!(of_version_1::<Partner>(golden("partner.certificate_accepted")), at_partner);
    let at_chip = ftm_chip::Event::CertificateAccepted(accepted.clone());
    assert_eq!(of_version_1::<FtmChip>(golden("ftm_chip.certificate_accepted")), at_chip);

    let mut said: serde_json::Value =
        serde_json::from_str(&golden("partner.certificate_accepted")).unwrap();
    said["tbs_sha256"] = json!("04".repeat(32));
    let accepted = AcceptedCertificate { tbs_sha256: "04".repeat(32), ..accepted };
    let expected = partner::Event::CertificateAccepted(accepted);
    assert_eq!(of_version_1::<Partner>(said.to_string()), expected);
}

fn of_version_1<A: Decide>(payload: String) -> A::Event {
    let row = row::<A>("certificate_accepted".to_owned(), "1.0".to_owned(), payload);
    row.decode::<A>().unwrap().event
}

fn signing_intent() -> SigningIntent {
    SigningIntent {
        fingerprint: "01".repeat(32),
        serial: "7f".repeat(16),
        not_before: instant(),
        not_after: instant(),
        issuer_fingerprint: "05".repeat(32),
        tbs_sha256: "04".repeat(32),
    }
}

fn accepted_certificate() -> AcceptedCertificate {
    AcceptedCertificate {
        fingerprint: "01".repeat(32),
        key_fingerprint: "02".repeat(32),
        certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        signed_certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        path: vec!["01".repeat(32), "03".repeat(32)],
        not_after: instant(),
        signed_not_after: instant(),
        tbs_sha256: "04".repeat(32),
        overlap_until: None,
    }
}

/// A kind that is gone from the program is still in somebody's log.
#[test]
fn no_kind_of_event_that_was_ever_stored_is_forgotten() {
    let known = [
        names::<Partner>(),
        names::<Installation>(),
        names::<AuditLog>(),
        names::<Person>(),
        names::<TrustCertificate>(),
        names::<PolicyGroup>(),
        names::<Policy>(),
        names::<PolicyRequest>(),
        names::<Extractor>(),
        names::<ApiKey>(),
        names::<MispLicense>(),
        names::<Sbi>(),
        names::<Device>(),
        names::<FtmChip>(),
        names::<Proposal>(),
        names::<Consent>(),
        names::<OidcClient>(),
    ]
    .concat();
    for file in std::fs::read_dir("stored_events").unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let event = name.split('.').take(2).collect::<Vec<_>>().join(".");
        assert!(known.contains(&event), "{name} cannot be read any more");
    }
}

fn names<A: Decide<Event: VariantNames>>() -> Vec<String> {
    A::Event::VARIANTS.iter().map(|event| format!("{}.{event}", A::TYPE)).collect()
}

fn reason() -> Reason {
    Reason::new("reason", "key ceremony\nof May").unwrap()
}

fn instant() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 123_456_000).unwrap()
}

/// There is an example and a file of every kind; each example is written today as in its file;
/// each file is read as its example, and leads out of nothing or changes a state without a panic.
fn are_kept<A: Decide>(examples: Vec<A::Event>)
where
    A::Event: VariantNames + Serialize + PartialEq + Debug + Clone,
{
    let shown: Vec<String> = examples.iter().map(DomainEvent::event_type).collect();
    assert_eq!(shown, A::Event::VARIANTS, "an example of every kind, in order");
    let mut state = A::default();
    for example in examples {
        let stored = stored::<A>(&example);
        assert_eq!(serde_json::to_string(&example).unwrap(), stored, "{}", example.event_type());
        let row = row::<A>(example.event_type(), example.event_version(), stored);
        let event = row.decode::<A>().unwrap().event;
        assert_eq!(event, example);
        state.apply(event);
        assert!(!state.is_missing());
    }
}

/// As it is stored today. Files of later versions say which.
fn stored<A: Decide>(example: &A::Event) -> String {
    let name = format!("{}.{}", A::TYPE, example.event_type());
    match example.event_version().trim_end_matches(".0") {
        "1" => golden(&name),
        version => golden(&format!("{name}.v{version}")),
    }
}

fn golden(name: &str) -> String {
    let path = PathBuf::from("stored_events").join(format!("{name}.json"));
    let missing = || format!("no stored_events/{name}.json: add it with what is stored today");
    std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", missing())).trim_end().to_owned()
}

fn row<A: Decide>(event_type: String, event_version: String, payload: String) -> LogRow {
    let nobody = domain::recorded::Metadata::default();
    LogRow {
        aggregate_type: A::TYPE.to_owned(),
        aggregate_id: "one".to_owned(),
        sequence: 1,
        event_type,
        event_version,
        payload,
        metadata: serde_json::to_string(&nobody).unwrap(),
        position: 1,
        recorded_at: instant(),
    }
}
