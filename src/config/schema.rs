//! The JSON Schema of the configuration, made from the raw types.
//!
//! It is the one list of keys: editors read it from the repository, the file is checked against it, and tests hold the
//! example and the documentation against it.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::RawConfig;

/// Where the committed schema can be read.
const ID: &str = "https://raw.githubusercontent.com/tidegate/tidegate/main/schema/tidegate.schema.json";

/// The JSON Schema of the configuration, indented, with a line break at its end.
#[must_use]
pub fn schema() -> String {
    let mut schema = generator(SchemaSettings::draft2020_12()).into_root_schema_for::<RawConfig>();
    schema.insert("$id".to_owned(), ID.into());
    schema.insert("title".to_owned(), "Configuration of tidegate".into());
    let text = serde_json::to_string_pretty(&schema).expect("a schema is made of texts, numbers and lists");
    text + "\n"
}

/// The same schema without references, for walking along a file.
pub(super) fn inlined() -> &'static Value {
    static INLINED: LazyLock<Value> = LazyLock::new(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        generator(settings).into_root_schema_for::<RawConfig>().to_value()
    });
    &INLINED
}

/// Whether any table of the configuration has a key of this name.
pub(super) fn is_key(name: &str) -> bool {
    fn within(schema: &Value, name: &str) -> bool {
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut tables = properties.chain(schema["items"]["properties"].as_object().into_iter().flatten());
        tables.any(|(key, inner)| key == name || within(inner, name))
    }
    within(inlined(), name)
}

fn generator(settings: SchemaSettings) -> SchemaGenerator {
    settings.with_transform(RecursiveTransform(tidy)).into_generator()
}

/// TOML has no null, and no widths of integers.
fn tidy(schema: &mut Schema) {
    schema.remove("format");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&"null".into()));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.ensure_object().entry(key).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_that_of_the_program() {
        let committed = include_str!("../../schema/tidegate.schema.json");
        assert!(
            committed == schema(),
            "schema/tidegate.schema.json is out of date; run: cargo run -- schema > schema/tidegate.schema.json"
        );
    }

    #[test]
    fn the_schema_knows_no_null_and_closes_every_table() {
        let text = schema();
        assert!(!text.contains("null"), "{text}");
        let tables = text.matches("\"properties\"").count();
        assert_eq!(text.matches("\"additionalProperties\": false").count(), tables);
    }
}
