//! Real certificates: authorities that sign with ECDSA in this process, or with RSA through
//! OpenSSL, as most partners' authorities do.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::certificate::Certificate;
use domain::issuance::{
    Draft, EcdsaP256Signer, NotIssued, Signer, Subject, Usage, certificate, self_signed_ca,
};
use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use x509_cert::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::asn1::{Any, BitString, Null, ObjectIdentifier, Uint, UtcTime};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::AsExtension as _;
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

/// RFC 4055, 5
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const LIFE: TimeDelta = TimeDelta::days(3650);

/// A certificate authority.
#[derive(Clone)]
pub struct Authority {
    name: String,
    certificate: Certificate,
    key: Key,
}

impl Authority {
    /// A root with a new ECDSA key.
    pub fn root(name: &str) -> Self {
        Self::self_signed(name, Key::ecdsa())
    }

    /// A root with an RSA key.
    pub fn rsa_root(name: &str) -> Self {
        Self::self_signed(name, Key::rsa(name))
    }

    fn self_signed(name: &str, key: Key) -> Self {
        let usage = Usage::Authority { path_len: None };
        let issued = issue(name, name, &key.spki(), usage, |draft| self_signed_ca(draft, &key));
        Self { name: name.to_owned(), certificate: issued, key }
    }

    /// An authority below this one, with a key of the same kind.
    pub fn intermediate(&self, name: &str) -> Self {
        let key = self.key.another(name);
        let usage = Usage::Authority { path_len: Some(1) };
        let issued = self.issues(name, name, &key.spki(), usage);
        Self { name: name.to_owned(), certificate: issued, key }
    }

    /// The certificate of an organisation, for a new key.
    pub fn leaf(&self, organization: &str) -> Certificate {
        self.issues(organization, organization, &Key::ecdsa().spki(), Usage::EndEntity)
    }

    /// The certificate of an organisation, for an RSA key.
    pub fn rsa_leaf(&self, organization: &str) -> Certificate {
        let key = Key::rsa(&format!("{}/{organization}", self.name));
        self.issues(organization, organization, &key.spki(), Usage::EndEntity)
    }

    /// The certificate of another organisation for the key of `certificate`.
    pub fn same_key(&self, certificate: &Certificate, organization: &str) -> Certificate {
        self.issues(organization, organization, certificate.spki(), Usage::EndEntity)
    }

    /// Its list of what it takes back, base64 of DER.
    pub fn takes_back(&self, number: u32, certificates: &[&Certificate]) -> String {
        let time = |at: DateTime<Utc>| {
            let since = std::time::Duration::from_secs(u64::try_from(at.timestamp()).unwrap());
            Time::UtcTime(UtcTime::from_unix_duration(since).unwrap())
        };
        let at = time(today());
        let revoked = |it: &&Certificate| RevokedCert {
            serial_number: SerialNumber::new(&hex::decode(it.serial()).unwrap()).unwrap(),
            revocation_date: at,
            crl_entry_extensions: None,
        };
        let number = CrlNumber(Uint::new(&number.to_be_bytes()).unwrap());
        let list = TbsCertList {
            version: Version::V2,
            signature: self.key.algorithm(),
            issuer: Name::from_der(self.certificate.subject_der()).unwrap(),
            this_update: at,
            next_update: Some(time(today() + TimeDelta::days(30))),
            revoked_certificates: Some(certificates.iter().map(revoked).collect()),
            crl_extensions: Some(vec![number.to_extension(&Name::default(), &[]).unwrap()]),
        };
        let signature = self.key.sign(&list.to_der().unwrap()).unwrap();
        let signed = CertificateList {
            tbs_cert_list: list,
            signature_algorithm: self.key.algorithm(),
            signature: BitString::from_bytes(&signature).unwrap(),
        };
        BASE64_STANDARD.encode(signed.to_der().unwrap())
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn issues(&self, name: &str, organization: &str, spki: &[u8], usage: Usage) -> Certificate {
        issue(name, organization, spki, usage, |draft| {
            certificate(draft, &self.certificate, &self.key)
        })
    }
}

fn issue(
    common_name: &str,
    organization: &str,
    spki: &[u8],
    usage: Usage,
    sign: impl FnOnce(&Draft<'_>) -> Result<Certificate, NotIssued>,
) -> Certificate {
    let subject = Subject { common_name, organization, organizational_unit: None, country: None };
    let subject = subject.der().unwrap();
    let not_before = today();
    let not_after = not_before + if usage == Usage::EndEntity { LIFE / 2 } else { LIFE };
    let serial = ::commands::random().unwrap();
    let (spki, subject) = (spki, &subject[..]);
    sign(&Draft { serial, subject, spki, not_before, not_after, usage, partner_id: None }).unwrap()
}

fn today() -> DateTime<Utc> {
    ::commands::now() - TimeDelta::days(1)
}

#[derive(Clone)]
enum Key {
    Ecdsa(Arc<EcdsaP256Signer>),
    /// In PEM.
    Rsa(Arc<String>),
}

impl Key {
    fn ecdsa() -> Self {
        let pkcs8 = EcdsaP256Signer::generate().unwrap();
        Self::Ecdsa(Arc::new(EcdsaP256Signer::from_pkcs8(&pkcs8).unwrap()))
    }

    /// The same key for the same name, for as long as the run takes: RSA keys are slow to find.
    fn rsa(name: &str) -> Self {
        static KEYS: Mutex<Option<HashMap<String, Arc<String>>>> = Mutex::new(None);
        let mut keys = KEYS.lock().unwrap();
        let make = || Arc::new(String::from_utf8(openssl("genrsa 2048", "")).unwrap());
        Self::Rsa(keys.get_or_insert_default().entry(name.to_owned()).or_insert_with(make).clone())
    }

    fn another(&self, name: &str) -> Self {
        match self {
            Self::Ecdsa(_) => Self::ecdsa(),
            Self::Rsa(_) => Self::rsa(name),
        }
    }

    fn spki(&self) -> Vec<u8> {
        match self {
            Self::Ecdsa(key) => key.spki().unwrap(),
            Self::Rsa(pem) => openssl("pkey -pubout -outform DER", pem),
        }
    }
}

impl Signer for Key {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        match self {
            Self::Ecdsa(key) => key.algorithm(),
            Self::Rsa(_) => {
                AlgorithmIdentifierOwned { oid: SHA256_WITH_RSA, parameters: Some(Any::from(Null)) }
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued> {
        match self {
            Self::Ecdsa(key) => key.sign(message),
            Self::Rsa(pem) => {
                let folder = tempfile::tempdir().unwrap();
                let (key, data) = (folder.path().join("key.pem"), folder.path().join("data"));
                std::fs::write(&key, pem.as_bytes()).unwrap();
                std::fs::write(&data, message).unwrap();
                let command = format!("dgst -sha256 -sign {} {}", key.display(), data.display());
                Ok(openssl(&command, ""))
            }
        }
    }
}

fn openssl(arguments: &str, input: &str) -> Vec<u8> {
    let mut openssl = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
