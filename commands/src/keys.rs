//! The keys of an installation: files in the key folder, shared by all nodes, never in the
//! database. Their fingerprints are told in the log, so that a node with other keys is noticed.

mod log;

pub use log::LogKeys;

use crate::{Error, Result, random};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use domain::certificate::Certificate;
use domain::installation;
use domain::issuance::{Draft, EcdsaP256Signer, Signer, Subject, Usage, self_signed_ca};
use projections::private_rows::WrappingKey;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How long the issuing certificate lives, in days: ten years.
const ISSUER_DAYS: i64 = 3_653;

/// Everything secret that the service works with.
#[derive(Debug)]
pub struct Keys {
    pepper: hmac::Key,
    /// Which pepper the hashes of new secrets are made with.
    pub pepper_version: i32,
    /// Seals the keys of subjects.
    pub wrapping: WrappingKey,
    /// Sign what partners get, oldest first: only the newest one signs.
    issuing: Vec<IssuingKey>,
    /// Sign the log's checkpoints.
    pub log: LogKeys,
    /// Names each key without telling it: SHA-256, lower-case hex; those of the log have names.
    pub fingerprints: installation::Fingerprints,
}

/// One generation of the issuing key.
pub struct IssuingKey {
    /// Its CA certificate.
    pub certificate: Certificate,
    /// Signs under that certificate.
    pub signer: Box<dyn Signer + Send + Sync>,
}

impl fmt::Debug for IssuingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuingKey({:?})", self.certificate)
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file or folder is out of reach.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others can read the folder.
    #[error("{0} is open to other accounts: chmod 700 it")]
    Open(PathBuf),
    /// Others can read a key.
    #[error("{0} can be read by other accounts: chmod 600 it, and take the key for known to them")]
    Readable(PathBuf),
    /// A file is not what it should be.
    #[error("{0} does not hold a key of this program")]
    Broken(PathBuf),
    /// The log is signed with a key that is not here.
    #[error("{0} lacks a key that signs the log: copy the folder from a node that has it")]
    LogKeyMissing(PathBuf),
    /// No name for a log.
    #[error("the log cannot have this name: {0}")]
    LogName(String),
    /// No randomness, or a key that cannot be used.
    #[error("a key cannot be made")]
    Unusable,
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::LogKeyMissing(_) => Self::refused("LOG_KEY_MISSING", "", &error.to_string()),
            KeysError::LogName(_) => Self::refused("LOG_NAME_INVALID", "", &error.to_string()),
            other => Self::Fault(other.into()),
        }
    }
}

impl Keys {
    /// Reads the keys of `folder`; makes those that are missing when `create` allows it.
    pub fn open(folder: &Path, create: bool) -> Result<Self, KeysError> {
        if create {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|source| KeysError::File { path: folder.to_owned(), source })?;
        }
        refuse_open_folder(folder)?;
        let file = |name, make: fn() -> Result<Vec<u8>, KeysError>| {
            read_or_make(&folder.join(name), create, make)
        };
        let pepper = file("pepper.1", random_key)?;
        let wrapping = file("wrapping.key", random_key)?;
        let issuing = issuing_keys(folder, create)?;
        let wrapping_key = <&[u8; 32]>::try_from(wrapping.as_slice())
            .map_err(|_| KeysError::Broken(folder.join("wrapping.key")))?;
        let secrets = [("pepper.1", &pepper), ("wrapping", &wrapping)];
        let secrets = secrets.map(|(name, key)| (name.to_owned(), fingerprint(key)));
        let named = |(before, key): (usize, &IssuingKey)| {
            (installation::issuing_key(before + 1), key.certificate.spki_sha256())
        };
        Ok(Self {
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &pepper),
            pepper_version: 1,
            wrapping: WrappingKey::new(wrapping_key).map_err(|_| KeysError::Unusable)?,
            fingerprints: secrets
                .into_iter()
                .chain(issuing.iter().enumerate().map(named))
                .collect(),
            issuing,
            log: LogKeys::open(folder)?,
        })
    }

    /// Makes the next issuing key of `folder` and tells its certificate. Nodes sign with it once
    /// they are started again.
    pub fn rotate_issuing_key(folder: &Path) -> Result<Certificate, KeysError> {
        let generation = Self::open(folder, false)?.issuing.len() + 1;
        Ok(issuing_key(folder, generation, true)?.certificate)
    }

    /// The same keys, the newest issuing one behind another signer: an HSM or a KMS.
    #[must_use]
    pub fn with_signer(mut self, signer: Box<dyn Signer + Send + Sync>) -> Self {
        if let Some(newest) = self.issuing.last_mut() {
            newest.signer = signer;
        }
        self
    }

    /// The issuing key that signs; there is always one.
    pub fn issuer(&self) -> Result<&IssuingKey> {
        self.issuing.last().ok_or_else(|| Error::fault("no issuing key"))
    }

    /// The certificates of all issuing keys, newest first.
    pub fn issuers(&self) -> impl Iterator<Item = &Certificate> {
        self.issuing.iter().rev().map(|it| &it.certificate)
    }

    /// A keyed hash of something that must not be guessed from the database alone. `purpose`
    /// keeps hashes of different things apart.
    pub fn hmac(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.pepper);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(data);
        context.sign().as_ref().to_vec()
    }

    /// Whether `tag` is the keyed hash of something; takes as long for every wrong one.
    pub fn verifies_hmac(&self, purpose: &str, data: &[u8], tag: &[u8]) -> bool {
        verify_slices_are_equal(&self.hmac(purpose, data), tag).is_ok()
    }
}

/// A key is 256 bits: hashing it tells nothing about it.
fn fingerprint(key: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, key))
}

fn refuse_open_folder(folder: &Path) -> Result<(), KeysError> {
    if is_open(folder)? { Err(KeysError::Open(folder.to_owned())) } else { Ok(()) }
}

/// Whether other accounts can do anything with it.
fn is_open(path: &Path) -> Result<bool, KeysError> {
    let metadata = fs::metadata(path);
    let metadata = metadata.map_err(|source| KeysError::File { path: path.to_owned(), source })?;
    Ok(metadata.permissions().mode() & 0o077 != 0)
}

fn random_key() -> Result<Vec<u8>, KeysError> {
    random::<32>().map(|bytes| bytes.to_vec()).map_err(|_| KeysError::Unusable)
}

/// All generations, the first one made when it is missing and `create` allows it. A generation is
/// there once its certificate is.
fn issuing_keys(folder: &Path, create: bool) -> Result<Vec<IssuingKey>, KeysError> {
    let mut keys = vec![issuing_key(folder, 1, create)?];
    while folder.join(format!("{}.pem", installation::issuing_key(keys.len() + 1))).exists() {
        keys.push(issuing_key(folder, keys.len() + 1, false)?);
    }
    Ok(keys)
}

/// One generation, made when it is missing and `create` allows it: the key, then the certificate.
fn issuing_key(folder: &Path, generation: usize, create: bool) -> Result<IssuingKey, KeysError> {
    let path = |end| folder.join(format!("{}.{end}", installation::issuing_key(generation)));
    let unusable = |_| KeysError::Unusable;
    let make = || Ok(EcdsaP256Signer::generate().map_err(unusable)?.to_vec());
    let pkcs8 = read_or_make(&path("p8"), create, make)?;
    let signer = EcdsaP256Signer::from_pkcs8(&pkcs8).map_err(unusable)?;
    let pem = whole(&path("pem"), create, || issuing_certificate(&signer, generation))?;
    let pem = std::str::from_utf8(&pem).map_err(|_| KeysError::Broken(path("pem")))?;
    let certificate = Certificate::read(pem, "").map_err(|_| KeysError::Broken(path("pem")))?;
    let belongs = signer.spki().is_ok_and(|spki| spki == certificate.spki());
    if !belongs {
        return Err(KeysError::Broken(path("pem")));
    }
    Ok(IssuingKey { certificate, signer: Box::new(signer) })
}

/// The content of a key file, made when it is missing and `create` allows it. One that other
/// accounts can read is refused.
///
/// A file appears whole or not at all: two nodes that start together end with the same key.
pub fn read_or_make(
    path: &Path,
    create: bool,
    make: impl FnOnce() -> Result<Vec<u8>, KeysError>,
) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let key = whole(path, create, make)?;
    if is_open(path)? { Err(KeysError::Readable(path.to_owned())) } else { Ok(key) }
}

/// The content of a file that need not be secret.
fn whole(
    path: &Path,
    create: bool,
    make: impl FnOnce() -> Result<Vec<u8>, KeysError>,
) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let failed = |source| KeysError::File { path: path.to_owned(), source };
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && create => {}
        read => return read.map(Zeroizing::new).map_err(failed),
    }
    let bytes = Zeroizing::new(make()?);
    let chance: [u8; 8] = random().map_err(|_| KeysError::Unusable)?;
    let draft = path.with_extension(format!("new-{}", hex::encode(chance)));
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    let linked = fs::hard_link(&draft, path); // fails when another node was faster
    fs::remove_file(&draft).map_err(failed)?;
    let folder = path.parent().map(fs::File::open).transpose().map_err(failed)?;
    folder.map_or(Ok(()), |folder| folder.sync_all()).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
        _ => fs::read(path).map(Zeroizing::new).map_err(failed),
    }
}

fn issuing_certificate(key: &EcdsaP256Signer, generation: usize) -> Result<Vec<u8>, KeysError> {
    let unusable = |_| KeysError::Unusable;
    let common_name = match generation {
        1 => "Partner Management Issuing CA".to_owned(),
        later => format!("Partner Management Issuing CA {later}"),
    };
    let subject = Subject {
        common_name: &common_name,
        organization: "Partner Management System",
        organizational_unit: None,
        country: None,
    };
    let not_before = crate::now();
    let draft = Draft {
        serial: random().map_err(|_: Error| KeysError::Unusable)?,
        subject: &subject.der().map_err(unusable)?,
        spki: &key.spki().map_err(unusable)?,
        not_before,
        not_after: not_before + chrono::TimeDelta::days(ISSUER_DAYS),
        usage: Usage::Authority { path_len: Some(1) },
        partner_id: None,
    };
    Ok(self_signed_ca(&draft, key).map_err(unusable)?.pem().into_bytes())
}
