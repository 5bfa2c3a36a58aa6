//! What is told of the apps once a day: one value with several faces (terminal, Markdown, page, picture, Slack).
//!
//! It holds numbers and never words for them, so that every face shows the same. What is not known is none, and says so
//! on every face; nothing is guessed. Unlike a decision it is never an input of anything that acts.

pub mod remembered;
pub mod told;
pub mod upcoming;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::calendar::Window;
use super::counts::Counts;
use super::facts::AbsentTable;
use super::ids::{AppId, BuildNumber, DecisionId, Platform, VersionName};
use super::judge::Decision;
use super::message::Link;
use super::policy::Slo;
use super::rate::UserFraction;
use super::release::{ReleaseId, RolloutStatus};
use super::verdict::{Evidence, Reason};

/// The shape of [`DailyReport`]; raised when a field changes its meaning.
pub const DAILY_REPORT_VERSION: u32 = 1;

/// How many groups of crash reports a report shows.
pub const TOP_CRASHES: usize = 3;

/// The report of all apps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DailyReport {
    /// [`DAILY_REPORT_VERSION`] at the time of writing.
    pub report_version: u32,
    /// When it was made.
    pub at: Timestamp,
    /// The apps, in the order of the configuration.
    pub apps: Vec<AppPage>,
}

/// One app in a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppPage {
    /// The app.
    pub app: AppId,
    /// Its platform.
    pub platform: Platform,
    /// The date that the report is of, where the team works.
    pub date: Date,
    /// Where the team works.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub zone: TimeZone,
    /// What is promised.
    pub slo: Slo,
    /// The release that the report is about: what is rolling out, else what was looked at last. None where the store
    /// lists nothing.
    pub release: Option<ReleasePage>,
    /// What its queries have cost.
    pub cost: Cost,
    /// Hours without a completed run of the monitor before this report; none where it ran as it should.
    pub unwatched_hours: Option<i64>,
    /// What went wrong while the report was made: what is missing is missing because of it.
    pub problems: Vec<String>,
}

/// A release in a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleasePage {
    /// Which release.
    pub id: ReleaseId,
    /// Its version.
    pub version: VersionName,
    /// Its builds.
    pub builds: Vec<BuildNumber>,
    /// Where its rollout stands.
    pub status: RolloutStatus,
    /// The share of users that it is offered to, where the store tells it.
    pub user_fraction: Option<UserFraction>,
    /// When counting began.
    pub cycle_start: Timestamp,
    /// What comes next; none where nothing does.
    pub next: Option<NextStep>,
    /// Where a phased release of the App Store stands.
    pub phased: Option<Phased>,
    /// The whole cycle.
    pub cycle: Option<Measured>,
    /// The last whole day where the team works.
    pub last_day: Option<Measured>,
    /// What this release changed against the one before it, where it is a fix of that.
    pub fix: Option<Fix>,
    /// The crashes that most reports are of, most first.
    pub crashes: Vec<TopCrash>,
    /// When the warehouse was asked for the last day, the fix and the crashes; none where it was not, so that they are not
    /// known.
    #[serde(default)]
    pub warehouse_at: Option<Timestamp>,
    /// How far the data goes.
    pub freshness: Freshness,
    /// What was decided, oldest first.
    pub history: Vec<Look>,
    /// Pages to look at.
    pub links: Vec<Link>,
}

/// The next step of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    /// The share of users that it would be offered to.
    pub to: UserFraction,
    /// Not before this date, where the team works; none where no date is known.
    pub on: Option<Date>,
    /// What stands against it now, in words; empty where nothing does.
    pub waits_for: Vec<String>,
}

/// A phased release of the App Store. Apple widens it by itself: 1, 2, 5, 10, 20, 50 and 100 % on days one to seven.
/// Source: <https://developer.apple.com/help/app-store-connect/update-your-app/release-a-version-update-in-phases>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phased {
    /// The day of the seven; none where Apple does not tell it.
    pub day: Option<u32>,
    /// Whole days that it has been paused.
    pub paused_days: i64,
    /// Whole days that it may still be paused.
    pub pause_days_left: i64,
}

/// Rates over a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From when to when was counted.
    pub window: Window,
    /// The crash-free sessions rate.
    pub sessions: Evidence,
    /// The crash-free users rate.
    pub users: Evidence,
}

/// What a release changed against the one before it, over stretches of the same length since each began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// The version before.
    pub before: VersionName,
    /// Why that one counts as what this one mends: it was halted, and did not come to everybody.
    pub reason: Option<Reason>,
    /// How the version before fared.
    pub then: Measured,
    /// How this one fares over as much of its life.
    pub now: Measured,
}

/// A group of crash reports that Crashlytics holds to have one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopCrash {
    /// Its id in Crashlytics.
    pub issue: String,
    /// Its title: text from outside; empty where there is none.
    pub title: String,
    /// Its subtitle: text from outside; empty where there is none.
    pub subtitle: String,
    /// What kind of crash.
    pub kind: CrashKind,
    /// Reports of this release in the cycle, each counted once.
    pub events: u64,
    /// Installations with such a report.
    pub users: u64,
    /// Whether earlier versions crashed by it too.
    pub seen: Seen,
    /// Its page, where its address is known.
    pub link: Option<Link>,
}

/// What ended the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// An error that ended it.
    Fatal,
    /// It stopped answering in the foreground.
    ForegroundAnr,
}

/// Whether a crash is older than the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// No other version had it in the time that was looked at.
    New,
    /// Another version had it.
    Before,
}

/// How far the data of a report goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// Both sides are counted up to here.
    pub through: Option<Timestamp>,
    /// The newest session of any version.
    pub newest_session_at: Option<Timestamp>,
    /// The newest crash report of any version.
    pub newest_crash_at: Option<Timestamp>,
    /// Where sessions were counted.
    pub sessions_from: Option<Origin>,
    /// Where crashes were counted.
    pub crashes_from: Option<Origin>,
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
}

/// Which tables were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The tables of finished days, with real-time ones for what those don't hold yet.
    Batch,
    /// Real-time and intraday tables alone, because no table of finished days is there.
    Realtime,
}

/// What was counted over a stretch of time, with people counted once over all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sessions.
    pub counts: Counts,
    /// Installations with a session.
    pub users: u64,
    /// Installations with a crash.
    pub crashed_users: u64,
}

/// What queries have cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Bytes billed since the cycle of the release began.
    pub cycle_bytes: u64,
    /// Bytes billed this month.
    pub month_bytes: u64,
    /// Bytes that may be billed this month, where that is limited.
    pub month_budget: Option<u64>,
    /// Bytes that this report itself was billed for.
    pub report_bytes: u64,
    /// Bytes that the reports of this cycle were billed for, this one included; they are part of those of the cycle.
    #[serde(default)]
    pub reports_bytes: u64,
}

impl AppPage {
    /// The page as it is kept: its history is in the decisions.
    #[must_use]
    pub fn without_history(&self) -> Self {
        let release = self.release.clone().map(|release| ReleasePage { history: Vec::new(), ..release });
        Self { release, ..self.clone() }
    }
}

/// One look of the monitor at a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// When.
    pub at: Timestamp,
    /// The decision's id.
    pub id: DecisionId,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Sessions of the cycle so far.
    pub sessions: u64,
    /// Crashed sessions of the cycle so far.
    pub crashed_sessions: u64,
    /// The crash-free sessions rate; none without sessions.
    pub rate: Option<f64>,
    /// Its lower bound.
    pub lower: Option<f64>,
    /// Its upper bound.
    pub upper: Option<f64>,
    /// The share of users at that time.
    pub user_fraction: Option<UserFraction>,
}

impl Measured {
    /// The rates of what was counted, with the bounds of the configured method.
    #[must_use]
    pub fn of(totals: Totals, window: Window, slo: &Slo) -> Self {
        let Totals { counts, users, crashed_users } = totals;
        let sessions = Evidence::of_sessions(counts, slo, slo.method, reason(counts.sessions));
        let people = Evidence::of(
            users,
            crashed_users,
            slo.crash_free_users,
            slo.method,
            slo.confidence,
            reason(users),
        );
        Self { window, sessions, users: people }
    }
}

/// A report judges nothing, so its evidence says no more than whether there is any.
fn reason(valid: u64) -> Reason {
    if valid == 0 { Reason::NoSessions } else { Reason::NothingToDo }
}

impl From<&super::decision::Record> for Look {
    fn from(record: &super::decision::Record) -> Self {
        let counts = record.facts.fresh();
        let evidence = Evidence::of_sessions(
            counts,
            &record.policy.slo,
            record.policy.slo.method,
            record.judgement.reason,
        );
        Self {
            at: record.decided_at,
            id: record.id.clone(),
            decision: record.judgement.decision,
            reason: record.judgement.reason,
            sessions: counts.sessions,
            crashed_sessions: counts.crashed_sessions,
            rate: evidence.rate,
            lower: evidence.lower,
            upper: evidence.upper,
            user_fraction: record.facts.user_fraction,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Slo;
    use crate::domain::rate::Rate;
    use crate::domain::stats::{Confidence, Method};

    fn slo() -> Slo {
        Slo {
            crash_free_sessions: Rate::new(0.9995).unwrap(),
            crash_free_users: Rate::new(0.999).unwrap(),
            confidence: Confidence::new(0.99).unwrap(),
            method: Method::Wald,
        }
    }

    fn measured(sessions: u64, crashed_sessions: u64) -> Measured {
        let counts = Counts { sessions, crashed_sessions };
        let window = Window::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Measured::of(Totals { counts, users: 100, crashed_users: 1 }, window, &slo())
    }

    #[test]
    fn sessions_and_users_have_their_own_objective() {
        let measured = measured(1_000, 1);
        assert_eq!((measured.sessions.rate, measured.users.rate), (Some(0.999), Some(0.99)));
        assert_eq!(measured.users.objective, slo().crash_free_users);
    }

    #[test]
    fn without_sessions_there_is_no_rate() {
        assert_eq!(measured(0, 0).sessions.rate, None);
        assert_eq!(measured(3, 4).sessions.rate, None, "more crashes than sessions are no rate");
    }
}
