//! What was counted: sessions and crashes per UTC day, and how days become a cycle.
//!
//! A day's partial is *replaced* by each newer reading, never added to it: runs may repeat, overlap or restate late
//! rows, and the sum over the cycle stays right. People are merged by sketches, never summed.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::Add;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::calendar::{UtcDay, Window};
use super::sketch::Sketch;
use super::stats::Sample;

/// Sessions and crashed sessions over one aligned window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Sessions that started.
    pub sessions: u64,
    /// Sessions with a fatal crash or a foreground ANR.
    pub crashed_sessions: u64,
}

/// Counts that cannot be true, so nothing may be concluded from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{crashed} crashed out of {valid}: the denominator is not complete")]
pub struct MoreCrashesThanSessions {
    /// Crashed sessions or users.
    pub crashed: u64,
    /// All sessions or users.
    pub valid: u64,
}

impl Counts {
    /// The counts as a sample for the statistics.
    ///
    /// # Errors
    /// [`MoreCrashesThanSessions`] where they cannot be true.
    pub fn sample(self) -> Result<Sample, MoreCrashesThanSessions> {
        sample(self.sessions, self.crashed_sessions)
    }

    /// Crashed sessions over sessions; none without sessions, or where they can't be true.
    #[must_use]
    pub fn crash_rate(self) -> Option<f64> {
        let is_possible = self.sessions > 0 && self.crashed_sessions <= self.sessions;
        is_possible.then(|| self.crashed_sessions as f64 / self.sessions as f64)
    }
}

/// A sample of `valid` trials with `crashed` crashes.
///
/// # Errors
/// [`MoreCrashesThanSessions`] where there are more crashes than trials.
pub fn sample(valid: u64, crashed: u64) -> Result<Sample, MoreCrashesThanSessions> {
    Sample::new(valid, crashed).map_err(|_| MoreCrashesThanSessions { crashed, valid })
}

impl Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_add(other.sessions),
            crashed_sessions: self.crashed_sessions.saturating_add(other.crashed_sessions),
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// One UTC day of one release, as the newest reading saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayPartial {
    /// The day.
    pub day: UtcDay,
    /// Everything up to [`DayPartial::through`].
    pub fresh: Counts,
    /// Only what happened before [`DayPartial::mature_through`], when late reports have mostly arrived.
    pub mature: Counts,
    /// Crash reports with error type FATAL, whatever the process state.
    pub fatal_events: u64,
    /// ANR reports in the foreground that are not also fatal.
    pub foreground_anr_events: u64,
    /// People with a session.
    pub users: Sketch,
    /// Installations with a crash, weighted by their number of crashes.
    pub crashed_installations: Sketch,
    /// Both sides were counted up to this instant.
    pub through: Timestamp,
    /// The mature counts were counted up to this instant.
    pub mature_through: Timestamp,
}

impl DayPartial {
    /// A day on which nothing has been counted yet.
    #[must_use]
    pub fn empty(day: UtcDay, through: Timestamp, mature_through: Timestamp) -> Self {
        Self {
            day,
            fresh: Counts::default(),
            mature: Counts::default(),
            fatal_events: 0,
            foreground_anr_events: 0,
            users: Sketch::default(),
            crashed_installations: Sketch::default(),
            through,
            mature_through,
        }
    }

    /// Whether the whole day lies before the mature cut, so that only the daily settling reads it again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.mature_through >= self.day.end()
    }
}

/// The sessions of one day, as a reading saw them.
#[derive(Debug, Clone, PartialEq)]
pub struct DaySessions {
    /// The day.
    pub day: UtcDay,
    /// Sessions that started.
    pub sessions: u64,
    /// Those before the mature cut.
    pub mature_sessions: u64,
    /// People with a session.
    pub users: Sketch,
}

impl DaySessions {
    /// A day without sessions.
    #[must_use]
    pub fn none(day: UtcDay) -> Self {
        Self { day, sessions: 0, mature_sessions: 0, users: Sketch::default() }
    }
}

/// The crashes of one day, as a reading saw them.
#[derive(Debug, Clone, PartialEq)]
pub struct DayCrashes {
    /// The day.
    pub day: UtcDay,
    /// Sessions with a fatal crash or a foreground ANR.
    pub crashed_sessions: u64,
    /// Those before the mature cut.
    pub mature_crashed_sessions: u64,
    /// Crash reports with error type FATAL.
    pub fatal_events: u64,
    /// ANR reports in the foreground that are not also fatal.
    pub foreground_anr_events: u64,
    /// Installations with a crash, weighted by their number of crashes.
    pub installations: Sketch,
}

impl DayCrashes {
    /// A day without crashes.
    #[must_use]
    pub fn none(day: UtcDay) -> Self {
        Self {
            day,
            crashed_sessions: 0,
            mature_crashed_sessions: 0,
            fatal_events: 0,
            foreground_anr_events: 0,
            installations: Sketch::default(),
        }
    }
}

/// How far a reading of sessions went.
#[derive(Debug, Clone, Copy)]
pub struct CountedTo {
    /// Everything up to here.
    pub through: Timestamp,
    /// The mature counts up to here.
    pub mature_through: Timestamp,
}

/// The partials of one release cycle, one for each day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partials(BTreeMap<UtcDay, DayPartial>);

impl Partials {
    /// Puts newer readings in the place of older ones of the same days.
    pub fn replace(&mut self, newer: impl IntoIterator<Item = DayPartial>) {
        self.0.extend(newer.into_iter().map(|partial| (partial.day, partial)));
    }

    /// Puts newly read sessions in the place of older ones of the same days.
    pub fn take_sessions(&mut self, days: &[DaySessions], to: CountedTo) {
        for read in days {
            let partial = self.entry(read.day, to);
            partial.fresh.sessions = read.sessions;
            partial.mature.sessions = read.mature_sessions;
            partial.users = read.users.clone();
            (partial.through, partial.mature_through) = (to.through, to.mature_through);
        }
    }

    /// Puts newly read crashes in the place of older ones of the same days.
    pub fn take_crashes(&mut self, days: &[DayCrashes], to: CountedTo) {
        for read in days {
            let partial = self.entry(read.day, to);
            partial.fresh.crashed_sessions = read.crashed_sessions;
            partial.mature.crashed_sessions = read.mature_crashed_sessions;
            partial.fatal_events = read.fatal_events;
            partial.foreground_anr_events = read.foreground_anr_events;
            partial.crashed_installations = read.installations.clone();
        }
    }

    fn entry(&mut self, day: UtcDay, to: CountedTo) -> &mut DayPartial {
        self.0.entry(day).or_insert_with(|| DayPartial::empty(day, to.through, to.mature_through))
    }

    /// The partial of a day.
    #[must_use]
    pub fn get(&self, day: UtcDay) -> Option<&DayPartial> {
        self.0.get(&day)
    }

    /// The days, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &DayPartial> {
        self.0.values()
    }

    /// The people of the whole cycle.
    #[must_use]
    pub fn users(&self) -> Sketch {
        merged(self.iter().map(|partial| &partial.users))
    }

    /// The installations that crashed in the whole cycle.
    #[must_use]
    pub fn crashed_installations(&self) -> Sketch {
        merged(self.iter().map(|partial| &partial.crashed_installations))
    }

    /// The days of the cycle up to `through` of which nothing is known.
    #[must_use]
    pub fn missing(&self, cycle: Window) -> Vec<UtcDay> {
        cycle.days().filter(|day| !self.0.contains_key(day)).collect()
    }

    /// What has to be read now: from the start of the first day that is due, to the end of `cycle`.
    ///
    /// A day is due where it is today, was never read, was not closed when last read, or is one of the
    /// `settle_days` before today. That is "start of day to now" on most runs, and never loses a tail.
    #[must_use]
    pub fn due(&self, cycle: Window, settle_days: i64) -> Window {
        let today = cycle.days().last().unwrap_or_else(|| UtcDay::of(cycle.from));
        let settled_from = today.plus(-settle_days);
        let first = cycle
            .days()
            .find(|day| *day >= settled_from || !self.0.get(day).is_some_and(DayPartial::is_closed))
            .unwrap_or(today);
        Window::new(first.start().max(cycle.from), cycle.to)
    }
}

impl Partials {
    /// The days whose sessions are not complete: from the first that was never read, or was read before it ended.
    #[must_use]
    pub fn incomplete(&self, cycle: Window) -> Window {
        let today = cycle.days().last().unwrap_or_else(|| UtcDay::of(cycle.from));
        let complete = |day: &UtcDay| self.0.get(day).is_some_and(|partial| partial.through >= day.end());
        let first = cycle.days().find(|day| !complete(day)).unwrap_or(today);
        Window::new(first.start().max(cycle.from), cycle.to)
    }

    /// Whether a newer reading has less of a day than there was: rows were deleted or reprocessed.
    #[must_use]
    pub fn are_revised_by(&self, newer: &Self) -> bool {
        self.iter().any(|old| {
            newer.get(old.day).is_some_and(|new| {
                new.fresh.sessions < old.fresh.sessions
                    || new.fresh.crashed_sessions < old.fresh.crashed_sessions
            })
        })
    }
}

impl FromIterator<DayPartial> for Partials {
    fn from_iter<I: IntoIterator<Item = DayPartial>>(days: I) -> Self {
        let mut partials = Self::default();
        partials.replace(days);
        partials
    }
}

fn merged<'a>(sketches: impl Iterator<Item = &'a Sketch>) -> Sketch {
    sketches.fold(Sketch::default(), |mut all, sketch| {
        all.merge(sketch);
        all
    })
}

/// The instant up to which events are mature at `through`.
#[must_use]
pub fn mature_cut(through: Timestamp, maturity: SignedDuration) -> Timestamp {
    through.checked_sub(maturity).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read_at(day: &str, through: &str) -> DayPartial {
        let through = at(through);
        let day = UtcDay::of(at(&format!("{day}T00:00:00Z")));
        DayPartial::empty(day, through, mature_cut(through, SignedDuration::from_hours(6)))
    }

    fn cycle(to: &str) -> Window {
        Window::new(at("2026-11-16T11:00:00Z"), at(to))
    }

    #[test]
    fn the_first_reading_starts_with_the_cycle() {
        let due = Partials::default().due(cycle("2026-11-18T09:00:00Z"), 0);
        assert_eq!(due.from, at("2026-11-16T11:00:00Z"), "testers before the release do not count");
    }

    #[test]
    fn most_runs_read_from_the_start_of_the_day() {
        let partials: Partials =
            [read_at("2026-11-16", "2026-11-17T06:00:00Z"), read_at("2026-11-17", "2026-11-17T12:00:00Z")]
                .into_iter()
                .collect();
        assert_eq!(partials.due(cycle("2026-11-17T12:15:00Z"), 0).from, at("2026-11-17T00:00:00Z"));
    }

    #[test]
    fn yesterday_is_read_until_it_has_matured() {
        let partials: Partials = [read_at("2026-11-16", "2026-11-17T05:50:00Z")].into_iter().collect();
        let due = partials.due(cycle("2026-11-17T06:05:00Z"), 0);
        assert_eq!(due.from, at("2026-11-16T11:00:00Z"), "its last ten minutes were not mature");
    }

    #[test]
    fn settling_reads_three_days_again() {
        let partials: Partials = (16..=20)
            .map(|day| read_at(&format!("2026-11-{day}"), "2026-11-20T23:00:00Z"))
            .chain([read_at("2026-11-21", "2026-11-21T07:00:00Z")])
            .collect();
        assert_eq!(partials.due(cycle("2026-11-21T08:00:00Z"), 3).from, at("2026-11-18T00:00:00Z"));
    }

    #[test]
    fn a_day_missing_in_the_middle_is_read_again() {
        let partials: Partials =
            [read_at("2026-11-16", "2026-11-18T12:00:00Z"), read_at("2026-11-18", "2026-11-18T12:00:00Z")]
                .into_iter()
                .collect();
        let cycle = cycle("2026-11-18T12:15:00Z");
        assert_eq!(partials.missing(cycle).len(), 1);
        assert_eq!(partials.due(cycle, 0).from, at("2026-11-17T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn reading_a_day_twice_changes_nothing(sessions in 0u64..1_000_000, crashed in 0u64..1000) {
            let mut partial = read_at("2026-11-17", "2026-11-17T12:00:00Z");
            partial.fresh = Counts { sessions, crashed_sessions: crashed };
            let once: Partials = [partial.clone()].into_iter().collect();
            let mut twice = once.clone();
            twice.replace([partial]);
            prop_assert_eq!(once, twice);
        }
    }
}
