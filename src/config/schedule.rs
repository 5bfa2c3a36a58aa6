//! `[schedule]`: the zone in which people count days.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Section, own_or};
use super::zone::Zone;

/// The default zone.
const DEFAULT_ZONE: &str = "UTC";

/// When things happen.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Schedule")]
pub(super) struct RawSchedule {
    /// The zone in which rollout days are counted, an IANA name. Default: UTC.
    #[schemars(extend("default" = DEFAULT_ZONE))]
    time_zone: Option<At<Zone>>,
}

impl Section for RawSchedule {
    fn over(&self, base: &Self) -> Self {
        Self { time_zone: own_or(self.time_zone.as_ref(), base.time_zone.as_ref()) }
    }
}

impl RawSchedule {
    /// The zone of an app.
    pub(super) fn zone(&self) -> TimeZone {
        self.time_zone.as_ref().map_or(TimeZone::UTC, |zone| zone.get().0.clone())
    }
}
