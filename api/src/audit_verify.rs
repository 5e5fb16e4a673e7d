//! `pms audit verify`: what a log in files proves to somebody who trusts neither its operator nor what
//! lies beside it. It needs no database and no network; the only keys it believes are those of a local
//! policy.

mod consistency;
mod disclosures;
mod earlier_heads;
mod heads;
mod one_entry;
mod report;
mod tile_check;
mod whole_log;

pub use consistency::consistency;
pub use one_entry::one_entry;
pub use report::{Report, Verdict};
pub use whole_log::whole_log;

use crate::log_folder::{LogFolder, about, read_entry, read_note, read_signed, read_text};
use crate::progress::Bar;
use clap::Args;
use domain::audit::Fault;
use domain::audit::policy::Policy;
use std::path::{Path, PathBuf};

/// Says what a log proves: an exported folder, one entry, or that one checkpoint continues another.
///
/// Exit codes: 0 proved, 1 not proved, 2 unreadable or wrong usage.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// A folder as `pms audit export` writes it, or any mirror of `/log/`; a tlog-proof about one entry;
    /// with --from and --to, a folder or a file with the hashes of a consistency proof.
    path: PathBuf,
    /// Whose signatures suffice: a C2SP tlog-policy.
    #[arg(long)]
    policy: PathBuf,
    /// For a folder: a checkpoint that you kept, or a folder that you exported earlier, which names
    /// the first wrong position exactly. May be repeated.
    #[arg(long, value_name = "FILE|FOLDER", conflicts_with_all = ["entry", "from"])]
    checkpoint: Vec<PathBuf>,
    /// For a tlog-proof: the entry, where the proof does not carry it.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    entry: Option<PathBuf>,
    /// The earlier of two checkpoints.
    #[arg(long, value_name = "FILE", requires = "to")]
    from: Option<PathBuf>,
    /// The later one.
    #[arg(long, value_name = "FILE", requires = "from")]
    to: Option<PathBuf>,
}

impl Verify {
    /// Verifies; what cannot be read is part of the report.
    pub fn run(&self) -> Report {
        self.verified().unwrap_or_else(Report::from)
    }

    fn verified(&self) -> Result<Report, Fault> {
        let policy: Policy =
            read_text(&self.policy)?.parse().map_err(|it| about(self.policy.display(), it))?;
        self.refuse_what_has_no_use()?;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => {
                consistency(&read_note(from)?, &read_note(to)?, &self.path, &policy)
            }
            _ if self.path.is_dir() => {
                let mut bar = Bar::default();
                let folder = LogFolder::at(&self.path);
                let show = |done, all| bar.shows("verifying entries", done, all);
                let report = whole_log(&folder, &self.checkpoint, &policy, show);
                bar.ends();
                Ok(report)
            }
            _ => {
                let entry = self.entry.as_deref().map(read_entry).transpose()?;
                one_entry(&read_signed(&self.path)?, entry, &policy)
            }
        }
    }

    /// A checkpoint that nobody looks at must not seem to have been held against anything.
    fn refuse_what_has_no_use(&self) -> Result<(), Fault> {
        let unused = match self.path.is_dir() {
            true if self.entry.is_some() => "--entry is for a tlog-proof, not for a folder",
            false if !self.checkpoint.is_empty() => "--checkpoint is for a folder",
            true if self.checkpoint.iter().any(|kept| self.is_within(kept)) => {
                "--checkpoint lies in the folder that is verified: name one that you kept elsewhere"
            }
            _ => return Ok(()),
        };
        Err(Fault::Unreadable(unused.to_owned()))
    }

    fn is_within(&self, kept: &Path) -> bool {
        let real = (kept.canonicalize(), self.path.canonicalize());
        matches!(real, (Ok(kept), Ok(folder)) if kept.starts_with(&folder))
    }
}
