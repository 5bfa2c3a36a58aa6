//! The known schemas of the exports: which columns are kept, of which type, and which must be there.
//!
//! Real tables have more columns than the documentation and sometimes other names, so a column that is not known is
//! left out and said, while one that the questions need and that is missing refuses the file.

/// How a value is written in an export file and kept in the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A whole number; written as a string.
    Integer,
    /// A number.
    Float,
    /// True or false; kept as 1 or 0.
    Boolean,
    /// An instant, written as `2026-11-16 08:01:02.123456 UTC`; kept as microseconds since 1970.
    Timestamp,
    /// A record or a repeated value; kept as JSON.
    Nested,
}

/// A column of an export.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Whether every row must have it.
    pub required: Required,
}

/// Whether a row without the column is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// The exports that the warehouse knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Firebase Crashlytics, batch or realtime.
    Crashlytics,
    /// Firebase Sessions, batch or realtime.
    FirebaseSessions,
    /// Google Analytics, one date.
    Analytics,
}

impl Export {
    /// Every export.
    pub const ALL: [Self; 3] = [Self::Crashlytics, Self::FirebaseSessions, Self::Analytics];

    /// The word of the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crashlytics => "crashlytics",
            Self::FirebaseSessions => "firebase-sessions",
            Self::Analytics => "analytics",
        }
    }

    /// The export that a table of this name holds, by the names that the exports use.
    #[must_use]
    pub fn of_table(name: &str) -> Option<Self> {
        let (dataset, table) = name.split_once('.')?;
        if table.starts_with("events_") {
            return Some(Self::Analytics);
        }
        match dataset {
            _ if dataset.contains("crashlytics") => Some(Self::Crashlytics),
            _ if dataset.contains("sessions") => Some(Self::FirebaseSessions),
            _ => None,
        }
    }

    /// What the sources read of it, as they write it: an index over these answers the questions without parsing the
    /// nested columns of a row again.
    #[must_use]
    pub fn read_by_sources(self) -> &'static str {
        match self {
            Self::Crashlytics => {
                "event_timestamp, event_id, error_type, process_state, firebase_session_id, installation_uuid, \
                 CAST(application ->> '$.display_version' AS TEXT), CAST(application ->> '$.build_version' AS TEXT)"
            }
            Self::FirebaseSessions => {
                "event_timestamp, event_type, crashlytics_data_collection_enabled, session_id, instance_id, \
                 CAST(application ->> '$.display_version' AS TEXT), CAST(application ->> '$.build_version' AS TEXT)"
            }
            Self::Analytics => {
                "event_timestamp, event_name, platform, user_pseudo_id, CAST(app_info ->> '$.id' AS TEXT), CAST(app_info ->> '$.version' AS TEXT)"
            }
        }
    }

    /// What the sources read and a single row may lack, but not every row of a file: `column` or `column.field`.
    #[must_use]
    pub fn expected(self) -> &'static [&'static str] {
        match self {
            Self::Crashlytics => &[
                "process_state",
                "installation_uuid",
                "application.display_version",
                "application.build_version",
            ],
            Self::FirebaseSessions => {
                &["instance_id", "application.display_version", "application.build_version"]
            }
            Self::Analytics => &["user_pseudo_id", "app_info.id", "app_info.version"],
        }
    }

    /// Its columns.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Crashlytics => CRASHLYTICS,
            Self::FirebaseSessions => FIREBASE_SESSIONS,
            Self::Analytics => ANALYTICS,
        }
    }
}

const fn required(name: &'static str, kind: Type) -> Column {
    Column { name, kind, required: Required::Yes }
}

const fn optional(name: &'static str, kind: Type) -> Column {
    Column { name, kind, required: Required::No }
}

/// Source: Firebase's "Crashlytics BigQuery dataset schema" page, and the columns seen in real tables.
const CRASHLYTICS: &[Column] = &[
    required("event_id", Type::String),
    required("event_timestamp", Type::Timestamp),
    required("error_type", Type::String),
    required("application", Type::Nested),
    optional("process_state", Type::String),
    optional("installation_uuid", Type::String),
    optional("firebase_session_id", Type::String),
    optional("received_timestamp", Type::Timestamp),
    optional("platform", Type::String),
    optional("bundle_identifier", Type::String),
    optional("issue_id", Type::String),
    optional("variant_id", Type::String),
    optional("issue_title", Type::String),
    optional("issue_subtitle", Type::String),
    optional("is_fatal", Type::Boolean),
    optional("app_orientation", Type::String),
    optional("device_orientation", Type::String),
    optional("crashlytics_sdk_versions", Type::String),
    optional("crashlytics_sdk_version", Type::String),
    optional("blame_frame", Type::Nested),
    optional("breadcrumbs", Type::Nested),
    optional("custom_keys", Type::Nested),
    optional("device", Type::Nested),
    optional("error", Type::Nested),
    optional("errors", Type::Nested),
    optional("exceptions", Type::Nested),
    optional("logs", Type::Nested),
    optional("memory", Type::Nested),
    optional("operating_system", Type::Nested),
    optional("storage", Type::Nested),
    optional("threads", Type::Nested),
    optional("unity_metadata", Type::Nested),
    optional("user", Type::Nested),
];

/// Source: Firebase's "Crashlytics BigQuery dataset schema" page, section on sessions.
const FIREBASE_SESSIONS: &[Column] = &[
    required("session_id", Type::String),
    required("event_timestamp", Type::Timestamp),
    required("event_type", Type::String),
    required("application", Type::Nested),
    required("crashlytics_data_collection_enabled", Type::Boolean),
    optional("instance_id", Type::String),
    optional("received_timestamp", Type::Timestamp),
    optional("first_session_id", Type::String),
    optional("session_index", Type::Integer),
    optional("performance_data_collection_enabled", Type::Boolean),
    optional("device", Type::Nested),
    optional("operating_system", Type::Nested),
];

/// Source: Google's "BigQuery Export schema" page for Analytics.
const ANALYTICS: &[Column] = &[
    required("event_name", Type::String),
    required("event_timestamp", Type::Integer),
    required("platform", Type::String),
    optional("event_date", Type::String),
    optional("user_pseudo_id", Type::String),
    optional("app_info", Type::Nested),
    optional("event_previous_timestamp", Type::Integer),
    optional("event_value_in_usd", Type::Float),
    optional("event_bundle_sequence_id", Type::Integer),
    optional("event_server_timestamp_offset", Type::Integer),
    optional("batch_event_index", Type::Integer),
    optional("batch_page_id", Type::Integer),
    optional("batch_ordering_id", Type::Integer),
    optional("event_params", Type::Nested),
    optional("user_id", Type::String),
    optional("user_first_touch_timestamp", Type::Integer),
    optional("is_active_user", Type::Boolean),
    optional("user_properties", Type::Nested),
    optional("user_ltv", Type::Nested),
    optional("privacy_info", Type::Nested),
    optional("device", Type::Nested),
    optional("geo", Type::Nested),
    optional("traffic_source", Type::Nested),
    optional("collected_traffic_source", Type::Nested),
    optional("session_traffic_source_last_click", Type::Nested),
    optional("stream_id", Type::String),
    optional("ecommerce", Type::Nested),
    optional("items", Type::Nested),
    optional("item_params", Type::Nested),
    optional("publisher", Type::Nested),
    optional("event_dimensions", Type::Nested),
];
