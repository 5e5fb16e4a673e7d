//! Name constraints.

use super::{Codes, Kind, both, ours, sound, theirs};
use crate::chain::Chain;
use crate::chain::Target::EndEntity;
use crate::dice::Dice;
use crate::extension::{
    ALTERNATIVE_NAMES, NAME_CONSTRAINTS, address, alternative_names, directory, email, host,
    name_constraints, uri,
};
use crate::name::{Attribute, COMMON_NAME, COUNTRY, EMAIL, Name, ORGANIZATION, Type};

const OUTSIDE: Codes = &["NAME_NOT_PERMITTED"];

/// A CA permits and excludes these names alone, and the target has exactly those.
pub fn constrained(
    chain: &mut Chain<'_>,
    dice: &mut Dice,
    permitted: &[Vec<u8>],
    excluded: &[Vec<u8>],
    names: &[Vec<u8>],
) {
    chain.unconstrained();
    for at in 0..chain.links.len() {
        chain.links[at].drop(ALTERNATIVE_NAMES);
        let mut name = chain.links[at].subject.clone();
        name.0.iter_mut().for_each(|part| part.retain(|attribute| attribute.oid != EMAIL));
        name.0.retain(|part| !part.is_empty());
        chain.rename(at, name);
    }
    let at = chain.ca(dice);
    chain.links[at].set(NAME_CONSTRAINTS, true, name_constraints(permitted, excluded));
    if !names.is_empty() {
        chain.last().set(ALTERNATIVE_NAMES, false, alternative_names(names));
    }
}

pub fn hosts_and_addresses() -> Vec<Kind> {
    let common_name = "OpenSSL takes a common name for a host when there is no other. Here it is the \
        name of a system or a person.";
    vec![
        sound("hosts below a permitted one", |c, d| {
            let names = [host("acme.example"), host("Www.Acme.example"), host("a.b.acme.example")];
            constrained(c, d, &[host("ACME.example")], &[], &names);
        }),
        sound("hosts below a permitted domain", |c, d| {
            constrained(c, d, &[host(".acme.example")], &[], &[host("www.acme.example")]);
        }),
        sound("every host is permitted", |c, d| {
            constrained(c, d, &[host("")], &[], &[host("www.acme.example")]);
        }),
        sound("a host beside an excluded one", |c, d| {
            constrained(c, d, &[], &[host("evil.example")], &[host("notevil.example")]);
        }),
        sound("one of several permitted hosts", |c, d| {
            let permitted = [host("other.example"), host("acme.example"), email("x.example")];
            constrained(c, d, &permitted, &[], &[host("acme.example")]);
        }),
        both("a host that only ends like a permitted one", OUTSIDE, |c, d| {
            constrained(c, d, &[host("acme.example")], &[], &[host("evilacme.example")]);
        }),
        both("a host above a permitted domain", OUTSIDE, |c, d| {
            constrained(c, d, &[host(".acme.example")], &[], &[host("acme.example")]);
        }),
        both("the second of two hosts is not permitted", OUTSIDE, |c, d| {
            let names = [host("www.acme.example"), host("evil.example")];
            constrained(c, d, &[host("acme.example")], &[], &names);
        }),
        both("a host below an excluded one", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[host("evil.example")], &[host("very.EVIL.example")]);
        }),
        both("a host that is permitted and excluded", OUTSIDE, |c, d| {
            let excluded = [host("evil.acme.example")];
            constrained(c, d, &[host("acme.example")], &excluded, &[host("evil.acme.example")]);
        }),
        both("every host is excluded", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[host("")], &[host("www.acme.example")]);
        }),
        both("an intermediate with a host that is not permitted", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[], &[]);
            c.unconstrained();
            c.links[0].set(NAME_CONSTRAINTS, true, name_constraints(&[host("acme.example")], &[]));
            let at = c.between(d);
            c.links[at].set(ALTERNATIVE_NAMES, false, alternative_names(&[host("evil.example")]));
        })
        .long(3..=8),
        theirs("a common name like a host that is not permitted", common_name, |c, d| {
            constrained(c, d, &[host("acme.example")], &[], &[]);
            c.last().subject.set(COMMON_NAME, "www.evil.example");
        })
        .of(&[EndEntity]),
        sound("addresses of a permitted network", |c, d| {
            let networks = [address(&[10, 1, 0, 0, 255, 255, 0, 0]), address(&network_of_six())];
            let names = [address(&[10, 1, 2, 3]), address(&address_of_six(0x20))];
            constrained(c, d, &networks, &[], &names);
        }),
        both("an address outside a permitted network", OUTSIDE, |c, d| {
            let network = address(&[10, 1, 0, 0, 255, 255, 0, 0]);
            constrained(c, d, &[network], &[], &[address(&[10, 2, 2, 3])]);
        }),
        both("an address of six outside a permitted network", OUTSIDE, |c, d| {
            let networks = [address(&network_of_six())];
            constrained(c, d, &networks, &[], &[address(&address_of_six(0x21))]);
        }),
        both("an address of six where only one of four is permitted", OUTSIDE, |c, d| {
            let network = address(&[10, 1, 0, 0, 255, 255, 0, 0]);
            constrained(c, d, &[network], &[], &[address(&address_of_six(0x20))]);
        }),
        both("an address of an excluded network", OUTSIDE, |c, d| {
            let network = address(&[10, 1, 0, 0, 255, 255, 0, 0]);
            constrained(c, d, &[], &[network], &[address(&[10, 1, 2, 3])]);
        }),
    ]
}

fn address_of_six(first: u8) -> Vec<u8> {
    [&[first], [1; 15].as_slice()].concat()
}

fn network_of_six() -> Vec<u8> {
    [&[0x20], [0; 15].as_slice(), &[0xff], [0; 15].as_slice()].concat()
}

pub fn mail() -> Vec<Kind> {
    let subject = "RFC 5280 applies a constraint to addresses in the subject only when there is no \
        alternative name; we, when none of them is an address; OpenSSL always.";
    let typed = "OpenSSL does not judge an address of another string type than IA5String; we do.";
    vec![
        sound("mailboxes of a permitted host", |c, d| {
            let names = [email("a@acme.example"), email("B@ACME.example")];
            constrained(c, d, &[email("acme.example")], &[], &names);
        }),
        sound("mailboxes below a permitted domain", |c, d| {
            let names = [email("a@x.acme.example"), email("b@y.z.Acme.example")];
            constrained(c, d, &[email(".acme.example")], &[], &names);
        }),
        sound("one permitted mailbox", |c, d| {
            constrained(c, d, &[email("a@acme.example")], &[], &[email("a@ACME.example")]);
        }),
        sound("a mailbox of a host beside an excluded one", |c, d| {
            constrained(c, d, &[], &[email("evil.example")], &[email("a@x.evil.example")]);
        }),
        both("the permitted mailbox in other case", OUTSIDE, |c, d| {
            constrained(c, d, &[email("a@acme.example")], &[], &[email("A@acme.example")]);
        }),
        both("a mailbox below a permitted host", OUTSIDE, |c, d| {
            constrained(c, d, &[email("acme.example")], &[], &[email("a@x.acme.example")]);
        }),
        both("a mailbox of the host of a permitted domain", OUTSIDE, |c, d| {
            constrained(c, d, &[email(".acme.example")], &[], &[email("a@acme.example")]);
        }),
        both("a mailbox of an excluded host", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[email("evil.example")], &[email("a@Evil.example")]);
        }),
        both("a subject with an address that is not permitted", OUTSIDE, |c, d| {
            constrained(c, d, &[email("acme.example")], &[], &[]);
            c.last().subject.set(EMAIL, "a@evil.example");
        }),
        sound("a subject with a permitted address", |c, d| {
            constrained(c, d, &[email("acme.example")], &[], &[]);
            c.last().subject.set(EMAIL, "a@acme.example");
        }),
        theirs("a subject with an address beside a permitted alternative name", subject, |c, d| {
            constrained(c, d, &[email("acme.example")], &[], &[email("a@acme.example")]);
            c.last().subject.set(EMAIL, "a@evil.example");
        }),
        theirs("a subject with a permitted address in UTF-8", typed, |c, d| {
            constrained(c, d, &[email("acme.example")], &[], &[]);
            c.last().subject.set(EMAIL, "a@acme.example");
            c.last().subject.0.last_mut().unwrap()[0].typed = Type::Utf8;
        }),
    ]
}

pub fn uris() -> Vec<Kind> {
    let user = "A URI may name a user before its host. OpenSSL takes both together for the host.";
    let number = "RFC 5280: where URIs are constrained, one whose host is an address in numbers is \
        refused. OpenSSL compares it like a name.";
    vec![
        sound("URIs of a permitted host", |c, d| {
            let names = [uri("https://acme.example/x"), uri("ldap://Acme.Example:389?x")];
            constrained(c, d, &[uri("acme.example")], &[], &names);
        }),
        sound("URIs below a permitted domain", |c, d| {
            constrained(c, d, &[uri(".acme.example")], &[], &[uri("https://x.y.acme.example")]);
        }),
        both("a URI below a permitted host", OUTSIDE, |c, d| {
            constrained(c, d, &[uri("acme.example")], &[], &[uri("https://x.acme.example")]);
        }),
        both("a URI with a permitted host in its query", OUTSIDE, |c, d| {
            let name = uri("https://evil.example/?x=.acme.example");
            constrained(c, d, &[uri(".acme.example")], &[], &[name]);
        }),
        both("a URI of an excluded host", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[uri("evil.example")], &[uri("https://EVIL.example/")]);
        }),
        both("a URI without a host where one is permitted", OUTSIDE, |c, d| {
            constrained(c, d, &[uri(".acme.example")], &[], &[uri("urn:mosip:partner:acme")]);
        }),
        both("a URI without a host where one is excluded", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[uri(".evil.example")], &[uri("urn:mosip:partner:acme")]);
        }),
        both("a URI with an address where a host is permitted", OUTSIDE, |c, d| {
            constrained(c, d, &[uri(".acme.example")], &[], &[uri("https://192.0.2.1/")]);
        }),
        ours("a URI with an address where a host is excluded", OUTSIDE, number, |c, d| {
            constrained(c, d, &[], &[uri(".evil.example")], &[uri("https://192.0.2.1/")]);
        }),
        ours("a URI with an address of six where a host is excluded", OUTSIDE, number, |c, d| {
            constrained(c, d, &[], &[uri(".evil.example")], &[uri("https://[fe80::a]:8443/")]);
        }),
        theirs("a URI of a user at a permitted host", user, |c, d| {
            constrained(c, d, &[uri("acme.example")], &[], &[uri("https://me@acme.example/")]);
        }),
        ours("a URI of a user at an excluded host", OUTSIDE, user, |c, d| {
            constrained(c, d, &[], &[uri("evil.example")], &[uri("https://me@evil.example/")]);
        }),
    ]
}

pub fn directories() -> Vec<Kind> {
    let letters = "RFC 5280, 7.1: names are compared after folding the case of every letter. \
        OpenSSL folds the 26 of ASCII.";
    vec![
        sound("subjects below a permitted one", |c, d| {
            let acme = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Acme Biometrics")]);
            let acme = directory(&acme.rewritten(d));
            constrained(c, d, &[acme], &[], &[]);
        }),
        sound("every subject is permitted", |c, d| {
            constrained(c, d, &[directory(&Name::default())], &[], &[]);
        }),
        sound("subjects beside an excluded one", |c, d| {
            let shop = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Acme")]);
            constrained(c, d, &[], &[directory(&shop)], &[]);
        }),
        both("subjects that only begin like a permitted one", OUTSIDE, |c, d| {
            let shop = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Acme")]);
            constrained(c, d, &[directory(&shop)], &[], &[]);
        }),
        both("subjects whose parts stand in another order", OUTSIDE, |c, d| {
            let acme = Name::new(&[(ORGANIZATION, "Acme Biometrics"), (COUNTRY, "IN")]);
            constrained(c, d, &[directory(&acme)], &[], &[]);
        }),
        both("subjects below an excluded one", OUTSIDE, |c, d| {
            let acme = Name::new(&[(COUNTRY, "in"), (ORGANIZATION, "ACME  biometrics ")]);
            let acme = directory(&acme.rewritten(d));
            constrained(c, d, &[], &[acme], &[]);
        }),
        both("another name of the subject is not permitted", OUTSIDE, |c, d| {
            let acme = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Acme Biometrics")]);
            let other = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Other")]);
            constrained(c, d, &[directory(&acme)], &[], &[directory(&other)]);
        }),
        both("an intermediate whose name is not permitted", OUTSIDE, |c, d| {
            constrained(c, d, &[], &[], &[]);
            c.unconstrained();
            let acme = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Acme Biometrics")]);
            let value = name_constraints(&[directory(&acme)], &[]);
            c.links[0].set(NAME_CONSTRAINTS, true, value);
            let at = c.between(d);
            let name = c.links[at].subject.with_organization(Type::Utf8, "Other");
            c.rename(at, name);
        })
        .long(3..=8),
        sound("a CA that follows itself is exempt", |c, d| {
            constrained(c, d, &[], &[], &[]);
            c.unconstrained();
            let other = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Other")]);
            let value = name_constraints(&[], &[directory(&other)]);
            let root = c.links[0].subject.with_organization(Type::Utf8, "Other");
            c.rename(0, root.clone());
            c.links[0].set(NAME_CONSTRAINTS, true, value);
            c.rename(1, root);
            c.replace_key(1, c.other_key(d));
        })
        .of(&[EndEntity])
        .long(3..=8),
        theirs("a permitted subject in other case beyond ASCII", letters, |c, d| {
            let large = Name::new(&[(COUNTRY, "IN"), ("2.5.4.7", "\u{c9}COLE")]);
            constrained(c, d, &[directory(&large)], &[], &[]);
            for at in 0..c.links.len() {
                let mut name = c.links[at].subject.clone();
                name.0.insert(1, vec![Attribute::new("2.5.4.7", "\u{e9}cole")]);
                c.rename(at, name);
            }
        }),
    ]
}
