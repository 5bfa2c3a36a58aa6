//! `rollout` of an app: the steps in which the job android-rollout widens a staged rollout.

use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, value_or};
use super::error::Problem;
use super::schedule::RawSchedule;
use crate::domain::advance::Plan;
use crate::domain::ids::AppId;
use crate::domain::rate::UserFraction;

/// A step is taken on no fewer sessions than this, unless another number is given.
const DEFAULT_MIN_SESSIONS: u32 = 1_000;
/// Steps that most teams begin with.
const DEFAULT_STEPS: [f64; 3] = [0.15, 0.75, 1.0];
/// Three days in a row without a step are no accident of a schedule.
const DEFAULT_STUCK_AFTER_DAYS: u32 = 3;
/// Days in a month: the longest that nobody is told of a rollout that stands still.
const MONTH_DAYS: u32 = 31;

/// The steps of a staged rollout.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub(super) struct RawRolloutPlan {
    /// The shares of users, ascending; the last is 1.0. Default: [0.15, 0.75, 1.0].
    #[schemars(extend("default" = DEFAULT_STEPS))]
    steps: Option<At<Vec<At<f64>>>>,
    /// No step is taken on fewer mature sessions of the release than this. Default: 1000.
    #[schemars(extend("default" = DEFAULT_MIN_SESSIONS))]
    min_sessions: Option<At<u32>>,
    /// People are told of a rollout that has stood still on so many days that were not quiet. Default: 3.
    #[schemars(range(min = 1, max = MONTH_DAYS), extend("default" = DEFAULT_STUCK_AFTER_DAYS))]
    stuck_after_days: Option<At<u32>>,
}

impl RawRolloutPlan {
    /// The plan of an app.
    pub(super) fn check(&self, app: &AppId, schedule: &RawSchedule) -> Result<Plan, Problem> {
        let steps = match &self.steps {
            Some(given) => steps(given, app)?,
            None => DEFAULT_STEPS.into_iter().filter_map(|step| UserFraction::new(step).ok()).collect(),
        };
        Ok(Plan {
            steps,
            min_sessions: u64::from(value_or(self.min_sessions.as_ref(), DEFAULT_MIN_SESSIONS)),
            not_before: schedule.rollout_at(),
            quiet_days: schedule.quiet_days(),
            quiet_dates: schedule.quiet_dates(),
            stuck_after_days: value_or(self.stuck_after_days.as_ref(), DEFAULT_STUCK_AFTER_DAYS),
        })
    }
}

fn steps(given: &At<Vec<At<f64>>>, app: &AppId) -> Result<Vec<UserFraction>, Problem> {
    let mut steps: Vec<UserFraction> = Vec::new();
    for given in given.get() {
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
            given.span(),
            format!("the steps of app `{app}` do not end with everybody"),
            "add 1.0 as the last step",
        ));
    }
    Ok(steps)
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
