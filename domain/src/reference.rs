//! Reference lists: what the platform knows by itself and nobody edits.
//!
//! The incumbent keeps these in tables without a write API (MOSIP PMS 1.2.2.2)
//! and in settings (MOSIP PMS 1.2.2.2). Here they change with the code, and with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::EnumMessage;

use crate::actor::Role;

// --- partner types ------------------------------------------------------------------------------

/// What a partner is to the platform. The type is chosen at registration and never changes.
// The comment of a type is also its description for people: `PartnerType::description`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
    EnumMessage,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum PartnerType {
    /// Authenticates people against the platform, by API key or through OpenID Connect.
    AuthPartner,
    /// Receives credentials of people who asked for them.
    CredentialPartner,
    /// Verifies credentials online.
    OnlineVerificationPartner,
    /// Prints credentials.
    PrintPartner,
    /// Binds keys to people, so that a wallet can authenticate them.
    BindingPartner,
    /// Makes biometric devices and the software that drives them.
    DeviceProvider,
    /// Makes the trusted chips that protect the keys of devices.
    FtmProvider,
    /// Delivers the biometric library that the platform itself runs.
    SdkPartner,
    /// Runs infrastructure that authenticates in the name of others, such as eSignet.
    MispPartner,
    /// Runs biometric deduplication.
    AbisPartner,
    /// Decides the cases that deduplication leaves open.
    ManualAdjudication,
    /// A service of the platform itself that takes part in the sharing of data.
    InternalPartner,
    /// The administration of the partners.
    PartnerAdmin,
}

// MOSIP PMS 1.2.2.2.
/// Whose certificates a trust store vouches for: a root trusted for one domain is a stranger in
/// the others.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum TrustDomain {
    /// Partners that authenticate people or receive data about them.
    Auth,
    /// Makers of devices.
    Device,
    /// Makers of foundational trust module chips.
    Ftm,
    /// Infrastructure providers.
    Misp,
}

/// Whether a partner belongs to a policy group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GroupRule {
    /// It has to choose one.
    Needed,
    /// It may choose one.
    Optional,
    /// It has no use for one.
    None,
}

/// Who may register a partner of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RegisteredBy {
    /// The partner, or an administrator for it.
    Itself,
    /// An administrator only.
    Administrator,
}

/// What the certificate of a partner is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateProfile {
    /// It signs and decrypts, and may sign no certificate.
    EndEntity,
    /// It signs the certificates of devices or chips, and of nothing below them.
    Issuing,
}

/// Whether a partner's requests for policies name a credential type and biometric extractors.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, async_graphql::Enum,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CredentialRule {
    /// They have to: it is how credentials find the policy.
    Needed,
    /// They may name them, and need not.
    #[default]
    Optional,
    /// They have no use for them.
    None,
}

/// What follows from a partner's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartnerTerms {
    /// The role of the people who act for the partner.
    pub role: Role,
    /// The only trust store that its certificate may lead to.
    pub trust_domain: TrustDomain,
    /// Whether it belongs to a policy group.
    pub policy_group: GroupRule,
    /// Who may register it.
    pub registered_by: RegisteredBy,
    /// What its certificate is for.
    pub certificate_profile: CertificateProfile,
    /// Whether its requests for policies name a credential type and extractors.
    pub credential: CredentialRule,
}

impl PartnerTerms {
    /// Whether it has a use for a policy group.
    pub fn may_have_group(&self) -> bool {
        self.policy_group != GroupRule::None
    }
}

impl PartnerType {
    /// The one table.
    ///
    /// Policy group: the incumbent's seed data; MISP is optional because the seed says no
    /// and the portal asks for one . Trust domain: as keymanager has them;
    /// only devices, chips and MISPs have a store of their own. Registration: the administrator's
    /// form offers MISP, ABIS and manual adjudication ; we add
    /// the types that are the platform itself, which anybody can take today.
    /// Profile: makers sign their devices and chips, all others only sign and decrypt.
    /// Credential: the types for which the incumbent maps credential types and extractors; it
    /// accepts them of online verification partners and needs them of nobody else.
    #[rustfmt::skip] // a table is read by its columns
    pub fn terms(self) -> &'static PartnerTerms {
        use CertificateProfile::{EndEntity, Issuing};
        use GroupRule::{Needed, None, Optional};
        use RegisteredBy::{Administrator, Itself};
        use TrustDomain::{Auth, Device, Ftm, Misp};
        const NAMED: CredentialRule = CredentialRule::Needed;
        const MAYBE: CredentialRule = CredentialRule::Optional;
        const NO: CredentialRule = CredentialRule::None;

        match self {
            // partner type                                 role                             domain  group     registered by  certificate  credential
            Self::AuthPartner               => const { &row(Role::AuthPartner,               Auth,   Needed,   Itself,        EndEntity,   NO) },
            Self::CredentialPartner         => const { &row(Role::CredentialPartner,         Auth,   Needed,   Itself,        EndEntity,   NAMED) },
            Self::OnlineVerificationPartner => const { &row(Role::OnlineVerificationPartner, Auth,   Needed,   Itself,        EndEntity,   MAYBE) },
            // No role of its own: a printer receives credentials as every credential partner does.
            Self::PrintPartner              => const { &row(Role::CredentialPartner,         Auth,   Needed,   Itself,        EndEntity,   NAMED) },
            // No role of its own: its policy lists authentication types, and the platform runs it.
            Self::BindingPartner            => const { &row(Role::AuthPartner,               Auth,   Needed,   Administrator, EndEntity,   NO) },
            Self::DeviceProvider            => const { &row(Role::DeviceProvider,            Device, None,     Itself,        Issuing,     NO) },
            Self::FtmProvider               => const { &row(Role::FtmProvider,               Ftm,    None,     Itself,        Issuing,     NO) },
            // Its library runs inside the platform and signs no capture: not the DEVICE domain.
            Self::SdkPartner                => const { &row(Role::SdkPartner,                Auth,   None,     Itself,        EndEntity,   NO) },
            Self::MispPartner               => const { &row(Role::MispPartner,               Misp,   Optional, Administrator, EndEntity,   NO) },
            Self::AbisPartner               => const { &row(Role::AbisPartner,               Auth,   Needed,   Administrator, EndEntity,   NO) },
            Self::ManualAdjudication        => const { &row(Role::ManualAdjudication,        Auth,   Needed,   Administrator, EndEntity,   NO) },
            // No role of its own: it receives shared data; an administrator's role would be too much.
            Self::InternalPartner           => const { &row(Role::CredentialPartner,         Auth,   Needed,   Administrator, EndEntity,   NO) },
            Self::PartnerAdmin              => const { &row(Role::PartnerAdmin,              Auth,   None,     Administrator, EndEntity,   NO) },
        }
    }

    /// What the type is, in one sentence for people.
    pub fn description(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}

const fn row(
    role: Role,
    trust_domain: TrustDomain,
    policy_group: GroupRule,
    registered_by: RegisteredBy,
    certificate_profile: CertificateProfile,
    credential: CredentialRule,
) -> PartnerTerms {
    PartnerTerms {
        role,
        trust_domain,
        policy_group,
        registered_by,
        certificate_profile,
        credential,
    }
}

// --- devices ------------------------------------------------------------------------------------

/// A kind of biometric device (MOSIP PMS 1.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceType {
    /// As devices and their certificates spell it.
    pub code: &'static str,
    /// For people.
    pub description: &'static str,
    /// The ways in which such a device is built.
    pub sub_types: &'static [DeviceSubType],
}

/// The way in which a device is built. Its code is unique within its type only: `Single` is both a
/// finger and an iris device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSubType {
    /// As devices and their certificates spell it.
    pub code: &'static str,
    /// For people.
    pub description: &'static str,
}

/// The device types and sub types of the seed (MOSIP PMS 1.2.2.2), with its spelling
/// mistakes mended in the descriptions; the codes are what devices send.
pub const DEVICE_TYPES: &[DeviceType] = &[
    DeviceType {
        code: "Finger",
        description: "Fingerprint biometric",
        sub_types: &[
            DeviceSubType { code: "Slap", description: "Fingerprint slap" },
            DeviceSubType { code: "Single", description: "Fingerprint of a single finger" },
            DeviceSubType { code: "Touchless", description: "Fingerprint without touch" },
        ],
    },
    DeviceType {
        code: "Face",
        description: "Face biometric",
        sub_types: &[DeviceSubType { code: "Full face", description: "Full face" }],
    },
    DeviceType {
        code: "Iris",
        description: "Iris biometric",
        sub_types: &[
            DeviceSubType { code: "Single", description: "Single iris" },
            DeviceSubType { code: "Double", description: "Both irises" },
        ],
    },
];

/// The sub type of a device type; nothing when the two do not belong together.
pub fn device_sub_type(type_code: &str, sub_type_code: &str) -> Option<&'static DeviceSubType> {
    let device_type = DEVICE_TYPES.iter().find(|it| it.code == type_code)?;
    device_type.sub_types.iter().find(|it| it.code == sub_type_code)
}

// --- credential types, modalities and languages -------------------------------------------------

/// The kinds of credential that a partner can be the receiver of (MOSIP PMS 1.2.2.2).
pub const CREDENTIAL_TYPES: &[&str] = &["auth", "qrcode", "euin", "reprint", "vercred", "opencrvs"];

/// The credential type in its one spelling, however it was typed (MOSIP PMS 1.2.2.2; the
/// incumbent compares without case but stores what was typed).
pub fn credential_type(typed: &str) -> Option<&'static str> {
    CREDENTIAL_TYPES.iter().find(|known| known.eq_ignore_ascii_case(typed)).copied()
}

/// A part of the body by which people are recognised, and for which an extractor makes templates
/// (MOSIP PMS 1.2.2.2).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    async_graphql::Enum,
    strum::Display,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Modality {
    /// The face.
    Face,
    /// One iris or both.
    Iris,
    /// Fingers and thumbs.
    Finger,
}

/// A language in which the platform speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-2, three small letters.
    pub code: &'static str,
    /// Its English name.
    pub name: &'static str,
    /// Whether every text must exist in it.
    pub mandatory: bool,
}

/// The languages of the default configuration (MOSIP PMS 1.2.2.2). The first one is
/// what a partner speaks that does not say.
pub const LANGUAGES: &[Language] = &[
    Language { code: "eng", name: "English", mandatory: true },
    Language { code: "fra", name: "French", mandatory: false },
    Language { code: "ara", name: "Arabic", mandatory: false },
];

/// The language with this code.
pub fn language(code: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.code == code)
}

// --- consent ------------------------------------------------------------------------------------

/// A text that people agree to before they work here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentText {
    /// 1, 2, 3 …: a text that has been agreed to is never changed, but followed by another.
    pub version: u32,
    /// The text in each of [`LANGUAGES`], by its code.
    pub texts: &'static [(&'static str, &'static str)],
}

/// Every text there ever was, oldest first. The incumbent keeps no text, only that there was a
/// consent (MOSIP PMS 1.2.2.2).
pub const CONSENT_TEXTS: [ConsentText; 1] = [ConsentText {
    version: 1,
    texts: &[
        (
            "eng",
            "I agree that this system records my user name with everything that I do here for \
             the organisations I speak for. The record is a log that nobody changes or shortens, \
             so that it can be shown later who decided what, when and why. Addresses, telephone \
             numbers and e-mail addresses that I enter are kept apart from it, encrypted, and \
             can be erased. I may withdraw this consent at any time; what was recorded until \
             then stays.",
        ),
        (
            "fra",
            "J'accepte que ce système enregistre mon nom d'utilisateur avec tout ce que je fais \
             ici pour les organisations que je représente. Cet enregistrement est un journal que \
             personne ne modifie ni ne raccourcit, afin qu'on puisse montrer plus tard qui a \
             décidé quoi, quand et pourquoi. Les adresses, numéros de téléphone et adresses \
             électroniques que je saisis sont conservés à part, chiffrés, et peuvent être \
             effacés. Je peux retirer ce consentement à tout moment ; ce qui a été enregistré \
             jusque-là demeure.",
        ),
        (
            "ara",
            "أوافق على أن يسجّل هذا النظام اسم المستخدم الخاص بي مع كل ما أقوم به هنا نيابةً عن \
             المؤسسات التي أمثّلها. هذا السجل لا يغيّره أحد ولا يحذف منه شيئًا، حتى يمكن لاحقًا \
             إثبات من قرّر ماذا ومتى ولماذا. أما العناوين وأرقام الهاتف وعناوين البريد \
             الإلكتروني التي أُدخلها فتُحفظ منفصلةً عنه ومشفّرةً، ويمكن محوها. ويمكنني سحب هذه \
             الموافقة في أي وقت، ويبقى ما سُجّل حتى ذلك الحين.",
        ),
    ],
}];

/// The newest text: the one that people are asked to agree to.
pub const fn consent_text() -> &'static ConsentText {
    &CONSENT_TEXTS[CONSENT_TEXTS.len() - 1]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::str::FromStr;

    use async_graphql::resolver_utils::EnumType;
    use serde_json::json;
    use strum::VariantArray;

    use super::*;

    /// The types for which a condition on their terms holds.
    fn types_with(condition: fn(&PartnerTerms) -> bool) -> Vec<PartnerType> {
        let types = PartnerType::VARIANTS.iter().copied();
        types.filter(|partner_type| condition(partner_type.terms())).collect()
    }

    #[test]
    fn the_table_has_the_thirteen_types_in_one_spelling() {
        let spellings: BTreeSet<String> =
            PartnerType::VARIANTS.iter().map(ToString::to_string).collect();
        let expected = [
            "ABIS_PARTNER",
            "AUTH_PARTNER",
            "BINDING_PARTNER",
            "CREDENTIAL_PARTNER",
            "DEVICE_PROVIDER",
            "FTM_PROVIDER",
            "INTERNAL_PARTNER",
            "MANUAL_ADJUDICATION",
            "MISP_PARTNER",
            "ONLINE_VERIFICATION_PARTNER",
            "PARTNER_ADMIN",
            "PRINT_PARTNER",
            "SDK_PARTNER",
        ];
        assert_eq!(spellings, expected.map(str::to_owned).into());
    }

    fn assert_one_spelling<T>(values: &[T])
    where
        T: EnumType + Serialize + FromStr<Err = strum::ParseError> + ToString + std::fmt::Debug,
    {
        for value in values {
            let graphql = T::items().iter().find(|item| item.value == *value).unwrap();
            assert_eq!(serde_json::to_value(value).unwrap(), json!(graphql.name));
            assert_eq!(value.to_string(), graphql.name);
            assert_eq!(T::from_str(graphql.name).unwrap(), *value);
        }
    }

    #[test]
    fn a_value_is_spelled_the_same_in_the_log_in_the_api_and_in_text() {
        assert_one_spelling(PartnerType::VARIANTS);
        assert_one_spelling(TrustDomain::VARIANTS);
        assert_one_spelling(Modality::VARIANTS);
    }

    #[test]
    fn every_type_is_described_in_one_sentence() {
        for partner_type in PartnerType::VARIANTS {
            let description = partner_type.description();
            assert!(description.ends_with('.'), "{partner_type}");
        }
    }

    #[test]
    fn eight_types_need_a_policy_group_and_a_misp_may_have_one() {
        assert_eq!(types_with(|terms| terms.policy_group == GroupRule::Needed).len(), 8);
        let optional = types_with(|terms| terms.policy_group == GroupRule::Optional);
        assert_eq!(optional, [PartnerType::MispPartner]);
    }

    #[test]
    fn only_makers_of_devices_and_chips_issue_certificates() {
        let issuing = types_with(|terms| terms.certificate_profile == CertificateProfile::Issuing);
        assert_eq!(issuing, [PartnerType::DeviceProvider, PartnerType::FtmProvider]);
        for partner_type in issuing {
            let domain = partner_type.terms().trust_domain;
            assert!(matches!(domain, TrustDomain::Device | TrustDomain::Ftm));
        }
    }

    #[test]
    fn only_who_receives_credentials_names_a_type_of_them() {
        let needed = types_with(|terms| terms.credential == CredentialRule::Needed);
        assert_eq!(needed, [PartnerType::CredentialPartner, PartnerType::PrintPartner]);
        let optional = types_with(|terms| terms.credential == CredentialRule::Optional);
        assert_eq!(optional, [PartnerType::OnlineVerificationPartner]);
    }

    #[test]
    fn every_trust_domain_has_a_type_that_needs_it() {
        let domains: BTreeSet<TrustDomain> =
            PartnerType::VARIANTS.iter().map(|it| it.terms().trust_domain).collect();
        assert_eq!(domains, TrustDomain::VARIANTS.iter().copied().collect());
    }

    #[test]
    fn nobody_registers_himself_as_the_platform() {
        let by_administrator =
            types_with(|terms| terms.registered_by == RegisteredBy::Administrator);
        let expected = [
            PartnerType::BindingPartner,
            PartnerType::MispPartner,
            PartnerType::AbisPartner,
            PartnerType::ManualAdjudication,
            PartnerType::InternalPartner,
            PartnerType::PartnerAdmin,
        ];
        assert_eq!(by_administrator, expected);
    }

    #[test]
    fn only_the_administration_acts_with_the_role_of_the_administrator() {
        let administrators = types_with(|terms| terms.role == Role::PartnerAdmin);
        assert_eq!(administrators, [PartnerType::PartnerAdmin]);
    }

    #[test]
    fn a_sub_type_is_found_only_under_its_own_type() {
        assert_eq!(device_sub_type("Iris", "Double").unwrap().description, "Both irises");
        assert_ne!(device_sub_type("Iris", "Single"), device_sub_type("Finger", "Single"));
        assert_eq!(device_sub_type("Face", "Slap"), None);
        assert_eq!(device_sub_type("Voice", "Single"), None);
        assert_eq!(DEVICE_TYPES.iter().map(|it| it.sub_types.len()).sum::<usize>(), 6);
    }

    #[test]
    fn a_credential_type_is_found_in_any_case_and_has_one_spelling() {
        assert_eq!(credential_type("QRcode"), Some("qrcode"));
        assert_eq!(credential_type("passport"), None);
    }

    #[test]
    fn every_consent_text_is_there_in_every_language_and_they_are_counted_from_one() {
        let codes: Vec<&str> = LANGUAGES.iter().map(|it| it.code).collect();
        for (text, version) in CONSENT_TEXTS.iter().zip(1..) {
            assert_eq!(text.version, version);
            let written: Vec<&str> = text.texts.iter().map(|(code, _)| *code).collect();
            assert_eq!(written, codes);
            assert!(text.texts.iter().all(|(_, text)| !text.contains("  ")));
        }
    }

    #[test]
    fn english_is_mandatory_and_comes_first() {
        let mandatory: Vec<&str> =
            LANGUAGES.iter().filter(|it| it.mandatory).map(|it| it.code).collect();
        assert_eq!((LANGUAGES[0].code, mandatory), ("eng", vec!["eng"]));
        assert!(!language("fra").unwrap().mandatory);
        assert_eq!(language("deu"), None);
    }
}
