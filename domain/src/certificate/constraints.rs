//! Name constraints: which names a CA may put into certificates (RFC 5280, 4.2.1.10).

use super::name::Name;
use x509_parser::extensions as x509;

/// A name of the kinds that the rules below can compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GeneralName {
    Dns(String),
    Email(String),
    Uri(String),
    Ip(Vec<u8>),
    Directory(Name),
    /// A kind that no rule is known for. Harmless as a name; refused as a constraint by the lint.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NameConstraints {
    pub permitted: Vec<GeneralName>,
    pub excluded: Vec<GeneralName>,
}

impl GeneralName {
    pub fn read(name: &x509::GeneralName<'_>) -> Self {
        match name {
            x509::GeneralName::DNSName(host) => Self::Dns(host.to_ascii_lowercase()),
            x509::GeneralName::RFC822Name(address) => Self::Email((*address).to_owned()),
            x509::GeneralName::URI(uri) => Self::Uri((*uri).to_owned()),
            x509::GeneralName::IPAddress(bytes) => Self::Ip(bytes.to_vec()),
            x509::GeneralName::DirectoryName(name) => Self::Directory(Name::read(name)),
            _ => Self::Other,
        }
    }

    /// Whether a name of a certificate is one that can stand there.
    pub fn is_well_formed(&self) -> bool {
        match self {
            Self::Dns(host) => !host.is_empty() && host.is_ascii(),
            Self::Email(address) => {
                address.is_ascii()
                    && address.split_once('@').is_some_and(|(l, h)| !l.is_empty() && !h.is_empty())
            }
            Self::Uri(uri) => {
                uri.is_ascii()
                    && uri
                        .split_once(':')
                        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
            }
            Self::Ip(bytes) => matches!(bytes.len(), 4 | 16),
            Self::Directory(_) | Self::Other => true,
        }
    }

    /// Whether a constraint is of a kind that the rules below can judge.
    pub fn is_known_constraint(&self) -> bool {
        match self {
            Self::Other => false,
            Self::Ip(range) => matches!(range.len(), 8 | 32),
            _ => true,
        }
    }

    pub fn display(&self) -> String {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => {
                text.escape_default().to_string()
            }
            Self::Ip(bytes) => hex::encode(bytes),
            Self::Directory(name) => name.display(),
            Self::Other => "a name of another kind".to_owned(),
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    fn is_within(&self, constraint: &Self) -> bool {
        #[cfg(test)]
        super::hostile::COMPARISONS.set(super::hostile::COMPARISONS.get() + 1);
        match (self, constraint) {
            (Self::Dns(host), Self::Dns(top)) => host_within(host, top),
            (Self::Email(address), Self::Email(top)) => address_within(address, top),
            (Self::Uri(uri), Self::Uri(top)) => {
                host_of(uri).is_some_and(|host| host_or_domain(&host, top))
            }
            (Self::Ip(address), Self::Ip(range)) => ip_within(address, range),
            (Self::Directory(name), Self::Directory(top)) => name.is_within(top),
            _ => false,
        }
    }

    /// A URI without a host cannot be compared; the RFC refuses it wherever URIs are constrained.
    fn cannot_be_judged(&self) -> bool {
        matches!(self, Self::Uri(uri) if host_of(uri).is_none())
    }
}

impl NameConstraints {
    /// How many comparisons judging `names` takes at most.
    pub fn cost(&self, names: usize) -> usize {
        (self.permitted.len() + self.excluded.len()).saturating_mul(names)
    }

    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    pub fn permits(&self, name: &GeneralName) -> bool {
        let permitted: Vec<_> = self.permitted.iter().filter(|c| name.same_kind(c)).collect();
        let excluded: Vec<_> = self.excluded.iter().filter(|c| name.same_kind(c)).collect();
        if permitted.is_empty() && excluded.is_empty() {
            return true;
        }
        !name.cannot_be_judged()
            && (permitted.is_empty() || permitted.iter().any(|c| name.is_within(c)))
            && !excluded.iter().any(|c| name.is_within(c))
    }
}

/// `top` itself or anything below it; an empty `top` is every host.
fn host_within(host: &str, top: &str) -> bool {
    let (host, top) = (host.to_ascii_lowercase(), top.to_ascii_lowercase());
    match host.strip_suffix(&top) {
        Some(before) => {
            before.is_empty() || top.is_empty() || top.starts_with('.') || before.ends_with('.')
        }
        None => false,
    }
}

/// For mail and URIs a constraint is one host, or everything below a domain if it starts with a dot.
fn host_or_domain(host: &str, top: &str) -> bool {
    let below = top.starts_with('.') && host.len() > top.len();
    host.eq_ignore_ascii_case(top) || (below && host_within(host, top))
}

/// One mailbox, all of a host, or all below a domain. Only the host's case does not matter.
fn address_within(address: &str, top: &str) -> bool {
    let Some((local, host)) = address.rsplit_once('@') else {
        return false;
    };
    match top.rsplit_once('@') {
        Some((top_local, top_host)) => local == top_local && host.eq_ignore_ascii_case(top_host),
        None => host_or_domain(host, top),
    }
}

/// The host of `scheme://user@host:port/path`; nothing for an address in numbers.
fn host_of(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let named = !host.starts_with('[') && host.chars().any(|c| c.is_ascii_alphabetic());
    named.then(|| host.to_ascii_lowercase())
}

/// A constraint is an address and a mask of the same length (RFC 4632).
fn ip_within(address: &[u8], range: &[u8]) -> bool {
    let Some((network, mask)) = range.split_at_checked(range.len() / 2) else {
        return false;
    };
    address.len() == network.len()
        && address.iter().zip(network).zip(mask).all(|((a, n), m)| a & m == n & m)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(host: &str) -> GeneralName {
        GeneralName::Dns(host.to_owned())
    }

    fn email(address: &str) -> GeneralName {
        GeneralName::Email(address.to_owned())
    }

    fn uri(uri: &str) -> GeneralName {
        GeneralName::Uri(uri.to_owned())
    }

    fn permitted(constraint: GeneralName) -> NameConstraints {
        NameConstraints { permitted: vec![constraint], excluded: vec![] }
    }

    #[test]
    fn hosts_below_a_permitted_host_are_permitted() {
        let acme = permitted(dns("acme.example"));
        assert!(acme.permits(&dns("acme.example")));
        assert!(acme.permits(&dns("WWW.Acme.example")));
        assert!(!acme.permits(&dns("notacme.example")));
        assert!(permitted(dns("")).permits(&dns("anything.example")));
    }

    #[test]
    fn a_constraint_says_nothing_about_names_of_another_kind() {
        assert!(permitted(dns("acme.example")).permits(&email("a@b.example")));
    }

    #[test]
    fn what_is_excluded_stays_out_even_when_permitted() {
        let mut constraints = permitted(dns("example"));
        constraints.excluded.push(dns("evil.example"));
        assert!(constraints.permits(&dns("good.example")));
        assert!(!constraints.permits(&dns("very.evil.example")));
    }

    #[test]
    fn mail_is_constrained_by_mailbox_host_or_domain() {
        assert!(permitted(email("a@b.example")).permits(&email("a@B.example")));
        assert!(!permitted(email("a@b.example")).permits(&email("A@b.example")));
        assert!(permitted(email("b.example")).permits(&email("x@b.example")));
        assert!(!permitted(email("b.example")).permits(&email("x@c.b.example")));
        assert!(permitted(email(".b.example")).permits(&email("x@c.b.example")));
        assert!(!permitted(email(".b.example")).permits(&email("x@b.example")));
    }

    #[test]
    fn a_uri_without_a_host_is_refused_where_uris_are_constrained() {
        let acme = permitted(uri(".acme.example"));
        assert!(acme.permits(&uri("https://user@www.acme.example:8443/x")));
        assert!(!acme.permits(&uri("https://evil.example/?.acme.example")));
        assert!(!acme.permits(&uri("urn:mosip:partner:acme")));
        assert!(!acme.permits(&uri("https://192.0.2.1/")));
        let mut excluded = NameConstraints::default();
        excluded.excluded.push(uri(".evil.example"));
        assert!(excluded.permits(&uri("https://www.acme.example/")));
        for address in ["https://192.0.2.1/", "https://[fe80::a]/", "https://me@[fe80::a]:8443/"] {
            assert!(!excluded.permits(&uri(address)), "{address}");
        }
    }

    #[test]
    fn addresses_are_compared_under_the_mask() {
        let net = permitted(GeneralName::Ip(vec![10, 1, 0, 0, 255, 255, 0, 0]));
        assert!(net.permits(&GeneralName::Ip(vec![10, 1, 2, 3])));
        assert!(!net.permits(&GeneralName::Ip(vec![10, 2, 2, 3])));
        assert!(!net.permits(&GeneralName::Ip(vec![0; 16])));
    }
}
