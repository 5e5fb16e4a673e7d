//! Which public keys are strong enough. The rules are those of certificates and client keys alike.

use super::PublicKey;
use super::der;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rustls_pki_types::alg_id;
use x509_parser::num_bigint::BigUint;

/// RSA modulus, NIST SP 800-131A; the upper end is what our verifier supports.
const RSA_BITS: std::ops::RangeInclusive<u64> = 2048..=8192;
/// FIPS 186-5, A.1.1: the public exponent lies between 2^16 and 2^256 and is odd.
const RSA_EXPONENT_MIN: u32 = 65_537;
const RSA_EXPONENT_MAX_BITS: u64 = 256;
/// No prime factor up to here (the CA/Browser Forum's Baseline Requirements, 6.1.6).
const SMALL_FACTOR_LIMIT: u32 = 752;
/// ROCA keys (CVE-2017-15361) show in the residues by the primes up to this one.
const ROCA_PRIME_LIMIT: u32 = 167;
/// Rounds of Fermat's factorisation; more than enough for primes that were taken too close to
/// each other (CVE-2022-26320).
const FERMAT_ROUNDS: u32 = 110;

/// What is wrong with a key, as code and message; the messages name the cure.
pub(crate) type KeyFault = (&'static str, String);

/// `RSA_2048`, `EC_P256`, `ED25519`…; `OTHER` for what the lint refuses.
pub(super) fn label(key: &PublicKey) -> String {
    match key.algorithm.as_slice() {
        id if id == &*alg_id::RSA_ENCRYPTION => rsa_label(&key.bits),
        id if id == &*alg_id::ECDSA_P256 => "EC_P256".to_owned(),
        id if id == &*alg_id::ECDSA_P384 => "EC_P384".to_owned(),
        id if id == &*alg_id::ECDSA_P521 => "EC_P521".to_owned(),
        id if id == &*alg_id::ED25519 => "ED25519".to_owned(),
        _ => "OTHER".to_owned(),
    }
}

fn rsa_label(bits: &[u8]) -> String {
    rsa_numbers(bits).map_or_else(|| "RSA".to_owned(), |rsa| format!("RSA_{}", rsa.modulus.bits()))
}

/// Whether our verifier takes keys of this type and size at all.
pub(super) fn can_verify(key: &PublicKey) -> bool {
    match key.label.as_str() {
        "OTHER" => false,
        label if label.starts_with("RSA") => {
            rsa_numbers(&key.bits).is_some_and(|rsa| RSA_BITS.contains(&rsa.modulus.bits()))
        }
        _ => true,
    }
}

/// The first thing that is wrong with the key.
pub(super) fn fault(key: &PublicKey) -> Option<KeyFault> {
    match key.algorithm.as_slice() {
        id if id == &*alg_id::RSA_ENCRYPTION => rsa_fault(&key.bits),
        id if id == &*alg_id::ECDSA_P256 => point_fault(&ECDSA_P256_SHA256_ASN1, &key.bits),
        id if id == &*alg_id::ECDSA_P384 => point_fault(&ECDSA_P384_SHA384_ASN1, &key.bits),
        id if id == &*alg_id::ECDSA_P521 => point_fault(&ECDSA_P521_SHA512_ASN1, &key.bits),
        id if id == &*alg_id::ED25519 => edwards_fault(&key.bits),
        _ if key.is_elliptic => Some(curve("The curve of the key is not accepted.")),
        _ => Some((
            "KEY_TYPE",
            "Keys of this type are not accepted. Use RSA, P-256, P-384, P-521 or Ed25519."
                .to_owned(),
        )),
    }
}

fn weak(what: &str) -> KeyFault {
    ("KEY_WEAK", format!("{what} Make a new key pair, RSA with 3072 bits or P-256 for example."))
}

fn curve(what: &str) -> KeyFault {
    ("KEY_CURVE", format!("{what} Use a key on P-256, P-384 or P-521."))
}

/// SEC 1, 2.3.3: a point starts with 2, 3 or 4; RFC 5480, 2.2 forbids the hybrid form. The library
/// checks that the point lies on the curve.
fn point_fault(algorithm: &'static dyn VerificationAlgorithm, bits: &[u8]) -> Option<KeyFault> {
    let known_form = matches!(bits.first(), Some(2..=4));
    let on_curve = known_form && UnparsedPublicKey::new(algorithm, bits).parse().is_ok();
    (!on_curve).then(|| curve("The key is not a point on its curve."))
}

struct RsaNumbers {
    modulus: BigUint,
    exponent: BigUint,
}

/// RFC 8017, A.1.1: two positive numbers.
fn rsa_numbers(bits: &[u8]) -> Option<RsaNumbers> {
    let numbers = der::children(bits)?;
    let [modulus, exponent] = numbers.as_slice() else {
        return None;
    };
    Some(RsaNumbers { modulus: positive(modulus)?, exponent: positive(exponent)? })
}

/// A positive number in its one DER form.
fn positive(element: &[u8]) -> Option<BigUint> {
    let digits = der::content(element).filter(|_| der::tag(element) == der::INTEGER)?;
    let negative = digits.first().is_some_and(|first| first & 0x80 != 0);
    (der::is_shortest(digits) && !negative).then(|| BigUint::from_bytes_be(digits))
}

fn rsa_fault(bits: &[u8]) -> Option<KeyFault> {
    let Some(rsa) = rsa_numbers(bits) else {
        return Some(weak("The RSA key is damaged."));
    };
    let n = &rsa.modulus;
    if !RSA_BITS.contains(&n.bits()) || !n.bits().is_multiple_of(8) {
        return Some(weak(&format!("The RSA key has {} bits, not 2048 to 8192.", n.bits())));
    }
    if !exponent_is_sound(&rsa.exponent) {
        return Some(weak("The RSA key has an exponent below 65537, an even or an oversized one."));
    }
    let broken = has_small_factor(n) || is_roca(n) || has_close_primes(n);
    broken.then(|| weak("The RSA key can be broken: its primes were not chosen at random."))
}

fn exponent_is_sound(exponent: &BigUint) -> bool {
    let large_enough = *exponent >= BigUint::from(RSA_EXPONENT_MIN);
    large_enough && exponent.bit(0) && exponent.bits() <= RSA_EXPONENT_MAX_BITS
}

fn primes(limit: u32) -> impl Iterator<Item = u32> {
    (2..=limit).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0))
}

fn residue(n: &BigUint, prime: u32) -> u32 {
    (n % prime).try_into().unwrap_or_default()
}

/// Two is among the primes, so an even modulus is refused too.
fn has_small_factor(n: &BigUint) -> bool {
    primes(SMALL_FACTOR_LIMIT).any(|prime| residue(n, prime) == 0)
}

/// Nemec et al., "The Return of Coppersmith's Attack", 2017: such a modulus is a power of 65537
/// modulo every small prime, which a random one is with a chance below 2^-70.
fn is_roca(n: &BigUint) -> bool {
    primes(ROCA_PRIME_LIMIT).all(|prime| is_power_of_65537(residue(n, prime), prime))
}

fn is_power_of_65537(residue: u32, prime: u32) -> bool {
    let powers =
        std::iter::successors(Some(1 % prime), |power| Some(power * (65_537 % prime) % prime));
    powers.take(prime as usize).any(|power| power == residue)
}

/// Fermat: when the primes are close, their mean is just above the root of the modulus.
fn has_close_primes(n: &BigUint) -> bool {
    let mut mean = n.sqrt();
    (0..FERMAT_ROUNDS).any(|_| {
        let square = &mean * &mean;
        mean += 1u32;
        square >= *n && is_square(&(square - n))
    })
}

/// Squares end, modulo 16, in 0, 1, 4 or 9: that spares most of the costly roots.
fn is_square(n: &BigUint) -> bool {
    matches!(residue(n, 16), 0 | 1 | 4 | 9) && {
        let root = n.sqrt();
        &root * &root == *n
    }
}

/// RFC 8032, 5.1.3: 32 bytes, canonical, on the curve; and not one of the eight points of small
/// order, with which anything verifies.
fn edwards_fault(bits: &[u8]) -> Option<KeyFault> {
    let sound = bits.len() == 32 && is_strong_point(bits);
    (!sound).then(|| weak("The Ed25519 key is not a usable point on its curve."))
}

fn is_strong_point(bits: &[u8]) -> bool {
    let prime = field_prime();
    let mut y = BigUint::from_bytes_le(bits);
    y.set_bit(255, false);
    y < prime && lies_on_edwards25519(&y, &prime) && !has_small_order(&y, &prime)
}

/// 2^255 - 19
fn field_prime() -> BigUint {
    (BigUint::from(1u32) << 255u32) - 19u32
}

/// x² = (y² - 1) / (d·y² + 1) with d = -121665/121666 must have a root; multiplied by squares:
/// (y² - 1)·121666·(121666 - 121665·y²) is a square (Euler's criterion).
fn lies_on_edwards25519(y: &BigUint, prime: &BigUint) -> bool {
    let y2 = y * y % prime;
    let numerator = (&y2 + prime - 1u32) * 121_666u32;
    let denominator = prime * 121_665u32 + 121_666u32 - &y2 * 121_665u32;
    let half = (prime - 1u32) >> 1u32;
    (numerator * denominator % prime).modpow(&half, prime) <= BigUint::from(1u32)
}

/// The eight points of small order have y in {0, 1, -1} or, those of order eight, a y with
/// d·y⁴ + 2·y² = 1 (where x² = -y², so that twice the point has y = 0).
fn has_small_order(y: &BigUint, prime: &BigUint) -> bool {
    let y2 = y * y % prime;
    let y4 = &y2 * &y2 % prime;
    let order_eight = prime * 121_665u32 + &y2 * 243_332u32 - &y4 * 121_665u32;
    let low = y2 <= BigUint::from(1u32);
    low || order_eight % prime == BigUint::from(121_666u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(digits: &str) -> BigUint {
        BigUint::parse_bytes(digits.as_bytes(), 16).unwrap()
    }

    fn edwards(digits: &str) -> Option<KeyFault> {
        edwards_fault(&hex::decode(digits).unwrap())
    }

    #[test]
    fn a_roca_modulus_is_recognised_and_a_random_one_is_not() {
        let roca = (0..40).fold(BigUint::from(1u32), |n, _| n * 65_537u32);
        assert!(is_roca(&roca));
        assert!(!is_roca(&(roca + 2u32)));
    }

    #[test]
    fn close_primes_and_small_factors_are_found() {
        let p = (BigUint::from(1u32) << 127u32) - 1u32;
        assert!(has_close_primes(&(&p * (&p + 46u32))));
        assert!(!has_close_primes(&(&p * number("1b0000000000000000000000000000000000001"))));
        assert!(has_small_factor(&(&p * 751u32)));
        assert!(!has_small_factor(&p));
    }

    #[test]
    fn ed25519_points_of_small_order_are_refused() {
        // identity, order 2, 4 and 8, as RFC 8032 encodes them
        let small = [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ];
        for point in small {
            assert!(edwards(point).is_some(), "{point}");
        }
    }

    #[test]
    fn an_ed25519_key_must_be_canonical_and_on_the_curve() {
        // RFC 8032, 7.1, test 1
        let sound = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert!(edwards(sound).is_none());
        assert!(edwards(&sound[2..]).is_some());
        let not_canonical = "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
        assert!(edwards(not_canonical).is_some());
        let off_curve = "0200000000000000000000000000000000000000000000000000000000000000";
        assert!(edwards(off_curve).is_some());
    }

    #[test]
    fn numbers_have_one_form_and_are_positive() {
        assert_eq!(positive(&[2, 2, 0, 0x80]), Some(BigUint::from(128u32)));
        for other in [&[2, 1, 0x80][..], &[2, 2, 0, 1], &[2, 0], &[4, 1, 1], &[2, 1, 1, 0]] {
            assert_eq!(positive(other), None, "{other:?}");
        }
    }

    #[test]
    fn exponents_must_be_odd_and_at_least_65537() {
        for (exponent, sound) in [(3u32, false), (65_536, false), (65_537, true), (65_538, false)] {
            assert_eq!(exponent_is_sound(&BigUint::from(exponent)), sound, "{exponent}");
        }
    }
}
