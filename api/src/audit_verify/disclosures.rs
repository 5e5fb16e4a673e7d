//! Disclosed personal data, held against the events that refer to it, while the log is read.

use crate::log_folder::{DISCLOSED, LogFolder, about, open};
use domain::audit::Fault;
use domain::audit::disclosure::{Disclosure, commitments};
use domain::log_entry::StoredEvent;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};

/// No line is longer, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// More streams with data that is not disclosed are only counted.
const NAMED: usize = 5;

/// What is disclosed, in the order of the log, and what was found about it.
#[derive(Default)]
pub struct Disclosures {
    lines: Option<BufReader<File>>,
    next: Option<Disclosure>,
    /// What no erasure was told of yet, by stream.
    kept: HashMap<String, Kept>,
    shown: u64,
    erased: u64,
}

/// What a stream refers to since its last erasure.
#[derive(Default)]
struct Kept {
    shown: u64,
    missing: u64,
    /// The first position that refers to something that is missing.
    from: u64,
}

impl Disclosures {
    /// Those of a folder; none where it has no such file.
    pub fn of(folder: &LogFolder) -> Result<Self, Fault> {
        let mut disclosures = Self::default();
        match open(&folder.path(DISCLOSED)) {
            Ok(file) => disclosures.lines = Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Unreadable(format!("{DISCLOSED}: {error}"))),
        }
        disclosures.advance()?;
        Ok(disclosures)
    }

    /// Holds what is disclosed for this event against it, whose form is sound. After a line that is wrong
    /// nothing more is looked at.
    pub fn event(&mut self, entry: &[u8]) -> Result<(), Fault> {
        let (true, Ok(event)) = (self.lines.is_some(), StoredEvent::read(entry)) else {
            return Ok(());
        };
        let refers = self.refers(&event).inspect_err(|_| *self = Self::default());
        refers.and_then(|()| self.erases(&event)).map_err(|fault| about(DISCLOSED, fault))
    }

    /// Every reference has its line, or what it refers to is missing.
    fn refers(&mut self, event: &StoredEvent<'_>) -> Result<(), Fault> {
        let position = event.position.unsigned_abs();
        let (mut shown, mut missing) = (0, commitments(event.payload));
        while let Some(disclosure) = self.next.take_if(|it| it.position <= position) {
            if disclosure.position < position {
                let reason = format!("position {} is out of order", disclosure.position);
                return Err(Fault::Unreadable(reason));
            }
            if disclosure.verify(event)? {
                shown += 1;
                missing.retain(|(reference, _)| *reference != disclosure.reference.to_string());
            }
            self.advance()?;
        }
        if shown > 0 || !missing.is_empty() {
            let kept = self.kept.entry(stream(event)).or_default();
            if kept.missing == 0 {
                kept.from = position;
            }
            kept.shown += shown;
            kept.missing += missing.len() as u64;
            self.shown += shown;
        }
        Ok(())
    }

    /// What was erased cannot be shown.
    fn erases(&mut self, event: &StoredEvent<'_>) -> Result<(), Fault> {
        if event.event_type != "personal_data_erased" {
            return Ok(());
        }
        let kept = self.kept.remove(&stream(event)).unwrap_or_default();
        self.erased += kept.missing;
        if kept.shown == 0 {
            return Ok(());
        }
        Err(Fault::NotProved(format!(
            "{} data of {} are shown, although position {} tells that they were erased",
            kept.shown,
            stream(event),
            event.position
        )))
    }

    fn advance(&mut self) -> Result<(), Fault> {
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let mut line = String::new();
        let read = lines.by_ref().take(MAX_LINE).read_line(&mut line);
        read.map_err(|error| Fault::Unreadable(error.to_string()))?;
        self.next = (!line.is_empty()).then(|| line.trim_end().parse()).transpose()?;
        Ok(())
    }

    /// What is proved, and what is not covered.
    pub fn told(&self) -> (Option<String>, Vec<String>) {
        let mut missing: Vec<_> = self.kept.iter().filter(|(_, kept)| kept.missing > 0).collect();
        missing.sort_unstable_by_key(|(_, kept)| kept.from);
        let mut not_covered: Vec<String> = missing.iter().take(NAMED).map(not_shown).collect();
        if missing.len() > NAMED {
            let more = missing.len() - NAMED;
            not_covered.push(format!("and data of {more} more"));
        }
        if let Some(next) = &self.next {
            not_covered.push(format!("what is disclosed from position {} on", next.position));
        }
        let any = self.shown + self.erased > 0;
        let proved = format!(
            "{} disclosed data are what their events were committed to; {} are erased, and the log says so",
            self.shown, self.erased
        );
        (any.then_some(proved), not_covered)
    }
}

fn not_shown((stream, kept): &(&String, &Kept)) -> String {
    let Kept { missing, from, .. } = kept;
    format!(
        "{missing} data of {stream}, from position {from} on, are not disclosed although the log tells of no \
         erasure"
    )
}

fn stream(event: &StoredEvent<'_>) -> String {
    format!("{}/{}", event.aggregate_type, event.aggregate_id)
}
