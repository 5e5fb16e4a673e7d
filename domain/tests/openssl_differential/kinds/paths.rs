//! The way up: issuers, what makes a CA, and how long a path may be.

use super::{BAD, Codes, Kind, MALFORMED, UNKNOWN_ISSUER, both, ours, sound, theirs};
use crate::chain::Target::{Authority, EndEntity, Issuing};
use crate::chain::{Chain, authority, key_id, time};
use crate::der::{BOOLEAN, INTEGER, element, sequence};
use crate::dice::Dice;
use crate::extension::{
    AUTHORITY_KEY_ID, BASIC_CONSTRAINTS, CERT_SIGN, CRL_SIGN, DIGITAL_SIGNATURE, KEY_ENCIPHERMENT,
    KEY_USAGE, NAME_CONSTRAINTS, SUBJECT_KEY_ID, authority_key_id, authority_key_id_with_serial,
    basic_constraints, directory, host, key_usage, name_constraints,
};
use crate::name::{Attribute, COMMON_NAME, COUNTRY, Name, ORGANIZATION, Type};
use chrono::TimeDelta;

pub fn plain() -> Vec<Kind> {
    let nine = "We follow eight certificates, both ends included; OpenSSL a hundred.";
    vec![
        sound("of two to eight", |_, _| ()),
        sound("a root by itself", |_, _| ()).of(&[Authority]).long(1..=1),
        sound("of exactly eight", |_, _| ()).long(8..=8),
        ours("of more than eight", &["PATH_BUDGET"], nine, |_, _| ()).long(9..=10),
    ]
}

pub fn issuers() -> Vec<Kind> {
    let order = "A key id orders the candidates and proves nothing: the signature does.";
    let missing = "Strict OpenSSL demands key ids, as RFC 5280 does of CAs. Real CAs lack them, and \
        the signature tells the issuer all the same.";
    vec![
        both("an intermediate is missing", UNKNOWN_ISSUER, |chain, dice| {
            let at = chain.between(dice);
            chain.links.remove(at);
        })
        .long(3..=8),
        both("another root", UNKNOWN_ISSUER, |chain, dice| {
            chain.links[0] = Chain::sound(chain.keys, Authority, 1, dice).links.remove(0);
        }),
        both("a CA of the right name with another key", BAD, |chain, dice| {
            let at = chain.ca(dice);
            let key = chain.keys.spare_like(chain.links[at].key);
            chain.links[at].key = key;
            chain.links[at].spki.clone_from(&key.spki);
            if at == 0 {
                (chain.links[0].signer, chain.links[0].scheme) = (key, key.scheme());
                chain.links[0].drop(AUTHORITY_KEY_ID);
            }
        }),
        both("two CAs have each other's keys", BAD, |chain, _| {
            let (one, other) = (chain.links[1].spki.clone(), chain.links[2].spki.clone());
            (chain.links[1].spki, chain.links[2].spki) = (other, one);
        })
        .long(4..=8),
        both("CAs that issue each other, without a root", UNKNOWN_ISSUER, |chain, _| {
            let issuer = chain.links[2].clone();
            chain.links[1].issued_by(&issuer);
        })
        .long(4..=8),
        both("an issuer whose name has a letter more", UNKNOWN_ISSUER, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].issuer.set(COMMON_NAME, "CA with a letter morre");
        }),
        theirs("the key id of another issuer", order, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].set(AUTHORITY_KEY_ID, false, authority_key_id(&[7; 20]));
        }),
        theirs("the serial number of another issuer", order, |chain, dice| {
            let at = chain.below_root(dice);
            let issuer = &chain.links[at - 1];
            let id = key_id(&issuer.spki);
            let value = authority_key_id_with_serial(&id, &issuer.issuer, &[0x55, 0x66]);
            chain.links[at].set(AUTHORITY_KEY_ID, false, value);
        }),
        sound("the serial number of the issuer", |chain, dice| {
            let at = chain.below_root(dice);
            let issuer = &chain.links[at - 1];
            let id = key_id(&issuer.spki);
            let value = authority_key_id_with_serial(&id, &issuer.issuer, &issuer.serial);
            chain.links[at].set(AUTHORITY_KEY_ID, false, value);
        }),
        theirs("no authority key id", missing, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].drop(AUTHORITY_KEY_ID);
        }),
        theirs("a CA without a subject key id", missing, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].drop(SUBJECT_KEY_ID);
        }),
    ]
}

pub fn namesakes() -> Vec<Kind> {
    let no_way_back = "OpenSSL takes the first certificate that fits by name and key id, and knows \
        no way back. We try the next.";
    vec![
        sound("a namesake with another key id", |chain, dice| {
            let at = chain.between(dice);
            let mut namesake = chain.links[at].clone();
            namesake.give_key(chain.other_key(dice));
            chain.beside.push(namesake);
        })
        .long(3..=8),
        theirs("a namesake with the same key id", no_way_back, |chain, dice| {
            let at = chain.between(dice);
            let mut namesake = chain.links[at].clone();
            namesake.spki.clone_from(&chain.keys.spare_like(namesake.key).spki);
            chain.beside.push(namesake);
        })
        .long(3..=8),
        theirs("a way that ends at an unknown root", no_way_back, |chain, dice| {
            let at = chain.between(dice);
            let unknown = Chain::sound(chain.keys, Authority, 1, dice).links.remove(0);
            let mut crossed = chain.links[at].clone();
            crossed.issued_by(&unknown);
            chain.beside.push(crossed);
        })
        .long(3..=8),
        theirs("a way whose CA forbids the name", no_way_back, |chain, dice| {
            let at = chain.between(dice);
            let mut forbids = chain.links[at].clone();
            let nobody = directory(&Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Nobody")]));
            forbids.set(NAME_CONSTRAINTS, true, name_constraints(&[nobody], &[]));
            chain.beside.push(forbids);
        })
        .long(3..=8),
        sound("an expired namesake", |chain, dice| {
            let at = chain.between(dice);
            let mut expired = chain.links[at].clone();
            expired.validity[1] = time(chain.now - TimeDelta::days(1));
            expired.validity[0] = time(chain.now - TimeDelta::days(2));
            chain.beside.push(expired);
        })
        .long(3..=8),
        sound("everything is in the store twice", |chain, dice| {
            chain.beside.extend(chain.links[..chain.links.len() - 1].to_vec());
            dice.shuffle(&mut chain.beside);
        }),
        sound("a CA's new key, introduced by its old one", |chain, dice| {
            let at = chain.between(dice);
            chain.rename(at, chain.links[at - 1].subject.clone());
            chain.replace_key(at, chain.other_key(dice));
        })
        .long(3..=8),
    ]
}

const NO_CA: Codes = &["NOT_A_CA"];

pub fn authorities() -> Vec<Kind> {
    vec![
        both("a CA that says it is none", NO_CA, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].set(BASIC_CONSTRAINTS, true, basic_constraints(false, None));
        }),
        both("a CA without basicConstraints", NO_CA, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].drop(BASIC_CONSTRAINTS);
        }),
        both("a CA whose basicConstraints are not critical", NO_CA, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].extension(BASIC_CONSTRAINTS).critical = false;
        }),
        both("a CA whose key may not sign certificates", &["CA_KEY_USAGE"], |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].set(KEY_USAGE, true, key_usage(DIGITAL_SIGNATURE | CRL_SIGN));
        }),
        both("a CA without keyUsage", &["CA_KEY_USAGE"], |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].drop(KEY_USAGE);
        }),
        both("a CA of version 1", &["CERT_VERSION"], |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].version = 0;
            chain.links[at].extensions.clear();
        }),
        both("extensions in version 1", &["CERT_VERSION"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].version = 0;
        }),
        both("extensions in version 2", &["CERT_VERSION"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].version = 1;
        }),
        both("a target instead of a CA", NO_CA, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].extensions.retain(|e| e.oid == AUTHORITY_KEY_ID);
        }),
    ]
}

const TOO_LONG: Codes = &["PATH_LENGTH"];

pub fn path_lengths() -> Vec<Kind> {
    let target = "RFC 5280 does not count the target. A CA that we let in below could issue \
        nothing that verifies, so we count it.";
    vec![
        both("more CAs than one above allows", TOO_LONG, |chain, dice| {
            chain.unlimited();
            let at = dice.below(chain.links.len() - 2);
            let below = chain.links.len() - 2 - at;
            chain.limit(at, below - 1 - dice.below(below));
        })
        .long(3..=8),
        sound("exactly as many CAs as allowed", |chain, _| {
            for at in 0..chain.links.len() - 1 {
                let below = chain.links.len() - 2 - at;
                chain.limit(at, below);
            }
        })
        .of(&[EndEntity]),
        sound("a CA that follows itself does not count", |chain, _| {
            chain.unlimited();
            chain.rename(1, chain.links[0].subject.clone());
            chain.replace_key(1, chain.other_key(&mut Dice::new(3)));
            chain.limit(0, chain.links.len() - 3);
        })
        .of(&[EndEntity])
        .long(3..=8),
        ours("the target is the CA that is one too many", TOO_LONG, target, |chain, _| {
            let last = chain.links.len() - 1;
            chain.limit(last - 1, 0);
        })
        .of(&[Issuing, Authority]),
        both("a negative length", MALFORMED, |chain, dice| {
            let at = chain.ca(dice);
            let value = sequence(&[&element(BOOLEAN, &[0xff]), &element(INTEGER, &[0xff])]);
            chain.links[at].set(BASIC_CONSTRAINTS, true, value);
        }),
    ]
}

pub fn targets() -> Vec<Kind> {
    let same_key = "It verifies under its own key, so nobody has vouched for it.";
    let not_asked = "OpenSSL is not asked what the target is for; we know.";
    vec![
        ours("a CA as an end entity", &["CA_NOT_ALLOWED"], not_asked, |chain, dice| {
            authority(chain.last(), dice);
            chain.unlimited();
        })
        .of(&[EndEntity]),
        both("an end entity that may sign certificates", &["CA_NOT_ALLOWED"], |chain, _| {
            let last = chain.last();
            last.set(BASIC_CONSTRAINTS, true, basic_constraints(false, None));
            last.set(KEY_USAGE, true, key_usage(DIGITAL_SIGNATURE | CERT_SIGN));
        })
        .of(&[EndEntity]),
        ours("an end entity that may not sign", &["KEY_USAGE"], not_asked, |chain, _| {
            chain.last().set(KEY_USAGE, true, key_usage(KEY_ENCIPHERMENT));
        })
        .of(&[EndEntity]),
        ours("an end entity with constraints", &["CA_NOT_ALLOWED"], not_asked, |chain, _| {
            let value = name_constraints(&[host("acme.example")], &[]);
            chain.last().set(NAME_CONSTRAINTS, true, value);
        })
        .of(&[EndEntity]),
        ours("a partner's CA that allows CAs", &["PATH_LENGTH_NOT_ZERO"], not_asked, |chain, _| {
            let last = chain.links.len() - 1;
            chain.unlimited();
            chain.limit(last, 1);
        })
        .of(&[Issuing]),
        ours("an end entity in a trust store", &["NOT_A_CA", "CA_KEY_USAGE"], not_asked, |c, _| {
            let last = c.last();
            last.drop(BASIC_CONSTRAINTS);
            last.set(KEY_USAGE, true, key_usage(DIGITAL_SIGNATURE));
        })
        .of(&[Authority]),
        ours(
            "the certificate of another organisation",
            &["ORG_MISMATCH"],
            not_asked,
            |chain, _| {
                chain.unconstrained();
                let last = chain.last();
                last.subject = last.subject.with_organization(Type::Utf8, "Acme Biometrics Ltd");
            },
        )
        .of(&[EndEntity, Issuing]),
        ours("of two organisations", &["ORG_MISMATCH"], not_asked, |chain, _| {
            let last = chain.last();
            last.subject.0.push(vec![Attribute::new(ORGANIZATION, "Acme Biometrics")]);
        })
        .of(&[EndEntity, Issuing]),
        ours("a partner with the key of its issuer", &["SELF_SIGNED"], same_key, |chain, _| {
            let issuer = chain.links[chain.links.len() - 2].key;
            chain.last().give_key(issuer);
        })
        .of(&[EndEntity, Issuing]),
        both("a partner's certificate that signed itself", &["SELF_SIGNED"], |chain, _| {
            let last = chain.last();
            (last.signer, last.scheme) = (last.key, last.key.scheme());
            last.issuer = last.subject.clone();
            last.drop(AUTHORITY_KEY_ID);
        })
        .of(&[EndEntity, Issuing]),
        both("a root that names another issuer", &["SELF_SIGNED_NAMES_DIFFER"], |chain, _| {
            chain.links[0].issuer.set(COMMON_NAME, "Another");
        })
        .of(&[Authority])
        .long(1..=1),
    ]
}
