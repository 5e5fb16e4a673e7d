//! Values that GraphQL has no words for.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use projections::log::Until;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

/// A place in the one order of the log, as a decimal string such as "41": it can be larger than
/// GraphQL's Int, which has 32 bits. The first event is at "1"; what shows "41" shows everything
/// before it too.
#[Scalar]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text
                .parse()
                .ok()
                .filter(|position| *position >= 0)
                .map(Self)
                .ok_or_else(|| InputValueError::custom("a position is a decimal number")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A point in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(pub Until);

/// A point in the past: a position of the log (a decimal string such as "41") or a time by RFC 3339
/// (such as "2026-11-22T20:52:00Z"). What happened at that position or time is seen already.
#[Scalar]
impl ScalarType for AsOf {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        text.parse().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(match self.0 {
            Until::Position(position) => position.to_string(),
            Until::Time(time) => time.to_rfc3339(),
        })
    }
}
