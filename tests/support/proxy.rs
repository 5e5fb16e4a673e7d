//! A bad line between an appender and the server.

use super::database::TestDatabase;
use super::until;
use sqlx::postgres::PgConnectOptions;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".s.PGSQL.5432";

/// What happens to the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The line is cut before COMMIT reaches the server.
    LostQuestion,
    /// The line is cut after the server has answered COMMIT, before the answer arrives.
    LostAnswer,
    /// COMMIT never reaches the server, and nobody hears that the line is dead.
    Silence,
}

#[derive(Debug, Default)]
struct Line {
    trouble: Option<Trouble>,
    /// Whether trouble has struck and the line is not healed.
    is_down: bool,
    /// Whether the line stays down after trouble has struck.
    stays_down: bool,
}

/// A proxy on a socket of its own. Without trouble it passes everything on.
pub struct Proxy {
    folder: TempDir,
    line: Arc<Mutex<Line>>,
}

impl Proxy {
    /// Stands before the server of `database`.
    pub fn before(database: &TestDatabase) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let server = database.owner().get_socket().unwrap().join(SOCKET);
        let line = Arc::new(Mutex::new(Line::default()));
        tokio::spawn(listen(listener, server, line.clone()));
        Self { folder, line }
    }

    /// The same connection, through the proxy.
    pub fn way(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.socket(self.folder.path())
    }

    /// Makes trouble for the next COMMIT; after it, new connections are good.
    pub fn make(&self, trouble: Trouble) {
        *self.line.lock().unwrap() = Line { trouble: Some(trouble), ..Line::default() };
    }

    /// Makes trouble for the next COMMIT; after it, nobody reaches the server until the line is
    /// healed.
    pub fn make_lasting(&self, trouble: Trouble) {
        let line = Line { trouble: Some(trouble), stays_down: true, ..Line::default() };
        *self.line.lock().unwrap() = line;
    }

    /// Waits until trouble has struck.
    pub async fn in_trouble(&self) {
        until(async || self.line.lock().unwrap().is_down.then_some(())).await;
    }

    /// New connections are good from here on.
    pub fn heal(&self) {
        *self.line.lock().unwrap() = Line::default();
    }
}

async fn listen(listener: UnixListener, server: PathBuf, line: Arc<Mutex<Line>>) {
    while let Ok((client, _)) = listener.accept().await {
        let is_closed = {
            let line = line.lock().unwrap();
            line.is_down && line.stays_down
        };
        if !is_closed {
            tokio::spawn(pass(client, server.clone(), line.clone()));
        }
    }
}

async fn pass(mut client: UnixStream, server: PathBuf, line: Arc<Mutex<Line>>) -> io::Result<()> {
    let mut server = UnixStream::connect(server).await?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut loses_the_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let question = &asked[..read?];
                if question.is_empty() {
                    return Ok(());
                }
                match strike(&line, question) {
                    Some(Trouble::LostQuestion) => return Ok(()),
                    Some(Trouble::Silence) => return stay_silent(client, server).await,
                    Some(Trouble::LostAnswer) => loses_the_answer = true,
                    None => {}
                }
                server.write_all(question).await?;
            }
            read = server.read(&mut answered) => {
                let answer = &answered[..read?];
                if answer.is_empty() || loses_the_answer {
                    return Ok(());
                }
                client.write_all(answer).await?;
            }
        }
    }
}

fn strike(line: &Mutex<Line>, question: &[u8]) -> Option<Trouble> {
    let is_commit = question.windows(7).any(|bytes| bytes == b"commit\0");
    let mut line = line.lock().unwrap();
    let trouble = line.trouble.take_if(|_| is_commit);
    line.is_down |= trouble.is_some();
    trouble
}

/// Keeps both ends open and says nothing, for as long as the client hopes.
async fn stay_silent(mut client: UnixStream, server: UnixStream) -> io::Result<()> {
    let mut ignored = [0; 64];
    while client.read(&mut ignored).await? > 0 {}
    drop(server);
    Ok(())
}
