//! Signatures, and the keys that make them or are certified.

use super::{BAD, Codes, Kind, both, ours, sound, theirs};
use crate::chain::Target::Authority;
use crate::chain::{Chain, key_id};
use crate::der::{INTEGER, element, null, oid, sequence};
use crate::dice::Dice;
use crate::extension::{AUTHORITY_KEY_ID, SUBJECT_KEY_ID, authority_key_id, subject_key_id};
use crate::keys::{Hash, Key, Scheme};

const WEAK: Codes = &["SIGALG_NOT_ALLOWED"];

pub fn signatures() -> Vec<Kind> {
    let sha224 = "Level 2 of OpenSSL asks for 112 bits, which SHA-224 has; we ask for SHA-256.";
    let root = "OpenSSL does not ask how a root is signed, because trust in it comes from elsewhere. \
        We ask, as a CA that signs itself so signs others so, too.";
    let salt = "The salt must be as long as the hash: RFC 4055 recommends it and no CA differs.";
    let root_signature = "The signature of a root is checked once, when it is uploaded.";
    vec![
        both("a bit of a signature is flipped", BAD, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].bend = |_, signature| *signature.last_mut().unwrap() ^= 1;
        }),
        both("a byte is changed after signing", BAD, |chain, dice| {
            let at = chain.below_root(dice);
            let id = subject_key_id(&key_id(&chain.links[at].spki));
            chain.links[at].set(SUBJECT_KEY_ID, false, id);
            // In the middle of the key id, where every value is well-formed. The same id is asked
            // for below, or the certificate would not be looked at.
            chain.links[at].bend = |signed, _| {
                let at = signed.windows(5).position(|w| w == [6, 3, 0x55, 0x1d, 0x0e]).unwrap();
                signed[at + 12] ^= 1;
            };
            if at + 1 < chain.links.len() {
                let mut id = key_id(&chain.links[at].spki);
                id[3] ^= 1;
                chain.links[at + 1].set(AUTHORITY_KEY_ID, false, authority_key_id(&id));
            }
        }),
        both("an empty signature", BAD, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].bend = |_, signature| signature.clear();
        }),
        both("signed with a key that is not the issuer's", BAD, |chain, dice| {
            let at = chain.below_root(dice);
            let key = chain.keys.spare_like(chain.links[at].signer);
            (chain.links[at].signer, chain.links[at].scheme) = (key, key.scheme());
        }),
        theirs("the root's own signature is wrong", root_signature, |chain, _| {
            chain.links[0].bend = |_, signature| *signature.last_mut().unwrap() ^= 1;
        }),
        both("a root by itself with a wrong signature", &["ISSUER_UNKNOWN"], |chain, _| {
            chain.links[0].bend = |_, signature| *signature.last_mut().unwrap() ^= 1;
        })
        .of(&[Authority])
        .long(1..=1),
        both("RSA with MD5", WEAK, |c, d| signed_with(c, d, "RSA 2048", Scheme::Pkcs1(Hash::Md5))),
        both("RSA with SHA-1", WEAK, |c, d| {
            signed_with(c, d, "RSA 2048", Scheme::Pkcs1(Hash::Sha1));
        }),
        both("ECDSA with SHA-1", WEAK, |c, d| {
            signed_with(c, d, "P-256", Scheme::Ecdsa(Hash::Sha1));
        }),
        both("RSA-PSS with SHA-1", WEAK, |c, d| {
            signed_with(c, d, "RSA 2048", Scheme::Pss(Hash::Sha1, 20));
        }),
        ours("RSA with SHA-224", WEAK, sha224, |c, d| {
            signed_with(c, d, "RSA 2048", Scheme::Pkcs1(Hash::Sha224));
        }),
        ours("ECDSA with SHA-224", WEAK, sha224, |c, d| {
            signed_with(c, d, "P-256", Scheme::Ecdsa(Hash::Sha224));
        }),
        ours("a root that is signed with SHA-1", WEAK, root, |chain, _| {
            chain.replace_key(0, chain.keys.spare("RSA 2048"));
            chain.links[0].scheme = Scheme::Pkcs1(Hash::Sha1);
        }),
        ours("RSA-PSS with a short salt", WEAK, salt, |c, d| {
            signed_with(c, d, "RSA 2048", Scheme::Pss(Hash::Sha256, 20));
        }),
        sound("RSA without the NULL of its identifier", |c, d| {
            signed_with(c, d, "RSA 2048", Scheme::Pkcs1WithoutNull);
        }),
        sound("P-256 with SHA-512", |c, d| signed_with(c, d, "P-256", Scheme::Ecdsa(Hash::Sha512))),
        sound("P-384 with SHA-256", |c, d| signed_with(c, d, "P-384", Scheme::Ecdsa(Hash::Sha256))),
        sound("P-521 with SHA-256", |c, d| signed_with(c, d, "P-521", Scheme::Ecdsa(Hash::Sha256))),
        both("two different signature algorithms", &["SIGALG_MISMATCH"], |chain, dice| {
            let at = chain.below_root(dice);
            let outer = chain.links[at].scheme;
            let others =
                [Scheme::Ecdsa(Hash::Sha512), Scheme::Pkcs1(Hash::Sha256), Scheme::Ed25519];
            let others: Vec<_> = others.iter().filter(|other| **other != outer).collect();
            chain.links[at].inner_algorithm = Some(dice.pick(&others).identifier());
        }),
    ]
}

/// A certificate somewhere below the root is signed by a key of `kind` in `scheme`.
fn signed_with(chain: &mut Chain<'_>, dice: &mut Dice, kind: &str, scheme: Scheme) {
    let at = chain.below_root(dice);
    chain.replace_key(at - 1, chain.keys.spare(kind));
    chain.links[at].scheme = scheme;
}

const KEY_WEAK: Codes = &["KEY_WEAK"];

const KEY_CURVE: Codes = &["KEY_CURVE"];

const KEY_TYPE: Codes = &["KEY_TYPE"];

pub fn keys() -> Vec<Kind> {
    let list = "Level 2 of OpenSSL counts bits of security; we have a list of kinds of keys.";
    let sound_rsa = "OpenSSL does not look into the numbers of an RSA key.";
    let sound_edwards = "OpenSSL does not look at the point: any 32 bytes are a key.";
    let form = "The identifier of an algorithm has one form; RFC 3279 and 8410 say which.";
    let hybrid = "RFC 5480 forbids the hybrid form, OpenSSL reads it.";
    vec![
        both("RSA with 1024 bits", KEY_WEAK, |c, d| with_key(c, d, "RSA 1024")),
        ours("RSA with exponent 3", KEY_WEAK, sound_rsa, |c, d| with_key(c, d, "RSA e=3")),
        ours("RSA with 2050 bits", KEY_WEAK, sound_rsa, |c, d| with_key(c, d, "RSA 2050")),
        ours("RSA for PSS alone", KEY_TYPE, list, |c, d| with_key(c, d, "RSA for PSS")),
        ours("P-224", KEY_CURVE, list, |c, d| with_key(c, d, "P-224")),
        ours("secp256k1", KEY_CURVE, list, |c, d| with_key(c, d, "secp256k1")),
        ours("brainpoolP256r1", KEY_CURVE, list, |c, d| with_key(c, d, "brainpool")),
        both("P-256, its parameters written out", KEY_CURVE, |c, d| {
            with_key(c, d, "P-256 explicit");
        }),
        ours("Ed448", &["KEY_TYPE", "SIGALG_NOT_ALLOWED"], list, |c, d| with_key(c, d, "Ed448")),
        ours("an even RSA modulus", KEY_WEAK, sound_rsa, |chain, dice| {
            let modulus = [&[0, 0x81], dice.bytes(254).as_slice(), &[2]].concat();
            chain.last().spki = rsa(&modulus);
        }),
        ours("an RSA modulus that 3 divides", KEY_WEAK, sound_rsa, |chain, _| {
            chain.last().spki = rsa(&[&[0], [0xff; 256].as_slice()].concat());
        }),
        ours("RSA with 9216 bits", KEY_WEAK, sound_rsa, |chain, dice| {
            let modulus = [&[0, 0x81], dice.bytes(1150).as_slice(), &[1]].concat();
            chain.last().spki = rsa(&modulus);
        }),
        sound("a compressed point", |chain, _| {
            let point = chain.keys.spare("P-256").bits();
            let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
            chain.last().spki = on_curve(&compressed);
        }),
        ours("a point in hybrid form", KEY_CURVE, hybrid, |chain, _| {
            let mut point = chain.keys.spare("P-256").bits();
            point[0] = 6 + (point[64] & 1);
            chain.last().spki = on_curve(&point);
        }),
        both("a point beside the curve", KEY_CURVE, |chain, _| {
            let mut point = chain.keys.spare("P-256").bits();
            point[64] ^= 1;
            chain.last().spki = on_curve(&point);
        }),
        ours("an Ed25519 point of small order", KEY_WEAK, sound_edwards, |chain, _| {
            let one = [&[1], [0; 31].as_slice()].concat();
            chain.last().spki = Key::spki_with(&Scheme::Ed25519.identifier(), &one);
        }),
        ours("an RSA key without the NULL of its identifier", KEY_TYPE, form, |chain, _| {
            let identifier = sequence(&[&oid("1.2.840.113549.1.1.1")]);
            let key = chain.keys.spare("RSA 2048");
            chain.last().spki = Key::spki_with(&identifier, &key.bits());
        }),
        both("Ed25519 with a NULL in its identifier", KEY_TYPE, |chain, _| {
            let identifier = sequence(&[&oid("1.3.101.112"), &null()]);
            let key = chain.keys.spare("Ed25519");
            chain.last().spki = Key::spki_with(&identifier, &key.bits());
        }),
    ]
}

/// A certificate somewhere has a key of `kind`.
fn with_key(chain: &mut Chain<'_>, dice: &mut Dice, kind: &str) {
    let at = chain.any(dice);
    chain.replace_key(at, chain.keys.spare(kind));
}

fn rsa(modulus: &[u8]) -> Vec<u8> {
    let identifier = sequence(&[&oid("1.2.840.113549.1.1.1"), &null()]);
    let exponent = element(INTEGER, &[1, 0, 1]);
    Key::spki_with(&identifier, &sequence(&[&element(INTEGER, modulus), &exponent]))
}

fn on_curve(point: &[u8]) -> Vec<u8> {
    let identifier = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
    Key::spki_with(&identifier, point)
}
