//! Holds the file against the schema: every key is known, every value has its type, every choice is one of the known.
//!
//! Reading into the raw types would find the same, but in the words of a program. Here a person is told the place, the
//! name that was probably meant, and a line that would be right.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::document::Place;
use super::error::Problem;
use super::{schema, suggest};

/// Refuses the first thing in the file that the schema does not allow.
pub(super) fn check(root: &Spanned<DeTable<'_>>) -> Result<(), Problem> {
    let mut problems = Vec::new();
    table(schema::inlined(), root.get_ref(), root.span(), &Place::default(), &mut problems);
    problems.into_iter().min_by_key(|problem| problem.span.start).map_or(Ok(()), Err)
}

/// A key with its value and the table that it stands in.
struct Found<'f> {
    key: &'f Spanned<DeString<'f>>,
    value: &'f Spanned<DeValue<'f>>,
    place: &'f Place,
}

impl Found<'_> {
    fn name(&self) -> &str {
        self.key.get_ref()
    }

    fn problem(&self, what: &str, fix: String) -> Problem {
        Problem::new(self.value.span(), format!("`{}` {} {what}", self.name(), self.place.within()), fix)
    }
}

fn table(
    schema: &Value,
    table: &DeTable<'_>,
    span: std::ops::Range<usize>,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let known = || keys(schema);
    for (key, value) in table {
        let found = Found { key, value, place };
        // A table of free names says what each of its values is.
        let free = || schema.get("additionalProperties").filter(|values| values.is_object());
        match schema["properties"].get(found.name()).or_else(free) {
            Some(expected) => check_value(expected, &found, problems),
            None => problems.push(unknown(&found, known())),
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for key in required.filter(|key| !table.contains_key(*key)) {
        let message = format!("no `{key}` {}", place.within());
        let fix = format!("add `{}`", line(key, &schema["properties"][key]));
        problems.push(Problem::new(span.clone(), message, fix));
    }
}

/// The names of a table's keys.
fn keys(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn unknown(found: &Found<'_>, known: Vec<&str>) -> Problem {
    let (name, place) = (found.name(), found.place);
    let what = match found.value.get_ref() {
        _ if place.is_rules() => "rule",
        DeValue::Table(_) | DeValue::Array(_) if place.is_top_level() => "section",
        _ => "key",
    };
    let fix = match place.is_app() && keys(schema::inlined()).contains(&name) && name != "app" {
        true => {
            format!("[{name}] holds for the whole program: move it to the top level, above the first [[app]]")
        }
        false => suggest::fix(name, known),
    };
    Problem::new(found.key.span(), format!("unknown {what} `{name}` {}", place.within()), fix)
}

fn check_value(expected: &Value, found: &Found<'_>, problems: &mut Vec<Problem>) {
    let wanted = expected["type"].as_str().unwrap_or("string");
    match (wanted, found.value.get_ref()) {
        ("object", DeValue::Table(inner)) => {
            table(expected, inner, found.value.span(), &found.place.inside(found.name()), problems);
        }
        ("array", DeValue::Array(elements)) => {
            for (index, value) in elements.iter().enumerate() {
                element(expected, &Found { value, ..*found }, index, problems);
            }
        }
        ("string", DeValue::String(text)) => problems.extend(unknown_choice(expected, found, text)),
        ("integer", DeValue::Integer(number)) => problems.extend(out_of_range(expected, found, number)),
        ("number", DeValue::Integer(number)) => {
            problems.extend(overflow(expected, found, &number.to_string()));
        }
        ("number", DeValue::Float(number)) => problems.extend(overflow(expected, found, number.as_str())),
        ("boolean", DeValue::Boolean(_)) => {}
        _ => problems.push(wrong_type(wanted, expected, found)),
    }
}

fn element(list: &Value, found: &Found<'_>, index: usize, problems: &mut Vec<Problem>) {
    let expected = &list["items"];
    if let (Some("object"), DeValue::Table(inner)) = (expected["type"].as_str(), found.value.get_ref()) {
        let place = found.place.element(found.name(), index, inner);
        return table(expected, inner, found.value.span(), &place, problems);
    }
    let mut of_element = Vec::new();
    check_value(expected, found, &mut of_element);
    let fix = format!("write `{}`", line(found.name(), list));
    problems.extend(of_element.into_iter().map(|problem| Problem { fix: fix.clone(), ..problem }));
}

fn unknown_choice(expected: &Value, found: &Found<'_>, given: &str) -> Option<Problem> {
    let known = choices(expected);
    if known.is_empty() || known.contains(&given) {
        return None;
    }
    let what = format!("is {given:?}, which is not known; use {}", suggest::list(known.iter().copied()));
    let fix = match suggest::nearest(given, known.iter().copied()) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("write `{}`", line(found.name(), expected)),
    };
    Some(found.problem(&what, fix))
}

/// The values that a text may have; none where it is free.
fn choices(expected: &Value) -> Vec<&str> {
    let listed = expected["enum"].as_array().into_iter().flatten();
    let described = expected["oneOf"].as_array().into_iter().flatten().map(|choice| &choice["const"]);
    listed.chain(described).filter_map(Value::as_str).collect()
}

fn out_of_range(expected: &Value, found: &Found<'_>, given: &DeInteger<'_>) -> Option<Problem> {
    let least = expected["minimum"].as_i64().unwrap_or(0);
    let most = expected["maximum"].as_i64().unwrap_or(i64::from(u32::MAX));
    let number = i64::from_str_radix(given.as_str(), given.radix()).ok();
    if number.is_some_and(|number| (least..=most).contains(&number)) {
        return None;
    }
    let fix =
        format!("write a whole number from {least} to {most}, such as `{}`", line(found.name(), expected));
    Some(found.problem(&format!("is {given}, which is out of range"), fix))
}

/// A number that is written out and too large for one; `inf` is written, and judged where it is read.
fn overflow(expected: &Value, found: &Found<'_>, given: &str) -> Option<Problem> {
    /// Above this a whole number loses digits as a float, and no setting comes near it.
    const GREATEST: f64 = 1e15;
    let number: f64 = given.parse().ok()?;
    let written_out = given.contains(|c: char| c.is_ascii_digit());
    (written_out && number.abs() > GREATEST)
        .then(|| found.problem("is out of range", format!("write `{}`", line(found.name(), expected))))
}

fn wrong_type(wanted: &str, expected: &Value, found: &Found<'_>) -> Problem {
    let name = found.name();
    let fix = match (wanted, found.value.get_ref()) {
        ("array", DeValue::Table(_)) => format!("write [[{name}]], with two brackets: there may be several"),
        ("object", DeValue::Array(_)) => {
            format!("write [{name}], with one pair of brackets: there is only one")
        }
        ("object", _) => format!("write [{name}], and its keys below"),
        ("array", _) if expected["items"]["type"] == "object" => {
            format!("write [[{name}]], and its keys below")
        }
        _ => format!("write `{}`", line(name, expected)),
    };
    let what = format!("is {}, and must be {}", actual(found.value.get_ref()), spoken(wanted));
    found.problem(&what, fix)
}

fn actual(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn spoken(wanted: &str) -> &'static str {
    match wanted {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "a text",
    }
}

/// A line that would be right: the default, or an example.
fn line(key: &str, expected: &Value) -> String {
    let example = expected.get("default").or_else(|| expected["examples"].get(0));
    match example {
        Some(example) => format!("{key} = {example}"),
        None if expected["type"] == "string" => format!("{key} = \"...\""),
        None => format!("{key} = ..."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value below a schema, with its name.
    fn leaves<'s>(name: &'s str, schema: &'s Value) -> Vec<(&'s str, &'s Value)> {
        match schema["type"].as_str() {
            Some("object") if schema["properties"].is_object() => {
                let properties = schema["properties"].as_object().unwrap();
                properties.iter().flat_map(|(name, inner)| leaves(name, inner)).collect()
            }
            Some("array") if schema["items"]["type"] == "object" => leaves(name, &schema["items"]),
            _ => vec![(name, schema)],
        }
    }

    #[test]
    fn every_key_can_be_shown_with_a_default_or_an_example() {
        for (name, schema) in leaves("", schema::inlined()) {
            assert!(!line(name, schema).contains("..."), "{name}: {schema}");
        }
    }
}
