//! What verifying has shown, in plain words.

use domain::audit::Fault;
use std::fmt;
use std::ops::RangeInclusive;

/// What was proved and what was not. Prints as lines for people.
#[derive(Debug, Default)]
pub struct Report {
    /// What is proved.
    pub proved: Vec<String>,
    /// Of what nothing can be said.
    pub not_covered: Vec<String>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Where the first wrong position is: exactly, or as near as can be said.
    pub first_wrong: Option<RangeInclusive<u64>>,
}

/// The short answer; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was claimed is proved.
    Proved = 0,
    /// Something is not.
    NotProved = 1,
    /// Something cannot be read, and nothing else is wrong.
    Unreadable = 2,
}

impl Report {
    /// The short answer.
    pub fn verdict(&self) -> Verdict {
        let is_form = |fault: &Fault| matches!(fault, Fault::Unreadable(_));
        match self.faults.as_slice() {
            [] => Verdict::Proved,
            faults if faults.iter().all(is_form) => Verdict::Unreadable,
            _ => Verdict::NotProved,
        }
    }

    /// Notes a fault. A wrong entry is in every case a wrong position; one that contradicts those before
    /// it may be right, and one of them wrong.
    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::WrongEntry { position, .. } => self.wrong_within(position..=position),
            Fault::Contradiction { position, .. } => self.wrong_within(1..=position),
            Fault::Unreadable(_) | Fault::NotProved(_) => {}
        }
        self.faults.push(fault);
    }

    /// Notes that at least one of these positions is wrong. The range that ends first is told, and the
    /// narrowest of those.
    pub(super) fn wrong_within(&mut self, positions: RangeInclusive<u64>) {
        let known = self.first_wrong.get_or_insert_with(|| positions.clone());
        let (end, start) = (known.end(), known.start());
        if positions.end() < end || (positions.end() == end && positions.start() > start) {
            *known = positions;
        }
    }
}

impl From<Fault> for Report {
    fn from(fault: Fault) -> Self {
        let mut report = Self::default();
        report.fault(fault);
        report
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(|fault| match fault {
            Fault::Unreadable(_) => ("UNREADABLE", fault.to_string()),
            _ => ("NOT PROVED", fault.to_string()),
        });
        let told = |word: &'static str, texts: &[String]| -> Vec<(&'static str, String)> {
            texts.iter().map(|text| (word, text.clone())).collect()
        };
        let lines = told("proved", &self.proved).into_iter();
        for (word, text) in lines.chain(told("not covered", &self.not_covered)).chain(faults) {
            writeln!(f, "{word:12} {}", printable(&text))?;
        }
        match (self.verdict(), &self.first_wrong) {
            (Verdict::Proved, _) => write!(f, "PROVED"),
            (Verdict::Unreadable, _) => write!(f, "UNREADABLE"),
            (Verdict::NotProved, None) => write!(f, "NOT PROVED"),
            (Verdict::NotProved, Some(it)) if it.start() == it.end() => {
                write!(f, "NOT PROVED: the first wrong position is {}", it.start())
            }
            (Verdict::NotProved, Some(it)) => {
                let (start, end) = (it.start(), it.end());
                write!(f, "NOT PROVED: the first wrong position is one of {start} to {end}")
            }
        }
    }
}

/// What comes from files must not draw on the terminal, nor begin a line of the report.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect::<String>().replace('\n', "\n             ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable() -> Fault {
        Fault::Unreadable("no".to_owned())
    }

    #[test]
    fn what_is_wrong_weighs_more_than_what_cannot_be_read() {
        let mut report = Report::default();
        assert_eq!(report.verdict(), Verdict::Proved);
        report.fault(unreadable());
        assert_eq!(report.verdict(), Verdict::Unreadable);
        report.fault(Fault::NotProved("no".to_owned()));
        report.fault(unreadable());
        assert_eq!(report.verdict(), Verdict::NotProved);
    }

    #[test]
    fn the_first_wrong_position_is_told_as_near_as_it_is_known() {
        let mut report = Report::from(Fault::NotProved("no".to_owned()));
        for (within, told) in [
            (1..=700, "one of 1 to 700"),
            (301..=700, "one of 301 to 700"),
            (1..=800, "one of 301 to 700"),
            (500..=500, "500"),
            (257..=512, "500"),
            (1..=256, "one of 1 to 256"),
        ] {
            report.wrong_within(within);
            let told = format!("the first wrong position is {told}");
            assert!(report.to_string().ends_with(&told), "{report}");
        }
    }

    #[test]
    fn of_what_contradicts_each_other_no_innocent_one_is_named() {
        let contradiction = || Fault::Contradiction { position: 12, reason: "no".to_owned() };
        assert_eq!(Report::from(contradiction()).first_wrong, Some(1..=12));
        let mut report = Report::default();
        report.wrong_within(6..=12); // the first five are covered
        report.fault(contradiction());
        assert_eq!(report.first_wrong, Some(6..=12));
    }

    #[test]
    fn nothing_draws_on_the_terminal() {
        let proved = vec!["by \u{1b}[2Jmallory".to_owned()];
        let report = Report { proved, ..Report::default() };
        assert_eq!(report.to_string(), "proved       by \u{fffd}[2Jmallory\nPROVED");
        let report = Report::from(Fault::NotProved("one\nproved       two".to_owned()));
        let lines = "NOT PROVED   one\n             proved       two\nNOT PROVED";
        assert_eq!(report.to_string(), lines);
    }
}
