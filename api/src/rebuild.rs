//! `pms rebuild` on the command line, and how it shows how far it has come.
#![expect(clippy::print_stdout, reason = "what people and scripts read")]

use crate::service::{Database, Error};
use indicatif::{ProgressBar, ProgressStyle};
use projections::rebuild::{Progress, Step};
use projections::verify::Verified;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// What a terminal shows: how much, how fast, and how long it will take.
const STYLE: &str = "{msg:20} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";
/// Where there is no terminal, a line is written this often.
const LINES: Duration = Duration::from_secs(5);

/// Folds the read tables anew.
pub async fn rebuild(database: &Database) -> Result<(), Error> {
    let mut bar = Bar::default();
    let mut owner = database.owner().await?;
    projections::rebuild::rebuild(&mut owner, |progress| bar.shows(progress)).await?;
    bar.ends();
    println!("the read tables are folded anew");
    Ok(())
}

/// Compares the read tables with the log.
pub async fn verify(database: &Database) -> Result<(), Error> {
    let mut bar = Bar::default();
    let mut owner = database.owner().await?;
    let verified = projections::verify::verify(&mut owner, |progress| bar.shows(progress)).await?;
    bar.ends();
    let Verified { position, rows, differences, first } = verified;
    if let Some(first) = first {
        return Err(Error::Differs { differences, position, first });
    }
    println!("{rows} rows are what the log says up to position {position}");
    Ok(())
}

/// How far something has come: a bar on a terminal, else a line now and then.
#[derive(Default)]
pub struct Bar {
    shown: Option<Shown>,
}

struct Shown {
    step: Step,
    bar: ProgressBar,
    begun: Instant,
    lines: u32,
}

impl Bar {
    /// Shows it.
    pub fn shows(&mut self, progress: Progress) {
        if self.shown.as_ref().is_none_or(|shown| shown.step != progress.step) {
            self.ends();
        }
        let shown = self.shown.get_or_insert_with(|| Shown::of(progress.step));
        shown.bar.set_length(progress.all.unsigned_abs());
        shown.bar.set_position(progress.done.unsigned_abs());
        if !std::io::stderr().is_terminal() {
            shown.line(progress);
        }
    }

    /// Takes it away.
    pub fn ends(&mut self) {
        if let Some(shown) = self.shown.take() {
            shown.bar.finish_and_clear();
        }
    }
}

impl Shown {
    fn of(step: Step) -> Self {
        let style = ProgressStyle::with_template(STYLE);
        let bar = ProgressBar::new(0).with_message(name(step));
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { step, bar, begun: Instant::now(), lines: 0 }
    }

    fn line(&mut self, Progress { step, done, all }: Progress) {
        if self.begun.elapsed() >= LINES * (self.lines + 1) {
            self.lines += 1;
            let (rate, left) = (self.bar.per_sec(), self.bar.eta().as_secs());
            println!("{}: {done} of {all}, {rate:.0} a second, {left} s left", name(step));
        }
    }
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Fold => "folding events",
        Step::Rows => "rows",
        Step::Index => "indexing tables",
    }
}
