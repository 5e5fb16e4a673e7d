//! What is different about one thing between two points of the log, in GraphQL.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::history::Entry;
use crate::scalars::{AsOf, Position};
use crate::{policy as policies, policy_request as requests};
use async_graphql::{Context, ID, Object, SimpleObject};
use commands::Error;
use domain::actor::Operation;
use domain::ids::PartnerId;
use projections::diff::{Between, FieldChange, between, changes};
use projections::fold::Fold;
use projections::log::{head, position_at};
use projections::noun::Noun;
use projections::{
    Viewer, api_key, device, extractor, ftm_chip, misp_license, oidc_client, partner, policy,
    policy_group, policy_request, proposal, sbi, trust_certificate,
};

/// What is different about a thing, and what happened to it, between two points of the log.
#[derive(SimpleObject)]
pub struct Diff {
    /// What kind of thing it is.
    noun: Noun,
    /// Which one.
    id: ID,
    /// The last position that the first look saw.
    from: Position,
    /// The last position that the second look saw.
    to: Position,
    /// The fields that differ, by name. What can be asked for of personal data is not among them.
    changes: Vec<FieldChange>,
    /// What happened after the first look, up to the second, oldest first: at most 200 events.
    /// `history` has the others.
    events: Vec<Entry>,
    /// How many events that are in all.
    event_count: usize,
}

/// The question what is different.
#[derive(Default)]
pub struct DiffQuery;

#[Object]
impl DiffQuery {
    /// What is different about one thing between two points of the log, and what happened to it
    /// between; null when there is none at either that the caller may see, with its history.
    /// Refused with `FROM_AFTER_TO`.
    async fn diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What kind of thing it is.")] noun: Noun,
        id: ID,
        #[graphql(desc = "Where the first look is taken.")] from: AsOf,
        #[graphql(desc = "Where the second look is taken; now when absent.")] to: Option<AsOf>,
    ) -> Result<Option<Diff>> {
        let caller = caller(ctx);
        let history = caller.viewer(ctx, Operation::ReadHistory)?;
        let viewer = caller.viewer(ctx, noun.operation())?;
        let pool = caller.pool();
        let from = answer(ctx, position_at(pool, from.0).await)?;
        let to = match to {
            Some(AsOf(to)) => position_at(pool, to).await,
            None => head(pool).await,
        };
        let to = answer(ctx, to)?;
        if from > to {
            let message = "The first look comes after the second.";
            return answer(ctx, Err(Error::refused("FROM_AFTER_TO", "from", message)));
        }
        let look = Look { ctx, noun, id, from, to };
        let all = history == Viewer::All;
        let own = |partner: &PartnerId| history.sees(partner) && viewer.sees(partner);
        match noun {
            Noun::Partner => look.at::<partner::Row>(|row| own(&row.id)).await,
            Noun::PolicyRequest => {
                let is_seen = |row: &policy_request::Row| {
                    own(&row.partner_id) && requests::readable(ctx, &viewer, row)
                };
                look.at(is_seen).await
            }
            Noun::ApiKey => look.at::<api_key::Row>(|row| own(&row.partner_id)).await,
            Noun::MispLicense => look.at::<misp_license::Row>(|row| own(&row.partner_id)).await,
            Noun::OidcClient => look.at::<oidc_client::Row>(|row| own(&row.partner_id)).await,
            Noun::Sbi => look.at::<sbi::Row>(|row| own(&row.partner_id)).await,
            Noun::Device => look.at::<device::Row>(|row| own(&row.partner_id)).await,
            Noun::FtmChip => look.at::<ftm_chip::Row>(|row| own(&row.partner_id)).await,
            // What belongs to nobody is in nobody's own part of the history.
            Noun::Policy => look.at::<policy::Row>(|row| all && policies::readable(ctx, row)).await,
            Noun::TrustCertificate => look.at::<trust_certificate::Row>(|_| all).await,
            Noun::PolicyGroup => look.at::<policy_group::Row>(|_| all).await,
            Noun::Extractor => look.at::<extractor::Row>(|_| all).await,
            Noun::Proposal => look.at::<proposal::Row>(|_| all).await,
        }
    }
}

/// Two looks at one thing.
struct Look<'a> {
    ctx: &'a Context<'a>,
    noun: Noun,
    id: ID,
    from: i64,
    to: i64,
}

impl Look<'_> {
    async fn at<R: Fold>(self, is_seen: impl Fn(&R) -> bool) -> Result<Option<Diff>> {
        let Self { ctx, noun, id, from, to } = self;
        let found = between::<R>(caller(ctx).pool(), &id, from, to).await;
        let Between { before, after, events, event_count } = answer(ctx, found)?;
        let (before, after) = (before.filter(&is_seen), after.filter(&is_seen));
        if before.is_none() && after.is_none() {
            return Ok(None);
        }
        let changes = answer(ctx, changes(before.as_ref(), after.as_ref()))?;
        let events = events.into_iter().map(Entry::from).collect();
        let (from, to) = (Position(from), Position(to));
        Ok(Some(Diff { noun, id, from, to, changes, events, event_count }))
    }
}
