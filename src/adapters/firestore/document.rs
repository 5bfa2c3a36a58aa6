//! A document: its schema version, its reading, its rewriting.
//!
//! Every document has `schema`. One without it, or with one that is not known here, was written by another program or a
//! newer one; it is not read and not written.

use firestore::gcloud_sdk::google::firestore::v1::precondition::ConditionType;
use firestore::gcloud_sdk::google::firestore::v1::write::Operation;
use firestore::gcloud_sdk::google::firestore::v1::{Document, Precondition, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::client::field_mask;
use super::error::unreadable;
use super::names::Names;
use super::value;
use crate::ports::StateError;

/// The version of every document that this program writes, and the only one that it reads.
pub const SCHEMA: u64 = 1;
/// The field that holds it.
pub const SCHEMA_FIELD: &str = "schema";

/// The fields of a document, by their names.
pub type Fields = Map<String, Value>;

/// The fields of a document of a known version.
///
/// # Errors
/// Where its version is missing or not known; the error names the document.
pub fn open(names: &Names, document: &Document) -> Result<Fields, StateError> {
    let fields = value::json(&document.fields);
    match fields.get(SCHEMA_FIELD).map(Value::as_u64) {
        Some(Some(SCHEMA)) => Ok(fields),
        Some(Some(version)) => {
            let problem = format!("it has schema version {version}; this program knows {SCHEMA}");
            Err(unreadable(names, &document.name, &problem))
        }
        _ => Err(unreadable(names, &document.name, "it has no schema version")),
    }
}

/// A document as a value. Fields that the value does not know are left out.
///
/// # Errors
/// As for [`open`], and where a field is missing or not what it should be.
pub fn read<T: DeserializeOwned>(names: &Names, document: &Document) -> Result<T, StateError> {
    parse(names, &document.name, open(names, document)?)
}

/// Opened fields as a value.
///
/// # Errors
/// Where a field is missing or not what it should be.
pub fn parse<T: DeserializeOwned>(names: &Names, name: &str, fields: Fields) -> Result<T, StateError> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| unreadable(names, name, &error.to_string()))
}

/// A value as fields. Every field is there, also one that is null, so that a rewrite clears it.
///
/// # Errors
/// Where the value is no object.
pub fn fields(names: &Names, name: &str, value: &impl Serialize) -> Result<Fields, StateError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(unreadable(names, name, "it would not be an object")),
        Err(error) => Err(unreadable(names, name, &error.to_string())),
    }
}

/// What becomes of fields that this program does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They stay as they are.
    Kept,
    /// The document is made anew.
    Forgotten,
}

/// Writes a document in the place of the one that was read, or where none was. Somebody else's write in between makes
/// the commit fail.
///
/// # Errors
/// Where a field has no native form.
pub fn write(
    names: &Names,
    name: &str,
    before: Option<&Document>,
    mut fields: Fields,
    unknown: Unknown,
) -> Result<Write, StateError> {
    fields.insert(SCHEMA_FIELD.to_owned(), Value::from(SCHEMA));
    let native = value::native(&fields).map_err(|problem| unreadable(names, name, &problem))?;
    let document = Document { name: name.to_owned(), fields: native.collect(), ..Document::default() };
    let masked = before.is_some() && unknown == Unknown::Kept;
    Ok(Write {
        update_mask: masked.then(|| field_mask(&fields.keys().collect::<Vec<_>>())),
        current_document: Some(as_read(before)),
        operation: Some(Operation::Update(document)),
        ..Write::default()
    })
}

/// Deletes a document that was read.
pub fn delete(before: &Document) -> Write {
    Write {
        current_document: Some(as_read(Some(before))),
        operation: Some(Operation::Delete(before.name.clone())),
        ..Write::default()
    }
}

fn as_read(before: Option<&Document>) -> Precondition {
    let condition = match before.and_then(|document| document.update_time) {
        Some(update_time) => ConditionType::UpdateTime(update_time),
        None => ConditionType::Exists(before.is_some()),
    };
    Precondition { condition_type: Some(condition) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(fields: &Value) -> Document {
        let names = Names::new("p", "tidegate");
        let fields = value::native(fields.as_object().unwrap()).unwrap().collect();
        Document { name: format!("{}/apps/android", names.root()), fields, ..Document::default() }
    }

    #[test]
    fn only_documents_of_a_known_version_are_opened() {
        let names = Names::new("p", "tidegate");
        assert!(open(&names, &document(&json!({"schema": 1, "more": true}))).is_ok());
        for (fields, words) in [
            (json!({"schema": 2}), "schema version 2"),
            (json!({}), "no schema"),
            (json!({"schema": "1"}), "no schema"),
        ] {
            let error = open(&names, &document(&fields)).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("apps/android"), "{error}");
        }
    }

    #[test]
    fn a_rewrite_names_its_fields_and_a_first_write_wants_none_there() {
        let names = Names::new("p", "tidegate");
        let fields = || json!({"a": null}).as_object().unwrap().clone();
        let before = document(&json!({"schema": 1}));
        let rewrite = write(&names, &before.name, Some(&before), fields(), Unknown::Kept).unwrap();
        let mut mask = rewrite.update_mask.unwrap().field_paths;
        mask.sort();
        assert_eq!(mask, ["a", "schema"]);
        let first = write(&names, &before.name, None, fields(), Unknown::Kept).unwrap();
        assert_eq!(first.update_mask, None);
        let condition = first.current_document.unwrap().condition_type;
        assert_eq!(condition, Some(ConditionType::Exists(false)));
    }
}
