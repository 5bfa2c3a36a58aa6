//! The one thing that is put into the text of a query: a table name, checked.

use std::fmt;

use jiff::civil::Date;

use crate::domain::ids::{ApplicationId, Platform};

/// The longest dataset or table id that BigQuery takes, in characters.
const LONGEST_PART: usize = 1024;

/// A table as `dataset.table`, of letters, digits and underscores only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(String);

/// A table name that could change the meaning of a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table {0:?} must be DATASET.TABLE, of letters, digits and underscores")]
pub struct InvalidTable(String);

impl Table {
    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidTable`] where it is not two plain identifiers with a dot between them.
    pub fn new(name: &str) -> Result<Self, InvalidTable> {
        match name.split('.').collect::<Vec<_>>().as_slice() {
            [dataset, table] if is_plain(dataset) && is_plain(table) => Ok(Self(name.to_owned())),
            _ => Err(InvalidTable(name.to_owned())),
        }
    }

    /// The table of a Firebase export: the application id with underscores, the platform, `_REALTIME` for streaming.
    ///
    /// # Errors
    /// [`InvalidTable`] where the dataset is not a plain identifier.
    pub fn firebase(
        dataset: &str,
        app: &ApplicationId,
        platform: Platform,
        export: Export,
    ) -> Result<Self, InvalidTable> {
        let stem: String =
            app.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let platform = platform_suffix(platform);
        let realtime = match export {
            Export::Realtime => "_REALTIME",
            Export::Batch => "",
        };
        Self::new(&format!("{dataset}.{stem}_{platform}{realtime}"))
    }

    /// The Analytics table of a date in the property's zone.
    ///
    /// # Errors
    /// [`InvalidTable`] where the dataset is not a plain identifier.
    pub fn analytics(dataset: &str, date: Date, export: Export) -> Result<Self, InvalidTable> {
        let prefix = match export {
            Export::Realtime => "events_intraday_",
            Export::Batch => "events_",
        };
        Self::new(&format!("{dataset}.{prefix}{}", date.strftime("%Y%m%d")))
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &str {
        self.0.split_once('.').map_or("", |(dataset, _)| dataset)
    }

    /// The table within its dataset.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, table)| table)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How events come into a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// Streamed as they happen.
    Realtime,
    /// Loaded once a day.
    Batch,
}

/// How the exports write a platform.
#[must_use]
pub fn platform_suffix(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "ANDROID",
        Platform::Ios => "IOS",
    }
}

fn is_plain(part: &str) -> bool {
    let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && !part.is_empty() && part.len() <= LONGEST_PART
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_follow_the_exports() {
        let app = ApplicationId::new("com.x.vitallink-ca").unwrap();
        let table = Table::firebase("firebase_crashlytics", &app, Platform::Ios, Export::Realtime).unwrap();
        assert_eq!(table.as_str(), "firebase_crashlytics.com_x_vitallink_ca_IOS_REALTIME");
        let date = jiff::civil::date(2028, 2, 29);
        assert_eq!(
            Table::analytics("analytics_1", date, Export::Realtime).unwrap().as_str(),
            "analytics_1.events_intraday_20280229"
        );
        assert_eq!(
            Table::analytics("analytics_1", date, Export::Batch).unwrap().as_str(),
            "analytics_1.events_20280229"
        );
    }

    proptest! {
        #[test]
        fn f73_an_accepted_name_cannot_leave_its_quotes(name in ".{0,40}") {
            if let Ok(table) = Table::new(&name) {
                prop_assert!(table.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'));
                prop_assert_eq!(table.as_str().matches('.').count(), 1);
            }
        }
    }
}
