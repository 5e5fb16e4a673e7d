//! Which part of a list is read, and the cursors that say where it begins.

use super::conditions::Parameter;
use super::{Key, Kind, Page, PageRequest};
use crate::{Error, Result};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::DateTime;
use domain::Finding;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rows on a page when nobody says how many.
pub const DEFAULT_PAGE: i32 = 20;
/// The most rows on a page.
pub const MAX_PAGE: usize = 200;

/// The part of the list that is read, in the direction in which it is read.
pub(crate) struct Window {
    list: String,
    pub(super) backwards: bool,
    limit: usize,
    pub(super) from: Option<Cursor>,
}

/// Where a row stands: what it is sorted by, and its id. Both are on the row for everybody who sees
/// it, and who forges a cursor begins elsewhere in a list that he sees anyway. `list` keeps cursors
/// of other lists and orders out.
#[derive(Serialize, Deserialize)]
pub(super) struct Cursor {
    list: String,
    key: Value,
    pub id: String,
}

impl Window {
    pub fn new(list: String, key: Key, page: &PageRequest) -> Result<Self> {
        let backwards = page.last.is_some() || page.before.is_some();
        if backwards && (page.first.is_some() || page.after.is_some()) {
            let message = "Ask for the first rows after a cursor, or for the last before one.";
            return Err(refused("PAGE_AMBIGUOUS", "first", message));
        }
        let (wished, field) = if backwards { (page.last, "last") } else { (page.first, "first") };
        let limit = limit(wished, DEFAULT_PAGE, field)?;
        let (cursor, field) =
            if backwards { (&page.before, "before") } else { (&page.after, "after") };
        let from = cursor.as_deref().map(|cursor| Cursor::read(cursor, &list, key, field));
        Ok(Self { list, backwards, limit, from: from.transpose()? })
    }

    /// One more than asked for tells whether there are more.
    pub fn rows(&self) -> usize {
        self.limit + 1
    }

    pub fn page<T: DeserializeOwned>(self, mut rows: Vec<Value>) -> Result<Page<T>> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        if self.backwards {
            rows.reverse();
        }
        let (has_next, has_previous) =
            if self.backwards { (self.from.is_some(), more) } else { (more, self.from.is_some()) };
        let rows = rows.into_iter().map(|row| self.row(row)).collect::<Result<_>>()?;
        Ok(Page { rows, has_next, has_previous })
    }

    fn row<T: DeserializeOwned>(&self, mut found: Value) -> Result<(String, T)> {
        let id = found["row"]["id"].as_str().unwrap_or_default().to_owned();
        let cursor = Cursor { list: self.list.clone(), key: found["key"].take(), id };
        Ok((cursor.write()?, serde_json::from_value(found["row"].take())?))
    }
}

impl Cursor {
    fn read(text: &str, list: &str, key: Key, field: &str) -> Result<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let cursor = serde_json::from_slice::<Self>(&bytes).ok().filter(|cursor| {
            cursor.list == list && cursor.key(key).is_some() && !cursor.id.contains('\0')
        });
        let message = "This cursor belongs to another list or order.";
        cursor.ok_or_else(|| refused("CURSOR_INVALID", field, message))
    }

    fn write(&self) -> Result<String> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }

    /// What the row is sorted by; `None` when it is nothing that this key could be.
    pub fn key(&self, key: Key) -> Option<Parameter> {
        match (key.kind, &self.key) {
            (Kind::Text, Value::String(text)) if !text.contains('\0') => {
                Some(Parameter::Text(text.clone()))
            }
            (Kind::Time, Value::String(text)) if text == "infinity" => {
                Some(Parameter::Text(text.clone()))
            }
            (Kind::Time, Value::String(text)) => {
                Some(Parameter::Time(DateTime::parse_from_rfc3339(text).ok()?.to_utc()))
            }
            (Kind::Number, Value::Number(number)) => number.as_i64().map(Parameter::Number),
            _ => None,
        }
    }
}

/// How many rows were asked for, 1 to 200; `PAGE_SIZE` under the name of the field that says how many.
pub fn limit(wished: Option<i32>, default: i32, field: &str) -> Result<usize> {
    let limit = usize::try_from(wished.unwrap_or(default)).unwrap_or(0);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("A page has 1 to {MAX_PAGE} rows.");
    Err(refused("PAGE_SIZE", field, &message))
}

pub(crate) fn refused(code: &'static str, field: &str, message: &str) -> Error {
    Error::Refused(vec![Finding::new(code, field, message)])
}
