//! Certificate revocation lists (RFC 5280, 5): what a CA takes back. An administrator attaches them;
//! nothing is ever fetched.

use super::der;
use super::name::Name;
use super::read::{self, Refusal};
use super::{Certificate, CertificatePolicy, Signed, instant, signature};
use crate::finding::Finding;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::{FromDer, RevokedCertificate};
use x509_parser::revocation_list::CertificateRevocationList;

/// The longest list that is looked at, in characters.
pub const MAX_CRL_TEXT: usize = 128 * 1024;
/// The most certificates on one list: they have to fit into one event.
pub const MAX_REVOKED: usize = 1_000;

const BEGIN: &str = "-----BEGIN X509 CRL-----";
const END: &str = "-----END X509 CRL-----";

const MALFORMED: Refusal = (
    "CRL_MALFORMED",
    "This is not a certificate revocation list, neither PEM nor base64 of DER. Download it again \
    and send it unchanged.",
);
const TOO_LARGE: Refusal = (
    "CRL_TOO_LARGE",
    "A list has at most 1,000 certificates and 128 KiB. Ask your CA for one without expired ones.",
);
const PARTIAL: Refusal = (
    "CRL_PARTIAL",
    "This list covers a part of the certificates only, or builds on another one. Send the complete \
    list of the CA.",
);

/// A well-formed revocation list. Whether it is one of this CA's and a present one, `check` tells.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    issuer: Name,
    signed: Signed,
    /// Grows with every list of a CA, big-endian without leading zeros.
    number: Vec<u8>,
    this_update: DateTime<Utc>,
    next_update: DateTime<Utc>,
    revoked: BTreeSet<String>,
}

impl RevocationList {
    /// Reads one list, PEM or base64 of DER, at most [`MAX_CRL_TEXT`] characters.
    ///
    /// # Errors
    /// What was sent instead, or what of the list cannot be used.
    pub fn read(text: &str, field: &str) -> Result<Self, Vec<Finding>> {
        parse(text).map_err(|(code, message)| vec![Finding::new(code, field, message)])
    }

    /// Judges the list against the CA that it is attached to, and the list before it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check(
        &self,
        ca: &Certificate,
        previous: Option<&str>,
        now: DateTime<Utc>,
        policy: &CertificatePolicy,
        field: &str,
    ) -> Result<(), Vec<Finding>> {
        let faults =
            [self.issuing_fault(ca), self.time_fault(now, policy), self.age_fault(previous)];
        let findings: Vec<Finding> = faults
            .into_iter()
            .flatten()
            .map(|(code, message)| Finding::new(code, field, message))
            .collect();
        if findings.is_empty() { Ok(()) } else { Err(findings) }
    }

    /// The number in lower-case hex; a later list of the same CA has a larger one.
    pub fn number(&self) -> String {
        hex::encode(&self.number)
    }

    /// When it was issued.
    pub fn this_update(&self) -> DateTime<Utc> {
        self.this_update
    }

    /// When the next one is due.
    pub fn next_update(&self) -> DateTime<Utc> {
        self.next_update
    }

    /// The serial numbers that are taken back, as [`Certificate::serial`] tells them.
    pub fn revoked(&self) -> &BTreeSet<String> {
        &self.revoked
    }

    fn issuing_fault(&self, ca: &Certificate) -> Option<(&'static str, String)> {
        if !self.issuer.same_as(&ca.subject) || !signature::verifies(&self.signed, ca) {
            let message = format!(
                "The list was not signed by \"{}\". Attach it to the certificate of the CA that \
                issued it.",
                ca.subject()
            );
            return Some(("CRL_NOT_BY_THIS_CA", message));
        }
        (!ca.may_sign_revocation_lists()).then(|| {
            let message = "The CA's certificate does not allow its key to sign revocation lists.";
            ("CRL_NOT_ALLOWED", message.to_owned())
        })
    }

    fn time_fault(
        &self,
        now: DateTime<Utc>,
        policy: &CertificatePolicy,
    ) -> Option<(&'static str, String)> {
        if self.this_update > now + policy.clock_skew {
            let message = format!("The list begins on {} only.", instant(self.this_update));
            return Some(("CRL_NOT_YET_VALID", message));
        }
        (self.next_update <= now).then(|| {
            let due = instant(self.next_update);
            ("CRL_OUTDATED", format!("A newer list was due on {due}. Send that one."))
        })
    }

    /// Numbers without leading zeros: the longer one is the larger one.
    fn age_fault(&self, previous: Option<&str>) -> Option<(&'static str, String)> {
        let number = self.number();
        let key = |number: &str| (number.len(), number.to_owned());
        let older = previous.is_some_and(|previous| key(&number) < key(previous));
        older.then(|| {
            let message = "A newer list of this CA is attached already.";
            ("CRL_OLDER", message.to_owned())
        })
    }
}

/// What the CAs of a trust store take back. A CA is its key: what it takes back, no other certificate
/// of the same CA vouches for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations(BTreeMap<String, BTreeSet<String>>);

impl Revocations {
    /// Nothing is taken back.
    pub(super) fn none() -> &'static Self {
        static NONE: Revocations = Revocations(BTreeMap::new());
        &NONE
    }

    /// Adds the list of the CA whose key has this SHA-256.
    pub fn add(&mut self, key_sha256: String, serials: impl IntoIterator<Item = String>) {
        let mut serials = serials.into_iter().peekable();
        if serials.peek().is_some() {
            self.0.entry(key_sha256).or_default().extend(serials);
        }
    }

    /// Whether the CA whose key has this SHA-256 takes back what it issued under `serial`.
    pub fn hold(&self, key_sha256: &str, serial: &str) -> bool {
        self.0.get(key_sha256).is_some_and(|serials| serials.contains(serial))
    }

    /// Whether `issuer` takes back `child`, which it has issued.
    pub(super) fn strike(&self, issuer: &Certificate, child: &Certificate) -> bool {
        !self.0.is_empty() && self.hold(&issuer.spki_sha256(), &child.serial())
    }
}

fn parse(text: &str) -> Result<RevocationList, Refusal> {
    let text = read::without_mark(text);
    read::refuse_private_key(text)?;
    if text.len() > MAX_CRL_TEXT {
        return Err(TOO_LARGE);
    }
    let body = match text.strip_prefix(BEGIN) {
        Some(rest) => rest.strip_suffix(END).ok_or(MALFORMED)?,
        None => text,
    };
    let der = read::from_base64(body).map_err(|_| MALFORMED)?;
    let (rest, list) = CertificateRevocationList::from_der(&der).map_err(|_| MALFORMED)?;
    let signed = signed(&der, &list).filter(|_| rest.is_empty()).ok_or(MALFORMED)?;
    let tbs = &list.tbs_cert_list;
    refuse_partial(tbs.extensions())?;
    if tbs.revoked_certificates.len() > MAX_REVOKED {
        return Err(TOO_LARGE);
    }
    let time = |at: x509_parser::time::ASN1Time| DateTime::from_timestamp(at.timestamp(), 0);
    Ok(RevocationList {
        issuer: Name::read(&tbs.issuer),
        signed,
        number: list.crl_number().ok_or(MALFORMED)?.to_bytes_be(),
        this_update: time(tbs.this_update).ok_or(MALFORMED)?,
        next_update: tbs.next_update.and_then(time).ok_or(MALFORMED)?,
        revoked: tbs.revoked_certificates.iter().map(serial).collect::<Result<_, _>>()?,
    })
}

/// Inner and outer algorithm have to agree, as in a certificate.
fn signed(der: &[u8], list: &CertificateRevocationList<'_>) -> Option<Signed> {
    let parts = der::children(der)?;
    let [message, algorithm, _] = parts.as_slice() else {
        return None;
    };
    let differs = list.tbs_cert_list.signature != list.signature_algorithm;
    (!differs && list.signature_value.unused_bits == 0).then(|| Signed {
        message: message.to_vec(),
        algorithm: der::content(algorithm).unwrap_or_default().to_vec(),
        algorithm_oid: list.signature_algorithm.algorithm.to_id_string(),
        algorithm_inside_differs: differs,
        signature: list.signature_value.data.to_vec(),
    })
}

/// Delta lists, lists for one distribution point, and whatever else is critical and changes what
/// the list means. Number and key id are the rest.
fn refuse_partial(extensions: &[X509Extension<'_>]) -> Result<(), Refusal> {
    let limits = |it: &X509Extension<'_>| {
        let points = matches!(it.parsed_extension(), ParsedExtension::IssuingDistributionPoint(_));
        it.critical || points
    };
    if extensions.iter().any(limits) { Err(PARTIAL) } else { Ok(()) }
}

/// RFC 5280, 5.3: an entry with a critical extension may mean a certificate of another issuer.
fn serial(entry: &RevokedCertificate<'_>) -> Result<String, Refusal> {
    let critical = entry.extensions().iter().any(|extension| extension.critical);
    if critical { Err(PARTIAL) } else { Ok(hex::encode(entry.raw_serial())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A CA of OpenSSL's, and what it says on `openssl ca -gencrl`.
    struct Ca(tempfile::TempDir);

    impl Ca {
        fn new(common_name: &str) -> Self {
            let ca = Self(tempfile::tempdir().unwrap());
            let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\n\
                default_md=sha256\ndefault_crl_days=30\n";
            for (name, text) in [("config", config), ("index", ""), ("number", "1000\n")] {
                std::fs::write(ca.0.path().join(name), text).unwrap();
            }
            let usage = "keyUsage=critical,keyCertSign,cRLSign";
            ca.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out ca \
                 -days 3650 -subj /O=Test/CN={common_name} -addext {usage}"
            ));
            ca
        }

        fn openssl(&self, arguments: &str) {
            let arguments = arguments.split_whitespace();
            let output = Command::new("openssl")
                .args(arguments)
                .current_dir(self.0.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.0.path().join(name)).unwrap()
        }

        fn certificate(&self) -> Certificate {
            Certificate::read(&self.read("ca"), "f").unwrap()
        }

        /// A list with these serial numbers, in upper-case hex.
        fn revokes(&self, serials: &[&str]) -> String {
            let line = |serial: &&str| {
                format!("R\t300101000000Z\t260101000000Z\t{serial}\tunknown\t/CN=x\n")
            };
            let index: String = serials.iter().map(line).collect();
            std::fs::write(self.0.path().join("index"), index).unwrap();
            self.openssl("ca -config config -gencrl -keyfile key -cert ca -out crl");
            self.read("crl")
        }
    }

    fn judged(
        list: &RevocationList,
        ca: &Certificate,
        previous: Option<&str>,
        now: DateTime<Utc>,
    ) -> Vec<&'static str> {
        let policy = CertificatePolicy::default();
        let found = list.check(ca, previous, now, &policy, "f").err().unwrap_or_default();
        found.iter().map(|it| it.code).collect()
    }

    #[test]
    fn a_list_of_openssl_is_read_and_accepted_for_its_own_ca_only() {
        let (ca, other) = (Ca::new("One"), Ca::new("Two"));
        let list = RevocationList::read(&ca.revokes(&["01", "FF23"]), "f").unwrap();
        assert_eq!(list.number(), "1000");
        let serials: Vec<&str> = list.revoked().iter().map(String::as_str).collect();
        assert_eq!(serials, ["00ff23", "01"]);
        let now = list.this_update();
        assert_eq!(judged(&list, &ca.certificate(), None, now), [""; 0]);
        assert_eq!(judged(&list, &other.certificate(), None, now), ["CRL_NOT_BY_THIS_CA"]);
    }

    #[test]
    fn a_list_is_accepted_in_its_time_and_never_after_a_newer_one() {
        let ca = Ca::new("One");
        let (first, second) = (ca.revokes(&[]), ca.revokes(&["01"]));
        let [first, second] = [first, second].map(|text| RevocationList::read(&text, "f").unwrap());
        let (certificate, now) = (ca.certificate(), second.this_update());
        assert_eq!(judged(&second, &certificate, Some(&first.number()), now), [""; 0]);
        assert_eq!(judged(&second, &certificate, Some(&second.number()), now), [""; 0]);
        assert_eq!(judged(&first, &certificate, Some(&second.number()), now), ["CRL_OLDER"]);
        assert_eq!(judged(&first, &certificate, Some("ff"), now), [""; 0]);
        let early = now - chrono::TimeDelta::minutes(6);
        assert_eq!(judged(&second, &certificate, None, early), ["CRL_NOT_YET_VALID"]);
        let due = second.next_update();
        assert_eq!(judged(&second, &certificate, None, due), ["CRL_OUTDATED"]);
    }

    #[test]
    fn what_is_no_complete_list_is_called_by_its_name() {
        let code = |text: &str| RevocationList::read(text, "f").err().unwrap()[0].code;
        let ca = Ca::new("One");
        let crl = ca.revokes(&["01"]);
        assert_eq!(code(""), "CRL_MALFORMED");
        assert_eq!(code(&ca.read("ca")), "CRL_MALFORMED");
        assert_eq!(code(&ca.read("key")), "PRIVATE_KEY_SENT");
        assert_eq!(code(&crl[..crl.len() - 30]), "CRL_MALFORMED");
        assert_eq!(code(&"A".repeat(MAX_CRL_TEXT + 1)), "CRL_TOO_LARGE");
        let many: Vec<String> = (1..=MAX_REVOKED + 1).map(|n| format!("{n:04X}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(code(&ca.revokes(&many)), "CRL_TOO_LARGE");
        assert!(RevocationList::read(&ca.revokes(&many[1..]), "f").is_ok());
        let config = ca.read("config")
            + "crl_extensions=e\n[e]\nissuingDistributionPoint=critical,@p\n[p]\nonlyuser=TRUE\n";
        std::fs::write(ca.0.path().join("config"), config).unwrap();
        assert_eq!(code(&ca.revokes(&["01"])), "CRL_PARTIAL");
    }
}
