//! The policy groups and policies that every new installation starts with.
//!
//! The incumbent's seed (MOSIP PMS 1.2.2.2), as it was meant: the misspelled
//! group, the stray blank and the three documents that were no JSON are mended. Ids stay, because
//! other services have them in their configuration.

use serde::Serialize;
use serde_json::{Value, json};

use crate::policy_document::PolicyType;

/// A policy group that `pms bootstrap` creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultGroup {
    /// At most 36 characters, chosen and not drawn: others refer to it.
    pub id: &'static str,
    /// The same as the id, as it always was.
    pub name: &'static str,
    /// Whom the policies of this group serve.
    pub description: &'static str,
}

/// A policy that `pms bootstrap` creates and publishes in its group.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultPolicy {
    /// At most 36 characters, chosen and not drawn: others refer to it.
    pub id: &'static str,
    /// The id of one of [`policy_groups`].
    pub group_id: &'static str,
    /// The same as the id, as it always was.
    pub name: &'static str,
    /// What is shared, and with whom.
    pub description: &'static str,
    /// Which schema the document meets.
    pub policy_type: PolicyType,
    /// The version that people see.
    pub version: &'static str,
    /// The policy itself, valid for its type.
    pub document: Value,
}

/// The nine default groups.
pub fn policy_groups() -> &'static [DefaultGroup] {
    const GROUPS: [DefaultGroup; 9] = [
        group("mpolicygroup-default-auth", "ID authentication"),
        group("mpolicygroup-default-abis", "Biometric deduplication (ABIS)"),
        group("mpolicygroup-default-print", "Printing of credentials"),
        group("mpolicygroup-default-mockdevice", "Mock devices for tests"),
        group("mpolicygroup-default-resident", "Resident services"),
        group("mpolicygroup-default-adjudication", "Manual adjudication"),
        group("mpolicygroup-default-cert", "Sharing of certificates between services"),
        group("mpolicygroup-default-digitalcard", "Digital cards"),
        group("mpolicygroup-default-mobile", "Credentials on a mobile phone"),
    ];
    &GROUPS
}

const fn group(id: &'static str, description: &'static str) -> DefaultGroup {
    DefaultGroup { id, name: id, description }
}

/// The thirteen default policies, all of them data shares.
pub fn policies() -> Vec<DefaultPolicy> {
    [authentication(), deduplication(), printing(), resident(), digital_card(), mobile()].concat()
}

fn authentication() -> Vec<DefaultPolicy> {
    let identity = || encrypted(DEMOGRAPHICS).chain([stored_biometrics()]);
    let with_zone = identity().chain(encrypted(["zone"])).chain(plain(["preferredLang"]));
    vec![
        policy(
            "mpolicy-default-auth",
            "mpolicygroup-default-auth",
            "Identity data for ID authentication",
            document(&STANDARD, with_zone),
        ),
        policy(
            "mpolicy-default-cert",
            "mpolicygroup-default-cert",
            "Certificates and identity data between services of the platform",
            document(&Conditions { encryption_type: "none", ..STANDARD }, identity()),
        ),
    ]
}

fn deduplication() -> Vec<DefaultPolicy> {
    let packets = Conditions { source: "Packet Manager", ..STANDARD };
    let cases = Conditions { transactions_allowed: "100000", encryption_type: "none", ..packets };
    vec![
        policy(
            "mpolicy-default-abis",
            "mpolicygroup-default-abis",
            "Captured biometrics for deduplication",
            document(&packets, [captured_biometrics()]),
        ),
        policy(
            "mpolicy-default-adjudication",
            "mpolicygroup-default-adjudication",
            "Captured biometrics and demographic data for manual adjudication",
            document(&cases, encrypted(DEMOGRAPHICS).chain([captured_biometrics()])),
        ),
    ]
}

fn printing() -> Vec<DefaultPolicy> {
    const PRINT: &str = "mpolicygroup-default-print";
    let direct = Conditions { type_of_share: "direct", ..STANDARD };
    let full = || card(&ENGLISH).map(year_of_birth).chain([printed_biometrics()]);
    let short = || card(&["fullName"]).map(year_of_birth).chain([printed_biometrics()]);
    vec![
        policy("mpolicy-default-qrcode", PRINT, "Card with QR code", document(&STANDARD, full())),
        policy("mpolicy-default-euin", PRINT, "Electronic UIN", document(&STANDARD, short())),
        policy("mpolicy-default-reprint", PRINT, "Card printed again", document(&STANDARD, full())),
        policy(
            "mpolicy-default-eUIN_with_QR",
            PRINT,
            "Electronic UIN with QR code",
            document(&direct, short()),
        ),
        policy(
            "mpolicy-default-eUIN_with_faceQR",
            PRINT,
            "Electronic UIN with a QR code that holds the face",
            document(&direct, short()),
        ),
    ]
}

fn resident() -> Vec<DefaultPolicy> {
    vec![policy(
        "mpolicy-default-resident",
        "mpolicygroup-default-resident",
        "Documents that resident services have printed",
        document(&Conditions { source: "Print", ..STANDARD }, []),
    )]
}

fn digital_card() -> Vec<DefaultPolicy> {
    const DIGITAL_CARD: &str = "mpolicygroup-default-digitalcard";
    let birth = Attribute { name: "dob", ..attribute("dateOfBirth") };
    let printed = Conditions {
        valid_for_in_minutes: "250",
        transactions_allowed: "10000",
        encryption_type: "none",
        source: "Print",
        ..STANDARD
    };
    vec![
        policy(
            "mpolicy-default-PDFCard",
            DIGITAL_CARD,
            "Digital card as PDF",
            document(&STANDARD, card(&ENGLISH).chain([birth, printed_biometrics()])),
        ),
        policy(
            "mpolicy-default-digitalcard",
            DIGITAL_CARD,
            "Digital cards ready for download",
            document(&printed, []),
        ),
    ]
}

fn mobile() -> Vec<DefaultPolicy> {
    let direct = Conditions { type_of_share: "direct", ..STANDARD };
    let face =
        Attribute { encrypted: false, ..biometrics(vec![stored(json!([{ "type": "Face" }]))]) };
    vec![policy(
        "mpolicy-default-mobile",
        "mpolicygroup-default-mobile",
        "Credential for the holder's phone",
        document(&direct, card(&[]).map(year_of_birth).chain([face])),
    )]
}

fn policy(
    id: &'static str,
    group_id: &'static str,
    description: &'static str,
    document: Value,
) -> DefaultPolicy {
    let policy_type = PolicyType::DataShare;
    DefaultPolicy { id, group_id, name: id, description, policy_type, version: "1", document }
}

fn document(conditions: &Conditions, attributes: impl IntoIterator<Item = Attribute>) -> Value {
    let attributes: Vec<Attribute> = attributes.into_iter().collect();
    json!({ "dataSharePolicies": conditions, "shareableAttributes": attributes })
}

// --- how it is shared ---------------------------------------------------------------------------

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Conditions {
    type_of_share: &'static str,
    valid_for_in_minutes: &'static str,
    transactions_allowed: &'static str,
    encryption_type: &'static str,
    share_domain: &'static str,
    source: &'static str,
}

/// What most policies say; the others name what they change.
const STANDARD: Conditions = Conditions {
    type_of_share: "Data Share",
    valid_for_in_minutes: "30",
    transactions_allowed: "2",
    encryption_type: "Partner Based",
    share_domain: "datashare.datashare",
    source: "ID Repository",
};

// --- what is shared -----------------------------------------------------------------------------

#[derive(Serialize)]
struct Attribute {
    #[serde(rename = "attributeName")]
    name: &'static str,
    source: Vec<Source>,
    encrypted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
}

#[derive(Serialize)]
struct Source {
    attribute: &'static str,
    /// Null when everything is shared.
    #[serde(skip_serializing_if = "Value::is_null")]
    filter: Value,
}

const DEMOGRAPHICS: [&str; 12] = [
    "fullName",
    "dateOfBirth",
    "gender",
    "phone",
    "email",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "region",
    "province",
    "city",
    "postalCode",
];

/// Written in several languages; a card shows them in English.
const ENGLISH: [&str; 8] = [
    "fullName",
    "gender",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "region",
    "province",
    "city",
];

/// An attribute under its own name, readable.
fn attribute(name: &'static str) -> Attribute {
    let source = vec![Source { attribute: name, filter: Value::Null }];
    Attribute { name, source, encrypted: false, group: None, format: None }
}

fn plain<const N: usize>(names: [&'static str; N]) -> impl Iterator<Item = Attribute> {
    names.into_iter().map(attribute)
}

fn encrypted<const N: usize>(names: [&'static str; N]) -> impl Iterator<Item = Attribute> {
    plain(names).map(|attribute| Attribute { encrypted: true, ..attribute })
}

/// What stands on a card: all demographic data and the UIN, readable.
fn card(in_english: &'static [&'static str]) -> impl Iterator<Item = Attribute> {
    plain(DEMOGRAPHICS).chain(plain(["UIN"])).map(|attribute| {
        if in_english.contains(&attribute.name) { english(attribute) } else { attribute }
    })
}

fn english(mut attribute: Attribute) -> Attribute {
    for source in &mut attribute.source {
        source.filter = json!([{ "language": "eng" }]);
    }
    attribute
}

/// A card shows the year of birth only.
fn year_of_birth(attribute: Attribute) -> Attribute {
    match attribute.name {
        "dateOfBirth" => Attribute { format: Some("YYYY"), ..attribute },
        _ => attribute,
    }
}

/// Extracted templates in CBEFF, encrypted.
fn biometrics(source: Vec<Source>) -> Attribute {
    Attribute {
        source,
        encrypted: true,
        group: Some("CBEFF"),
        format: Some("extraction"),
        ..attribute("biometrics")
    }
}

fn stored(filter: Value) -> Source {
    Source { attribute: "individualBiometrics", filter }
}

/// All biometrics of the stored identity, under the name that they have there.
fn stored_biometrics() -> Attribute {
    let everything = biometrics(vec![stored(Value::Null)]);
    Attribute { name: "individualBiometrics", ..everything }
}

/// Face and both thumbs, for a card.
fn printed_biometrics() -> Attribute {
    let thumbs = json!(["Left Thumb", "Right Thumb"]);
    biometrics(vec![stored(json!([{ "type": "Face" }, { "type": "Finger", "subType": thumbs }]))])
}

/// Each modality from the packet that holds it.
fn captured_biometrics() -> Attribute {
    let source = |attribute, modality| Source { attribute, filter: json!([{ "type": modality }]) };
    biometrics(vec![
        source("registration-client/NEW/individualBiometrics", "Iris"),
        source("CNIE/verification/biometrics", "Finger"),
        source("CNIE/verification/biometrics", "Face"),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::policy_document::validate;

    fn document_of(id: &str) -> Value {
        policies().into_iter().find(|policy| policy.id == id).unwrap().document
    }

    fn attributes_of(id: &str) -> Vec<Value> {
        document_of(id)["shareableAttributes"].as_array().unwrap().clone()
    }

    fn attribute_of(id: &str, name: &str) -> Value {
        attributes_of(id).into_iter().find(|it| it["attributeName"] == name).unwrap()
    }

    #[test]
    fn every_default_document_is_valid() {
        for policy in policies() {
            assert_eq!(
                validate(policy.policy_type, &policy.document, "policies"),
                [],
                "{}",
                policy.id
            );
        }
    }

    #[test]
    fn there_are_nine_groups_and_thirteen_policies_with_ids_of_their_own() {
        let groups: BTreeSet<String> =
            policy_groups().iter().map(|it| it.id.to_lowercase()).collect();
        let policies: BTreeSet<String> = policies().iter().map(|it| it.id.to_lowercase()).collect();
        assert_eq!((groups.len(), policies.len()), (9, 13));
        assert!(
            groups.union(&policies).all(|id| id.len() <= 36 && !id.contains(char::is_whitespace))
        );
    }

    #[test]
    fn every_policy_belongs_to_a_default_group() {
        for policy in policies() {
            assert!(
                policy_groups().iter().any(|group| group.id == policy.group_id),
                "{}",
                policy.id
            );
        }
    }

    #[test]
    fn the_two_empty_policies_are_the_ones_that_the_seed_ships() {
        let share = |minutes, transactions, encryption| {
            json!({
                "dataSharePolicies": {
                    "typeOfShare": "Data Share",
                    "validForInMinutes": minutes,
                    "transactionsAllowed": transactions,
                    "encryptionType": encryption,
                    "shareDomain": "datashare.datashare",
                    "source": "Print"
                },
                "shareableAttributes": []
            })
        };
        let resident = document_of("mpolicy-default-resident");
        let digital_card = document_of("mpolicy-default-digitalcard");
        assert_eq!(resident, share("30", "2", "Partner Based"));
        assert_eq!(digital_card, share("250", "10000", "none"));
    }

    #[test]
    fn every_policy_shares_as_many_attributes_as_the_seed_says() {
        let counts: Vec<(&str, usize)> =
            policies().iter().map(|it| (it.id, attributes_of(it.id).len())).collect();
        let expected = [
            ("mpolicy-default-auth", 15),
            ("mpolicy-default-cert", 13),
            ("mpolicy-default-abis", 1),
            ("mpolicy-default-adjudication", 13),
            ("mpolicy-default-qrcode", 14),
            ("mpolicy-default-euin", 14),
            ("mpolicy-default-reprint", 14),
            ("mpolicy-default-eUIN_with_QR", 14),
            ("mpolicy-default-eUIN_with_faceQR", 14),
            ("mpolicy-default-resident", 0),
            ("mpolicy-default-PDFCard", 15),
            ("mpolicy-default-digitalcard", 0),
            ("mpolicy-default-mobile", 14),
        ];
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_card_shows_the_year_of_birth_and_the_name_in_english() {
        for id in ["mpolicy-default-qrcode", "mpolicy-default-euin", "mpolicy-default-eUIN_with_QR"]
        {
            let name = json!([{ "attribute": "fullName", "filter": [{ "language": "eng" }] }]);
            assert_eq!(attribute_of(id, "fullName")["source"], name);
            assert_eq!(attribute_of(id, "dateOfBirth")["format"], "YYYY");
            assert_eq!(attribute_of(id, "UIN")["encrypted"], false);
        }
    }

    #[test]
    fn only_the_full_cards_show_everything_in_english() {
        let english = |id| {
            let filtered = |it: &Value| it["source"][0]["filter"][0]["language"] == "eng";
            attributes_of(id).iter().filter(|it| filtered(it)).count()
        };
        assert_eq!(english("mpolicy-default-qrcode"), 8);
        assert_eq!(english("mpolicy-default-PDFCard"), 8);
        assert_eq!(english("mpolicy-default-euin"), 1);
        assert_eq!(english("mpolicy-default-mobile"), 0);
    }

    #[test]
    fn the_digital_card_has_the_whole_date_of_birth_under_two_names() {
        let source = json!([{ "attribute": "dateOfBirth" }]);
        for name in ["dateOfBirth", "dob"] {
            let attribute = attribute_of("mpolicy-default-PDFCard", name);
            assert_eq!(attribute["source"], source);
            assert_eq!(attribute.get("format"), None);
        }
    }

    #[test]
    fn biometrics_are_encrypted_everywhere_but_on_the_phone() {
        for policy in policies() {
            for attribute in attributes_of(policy.id).iter().filter(|it| it["group"] == "CBEFF") {
                assert_eq!(attribute["format"], "extraction");
                assert_eq!(attribute["encrypted"], policy.id != "mpolicy-default-mobile");
            }
        }
    }
}
