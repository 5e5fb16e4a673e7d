//! Every event ever stored stays readable: `stored_events/` has one of each kind, word for word as
//! it lies in the log. A file is never changed. A new kind, or a new version of a kind, adds one.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use domain::api_key::{self, ApiKey, Grant};
use domain::oidc_client::{
    self, AuthMethod, Entitlement, GrantType, LocalName, NewClient, OidcClient, PublicKey, Settings,
};
use domain::partner::{self, AcceptedCertificate, Partner, PrivateReference, Registration};
use domain::policy::{self, Content, Policy};
use domain::policy_document::PolicyType;
use domain::policy_group::{self, Description, PolicyGroup};
use domain::policy_request::{self, Comment, PolicyRequest};
use domain::proposal::{self, Proposal, Proposed, ProposedAction};
use domain::reference::{PartnerType, TrustDomain};
use domain::trust_certificate::{self, TrustCertificate, TrustKind, Trusted};
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
        contact: PrivateReference { reference: Uuid::nil(), commitment: "c2FsdGVk".to_owned() },
        member: "alice".to_owned(),
    });
    let accepted = partner::Event::CertificateAccepted(AcceptedCertificate {
        fingerprint: "01".repeat(32),
        key_fingerprint: "02".repeat(32),
        certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        signed_certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(),
        path: vec!["01".repeat(32), "03".repeat(32)],
        not_after: instant(),
        signed_not_after: instant(),
    });
    are_kept::<Partner>(vec![
        registered,
        accepted,
        partner::Event::Activated {},
        partner::Event::Suspended { reason: reason() },
        partner::Event::Reactivated { reason: reason() },
        partner::Event::Deactivated { reason: reason() },
    ]);
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
    are_kept::<PolicyRequest>(vec![
        policy_request::Event::Submitted {
            partner_id: "bank".into(),
            policy_id: "kyc".into(),
            comment: comment(),
        },
        policy_request::Event::Approved { comment: Some(comment()) },
        policy_request::Event::Rejected { reason: reason() },
        policy_request::Event::Withdrawn { reason: Some(reason()) },
        policy_request::Event::Revoked { reason: reason() },
    ]);
}

#[test]
fn every_event_of_an_api_key_is_kept() {
    are_kept::<ApiKey>(vec![
        api_key::Event::Generated(Grant {
            partner_id: "bank".into(),
            policy_id: "kyc".into(),
            label: "branch office".to_owned(),
            lookup_id: "0LygHa16AHYF".to_owned(),
            last_four: "a1b2".to_owned(),
            expires_at: instant(),
        }),
        api_key::Event::Suspended { reason: reason() },
        api_key::Event::Resumed { reason: reason() },
        api_key::Event::Deactivated { reason: reason() },
    ]);
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

/// A kind that is gone from the program is still in somebody's log.
#[test]
fn no_kind_of_event_that_was_ever_stored_is_forgotten() {
    let known = [
        names::<Partner>(),
        names::<TrustCertificate>(),
        names::<PolicyGroup>(),
        names::<Policy>(),
        names::<PolicyRequest>(),
        names::<ApiKey>(),
        names::<Proposal>(),
        names::<OidcClient>(),
    ]
    .concat();
    for file in std::fs::read_dir("stored_events").unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name} cannot be read any more");
    }
}

fn names<A: Decide<Event: VariantNames>>() -> Vec<String> {
    A::Event::VARIANTS.iter().map(|event| format!("{}.{event}.json", A::TYPE)).collect()
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
        let event = row::<A>(&example, stored).decode::<A>().unwrap().event;
        assert_eq!(event, example);
        state.apply(event);
        assert!(!state.is_missing());
    }
}

fn stored<A: Decide>(example: &A::Event) -> String {
    let name = format!("{}.{}.json", A::TYPE, example.event_type());
    let path = PathBuf::from("stored_events").join(&name);
    let missing = || format!("no stored_events/{name}: add it with what is stored today");
    std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", missing())).trim_end().to_owned()
}

fn row<A: Decide>(example: &A::Event, payload: String) -> LogRow {
    let nobody = domain::recorded::Metadata::default();
    LogRow {
        aggregate_type: A::TYPE.to_owned(),
        aggregate_id: "one".to_owned(),
        sequence: 1,
        event_type: example.event_type(),
        event_version: example.event_version(),
        payload,
        metadata: serde_json::to_string(&nobody).unwrap(),
        position: 1,
        recorded_at: instant(),
    }
}
