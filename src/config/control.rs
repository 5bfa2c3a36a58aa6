//! `[control]`: how much the program may do for an app at most. People's words and `TIDEGATE_MODE` can only make it less.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Section, own_or, value_or};
use crate::domain::control::Switch;

/// An hour: long enough for those who resumed it to look, short enough for a bad release.
const DEFAULT_GRACE_MINUTES: u32 = 60;
/// Minutes in a day: the longest grace.
const LONGEST_GRACE_MINUTES: u32 = 1_440;

/// How much the program may do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Control")]
pub(super) struct RawControl {
    /// What the program may do: auto, observe (judged, shown and recorded, without effect) or off (nobody is asked
    /// anything). The strictest of this, TIDEGATE_MODE and people's holds wins. Default: auto.
    #[schemars(extend("default" = Switch::Auto))]
    mode: Option<At<Switch>>,
    /// For so long after a person's resume a halt counts as a warning, in minutes. Default: 60.
    #[schemars(range(max = LONGEST_GRACE_MINUTES), extend("default" = DEFAULT_GRACE_MINUTES))]
    resume_grace_minutes: Option<At<u32>>,
}

impl Section for RawControl {
    fn over(&self, base: &Self) -> Self {
        Self {
            mode: own_or(self.mode.as_ref(), base.mode.as_ref()),
            resume_grace_minutes: own_or(
                self.resume_grace_minutes.as_ref(),
                base.resume_grace_minutes.as_ref(),
            ),
        }
    }
}

impl RawControl {
    pub(super) fn mode(&self) -> Switch {
        value_or(self.mode.as_ref(), Switch::Auto)
    }

    pub(super) fn resume_grace(&self) -> SignedDuration {
        SignedDuration::from_mins(value_or(self.resume_grace_minutes.as_ref(), DEFAULT_GRACE_MINUTES).into())
    }
}
