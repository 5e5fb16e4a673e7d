//! Values that GraphQL has no words for.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Utc};
use projections::log::Until;

/// A place in the log, as a decimal string: GraphQL's Int has 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

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

/// A point in the past: a time (RFC 3339) or a position of the log (a decimal string).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(pub Until);

#[Scalar]
impl ScalarType for AsOf {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let position = text.parse().ok().filter(|it| *it >= 0).map(Until::Position);
        let time = || DateTime::parse_from_rfc3339(text).ok();
        position
            .or_else(|| time().map(|time| Until::Time(time.with_timezone(&Utc))))
            .map(Self)
            .ok_or_else(|| InputValueError::custom("neither a time (RFC 3339) nor a position"))
    }

    fn to_value(&self) -> Value {
        Value::String(match self.0 {
            Until::Position(position) => position.to_string(),
            Until::Time(time) => time.to_rfc3339(),
        })
    }
}
