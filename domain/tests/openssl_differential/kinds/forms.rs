//! How names, dates, extensions and numbers are written.

use super::constraints::constrained;
use super::{Codes, Kind, MALFORMED, UNKNOWN_ISSUER, both, ours, sound, suffered, theirs};
use crate::chain::Target::EndEntity;
use crate::chain::{Chain, key_id, long_time, short_time, time};
use crate::der::{BIT_STRING, element, null, oid, sequence, small};
use crate::dice::Dice;
use crate::extension::{
    ALTERNATIVE_NAMES, AUTHORITY_INFO, AUTHORITY_KEY_ID, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE,
    Extension, INHIBIT_ANY_POLICY, KEY_USAGE, NAME_CONSTRAINTS, POLICY_CONSTRAINTS,
    POLICY_MAPPINGS, SUBJECT_KEY_ID, UNKNOWN, address, alternative_names, authority_info,
    basic_constraints, host, name_constraints, oids, registered_id, subject_key_id, unused_bits,
};
use crate::name::{Name, Type};
use chrono::TimeDelta;

const EXPIRED: Codes = &["EXPIRED"];

pub fn dates() -> Vec<Kind> {
    let last = "RFC 5280: the validity includes its last second. OpenSSL ends one second earlier.";
    let skew = "Clocks differ: we suffer a beginning that lies up to five minutes ahead.";
    let long = "RFC 5280 wants the short form until 2049, but nobody can misread the long one.";
    vec![
        sound("valid since this second", |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = time(chain.now);
        }),
        sound("valid for one more second", |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = time(chain.now + TimeDelta::seconds(1));
        }),
        theirs("in its last second", last, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = time(chain.now);
        }),
        both("expired since one second", EXPIRED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = time(chain.now - TimeDelta::seconds(1));
            chain.links[at].validity[0] = time(chain.now - TimeDelta::days(9));
        }),
        both("expired since years", EXPIRED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = time(chain.now - TimeDelta::days(999));
            chain.links[at].validity[0] = time(chain.now - TimeDelta::days(5999));
        }),
        theirs("begins within five minutes", skew, |chain, dice| {
            let (at, ahead) = (chain.any(dice), i64::try_from(dice.within(1..=300)).unwrap());
            chain.links[at].validity[0] = time(chain.now + TimeDelta::seconds(ahead));
            chain.links[at].validity[1] = time(chain.now + TimeDelta::days(999));
        }),
        both("begins in five minutes and a second", &["NOT_YET_VALID"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = time(chain.now + TimeDelta::seconds(301));
            chain.links[at].validity[1] = time(chain.now + TimeDelta::days(999));
        }),
        both("ends before it begins", &["VALIDITY_REVERSED"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = time(chain.now + TimeDelta::seconds(2));
            chain.links[at].validity[1] = time(chain.now + TimeDelta::seconds(1));
        }),
        sound("valid from 1951 to the end of 9999", |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = element(0x17, b"510101000000Z");
            chain.links[at].validity[1] = element(0x18, b"99991231235959Z");
        }),
        both("a year 50 in the short form is 1950", &["VALIDITY_REVERSED"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = element(0x17, b"510101000000Z");
            chain.links[at].validity[1] = element(0x17, b"500101000000Z");
        }),
        suffered("the long form before 2050", long, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[0] = long_time(chain.now - TimeDelta::days(8000));
        }),
        both("a time with an offset", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            let begin = chain.now - TimeDelta::days(8000);
            chain.links[at].validity[0] = short_time(begin, "%y%m%d%H%M%S+0000");
        }),
        both("a time without seconds", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            let begin = chain.now - TimeDelta::days(8000);
            chain.links[at].validity[0] = short_time(begin, "%y%m%d%H%MZ");
        }),
        both("a time with fractions of a second", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = element(0x18, b"20990101000000.5Z");
        }),
        both("the 30th of February", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].validity[1] = element(0x18, b"20990230000000Z");
        }),
    ]
}

pub fn names() -> Vec<Kind> {
    let letters = "RFC 5280, 7.1: names are compared after folding the case of every letter and \
        normalising them. OpenSSL folds the 26 of ASCII.";
    let numeric = "OpenSSL does not compare NumericString with other types; the text is the same.";
    let visible =
        "RFC 5280 does not provide VisibleString in names; OpenSSL cannot read it at all.";
    let universal = "UniversalString is obsolete since 1997; we do not read it as text.";
    vec![
        sound("issuers in other case, blanks and types", |chain, dice| {
            for at in 1..chain.links.len() {
                let issuer = chain.links[at].issuer.rewritten(dice);
                chain.links[at].issuer = issuer;
            }
        }),
        sound("an issuer in another type beyond ASCII", |chain, dice| {
            let types = [Type::Utf8, Type::Bmp, Type::Teletex];
            let (one, other) = (dice.pick(&types), dice.pick(&types));
            organized(chain, dice, (one, "\u{c9}cole"), (other, "\u{c9}cole"));
        }),
        sound("an issuer in Chinese", |c, d| {
            organized(c, d, (Type::Utf8, "\u{4fe1}\u{4efb}"), (Type::Bmp, "\u{4fe1}\u{4efb}"));
        }),
        theirs("an issuer in other case beyond ASCII", letters, |c, d| {
            organized(c, d, (Type::Utf8, "\u{c9}cole"), (Type::Utf8, "\u{e9}cole"));
        }),
        theirs("an issuer in another normal form", letters, |c, d| {
            organized(c, d, (Type::Utf8, "\u{c9}cole"), (Type::Utf8, "E\u{301}cole"));
        }),
        theirs("an issuer of digits as NumericString", numeric, |c, d| {
            organized(c, d, (Type::Utf8, "12345"), (Type::Numeric, "12345"));
        }),
        ours("an issuer as UniversalString", UNKNOWN_ISSUER, universal, |c, d| {
            organized(c, d, (Type::Utf8, "Acme"), (Type::Universal, "Acme"));
        }),
        theirs("an issuer as VisibleString", visible, |c, d| {
            organized(c, d, (Type::Utf8, "Acme"), (Type::Visible, "Acme"));
        }),
        both("an issuer without its blank", UNKNOWN_ISSUER, |c, d| {
            organized(c, d, (Type::Utf8, "Acme Trust"), (Type::Utf8, "AcmeTrust"));
        }),
        both("an issuer whose parts stand in another order", UNKNOWN_ISSUER, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].issuer.0.swap(0, 1);
        }),
        both("an issuer whose parts are one", UNKNOWN_ISSUER, |chain, dice| {
            let at = chain.below_root(dice);
            let country = chain.links[at].issuer.0.remove(0);
            chain.links[at].issuer.0[0].extend(country);
        }),
        both("no issuer", &["NAME_EMPTY", "ISSUER_UNKNOWN"], |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].issuer = Name::default();
        }),
        both("a CA without a name", &["NAME_EMPTY"], |chain, dice| {
            chain.unconstrained();
            let at = chain.between(dice);
            chain.rename(at, Name::default());
        })
        .long(3..=8),
    ]
}

/// A CA has the first organisation, and the certificate below says that its issuer has the other.
fn organized(chain: &mut Chain<'_>, dice: &mut Dice, own: (Type, &str), said: (Type, &str)) {
    chain.unconstrained();
    let at = chain.ca(dice);
    chain.rename(at, chain.links[at].subject.with_organization(own.0, own.1));
    chain.links[at + 1].issuer = chain.links[at].subject.with_organization(said.0, said.1);
}

const RULE: Codes = &["EXTENSION_RULE"];

pub fn extensions() -> Vec<Kind> {
    let unread = "OpenSSL does not look into what it is not asked for.";
    let criticality = "A rule of RFC 5280 that OpenSSL does not have.";
    let policies_known = "Policies are checked only on demand (-policy_check), so OpenSSL passes over \
        them; we refuse what we would have to understand.";
    let unneeded = "OpenSSL passes over a kind of constraint for which there is no name; RFC 5280 \
        lets us refuse what we cannot judge.";
    vec![
        both("an unknown critical extension", &["UNKNOWN_CRITICAL_EXTENSION"], |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].set(UNKNOWN, true, null());
        }),
        both("an extension twice", &["DUPLICATE_EXTENSION"], |chain, dice| {
            let at = chain.any(dice);
            let id = subject_key_id(&key_id(&chain.links[at].spki));
            chain.links[at].set(SUBJECT_KEY_ID, false, id);
            let twice = chain.links[at].extension(SUBJECT_KEY_ID).clone();
            chain.links[at].extensions.push(twice);
        }),
        ours("an unknown extension twice", &["DUPLICATE_EXTENSION"], unread, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].set(UNKNOWN, false, null());
            chain.links[at].extensions.push(Extension::new(UNKNOWN, false, null()));
        }),
        both("a critical subject key id", RULE, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].extension(SUBJECT_KEY_ID).critical = true;
        }),
        both("a critical authority key id", RULE, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].extension(AUTHORITY_KEY_ID).critical = true;
        }),
        both("a critical authorityInfoAccess", RULE, |chain, dice| {
            let at = chain.any(dice);
            let value = authority_info("http://acme.example/ca.cer");
            chain.links[at].set(AUTHORITY_INFO, true, value);
        }),
        ours("critical policyConstraints", RULE, policies_known, |chain, dice| {
            let at = chain.ca(dice);
            let value = sequence(&[&element(0x80, &[5])]);
            chain.links[at].set(POLICY_CONSTRAINTS, true, value);
        }),
        ours("a critical inhibitAnyPolicy", RULE, policies_known, |chain, dice| {
            let at = chain.ca(dice);
            chain.links[at].set(INHIBIT_ANY_POLICY, true, small(5));
        }),
        ours("critical policyMappings", RULE, policies_known, |chain, dice| {
            let at = chain.ca(dice);
            let own = oid("1.3.6.1.4.1.99999.2");
            let value = sequence(&[&sequence(&[&own, &own])]);
            chain.links[at].set(POLICY_MAPPINGS, true, value);
        }),
        both("no alternative name", RULE, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].set(ALTERNATIVE_NAMES, false, alternative_names(&[]));
        }),
        ours("an address of three bytes", RULE, unread, |chain, dice| {
            chain.unconstrained();
            let at = chain.any(dice);
            let names = alternative_names(&[address(&[10, 1, 2])]);
            chain.links[at].set(ALTERNATIVE_NAMES, false, names);
        }),
        ours("an extendedKeyUsage without a purpose", RULE, unread, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].set(EXTENDED_KEY_USAGE, false, oids(&[]));
        }),
        both("a keyUsage that allows nothing", &["EXTENSION_RULE", "KEY_USAGE"], |chain, _| {
            chain.last().set(KEY_USAGE, true, element(BIT_STRING, &[7, 0]));
        })
        .of(&[EndEntity]),
        both("a path length without a CA", RULE, |chain, _| {
            chain.last().set(BASIC_CONSTRAINTS, true, basic_constraints(false, Some(1)));
        })
        .of(&[EndEntity]),
        ours("nameConstraints without a name", RULE, criticality, |chain, dice| {
            chain.unconstrained();
            let at = chain.ca(dice);
            chain.links[at].set(NAME_CONSTRAINTS, true, name_constraints(&[], &[]));
        }),
        ours("a constraint of an unknown kind of name", RULE, unneeded, |chain, dice| {
            constrained(chain, dice, &[registered_id("1.3.6.1.4.1.99999.3")], &[], &[]);
        }),
        both("a constraint with a minimum", RULE, |chain, dice| {
            constrained(chain, dice, &[], &[], &[host("acme.example")]);
            chain.unconstrained();
            let at = chain.ca(dice);
            let subtree = sequence(&[&host("acme.example"), &element(0x80, &[1])]);
            let value = sequence(&[&element(0xa0, &subtree)]);
            chain.links[at].set(NAME_CONSTRAINTS, true, value);
        }),
    ]
}

const SERIAL: Codes = &["SERIAL"];

pub fn encodings() -> Vec<Kind> {
    let lenient = "OpenSSL reads more than DER allows; a certificate has one form here.";
    let serial = "OpenSSL does not judge serial numbers.";
    let unique = "Unique identifiers are forbidden by RFC 5280, but OpenSSL reads over them.";
    let bits_left = "DER leaves zero bits at the end away; with them it means the same.";
    let version_1 = "OpenSSL takes a version 1 certificate at the end of a chain.";
    vec![
        ours("serial number zero", SERIAL, serial, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].serial = vec![0];
        }),
        ours("a negative serial number", SERIAL, serial, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].serial = vec![0x80, 1];
        }),
        ours("a serial number of 21 bytes", SERIAL, serial, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].serial = [&[0x7f], dice.bytes(20).as_slice()].concat();
        }),
        suffered("a root with serial number zero", "A root of the web has it.", |chain, _| {
            chain.links[0].serial = vec![0];
        }),
        ours("unique identifiers", &["CERT_VERSION"], unique, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].behind_key = element(0x81, &[0, 1]);
        }),
        ours("a target of version 1", &["CERT_VERSION"], version_1, |chain, _| {
            let last = chain.last();
            last.version = 0;
            last.extensions.clear();
        })
        .of(&[EndEntity]),
        ours("a version 9", &["CERT_VERSION"], lenient, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].version = 8;
        }),
        ours("bytes behind the content of an extension", MALFORMED, lenient, |chain, dice| {
            let at = chain.any(dice);
            let mut id = subject_key_id(&key_id(&chain.links[at].spki));
            id.extend([5, 0]);
            chain.links[at].set(SUBJECT_KEY_ID, false, id);
        }),
        both("an extension that is no DER", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].set(BASIC_CONSTRAINTS, true, vec![0x30, 9, 1]);
        }),
        both("something behind the extensions", MALFORMED, |chain, dice| {
            let at = chain.any(dice);
            chain.links[at].behind_key = element(0xa4, &null());
        }),
        both("a signature with unused bits", MALFORMED, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].signature_bits = unused_bits;
        }),
        both("a serial number with a zero too many", MALFORMED, |chain, dice| {
            let at = chain.below_root(dice);
            chain.links[at].serial = vec![0, 1];
        }),
        suffered("a keyUsage with bits to fill its byte", bits_left, |chain, _| {
            chain.last().set(KEY_USAGE, true, element(BIT_STRING, &[0, 0x80]));
        })
        .of(&[EndEntity]),
    ]
}
