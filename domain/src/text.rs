//! Text as people type it: limits, and the normal form in which names are compared.

use crate::Finding;
use unicode_normalization::UnicodeNormalization;
use url::Url;

/// The form in which names, labels and e-mail addresses are compared: NFKC, trimmed, inner blanks
/// squeezed to one, lower case. Two texts with the same normal form are the same name.
pub fn normal(text: &str) -> String {
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    squeezed(&folded.nfkc().collect::<String>())
}

/// The form in which text is stored: as typed, without blanks around it or doubled inside.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Collects what is wrong with the fields of one input, so that all of it is told at once.
#[derive(Debug, Default)]
pub struct Checks {
    findings: Vec<Finding>,
}

impl Checks {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Adds findings that were collected elsewhere.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// Adds a finding when `wrong` holds.
    pub fn add_if(&mut self, wrong: bool, finding: impl FnOnce() -> Finding) {
        if wrong {
            self.findings.push(finding());
        }
    }

    /// One line of text: 1 to `max` characters, not blank, no control characters.
    pub fn line(&mut self, field: &str, text: &str, max: usize) {
        self.add_if(text.trim().is_empty(), || empty(field));
        self.add_if(text.chars().count() > max, || too_long(field, max));
        self.add_if(text.chars().any(char::is_control), || control_character(field));
    }

    /// Text that may run over several lines: 1 to `max` characters, not blank, no control
    /// characters but line breaks and tabs.
    pub fn paragraph(&mut self, field: &str, text: &str, max: usize) {
        let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        self.add_if(text.trim().is_empty(), || empty(field));
        self.add_if(text.chars().count() > max, || too_long(field, max));
        self.add_if(text.chars().any(forbidden), || control_character(field));
    }

    /// An e-mail address of at most 254 characters (RFC 5321): one `@`, a local part without
    /// blanks, a domain of dotted labels.
    pub fn email(&mut self, field: &str, text: &str) {
        let before = self.findings.len();
        self.line(field, text, 254);
        if self.findings.len() == before && !is_email(text.trim()) {
            self.add(Finding::new("EMAIL_MALFORMED", field, "This is not an e-mail address."));
        }
    }

    /// A web address of at most `max` characters that starts with `https://`.
    pub fn https_url(&mut self, field: &str, text: &str, max: usize) {
        self.line(field, text, max);
        let ok = text.strip_prefix("https://").is_some_and(|rest| {
            !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace)
        });
        self.add_if(!ok, || {
            Finding::new("URL_MALFORMED", field, "A web address has to start with https://.")
        });
    }

    /// An absolute address (RFC 3986) of at most `max` characters, in the letters that may stand in
    /// one, since others would be read differently by different programs. Nothing when it is wrong.
    pub fn uri(&mut self, field: &str, text: &str, max: usize) -> Option<Url> {
        let before = self.findings.len();
        self.line(field, text, max);
        if self.findings.len() > before {
            return None;
        }
        let url = text.chars().all(is_uri_character).then(|| Url::parse(text).ok()).flatten();
        let url = url.filter(|url| !url.has_host() || has_authority(text));
        if url.is_none() {
            let message = "This is not an absolute address such as https://example.org/path.";
            self.add(Finding::new("URL_MALFORMED", field, message));
        }
        url
    }

    /// `Ok` when nothing was found, else all of it.
    pub fn done(self) -> Result<(), Vec<Finding>> {
        if self.findings.is_empty() { Ok(()) } else { Err(self.findings) }
    }
}

fn empty(field: &str) -> Finding {
    Finding::new("EMPTY", field, "This field must not be empty.")
}

fn too_long(field: &str, max: usize) -> Finding {
    Finding::new("TOO_LONG", field, format!("At most {max} characters are allowed here."))
        .with("max", max)
}

fn control_character(field: &str) -> Finding {
    Finding::new("CONTROL_CHARACTER", field, "Control characters are not allowed here.")
}

/// RFC 3986, 2.
fn is_uri_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

/// `Url` also reads `https:host` and `https:///host`.
fn has_authority(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/'))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let local_ok = !local.is_empty()
        && local.chars().count() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c));
    local_ok && domain.contains('.') && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Checks)) -> Vec<&'static str> {
        let mut checks = Checks::default();
        check(&mut checks);
        checks.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn names_that_people_take_for_equal_have_one_normal_form() {
        assert_eq!(normal("  Acme\u{a0} BANK "), normal("acme bank"));
        assert_eq!(normal("ﬁnance"), normal("FINANCE"));
        assert_eq!(normal("Å"), normal("A\u{30a}"));
        assert_ne!(normal("acme bank"), normal("acmebank"));
    }

    #[test]
    fn the_limit_counts_characters_and_holds_to_the_last_one() {
        assert!(codes(|c| c.line("f", &"ü".repeat(36), 36)).is_empty());
        assert_eq!(codes(|c| c.line("f", &"ü".repeat(37), 36)), ["TOO_LONG"]);
    }

    #[test]
    fn a_field_that_is_wrong_twice_says_so_twice() {
        assert_eq!(codes(|c| c.line("f", "abc\u{0}d", 3)), ["TOO_LONG", "CONTROL_CHARACTER"]);
    }

    #[test]
    fn a_blank_line_is_empty() {
        assert_eq!(codes(|c| c.line("f", " \u{3000}", 9)), ["EMPTY"]);
    }

    #[test]
    fn line_breaks_belong_into_paragraphs_only() {
        assert!(codes(|c| c.paragraph("f", "a\nb", 9)).is_empty());
        assert_eq!(codes(|c| c.line("f", "a\nb", 9)), ["CONTROL_CHARACTER"]);
    }

    #[test]
    fn addresses_the_incumbent_refuses_wrongly_are_accepted() {
        for good in ["a.b-c@x.io", "o'neil+tag@mail.sub-domain.example", "ü@exämple.org"] {
            assert!(codes(|c| c.email("f", good)).is_empty(), "{good}");
        }
        for bad in ["a", "a@", "@b.c", "a@b", "a..b@c.d", "a b@c.d", "a@b@c.d", "a@-b.c"] {
            assert_eq!(codes(|c| c.email("f", bad)), ["EMAIL_MALFORMED"], "{bad}");
        }
    }
}
