//! Loads what many rows of an answer point to in one statement.

use crate::errors::{self, read};
use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use chrono::{DateTime, Utc};
use commands::{Commands, Error};
use domain::partner::Contact;
use domain::trust_certificate::standing::{Fact, Facts};
use projections::change::Moment;
use projections::device::{Counts, counts};
use projections::diff::FieldChange;
use projections::fold::find_many;
use projections::partner::contacts_erased_at;
use projections::trust_certificate::{dependents::used_by, facts};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use uuid::Uuid;

/// Finds things by their ids, for one request.
#[derive(Debug, Clone)]
pub struct Things(Commands);

/// A loader for one request: what it has loaded is forgotten with it.
pub fn loader(commands: &Commands) -> DataLoader<Things> {
    DataLoader::new(Things(commands.clone()), tokio::spawn)
}

/// The thing with this id; `None` when there is none.
pub async fn load<T: Thing>(ctx: &Context<'_>, id: &str) -> errors::Result<Option<T>> {
    let loader = ctx.data_unchecked::<DataLoader<Things>>();
    let found = loader.load_one(Id(id.to_owned(), PhantomData)).await;
    read(ctx, found.map_err(|error| shared(&error)))
}

/// The things with these ids, in their order; those that there are.
pub async fn load_all<T: Thing>(
    ctx: &Context<'_>,
    ids: impl Iterator<Item = &str>,
) -> errors::Result<Vec<T>> {
    let loader = ctx.data_unchecked::<DataLoader<Things>>();
    let ids: Vec<Id<T>> = ids.map(|id| Id(id.to_owned(), PhantomData)).collect();
    let found = loader.load_many(ids.clone()).await;
    let found = read(ctx, found.map_err(|error| shared(&error)))?;
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// Contact data; `None` when it was erased.
pub async fn contact(ctx: &Context<'_>, reference: Uuid) -> errors::Result<Option<Contact>> {
    let found = ctx.data_unchecked::<DataLoader<Things>>().load_one(reference).await;
    read(ctx, found.map_err(|error| shared(&error)))
}

/// One failure is told to everybody who waited for the same statement.
fn shared(error: &Arc<Error>) -> Error {
    match &**error {
        Error::Unavailable => Error::Unavailable,
        Error::Refused(findings) => Error::Refused(findings.clone()),
        other => Error::fault(other.to_string()),
    }
}

/// The id of a `T`.
pub struct Id<T>(String, PhantomData<fn() -> T>);

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Something that is found by its id.
pub trait Thing: Clone + Send + Sync + 'static {
    /// All that are found, by their ids.
    fn find(
        commands: &Commands,
        ids: &[String],
    ) -> impl Future<Output = Result<HashMap<String, Self>, Error>> + Send;
}

impl<T: Thing> Loader<Id<T>> for Things {
    type Value = T;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[Id<T>]) -> Result<HashMap<Id<T>, T>, Self::Error> {
        let ids: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let found = T::find(&self.0, &ids).await.map_err(Arc::new)?;
        Ok(found.into_iter().map(|(id, thing)| (Id(id, PhantomData), thing)).collect())
    }
}

impl Loader<Uuid> for Things {
    type Value = Contact;
    type Error = Arc<Error>;

    async fn load(&self, references: &[Uuid]) -> Result<HashMap<Uuid, Contact>, Self::Error> {
        let wrapping = &self.0.keys().wrapping;
        let contacts = wrapping.contacts(self.0.store().pool(), references).await;
        contacts.map_err(|error| Arc::new(error.into()))
    }
}

/// What an event changed; nothing where its thing has no read table.
pub async fn changes(ctx: &Context<'_>, moment: Moment) -> errors::Result<Vec<FieldChange>> {
    let found = ctx.data_unchecked::<DataLoader<Things>>().load_one(moment).await;
    Ok(read(ctx, found.map_err(|error| shared(&error)))?.unwrap_or_default())
}

impl Loader<Moment> for Things {
    type Value = Vec<FieldChange>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        moments: &[Moment],
    ) -> Result<HashMap<Moment, Vec<FieldChange>>, Self::Error> {
        let found = projections::change::changes(self.0.store().pool(), moments).await;
        found.map_err(|error| Arc::new(error.into()))
    }
}

impl Thing for Counts {
    async fn find(commands: &Commands, ids: &[String]) -> Result<HashMap<String, Self>, Error> {
        Ok(counts(commands.store().pool(), ids).await?.into_iter().collect())
    }
}

/// All that is known of the trust certificates of a domain, by its name.
impl Thing for Arc<Facts> {
    async fn find(commands: &Commands, ids: &[String]) -> Result<HashMap<String, Self>, Error> {
        let mut domains: HashMap<String, Vec<Fact>> =
            ids.iter().map(|domain| (domain.clone(), Vec::new())).collect();
        for (domain, fact) in facts(commands.store().pool(), ids).await? {
            domains.entry(domain).or_default().push(fact);
        }
        let facts = |(domain, facts)| (domain, Self::new(Facts::new(facts)));
        Ok(domains.into_iter().map(facts).collect())
    }
}

/// When contact data of a partner was erased last.
#[derive(Debug, Clone, Copy)]
pub struct ErasedAt(pub DateTime<Utc>);

impl Thing for ErasedAt {
    async fn find(commands: &Commands, ids: &[String]) -> Result<HashMap<String, Self>, Error> {
        let times = contacts_erased_at(commands.store().pool(), ids).await?;
        Ok(times.into_iter().map(|(id, at)| (id, Self(at))).collect())
    }
}

/// How many certificates of partners and chips rest on a trust certificate.
#[derive(Debug, Clone, Copy)]
pub struct UsedBy(pub i64);

impl Thing for UsedBy {
    async fn find(commands: &Commands, ids: &[String]) -> Result<HashMap<String, Self>, Error> {
        let counts = used_by(commands.store().pool(), ids, commands.now()).await?;
        Ok(counts.into_iter().map(|(id, count)| (id, Self(count))).collect())
    }
}

/// Read rows and, for what may be done with them, the states that decisions are made on.
macro_rules! things {
    ($($noun:ident :: $State:ident),*) => {
        $(
            impl Thing for projections::$noun::Row {
                async fn find(
                    commands: &Commands,
                    ids: &[String],
                ) -> Result<HashMap<String, Self>, Error> {
                    let rows = find_many::<Self>(commands.store().pool(), ids).await?;
                    Ok(rows.into_iter().map(|row| (row.id.as_str().to_owned(), row)).collect())
                }
            }

            impl Thing for domain::$noun::$State {
                async fn find(
                    commands: &Commands,
                    ids: &[String],
                ) -> Result<HashMap<String, Self>, Error> {
                    let streams = commands.store().load_many::<Self>(ids).await?;
                    Ok(streams.into_iter().map(|(id, state, _)| (id, state)).collect())
                }
            }
        )*
    };
}
things!(
    partner::Partner,
    trust_certificate::TrustCertificate,
    policy_group::PolicyGroup,
    policy::Policy,
    policy_request::PolicyRequest,
    extractor::Extractor,
    api_key::ApiKey,
    misp_license::MispLicense,
    oidc_client::OidcClient,
    sbi::Sbi,
    device::Device,
    ftm_chip::FtmChip,
    proposal::Proposal
);
