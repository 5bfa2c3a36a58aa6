//! `rollout` of an app: the steps in which a staged rollout widens. The release monitor does not use them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::at::{At, value_or};
use super::error::Problem;
use crate::domain::ids::AppId;
use crate::domain::rate::UserFraction;

/// A step is taken on no fewer sessions than this, unless another number is given.
const DEFAULT_MIN_SESSIONS: u32 = 1_000;
/// Steps that most teams begin with.
const EXAMPLE_STEPS: [f64; 3] = [0.15, 0.75, 1.0];

/// The steps of a staged rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutPlan {
    /// The shares of users, ascending; the last is everybody.
    pub steps: Vec<UserFraction>,
    /// No step is taken on fewer sessions than this.
    pub min_sessions: u64,
}

/// The steps of a staged rollout.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub(super) struct RawRolloutPlan {
    /// The shares of users, ascending; the last is 1.0.
    #[schemars(extend("examples" = [EXAMPLE_STEPS]))]
    steps: At<Vec<At<f64>>>,
    /// No step is taken on fewer sessions than this. Default: 1000.
    #[schemars(extend("default" = DEFAULT_MIN_SESSIONS))]
    min_sessions: Option<At<u32>>,
}

impl RawRolloutPlan {
    /// The steps of an app.
    pub(super) fn check(&self, app: &AppId) -> Result<RolloutPlan, Problem> {
        let mut steps: Vec<UserFraction> = Vec::new();
        for given in self.steps.get() {
            let step = step(given, app)?;
            if steps.last().is_some_and(|last| step <= *last) {
                return Err(Problem::new(
                    given.span(),
                    format!("the steps of app `{app}` do not ascend: {} comes too late", step.get()),
                    "write each step once, the smallest first, such as [0.15, 0.75, 1.0]",
                ));
            }
            steps.push(step);
        }
        if steps.last() != Some(&UserFraction::EVERYBODY) {
            return Err(Problem::new(
                self.steps.span(),
                format!("the steps of app `{app}` do not end with everybody"),
                "add 1.0 as the last step",
            ));
        }
        let min_sessions = u64::from(value_or(self.min_sessions.as_ref(), DEFAULT_MIN_SESSIONS));
        Ok(RolloutPlan { steps, min_sessions })
    }
}

fn step(given: &At<f64>, app: &AppId) -> Result<UserFraction, Problem> {
    UserFraction::new(*given.get()).map_err(|error| {
        Problem::new(
            given.span(),
            format!("a step of app `{app}` is refused: {error}"),
            "write ratios, such as 0.15 for 15 % of users",
        )
    })
}
