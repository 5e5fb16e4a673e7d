//! The earlier heads that lie in the folder: whoever signed them, each must be one of this log.

use super::Report;
use crate::log_folder::{CHECKPOINTS, LogFolder, about};
use domain::audit::Fault;
use domain::audit::auditor::Auditor;
use domain::audit::checkpoint::Checkpoint;
use domain::audit::policy::Policy;

/// What is left of them, and what was found about the others.
pub struct EarlierHeads<'a> {
    folder: &'a LogFolder,
    policy: &'a Policy,
    /// Sizes, largest first.
    left: Vec<u64>,
    met: u64,
    unbelieved: u64,
    /// Only the first one is named.
    wrong: u64,
}

impl<'a> EarlierHeads<'a> {
    /// Those of a folder.
    pub fn of(folder: &'a LogFolder, policy: &'a Policy) -> Self {
        let mut left = folder.sizes();
        left.reverse();
        Self { folder, policy, left, met: 0, unbelieved: 0, wrong: 0 }
    }

    /// Compares the one of just this size with the log up to here.
    pub fn meet(&mut self, log: &Auditor, report: &mut Report) {
        while let Some(size) = self.left.pop_if(|size| *size <= log.size()) {
            let name = format!("{CHECKPOINTS}/{size}");
            let Err(fault) = self.judge(&name, log) else { continue };
            self.wrong += 1;
            if self.wrong == 1 {
                report.fault(about(name, fault));
            }
        }
    }

    fn judge(&mut self, name: &str, log: &Auditor) -> Result<(), Fault> {
        let note = self.folder.note(name)?;
        let checkpoint: Checkpoint = note.text().parse()?;
        if checkpoint.size != log.size() || checkpoint.root != log.root() {
            return Err(Fault::NotProved("it is not what the entries give".to_owned()));
        }
        match self.policy.check(&note) {
            Ok(_) => self.met += 1,
            Err(_) => self.unbelieved += 1,
        }
        Ok(())
    }

    /// Tells what was found, of a log that was verified up to `target`.
    pub fn end(&self, target: u64, report: &mut Report) {
        if let Some(size) = self.left.first().filter(|size| **size > target) {
            report.not_covered.push(format!(
                "{CHECKPOINTS}/{size} covers more than was verified: the export was broken off, or the log \
                 was cut"
            ));
        }
        if self.met > 0 {
            report.proved.push(format!("{} earlier checkpoints are of the same log", self.met));
        }
        if self.unbelieved > 0 {
            report.not_covered.push(format!(
                "{} earlier checkpoints fit the entries, but the policy does not believe them",
                self.unbelieved
            ));
        }
        if self.wrong > 1 {
            let text = format!("{} earlier checkpoints more are wrong", self.wrong - 1);
            report.fault(Fault::NotProved(text));
        }
    }
}
