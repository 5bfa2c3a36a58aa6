//! Everything the judge may know of a release: values only, read before and never looked up again.
//!
//! Counts are kept per day, fresh and mature, with the crashes per installation, so that rules which weigh days,
//! lateness or crash loops need no new reading.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::advance::ShareFacts;
use super::calendar::{UtcDay, Window, rollout_day};
use super::counts::{Counts, Partials};
use super::policy::Policy;
use super::rate::UserFraction;
use super::release::{Release, ReleaseState, RolloutStatus};
use super::verdict::Reason;

/// A sketch that grows can estimate fewer people than a smaller one did, by chance: a sixteenth is four standard errors.
const SKETCH_SLACK: u64 = 16;
/// A crash ends its session, so more reports a session than this are no crashes of the sessions that were counted.
const MOST_REPORTS_PER_SESSION: u64 = 50;

/// The counts of one day, as the judge sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayFacts {
    /// The UTC day.
    pub day: UtcDay,
    /// Everything up to the cut.
    pub fresh: Counts,
    /// What happened before the mature cut.
    pub mature: Counts,
}

/// Different people over the whole cycle. The two sides use different ids, so only their ratio means anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct People {
    /// Installations with a session.
    pub users: u64,
    /// Installations with a crash.
    pub crashed_users: u64,
    /// Kish's design effect of the crashes, 1 where nobody crashed twice; none without crashes.
    pub concentration: Option<f64>,
}

/// A table that the rules need and that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsentTable {
    /// What it would have counted.
    pub side: Side,
    /// Its full name.
    pub table: String,
    /// Whether anything of its side is there.
    #[serde(default)]
    pub extent: Extent,
}

/// How much of a side is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// Some dates of it; others are there.
    Part,
}

/// Why the sessions were not read again: with the sessions that are known, which can only have become more, and with
/// at most so many crashes, no rule says anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spared {
    /// The crashed sessions of the cycle, counted now, are at most these.
    pub crashed_sessions_at_most: u64,
    /// The installations that crashed in the cycle, counted now, are at most these.
    pub crashed_users_at_most: u64,
}

/// The two sides of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The numerator.
    Crashes,
    /// The denominator.
    Sessions,
}

/// How far the data goes and what it lacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Both sides are counted up to this instant.
    pub through: Timestamp,
    /// The newest session of any version.
    pub newest_session_at: Option<Timestamp>,
    /// The newest crash report of any version.
    pub newest_crash_at: Option<Timestamp>,
    /// Days of the cycle of which nothing is known.
    pub missing_days: Vec<UtcDay>,
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
    /// Whether a day has fewer events now than it had before: rows were deleted or reprocessed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revised: bool,
    /// Set where the sessions were not read again, with the reason that this changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared: Option<Spared>,
    /// How many seconds the machine's clock is behind the services', or ahead where negative; set only where that is so
    /// much that nothing permissive may be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_off_seconds: Option<i64>,
}

/// What a reading says of the data itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Tables that are not there.
    pub absent: Vec<AbsentTable>,
    /// Both sides are counted up to this instant.
    pub through: Timestamp,
    /// Whether a day has fewer events now than it had before.
    pub revised: bool,
}

/// The input of the judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Where the rollout stands.
    pub status: RolloutStatus,
    /// The share of users it is offered to.
    pub user_fraction: Option<UserFraction>,
    /// When counting began.
    pub cycle_start: Timestamp,
    /// The counts, oldest day first.
    pub days: Vec<DayFacts>,
    /// The people.
    pub people: People,
    /// Fatal crash reports of the cycle.
    pub fatal_events: u64,
    /// Foreground ANR reports of the cycle that are not also fatal.
    pub foreground_anr_events: u64,
    /// The state of the data.
    pub data: DataFacts,
    /// When the one fast-track check of this cycle was made.
    pub fast_track_checked_at: Option<Timestamp>,
    /// When a person resumed the release after a halt; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// Its present share of users, where a person has lowered it to that: nothing automatic raises it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowered_to: Option<UserFraction>,
    /// What is known of its share of users; set only where the run asks for the next step of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareFacts>,
}

impl Facts {
    /// Puts together what the store shows, what was counted and what is remembered.
    #[must_use]
    pub fn gather(live: &Release, state: &ReleaseState, partials: &Partials, seen: Seen) -> Self {
        let Seen { absent, through, revised } = seen;
        let crashed = partials.crashed_installations();
        let people = People {
            users: partials.users().people(),
            crashed_users: crashed.people(),
            concentration: crashed.concentration(),
        };
        Self {
            status: live.status,
            user_fraction: live.user_fraction,
            cycle_start: state.cycle_start,
            days: partials
                .iter()
                .map(|p| DayFacts { day: p.day, fresh: p.fresh, mature: p.mature })
                .collect(),
            people,
            fatal_events: partials.iter().map(|p| p.fatal_events).sum(),
            foreground_anr_events: partials.iter().map(|p| p.foreground_anr_events).sum(),
            data: DataFacts {
                through,
                newest_session_at: state.newest_session_at,
                newest_crash_at: state.newest_crash_at,
                missing_days: partials.missing(Window::new(state.cycle_start, through)),
                absent,
                revised,
                spared: None,
                clock_off_seconds: None,
            },
            fast_track_checked_at: state.fast_track_checked_at,
            // A resume starts the counts anew.
            resumed_at: (state.generation > 0).then_some(state.cycle_start),
            lowered_to: state.share.lowered_to(),
            share: None,
        }
    }

    /// The counts of the whole cycle.
    #[must_use]
    pub fn fresh(&self) -> Counts {
        self.days.iter().map(|day| day.fresh).sum()
    }

    /// The mature counts of the whole cycle.
    #[must_use]
    pub fn mature(&self) -> Counts {
        self.days.iter().map(|day| day.mature).sum()
    }

    /// Whether a person resumed the release so lately that rules may not halt it again: those who have the bad build
    /// keep it, and go on crashing.
    #[must_use]
    pub fn are_in_grace(&self, policy: &Policy, now: Timestamp) -> bool {
        self.resumed_at.is_some_and(|resumed| now.duration_since(resumed) < policy.resume_grace)
    }

    /// The rollout day in the configured zone.
    #[must_use]
    pub fn rollout_day(&self, policy: &Policy, now: Timestamp) -> u32 {
        rollout_day(self.cycle_start, now, &policy.zone)
    }

    /// Whether the counts can't be true: more crashed sessions than sessions, or far more reports than those can bring.
    #[must_use]
    pub fn are_absurd(&self) -> bool {
        let counts = self.fresh();
        let reports = self.fatal_events.saturating_add(self.foreground_anr_events);
        counts.sample().is_err() || reports > counts.sessions.saturating_mul(MOST_REPORTS_PER_SESSION)
    }

    /// Whether no table of the denominator is there: no rate may be formed.
    #[must_use]
    pub fn lacks_sessions(&self) -> bool {
        self.lacks(Side::Sessions, Extent::Whole)
    }

    fn lacks(&self, side: Side, extent: Extent) -> bool {
        self.data.absent.iter().any(|table| table.side == side && table.extent == extent)
    }

    /// The same facts with so many crashes in the cycle, and with the fewest users that the sketches may stand for: what
    /// is true now is no worse than this.
    #[must_use]
    pub fn at_worst(&self, crashed: Spared) -> Self {
        let mut worst = self.clone();
        let known = worst.fresh().crashed_sessions;
        if let Some(day) = worst.days.last_mut() {
            day.fresh.crashed_sessions += crashed.crashed_sessions_at_most.saturating_sub(known);
        }
        worst.people.crashed_users = worst.people.crashed_users.max(crashed.crashed_users_at_most);
        worst.people.users -= worst.people.users / SKETCH_SLACK;
        worst.data.spared = Some(crashed);
        worst
    }

    /// Why the data may not support a permissive action, worst first; `None` where it is complete and fresh.
    #[must_use]
    pub fn data_problem(&self, policy: &Policy, now: Timestamp) -> Option<Reason> {
        let since = |instant: Option<Timestamp>| now.duration_since(instant.unwrap_or(self.cycle_start));
        let problems = [
            (self.lacks_sessions(), Reason::SessionsTableMissing),
            (self.lacks(Side::Crashes, Extent::Whole), Reason::CrashTableMissing),
            (self.lacks(Side::Sessions, Extent::Part), Reason::SessionsTableGone),
            (self.are_absurd(), Reason::MoreCrashesThanSessions),
            (self.fresh().sessions == 0, Reason::NoSessions),
            (!self.data.missing_days.is_empty(), Reason::DaysMissing),
            (self.data.revised, Reason::CountsRevised),
            (self.data.clock_off_seconds.is_some(), Reason::ClockWrong),
            (since(self.data.newest_session_at) > policy.data.max_age, Reason::SessionsStale),
            (since(self.data.newest_crash_at) > policy.data.max_crash_silence, Reason::CrashExportSilent),
        ];
        problems.into_iter().find_map(|(found, reason)| found.then_some(reason))
    }
}
