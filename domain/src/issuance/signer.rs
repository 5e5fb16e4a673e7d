//! Keys that sign certificates.

use super::NotIssued;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

/// RFC 5758, 3.2
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// RFC 8410, 3
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A key that signs certificates.
pub trait Signer {
    /// The algorithm of its signatures, as it stands in a certificate.
    fn algorithm(&self) -> AlgorithmIdentifierOwned;

    /// # Errors
    /// [`NotIssued::Signature`]; why, the signer logs itself.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued>;
}

/// ECDSA on P-256 with SHA-256, the key in memory. Shows its public half only.
#[derive(Debug)]
pub struct EcdsaP256Signer {
    pair: EcdsaKeyPair,
}

impl EcdsaP256Signer {
    /// A new key from the randomness of the operating system, in PKCS#8.
    ///
    /// # Errors
    /// [`NotIssued::Key`] when there is no randomness.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, NotIssued> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let document = document.map_err(|_| NotIssued::Key)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// # Errors
    /// [`NotIssued::Key`] when `pkcs8` is no P-256 key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, NotIssued> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8);
        Ok(Self { pair: pair.map_err(|_| NotIssued::Key)? })
    }

    /// Always the same key from the same seed, for the demo world and tests; never for a key that
    /// protects something. Signatures differ all the same: ECDSA takes a random number for each.
    ///
    /// # Errors
    /// [`NotIssued::Key`]; no seed is known that gives it.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, NotIssued> {
        // Of 2^32 digests one is no scalar of the curve: then the next one is taken.
        let scalars = (0..=u8::MAX).map(|round| digest(&SHA256, &[&seed[..], &[round]].concat()));
        let mut pairs = scalars.filter_map(|scalar| pair_of_scalar(scalar.as_ref()));
        Ok(Self { pair: pairs.next().ok_or(NotIssued::Key)? })
    }

    /// The key in PKCS#8.
    ///
    /// # Errors
    /// [`NotIssued::Key`] when it cannot be written.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, NotIssued> {
        let document = self.pair.to_pkcs8v1().map_err(|_| NotIssued::Key)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Its public key as a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`NotIssued::Key`] when it cannot be written.
    pub fn spki(&self) -> Result<Vec<u8>, NotIssued> {
        let der: Result<PublicKeyX509Der<'_>, _> = self.pair.public_key().as_der();
        Ok(der.map_err(|_| NotIssued::Key)?.as_ref().to_vec())
    }
}

/// The public key comes from the library's key agreement, which multiplies the same curve's base
/// point; so no second library for curves is needed.
fn pair_of_scalar(scalar: &[u8]) -> Option<EcdsaKeyPair> {
    let agreement = PrivateKey::from_private_key(&ECDH_P256, scalar).ok()?;
    let point = agreement.compute_public_key().ok()?;
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, scalar, point.as_ref()).ok()
}

impl Signer for EcdsaP256Signer {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| NotIssued::Signature)?.as_ref().to_vec())
    }
}

/// Ed25519, the key in memory. Its signatures have no randomness: the same draft becomes the same
/// certificate.
#[derive(Debug)]
pub struct Ed25519Signer {
    pair: Ed25519KeyPair,
}

impl Ed25519Signer {
    /// Always the same key from the same seed, for the demo world and tests.
    ///
    /// # Errors
    /// [`NotIssued::Key`]; no seed is known that gives it.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, NotIssued> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Ok(Self { pair: pair.map_err(|_| NotIssued::Key)? })
    }

    /// Its public key as a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`NotIssued::Key`] when it cannot be written.
    pub fn spki(&self) -> Result<Vec<u8>, NotIssued> {
        let der: Result<PublicKeyX509Der<'_>, _> = self.pair.public_key().as_der();
        Ok(der.map_err(|_| NotIssued::Key)?.as_ref().to_vec())
    }
}

impl Signer for Ed25519Signer {
    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned { oid: ED25519, parameters: None }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotIssued> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}
