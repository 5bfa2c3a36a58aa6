//! `[schedule]`: the zone in which people count days, and how long the monitor may be silent.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Section, own_or};
use super::zone::Zone;

/// The default zone.
const DEFAULT_ZONE: &str = "UTC";
/// GitHub starts scheduled runs hours late and leaves some out: twelve quarters of an hour without a run are a gap.
const DEFAULT_MONITOR_SILENCE_HOURS: u32 = 3;
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
}

impl Section for RawSchedule {
    fn over(&self, base: &Self) -> Self {
        Self {
            time_zone: own_or(self.time_zone.as_ref(), base.time_zone.as_ref()),
            monitor_silence_hours: own_or(
                self.monitor_silence_hours.as_ref(),
                base.monitor_silence_hours.as_ref(),
            ),
        }
    }
}

impl RawSchedule {
    /// The zone of an app.
    pub(super) fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().map_or(TimeZone::UTC, |zone| zone.get().0.clone())
    }

    /// How long an app may go without a completed run.
    pub(super) fn monitor_silence(&self) -> SignedDuration {
        let hours = self.monitor_silence_hours.as_ref().map_or(DEFAULT_MONITOR_SILENCE_HOURS, |at| *at.get());
        SignedDuration::from_hours(i64::from(hours))
    }
}
