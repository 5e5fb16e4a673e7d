//! What the system consists of: its reference lists, and what a portal has to know of its rules and
//! settings before it shows a form.

use crate::bulk::MAX_ROWS;
use crate::caller::caller;
use crate::scalars::Position;
use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use commands::Commands;
use commands::device::MAX_BATCH;
use domain::actor::Role;
use domain::oidc_client::{self, AuthMethod, GrantType};
use domain::reference::{
    CREDENTIAL_TYPES, CertificateProfile, CredentialRule, DEVICE_TYPES, GroupRule, LANGUAGES,
    Modality, PartnerType, RegisteredBy, TrustDomain,
};
use domain::{Reason, ids, issued, partner, policy, policy_group, policy_request};
use projections::as_of::Point;
use projections::expiring::DEFAULT_DAYS;
use projections::page::{DEFAULT_PAGE, MAX_DAYS, MAX_PAGE};
use strum::VariantArray as _;

/// What follows from a partner's type.
#[derive(SimpleObject)]
pub struct PartnerTypeTerms {
    /// The type of partner.
    partner_type: PartnerType,
    /// What it is.
    description: &'static str,
    /// The role of the people who act for such a partner.
    role: Role,
    /// The trust store that its certificate has to lead to.
    trust_domain: TrustDomain,
    /// Whether it belongs to a policy group.
    policy_group: GroupRule,
    /// Who may register it.
    registered_by: RegisteredBy,
    /// What its certificate is for.
    certificate_profile: CertificateProfile,
    /// Whether its requests for policies name a credential type and extractors.
    credential: CredentialRule,
}

/// A kind of biometric device.
#[derive(SimpleObject)]
pub struct DeviceType {
    /// The code by which devices name it.
    code: &'static str,
    /// What it is.
    description: &'static str,
    /// Its sub types.
    sub_types: Vec<DeviceSubType>,
}

/// A kind of device within its type.
#[derive(SimpleObject)]
pub struct DeviceSubType {
    /// Its code, unique within the type.
    code: &'static str,
    /// What it is.
    description: &'static str,
}

/// A language in which partners can be written to.
#[derive(SimpleObject)]
pub struct Language {
    /// Its code by ISO 639-3, three lower-case letters.
    code: &'static str,
    /// Its English name.
    name: &'static str,
    /// Whether every text has to exist in it.
    mandatory: bool,
}

impl From<&domain::reference::Language> for Language {
    fn from(it: &domain::reference::Language) -> Self {
        Self { code: it.code, name: it.name, mandatory: it.mandatory }
    }
}

/// What of the rules and of this installation's settings a form depends on.
#[derive(SimpleObject)]
pub struct Configuration {
    /// The past that is served here, read only; null in the present.
    as_of: Option<PastPoint>,
    /// Whether new roots of trust and the ends of partners and policies wait for a second person.
    four_eyes: bool,
    /// Whether who uploads a certificate has to show that he has its private key.
    proof_of_possession: bool,
    /// How many rows a page of a list has when nobody says.
    page_size: i32,
    /// The most rows of a page.
    max_page_size: usize,
    /// The most rows of a mutation for many, such as `approvePolicyRequests`.
    max_rows: usize,
    /// The most devices of `addDevices`.
    max_devices: usize,
    /// How many days ahead `expiringItems` looks.
    expiring_days: Choice,
    /// How many days an API key or a licence key lives.
    key_life_days: Choice,
    /// How many days such a key lives beside its successor.
    key_overlap_days: Choice,
    /// How many days the key of an OIDC client lives beside its successor.
    client_key_overlap_days: Choice,
    /// How many days at most a certificate is valid beside its successor; it keeps its own end
    /// unless another is wished.
    max_certificate_overlap_days: i64,
    /// How an OIDC client may get tokens.
    grant_types: Vec<GrantType>,
    /// How an OIDC client may prove that it is itself.
    client_auth_methods: Vec<AuthMethod>,
    /// The most redirect addresses of an OIDC client.
    max_redirect_uris: usize,
    /// What extractors make templates of.
    modalities: &'static [Modality],
    /// How long texts may be.
    text_limits: Vec<TextLimit>,
}

/// A point in the past.
#[derive(SimpleObject)]
pub struct PastPoint {
    /// The last event that is seen.
    position: Position,
    /// The instant that counts as now.
    at: DateTime<Utc>,
}

impl From<Point> for PastPoint {
    fn from(Point { position, at }: Point) -> Self {
        Self { position: Position(position), at }
    }
}

/// A number that may be chosen.
#[derive(SimpleObject)]
pub struct Choice {
    /// What is taken when nobody says.
    default: i64,
    /// The most that can be asked for; the least is 1.
    max: i64,
}

/// How long a text may be.
#[derive(SimpleObject)]
pub struct TextLimit {
    /// The kind of thing, such as `partner`; null where it is the same everywhere.
    noun: Option<&'static str>,
    /// The input field, such as `organizationName`.
    field: &'static str,
    /// The most characters; the least is 1.
    max: usize,
}

/// Every text that people type into a form, by noun and input field.
const TEXT_LIMITS: &[(Option<&str>, &str, usize)] = &[
    (None, "reason", Reason::MAX),
    (Some("partner"), "partnerId", ids::MAX_ID),
    (Some("partner"), "organizationName", partner::MAX_ORGANIZATION_NAME),
    (Some("partner"), "address", partner::MAX_ADDRESS),
    (Some("partner"), "contactNumber", partner::MAX_CONTACT_NUMBER),
    (Some("partner"), "logoUrl", partner::MAX_LOGO_URL),
    (Some("policy_group"), "name", policy_group::MAX_NAME),
    (Some("policy_group"), "description", policy_group::MAX_DESCRIPTION),
    (Some("policy"), "name", policy::MAX_NAME),
    (Some("policy"), "description", policy::MAX_DESCRIPTION),
    (Some("policy"), "version", policy::MAX_VERSION),
    (Some("policy_request"), "comment", policy_request::MAX_COMMENT),
    (Some("extractor"), "name", domain::extractor::MAX_NAME),
    (Some("extractor"), "provider", domain::extractor::MAX_PROVIDER),
    (Some("extractor"), "version", domain::extractor::MAX_VERSION),
    (Some("extractor"), "attributeName", domain::extractor::MAX_ATTRIBUTE),
    (Some("extractor"), "dataFormat", domain::extractor::MAX_DATA_FORMAT),
    (Some("api_key"), "label", issued::MAX_LABEL),
    (Some("misp_license"), "label", issued::MAX_LABEL),
    (Some("oidc_client"), "name", oidc_client::MAX_NAME),
    (Some("oidc_client"), "logoUri", oidc_client::MAX_URI),
    (Some("oidc_client"), "redirectUris", oidc_client::MAX_URI),
    (Some("sbi"), "swVersion", domain::sbi::MAX_VERSION),
    (Some("device"), "make", domain::device::MAX_MAKE),
    (Some("device"), "model", domain::device::MAX_MAKE),
    (Some("ftm_chip"), "make", domain::ftm_chip::MAX_MAKE),
    (Some("ftm_chip"), "model", domain::ftm_chip::MAX_MAKE),
];

/// Questions about what the system consists of.
#[derive(Default)]
pub struct ReferenceQuery;

#[Object]
impl ReferenceQuery {
    /// What of the rules and of this installation's settings a form depends on.
    async fn config(&self, ctx: &Context<'_>) -> Configuration {
        configuration(&caller(ctx).commands)
    }

    /// Every type of partner and what follows from it.
    async fn partner_types(&self) -> Vec<PartnerTypeTerms> {
        PartnerType::VARIANTS.iter().copied().map(terms).collect()
    }

    /// Every kind of biometric device.
    async fn device_types(&self) -> Vec<DeviceType> {
        DEVICE_TYPES.iter().map(device_type).collect()
    }

    /// Every type of credential.
    async fn credential_types(&self) -> &'static [&'static str] {
        CREDENTIAL_TYPES
    }

    /// Every language in which partners can be written to.
    async fn languages(&self) -> Vec<Language> {
        LANGUAGES.iter().map(Into::into).collect()
    }
}

fn configuration(commands: &Commands) -> Configuration {
    let days = |default: TimeDelta, max: TimeDelta| Choice {
        default: default.num_days(),
        max: max.num_days(),
    };
    Configuration {
        as_of: commands.past().map(Into::into),
        four_eyes: commands.wants_four_eyes(),
        proof_of_possession: commands.wants_proof_of_possession(),
        page_size: DEFAULT_PAGE,
        max_page_size: MAX_PAGE,
        max_rows: MAX_ROWS,
        max_devices: MAX_BATCH,
        expiring_days: Choice { default: DEFAULT_DAYS.into(), max: MAX_DAYS.into() },
        key_life_days: days(issued::DEFAULT_LIFE, issued::MAX_LIFE),
        key_overlap_days: days(issued::DEFAULT_OVERLAP, issued::MAX_OVERLAP),
        client_key_overlap_days: days(oidc_client::DEFAULT_OVERLAP, oidc_client::MAX_OVERLAP),
        max_certificate_overlap_days: partner::MAX_OVERLAP.num_days(),
        grant_types: GrantType::VARIANTS.to_vec(),
        client_auth_methods: AuthMethod::VARIANTS.to_vec(),
        max_redirect_uris: oidc_client::MAX_REDIRECT_URIS,
        modalities: Modality::VARIANTS,
        text_limits: TEXT_LIMITS.iter().map(text_limit).collect(),
    }
}

fn text_limit(&(noun, field, max): &(Option<&'static str>, &'static str, usize)) -> TextLimit {
    TextLimit { noun, field, max }
}

fn terms(partner_type: PartnerType) -> PartnerTypeTerms {
    let terms = partner_type.terms();
    PartnerTypeTerms {
        partner_type,
        description: partner_type.description(),
        role: terms.role,
        trust_domain: terms.trust_domain,
        policy_group: terms.policy_group,
        registered_by: terms.registered_by,
        certificate_profile: terms.certificate_profile,
        credential: terms.credential,
    }
}

fn device_type(device: &domain::reference::DeviceType) -> DeviceType {
    let sub_type = |it: &domain::reference::DeviceSubType| DeviceSubType {
        code: it.code,
        description: it.description,
    };
    DeviceType {
        code: device.code,
        description: device.description,
        sub_types: device.sub_types.iter().map(sub_type).collect(),
    }
}
