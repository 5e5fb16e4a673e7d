//! Consents in GraphQL.

use crate::caller::caller;
use crate::errors::{Result, answer};
use crate::row::{changed, one};
use crate::scalars::{AsOf, Position};
use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};
use commands::consent::{GiveConsent, WithdrawConsent};
use commands::{Done, Error};
use domain::actor::Operation;
use domain::reference::consent_text;
use projections::consent::{ConsentStatus, Row};

/// A text that people agree to before they work here.
#[derive(SimpleObject)]
pub struct ConsentText {
    /// Its version; a text that has been agreed to is never changed.
    version: u32,
    /// The text in every language.
    texts: Vec<TextInLanguage>,
}

/// A text in one language.
#[derive(SimpleObject)]
pub struct TextInLanguage {
    /// The language by ISO 639-3, three lower-case letters.
    lang_code: &'static str,
    /// The text in this language.
    text: &'static str,
}

/// What somebody has agreed to.
#[derive(SimpleObject)]
pub struct MyConsent {
    /// Whether he agrees now.
    given: bool,
    /// The version of the text that was agreed to last.
    text_version: Option<u32>,
    /// When it was agreed to, or taken back.
    at: Option<DateTime<Utc>>,
}

impl MyConsent {
    /// The consent of a person.
    pub async fn of(ctx: &Context<'_>, subject: &str) -> Result<Self> {
        let row = one::<Row>(ctx, subject, None).await?;
        let given = row.as_ref().is_some_and(|row| row.status == ConsentStatus::Given);
        let text_version = row.as_ref().map(|row| row.text_version);
        Ok(Self { given, text_version, at: row.map(|row| row.at) })
    }

    /// Whether the caller need not be asked again.
    pub fn is_to_the_newest_text(&self) -> bool {
        self.given && self.text_version == Some(consent_text().version)
    }
}

/// A consent after a change.
#[derive(SimpleObject)]
pub struct ConsentPayload {
    /// What was changed.
    consent: Row,
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
}

async fn payload(ctx: &Context<'_>, done: commands::Result<Done>) -> Result<ConsentPayload> {
    let (consent, position) = changed(ctx, done).await?;
    Ok(ConsentPayload { consent, position })
}

/// Questions about consents.
#[derive(Default)]
pub struct ConsentQuery;

#[Object]
impl ConsentQuery {
    /// The newest consent text: the one to agree to.
    async fn consent_text(&self) -> ConsentText {
        let text = consent_text();
        let texts = text.texts.iter();
        let texts = texts.map(|(lang_code, text)| TextInLanguage { lang_code, text }).collect();
        ConsentText { version: text.version, texts }
    }

    /// What a person agreed to, now or at a point in the past; null when there is no consent that
    /// the caller may see. Everybody sees his own.
    async fn consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose consent: the subject of the access token.")] subject: String,
        as_of: Option<AsOf>,
    ) -> Result<Option<Row>> {
        let actor = &caller(ctx).request.actor;
        if !actor.may_on_own(Operation::ReadConsent) {
            return answer(ctx, Err(Error::Forbidden));
        }
        if actor.subject != subject && !actor.may_on_any(Operation::ReadConsent) {
            return Ok(None);
        }
        one::<Row>(ctx, &subject, as_of).await
    }
}

/// Changes of consents.
#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Agrees to the newest consent text, for oneself.
    /// Refused with `CONSENT_TEXT_OUTDATED` for an older text.
    async fn give_consent(&self, ctx: &Context<'_>, input: GiveConsent) -> Result<ConsentPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.give_consent(&caller.request, &input).await).await
    }

    /// Takes one's consent back.
    /// Refused with `CONSENT_NOT_GIVEN`.
    async fn withdraw_consent(
        &self,
        ctx: &Context<'_>,
        input: WithdrawConsent,
    ) -> Result<ConsentPayload> {
        let caller = caller(ctx);
        payload(ctx, caller.commands.withdraw_consent(&caller.request, &input).await).await
    }
}
