//! Proofs about single events and checkpoints, by GraphQL.

use super::Audited;
use crate::support::actors::second_admin;
use crate::support::http::Caller;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use domain::actor::{MemberRole, Role};
use domain::audit::key::{Algorithm, SigningKey};
use domain::audit::note::Note;
use domain::audit::proof::{verify_consistency, verify_inclusion};
use domain::audit::tlog_proof::TlogProof;
use domain::audit::tree::{Hash, leaf_hash};
use domain::subject::SubjectKind;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

const CHECKPOINT: &str = "origin size root note signedAt witnessed witnessedAt \
                          witnesses { name keyId at }";
const ENTRY: &str = "query($position: Position!) { auditEntry(position: $position) {
    position entry leafHash event { position noun event actor }
    personalData { reference commitment status salt data } } }";
const BUNDLE: &str = "query($position: Position!) { auditBundle(position: $position) }";

fn hash(text: &Value) -> Hash {
    BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn hashes(texts: &Value) -> Vec<Hash> {
    texts.as_array().unwrap().iter().map(hash).collect()
}

fn number(text: &Value) -> u64 {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_event_is_proved_and_every_proof_is_a_file_to_keep() {
    let audited = Audited::new().await;
    let query = format!(
        "query($position: Position!) {{ auditInclusion(position: $position) {{
            position index leafHash hashes checkpoint {{ {CHECKPOINT} }} }}
            auditEntry(position: $position) {{ entry leafHash }}
            auditBundle(position: $position) }}"
    );
    for position in 1..=audited.head().await {
        let told = audited.answered(&query, json!({"position": position.to_string()})).await;
        let (inclusion, entry) = (&told["auditInclusion"], &told["auditEntry"]["entry"]);
        let believed = inclusion["checkpoint"]["note"].as_str().unwrap().parse().unwrap();
        let believed = audited.policy.check(&believed).unwrap().checkpoint;
        let leaf = leaf_hash(entry.as_str().unwrap().as_bytes());
        assert_eq!(leaf, hash(&inclusion["leafHash"]));
        assert_eq!(leaf, hash(&told["auditEntry"]["leafHash"]));
        let (index, hashes) = (number(&inclusion["index"]), hashes(&inclusion["hashes"]));
        assert_eq!(index, number(&inclusion["position"]) - 1);
        assert!(verify_inclusion(&leaf, index, believed.size, &hashes, &believed.root));

        let file: TlogProof = told["auditBundle"].as_str().unwrap().parse().unwrap();
        let extra = file.extra.clone().unwrap();
        assert_eq!(extra, entry.as_str().unwrap().as_bytes());
        assert_eq!(file.verify(&extra, &audited.policy).unwrap().index, index);
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_kept_is_continued_by_every_later_one() {
    let audited = Audited::new().await;
    let kept = audited.checkpoint().await.checkpoint;
    audited.market.anything().await.unwrap();
    audited.market.anything().await.unwrap();
    audited.seal().await;
    let query = format!(
        "query($from: Position!) {{ auditConsistency(from: $from) {{
            from {{ {CHECKPOINT} }} to {{ {CHECKPOINT} }} hashes }} }}"
    );
    let told = audited.answered(&query, json!({"from": kept.size.to_string()})).await;
    let told = &told["auditConsistency"];
    assert_eq!(
        (number(&told["from"]["size"]), hash(&told["from"]["root"])),
        (kept.size, kept.root)
    );
    let now = audited.checkpoint().await.checkpoint;
    assert_eq!(number(&told["to"]["size"]), now.size);
    let proof = hashes(&told["hashes"]);
    assert!(verify_consistency((kept.size, &kept.root), (now.size, &now.root), &proof));
    assert!(!verify_consistency((kept.size, &now.root), (now.size, &now.root), &proof));
}

#[tokio::test]
async fn a_checkpoint_says_what_stands_in_it_and_whether_witnesses_have_seen_it() {
    let audited = Audited::new().await;
    let query = format!("{{ auditCheckpoint {{ {CHECKPOINT} }} }}");
    let told = audited.answered(&query, json!({})).await["auditCheckpoint"].clone();
    let believed = audited.checkpoint().await.checkpoint;
    assert_eq!(told["origin"], json!(believed.origin));
    assert_eq!((number(&told["size"]), hash(&told["root"])), (believed.size, believed.root));
    assert_eq!(told["note"], json!(audited.gets("checkpoint").await.text()));
    assert_eq!((&told["witnessed"], &told["witnessedAt"]), (&json!(false), &Value::Null));
    assert_eq!(told["witnesses"], json!([]));

    let mut note: Note = told["note"].as_str().unwrap().parse().unwrap();
    let witness = SigningKey::text("witness.example", Algorithm::CosignatureV1, &[7; 32]).unwrap();
    let witness = SigningKey::from_text(&witness).unwrap();
    let at = chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    note.sign(&witness, at);
    let seen = format!(
        "update log_checkpoints set note = '{note}', witnessed_at = '2026-11-18T11:06:41Z' \
         where size = {}",
        believed.size
    );
    audited.app.installation.database.as_owner(&seen).await;
    let told = audited.answered(&query, json!({})).await["auditCheckpoint"].clone();
    assert_eq!(
        (&told["witnessed"], told["witnesses"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    let seen = &told["witnesses"][0];
    let key = format!("witness.example+{}+", seen["keyId"].as_str().unwrap());
    assert!(witness.verifier().to_string().starts_with(&key));
    assert_eq!(
        (&seen["name"], &seen["at"]),
        (&json!("witness.example"), &json!("2026-11-18T11:06:40+00:00"))
    );

    audited.market.anything().await.unwrap();
    audited.seal().await;
    let newest = audited.answered("{ auditCheckpoint { witnessed size } }", json!({})).await;
    assert_eq!(newest["auditCheckpoint"]["witnessed"], json!(false));
    let proved = "{ auditInclusion(position: \"1\") { checkpoint { size witnessed } } }";
    let proved = audited.answered(proved, json!({})).await;
    let expected = json!({"size": believed.size.to_string(), "witnessed": true});
    assert_eq!(proved["auditInclusion"]["checkpoint"], expected, "what was seen proves more");
}

#[tokio::test]
async fn what_is_not_sealed_yet_or_has_no_checkpoint_is_told() {
    let audited = Audited::new().await;
    let sealed = audited.head().await;
    audited.market.anything().await.unwrap();
    audited.market.anything().await.unwrap();
    let head = audited.head().await;
    let inclusion = |position: i64, size: &str| {
        format!("{{ auditInclusion(position: \"{position}\"{size}) {{ index }} }}")
    };
    let consistency = |from: i64, to: i64| {
        format!("{{ auditConsistency(from: \"{from}\", to: \"{to}\") {{ hashes }} }}")
    };
    let not_yet = |field: &str| vec![format!("{field}: NOT_SEALED_YET")];
    let bundle = format!("{{ auditBundle(position: \"{head}\") }}");
    assert_eq!(audited.refused(&inclusion(head, "")).await, not_yet("position"));
    assert_eq!(audited.refused(&bundle).await, not_yet("position"));
    assert_eq!(
        audited.refused(&inclusion(1, &format!(", size: \"{head}\""))).await,
        not_yet("size")
    );
    assert_eq!(audited.refused(&consistency(sealed, head)).await, not_yet("to"));
    assert_eq!(audited.refused(&consistency(head, head)).await, not_yet("from"));
    let beyond = format!("{{ auditCheckpoint(size: \"{head}\") {{ size }} }}");
    assert_eq!(audited.refused(&beyond).await, not_yet("size"));

    audited.seal().await;
    assert_eq!(audited.refused(&inclusion(head, "")).await, [""; 0]);
    let between = audited.app.auditor().asks(&consistency(sealed + 1, head), json!({})).await;
    assert_eq!(between.findings(), ["from: CHECKPOINT_NOT_FOUND"]);
    assert_eq!(between.errors().next().unwrap()["params"]["next"], json!(head.to_string()));
    let covers = format!("{{ auditCheckpoint(size: \"{}\") {{ size }} }}", sealed + 1);
    let covers = audited.answered(&covers, json!({})).await;
    assert_eq!(covers["auditCheckpoint"]["size"], json!(head.to_string()));
    assert_eq!(
        audited.refused(&inclusion(head, &format!(", size: \"{sealed}\""))).await,
        ["size: POSITION_NOT_COVERED"]
    );
    assert_eq!(audited.refused(&consistency(head, sealed)).await, ["from: FROM_AFTER_TO"]);
    assert_eq!(audited.refused(&consistency(0, sealed)).await, ["from: CHECKPOINT_NOT_FOUND"]);
}

/// The positions whose entries a caller gets.
async fn readable(audited: &Audited, caller: &Caller<'_>) -> Vec<i64> {
    let mut seen = Vec::new();
    for position in 0..=audited.head().await + 1 {
        let asked = json!({"position": position.to_string()});
        let query = "query($position: Position!) { auditEntry(position: $position) { position }
            auditBundle(position: $position) auditInclusion(position: $position) { index } }";
        let told = caller.asks(query, asked).await;
        let shown =
            ["auditEntry", "auditBundle", "auditInclusion"].map(|it| !told.data()[it].is_null());
        assert!(shown.iter().all(|it| *it == shown[0]), "{told:?}");
        seen.extend(shown[0].then_some(position));
    }
    seen
}

/// The positions that `history` shows.
async fn history(caller: &Caller<'_>) -> Vec<i64> {
    let told = caller.asks("{ history(first: 200) { nodes { position } } }", json!({})).await;
    let nodes = told.data()["history"]["nodes"].as_array().unwrap().clone();
    nodes.iter().map(|it| it["position"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn proofs_are_given_of_exactly_what_history_shows() {
    let audited = Audited::new().await;
    let other = audited.market.manager.offers(&audited.market.group, "Other").await;
    audited.market.alice.drafts_request(&other).await.unwrap();
    audited.seal().await;
    let app = &audited.app;
    let (auditor, admin, alice) = (app.auditor(), app.admin(), app.partner("alice"));
    for caller in [&auditor, &admin, &alice, &app.partner("mallory")] {
        assert_eq!(readable(&audited, caller).await, history(caller).await);
    }
    let count = async |caller: &Caller<'_>| history(caller).await.len();
    let draft = count(&auditor).await - count(&admin).await;
    assert_eq!(draft, 1, "a request that was never submitted is not for administrators");
    assert!(count(&alice).await > 0 && count(&alice).await < count(&admin).await);
    assert_eq!(
        app.policy_manager().asks(ENTRY, json!({"position": "1"})).await.codes(),
        ["FORBIDDEN"]
    );
}

/// The personal data of an entry, as somebody sees it.
async fn personal_data(caller: &Caller<'_>, position: &str) -> Value {
    let told = caller.asks(ENTRY, json!({"position": position})).await;
    told.data()["auditEntry"]["personalData"].clone()
}

#[tokio::test]
async fn an_auditor_shows_that_contact_data_is_what_was_given_until_it_is_erased() {
    let audited = Audited::new().await;
    let (app, alice) = (&audited.app, &audited.market.alice);
    alice.invites("vera", MemberRole::Viewer).await.unwrap();
    let registered = "select position::text from events where event_type = 'registered'";
    let position: String = app.installation.database.ask(registered).await;
    for caller in [app.auditor(), app.admin(), app.partner("alice")] {
        let data = personal_data(&caller, &position).await;
        assert_eq!(data["status"], json!("DISCLOSED"));
        let salt = BASE64_STANDARD.decode(data["salt"].as_str().unwrap()).unwrap();
        let text = data["data"].as_str().unwrap();
        let contact: Value = serde_json::from_str(text).unwrap();
        assert!(contact["email_id"].is_string());
        assert_eq!(data["commitment"], json!(hmac(&salt, text)));
        assert_ne!(data["commitment"], json!(hmac(&salt, &text.replace('@', "+"))));
    }
    let withheld = personal_data(&app.partner("vera"), &position).await;
    assert_eq!((&withheld["status"], &withheld["data"]), (&json!("WITHHELD"), &Value::Null));
    assert_eq!(personal_data(&app.auditor(), "1").await, Value::Null);
    let lost = "create table lost as table subject_keys; delete from subject_keys";
    app.installation.database.as_owner(lost).await;
    let missing = personal_data(&app.auditor(), &position).await;
    assert_eq!(missing["status"], json!("MISSING"), "the log does not say that it was erased");
    app.installation.database.as_owner("insert into subject_keys table lost").await;

    let asked = json!({"position": position});
    let kept = audited.answered(BUNDLE, asked.clone()).await["auditBundle"].clone();
    let proposal = audited.market.admin.erases(SubjectKind::Partner, &alice.partner).await;
    second_admin(&app.node).confirms(&proposal.unwrap().id).await.unwrap();
    for caller in [app.auditor(), app.admin(), app.partner("alice")] {
        let erased = personal_data(&caller, &position).await;
        assert_eq!(erased["status"], json!("ERASED"));
        assert_eq!((&erased["salt"], &erased["data"]), (&Value::Null, &Value::Null));
        assert!(erased["commitment"].is_string(), "it stands in the event");
    }
    audited.seal().await;
    let now = audited.answered(BUNDLE, asked).await["auditBundle"].clone();
    for bundle in [kept, now] {
        let file: TlogProof = bundle.as_str().unwrap().parse().unwrap();
        file.verify(file.extra.as_ref().unwrap(), &audited.policy).unwrap();
    }
}

/// As `openssl dgst -mac hmac` computes it, which is not ours.
fn hmac(salt: &[u8], text: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let key = format!("hexkey:{}", hex::encode(salt));
    let openssl = ["dgst", "-sha256", "-mac", "hmac", "-binary", "-macopt", &key];
    let mut command = Command::new("openssl");
    command.args(openssl).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    BASE64_STANDARD.encode(running.wait_with_output().unwrap().stdout)
}

#[tokio::test]
async fn a_proof_costs_a_statement_for_the_event_one_for_the_head_and_one_for_the_tiles() {
    let (audited, statements) = Audited::counted().await;
    let auditor = audited.app.person("auditor", Role::Auditor);
    for (query, expected) in [
        ("{ auditCheckpoint { size witnesses { name } } }", 1),
        ("{ auditEntry(position: \"2\") { entry event { id } } }", 1),
        ("{ auditInclusion(position: \"2\") { hashes checkpoint { size } } }", 3),
        ("{ auditInclusion(position: \"2000000\") { hashes } }", 1),
        ("{ auditBundle(position: \"2\") }", 3),
    ] {
        let (_, of_caller) = statements.of(auditor.asks("{ __typename }", json!({}))).await;
        let (answer, asked) = statements.of(auditor.asks(query, json!({}))).await;
        assert!(answer.codes().is_empty(), "{answer:?}");
        assert_eq!(asked.len(), of_caller.len() + expected, "{query}: {asked:#?}");
    }
}

#[tokio::test]
async fn checkpoints_and_what_lies_between_them_are_for_everybody_with_a_token() {
    let audited = Audited::new().await;
    let from = audited.head().await;
    let query =
        format!("{{ auditCheckpoint {{ note }} auditConsistency(from: \"{from}\") {{ hashes }} }}");
    for role in Role::iter() {
        let told = audited.app.person("somebody", role).asks(&query, json!({})).await;
        assert_eq!(told.codes(), [""; 0], "{role}");
    }
}
