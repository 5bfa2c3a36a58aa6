//! Holds the example and the documentation against the schema, and the schema against the program.

use serde_json::{Map, Value};

use super::{parse, schema};

/// The example of the repository.
const EXAMPLE: &str = include_str!("../../tidegate.example.toml");
/// The reference of the documentation.
const DOCS: &str = include_str!("../../docs/configuration.md");

/// One key of the schema: where it stands, its name, and what is said of it.
struct Key {
    path: Vec<String>,
    name: String,
    schema: Value,
}

impl Key {
    fn section(&self) -> String {
        self.path.join(".")
    }

    fn default(&self) -> Option<&Value> {
        self.schema.get("default")
    }
}

/// Every key that holds a value. The sections of an app are those of the top level, so they count as one key each.
fn keys() -> Vec<Key> {
    let mut found = Vec::new();
    collect(schema::inlined(), &[], &mut found);
    found
}

fn collect(table: &Value, path: &[String], found: &mut Vec<Key>) {
    let top: Vec<&String> = schema::inlined()["properties"].as_object().unwrap().keys().collect();
    for (name, schema) in table["properties"].as_object().unwrap() {
        let inner = [path, std::slice::from_ref(name)].concat();
        let overrides = path == ["app"] && top.contains(&name);
        if name == "app" && path.is_empty() {
            collect(&schema["items"], &inner, found);
        } else if schema["properties"].is_object() && !overrides {
            collect(schema, &inner, found);
        } else {
            found.push(Key { path: path.to_vec(), name: name.clone(), schema: schema.clone() });
        }
    }
}

/// The example with every setting taken out of its comment.
fn uncommented() -> String {
    let setting = |line: &str| {
        let rest = line.strip_prefix('#')?;
        rest.starts_with(|c: char| c.is_ascii_lowercase()).then(|| rest.to_owned())
    };
    EXAMPLE.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

/// The values of a key in a file: one, or one for each app that has it. Of two keys that exclude each other an app shows
/// the other.
fn values(file: &Value, key: &Key) -> Vec<Value> {
    let apps = || file["app"].as_array().cloned().unwrap_or_default();
    let found = values_below(vec![file.clone()], key);
    if found.is_empty() { values_below(apps(), key) } else { found }
}

fn values_below(mut tables: Vec<Value>, key: &Key) -> Vec<Value> {
    for step in &key.path {
        tables = tables
            .into_iter()
            .filter_map(|table| table.get(step).cloned())
            .flat_map(|inner| match inner {
                Value::Array(elements) => elements,
                other => vec![other],
            })
            .collect();
    }
    tables.iter().filter_map(|table| table.get(&key.name).cloned()).collect()
}

fn same(left: &Value, right: &Value) -> bool {
    left == right || left.as_f64().is_some_and(|left| Some(left) == right.as_f64())
}

#[test]
fn the_example_is_a_configuration_as_it_stands_and_with_everything_taken_out_of_its_comments() {
    for text in [EXAMPLE.to_owned(), uncommented()] {
        let config = parse(&text, "tidegate.example.toml").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.apps.len(), 2);
    }
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let file: Value = toml::from_str(&uncommented()).unwrap();
    for key in keys() {
        let (section, name) = (key.section(), &key.name);
        let values = values(&file, &key);
        assert!(!values.is_empty(), "tidegate.example.toml lacks `{name}` in [{section}]");
        if let Some(default) = key.default() {
            let shown = values.iter().all(|value| same(value, default));
            assert!(shown, "`{name}` in [{section}] of the example is {values:?}, its default is {default}");
        }
    }
}

#[test]
fn the_example_shows_defaults_in_comments_only() {
    let file: Value = toml::from_str(EXAMPLE).unwrap();
    for key in keys().iter().filter(|key| key.default().is_some()) {
        assert!(values(&file, key).is_empty(), "`{}` in [{}] is its default", key.name, key.section());
    }
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_program() {
    let mut app: Value = serde_json::json!({
        "id": "android", "platform": "android", "package": "com.example.app", "rollout": {}
    });
    let plain = serde_json::json!({ "app": [app.clone()] });
    let mut written = Value::Object(Map::new());
    for key in keys() {
        let Some(default) = key.default() else { continue };
        let (table, path) = match key.path.split_first() {
            Some((first, rest)) if first == "app" => (&mut app, rest),
            _ => (&mut written, key.path.as_slice()),
        };
        let table = path.iter().fold(table, |table, step| &mut table[step.as_str()]);
        table[key.name.as_str()] = default.clone();
    }
    written["app"] = Value::Array(vec![app]);
    let [plain, written] = [plain, written].map(|file| toml::to_string(&file).unwrap());
    assert!(written.lines().count() > 30, "{written}");
    assert_eq!(parse(&plain, "plain").unwrap(), parse(&written, "written").unwrap());
}

#[test]
fn the_documentation_has_a_row_for_every_key_with_its_default() {
    for key in keys() {
        let section = match key.section().as_str() {
            "app" => "[[app]]".to_owned(),
            "app.rollout" => "rollout".to_owned(),
            section => format!("[{section}]"),
        };
        let heading = format!("\n## `{section}`\n");
        let (_, text) = DOCS.split_once(&heading).unwrap_or_else(|| panic!("docs lack the heading{heading}"));
        let text = text.split("\n## ").next().unwrap();
        let start = format!("| `{}` |", key.name);
        let row = text.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("docs lack the row `{}` of {section}", key.name));
        if let Some(default) = key.default() {
            assert!(row.contains(&format!("| `{default}`")), "{row} lacks its default {default}");
        }
    }
}
