//! A value against a schema: the parts of JSON Schema that the three kinds of descriptions use.
//!
//! Stricter than JSON Schema in one thing: a field that the schema does not name is a problem, unless the schema says
//! that others may follow or names none at all. A keyword or format that is not known here panics, so that nothing
//! passes because it was not understood.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

/// What is checked here, and what only explains.
const KEYWORDS: &str = "$ref type format enum items properties required additionalProperties oneOf nullable pattern \
    allOf anyOf minLength maxLength maxProperties minItems maxItems uniqueItems minimum maximum title description default deprecated discriminator enumDescriptions id \
    readOnly example name in location x-github-breaking-changes";

/// One deviation; the place has no indices and no ids, so that the same deviation is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: String,
    pub kind: &'static str,
    pub found: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (found {})", self.place, self.kind, self.found)
    }
}

/// Collects the problems of values against schemas of one document.
pub struct Checker<'d> {
    document: &'d Value,
    pub problems: Vec<Problem>,
}

impl<'d> Checker<'d> {
    pub fn new(document: &'d Value) -> Self {
        Self { document, problems: Vec::new() }
    }

    pub fn report(&mut self, place: &str, kind: &'static str, found: impl fmt::Display) {
        self.problems.push(Problem { place: place.to_owned(), kind, found: found.to_string() });
    }

    /// Checks a value; `place` says where it is.
    pub fn check(&mut self, schema: &Value, value: &Value, place: &str) {
        refuse_unknown_keywords(schema);
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        if let Some(name) = schema["$ref"].as_str() {
            let target = self.target(name);
            return self.check(target, value, place);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.check(&together(parts), value, place);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            return self.check_any(choices, value, place);
        }
        // Slack writes a choice as a list of items.
        if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["items"].as_array()) {
            return self.check_choice(choices, value, place);
        }
        if let Some(known) = schema["enum"].as_array().filter(|known| !known.contains(value)) {
            self.report(place, "not one of the described values", format!("{value}, known {known:?}"));
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.as_object().map(|_| self.check_object(schema, value, place)),
            Some("array") => value.as_array().map(|items| self.check_array(schema, items, place)),
            Some("string") => value.as_str().map(|text| self.check_text(schema, text, place)),
            Some("integer") => value.as_i64().map(|_| self.check_range(schema, value, place)),
            Some("number") => value.as_f64().map(|_| self.check_range(schema, value, place)),
            Some("boolean") => value.as_bool().map(drop),
            Some("null") => value.as_null(),
            Some("any") => Some(()),
            other => panic!("{place}: a schema of type {other:?}: {schema}"),
        };
        if fits.is_none() {
            self.report(place, "of another type than described", value);
        }
    }

    /// `Name` in a discovery document, `#/a/pointer` elsewhere.
    fn target(&self, name: &str) -> &'d Value {
        let pointer = name.strip_prefix('#').map_or_else(|| format!("/schemas/{name}"), str::to_owned);
        self.document.pointer(&pointer).unwrap_or_else(|| panic!("the description has no {name}"))
    }

    /// Exactly one must fit; where none does, the nearest one tells why.
    fn check_choice(&mut self, choices: &[Value], value: &Value, place: &str) {
        let outcomes = choices.iter().map(|choice| {
            let mut checker = Checker::new(self.document);
            checker.check(choice, value, place);
            checker.problems
        });
        let outcomes: Vec<_> = outcomes.collect();
        if outcomes.iter().filter(|problems| problems.is_empty()).count() > 1 {
            self.report(place, "more than one of the described choices", value);
        }
        self.problems.extend(outcomes.into_iter().min_by_key(Vec::len).unwrap_or_default());
    }

    /// One must fit, more may; where none does, the nearest one tells why.
    fn check_any(&mut self, choices: &[Value], value: &Value, place: &str) {
        let outcomes = choices.iter().map(|choice| {
            let mut checker = Checker::new(self.document);
            checker.check(choice, value, place);
            checker.problems
        });
        self.problems.extend(outcomes.min_by_key(Vec::len).unwrap_or_default());
    }

    fn check_object(&mut self, schema: &Value, value: &Value, place: &str) {
        let (properties, others) = (&schema["properties"], &schema["additionalProperties"]);
        let is_open = *others == true || (properties.is_null() && others.is_null());
        for (name, member) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            match properties.get(name) {
                Some(schema) => self.check(schema, member, &place),
                None if others.is_object() => self.check(others, member, &place),
                None if is_open => {}
                None => self.report(&place, "not described", member),
            }
        }
        let count = value.as_object().map_or(0, serde_json::Map::len) as u64;
        if schema["maxProperties"].as_u64().is_some_and(|most| count > most) {
            self.report(place, "more than described", count);
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if value.get(name).is_none() {
                self.report(&format!("{place}.{name}"), "missing", "nothing");
            }
        }
    }

    fn check_array(&mut self, schema: &Value, items: &[Value], place: &str) {
        for item in items {
            self.check(&schema["items"], item, &format!("{place}[]"));
        }
        if schema["minItems"].as_u64().is_some_and(|fewest| (items.len() as u64) < fewest) {
            self.report(place, "shorter than described", items.len());
        }
        if schema["maxItems"].as_u64().is_some_and(|most| (items.len() as u64) > most) {
            self.report(place, "more than described", items.len());
        }
        let twice = (1..items.len()).any(|index| items[..index].contains(&items[index]));
        if schema["uniqueItems"] == true && twice {
            self.report(place, "an item twice", format!("{items:?}"));
        }
    }

    fn check_text(&mut self, schema: &Value, text: &str, place: &str) {
        let fits = match schema["format"].as_str() {
            None => true,
            Some("int64") => text.parse::<i64>().is_ok(),
            Some("uint64") => text.parse::<u64>().is_ok(),
            Some("date-time" | "google-datetime") => text.parse::<Timestamp>().is_ok(),
            Some("uri") => text.contains("://") && !text.contains(char::is_whitespace),
            Some("uri-reference") => !text.contains(char::is_whitespace),
            Some(other) => panic!("{place}: a text of format {other}"),
        };
        if !fits {
            self.report(place, "not of the described format", text);
        }
        let length = text.chars().count() as u64;
        if schema["minLength"].as_u64().is_some_and(|least| length < least) {
            self.report(place, "shorter than described", text);
        }
        if schema["maxLength"].as_u64().is_some_and(|most| length > most) {
            self.report(place, "more than described", text);
        }
        if schema["pattern"].as_str().is_some_and(|pattern| !matches(pattern, text)) {
            self.report(place, "not of the described pattern", text);
        }
    }

    fn check_range(&mut self, schema: &Value, value: &Value, place: &str) {
        let number = value.as_f64();
        let is_low = schema["minimum"].as_f64().is_some_and(|least| number < Some(least));
        let is_high = schema["maximum"].as_f64().is_some_and(|most| number > Some(most));
        let is_long = schema["format"] == "int32" && value.as_i64().is_none_or(|n| i32::try_from(n).is_err());
        if is_low || is_high || is_long {
            self.report(place, "out of the described range", value);
        }
    }
}

/// Several schemas of one object as one: GitHub describes an issue as an issue and a few fields besides.
fn together(parts: &[Value]) -> Value {
    let mut whole = json!({"type": "object", "properties": {}, "required": []});
    for part in parts {
        refuse_unknown_keywords(part);
        let properties = part["properties"].as_object().unwrap_or_else(|| panic!("no properties: {part}"));
        for (name, schema) in properties {
            whole["properties"][name] = schema.clone();
        }
        let required = part["required"].as_array().cloned().unwrap_or_default();
        whole["required"].as_array_mut().into_iter().for_each(|all| all.extend(required.clone()));
    }
    whole
}

fn refuse_unknown_keywords(schema: &Value) {
    let schema = schema.as_object().unwrap_or_else(|| panic!("not a schema: {schema}"));
    let unknown = schema.keys().find(|key| !KEYWORDS.split_whitespace().any(|known| known == *key));
    assert!(unknown.is_none(), "{unknown:?} is a keyword that is not checked here: {schema:?}");
}

/// The patterns of Slack's identifiers; there are few, so each is read here.
fn matches(pattern: &str, text: &str) -> bool {
    let is_id = |first: &str, fewest: usize| {
        let rest = text.strip_prefix(|c| first.contains(c)).unwrap_or_default();
        rest.len() >= fewest && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    let is_number = |text: &str, length| text.len() == length && text.chars().all(|c| c.is_ascii_digit());
    match pattern {
        r"^\d{10}\.\d{6}$" => {
            text.split_once('.').is_some_and(|(s, us)| is_number(s, 10) && is_number(us, 6))
        }
        "^[CGD][A-Z0-9]{8,}$" => is_id("CGD", 8),
        "^[TE][A-Z0-9]{8,}$" => is_id("TE", 8),
        "^[D][A-Z0-9]{8,}$" => is_id("D", 8),
        "^B[A-Z0-9]{8,}$" => is_id("B", 8),
        "^[T][A-Z0-9]{2,}$" => is_id("T", 2),
        "^[UW][A-Z0-9]{2,}$" => is_id("UW", 2),
        "^[UW][A-Z0-9]{8,}$|^$" => text.is_empty() || is_id("UW", 8),
        other => panic!("a pattern that is not understood: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_contract_break_is_found() {
        let channel = "^[CGD][A-Z0-9]{8,}$";
        let document = json!({"schemas": {"Release": {"type": "object", "required": ["codes"], "properties": {
            "codes": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "int64"}},
            "status": {"type": "string", "enum": ["draft", "halted"]},
            "priority": {"type": "integer", "format": "int32", "maximum": 5},
            "channel": {"type": "string", "pattern": channel},
            "whole": {"allOf": [
                {"type": "object", "properties": {"a": {"type": "string", "maxLength": 2}}},
                {"type": "object", "properties": {"b": {"type": "integer"}}},
            ]},
            "any": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
            "few": {"type": "object", "additionalProperties": true, "maxProperties": 1},
            "link": {"oneOf": [{"type": "string", "format": "uri"}, {"type": "null"}]},
        }}}});
        let cases = [
            (json!({"codes": ["200"], "status": "halted", "priority": 5, "link": "https://a.example"}), None),
            (json!({"codes": ["200"], "extra": 1}), Some((".extra", "not described"))),
            (json!({"status": "draft"}), Some((".codes", "missing"))),
            (json!({"codes": [200]}), Some((".codes[]", "of another type than described"))),
            (json!({"codes": ["20x"]}), Some((".codes[]", "not of the described format"))),
            (json!({"codes": []}), Some((".codes", "shorter than described"))),
            (
                json!({"codes": ["1"], "status": "HALTED"}),
                Some((".status", "not one of the described values")),
            ),
            (json!({"codes": ["1"], "priority": 6}), Some((".priority", "out of the described range"))),
            (json!({"codes": ["1"], "channel": "C0RELEASES"}), None),
            (json!({"codes": ["1"], "channel": "C0REL"}), Some((".channel", "not of the described pattern"))),
            (json!({"codes": ["1"], "link": "here"}), Some((".link", "not of the described format"))),
            (json!({"codes": ["1"], "whole": {"a": "x", "b": 1}}), None),
            (json!({"codes": ["1"], "whole": {"a": "x", "c": 1}}), Some((".whole.c", "not described"))),
            (json!({"codes": ["1"], "whole": {"a": "xyz"}}), Some((".whole.a", "more than described"))),
            (json!({"codes": ["1"], "any": true}), Some((".any", "of another type than described"))),
            (json!({"codes": ["1"], "few": {"a": 1, "b": 2}}), Some((".few", "more than described"))),
        ];
        for (value, expected) in cases {
            let mut checker = Checker::new(&document);
            checker.check(&json!({"$ref": "Release"}), &value, "");
            let found: Vec<_> = checker.problems.iter().map(|p| (p.place.as_str(), p.kind)).collect();
            assert_eq!(found, Vec::from_iter(expected), "{value}");
        }
    }
}
