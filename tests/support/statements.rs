//! Counts what a node asks of its server. It stands between the two, passes everything on, and reads
//! the client's half of PostgreSQL's protocol (PostgreSQL 18, chapters "Message Flow" and "Message
//! Formats"): every `Execute` and every simple `Query` is one statement.

use super::database::TestDatabase;
use sqlx::postgres::PgConnectOptions;
use std::collections::HashMap;
use std::io;
use std::mem::take;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".s.PGSQL.5432";
/// Asks for encryption, in the place of a start-up message.
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
/// With this the client asks what a type is that it has not met on this connection: it depends on
/// which connection of the pool is taken, not on the question.
const TYPE_LOOKUP: &str = "pg_catalog.pg_type";

/// A counter on a socket of its own.
pub struct Statements {
    folder: TempDir,
    asked: Asked,
}

type Asked = Arc<Mutex<Vec<String>>>;

impl Statements {
    /// Stands before the server of `database`.
    pub fn before(database: &TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let server = database.owner().get_socket().unwrap().join(SOCKET);
        let asked = Asked::default();
        tokio::spawn(listen(listener, server, asked.clone()));
        Self { folder, asked }
    }

    /// The same connection, past the counter.
    pub fn way(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.socket(self.folder.path())
    }

    /// The statements that are asked while something is done.
    pub async fn of<T>(&self, work: impl Future<Output = T>) -> (T, Vec<String>) {
        self.asked.lock().unwrap().clear();
        let done = work.await;
        (done, take(&mut *self.asked.lock().unwrap()))
    }
}

async fn listen(listener: UnixListener, server: PathBuf, asked: Asked) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(pass(client, server.clone(), asked.clone()));
    }
}

async fn pass(client: UnixStream, server: PathBuf, asked: Asked) -> io::Result<()> {
    let (mut from_server, mut to_server) = UnixStream::connect(server).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let (mut session, mut bytes) = (Session::default(), vec![0; 1 << 16]);
    loop {
        let count = from_client.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let statements = session.reads(&bytes[..count]);
        asked.lock().unwrap().extend(statements);
        to_server.write_all(&bytes[..count]).await?;
    }
}

/// What a connection has said so far.
#[derive(Default)]
struct Session {
    unread: Vec<u8>,
    is_started: bool,
    /// Texts by the names of prepared statements.
    prepared: HashMap<String, String>,
    /// Texts by the names of portals.
    portals: HashMap<String, String>,
}

impl Session {
    /// The statements that are complete with these bytes.
    fn reads(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unread.extend_from_slice(bytes);
        let mut statements = Vec::new();
        while let Some((tag, body)) = self.message() {
            statements.extend(self.hears(tag, &body));
        }
        statements.retain(|text| !text.contains(TYPE_LOOKUP));
        statements
    }

    /// The next whole message. The start has no tag; the length counts itself.
    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        let tags = usize::from(self.is_started);
        let length: [u8; 4] = self.unread.get(tags..tags + 4)?.try_into().unwrap();
        let end = tags + usize::try_from(u32::from_be_bytes(length)).unwrap();
        if self.unread.len() < end {
            return None;
        }
        let message: Vec<u8> = self.unread.drain(..end).collect();
        let (tag, body) = (message[0], message[tags + 4..].to_vec());
        if self.is_started {
            return Some((tag, body));
        }
        self.is_started = body[..4] != SSL_REQUEST;
        Some((0, body))
    }

    fn hears(&mut self, tag: u8, body: &[u8]) -> Option<String> {
        let mut texts = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut text = || texts.next().unwrap_or_default().into_owned();
        match tag {
            b'P' => {
                self.prepared.insert(text(), text());
                None
            }
            b'B' => {
                let (portal, statement) = (text(), text());
                let bound = self.prepared.get(&statement).cloned();
                self.portals.insert(portal, bound.unwrap_or(statement));
                None
            }
            b'E' => self.portals.get(&text()).cloned(),
            b'Q' => Some(text()),
            _ => None,
        }
    }
}

#[tokio::test]
async fn every_statement_is_counted_once() {
    let database = TestDatabase::new().await;
    let statements = Statements::before(&database);
    let pool = sqlx::PgPool::connect_lazy_with(statements.way(database.owner()));
    for _ in 0..3 {
        let ((), asked) = statements
            .of(async {
                let mut transaction = pool.begin().await.unwrap();
                sqlx::query("select $1").bind(1).execute(&mut *transaction).await.unwrap();
                sqlx::query("select $1").bind(2).execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
            })
            .await;
        assert_eq!(asked, ["BEGIN", "select $1", "select $1", "COMMIT"]);
    }
    assert!(statements.of(async {}).await.1.is_empty());
}
