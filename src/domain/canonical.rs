//! Canonical text: one way to write a value down, so that equal values have equal bytes wherever they were stored.
//!
//! JSON in UTF-8 without spaces. The keys of every object are sorted by their bytes. In texts only `"`, `\` and the
//! characters below U+0020 are escaped: `\b`, `\f`, `\n`, `\r`, `\t`, the others as `\u00` and two lowercase digits.
//! Integers are written in full. Every other number is the shortest decimal that reads back as the same double, with a
//! point (`1.0`), and below 0.0001 and from 10^16 on with an exponent (`1.5e-7`, `1e16`). Nothing is left out: a null is
//! `null`. Numbers are not written by `serde_json`, whose form of an exponent has changed before: bytes that were hashed
//! once have to be made again.

use serde::Serialize;
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// The canonical text of a value.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

/// The canonical text of a value of the domain.
#[must_use]
pub fn text_of(value: &impl Serialize) -> String {
    text(&value_of(value))
}

/// Hexadecimal SHA-256 of the bytes of a text, as `sha256sum` prints it.
#[must_use]
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => {
            let items = values.iter().map(|value| (None, value));
            write_all(('[', ']'), items, text);
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
            let items = sorted.into_iter().map(|(key, value)| (Some(key), value));
            write_all(('{', '}'), items, text);
        }
        Value::Number(value) => text.push_str(&number(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// An integer in full, or a double in the form that Rust's own `Debug` has for it.
fn number(value: &Number) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(double) => format!("{double:?}"),
        None => value.to_string(),
    }
}

fn write_all<'v>(
    (open, close): (char, char),
    items: impl Iterator<Item = (Option<&'v String>, &'v Value)>,
    text: &mut String,
) {
    text.push(open);
    for (place, (key, value)) in items.enumerate() {
        if place > 0 {
            text.push(',');
        }
        if let Some(key) = key {
            text.push_str(&Value::from(key.as_str()).to_string());
            text.push(':');
        }
        write(value, text);
    }
    text.push(close);
}

/// A place at which two values differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where, as `judgement.rules[2].evidence.lower`.
    pub at: String,
    /// What the first has there; none where it has nothing.
    pub one: Option<Value>,
    /// What the second has there.
    pub other: Option<Value>,
}

/// Every place at which two values differ, as deep inside them as can be said.
#[must_use]
pub fn differences(one: &Value, other: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(one), Some(other), &mut found);
    found
}

/// Every place at which two values of the domain differ when they are written down.
#[must_use]
pub fn differences_of<T: Serialize>(one: &T, other: &T) -> Vec<Difference> {
    differences(&value_of(one), &value_of(other))
}

fn value_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value)
        .expect("what is recorded is made of texts, numbers, lists and maps with texts as keys")
}

fn compare(at: String, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<Difference>) {
    match (one, other) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                let within = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                compare(within, a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for index in 0..a.len().max(b.len()) {
                compare(format!("{at}[{index}]"), a.get(index), b.get(index), found);
            }
        }
        // Texts are compared, because two doubles may be equal and have different bytes: 0.0 and -0.0.
        (one, other) if one.map(text) == other.map(text) => {}
        (one, other) => found.push(Difference { at, one: one.cloned(), other: other.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_nothing_is_left_out() {
        let value = json!({"b": [1, null, {"z": true, "a": "ü"}], "a": {}, "B": []});
        assert_eq!(text(&value), r#"{"B":[],"a":{},"b":[1,null,{"a":"ü","z":true}]}"#);
    }

    #[test]
    fn the_forms_of_numbers_and_texts_stay_what_they_are() {
        let doubles = json!([0.99, 1.0, -0.0, 0.000_1, 0.000_099, 1.5e-7, 0.1 + 0.2, 1.5e300, 1e16, 9e15]);
        let written =
            "[0.99,1.0,-0.0,0.0001,9.9e-5,1.5e-7,0.30000000000000004,1.5e300,1e16,9000000000000000.0]";
        assert_eq!(text(&doubles), written);
        let integers = json!([0, u64::MAX, i64::MIN]);
        assert_eq!(text(&integers), "[0,18446744073709551615,-9223372036854775808]");
        let hostile = json!("\"\\/\u{8}\u{c}\n\r\t\u{1b}\u{7f}\u{2028}<!channel>");
        assert_eq!(text(&hostile), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001b\u{7f}\u{2028}<!channel>\"");
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn differences_name_their_place() {
        let one = json!({"a": {"b": [1, 2]}, "c": 1, "z": 0.0});
        let other = json!({"a": {"b": [1, 3, 4]}, "d": null, "z": -0.0});
        let places: Vec<String> = differences(&one, &other).into_iter().map(|found| found.at).collect();
        assert_eq!(places, ["a.b[1]", "a.b[2]", "c", "z", "d"]);
        assert!(differences(&one, &one).is_empty());
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has finite numbers only", |n| n.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c]{1,2}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_canonical_text_reads_back_and_is_made_again(value in anything()) {
            let first = text(&value);
            let read: Value = serde_json::from_str(&first).unwrap();
            prop_assert_eq!(text(&read), first);
        }

        #[test]
        fn values_differ_where_their_texts_do(one in anything(), other in anything()) {
            prop_assert_eq!(differences(&one, &other).is_empty(), text(&one) == text(&other));
        }
    }
}
