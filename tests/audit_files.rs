//! An auditor takes the sealed log home and verifies it there.

use crate::support::actors::{Market, admin, partner, second_admin};
use crate::support::auditor::{exported, folder, proof_of};
use crate::support::commands::Installation;
use crate::support::program::built;
use crate::support::sealing::seals;
use ::commands::Commands;
use ::commands::keys::Keys;
use api::audit_export::{Exported, export};
use api::audit_verify::{Report, Verdict, consistency, one_entry, whole_log};
use api::log_folder::LogFolder;
use api::service::Error;
use domain::audit::bundle;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::note::Note;
use domain::audit::policy::Policy;
use domain::audit::proof::Plan;
use domain::audit::tree::root;
use domain::subject::SubjectKind;
use projections::audit::{heads_after, newest, tiles};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use uuid::Uuid;

/// A sealed log of some hundred events, and an auditor with his policy.
struct Audit {
    installation: Installation,
    node: Commands,
    market: Market,
    db: PgConnection,
    policy: Policy,
    home: TempDir,
}

impl Audit {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let node = installation.sealing_node().await;
        let market = Market::open(&node).await;
        seals(&node).await;
        market.busy_day(&node).await;
        seals(&node).await;
        let db = PgConnection::connect(installation.database.url()).await.unwrap();
        let policy = installation.log_policy().parse().unwrap();
        Self { installation, node, market, db, policy, home: folder() }
    }

    async fn exports(&mut self, folder: &str) -> Exported {
        let folder = self.at(folder);
        exported(&mut self.db, &folder).await
    }

    async fn exports_with_personal_data(&mut self, folder: &str) {
        let keys = Keys::open(self.installation.key_folder(), false).unwrap();
        let folder = LogFolder::at(self.at(folder));
        export(&mut self.db, &folder, Some(&keys.wrapping), |_, _| {}).await.unwrap();
    }

    async fn log_grows(&self, group: &str) {
        self.market.manager.creates_group(group).await.unwrap();
        seals(&self.node).await;
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn verifies(&self, folder: &str, kept: &[&str]) -> Report {
        let kept: Vec<PathBuf> = kept.iter().map(|name| self.at(name)).collect();
        whole_log(&LogFolder::at(self.at(folder)), &kept, &self.policy, |_, _| {})
    }

    /// Runs `pms audit` in this home, beside the system.
    fn pms(&self, arguments: &[&str]) -> Output {
        let mut pms = Command::new(built());
        pms.arg("audit").args(arguments).current_dir(self.home.path());
        pms.env("DATABASE_URL", self.installation.database.url());
        pms.env("PMS_KEY_DIR", self.installation.key_folder()).env("PMS_DATA_DIR", self.at("data"));
        pms.env_remove("PMS_OWNER_DATABASE_URL").output().unwrap()
    }
}

fn is_proved(report: &Report) {
    assert_eq!((report.verdict(), report.faults.len()), (Verdict::Proved, 0), "{report}");
}

fn says(texts: &[String], part: &str) -> bool {
    texts.iter().any(|text| text.contains(part))
}

fn change(path: &Path, from: &str, to: &str) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn the_program_says_in_words_and_by_its_exit_code_what_a_log_proves() {
    let mut audit = Audit::new().await;
    let proof = proof_of(&mut audit.db, 7).await;
    fs::write(audit.at("bundle"), format!("{proof}\n")).unwrap(); // as `jq -r` prints it
    fs::write(audit.at("policy"), audit.installation.log_policy()).unwrap();
    let exported = audit.pms(&["export", "log", "--disclose"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let told = |arguments: &[&str]| {
        let output = audit.pms(&[&["verify", "--policy", "policy"], arguments].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = told(&["log"]);
    assert!(code == 0 && text.ends_with("\nPROVED\n"), "{text}");
    assert_eq!(told(&["bundle"]).0, 0);

    let head = audit.pms(&["checkpoint"]);
    let kept = fs::read(audit.at("log/checkpoint")).unwrap();
    assert_eq!((head.status.code(), &head.stdout), (Some(0), &kept));
    let key = audit.installation.stolen_log_key().verifier().to_string();
    assert!(String::from_utf8(head.stderr).unwrap().contains(&key));
    fs::write(audit.at("kept"), kept).unwrap();

    fs::write(audit.at("log/tile/0/000"), vec![7; 8192]).unwrap();
    let (code, text) = told(&["log", "--checkpoint", "kept"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("tile/0/000 is not the tile of the entries"), "{text}");
    fs::remove_file(audit.at("log/checkpoint")).unwrap();
    let (code, text) = told(&["log"]);
    assert!(code == 2 && text.ends_with("\nUNREADABLE\n"), "{text}");
    for arguments in [
        &["verify", "log"][..],
        &["verify", "log", "--policy", "nowhere"],
        &["verify", "nowhere", "--policy", "policy"],
        &["verify", "log", "--policy", "policy", "--entry", "kept"],
        &["verify", "kept", "--policy", "policy", "--checkpoint", "kept"],
        &["verify", "log", "--policy", "policy", "--from", "kept"],
        &["verify", "log", "--policy", "policy", "--checkpoint", "log"],
        &["verify", "log", "--policy", "policy", "--checkpoint", "log/../log/checkpoints"],
    ] {
        assert_eq!(audit.pms(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn verifying_needs_neither_settings_nor_a_database() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    fs::write(audit.at("policy"), audit.installation.log_policy()).unwrap();
    let mut pms = Command::new(built());
    pms.args(["audit", "verify", "log", "--policy", "policy"]).current_dir(audit.home.path());
    pms.env("DATABASE_URL", "nonsense").env("PMS_LISTEN", "nonsense").env("PMS_NONSENSE", "1");
    audit.installation.database.forbid_connections().await;
    assert_eq!(pms.output().unwrap().status.code(), Some(0));
}

#[tokio::test]
async fn an_export_goes_on_where_it_was() {
    let mut audit = Audit::new().await;
    let first = audit.exports("log").await;
    assert_eq!((first.lacking, first.written), (0, 5)); // two tiles with their bundles, one above
    is_proved(&audit.verifies("log", &[]));
    assert_eq!(audit.exports("log").await, Exported { written: 0, ..first });

    fs::copy(audit.at("log/checkpoint"), audit.at("kept")).unwrap();
    audit.log_grows("Something new").await;
    let second = audit.exports("log").await;
    assert_eq!((second.size, second.written), (first.size + 1, 2)); // the right edge of level 0
    let report = audit.verifies("log", &["kept"]);
    is_proved(&report);
    let beyond = format!("positions {0} to {0} are covered by the folder's own", second.size);
    assert!(says(&report.not_covered, &beyond), "{report}");
    let earlier = format!("{} earlier checkpoints", 3);
    assert!(says(&report.proved, &earlier), "{report}");
}

#[tokio::test]
async fn an_export_that_was_broken_off_claims_nothing_that_it_lacks() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    audit.log_grows("Something new").await;
    audit.exports("new").await;
    // What the second export had written when it was broken off: all but the checkpoint.
    fs::copy(audit.at("log/checkpoint"), audit.at("new/checkpoint")).unwrap();
    let report = audit.verifies("new", &[]);
    is_proved(&report);
    assert!(says(&report.not_covered, "no checkpoint covers them"), "{report}");
    assert!(says(&report.not_covered, "covers more than was verified"), "{report}");
    let tile = fs::read(audit.at("new/tile/0/000")).unwrap();
    fs::write(audit.at("new/tile/0/000"), &tile[..100]).unwrap();
    fs::remove_file(audit.at("new/tile/entries/000")).unwrap();
    // What lies beyond the checkpoint may be anything: a file whose bytes never reached the disk.
    for folder in ["new/tile/0/001.p", "new/tile/entries/001.p"] {
        let path = fs::read_dir(audit.at(folder)).unwrap().next().unwrap().unwrap().path();
        let length = fs::metadata(&path).unwrap().len();
        fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    }
    assert_eq!(audit.exports("new").await.written, 4);
    is_proved(&audit.verifies("new", &[]));
}

#[tokio::test]
async fn an_export_is_not_overwritten_by_a_log_that_does_not_continue_it() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    let kept = fs::read(audit.at("log/checkpoint")).unwrap();
    for meddling in [
        "create table heads as table log_checkpoints; \
           update log_checkpoints set note = replace(note, split_part(note, E'\n', 3), \
           'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=')",
        "update log_checkpoints set note = 'forged'",
        "update log_checkpoints it set note = heads.note from heads where heads.size = it.size; \
           update log_tiles set hashes = overlay(hashes placing '\\x0000000000000000' from 9) where index = 1",
        "delete from log_checkpoints where size > 20",
    ] {
        audit.installation.database.as_owner(meddling).await;
        let folder = LogFolder::at(audit.at("log"));
        let refused = export(&mut audit.db, &folder, None, |_, _| {}).await.unwrap_err();
        assert!(matches!(refused, Error::FolderOfOtherLog(_)), "{meddling}: {refused}");
        assert_eq!(fs::read(audit.at("log/checkpoint")).unwrap(), kept);
    }
}

/// Whoever makes the folder must not let the auditor wait for ever.
#[tokio::test]
async fn a_pipe_in_place_of_a_file_is_not_read() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    let path = audit.at("log/tile/entries/000");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(audit.verifies("log", &[]).first_wrong, Some(1..=1));
    fs::remove_file(audit.at("log/checkpoint")).unwrap();
    assert!(Command::new("mkfifo").arg(audit.at("log/checkpoint")).status().unwrap().success());
    assert_eq!(audit.verifies("log", &[]).verdict(), Verdict::Unreadable);
}

#[tokio::test]
async fn an_empty_log_is_told_to_be_one() {
    let audit = Audit::new().await;
    let key = audit.installation.stolen_log_key();
    let origin = key.verifier().name().to_owned();
    let head = Checkpoint { origin, size: 0, root: root(&[]) };
    fs::create_dir(audit.at("log")).unwrap();
    let head = head.sign(&[&key], ::commands::now()).to_string();
    fs::write(audit.at("log/checkpoint"), head).unwrap();
    let report = audit.verifies("log", &[]);
    is_proved(&report);
    assert!(report.proved[0].starts_with("checkpoint is of the empty log: "), "{report}");
}

#[tokio::test]
async fn personal_data_of_an_earlier_export_does_not_stay() {
    let mut audit = Audit::new().await;
    audit.exports_with_personal_data("log").await;
    audit.exports("log").await;
    let left = fs::read_dir(audit.at("log")).unwrap().map(|it| it.unwrap().file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["checkpoint", "checkpoints", "tile"]);
}

#[tokio::test]
async fn a_folder_takes_one_export_at_a_time() {
    let mut audit = Audit::new().await;
    let folder = LogFolder::at(audit.at("log"));
    let other = folder.lock().unwrap().unwrap();
    let refused = export(&mut audit.db, &folder, None, |_, _| {}).await.unwrap_err();
    assert!(matches!(refused, Error::FolderInUse), "{refused}");
    drop(other);
    assert!(export(&mut audit.db, &folder, None, |_, _| {}).await.is_ok());
}

#[test]
fn a_file_that_is_not_finished_leaves_nothing() {
    let home = folder();
    let mut draft = LogFolder::at(home.path()).draft("disclosed.jsonl", 0o600).unwrap();
    draft.file.write_all(b"alice@example.org").unwrap();
    drop(draft);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_event_that_was_changed_is_named() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    audit.exports("kept").await;
    change(&audit.at("log/tile/entries/000"), "\"Banking\"", "\"Bunking\"");
    let sql = "select position from events where payload->>'name' = 'Banking'";
    let position: i64 = audit.installation.database.ask(sql).await;
    let position = position.unsigned_abs();
    for kept in [&[][..], &["kept"], &["kept/checkpoint"]] {
        let report = audit.verifies("log", kept);
        assert_eq!(report.verdict(), Verdict::NotProved);
        assert_eq!(report.first_wrong, Some(position..=position), "{report}");
    }
    // Without tiles nobody can say more than a checkpoint does.
    fs::remove_dir_all(audit.at("log/tile/0")).unwrap();
    let report = audit.verifies("log", &["kept/checkpoint"]);
    let size = newest(&mut audit.db).await.unwrap().unwrap().size.unsigned_abs();
    assert_eq!(report.first_wrong.map(|it| *it.start()), Some(1));
    let exactly = audit.verifies("log", &["kept"]);
    assert_eq!(exactly.first_wrong, Some(position..=position), "{exactly}");
    assert!(position <= size);
}

/// The first bit of an entry's length: the file ends within it.
#[tokio::test]
async fn the_entry_at_which_a_file_breaks_is_named() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    let path = audit.at("log/tile/entries/000");
    let mut bytes = fs::read(&path).unwrap();
    let before: usize = bundle::decode(&bytes).take(249).map(|it| it.unwrap().len() + 2).sum();
    bytes[before] ^= 0x80;
    fs::write(path, bytes).unwrap();
    let report = audit.verifies("log", &[]);
    assert_eq!(report.first_wrong, Some(250..=250), "{report}");
    assert!(report.to_string().contains("position 250: tile/entries/000: the bundle ends"));
}

#[tokio::test]
async fn a_mirror_without_tiles_proves_its_entries_and_one_without_its_end_does_not() {
    let mut audit = Audit::new().await;
    let size = audit.exports("log").await.size;
    for level in ["0", "1"] {
        fs::remove_dir_all(audit.at("log/tile").join(level)).unwrap();
    }
    fs::remove_dir_all(audit.at("log/checkpoints")).unwrap();
    let report = audit.verifies("log", &[]);
    is_proved(&report);
    assert!(says(&report.not_covered, "3 tiles are not in the folder"), "{report}");
    fs::remove_dir_all(audit.at("log/tile/entries/001.p")).unwrap();
    let report = audit.verifies("log", &[]);
    assert_eq!(report.first_wrong, Some(257..=257), "{report}");
    let end = format!("the log ends before it, and checkpoint covers {size} entries");
    assert!(report.to_string().contains(&end), "{report}");
}

#[tokio::test]
async fn no_flipped_bit_of_an_exported_file_is_proved() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    audit.exports("kept").await;
    let files =
        ["checkpoint", "tile/0/000", "tile/0/001.p/*", "tile/1/000.p/1", "tile/entries/000"];
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let name = rng.choice(files).unwrap();
        let path = match name.strip_suffix('*') {
            Some(folder) => {
                let mut files = fs::read_dir(audit.at("log").join(folder)).unwrap();
                files.next().unwrap().unwrap().path()
            }
            None => audit.at("log").join(name),
        };
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[rng.usize(0..whole.len())] ^= 1 << rng.u32(0..8);
        fs::write(&path, changed).unwrap();
        let report = audit.verifies("log", &["kept"]);
        assert_ne!(report.verdict(), Verdict::Proved, "seed {seed}, {name}: {report}");
        fs::write(path, whole).unwrap();
    }
    is_proved(&audit.verifies("log", &["kept"]));
}

#[tokio::test]
async fn a_later_checkpoint_continues_an_earlier_one_or_is_told_not_to() {
    let mut audit = Audit::new().await;
    audit.exports("log").await;
    let heads = heads_after(&mut audit.db, 0, 10).await.unwrap();
    let notes: Vec<Note> = heads.iter().map(|head| head.note().unwrap()).collect();
    let [.., old, new] = notes.as_slice() else { panic!("two heads") };
    let proved = consistency(old, new, &audit.at("log"), &audit.policy).unwrap();
    is_proved(&proved);
    let [from, to] = [heads[heads.len() - 2].size, heads[heads.len() - 1].size];
    let plan = Plan::consistency(from.unsigned_abs(), to.unsigned_abs()).unwrap();
    let hashes = plan.hashes(&tiles(&mut audit.db, plan.tiles()).await.unwrap()).unwrap();
    let hashes: Vec<String> = hashes.iter().map(|it| base64(it)).collect();
    fs::write(audit.at("proof"), hashes.join("\n")).unwrap();
    is_proved(&consistency(old, new, &audit.at("proof"), &audit.policy).unwrap());

    fs::write(audit.at("proof"), hashes[1..].join("\n")).unwrap();
    for (old, new, proof) in [(old, new, "proof"), (new, old, "log")] {
        let fault = consistency(old, new, &audit.at(proof), &audit.policy).unwrap_err();
        assert_eq!(Report::from(fault).verdict(), Verdict::NotProved);
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(bytes)
}

#[tokio::test]
async fn one_entry_is_proved_in_words() {
    let mut audit = Audit::new().await;
    let sql = "select position from events where aggregate_id = 'alice-co' and sequence = 1";
    let position: i64 = audit.installation.database.ask(sql).await;
    let proof = proof_of(&mut audit.db, position).await.to_string();
    let report = one_entry(&proof, None, &audit.policy).unwrap();
    let words = format!("position {position}, ");
    assert!(report.proved[1].starts_with(&words), "{report}");
    assert!(report.proved[1].ends_with("registered, event 1 of partner/alice-co, by \"alice\""));
    let other = proof_of(&mut audit.db, position + 1).await.extra;
    let fault = one_entry(&proof, other, &audit.policy).unwrap_err();
    assert_eq!(Report::from(fault).verdict(), Verdict::NotProved);
}

#[tokio::test]
async fn after_an_erasure_all_proofs_from_before_hold() {
    let mut audit = Audit::new().await;
    let lou = partner(&audit.node, "lou");
    lou.registers_with(&audit.market.group, "lou@lou.example").await.unwrap();
    let head = seals(&audit.node).await.size;
    audit.exports_with_personal_data("before").await;
    let disclosed = |audit: &Audit, folder| {
        fs::read_to_string(audit.at(folder).join("disclosed.jsonl")).unwrap()
    };
    assert!(disclosed(&audit, "before").contains("lou@lou.example"));
    is_proved(&audit.verifies("before", &[]));
    let mut bundles = Vec::new();
    for position in (1..=head).step_by(7).chain([head]) {
        bundles.push(proof_of(&mut audit.db, position).await.to_string());
    }

    let proposed = admin(&audit.node).erases(SubjectKind::Partner, "lou-co").await.unwrap();
    second_admin(&audit.node).confirms(&proposed.id).await.unwrap();
    seals(&audit.node).await;
    for bundle in &bundles {
        is_proved(&one_entry(bundle, None, &audit.policy).unwrap());
    }
    fs::create_dir(audit.at("log")).unwrap();
    audit.exports_with_personal_data("log").await;
    assert!(!disclosed(&audit, "log").contains("lou@lou.example"));
    let last = disclosed(&audit, "log").lines().last().unwrap().to_owned();
    let of_lou = format!("{{\"position\":{head},");
    assert!(last.starts_with(&of_lou) && last.ends_with(",\"erased\":true}"), "{last}");
    let report = audit.verifies("log", &["before"]);
    is_proved(&report);
    assert!(says(&report.proved, "are erased, and the log says so"), "{report}");
    is_proved(&audit.verifies("before", &[]));

    let not_erased = audit.at("before/disclosed.jsonl");
    fs::copy(not_erased, audit.at("log/disclosed.jsonl")).unwrap();
    let report = audit.verifies("log", &[]);
    assert_eq!(report.verdict(), Verdict::NotProved, "{report}");
    assert!(
        report.to_string().contains("1 data of partner/lou-co are shown, although"),
        "{report}"
    );
}

#[tokio::test]
async fn disclosed_data_that_was_exchanged_or_is_held_back_is_told() {
    let mut audit = Audit::new().await;
    audit.exports_with_personal_data("log").await;
    let path = audit.at("log/disclosed.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let email = "alice-co@example.org";
    let line = whole.lines().find(|line| line.contains(email)).unwrap();
    let position: u64 =
        line.split([':', ',']).nth(1).and_then(|position| position.parse().ok()).unwrap();
    fs::write(&path, whole.replace(email, "malory-c@example.org")).unwrap();
    let report = audit.verifies("log", &[]);
    let exchanged =
        format!("position {position}: the disclosed data is not what the event was committed to");
    assert!(report.to_string().contains(&exchanged), "{report}");
    assert_eq!((report.verdict(), report.first_wrong), (Verdict::NotProved, None));

    let (start, shown) = line.split_once(",\"salt\"").unwrap();
    let held_back = format!(
        "1 data of partner/alice-co, from position {position} on, are not disclosed although the log \
         tells of no erasure"
    );
    for instead in [format!("{start},\"erased\":true}}\n"), String::new()] {
        fs::write(&path, whole.replace(&format!("{line}\n"), &instead)).unwrap();
        let report = audit.verifies("log", &[]);
        is_proved(&report);
        assert!(says(&report.not_covered, &held_back), "{report}");
    }

    let (_, data) = shown.split_once(",\"data\"").unwrap();
    let unsalted = format!("{start},\"data\"{data}");
    let invented = format!("{{\"position\":{position},\"reference\":\"{}\"}}", Uuid::nil());
    for (instead, told, verdict) in [
        (unsalted, "the data has no salt", Verdict::Unreadable),
        (invented, "the event does not refer to the disclosed data", Verdict::NotProved),
    ] {
        fs::write(&path, whole.replace(line, &instead)).unwrap();
        let report = audit.verifies("log", &[]);
        assert_eq!(report.verdict(), verdict, "{report}");
        assert!(report.to_string().contains(told), "{report}");
    }
}

/// As docs/auditing.md has it.
#[tokio::test]
async fn psql_computes_the_root_of_the_checkpoint() {
    let mut audit = Audit::new().await;
    let head = newest(&mut audit.db).await.unwrap().unwrap();
    let docs = include_str!("../docs/auditing.md");
    let (_, sql) = docs.split_once("```sql\ncreate temp table tree").unwrap();
    let (sql, _) = sql.split_once("select encode(hash, 'base64') from tree").unwrap();
    let sql = format!("create temp table tree{}", sql.replace("1000", &head.size.to_string()));
    audit.db.execute(&*sql).await.unwrap();
    let root = sqlx::query_scalar("select encode(hash, 'base64') from tree");
    let root: String = root.fetch_one(&mut audit.db).await.unwrap();
    assert_eq!(root, base64(&head.checkpoint().unwrap().root));
}

#[tokio::test]
async fn a_head_that_is_stale_or_missing_is_told_by_the_exit_code() {
    let audit = Audit::new().await;
    let stale = "update log_checkpoints set signed_at = signed_at - interval '16 minutes'";
    audit.installation.database.as_owner(stale).await;
    let told = audit.pms(&["checkpoint"]);
    assert!(
        told.status.code() == Some(1) && told.stdout.starts_with(b"audit.example.org/events\n")
    );
    audit.installation.database.as_owner("delete from log_checkpoints").await;
    for arguments in [&["checkpoint"][..], &["export", "log"]] {
        let told = audit.pms(arguments);
        assert!(told.status.code() == Some(1) && told.stdout.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_log_that_lacks_events_is_exported_as_evidence() {
    let audit = Audit::new().await;
    let meddling = "alter table events disable trigger all; delete from events where position = 5";
    audit.installation.database.as_owner(meddling).await;
    let exported = audit.pms(&["export", "log"]);
    assert_eq!(exported.status.code(), Some(1));
    let told = String::from_utf8(exported.stderr).unwrap();
    assert!(told.contains("1 events or tiles are not there"), "{told}");
    let report = audit.verifies("log", &[]);
    assert_eq!(report.first_wrong, Some(5..=5), "{report}");
}
