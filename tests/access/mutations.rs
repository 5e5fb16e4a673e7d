//! Every mutation, with what has to be allowed for it: a table that the tests of permissions go
//! through. A new mutation belongs here; the tests read the introspection and say which is missing.

use super::outcome::{Outcome, operation};
use super::things::Things;
use crate::support::actors::document;
use crate::support::http::{Answer, Caller};
use domain::actor::Operation;
use serde_json::{Value, json};

/// A mutation that changes nothing: it is granted, and then refused for its input or for the
/// version that it expects.
#[derive(Debug)]
pub struct Mutation {
    pub name: &'static str,
    pub operation: Operation,
    pub input: Value,
    /// What a stranger is told.
    pub not_found: &'static str,
}

impl Mutation {
    /// Asks for it, or what it would change.
    pub async fn asked_by(&self, caller: &Caller<'_>, is_preview: bool) -> Answer {
        let Self { name, input, .. } = self;
        let kind = name[..1].to_uppercase() + &name[1..];
        let field = format!("{name}(input: $input) {{ position }}");
        let query = if is_preview {
            format!("query($input: {kind}Input!) {{ preview {{ {field} }} }}")
        } else {
            format!("mutation($input: {kind}Input!) {{ {field} }}")
        };
        caller.asks(&query, json!({"input": input})).await
    }

    /// Reads an answer.
    pub fn outcome(&self, answer: &Answer) -> Outcome {
        match answer.codes()[..] {
            ["FORBIDDEN"] => Outcome::Forbidden,
            [code] if code == self.not_found => Outcome::NotThere,
            // What is wrong with the rows of a page is told beside them.
            [] if self.input.get("rows").is_some() => Outcome::Allowed,
            [] | ["INVALID_QUERY"] => panic!("{} is no such wish: {answer:?}", self.name),
            _ => Outcome::Allowed,
        }
    }
}

/// Every mutation.
pub fn mutations(things: &Things) -> Vec<Mutation> {
    let rows = [
        of_partners(things),
        of_trust(things),
        of_policies(things),
        of_requests(things),
        of_keys(things),
        of_makers(things),
        of_proposals_and_consents(things),
        of_followers(),
    ]
    .concat();
    let mutation = |(name, not_found, input)| {
        // Whoever names a member registers the partner of somebody else.
        let operation = match name {
            "registerPartner" => Operation::RegisterPartnerForOthers,
            _ => operation(name),
        };
        Mutation { name, operation, input, not_found }
    };
    rows.clone().into_iter().chain(by_the_page(&rows)).map(mutation).collect()
}

type Row = (&'static str, &'static str, Value);

/// Mutations for many, each with the one for one.
const BY_THE_PAGE: [(&str, &str); 8] = [
    ("approvePolicyRequests", "approvePolicyRequest"),
    ("rejectPolicyRequests", "rejectPolicyRequest"),
    ("approveSbis", "approveSbi"),
    ("rejectSbis", "rejectSbi"),
    ("approveDevices", "approveDevice"),
    ("rejectDevices", "rejectDevice"),
    ("approveFtmChips", "approveFtmChip"),
    ("rejectFtmChips", "rejectFtmChip"),
];

fn by_the_page(rows: &[Row]) -> impl Iterator<Item = Row> {
    let page = |(many, one)| {
        let (_, not_found, input) = rows.iter().find(|(name, ..)| *name == one).unwrap();
        (many, *not_found, json!({"rows": [input]}))
    };
    BY_THE_PAGE.into_iter().map(page)
}

const REASON: &str = "because";
/// A version that no object of these tests reaches.
const UNSEEN: i64 = 99;

fn of_partners(Things { partner, fingerprint, group, .. }: &Things) -> Vec<Row> {
    const NOT_FOUND: &str = "PARTNER_NOT_FOUND";
    let with = |name, more: Value| (name, NOT_FOUND, seen("partnerId", partner, more));
    let nobody = json!({"partnerId": "", "organizationName": "", "partnerType": "AUTH_PARTNER",
                        "address": "", "contactNumber": "", "emailId": "", "member": "somebody"});
    let contact = json!({"purpose": "SECURITY", "contactNumber": "1", "emailId": "m@example.org"});
    let member = json!({"subject": "mallory", "role": "MANAGER"});
    let moved = json!({"policyGroup": group, "reason": REASON});
    let revoked = json!({"fingerprint": fingerprint, "reason": REASON});
    let erased = json!({"kind": "PARTNER", "legalGround": "OBJECTION"});
    vec![
        ("registerPartner", NOT_FOUND, nobody),
        with("uploadPartnerCertificate", json!({"certificateData": "x"})),
        with("revokePartnerCertificate", revoked),
        with("updatePartner", json!({"langCode": "eng"})),
        with("setPartnerContact", contact),
        with("removePartnerContact", json!({"purpose": "SECURITY"})),
        with("inviteMember", member.clone()),
        with("setMemberRole", member),
        with("removeMember", json!({"subject": "mallory"})),
        with("selectPolicyGroup", json!({"policyGroup": group})),
        with("movePartnerToPolicyGroup", moved),
        with("suspendPartner", json!({"reason": REASON})),
        with("reactivatePartner", json!({"reason": REASON})),
        with("deactivatePartner", json!({"reason": REASON})),
        ("eraseSubject", NOT_FOUND, seen("id", partner, erased)),
    ]
}

fn of_trust(Things { trust_certificate, .. }: &Things) -> Vec<Row> {
    const NOT_FOUND: &str = "TRUST_CERTIFICATE_NOT_FOUND";
    let with = |name, more| (name, NOT_FOUND, seen("trustCertificateId", trust_certificate, more));
    let upload = json!({"partnerDomain": "AUTH", "certificateData": "x"});
    vec![
        ("uploadTrustCertificate", NOT_FOUND, upload),
        with("disableTrustCertificate", json!({"reason": REASON})),
        with("enableTrustCertificate", json!({"reason": REASON})),
        with("revokeTrustCertificate", json!({"reason": REASON})),
        with("attachCrl", json!({"crlData": "x"})),
    ]
}

fn of_policies(Things { group, policy, draft_policy, .. }: &Things) -> Vec<Row> {
    let of_group =
        |name, more| (name, "POLICY_GROUP_NOT_FOUND", seen("policyGroupId", group, more));
    let of = |name, id, more| (name, "POLICY_NOT_FOUND", seen("policyId", id, more));
    let described = json!({"name": "n", "description": "d"});
    let content = json!({"name": "n", "description": "d", "version": "1", "policies": document()});
    let created = json!({"policyGroupId": group, "policyType": "AUTH", "name": "",
                         "description": "d", "version": "1", "policies": document()});
    let cloned = json!({"policyId": policy, "policyGroupId": group, "name": ""});
    let extractor = json!({"name": "", "provider": "p", "version": "1", "modality": "FACE",
                           "attributeName": "a"});
    vec![
        ("createPolicyGroup", "POLICY_GROUP_NOT_FOUND", json!({"name": "", "description": "d"})),
        of_group("updatePolicyGroup", described),
        of_group("deactivatePolicyGroup", json!({"reason": REASON})),
        of_group("reactivatePolicyGroup", json!({"reason": REASON})),
        ("createPolicy", "POLICY_NOT_FOUND", created),
        ("clonePolicy", "POLICY_NOT_FOUND", cloned),
        of("updateDraftPolicy", draft_policy, content),
        of("publishPolicy", draft_policy, json!({})),
        of("discardDraftPolicy", draft_policy, json!({"reason": REASON})),
        of("deactivatePolicy", policy, json!({"reason": REASON})),
        ("createExtractor", "EXTRACTOR_NOT_FOUND", extractor),
    ]
}

fn of_requests(things: &Things) -> Vec<Row> {
    const NOT_FOUND: &str = "REQUEST_NOT_FOUND";
    let Things { partner, policy, request, draft_request, extractor, .. } = things;
    let with = |name, id, more| (name, NOT_FOUND, seen("policyRequestId", id, more));
    let rewritten = json!({"comment": "c", "credentialType": "euin"});
    let asked = json!({"partnerId": partner, "policyId": policy, "comment": ""});
    let deleted = seen("extractorId", extractor, json!({"reason": REASON}));
    vec![
        ("requestPolicy", "PARTNER_NOT_FOUND", asked),
        with("updateDraftPolicyRequest", draft_request, rewritten),
        with("submitPolicyRequest", draft_request, json!({})),
        with("approvePolicyRequest", request, json!({})),
        with("rejectPolicyRequest", request, json!({"reason": REASON})),
        with("withdrawPolicyRequest", request, json!({})),
        with("revokePolicyRequest", request, json!({"reason": REASON})),
        ("deleteExtractor", "EXTRACTOR_NOT_FOUND", deleted),
    ]
}

fn of_keys(things: &Things) -> Vec<Row> {
    let Things { partner, policy, key, misp, license, client, client_key, .. } = things;
    let of_key = |name, more| (name, "API_KEY_NOT_FOUND", seen("apiKeyId", key, more));
    let of_license =
        |name, more| (name, "MISP_LICENSE_NOT_FOUND", seen("mispLicenseId", license, more));
    let of_client =
        |name, more| (name, "OIDC_CLIENT_NOT_FOUND", seen("oidcClientId", client, more));
    let end = json!({"expiresAt": "2030-01-01T00:00:00Z"});
    let generated = json!({"partnerId": partner, "policyId": policy, "label": ""});
    let settings = json!({"name": "", "logoUri": "https://acme.example/logo.png",
                          "redirectUris": ["https://acme.example"]});
    let mut created = json!({"partnerId": partner, "policyId": policy, "publicKey": "{}"});
    created.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let retired = json!({"keyId": client_key, "reason": REASON});
    vec![
        ("generateApiKey", "PARTNER_NOT_FOUND", generated),
        of_key("rotateApiKey", json!({})),
        of_key("setApiKeyExpiry", end.clone()),
        of_key("deactivateApiKey", json!({"reason": REASON})),
        ("generateMispLicense", "PARTNER_NOT_FOUND", json!({"partnerId": misp, "label": ""})),
        of_license("rotateMispLicense", json!({})),
        of_license("setMispLicenseExpiry", end),
        of_license("deactivateMispLicense", json!({"reason": REASON})),
        ("createOidcClient", "PARTNER_NOT_FOUND", created),
        of_client("updateOidcClient", settings),
        of_client("rotateOidcClientKey", json!({"publicKey": "{}"})),
        of_client("retireOidcClientKey", retired),
        of_client("deactivateOidcClient", json!({"reason": REASON})),
    ]
}

fn of_makers(things: &Things) -> Vec<Row> {
    let Things { device_provider, sbi, device, ftm_provider, chip, .. } = things;
    let of_sbi = |name, more| (name, "SBI_NOT_FOUND", seen("sbiId", sbi, more));
    let of_device = |name, more| (name, "DEVICE_NOT_FOUND", seen("deviceId", device, more));
    let of_chip = |name, more| (name, "FTM_CHIP_NOT_FOUND", seen("ftmChipId", chip, more));
    let software = json!({"providerId": device_provider, "swVersion": "",
                          "swBinaryHash": "ab".repeat(32),
                          "swCreateDateTime": "2026-01-01T00:00:00Z",
                          "swExpiryDateTime": "2030-01-01T00:00:00Z"});
    let made = json!({"ftpProviderId": ftm_provider, "make": "", "model": "m"});
    let devices = json!({"partnerId": device_provider, "devices": []});
    vec![
        ("addSbi", "PARTNER_NOT_FOUND", software),
        of_sbi("approveSbi", json!({})),
        of_sbi("rejectSbi", json!({"reason": REASON})),
        of_sbi("deactivateSbi", json!({"reason": REASON})),
        ("addDevices", "PARTNER_NOT_FOUND", devices),
        of_device("linkDeviceToSbi", json!({"sbiId": sbi})),
        of_device("unlinkDeviceFromSbi", json!({"sbiId": sbi})),
        of_device("approveDevice", json!({})),
        of_device("rejectDevice", json!({"reason": REASON})),
        of_device("deactivateDevice", json!({"reason": REASON})),
        ("addFtmChip", "PARTNER_NOT_FOUND", made),
        of_chip("uploadFtmChipCertificate", json!({"certificateData": "x"})),
        of_chip("approveFtmChip", json!({})),
        of_chip("rejectFtmChip", json!({"reason": REASON})),
        of_chip("deactivateFtmChip", json!({"reason": REASON})),
    ]
}

fn of_proposals_and_consents(Things { proposal, .. }: &Things) -> Vec<Row> {
    let with = |name, more| (name, "PROPOSAL_NOT_FOUND", seen("proposalId", proposal, more));
    let given = json!({"textVersion": 1, "expectedVersion": UNSEEN});
    vec![
        with("confirmProposal", json!({})),
        with("refuseProposal", json!({"reason": REASON})),
        ("giveConsent", "CONSENT_NOT_FOUND", given),
        ("withdrawConsent", "CONSENT_NOT_FOUND", json!({"expectedVersion": UNSEEN})),
    ]
}

/// Followers belong to nobody, so there are no strangers to them.
fn of_followers() -> Vec<Row> {
    vec![("replayParked", "", json!({"follower": ""}))]
}

/// The input for an existing thing, in a version that nobody has seen.
fn seen(field: &str, id: &str, mut more: Value) -> Value {
    more[field] = json!(id);
    more["expectedVersion"] = json!(UNSEEN);
    more
}
