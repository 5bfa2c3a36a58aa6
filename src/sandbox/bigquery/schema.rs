//! The schema of the export tables as `tables.get` shows it: the columns of the embedded engine, and the fields of their
//! records, without those that a table is told to lack.

use serde_json::{Value, json};

use super::seed::TableConditions;
use crate::adapters::embedded::schema::{Column, Export, Type};

/// The columns of a table, records with their fields.
pub(crate) fn fields(export: Export, conditions: &TableConditions) -> Vec<Value> {
    let is_shown = |name: &str| !conditions.hidden.iter().any(|hidden| hidden == name);
    let columns = export.columns().iter().filter(|column| is_shown(column.name));
    let known = columns.map(|column| field(export, column, &is_shown));
    let extra =
        conditions.extra.iter().map(|name| json!({"name": name, "type": "STRING", "mode": "NULLABLE"}));
    known.chain(extra).collect()
}

/// The names of all columns that a table could have, fields of records as `record.field`.
pub(crate) fn names(export: Export) -> Vec<String> {
    export
        .columns()
        .iter()
        .flat_map(|column| {
            let (_, fields) = record(export, column.name);
            let inner = fields.split_whitespace().map(|field| field.split(':').next().unwrap_or(field));
            let inner = inner.map(|field| format!("{}.{field}", column.name));
            std::iter::once(column.name.to_owned()).chain(inner).collect::<Vec<_>>()
        })
        .collect()
}

/// The type of a column that [`names`] gives.
pub(crate) fn kind(export: Export, name: &str) -> Type {
    let flat = export.columns().iter().find(|column| column.name == name).map(|column| column.kind);
    flat.unwrap_or_else(|| {
        let (column, field) = name.split_once('.').unwrap_or((name, ""));
        let (_, fields) = record(export, column);
        let letter = fields.split_whitespace().find_map(|item| item.strip_prefix(field)?.strip_prefix(':'));
        letter.map_or(Type::String, of_letter)
    })
}

fn field(export: Export, column: &Column, is_shown: &dyn Fn(&str) -> bool) -> Value {
    if column.kind != Type::Nested {
        return json!({"name": column.name, "type": type_name(column.kind), "mode": "NULLABLE"});
    }
    let (mode, fields) = record(export, column.name);
    let inner = fields.split_whitespace().filter_map(|item| item.split_once(':'));
    let inner = inner.filter(|(name, _)| is_shown(&format!("{}.{name}", column.name)));
    let inner: Vec<Value> = inner
        .map(|(name, letter)| json!({"name": name, "type": type_name(of_letter(letter)), "mode": "NULLABLE"}))
        .collect();
    json!({"name": column.name, "type": "RECORD", "mode": mode, "fields": inner})
}

/// The REST API still uses the names of legacy SQL.
fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::String => "STRING",
        Type::Integer => "INTEGER",
        Type::Float => "FLOAT",
        Type::Boolean => "BOOLEAN",
        Type::Timestamp => "TIMESTAMP",
        Type::Nested => "RECORD",
    }
}

fn of_letter(letter: &str) -> Type {
    match letter {
        "i" => Type::Integer,
        "f" => Type::Float,
        "b" => Type::Boolean,
        "t" => Type::Timestamp,
        _ => Type::String,
    }
}

/// The mode of a record and its fields as `name:type`; records inside records are left out, nothing reads them.
fn record(export: Export, column: &str) -> (&'static str, &'static str) {
    const ONE: &str = "NULLABLE";
    const MANY: &str = "REPEATED";
    match (export, column) {
        (_, "application") => (ONE, "build_version:s display_version:s"),
        (Export::Analytics, "device") => (
            ONE,
            "category:s mobile_brand_name:s mobile_model_name:s operating_system:s operating_system_version:s language:s",
        ),
        (_, "device") => (ONE, "architecture:s manufacturer:s model:s"),
        (_, "operating_system") => {
            (ONE, "device_type:s display_version:s modification_state:s name:s type:s")
        }
        (_, "app_info") => (ONE, "id:s version:s firebase_app_id:s install_source:s install_store:s"),
        (_, "memory" | "storage") => (ONE, "free:i used:i"),
        (_, "user") => (ONE, "id:s name:s email:s"),
        (_, "blame_frame") => (ONE, "address:i blamed:b file:s library:s line:i offset:i owner:s symbol:s"),
        (_, "breadcrumbs") => (MANY, "name:s timestamp:t"),
        (_, "logs") => (MANY, "message:s timestamp:t"),
        (_, "custom_keys") => (MANY, "key:s value:s"),
        (_, "error" | "errors") => (MANY, "blamed:b code:i queue_name:s subtitle:s title:s"),
        (_, "exceptions") => (MANY, "blamed:b exception_message:s nested:b subtitle:s title:s type:s"),
        (_, "threads") => (
            MANY,
            "blamed:b code:i crash_address:i crashed:b queue_name:s signal_code:s signal_name:s title:s",
        ),
        (_, "unity_metadata") => (ONE, "unity_version:s debug_build:b processor_type:s"),
        (_, "event_params" | "user_properties" | "item_params") => (MANY, "key:s"),
        (_, "user_ltv") => (ONE, "revenue:f currency:s"),
        (_, "privacy_info") => (ONE, "analytics_storage:s ads_storage:s uses_transient_token:s"),
        (_, "geo") => (ONE, "continent:s sub_continent:s country:s region:s metro:s city:s"),
        (_, "traffic_source") => (ONE, "name:s medium:s source:s"),
        (_, "collected_traffic_source") => {
            (ONE, "manual_campaign_name:s manual_source:s manual_medium:s gclid:s")
        }
        (_, "ecommerce") => (ONE, "total_item_quantity:i purchase_revenue:f transaction_id:s"),
        (_, "items") => (MANY, "item_id:s item_name:s price:f quantity:i"),
        (_, "event_dimensions") => (ONE, "hostname:s"),
        _ => (ONE, "id:s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_fields_and_a_hidden_one_is_gone() {
        let hidden = TableConditions {
            hidden: vec!["application.build_version".into(), "issue_title".into()],
            extra: vec!["new_column".into()],
            ..TableConditions::default()
        };
        let fields = fields(Export::Crashlytics, &hidden);
        let named = |name: &str| fields.iter().find(|field| field["name"] == name);
        let display = json!({"name": "display_version", "type": "STRING", "mode": "NULLABLE"});
        assert_eq!(named("application").unwrap()["fields"], json!([display]));
        assert_eq!(named("event_timestamp").unwrap()["type"], "TIMESTAMP");
        assert!(named("issue_title").is_none() && named("new_column").is_some());
        assert!(fields.iter().all(|field| (field["type"] == "RECORD") == field.get("fields").is_some()));
    }

    #[test]
    fn names_and_types_cover_what_the_sources_read() {
        use crate::queries::Source;
        let of = |source| match source {
            Source::Crashlytics | Source::CrashIssues => Export::Crashlytics,
            Source::FirebaseSessions => Export::FirebaseSessions,
            Source::Analytics => Export::Analytics,
        };
        for source in Source::ALL {
            let names = names(of(source));
            assert!(source.needed().iter().all(|name| names.iter().any(|known| known == name)), "{source:?}");
        }
        assert_eq!(kind(Export::Crashlytics, "event_timestamp"), Type::Timestamp);
        assert_eq!(kind(Export::Crashlytics, "blame_frame.line"), Type::Integer);
        assert_eq!(kind(Export::Analytics, "app_info.version"), Type::String);
    }
}
