//! A key that is shown once, in the answer to the wish that issued it.

use crate::errors::{Result, resolver_error};
use crate::row::changed;
use crate::scalars::Position;
use async_graphql::{ComplexObject, Context, SimpleObject};
use commands::Done;
use domain::Finding;
use projections::fold::Fold;
use secrecy::{ExposeSecret as _, SecretString};

/// What comes with a new key.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Shown {
    /// Where the log stands: what was asked for is in it up to here.
    position: Position,
    #[graphql(skip)]
    secret: Option<SecretString>,
}

#[ComplexObject]
impl Shown {
    /// The key itself, shown this once. Where the same wish was granted before, the answer has the
    /// error `SECRET_ALREADY_SHOWN` instead: rotate the key.
    async fn secret(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let message = "This key was shown once already; rotate it if it is lost.";
        match &self.secret {
            Some(secret) => Ok(Some(secret.expose_secret().to_owned())),
            None => {
                Err(resolver_error(ctx, &Finding::new("SECRET_ALREADY_SHOWN", "secret", message)))
            }
        }
    }
}

/// The row of the key that a command has issued, and what comes with it.
pub async fn issued<R: Fold>(
    ctx: &Context<'_>,
    mut done: commands::Result<Done>,
) -> Result<(R, Shown)> {
    let secret = done.as_mut().ok().and_then(|done| done.secret.take());
    let (row, position) = changed(ctx, done).await?;
    Ok((row, Shown { position, secret }))
}
