//! `[data]`: how fresh and complete the events must be.
//!
//! The defaults are those of the Firebase sources; Analytics streams with more delay, so its lag is longer.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, Section, own_or};
use super::error::Problem;
use super::sources::SessionSource;
use crate::domain::ids::AppId;
use crate::domain::looking::ReadSessions;
use crate::domain::policy::DataPolicy;

/// Firebase sessions arrive within minutes.
const DEFAULT_LAG_MINUTES: u32 = 10;
/// Events of Analytics arrive within the hour.
const DEFAULT_ANALYTICS_LAG_MINUTES: u32 = 60;
/// After six hours late reports have mostly arrived.
const DEFAULT_MATURITY_HOURS: u32 = 6;
/// Six runs of a quarter of an hour without a new session.
const DEFAULT_MAX_AGE_MINUTES: u32 = 90;
/// A day without a crash report of any version.
const DEFAULT_MAX_CRASH_SILENCE_HOURS: u32 = 24;
/// Three runs in a row with the same trouble are an alarm.
const DEFAULT_ALARM_AFTER_RUNS: u32 = 3;
/// More runs than a week has.
const MOST_RUNS: u32 = 1_000;
/// Minutes in a day: the longest lag.
const DAY_MINUTES: u32 = 1_440;
/// Minutes in a week: the greatest age.
const WEEK_MINUTES: u32 = 10_080;
/// Hours in a week: the longest maturity.
const WEEK_HOURS: u32 = 168;
/// Hours in thirty days: the longest silence.
const MONTH_HOURS: u32 = 720;

/// How fresh and complete the events must be.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Data")]
pub(super) struct RawData {
    /// Events younger than this are left out, because the newest are still arriving, in minutes. Default: 10, and 60 with analytics.
    #[schemars(range(max = DAY_MINUTES), extend("default" = DEFAULT_LAG_MINUTES))]
    lag_minutes: Option<At<u32>>,
    /// Events older than this are mature: late reports have mostly arrived, in hours. Default: 6.
    #[schemars(range(max = WEEK_HOURS), extend("default" = DEFAULT_MATURITY_HOURS))]
    maturity_hours: Option<At<u32>>,
    /// When the newest session is older than this, nothing permissive is done, in minutes. Default: 90.
    #[schemars(range(min = 1, max = WEEK_MINUTES), extend("default" = DEFAULT_MAX_AGE_MINUTES))]
    max_age_minutes: Option<At<u32>>,
    /// Without a crash report of any version for so long, the export is taken to have stopped, in hours. Default: 24.
    #[schemars(range(min = 1, max = MONTH_HOURS), extend("default" = DEFAULT_MAX_CRASH_SILENCE_HOURS))]
    max_crash_silence_hours: Option<At<u32>>,
    /// Whether sessions are read on every run, or only where they could change a decision. Default: when-needed.
    #[schemars(extend("default" = ReadSessions::WhenNeeded))]
    read_sessions: Option<At<ReadSessions>>,
    /// After so many runs in a row without usable data, people are told, once. Default: 3.
    #[schemars(range(min = 1, max = MOST_RUNS), extend("default" = DEFAULT_ALARM_AFTER_RUNS))]
    alarm_after_runs: Option<At<u32>>,
}

/// How an app is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Watching {
    /// Whether sessions may be left unread where they change nothing.
    pub read_sessions: ReadSessions,
    /// After so many runs in a row without usable data, people are told.
    pub alarm_after_runs: u32,
}

impl Section for RawData {
    fn over(&self, base: &Self) -> Self {
        Self {
            lag_minutes: own_or(self.lag_minutes.as_ref(), base.lag_minutes.as_ref()),
            maturity_hours: own_or(self.maturity_hours.as_ref(), base.maturity_hours.as_ref()),
            max_age_minutes: own_or(self.max_age_minutes.as_ref(), base.max_age_minutes.as_ref()),
            max_crash_silence_hours: own_or(
                self.max_crash_silence_hours.as_ref(),
                base.max_crash_silence_hours.as_ref(),
            ),
            read_sessions: own_or(self.read_sessions.as_ref(), base.read_sessions.as_ref()),
            alarm_after_runs: own_or(self.alarm_after_runs.as_ref(), base.alarm_after_runs.as_ref()),
        }
    }
}

impl RawData {
    /// How an app is looked at.
    pub(super) fn watching(&self) -> Watching {
        Watching {
            read_sessions: self.read_sessions.as_ref().map_or_else(Default::default, |given| *given.get()),
            alarm_after_runs: self
                .alarm_after_runs
                .as_ref()
                .map_or(DEFAULT_ALARM_AFTER_RUNS, |runs| *runs.get()),
        }
    }

    /// The limits of an app, with the lag that belongs to its source.
    pub(super) fn check(&self, sessions: &SessionSource, app: &AppId) -> Result<DataPolicy, Problem> {
        let lag = match sessions {
            SessionSource::FirebaseSessions => DEFAULT_LAG_MINUTES,
            SessionSource::Analytics { .. } => DEFAULT_ANALYTICS_LAG_MINUTES,
        };
        let policy = DataPolicy {
            lag: minutes(self.lag_minutes.as_ref(), lag),
            maturity: hours(self.maturity_hours.as_ref(), DEFAULT_MATURITY_HOURS),
            max_age: minutes(self.max_age_minutes.as_ref(), DEFAULT_MAX_AGE_MINUTES),
            max_crash_silence: hours(self.max_crash_silence_hours.as_ref(), DEFAULT_MAX_CRASH_SILENCE_HOURS),
        };
        if policy.lag < policy.max_age {
            return Ok(policy);
        }
        let given = self.max_age_minutes.as_ref().or(self.lag_minutes.as_ref());
        Err(Problem::new(
            given.map_or(0..0, At::span),
            format!(
                "`max_age_minutes` ({}) must be above `lag_minutes` ({}): for app `{app}` all data would always be stale",
                policy.max_age.as_mins(),
                policy.lag.as_mins()
            ),
            "raise `max_age_minutes`, or lower `lag_minutes`",
        ))
    }
}

fn minutes(given: Option<&At<u32>>, default: u32) -> SignedDuration {
    SignedDuration::from_mins(i64::from(given.map_or(default, |minutes| *minutes.get())))
}

fn hours(given: Option<&At<u32>>, default: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(given.map_or(default, |hours| *hours.get())))
}
