//! Keys of every kind, made once by OpenSSL, and signatures of every scheme: the accepted ones by
//! aws-lc-rs in this process, the others by OpenSSL.

use crate::der::{bits, element, null, oid, sequence, small};
use crate::openssl::openssl;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as aws;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// Kinds that we accept, as `openssl genpkey` makes them, and how many keys of each. The last of
/// several is in no chain from the beginning.
const ACCEPTED: [(&str, usize, &str); 7] = [
    ("RSA 2048", 4, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ("RSA 3072", 1, "-algorithm RSA -pkeyopt rsa_keygen_bits:3072"),
    ("RSA 4096", 1, "-algorithm RSA -pkeyopt rsa_keygen_bits:4096"),
    ("P-256", 4, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("P-384", 4, "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("P-521", 4, "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    ("Ed25519", 4, "-algorithm ED25519"),
];
const REFUSED: [(&str, usize, &str); 9] = [
    ("RSA 1024", 1, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024"),
    ("RSA e=3", 1, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3"),
    ("RSA 2050", 1, "-algorithm RSA -pkeyopt rsa_keygen_bits:2050"),
    ("RSA for PSS", 1, "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048"),
    ("P-224", 1, "-algorithm EC -pkeyopt ec_paramgen_curve:P-224"),
    ("secp256k1", 1, "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1"),
    ("brainpool", 1, "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1"),
    (
        "P-256 explicit",
        1,
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
    ),
    ("Ed448", 1, "-algorithm ED448"),
];

pub struct Keys {
    folder: TempDir,
    keys: BTreeMap<&'static str, Vec<Key>>,
}

pub struct Key {
    pub kind: &'static str,
    pub spki: Vec<u8>,
    file: PathBuf,
    pair: Option<Pair>,
}

enum Pair {
    Rsa(aws::RsaKeyPair),
    /// With the hash of its curve
    Ecdsa(Hash, aws::EcdsaKeyPair),
    Ed25519(aws::Ed25519KeyPair),
}

impl Keys {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut keys = BTreeMap::new();
        for (kind, count, arguments) in ACCEPTED.iter().chain(&REFUSED) {
            let made = (0..*count).map(|number| {
                let file = folder.path().join(format!("{kind} {number}"));
                Key::make(kind, file, arguments)
            });
            keys.insert(*kind, made.collect());
        }
        Self { folder, keys }
    }

    /// The keys of chains.
    pub fn common(&self) -> Vec<&Key> {
        let all = ACCEPTED.iter().map(|(kind, ..)| self.keys[kind].as_slice());
        all.flat_map(|keys| &keys[..(keys.len() - 1).max(1)]).collect()
    }

    /// A key that is in no chain from the beginning.
    pub fn spare(&self, kind: &str) -> &Key {
        self.keys[kind].last().unwrap()
    }

    /// A spare key of the same type as `key`.
    pub fn spare_like(&self, key: &Key) -> &Key {
        self.spare(if key.kind.starts_with("RSA") { "RSA 2048" } else { key.kind })
    }

    pub fn sign(&self, key: &Key, scheme: Scheme, message: &[u8]) -> Vec<u8> {
        let by_openssl = || {
            let file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
            fs::write(file.path(), message).unwrap();
            let (key, file) = (key.file.to_str().unwrap(), file.path().to_str().unwrap());
            match scheme {
                Scheme::Ed25519 | Scheme::Ed448 => {
                    openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file])
                }
                _ => {
                    let options = scheme.options();
                    let options: Vec<_> = options.split_whitespace().collect();
                    openssl(&[&["dgst", "-sign", key], options.as_slice(), &[file]].concat())
                }
            }
        };
        key.pair.as_ref().and_then(|pair| pair.sign(scheme, message)).unwrap_or_else(by_openssl)
    }
}

impl Key {
    fn make(kind: &'static str, file: PathBuf, arguments: &str) -> Self {
        let arguments: Vec<_> = arguments.split(' ').collect();
        let pem = openssl(&[&["genpkey"], arguments.as_slice()].concat());
        fs::write(&file, &pem).unwrap();
        let spki = openssl(&["pkey", "-pubout", "-outform", "DER", "-in", file.to_str().unwrap()]);
        Self { kind, spki, file, pair: Pair::read(kind, &pkcs8(&pem)) }
    }

    /// The schemes that we accept for a key of this kind and that cost no call of OpenSSL.
    pub fn schemes(&self) -> &'static [Scheme] {
        use Hash::*;
        use Scheme::*;
        match self.kind {
            "P-256" => &[Ecdsa(Sha256)],
            "P-384" => &[Ecdsa(Sha384)],
            "P-521" => &[Ecdsa(Sha512)],
            "Ed25519" => &[Ed25519],
            _ => &[
                Pkcs1(Sha256),
                Pkcs1(Sha384),
                Pkcs1(Sha512),
                Pss(Sha256, 32),
                Pss(Sha384, 48),
                Pss(Sha512, 64),
            ],
        }
    }

    /// A scheme in which a key of any kind can sign.
    pub fn scheme(&self) -> Scheme {
        match self.kind {
            "Ed448" => Scheme::Ed448,
            "P-224" | "secp256k1" | "brainpool" | "P-256 explicit" => Scheme::Ecdsa(Hash::Sha256),
            "RSA for PSS" => Scheme::Pss(Hash::Sha256, 32),
            _ => self.schemes()[0],
        }
    }

    /// The bytes of the key itself, inside its `SubjectPublicKeyInfo`.
    pub fn bits(&self) -> Vec<u8> {
        use x509_cert::der::Decode;
        let spki = x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&self.spki).unwrap();
        spki.subject_public_key.raw_bytes().to_vec()
    }

    /// The same key with another algorithm identifier or other bits.
    pub fn spki_with(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
        sequence(&[algorithm, &bits(key)])
    }
}

fn pkcs8(pem: &[u8]) -> Vec<u8> {
    let pem = str::from_utf8(pem).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

impl Pair {
    fn read(kind: &str, pkcs8: &[u8]) -> Option<Self> {
        let ecdsa = |hash, algorithm| {
            Self::Ecdsa(hash, aws::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).unwrap())
        };
        Some(match kind {
            "RSA 2048" | "RSA 3072" | "RSA 4096" => {
                Self::Rsa(aws::RsaKeyPair::from_pkcs8(pkcs8).unwrap())
            }
            "P-256" => ecdsa(Hash::Sha256, &aws::ECDSA_P256_SHA256_ASN1_SIGNING),
            "P-384" => ecdsa(Hash::Sha384, &aws::ECDSA_P384_SHA384_ASN1_SIGNING),
            "P-521" => ecdsa(Hash::Sha512, &aws::ECDSA_P521_SHA512_ASN1_SIGNING),
            "Ed25519" => {
                Self::Ed25519(aws::Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).unwrap())
            }
            _ => return None,
        })
    }

    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (self, scheme) {
            (Self::Rsa(pair), _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(scheme)?, &random, message, &mut signature).unwrap();
                Some(signature)
            }
            (Self::Ecdsa(own, pair), Scheme::Ecdsa(hash)) if *own == hash => {
                Some(pair.sign(&random, message).unwrap().as_ref().to_vec())
            }
            (Self::Ed25519(pair), Scheme::Ed25519) => Some(pair.sign(message).as_ref().to_vec()),
            _ => None,
        }
    }
}

fn rsa_encoding(scheme: Scheme) -> Option<&'static dyn aws::RsaEncoding> {
    use Hash::*;
    Some(match scheme {
        Scheme::Pkcs1(Sha256) | Scheme::Pkcs1WithoutNull => &aws::RSA_PKCS1_SHA256,
        Scheme::Pkcs1(Sha384) => &aws::RSA_PKCS1_SHA384,
        Scheme::Pkcs1(Sha512) => &aws::RSA_PKCS1_SHA512,
        Scheme::Pss(Sha256, 32) => &aws::RSA_PSS_SHA256,
        Scheme::Pss(Sha384, 48) => &aws::RSA_PSS_SHA384,
        Scheme::Pss(Sha512, 64) => &aws::RSA_PSS_SHA512,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    Pkcs1(Hash),
    /// With SHA-256
    Pkcs1WithoutNull,
    /// With a salt of so many bytes
    Pss(Hash, u8),
    Ecdsa(Hash),
    Ed25519,
    Ed448,
}

impl Hash {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn identifier(self) -> Vec<u8> {
        let dotted = match self {
            Self::Md5 => "1.2.840.113549.2.5",
            Self::Sha1 => "1.3.14.3.2.26",
            Self::Sha224 => "2.16.840.1.101.3.4.2.4",
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        };
        sequence(&[&oid(dotted), &null()])
    }
}

impl Scheme {
    /// The `AlgorithmIdentifier` (RFC 4055, 5758 and 8410).
    pub fn identifier(self) -> Vec<u8> {
        match self {
            Self::Pkcs1(hash) => sequence(&[&oid(pkcs1(hash)), &null()]),
            Self::Pkcs1WithoutNull => sequence(&[&oid(pkcs1(Hash::Sha256))]),
            Self::Pss(hash, salt) => {
                sequence(&[&oid("1.2.840.113549.1.1.10"), &pss_parameters(hash, salt)])
            }
            Self::Ecdsa(hash) => sequence(&[&oid(ecdsa(hash))]),
            Self::Ed25519 => sequence(&[&oid("1.3.101.112")]),
            Self::Ed448 => sequence(&[&oid("1.3.101.113")]),
        }
    }

    /// For `openssl dgst`.
    fn options(self) -> String {
        match self {
            Self::Pkcs1(hash) | Self::Ecdsa(hash) => format!("-{}", hash.name()),
            Self::Pss(hash, salt) => format!(
                "-{} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{salt}",
                hash.name()
            ),
            Self::Pkcs1WithoutNull | Self::Ed25519 | Self::Ed448 => String::new(),
        }
    }
}

fn pkcs1(hash: Hash) -> &'static str {
    match hash {
        Hash::Md5 => "1.2.840.113549.1.1.4",
        Hash::Sha1 => "1.2.840.113549.1.1.5",
        Hash::Sha224 => "1.2.840.113549.1.1.14",
        Hash::Sha256 => "1.2.840.113549.1.1.11",
        Hash::Sha384 => "1.2.840.113549.1.1.12",
        Hash::Sha512 => "1.2.840.113549.1.1.13",
    }
}

/// There is no ECDSA with MD5.
fn ecdsa(hash: Hash) -> &'static str {
    match hash {
        Hash::Md5 | Hash::Sha1 => "1.2.840.10045.4.1",
        Hash::Sha224 => "1.2.840.10045.4.3.1",
        Hash::Sha256 => "1.2.840.10045.4.3.2",
        Hash::Sha384 => "1.2.840.10045.4.3.3",
        Hash::Sha512 => "1.2.840.10045.4.3.4",
    }
}

fn pss_parameters(hash: Hash, salt: u8) -> Vec<u8> {
    let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &hash.identifier()]);
    sequence(&[
        &element(0xa0, &hash.identifier()),
        &element(0xa1, &mask),
        &element(0xa2, &small(salt)),
    ])
}
