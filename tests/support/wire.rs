//! PostgreSQL's protocol as it goes over a line (PostgreSQL 18, chapters "Message Flow" and "Message
//! Formats"): bytes become messages, and messages become questions.

use std::collections::HashMap;
use std::mem::take;

/// Ends an answer.
const READY_FOR_QUERY: u8 = b'Z';
/// The first message of a client has no tag.
const HELLO: u8 = 0;

/// One message, as it came.
pub struct Message {
    tag: u8,
    /// All of it, tag and length included.
    pub bytes: Vec<u8>,
}

impl Message {
    /// Whether the server waits for the next question.
    pub fn ends_answer(&self) -> bool {
        self.tag == READY_FOR_QUERY
    }

    /// Its texts, which end with a NUL each; what is no text comes last.
    fn texts(&self) -> impl Iterator<Item = String> {
        let body = self.bytes[5..].split(|byte| *byte == 0);
        body.map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

/// What one side says, message by message.
pub struct Messages {
    unread: Vec<u8>,
    is_greeted: bool,
}

impl Messages {
    /// What a client says on a line that is not encrypted.
    pub fn of_client() -> Self {
        Self { unread: Vec::new(), is_greeted: false }
    }

    /// What a server says.
    pub fn of_server() -> Self {
        Self { unread: Vec::new(), is_greeted: true }
    }

    /// The messages that are complete with these bytes.
    pub fn with(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.unread.extend_from_slice(bytes);
        std::iter::from_fn(|| self.next()).collect()
    }

    /// A length counts itself, but no tag.
    fn next(&mut self) -> Option<Message> {
        let tags = usize::from(self.is_greeted);
        let length: [u8; 4] = self.unread.get(tags..tags + 4)?.try_into().unwrap();
        let end = tags + usize::try_from(u32::from_be_bytes(length)).unwrap();
        if self.unread.len() < end {
            return None;
        }
        let bytes: Vec<u8> = self.unread.drain(..end).collect();
        let tag = if self.is_greeted { bytes[0] } else { HELLO };
        self.is_greeted = true;
        Some(Message { tag, bytes })
    }
}

/// What a message of a client is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A session begins.
    Hello,
    /// A statement is prepared.
    Prepare(String),
    /// A statement is run: prepared earlier, or a simple `Query`.
    Run(String),
    /// The session ends.
    Goodbye,
}

/// What a client says until it waits for an answer: up to a `Sync`, or one simple `Query`.
#[derive(Default)]
pub struct Question {
    /// All of it.
    pub bytes: Vec<u8>,
    /// What it is about.
    pub said: Vec<Said>,
}

impl Question {
    /// Whether nobody will answer.
    pub fn is_goodbye(&self) -> bool {
        self.said == [Said::Goodbye]
    }
}

/// The client's side of a session.
pub struct Session {
    messages: Messages,
    question: Question,
    /// Texts by the names of prepared statements.
    prepared: HashMap<String, String>,
    /// Texts by the names of portals.
    portals: HashMap<String, String>,
}

impl Session {
    /// One that has not begun.
    pub fn new() -> Self {
        let (messages, question) = (Messages::of_client(), Question::default());
        Self { messages, question, prepared: HashMap::new(), portals: HashMap::new() }
    }

    /// The questions that are complete with these bytes.
    pub fn with(&mut self, bytes: &[u8]) -> Vec<Question> {
        self.messages.with(bytes).into_iter().filter_map(|it| self.hears(&it)).collect()
    }

    fn hears(&mut self, message: &Message) -> Option<Question> {
        self.question.bytes.extend_from_slice(&message.bytes);
        let said = self.meaning(message);
        self.question.said.extend(said);
        matches!(message.tag, HELLO | b'Q' | b'S' | b'X').then(|| take(&mut self.question))
    }

    fn meaning(&mut self, message: &Message) -> Option<Said> {
        let mut texts = message.texts();
        let mut text = || texts.next().unwrap_or_default();
        match message.tag {
            HELLO => Some(Said::Hello),
            b'P' => {
                let (name, statement) = (text(), text());
                self.prepared.insert(name, statement.clone());
                Some(Said::Prepare(statement))
            }
            b'B' => {
                let (portal, name) = (text(), text());
                let bound = self.prepared.get(&name).cloned();
                self.portals.insert(portal, bound.unwrap_or(name));
                None
            }
            b'E' => self.portals.get(&text()).cloned().map(Said::Run),
            b'Q' => Some(Said::Run(text())),
            b'X' => Some(Said::Goodbye),
            _ => None,
        }
    }
}
