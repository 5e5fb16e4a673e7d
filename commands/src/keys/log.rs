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

    /// The first key, made under this name when there is none yet. Refused is a name with spaces or
    /// plus signs.
    pub fn first(&self, name: &str) -> Result<VerifierKey, KeysError> {
        self.generation(1, name)
    }

    /// Makes the next key, under this name.
    pub fn next(&self, name: &str) -> Result<VerifierKey, KeysError> {
        self.generation(read(&self.folder)?.len() + 1, name)
    }

    fn generation(&self, generation: usize, name: &str) -> Result<VerifierKey, KeysError> {
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

fn path(folder: &Path, generation: usize) -> PathBuf {
    match generation {
        1 => folder.join("log.key"),
        later => folder.join(format!("log.{later}.key")),
    }
}

fn read(folder: &Path) -> Result<Vec<Arc<SigningKey>>, KeysError> {
    let paths = (1..).map(|generation| path(folder, generation));
    let key = |path: PathBuf| {
        let text = read_or_make(&path, false, || Err(KeysError::Unusable))?;
        parse(&path, &text).map(Arc::new)
    };
    paths.take_while(|path| path.exists()).map(key).collect()
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
