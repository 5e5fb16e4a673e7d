//! The keys that sign the log's checkpoints: `log.key`, then `log.2.key` and so on. Which of them
//! sign is told by the log ([`domain::audit_log`]).

use super::{KeysError, read_or_make};
use crate::random;
use domain::audit::key::{Algorithm, SigningKey, VerifierKey};
use domain::audit_log::LogKey;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// The keys of a folder. It is read again when a key is asked for that was not there: another node
/// may have made it.
#[derive(Debug)]
pub struct LogKeys {
    folder: PathBuf,
    known: Mutex<Vec<Arc<SigningKey>>>,
}

impl LogKeys {
    /// The keys of this folder; there may be none.
    pub fn open(folder: &Path) -> Result<Self, KeysError> {
        Ok(Self { folder: folder.to_owned(), known: Mutex::new(read(folder)?) })
    }

    /// The first key, made under this name, or one of its own, when there is none yet. Refused is a name
    /// with spaces or plus signs, and a key that is there under another one.
    pub fn first(&self, name: Option<&str>) -> Result<VerifierKey, KeysError> {
        let chance: [u8; 4] = random().map_err(|_| KeysError::Unusable)?;
        let made =
            name.map_or_else(|| format!("localhost/pms/{}", hex::encode(chance)), Into::into);
        let key = self.generation(1, &made)?;
        if name.is_none_or(|name| name == key.name()) {
            return Ok(key);
        }
        Err(KeysError::LogName(format!("the key folder has a key of {}", key.name())))
    }

    /// Makes the next key, under this name.
    pub fn next(&self, name: &str) -> Result<VerifierKey, KeysError> {
        let newest = generations(&self.folder)?.pop().unwrap_or_default();
        self.generation(newest + 1, name)
    }

    fn generation(&self, generation: u32, name: &str) -> Result<VerifierKey, KeysError> {
        let path = path(&self.folder, generation);
        let text = read_or_make(&path, true, || new_key(name))?;
        Ok(parse(&path, &text)?.verifier().clone())
    }

    /// These keys, to sign with; refused where one of them is not in the folder.
    pub fn signing(&self, keys: &[LogKey]) -> Result<Vec<Arc<SigningKey>>, KeysError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |known: &[Arc<SigningKey>], key: &LogKey| {
            known.iter().find(|it| *it.verifier() == key.key).cloned()
        };
        if keys.iter().any(|key| find(&known, key).is_none()) {
            *known = read(&self.folder)?;
        }
        let missing = || KeysError::LogKeyMissing(self.folder.clone());
        keys.iter().map(|key| find(&known, key).ok_or_else(missing)).collect()
    }
}

fn path(folder: &Path, generation: u32) -> PathBuf {
    match generation {
        1 => folder.join("log.key"),
        later => folder.join(format!("log.{later}.key")),
    }
}

/// Those that are in the folder, in order; old ones may have been taken away.
fn generations(folder: &Path) -> Result<Vec<u32>, KeysError> {
    let failed = |source| KeysError::File { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        found.extend(name.to_str().and_then(generation));
    }
    found.sort_unstable();
    Ok(found)
}

fn generation(name: &str) -> Option<u32> {
    match name.strip_prefix("log.")?.strip_suffix("key")? {
        "" => Some(1),
        later => later.strip_suffix('.')?.parse().ok().filter(|it| *it > 1),
    }
}

fn read(folder: &Path) -> Result<Vec<Arc<SigningKey>>, KeysError> {
    let key = |generation| {
        let path = path(folder, generation);
        let text = read_or_make(&path, false, || Err(KeysError::Unusable))?;
        parse(&path, &text).map(Arc::new)
    };
    generations(folder)?.into_iter().map(key).collect()
}

fn new_key(name: &str) -> Result<Vec<u8>, KeysError> {
    let seed = Zeroizing::new(random().map_err(|_| KeysError::Unusable)?);
    let text = SigningKey::text(name, Algorithm::Ed25519, &seed);
    let text = text.map_err(|fault| KeysError::LogName(fault.to_string()))?;
    Ok(text.expose_secret().as_bytes().to_vec())
}

fn parse(path: &Path, text: &[u8]) -> Result<SigningKey, KeysError> {
    let broken = || KeysError::Broken(path.to_owned());
    let text = std::str::from_utf8(text).map_err(|_| broken())?;
    SigningKey::from_text(&SecretString::from(text)).map_err(|_| broken())
}
