//! One decision at work: what it reads is remembered, what it decides is collected, and both are
//! submitted together. When something it read has moved, everything starts again.

use crate::event_store::{
    Claim, Granted, IdempotencyKey, Name, NewEvent, SecretHash, StreamId, Submission, Verdict,
    unstorable,
};
use crate::{Commands, Error, Input, Request, Result, new_id};
use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use domain::actor::{Actor, Operation};
use domain::partner::Partner;
use domain::proposal::ProposedAction;
use domain::recorded::Metadata;
use domain::{Decide, Finding};
use projections::private_rows::SealedRow;
use secrecy::SecretString;
use sqlx::PgPool;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often a decision is made before the caller hears of a conflict.
const ATTEMPTS: usize = 8;

/// What a granted wish leads to.
#[derive(Debug)]
pub struct Done {
    /// The object that was made or changed; of a batch all of them, as its command writes them.
    pub id: String,
    /// How many events the object has had then; of a batch 0.
    pub version: i64,
    /// The position that shows it; a client that has seen it sees everything before it too.
    pub position: i64,
    /// A secret that is shown this once.
    pub secret: Option<SecretString>,
    /// Whether the wish was granted earlier, under the same idempotency key.
    pub replayed: bool,
    /// Whether the wish waits for a second person: `id` is that of the proposal.
    pub proposed: bool,
    /// What would happen, in the order of the log; told by a preview only.
    pub changes: Vec<Change>,
}

/// An event that would be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of thing it would happen to.
    pub noun: &'static str,
    /// The thing's id.
    pub id: String,
    /// What would happen, such as `deactivated`.
    pub event: String,
    /// The event as it would be stored.
    pub(crate) payload: String,
}

/// What a decision leads to when it is accepted.
#[derive(Debug)]
pub(crate) struct Decided {
    id: String,
    version: i64,
    secret: Option<SecretString>,
    proposed: bool,
}

/// A noun in the state that was read, and what this decision does to it.
#[derive(Debug)]
pub(crate) struct Stream<A> {
    pub id: String,
    version: i64,
    state: A,
}

impl<A> Deref for Stream<A> {
    type Target = A;
    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate> Stream<A> {
    pub fn stream_id(&self) -> StreamId {
        StreamId::of::<A>(&self.id)
    }

    /// The decision is about this object.
    pub fn done(&self) -> Decided {
        let (id, version) = (self.id.clone(), self.version);
        Decided { id, version, secret: None, proposed: false }
    }

    /// The decision is about this object, and shows a secret once.
    pub fn done_with(&self, secret: SecretString) -> Decided {
        Decided { secret: Some(secret), ..self.done() }
    }
}

/// The unit of work of one attempt. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    commands: Commands,
    request: Request,
    expected_version: Option<i64>,
    draft: Arc<Mutex<Draft>>,
    /// The instant of the decision.
    pub now: DateTime<Utc>,
}

#[derive(Debug, Default)]
struct Draft {
    submission: Submission,
    actor_partner: String,
    causation_id: Option<String>,
}

impl Commands {
    /// Runs a decision until it is accepted, refused or has met too many conflicts.
    pub(crate) async fn run<I, F, D>(
        &self,
        request: &Request,
        input: &I,
        stream: StreamId,
        decide: D,
    ) -> Result<Done>
    where
        I: Input,
        D: Fn(Unit) -> F + Send + Sync,
        F: Future<Output = Result<Decided>> + Send,
    {
        let key = self.idempotency_key(request, input)?;
        let queue = self.queue(stream);
        let _first = queue.lock().await;
        for _ in 0..ATTEMPTS {
            if let Some(done) = self.replay(key.as_ref()).await? {
                return Ok(done);
            }
            let unit = self.unit(request, input.expected_version());
            let decided = decide(unit.clone()).await;
            if let Some(answer) = self.attempt(unit, decided, key.clone()).await? {
                return answer;
            }
            if input.expected_version().is_some() {
                break;
            }
        }
        // The same wish may have been granted elsewhere, and have moved the version that it pins.
        self.replay(key.as_ref()).await?.ok_or(Error::Conflict)
    }

    /// What was granted earlier under the idempotency key of this wish.
    pub(crate) async fn granted<I: Input>(
        &self,
        request: &Request,
        input: &I,
    ) -> Result<Option<Done>> {
        self.replay(self.idempotency_key(request, input)?.as_ref()).await
    }

    /// A unit that nothing has been read for. One that is not submitted answers a question.
    pub(crate) fn unit(&self, request: &Request, expected_version: Option<i64>) -> Unit {
        Unit {
            commands: self.clone(),
            request: request.clone(),
            expected_version,
            draft: Arc::default(),
            now: self.now(),
        }
    }

    /// One attempt: `None` when something moved and it has to be made again.
    async fn attempt(
        &self,
        unit: Unit,
        decided: Result<Decided>,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Result<Done>>> {
        let mut submission = unit.take();
        match decided {
            Ok(decided) if !self.appends => {
                let position = projections::log::head(self.store.pool()).await?;
                let changes = submission.events.into_iter().map(Change::from).collect();
                Ok(Some(Ok(Done { changes, ..decided.at(position) })))
            }
            Ok(decided) => {
                submission.idempotency_key = key.map(|key| IdempotencyKey {
                    object_id: decided.object_id(),
                    version: decided.version,
                    ..key
                });
                self.submit(submission, decided).await
            }
            Err(Error::Conflict) => Ok(None),
            Err(refusal @ (Error::Refused(_) | Error::Forbidden)) => {
                submission.idempotency_key = key;
                let stands = self.store.still_stands(&submission).await?;
                Ok(stands.then_some(Err(refusal)))
            }
            Err(other) => Err(other),
        }
    }

    async fn submit(
        &self,
        submission: Submission,
        decided: Decided,
    ) -> Result<Option<Result<Done>>> {
        if submission.events.is_empty() && submission.idempotency_key.is_none() {
            // Nothing to do: true only while what was read still stands.
            let stands = self.store.still_stands(&submission).await?;
            let position = projections::log::head(self.store.pool()).await?;
            return Ok(stands.then(|| Ok(decided.at(position))));
        }
        if let Some(finding) = unstorable(&submission) {
            return Err(Error::Refused(vec![finding]));
        }
        match self.store.append(submission).await? {
            Verdict::Accepted(position) => Ok(Some(Ok(decided.at(position)))),
            Verdict::Conflict => Ok(None),
            Verdict::Refused(findings) => Ok(Some(Err(Error::Refused(findings)))),
        }
    }

    async fn replay(&self, key: Option<&IdempotencyKey>) -> Result<Option<Done>> {
        let Some(key) = key else { return Ok(None) };
        let granted = self
            .store
            .idempotency_key(&key.subject, key.mutation, &key.key, &key.input_hmac)
            .await?;
        match granted {
            None => Ok(None),
            Some(Granted { same_input: false, .. }) => Err(Error::refused(
                "IDEMPOTENCY_KEY_REUSED",
                "idempotencyKey",
                "This key was used for another input.",
            )),
            Some(Granted { object_id: id, version, position, .. }) => {
                Ok(Some(Done::replayed(id, version, position)))
            }
        }
    }

    fn idempotency_key<I: Input>(
        &self,
        request: &Request,
        input: &I,
    ) -> Result<Option<IdempotencyKey>> {
        let Some(key) = input.idempotency_key().filter(|_| self.appends) else { return Ok(None) };
        let mut checks = domain::text::Checks::default();
        checks.line("idempotencyKey", key, 128);
        checks.done()?;
        let canonical = serde_json::to_vec(input).map_err(|error| Error::Fault(error.into()))?;
        Ok(Some(IdempotencyKey {
            subject: request.actor.subject.clone(),
            mutation: I::MUTATION,
            key: key.to_owned(),
            input_hmac: self.keys.hmac("idempotency", &canonical),
            object_id: String::new(),
            version: 0,
        }))
    }

    fn queue(&self, stream: StreamId) -> Arc<tokio::sync::Mutex<()>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&stream).and_then(std::sync::Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        queues.insert(stream, Arc::downgrade(&queue));
        queue
    }
}

impl From<NewEvent> for Change {
    fn from(NewEvent { stream, event_type: event, payload, .. }: NewEvent) -> Self {
        Self { noun: stream.aggregate_type, id: stream.aggregate_id, event, payload }
    }
}

/// What tells a proposal from other objects in `idempotency_keys`: no id has a slash.
const PROPOSAL: &str = "proposal/";

impl Done {
    fn replayed(object_id: String, version: i64, position: i64) -> Self {
        let proposal = object_id.strip_prefix(PROPOSAL).map(ToOwned::to_owned);
        let (proposed, id) = (proposal.is_some(), proposal.unwrap_or(object_id));
        let (secret, changes) = (None, Vec::new());
        Self { id, version, position, secret, replayed: true, proposed, changes }
    }
}

impl Decided {
    /// The decision is about several objects, which `ids` names all.
    pub fn about_many(ids: String) -> Self {
        Self { id: ids, version: 0, secret: None, proposed: false }
    }

    /// The object is a proposal, made in the place of what was wished.
    pub fn into_proposal(self) -> Self {
        Self { proposed: true, ..self }
    }

    fn object_id(&self) -> String {
        if self.proposed { format!("{PROPOSAL}{}", self.id) } else { self.id.clone() }
    }

    fn at(self, position: i64) -> Done {
        let Self { id, version, secret, proposed } = self;
        Done { id, version, position, secret, replayed: false, proposed, changes: Vec::new() }
    }
}

impl Unit {
    /// Who asks.
    pub fn actor(&self) -> &Actor {
        &self.request.actor
    }

    /// Whether something was decided that a second person has to confirm before it happens.
    pub fn wants_second_person(&self, action: ProposedAction) -> bool {
        let Commands { four_eyes, appends, .. } = self.commands;
        let is_needed = four_eyes || action.always_needs_two();
        is_needed && appends && !self.draft().submission.events.is_empty()
    }

    /// Throws away what was decided. What was read is kept: a proposal, too, rests on it.
    pub fn set_aside(&self) {
        let Submission { streams, fences, .. } = std::mem::take(&mut self.draft().submission);
        self.draft().submission = Submission { streams, fences, ..Submission::default() };
        self.draft().causation_id = None;
    }

    /// The same unit for a wish that was given earlier, and that expected this version.
    pub fn expecting(&self, expected_version: Option<i64>) -> Self {
        Self { expected_version, ..self.clone() }
    }

    /// The pool for reading sets; name the fence of a set before reading it.
    pub fn pool(&self) -> &PgPool {
        self.commands.store.pool()
    }

    /// Refuses an actor whose roles do not allow the operation on everything.
    pub fn permit(&self, operation: Operation) -> Result<()> {
        if self.actor().may_on_any(operation) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// Refuses an actor whose roles do not allow the operation on what is his own.
    pub fn permit_own(&self, operation: Operation) -> Result<()> {
        if self.actor().may_on_own(operation) { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// Refuses an actor whose roles do not allow the operation on what belongs to `partner`. A
    /// stranger gets the answer that he would get if the thing did not exist; a member, who sees
    /// it, is told that his role there does not suffice.
    pub fn permit_on(
        &self,
        operation: Operation,
        partner: &Stream<Partner>,
        not_found: impl Into<Vec<Finding>>,
    ) -> Result<()> {
        let actor = self.actor();
        let id = partner.id.as_str().into();
        let member = partner.profile().and_then(|it| actor.role_at(&id, &it.members));
        if !actor.may_on_own(operation) {
            return Err(Error::Forbidden);
        }
        if partner.is_missing() || (member.is_none() && !actor.may_on_any(operation)) {
            return Err(Error::Refused(not_found.into()));
        }
        if !actor.may(operation, member) {
            return Err(Error::Forbidden);
        }
        if member.is_some() {
            self.draft().actor_partner.clone_from(&partner.id);
        }
        Ok(())
    }

    /// Reads a stream.
    pub async fn load<A: Decide>(&self, id: &str) -> Result<Stream<A>> {
        let (state, version) = self.commands.store.load::<A>(id).await?;
        let stream = Stream { id: id.to_owned(), version, state };
        self.remember(&stream);
        Ok(stream)
    }

    /// Refuses to go on when the object is not in the version that the caller expects. Asked after
    /// the permission, so that it tells a stranger nothing.
    pub fn expect<A>(&self, stream: &Stream<A>) -> Result<()> {
        match self.expected_version {
            Some(expected) if expected != stream.version => Err(Error::Conflict),
            _ => Ok(()),
        }
    }

    /// Reads many streams of one noun in one statement.
    pub async fn load_many<A: Decide>(&self, ids: &[String]) -> Result<Vec<Stream<A>>> {
        let streams = self.commands.store.load_many::<A>(ids).await?;
        let stream = |(id, state, version)| Stream { id, version, state };
        let streams: Vec<Stream<A>> = streams.into_iter().map(stream).collect();
        for stream in &streams {
            self.remember(stream);
        }
        Ok(streams)
    }

    /// A stream that begins with this decision.
    pub fn begin<A: Decide>(&self) -> Stream<A> {
        self.begin_as(new_id().to_string())
    }

    /// A stream that begins with this decision under a chosen id.
    pub fn begin_as<A: Decide>(&self, id: String) -> Stream<A> {
        let stream = Stream { id, version: 0, state: A::default() };
        self.remember(&stream);
        stream
    }

    /// Reads the version of a set, before the set itself is read.
    pub async fn fence(&self, name: impl Into<String> + Send) -> Result<()> {
        let name = name.into();
        let version = self.commands.store.fence(&name).await?;
        self.draft().submission.fences.entry(name).or_insert(version);
        Ok(())
    }

    /// Something is put into a set, or revived in it.
    pub fn raise(&self, fence: String) {
        self.draft().submission.raised.insert(fence);
    }

    /// Takes a name for a stream; whoever holds it already is told `taken`.
    pub fn claim(&self, name: Name, holder: StreamId, taken: Option<Finding>) {
        self.draft().submission.claims.push(Claim { name, holder, taken });
    }

    /// Gives a name back.
    pub fn release(&self, name: Name, holder: StreamId) {
        self.draft().submission.released.push((name, holder));
    }

    /// Gives back every name of this kind that a stream holds: also one that can be computed from
    /// nothing any more.
    pub async fn release_all(&self, kind: &'static str, holder: StreamId) -> Result<()> {
        for name in self.commands.store.names_of(kind, &holder).await? {
            self.release(name, holder.clone());
        }
        Ok(())
    }

    /// Keeps personal data.
    pub fn keep_personal(&self, row: SealedRow) {
        self.draft().submission.personal_data.push(row);
    }

    /// Keeps the keyed hash of a secret.
    pub fn keep_hash(&self, hash: SecretHash) {
        self.draft().submission.secret_hashes.push(hash);
    }

    /// What follows is caused by the last event of `stream`, not by the request itself.
    pub fn because_of<A: Aggregate>(&self, stream: &Stream<A>) {
        self.draft().causation_id = Some(format!("{}#{}", stream.stream_id(), stream.version));
    }

    /// Decides, and adds the events to what will be submitted. Whether there were any.
    pub fn decide<A: Decide>(&self, stream: &mut Stream<A>, command: A::Command) -> Result<bool>
    where
        Vec<Finding>: From<A::Error>,
    {
        let events =
            stream.state.decide(command).map_err(|refusal| Error::Refused(refusal.into()))?;
        let metadata = self.metadata()?;
        let changed = !events.is_empty();
        for event in events {
            self.draft().submission.events.push(NewEvent {
                stream: stream.stream_id(),
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: json(&event)?,
                metadata: metadata.clone(),
            });
            stream.state.apply(event);
            stream.version += 1;
        }
        Ok(changed)
    }

    fn metadata(&self) -> Result<String> {
        let actor = self.actor();
        let draft = self.draft();
        let request_id = self.request.request_id.to_string();
        json(&Metadata {
            actor: actor.subject.clone(),
            roles: actor.roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            actor_partner: draft.actor_partner.clone(),
            correlation_id: self.request.correlation_id.clone(),
            causation_id: draft.causation_id.clone().unwrap_or_else(|| request_id.clone()),
            request_id,
        })
    }

    fn remember<A: Aggregate>(&self, stream: &Stream<A>) {
        self.draft().submission.streams.entry(stream.stream_id()).or_insert(stream.version);
    }

    fn take(&self) -> Submission {
        let submission = std::mem::take(&mut self.draft().submission);
        Submission { request_id: self.request.request_id, ..submission }
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Fault(error.into()))
}
