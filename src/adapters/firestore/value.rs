//! JSON as Firestore's own values and back, so that every store keeps the same documents.
//!
//! The crate's serializer is not used because it leaves out what is null, which a rewrite must be able to clear, and
//! wraps integers that do not fit.

use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, Value as Native};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

/// The fields of an object as native values.
///
/// # Errors
/// Where a value has no native form: an integer above 2^63, or a list directly in a list.
pub fn native(fields: &Map<String, Value>) -> Result<impl Iterator<Item = (String, Native)>, String> {
    let fields: Result<Vec<_>, String> = fields
        .iter()
        .map(|(name, value)| {
            Ok((name.clone(), to_native(value).map_err(|error| format!("{name}: {error}"))?))
        })
        .collect();
    Ok(fields?.into_iter())
}

fn to_native(value: &Value) -> Result<Native, String> {
    let native = match value {
        Value::Null => ValueType::NullValue(0),
        Value::Bool(value) => ValueType::BooleanValue(*value),
        Value::Number(number) => of_number(number)?,
        Value::String(text) => ValueType::StringValue(text.clone()),
        Value::Array(values) if values.iter().any(Value::is_array) => {
            return Err("Firestore keeps no list directly in a list".to_owned());
        }
        Value::Array(values) => ValueType::ArrayValue(ArrayValue {
            values: values.iter().map(to_native).collect::<Result<_, _>>()?,
        }),
        Value::Object(fields) => ValueType::MapValue(MapValue { fields: native(fields)?.collect() }),
    };
    Ok(Native { value_type: Some(native) })
}

fn of_number(number: &Number) -> Result<ValueType, String> {
    match (number.as_i64(), number.is_u64(), number.as_f64()) {
        (Some(integer), _, _) => Ok(ValueType::IntegerValue(integer)),
        (None, false, Some(double)) => Ok(ValueType::DoubleValue(double)),
        _ => Err(format!("{number} is more than Firestore's integers hold")),
    }
}

/// Native values as the fields of an object. What JSON has no word for becomes an object that says so, which no known
/// field is read from.
pub fn json<'f>(fields: impl IntoIterator<Item = (&'f String, &'f Native)>) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.clone(), to_json(value))).collect()
}

fn to_json(value: &Native) -> Value {
    match value.value_type.as_ref() {
        Some(ValueType::NullValue(_)) => Value::Null,
        Some(ValueType::BooleanValue(value)) => Value::Bool(*value),
        Some(ValueType::IntegerValue(value)) => Value::from(*value),
        Some(ValueType::DoubleValue(value)) => {
            Number::from_f64(*value).map_or_else(|| unreadable("a number that is none"), Value::Number)
        }
        Some(ValueType::StringValue(text)) => Value::String(text.clone()),
        Some(ValueType::TimestampValue(at)) => Timestamp::new(at.seconds, at.nanos)
            .map_or_else(|_| unreadable("an instant out of range"), |at| Value::String(at.to_string())),
        Some(ValueType::ArrayValue(list)) => Value::Array(list.values.iter().map(to_json).collect()),
        Some(ValueType::MapValue(map)) => Value::Object(json(&map.fields)),
        _ => unreadable("a kind of value that is not used here"),
    }
}

fn unreadable(what: &str) -> Value {
    serde_json::json!({ "unreadable": what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::HashMap;

    fn there_and_back(fields: &Map<String, Value>) -> Map<String, Value> {
        let native: HashMap<String, Native> = native(fields).unwrap().collect();
        json(&native)
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has finite numbers only", |n| n.is_finite()).prop_map(Value::from),
            r"\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            let map = prop::collection::vec(("[a-z_]{1,8}", inner.clone()), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect()));
            let list = prop::collection::vec(inner.prop_filter("no nested list", |v| !v.is_array()), 0..4);
            prop_oneof![map, list.prop_map(Value::from)]
        })
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_back_to_the_last_bit(value in anything()) {
            let fields: Map<String, Value> = [("field".to_owned(), value)].into_iter().collect();
            prop_assert_eq!(there_and_back(&fields), fields);
        }
    }

    #[test]
    fn a_whole_double_stays_a_double() {
        let fields = json!({"rate": 1.0, "count": 1}).as_object().unwrap().clone();
        let back = there_and_back(&fields);
        assert!(back["rate"].is_f64() && back["count"].is_i64(), "{back:?}");
    }

    #[test]
    fn what_firestore_can_not_hold_is_an_error_that_names_the_field() {
        for value in [json!(u64::MAX), json!([[1]])] {
            let fields: Map<String, Value> = [("field".to_owned(), value)].into_iter().collect();
            assert!(native(&fields).err().unwrap().starts_with("field: "));
        }
    }
}
