//! The tables of an app, in any warehouse: which are there, streamed or daily, and with which columns.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Patient;
use crate::adapters::events::{Covering, Events, Found, Together, Warehouse};
use crate::config::{App, SessionSource};
use crate::domain::calendar::{UtcDay, Window};
use crate::ports::PortError;
use crate::queries::Source;
use crate::report::checks::Check;
use crate::world;

const CHECK: &str = "table";
/// Where streaming is switched on for the exports of Firebase.
const STREAM_FIREBASE: &str = "Firebase console > Project settings > Integrations > BigQuery > Manage: switch the export \
                               of Crashlytics and Sessions on, with streaming";
/// Where it is for Analytics.
const STREAM_ANALYTICS: &str = "Google Analytics > Admin > Product links > BigQuery links > the link > Data streams and events: Streaming";

/// Which count a table serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The crashes.
    Crashes,
    /// The sessions.
    Sessions,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Crashes => "crash",
            Self::Sessions => "session",
        }
    }
}

/// What was found of the tables of an app.
#[derive(Default)]
pub struct Looked {
    /// The checks.
    pub checks: Vec<Check>,
    /// The tables that can be used.
    pub found: Vec<(Side, Found)>,
}

/// Looks at the tables of an app.
pub async fn look(patient: &Patient<'_>, app: &App, warehouse: &Arc<dyn Warehouse>) -> Looked {
    let (platform, application) = world::identity(&app.target);
    let together = Together::new(warehouse.clone());
    let events = Events::new(together, platform, application.clone(), app.sources.clone());
    let yesterday = UtcDay::of(patient.now).plus(-1).start();
    let sessions = events.session_tables(Window::new(yesterday, patient.now)).await;
    let mut looked = Looked::default();
    looked.take(app, &events, Side::Crashes, events.crash_tables().await);
    looked.take(app, &events, Side::Sessions, sessions);
    looked
}

impl Looked {
    fn take(
        &mut self,
        app: &App,
        events: &Events<Arc<dyn Warehouse>>,
        side: Side,
        covering: Result<Covering, PortError>,
    ) {
        let covering = match covering {
            Ok(covering) => covering,
            Err(error) => {
                self.checks.push(Check::failed(CHECK, format!("{} table", side.name()), &error));
                return;
            }
        };
        if covering.tables.is_empty() {
            self.checks.extend(covering.absent.first().map(|table| {
                let subject = format!("{} table {table}", side.name());
                let fix = format!("{}; or name the right table under [sources]", stream(app, side));
                Check::failed(CHECK, subject, "is not there, streamed or daily").with_fix(fix)
            }));
        }
        for found in covering.tables {
            let source = match side {
                Side::Crashes => Source::Crashlytics,
                Side::Sessions => events.session_source(),
            };
            let lacking = events.lacking(source, &found.info.shape);
            self.checks.push(columns(app, side, source, &found, &lacking));
            if lacking.is_empty() {
                self.found.push((side, found));
            }
        }
    }
}

fn columns(app: &App, side: Side, source: Source, found: &Found, lacking: &[&str]) -> Check {
    let subject = format!("{} table {}", side.name(), found.table);
    if !lacking.is_empty() {
        let fix = format!(
            "check that it is the {} export, and name the right table under [sources]",
            source.name()
        );
        let text = format!("lacks the column {}", lacking.join(", "));
        return Check::failed(CHECK, subject, &text).with_fix(fix);
    }
    let optional: Vec<&str> =
        source.optional().into_iter().filter(|column| !found.info.shape.has(column)).collect();
    if !optional.is_empty() {
        let text = format!("is there, without {}, which then counts as unknown", optional.join(", "));
        let fix =
            "update the Crashlytics SDK of the app to the newest version; the export then adds the column";
        return Check::warning(CHECK, subject, text, fix);
    }
    if is_daily(app, side, found) {
        let text = "is there, but only as the daily export: its data is up to a day late, which is stale";
        return Check::warning(CHECK, subject, text, stream(app, side));
    }
    Check::ok(CHECK, subject, "is there with every column")
}

/// A table that a person has named is taken as it is.
fn is_daily(app: &App, side: Side, found: &Found) -> bool {
    let named = match side {
        Side::Crashes => &app.sources.crashes_table,
        Side::Sessions => &app.sources.sessions_table,
    };
    match (side, &app.sources.sessions) {
        // Yesterday's table is complete once it is daily.
        (Side::Sessions, SessionSource::Analytics { .. }) => false,
        _ => named.is_none() && !found.table.name().ends_with("_REALTIME"),
    }
}

fn stream(app: &App, side: Side) -> &'static str {
    match (side, &app.sources.sessions) {
        (Side::Sessions, SessionSource::Analytics { .. }) => STREAM_ANALYTICS,
        _ => STREAM_FIREBASE,
    }
}

/// Judges the age of the newest rows by what the app's settings call stale.
pub fn age(
    patient: &Patient<'_>,
    app: &App,
    side: Side,
    subject: String,
    newest: Timestamp,
    fix: &str,
) -> Check {
    let data = &app.policy.data;
    let limit = match side {
        Side::Crashes => data.max_crash_silence,
        Side::Sessions => data.max_age,
    };
    let age = patient.now.duration_since(newest).max(SignedDuration::ZERO);
    let (hours, minutes, limit_hours) = (age.as_hours(), age.as_mins() % 60, limit.as_secs_f64() / 3600.0);
    if age <= limit {
        return Check::ok("freshness", subject, format!("{hours} h {minutes} min old"));
    }
    let found =
        format!("{hours} h {minutes} min old, and more than {limit_hours} h are stale: no release is judged");
    Check::warning("freshness", subject, found, fix)
}
