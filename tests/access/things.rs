//! One thing of every noun, and what the people who ask for them are to the partners that own them.

use crate::support::actors::{Makers, Market, Person, credential_partner, partner};
use crate::support::certificates::Authority;
use crate::support::http::App;
use crate::support::jwk;
use crate::support::sealing::{ORIGIN, seals};
use domain::actor::MemberRole;
use domain::reference::Modality;

/// Whom the tests send, and what each is to every partner that owns something here.
pub const PEOPLE: [(&str, Option<MemberRole>); 4] = [
    ("mallory", None),
    ("mona", Some(MemberRole::Manager)),
    ("olaf", Some(MemberRole::Operator)),
    ("vera", Some(MemberRole::Viewer)),
];

/// Ids, each with what it is of.
macro_rules! things {
    ($($(#[$meta:meta])* $thing:ident,)*) => {
        /// The ids of one thing of every noun; of a noun that has drafts also of a draft.
        #[derive(Debug, Clone)]
        pub struct Things {
            $($(#[$meta])* pub $thing: String,)*
        }

        impl Things {
            /// As many things that do not exist. Their ids look like those of these.
            pub fn invented(&self) -> Self {
                Self { $($thing: invented(&self.$thing),)* }
            }
        }
    };
}
things! {
    /// An authentication partner.
    partner,
    /// The fingerprint of its certificate.
    fingerprint,
    /// A trust certificate.
    trust_certificate,
    /// A policy group.
    group,
    /// A published policy.
    policy,
    /// A draft of a policy.
    draft_policy,
    /// An approved request.
    request,
    /// A draft of a request.
    draft_request,
    /// An extractor.
    extractor,
    /// An API key.
    key,
    /// An OIDC client.
    client,
    /// The id of its key.
    client_key,
    /// An infrastructure provider.
    misp,
    /// A licence.
    license,
    /// A device provider.
    device_provider,
    /// A secure biometric interface.
    sbi,
    /// A device.
    device,
    /// An FTM provider.
    ftm_provider,
    /// An FTM chip.
    chip,
    /// A proposal to end a policy.
    proposal,
    /// A credential partner with an approved request.
    credential_partner,
    /// That request.
    credential_request,
    /// Somebody who has consented.
    consenting,
    /// The position at which the authentication partner was registered.
    event,
}

fn invented(id: &str) -> String {
    if id.parse::<i64>().is_ok() {
        return i64::MAX.to_string(); // a position that no log reaches
    }
    let (head, last) = id.split_at(id.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

impl Things {
    /// Makes them, seats [`PEOPLE`] at every partner, and seals the log.
    pub async fn of(app: &App) -> Self {
        let market = Market::open(&app.node).await;
        let (admin, manager, alice) = (&market.admin, &market.manager, &market.alice);
        let request = market.approved_request().await;
        let key = alice.generates_key(&market.policy, "one").await.unwrap().id;
        let (sign_in, _) = market.sign_in_policy(alice).await;
        let client = alice.creates_client(&sign_in, &jwk::key("1")).await.unwrap().id;
        let other = manager.offers(&market.group, "Other").await;
        let draft_request = alice.drafts_request(&other).await.unwrap().id;
        let draft_policy = manager.drafts(&market.group, "Draft").await.unwrap().id;
        let unused = manager.offers(&market.group, "Unused").await;
        let four_eyes = manager.at(&app.node.clone().with_four_eyes(true));
        let proposal = four_eyes.retires(&unused).await.unwrap().id;
        let trust_certificate =
            admin.trusts(&Authority::root("AUTH Second Root")).await.unwrap().id;

        let extractor = admin.creates_extractor("Face", Modality::Face).await.unwrap().id;
        let paula = credential_partner(&app.node, "paula");
        market.welcome(&paula).await;
        let cards = manager.offers_biometrics(&market.group, "Cards").await;
        let cards = paula.requests_for(&cards, "euin", &extractor).await.unwrap().id;
        admin.approves(&cards).await.unwrap();

        let provider = market.provider().await;
        let license = admin.generates_license(&provider.mia, Some(&provider.policy), "one").await;
        let makers = Makers::open(&app.node).await;
        let sbi = makers.live_sbi("1.0").await;
        let device = makers.approved_device(&sbi, "F 1").await;
        let chip = makers.fred.certified_chip("C 1", &makers.chip_authority).await;
        partner(&app.node, "carla").consents().await.unwrap();

        for owner in [alice, &paula, &provider.mia, &makers.dora, &makers.fred] {
            seat_everybody(owner).await;
        }
        let fingerprint = "{ partners { nodes { certificateFingerprint } } }";
        let fingerprint = app.partner("alice").asks(fingerprint, serde_json::json!({})).await;
        let fingerprint = &fingerprint.data()["partners"]["nodes"][0]["certificateFingerprint"];
        let of_alice = app.installation.database.positions_of(&alice.partner).await;
        let position = of_alice[0];
        app.node.adopt_log_key(Some(ORIGIN)).await.unwrap();
        seals(&app.node).await;
        Self {
            partner: alice.partner.clone(),
            fingerprint: fingerprint.as_str().unwrap().to_owned(),
            trust_certificate,
            group: market.group.clone(),
            policy: market.policy.clone(),
            draft_policy,
            request,
            draft_request,
            extractor,
            key,
            client,
            client_key: jwk::thumbprint(&jwk::key("1")),
            misp: provider.mia.partner.clone(),
            license: license.unwrap().id,
            device_provider: makers.dora.partner.clone(),
            sbi,
            device,
            ftm_provider: makers.fred.partner.clone(),
            chip,
            proposal,
            credential_partner: paula.partner.clone(),
            credential_request: cards,
            consenting: "carla".to_owned(),
            event: position.to_string(),
        }
    }
}

async fn seat_everybody(owner: &Person) {
    for (subject, role) in PEOPLE {
        if let Some(role) = role {
            owner.invites(subject, role).await.unwrap();
        }
    }
}
