//! Every query, with what has to be allowed for it: a table that the tests of permissions go through.
//! A new query belongs here; the tests read the introspection and say which is missing.

use super::outcome::{Outcome, reading};
use super::things::Things;
use crate::support::http::{Answer, Caller};
use domain::actor::Operation;
use serde_json::json;

/// Queries that everybody with a token may ask, and a part of their answers: they tell of the caller
/// himself, or what a book could tell.
pub const OPEN: [(&str, &str); 7] = [
    ("me", "{ subject partners { id } }"),
    ("config", "{ maxRows }"),
    ("partnerTypes", "{ partnerType }"),
    ("deviceTypes", "{ code }"),
    ("credentialTypes", ""),
    ("languages", "{ code }"),
    ("consentText", "{ version }"),
];

/// Not in the tables: what spans nouns, each by an operation of its own (`overviews.rs`), the previews of
/// mutations, which are asked beside these, and the checkpoints of a sealed log, which everybody with a
/// token gets (`audit/proofs.rs`).
pub const APART: [&str; 6] = [
    "dashboardCounts",
    "expiringItems",
    "search",
    "preview",
    "auditCheckpoint",
    "auditConsistency",
];

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

/// Every query.
pub fn queries(things: &Things) -> Vec<Query> {
    let rows = nouns(things).into_iter().flat_map(|(one, many, id)| {
        let operation = reading(one);
        let single = format!("{{ {one}(id: \"{id}\") {{ id }} }}");
        let list = format!("{{ {many}(first: 200) {{ totalCount nodes {{ id }} }} }}");
        [(one, operation, single, id.clone()), (many, operation, list, id)]
    });
    let rows =
        rows.chain(others(things)).chain(proofs(things)).map(|(name, operation, text, shows)| {
            let is_hidden =
                matches!(operation, Operation::ReadDraftPolicy | Operation::ReadDraftPolicyRequest);
            Query { name, operation, text, shows, is_hidden }
        });
    rows.collect()
}

/// What has a query for one and a list of all, and the id of one.
pub fn nouns(things: &Things) -> Vec<(&'static str, &'static str, String)> {
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
        ExportSubject, ReadConsent, ReadDraftPolicy, ReadDraftPolicyRequest, ReadFollower,
        ReadHistory, ReadIssuingCertificate, ReadPolicy, ReadPolicyRequest,
        UploadPartnerCertificate,
    };
    let Things { partner, policy, draft_policy, draft_request, consenting, .. } = things;
    let Things { credential_partner, credential_request, key, .. } = things;
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
            "diff",
            ReadHistory,
            format!(
                "diff(noun: PARTNER, id: \"{partner}\", from: \"0\") {{ id changes {{ field }} }}"
            ),
            partner,
        ),
        (
            "diff",
            ReadHistory,
            format!("diff(noun: API_KEY, id: \"{key}\", from: \"0\") {{ id events {{ event }} }}"),
            key,
        ),
        (
            "exportSubject",
            ExportSubject,
            format!("exportSubject(kind: PARTNER, id: \"{partner}\") {{ id }}"),
            partner,
        ),
        (
            "history",
            ReadHistory,
            format!("history({history} \"{partner}\"}}) {{ nodes {{ id }} }}"),
            partner,
        ),
        ("followers", ReadFollower, "followers { name }".into(), "expiry"),
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

/// What is proved of an event.
fn proofs(
    Things { event, partner, .. }: &Things,
) -> [(&'static str, Operation, String, String); 3] {
    [
        ("auditInclusion", "{ leafHash }", "leafHash"),
        ("auditEntry", "{ entry }", partner),
        ("auditBundle", "", "c2sp.org/tlog-proof"),
    ]
    .map(|(name, fields, shows)| {
        let text = format!("{{ {name}(position: \"{event}\") {fields} }}");
        (name, Operation::ReadHistory, text, shows.to_owned())
    })
}
