//! A witness of the log that belongs to somebody else: C2SP tlog-witness, over real HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::key::{Algorithm, SigningKey, VerifierKey};
use domain::audit::note::Note;
use domain::audit::proof::verify_consistency;
use domain::audit::tree::Hash;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

/// A witness that knows one log by its key. It remembers what it has cosigned last, and never signs
/// what does not continue that.
pub struct Witness {
    pub name: String,
    pub url: String,
    pub key: VerifierKey,
    memory: Arc<Mutex<Memory>>,
}

struct Memory {
    signing: SigningKey,
    log: VerifierKey,
    last: Option<Checkpoint>,
    /// What it was asked, size by size.
    asked: Vec<(u64, u64)>,
    is_away: bool,
}

impl Witness {
    /// One that signs for the log with this key.
    pub async fn of(log: &VerifierKey, number: u8) -> Self {
        let name = format!("witness-{number}");
        let text = SigningKey::text(&name, Algorithm::CosignatureV1, &[number; 32]).unwrap();
        let signing = SigningKey::from_text(&text).unwrap();
        let key = signing.verifier().clone();
        let memory =
            Memory { signing, log: log.clone(), last: None, asked: Vec::new(), is_away: false };
        let memory = Arc::new(Mutex::new(memory));
        let routes = Router::new().route("/add-checkpoint", post(add_checkpoint));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = routes.with_state(memory.clone());
        tokio::spawn(async move { axum::serve(listener, serving).await });
        Self { name, url, key, memory }
    }

    /// It goes away, or comes back.
    pub fn is_away(&self, is_away: bool) {
        self.memory.lock().unwrap().is_away = is_away;
    }

    /// The sizes that it was asked to go from and to.
    pub fn asked(&self) -> Vec<(u64, u64)> {
        self.memory.lock().unwrap().asked.clone()
    }
}

/// A file with the policy that so many of these witnesses have to sign.
pub fn policy(log: &VerifierKey, witnesses: &[&Witness], threshold: usize) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "log {log}").unwrap();
    for witness in witnesses {
        writeln!(file, "witness {} {} {}", witness.name, witness.key, witness.url).unwrap();
    }
    let names: Vec<&str> = witnesses.iter().map(|it| it.name.as_str()).collect();
    writeln!(file, "group enough {threshold} {}\nquorum enough", names.join(" ")).unwrap();
    file
}

async fn add_checkpoint(State(memory): State<Arc<Mutex<Memory>>>, body: String) -> Response {
    let mut memory = memory.lock().unwrap();
    if memory.is_away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (head, note) = body.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(hash).collect();
    let mut note: Note = note.parse().unwrap();
    if !note.signature_of(&memory.log).is_ok_and(|it| it.is_some()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let new: Checkpoint = note.text().parse().unwrap();
    memory.asked.push((old, new.size));
    if old > new.size {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let last = memory.last.clone().map_or((0, [0; 32]), |it| (it.size, it.root));
    if last.0 != old || (old == new.size && last.1 != new.root) {
        let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
        return (StatusCode::CONFLICT, kind, format!("{}\n", last.0)).into_response();
    }
    let continues = verify_consistency((old, &last.1), (new.size, &new.root), &proof);
    if old > 0 && !continues {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    let lines = note.to_string().lines().count();
    note.sign(&memory.signing, ::commands::now());
    memory.last = Some(new);
    let signed = note.to_string();
    signed.split_inclusive('\n').skip(lines).collect::<String>().into_response()
}

fn hash(line: &str) -> Hash {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(line).unwrap().try_into().unwrap()
}
