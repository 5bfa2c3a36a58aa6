//! The faces of a daily report: terminal, Markdown, JSON, a page, a picture. Pure text and bytes from one value.
//!
//! Every face says the same, because all of them take their words from [`words`] and their lines from [`series`]. What is
//! not known says so on each of them. Nothing is read, written or asked for here.

#[cfg(feature = "adapters")]
pub mod chart;
pub mod markdown;
#[cfg(feature = "adapters")]
pub mod page;
#[cfg(feature = "adapters")]
pub mod picture;
pub mod series;
pub mod terminal;
pub mod words;

use serde_json::Value;

use crate::domain::daily::DailyReport;

/// The report for machines: its value as it is, with a version of its shape. Rates are ratios, instants RFC 3339.
#[must_use]
pub fn json(report: &DailyReport) -> Value {
    serde_json::to_value(report)
        .expect("a report holds no map with keys that are not text, and no number that JSON lacks")
}
