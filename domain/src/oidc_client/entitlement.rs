//! What a client may ask of eSignet, as it follows from the document of its policy.

use crate::Finding;
use crate::text::Checks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The claims that eSignet offers by default, each with the attributes of the identity that it
/// tells: MOSIP's identity mapping. (`esignet-default.properties` and `identity-mapping.json` of
/// mosip-config v1.2.1.0.)
const CLAIMS: [(&str, &[&str]); 8] = [
    (
        "address",
        &[
            "addressLine1",
            "addressLine2",
            "addressLine3",
            "city",
            "region",
            "province",
            "postalCode",
        ],
    ),
    ("birthdate", &["dateOfBirth"]),
    ("email", &["email"]),
    ("gender", &["gender"]),
    ("individual_id", &["individual_id"]),
    ("name", &["fullName"]),
    ("phone_number", &["phone"]),
    ("picture", &["face"]),
];

/// The authentication context class references of eSignet, each with the type of authentication
/// behind it: its `amr-acr-mapping.json`, in which every one has a single factor.
const ACR_VALUES: [(&str, &str); 6] = [
    ("mosip:idp:acr:biometrics", "BIO"),
    ("mosip:idp:acr:generated-code", "OTP"),
    ("mosip:idp:acr:knowledge", "KBI"),
    ("mosip:idp:acr:linked-wallet", "WLA"),
    ("mosip:idp:acr:password", "PWD"),
    ("mosip:idp:acr:static-code", "PIN"),
];

/// What a client may ask of eSignet: never empty, in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entitlement {
    /// What it may be told of a person.
    pub claims: Vec<String>,
    /// How it may have a person authenticated.
    pub acr_values: Vec<String>,
}

impl Entitlement {
    /// What the document of an authentication policy allows a client.
    ///
    /// A claim is granted when the policy allows everything that it tells, ignoring case: a single
    /// line of an address is not the address. eSignet offers one way of authentication at a time,
    /// so a policy that makes one mandatory can have no client.
    ///
    /// # Errors
    /// Everything for which the policy can have no client.
    pub fn of(document: &Value) -> Result<Self, Vec<Finding>> {
        let attributes = words(document, "allowedKycAttributes", "attributeName");
        let types = words(document, "allowedAuthTypes", "authType");
        let allowed = |sources: &[&str]| sources.iter().all(|it| attributes.contains(&lower(it)));
        let claims = CLAIMS.iter().filter(|(_, sources)| allowed(sources));
        let acr_values = ACR_VALUES.iter().filter(|(_, factor)| types.contains(&lower(factor)));
        let entitlement = Self {
            claims: claims.map(|(claim, _)| (*claim).to_owned()).collect(),
            acr_values: acr_values.map(|(acr, _)| (*acr).to_owned()).collect(),
        };
        entitlement.check(document)?;
        Ok(entitlement)
    }

    fn check(&self, document: &Value) -> Result<(), Vec<Finding>> {
        let mut checks = Checks::default();
        let mut refuse = |wrong, code, message| {
            checks.add_if(wrong, || Finding::new(code, "policyId", message));
        };
        let mandatory = items(document, "allowedAuthTypes").any(|it| it["mandatory"] == true);
        refuse(
            mandatory,
            "MANDATORY_AUTH_TYPE",
            "The policy makes a type of authentication mandatory, which eSignet cannot promise.",
        );
        refuse(
            self.claims.is_empty(),
            "NO_CLAIMS",
            "The policy allows no claim whole that eSignet could tell the client.",
        );
        refuse(
            self.acr_values.is_empty(),
            "NO_ACR_VALUES",
            "The policy allows no type of authentication that eSignet offers.",
        );
        checks.done()
    }
}

fn items<'a>(document: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    document[list].as_array().into_iter().flatten()
}

fn words(document: &Value, list: &str, name: &str) -> BTreeSet<String> {
    items(document, list).filter_map(|item| item[name].as_str()).map(lower).collect()
}

fn lower(word: impl AsRef<str>) -> String {
    word.as_ref().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(attributes: &[&str], types: &[(&str, bool)]) -> Value {
        let attributes = attributes.iter().map(|name| json!({"attributeName": name}));
        let types = types.iter().map(|(name, must)| json!({"authType": name, "mandatory": must}));
        json!({"authTokenType": "policy", "allowedKycAttributes": attributes.collect::<Vec<_>>(),
               "allowedAuthTypes": types.collect::<Vec<_>>()})
    }

    fn codes(document: &Value) -> Vec<&'static str> {
        Entitlement::of(document).unwrap_err().iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn claims_and_acr_values_follow_from_the_policy_in_any_case() {
        let document = document(
            &["FULLNAME", "dateofbirth", "face", "residenceStatus"],
            &[("otp", false), ("Bio", false), ("demo", false), ("kyc", false)],
        );
        let entitlement = Entitlement::of(&document).unwrap();
        assert_eq!(entitlement.claims, ["birthdate", "name", "picture"]);
        assert_eq!(
            entitlement.acr_values,
            ["mosip:idp:acr:biometrics", "mosip:idp:acr:generated-code"]
        );
    }

    #[test]
    fn an_address_is_granted_whole_or_not_at_all() {
        let lines = CLAIMS[0].1;
        let whole = Entitlement::of(&document(lines, &[("otp", false)])).unwrap();
        assert_eq!(whole.claims, ["address"]);
        assert_eq!(codes(&document(&lines[..6], &[("otp", false)])), ["NO_CLAIMS"]);
    }

    #[test]
    fn every_factor_of_esignet_has_its_acr_value() {
        for (acr, factor) in ACR_VALUES {
            let document = document(&["gender"], &[(factor, false)]);
            assert_eq!(Entitlement::of(&document).unwrap().acr_values, [acr]);
        }
    }

    #[test]
    fn all_that_keeps_a_policy_from_having_clients_is_told_at_once() {
        assert_eq!(
            codes(&document(&["residenceStatus"], &[("demo", true)])),
            ["MANDATORY_AUTH_TYPE", "NO_CLAIMS", "NO_ACR_VALUES"]
        );
    }
}
