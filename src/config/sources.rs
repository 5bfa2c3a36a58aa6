//! `[sources]`: where sessions and crashes are counted.
//!
//! Tables are named by the exports themselves, after the app; an override is for a copy or a view of one.

use std::ops::Range;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or, value_or};
use super::error::Problem;
use super::text::{DatasetName, TableName};
use super::zone::Zone;
use crate::domain::ids::AppId;

/// Where Firebase exports crashes to, unless it was told otherwise.
const DEFAULT_CRASHLYTICS_DATASET: &str = "firebase_crashlytics";
/// Where Firebase exports sessions to, unless it was told otherwise.
const DEFAULT_SESSIONS_DATASET: &str = "firebase_sessions";

/// Where sessions and crashes are counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sources {
    /// Where sessions are counted.
    pub sessions: SessionSource,
    /// The dataset of the crashes.
    pub crashlytics_dataset: String,
    /// The dataset of the sessions, for [`SessionSource::FirebaseSessions`].
    pub sessions_dataset: String,
    /// The table of the crashes, as `DATASET.TABLE`, where it is not the exported one.
    pub crashes_table: Option<String>,
    /// The table of the sessions, as `DATASET.TABLE`, where it is not the exported one.
    pub sessions_table: Option<String>,
}

/// Where sessions are counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionSource {
    /// The export of Firebase sessions: one row a session, with the build.
    FirebaseSessions,
    /// The export of Google Analytics: `session_start` events, without the build.
    Analytics {
        /// The dataset of the property.
        dataset: String,
        /// The reporting zone of the property: its tables are cut at midnight there.
        #[serde(with = "jiff::fmt::serde::tz::required")]
        time_zone: TimeZone,
    },
}

/// Where sessions and crashes are counted.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Sources")]
pub(super) struct RawSources {
    /// Where sessions are counted. Default: firebase-sessions.
    #[schemars(extend("default" = SessionKind::FirebaseSessions))]
    sessions: Option<At<SessionKind>>,
    /// The dataset of the Analytics property. Needed with sessions = "analytics".
    #[schemars(extend("examples" = ["analytics_123456789"]))]
    analytics_dataset: Option<At<DatasetName>>,
    /// The reporting zone of the Analytics property, an IANA name. Needed with sessions = "analytics".
    #[schemars(extend("examples" = ["Europe/Berlin"]))]
    time_zone: Option<At<Zone>>,
    /// The dataset that Crashlytics exports to. Default: `firebase_crashlytics`.
    #[schemars(extend("default" = DEFAULT_CRASHLYTICS_DATASET))]
    crashlytics_dataset: Option<At<DatasetName>>,
    /// The dataset that Firebase sessions are exported to. Default: `firebase_sessions`.
    #[schemars(extend("default" = DEFAULT_SESSIONS_DATASET))]
    sessions_dataset: Option<At<DatasetName>>,
    /// The table of the crashes, DATASET.TABLE. Left out, it follows from the app.
    #[schemars(extend("examples" = ["firebase_crashlytics.com_example_app_ANDROID"]))]
    crashes_table: Option<At<TableName>>,
    /// The table of the sessions, DATASET.TABLE. Left out, it follows from the app. For sessions = "firebase-sessions".
    #[schemars(extend("examples" = ["firebase_sessions.com_example_app_ANDROID"]))]
    sessions_table: Option<At<TableName>>,
}

/// Where sessions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum SessionKind {
    /// The export of Firebase sessions: one row a session, with the build.
    FirebaseSessions,
    /// The export of Google Analytics: `session_start` events, without the build.
    Analytics,
}

impl Section for RawSources {
    fn over(&self, base: &Self) -> Self {
        Self {
            sessions: own_or(self.sessions.as_ref(), base.sessions.as_ref()),
            analytics_dataset: own_or(self.analytics_dataset.as_ref(), base.analytics_dataset.as_ref()),
            time_zone: own_or(self.time_zone.as_ref(), base.time_zone.as_ref()),
            crashlytics_dataset: own_or(self.crashlytics_dataset.as_ref(), base.crashlytics_dataset.as_ref()),
            sessions_dataset: own_or(self.sessions_dataset.as_ref(), base.sessions_dataset.as_ref()),
            crashes_table: own_or(self.crashes_table.as_ref(), base.crashes_table.as_ref()),
            sessions_table: own_or(self.sessions_table.as_ref(), base.sessions_table.as_ref()),
        }
    }
}

impl RawSources {
    /// The sources of an app.
    pub(super) fn check(&self, app: &AppId) -> Result<Sources, Problem> {
        let dataset = |given: Option<&At<DatasetName>>, default: &str| {
            given.map_or_else(|| default.to_owned(), |name| name.get().to_text())
        };
        let table = |given: Option<&At<TableName>>| given.map(|name| name.get().to_text());
        Ok(Sources {
            sessions: self.sessions(app)?,
            crashlytics_dataset: dataset(self.crashlytics_dataset.as_ref(), DEFAULT_CRASHLYTICS_DATASET),
            sessions_dataset: dataset(self.sessions_dataset.as_ref(), DEFAULT_SESSIONS_DATASET),
            crashes_table: table(self.crashes_table.as_ref()),
            sessions_table: table(self.sessions_table.as_ref()),
        })
    }

    fn sessions(&self, app: &AppId) -> Result<SessionSource, Problem> {
        let kind = value_or(self.sessions.as_ref(), SessionKind::FirebaseSessions);
        match (kind, &self.sessions) {
            (SessionKind::Analytics, Some(chosen)) => self.analytics(app, &chosen.span()),
            (SessionKind::Analytics, None) | (SessionKind::FirebaseSessions, _) => {
                Ok(SessionSource::FirebaseSessions)
            }
        }
    }

    fn analytics(&self, app: &AppId, chosen: &Range<usize>) -> Result<SessionSource, Problem> {
        let missing = |key: &str, what: &str, example: &str| {
            Problem::new(
                chosen.clone(),
                format!("app `{app}` counts sessions in Analytics and has no `{key}` in [sources]"),
                format!("add `{key} = \"{example}\"`, {what}, next to it"),
            )
        };
        if let Some(table) = &self.sessions_table {
            return Err(Problem::new(
                table.span(),
                format!(
                    "`sessions_table` in [sources] is for firebase-sessions, and app `{app}` uses analytics"
                ),
                "leave it out: Analytics has one table a day, all of them in `analytics_dataset`",
            ));
        }
        let dataset = self.analytics_dataset.as_ref();
        let dataset = dataset
            .ok_or_else(|| missing("analytics_dataset", "the property's dataset", "analytics_123456789"))?;
        let zone = self.time_zone.as_ref();
        let zone =
            zone.ok_or_else(|| missing("time_zone", "the property's reporting time zone", "Europe/Berlin"))?;
        Ok(SessionSource::Analytics { dataset: dataset.get().to_text(), time_zone: zone.get().0.clone() })
    }
}
