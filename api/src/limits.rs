//! Every limit that protects a node, in one place, with its reason. What an operator may want
//! otherwise is a setting (`config.rs`); these are the same everywhere, so that what works on one
//! installation works on all. `docs/integrator.md` tells clients of them.

use std::time::Duration;

/// The longest request body, in bytes: bundles of trust certificates need it, and the largest
/// policy fits many times. No string can be longer, so strings have no limit of their own here.
pub const MAX_BODY: usize = 512 * 1024;
/// The longest head of a request, in bytes: a token with many roles and a query by GET.
pub const MAX_HEAD: usize = 64 * 1024;

/// How many tokens a document may have. The full introspection query has about 250, the largest
/// screen of a portal a few hundred. Everything that reads documents costs by the token.
pub const MAX_TOKENS: usize = 5_000;
/// How deep brackets of any kind may nest: the parser is recursive, and a task's stack is small.
pub const MAX_BRACKETS: usize = 50;
/// How many selection sets may lie in each other, those of fragments counted where they are
/// spread: validation and execution are recursive too.
pub const MAX_NESTING: usize = 32;
/// How deep fields may nest. The full introspection query needs 15.
pub const MAX_DEPTH: u64 = 15;
/// How many fields a document may have with all fragments spread out: validation visits each.
pub const MAX_FIELDS: u64 = 5_000;
/// How many aliases a document may have, counted likewise: the same costly field again and again.
pub const MAX_ALIASES: u64 = 200;
/// How many fields an operation may have at its root: each is a statement, or a command, of its own.
pub const MAX_ROOT_FIELDS: u64 = 50;
/// How many directives a document may have: they make work, and nobody needs many.
pub const MAX_DIRECTIVES: usize = 100;
/// How much an operation may weigh, in fields of its answer: two hundred rows of three
/// hundred fields. The full introspection query weighs about 52,000.
pub const MAX_WEIGHT: u64 = 60_000;
/// How many elements a list in the variables may have: five times the longest page.
pub const MAX_LIST: usize = 1_000;

/// What a list without `first` and `last` in its arguments is taken to have at least: lists within
/// an object are short.
pub const SHORT_LIST: u64 = 10;
/// The rows of a page when the client does not say how many: of the history, the longest default.
pub const DEFAULT_PAGE: u64 = 50;

/// How many queries run at the same time: a few for each connection to the database. The others wait
/// for their turn, which takes less memory than their answers, half made, would take.
pub const QUERIES: usize = 32;
/// How many files of the sealed log are read at the same time for whoever comes: strangers wait for each
/// other and keep no place from those who have signed in.
pub const LOG_FILES: usize = 4;
/// How many exports of the history run at the same time: each reads as fast as its client takes it.
pub const EXPORTS: usize = 2;
/// How long a query may take. Its work stops then, in the database too.
pub const QUERY_TIME: Duration = Duration::from_secs(15);
/// How long a client waits for the answer of a mutation, which runs to its end all the same; the
/// event store gives up earlier.
pub const MUTATION_PATIENCE: Duration = Duration::from_secs(30);
/// How long a client may take to send the head of a request, and how long it may keep a connection
/// without one.
pub const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long a client may take to send a body: 512 KiB on a slow line.
pub const BODY_TIME: Duration = Duration::from_secs(30);
/// How long what was sent may stay unacknowledged before the peer counts as gone.
pub const SILENCE: Duration = Duration::from_mins(1);
/// How long answers may still take when a node is told to stop: longer than any command or query. Only an
/// export to a slow client takes longer, and breaks off.
pub const STOP_TIME: Duration = Duration::from_mins(1);
/// How many connections may be open, unless the operator says otherwise.
pub const CONNECTIONS: u32 = 2_000;
/// Requests a second from an address, unless the operator says otherwise: a company behind one
/// address, or two hundred clients of a test.
pub const REQUESTS_PER_ADDRESS: u32 = 1_000;
/// Requests a second of a caller, unless the operator says otherwise: a portal loads a screen with
/// a dozen, a script sends hundreds.
pub const REQUESTS_PER_CALLER: u32 = 200;

/// How many persisted queries are kept, in bytes of their text: thousands of usual ones.
pub const PERSISTED_BYTES: usize = 8 * 1024 * 1024;
