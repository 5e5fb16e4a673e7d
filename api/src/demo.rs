//! A believable world, made through the same commands as everybody's.
//!
//! Everything follows from the seed: who there is, what they are called, which certificates they
//! have and how far they came. Running it again finishes what was interrupted and changes nothing
//! else; only ids and times that the system gives are new in another system.

mod authority;

use authority::Authority;
use clap::Args;
use commands::api_key::GenerateApiKey;
use commands::consent::GiveConsent;
use commands::extractor::CreateExtractor;
use commands::misp_license::GenerateMispLicense;
use commands::partner::{
    DeactivatePartner, InviteMember, RegisterPartner, SetPartnerContact, SuspendPartner,
    UploadPartnerCertificate,
};
use commands::policy_request::{
    ApprovePolicyRequest, ChosenExtractor, RejectPolicyRequest, RequestPolicy, RevokePolicyRequest,
};
use commands::trust_certificate::UploadTrustCertificate;
use commands::{Commands, Done, Error, Request, Result};
use domain::actor::{Actor, MemberRole, Role};
use domain::defaults::{DefaultPolicy, policies, policy_groups};
use domain::ids::{PartnerId, PolicyId};
use domain::partner::ContactPurpose;
use domain::policy_document::shares_biometrics;
use domain::reference::{
    CREDENTIAL_TYPES, CredentialRule, GroupRule, Modality, PartnerType, TrustDomain, consent_text,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use strum::{EnumIter, IntoEnumIterator as _, VariantArray as _};

/// Commands that are under way at once: as many as make full batches.
const AT_ONCE: usize = 64;

/// Fills a system with partners of every type in every state.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// How many partners.
    #[arg(long, default_value_t = 150)]
    partners: u32,
    /// The same seed makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How far a partner came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter)]
enum Fate {
    Registered,
    Active,
    Requested,
    Rejected,
    Approved,
    Keyed,
    Revoked,
    Suspended,
    Deactivated,
}

impl Demo {
    /// A world of this many partners.
    pub fn new(partners: u32, seed: u64) -> Self {
        Self { partners, seed }
    }

    /// Makes the world.
    pub async fn run(&self, commands: &Commands) -> Result<()> {
        commands.bootstrap().await?;
        let world = World::found(commands, self).await?;
        let bar = progress(self.partners);
        stream::iter(0..self.partners)
            .map(|number| world.partner(number))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| {
                bar.inc(1);
                std::future::ready(Ok(()))
            })
            .await?;
        bar.finish();
        Ok(())
    }
}

fn progress(partners: u32) -> ProgressBar {
    let style = "{wide_bar} {pos}/{len} partners, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(partners.into()).with_style(style)
}

/// What all partners share.
struct World<'a> {
    commands: &'a Commands,
    seed: u64,
    authorities: BTreeMap<String, Authority>,
    policies: Vec<DefaultPolicy>,
    extractors: Vec<ChosenExtractor>,
}

impl<'a> World<'a> {
    /// A root and an intermediate in every trust domain, and an extractor of every modality.
    async fn found(commands: &'a Commands, demo: &Demo) -> Result<Self> {
        let mut authorities = BTreeMap::new();
        let domains = [TrustDomain::Auth, TrustDomain::Device, TrustDomain::Ftm, TrustDomain::Misp];
        for partner_domain in domains {
            let root = Authority::root(demo.seed, partner_domain)?;
            let issuing = root.intermediate()?;
            for authority in [&root, &issuing] {
                let input = UploadTrustCertificate {
                    partner_domain,
                    certificate_data: authority.pem(),
                    idempotency_key: None,
                };
                commands.upload_trust_certificate(&staff(), &input).await?;
            }
            authorities.insert(partner_domain.to_string(), issuing);
        }
        let (seed, policies) = (demo.seed, policies());
        let extractors = extractors(commands, seed).await?;
        Ok(Self { commands, seed, authorities, policies, extractors })
    }

    /// One partner, from its registration to its fate.
    async fn partner(&self, number: u32) -> Result<()> {
        let one = Character::of(self.seed, number);
        self.register(&one).await?;
        self.people(&one).await?;
        if one.fate == Fate::Registered {
            return Ok(());
        }
        self.upload_certificate(&one).await?;
        if let Some(policy) = one.policy(&self.policies) {
            self.ask_for(&one, policy).await?;
        }
        if one.partner_type == PartnerType::MispPartner && one.fate >= Fate::Keyed {
            self.generate_license(&one).await?;
        }
        self.end(&one).await
    }

    async fn register(&self, one: &Character) -> Result<Done> {
        let input = RegisterPartner {
            partner_id: one.id.clone(),
            organization_name: one.organization.clone(),
            partner_type: one.partner_type,
            policy_group: one.group().map(Into::into),
            address: format!("{} Market Street, Springfield", one.number + 1),
            contact_number: format!("+1 555 {:07}", one.number),
            email_id: format!("office@{}.example", one.id),
            lang_code: Some("eng".to_owned()),
            logo_url: None,
            member: Some(one.member.clone()),
            idempotency_key: Some(one.key("register")),
        };
        self.commands.register_partner(&staff(), &input).await
    }

    /// Who else speaks for the partner, and whom to call when something goes wrong.
    async fn people(&self, one: &Character) -> Result<()> {
        let input = GiveConsent {
            text_version: consent_text().version,
            idempotency_key: None,
            expected_version: None,
        };
        self.commands.give_consent(&one.request(), &input).await?;
        let (role, desk) = match one.number % 3 {
            0 => return Ok(()),
            1 => (MemberRole::Operator, "desk"),
            _ => (MemberRole::Viewer, "audit"),
        };
        let input = InviteMember {
            partner_id: one.partner_id(),
            subject: format!("{}-{desk}", one.id),
            role,
            idempotency_key: Some(one.key("invite")),
            expected_version: None,
        };
        self.commands.invite_member(&one.request(), &input).await?;
        let input = SetPartnerContact {
            partner_id: one.partner_id(),
            purpose: ContactPurpose::Security,
            address: None,
            contact_number: format!("+1 555 {:07}", 5_000_000 + one.number),
            email_id: format!("security@{}.example", one.id),
            idempotency_key: Some(one.key("security contact")),
            expected_version: None,
        };
        self.commands.set_partner_contact(&one.request(), &input).await?;
        Ok(())
    }

    async fn upload_certificate(&self, one: &Character) -> Result<Done> {
        let terms = one.partner_type.terms();
        let authority = self.authorities.get(&terms.trust_domain.to_string());
        let authority = authority.ok_or_else(|| Error::fault("a domain without authority"))?;
        let input = UploadPartnerCertificate {
            partner_id: one.partner_id(),
            certificate_data: authority.partner(&one.id, &one.organization, *terms)?,
            overlap_until: None,
            proof: None,
            idempotency_key: Some(one.key("certificate")),
            expected_version: None,
        };
        self.commands.upload_partner_certificate(&one.request(), &input).await
    }

    /// A request and what becomes of it.
    async fn ask_for(&self, one: &Character, policy: &DefaultPolicy) -> Result<()> {
        if one.fate < Fate::Requested {
            return Ok(());
        }
        let asked = RequestPolicy {
            partner_id: one.partner_id(),
            policy_id: policy.id.into(),
            comment: "For our branches".to_owned(),
            credential_type: one.credential_type(),
            extractors: self.extractors_for(one, policy),
            as_draft: None,
            idempotency_key: Some(one.key("request")),
        };
        let policy_request = self.commands.request_policy(&one.request(), &asked).await?.id;
        if one.fate == Fate::Rejected {
            let input = RejectPolicyRequest {
                policy_request_id: policy_request.as_str().into(),
                reason: "The use case is not described".to_owned(),
                idempotency_key: Some(one.key("reject")),
                expected_version: None,
            };
            self.commands.reject_policy_request(&staff(), &input).await?;
        }
        if one.fate < Fate::Approved {
            return Ok(());
        }
        let input = ApprovePolicyRequest {
            policy_request_id: policy_request.as_str().into(),
            comment: Some("Welcome".to_owned()),
            idempotency_key: Some(one.key("approve")),
            expected_version: None,
        };
        self.commands.approve_policy_request(&staff(), &input).await?;
        if one.fate >= Fate::Keyed {
            self.generate_keys(one, policy).await?;
        }
        if one.fate == Fate::Revoked {
            let input = RevokePolicyRequest {
                policy_request_id: policy_request.as_str().into(),
                reason: "The contract has ended".to_owned(),
                idempotency_key: Some(one.key("revoke")),
                expected_version: None,
            };
            self.commands.revoke_policy_request(&staff(), &input).await?;
        }
        Ok(())
    }

    /// Those that a request has to name, which are none for most.
    fn extractors_for(
        &self,
        one: &Character,
        policy: &DefaultPolicy,
    ) -> Option<Vec<ChosenExtractor>> {
        let needed = one.names_credentials() && shares_biometrics(&policy.document);
        needed.then(|| self.extractors.clone())
    }

    async fn generate_keys(&self, one: &Character, policy: &DefaultPolicy) -> Result<()> {
        for label in ["branch offices", "call centre"].into_iter().take(1 + one.number as usize % 2)
        {
            let input = GenerateApiKey {
                partner_id: one.partner_id(),
                policy_id: PolicyId::from(policy.id),
                label: label.to_owned(),
                expires_at: None,
                idempotency_key: Some(one.key(label)),
            };
            self.commands.generate_api_key(&one.request(), &input).await?;
        }
        Ok(())
    }

    /// Providers of the demo have no policy group, hence no policy.
    async fn generate_license(&self, one: &Character) -> Result<Done> {
        let input = GenerateMispLicense {
            partner_id: one.partner_id(),
            policy_id: None,
            label: "production".to_owned(),
            expires_at: None,
            idempotency_key: Some(one.key("licence")),
        };
        self.commands.generate_misp_license(&staff(), &input).await
    }

    async fn end(&self, one: &Character) -> Result<()> {
        let (partner_id, expected_version) = (one.partner_id(), None);
        if one.fate == Fate::Suspended {
            let (reason, idempotency_key) = ("Under review".to_owned(), Some(one.key("suspend")));
            let input = SuspendPartner { partner_id, reason, idempotency_key, expected_version };
            self.commands.suspend_partner(&staff(), &input).await?;
        } else if one.fate == Fate::Deactivated {
            let (reason, idempotency_key) =
                ("Out of business".to_owned(), Some(one.key("deactivate")));
            let input = DeactivatePartner { partner_id, reason, idempotency_key, expected_version };
            self.commands.deactivate_partner(&staff(), &input).await?;
        }
        Ok(())
    }
}

async fn extractors(commands: &Commands, seed: u64) -> Result<Vec<ChosenExtractor>> {
    let mut chosen = Vec::new();
    for (modality, name, attribute) in [
        (Modality::Face, "Face templates", "photo"),
        (Modality::Iris, "Iris templates", "iris"),
        (Modality::Finger, "Finger templates", "fingerprints"),
    ] {
        let input = CreateExtractor {
            name: format!("Demo {seed} {name}"),
            provider: "Open Biometrics".to_owned(),
            version: "1.1".to_owned(),
            modality,
            attribute_name: attribute.to_owned(),
            data_format: None,
            idempotency_key: Some(format!("demo{seed} {name}")),
        };
        let extractor_id = commands.create_extractor(&staff(), &input).await?.id.as_str().into();
        chosen.push(ChosenExtractor { modality, extractor_id });
    }
    Ok(chosen)
}

/// One partner of the world.
struct Character {
    number: u32,
    id: String,
    organization: String,
    member: String,
    partner_type: PartnerType,
    fate: Fate,
}

const FIRST: [&str; 12] = [
    "Northern",
    "First",
    "United",
    "Lakeside",
    "Summit",
    "Harbour",
    "Royal",
    "Meridian",
    "Golden",
    "Pioneer",
    "Evergreen",
    "Crescent",
];

impl Character {
    /// Types follow each other; each type meets every fate in turn.
    fn of(seed: u64, number: u32) -> Self {
        let types = PartnerType::VARIANTS;
        let fates: Vec<Fate> = Fate::iter().collect();
        let partner_type = types[number as usize % types.len()];
        let fate = fates[number as usize / types.len() % fates.len()];
        let first =
            FIRST[usize::from(authority::digest(seed, &format!("name {number}"))[0]) % FIRST.len()];
        let id = format!("demo{seed}-{number:05}");
        let organization = format!("{first} {} {number}", trade(partner_type));
        Self { number, member: format!("{id}-office"), id, organization, partner_type, fate }
    }

    fn partner_id(&self) -> PartnerId {
        PartnerId::from(self.id.as_str())
    }

    /// Repeating the demo repeats nothing.
    fn key(&self, what: &str) -> String {
        format!("{} {what}", self.id)
    }

    fn group(&self) -> Option<&'static str> {
        let needed = self.partner_type.terms().policy_group == GroupRule::Needed;
        let groups = policy_groups();
        // Groups without a policy of their own are passed over.
        let offered: Vec<&str> = groups
            .iter()
            .map(|group| group.id)
            .filter(|id| policies().iter().any(|policy| policy.group_id == *id))
            .collect();
        needed.then(|| offered[self.number as usize % offered.len()])
    }

    /// The policy it asks for, if its kind works under policies.
    fn policy<'p>(&self, policies: &'p [DefaultPolicy]) -> Option<&'p DefaultPolicy> {
        let group = self.group()?;
        policies.iter().find(|policy| policy.group_id == group)
    }

    fn names_credentials(&self) -> bool {
        self.partner_type.terms().credential == CredentialRule::Needed
    }

    fn credential_type(&self) -> Option<String> {
        let mine = CREDENTIAL_TYPES[self.number as usize % CREDENTIAL_TYPES.len()];
        self.names_credentials().then(|| mine.to_owned())
    }

    fn request(&self) -> Request {
        Request::new(Actor {
            subject: self.member.clone(),
            roles: BTreeSet::from([self.partner_type.terms().role]),
            claimed_partners: BTreeSet::new(),
        })
    }
}

fn trade(partner_type: PartnerType) -> &'static str {
    match partner_type {
        PartnerType::AuthPartner => "Bank",
        PartnerType::DeviceProvider => "Biometrics",
        PartnerType::FtmProvider => "Semiconductors",
        PartnerType::MispPartner => "Networks",
        PartnerType::CredentialPartner | PartnerType::PrintPartner => "Card Printers",
        PartnerType::AbisPartner => "Matching Engines",
        PartnerType::ManualAdjudication => "Adjudication Office",
        PartnerType::OnlineVerificationPartner => "Verification",
        PartnerType::SdkPartner => "Software",
        PartnerType::BindingPartner => "Wallets",
        PartnerType::InternalPartner | PartnerType::PartnerAdmin => "Department",
    }
}

/// The people who run the demo system.
fn staff() -> Request {
    Request::new(Actor {
        subject: "demo-admin".to_owned(),
        roles: BTreeSet::from([Role::PartnerAdmin]),
        claimed_partners: BTreeSet::new(),
    })
}
