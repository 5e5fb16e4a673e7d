//! A log in files, as `pms audit export` writes it: the layout in which C2SP tlog-tiles serves it over
//! HTTP, so that a mirror made by any other program is one, too.
//!
//! ```text
//! checkpoint                    the newest signed head; written last
//! checkpoints/<size>            earlier heads
//! tile/<level>/<N>[.p/<W>]      the tree
//! tile/entries/<N>[.p/<W>]      the entries
//! disclosed.jsonl               personal data that was disclosed
//! ```

use domain::audit::Fault;
use domain::audit::note::Note;
use domain::audit::tile::{FULL, Tile};
use domain::log_entry::MAX_ENTRY;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The newest head.
pub const CHECKPOINT: &str = "checkpoint";
/// Earlier heads, each under its size.
pub const CHECKPOINTS: &str = "checkpoints";
/// What personal data was disclosed: see `domain::audit::disclosure`.
pub const DISCLOSED: &str = "disclosed.jsonl";

/// No note, policy or proof is longer, in bytes.
const MAX_TEXT: u64 = 1 << 20;
const MAX_TILE: u64 = 32 * FULL as u64;
const MAX_BUNDLE: u64 = FULL as u64 * (MAX_ENTRY as u64 + 2);

/// The folder of a log.
#[derive(Debug, Clone)]
pub struct LogFolder(PathBuf);

impl LogFolder {
    /// The log in this folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where one of its files is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The note in one of its files.
    pub fn note(&self, name: &str) -> Result<Note, Fault> {
        read_note(&self.path(name))
    }

    /// The sizes of the earlier heads, in order.
    pub fn sizes(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.path(CHECKPOINTS)).into_iter().flatten().flatten();
        let mut sizes: Vec<u64> =
            entries.filter_map(|it| decimal(it.file_name().to_str()?)).collect();
        sizes.sort_unstable();
        sizes
    }

    /// The files that there are of a tile, the widest first.
    pub fn tiles(&self, level: u8, index: u64) -> Vec<Tile> {
        self.files(Tile { level, index, width: FULL }, &Tile::path)
    }

    /// The bytes of one of these files.
    pub fn tile(&self, tile: Tile) -> Result<Vec<u8>, Fault> {
        read(&self.path(&tile.path()), MAX_TILE)
    }

    /// The widest file with the entries under this tile of level 0.
    pub fn bundle(&self, index: u64) -> Result<Option<(Tile, Vec<u8>)>, Fault> {
        let files = self.files(Tile { level: 0, index, width: FULL }, &Tile::bundle_path);
        let widest = files.first().copied();
        let read = |tile: Tile| Ok((tile, read(&self.path(&tile.bundle_path()), MAX_BUNDLE)?));
        widest.map(read).transpose()
    }

    fn files(&self, full: Tile, path: &impl Fn(&Tile) -> String) -> Vec<Tile> {
        let partial = fs::read_dir(self.path(&format!("{}.p", path(&full))));
        let mut files: Vec<Tile> = partial
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|it| decimal(it.file_name().to_str()?))
            .filter_map(|width| u16::try_from(width).ok().filter(|width| (1..FULL).contains(width)))
            .map(|width| Tile { width, ..full })
            .collect();
        files.extend(self.path(&path(&full)).is_file().then_some(full));
        files.sort_unstable_by(|one, other| other.cmp(one));
        files
    }

    /// Whether a file is there with this many bytes.
    pub fn has(&self, name: &str, bytes: Option<u64>) -> bool {
        fs::metadata(self.path(name))
            .is_ok_and(|it| it.is_file() && bytes.is_none_or(|bytes| it.len() == bytes))
    }

    /// Writes a file, which appears whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.draft(name, 0o666)?;
        draft.file.write_all(bytes)?;
        draft.publish()
    }

    /// Begins a file with this mode, less the umask.
    pub fn draft(&self, name: &str, mode: u32) -> io::Result<Draft> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder)?;
        let draft = folder.join(".new");
        let mut options = OpenOptions::new();
        fs::remove_file(&draft).ok(); // of an export that was killed
        let file = options.write(true).create_new(true).mode(mode).open(&draft)?;
        Ok(Draft { file, from: draft, to: path })
    }

    /// Keeps all other exports out while the file is open; makes the folder where it is not there. `None`
    /// when another one is at work.
    pub fn lock(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(&self.0)?;
        let folder = File::open(&self.0)?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(folder)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file that may not be there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the files with fewer of these entries or hashes than this one.
    pub fn remove_narrower(&self, than: Tile, path: impl Fn(&Tile) -> String) -> io::Result<()> {
        let narrower = |file: &Tile| file.width < than.width;
        for file in self.files(Tile { width: FULL, ..than }, &path).into_iter().filter(narrower) {
            fs::remove_file(self.path(&path(&file)))?;
        }
        if than.width == FULL {
            fs::remove_dir(self.path(&format!("{}.p", path(&than)))).ok(); // where there is one
        }
        Ok(())
    }

    /// Waits until everything that was written is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        let folder = rustix::fs::open(&self.0, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(rustix::fs::syncfs(folder)?)
    }
}

/// A file that is not there yet, and never will be when it is dropped.
#[derive(Debug)]
pub struct Draft {
    /// What to write to.
    pub file: File,
    from: PathBuf,
    to: PathBuf,
}

impl Draft {
    /// Lets it be there.
    pub fn publish(self) -> io::Result<()> {
        fs::rename(&self.from, &self.to)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        fs::remove_file(&self.from).ok(); // it may hold personal data
    }
}

/// The note in a file.
pub fn read_note(path: &Path) -> Result<Note, Fault> {
    read_signed(path)?.parse().map_err(|fault| about(path.display(), fault))
}

/// A text that ends with signature lines; `jq -r` and editors add line feeds to one.
pub fn read_signed(path: &Path) -> Result<String, Fault> {
    Ok(format!("{}\n", read_text(path)?.trim_end_matches('\n')))
}

/// A text file that is no longer than any that is read here.
pub fn read_text(path: &Path) -> Result<String, Fault> {
    String::from_utf8(read(path, MAX_TEXT)?)
        .map_err(|_| about(path.display(), Fault::Unreadable("no UTF-8".to_owned())))
}

/// The bytes of an entry in a file of its own.
pub fn read_entry(path: &Path) -> Result<Vec<u8>, Fault> {
    read(path, MAX_ENTRY as u64)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let failed = |error: io::Error| Fault::Unreadable(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(failed(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("more than {limit} bytes"),
        )));
    }
    Ok(bytes)
}

/// Opens a file. Nothing else is, for who made the folder could let the reader of a pipe wait for ever.
pub fn open(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "no regular file"))
}

/// The same fault, with what it is about.
pub fn about(what: impl std::fmt::Display, fault: Fault) -> Fault {
    match fault {
        Fault::Unreadable(reason) => Fault::Unreadable(format!("{what}: {reason}")),
        Fault::NotProved(reason) => Fault::NotProved(format!("{what}: {reason}")),
        Fault::WrongEntry { position, reason } => {
            Fault::WrongEntry { position, reason: format!("{what}: {reason}") }
        }
        Fault::Contradiction { position, reason } => {
            Fault::Contradiction { position, reason: format!("{what}: {reason}") }
        }
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}
