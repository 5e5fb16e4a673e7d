//! Chains of certificates that nothing is wrong with, in all the forms that sound chains have.

use crate::der::{INTEGER, SEQUENCE, bits, element, sequence, small};
use crate::dice::Dice;
use crate::extension::*;
use crate::keys::{Key, Keys, Scheme};
use crate::name::{COMMON_NAME, COUNTRY, EMAIL, Name, ORGANIZATION, UNIT};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike, TimeDelta, Utc};

/// What the certificate at the end of a chain is uploaded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// By a partner, for a system that signs
    EndEntity,
    /// By a partner that issues the certificates of its devices
    Issuing,
    /// By an administrator, into the trust store
    Authority,
}

/// The registered name of every partner here.
pub const ACME: &str = "Acme Biometrics";

/// A certificate before it is encoded and signed.
#[derive(Clone)]
pub struct Link<'k> {
    /// One less than people say
    pub version: u8,
    pub serial: Vec<u8>,
    pub issuer: Name,
    /// DER of the two times
    pub validity: [Vec<u8>; 2],
    pub subject: Name,
    pub spki: Vec<u8>,
    /// Unique identifiers, or what does not belong there
    pub behind_key: Vec<u8>,
    pub extensions: Vec<Extension>,
    pub key: &'k Key,
    pub signer: &'k Key,
    pub scheme: Scheme,
    /// What stands inside the signed part, when it is something else than the scheme's
    pub inner_algorithm: Option<Vec<u8>>,
    /// What happens to the signed part after it was signed, and to the signature
    pub bend: fn(&mut Vec<u8>, &mut Vec<u8>),
    /// What becomes of the signature's bytes in the end
    pub signature_bits: fn(&[u8]) -> Vec<u8>,
}

/// A root, what stands below it, and the target.
#[derive(Clone)]
pub struct Chain<'k> {
    pub keys: &'k Keys,
    pub target: Target,
    pub now: DateTime<Utc>,
    /// From the root to the target
    pub links: Vec<Link<'k>>,
    /// Intermediates that are in the store too, and stand there first
    pub beside: Vec<Link<'k>>,
}

impl<'k> Link<'k> {
    pub fn set(&mut self, oid: &'static str, critical: bool, value: Vec<u8>) {
        self.drop(oid);
        self.extensions.push(Extension::new(oid, critical, value));
    }

    pub fn drop(&mut self, oid: &str) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    pub fn extension(&mut self, oid: &str) -> &mut Extension {
        self.extensions.iter_mut().find(|extension| extension.oid == oid).unwrap()
    }

    /// Key and key id; what it signed must be signed again.
    pub fn give_key(&mut self, key: &'k Key) {
        self.key = key;
        self.spki.clone_from(&key.spki);
        if self.extensions.iter().any(|extension| extension.oid == SUBJECT_KEY_ID) {
            self.extension(SUBJECT_KEY_ID).value = subject_key_id(&key_id(&key.spki));
        }
    }

    /// Will be signed by `issuer`, and says so.
    pub fn issued_by(&mut self, issuer: &Self) {
        self.issuer = issuer.subject.clone();
        self.signer = issuer.key;
        self.scheme = issuer.key.scheme();
        let id = authority_key_id(&key_id(&issuer.spki));
        self.set(AUTHORITY_KEY_ID, false, id);
    }

    pub fn pem(&self, keys: &Keys) -> String {
        let body = STANDARD.encode(self.der(keys));
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines(&body))
    }

    fn der(&self, keys: &Keys) -> Vec<u8> {
        let outer = self.scheme.identifier();
        let version = element(0xa0, &small(self.version));
        let extensions: Vec<_> = self.extensions.iter().flat_map(Extension::der).collect();
        let extensions = element(0xa3, &element(SEQUENCE, &extensions));
        let mut signed = sequence(&[
            if self.version == 0 { &[] } else { &version },
            &element(INTEGER, &self.serial),
            self.inner_algorithm.as_ref().unwrap_or(&outer),
            &self.issuer.der(),
            &sequence(&[&self.validity[0], &self.validity[1]]),
            &self.subject.der(),
            &self.spki,
            &self.behind_key,
            if self.extensions.is_empty() { &[] } else { &extensions },
        ]);
        let mut signature = keys.sign(self.signer, self.scheme, &signed);
        (self.bend)(&mut signed, &mut signature);
        sequence(&[&signed, &outer, &(self.signature_bits)(&signature)])
    }
}

fn lines(base64: &str) -> String {
    let letters = base64.as_bytes().chunks(64);
    letters.map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n")
}

/// RFC 5280, 4.2.1.2 leaves open how key ids are made.
pub fn key_id(spki: &[u8]) -> Vec<u8> {
    digest(&SHA256, spki).as_ref()[..20].to_vec()
}

/// RFC 5280, 4.1.2.5: two digits for the year until 2049, then four.
pub fn time(at: DateTime<Utc>) -> Vec<u8> {
    if at.year() < 2050 { short_time(at, "%y%m%d%H%M%SZ") } else { long_time(at) }
}

pub fn short_time(at: DateTime<Utc>, format: &str) -> Vec<u8> {
    element(0x17, at.format(format).to_string().as_bytes())
}

pub fn long_time(at: DateTime<Utc>) -> Vec<u8> {
    element(0x18, at.format("%Y%m%d%H%M%SZ").to_string().as_bytes())
}

impl<'k> Chain<'k> {
    /// A chain of `length` certificates, all sound, all in forms that are taken at random.
    pub fn sound(keys: &'k Keys, target: Target, length: usize, dice: &mut Dice) -> Self {
        let now = random_instant(dice);
        let mut chain = Self { keys, target, now, links: Vec::new(), beside: Vec::new() };
        for at in 0..length {
            let link = chain.next_link(at, length, dice);
            chain.links.push(link);
        }
        chain.limit_path_lengths(dice);
        chain.constrain_names(dice);
        for link in &mut chain.links {
            dice.shuffle(&mut link.extensions);
        }
        chain
    }

    fn next_link(&self, at: usize, length: usize, dice: &mut Dice) -> Link<'k> {
        let key = self.other_key(dice);
        let is_target = at + 1 == length;
        let subject = random_name(if is_target { "target" } else { "CA" }, at, dice);
        let issuer = self.links.last();
        let signer = issuer.map_or(key, |issuer| issuer.key);
        let mut link = Link {
            version: 2,
            serial: random_serial(dice),
            issuer: issuer.map_or(&subject, |issuer| &issuer.subject).clone(),
            validity: self.random_validity(dice),
            subject,
            spki: key.spki.clone(),
            behind_key: Vec::new(),
            extensions: Vec::new(),
            key,
            signer,
            scheme: dice.pick(signer.schemes()),
            inner_algorithm: None,
            bend: |_, _| (),
            signature_bits: bits,
        };
        if is_target && self.target == Target::EndEntity {
            end_entity(&mut link, dice);
        } else {
            authority(&mut link, dice);
        }
        // Strict readers ask for it everywhere but in roots.
        if issuer.is_some() || dice.coin() {
            let id = authority_key_id(&key_id(&signer.spki));
            link.set(AUTHORITY_KEY_ID, false, id);
        }
        ornaments(&mut link, dice);
        link
    }

    fn random_validity(&self, dice: &mut Dice) -> [Vec<u8>; 2] {
        let seconds = |most: usize, dice: &mut Dice| {
            TimeDelta::seconds(i64::try_from(dice.below(most)).unwrap())
        };
        let years = 20 * 365 * 86_400;
        let until = self.now + TimeDelta::seconds(1) + seconds(years, dice);
        [time(self.now - seconds(years, dice)), time(until)]
    }

    /// How many CAs may stand below: none, or at least as many as do. A partner's CA has 0.
    fn limit_path_lengths(&mut self, dice: &mut Dice) {
        let last = self.links.len() - 1;
        let target_is_ca = self.target != Target::EndEntity;
        for at in 0..=last {
            let below =
                u8::try_from((last - at).saturating_sub(usize::from(!target_is_ca))).unwrap();
            let path_len = match (at == last, self.target) {
                (true, Target::EndEntity) => continue,
                (true, Target::Issuing) => Some(0),
                _ if dice.coin() => None,
                _ => Some(below + u8::try_from(dice.below(3)).unwrap()),
            };
            self.links[at].set(BASIC_CONSTRAINTS, true, basic_constraints(true, path_len));
        }
    }

    /// Constraints that everything below keeps: all random names are Acme's.
    fn constrain_names(&mut self, dice: &mut Dice) {
        let last = self.links.len() - 1;
        for at in 0..last {
            if dice.one_in(3) {
                let value = self.kept_constraints(dice);
                self.links[at].set(NAME_CONSTRAINTS, !dice.one_in(4), value);
            }
        }
    }

    fn kept_constraints(&self, dice: &mut Dice) -> Vec<u8> {
        let india = Name::new(&[(COUNTRY, "IN")]);
        let acme = Name::new(&[(COUNTRY, "in"), (ORGANIZATION, "ACME  biometrics")]);
        let permitted = [
            host("acme.example"),
            host("Example"),
            email("acme.example"),
            email("ACME.example"),
            uri(".acme.example"),
            address(&[10, 0, 0, 0, 255, 0, 0, 0]),
            directory(&india),
            directory(&acme.rewritten(dice)),
        ];
        let excluded = [
            host("evil.example"),
            email("evil.example"),
            uri(".evil.example"),
            address(&[192, 0, 2, 0, 255, 255, 255, 0]),
            directory(&Name::new(&[(COUNTRY, "XX")])),
            directory(&Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, "Evil")])),
        ];
        let some = |all: &[Vec<u8>], dice: &mut Dice| -> Vec<Vec<u8>> {
            let first = dice.below(all.len());
            let others = all.iter().enumerate().filter(|(at, _)| *at == first || dice.one_in(3));
            others.map(|(_, name)| name.clone()).collect()
        };
        match dice.below(3) {
            0 => name_constraints(&some(&permitted, dice), &[]),
            1 => name_constraints(&[], &some(&excluded, dice)),
            _ => name_constraints(&some(&permitted, dice), &some(&excluded, dice)),
        }
    }

    pub fn last(&mut self) -> &mut Link<'k> {
        self.links.last_mut().unwrap()
    }

    /// Where a CA stands: the root or one between, never the target.
    pub fn ca(&self, dice: &mut Dice) -> usize {
        dice.below(self.links.len() - 1)
    }

    /// Where a CA between root and target stands.
    pub fn between(&self, dice: &mut Dice) -> usize {
        dice.within(1..=self.links.len() - 2)
    }

    /// Where any certificate but the root stands.
    pub fn below_root(&self, dice: &mut Dice) -> usize {
        dice.within(1..=self.links.len() - 1)
    }

    pub fn any(&self, dice: &mut Dice) -> usize {
        dice.below(self.links.len())
    }

    /// Another key of a kind that we accept, whose holder is not in the chain.
    pub fn other_key(&self, dice: &mut Dice) -> &'k Key {
        let free = |key: &&Key| self.links.iter().all(|link| link.key.spki != key.spki);
        let all: Vec<_> = self.keys.common().into_iter().filter(free).collect();
        dice.pick(&all)
    }

    /// Gives the certificate at `at` another key; what stands below is signed by it again.
    pub fn replace_key(&mut self, at: usize, key: &'k Key) {
        self.links[at].give_key(key);
        if at == 0 {
            (self.links[0].signer, self.links[0].scheme) = (key, key.scheme());
            self.links[0].drop(AUTHORITY_KEY_ID);
        }
        if at + 1 < self.links.len() {
            let issuer = self.links[at].clone();
            self.links[at + 1].issued_by(&issuer);
        }
    }

    /// Names a certificate anew, and as the issuer of what stands below it.
    pub fn rename(&mut self, at: usize, name: Name) {
        if at == 0 {
            self.links[0].issuer = name.clone();
        }
        if at + 1 < self.links.len() {
            self.links[at + 1].issuer = name.clone();
        }
        self.links[at].subject = name;
    }

    /// Without name constraints, for kinds that have their own.
    pub fn unconstrained(&mut self) {
        for link in &mut self.links {
            link.drop(NAME_CONSTRAINTS);
        }
    }

    /// At most `cas` CAs may stand below the certificate at `at`.
    pub fn limit(&mut self, at: usize, cas: usize) {
        let path_len = Some(u8::try_from(cas).unwrap());
        self.links[at].set(BASIC_CONSTRAINTS, true, basic_constraints(true, path_len));
    }

    /// Without limits of the path's length, for kinds that have their own.
    pub fn unlimited(&mut self) {
        let last = self.links.len() - 1;
        for (at, link) in self.links.iter_mut().enumerate() {
            if at < last || self.target == Target::Authority {
                link.set(BASIC_CONSTRAINTS, true, basic_constraints(true, None));
            }
        }
    }
}

/// Makes it a CA.
pub fn authority(link: &mut Link<'_>, dice: &mut Dice) {
    let usages = dice.pick(&[0, CRL_SIGN, DIGITAL_SIGNATURE | CRL_SIGN]);
    link.set(BASIC_CONSTRAINTS, true, basic_constraints(true, None));
    link.set(KEY_USAGE, !dice.one_in(4), key_usage(CERT_SIGN | usages));
    let id = subject_key_id(&key_id(&link.spki));
    link.set(SUBJECT_KEY_ID, false, id);
}

fn end_entity(link: &mut Link<'_>, dice: &mut Dice) {
    if dice.coin() {
        link.set(BASIC_CONSTRAINTS, dice.coin(), basic_constraints(false, None));
    }
    if !dice.one_in(3) {
        let usages = dice.pick(&[0, KEY_ENCIPHERMENT]);
        link.set(KEY_USAGE, dice.coin(), key_usage(DIGITAL_SIGNATURE | usages));
    }
    if dice.coin() {
        let id = subject_key_id(&key_id(&link.spki));
        link.set(SUBJECT_KEY_ID, false, id);
    }
}

/// What sound certificates may have besides.
fn ornaments(link: &mut Link<'_>, dice: &mut Dice) {
    if dice.coin() {
        let value = alternative_names(&random_names(dice));
        link.set(ALTERNATIVE_NAMES, dice.one_in(4), value);
    }
    if dice.one_in(3) {
        let purposes = [
            "1.3.6.1.5.5.7.3.1", // serverAuth
            "1.3.6.1.5.5.7.3.2", // clientAuth
            "1.3.6.1.5.5.7.3.4", // emailProtection
            "2.5.29.37.0",
            "1.3.6.1.4.1.99999.1",
        ];
        let some = &purposes[..dice.within(1..=purposes.len())];
        link.set(EXTENDED_KEY_USAGE, dice.one_in(4), oids(some));
    }
    if dice.one_in(3) {
        let any_or_own = dice.pick(&["2.5.29.32.0", "1.3.6.1.4.1.99999.2"]);
        link.set(POLICIES, dice.one_in(4), policies(&[any_or_own]));
    }
    if dice.one_in(4) {
        link.set(AUTHORITY_INFO, false, authority_info("http://acme.example/ca.cer"));
    }
    if dice.one_in(4) {
        link.set(UNKNOWN, false, dice.bytes(5));
    }
}

fn random_names(dice: &mut Dice) -> Vec<Vec<u8>> {
    let all = [
        host("acme.example"),
        host("Www.Acme.Example"),
        email("someone@acme.example"),
        uri("https://www.acme.example:8443/x?y#z"),
        address(&[10, 1, 2, 3]),
        registered_id("1.3.6.1.4.1.99999.3"),
        directory(&Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, ACME), (COMMON_NAME, "also")])),
    ];
    let mut some: Vec<_> = all.into_iter().filter(|_| dice.one_in(3)).collect();
    some.push(host("devices.acme.example"));
    dice.shuffle(&mut some);
    some
}

fn random_name(role: &str, at: usize, dice: &mut Dice) -> Name {
    let mut name = Name::new(&[(COUNTRY, "IN"), (ORGANIZATION, ACME)]);
    if dice.coin() {
        name.set(UNIT, dice.pick(&["Trust Services", "Vertrauensdienste \u{df}", "\u{4fe1}"]));
    }
    name.set(COMMON_NAME, &format!("{role} {at} {}", dice.below(1000)));
    if dice.one_in(4) {
        name.set(EMAIL, "ca@acme.example");
    }
    if name.0.len() > 3 && dice.one_in(4) {
        // Several attributes in one part
        let last = name.0.pop().unwrap();
        name.0.last_mut().unwrap().extend(last);
    }
    name
}

/// At most 20 bytes, positive.
fn random_serial(dice: &mut Dice) -> Vec<u8> {
    let length = dice.within(1..=20);
    let mut serial = dice.bytes(length);
    serial[0] = (serial[0] & 0x7f) | 1;
    serial
}

/// Between 2026 and 2046, before or behind the year in which times change their form.
fn random_instant(dice: &mut Dice) -> DateTime<Utc> {
    let days = i64::try_from(dice.below(20 * 365)).unwrap();
    let seconds = i64::try_from(dice.below(86_400)).unwrap();
    DateTime::from_timestamp(1_767_225_600 + days * 86_400 + seconds, 0).unwrap()
}
