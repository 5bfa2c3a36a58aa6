//! One value of an export file, as the warehouse keeps it.

use jiff::Timestamp;
use rusqlite::types::Value as Stored;
use serde_json::Value;

use super::schema::{Column, Required, Type};

/// Converts a value, or says what it should have been.
///
/// # Errors
/// The text completes "column NAME ...".
pub fn stored(column: &Column, value: Option<&Value>) -> Result<Stored, String> {
    match (value, column.required) {
        (None | Some(Value::Null), Required::Yes) => Err("is missing".to_owned()),
        (None | Some(Value::Null), Required::No) => Ok(Stored::Null),
        (Some(value), _) => typed(column.kind, value)
            .ok_or_else(|| format!("holds {} instead of {}", shown(value), wanted(column.kind))),
    }
}

fn typed(kind: Type, value: &Value) -> Option<Stored> {
    match kind {
        Type::String => Some(Stored::Text(value.as_str()?.to_owned())),
        Type::Integer => Some(Stored::Integer(integer(value)?)),
        Type::Float => Some(Stored::Real(value.as_f64().or_else(|| value.as_str()?.parse().ok())?)),
        Type::Boolean => Some(Stored::Integer(i64::from(boolean(value)?))),
        Type::Timestamp => Some(Stored::Integer(instant(value.as_str()?)?.as_microsecond())),
        Type::Nested => (value.is_object() || value.is_array()).then(|| Stored::Text(value.to_string())),
    }
}

/// BigQuery writes INT64 as a string, other writers as a number.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn boolean(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// BigQuery writes `2026-11-16 08:01:02.123456 UTC`; RFC 3339 is taken as well.
fn instant(text: &str) -> Option<Timestamp> {
    let rfc3339 = match text.strip_suffix(" UTC") {
        Some(text) => format!("{text}Z"),
        None => text.to_owned(),
    };
    rfc3339.parse().ok()
}

fn wanted(kind: Type) -> &'static str {
    match kind {
        Type::String => "text",
        Type::Integer => "a whole number",
        Type::Float => "a number",
        Type::Boolean => "true or false",
        Type::Timestamp => "an instant such as \"2026-11-16 08:01:02.123456 UTC\"",
        Type::Nested => "a record or a list",
    }
}

/// The beginning of a value, for an error.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).map(|start| format!("{start}...")).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instants_are_read_as_bigquery_writes_them() {
        let micros = |text| instant(text).map(Timestamp::as_microsecond);
        assert_eq!(micros("2026-11-16 08:01:02.123456 UTC"), Some(1_794_816_062_123_456));
        assert_eq!(micros("2026-11-16 08:01:02 UTC"), micros("2026-11-16T08:01:02Z"));
        assert_eq!(micros("yesterday"), None);
    }

    #[test]
    fn a_wrong_value_says_what_it_should_have_been() {
        let column = Column { name: "event_timestamp", kind: Type::Timestamp, required: Required::Yes };
        assert_eq!(stored(&column, None).unwrap_err(), "is missing");
        let error = stored(&column, Some(&json!(12))).unwrap_err();
        assert!(error.contains("12") && error.contains("an instant"), "{error}");
    }
}
