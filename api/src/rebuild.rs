//! `pms rebuild` on the command line, and how it shows how far it has come.
#![expect(clippy::print_stdout, reason = "what people and scripts read")]

use crate::progress::Bar;
use crate::service::{Database, Error};
use projections::rebuild::{Progress, Step};
use projections::verify::Verified;

/// Folds the read tables anew.
pub async fn rebuild(database: &Database) -> Result<(), Error> {
    let mut bar = Bar::default();
    let mut owner = database.owner().await?;
    projections::rebuild::rebuild(&mut owner, |progress| show(&mut bar, progress)).await?;
    bar.ends();
    println!("the read tables are folded anew");
    Ok(())
}

/// Compares the read tables with the log.
pub async fn verify(database: &Database) -> Result<(), Error> {
    let mut bar = Bar::default();
    let mut owner = database.owner().await?;
    let verified = projections::verify::verify(&mut owner, |it| show(&mut bar, it)).await?;
    bar.ends();
    let Verified { position, rows, differences, first } = verified;
    if let Some(first) = first {
        return Err(Error::Differs { differences, position, first });
    }
    println!("{rows} rows are what the log says up to position {position}");
    Ok(())
}

/// Shows how far folding has come.
pub fn show(bar: &mut Bar, Progress { step, done, all }: Progress) {
    let what = match step {
        Step::Fold => "folding events",
        Step::Rows => "rows",
        Step::Index => "indexing tables",
    };
    bar.shows(what, done.unsigned_abs(), all.unsigned_abs());
}
