//! The outside world, one file or folder per thing. An adapter translates between a port and a vendor, and keeps the
//! vendor's own words in its errors. It never decides.

pub mod app_store_connect;
pub mod bigquery;
pub mod clock;
pub mod embedded;
pub mod environment;
pub mod events;
pub mod exchange;
pub mod fail_point;
pub mod firestore;
pub mod github;
pub mod google;
pub mod google_play;
pub mod http;
pub mod log;
pub mod redact;
pub mod secret_manager;
pub mod slack;
pub mod sqlite;
pub mod telemetry;
pub mod watched;
