//! `[schedule]`: the zone in which people count days, when the daily jobs do something, and how long the monitor may be
//! silent.

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Section, own_or, value_or};
use super::times::{QuietDates, TimeOfDay};
use super::zone::Zone;
use crate::domain::advance::{Dates, DayOfWeek};

/// The default zone.
const DEFAULT_ZONE: &str = "UTC";
/// GitHub starts scheduled runs hours late and leaves some out: twelve quarters of an hour without a run are a gap.
const DEFAULT_MONITOR_SILENCE_HOURS: u32 = 3;
/// When the daily jobs do something: most teams are at work then, and the rest of the day is left to look.
const NOON: Time = Time::constant(12, 0, 0, 0);
/// The same, as people write it.
const NOON_TEXT: &str = "12:00";
/// Hours in a week: the longest silence.
const WEEK_HOURS: u32 = 168;

/// When things happen.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Schedule")]
pub(super) struct RawSchedule {
    /// The zone in which rollout days are counted, an IANA name. Default: UTC.
    #[schemars(extend("default" = DEFAULT_ZONE))]
    time_zone: Option<At<Zone>>,
    /// After so many hours without a completed run, the next one says that nobody was watching. Default: 3.
    #[schemars(range(min = 1, max = WEEK_HOURS), extend("default" = DEFAULT_MONITOR_SILENCE_HOURS))]
    monitor_silence_hours: Option<At<u32>>,
    /// The daily report of a date is made at the first run after this time of day. Default: 12:00.
    #[schemars(extend("default" = NOON_TEXT))]
    report_at: Option<At<TimeOfDay>>,
    /// The step of a staged rollout is taken at the first run after this time of day. Default: 12:00.
    #[schemars(extend("default" = NOON_TEXT))]
    rollout_at: Option<At<TimeOfDay>>,
    /// No step of a staged rollout is taken on these days of the week: mon, tue, wed, thu, fri, sat, sun. Default: none.
    #[schemars(extend("default" = NO_DAYS))]
    quiet_days: Option<At<Vec<DayOfWeek>>>,
    /// No step of a staged rollout is taken on these dates: "2026-12-24", or "2026-12-24/2027-01-01" for all from the first
    /// to the last. Default: none.
    #[schemars(extend("default" = NO_DAYS))]
    quiet_dates: Option<At<Vec<At<QuietDates>>>>,
}

/// The default of both lists.
const NO_DAYS: [&str; 0] = [];

impl Section for RawSchedule {
    fn over(&self, base: &Self) -> Self {
        Self {
            time_zone: own_or(self.time_zone.as_ref(), base.time_zone.as_ref()),
            monitor_silence_hours: own_or(
                self.monitor_silence_hours.as_ref(),
                base.monitor_silence_hours.as_ref(),
            ),
            report_at: own_or(self.report_at.as_ref(), base.report_at.as_ref()),
            rollout_at: own_or(self.rollout_at.as_ref(), base.rollout_at.as_ref()),
            quiet_days: own_or(self.quiet_days.as_ref(), base.quiet_days.as_ref()),
            quiet_dates: own_or(self.quiet_dates.as_ref(), base.quiet_dates.as_ref()),
        }
    }
}

impl RawSchedule {
    /// The zone of an app.
    pub(super) fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().map_or(TimeZone::UTC, |zone| zone.get().0.clone())
    }

    /// The time of day of the report of an app.
    pub(super) fn report_at(&self) -> Time {
        self.report_at.as_ref().map_or(NOON, |time| time.get().0)
    }

    /// The time of day of the steps of an app.
    pub(super) fn rollout_at(&self) -> Time {
        self.rollout_at.as_ref().map_or(NOON, |time| time.get().0)
    }

    /// The days of the week on which an app takes no step.
    pub(super) fn quiet_days(&self) -> Vec<DayOfWeek> {
        value_or(self.quiet_days.as_ref(), Vec::new())
    }

    /// The dates on which an app takes no step.
    pub(super) fn quiet_dates(&self) -> Vec<Dates> {
        self.quiet_dates.iter().flat_map(|dates| dates.get()).map(|dates| dates.get().0).collect()
    }

    /// How long an app may go without a completed run.
    pub(super) fn monitor_silence(&self) -> SignedDuration {
        let hours = self.monitor_silence_hours.as_ref().map_or(DEFAULT_MONITOR_SILENCE_HOURS, |at| *at.get());
        SignedDuration::from_hours(i64::from(hours))
    }
}
