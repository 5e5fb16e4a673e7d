//! Every mutation and every query, with what has to be allowed for it: the table that the tests of
//! permissions go through. What is new belongs here; the tests read the introspection and say what
//! is missing.

use super::things::Things;
use crate::support::actors::document;
use crate::support::http::{Answer, Caller};
use domain::actor::Operation;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

/// Queries that everybody with a token may ask: they tell of himself, or what the schema could.
pub const OPEN: [&str; 6] =
    ["me", "partnerTypes", "deviceTypes", "credentialTypes", "languages", "consentText"];

/// Not in the tables: each kind of thing by an operation of its own, and the previews of mutations,
/// which are asked beside these.
pub const APART: [&str; 2] = ["expiringItems", "preview"];

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

/// A query.
#[derive(Debug)]
pub struct Query {
    pub name: &'static str,
    pub operation: Operation,
    pub text: String,
    /// What stands in the answer for those who may see it.
    pub shows: String,
    /// Whether those who may not are not told so: what is hidden lies among what they may read.
    pub is_hidden: bool,
}

/// What came of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is not allowed, and the caller is told so.
    Forbidden,
    /// As if there were no such thing.
    NotThere,
    /// It is allowed.
    Allowed,
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
            [] | ["INVALID_QUERY"] => panic!("{} is no such wish: {answer:?}", self.name),
            _ => Outcome::Allowed,
        }
    }
}

impl Query {
    /// Asks it.
    pub async fn asked_by(&self, caller: &Caller<'_>) -> Answer {
        caller.asks(&self.text, json!({})).await
    }

    /// Reads an answer. A list that does not show it shows nothing, and counts nothing.
    pub fn outcome(&self, answer: &Answer) -> Outcome {
        let data = &answer.body["data"][self.name];
        match answer.codes()[..] {
            [] if data.to_string().contains(&self.shows) => Outcome::Allowed,
            [] => {
                let total = data["totalCount"].as_i64().unwrap_or_default();
                assert!(self.is_hidden || total == 0, "{}: {answer:?}", self.name);
                Outcome::NotThere
            }
            ["FORBIDDEN"] => Outcome::Forbidden,
            [code] if code.ends_with("_NOT_FOUND") => Outcome::NotThere,
            _ => panic!("{}: {answer:?}", self.name),
        }
    }
}

/// The operation of this name.
fn operation(name: &str) -> Operation {
    Operation::iter().find(|it| it.to_string() == name).unwrap_or_else(|| panic!("{name}"))
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
    ];
    let mutation = |(name, not_found, input)| {
        // Whoever names a member registers the partner of somebody else.
        let operation = match name {
            "registerPartner" => Operation::RegisterPartnerForOthers,
            _ => operation(name),
        };
        Mutation { name, operation, input, not_found }
    };
    rows.concat().into_iter().map(mutation).collect()
}

type Row = (&'static str, &'static str, Value);

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

/// The input for an existing thing, in a version that nobody has seen.
fn seen(field: &str, id: &str, mut more: Value) -> Value {
    more[field] = json!(id);
    more["expectedVersion"] = json!(UNSEEN);
    more
}

/// Every query.
pub fn queries(things: &Things) -> Vec<Query> {
    let rows = nouns(things).into_iter().flat_map(|(one, many, id)| {
        let operation = operation(&format!("read{}{}", one[..1].to_uppercase(), &one[1..]));
        let single = format!("{{ {one}(id: \"{id}\") {{ id }} }}");
        let list = format!("{{ {many}(first: 200) {{ totalCount nodes {{ id }} }} }}");
        [(one, operation, single, id.clone()), (many, operation, list, id)]
    });
    let rows = rows.chain(others(things)).map(|(name, operation, text, shows)| {
        let is_hidden =
            matches!(operation, Operation::ReadDraftPolicy | Operation::ReadDraftPolicyRequest);
        Query { name, operation, text, shows, is_hidden }
    });
    rows.collect()
}

/// What has a query for one and a list of all, and the id of one.
fn nouns(things: &Things) -> Vec<(&'static str, &'static str, String)> {
    let Things { partner, trust_certificate, group, policy, request, extractor, .. } = things;
    let Things { key, license, client, sbi, device, chip, proposal, .. } = things;
    let rows = [
        ("partner", "partners", partner),
        ("trustCertificate", "trustCertificates", trust_certificate),
        ("policyGroup", "policyGroups", group),
        ("policy", "policies", policy),
        ("policyRequest", "policyRequests", request),
        ("extractor", "extractors", extractor),
        ("apiKey", "apiKeys", key),
        ("mispLicense", "mispLicenses", license),
        ("oidcClient", "oidcClients", client),
        ("sbi", "sbis", sbi),
        ("device", "devices", device),
        ("ftmChip", "ftmChips", chip),
        ("proposal", "proposals", proposal),
    ];
    rows.map(|(one, many, id)| (one, many, id.clone())).to_vec()
}

fn others(things: &Things) -> Vec<(&'static str, Operation, String, String)> {
    use Operation::{
        ReadConsent, ReadDraftPolicy, ReadDraftPolicyRequest, ReadHistory, ReadIssuingCertificate,
        ReadPolicy, ReadPolicyRequest, UploadPartnerCertificate,
    };
    let Things { partner, policy, draft_policy, draft_request, consenting, .. } = things;
    let Things { credential_partner, credential_request, .. } = things;
    let policy_of = "credentialType: \"euin\"";
    let history = "filter: {noun: \"partner\", id:";
    let lists = ["policies(first: 200)", "policyRequests(first: 200)"];
    let [policies, requests] =
        lists.map(|it| format!("{{ {it} {{ totalCount nodes {{ id }} }} }}"));
    let rows = [
        (
            "policy",
            ReadDraftPolicy,
            format!("policy(id: \"{draft_policy}\") {{ id }}"),
            &**draft_policy,
        ),
        (
            "policyRequest",
            ReadDraftPolicyRequest,
            format!("policyRequest(id: \"{draft_request}\") {{ id }}"),
            draft_request,
        ),
        (
            "policyDiff",
            ReadPolicy,
            format!("policyDiff(policyId: \"{policy}\", against: \"{policy}\") {{ path }}"),
            "[]",
        ),
        (
            "partnerPolicy",
            ReadPolicyRequest,
            format!("partnerPolicy(partnerId: \"{credential_partner}\", {policy_of}) {{ id }}"),
            credential_request,
        ),
        (
            "checkCertificate",
            UploadPartnerCertificate,
            format!(
                "checkCertificate(partnerId: \"{partner}\", certificateData: \"x\") {{ held }}"
            ),
            "held",
        ),
        (
            "certificateChallenge",
            UploadPartnerCertificate,
            format!("certificateChallenge(partnerId: \"{partner}\") {{ nonce }}"),
            "nonce",
        ),
        (
            "issuingCertificates",
            ReadIssuingCertificate,
            "issuingCertificates { sha256 }".into(),
            "sha256",
        ),
        (
            "consent",
            ReadConsent,
            format!("consent(subject: \"{consenting}\") {{ subject }}"),
            consenting,
        ),
        (
            "history",
            ReadHistory,
            format!("history({history} \"{partner}\"}}) {{ nodes {{ id }} }}"),
            partner,
        ),
    ];
    let rows = rows.map(|(name, operation, text, shows)| {
        (name, operation, format!("{{ {text} }}"), shows.to_owned())
    });
    let drafts = [
        ("policies", ReadDraftPolicy, policies, draft_policy.clone()),
        ("policyRequests", ReadDraftPolicyRequest, requests, draft_request.clone()),
    ];
    rows.into_iter().chain(drafts).collect()
}
