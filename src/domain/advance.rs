//! Advance: whether a staged rollout takes its next step now, and which one that is. Pure.
//!
//! A step needs a reason to be taken and nothing that stands against it: a date and a time that are not quiet, a share that
//! has not changed today, complete and fresh data with enough mature sessions, a rate that meets the objective so far,
//! and no rule that objects. The step is reckoned from the share that the store shows now, so that whatever a person has
//! set since counts: it is never lowered, a share that a person lowered is never raised again, and a date on which a
//! person changed it has had its step.

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::calendar::{date_in, has_come};
use super::counts::Counts;
use super::facts::Facts;
use super::ids::VersionName;
use super::policy::Policy;
use super::rate::UserFraction;
use super::release::{Release, ReleaseState, RolloutStatus};
use super::rules::crash_free_sessions_fast_track::crashes_lag;
use super::verdict::Reason;

/// How far ahead a date that is not quiet is looked for.
const FARTHEST_DAYS: usize = 60;

/// How a staged rollout widens: part of what the judge is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The shares of users, ascending; the last is everybody.
    pub steps: Vec<UserFraction>,
    /// No step is taken on fewer mature sessions of the release than this.
    pub min_sessions: u64,
    /// No step is taken before this time of day, in the zone of the policy.
    pub not_before: Time,
    /// No step is taken on these days of the week.
    pub quiet_days: Vec<DayOfWeek>,
    /// No step is taken on these dates.
    pub quiet_dates: Vec<Dates>,
    /// People are told of a share that has not changed on so many dates that were not quiet.
    pub stuck_after_days: u32,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DayOfWeek {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl From<Weekday> for DayOfWeek {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// Some dates in a row, the first and the last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
}

impl Dates {
    fn hold(self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }
}

impl Plan {
    /// The step after a share; none where it is offered to everybody.
    #[must_use]
    pub fn after(&self, share: UserFraction) -> Option<UserFraction> {
        self.steps.iter().copied().find(|step| *step > share && !step.is_about(share))
    }

    /// Whether no step is taken on a date.
    #[must_use]
    pub fn is_quiet(&self, date: Date) -> bool {
        self.quiet_days.contains(&date.weekday().into())
            || self.quiet_dates.iter().any(|dates| dates.hold(date))
    }

    /// The first date from `date` on that is not quiet; none where none is near.
    #[must_use]
    pub fn next_date(&self, date: Date) -> Option<Date> {
        date.series(Span::new().days(1)).take(FARTHEST_DAYS).find(|date| !self.is_quiet(*date))
    }

    /// The step that follows after a share was reached on a date, and the earliest date for it.
    #[must_use]
    pub fn then(&self, share: UserFraction, on: Date) -> Option<(UserFraction, Option<Date>)> {
        let step = self.after(share)?;
        Some((step, on.tomorrow().ok().and_then(|date| self.next_date(date))))
    }
}

/// What is remembered of the share at which a release stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ShareHistory {
    /// When it was first seen at its present share; none where it has never changed.
    #[serde(default)]
    since: Option<Timestamp>,
    /// Its present share, where a person has lowered it to that.
    #[serde(default)]
    lowered_to: Option<UserFraction>,
}

impl ShareHistory {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The present share, where a person has lowered it to that.
    #[must_use]
    pub fn lowered_to(self) -> Option<UserFraction> {
        self.lowered_to
    }

    /// What is remembered after a look at the store, which showed `before` at the last look. Nothing of this program
    /// lowers a share, so a lower one is a person's.
    #[must_use]
    pub fn seen(self, before: Option<UserFraction>, live: &Release, now: Timestamp) -> Self {
        let (Some(before), Some(share), RolloutStatus::RollingOut | RolloutStatus::Completed) =
            (before, live.user_fraction, live.status)
        else {
            return self;
        };
        match before.is_about(share) {
            true => self,
            false => Self { since: Some(now), lowered_to: (share < before).then_some(share) },
        }
    }

    /// What is remembered of a release that a person has resumed.
    #[must_use]
    pub fn resumed(now: Timestamp) -> Self {
        Self { since: Some(now), lowered_to: None }
    }
}

/// What is known of the share of a release, where a run asks for its next step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShareFacts {
    /// Since when it is offered to its present share.
    pub since: Timestamp,
    /// Its present share, where a person has lowered it to that.
    pub lowered_to: Option<UserFraction>,
    /// The share at which the release stood whose hotfix this one is.
    pub taken_over: Option<UserFraction>,
}

impl ShareFacts {
    /// Of a release among all that are remembered of its app.
    #[must_use]
    pub fn of(state: &ReleaseState, known: &[ReleaseState]) -> Self {
        let ShareHistory { since, lowered_to } = state.share;
        let since = since.unwrap_or(state.cycle_start);
        Self { since, lowered_to, taken_over: taken_over(state, known) }
    }
}

/// The latest share of the release in whose place a hotfix rolls out. The same users are offered both, because a store
/// offers a share always to the same people.
fn taken_over(state: &ReleaseState, known: &[ReleaseState]) -> Option<UserFraction> {
    mended_by(state, known)?.last_fraction.filter(|share| *share < UserFraction::EVERYBODY)
}

/// The release that this one mends: the one that began last before it and of which it is a hotfix, if that one was stopped, or
/// replaced before everybody had it.
#[must_use]
pub fn mended_by<'s>(state: &ReleaseState, known: &'s [ReleaseState]) -> Option<&'s ReleaseState> {
    let comes_before = |other: &&ReleaseState| {
        other.id != state.id
            && other.last_seen != RolloutStatus::Pending
            && other.cycle_start <= state.cycle_start
            && is_hotfix(&state.version, &other.version)
    };
    let before = known.iter().filter(comes_before).max_by_key(|other| other.cycle_start);
    before.filter(|other| matches!(other.last_seen, RolloutStatus::RollingOut | RolloutStatus::Halted))
}

/// Whether a version is a hotfix of another by its name: the same one built anew, or the same but for its last number.
#[must_use]
pub fn is_hotfix(version: &VersionName, of: &VersionName) -> bool {
    let parts = |version: &VersionName| -> Option<Vec<u64>> {
        version.as_str().split('.').map(|part| part.parse().ok()).collect()
    };
    let (Some(new), Some(old)) = (parts(version), parts(of)) else { return version == of };
    match (new.split_last(), old.split_last()) {
        (Some((newest, line)), Some((older, other))) => line == other && newest >= older && line.len() >= 2,
        _ => false,
    }
}

/// A step of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The share that the store shows.
    pub from: UserFraction,
    /// The share that it is to show.
    pub to: UserFraction,
}

impl Step {
    /// Whether it is the last one.
    #[must_use]
    pub fn completes(&self) -> bool {
        self.to.is_about(UserFraction::EVERYBODY)
    }
}

/// The step to take now, where no rule objects; otherwise why none is.
///
/// # Errors
/// The reason, the one that a person would ask about first where there are several.
pub fn next(facts: &Facts, share: &ShareFacts, policy: &Policy, now: Timestamp) -> Result<Step, Reason> {
    let plan = policy.rollout.as_ref().ok_or(Reason::NoStepsPlanned)?;
    if facts.status != RolloutStatus::RollingOut {
        return Err(Reason::NothingRollingOut);
    }
    let from = facts.user_fraction.ok_or(Reason::ShareUnknown)?;
    let to = plan.after(from).ok_or(Reason::NothingToDo)?;
    calendar(plan, share, &policy.zone, now)?;
    evidence(facts, plan, policy)?;
    let taken_over = share.taken_over.filter(|share| *share < UserFraction::EVERYBODY);
    let to = taken_over.map_or(to, |share| if share > to { share } else { to });
    Ok(Step { from, to })
}

/// Whether people and the calendar allow a step now.
fn calendar(plan: &Plan, share: &ShareFacts, zone: &TimeZone, now: Timestamp) -> Result<(), Reason> {
    let today = date_in(zone, now);
    if share.lowered_to.is_some() {
        return Err(Reason::LoweredByPerson);
    }
    if date_in(zone, share.since) >= today {
        return Err(Reason::StepTaken);
    }
    if plan.is_quiet(today) {
        return Err(Reason::QuietDay);
    }
    has_come(plan.not_before, now, zone).then_some(()).ok_or(Reason::BeforeTime)
}

/// Whether the counts allow a step. That the data is complete and fresh is for the judge, which asks it of every release.
fn evidence(facts: &Facts, plan: &Plan, policy: &Policy) -> Result<(), Reason> {
    if let Some(lag) = crashes_lag(facts, policy) {
        return Err(lag);
    }
    if facts.mature().sessions < plan.min_sessions.max(1) {
        return Err(Reason::TooFewSessions);
    }
    let misses = |counts: Counts| counts.crash_rate().is_none_or(|rate| rate > policy.slo.crash_rate());
    match misses(facts.mature()) || misses(facts.fresh()) {
        true => Err(Reason::BelowObjective),
        // Sessions that were left unread may hold something else.
        false => facts.data.spared.map_or(Ok(()), |_| Err(Reason::TooFewSessions)),
    }
}

/// Dates on which a share stood still, with the share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stuck {
    /// The share.
    pub at: UserFraction,
    /// Since when.
    pub since: Timestamp,
    /// Dates since then that were not quiet, today included.
    pub days: u32,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = if self.days == 1 { "day" } else { "days" };
        write!(f, "{} of users for {} {days}", self.at, self.days)
    }
}

/// Whether a rollout has stood still for so long that people have to be told. A quiet date is none on which it could have
/// gone on, and neither is today before its time.
#[must_use]
pub fn stuck(facts: &Facts, policy: &Policy, now: Timestamp) -> Option<Stuck> {
    let (plan, share) = (policy.rollout.as_ref()?, facts.share?);
    let at = facts.user_fraction.filter(|_| facts.status == RolloutStatus::RollingOut)?;
    let today = date_in(&policy.zone, now);
    if plan.is_quiet(today) || !has_come(plan.not_before, now, &policy.zone) {
        return None;
    }
    let first = date_in(&policy.zone, share.since).tomorrow().ok()?;
    let dates = first.series(Span::new().days(1)).take_while(|date| *date <= today);
    let days = u32::try_from(dates.filter(|date| !plan.is_quiet(*date)).count()).ok()?;
    (days >= plan.stuck_after_days).then_some(Stuck { at, since: share.since, days })
}
