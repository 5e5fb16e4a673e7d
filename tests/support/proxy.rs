//! A line between a node and its server: a TCP forwarder that knows where a question ends and an
//! answer begins, and breaks where a test wants it to.

use super::database::TestDatabase;
use super::until;
use super::wire::{Messages, Question, Said, Session};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// How a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is cut before the question reaches the server.
    LostQuestion,
    /// It is cut when half of the question has reached the server.
    HalfQuestion,
    /// It is cut after the server has answered, before the answer arrives.
    LostAnswer,
    /// It is cut when half of the answer has arrived.
    HalfAnswer,
    /// The question never reaches the server, and nobody hears that the line is dead.
    Silence,
}

/// Every way in which a line is cut.
pub const CUTS: [Trouble; 4] =
    [Trouble::LostQuestion, Trouble::HalfQuestion, Trouble::LostAnswer, Trouble::HalfAnswer];

/// At which exchange a line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The next COMMIT.
    Commit,
    /// The one with this number: from 0, since the trouble was made or struck last.
    Exchange(usize),
}

impl Moment {
    fn is(self, number: usize, question: &Question) -> bool {
        match self {
            Self::Commit => question.said.iter().any(is_commit),
            Self::Exchange(expected) => number == expected,
        }
    }
}

/// Whether a transaction is to end well.
pub fn is_commit(said: &Said) -> bool {
    matches!(said, Said::Run(statement) if statement == "commit")
}

/// Where a server listens.
#[derive(Debug, Clone)]
enum Server {
    Socket(PathBuf),
    Port(u16),
}

struct Line {
    server: Server,
    /// What is still to happen, in this order.
    strikes: VecDeque<(Moment, Trouble)>,
    /// How many questions were asked since the trouble was made or struck last.
    passed: usize,
    /// Whether trouble has struck and the line is not healed.
    is_down: bool,
    /// Whether the line stays down after trouble has struck.
    stays_down: bool,
    /// What was asked since somebody wanted to know.
    asked: Option<Vec<Vec<Said>>>,
}

impl Line {
    /// What is to happen to this question.
    fn hears(&mut self, question: &Question) -> Option<Trouble> {
        if let Some(asked) = &mut self.asked {
            asked.push(question.said.clone());
        }
        let (moment, trouble) = *self.strikes.front()?;
        let number = self.passed;
        self.passed += 1;
        if !moment.is(number, question) {
            return None;
        }
        self.strikes.pop_front();
        (self.passed, self.is_down) = (0, self.strikes.is_empty());
        Some(trouble)
    }
}

/// A forwarder on a port of its own. Without trouble it passes everything on.
pub struct Proxy {
    port: u16,
    line: Arc<Mutex<Line>>,
}

impl Proxy {
    /// Stands before the server of `database`.
    pub async fn before(database: &TestDatabase) -> Self {
        let socket = database.owner().get_socket().unwrap().join(".s.PGSQL.5432");
        Self::to(Server::Socket(socket)).await
    }

    /// Stands before the server on this port.
    pub async fn before_port(port: u16) -> Self {
        Self::to(Server::Port(port)).await
    }

    async fn to(server: Server) -> Self {
        let strikes = VecDeque::new();
        let (passed, is_down, stays_down) = (0, false, false);
        let line = Line { server, strikes, passed, is_down, stays_down, asked: None };
        let line = Arc::new(Mutex::new(line));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(listen(listener, line.clone()));
        Self { port, line }
    }

    /// Stands before another server from here on; who is connected stays with the old one.
    pub fn turns_to(&self, port: u16) {
        self.line().server = Server::Port(port);
    }

    /// Where it listens, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same connection, through the proxy, which does not read what is encrypted.
    pub fn way(&self, options: &PgConnectOptions) -> PgConnectOptions {
        let way = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .ssl_mode(PgSslMode::Disable)
            .username(options.get_username())
            .database(options.get_database().unwrap());
        let settings = options.get_options().unwrap_or_default().split("-c ");
        way.options(settings.filter_map(|setting| setting.trim().split_once('=')))
    }

    /// Makes trouble for the next COMMIT; after it, new connections are good.
    pub fn make(&self, trouble: Trouble) {
        self.make_all([(Moment::Commit, trouble)]);
    }

    /// Makes trouble for the next COMMIT; after it, nobody reaches the server until the line is
    /// healed.
    pub fn make_lasting(&self, trouble: Trouble) {
        self.make_lasting_at(Moment::Commit, trouble);
    }

    /// Makes trouble at some moment; after it, nobody reaches the server until the line is healed.
    pub fn make_lasting_at(&self, moment: Moment, trouble: Trouble) {
        self.make_all([(moment, trouble)]);
        self.line().stays_down = true;
    }

    /// Makes one trouble after the other, and begins to write down what is asked.
    pub fn make_all(&self, strikes: impl IntoIterator<Item = (Moment, Trouble)>) {
        self.heal();
        self.writes_down();
        let strikes: VecDeque<_> = strikes.into_iter().collect();
        let mut line = self.line();
        (line.is_down, line.strikes) = (strikes.is_empty(), strikes);
    }

    /// Begins to write down what is asked.
    pub fn writes_down(&self) {
        self.line().asked = Some(Vec::new());
    }

    /// What was asked since then, question by question.
    pub fn was_asked(&self) -> Vec<Vec<Said>> {
        self.line().asked.clone().unwrap_or_default()
    }

    /// Waits until all trouble has struck.
    pub async fn in_trouble(&self) {
        until(async || self.has_struck().then_some(())).await;
    }

    /// Whether all trouble has struck.
    pub fn has_struck(&self) -> bool {
        self.line().is_down
    }

    /// New connections are good from here on.
    pub fn heal(&self) {
        let mut line = self.line();
        line.strikes.clear();
        (line.passed, line.is_down, line.stays_down) = (0, false, false);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap()
    }
}

async fn listen(listener: TcpListener, line: Arc<Mutex<Line>>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = {
            let line = line.lock().unwrap();
            (!(line.is_down && line.stays_down)).then(|| line.server.clone())
        };
        if let Some(server) = server {
            tokio::spawn(connect(client, server, line.clone()));
        }
    }
}

async fn connect(client: TcpStream, server: Server, line: Arc<Mutex<Line>>) -> io::Result<()> {
    client.set_nodelay(true)?;
    match server {
        Server::Socket(path) => pass(client, UnixStream::connect(path).await?, &line).await,
        Server::Port(port) => {
            let server = TcpStream::connect(("127.0.0.1", port)).await?;
            server.set_nodelay(true)?;
            pass(client, server, &line).await
        }
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    line: &Mutex<Line>,
) -> io::Result<()> {
    let (mut session, mut answers) = (Session::new(), Answers::new());
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                for question in session.with(bytes) {
                    let Question { bytes, .. } = &question;
                    if question.is_goodbye() {
                        return server.write_all(bytes).await;
                    }
                    let trouble = line.lock().unwrap().hears(&question);
                    match trouble {
                        Some(Trouble::LostQuestion) => return Ok(()),
                        Some(Trouble::HalfQuestion) => {
                            return server.write_all(&bytes[..bytes.len() / 2]).await;
                        }
                        Some(Trouble::Silence) => return stay_silent(client, server).await,
                        later => answers.expected.push_back(later),
                    }
                    server.write_all(bytes).await?;
                }
            }
            read = server.read(&mut answered) => {
                let bytes = &answered[..read?];
                let arrives = answers.with(bytes);
                client.write_all(&arrives).await?;
                if bytes.is_empty() || answers.are_cut {
                    return Ok(());
                }
            }
        }
    }
}

/// What the server says.
struct Answers {
    messages: Messages,
    /// For each question that was asked: what is to happen to its answer.
    expected: VecDeque<Option<Trouble>>,
    /// The answer that something is to happen to.
    held: Vec<u8>,
    /// Whether it has happened.
    are_cut: bool,
}

impl Answers {
    fn new() -> Self {
        let (messages, expected) = (Messages::of_server(), VecDeque::new());
        Self { messages, expected, held: Vec::new(), are_cut: false }
    }

    /// What arrives at the client when the server has said these bytes too.
    fn with(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut arrives = Vec::new();
        for message in self.messages.with(bytes) {
            let Some(&Some(trouble)) = self.expected.front() else {
                arrives.extend_from_slice(&message.bytes);
                if message.ends_answer() {
                    self.expected.pop_front();
                }
                continue;
            };
            self.held.extend_from_slice(&message.bytes);
            if message.ends_answer() {
                let half = self.held.len() / 2;
                arrives.extend(
                    self.held.drain(..).take(half).filter(|_| trouble == Trouble::HalfAnswer),
                );
                self.are_cut = true;
                break;
            }
        }
        arrives
    }
}

/// Keeps both ends open and says nothing, for as long as the client hopes.
async fn stay_silent(mut client: TcpStream, server: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let mut ignored = [0; 64];
    while client.read(&mut ignored).await? > 0 {}
    drop(server);
    Ok(())
}
