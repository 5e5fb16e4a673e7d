//! What a list is narrowed by: SQL conditions, their parameters, and what is wrong with them.
//!
//! Every condition here has the form that an index serves. The indexes are those of
//! `migrations/read/`: a B-tree for what is equal or in order, trigrams of the lower-case text for a
//! part of it, so a part of fewer than three letters or digits finds its rows by walking the list.

use crate::{Error, Result};
use async_graphql::InputObject;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Finding;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::QueryAs;
use std::fmt::Write as _;

/// The longest text that can be looked for, in characters.
pub const MAX_TEXT: usize = 256;
/// How far ahead an end can be looked for, in days: as long as a key lives.
pub const MAX_DAYS: i32 = 365;

/// Looks for text, ignoring case. Several conditions have to hold together. At most 256 characters
/// each.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TextFilter {
    /// The whole text.
    pub equals: Option<String>,
    /// Any part of the text.
    pub contains: Option<String>,
    /// The beginning of the text.
    pub starts_with: Option<String>,
}

/// Looks for an id that was made by the system, ignoring case. Both conditions have to hold. At most
/// 256 characters each.
#[derive(Debug, Clone, Default, InputObject)]
pub struct IdFilter {
    /// The whole id.
    pub equals: Option<String>,
    /// The beginning of the id.
    pub starts_with: Option<String>,
}

/// Looks for a time.
#[derive(Debug, Clone, Default, InputObject)]
pub struct TimeFilter {
    /// The earliest time, itself included.
    pub from: Option<DateTime<Utc>>,
    /// The end, itself excluded.
    pub to: Option<DateTime<Utc>>,
}

/// The `where` of a list, with its parameters.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// The instant of the question, where one matters.
    pub now: DateTime<Utc>,
    sql: String,
    parameters: Vec<Parameter>,
    findings: Vec<Finding>,
}

/// What stands for a `?`.
#[derive(Debug, Clone)]
pub(crate) enum Parameter {
    Text(String),
    Texts(Vec<String>),
    Time(DateTime<Utc>),
    Number(i64),
}

impl Conditions {
    /// No conditions yet, on a question that is asked at an instant.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now, ..Self::default() }
    }

    /// Text conditions on an expression.
    pub fn text(&mut self, expression: &str, filter: Option<&TextFilter>) {
        let Some(TextFilter { equals, contains, starts_with }) = filter else { return };
        self.look_for(&format!("lower({expression}) = lower(?)"), equals.as_deref(), |it| {
            it.into()
        });
        let like = format!("lower({expression}) like lower(?)");
        self.look_for(&like, contains.as_deref(), |it| format!("%{}%", escaped(it)));
        self.look_for(&like, starts_with.as_deref(), beginning);
    }

    /// Conditions on an id that was made by the system, and so has no capitals.
    pub fn id(&mut self, expression: &str, filter: Option<&IdFilter>) {
        let Some(IdFilter { equals, starts_with }) = filter else { return };
        self.look_for(&format!("{expression} = lower(?)"), equals.as_deref(), |it| it.into());
        let like = format!("{expression} like lower(?)");
        self.look_for(&like, starts_with.as_deref(), beginning);
    }

    /// Adds a condition on a text that somebody typed, in the form that `pattern` gives it.
    fn look_for(&mut self, sql: &str, text: Option<&str>, pattern: impl FnOnce(&str) -> String) {
        let Some(text) = text else { return };
        self.limit_text(text);
        self.add_text(sql, pattern(text));
    }

    /// Refuses the question where a text that somebody typed is too long.
    pub(crate) fn limit_text(&mut self, text: &str) {
        if text.chars().count() > MAX_TEXT {
            let message = format!("A text to look for has at most {MAX_TEXT} characters.");
            self.findings.push(Finding::new("TOO_LONG", "filter", message).with("max", MAX_TEXT));
        }
    }

    /// Time conditions on an expression.
    pub fn time(&mut self, expression: &str, filter: Option<&TimeFilter>) {
        let Some(filter) = filter else { return };
        if let Some(from) = filter.from {
            self.add_time(&format!("{expression} >= ?"), from);
        }
        if let Some(to) = filter.to {
            self.add_time(&format!("{expression} < ?"), to);
        }
    }

    /// Ends within so many days from now, and has not ended yet.
    pub fn ends_within(&mut self, expression: &str, days: Option<i32>) {
        let Some(days) = days else { return };
        match days_ahead(days, "filter.expiresWithinDays") {
            Ok(ahead) => {
                self.add_time(&format!("{expression} > ?"), self.now);
                self.add_time(&format!("{expression} <= ?"), self.now + ahead);
            }
            Err(finding) => self.findings.push(finding),
        }
    }

    /// Whether something has ended at the instant of the question.
    pub fn has_ended(&mut self, expression: &str, ended: Option<bool>) {
        let Some(ended) = ended else { return };
        let compare = if ended { "<=" } else { ">" };
        self.add_time(&format!("{expression} {compare} ?"), self.now);
    }

    /// Whether something is there.
    pub fn is_there(&mut self, expression: &str, there: Option<bool>) {
        let Some(there) = there else { return };
        let not = if there { "not " } else { "" };
        self.add_plain(&format!("{expression} is {not}null"));
    }

    /// One of several words; an empty list matches nothing.
    pub fn any_of<T: ToString>(&mut self, expression: &str, words: Option<&Vec<T>>) {
        let Some(words) = words else { return };
        self.any(expression, words.iter().map(ToString::to_string).collect());
    }

    /// One of several ids; an empty list matches nothing.
    pub fn any_id<I: AsRef<str>>(&mut self, expression: &str, ids: Option<&Vec<I>>) {
        let Some(ids) = ids else { return };
        self.any(expression, ids.iter().map(|id| id.as_ref().to_owned()).collect());
    }

    /// An index with `expression` first gives the rows of one word in order, but not those of many.
    fn any(&mut self, expression: &str, mut words: Vec<String>) {
        match words.pop() {
            Some(only) if words.is_empty() => self.add_text(&format!("{expression} = ?"), only),
            last => {
                words.extend(last);
                self.add_list(&format!("{expression} = any(?)"), words);
            }
        }
    }

    /// One of the ids in the array `expression` belongs to a row of `table` that meets all
    /// `conditions`. Without conditions there need not be such a row.
    pub fn any_in(&mut self, expression: &str, table: &str, conditions: impl FnOnce(&mut Self)) {
        let together = self.part(conditions);
        if !together.is_empty() {
            self.add_plain(&format!(
                "{expression} && array(select {table}.id from {table} where true{together})"
            ));
        }
    }

    /// Conditions that stand elsewhere in the statement; their parameters are kept here.
    pub(crate) fn part(&mut self, conditions: impl FnOnce(&mut Self)) -> String {
        let before = std::mem::take(&mut self.sql);
        conditions(self);
        std::mem::replace(&mut self.sql, before)
    }

    /// A parameter outside the conditions: what stands for it in SQL.
    pub(crate) fn parameter(&mut self, parameter: Parameter) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    /// A condition without a parameter.
    pub fn add_plain(&mut self, sql: &str) {
        let _ = write!(self.sql, " and {sql}"); // writing to a String cannot fail
    }

    /// A condition with one text parameter, written `?`.
    pub fn add_text(&mut self, sql: &str, text: String) {
        self.add(sql, [Parameter::Text(text)]);
    }

    /// A condition with one time parameter, written `?`.
    pub fn add_time(&mut self, sql: &str, time: DateTime<Utc>) {
        self.add(sql, [Parameter::Time(time)]);
    }

    /// A condition with one parameter that is a list of texts, written `?`.
    pub fn add_list(&mut self, sql: &str, list: Vec<String>) {
        self.add(sql, [Parameter::Texts(list)]);
    }

    /// A condition with a parameter for each `?`.
    pub(crate) fn add(&mut self, sql: &str, parameters: impl IntoIterator<Item = Parameter>) {
        let mut parts = sql.split('?');
        let mut numbered = parts.next().unwrap_or_default().to_owned();
        for (part, parameter) in parts.zip(parameters) {
            self.parameters.push(parameter);
            let _ = write!(numbered, "${}{part}", self.parameters.len());
        }
        self.add_plain(&numbered);
    }

    /// The statement in which these conditions stand.
    pub(crate) fn statement(self, sql: impl FnOnce(&str) -> String) -> Result<Statement> {
        if self.findings.is_empty() {
            return Ok(Statement { sql: sql(&self.sql), parameters: self.parameters });
        }
        Err(Error::Refused(self.findings))
    }
}

/// SQL with its parameters.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The SQL.
    pub sql: String,
    pub(crate) parameters: Vec<Parameter>,
}

impl Statement {
    /// The statement, ready to be sent. It is planned anew each time, with its parameters at hand:
    /// the plan that finds a rare name fast is slow for a frequent one, and the other way round.
    pub fn rows<O>(&self) -> QueryAs<'_, Postgres, O, PgArguments>
    where
        O: for<'r> sqlx::FromRow<'r, PgRow>,
    {
        let query = sqlx::query_as(&self.sql).persistent(false);
        self.parameters.iter().fold(query, |query, parameter| match parameter {
            Parameter::Text(text) => query.bind(text),
            Parameter::Texts(texts) => query.bind(texts),
            Parameter::Time(time) => query.bind(time),
            Parameter::Number(number) => query.bind(number),
        })
    }
}

/// So many days, 1 to 365; refused under the name of the field that says how many.
pub(crate) fn days_ahead(days: i32, field: &str) -> std::result::Result<TimeDelta, Finding> {
    if (1..=MAX_DAYS).contains(&days) {
        return Ok(TimeDelta::days(days.into()));
    }
    let message = format!("Look 1 to {MAX_DAYS} days ahead.");
    Err(Finding::new("DAYS_OUT_OF_RANGE", field, message).with("max", MAX_DAYS))
}

/// The pattern of texts that begin with this one.
pub(crate) fn beginning(text: &str) -> String {
    format!("{}%", escaped(text))
}

/// A text as it stands in a pattern.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
