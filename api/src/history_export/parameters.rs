//! What an export is asked for: the conditions of the query `history`, under the same names, and `after`,
//! the position behind which it begins.

use chrono::{DateTime, Utc};
use domain::Finding;
use domain::text::Checks;
use projections::history::HistoryFilter;
use projections::page::MAX_TEXT;
use std::collections::BTreeMap;
use url::form_urlencoded::parse;

/// The conditions in a query string and where to begin, or everything that is wrong with them. `event` may
/// be repeated.
pub fn read(query: &str) -> Result<(HistoryFilter, Option<i64>), Vec<Finding>> {
    let mut given = Given::read(query);
    let filter = HistoryFilter {
        noun: given.text("noun"),
        id: given.text("id"),
        partner_id: given.text("partnerId"),
        actor: given.text("actor"),
        event: given.texts("event"),
        correlation_id: given.text("correlationId"),
        from: given.time("from"),
        to: given.time("to"),
        text: given.text("text"),
        ..HistoryFilter::default()
    };
    let after = given.position("after");
    given.nothing_else()?;
    Ok((filter, after))
}

/// Parameters that nobody has asked for yet, and what was wrong with those before.
struct Given {
    left: BTreeMap<String, Vec<String>>,
    checks: Checks,
}

impl Given {
    fn read(query: &str) -> Self {
        let (mut left, mut checks) = (BTreeMap::<_, Vec<_>>::new(), Checks::default());
        for (name, value) in parse(query.as_bytes()) {
            check(&mut checks, &name, &value);
            left.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        Self { left, checks }
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        self.left.remove(name)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let mut values = self.texts(name)?;
        self.checks.add_if(values.len() > 1, || {
            Finding::new("PARAMETER_REPEATED", name, "This parameter may be given once.")
        });
        values.pop()
    }

    fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let time = DateTime::parse_from_rfc3339(&self.text(name)?);
        self.checks.add_if(time.is_err(), || {
            let message = "This is no time by RFC 3339, such as 2026-11-22T20:52:00Z.";
            Finding::new("TIME_MALFORMED", name, message)
        });
        time.ok().map(|it| it.to_utc())
    }

    fn position(&mut self, name: &str) -> Option<i64> {
        let position = self.text(name)?.parse().ok().filter(|position| *position >= 0);
        self.checks.add_if(position.is_none(), || {
            Finding::new("CURSOR_INVALID", name, "A cursor of the history is a position.")
        });
        position
    }

    fn nothing_else(mut self) -> Result<(), Vec<Finding>> {
        for name in self.left.keys().filter(|name| name.chars().count() <= MAX_TEXT) {
            let message = "There is no such parameter.";
            self.checks.add(Finding::new("PARAMETER_UNKNOWN", name, message));
        }
        self.checks.done()
    }
}

fn check(checks: &mut Checks, name: &str, value: &str) {
    checks.add_if(name.chars().count().max(value.chars().count()) > MAX_TEXT, || {
        let (name, message) =
            (name.chars().take(MAX_TEXT).collect::<String>(), "This is too long.");
        Finding::new("TOO_LONG", name, message).with("max", MAX_TEXT)
    });
    checks.add_if(value.contains('\0'), || {
        Finding::new("CONTROL_CHARACTER", name, "Control characters are not allowed here.")
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn findings(query: &str) -> Vec<String> {
        let findings = read(query).unwrap_err();
        findings.into_iter().map(|it| format!("{}: {}", it.field, it.code)).collect()
    }

    #[test]
    fn conditions_have_the_names_of_the_query_history() {
        let query = "noun=partner&id=a%20b&partnerId=acme&actor=joe+miller&event=added&event=ended\
                     &correlationId=c&from=2026-11-22T20:52:00Z&to=2026-11-22T21:52:00%2B01:00&text=%25";
        let HistoryFilter { noun, id, actor, event, from, to, text, .. } = read(query).unwrap().0;
        assert_eq!((noun.as_deref(), id.as_deref()), (Some("partner"), Some("a b")));
        assert_eq!((actor.as_deref(), text.as_deref()), (Some("joe miller"), Some("%")));
        assert_eq!(event, Some(vec!["added".to_owned(), "ended".to_owned()]));
        assert_eq!(from, to);
        assert!(read("").unwrap().0.noun.is_none());
    }

    #[test]
    fn an_export_begins_after_a_position_or_with_the_log() {
        for (query, after) in [("", None), ("after=0", Some(0)), ("after=217", Some(217))] {
            assert_eq!(read(query).unwrap().1, after);
        }
        for query in ["after=", "after=-1", "after=1.5", "after=9223372036854775808"] {
            assert_eq!(findings(query), ["after: CURSOR_INVALID"], "{query}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_together() {
        let long = "a".repeat(257);
        let query = format!("colour=red&noun=a&noun=b&from=yesterday&to=&text={long}&id=%00");
        let expected = [
            "text: TOO_LONG",
            "id: CONTROL_CHARACTER",
            "noun: PARAMETER_REPEATED",
            "from: TIME_MALFORMED",
            "to: TIME_MALFORMED",
            "colour: PARAMETER_UNKNOWN",
        ];
        assert_eq!(findings(&query), expected);
        assert_eq!(findings(&long), [format!("{}: TOO_LONG", &long[..256])]);
    }

    proptest! {
        #[test]
        fn no_query_string_breaks_the_reader(query in ".*") {
            let _ = read(&query);
        }
    }
}
