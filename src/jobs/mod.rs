//! The jobs: each picks what to ask the ports for, and in which order. One file or folder per job.
//!
//! Everything that a job knows of the outside world is a port, so a job can be run against any world.

pub mod android_rollout;
pub mod brakes;
pub mod release_monitor;
pub mod status_reporter;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Time;

use crate::domain::control::Switch;
use crate::domain::daily::{AppPage, DailyReport};
use crate::domain::decision::Record;
use crate::domain::heartbeat::Silence;
use crate::domain::ids::{AppId, BuildNumber, Platform, VersionName};
use crate::domain::judge::Decision;
use crate::domain::links::Links;
use crate::domain::looking::ReadSessions;
use crate::domain::outbox::Sink;
use crate::domain::policy::Policy;
use crate::domain::rate::UserFraction;
use crate::domain::verdict::Reason;
use crate::ports::{Image, MetricSource, Notifier, PortError, RolloutTarget};

/// The ids of the jobs, in the order of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobId {
    /// Judges every release that is rolling out, and acts on it.
    ReleaseMonitor,
    /// Tells once a day how each app fares.
    StatusReporter,
    /// Offers each release of an Android app that nothing speaks against to more users, by one step a day.
    AndroidRollout,
    /// Finishes what earlier runs left half done, and judges nothing.
    Outbox,
}

impl JobId {
    /// Every job.
    pub const ALL: [Self; 4] =
        [Self::ReleaseMonitor, Self::StatusReporter, Self::AndroidRollout, Self::Outbox];

    /// The id on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReleaseMonitor => "release-monitor",
            Self::StatusReporter => "status-reporter",
            Self::AndroidRollout => "android-rollout",
            Self::Outbox => "outbox",
        }
    }
}

/// One app with its ports.
pub struct AppWorld {
    /// Its id.
    pub id: AppId,
    /// Its platform.
    pub platform: Platform,
    /// What the judge is told.
    pub policy: Policy,
    /// What the environment and the configuration let the program do, the stricter of the two.
    pub switch: Switch,
    /// The fingerprint of all settings of the app.
    pub configuration: String,
    /// Whether sessions may be left unread where they change nothing.
    pub read_sessions: ReadSessions,
    /// After so many runs in a row that could conclude nothing, people are told.
    pub alarm_after_runs: u32,
    /// How long the monitor may be silent before the next run says so.
    pub monitor_silence: SignedDuration,
    /// Bytes that this app's queries may be billed for in a month; none where there is no budget.
    pub budget_per_month: Option<u64>,
    /// Whether a bad release is halted even where the state store is down.
    pub degraded_halt: bool,
    /// Where it is counted.
    pub metrics: Box<dyn MetricSource>,
    /// Where it is offered.
    pub target: Box<dyn RolloutTarget>,
    /// Where people and other programs are told; none only where nothing may be said.
    pub notifiers: BTreeMap<Sink, Box<dyn Notifier>>,
    /// Pages for those who are told.
    pub links: Links,
    /// The time of day after which its daily report is made, in the zone of the policy.
    pub report_at: Time,
    /// Draws the chart of a report; none where nothing draws.
    pub picture: Option<Picture>,
}

/// Draws the chart of a report; none where there is nothing to draw yet. Says what went wrong.
pub type Picture = fn(&AppPage) -> Result<Option<Image>, String>;

impl AppWorld {
    /// Where messages can go.
    #[must_use]
    pub fn sinks(&self) -> Vec<Sink> {
        let channel = [Sink::Slack].into_iter();
        channel.chain(self.notifiers.keys().copied().filter(|sink| *sink != Sink::Slack)).collect()
    }

    /// What the places where people are told can't do.
    fn shortcomings(&self) -> Vec<String> {
        self.notifiers.values().filter_map(|notifier| notifier.shortcoming()).map(str::to_owned).collect()
    }

    /// The channel.
    #[must_use]
    pub fn channel(&self) -> Option<&dyn Notifier> {
        self.notifiers.get(&Sink::Slack).map(Box::as_ref)
    }
}

/// What a run did for one release of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct AppReport {
    /// The app.
    pub app: AppId,
    /// Its platform.
    pub platform: Platform,
    /// The version, where a release is rolling out.
    pub version: Option<VersionName>,
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// The answer.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Whether the store was read back and shows the effect.
    pub acted: Acted,
    /// The share of users that the store shows at the end of the run.
    pub user_fraction: Option<UserFraction>,
    /// The decision with its evidence, where something was judged.
    pub record: Option<Record>,
    /// What went wrong, with its fix; the next run tries again.
    pub problems: Vec<String>,
    /// A service asked to be left alone for so long.
    pub wait: Option<SignedDuration>,
    /// No run had completed for so long before this one.
    pub silence: Option<Silence>,
    /// What is not as good as it could be, and no problem.
    pub notices: Vec<String>,
    /// Why what the evidence asks for was not done, where people's words or modes stand against it.
    pub withheld: Option<String>,
    /// The daily report, where one was made.
    pub daily: Option<Box<DailyReport>>,
}

/// Whether an effect was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// The store shows it.
    Yes,
    /// Nothing was asked of the store, or it does not show it.
    No,
}

impl AppReport {
    /// The report of an app without a release that is rolling out.
    #[must_use]
    pub fn nothing_rolling_out(world: &AppWorld) -> Self {
        Self { notices: world.shortcomings(), ..Self::blank(world.id.clone(), world.platform) }
    }

    /// The report of an app of which nothing is known.
    #[must_use]
    pub fn blank(app: AppId, platform: Platform) -> Self {
        Self {
            app,
            platform,
            version: None,
            builds: Vec::new(),
            decision: Decision::None,
            reason: Reason::NothingRollingOut,
            acted: Acted::No,
            user_fraction: None,
            record: None,
            problems: Vec::new(),
            wait: None,
            silence: None,
            notices: Vec::new(),
            withheld: None,
            daily: None,
        }
    }

    /// The report of an app whose mode is off.
    #[must_use]
    pub fn switched_off(app: AppId, platform: Platform) -> Self {
        let withheld = Some("the mode of the app is off: nobody was asked anything".to_owned());
        Self { reason: Reason::SwitchedOff, withheld, ..Self::blank(app, platform) }
    }

    /// The report of an app of a platform that the job does nothing for.
    #[must_use]
    pub fn not_applicable(world: &AppWorld, why: &str) -> Self {
        let withheld = Some(why.to_owned());
        Self { reason: Reason::NotApplicable, withheld, ..Self::nothing_rolling_out(world) }
    }

    /// The report of an app that could not even be set up.
    #[must_use]
    pub fn not_set_up(app: AppId, platform: Platform, problem: String) -> Self {
        Self {
            decision: Decision::Error,
            reason: Reason::CouldNotComplete,
            problems: vec![problem],
            ..Self::blank(app, platform)
        }
    }

    /// The report of an app that could not be judged.
    #[must_use]
    pub fn failed(world: &AppWorld, problem: String) -> Self {
        Self::not_set_up(world.id.clone(), world.platform, problem)
    }

    /// Whether the data itself has to be looked at by a person at once: an export that stopped looks like perfect health.
    #[must_use]
    pub fn is_data_alarm(&self) -> bool {
        self.decision == Decision::StaleData && self.reason == Reason::CrashExportSilent
    }

    /// The report of an app of which a service could not be asked.
    #[must_use]
    pub fn unasked(world: &AppWorld, error: &PortError) -> Self {
        Self {
            wait: error.retry_after.and_then(|wait| wait.try_into().ok()),
            ..Self::failed(world, error.to_string())
        }
    }

    /// The report of a decision.
    #[must_use]
    pub fn of(world: &AppWorld, record: Record) -> Self {
        Self {
            version: Some(record.version.clone()),
            builds: record.builds.clone(),
            decision: record.judgement.decision,
            reason: record.judgement.reason,
            user_fraction: record.facts.user_fraction,
            record: Some(record),
            ..Self::nothing_rolling_out(world)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::heartbeat;

    #[test]
    fn every_job_has_a_heartbeat() {
        assert_eq!(JobId::ALL.map(JobId::as_str), heartbeat::JOBS);
    }
}
