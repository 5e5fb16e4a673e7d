//! How far something has come that takes its time: a bar on a terminal, else a line now and then, both
//! on stderr.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// What a terminal shows: how much, how fast, and how long it will take.
const STYLE: &str = "{msg:20} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";
/// Where there is no terminal, a line is written this often.
const LINES: Duration = Duration::from_secs(5);

/// Shows one thing after the other.
#[derive(Default)]
pub struct Bar {
    shown: Option<Shown>,
}

struct Shown {
    what: &'static str,
    bar: ProgressBar,
    begun: Instant,
    lines: u32,
}

impl Bar {
    /// Shows that so much of it is done.
    pub fn shows(&mut self, what: &'static str, done: u64, all: u64) {
        if self.shown.as_ref().is_none_or(|shown| shown.what != what) {
            self.ends();
        }
        let shown = self.shown.get_or_insert_with(|| Shown::of(what));
        shown.bar.set_length(all);
        shown.bar.set_position(done);
        if !std::io::stderr().is_terminal() {
            shown.line(done, all);
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
    fn of(what: &'static str) -> Self {
        let style = ProgressStyle::with_template(STYLE);
        let bar = ProgressBar::new(0).with_message(what);
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { what, bar, begun: Instant::now(), lines: 0 }
    }

    fn line(&mut self, done: u64, all: u64) {
        if self.begun.elapsed() >= LINES * (self.lines + 1) {
            self.lines += 1;
            let (what, rate, left) = (self.what, self.bar.per_sec(), self.bar.eta().as_secs());
            eprintln!("{what}: {done} of {all}, {rate:.0} a second, {left} s left");
        }
    }
}
