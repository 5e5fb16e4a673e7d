//! Disclosed personal data, held against the events that refer to it, while the log is read.

use crate::log_folder::{DISCLOSED, LogFolder, about};
use domain::audit::Fault;
use domain::audit::disclosure::Disclosure;
use domain::log_entry::StoredEvent;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};

/// No line is longer, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// What is disclosed, in the order of the log, and what was found about it.
#[derive(Default)]
pub struct Disclosures {
    lines: Option<BufReader<File>>,
    next: Option<Disclosure>,
    shown: u64,
    /// What is not shown, by the stream that the log has to tell an erasure of: first position, number.
    missing: HashMap<String, (u64, u64)>,
    erased: u64,
}

impl Disclosures {
    /// Those of a folder; none where it has no such file.
    pub fn of(folder: &LogFolder) -> Result<Self, Fault> {
        let mut disclosures = Self::default();
        match File::open(folder.path(DISCLOSED)) {
            Ok(file) => disclosures.lines = Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::Unreadable(format!("{DISCLOSED}: {error}"))),
        }
        disclosures.advance()?;
        Ok(disclosures)
    }

    /// Holds what is disclosed for this event against it. After a fault nothing more is looked at.
    pub fn event(&mut self, position: u64, entry: &[u8]) -> Result<(), Fault> {
        let judged = self.judge(position, entry);
        if judged.is_err() {
            (self.lines, self.next) = (None, None);
        }
        judged.map_err(|fault| about(DISCLOSED, fault))
    }

    fn judge(&mut self, position: u64, entry: &[u8]) -> Result<(), Fault> {
        while let Some(disclosure) = self.next.take_if(|it| it.position <= position) {
            let read = StoredEvent::read(entry);
            let event = read.map_err(|reason| Fault::Unreadable(reason.to_owned()))?;
            if disclosure.position < position {
                let reason = format!("position {} is out of order", disclosure.position);
                return Err(Fault::Unreadable(reason));
            }
            if disclosure.verify(&event)? {
                self.shown += 1;
            } else {
                self.missing.entry(stream(&event)).or_insert((position, 0)).1 += 1;
            }
            self.advance()?;
        }
        if !self.missing.is_empty() && tells_erasure(entry) {
            let read = StoredEvent::read(entry);
            let event = read.map_err(|reason| Fault::Unreadable(reason.to_owned()))?;
            self.erased += self.missing.remove(&stream(&event)).map_or(0, |(_, count)| count);
        }
        Ok(())
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
        let mut not_covered: Vec<String> = self
            .missing
            .iter()
            .map(|(stream, (position, count))| {
                format!(
                    "{count} data of {stream}, from position {position} on, are not disclosed although \
                     the log tells of no erasure"
                )
            })
            .collect();
        not_covered.sort_unstable();
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

fn stream(event: &StoredEvent<'_>) -> String {
    format!("{}/{}", event.aggregate_type, event.aggregate_id)
}

/// Looks at the line with the type, without reading the rest.
fn tells_erasure(entry: &[u8]) -> bool {
    entry.split(|byte| *byte == b'\n').nth(5) == Some(b"personal_data_erased")
}
